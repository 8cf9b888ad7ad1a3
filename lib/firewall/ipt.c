// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipt.c - accepted addresses in the table filter of iptables-nft
 *
 * ADD reads whether FORWARD leads to CNI-FORWARD, and the head of CNI-FORWARD, where the jumps to
 * the administrators' chains are, but not the rules of other attachments.  A transaction that adds
 * a jump or a chain is bound to the generation id, so that two ADDs do not both add it.
 */
#include "firewall/ipt.h"

#include <linux/netfilter.h>

#include "base/differ.h"
#include "base/log.h"
#include "nft/nft_xt.h"

enum {
	RULES = 3, /* of an address */
	HEAD = 64, /* rules of CNI-FORWARD among which the jumps to administrators' chains are */
	TRIES = 200,
};

static const char table[] = "filter", forward[] = "FORWARD", ours[] = "CNI-FORWARD";

static const struct {
	int family;
	uint8_t nfproto;
} families[] = { { AF_INET, NFPROTO_IPV4 }, { AF_INET6, NFPROTO_IPV6 } };

static struct nft_ref chain_ref(unsigned f, const char *chain)
{
	return (struct nft_ref){ families[f].nfproto, table, chain };
}

/* ---- the rules ---- */

static struct nft_xt_rule jump_rule(void)
{
	return (struct nft_xt_rule){
		.chain = forward,
		.first = true,
		.comment = "CNI firewall plugin rules",
		.jump = ours,
	};
}

static struct nft_xt_rule admin_rule(const char *admin)
{
	return (struct nft_xt_rule){
		.chain = ours,
		.first = true,
		.comment = "CNI firewall plugin admin overrides",
		.jump = admin,
	};
}

/* The rules of the addresses of a family; returns their number. */
static unsigned address_rules(struct mem *mem, const struct ip *ips, unsigned n, unsigned f,
			      struct nft_xt_rule **ret)
{
	static const struct {
		bool source;
		enum nft_xt_state state;
	} forms[RULES] = { { false, NFT_XT_RELATED_ESTABLISHED },
			   { true, NFT_XT_ANY },
			   { false, NFT_XT_DNAT } };
	struct nft_xt_rule *v = mem_alloc(mem, (n * RULES + 1) * sizeof(*v));
	unsigned k = 0;

	for (unsigned i = 0; i < n; i++)
		for (unsigned r = 0; ips[i].family == families[f].family && r < RULES; r++)
			v[k++] = (struct nft_xt_rule){
				.chain = ours,
				.ip = ips[i],
				.source = forms[r].source,
				.state = forms[r].state,
			};
	*ret = v;
	return k;
}

static const char *rule_text(struct mem *mem, const struct nft_xt_rule *r)
{
	static const char *const states[] = { "", " -m conntrack --ctstate RELATED,ESTABLISHED",
					      " -m conntrack --ctstate DNAT" };

	if (!ip_set(r->ip))
		return mem_printf(mem, "jump to %s in chain %s of iptables", r->jump, r->chain);
	return mem_printf(mem, "rule %s %s%s -j ACCEPT in chain %s of iptables",
			  r->source ? "-s" : "-d", IP_S(r->ip), states[r->state], r->chain);
}

/* ---- what the kernel has ---- */

/* A family's state: which of the wanted rules are there. */
struct found {
	struct nft_xt_rule *rules;
	unsigned n;
	bool *there; /* of each rule */
	bool jumps,
		admins; /* FORWARD leads to CNI-FORWARD, this one to the administrator's chain */
};

static void note_there(unsigned want, uint64_t handle UNUSED, void *arg)
{
	bool *there = arg;

	there[want] = true;
}

static int find_family(struct mem *mem, struct nfnl *nl, const struct ipt *i, unsigned f,
		       struct found *ret)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);

	*ret = (struct found){ .n = 0 };
	ret->n = address_rules(mem, i->ips, i->n_ips, f, &ret->rules);
	ret->there = mem_alloc(mem, (ret->n + 1) * sizeof(*ret->there));
	if (!ret->n)
		return 0;
	TRY(nft_xt_find_rules(mem, nl, chain_ref(f, forward), &jump, 1, 0, note_there,
			      &ret->jumps));
	TRY(nft_xt_find_rules(mem, nl, chain_ref(f, ours), &admin, 1, HEAD, note_there,
			      &ret->admins));
	if (!i->careful)
		return 0;
	return nft_xt_find_rules(mem, nl, chain_ref(f, ours), ret->rules, ret->n, 0, note_there,
				 ret->there);
}

static int fail_find(struct tx *tx, const struct nfnl *nl, int r)
{
	return tx_fail(tx, r, "host: read the rules of iptables: %s%s", strerror(-r),
		       nfnl_why(&tx->mem, nl));
}

/* ---- ADD ---- */

