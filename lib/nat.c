// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat.c - masquerade and published ports: the table inet cplug
 *
 * Masquerade: masq4/masq6 map a container's address to the chain of its network and
 * subnet, which lets the subnet, multicast and the exceptions pass and masquerades
 * the rest.
 *
 * Published ports: hostports map (address, protocol, port), ports map (protocol, port),
 * portranges the same with ranges; specific before wildcard, single before range.  Only
 * what is addressed to this host is looked at (fib daddr type local).  Networks with
 * conditions have a group: hook chains and maps of their own, named after the
 * conditions' hash.
 *
 * published4/6 map the address of a container with ports to the chain that masquerades
 * what has been redirected to it and would not find its way back: from its own subnet
 * (itself, neighbours) and from this host's loopback.  For the latter the kernel
 * must route 127/8 out (route_localnet on the bridge), which is switched on with the
 * first such container and off with the last; the chain `guard` drops what comes in for
 * 127/8 from outside.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter_ipv4.h>
#include <stdio.h>

#include "ct.h"
#include "diag.h"
#include "log.h"
#include "nat.h"
#include "route.h"
#include "sysctl.h"

static const char table_name[] = "cplug";

/* ---- the sets ----------------------------------------------------------- */

enum nat_set {
	MASQ4, MASQ6, PUBLISHED4, PUBLISHED6,
	HOSTPORTS4, HOSTPORTS6, PORTS4, PORTS6,
	HOSTRANGES4, HOSTRANGES6, RANGES4, RANGES6,
	N_SETS
};

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })
#define VERDICT TYPES(NFT_T_VERDICT)
#define PORT_KEY NFT_T_PROTO, NFT_T_SERVICE

static const struct owned_set sets[N_SETS] = {
	[MASQ4] = { "masq4", TYPES(NFT_T_IPV4), VERDICT, false, false, 4 },
	[MASQ6] = { "masq6", TYPES(NFT_T_IPV6), VERDICT, false, false, 16 },
	[PUBLISHED4] = { "published4", TYPES(NFT_T_IPV4), VERDICT, false, false, 4 },
	[PUBLISHED6] = { "published6", TYPES(NFT_T_IPV6), VERDICT, false, false, 16 },
	[HOSTPORTS4] = { "hostports4", TYPES(NFT_T_IPV4, PORT_KEY),
			 TYPES(NFT_T_IPV4, NFT_T_SERVICE), false, true, 12 },
	[HOSTPORTS6] = { "hostports6", TYPES(NFT_T_IPV6, PORT_KEY),
			 TYPES(NFT_T_IPV6, NFT_T_SERVICE), false, true, 24 },
	[PORTS4] = { "ports4", TYPES(PORT_KEY), TYPES(NFT_T_IPV4, NFT_T_SERVICE), false, true, 8 },
	[PORTS6] = { "ports6", TYPES(PORT_KEY), TYPES(NFT_T_IPV6, NFT_T_SERVICE), false, true, 8 },
	[HOSTRANGES4] = { "hostportranges4", TYPES(NFT_T_IPV4, PORT_KEY), TYPES(NFT_T_IPV4), true,
			  true, 12 },
	[HOSTRANGES6] = { "hostportranges6", TYPES(NFT_T_IPV6, PORT_KEY), TYPES(NFT_T_IPV6), true,
			  true, 24 },
	[RANGES4] = { "portranges4", TYPES(PORT_KEY), TYPES(NFT_T_IPV4), true, true, 8 },
	[RANGES6] = { "portranges6", TYPES(PORT_KEY), TYPES(NFT_T_IPV6), true, true, 8 },
};

/* ---- names of chains ---------------------------------------------------- */

/* What the skeleton of one change needs beside the constant part. */
struct skeleton {
	struct tx *tx;
	const struct nat *n;
	const char *dev;
};

/* nft's identifiers have no colon. */
static const char *subnet_name(struct tx *tx, struct cidr subnet)
{
	char *s = mem_str(&tx->mem, CIDR_S(cidr_masked(subnet)));

	for (char *p = s; *p; p++)
		if (*p == ':')
			*p = '_';
	return s;
}

