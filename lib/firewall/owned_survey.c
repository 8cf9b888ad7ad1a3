// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_survey.c - all owners in a table, for cnitool gc
 *
 * Lists the index, and then every set of the table, for elements that carry an owner's comment but
 * are in no index: after a part of the table was restored from text, or elements were deleted from
 * the index.  The cost grows with the number of elements; only cnitool gc does it.
 */
#include "base/log.h"
#include "firewall/owned_impl.h"

struct survey {
	struct mem *mem;
	struct owned_seen *v;
	unsigned n, from; /* from: n before this dump, in case it is repeated */
};

static void add_seen(struct survey *s, const char *key, enum owned_kind kind, const char *comment)
{
	s->v = mem_grow(s->mem, s->v, s->n, sizeof(*s->v));
	s->v[s->n] = (struct owned_seen){
		.kind = kind,
		.comment = mem_str(s->mem, comment),
	};
	memcpy(s->v[s->n++].key, key, IFNAMSIZ);
}

static int note_index(const struct nft_elem *e, void *arg)
{
	struct survey *s = arg;
	enum owned_kind kind;
	char key[IFNAMSIZ];

	if (!e)
		s->n = 0;
	else if (e->comment && owned_chunk_of(e, key, &kind) == 0 && kind != OWNED_UNLISTED)
		add_seen(s, key, kind, e->comment);
	return 0;
}

/*
 * Does an index list the owner, or is it in the list of the unlisted already?  Then counts the
 * element.
 */
static bool counted(struct survey *s, const char *comment)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct owned_seen *o = &s->v[i];

		if (strncmp(o->key, comment, OWNED_KEY_LEN) != 0)
			continue;
		if (o->kind != OWNED_UNLISTED)
			return true;
		if (!str_eq(o->comment, comment))
			continue;
		o->n++;
		return true;
	}
	return false;
}

static int note_stray(const struct nft_elem *e, void *arg)
{
	struct survey *s = arg;
	char key[IFNAMSIZ] = "";

	if (!e) {
		s->n = s->from;
		return 0;
	}
	if (!owned_names_owner(e->comment) || counted(s, e->comment))
		return 0;
	memcpy(key, e->comment, OWNED_KEY_LEN);
	add_seen(s, key, OWNED_UNLISTED, e->comment);
	s->v[s->n - 1].n = 1;
	return 0;
}

struct set_names {
	struct mem *mem;
	const char **v;
	unsigned n;
};

static int note_set(const char *set, void *arg)
{
	struct set_names *s = arg;

	if (!set) {
		s->n = 0;
		return 0;
	}
	s->v = mem_grow(s->mem, s->v, s->n, sizeof(*s->v));
	s->v[s->n++] = mem_str(s->mem, set);
	return 0;
}

static bool is_absent(int r)
{
	return r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP || r == -ENOENT;
}

static int list_seen(struct mem *mem, struct nfnl *nl, const struct owned_table *t,
		     struct survey *s)
{
	struct nft_ref ref = owned_index_ref(t);
	struct set_names sets = { .mem = mem };

	TRY(nft_each_elem(nl, ref, note_index, s));
	for (unsigned i = 0; i < s->n; i++) {
		struct owned_seen *o = &s->v[i];
		struct owned_index x;

		if (owned_read_index(mem, nl, t, o->key, o->kind, &x) != 1 || x.lost)
			continue;
		o->link = x.link;
		o->ino = x.ino;
		o->cookie = x.cookie;
	}
	TRY(nft_each_set(nl, ref, note_set, &sets));
	for (unsigned i = 0; i < sets.n; i++) {
		s->from = s->n;
		ref.name = sets.v[i];
		TRY(nft_each_elem(nl, ref, note_stray, s));
	}
	return 0;
}

int owned_survey(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		 struct owned_seen **ret, unsigned *ret_n)
{
	struct survey s = { .mem = &tx->mem };
	int r = list_seen(&tx->mem, nl, t, &s);

	if (r < 0 && !is_absent(r))
		return tx_fail(tx, r, "host: list the elements of nftables table %s: %s", t->name,
			       strerror(-r));
	*ret = s.v;
	*ret_n = r < 0 ? 0 : s.n;
	return 0;
}

/* ---- deleting unlisted elements ---- */

struct strays {
	struct nft *n;
	const char *set, *comment;
};

static int delete_stray(const struct nft_elem *e, void *arg)
{
	struct strays *s = arg;

	/*
	 * A repeated dump adds a deletion twice; then the kernel refuses the transaction with
	 * ENOENT, and we try again.
	 */
	if (e && owned_is_ours(e, s->comment))
		nft_del_elem(s->n, s->set, e);
	return 0;
}

/* One attempt.  Returns 0, -ERESTART = try again, or -errno. */
static int sweep_once(struct mem *mem, struct nfnl *nl, const struct owned_table *t,
		      const struct owned_seen *seen)
{
	struct nft_ref ref = owned_index_ref(t);
	struct set_names sets = { .mem = mem };
	struct strays s = { .n = nft_new(mem, t->family, t->name), .comment = seen->comment };
	struct owned_index x;
	uint32_t genid;
	int r;

	TRY(nft_genid(nl, &genid));
	for (const struct owned_kind_info *k = owned_kinds; k->kind != OWNED_UNLISTED; k++) {
		TRY(r = owned_read_index(mem, nl, t, seen->key, k->kind, &x));
		if (r)
			return 0;
	}
	TRY(nft_each_set(nl, ref, note_set, &sets));
	for (unsigned i = 0; i < sets.n; i++) {
		s.set = ref.name = sets.v[i];
		TRY(nft_each_elem(nl, ref, delete_stray, &s));
	}
	if (nft_is_empty(s.n))
		return 0;
	r = nft_try(nl, s.n, genid);
	return r == -ENOENT ? -ERESTART : r;
}

int owned_sweep(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		const struct owned_seen *s)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < OWNED_TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = sweep_once(&tx->mem, nl, t, s);
	}
	if (r < 0 && !is_absent(r))
		return tx_fail(tx, r, "host: delete elements of nftables table %s: %s", t->name,
			       strerror(-r));
	log_step("host: swept what %s had in nftables table %s", s->comment, t->name);
	return 0;
}