/* Returns true if it adds something that another ADD might add, too. */
static bool put_shared(struct nft *n, const struct ipt *i, const struct found *found)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);

	if (found->jumps && found->admins)
		return false;
	nft_table(n, NULL);
	nft_base_chain(n, forward, "filter", NF_INET_FORWARD, 0);
	nft_chain(n, ours);
	nft_chain(n, i->admin);
	if (!found->jumps)
		nft_xt_put_rule(n, &jump);
	if (!found->admins)
		nft_xt_put_rule(n, &admin);
	return true;
}

/* One attempt.  Returns 0, -ERESTART = try again, or -errno. */
static int add_once(struct mem *mem, struct nfnl *nl, const struct ipt *i)
{
	struct nft *n = nft_new(mem, NFPROTO_IPV4, table);
	bool bound = i->careful;
	uint32_t genid;
	int r;

	TRY(nft_genid(nl, &genid));
	for (unsigned f = 0; f < ARRAY_LEN(families); f++) {
		struct found found;

		TRY(find_family(mem, nl, i, f, &found));
		if (!found.n)
			continue;
		nft_switch_table(n, families[f].nfproto, table);
		bound |= put_shared(n, i, &found);
		for (unsigned k = 0; k < found.n; k++)
			if (!found.there[k])
				nft_xt_put_rule(n, &found.rules[k]);
	}
	r = nft_try(nl, n, bound ? genid : 0);
	return r == -ENOENT && !bound ? -ERESTART : r;
}

struct undo_ipt {
	struct nfnl *nl;
	const struct ip *ips;
	unsigned n;
};

static int undo_ipt(struct tx *tx, void *arg)
{
	struct undo_ipt *u = arg;

	return ipt_del(tx, u->nl, u->ips, u->n);
}

int ipt_add(struct tx *tx, struct nfnl *nl, const struct ipt *i)
{
	struct undo_ipt u = { nl, i->ips, i->n_ips };
	const char *remedy = "";
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = add_once(&tx->mem, nl, i);
	}
	if (r == -ERESTART)
		return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
				  "host: add rules to chain %s of iptables: the ruleset changed %d "
				  "times meanwhile",
				  ours, TRIES);
	if (r == -ENOENT || r == -EOPNOTSUPP)
		remedy = ": load the kernel modules nft_compat, xt_conntrack and xt_comment";
	if (r < 0)
		return tx_fail(tx, r, "host: add rules to chain %s of iptables: %s%s%s", ours,
			       strerror(-r), nfnl_why(&tx->mem, nl), remedy);
	log_step("host: %u addresses accepted by chain %s of iptables", i->n_ips, ours);
	return tx_undo(tx, undo_ipt, "add rules of iptables", &u);
}

/* ---- CHECK ---- */

int ipt_check(struct tx *tx, struct nfnl *nl, const struct ipt *i)
{
	struct nft_xt_rule jump = jump_rule(), admin = admin_rule(i->admin);
	struct ipt all = *i;

	all.careful = true;
	for (unsigned f = 0; f < ARRAY_LEN(families); f++) {
		struct found found;
		int r = find_family(&tx->mem, nl, &all, f, &found);

		if (r < 0)
			return fail_find(tx, nl, r);
		if (found.n && !found.jumps)
			differ(tx, rule_text(&tx->mem, &jump), "present", NULL);
		if (found.n && !found.admins)
			differ(tx, rule_text(&tx->mem, &admin), "present", NULL);
		for (unsigned k = 0; k < found.n; k++)
			if (!found.there[k])
				differ(tx, rule_text(&tx->mem, &found.rules[k]), "present", NULL);
	}
	return 0;
}

/* ---- DEL ---- */

static void put_deletion(unsigned want UNUSED, uint64_t handle, void *arg)
{
	nft_del_rule(arg, ours, handle);
}

static int del_once(struct mem *mem, struct nfnl *nl, const struct ip *ips, unsigned n_ips)
{
	struct nft *n = nft_new(mem, NFPROTO_IPV4, table);
	uint32_t genid;
	int r;

	TRY(nft_genid(nl, &genid));
	for (unsigned f = 0; f < ARRAY_LEN(families); f++) {
		struct nft_xt_rule *rules;
		unsigned k = address_rules(mem, ips, n_ips, f, &rules);

		nft_switch_table(n, families[f].nfproto, table);
		if (k)
			TRY(nft_xt_find_rules(mem, nl, chain_ref(f, ours), rules, k, 0,
					      put_deletion, n));
	}
	if (nft_is_empty(n))
		return 0;
	r = nft_try(nl, n, genid);
	return r == -ENOENT ? -ERESTART : r;
}

int ipt_del(struct tx *tx, struct nfnl *nl, const struct ip *ips, unsigned n)
{
	int r = -ERESTART;

	for (unsigned tries = 0; r == -ERESTART && tries < TRIES; tries++) {
		TRY(tx_interrupted(tx));
		r = del_once(&tx->mem, nl, ips, n);
	}
	if (r == -EPROTONOSUPPORT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* without nf_tables there is nothing */
	if (r == -ERESTART)
		r = -EAGAIN;
	if (r < 0)
		return tx_fail(tx, r, "host: delete rules of chain %s of iptables: %s%s", ours,
			       strerror(-r), nfnl_why(&tx->mem, nl));
	return 0;
}
