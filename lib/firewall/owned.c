// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned.c - adding nftables elements that belong to an attachment
 *
 * ADD is optimistic: it adds its elements exclusively, and reads the kernel's state only if that
 * fails: with EEXIST or EBUSY it looks the keys up; with ENOENT it puts the skeleton first
 * (the first container, or a flushed ruleset).  A transaction that depends on what was
 * read is bound to the generation id at that time.  ERESTART then means that another transaction
 * has changed the ruleset, so ADD reads again.  Since each restart means that another process has
 * made progress, this ends; the number of tries is limited all the same.
 */
#include <stdio.h>

#include "base/log.h"
#include "firewall/owned_impl.h"

#include <linux/netfilter.h>

/*
 * Elements are compared by their comment, and the key at its start has 44 bits, for which another
 * owner can be searched.  So what is cut off has to count, too.
 */
static const char *comment_of(struct mem *mem, const struct owner *o)
{
	const char *all = mem_printf(mem, "%s %s/%s/%s", o->key.s, o->network, o->id, o->ifname);
	char tail[1 + OWNED_TAIL_HEX + 1];

	if (strlen(all) <= NFT_COMMENT_MAX)
		return all;
	name_hash(tail, 1 + OWNED_TAIL_HEX, "#", all);
	return mem_printf(mem, "%.*s%s", NFT_COMMENT_MAX - 1 - OWNED_TAIL_HEX, all, tail);
}

struct owner owner_of(struct mem *mem, const char *network, const char *id, const char *ifname)
{
	struct owner o = { .network = network, .id = id, .ifname = ifname };

	o.key = name_owner(network, id, ifname);
	o.comment = comment_of(mem, &o);
	return o;
}

/* ---- names of sets ------------------------------------------------------ */

const char *owned_set_name(struct mem *mem, struct owned_sets in, unsigned set)
{
	const struct owned_set *s = &in.table->sets[set];

	if (!s->grouped || !*in.group)
		return s->name;
	return mem_printf(mem, "%s-%s", s->name, in.group);
}

struct nft_ref owned_set_ref(struct mem *mem, struct owned_sets in, unsigned set)
{
	return (struct nft_ref){ in.table->family, in.table->name, owned_set_name(mem, in, set) };
}

const char *owned_lookup_set(struct mem *mem, const struct owned_set *s, const char *chain)
{
	char hash[13];

	name_hash(hash, 12, "", chain);
	return mem_printf(mem, "%s-%s", s->name, hash);
}

bool owned_has_lookup_set(const struct owned_table *t, unsigned set, const struct nft_elem *e)
{
	return t->sets[set].has_lookup_sets && e->chain;
}

/* ---- change-sets -------------------------------------------------------- */

void owned_put_sets(struct mem *mem, struct nft *n, struct owned_sets in)
{
	nft_table_active(n);
	for (unsigned i = 0; i < in.table->n_sets; i++) {
		const struct owned_set *s = &in.table->sets[i];

		if (s->on_demand)
			continue;
		if (*in.group && s->grouped)
			nft_set(n, s->name, s->key, s->data, s->interval);
		nft_set(n, owned_set_name(mem, in, i), s->key, s->data, s->interval);
	}
	nft_set(n, owned_index_set, owned_index_key, NULL, false);
}

/* Not exclusive in the lookup set: an element that is there has the same key, which is enough. */
void owned_put_add(struct mem *mem, struct nft *n, struct owned_sets in, unsigned set,
		   const struct nft_elem *e, bool excl)
{
	struct nft_elem copy = { .key = e->key, .comment = e->comment };
	const struct owned_set *s = &in.table->sets[set];

	nft_add_elem(n, owned_set_name(mem, in, set), e, excl);
	if (owned_has_lookup_set(in.table, set, e))
		nft_add_elem(n, owned_lookup_set(mem, s, e->chain), &copy, false);
}

void owned_put_del(struct mem *mem, struct nft *n, struct owned_sets in, const struct owned_elem *e)
{
	struct nft_elem copy = { .key = e->there.key };
	const struct owned_set *s = &in.table->sets[e->set];

	nft_del_elem(n, owned_set_name(mem, in, e->set), &e->there);
	if (e->in_lookup_set && owned_has_lookup_set(in.table, e->set, &e->there))
		nft_del_elem(n, owned_lookup_set(mem, s, e->there.chain), &copy);
}

/* ---- looking up --------------------------------------------------------- */

