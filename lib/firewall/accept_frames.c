// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * accept_frames.c - isolated bridge ports: the content of table bridge cplug-firewall
 *
 * Frames between ports of a bridge do not pass the hook of table inet (without br_netfilter).  Here
 * no frame is forwarded from or to the port of an isolated attachment.  Packets that the host
 * routes or receives do not pass this hook, except that br_netfilter bridges a packet that a port
 * mapping redirects to the bridge it came from: the container's own published port must answer.
 */
#include "firewall/accept_impl.h"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

enum { ISOLATED, SELF, PRIORITY = -200 };

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })

static const struct owned_set sets[] = {
	[ISOLATED] = { "isolated", TYPES(NFT_T_IFNAME), .key_len = 16 },
	[SELF] = { "self", TYPES(NFT_T_IFNAME, NFT_T_IFNAME), .key_len = 32 },
};

static void put_skeleton(struct nft *n, const char *group UNUSED, void *arg UNUSED)
{
	nft_base_chain(n, "forward", "filter", NF_BR_FORWARD, PRIORITY);
	nft_flush_chain(n, "forward");
	nft_rule(n, "forward");
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, NFT_META_OIFNAME);
	nft_lookup(n, sets[SELF].name, false);
	nft_accept(n);
	nft_rule_end(n, NULL);
	for (unsigned i = 0; i < 2; i++) {
		nft_rule(n, "forward");
		nft_load(n, i ? NFT_META_OIFNAME : NFT_META_IIFNAME);
		nft_lookup(n, sets[ISOLATED].name, false);
		nft_drop(n);
		nft_rule_end(n, NULL);
	}
}

static const struct owned_table table = {
	NFPROTO_BRIDGE, "cplug-firewall", sets, ARRAY_LEN(sets), put_skeleton, NULL,
};

static struct owned_change *compose_frames(struct mem *mem, const struct accept *a)
{
	struct owned_change *c = mem_alloc(mem, sizeof(*c));

	*c = (struct owned_change){
		.in = { &table, "" },
		.owner = a->owner,
		.kind = OWNED_FIREWALL,
		.link = a->link,
		.elems = mem_alloc(mem, 2 * sizeof(*c->elems)),
		.n = 2,
		.repair = a->repair,
	};
	for (unsigned i = 0; i < c->n; i++) {
		c->elems[i] = (struct owned_elem){
			.set = i ? SELF : ISOLATED,
			.conflict = OWNED_HELD,
			.what = mem_printf(mem, "isolated bridge port %s", a->port),
		};
		nft_key_ifname(&c->elems[i].e.key, a->port);
	}
	nft_key_ifname(&c->elems[1].e.key, a->port);
	return c;
}

static bool has_port(const struct accept *a)
{
	return a->policy == ACCEPT_ISOLATED && a->port;
}

int accept_frames_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct accept *a)
{
	if (!has_port(a))
		return 0;
	return owned_add(tx, nl, host, compose_frames(&tx->mem, a));
}

int accept_frames_check(struct tx *tx, struct nfnl *nl, const struct accept *a)
{
	if (!has_port(a))
		return 0;
	return owned_check(tx, nl, compose_frames(&tx->mem, a));
}

int accept_frames_del(struct tx *tx, struct nfnl *nl, const struct owner *o)
{
	return owned_del(tx, nl, &table, o, OWNED_FIREWALL, NULL);
}

int accept_frames_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid)
{
	return owned_gc(tx, nl, &table, OWNED_FIREWALL, valid, NULL);
}

static bool chain_is_ours(const char *chain, unsigned use UNUSED)
{
	return str_eq(chain, "forward");
}

int accept_frames_prune(struct tx *tx, struct nfnl *nl)
{
	return owned_prune(tx, nl, &table, chain_is_ours);
}

int accept_frames_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n)
{
	return owned_survey(tx, nl, &table, ret, ret_n);
}

int accept_frames_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s)
{
	return owned_sweep(tx, nl, &table, s);
}
