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

#include "link.h"
#include "log.h"
#include "owned_index.h"

enum {
	TRIES = 2000,
	KEY_LEN = 15, /* of an owner's key at the start of a comment */
};

/* The kinds whose index may tell that an owner is alive. */
static const char kinds[] = { 'b', 'p' };

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
	char key[IFNAMSIZ] = "";
	bool listed = false;

	if (!comment)
		return 0; /* an administrator's own */
	memcpy(key, comment, strnlen(comment, KEY_LEN));
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		struct owned_index x;
		int r = owned_read_index(tx, nl, t, key, kinds[i], &x);

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
	bool *takeover;         /* … and is replaced */
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

		if (*group && s->grouped)
			nft_set(n, s->name, s->key, s->data, s->interval);
		nft_set(n, set_name(tx, s, group), s->key, s->data, s->interval);
	}
	nft_set(n, owned_index_set, owned_index_key, NULL, false);
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
			nft_del_elem(n, owned_index_set, &p->index[i]);
	for (unsigned i = 0; i < c->n; i++)
		if (!c->elems[i].skipped)
			nft_add_elem(n, set_name(tx, &c->table->sets[c->elems[i].set], c->group),
				     &c->elems[i].e, true);
	for (unsigned i = 0; i < p->n_index; i++)
		nft_add_elem(n, owned_index_set, &p->index[i], true);
	return n;
}

static const char *owner_words(const char *comment)
{
	return comment && strlen(comment) > KEY_LEN ? comment + KEY_LEN + 1 : "somebody else";
}

/* Somebody alive has it. */
static int conflict(struct tx *tx, const struct owned_elem *e, const char *comment)
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
	e->skipped = true;
	return conflict(tx, e, comment);
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
	p.index = owned_pack(tx, c, &p.n_index);
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
	if (!is_ours(e, d->comment))
		return 0;
	d->elems = mem_grow(&b->tx->mem, d->elems, d->n, sizeof(*d->elems));
	d->elems[d->n++] = (struct owned_elem){
		.set = b->set,
		.e = { .key = e->key, .key_end = e->key_end },
	};
	return 0;
}

/*
 * A ruleset that was saved and loaded as text has lost the index's private bytes, but not
 * the comments: the long way then, through all elements.
 */
static int search_by_comment(struct tx *tx, struct nfnl *nl, struct removal *d)
{
	for (unsigned s = 0; s < d->t->n_sets; s++) {
		struct by_comment b = { tx, d, s, d->n };

		TRY(nft_each_elem(nl, d->t->family, d->t->name, d->t->sets[s].name, note_by_comment,
				  &b));
	}
	return 0;
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
	TRY(nft_genid(nl, &genid));
	TRY(r = owned_read_index(tx, nl, d->t, d->key, d->kind, &x));
	if (!r || (d->comment && !is_ours(&x.chunks[0], d->comment)))
		return 0;
	d->comment = mem_str(&tx->mem, x.chunks[0].comment);
	if (x.lost)
		TRY(search_by_comment(tx, nl, d));
	else
		owned_unpack(tx, d->t, &x, &d->elems, &d->n);
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
		nft_del_elem(n, owned_index_set, &x.chunks[i]);
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

/* Everything of a dead owner. */
static int bury(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *comment)
{
	int r = 0;

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		struct removal d = {
			.t = t,
			.key = mem_printf(&tx->mem, "%.*s", KEY_LEN, comment),
			.comment = comment,
			.kind = kinds[i],
		};

		r = also(r, remove_all(tx, nl, &d, NULL, NULL));
	}
	return r;
}

int owned_clash(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_change *c,
		const struct owned_elem *keys, unsigned n)
{
	struct nft_elem *there = mem_alloc(&tx->mem, (n + 1) * sizeof(*there));
	bool *found = mem_alloc(&tx->mem, n + 1);
	int r = look(tx, nl, c->table, c->group, keys, n, there, found);

	if (r < 0)
		return tx_fail(tx, r, "host: look up elements of table %s: %s", c->table->name,
			       strerror(-r));
	for (unsigned i = 0; i < n; i++) {
		if (!found[i] || is_ours(&there[i], c->owner->comment))
			continue;
		TRY(r = is_dead(tx, nl, host, c->table, there[i].comment));
		TRY(r ? bury(tx, nl, c->table, there[i].comment)
		      : conflict(tx, &keys[i], there[i].comment));
	}
	return 0;
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
	const char *network;
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
	     char kind, const struct owned_valid *valid,
	     void (*each)(const struct nft_elem *e, unsigned set, void *arg), void *arg)
{
	struct stale s = { .tx = tx, .network = network, .kind = kind, .valid = valid };
	int r;

	r = nft_each_elem(nl, t->family, t->name, owned_index_set, note_stale, &s);
	if (r < 0)
		return tx_fail(tx, r, "host: list the index of table %s: %s", t->name,
			       strerror(-r));
	for (unsigned i = 0; i < s.n; i++) {
		struct removal d = { .t = t, .key = s.keys[i], .kind = kind };

		r = also(r, remove_all(tx, nl, &d, each, arg));
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
