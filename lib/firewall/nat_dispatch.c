// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_dispatch.c - dispatch rules: from a container's address to the chain of its network
 *
 * Three chains have dispatch rules: `masqueraded` and `strays` match the source, `published`
 * matches the destination.  There is one rule for each network and subnet (or bridge and subnet),
 * which looks up the set of the containers there.  The rules are added with the first container of
 * a network, in the transaction that creates the sets.  The three chains are shared by all
 * networks, so they are never flushed: their rules are read first, and the transaction is bound to
 * the generation id at that time.
 *
 * The same transaction deletes rules, chains and sets of networks without containers: nothing leads
 * to their chain except the dispatch rule.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "firewall/nat_impl.h"

static const char masqueraded[] = "masqueraded", strays[] = "strays", published[] = "published";

static const char *const dispatchers[] = { masqueraded, strays, published };

const char *nat_stray_chain(struct mem *mem, const char *masq_chain)
{
	return mem_printf(mem, "stray-%s", masq_chain + strlen("masq-"));
}

/* ---- the rules that a change needs --------------------------------------- */

static struct nat_dispatch_rule *find_rule(const struct nat_dispatch_rules *rules, const char *from,
					   const char *chain)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (str_eq(rules->v[i].from, from) && str_eq(rules->v[i].chain, chain))
			return &rules->v[i];
	return NULL;
}

static void append_rule(struct mem *mem, struct nat_dispatch_rules *rules,
			struct nat_dispatch_rule p)
{
	rules->v = mem_grow(mem, rules->v, rules->n, sizeof(*rules->v));
	rules->v[rules->n++] = p;
}

static void need_rule(struct nat_skeleton *s, const char *from, const char *chain,
		      const struct owned_elem *e)
{
	if (!find_rule(&s->needed, from, chain))
		append_rule(s->mem, &s->needed,
			    (struct nat_dispatch_rule){
				    .from = from,
				    .chain = chain,
				    .set = owned_lookup_set(s->mem, &nat_table.sets[e->set],
							    e->e.chain),
				    .why = e->e.chain,
				    .six = e->set == MASQ6 || e->set == PUBLISHED6,
			    });
}

static void list_needed(struct nat_skeleton *s)
{
	s->needed.n = 0;
	for (unsigned i = 0; i < s->change->n; i++) {
		const struct owned_elem *e = &s->change->elems[i];

		if (e->set == PUBLISHED4 || e->set == PUBLISHED6)
			need_rule(s, published, e->e.chain, e);
		if (e->set != MASQ4 && e->set != MASQ6)
			continue;
		need_rule(s, masqueraded, e->e.chain, e);
		if (!s->n->pass_invalid)
			need_rule(s, strays, nat_stray_chain(s->mem, e->e.chain), e);
	}
}

/* ---- the rules that the kernel has --------------------------------------- */

struct survey {
	struct mem *mem;
	const char *from;
	struct nat_dispatch_rules there;
	unsigned begun; /* number of rules of the previous chains */
};

static int note_existing(const struct nft_rule_info *w, void *arg)
{
	struct survey *v = arg;

	if (!w)
		v->there.n = v->begun;
	else if (w->set && w->chain)
		append_rule(v->mem, &v->there,
			    (struct nat_dispatch_rule){
				    .from = v->from,
				    .chain = mem_str(v->mem, w->chain),
				    .set = mem_str(v->mem, w->set),
				    .handle = w->handle,
			    });
	return 0;
}

static int read_rules(struct tx *tx, struct nfnl *nl, struct nat_skeleton *s,
		      struct nat_dispatch_rules *ret)
{
	struct survey v = { .mem = &tx->mem };
	struct nft_ref chain = nat_table_ref;

