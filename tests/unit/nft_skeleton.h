/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_skeleton.h - common functions of the tests of nft: a table like the plugins', in a new
 * namespace, and elements for it
 */
#ifndef CPLUG_TEST_NFT_SKELETON_H
#define CPLUG_TEST_NFT_SKELETON_H

#include "nft/nft.h"
#include "private_net.h"
#include "unit.h"

#include <linux/netfilter.h>

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })
#define VERDICT TYPES(NFT_T_VERDICT)

static const char masq_chain[] = "masq-mynet-10.1.0.0/24";

static struct nfnl nl;

static inline int begin(void **state)
{
	unit_begin(state);
	nl = (struct nfnl){ 0 };
	if (!private_net())
		return 0; /* need_nft() skips the tests */
	return nfnl_open(&unit_tx, &nl, NULL);
}

static inline int end(void **state)
{
	nfnl_close(&nl);
	return unit_end(state);
}

static inline void need_nft(void)
{
	if (!nl.sk || nft_usable(&nl) < 0)
		skip();
}

static inline struct nft *changes(uint8_t family)
{
	return nft_new(&unit_tx.mem, family, "cplug");
}

/* A chain, set or map of the table. */
static inline struct nft_ref ref_of(const char *name)
{
	return (struct nft_ref){ .family = NFPROTO_INET, .table = "cplug", .name = name };
}

static inline void commits(struct nft *n)
{
	int r = nft_try(&nl, n, 0);

	if (r)
		fail_msg("%s: %s", strerror(-r), nl.why);
}

/* ---- the skeleton ---- */

static inline void say_sets(struct nft *n)
{
	nft_set(n, "masq4", TYPES(NFT_T_IPV4), VERDICT, false);
	nft_set(n, "published4", TYPES(NFT_T_IPV4), VERDICT, false);
	nft_set(n, "ports4", TYPES(NFT_T_PROTO, NFT_T_SERVICE), TYPES(NFT_T_IPV4, NFT_T_SERVICE),
		false);
	nft_set(n, "ports6", TYPES(NFT_T_PROTO, NFT_T_SERVICE), TYPES(NFT_T_IPV6, NFT_T_SERVICE),
		false);
	nft_set(n, "hostports4", TYPES(NFT_T_IPV4, NFT_T_PROTO, NFT_T_SERVICE),
		TYPES(NFT_T_IPV4, NFT_T_SERVICE), false);
	nft_set(n, "portranges4", TYPES(NFT_T_PROTO, NFT_T_SERVICE), TYPES(NFT_T_IPV4), true);
	nft_set(n, "hostportranges6", TYPES(NFT_T_IPV6, NFT_T_PROTO, NFT_T_SERVICE),
		TYPES(NFT_T_IPV6), true);
	nft_set(n, "attachments", TYPES(NFT_T_IFNAME, NFT_T_MARK), TYPES(NFT_T_MARK), false);
	nft_set(n, "macs", TYPES(NFT_T_ETHER), NULL, false);
	nft_set(n, "services", TYPES(NFT_T_SERVICE), TYPES(NFT_T_SERVICE), false);
	nft_set(n, "nets", TYPES(NFT_T_IPV4), NULL, true);
}

static inline void say_chains(struct nft *n)
{
	static const char *const flushed[] = { masq_chain, "postrouting", "prerouting",
					       "output",   "ports",       "guard" };

	nft_chain(n, masq_chain);
	nft_chain(n, "ports");
	nft_chain(n, "other");
	nft_base_chain(n, "postrouting", "nat", NF_INET_POST_ROUTING, 100);
	nft_base_chain(n, "prerouting", "nat", NF_INET_PRE_ROUTING, -100);
	nft_base_chain(n, "output", "nat", NF_INET_LOCAL_OUT, -100);
	nft_base_chain(n, "guard", "filter", NF_INET_PRE_ROUTING, -300);
	for (unsigned i = 0; i < ARRAY_LEN(flushed); i++)
		nft_flush_chain(n, flushed[i]);
}

static inline void say_dnat(struct nft *n, uint8_t family, bool to_address, const char *map,
			    bool port)
{
	nft_rule(n, "ports");
	nft_match_nfproto(n, family);
	if (to_address)
		nft_load(n, family == NFPROTO_IPV4 ? NFT_IP_DADDR : NFT_IP6_DADDR);
	nft_load(n, NFT_META_L4PROTO);
	nft_load(n, NFT_TH_DPORT);
	nft_lookup_map(n, map);
	nft_dnat(n, family, port);
	nft_rule_end(n, NULL);
}

