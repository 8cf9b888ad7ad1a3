// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spoof.c - spoof protection: the content of table bridge cplug
 *
 * Frames from a bridge port in the set `guarded` or `strict` go to the chain `mac` or `strict`.
 * `mac` drops frames without the MAC of the port.  `strict` also drops those without one of its IP
 * addresses (IPv4, IPv6, ARP), except what a host sends before it has an address: DHCP from
 * 0.0.0.0, and ICMPv6 from ::.  Frames from other ports pass.
 *
 * The addresses of a port include the link-local one that derives from its MAC.  Neighbour
 * discovery (RFC 4861) names addresses a second time, in the message: chains of its own compare the
 * target of an advertisement and of duplicate address detection, and the MAC in the option.  The
 * option must be the only one, because a rule can only look at a fixed place: the IPv6 length says
 * so, also if extension headers precede.  Router advertisements and redirects are dropped.
 */
#include "firewall/spoof.h"

#include <netinet/icmp6.h>
#include <netinet/if_ether.h>

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

enum spoof_set { GUARDED, STRICT, MACS, IPS4, IPS6, ND_TARGETS, ND_MACS, N_SETS };

enum { PRIORITY = -300 };

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })

static const struct owned_set sets[N_SETS] = {
	[GUARDED] = { "guarded", TYPES(NFT_T_IFNAME), .key_len = 16 },
	[STRICT] = { "strict", TYPES(NFT_T_IFNAME), .key_len = 16 },
	[MACS] = { "macs", TYPES(NFT_T_IFNAME, NFT_T_ETHER), .key_len = 24 },
	[IPS4] = { "ips4", TYPES(NFT_T_IFNAME, NFT_T_IPV4), .key_len = 20 },
	[IPS6] = { "ips6", TYPES(NFT_T_IFNAME, NFT_T_IPV6), .key_len = 32 },
	/* The same as ips6 and macs, of the types of the fields that are looked up. */
	[ND_TARGETS] = { "nd-targets", TYPES(NFT_T_IFNAME, NFT_T_ND_TARGET), .key_len = 32 },
	[ND_MACS] = { "nd-macs", TYPES(NFT_T_IFNAME, NFT_T_ND_MAC), .key_len = 24 },
};

static void match_ethertype(struct nft *n, uint16_t type)
{
	uint16_t wire = htons(type);

	nft_load(n, NFT_ETHER_TYPE);
	nft_match(n, true, &wire, sizeof(wire));
}

/*
 * The same of IPv4 and IPv6, in the form that nft gives it when it loads its own output.  Frames
 * with a VLAN tag match it, too.
 */
static void match_protocol(struct nft *n, uint16_t type)
{
	uint16_t wire = htons(type);

	nft_load(n, NFT_META_PROTOCOL);
	nft_match(n, true, &wire, sizeof(wire));
}

/* Drops frames whose source is not the MAC of the port. */
static void put_mac_rule(struct nft *n, const char *chain)
{
	nft_rule(n, chain);
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, NFT_ETHER_SADDR);
	nft_lookup(n, sets[MACS].name, true);
	nft_drop(n);
	nft_rule_end(n, NULL);
}

/* Continues if (port, field) is in a set, or if it is not. */
static void match_own(struct nft *n, enum nft_field field, enum spoof_set set, bool not )
{
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, field);
	nft_lookup(n, sets[set].name, not );
}

/* Accepts frames of a protocol if (port, field) is in a set. */
static void put_own(struct nft *n, uint16_t type, enum nft_field field, enum spoof_set set)
{
	nft_rule(n, "strict");
	if (type == ETH_P_ARP)
		match_ethertype(n, type);
	else
		match_protocol(n, type);
	match_own(n, field, set, false);
	nft_accept(n);
	nft_rule_end(n, NULL);
}

static void match_unspecified(struct nft *n, bool six)
{
	struct cidr c;

	cidr_parse(six ? "::/128" : "0.0.0.0/32", &c);
	match_protocol(n, six ? ETH_P_IPV6 : ETH_P_IP);
	nft_match_cidr(n, true, true, c);
}

/* ---- neighbour discovery ---- */

static void match_nd(struct nft *n, uint8_t type)
{
	match_ethertype(n, ETH_P_IPV6);
	nft_match_l4proto(n, true, IPPROTO_ICMPV6);
	nft_load(n, NFT_ICMP6_TYPE);
	nft_match(n, true, &type, sizeof(type));
}

static void match_length(struct nft *n, uint16_t bytes)
{
	uint16_t wire = htons(bytes);

	nft_load(n, NFT_IP6_LENGTH);
	nft_match(n, true, &wire, sizeof(wire));
}

/* An option of eight bytes. */
static void match_option(struct nft *n, enum nft_field at, uint8_t type)
{
	const uint8_t wire[] = { type, 1 };

	nft_load(n, at);
	nft_match(n, true, wire, sizeof(wire));
}

