// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_dispatch.c - the rules that lead a container's packets to the chain of its network
 *
 * Three chains dispatch: `masqueraded` and `strays` by source, `published` by destination.
 * Each has one rule for each network and subnet (or bridge and subnet), which looks up the
 * set of the containers there.  They are added when a network gets its first container, in
 * the transaction that makes the sets.  Since dispatching chains are shared, they are never
 * flushed: who adds to them looks first what is there, and the transaction is bound to the
 * generation that was seen.
 *
 * On that occasion, paths that nobody uses any more are taken away, so that networks that
 * come and go leave nothing behind: nothing leads to their chain but the path itself.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "firewall/nat_impl.h"

static const char masqueraded[] = "masqueraded", strays[] = "strays", published[] = "published";

static const char *const dispatchers[] = { masqueraded, strays, published };

const char *nat_stray_chain(struct tx *tx, const char *masq_chain)
{
	return mem_printf(&tx->mem, "stray-%s", masq_chain + strlen("masq-"));
}

/* ---- what is needed ----------------------------------------------------- */

static struct nat_path *find(const struct nat_paths *paths, const char *from, const char *chain)
{
	for (unsigned i = 0; i < paths->n; i++)
		if (str_eq(paths->p[i].from, from) && str_eq(paths->p[i].chain, chain))
			return &paths->p[i];
	return NULL;
}

static void append(struct tx *tx, struct nat_paths *paths, struct nat_path p)
{
	paths->p = mem_grow(&tx->mem, paths->p, paths->n, sizeof(*paths->p));
	paths->p[paths->n++] = p;
}

static void note(struct nat_skeleton *s, const char *from, const char *chain,
		 const struct owned_elem *e)
{
	if (!find(&s->paths, from, chain))
		append(s->tx, &s->paths,
		       (struct nat_path){
			       .from = from,
			       .chain = chain,
			       .set = owned_twin(s->tx, &nat_table.sets[e->set], e->e.chain),
			       .why = e->e.chain,
			       .six = e->set == MASQ6 || e->set == PUBLISHED6,
		       });
}

static void note_all(struct nat_skeleton *s)
{
	s->paths.n = 0;
	for (unsigned i = 0; i < s->change->n; i++) {
		const struct owned_elem *e = &s->change->elems[i];

		if (e->set == PUBLISHED4 || e->set == PUBLISHED6)
			note(s, published, e->e.chain, e);
		if (e->set != MASQ4 && e->set != MASQ6)
			continue;
		note(s, masqueraded, e->e.chain, e);
		if (!s->n->pass_invalid)
			note(s, strays, nat_stray_chain(s->tx, e->e.chain), e);
	}
}

/* ---- what is there ------------------------------------------------------ */

struct survey {
	struct tx *tx;
	const char *from;
	struct nat_paths there;
	unsigned begun; /* so many of `there` were in the chains before */
};

static int note_there(const struct nft_rule_info *w, void *arg)
{
	struct survey *v = arg;

	if (!w)
		v->there.n = v->begun;
	else if (w->set && w->chain)
		append(v->tx, &v->there,
		       (struct nat_path){
			       .from = v->from,
			       .chain = mem_str(&v->tx->mem, w->chain),
			       .set = mem_str(&v->tx->mem, w->set),
			       .handle = w->handle,
		       });
	return 0;
}

static int look(struct tx *tx, struct nfnl *nl, struct nat_skeleton *s, struct nat_paths *ret)
{
	struct survey v = { .tx = tx };

	note_all(s);
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++) {
		int r;

		v.from = dispatchers[i];
		v.begun = v.there.n;
		r = nft_each_rule(nl, nat_table.family, nat_table.name, v.from, note_there, &v);
		if (r < 0)
			return tx_fail(tx, r, "host: list the rules of chain %s: %s", v.from,
				       strerror(-r));
	}
	for (unsigned i = 0; i < s->paths.n; i++)
		s->paths.p[i].there = find(&v.there, s->paths.p[i].from, s->paths.p[i].chain);
	*ret = v.there;
	return 0;
}