/* masq-NETWORK-SUBNET, with a hash of the exceptions if there are some. */
static const char *masq_chain(struct tx *tx, const struct nat *n, struct cidr subnet)
{
	const char *all = "", *name;
	char hash[9] = "";

	for (unsigned i = 0; i < n->n_except; i++)
		all = mem_printf(&tx->mem, "%s %s", all, CIDR_S(n->except[i]));
	if (*all)
		name_hash(hash, 8, "", all);
	name = mem_printf(&tx->mem, "masq-%s-%s%s%s", n->owner->network, subnet_name(tx, subnet),
			  *hash ? "-" : "", hash);
	if (strlen(name) > 120) {
		char *cut = mem_alloc(&tx->mem, 64);

		name_hash(cut, 40, "masq-", name);
		return cut;
	}
	return name;
}

/* snat-DEV-SUBNET[-…]: DEV first, so that route_localnet's users can be counted. */
static const char *snat_chain(struct tx *tx, const struct nat *n, struct cidr subnet,
			      const char *dev)
{
	const struct ports *p = n->ports;
	const char *base = mem_printf(&tx->mem, "snat-%s-%s", dev,
				      p->masq_all ? "all" : subnet_name(tx, subnet));

	if (p->mark_chain)
		return mem_printf(&tx->mem, "%s-to-%.60s", base, p->mark_chain);
	if (p->mark_bit >= 0)
		return mem_printf(&tx->mem, "%s-mark%d", base, p->mark_bit);
	return base;
}

/* ---- the skeleton ------------------------------------------------------- */

enum { POSTROUTING_RULES = 4, GUARD_RULES = 1, HOOK_RULES = 1, PORTS_RULES = 8, SNAT_RULES = 2 };

static void fresh_chain(struct nft *n, const char *chain)
{
	nft_chain(n, chain);
	nft_flush_chain(n, chain);
}

static void fresh_base(struct nft *n, const char *chain, const char *type, unsigned hook, int prio)
{
	nft_base_chain(n, chain, type, hook, prio);
	nft_flush_chain(n, chain);
}

static void say_postrouting(struct nft *n)
{
	static const struct {
		uint8_t family;
		bool dnat;
		enum nft_field field;
		enum nat_set set;
	} rules[POSTROUTING_RULES] = {
		{ NFPROTO_IPV4, true, NFT_IP_DADDR, PUBLISHED4 },
		{ NFPROTO_IPV6, true, NFT_IP6_DADDR, PUBLISHED6 },
		{ NFPROTO_IPV4, false, NFT_IP_SADDR, MASQ4 },
		{ NFPROTO_IPV6, false, NFT_IP6_SADDR, MASQ6 },
	};

	fresh_base(n, "postrouting", "nat", NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC);
	for (unsigned i = 0; i < POSTROUTING_RULES; i++) {
		nft_rule(n, "postrouting");
		nft_match_nfproto(n, rules[i].family);
		if (rules[i].dnat)
			nft_match_ct_dnat(n);
		nft_load(n, rules[i].field);
		nft_vmap(n, sets[rules[i].set].name);
		nft_rule_end(n, NULL);
	}
}

/* Outsiders must not reach 127/8 through route_localnet (CVE-2020-8558). */
static void say_guard(struct nft *n)
{
	struct cidr loopback;

	cidr_parse("127.0.0.0/8", &loopback);
	fresh_base(n, "guard", "filter", NF_INET_PRE_ROUTING, NF_IP_PRI_RAW);
	nft_rule(n, "guard");
	nft_match_ifname(n, true, false, "lo");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_cidr(n, false, true, loopback);
	nft_drop(n);
	nft_rule_end(n, "nobody outside reaches the host's loopback");
}

static void say_condition(struct nft *n, const struct port_condition *c)
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
	case COND_L4PROTO:
		nft_match_l4proto(n, c->equal, c->proto);
		break;
	case COND_PORT:
		if (c->proto)
			nft_match_l4proto(n, true, c->proto);
		nft_match_port(n, c->source, c->equal, c->first, c->last);
		break;
	}
}

