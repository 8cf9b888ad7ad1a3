// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned.c - nftables elements that belong to an attachment
 *
 * The index is a set of elements (KEY . kind and number) whose private bytes hold,
 * packed, which keys of which sets belong to KEY.  One element's private bytes hold
 * a dozen port mappings; more go to elements with higher numbers:
 *
 *	number 0: version, chunks (2), network (6), link (4), group (12), records…
 *	number n: records…
 *	record:   set (| RANGE), key, [end of the range]
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

#include "link.h"
#include "log.h"
#include "owned.h"

enum {
	TRIES = 2000,
	INDEX_VERSION = 1,
	HEADER = 25, /* private bytes of chunk 0 before its records */
	NETWORK_HASH = 6,
	GROUP_MAX = 12,
	RANGE = 0x80,
	KEY_LEN = 15, /* of an owner's key at the start of a comment */
};

static const char index_set[] = "attachments";
static const enum nft_type index_key[] = { NFT_T_IFNAME, NFT_T_MARK, NFT_T_END };

struct owner owner_of(struct tx *tx, const char *network, const char *id, const char *ifname)
{
	struct owner o = { network, id, ifname, name_owner(network, id, ifname), NULL };

	o.comment = mem_printf(&tx->mem, "%s %s/%s/%s", o.key.s, network, id, ifname);
	if (strlen(o.comment) > NFT_COMMENT_MAX)
		o.comment = mem_printf(&tx->mem, "%.*s", NFT_COMMENT_MAX, o.comment);
	return o;
}

static const char *set_name(struct tx *tx, const struct owned_set *s, const char *group)
{
	return s->grouped && *group ? mem_printf(&tx->mem, "%s-%s", s->name, group) : s->name;
}

static void network_hash(const char *network, uint8_t ret[NETWORK_HASH])
{
	uint8_t hash[SHA512_SIZE];

	sha512(network, strlen(network), hash);
	memcpy(ret, hash, NETWORK_HASH);
}

/* ---- the index ---------------------------------------------------------- */

struct index {
	struct nft_elem *chunks;
	unsigned n;
	unsigned link;
	char group[GROUP_MAX + 1];
	uint8_t network[NETWORK_HASH];
};

static struct nft_key chunk_key(const char *key, char kind, unsigned number)
{
	struct nft_key k = { .len = 0 };

	nft_key_ifname(&k, key);
	nft_key_u32(&k, (uint32_t)(unsigned char)kind << 24 | number);
	return k;
}

static unsigned record_size(const struct owned_elem *e)
{
	return 1 + e->e.key.len + e->e.key_end.len;
}

static unsigned put_record(uint8_t *p, const struct owned_elem *e)
{
	*p++ = (uint8_t)(e->set | (e->e.key_end.len ? RANGE : 0));
	memcpy(p, e->e.key.b, e->e.key.len);
	memcpy(p + e->e.key.len, e->e.key_end.b, e->e.key_end.len);
	return record_size(e);
}

static void put_header(uint8_t *p, const struct owned_change *c, unsigned chunks)
{
	uint32_t link = (uint32_t)c->link;

	p[0] = INDEX_VERSION;
	p[1] = (uint8_t)(chunks >> 8);
	p[2] = (uint8_t)chunks;
	network_hash(c->owner->network, p + 3);
	memcpy(p + 9, &link, sizeof(link));
	memcpy(p + 13, c->group, strnlen(c->group, HEADER - 13));
}

/* Composes the index elements of a change. */
static struct nft_elem *pack(struct tx *tx, const struct owned_change *c, unsigned *ret_n)
{
	struct nft_elem *chunks = NULL;
	unsigned n = 0, at = NFT_PRIVATE_MAX;
	uint8_t *bytes = NULL, *first = NULL;

	for (unsigned i = 0; i <= c->n; i++) {
		const struct owned_elem *e = i < c->n ? &c->elems[i] : NULL;

		if (e ? e->skipped : n > 0)
			continue;
		if (!e || at + record_size(e) > NFT_PRIVATE_MAX) {
			chunks = mem_grow(&tx->mem, chunks, n, sizeof(*chunks));
			bytes = mem_alloc(&tx->mem, NFT_PRIVATE_MAX);
			first = n ? first : bytes;
			at = n ? 0 : HEADER;
			chunks[n] = (struct nft_elem){
				.key = chunk_key(c->owner->key.s, c->kind, n),
				.comment = c->owner->comment,
				.private = bytes,
			};
			n++;
		}
		if (e)
			at += put_record(bytes + at, e);
		chunks[n - 1].private_len = at;
	}
	put_header(first, c, n);
	*ret_n = n;
	return chunks;
}

