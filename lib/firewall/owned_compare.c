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
 * Why have is not the index element that we want; NULL if it is.  A saved and loaded ruleset has
 * lost the private bytes, which is no difference, because DEL works without them.
 */
static const char *index_state(const struct nft_elem *want, const struct nft_elem *have,
			       const char *comment)
{
	if (!owned_is_ours(have, comment))
		return have->comment ? have->comment : "somebody else's";
	if (have->private_len && (have->private_len != want->private_len ||
				  memcmp(have->private, want->private, want->private_len) != 0))
		return "another list";
	return NULL;
}

static int check_index(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	const char *object =
		mem_printf(&tx->mem, "index of %s in nftables table %s", c->owner->key.s, t->name);
	struct nft_elem *want, *have;
	unsigned n;
	int r;

	want = owned_pack(&tx->mem, c, &n);
	have = mem_dup(&tx->mem, want, n * sizeof(*want));
	r = nft_find_elems(&tx->mem, nl, owned_index_ref(t), have, n);
	if (r == -EINVAL) /* a set of another type, which compare_skeleton() has noted */
		return 0;
	if (r < 0)
		return tx_fail(tx, r, "host: look up the index of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < n; i++) {
		const char *state = NULL;

		if (have[i].found)
			state = index_state(&want[i], &have[i], c->owner->comment);
		if (!have[i].found || state)
			differ(tx, object, "what ADD made", state);
	}
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

int owned_check(struct tx *tx, struct nfnl *nl, struct owned_change *c)
{
	const struct owned_table *t = c->in.table;
	int r;

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
