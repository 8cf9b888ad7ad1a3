// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_remove.c - deleting elements: DEL, GC, a dead owner's, and the table when it is unused
 *
 * A deletion reads the elements first, and its transaction is bound to the generation id at that
 * time.  So an element that has another owner by now stays.
 *
 * The same transaction deletes the index, unless something outside of the table depends on the
 * elements (owned.h, struct owned_cleanup).  Then a second transaction deletes the index after the
 * cleanup.  (Not always, because each deletion costs an RCU grace period.)
 */
#include <stdlib.h>

#include "base/log.h"
#include "firewall/owned_impl.h"
#include "sys/turn.h"

/* ---- deleting ----------------------------------------------------------- */

struct removal {
	struct owned_sets in; /* group: as the index says */
	const char *key, *comment;
	enum owned_kind kind;
	struct owned_elem *elems; /* ours, or gone already (there.found is false) */
	unsigned n;
	bool careful; /* look the lookup sets up instead of assuming that they have the keys */
	struct owned_cleanup *cleanup;
	bool keep_index;
};

/* Elements of one set that carry the comment. */
struct by_comment {
	struct mem *mem;
	struct removal *d;
	unsigned set, from; /* from: d->n before this set, in case the dump is repeated */
};

static int note_by_comment(const struct nft_elem *e, void *arg)
{
	struct by_comment *b = arg;
	struct removal *d = b->d;

	if (!e) {
		d->n = b->from;
		return 0;
	}
	if (!owned_is_ours(e, d->comment))
		return 0;
	d->elems = mem_grow(b->mem, d->elems, d->n, sizeof(*d->elems));
	d->elems[d->n++] = (struct owned_elem){
		.set = b->set,
		.e = { .key = e->key, .key_end = e->key_end },
	};
	return 0;
}

static int find_in_set(struct mem *mem, struct nfnl *nl, struct removal *d, struct owned_sets in,
		       unsigned set)
{
	struct by_comment b = { mem, d, set, d->n };

	return nft_each_elem(nl, owned_set_ref(mem, in, set), note_by_comment, &b);
}

/* The groups that sets of the table are named after. */
struct groups {
	struct mem *mem;
	const struct owned_table *t;
	const char **name;
	unsigned n;
};

static void add_group(struct groups *g, const char *name)
{
	for (unsigned i = 0; i < g->n; i++)
		if (str_eq(g->name[i], name))
			return;
	g->name = mem_grow(g->mem, g->name, g->n, sizeof(*g->name));
	g->name[g->n++] = mem_str(g->mem, name);
}

static int note_group(const char *set, void *arg)
{
	struct groups *g = arg;

	if (!set)
		g->n = 0;
	for (unsigned s = 0; set && s < g->t->n_sets; s++) {
		const char *base = g->t->sets[s].name;
		size_t n = strlen(base);

		if (g->t->sets[s].grouped && str_starts(set, base) && set[n] == '-' &&
		    strlen(set + n + 1) == OWNED_GROUP_MAX)
			add_group(g, set + n + 1);
	}
	return 0;
}

/*
 * The index has lost its private bytes, because the ruleset was saved and loaded as text.  The
 * comments are still there, so all elements are searched.  An attachment has at most one group.
 */
static int find_by_comment(struct mem *mem, struct nfnl *nl, struct removal *d)
{
	const struct owned_table *t = d->in.table;
	struct groups g = { .mem = mem, .t = t };

	for (unsigned s = 0; s < t->n_sets; s++)
		TRY(find_in_set(mem, nl, d, d->in, s));
	TRY(nft_each_set(nl, owned_index_ref(t), note_group, &g));
	for (unsigned i = 0; i < g.n && !*d->in.group; i++) {
		struct owned_sets in = { t, g.name[i] };
		unsigned before = d->n;

		for (unsigned s = 0; s < t->n_sets; s++)
			if (t->sets[s].grouped)
				TRY(find_in_set(mem, nl, d, in, s));
		if (d->n > before)
			d->in = in;
	}
	return 0;
}

