// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_nft.c - answers of nf_tables and conntrack
 */
#include <netinet/in.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <netlink/socket.h>

#include "nft/ct.h"
#include "firewall/foreign_fw.h"
#include "fuzz.h"
#include "nft/nft.h"

static int each_elem(const struct nft_elem *e, void *arg)
{
	unsigned *n = arg;

	if (!e) {
		*n = 0;
		return 0;
	}
	for (unsigned i = 0; i < e->key.len + e->data.len; i++)
		*n += i < e->key.len ? e->key.b[i] : e->data.b[i - e->key.len];
	for (unsigned i = 0; i < e->private_len; i++)
		*n += e->private[i];
	*n += e->comment ? (unsigned)strlen(e->comment) : 0;
	*n += e->chain ? (unsigned)strlen(e->chain) : 0;
	return 0;
}

static int each_chain(const char *chain, unsigned use, void *arg)
{
	unsigned *n = arg;

	*n += chain ? use + (unsigned)strlen(chain) : 0;
	return 0;
}

static int each_rule(const struct nft_rule_info *w, void *arg)
{
	unsigned *n = arg;

	if (!w)
		*n += 1;
	if (w && w->set)
		*n += (unsigned)strlen(w->set);
	if (w && w->chain)
		*n += (unsigned)strlen(w->chain);
	return 0;
}

/* CHECK's comparison of a chain, a set and a rule. */
static void compare(struct tx *tx, struct nfnl *nl)
{
	static const enum nft_type key[] = { NFT_T_IPV4, NFT_T_END };
	struct nft *n = nft_new(&tx->mem, NFPROTO_INET, "cplug");

	nft_table(n, NULL);
	nft_set(n, "set", key, NULL, false);
	nft_base_chain(n, "chain", "filter", 2, 0);
	nft_flush_chain(n, "chain");
	nft_rule(n, "chain");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_load(n, NFT_IP_SADDR);
	nft_lookup(n, "set", false);
	nft_drop(n);
	nft_rule_end(n, NULL);
	(void)!nft_compare(tx, nl, n);
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	static struct nfnl nl;
	struct nft_elem e[3] = { 0 };
	struct ct_filter f = { .proto = IPPROTO_UDP, .port_first = 53, .port_last = 53 };
	unsigned n = 0, use = 0, deleted;
	const char *who;
	uint32_t genid;
	struct ct_flows flows = { .family = AF_INET, .f = &f, .n = 1 };
	static struct rt rt;
	struct ip ip;
	struct nft_ref table = { .family = NFPROTO_INET, .table = "cplug" };
	struct nft_ref set = table, chain = table;

	if (!nl.sk)
		nl = (struct nfnl){ .sk = mnl_socket_open(NETLINK_NETFILTER) };
	if (!rt.sk)
		rt = (struct rt){ .sk = nl_socket_alloc(), .where = "host" };
	if (!nl.sk || !rt.sk || !size)
		return;
	set.name = "set";
	chain.name = "chain";
	ip_parse("10.0.0.1", &ip);
	for (unsigned i = 0; i < ARRAY_LEN(e); i++)
		nft_key_ip(&e[i].key, ip_add(ip, i));
	fuzz_kernel(data + 1, size - 1);
	switch (data[0] & 15) {
	case 0:
		(void)!nft_genid(&nl, &genid);
		break;
	case 1:
		(void)!nft_find_elems(&tx->mem, &nl, set, e, ARRAY_LEN(e));
		break;
	case 2:
		(void)!nft_chain_use(&nl, chain, &use);
		break;
	case 3:
		(void)!nft_each_rule(&nl, chain, each_rule, &n);
		break;
	case 4:
		(void)!nft_each_chain(&nl, table, each_chain, &n);
		break;
	case 5:
		(void)!ct_flush(&nl, &rt, &flows, &deleted);
		break;
	case 8:
		compare(tx, &nl);
		break;
	case 9:
		(void)!foreign_fw_check(tx, &nl, &(struct link){ .index = 7, .name = "br1" }, true,
					true, &who);
		break;
	default:
		(void)!nft_each_elem(&nl, set, each_elem, &n);
		break;
	}
}