static bool unpack_header(struct index *x)
{
	const struct nft_elem *e = &x->chunks[0];

	if (e->private_len < HEADER || e->private[0] != INDEX_VERSION)
		return false;
	x->n = (unsigned)e->private[1] << 8 | e->private[2];
	memcpy(x->network, e->private + 3, NETWORK_HASH);
	memcpy(&x->link, e->private + 9, sizeof(x->link));
	memcpy(x->group, e->private + 13, HEADER - 13);
	return x->n > 0;
}

/* Reads the index of a key.  1 = there, 0 = not, or -errno unrecorded. */
static int read_index(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *key,
		      char kind, struct index *x)
{
	struct nft_elem first = { .key = chunk_key(key, kind, 0) };
	bool *found;

	*x = (struct index){ .chunks = &first, .n = 1 };
	found = mem_alloc(&tx->mem, sizeof(*found));
	TRY(nft_find_elems(tx, nl, t->family, t->name, index_set, &first, found, 1));
	if (!*found || !unpack_header(x))
		return 0;
	x->chunks = mem_alloc(&tx->mem, x->n * sizeof(*x->chunks));
	found = mem_alloc(&tx->mem, x->n * sizeof(*found));
	for (unsigned i = 0; i < x->n; i++)
		x->chunks[i].key = chunk_key(key, kind, i);
	TRY(nft_find_elems(tx, nl, t->family, t->name, index_set, x->chunks, found, x->n));
	return found[0];
}

/* Appends what the index lists to *elems. */
static void unpack(struct tx *tx, const struct owned_table *t, const struct index *x,
		   struct owned_elem **elems, unsigned *n)
{
	for (unsigned i = 0; i < x->n; i++) {
		const uint8_t *p = x->chunks[i].private;
		unsigned len = x->chunks[i].private_len, at = i ? 0 : HEADER;

		while (p && at < len) {
			struct owned_elem e = { .set = p[at] & ~(unsigned)RANGE };
			bool range = p[at++] & RANGE;
			unsigned key_len = e.set < t->n_sets ? t->sets[e.set].key_len : 0;

			if (!key_len || at + key_len * (range ? 2 : 1) > len)
				break;
			memcpy(e.e.key.b, p + at, e.e.key.len = key_len);
			at += key_len;
			if (range) {
				memcpy(e.e.key_end.b, p + at, e.e.key_end.len = key_len);
				at += key_len;
			}
			*elems = mem_grow(&tx->mem, *elems, *n, sizeof(**elems));
			(*elems)[(*n)++] = e;
		}
	}
}

/* ---- looking ------------------------------------------------------------ */

/* Looks all elements up, one request for each set: there[i] is what stands at elems[i]. */
static int look(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *group,
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
		TRY(nft_find_elems(tx, nl, t->family, t->name, set_name(tx, &t->sets[s], group),
				   some, got, k));
		for (unsigned i = 0; i < k; i++) {
			there[which[i]] = some[i];
			found[which[i]] = got[i];
		}
	}
	return 0;
}

static bool is_ours(const struct nft_elem *e, const char *comment)
{
	return str_eq(e->comment, comment);
}

/*
 * Is the owner that a comment names gone?  Its index tells the link it had on the host;
 * an element that no index lists has lost its owner already.
 */
static int is_dead(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_table *t,
		   const char *comment)
{
	static const char kinds[] = { 'b', 'p' };
	char key[IFNAMSIZ] = "";
	bool listed = false;

	if (!comment)
		return 0; /* an administrator's own */
	memcpy(key, comment, strnlen(comment, KEY_LEN));
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		struct index x;
		int r = read_index(tx, nl, t, key, kinds[i], &x);

		TRY(r);
		if (!r)
			continue;
		listed = true;
		if (!x.link)
			return 0;
		TRY(r = link_find_index(tx, host, (int)x.link, NULL));
		if (r)
			return 0;
	}
	return listed || strlen(comment) > KEY_LEN;
}