static inline void say_nat_rules(struct nft *n)
{
	nft_rule(n, "postrouting");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_ct_dnat(n);
	nft_load(n, NFT_IP_DADDR);
	nft_lookup(n, "nets", false);
	nft_return(n);
	nft_rule_end(n, NULL);

	nft_rule(n, "postrouting");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_load(n, NFT_IP_SADDR);
	nft_lookup(n, "nets", true);
	nft_return(n);
	nft_rule_end(n, "one rule for all");

	nft_rule(n, "prerouting");
	nft_match_fib_local(n);
	nft_jump(n, "ports");
	nft_rule_end(n, NULL);

	nft_rule(n, "output");
	nft_match_fib_local(n);
	nft_jump(n, "ports");
	nft_rule_end(n, NULL);

	say_dnat(n, NFPROTO_IPV4, true, "hostports4", true);
	say_dnat(n, NFPROTO_IPV4, false, "ports4", true);
	say_dnat(n, NFPROTO_IPV6, false, "ports6", true);
	say_dnat(n, NFPROTO_IPV4, false, "portranges4", false);
	say_dnat(n, NFPROTO_IPV6, true, "hostportranges6", false);
}

static inline struct cidr cidr_of(const char *text)
{
	struct cidr c;

	assert_true(cidr_parse(text, &c));
	return c;
}

static inline void say_return(struct nft *n, const char *to)
{
	nft_rule(n, masq_chain);
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_cidr(n, false, true, cidr_of(to));
	nft_return(n);
	nft_rule_end(n, NULL);
}

static inline void say_guard(struct nft *n)
{
	nft_rule(n, "guard");
	nft_match_ifname(n, true, false, "lo");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_cidr(n, false, true, cidr_of("127.0.0.0/8"));
	nft_drop(n);
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_ifname(n, true, true, "veth*");
	nft_mark_or(n, 0x2000);
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_l4proto(n, true, IPPROTO_TCP);
	nft_match_port(n, false, true, 80, 90);
	nft_counter(n);
	nft_accept(n);
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_l4proto(n, false, IPPROTO_TCP);
	nft_match_port(n, true, false, 80, 90);
	nft_return(n);
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_ct_state(n, true, 1);
	nft_drop(n);
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_mark(n, true, 0x2000, 0x2000);
	nft_match_mark(n, false, 7, UINT32_MAX);
	nft_goto(n, "other");
	nft_rule_end(n, NULL);

	nft_rule(n, "guard");
	nft_match_nfproto(n, NFPROTO_IPV6);
	nft_match_cidr(n, true, false, cidr_of("fd00::/61"));
	nft_return(n);
	nft_rule_end(n, NULL);
}

static inline void say_skeleton(struct nft *n)
{
	nft_table(n, "made by a test");
	say_sets(n);
	say_chains(n);
	say_nat_rules(n);
	say_guard(n);
	say_return(n, "10.1.0.0/24");
	say_return(n, "224.0.0.0/4");
	nft_rule(n, masq_chain);
	nft_masquerade(n);
	nft_rule_end(n, NULL);
}

static inline void skeleton(void)
{
	struct nft *n = changes(NFPROTO_INET);

	need_nft();
	say_skeleton(n);
	commits(n);
}

/* ---- output of nft ---- */

/* Asserts that nft list ruleset prints these lines in this order, among others. */
static inline void prints(const char *const *lines)
{
	char line[512];
	FILE *p = popen("nft -y list ruleset 2>&1", "r"); /* NOLINT(cert-env33-c) */

	assert_non_null(p);
	while (*lines && fgets(line, sizeof(line), p)) {
		line[strcspn(line, "\n")] = '\0';
		if (str_eq(line + strspn(line, "\t"), *lines))
			lines++;
	}
	pclose(p);
	if (*lines)
		fail_msg("nft does not print (in this order): %s", *lines);
}

/* ---- elements ---- */

static inline struct nft_elem port_elem(uint8_t proto, uint16_t port, const char *to,
					uint16_t to_port)
{
	struct nft_elem e = { .comment = "net/id/eth0",
			      .private = (const uint8_t *)"\0\1hidden",
			      .private_len = 8 };

	nft_key_u8(&e.key, proto);
	nft_key_port(&e.key, port);
	nft_key_ip(&e.data, ip_of(to));
	if (to_port)
		nft_key_port(&e.data, to_port);
	return e;
}

static inline struct nft_elem range_elem(uint16_t first, uint16_t last, const char *to)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, first, to, 0);

	nft_key_u8(&e.key_end, IPPROTO_TCP);
	nft_key_port(&e.key_end, last);
	return e;
}

static inline int try_add(const char *set, const struct nft_elem *e, bool excl)
{
	struct nft *n = changes(NFPROTO_INET);

	nft_add_elem(n, set, e, excl);
	return nft_try(&nl, n, 0);
}

static inline int try_del(const char *set, const struct nft_elem *e)
{
	struct nft *n = changes(NFPROTO_INET);

	nft_del_elem(n, set, e);
	return nft_try(&nl, n, 0);
}

static inline bool find(const char *set, struct nft_elem *e)
{
	assert_int_equal(nft_find_elems(&unit_tx.mem, &nl, ref_of(set), e, 1), 0);
	return e->found;
}

#endif
