// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * accept_table.c - the content of table inet cplug-firewall
 *
 * A forwarded packet passes the ingress policies, then the administrators' chains, then it is
 * accepted by its source, or by its destination if it belongs to a connection of the container.
 * That is the order of the reference plugin: CNI-ISOLATION-STAGE-1, CNI-ADMIN, CNI-FORWARD.
 *
 * The chain `admin` is shared by all networks, so it is never flushed: its rules are read first,
 * and the transaction is bound to the generation id at that time.  It leads to a chain admin/NAME
 * for each name of an administrator's chain, and this one to the administrator's chain.  So an ADD
 * whose network is the first one with that name fails with ENOENT and builds the skeleton, also if
 * the administrator has created the chain NAME before.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_ipv4.h>

#include "firewall/accept_impl.h"

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })

static const struct owned_set sets[N_ACCEPT_SETS] = {
	[ACCEPTED4] = { "accepted4", TYPES(NFT_T_IPV4), .key_len = 4 },
	[ACCEPTED6] = { "accepted6", TYPES(NFT_T_IPV6), .key_len = 16 },
	[ISOLATED4] = { "isolated4", TYPES(NFT_T_IPV4), .key_len = 4 },
	[ISOLATED6] = { "isolated6", TYPES(NFT_T_IPV6), .key_len = 16 },
	[SELF4] = { "self4", TYPES(NFT_T_IPV4, NFT_T_IPV4), .key_len = 8 },
	[SELF6] = { "self6", TYPES(NFT_T_IPV6, NFT_T_IPV6), .key_len = 32 },
	[USES] = { "uses", TYPES(NFT_T_IFNAME, NFT_T_MARK), TYPES(NFT_T_VERDICT), .key_len = 20 },
	[ELSEWHERE] = { "elsewhere", TYPES(NFT_T_IFNAME, NFT_T_MARK), .key_len = 20 },
};

static const char admin[] = "admin";

struct nft_ref accept_ref(const char *name)
{
	return (struct nft_ref){ accept_table.family, accept_table.name, name };
}

/* ---- the administrators' chains ---- */

const char *accept_admin_chain(struct mem *mem, const char *name)
{
	return mem_printf(mem, "admin/%s", name);
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool accept_valid_zone(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!is_letter(name[i]) && !strchr("0123456789-/", name[i]))
			return false;
	return n > 0 && n <= ACCEPT_ZONE_MAX;
}

/* As nft and iptables both permit it, and no target or chain that they or cplug have. */
bool accept_valid_chain(const char *name)
{
	static const char *const taken[] = { "forward",     "ingress",    "isolated", "admin",
					     "FORWARD",     "INPUT",      "OUTPUT",   "PREROUTING",
					     "POSTROUTING", "ACCEPT",     "DROP",     "RETURN",
					     "QUEUE",       "CNI-FORWARD" };
	size_t n = strlen(name);

	if (n > ACCEPT_CHAIN_MAX || !is_letter(*name))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_letter(name[i]) && !strchr("0123456789-.", name[i]))
			return false;
	for (unsigned i = 0; i < ARRAY_LEN(taken); i++)
		if (str_eq(name, taken[i]))
			return false;
	return true;
}

/* A dispatch rule leads to a chain whose only other reference is its own rule. */
static int is_stale(struct tx *tx, struct nfnl *nl, const char *chain)
{
	unsigned use = 0;
	int r = nft_chain_use(nl, accept_ref(chain), &use);

	if (r < 0 && r != -ENOENT)
		return tx_fail(tx, r, "host: look at chain %s: %s", chain, strerror(-r));
	return r == 0 && use == 2;
}

struct dispatch {
	struct mem *mem;
	struct accept_stale *v;
	unsigned n;
};

