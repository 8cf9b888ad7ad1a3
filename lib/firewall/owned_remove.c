// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_remove.c - taking elements away: DEL, GC, a dead owner's, an empty table
 *
 * Deleting looks first and is bound to the generation it saw: what has another owner
 * by now is left alone.
 *
 * The index is deleted in the same transaction, unless something hangs on the elements
 * (owned.h, struct owned_cleanup): then it is deleted after that was settled, by a second one.
 * (Not always, since each deletion costs a grace period of the kernel.)
 */
#include <stdlib.h>

#include "base/log.h"
#include "firewall/owned_impl.h"

/* ---- deleting ----------------------------------------------------------- */

struct removal {
	const struct owned_table *t;
	const char *key, *comment;
	enum owned_kind kind;
	struct owned_elem *elems;
	struct nft_elem *there;
	bool *found, *gone, *in_lookup_set; /* ours; nobody's; … */
	unsigned n;
	bool careful; /* look for the lookup sets, too, instead of assuming that they are there */
	struct owned_cleanup *cleanup;
	bool keep; /* the index */
};

/* Collects the elements of one set that carry the comment. */
struct by_comment {
	struct tx *tx;
	struct removal *d;
	unsigned set, from;
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
	d->elems = mem_grow(&b->tx->mem, d->elems, d->n, sizeof(*d->elems));
	d->elems[d->n++] = (struct owned_elem){
		.set = b->set,
		.e = { .key = e->key, .key_end = e->key_end },
	};
	return 0;
}

static int search_set(struct tx *tx, struct nfnl *nl, struct removal *d, unsigned set,
		      const char *group)
{
	struct by_comment b = { tx, d, set, d->n };

	return nft_each_elem(nl, d->t->family, d->t->name,
			     owned_set_name(tx, &d->t->sets[set], group), note_by_comment, &b);
}

/* The groups that sets of the table are named after. */
struct groups {
	struct tx *tx;
	const struct owned_table *t;
	const char **name;
	unsigned n;
};

static void add_group(struct groups *g, const char *name)
{
	for (unsigned i = 0; i < g->n; i++)
		if (str_eq(g->name[i], name))
			return;
	g->name = mem_grow(&g->tx->mem, g->name, g->n, sizeof(*g->name));
	g->name[g->n++] = mem_str(&g->tx->mem, name);
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
 * A ruleset that was saved and loaded as text has lost the index's private bytes, but not
 * the comments: the long way then, through all elements.  An attachment has one group.
 */
static int search_by_comment(struct tx *tx, struct nfnl *nl, struct removal *d,
			     char ret_group[OWNED_GROUP_MAX + 1])
{
	struct groups g = { .tx = tx, .t = d->t };

	for (unsigned s = 0; s < d->t->n_sets; s++)
		TRY(search_set(tx, nl, d, s, ""));
	TRY(nft_each_set(nl, d->t->family, d->t->name, note_group, &g));
	for (unsigned i = 0; i < g.n && !*ret_group; i++) {
		unsigned before = d->n;

		for (unsigned s = 0; s < d->t->n_sets; s++)
			if (d->t->sets[s].grouped)
				TRY(search_set(tx, nl, d, s, g.name[i]));
		if (d->n > before)
			memcpy(ret_group, g.name[i], OWNED_GROUP_MAX + 1);
	}
	return 0;
}

/* Is there something that hangs on what is ours, or on what is gone already? */
static bool needs_cleanup(struct tx *tx, const struct removal *d)
{
	struct owned_elem *elems;
	unsigned n = 0;

	if (!d->cleanup || !d->n)
		return false;
	elems = mem_alloc(&tx->mem, d->n * sizeof(*elems));
	for (unsigned i = 0; i < d->n; i++)
		if (d->found[i] || d->gone[i])
			elems[n++] =
				(struct owned_elem){ .set = d->elems[i].set, .e = d->there[i] };
	return d->cleanup->needed(elems, n, d->cleanup->arg);
}

/* One attempt: 0 = done or nothing there, -ERESTART = again, or -errno unrecorded. */
static int remove_once(struct tx *tx, struct nfnl *nl, struct removal *d)
{
	struct nft *n = nft_new(tx, d->t->family, d->t->name);
	struct owned_index x;
	uint32_t genid;
	int r;

	d->elems = NULL;
	d->n = 0;
	d->keep = false;
	TRY(nft_genid(nl, &genid));
	TRY(r = owned_read_index(tx, nl, d->t, d->key, d->kind, &x));
	if (!r || (d->comment && !owned_is_ours(&x.chunks[0], d->comment)))
		return 0;
	d->comment = mem_str(&tx->mem, x.chunks[0].comment);
	if (x.lost)
		TRY(search_by_comment(tx, nl, d, x.group));
	else
		owned_unpack(tx, d->t, &x, &d->elems, &d->n);
	d->there = mem_alloc(&tx->mem, (d->n + 1) * sizeof(*d->there));
	d->found = mem_alloc(&tx->mem, d->n + 1);
	d->gone = mem_alloc(&tx->mem, d->n + 1);
	d->in_lookup_set = mem_alloc(&tx->mem, d->n + 1);
	TRY(owned_look(tx, nl, d->t, x.group, d->elems, d->n, d->there, d->found));
	if (d->careful)
		TRY(owned_look_lookup_sets(tx, nl, d->t, d->elems, d->n, d->there, d->found,
					   d->in_lookup_set));
	for (unsigned i = 0; i < d->n; i++) {
		d->gone[i] = !d->found[i];
		if (d->gone[i])
			d->there[i] = d->elems[i].e;
		d->found[i] = d->found[i] && owned_is_ours(&d->there[i], d->comment);
		if (d->found[i])
			owned_put_del(tx, n, d->t, x.group, d->elems[i].set, &d->there[i],
				      !d->careful || d->in_lookup_set[i]);
	}
	d->keep = needs_cleanup(tx, d);
	for (unsigned i = 0; i < x.n && !d->keep; i++)
		nft_del_elem(n, owned_index_set, &x.chunks[i]);
	r = nft_is_empty(n) ? 0 : nft_try(nl, n, genid);
	/* Gone meanwhile, or a chunk or lookup set that never was: look again. */
	d->careful = r == -ENOENT;
	return r == -ENOENT ? -ERESTART : r;
}

static void note_removed(const struct removal *d, struct owned_cleanup *cleanup)
{
	for (unsigned i = 0; i < d->n; i++)
		if (d->found[i] || d->gone[i])
			cleanup->note(&d->there[i], d->elems[i].set, cleanup->arg);
	cleanup->unfinished = cleanup->unfinished || d->keep;
}

static int remove_all(struct tx *tx, struct nfnl *nl, struct removal *d)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < OWNED_TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = remove_once(tx, nl, d);
	}
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* no nf_tables, nothing in it */
	if (r < 0)
		return tx_fail(tx, r, "host: delete elements of nftables table %s: %s%s%s%s",
			       d->t->name, strerror(-r), *nl->why ? " (" : "", nl->why,
			       *nl->why ? ")" : "");
	if (d->cleanup)
		note_removed(d, d->cleanup);
	if (d->n)
		log_step("host: %u elements deleted from nftables table %s", d->n, d->t->name);
	return 0;
}

