// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned.c - nftables elements that belong to an attachment
 *
 * Adding is optimistic: the elements are added exclusively, and only a refusal makes
 * us look who is there (EEXIST, EBUSY) or build the skeleton (ENOENT: the first
 * container, or somebody flushed the ruleset).  Deleting looks first, and both the
 * second look of an ADD and every DEL are bound to the generation they saw: ERESTART
 * means that something changed in between, and we look again.  Every restart means
 * that somebody else's transaction went through, so there is progress; the number of
 * tries is bounded all the same.
 */
#include <stdio.h>

#include "base/differ.h"
#include "netlink/link.h"
#include "base/log.h"
#include "firewall/owned_impl.h"

#include <linux/netfilter.h>

struct owner owner_of(struct tx *tx, const char *network, const char *id, const char *ifname)
{
	struct owner o = { network, id, ifname, name_owner(network, id, ifname), NULL };

	o.comment = mem_printf(&tx->mem, "%s %s/%s/%s", o.key.s, network, id, ifname);
	if (strlen(o.comment) > NFT_COMMENT_MAX)
		o.comment = mem_printf(&tx->mem, "%.*s", NFT_COMMENT_MAX, o.comment);
	return o;
}

const char *owned_set_name(struct tx *tx, const struct owned_set *s, const char *group)
{
	return s->grouped && *group ? mem_printf(&tx->mem, "%s-%s", s->name, group) : s->name;
}

const char *owned_lookup_set(struct tx *tx, const struct owned_set *s, const char *chain)
{
	char hash[13];

	name_hash(hash, 12, "", chain);
	return mem_printf(&tx->mem, "%s-%s", s->name, hash);
}

static bool has_lookup_set(const struct owned_table *t, unsigned set, const struct nft_elem *e)
{
	return t->sets[set].has_lookup_sets && e->chain;
}

/* A lookup set that is there already is as good as ours: it has the same key. */
void owned_put_add(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group,
		   unsigned set, const struct nft_elem *e, bool excl)
{
	struct nft_elem copy = { .key = e->key, .comment = e->comment };

	nft_add_elem(n, owned_set_name(tx, &t->sets[set], group), e, excl);
	if (has_lookup_set(t, set, e))
		nft_add_elem(n, owned_lookup_set(tx, &t->sets[set], e->chain), &copy, false);
}

void owned_put_del(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group,
		   unsigned set, const struct nft_elem *e, bool in_lookup_set)
{
	struct nft_elem other = { .key = e->key };

	nft_del_elem(n, owned_set_name(tx, &t->sets[set], group), e);
	if (in_lookup_set && has_lookup_set(t, set, e))
		nft_del_elem(n, owned_lookup_set(tx, &t->sets[set], e->chain), &other);
}

/* ---- looking ------------------------------------------------------------ */

/* Looks all elements up, one request for each set: there[i] is what stands at elems[i]. */
int owned_look(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *group,
	       const struct owned_elem *elems, unsigned n, struct nft_elem *there, bool *found)
{
	struct nft_elem *some = mem_alloc(&tx->mem, (n + 1) * sizeof(*some));
	unsigned *which = mem_alloc(&tx->mem, (n + 1) * sizeof(*which));
	bool *got = mem_alloc(&tx->mem, n + 1);

	for (unsigned s = 0; s < t->n_sets; s++) {
		unsigned k = 0;

		for (unsigned i = 0; i < n; i++)
			if (elems[i].set == s) {
				some[k] = (struct nft_elem){ .key = elems[i].e.key,
							     .key_end = elems[i].e.key_end };
				which[k++] = i;
			}
		if (!k)
			continue;
		TRY(nft_find_elems(tx, nl, t->family, t->name,
				   owned_set_name(tx, &t->sets[s], group), some, got, k));
		for (unsigned i = 0; i < k; i++) {
			there[which[i]] = some[i];
			found[which[i]] = got[i];
		}
	}
	return 0;
}

int owned_look_lookup_sets(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
			   const struct owned_elem *elems, unsigned n, const struct nft_elem *there,
			   const bool *found, bool *in_lookup_set)
{
	for (unsigned i = 0; i < n; i++) {
		struct nft_elem e = { .key = elems[i].e.key };

		in_lookup_set[i] = false;
		if (found[i] && has_lookup_set(t, elems[i].set, &there[i]))
			TRY(nft_find_elems(
				tx, nl, t->family, t->name,
				owned_lookup_set(tx, &t->sets[elems[i].set], there[i].chain), &e,
				&in_lookup_set[i], 1));
	}
	return 0;
}