int owned_look(struct mem *mem, struct nfnl *nl, struct owned_sets in, struct owned_elem *elems,
	       unsigned n)
{
	struct nft_elem *some = mem_alloc(mem, (n + 1) * sizeof(*some));
	unsigned *which = mem_alloc(mem, (n + 1) * sizeof(*which));

	for (unsigned s = 0; s < in.table->n_sets; s++) {
		unsigned k = 0;

		for (unsigned i = 0; i < n; i++)
			if (elems[i].set == s) {
				some[k] = (struct nft_elem){ .key = elems[i].e.key,
							     .key_end = elems[i].e.key_end };
				which[k++] = i;
			}
		if (!k)
			continue;
		TRY(nft_find_elems(mem, nl, owned_set_ref(mem, in, s), some, k));
		for (unsigned i = 0; i < k; i++)
			elems[which[i]].there = some[i];
	}
	return 0;
}

int owned_look_lookup_sets(struct mem *mem, struct nfnl *nl, const struct owned_table *t,
			   struct owned_elem *elems, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct nft_elem *there = &elems[i].there;
		struct nft_elem copy = { .key = elems[i].e.key };
		struct nft_ref set = { .family = t->family, .table = t->name };

		elems[i].in_lookup_set = false;
		if (!there->found || !owned_has_lookup_set(t, elems[i].set, there))
			continue;
		set.name = owned_lookup_set(mem, &t->sets[elems[i].set], there->chain);
		TRY(nft_find_elems(mem, nl, set, &copy, 1));
		elems[i].in_lookup_set = copy.found;
	}
	return 0;
}

int owned_fail_look(struct tx *tx, const struct owned_table *t, int r)
{
	return tx_fail(tx, r, "host: look up elements of table %s: %s", t->name, strerror(-r));
}

int owned_fail_look_index(struct tx *tx, const struct owned_table *t, int r)
{
	return tx_fail(tx, r, "host: look up the index of table %s: %s", t->name, strerror(-r));
}

/* ---- adding ------------------------------------------------------------- */

/* How a change is made: what the transaction contains beside its elements. */
struct plan {
	struct owned_change *c;
	struct nft_elem *index; /* found: the kernel has an element with this key */
	unsigned n_index;
	bool skeleton;
	bool planned_again;
	uint32_t genid; /* 0 = the transaction depends on nothing that was read */
	/* Of a repair: the index as it was, and what it lists and the change has not. */
	struct owned_index old;
	struct owned_sets gone_in;
	struct owned_elem *gone;
	unsigned n_gone;
};

static struct nft *compose_change(struct mem *mem, const struct plan *p)
{
	const struct owned_change *c = p->c;
	const struct owned_table *t = c->in.table;
	struct nft *n = nft_new(mem, t->family, t->name);

	if (p->skeleton) {
		owned_put_sets(mem, n, c->in);
		t->skeleton(n, c->in.group, c->arg);
	}
	for (unsigned i = 0; i < c->n; i++)
		if (c->elems[i].takeover)
			owned_put_del(mem, n, c->in, &c->elems[i]);
	for (unsigned i = 0; i < p->n_gone; i++)
		if (p->gone[i].there.found)
			owned_put_del(mem, n, p->gone_in, &p->gone[i]);
	for (unsigned i = 0; i < p->n_index; i++)
		if (p->index[i].found)
			nft_del_elem(n, owned_index_set, &p->index[i]);
	for (unsigned i = p->n_index; i < p->old.n; i++)
		nft_del_elem(n, owned_index_set, &p->old.chunks[i]);
	for (unsigned i = 0; i < c->n; i++)
		if (!c->elems[i].skipped)
			owned_put_add(mem, n, c->in, c->elems[i].set, &c->elems[i].e, true);
	for (unsigned i = 0; i < p->n_index; i++)
		nft_add_elem(n, owned_index_set, &p->index[i], true);
	return n;
}

/* The table is missing, or what one more network needs in it. */
static int plan_skeleton(struct tx *tx, struct nfnl *nl, struct plan *p)
{
	const struct owned_table *t = p->c->in.table;
	int r = 0;

	p->skeleton = true;
	if (!t->survey)
		return 0;
	if (!p->genid)
		r = nft_genid(nl, &p->genid);
	if (r < 0)
		return tx_fail(tx, r, "host: read the ruleset's generation: %s", strerror(-r));
	return t->survey(tx, nl, p->c->arg);
}