/* Looks the elements up, and drops those that have another owner by now. */
static int look_ours(struct mem *mem, struct nfnl *nl, struct removal *d)
{
	unsigned ours = 0;

	TRY(owned_look(mem, nl, d->in, d->elems, d->n));
	if (d->careful)
		TRY(owned_look_lookup_sets(mem, nl, d->in.table, d->elems, d->n));
	for (unsigned i = 0; i < d->n; i++) {
		struct owned_elem *e = &d->elems[i];

		if (e->there.found && !owned_is_ours(&e->there, d->comment))
			continue;
		if (!e->there.found)
			e->there = e->e;
		if (!d->careful)
			e->in_lookup_set = true;
		d->elems[ours++] = *e;
	}
	d->n = ours;
	return 0;
}

/*
 * Reads index and elements.  Returns 1, 0 if there is no index or another owner has it, or -errno.
 */
static int read_owned(struct mem *mem, struct nfnl *nl, struct removal *d, struct owned_index *x)
{
	int there;

	d->elems = NULL;
	d->n = 0;
	TRY(there = owned_read_index(mem, nl, d->in.table, d->key, d->kind, x));
	if (!there || (d->comment && !owned_is_ours(&x->chunks[0], d->comment)))
		return 0;
	d->comment = mem_str(mem, x->chunks[0].comment);
	d->in.group = mem_str(mem, x->group);
	if (x->lost)
		TRY(find_by_comment(mem, nl, d));
	else
		owned_unpack(mem, d->in.table, x, &d->elems, &d->n);
	TRY(look_ours(mem, nl, d));
	return 1;
}

int owned_read_ours(struct mem *mem, struct nfnl *nl, struct owned_sets *in, const struct owner *o,
		    enum owned_kind kind, struct owned_index *x, struct owned_elem **elems,
		    unsigned *n)
{
	struct removal d = {
		.in = { in->table, "" },
		.key = o->key.s,
		.comment = o->comment,
		.kind = kind,
		.careful = true,
	};
	int there;

	TRY(there = read_owned(mem, nl, &d, x));
	in->group = d.in.group;
	*elems = d.elems;
	*n = d.n;
	return there;
}

int owned_list(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	       enum owned_kind kind, struct owned_elem **ret, unsigned *ret_n)
{
	struct owned_sets in = { t, "" };
	struct owned_index x;
	int r = owned_read_ours(&tx->mem, nl, &in, o, kind, &x, ret, ret_n);

	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* without nf_tables there is nothing */
	if (r < 0)
		return owned_fail_look_index(tx, t, r);
	return r;
}

/* One attempt.  Returns 0 if it is done or there is nothing, -ERESTART = try again, or -errno. */
static int remove_once(struct mem *mem, struct nfnl *nl, struct removal *d)
{
	struct nft *n = nft_new(mem, d->in.table->family, d->in.table->name);
	struct owned_index x;
	uint32_t genid;
	int r;

	d->keep_index = false;
	TRY(nft_genid(nl, &genid));
	TRY(r = read_owned(mem, nl, d, &x));
	if (!r)
		return 0;
	for (unsigned i = 0; i < d->n; i++)
		if (d->elems[i].there.found)
			owned_put_del(mem, n, d->in, &d->elems[i]);
	if (d->cleanup && d->n)
		d->keep_index = d->cleanup->needed(d->elems, d->n, d->cleanup->arg);
	for (unsigned i = 0; i < x.n && !d->keep_index; i++)
		nft_del_elem(n, owned_index_set, &x.chunks[i]);
	if (nft_is_empty(n))
		return 0;
	r = nft_try(nl, n, genid);
	/* Deleted meanwhile, or a chunk or a key in a lookup set is missing: look again. */
	d->careful = r == -ENOENT;
	return r == -ENOENT ? -ERESTART : r;
}

static int remove_all(struct tx *tx, struct nfnl *nl, struct removal *d)
{
	const char *table = d->in.table->name;
	auto_(fd_close) int turn = -1;
	int r = -ERESTART;

	/* 32 calls at the same time would each have to try again a dozen times. */
	TRY(turn_take(tx, TURN_NFT, &turn));
	for (unsigned tries = 0; r == -ERESTART && tries < OWNED_TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = remove_once(&tx->mem, nl, d);
	}
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* without nf_tables there is nothing */
	if (r < 0)
		return tx_fail(tx, r, "host: delete elements of nftables table %s: %s%s", table,
			       strerror(-r), nfnl_why(&tx->mem, nl));
	for (unsigned i = 0; d->cleanup && i < d->n; i++)
		d->cleanup->note(&d->elems[i], d->cleanup->arg);
	if (d->cleanup)
		d->cleanup->unfinished |= d->keep_index;
	if (d->n)
		log_step("host: %u elements deleted from nftables table %s", d->n, table);
	return 0;
}