bool owned_is_ours(const struct nft_elem *e, const char *comment)
{
	return str_eq(e->comment, comment);
}

bool owned_names_owner(const char *comment)
{
	return comment && str_starts(comment, "veth") && strlen(comment) > OWNED_KEY_LEN &&
	       strspn(comment + 4, "0123456789abcdef") == OWNED_KEY_LEN - 4 &&
	       comment[OWNED_KEY_LEN] == ' ';
}

/*
 * Is the owner that a comment names gone?  Its index tells the link it had on the host;
 * an element that no index lists has lost its owner already.
 */
static int is_dead(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_table *t,
		   const char *comment)
{
	char key[IFNAMSIZ] = "";

	if (!owned_names_owner(comment))
		return 0; /* an administrator's own */
	memcpy(key, comment, OWNED_KEY_LEN);
	for (const struct owned_kind_info *k = owned_kinds; k->kind != OWNED_UNLISTED; k++) {
		struct owned_index x;
		int r;

		if (!k->proves_life)
			continue;
		TRY(r = owned_read_index(tx, nl, t, key, k->kind, &x));
		if (!r)
			continue;
		if (!x.link)
			return 0;
		TRY(r = link_find_index(tx, host, (int)x.link, NULL));
		if (r)
			return 0;
	}
	return 1;
}

/* ---- adding ------------------------------------------------------------- */

struct plan {
	struct owned_change *c;
	struct nft_elem *there; /* what stands at each key … */
	bool *in_lookup_set;    /* … also in the set that rules look up … */
	bool *takeover;         /* … and is replaced */
	struct nft_elem *index;
	unsigned n_index;
	bool *index_there;
	bool skeleton;
	uint32_t genid;
};

void owned_put_sets(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group)
{
	nft_table(n, NULL);
	for (unsigned i = 0; i < t->n_sets; i++) {
		const struct owned_set *s = &t->sets[i];

		if (*group && s->grouped)
			nft_set(n, s->name, s->key, s->data, s->interval);
		nft_set(n, owned_set_name(tx, s, group), s->key, s->data, s->interval);
	}
	nft_set(n, owned_index_set, owned_index_key, NULL, false);
}

static struct nft *compose_change(struct tx *tx, const struct plan *p)
{
	const struct owned_change *c = p->c;
	struct nft *n = nft_new(tx, c->table->family, c->table->name);

	if (p->skeleton) {
		owned_put_sets(tx, n, c->table, c->group);
		c->table->skeleton(n, c->group, c->arg);
	}
	for (unsigned i = 0; i < c->n; i++)
		if (p->takeover[i])
			owned_put_del(tx, n, c->table, c->group, c->elems[i].set, &p->there[i],
				      p->in_lookup_set[i]);
	for (unsigned i = 0; i < p->n_index; i++)
		if (p->index_there[i])
			nft_del_elem(n, owned_index_set, &p->index[i]);
	for (unsigned i = 0; i < c->n; i++)
		if (!c->elems[i].skipped)
			owned_put_add(tx, n, c->table, c->group, c->elems[i].set, &c->elems[i].e,
				      true);
	for (unsigned i = 0; i < p->n_index; i++)
		nft_add_elem(n, owned_index_set, &p->index[i], true);
	return n;
}

static const char *owner_words(const char *comment)
{
	return comment && strlen(comment) > OWNED_KEY_LEN ? comment + OWNED_KEY_LEN + 1
							  : "somebody else";
}

/* Somebody alive has it. */
static int handle_conflict(struct tx *tx, const struct owned_elem *e, const char *comment)
{
	if (e->conflict == OWNED_FAIL)
		return tx_fail_as(
			tx, CPLUG_E_PORT, -EADDRINUSE,
			"host: publish %s: it belongs to %s (network/container/interface) "
			"already (choose another port, or set onConflict to \"replace\")",
			e->what, owner_words(comment));
	if (e->conflict == OWNED_WARN)
		log_warn("%s: left to %s, which has it already", e->what, owner_words(comment));
	return 0;
}