/* Reads what the kernel has at the keys of the elements, and the generation before that. */
static int read_keys(struct mem *mem, struct nfnl *nl, struct plan *p)
{
	struct owned_change *c = p->c;

	TRY(nft_genid(nl, &p->genid));
	TRY(owned_look(mem, nl, c->in, c->elems, c->n));
	return owned_look_lookup_sets(mem, nl, c->in.table, c->elems, c->n);
}

/*
 * Another attachment has the key of our index.  The key has 44 bits, so who chooses names can
 * search for one that has a neighbour's key: it must not replace the neighbour's index, without
 * which DEL would not find the neighbour's elements.
 */
static int refuse_index(struct owned_judge *j, const struct plan *p, const char *comment)
{
	int dead;

	TRY(dead = owned_is_dead(j, comment));
	if (dead) /* changes the generation, so the change is planned again */
		return owned_del_dead(j->tx, j->nl, j->t, comment);
	return tx_fail_as(j->tx, CPLUG_E_TAKEN, -EEXIST,
			  "host: add elements to nftables table %s: the index key %s belongs to %s "
			  "(choose another container id or interface name)",
			  j->t->name, p->c->owner->key.s, owned_owner_text(comment));
}

static int read_index_keys(struct owned_judge *j, struct plan *p)
{
	struct mem *mem = &j->tx->mem;
	struct nft_elem *have = mem_dup(mem, p->index, p->n_index * sizeof(*have));
	int r = nft_find_elems(mem, j->nl, owned_index_ref(j->t), have, p->n_index);

	if (r < 0)
		return owned_fail_look_index(j->tx, j->t, r);
	for (unsigned i = 0; i < p->n_index; i++) {
		p->index[i].found = have[i].found;
		if (have[i].found && owned_names_owner(have[i].comment) &&
		    !owned_is_ours(&have[i], p->c->owner->comment))
			return refuse_index(j, p, have[i].comment);
	}
	return 0;
}

static bool has_keys(const struct plan *p, const struct owned_elem *e)
{
	const struct owned_change *c = p->c;

	if (c->in.table->sets[e->set].grouped && !str_eq(p->gone_in.group, c->in.group))
		return false;
	for (unsigned i = 0; i < c->n; i++)
		if (owned_same_keys(&c->elems[i], e))
			return true;
	return false;
}

/* Keeps the elements that the index lists and the change has not. */
static int find_gone(struct mem *mem, struct nfnl *nl, struct plan *p)
{
	const struct owned_change *c = p->c;
	unsigned n = 0, gone = 0;
	int there;

	p->n_gone = p->old.n = 0;
	p->gone_in = c->in;
	TRY(there = owned_read_ours(mem, nl, &p->gone_in, c->owner, c->kind, &p->old, &p->gone,
				    &n));
	if (!there)
		p->old.n = 0; /* none, or another owner's */
	for (unsigned i = 0; there && i < n; i++)
		if (!has_keys(p, &p->gone[i]))
			p->gone[gone++] = p->gone[i];
	p->n_gone = gone;
	return 0;
}

/* The new index, which lists what is gone as long as something depends on it. */
static void plan_index(struct tx *tx, struct plan *p)
{
	struct owned_change *c = p->c;
	unsigned more = 0;

	if (c->cleanup && p->n_gone) {
		c->cleanup->unfinished = c->cleanup->needed(p->gone, p->n_gone, c->cleanup->arg);
		more = c->cleanup->unfinished ? p->n_gone : 0;
	}
	p->index = owned_pack(&tx->mem, c, p->gone, more, &p->n_index);
}

/* Plans the change anew, from what the kernel has. */
static int plan_again(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	struct owned_change *c = p->c;
	struct owned_judge j = { .tx = tx, .nl = nl, .host = host, .t = c->in.table };
	int r = read_keys(&tx->mem, nl, p);

	p->planned_again = true;
	if (r == 0 && c->repair)
		r = find_gone(&tx->mem, nl, p);
	if (r < 0)
		return owned_fail_look(tx, c->in.table, r);
	p->skeleton = false;
	if (c->repair)
		TRY(plan_skeleton(tx, nl, p));
	for (unsigned i = 0; i < c->n; i++) {
		c->elems[i].takeover = false;
		c->elems[i].skipped = false;
		if (c->elems[i].there.found)
			TRY(owned_resolve(&j, c, &c->elems[i]));
	}
	plan_index(tx, p);
	return read_index_keys(&j, p);
}