struct nd_message {
	const char *chain;
	uint8_t type;   /* of ICMPv6 */
	uint16_t bytes; /* without options */
	uint8_t option; /* that names the sender's MAC */
	enum nft_field option_at, mac_at;
};

static const struct nd_message nd_messages[] = {
	{ "nd-router-solicit", ND_ROUTER_SOLICIT, 8, ND_OPT_SOURCE_LINKADDR, NFT_RS_OPTION,
	  NFT_RS_OPTION_MAC },
	{ "nd-solicit", ND_NEIGHBOR_SOLICIT, 24, ND_OPT_SOURCE_LINKADDR, NFT_ND_OPTION,
	  NFT_ND_OPTION_MAC },
	{ "nd-advert", ND_NEIGHBOR_ADVERT, 24, ND_OPT_TARGET_LINKADDR, NFT_ND_OPTION,
	  NFT_ND_OPTION_MAC },
};

/* The target must be the sender's own: of an advertisement, and of a solicitation from ::. */
static void put_target_rule(struct nft *n, const struct nd_message *m)
{
	if (m->type == ND_ROUTER_SOLICIT)
		return;
	nft_rule(n, m->chain);
	if (m->type == ND_NEIGHBOR_SOLICIT)
		match_unspecified(n, true);
	match_own(n, NFT_ND_TARGET, ND_TARGETS, true);
	nft_drop(n);
	nft_rule_end(n, NULL);
}

/* From ::, duplicate address detection (with a nonce, RFC 7527), and solicitation of a router. */
static void put_unspecified_rules(struct nft *n, const struct nd_message *m)
{
	enum { OPT_NONCE = 14 };

	if (m->type == ND_NEIGHBOR_ADVERT)
		return;
	for (unsigned options = 0; options < 2; options++) {
		if (options && m->type == ND_ROUTER_SOLICIT)
			return;
		nft_rule(n, m->chain);
		match_unspecified(n, true);
		match_length(n, (uint16_t)(m->bytes + 8 * options));
		if (options)
			match_option(n, m->option_at, OPT_NONCE);
		nft_accept(n);
		nft_rule_end(n, NULL);
	}
}

static void put_nd_chain(struct nft *n, const struct nd_message *m)
{
	nft_fresh_chain(n, m->chain);
	put_target_rule(n, m);
	put_unspecified_rules(n, m);
	for (unsigned options = 0; options < 2; options++) {
		nft_rule(n, m->chain);
		match_protocol(n, ETH_P_IPV6);
		match_length(n, (uint16_t)(m->bytes + 8 * options));
		if (options) {
			match_option(n, m->option_at, m->option);
			match_own(n, m->mac_at, ND_MACS, false);
		}
		match_own(n, NFT_IP6_SADDR, IPS6, false);
		nft_accept(n);
		nft_rule_end(n, NULL);
	}
	nft_rule(n, m->chain);
	nft_drop(n);
	nft_rule_end(n, NULL);
}