static void say_hook(struct nft *n, const char *hook, unsigned number, const char *group,
		     const struct ports *p)
{
	const struct port_conditions *both[] = { p ? &p->v4 : NULL, p ? &p->v6 : NULL };
	static const uint8_t families[] = { NFPROTO_IPV4, NFPROTO_IPV6 };
	char chain[40], target[40];

	snprintf(chain, sizeof(chain), "%s%s%s", hook, *group ? "-" : "", group);
	snprintf(target, sizeof(target), "ports%s%s", *group ? "-" : "", group);
	fresh_base(n, chain, "nat", number, NF_IP_PRI_NAT_DST);
	for (unsigned f = 0; f < (*group ? 2 : 1); f++) {
		nft_rule(n, chain);
		nft_match_fib_local(n);
		if (*group) {
			nft_match_nfproto(n, families[f]);
			for (unsigned i = 0; i < both[f]->n; i++)
				say_condition(n, &both[f]->c[i]);
		}
		nft_jump(n, target);
		nft_rule_end(n, NULL);
	}
}

static void say_ports(struct nft *n, const char *group)
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

	snprintf(chain, sizeof(chain), "ports%s%s", *group ? "-" : "", group);
	fresh_chain(n, chain);
	for (unsigned i = 0; i < PORTS_RULES; i++) {
		uint8_t family = rules[i].six ? NFPROTO_IPV6 : NFPROTO_IPV4;

		snprintf(map, sizeof(map), "%s%s%s", sets[rules[i].set].name, *group ? "-" : "",
			 group);
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

static void say_masq(struct nft *n, const struct skeleton *s, struct cidr subnet)
{
	const char *chain = masq_chain(s->tx, s->n, subnet);
	bool six = subnet.ip.family == AF_INET6;
	struct cidr multicast;

	cidr_parse(six ? "ff00::/8" : "224.0.0.0/4", &multicast);
	fresh_chain(n, chain);
	for (unsigned i = 0; i < s->n->n_except + 2; i++) {
		struct cidr c = i == 0 ? cidr_masked(subnet)
				: i == 1 ? multicast
					 : cidr_masked(s->n->except[i - 2]);

		if (c.ip.family != subnet.ip.family)
			continue;
		nft_rule(n, chain);
		nft_match_nfproto(n, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
		nft_match_cidr(n, false, true, c);
		nft_return(n);
		nft_rule_end(n, NULL);
	}
	nft_rule(n, chain);
	nft_masquerade(n);
	nft_rule_end(n, s->n->owner->network);
}

/* What is done to a flow that was redirected and must come back through us. */
static void say_snat_action(struct nft *n, const struct ports *p)
{
	if (p->mark_chain) {
		nft_jump(n, p->mark_chain);
		return;
	}
	if (p->mark_bit >= 0)
		nft_mark_or(n, 1u << p->mark_bit);
	nft_masquerade(n);
}

static void say_snat(struct nft *n, const struct skeleton *s, struct cidr to)
{
	const char *chain = snat_chain(s->tx, s->n, to, s->dev);
	bool six = to.ip.family == AF_INET6;
	struct cidr sources[SNAT_RULES];

	sources[0] = cidr_masked(to);
	cidr_parse(six ? "::1/128" : "127.0.0.0/8", &sources[1]);
	fresh_chain(n, chain);
	for (unsigned i = 0; i < SNAT_RULES; i++) {
		nft_rule(n, chain);
		nft_match_nfproto(n, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
		if (!s->n->ports->masq_all || i)
			nft_match_cidr(n, true, true, sources[i]);
		say_snat_action(n, s->n->ports);
		nft_rule_end(n, NULL);
	}
}

static void say_skeleton(struct nft *n, const char *group, const void *arg)
{
	const struct skeleton *s = arg;

	say_postrouting(n);
	say_guard(n);
	for (unsigned i = 0; i < (*group ? 2 : 1); i++) {
		const char *g = i ? group : "";

		say_ports(n, g);
		say_hook(n, "prerouting", NF_INET_PRE_ROUTING, g, s->n->ports);
		say_hook(n, "output", NF_INET_LOCAL_OUT, g, s->n->ports);
	}
	for (unsigned i = 0; i < s->n->n_masq; i++)
		say_masq(n, s, s->n->masq[i]);
	if (s->n->ports && s->n->ports->snat && ip_set(s->n->to4.ip))
		say_snat(n, s, s->n->to4);
	if (s->n->ports && s->n->ports->snat && ip_set(s->n->to6.ip))
		say_snat(n, s, s->n->to6);
}

static const struct owned_table table = {
	NFPROTO_INET, table_name, sets, N_SETS, say_skeleton,
};

/* ---- the elements ------------------------------------------------------- */

static struct owned_elem *append(struct tx *tx, struct owned_change *c)
{
	c->elems = mem_grow(&tx->mem, c->elems, c->n, sizeof(*c->elems));
	c->elems[c->n] = (struct owned_elem){ .conflict = OWNED_REPLACE };
	return &c->elems[c->n++];
}

/* An address was leased to us, so whoever else has it in a map is a leftover. */
static void add_verdict(struct tx *tx, struct owned_change *c, enum nat_set four, struct ip ip,
			const char *chain, const char *what)
{
	struct owned_elem *e = append(tx, c);

	e->set = ip.family == AF_INET6 ? four + 1 : four;
	nft_key_ip(&e->e.key, ip);
	e->e.chain = chain;
	e->what = mem_printf(&tx->mem, "%s of %s", what, IP_S(ip));
}

static struct nft_key port_key(const struct port_mapping *m, unsigned port)
{
	struct nft_key k = { .len = 0 };

	if (ip_set(m->host_ip))
		nft_key_ip(&k, m->host_ip);
	nft_key_u8(&k, m->proto);
	nft_key_port(&k, (uint16_t)port);
	return k;
}

static void add_port(struct tx *tx, struct owned_change *c, const struct ports *p,
		     const struct port_mapping *m, unsigned offset, struct ip to)
{
	struct owned_elem *e = append(tx, c);
	struct port_mapping one = *m;

	one.host = one.host_end = (uint16_t)(m->host + offset);
	e->set = ip_set(m->host_ip) ? HOSTPORTS4 : PORTS4;
	e->set += to.family == AF_INET6;
	e->e.key = port_key(m, one.host);
	nft_key_ip(&e->e.data, to);
	nft_key_port(&e->e.data, (uint16_t)(m->container + offset));
	e->conflict = p->on_conflict;
	e->what = mem_printf(&tx->mem, "host port %s", ports_text(tx, &one));
}

/* A range that keeps its numbers is one element. */
static void add_range(struct tx *tx, struct owned_change *c, const struct ports *p,
		      const struct port_mapping *m, struct ip to)
{
	struct owned_elem *e = append(tx, c);

	e->set = ip_set(m->host_ip) ? HOSTRANGES4 : RANGES4;
	e->set += to.family == AF_INET6;
	e->e.key = port_key(m, m->host);
	e->e.key_end = port_key(m, m->host_end);
	nft_key_ip(&e->e.data, to);
	e->conflict = p->on_conflict;
	e->what = mem_printf(&tx->mem, "host ports %s", ports_text(tx, m));
}

static void add_ports(struct tx *tx, struct owned_change *c, const struct ports *p, struct ip to)
{
	for (unsigned i = 0; ip_set(to) && i < p->n; i++) {
		const struct port_mapping *m = &p->maps[i];

		if (ip_set(m->host_ip) && m->host_ip.family != to.family)
			continue;
		if (m->host_end > m->host && m->container == m->host)
			add_range(tx, c, p, m, to);
		else
			for (unsigned k = 0; k <= (unsigned)(m->host_end - m->host); k++)
				add_port(tx, c, p, m, k, to);
	}
}

/* Networks with equal conditions share a group. */
static const char *group_of(struct tx *tx, const struct ports *p)
{
	char *hash;

	if (!p || (!p->v4.n && !p->v6.n))
		return "";
	hash = mem_alloc(&tx->mem, 13);
	name_hash(hash, 12, "", mem_printf(&tx->mem, "%s|%s", p->v4.text ? p->v4.text : "",
					   p->v6.text ? p->v6.text : ""));
	return hash;
}

static struct owned_change compose(struct tx *tx, const struct nat *n, struct skeleton *s)
{
	struct owned_change c = {
		.table = &table,
		.owner = n->owner,
		.kind = n->kind,
		.group = group_of(tx, n->ports),
		.link = n->link,
		.arg = s,
	};
	const struct cidr to[] = { n->to4, n->to6 };

	for (unsigned i = 0; i < n->n_masq; i++)
		add_verdict(tx, &c, MASQ4, n->masq[i].ip, masq_chain(tx, n, n->masq[i]),
			    "masquerade");
	for (unsigned i = 0; n->ports && i < ARRAY_LEN(to); i++) {
		if (n->ports->snat && ip_set(to[i].ip))
			add_verdict(tx, &c, PUBLISHED4, to[i].ip, snat_chain(tx, n, to[i], s->dev),
				    "return path");
		add_ports(tx, &c, n->ports, to[i].ip);
	}
	return c;
}

/* ---- route_localnet ----------------------------------------------------- */

static int reach_dev(struct tx *tx, struct rt *host, const struct nat *n, const char **ret)
{
	struct ip to = ip_set(n->to4.ip) ? n->to4.ip : n->to6.ip;
	struct link l;
	int index = 0, r;

	*ret = n->dev ? n->dev : "none";
	if (n->dev || !n->ports || !ip_set(to))
		return 0;
	TRY(route_to(tx, host, to, &index));
	TRY(r = index ? link_find_index(tx, host, index, &l) : 0);
	if (r && !(l.flags & IFF_LOOPBACK))
		*ret = mem_str(&tx->mem, l.name);
	return 0;
}

static bool wants_localnet(const struct nat *n)
{
	return n->ports && n->ports->n && n->ports->snat && ip_set(n->to4.ip);
}

static int set_localnet(struct tx *tx, const char *dev, const char *value)
{
	struct sysctl s = sysctl_conf(AF_INET, dev, "route_localnet", value);

	return sysctl_ensure(tx, NULL, &s, 1, NULL);
}

struct users {
	const char *prefix;
	bool any;
};

static int count_users(const char *chain, unsigned use, void *arg)
{
	struct users *u = arg;

	if (!chain)
		u->any = false;
	else if (str_starts(chain, u->prefix) && use > SNAT_RULES)
		u->any = true;
	return 0;
}

static int localnet_used(struct tx *tx, struct nfnl *nl, const char *dev, bool *ret)
{
	struct users u = { .prefix = mem_printf(&tx->mem, "snat-%s-", dev) };
	int r = nft_each_chain(nl, NFPROTO_INET, table_name, count_users, &u);

	*ret = u.any;
	return r < 0 ? tx_fail(tx, r, "host: list chains of table %s: %s", table_name, strerror(-r))
		     : 0;
}

/*
 * Off with the last user.  A concurrent ADD commits its element and then switches on;
 * we switch off and then look again: whoever comes last sees the other.
 */
static int release_localnet(struct tx *tx, struct nfnl *nl, const char *dev)
{
	bool used;

	TRY(localnet_used(tx, nl, dev, &used));
	if (used)
		return 0;
	TRY(set_localnet(tx, dev, "0"));
	TRY(localnet_used(tx, nl, dev, &used));
	return used ? set_localnet(tx, dev, "1") : 0;
}

/* ---- old flows ---------------------------------------------------------- */

static int flush_flows(struct tx *tx, struct nfnl *nl, int family, const struct ct_filter *f,
		       unsigned n, struct ip keep)
{
	unsigned gone = 0;
	int r = n ? ct_flush(nl, family, f, n, keep, &gone) : 0;

	if (r < 0)
		log_warn("conntrack: cannot forget old flows: %s", strerror(-r));
	else if (gone)
		log_step("conntrack: %u old flows forgotten", gone);
	return tx_interrupted(tx);
}

static int flush_for_add(struct tx *tx, struct nfnl *nl, const struct nat *n)
{
	struct ip to[] = { n->to4.ip, n->to6.ip };

	for (unsigned f = 0; n->ports && n->ports->n && f < ARRAY_LEN(to); f++) {
		struct ct_filter *filters = mem_alloc(&tx->mem, n->ports->n * sizeof(*filters));
		unsigned k = 0;

		for (unsigned i = 0; ip_set(to[f]) && i < n->ports->n; i++) {
			const struct port_mapping *m = &n->ports->maps[i];

			if (ip_set(m->host_ip) && m->host_ip.family != to[f].family)
				continue;
			filters[k++] = (struct ct_filter){
				.proto = m->proto,
				.port_first = m->host,
				.port_last = m->host_end,
				.dst = m->host_ip,
			};
		}
		TRY(flush_flows(tx, nl, to[f].family, filters, k, to[f]));
	}
	return 0;
}

/* ---- conflicts with the host's own services ----------------------------- */

/* conmon holds podman's published ports; a forwarder of the runtime is no service. */
static bool is_reserved_for_us(const char *text)
{
	static const char *const holders[] = { "(conmon)", "(kubelet)", "(rootlessport)" };

	for (unsigned i = 0; i < ARRAY_LEN(holders); i++)
		if (strstr(text, holders[i]))
			return true;
	return false;
}

static int probe_listener(struct tx *tx, const struct ports *p, const struct port_mapping *m,
			  unsigned port, int family)
{
	char text[200];
	int r = diag_listener(m->proto, family, m->host_ip, (uint16_t)port, text, sizeof(text));

	if (r <= 0 || is_reserved_for_us(text) || p->on_conflict == OWNED_REPLACE)
		return 0;
	if (p->on_conflict == OWNED_WARN) {
		log_warn("host port %u/%s: %s will not be reachable from outside any more", port,
			 ports_proto(m->proto), text);
		return 0;
	}
	return tx_fail_as(tx, CPLUG_E_PORT, -EADDRINUSE,
			  "host: publish host port %u/%s: the host listens there: %s (choose another "
			  "port, or set onConflict to \"replace\")",
			  port, ports_proto(m->proto), text);
}

static int probe_listeners(struct tx *tx, const struct nat *n)
{
	const struct ports *p = n->ports;
	bool both[] = { ip_set(n->to4.ip), ip_set(n->to6.ip) };

	for (unsigned i = 0; p && i < p->n; i++)
		for (unsigned f = 0; f < 2; f++) {
			const struct port_mapping *m = &p->maps[i];
			int family = f ? AF_INET6 : AF_INET;

			if (!both[f] || (ip_set(m->host_ip) && m->host_ip.family != family))
				continue;
			for (unsigned port = m->host; port <= m->host_end; port++)
				TRY(probe_listener(tx, p, m, port, family));
		}
	return 0;
}

/* ---- verbs -------------------------------------------------------------- */

static int need_mark_chain(struct tx *tx, struct nfnl *nl, const struct nat *n)
{
	unsigned use;
	int r;

	if (!n->ports || !n->ports->mark_chain)
		return 0;
	r = nft_chain_use(nl, NFPROTO_INET, table_name, n->ports->mark_chain, &use);
	if (r == -ENOENT)
		return tx_fail_as(tx, CNI_E_CONFIG, r,
				  "externalSetMarkChain: there is no chain %s in nftables table inet "
				  "%s (make it: nft add table inet %s; nft add chain inet %s %s)",
				  n->ports->mark_chain, table_name, table_name, table_name,
				  n->ports->mark_chain);
	return r < 0 ? tx_fail(tx, r, "host: look up chain %s: %s", n->ports->mark_chain,
			       strerror(-r))
		     : 0;
}

int nat_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n)
{
	struct skeleton *s = mem_alloc(&tx->mem, sizeof(*s));
	struct owned_change *c = mem_alloc(&tx->mem, sizeof(*c));

	*s = (struct skeleton){ tx, n, NULL };
	TRY(need_mark_chain(tx, nl, n));
	TRY(probe_listeners(tx, n));
	TRY(reach_dev(tx, host, n, &s->dev));
	*c = compose(tx, n, s);
	if (!c->n)
		return 0;
	TRY(owned_add(tx, nl, host, c));
	if (wants_localnet(n) && !str_eq(s->dev, "none"))
		TRY(set_localnet(tx, s->dev, "1"));
	return flush_for_add(tx, nl, n);
}

/* What a DEL learns from the elements it deletes. */
struct aftermath {
	struct tx *tx;
	struct ct_filter *flows[2];
	unsigned n_flows[2];
	const char **devs;
	unsigned n_devs;
};

static uint16_t port_at(const struct nft_key *k, unsigned at)
{
	return (uint16_t)(k->b[at] << 8 | k->b[at + 1]);
}

static void note_port(struct aftermath *a, const struct nft_elem *e, enum nat_set set)
{
	bool six = (set - HOSTPORTS4) % 2, host = sets[set].key_len > 8;
	unsigned ip_len = six ? 16 : 4, at = host ? ip_len : 0;
	struct ct_filter f = { .proto = e->key.b[at] };

	f.port_first = port_at(&e->key, at + 4);
	f.port_last = e->key_end.len ? port_at(&e->key_end, at + 4) : f.port_first;
	f.reply_src.family = six ? AF_INET6 : AF_INET;
	memcpy(f.reply_src.b, e->data.b, ip_len);
	if (host) {
		f.dst.family = f.reply_src.family;
		memcpy(f.dst.b, e->key.b, ip_len);
	}
	a->flows[six] = mem_grow(&a->tx->mem, a->flows[six], a->n_flows[six], sizeof(f));
	a->flows[six][a->n_flows[six]++] = f;
}

/* snat-DEV-SUBNET…: DEV may hold dashes, SUBNET begins with a digit, or is "all". */
static void note_dev(struct aftermath *a, const char *chain)
{
	char *dev, *end;

	if (!chain || !str_starts(chain, "snat-"))
		return;
	dev = mem_str(&a->tx->mem, chain + 5);
	end = strchr(dev, '/');
	end = end ? end : strstr(dev, "-all");
	if (!end)
		return;
	if (*end == '/')
		while (end > dev && *end != '-')
			end--;
	*end = '\0';
	a->devs = mem_grow(&a->tx->mem, a->devs, a->n_devs, sizeof(*a->devs));
	a->devs[a->n_devs++] = dev;
}

static void note(const struct nft_elem *e, unsigned set, void *arg)
{
	struct aftermath *a = arg;

	if (set == PUBLISHED4)
		note_dev(a, e->chain);
	else if (set >= HOSTPORTS4)
		note_port(a, e, set);
}

static int settle(struct tx *tx, struct nfnl *nl, struct aftermath *a)
{
	struct ip none = { .family = 0 };
	int r = 0;

	for (unsigned f = 0; f < 2; f++)
		r = also(r, flush_flows(tx, nl, f ? AF_INET6 : AF_INET, a->flows[f], a->n_flows[f],
					none));
	for (unsigned i = 0; i < a->n_devs; i++)
		r = also(r, release_localnet(tx, nl, a->devs[i]));
	return r;
}

int nat_del(struct tx *tx, struct nfnl *nl, struct rt *host UNUSED, const struct owner *o,
	    char kind)
{
	struct aftermath a = { .tx = tx };
	int r = owned_del(tx, nl, &table, o, kind, note, &a);

	return also(r, settle(tx, nl, &a));
}

int nat_gc(struct tx *tx, struct nfnl *nl, struct rt *host UNUSED, const char *network, char kind,
	   const struct owned_valid *valid)
{
	struct aftermath a = { .tx = tx };
	int r = owned_gc(tx, nl, &table, network, kind, valid, note, &a);

	return also(r, settle(tx, nl, &a));
}

/* ---- checking ----------------------------------------------------------- */

typedef void differs_fn(struct tx *tx, const char *what, const char *want, const char *have);

static int check_chain(struct tx *tx, struct nfnl *nl, const char *chain, unsigned want,
		       differs_fn *differs)
{
	unsigned have;
	int r = nft_count_rules(nl, NFPROTO_INET, table_name, chain, &have);

	if (r < 0)
		return tx_fail(tx, r, "host: count the rules of chain %s: %s", chain, strerror(-r));
	if (have < want)
		differs(tx, mem_printf(&tx->mem, "chain %s of nftables table inet %s", chain,
				       table_name),
			mem_printf(&tx->mem, "%u rules", want),
			mem_printf(&tx->mem, "%u", have));
	return 0;
}

static unsigned masq_rules(const struct nat *n, int family)
{
	unsigned rules = 3;

	for (unsigned i = 0; i < n->n_except; i++)
		rules += n->except[i].ip.family == family;
	return rules;
}

static int check_chains(struct tx *tx, struct nfnl *nl, const struct nat *n,
			const struct owned_change *c, differs_fn *differs)
{
	const char *dash = *c->group ? "-" : "";
	const struct {
		const char *chain;
		unsigned rules;
	} fixed[] = {
		{ "postrouting", POSTROUTING_RULES },
		{ "guard", GUARD_RULES },
		{ mem_printf(&tx->mem, "prerouting%s%s", dash, c->group), HOOK_RULES },
		{ mem_printf(&tx->mem, "output%s%s", dash, c->group), HOOK_RULES },
		{ mem_printf(&tx->mem, "ports%s%s", dash, c->group), PORTS_RULES },
	};

	for (unsigned i = 0; i < ARRAY_LEN(fixed); i++)
		TRY(check_chain(tx, nl, fixed[i].chain, fixed[i].rules, differs));
	for (unsigned i = 0; i < n->n_masq; i++)
		TRY(check_chain(tx, nl, masq_chain(tx, n, n->masq[i]),
				masq_rules(n, n->masq[i].ip.family), differs));
	for (unsigned i = 0; i < c->n; i++)
		if (c->elems[i].set == PUBLISHED4 || c->elems[i].set == PUBLISHED6)
			TRY(check_chain(tx, nl, c->elems[i].e.chain, SNAT_RULES, differs));
	return 0;
}

static int check_localnet(struct tx *tx, const char *dev, differs_fn *differs)
{
	struct sysctl s = sysctl_conf(AF_INET, dev, "route_localnet", "1");
	char have[16] = "";
	int r = sysctl_read(tx, NULL, s.name, have, sizeof(have));

	if (r < 0 || !str_eq(have, "1"))
		differs(tx, mem_printf(&tx->mem, "sysctl %s", s.name), "1", have);
	return 0;
}

int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
	      void (*differs)(struct tx *tx, const char *what, const char *want, const char *have))
{
	struct skeleton s = { tx, n, NULL };
	struct owned_change c;

	TRY(reach_dev(tx, host, n, &s.dev));
	c = compose(tx, n, &s);
	if (!c.n)
		return 0;
	TRY(owned_check(tx, nl, &c, differs));
	TRY(check_chains(tx, nl, n, &c, differs));
	return wants_localnet(n) && !str_eq(s.dev, "none") ? check_localnet(tx, s.dev, differs) : 0;
}

/* ---- the table itself --------------------------------------------------- */

static int any_elem(const struct nft_elem *e, void *arg)
{
	bool *any = arg;

	*any = e != NULL;
	return *any;
}

int nat_prune(struct tx *tx, struct nfnl *nl)
{
	struct nft *n = nft_new(tx, NFPROTO_INET, table_name);
	uint32_t genid = 0;
	bool any = false;
	int r;

	if (nft_genid(nl, &genid) < 0)
		return 0;
	r = nft_each_elem(nl, NFPROTO_INET, table_name, "attachments", any_elem, &any);
	if (r < 0 || any)
		return 0;
	nft_del_table(n);
	r = nft_try(nl, n, genid);
	/* Missing already, or somebody came meanwhile: both are fine. */
	return r < 0 && r != -ENOENT && r != -ERESTART
		       ? tx_fail(tx, r, "host: delete nftables table inet %s: %s", table_name,
				 strerror(-r))
		       : 0;
}

int nat_status(struct tx *tx, struct nfnl *nl)
{
	int r = nft_usable(nl);

	if (r == 0)
		return 0;
	return tx_fail_as(tx, CNI_E_UNAVAILABLE, r,
			  "nftables cannot be used: %s%s (load the kernel module nf_tables; "
			  "CAP_NET_ADMIN is needed)",
			  strerror(-r), r == -EPROTONOSUPPORT ? ", the kernel lacks it" : "");
}