static int note_rule(const struct nft_rule_info *w, void *arg)
{
	struct dispatch *d = arg;

	if (!w) {
		d->n = 0;
		return 0;
	}
	if (!w->chain || !str_starts(w->chain, "admin/"))
		return 0;
	d->v = mem_grow(d->mem, d->v, d->n, sizeof(*d->v));
	d->v[d->n++] = (struct accept_stale){ mem_str(d->mem, w->chain), w->handle };
	return 0;
}

int accept_survey_admin(struct tx *tx, struct nfnl *nl, void *arg)
{
	struct accept_skeleton *s = arg;
	const char *ours = accept_admin_chain(&tx->mem, s->a->admin);
	struct dispatch d = { .mem = &tx->mem };
	int r = nft_each_rule(nl, accept_ref(admin), note_rule, &d);

	if (r < 0)
		return tx_fail(tx, r, "host: list the rules of chain admin: %s", strerror(-r));
	s->surveyed = true;
	s->dispatched = false;
	s->n_stale = 0;
	s->stale = mem_alloc(&tx->mem, (d.n + 1) * sizeof(*s->stale));
	for (unsigned i = 0; i < d.n; i++) {
		int stale;

		if (str_eq(d.v[i].chain, ours)) {
			s->dispatched = true;
			continue;
		}
		TRY(stale = is_stale(tx, nl, d.v[i].chain));
		if (stale)
			s->stale[s->n_stale++] = d.v[i];
	}
	return 0;
}

static void put_admin(struct nft *n, const struct accept_skeleton *s)
{
	const char *chain = accept_admin_chain(s->mem, s->a->admin);

	nft_chain(n, s->a->admin);
	nft_fresh_chain(n, chain);
	nft_rule(n, chain);
	nft_jump(n, s->a->admin);
	nft_rule_end(n, NULL);
	if (!s->dispatched) {
		nft_rule(n, admin);
		nft_jump(n, chain);
		nft_rule_end(n, NULL);
	}
	for (unsigned i = 0; i < s->n_stale; i++) {
		nft_del_rule(n, admin, s->stale[i].handle);
		nft_flush_chain(n, s->stale[i].chain);
		nft_del_chain(n, s->stale[i].chain);
	}
}

/* ---- accepted addresses ---- */

static void put_accept(struct nft *n, bool six, bool source)
{
	static const enum nft_field fields[2][2] = { { NFT_IP_DADDR, NFT_IP_SADDR },
						     { NFT_IP6_DADDR, NFT_IP6_SADDR } };

	nft_rule(n, "forward");
	nft_match_nfproto(n, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nft_load(n, fields[six][source]);
	nft_lookup(n, sets[six ? ACCEPTED6 : ACCEPTED4].name, false);
	if (!source)
		nft_match_ct_state(n, true,
				   NF_CT_STATE_BIT(IP_CT_ESTABLISHED) |
					   NF_CT_STATE_BIT(IP_CT_RELATED));
	nft_accept(n);
	nft_rule_end(n, NULL);
}

static void put_skeleton(struct nft *n, const char *group UNUSED, void *arg)
{
	struct accept_skeleton *s = arg;

	accept_put_policy_sets(n);
	nft_chain(n, admin);
	put_admin(n, s);
	accept_put_policy_rules(n);
	if (s->a->policy != ACCEPT_OPEN)
		accept_put_policy(n, s->mem, s->a);
	nft_base_chain(n, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER);
	nft_flush_chain(n, "forward");
	nft_rule(n, "forward");
	nft_load(n, NFT_META_IIFNAME);
	nft_lookup(n, "policies", false);
	nft_load(n, NFT_META_OIFNAME);
	nft_lookup(n, "policies", false);
	nft_jump(n, "ingress");
	nft_rule_end(n, NULL);
	nft_rule(n, "forward");
	nft_jump(n, admin);
	nft_rule_end(n, NULL);
	for (unsigned six = 0; six < 2; six++) {
		put_accept(n, six, false);
		put_accept(n, six, true);
	}
}

const struct owned_table accept_table = {
	NFPROTO_INET, "cplug-firewall", sets, N_ACCEPT_SETS, put_skeleton, accept_survey_admin,
};