/* Is it a refusal of what the table has, as another program or version left it? */
static bool is_of_table(int r)
{
	return r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -EINVAL || r == -EOPNOTSUPP ||
	       r == -ENFILE;
}

static int fail_add(struct tx *tx, const struct nfnl *nl, const struct owned_change *c, int r)
{
	const char *remedy = "", *first = "";

	if (c->repair || is_of_table(r))
		remedy = ": delete the table, then cnitool restore";
	if (!c->repair && r == -EEXIST)
		first = ", a range overlaps one that is published already, or the table is another "
			"program's";
	return tx_fail(tx, r, "host: add elements to nftables table %s: %s%s%s%s",
		       c->in.table->name, strerror(-r), nfnl_why(&tx->mem, nl), first, remedy);
}

/*
 * The kernel compares the generation first.  So a refusal of a plan that was made from what it has
 * in that generation is final, because the next plan would be the same.  Some more attempts cost
 * little, in case a kernel deletes something late.
 */
static bool is_final(const struct plan *p, int r, unsigned *refusals)
{
	enum { ENOUGH = 8 };

	if (r == -ERESTART || !p->planned_again)
		*refusals = 0;
	else
		(*refusals)++;
	return *refusals >= ENOUGH;
}

/* Commits the change; after a refusal, plans it again. */
static int carry_out(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	unsigned refusals = 0;

	for (unsigned tries = 0; tries < OWNED_TRIES; tries++) {
		int r = nft_try(nl, compose_change(&tx->mem, p), p->genid);

		/* Not tx_interrupted(): the change is made, and the caller registers its undo. */
		if (r == 0)
			return 0;
		TRY(tx_interrupted(tx));
		if (is_final(p, r, &refusals))
			return fail_add(tx, nl, p->c, r);
		if (r == -ENOENT && !p->skeleton)
			TRY(plan_skeleton(tx, nl, p));
		else if (r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -ERESTART ||
			 (r == -ENOENT && p->genid))
			TRY(plan_again(tx, nl, host, p));
		else
			return fail_add(tx, nl, p->c, r);
	}
	return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
			  "host: add elements to nftables table %s: the ruleset changed %d times "
			  "meanwhile",
			  p->c->in.table->name, OWNED_TRIES);
}

struct undo_owned {
	struct nfnl *nl;
	struct plan p;
};

/* Deletes what was added; gives back what was taken over, after a repair also from ourselves. */
static int undo_owned(struct tx *tx, void *arg)
{
	struct undo_owned *u = arg;
	const struct owned_change *c = u->p.c;
	const struct owned_table *t = c->in.table;
	struct nft *n = nft_new(&tx->mem, t->family, t->name);
	int r = owned_del(tx, u->nl, t, c->owner, c->kind, NULL);

	for (unsigned i = 0; i < c->n; i++) {
		const struct owned_elem *e = &c->elems[i];

		if (e->takeover && (c->repair || !owned_is_ours(&e->there, c->owner->comment)))
			owned_put_add(&tx->mem, n, c->in, e->set, &e->there, false);
	}
	for (unsigned i = 0; i < u->p.n_gone; i++)
		if (u->p.gone[i].there.found)
			owned_put_add(&tx->mem, n, u->p.gone_in, u->p.gone[i].set,
				      &u->p.gone[i].there, false);
	for (unsigned i = 0; i < u->p.old.n; i++)
		nft_add_elem(n, owned_index_set, &u->p.old.chunks[i], false);
	if (nft_is_empty(n))
		return r;
	return also(r, nft_commit(tx, u->nl, n, 0, "give back elements"));
}

int owned_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c)
{
	struct undo_owned u = { .nl = nl, .p = { .c = c } };
	struct plan *p = &u.p;

	for (unsigned i = 0; i < c->n; i++)
		c->elems[i].e.comment = c->owner->comment;
	plan_index(tx, p);
	if (c->repair)
		TRY(plan_again(tx, nl, host, p));
	TRY(carry_out(tx, nl, host, p));
	c->inherits |= p->skeleton;
	for (unsigned i = 0; i < c->n; i++)
		c->inherits |= c->elems[i].takeover;
	for (unsigned i = 0; c->cleanup && i < p->n_gone; i++)
		c->cleanup->note(&p->gone[i], c->cleanup->arg);
	log_step("host: %u elements added to nftables table %s%s", c->n, c->in.table->name,
		 p->skeleton ? ", which was built" : "");
	return tx_undo(tx, undo_owned, "add nftables elements", &u);
}