/* A key is taken: ours (a killed ADD), a dead owner's, or a conflict. */
static int resolve_conflict(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p,
			    unsigned i)
{
	struct owned_elem *e = &p->c->elems[i];
	const char *comment = p->there[i].comment;
	int dead;

	p->takeover[i] = true;
	if (owned_is_ours(&p->there[i], p->c->owner->comment) || e->conflict == OWNED_REPLACE)
		return 0;
	TRY(dead = is_dead(tx, nl, host, p->c->table, comment));
	if (dead) {
		log_info("%s: taken over from %s, which is gone", e->what, owner_words(comment));
		return 0;
	}
	p->takeover[i] = false;
	e->skipped = true;
	return handle_conflict(tx, e, comment);
}

/* Something is missing: the table, or what one more network needs. */
static int plan_skeleton(struct tx *tx, struct nfnl *nl, struct plan *p)
{
	const struct owned_table *t = p->c->table;
	int r = p->genid || !t->survey ? 0 : nft_genid(nl, &p->genid);

	if (r < 0)
		return tx_fail(tx, r, "host: read the ruleset's generation: %s", strerror(-r));
	p->skeleton = true;
	return t->survey ? t->survey(tx, nl, p->c->arg) : 0;
}

static int look_again(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	struct owned_change *c = p->c;
	bool *found = mem_alloc(&tx->mem, c->n + 1);
	int r = nft_genid(nl, &p->genid);

	r = r < 0 ? r : owned_look(tx, nl, c->table, c->group, c->elems, c->n, p->there, found);
	r = r < 0 ? r
		  : owned_look_lookup_sets(tx, nl, c->table, c->elems, c->n, p->there, found,
					   p->in_lookup_set);
	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	p->skeleton = false;
	if (c->repair)
		TRY(plan_skeleton(tx, nl, p));
	for (unsigned i = 0; i < c->n; i++) {
		p->takeover[i] = false;
		c->elems[i].skipped = false;
		if (found[i])
			TRY(resolve_conflict(tx, nl, host, p, i));
	}
	p->index = owned_pack(tx, c, &p->n_index);
	p->index_there = mem_alloc(&tx->mem, p->n_index + 1);
	r = nft_find_elems(tx, nl, c->table->family, c->table->name, owned_index_set,
			   mem_dup(&tx->mem, p->index, p->n_index * sizeof(*p->index)),
			   p->index_there, p->n_index);
	return r < 0 ? tx_fail(tx, r, "host: look up the index of table %s: %s", c->table->name,
			       strerror(-r))
		     : 0;
}

/* Commits, whatever it takes. */
static int carry_out(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	for (unsigned tries = 0; tries < OWNED_TRIES; tries++) {
		int r = nft_try(nl, compose_change(tx, p), p->genid);

		TRY(tx_interrupted(tx));
		if (r == -ENOENT && !p->skeleton)
			TRY(plan_skeleton(tx, nl, p));
		else if (r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -ERESTART ||
			 (r == -ENOENT && p->genid))
			TRY(look_again(tx, nl, host, p));
		else if (r < 0)
			return tx_fail(tx, r, "host: add elements to nftables table %s: %s%s%s%s%s",
				       p->c->table->name, strerror(-r), *nl->why ? " (" : "",
				       nl->why, *nl->why ? ")" : "",
				       p->c->repair ? ": delete the table, then cnitool restore"
						    : "");
		else
			return 0;
	}
	return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
			  "host: add elements to nftables table %s: the ruleset changed %d times "
			  "meanwhile, or a range overlaps one that is published already",
			  p->c->table->name, OWNED_TRIES);
}

struct undo_owned {
	struct nfnl *nl;
	struct owned_change *c;
	struct plan *p;
};

static int undo_owned(struct tx *tx, void *arg)
{
	struct undo_owned *u = arg;
	struct owned_change *c = u->c;
	const struct plan *p = u->p;
	struct nft *n = nft_new(tx, c->table->family, c->table->name);
	int r = owned_del(tx, u->nl, c->table, c->owner, c->kind, NULL);

	for (unsigned i = 0; i < c->n; i++)
		if (p->takeover[i] &&
		    (c->repair || !owned_is_ours(&p->there[i], c->owner->comment)))
			owned_put_add(tx, n, c->table, c->group, c->elems[i].set, &p->there[i],
				      false);
	for (unsigned i = 0; c->repair && i < p->n_index; i++)
		if (p->index_there[i])
			nft_add_elem(n, owned_index_set, &p->index[i], false);
	if (nft_is_empty(n))
		return r;
	return also(r, nft_commit(tx, u->nl, n, 0, "give back elements"));
}

