// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_compare.c - CHECK of a change: skeleton, index, elements
 *
 * The skeleton is put into a change-set as ADD does, which is then compared with the kernel's
 * state instead of being committed.  So CHECK cannot expect anything else than ADD makes.
 */
#include "base/differ.h"
#include "firewall/owned_impl.h"

static int compare_skeleton(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	struct nft *n = nft_new(&tx->mem, t->family, t->name);

	owned_put_sets(&tx->mem, n, c->in);
	t->skeleton(n, c->in.group, c->arg);
	return nft_compare(tx, nl, n);
}

/* ---- the index ----------------------------------------------------------- */

/*
 * Is x the index that ADD makes of c?  Not compared byte by byte, because an earlier version did
 * not record the namespace.
 */
static bool same_index(struct mem *mem, const struct owned_change *c, const struct owned_index *x)
{
	struct owned_elem *have = NULL;
	unsigned n = 0, k = 0;
	char key[IFNAMSIZ];

	if (!owned_index_names(&x->chunks[0], c->kind, c->owner->network, key))
		return false;
	owned_unpack(mem, c->in.table, x, &have, &n);
	for (unsigned i = 0; i < c->n; i++) {
		if (c->elems[i].skipped)
			continue;
		if (k >= n || !owned_same_keys(&c->elems[i], &have[k++]))
			return false;
	}
	return k == n && x->link == (unsigned)c->link && str_eq(x->group, c->in.group);
}

/*
 * Why the index is not what ADD makes; NULL if it is.  A saved and loaded ruleset has lost the
 * private bytes, which is no difference, because DEL works without them; its chunks are there.
 */
static const char *index_state(struct mem *mem, const struct owned_change *c,
			       const struct owned_index *x)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x->n; i++) {
		const char *comment = x->chunks[i].comment;

		if (!owned_is_ours(&x->chunks[i], c->owner->comment))
			return comment ? comment : "an unknown owner's";
	}
	if (x->lost)
		owned_pack(mem, c, NULL, 0, &n);
	if (x->lost ? x->n >= n : same_index(mem, c, x))
		return NULL;
	return "another list";
}

static int check_index(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	const char *object =
		mem_printf(&tx->mem, "index of %s in nftables table %s", c->owner->key.s, t->name);
	struct owned_index x;
	const char *state = NULL;
	int r = owned_read_index(&tx->mem, nl, t, c->owner->key.s, c->kind, &x);

	if (r == -EINVAL) /* a set of another type, which compare_skeleton() has noted */
		return 0;
	if (r < 0)
		return owned_fail_look_index(tx, t, r);
	if (r)
		state = index_state(&tx->mem, c, &x);
	if (!r || state)
		differ(tx, object, "what ADD made", state);
	return 0;
}

/* ---- elements ------------------------------------------------------------ */

static bool same_target(const struct nft_elem *want, const struct nft_elem *have)
{
	if (want->chain || have->chain)
		return str_eq(want->chain, have->chain);
	return want->data.len == have->data.len &&
	       memcmp(want->data.b, have->data.b, want->data.len) == 0;
}

static void check_elem(struct tx *tx, const struct owned_change *c, const struct owned_elem *e)
{
	const struct owned_table *t = c->in.table;
	const char *what = mem_printf(&tx->mem, "%s in nftables table %s", e->what, t->name);
	const char *set;

	if (!e->there.found) {
		differ(tx, what, "present", NULL);
	} else if (!owned_is_ours(&e->there, c->owner->comment)) {
		/* ADD warned about it and left it to its owner: no difference. */
		if (!e->skipped)
			differ(tx, what, "ours", owned_owner_text(e->there.comment));
	} else if (!same_target(&e->e, &e->there)) {
		differ(tx, what, "our target", "another target");
	} else if (owned_has_lookup_set(t, e->set, &e->there) && !e->in_lookup_set) {
		set = owned_lookup_set(&tx->mem, &t->sets[e->set], e->there.chain);
		differ(tx, mem_printf(&tx->mem, "%s, set %s", what, set), "present", NULL);
	}
}

/* The attachment has nothing there, so it has no index. */
static int check_nothing(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	struct owned_elem *elems;
	unsigned n;
	int there;

	TRY(there = owned_list(tx, nl, t, c->owner, c->kind, &elems, &n));
	if (there)
		differ(tx,
		       mem_printf(&tx->mem, "index of %s in nftables table %s", c->owner->key.s,
				  t->name),
		       "absent", mem_printf(&tx->mem, "a list of %u elements", n));
	return 0;
}

int owned_check(struct tx *tx, struct nfnl *nl, struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	int r;

	if (!c->n)
		return check_nothing(tx, nl, c);
	TRY(compare_skeleton(tx, nl, c));
	r = owned_look(&tx->mem, nl, c->in, c->elems, c->n);
	for (unsigned i = 0; r == 0 && i < c->n; i++) {
		struct owned_elem *e = &c->elems[i];

		e->skipped = e->there.found && e->conflict == OWNED_WARN &&
			     !owned_is_ours(&e->there, c->owner->comment);
	}
	if (r == 0)
		TRY(check_index(tx, nl, c));
	if (r == 0)
		r = owned_look_lookup_sets(&tx->mem, nl, t, c->elems, c->n);
	if (r == -EINVAL) { /* a set of another type, which compare_skeleton() has noted */
		differ(tx, mem_printf(&tx->mem, "elements of nftables table %s", t->name),
		       "present", NULL);
		return 0;
	}
	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < c->n; i++)
		check_elem(tx, c, &c->elems[i]);
	return 0;
}