	list_needed(s);
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++) {
		int r;

		v.from = dispatchers[i];
		v.begun = v.there.n;
		chain.name = v.from;
		r = nft_each_rule(nl, chain, note_existing, &v);
		if (r < 0)
			return tx_fail(tx, r, "host: list the rules of chain %s: %s", v.from,
				       strerror(-r));
	}
	for (unsigned i = 0; i < s->needed.n; i++)
		s->needed.v[i].there =
			find_rule(&v.there, s->needed.v[i].from, s->needed.v[i].chain);
	*ret = v.there;
	return 0;
}

static bool is_needed(const struct nat_skeleton *s, const char *set)
{
	for (unsigned i = 0; i < s->needed.n; i++)
		if (str_eq(s->needed.v[i].set, set))
			return true;
	return false;
}

static int count_rule(const struct nft_rule_info *w, void *arg)
{
	unsigned *n = arg;

	*n = w ? *n + 1 : 0;
	return 0;
}

/*
 * Does only the dispatch rule lead to the chain?  1, 0, or a recorded failure.  A chain whose
 * loopback route is open stays, because GC finds the route by it.
 */
static int is_stale(struct tx *tx, struct nfnl *nl, const struct nat_dispatch_rule *p)
{
	struct nft_ref chain = nat_table_ref;
	unsigned use = 0, rules = 0;
	int r;

	chain.name = p->chain;
	r = nft_chain_use(nl, chain, &use);
	if (r == 0)
		r = nft_each_rule(nl, chain, count_rule, &rules);
	if (r < 0 && r != -ENOENT)
		return tx_fail(tx, r, "host: look at chain %s: %s", p->chain, strerror(-r));
	return r == 0 && use == rules + 1 && !nat_localnet_is_on(p->chain);
}

int nat_dispatch_survey(struct tx *tx, struct nfnl *nl, void *arg)
{
	struct nat_skeleton *s = arg;
	struct nat_dispatch_rules there = { .n = 0 };

	TRY(read_rules(tx, nl, s, &there));
	s->surveyed = true;
	s->stale.n = 0;
	for (unsigned i = 0; i < there.n; i++) {
		const struct nat_dispatch_rule *p = &there.v[i], *stray;
		int stale;

		if (p->from == strays || !nat_dispatch_owns(p->chain) || is_needed(s, p->set))
			continue;
		TRY(stale = is_stale(tx, nl, p));
		if (!stale)
			continue;
		append_rule(&tx->mem, &s->stale, *p);
		if (p->from != masqueraded)
			continue;
		stray = find_rule(&there, strays, nat_stray_chain(&tx->mem, p->chain));
		if (stray)
			append_rule(&tx->mem, &s->stale, *stray);
	}
	return 0;
}

/* ---- the change-set ------------------------------------------------------ */

void nat_dispatch_put_chains(struct nft *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++)
		nft_chain(n, dispatchers[i]);
}

static void put_dispatch_rule(struct nft *n, const struct nat_dispatch_rule *p)
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

/* Without a survey (CHECK), puts all rules that are needed, and deletes nothing. */
void nat_dispatch_put_rules(struct nft *n, struct nat_skeleton *s)
{
	if (!s->surveyed)
		list_needed(s);
	for (unsigned i = 0; i < s->needed.n; i++)
		put_dispatch_rule(n, &s->needed.v[i]);
	for (unsigned i = 0; i < s->stale.n; i++)
		nft_del_rule(n, s->stale.v[i].from, s->stale.v[i].handle);
	for (unsigned i = 0; i < s->stale.n; i++) {
		nft_flush_chain(n, s->stale.v[i].chain);
		nft_del_chain(n, s->stale.v[i].chain);
		if (s->stale.v[i].from != strays)
			nft_del_set(n, s->stale.v[i].set);
	}
}

bool nat_dispatch_owns(const char *chain)
{
	static const char *const prefixes[] = { "masq-",  "stray-", "snat4/",
						"snat6/", "snat4-", "snat6-" };

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(chain, prefixes[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_LEN(dispatchers); i++)
		if (str_eq(chain, dispatchers[i]))
			return true;
	return false;
}