int owned_del(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	      enum owned_kind kind, struct owned_cleanup *cleanup)
{
	struct removal d = {
		.t = t,
		.key = o->key.s,
		.comment = o->comment,
		.kind = kind,
		.cleanup = cleanup,
	};

	return remove_all(tx, nl, &d);
}

/* Everything of a dead owner. */
int owned_del_dead(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *comment)
{
	int r = 0;

	for (const struct owned_kind_info *k = owned_kinds; k->kind != OWNED_UNLISTED; k++) {
		struct removal d = {
			.t = t,
			.key = mem_printf(&tx->mem, "%.*s", OWNED_KEY_LEN, comment),
			.comment = comment,
			.kind = k->kind,
		};

		if (k->proves_life)
			r = also(r, remove_all(tx, nl, &d));
	}
	return r;
}

/* ---- collecting ---------------------------------------------------------- */

struct stale {
	struct tx *tx;
	const char *network;
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
	if (!owned_index_names(e, s->kind, s->network, key) || is_valid(s->valid, key))
		return 0;
	s->keys = mem_grow(&s->tx->mem, s->keys, s->n, sizeof(*s->keys));
	memcpy(s->keys[s->n++], key, sizeof(key));
	return 0;
}

int owned_gc(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *network,
	     enum owned_kind kind, const struct owned_valid *valid, struct owned_cleanup *cleanup)
{
	struct stale s = { .tx = tx, .network = network, .kind = kind, .valid = valid };
	int r;

	r = nft_each_elem(nl, t->family, t->name, owned_index_set, note_stale, &s);
	if (r < 0)
		return tx_fail(tx, r, "host: list the index of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < s.n; i++) {
		struct removal d = { .t = t, .key = s.keys[i], .kind = kind, .cleanup = cleanup };

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
	bool (*ours)(const char *chain);
	bool any;
};

static int note_stranger(const char *chain, unsigned use UNUSED, void *arg)
{
	struct strangers *s = arg;

	s->any = chain && (s->any || !s->ours(chain));
	return 0;
}

int owned_prune(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		bool (*ours)(const char *chain))
{
	struct strangers s = { .ours = ours };
	struct nft *n = nft_new(tx, t->family, t->name);
	uint32_t genid = 0;
	bool any = false;
	int r;

	if (nft_genid(nl, &genid) < 0)
		return 0;
	r = nft_each_elem(nl, t->family, t->name, owned_index_set, any_elem, &any);
	r = also(r, nft_each_chain(nl, t->family, t->name, note_stranger, &s));
	if (r < 0 || any || s.any)
		return 0;
	nft_del_table(n);
	r = nft_try(nl, n, genid);
	/* Missing already, or somebody came meanwhile: both are fine. */
	return r < 0 && r != -ENOENT && r != -ERESTART
		       ? tx_fail(tx, r, "host: delete nftables table %s: %s", t->name, strerror(-r))
		       : 0;
}