/* ---- adding ------------------------------------------------------------- */

struct plan {
	struct owned_change *c;
	struct nft_elem *there; /* what stands at each key … */
	bool *takeover;		/* … and is replaced */
	struct nft_elem *index;
	unsigned n_index;
	bool *index_there;
	bool skeleton;
	uint32_t genid;
};

static void say_sets(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group)
{
	nft_table(n, NULL);
	for (unsigned i = 0; i < t->n_sets; i++) {
		const struct owned_set *s = &t->sets[i];

		if (*group && !s->grouped)
			nft_set(n, s->name, s->key, s->data, s->interval);
		nft_set(n, set_name(tx, s, group), s->key, s->data, s->interval);
	}
	nft_set(n, index_set, index_key, NULL, false);
}

static struct nft *say(struct tx *tx, const struct plan *p)
{
	const struct owned_change *c = p->c;
	struct nft *n = nft_new(tx, c->table->family, c->table->name);

	if (p->skeleton) {
		say_sets(tx, n, c->table, c->group);
		c->table->skeleton(n, c->group, c->arg);
	}
	for (unsigned i = 0; i < c->n; i++)
		if (p->takeover[i])
			nft_del_elem(n, set_name(tx, &c->table->sets[c->elems[i].set], c->group),
				     &p->there[i]);
	for (unsigned i = 0; i < p->n_index; i++)
		if (p->index_there[i])
			nft_del_elem(n, index_set, &p->index[i]);
	for (unsigned i = 0; i < c->n; i++)
		if (!c->elems[i].skipped)
			nft_add_elem(n, set_name(tx, &c->table->sets[c->elems[i].set], c->group),
				     &c->elems[i].e, true);
	for (unsigned i = 0; i < p->n_index; i++)
		nft_add_elem(n, index_set, &p->index[i], true);
	return n;
}

static const char *owner_words(const char *comment)
{
	return comment && strlen(comment) > KEY_LEN ? comment + KEY_LEN + 1 : "somebody else";
}

/* A key is taken: ours (a killed ADD), a dead owner's, or a conflict. */
static int resolve(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p, unsigned i)
{
	struct owned_elem *e = &p->c->elems[i];
	const char *comment = p->there[i].comment;
	int dead;

	p->takeover[i] = true;
	if (is_ours(&p->there[i], p->c->owner->comment) || e->conflict == OWNED_REPLACE)
		return 0;
	TRY(dead = is_dead(tx, nl, host, p->c->table, comment));
	if (dead) {
		log_info("%s: taken over from %s, which is gone", e->what, owner_words(comment));
		return 0;
	}
	p->takeover[i] = false;
	if (e->conflict == OWNED_WARN) {
		log_warn("%s: left to %s, which has it already", e->what, owner_words(comment));
		e->skipped = true;
		return 0;
	}
	return tx_fail_as(tx, CPLUG_E_PORT, -EADDRINUSE,
			  "host: publish %s: it belongs to %s (network/container/interface) "
			  "already (choose another port, or set onConflict to \"replace\")",
			  e->what, owner_words(comment));
}

static int look_again(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	struct owned_change *c = p->c;
	bool *found = mem_alloc(&tx->mem, c->n + 1);
	int r = nft_genid(nl, &p->genid);

	r = r < 0 ? r : look(tx, nl, c->table, c->group, c->elems, c->n, p->there, found);
	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	for (unsigned i = 0; i < c->n; i++) {
		p->takeover[i] = false;
		c->elems[i].skipped = false;
		if (found[i])
			TRY(resolve(tx, nl, host, p, i));
	}
	p->index = pack(tx, c, &p->n_index);
	p->index_there = mem_alloc(&tx->mem, p->n_index + 1);
	r = nft_find_elems(tx, nl, c->table->family, c->table->name, index_set,
			   mem_dup(&tx->mem, p->index, p->n_index * sizeof(*p->index)),
			   p->index_there, p->n_index);
	return r < 0 ? tx_fail(tx, r, "host: look up the index of table %s: %s", c->table->name,
			       strerror(-r))
		     : 0;
}

