// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_table.c - the content of table inet cplug
 *
 * Masquerade: masq4/masq6 map a container's address to the chain of its network and subnet.  That
 * chain lets packets to the subnet, multicast and the exceptions pass unchanged, and masquerades
 * the rest.  conntrack does not translate packets of state invalid, which would leave with the
 * container's address: a second chain drops them.
 *
 * Port mappings: the hostports maps have the key (address, protocol, port), the ports maps
 * (protocol, port), and the portranges maps the same with ranges.  An address precedes any address,
 * a single port precedes a range.  Only packets to addresses of this host are looked up (fib daddr
 * type local).  Networks with conditions have hook chains and maps of their own, named after a hash
 * of the conditions (a group).
 *
 * published4/6 map the address of a container with published ports to a chain that masquerades
 * redirected packets whose replies would otherwise bypass this host: from the container's own
 * subnet (itself and its neighbours), and from the host's loopback (nat_localnet.c).  The chain
 * `guard` drops packets from outside to and from 127/8.  localnet4/6 have the links of containers
 * that have one of their own (ptp).
 *
 * These four maps have lookup sets (owned.h); nat_dispatch.c has the rules that look those up.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>

#include "base/log.h"
#include "firewall/nat_impl.h"

/* ---- the sets ----------------------------------------------------------- */

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })
#define VERDICT TYPES(NFT_T_VERDICT)
#define PORT_KEY NFT_T_PROTO, NFT_T_SERVICE

static const struct owned_set nat_sets[N_SETS] = {
	[MASQ4] = { "masq4", TYPES(NFT_T_IPV4), VERDICT, .has_lookup_sets = true, .key_len = 4 },
	[MASQ6] = { "masq6", TYPES(NFT_T_IPV6), VERDICT, .has_lookup_sets = true, .key_len = 16 },
	[PUBLISHED4] = { "published4", TYPES(NFT_T_IPV4), VERDICT, .has_lookup_sets = true,
			 .key_len = 4 },
	[PUBLISHED6] = { "published6", TYPES(NFT_T_IPV6), VERDICT, .has_lookup_sets = true,
			 .key_len = 16 },
	[HOSTPORTS4] = { "hostports4", TYPES(NFT_T_IPV4, PORT_KEY),
			 TYPES(NFT_T_IPV4, NFT_T_SERVICE), .grouped = true, .key_len = 12 },
	[HOSTPORTS6] = { "hostports6", TYPES(NFT_T_IPV6, PORT_KEY),
			 TYPES(NFT_T_IPV6, NFT_T_SERVICE), .grouped = true, .key_len = 24 },
	[PORTS4] = { "ports4", TYPES(PORT_KEY), TYPES(NFT_T_IPV4, NFT_T_SERVICE), .grouped = true,
		     .key_len = 8 },
	[PORTS6] = { "ports6", TYPES(PORT_KEY), TYPES(NFT_T_IPV6, NFT_T_SERVICE), .grouped = true,
		     .key_len = 8 },
	[HOSTRANGES4] = { "hostportranges4", TYPES(NFT_T_IPV4, PORT_KEY), TYPES(NFT_T_IPV4),
			  .interval = true, .grouped = true, .key_len = 12 },
	[HOSTRANGES6] = { "hostportranges6", TYPES(NFT_T_IPV6, PORT_KEY), TYPES(NFT_T_IPV6),
			  .interval = true, .grouped = true, .key_len = 24 },
	[RANGES4] = { "portranges4", TYPES(PORT_KEY), TYPES(NFT_T_IPV4), .interval = true,
		      .grouped = true, .key_len = 8 },
	[RANGES6] = { "portranges6", TYPES(PORT_KEY), TYPES(NFT_T_IPV6), .interval = true,
		      .grouped = true, .key_len = 8 },
	[LOCALNET4] = { "localnet4", TYPES(NFT_T_IFNAME), .on_demand = true, .key_len = IFNAMSIZ },
	[LOCALNET6] = { "localnet6", TYPES(NFT_T_IFNAME), .on_demand = true, .key_len = IFNAMSIZ },
};

