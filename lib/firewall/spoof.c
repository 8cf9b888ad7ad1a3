// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spoof.c - spoof protection: the content of table bridge cplug
 *
 * Frames from a bridge port in the set `guarded` or `strict` go to the chain `mac` or `strict`.
 * `mac` drops frames without the MAC of the port.  `strict` also drops those without one of its IP
 * addresses (IPv4, IPv6, ARP), except what a host sends before it has an address: DHCP from
 * 0.0.0.0, and IPv6 from :: and from link-local addresses.  Frames from other ports pass.
 */
#include "firewall/spoof.h"

#include <netinet/if_ether.h>

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

enum spoof_set { GUARDED, STRICT, MACS, IPS4, IPS6, N_SETS };

enum { PRIORITY = -300 };

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })

static const struct owned_set sets[N_SETS] = {
	[GUARDED] = { "guarded", TYPES(NFT_T_IFNAME), .key_len = 16 },
	[STRICT] = { "strict", TYPES(NFT_T_IFNAME), .key_len = 16 },
	[MACS] = { "macs", TYPES(NFT_T_IFNAME, NFT_T_ETHER), .key_len = 24 },
	[IPS4] = { "ips4", TYPES(NFT_T_IFNAME, NFT_T_IPV4), .key_len = 20 },
	[IPS6] = { "ips6", TYPES(NFT_T_IFNAME, NFT_T_IPV6), .key_len = 32 },
};

static void match_ethertype(struct nft *n, uint16_t type)
{
	uint16_t wire = htons(type);

	nft_load(n, NFT_ETHER_TYPE);
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

/* Accepts frames of an ethertype if (port, field) is in a set. */
static void put_own(struct nft *n, uint16_t ethertype, enum nft_field field, enum spoof_set set)
{
	nft_rule(n, "strict");
	match_ethertype(n, ethertype);
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, field);
	nft_lookup(n, sets[set].name, false);
	nft_accept(n);
	nft_rule_end(n, NULL);
}

static void put_prefix(struct nft *n, uint16_t ethertype, const char *prefix, const char *why)
{
	struct cidr c;

	cidr_parse(prefix, &c);
	nft_rule(n, "strict");
	match_ethertype(n, ethertype);
	nft_match_cidr(n, true, true, c);
	nft_accept(n);
	nft_rule_end(n, why);
}

static void put_strict(struct nft *n)
{
	nft_fresh_chain(n, "strict");
	put_mac_rule(n, "strict");
	nft_rule(n, "strict");
	match_ethertype(n, ETH_P_ARP);
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, NFT_ARP_SADDR_ETHER);
	nft_lookup(n, sets[MACS].name, true);
	nft_drop(n);
	nft_rule_end(n, NULL);
	put_own(n, ETH_P_ARP, NFT_ARP_SADDR_IP, IPS4);
	put_own(n, ETH_P_IP, NFT_IP_SADDR, IPS4);
	put_own(n, ETH_P_IPV6, NFT_IP6_SADDR, IPS6);
	put_prefix(n, ETH_P_IP, "0.0.0.0/32", "DHCP");
	put_prefix(n, ETH_P_IPV6, "::/128", "duplicate address detection");
	put_prefix(n, ETH_P_IPV6, "fe80::/10", "link-local");
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

static struct owned_change compose_spoof(struct mem *mem, const struct spoof *s)
{
	struct owned_change c = {
		.in = { &table, "" },
		.owner = s->owner,
		.kind = OWNED_SPOOF,
		.link = s->port->index,
		.repair = s->repair,
	};

	append_elem(mem, &c, s->strict ? STRICT : GUARDED, s);
	nft_key_mac(&append_elem(mem, &c, MACS, s)->e.key, s->mac);
	for (unsigned i = 0; s->strict && i < s->n_ips; i++) {
		bool six = s->ips[i].ip.family == AF_INET6;

		nft_key_ip(&append_elem(mem, &c, six ? IPS6 : IPS4, s)->e.key, s->ips[i].ip);
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

static bool chain_is_ours(const char *chain)
{
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