/* Commits, whatever it takes. */
static int carry_out(struct tx *tx, struct nfnl *nl, struct rt *host, struct plan *p)
{
	for (unsigned tries = 0; tries < TRIES; tries++) {
		int r = nft_try(nl, say(tx, p), p->genid);

		TRY(tx_interrupted(tx));
		if (r == -ENOENT && !p->skeleton)
			p->skeleton = true;
		else if (r == -EEXIST || r == -EBUSY || r == -ENOTEMPTY || r == -ERESTART ||
			 (r == -ENOENT && p->genid))
			TRY(look_again(tx, nl, host, p));
		else if (r < 0)
			return tx_fail(tx, r, "host: add elements to nftables table %s: %s%s%s%s",
				       p->c->table->name, strerror(-r), *nl->why ? " (" : "",
				       nl->why, *nl->why ? ")" : "");
		else
			return 0;
	}
	return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
			  "host: add elements to nftables table %s: the ruleset changed %d times "
			  "meanwhile, or a range overlaps one that is published already",
			  p->c->table->name, TRIES);
}

struct undo_owned {
	struct nfnl *nl;
	struct owned_change *c;
	struct nft_elem *there;
	bool *takeover;
};

static int undo_owned(struct tx *tx, void *arg)
{
	struct undo_owned *u = arg;
	struct owned_change *c = u->c;
	struct nft *n = nft_new(tx, c->table->family, c->table->name);
	int r = owned_del(tx, u->nl, c->table, c->owner, c->kind, NULL, NULL);

	for (unsigned i = 0; i < c->n; i++)
		if (u->takeover[i] && !is_ours(&u->there[i], c->owner->comment))
			nft_add_elem(n, set_name(tx, &c->table->sets[c->elems[i].set], c->group),
				     &u->there[i], false);
	if (nft_is_empty(n))
		return r;
	return also(r, nft_commit(tx, u->nl, n, 0, "give back elements"));
}

int owned_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c)
{
	struct plan p = {
		.c = c,
		.there = mem_alloc(&tx->mem, (c->n + 1) * sizeof(*p.there)),
		.takeover = mem_alloc(&tx->mem, c->n + 1),
	};
	struct undo_owned u = { nl, mem_dup(&tx->mem, c, sizeof(*c)), p.there, p.takeover };

	for (unsigned i = 0; i < c->n; i++)
		c->elems[i].e.comment = c->owner->comment;
	p.index = pack(tx, c, &p.n_index);
	p.index_there = mem_alloc(&tx->mem, p.n_index + 1);
	TRY(carry_out(tx, nl, host, &p));
	log_step("host: %u elements added to nftables table %s%s", c->n, c->table->name,
		 p.skeleton ? ", which was built" : "");
	return tx_undo(tx, undo_owned, "add nftables elements", &u);
}

/* ---- deleting ----------------------------------------------------------- */

struct removal {
	const struct owned_table *t;
	const char *key, *comment;
	char kind;
	struct owned_elem *elems;
	struct nft_elem *there;
	bool *found;
	unsigned n;
};

/* One attempt: 0 = done or nothing there, -ERESTART = again, or -errno unrecorded. */
static int remove_once(struct tx *tx, struct nfnl *nl, struct removal *d)
{
	struct nft *n = nft_new(tx, d->t->family, d->t->name);
	struct index x;
	uint32_t genid;
	int r;

	d->elems = NULL;
	d->n = 0;
	TRY(nft_genid(nl, &genid));
	TRY(r = read_index(tx, nl, d->t, d->key, d->kind, &x));
	if (!r || (d->comment && !is_ours(&x.chunks[0], d->comment)))
		return 0;
	d->comment = mem_str(&tx->mem, x.chunks[0].comment);
	unpack(tx, d->t, &x, &d->elems, &d->n);
	d->there = mem_alloc(&tx->mem, (d->n + 1) * sizeof(*d->there));
	d->found = mem_alloc(&tx->mem, d->n + 1);
	TRY(look(tx, nl, d->t, x.group, d->elems, d->n, d->there, d->found));
	for (unsigned i = 0; i < d->n; i++) {
		d->found[i] = d->found[i] && is_ours(&d->there[i], d->comment);
		if (d->found[i])
			nft_del_elem(n, set_name(tx, &d->t->sets[d->elems[i].set], x.group),
				     &d->there[i]);
	}
	for (unsigned i = 0; i < x.n; i++)
		nft_del_elem(n, index_set, &x.chunks[i]);
	r = nft_try(nl, n, genid);
	/* Gone meanwhile, or a chunk that never was: look again. */
	return r == -ENOENT ? -ERESTART : r;
}