/* ---- names of chains ---------------------------------------------------- */

/* nft's identifiers cannot contain a colon. */
static const char *subnet_name(struct mem *mem, struct cidr subnet)
{
	char *s = mem_str(mem, CIDR_S(cidr_masked(subnet)));

	for (char *p = s; *p; p++)
		if (*p == ':')
			*p = '_';
	return s;
}

/*
 * masq-NETWORK-SUBNET, and a hash of the options if there are any.  It is so long because another
 * network may have the same name and subnet: with the same chain it would change our exceptions.
 */
const char *nat_masq_chain(struct mem *mem, const struct nat *n, struct cidr subnet)
{
	struct mem_text all = { .mem = mem };
	const char *name;
	char hash[21] = "";

	for (unsigned i = 0; i < n->n_except; i++)
		mem_text_add(&all, " %s", CIDR_S(n->except[i]));
	if (n->pass_invalid)
		mem_text_add(&all, " invalid");
	if (all.len)
		name_hash(hash, sizeof(hash) - 1, "", mem_text_end(&all));
	name = mem_printf(mem, "masq-%s-%s%s%s", n->owner->network, subnet_name(mem, subnet),
			  *hash ? "-" : "", hash);
	if (strlen(name) > 120) {
		char *cut = mem_alloc(mem, 64);

		name_hash(cut, 40, "masq-", name);
		return cut;
	}
	return name;
}

/* The name of the chain, or its hash: the content of a chain never depends on more than its name.
 */
static const char *mark_chain_name(struct mem *mem, const char *chain)
{
	enum { LONGEST = 60 };
	char *hash = mem_alloc(mem, LONGEST + 1);

	if (strlen(chain) <= LONGEST)
		return chain;
	name_hash(hash, LONGEST, "", chain);
	return hash;
}

/*
 * snat4/DEV/SUBNET[-…].  It contains DEV, because nat_localnet.c counts the containers behind it.
 * snat4-SUBNET[-…] if the container has a link of its own: localnet4 has the link's name instead,
 * and all such containers share the chain.
 */
const char *nat_snat_chain(struct mem *mem, const struct nat *n, struct cidr subnet,
			   struct nat_reach reach)
{
	const struct hostports *p = n->ports;
	const char *to = p->masq_all ? "all" : subnet_name(mem, subnet);
	int family = subnet.ip.family == AF_INET6 ? 6 : 4;
	const char *base = mem_printf(mem, "snat%d/%s/%s", family, reach.dev, to);

	if (reach.own)
		base = mem_printf(mem, "snat%d-%s", family, to);
	if (p->mark_chain)
		return mem_printf(mem, "%s-to-%s", base, mark_chain_name(mem, p->mark_chain));
	if (p->mark_bit >= 0)
		return mem_printf(mem, "%s-mark%d", base, p->mark_bit);
	return base;
}

/* ---- the skeleton ------------------------------------------------------- */

static void fresh_base(struct nft *n, const char *chain, const char *type, unsigned hook, int prio)
{
	nft_base_chain(n, chain, type, hook, prio);
	nft_flush_chain(n, chain);
}