int owned_del(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	      enum owned_kind kind, struct owned_cleanup *cleanup)
{
	struct removal d = {
		.in = { t, "" },
		.key = o->key.s,
		.comment = o->comment,
		.kind = kind,
		.cleanup = cleanup,
	};

	return remove_all(tx, nl, &d);
}

int owned_del_dead(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *comment)
{
	int r = 0;

	for (const struct owned_kind_info *k = owned_kinds; k->kind != OWNED_UNLISTED; k++) {
		struct removal d = {
			.in = { t, "" },
			.key = mem_printf(&tx->mem, "%.*s", OWNED_KEY_LEN, comment),
			.comment = comment,
			.kind = k->kind,
		};

		if (k->proves_life)
			r = also(r, remove_all(tx, nl, &d));
	}
	return r;
}

/* ---- GC ----------------------------------------------------------------- */

struct stale {
	struct mem *mem;
	enum owned_kind kind;
	const struct owned_valid *valid;
	char (*keys)[IFNAMSIZ];
	unsigned n;
};

static int to_key(const void *key, const void *elem)
{
	const struct name_owner *o = elem;

	return strcmp(key, o->s);
}

static bool is_valid(const struct owned_valid *v, const char *key)
{
	return v->n && bsearch(key, v->keys, v->n, sizeof(*v->keys), to_key);
}

static int note_stale(const struct nft_elem *e, void *arg)
{
	struct stale *s = arg;
	char key[IFNAMSIZ];

	if (!e) {
		s->n = 0;
		s->keys = NULL;
		return 0;
	}
	if (!owned_index_names(e, s->kind, s->valid->network, key) || is_valid(s->valid, key))
		return 0;
	s->keys = mem_grow(s->mem, s->keys, s->n, sizeof(*s->keys));
	memcpy(s->keys[s->n++], key, sizeof(key));
	return 0;
}

int owned_gc(struct tx *tx, struct nfnl *nl, const struct owned_table *t, enum owned_kind kind,
	     const struct owned_valid *valid, struct owned_cleanup *cleanup)
{
	struct stale s = { .mem = &tx->mem, .kind = kind, .valid = valid };
	int r = nft_each_elem(nl, owned_index_ref(t), note_stale, &s);

	if (r < 0)
		return tx_fail(tx, r, "host: list the index of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < s.n; i++) {
		struct removal d = {
			.in = { t, "" }, .key = s.keys[i], .kind = kind, .cleanup = cleanup
		};

		r = also(r, remove_all(tx, nl, &d));
	}
	return r;
}

/* ---- the table itself --------------------------------------------------- */

static int any_elem(const struct nft_elem *e, void *arg)
{
	bool *any = arg;

	*any = e != NULL;
	return *any;
}

struct strangers {
	bool (*ours)(const char *chain, unsigned use);
	bool any;
};

static int note_stranger(const char *chain, unsigned use, void *arg)
{
	struct strangers *s = arg;

	s->any = chain && (s->any || !s->ours(chain, use));
	return 0;
}

int owned_prune(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		bool (*ours)(const char *chain, unsigned use))
{
	struct strangers s = { .ours = ours };
	struct nft *n = nft_new(&tx->mem, t->family, t->name);
	uint32_t genid = 0;
	bool any = false;
	int r;

	if (nft_genid(nl, &genid) < 0)
		return 0;
	r = nft_each_elem(nl, owned_index_ref(t), any_elem, &any);
	r = also(r, nft_each_chain(nl, owned_index_ref(t), note_stranger, &s));
	if (r < 0 || any || s.any)
		return 0;
	nft_del_table(n);
	r = nft_try(nl, n, genid);
	if (r < 0 && r != -ENOENT && r != -ERESTART)
		return tx_fail(tx, r, "host: delete nftables table %s: %s", t->name, strerror(-r));
	return 0;
}