int owned_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c)
{
	struct plan p = {
		.c = c,
		.there = mem_alloc(&tx->mem, (c->n + 1) * sizeof(*p.there)),
		.in_lookup_set = mem_alloc(&tx->mem, c->n + 1),
		.takeover = mem_alloc(&tx->mem, c->n + 1),
	};
	struct undo_owned u = { .nl = nl, .c = mem_dup(&tx->mem, c, sizeof(*c)) };

	for (unsigned i = 0; i < c->n; i++)
		c->elems[i].e.comment = c->owner->comment;
	p.index = owned_pack(tx, c, &p.n_index);
	p.index_there = mem_alloc(&tx->mem, p.n_index + 1);
	if (c->repair)
		TRY(look_again(tx, nl, host, &p));
	TRY(carry_out(tx, nl, host, &p));
	c->inherits |= p.skeleton;
	for (unsigned i = 0; i < c->n; i++)
		c->inherits |= p.takeover[i];
	log_step("host: %u elements added to nftables table %s%s", c->n, c->table->name,
		 p.skeleton ? ", which was built" : "");
	u.p = mem_dup(&tx->mem, &p, sizeof(p));
	return tx_undo(tx, undo_owned, "add nftables elements", &u);
}

int owned_clash(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c,
		const struct owned_elem *keys, unsigned n)
{
	struct nft_elem *there = mem_alloc(&tx->mem, (n + 1) * sizeof(*there));
	bool *found = mem_alloc(&tx->mem, n + 1);
	int r = owned_look(tx, nl, c->table, c->group, keys, n, there, found);

	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	for (unsigned i = 0; i < n; i++) {
		if (!found[i] || owned_is_ours(&there[i], c->owner->comment))
			continue;
		TRY(r = is_dead(tx, nl, host, c->table, there[i].comment));
		c->inherits |= r;
		TRY(r ? owned_del_dead(tx, nl, c->table, there[i].comment)
		      : handle_conflict(tx, &keys[i], there[i].comment));
	}
	return 0;
}

/* ---- checking ------------------------------------------------------------ */

static bool same_target(const struct nft_elem *want, const struct nft_elem *have)
{
	if (want->chain || have->chain)
		return str_eq(want->chain, have->chain);
	return want->data.len == have->data.len &&
	       memcmp(want->data.b, have->data.b, want->data.len) == 0;
}

int owned_check(struct tx *tx, struct nfnl *nl, const struct owned_change *c)
{
	struct nft_elem *there = mem_alloc(&tx->mem, (c->n + 1) * sizeof(*there));
	bool *found = mem_alloc(&tx->mem, c->n + 1), *in_lookup_set = mem_alloc(&tx->mem, c->n + 1);
	int r = owned_look(tx, nl, c->table, c->group, c->elems, c->n, there, found);

	r = r < 0 ? r
		  : owned_look_lookup_sets(tx, nl, c->table, c->elems, c->n, there, found,
					   in_lookup_set);
	if (r == -EINVAL) { /* a set of another type, which owned_check_skeleton() tells */
		differ(tx, mem_printf(&tx->mem, "elements of nftables table %s", c->table->name),
		       "present", NULL);
		return 0;
	}
	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	for (unsigned i = 0; i < c->n; i++) {
		const char *what = mem_printf(&tx->mem, "%s in nftables table %s", c->elems[i].what,
					      c->table->name);

		if (!found[i])
			differ(tx, what, "present", NULL);
		else if (!owned_is_ours(&there[i], c->owner->comment)) {
			/* Left to its owner at ADD, and only warned about. */
			if (c->elems[i].conflict != OWNED_WARN)
				differ(tx, what, "ours", owner_words(there[i].comment));
		} else if (!same_target(&c->elems[i].e, &there[i]))
			differ(tx, what, "our target", "another target");
		else if (has_lookup_set(c->table, c->elems[i].set, &there[i]) && !in_lookup_set[i])
			differ(tx,
			       mem_printf(&tx->mem, "%s, set %s", what,
					  owned_lookup_set(tx, &c->table->sets[c->elems[i].set],
							   there[i].chain)),
			       "present", NULL);
	}
	return 0;
}