static void put_postrouting(struct nft *n)
{
	fresh_base(n, "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC);
	nft_rule(n, "postrouting");
	nft_match_ct_dnat(n);
	nft_jump(n, "published");
	nft_rule_end(n, NULL);
	nft_rule(n, "postrouting");
	nft_jump(n, "masqueraded");
	nft_rule_end(n, NULL);
}

static void put_forward(struct nft *n)
{
	fresh_base(n, "forward", "filter", NF_INET_FORWARD, NF_IP_PRI_FILTER);
	nft_rule(n, "forward");
	nft_match_ct_invalid(n);
	nft_jump(n, "strays");
	nft_rule_end(n, NULL);
}

/*
 * route_localnet would let other hosts reach 127/8 (CVE-2020-8558), and send with a source address
 * of 127/8 to services of the host that trust it.  The kernel drops packets of ::1 itself, but with
 * bridge-nf-call-ip6tables only after port mappings have been applied to them.
 */
static void put_guard(struct nft *n)
{
	static const char *const loopback[] = { "127.0.0.0/8", "::1/128" };
	struct cidr c;

	fresh_base(n, "guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW);
	for (unsigned i = 0; i < GUARD_RULES; i++) {
		bool six = i >= GUARD_RULES / 2, source = i % 2;

		cidr_parse(loopback[six], &c);
		nft_rule(n, "guard");
		nft_match_ifname(n, true, false, "lo");
		nft_match_nfproto(n, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
		nft_match_cidr(n, source, true, c);
		nft_drop(n);
		nft_rule_end(n, "packets of the host's loopback from outside");
	}
}

/*
 * Where bridged packets pass the firewall (bridge-nf-call-ip6tables), the reply to a connection of
 * [::1] is translated before the bridge receives it, and the kernel drops packets to ::1 that a
 * link receives.  So the reply gets back the address that it had, until the host has received it.
 */
static void put_loopback6(struct nft *n)
{
	static const uint8_t yes = 1;
	struct cidr loopback;

	cidr_parse("::1/128", &loopback);
	fresh_base(n, "loopback6", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_NAT_DST + 10);
	nft_rule(n, "loopback6");
	nft_match_ifname(n, true, false, "lo");
	nft_match_nfproto(n, NFPROTO_IPV6);
	nft_match_cidr(n, false, true, loopback);
	nft_load(n, NFT_CT_IS_REPLY);
	nft_match(n, true, &yes, sizeof(yes));
	nft_match_ct_dnat(n);
	nft_load(n, NFT_CT_REPLY_TO6);
	nft_set_ip6_daddr(n);
	nft_rule_end(n, NULL);
	fresh_base(n, "loopback6-input", "filter", NF_INET_LOCAL_IN, NF_IP_PRI_FILTER);
	nft_rule(n, "loopback6-input");
	nft_match_ifname(n, true, false, "lo");
	nft_match_ct_dnat(n);
	nft_load(n, NFT_CT_IS_REPLY);
	nft_match(n, true, &yes, sizeof(yes));
	nft_load(n, NFT_CT_CLIENT6);
	nft_match(n, true, loopback.ip.b, 16);
	nft_match_nfproto(n, NFPROTO_IPV6);
	nft_set_ip6_daddr_to(n, loopback.ip);
	nft_rule_end(n, NULL);
}

static struct nft *guard_alone(struct mem *mem)
{
	struct nft *n = nft_new(mem, nat_table.family, nat_table.name);

	nft_table(n, NULL);
	put_guard(n);
	return n;
}

int nat_guard_find(struct tx *tx, struct nfnl *nl)
{
	unsigned before = tx->n_differences;
	bool same;

	TRY(nft_compare(tx, nl, guard_alone(&tx->mem)));
	same = tx->n_differences == before;
	tx->n_differences = before;
	return same;
}

/* Counts only, because comparing would make each ADD longer; CHECK compares. */
int nat_guard_ensure(struct tx *tx, struct nfnl *nl)
{
	struct nft_ref guard = nat_table_ref;
	unsigned rules = 0;
	int r;

	guard.name = "guard";
	r = nft_chain_use(nl, guard, &rules);
	if (r < 0 && r != -ENOENT)
		return tx_fail(tx, r, "host: look up chain guard: %s", strerror(-r));
	if (rules == GUARD_RULES)
		return 0;
	log_info("host: the chain guard of nftables table %s is put in place", nat_table.name);
	return nft_commit(tx, nl, guard_alone(&tx->mem), 0, "close the host's loopback");
}

static void put_condition(struct nft *n, const struct port_condition *c)
{
	switch (c->what) {
	case COND_ADDR:
		nft_match_cidr(n, c->source, c->equal, c->addr);
		break;
	case COND_IIFNAME:
		nft_match_ifname(n, true, c->equal, c->name);
		break;
	case COND_MARK:
		nft_match_mark(n, c->equal, c->value, c->mask);
		break;
	case COND_PORT:
		if (c->proto)
			nft_match_l4proto(n, true, c->proto);
		nft_match_port(n, c->source, c->equal, c->first, c->last);
		break;
	}
}

/* "NAME", or "NAME-GROUP". */
static void group_name(char *buf, size_t size, const char *name, const char *group)
{
	snprintf(buf, size, "%s%s%s", name, *group ? "-" : "", group);
}

static void put_hook(struct nft *n, const char *hook, unsigned number, const char *group,
		     const struct hostports *p)
{
	static const struct port_conditions none = { .n = 0 };
	const struct port_conditions *both[] = { &none, &none };
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	char chain[40], target[40];

	if (p) {
		both[0] = &p->v4;
		both[1] = &p->v6;
	}
	group_name(chain, sizeof(chain), hook, group);
	group_name(target, sizeof(target), "ports", group);
	fresh_base(n, chain, "nat", number, NF_IP_PRI_NAT_DST);
	for (unsigned f = 0; f < (*group ? 2 : 1); f++) {
		nft_rule(n, chain);
		nft_match_fib_local(n);
		if (*group) {
			nft_match_nfproto(n, families[f]);
			for (unsigned i = 0; i < both[f]->n; i++)
				put_condition(n, &both[f]->c[i]);
		}
		nft_jump(n, target);
		nft_rule_end(n, NULL);
	}
}

static void put_ports(struct nft *n, const char *group)
{
	static const struct {
		enum nat_set set;
		bool six, host, range;
	} rules[PORTS_RULES] = {
		{ HOSTPORTS4, false, true, false }, { HOSTPORTS6, true, true, false },
		{ HOSTRANGES4, false, true, true }, { HOSTRANGES6, true, true, true },
		{ PORTS4, false, false, false },    { PORTS6, true, false, false },
		{ RANGES4, false, false, true },    { RANGES6, true, false, true },
	};
	char chain[40], map[48];

	group_name(chain, sizeof(chain), "ports", group);
	nft_fresh_chain(n, chain);
	for (unsigned i = 0; i < PORTS_RULES; i++) {
		uint8_t family = rules[i].six ? NFPROTO_IPV6 : NFPROTO_IPV4;

		group_name(map, sizeof(map), nat_sets[rules[i].set].name, group);
		nft_rule(n, chain);
		nft_match_nfproto(n, family);
		if (rules[i].host)
			nft_load(n, rules[i].six ? NFT_IP6_DADDR : NFT_IP_DADDR);
		nft_load(n, NFT_META_L4PROTO);
		nft_load(n, NFT_TH_DPORT);
		nft_lookup_map(n, map);
		nft_dnat(n, family, !rules[i].range);
		nft_rule_end(n, NULL);
	}
}

static void put_exception(struct nft *n, const char *chain, struct cidr to)
{
	nft_rule(n, chain);
	nft_match_nfproto(n, to.ip.family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nft_match_cidr(n, false, true, to);
	nft_return(n);
	nft_rule_end(n, NULL);
}

/* Packets to the subnet, to multicast groups and to the exceptions are not masqueraded. */
static void put_exceptions(struct nft *n, const char *chain, const struct nat_skeleton *s,
			   struct cidr subnet)
{
	struct cidr multicast;

	cidr_parse(subnet.ip.family == AF_INET6 ? "ff00::/8" : "224.0.0.0/4", &multicast);
	put_exception(n, chain, cidr_masked(subnet));
	put_exception(n, chain, multicast);
	for (unsigned i = 0; i < s->n->n_except; i++)
		if (s->n->except[i].ip.family == subnet.ip.family)
			put_exception(n, chain, cidr_masked(s->n->except[i]));
}

static void put_masq(struct nft *n, const struct nat_skeleton *s, struct cidr subnet)
{
	const char *chain = nat_masq_chain(s->mem, s->n, subnet);

	nft_fresh_chain(n, chain);
	put_exceptions(n, chain, s, subnet);
	nft_rule(n, chain);
	nft_masquerade(n);
	nft_rule_end(n, s->n->owner->network);
	if (s->n->pass_invalid)
		return;
	chain = nat_stray_chain(s->mem, chain);
	nft_fresh_chain(n, chain);
	put_exceptions(n, chain, s, subnet);
	nft_rule(n, chain);
	nft_drop(n);
	nft_rule_end(n, s->n->owner->network);
}

/* What happens to a redirected packet whose reply must pass this host. */
static void put_snat_action(struct nft *n, const struct hostports *p)
{
	if (p->mark_chain) {
		nft_jump(n, p->mark_chain);
		return;
	}
	if (p->mark_bit >= 0)
		nft_mark_or(n, 1u << p->mark_bit);
	nft_masquerade(n);
}

static void put_snat(struct nft *n, const struct nat_skeleton *s, struct cidr to)
{
	const char *chain = nat_snat_chain(s->mem, s->n, to, s->reach);
	bool six = to.ip.family == AF_INET6;
	struct cidr sources[SNAT_RULES - 1];

	sources[0] = cidr_masked(to);
	cidr_parse(six ? "::1/128" : "127.0.0.0/8", &sources[1]);
	nft_fresh_chain(n, chain);
	for (unsigned i = 0; i < ARRAY_LEN(sources); i++) {
		nft_rule(n, chain);
		nft_match_nfproto(n, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
		if (!s->n->ports->masq_all || i)
			nft_match_cidr(n, true, true, sources[i]);
		put_snat_action(n, s->n->ports);
		nft_rule_end(n, NULL);
	}
	/*
	 * Other packets keep their source address, even if they come from a masqueraded container.
	 */
	nft_rule(n, chain);
	nft_accept(n);
	nft_rule_end(n, NULL);
}

static void put_localnet_sets(struct nft *n)
{
	for (unsigned i = LOCALNET4; i <= LOCALNET6; i++)
		nft_set(n, nat_sets[i].name, nat_sets[i].key, NULL, false);
}

static void put_skeleton(struct nft *n, const char *group, void *arg)
{
	struct nat_skeleton *s = arg;

	if (nat_has_own_route(s->n, s->reach))
		put_localnet_sets(n);
	nat_dispatch_put_chains(n);
	put_postrouting(n);
	put_forward(n);
	put_guard(n);
	put_loopback6(n);
	for (unsigned i = 0; i < (*group ? 2 : 1); i++) {
		const char *g = i ? group : "";

		put_ports(n, g);
		put_hook(n, "prerouting", NF_INET_PRE_ROUTING, g, s->n->ports);
		put_hook(n, "output", NF_INET_LOCAL_OUT, g, s->n->ports);
	}
	for (unsigned i = 0; i < s->n->n_masq; i++)
		put_masq(n, s, s->n->masq[i]);
	if (s->n->ports && s->n->ports->snat && ip_set(s->n->to4.ip))
		put_snat(n, s, s->n->to4);
	if (s->n->ports && s->n->ports->snat && ip_set(s->n->to6.ip))
		put_snat(n, s, s->n->to6);
	nat_dispatch_put_rules(n, s);
}

const struct nft_ref nat_table_ref = { .family = NFPROTO_INET, .table = "cplug" };

const struct owned_table nat_table = {
	NFPROTO_INET, "cplug", nat_sets, N_SETS, put_skeleton, nat_dispatch_survey,
};