static void put_nd_rules(struct nft *n)
{
	static const struct {
		uint8_t type;
		const char *why;
	} dropped[] = {
		{ ND_ROUTER_ADVERT, "a container is no router" },
		{ ND_REDIRECT, "a container is no router" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(dropped); i++) {
		nft_rule(n, "strict");
		match_nd(n, dropped[i].type);
		nft_drop(n);
		nft_rule_end(n, dropped[i].why);
	}
	for (unsigned i = 0; i < ARRAY_LEN(nd_messages); i++) {
		nft_rule(n, "strict");
		match_nd(n, nd_messages[i].type);
		nft_goto(n, nd_messages[i].chain);
		nft_rule_end(n, NULL);
	}
}

/* ---- the skeleton ---- */

/* A tag would hide neighbour discovery from the rules that follow. */
static void put_vlan_rules(struct nft *n)
{
	static const uint16_t tags[] = { ETH_P_8021Q, ETH_P_8021AD };

	for (unsigned i = 0; i < ARRAY_LEN(tags); i++) {
		nft_rule(n, "strict");
		match_ethertype(n, tags[i]);
		nft_drop(n);
		nft_rule_end(n, NULL);
	}
}

static void put_arp_rules(struct nft *n)
{
	nft_rule(n, "strict");
	match_ethertype(n, ETH_P_ARP);
	match_own(n, NFT_ARP_SADDR_ETHER, MACS, true);
	nft_drop(n);
	nft_rule_end(n, NULL);
	put_own(n, ETH_P_ARP, NFT_ARP_SADDR_IP, IPS4);
}

static void put_strict(struct nft *n)
{
	for (unsigned i = 0; i < ARRAY_LEN(nd_messages); i++)
		put_nd_chain(n, &nd_messages[i]);
	nft_fresh_chain(n, "strict");
	put_mac_rule(n, "strict");
	put_vlan_rules(n);
	put_arp_rules(n);
	put_own(n, ETH_P_IP, NFT_IP_SADDR, IPS4);
	put_nd_rules(n);
	put_own(n, ETH_P_IPV6, NFT_IP6_SADDR, IPS6);
	nft_rule(n, "strict");
	match_unspecified(n, false);
	nft_accept(n);
	nft_rule_end(n, "DHCP");
	nft_rule(n, "strict");
	match_unspecified(n, true);
	nft_match_l4proto(n, true, IPPROTO_ICMPV6);
	nft_accept(n);
	nft_rule_end(n, "multicast groups, before the first address");
	nft_rule(n, "strict");
	nft_drop(n);
	nft_rule_end(n, NULL);
}

static void put_dispatch(struct nft *n, enum spoof_set set, const char *chain)
{
	nft_rule(n, "prerouting");
	nft_load(n, NFT_META_IIFNAME);
	nft_lookup(n, sets[set].name, false);
	nft_goto(n, chain);
	nft_rule_end(n, NULL);
}

static void put_skeleton(struct nft *n, const char *group UNUSED, void *arg UNUSED)
{
	nft_fresh_chain(n, "mac");
	put_mac_rule(n, "mac");
	put_strict(n);
	nft_base_chain(n, "prerouting", "filter", NF_BR_PRE_ROUTING, PRIORITY);
	nft_flush_chain(n, "prerouting");
	put_dispatch(n, GUARDED, "mac");
	put_dispatch(n, STRICT, "strict");
}

static const struct owned_table table = {
	NFPROTO_BRIDGE, "cplug", sets, N_SETS, put_skeleton, NULL,
};

/* OWNED_REPLACE, because the port is ours (not prevResult's): a guard of its name is a leftover. */
static struct owned_elem *append_elem(struct mem *mem, struct owned_change *c, enum spoof_set set,
				      const struct spoof *s)
{
	struct owned_elem *e;

	c->elems = mem_grow(mem, c->elems, c->n, sizeof(*c->elems));
	e = &c->elems[c->n++];
	*e = (struct owned_elem){ .set = set, .conflict = OWNED_REPLACE };
	e->what = mem_printf(mem, "spoof guard of %s (%s)", s->port->name, sets[set].name);
	nft_key_ifname(&e->e.key, s->port->name);
	return e;
}

/* An address of IPv6, as source of packets and as target of neighbour discovery. */
static void append_ip6(struct mem *mem, struct owned_change *c, const struct spoof *s, struct ip ip)
{
	nft_key_ip(&append_elem(mem, c, IPS6, s)->e.key, ip);
	nft_key_ip(&append_elem(mem, c, ND_TARGETS, s)->e.key, ip);
}

static struct owned_change compose_spoof(struct mem *mem, const struct spoof *s)
{
	struct owned_change c = {
		.in = { &table, "" },
		.owner = s->owner,
		.kind = OWNED_SPOOF,
		.link = s->port->index,
		.repair = s->repair,
	};
	struct ip linklocal = ip_linklocal(s->mac);

	append_elem(mem, &c, s->strict ? STRICT : GUARDED, s);
	nft_key_mac(&append_elem(mem, &c, MACS, s)->e.key, s->mac);
	if (!s->strict)
		return c;
	nft_key_mac(&append_elem(mem, &c, ND_MACS, s)->e.key, s->mac);
	append_ip6(mem, &c, s, linklocal);
	for (unsigned i = 0; i < s->n_ips; i++) {
		struct ip ip = s->ips[i].ip;

		/* A result may list it twice: there is one element for it. */
		if (ip_eq(ip, linklocal) || cidr_list_has(s->ips, i, ip))
			continue;
		if (ip.family == AF_INET6)
			append_ip6(mem, &c, s, ip);
		else
			nft_key_ip(&append_elem(mem, &c, IPS4, s)->e.key, ip);
	}
	return c;
}

int spoof_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct spoof *s)
{
	struct owned_change c = compose_spoof(&tx->mem, s);

	return owned_add(tx, nl, host, mem_dup(&tx->mem, &c, sizeof(c)));
}

int spoof_del(struct tx *tx, struct nfnl *nl, const struct owner *o)
{
	return owned_del(tx, nl, &table, o, OWNED_SPOOF, NULL);
}

int spoof_check(struct tx *tx, struct nfnl *nl, const struct spoof *s)
{
	struct owned_change c = compose_spoof(&tx->mem, s);

	return owned_check(tx, nl, &c);
}

int spoof_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid)
{
	return owned_gc(tx, nl, &table, OWNED_SPOOF, valid, NULL);
}

static bool chain_is_ours(const char *chain, unsigned use UNUSED)
{
	for (unsigned i = 0; i < ARRAY_LEN(nd_messages); i++)
		if (str_eq(chain, nd_messages[i].chain))
			return true;
	return str_eq(chain, "prerouting") || str_eq(chain, "mac") || str_eq(chain, "strict");
}

int spoof_prune(struct tx *tx, struct nfnl *nl)
{
	return owned_prune(tx, nl, &table, chain_is_ours);
}

int spoof_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n)
{
	return owned_survey(tx, nl, &table, ret, ret_n);
}

int spoof_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s)
{
	return owned_sweep(tx, nl, &table, s);
}