static bool is_needed(const struct nat_skeleton *s, const char *set)
{
	for (unsigned i = 0; i < s->paths.n; i++)
		if (str_eq(s->paths.p[i].set, set))
			return true;
	return false;
}

static int count(const struct nft_rule_info *w, void *arg)
{
	unsigned *n = arg;

	*n = w ? *n + 1 : 0;
	return 0;
}

/* Does nothing lead to the chain but one rule of a dispatching chain? */
static int is_stale(struct tx *tx, struct nfnl *nl, const struct nat_path *p)
{
	unsigned use = 0, rules = 0;
	int r = nft_chain_use(nl, nat_table.family, nat_table.name, p->chain, &use);

	r = r < 0 ? r
		  : nft_each_rule(nl, nat_table.family, nat_table.name, p->chain, count, &rules);
	if (r < 0 && r != -ENOENT)
		return tx_fail(tx, r, "host: look at chain %s: %s", p->chain, strerror(-r));
	return r == 0 && use == rules + 1;
}

int nat_paths_survey(struct tx *tx, struct nfnl *nl, void *arg)
{
	struct nat_skeleton *s = arg;
	struct nat_paths there = { .n = 0 };

	TRY(look(tx, nl, s, &there));
	s->surveyed = true;
	s->stale.n = 0;
	for (unsigned i = 0; i < there.n; i++) {
		const struct nat_path *p = &there.p[i], *stray;
		int stale;

		if (p->from == strays || !nat_paths_owns(p->chain) || is_needed(s, p->set))
			continue;
		TRY(stale = is_stale(tx, nl, p));
		if (!stale)
			continue;
		append(tx, &s->stale, *p);
		if (p->from != masqueraded)
			continue;
		stray = find(&there, strays, nat_stray_chain(tx, p->chain));
		if (stray)
			append(tx, &s->stale, *stray);
	}
	return 0;
}

/* ---- saying it ---------------------------------------------------------- */

void nat_paths_declare(struct nft *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++)
		nft_chain(n, dispatchers[i]);
}

static void say_path(struct nft *n, const struct nat_path *p)
{
	static const enum nft_type four[] = { NFT_T_IPV4, NFT_T_END };
	static const enum nft_type six[] = { NFT_T_IPV6, NFT_T_END };
	bool to = p->from == published;

	nft_set_commented(n, p->set, p->six ? six : four, NULL, false, p->why);
	if (p->there)
		return;
	nft_rule(n, p->from);
	nft_match_nfproto(n, p->six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	if (p->six)
		nft_load(n, to ? NFT_IP6_DADDR : NFT_IP6_SADDR);
	else
		nft_load(n, to ? NFT_IP_DADDR : NFT_IP_SADDR);
	nft_lookup(n, p->set, false);
	nft_goto(n, p->chain);
	nft_rule_end(n, NULL);
}

/* Without a survey (CHECK) all that is needed is said, and nothing taken away. */
void nat_paths_say(struct nft *n, struct nat_skeleton *s)
{
	if (!s->surveyed)
		note_all(s);
	for (unsigned i = 0; i < s->paths.n; i++)
		say_path(n, &s->paths.p[i]);
	for (unsigned i = 0; i < s->stale.n; i++)
		nft_del_rule(n, s->stale.p[i].from, s->stale.p[i].handle);
	for (unsigned i = 0; i < s->stale.n; i++) {
		nft_flush_chain(n, s->stale.p[i].chain);
		nft_del_chain(n, s->stale.p[i].chain);
		if (s->stale.p[i].from != strays)
			nft_del_set(n, s->stale.p[i].set);
	}
}

bool nat_paths_owns(const char *chain)
{
	static const char *const prefixes[] = { "masq-", "stray-", "snat4/", "snat6/" };

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(chain, prefixes[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++)
		if (str_eq(chain, dispatchers[i]))
			return true;
	return false;
}