static int remove_all(struct tx *tx, struct nfnl *nl, struct removal *d,
		      void (*each)(const struct nft_elem *e, unsigned set, void *arg), void *arg)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = remove_once(tx, nl, d);
	}
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* no nf_tables, nothing in it */
	if (r < 0)
		return tx_fail(tx, r, "host: delete elements of nftables table %s: %s%s%s%s",
			       d->t->name, strerror(-r), *nl->why ? " (" : "", nl->why,
			       *nl->why ? ")" : "");
	for (unsigned i = 0; i < d->n; i++)
		if (each && d->found[i])
			each(&d->there[i], d->elems[i].set, arg);
	if (d->n)
		log_step("host: %u elements deleted from nftables table %s", d->n, d->t->name);
	return 0;
}

int owned_del(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	      char kind, void (*each)(const struct nft_elem *e, unsigned set, void *arg), void *arg)
{
	struct removal d = { .t = t, .key = o->key.s, .comment = o->comment, .kind = kind };

	return remove_all(tx, nl, &d, each, arg);
}

/* ---- checking and collecting -------------------------------------------- */

static bool same(const struct nft_elem *want, const struct nft_elem *have)
{
	if (want->chain || have->chain)
		return str_eq(want->chain, have->chain);
	return want->data.len == have->data.len &&
	       memcmp(want->data.b, have->data.b, want->data.len) == 0;
}

int owned_check(struct tx *tx, struct nfnl *nl, const struct owned_change *c,
		void (*differs)(struct tx *tx, const char *what, const char *want,
				const char *have))
{
	struct nft_elem *there = mem_alloc(&tx->mem, (c->n + 1) * sizeof(*there));
	bool *found = mem_alloc(&tx->mem, c->n + 1);
	int r = look(tx, nl, c->table, c->group, c->elems, c->n, there, found);

	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	for (unsigned i = 0; i < c->n; i++) {
		const char *what = mem_printf(&tx->mem, "%s in nftables table %s", c->elems[i].what,
					      c->table->name);

		if (!found[i])
			differs(tx, what, "present", NULL);
		else if (!is_ours(&there[i], c->owner->comment))
			differs(tx, what, "ours", owner_words(there[i].comment));
		else if (!same(&c->elems[i].e, &there[i]))
			differs(tx, what, "our target", "another target");
	}
	return 0;
}

struct stale {
	struct tx *tx;
	uint8_t network[NETWORK_HASH];
	char kind;
	const struct owned_valid *valid;
	char (*keys)[IFNAMSIZ];
	unsigned n;
};

static bool is_valid(const struct owned_valid *v, const char *key)
{
	for (unsigned i = 0; i < v->n; i++)
		if (str_eq(v->keys[i].s, key))
			return true;
	return false;
}

static int note_stale(const struct nft_elem *e, void *arg)
{
	struct stale *s = arg;
	struct nft_key first;
	char key[IFNAMSIZ];

	if (!e) {
		s->n = 0;
		s->keys = NULL;
		return 0;
	}
	memcpy(key, e->key.b, sizeof(key));
	key[IFNAMSIZ - 1] = '\0';
	first = chunk_key(key, s->kind, 0);
	if (memcmp(first.b, e->key.b, first.len) != 0 || e->private_len < HEADER ||
	    memcmp(e->private + 3, s->network, NETWORK_HASH) != 0 || is_valid(s->valid, key))
		return 0;
	s->keys = mem_grow(&s->tx->mem, s->keys, s->n, sizeof(*s->keys));
	memcpy(s->keys[s->n++], key, sizeof(key));
	return 0;
}

int owned_gc(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *network,
	     char kind, const struct owned_valid *valid,
	     void (*each)(const struct nft_elem *e, unsigned set, void *arg), void *arg)
{
	struct stale s = { .tx = tx, .kind = kind, .valid = valid };
	int r;

	network_hash(network, s.network);
	r = nft_each_elem(nl, t->family, t->name, index_set, note_stale, &s);
	if (r < 0)
		return tx_fail(tx, r, "host: list the index of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < s.n; i++) {
		struct removal d = { .t = t, .key = s.keys[i], .kind = kind };

		r = also(r, remove_all(tx, nl, &d, each, arg));
	}
	return r;
}
