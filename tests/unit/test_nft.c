// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nft.c - change-sets against the kernel, in network namespaces of our own */
#include <signal.h>
#include <sys/wait.h>

#include "nft.h"
#include "private_net.h"
#include "unit.h"

#include <linux/netfilter.h>

#define TYPES(...) ((const enum nft_type[]){ __VA_ARGS__, NFT_T_END })
#define VERDICT TYPES(NFT_T_VERDICT)

static const char masq_chain[] = "masq-mynet-10.1.0.0/24";

static struct nfnl nl;

static int begin(void **state)
{
	unit_begin(state);
	nl = (struct nfnl){ 0 };
	if (!private_net())
		return 0; /* each test skips itself */
	return nfnl_open(&unit_tx, &nl, NULL);
}

static int end(void **state)
{
	nfnl_close(&nl);
	return unit_end(state);
}

static void need_nft(void)
{
	if (!nl.sk || nft_usable(&nl) < 0)
		skip();
}

static struct nft *changes(uint8_t family)
{
	return nft_new(&unit_tx, family, "cplug");
}

static void commits(struct nft *n)
{
	int r = nft_try(&nl, n, 0);

	if (r)
		fail_msg("%s: %s", strerror(-r), nl.why);
}

/* ---- the skeleton ---- */

static void say_sets(struct nft *n)
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

static void say_chains(struct nft *n)
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

static void say_dnat(struct nft *n, uint8_t family, bool to_address, const char *map, bool port)
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

static void say_nat_rules(struct nft *n)
{
	nft_rule(n, "postrouting");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_ct_dnat(n);
	nft_load(n, NFT_IP_DADDR);
	nft_vmap(n, "published4");
	nft_rule_end(n, NULL);

	nft_rule(n, "postrouting");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_load(n, NFT_IP_SADDR);
	nft_vmap(n, "masq4");
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

static struct cidr cidr_of(const char *text)
{
	struct cidr c;

	assert_true(cidr_parse(text, &c));
	return c;
}

static void say_return(struct nft *n, const char *to)
{
	nft_rule(n, masq_chain);
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_match_cidr(n, false, true, cidr_of(to));
	nft_return(n);
	nft_rule_end(n, NULL);
}

static void say_guard(struct nft *n)
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

static void say_skeleton(struct nft *n)
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

static void skeleton(void)
{
	struct nft *n = changes(NFPROTO_INET);

	need_nft();
	say_skeleton(n);
	commits(n);
}

/* ---- what nft prints ---- */

/* Every line of text must be among the lines of the ruleset, in that order. */
static void prints(const char *const *lines)
{
	char line[512];
	FILE *p = popen("nft list ruleset 2>&1", "r"); /* NOLINT(cert-env33-c) */

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

static void test_skeleton(void **state)
{
	struct nft *n = changes(NFPROTO_INET);
	unsigned rules;

	(void)state;
	need_nft();
	assert_true(nft_is_empty(n));
	say_skeleton(n);
	assert_false(nft_is_empty(n));
	commits(n);
	commits(n); /* the very same again */
	n = changes(NFPROTO_INET);
	say_skeleton(n); /* and said anew */
	commits(n);
	assert_int_equal(nft_count_rules(&nl, NFPROTO_INET, "cplug", "ports", &rules), 0);
	assert_int_equal(rules, 5);
}

static void test_skeleton_reads_well(void **state)
{
	static const char *const lines[] = {
		"table inet cplug {",
		"map masq4 {",
		"type ipv4_addr : verdict",
		"map ports4 {",
		"type inet_proto . inet_service : ipv4_addr . inet_service",
		"map hostports4 {",
		"type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service",
		"map portranges4 {",
		"type inet_proto . inet_service : ipv4_addr",
		"flags interval",
		"map hostportranges6 {",
		"type ipv6_addr . inet_proto . inet_service : ipv6_addr",
		"flags interval",
		"map attachments {",
		"type ifname . mark : mark",
		"chain masq-mynet-10.1.0.0/24 {",
		"ip daddr 10.1.0.0/24 return",
		"ip daddr 224.0.0.0/4 return",
		"masquerade",
		"chain ports {",
		"dnat ip to ip daddr . meta l4proto . th dport map @hostports4",
		"meta nfproto ipv4 dnat ip to meta l4proto . th dport map @ports4",
		"meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @ports6",
		"meta nfproto ipv4 dnat ip to meta l4proto . th dport map @portranges4",
		"dnat ip6 to ip6 daddr . meta l4proto . th dport map @hostportranges6",
		"chain postrouting {",
		"type nat hook postrouting priority srcnat; policy accept;",
		"ct status dnat ip daddr vmap @published4",
		"ip saddr vmap @masq4 comment \"one rule for all\"",
		"chain prerouting {",
		"type nat hook prerouting priority dstnat; policy accept;",
		"fib daddr type local jump ports",
		"chain output {",
		"type nat hook output priority -100; policy accept;",
		"fib daddr type local jump ports",
		"chain guard {",
		"iifname != \"lo\" ip daddr 127.0.0.0/8 drop",
		"iifname \"veth*\" meta mark set meta mark | 0x00002000",
		"tcp dport 80-90 counter packets 0 bytes 0 accept",
		"meta l4proto != tcp th sport != 80-90 return",
		"ct state invalid drop",
		"meta mark & 0x00002000 == 0x00002000 meta mark != 0x00000007 goto other",
		"ip6 saddr != fd00::/61 return",
		NULL,
	};

	(void)state;
	skeleton();
	if (!have_program("nft"))
		skip();
	prints(lines);
}

/* ---- keys ---- */

static void test_keys(void **state)
{
	struct nft_key port = { 0 }, pair = { 0 }, name = { 0 };
	static const uint8_t tcp_80[8] = { IPPROTO_TCP, 0, 0, 0, 0, 80, 0, 0 };

	(void)state;
	nft_key_port(&port, 80);
	assert_int_equal(port.len, 2); /* alone: as it is */
	nft_key_u8(&pair, IPPROTO_TCP);
	nft_key_port(&pair, 80);
	assert_int_equal(pair.len, 8); /* together: padded */
	assert_memory_equal(pair.b, tcp_80, 8);
	nft_key_ifname(&name, "eth0");
	assert_int_equal(name.len, 16);
	nft_key_mac(&name, (struct mac){ .b = { 2, 0, 0, 0, 0, 1 }, .len = 6 });
	assert_int_equal(name.len, 24);
	assert_string_equal((char *)name.b, "eth0");
	assert_false(nft_key_eq(&pair, &name));
}

/* ---- elements ---- */

static struct nft_elem port_elem(uint8_t proto, uint16_t port, const char *to, uint16_t to_port)
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

static struct nft_elem range_elem(uint16_t first, uint16_t last, const char *to)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, first, to, 0);

	nft_key_u8(&e.key_end, IPPROTO_TCP);
	nft_key_port(&e.key_end, last);
	return e;
}

static int try_add(const char *set, const struct nft_elem *e, bool excl)
{
	struct nft *n = changes(NFPROTO_INET);

	nft_add_elem(n, set, e, excl);
	return nft_try(&nl, n, 0);
}

static int try_del(const char *set, const struct nft_elem *e)
{
	struct nft *n = changes(NFPROTO_INET);

	nft_del_elem(n, set, e);
	return nft_try(&nl, n, 0);
}

static bool find(const char *set, struct nft_elem *e)
{
	bool found = false;

	assert_int_equal(nft_find_elems(&unit_tx, &nl, NFPROTO_INET, "cplug", set, e, &found, 1),
			 0);
	return found;
}

static void test_missing_table_is_told(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);

	(void)state;
	need_nft();
	assert_int_equal(try_add("ports4", &e, true), -ENOENT);
	assert_string_equal(nl.why, "add element to ports4");
	assert_false(find("ports4", &e));
}

static void test_commit_speaks(void **state)
{
	struct nft *n = changes(NFPROTO_INET);

	(void)state;
	need_nft();
	nft_flush_chain(n, "nothing");
	assert_int_equal(nft_commit(&unit_tx, &nl, n, 0, "flush %s", "it"), -ENOENT);
	assert_string_equal(unit_tx.msg,
			    "host: flush it: No such file or directory (flush chain nothing)");
}

static void test_element_comes_and_goes(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);
	struct nft_elem other = port_elem(IPPROTO_TCP, 8080, "10.1.0.6", 80);
	struct nft_elem q = { .key = e.key };

	(void)state;
	skeleton();
	assert_false(find("ports4", &q));
	assert_int_equal(try_add("ports4", &e, true), 0);
	assert_true(find("ports4", &q));
	assert_true(nft_key_eq(&q.data, &e.data));
	assert_string_equal(q.comment, e.comment);
	assert_int_equal(q.private_len, 8);
	assert_memory_equal(q.private, e.private, 8);
	assert_null(q.chain);

	assert_int_equal(try_add("ports4", &e, true), -EEXIST);
	assert_int_equal(try_add("ports4", &e, false), 0);
	assert_int_equal(try_add("ports4", &other, true), -EEXIST);
	assert_int_equal(try_add("ports4", &other, false), -EEXIST);

	assert_int_equal(try_del("ports4", &q), 0);
	assert_int_equal(try_del("ports4", &q), -ENOENT);
	assert_string_equal(nl.why, "delete element of ports4");
	assert_false(find("ports4", &q));
}

static void test_verdict_element(void **state)
{
	struct nft_elem e = { .chain = masq_chain, .comment = "net/id/eth0" };
	struct nft_elem q;

	(void)state;
	skeleton();
	nft_key_ip(&e.key, ip_of("10.1.0.5"));
	q = (struct nft_elem){ .key = e.key };
	assert_int_equal(try_add("masq4", &e, true), 0);
	assert_true(find("masq4", &q));
	assert_string_equal(q.chain, masq_chain);
	e.chain = "nothing";
	nft_key_u8(&e.key, 1); /* a key that does not fit, to a chain that is not there */
	assert_int_not_equal(try_add("masq4", &e, true), 0);
}

static void test_range(void **state)
{
	struct nft_elem e = range_elem(9000, 9010, "10.1.0.5"), q = range_elem(9005, 9005, "::1");
	struct nft_elem over = range_elem(9010, 9020, "10.1.0.6");
	struct nft_elem below = range_elem(8999, 8999, "10.1.0.6");

	(void)state;
	skeleton();
	assert_int_equal(try_add("portranges4", &e, true), 0);
	assert_int_equal(try_add("portranges4", &e, true), -EEXIST);
	assert_int_equal(try_add("portranges4", &over, true), -EEXIST);
	assert_false(find("portranges4", &below));
	assert_true(find("portranges4", &q));
	assert_true(nft_key_eq(&q.key, &e.key));
	assert_true(nft_key_eq(&q.key_end, &e.key_end));
	assert_int_equal(try_del("portranges4", &q), 0);
	assert_int_equal(try_add("portranges4", &over, true), 0);
}

static void test_range_of_single_values(void **state)
{
	struct nft_elem low = { 0 }, high = { 0 };

	(void)state;
	skeleton();
	nft_key_ip(&low.key, ip_of("10.0.0.0"));
	nft_key_ip(&low.key_end, ip_of("10.0.255.255"));
	nft_key_ip(&high.key, ip_of("240.0.0.0"));
	nft_key_ip(&high.key_end, ip_of("255.255.255.255"));
	assert_int_equal(try_add("nets", &low, true), 0);
	assert_int_equal(try_add("nets", &high, true), 0);
	if (have_program("nft"))
		prints((const char *const[]){ "elements = { 10.0.0.0/16, 240.0.0.0/4 }", NULL });
	assert_int_equal(try_del("nets", &low), 0);
	assert_int_equal(try_del("nets", &high), 0);
}

static void test_elements_read_well(void **state)
{
	struct nft *n = changes(NFPROTO_INET);
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);
	struct nft_elem m = { .comment = "a" }, v6 = port_elem(IPPROTO_UDP, 53, "fd00::5", 54);
	struct nft_elem r = range_elem(9000, 9010, "10.1.0.5"), g = { .chain = masq_chain };

	(void)state;
	skeleton();
	nft_key_ifname(&m.key, "veth0123456789a");
	nft_key_u32(&m.key, 1);
	nft_key_u32(&m.data, 0xf001);
	nft_key_ip(&g.key, ip_of("10.1.0.5"));
	nft_add_elem(n, "ports4", &e, true);
	nft_add_elem(n, "ports6", &v6, true);
	nft_add_elem(n, "portranges4", &r, true);
	nft_add_elem(n, "attachments", &m, true);
	nft_add_elem(n, "masq4", &g, true);
	commits(n);
	if (!have_program("nft"))
		skip();
	prints((const char *const[]){
		"elements = { 10.1.0.5 : goto masq-mynet-10.1.0.0/24 }",
		"elements = { tcp . 8080 comment \"net/id/eth0\" : 10.1.0.5 . 80 }",
		"elements = { udp . 53 comment \"net/id/eth0\" : fd00::5 . 54 }",
		"elements = { tcp . 9000-9010 comment \"net/id/eth0\" : 10.1.0.5 }",
		"elements = { \"veth0123456789a\" . 0x00000001 comment \"a\" : 0x0000f001 }",
		NULL });
}

static void test_longest_userdata(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80), q = { .key = e.key };
	uint8_t private[NFT_PRIVATE_MAX + 1];
	char comment[200], line[300];

	(void)state;
	skeleton();
	memset(comment, 'c', sizeof(comment) - 1);
	comment[sizeof(comment) - 1] = '\0';
	for (unsigned i = 0; i < sizeof(private); i++)
	private[i] = (uint8_t)i;
	e.comment = comment;
	e.private = private;
	e.private_len = NFT_PRIVATE_MAX;
	assert_int_equal(try_add("ports4", &e, true), 0);
	assert_true(find("ports4", &q));
	assert_int_equal(strlen(q.comment), NFT_COMMENT_MAX);
	assert_int_equal(q.private_len, NFT_PRIVATE_MAX);
	assert_memory_equal(q.private, private, NFT_PRIVATE_MAX);
	snprintf(line, sizeof(line), "elements = { tcp . 8080 comment \"%.127s\" : 10.1.0.5 . 80 }",
		 comment);
	if (have_program("nft"))
		prints((const char *const[]){ line, NULL });
	e.private_len++;
	assert_int_equal(try_add("ports4", &e, false), -E2BIG);
}

static void test_generation(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);
	struct nft *n = changes(NFPROTO_INET);
	uint32_t genid, later;

	(void)state;
	skeleton();
	assert_int_equal(nft_genid(&nl, &genid), 0);
	assert_int_equal(try_add("ports4", &e, true), 0);
	nft_del_elem(n, "ports4", &e);
	assert_int_equal(nft_try(&nl, n, genid), -ERESTART);
	assert_int_equal(nft_genid(&nl, &later), 0);
	assert_int_not_equal(genid, later);
	assert_int_equal(nft_try(&nl, n, later), 0); /* the same change-set again */
}

/* ---- many ---- */

static int count_each(const struct nft_elem *e, void *arg)
{
	unsigned *n = arg;

	*n = e ? *n + 1 : 0;
	return 0;
}

static unsigned count(const char *set)
{
	unsigned n = 0;

	assert_int_equal(nft_each_elem(&nl, NFPROTO_INET, "cplug", set, count_each, &n), 0);
	return n;
}

static int stop_each(const struct nft_elem *e, void *arg)
{
	unsigned *n = arg;

	(void)e;
	return ++*n == 3;
}

static void test_ten_thousand(void **state)
{
	struct nft *add = changes(NFPROTO_INET), *del = changes(NFPROTO_INET);
	struct nft_elem *q = mem_alloc(&unit_tx.mem, 10000 * sizeof(*q));
	bool *found = mem_alloc(&unit_tx.mem, 10000);
	unsigned seen = 0;
	int r;

	(void)state;
	skeleton();
	for (uint16_t i = 0; i < 10000; i++) {
		struct nft_elem e = port_elem(IPPROTO_TCP, (uint16_t)(i + 1), "10.1.0.5", 80);

		nft_add_elem(add, "ports4", &e, true);
		nft_del_elem(del, "ports4", &e);
		q[i].key = e.key;
	}
	r = nft_try(&nl, add, 0);
	if (r == -EMSGSIZE) /* without privileges over the machine, net.core.wmem_max rules */
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(count("ports4"), 10000);
	assert_int_equal(
		nft_find_elems(&unit_tx, &nl, NFPROTO_INET, "cplug", "ports4", q, found, 10000), 0);
	for (unsigned i = 0; i < 10000; i++)
		assert_true(found[i]);
	assert_string_equal(q[9999].comment, "net/id/eth0");
	assert_int_equal(nft_each_elem(&nl, NFPROTO_INET, "cplug", "ports4", stop_each, &seen), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(nft_try(&nl, add, 0), -EEXIST); /* and the socket is not confused */
	commits(del);
	assert_int_equal(count("ports4"), 0);
	assert_int_equal(count("nothing"), 0);
}

static void test_many_refusals(void **state)
{
	struct nft *n = changes(NFPROTO_INET);
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);

	(void)state;
	skeleton();
	for (unsigned i = 0; i < 5000; i++) {
		nft_rule(n, i ? "nowhere" : "here");
		nft_accept(n);
		nft_rule_end(n, NULL);
	}
	assert_int_equal(nft_try(&nl, n, 0), -ENOENT);
	assert_string_equal(nl.why, "add rule to chain here"); /* the first one */
	assert_int_equal(try_add("ports4", &e, true), 0);
	assert_int_equal(count("ports4"), 1);
}

/* Somebody else changes the ruleset all the time; a dump is of one moment all the same. */
static void test_dump_while_changing(void **state)
{
	struct nft *n = changes(NFPROTO_INET);
	pid_t child;

	(void)state;
	skeleton();
	for (uint16_t i = 0; i < 2000; i++) {
		struct nft_elem e = port_elem(IPPROTO_TCP, (uint16_t)(i + 1), "10.1.0.5", 80);

		nft_add_elem(n, "ports4", &e, true);
	}
	commits(n);
	child = fork();
	if (child == 0) {
		struct nft_elem e = port_elem(IPPROTO_UDP, 1, "10.1.0.5", 80);

		nl = (struct nfnl){ 0 };
		if (nfnl_open(&unit_tx, &nl, NULL) < 0)
			_exit(1);
		for (;;) {
			if (try_add("ports4", &e, true) < 0 || try_del("ports4", &e) < 0)
				_exit(1);
			usleep(5000);
		}
	}
	for (unsigned i = 0; i < 20; i++)
		assert_in_range(count("ports4"), 2000, 2001);
	assert_int_equal(waitpid(child, NULL, WNOHANG), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* ---- chains ---- */

static int chains_each(const char *chain, unsigned use, void *arg)
{
	unsigned *seen = arg;

	if (!chain)
		*seen = 0;
	else if (str_eq(chain, masq_chain))
		*seen += 100 + use;
	else
		++*seen;
	return 0;
}

static void test_chains(void **state)
{
	struct nft_elem e = { .chain = masq_chain };
	struct nft *n = changes(NFPROTO_INET);
	unsigned use, seen = 0;

	(void)state;
	skeleton();
	assert_int_equal(nft_chain_use(&nl, NFPROTO_INET, "cplug", masq_chain, &use), 0);
	assert_int_equal(use, 3); /* its rules */
	nft_key_ip(&e.key, ip_of("10.1.0.5"));
	assert_int_equal(try_add("masq4", &e, true), 0);
	assert_int_equal(nft_chain_use(&nl, NFPROTO_INET, "cplug", masq_chain, &use), 0);
	assert_int_equal(use, 4);
	assert_int_equal(nft_each_chain(&nl, NFPROTO_INET, "cplug", chains_each, &seen), 0);
	assert_int_equal(seen, 100 + 4 + 6);

	nft_flush_chain(n, masq_chain);
	nft_del_chain(n, masq_chain);
	assert_int_equal(nft_try(&nl, n, 0), -EBUSY);
	assert_string_equal(nl.why, "delete chain masq-mynet-10.1.0.0/24");
	assert_int_equal(try_del("masq4", &e), 0);
	commits(n);
	assert_int_equal(nft_chain_use(&nl, NFPROTO_INET, "cplug", masq_chain, &use), -ENOENT);
	assert_int_equal(nft_count_rules(&nl, NFPROTO_INET, "cplug", masq_chain, &use), 0);
	assert_int_equal(use, 0);

	seen = 0;
	n = changes(NFPROTO_INET);
	nft_del_table(n);
	commits(n);
	assert_int_equal(nft_each_chain(&nl, NFPROTO_INET, "cplug", chains_each, &seen), 0);
	assert_int_equal(seen, 0);
}

/* ---- traffic ---- */

static void test_ports_lead_there(void **state)
{
	auto_(fd_close) int wild = -1, specific = -1, range = -1, six = -1;
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "127.0.0.1", 9090), s = { 0 };
	struct nft_elem r = range_elem(9000, 9010, "127.0.0.2");
	struct nft_elem v6 = port_elem(IPPROTO_TCP, 8080, "::1", 9091);
	struct nft *n = changes(NFPROTO_INET);

	(void)state;
	skeleton();
	wild = serve(SOCK_STREAM, "127.0.0.1", 9090, false);
	specific = serve(SOCK_STREAM, "127.0.0.3", 9093, false);
	range = serve(SOCK_STREAM, "127.0.0.2", 9005, false);
	six = serve(SOCK_STREAM, "::1", 9091, false);
	assert_int_equal(reach(SOCK_STREAM, "127.0.0.1", 8080), -1);

	nft_key_ip(&s.key, ip_of("127.0.0.9"));
	nft_key_u8(&s.key, IPPROTO_TCP);
	nft_key_port(&s.key, 8080);
	nft_key_ip(&s.data, ip_of("127.0.0.3"));
	nft_key_port(&s.data, 9093);
	nft_add_elem(n, "ports4", &e, true);
	nft_add_elem(n, "hostports4", &s, true);
	nft_add_elem(n, "portranges4", &r, true);
	nft_add_elem(n, "ports6", &v6, true);
	commits(n);

	close(reach(SOCK_STREAM, "127.0.0.1", 8080));
	assert_true(arrives(wild, 1000));
	close(reach(SOCK_STREAM, "127.0.0.9", 8080));
	assert_true(arrives(specific, 1000));
	close(reach(SOCK_STREAM, "127.0.0.1", 9005));
	assert_true(arrives(range, 1000));
	if (six >= 0) {
		close(reach(SOCK_STREAM, "::1", 8080));
		assert_true(arrives(six, 1000));
	}
	assert_int_equal(reach(SOCK_STREAM, "127.0.0.1", 9011), -1);
}

static void guarded(struct nft *n)
{
	nft_rule(n, "prerouting");
	nft_load(n, NFT_META_IIFNAME);
	nft_lookup(n, "guarded", false);
}

static void spoof_rule(struct nft *n, enum nft_field field, const char *set)
{
	nft_load(n, NFT_META_IIFNAME);
	nft_load(n, field);
	nft_lookup(n, set, true);
	nft_drop(n);
	nft_rule_end(n, NULL);
}

static void test_bridge_family(void **state)
{
	struct nft *n = changes(NFPROTO_BRIDGE);
	uint16_t arp = htons(0x0806), ipv4 = htons(0x0800);
	struct nft_elem e = { 0 };

	(void)state;
	need_nft();
	nft_table(n, NULL);
	nft_set(n, "guarded", TYPES(NFT_T_IFNAME), NULL, false);
	nft_set(n, "spoof", TYPES(NFT_T_IFNAME, NFT_T_ETHER), NULL, false);
	nft_set(n, "spoofip", TYPES(NFT_T_IFNAME, NFT_T_IPV4), NULL, false);
	nft_base_chain(n, "prerouting", "filter", 0 /* NF_BR_PRE_ROUTING */, -300);
	nft_flush_chain(n, "prerouting");
	guarded(n);
	spoof_rule(n, NFT_ETHER_SADDR, "spoof");
	guarded(n);
	nft_load(n, NFT_META_PROTOCOL);
	nft_match(n, true, &ipv4, sizeof(ipv4));
	spoof_rule(n, NFT_IP_SADDR, "spoofip");
	guarded(n);
	nft_load(n, NFT_ETHER_TYPE);
	nft_match(n, true, &arp, sizeof(arp));
	spoof_rule(n, NFT_ARP_SADDR_IP, "spoofip");
	guarded(n);
	nft_load(n, NFT_ETHER_TYPE);
	nft_match(n, true, &arp, sizeof(arp));
	spoof_rule(n, NFT_ARP_SADDR_ETHER, "spoof");
	nft_key_ifname(&e.key, "veth1");
	nft_key_mac(&e.key, (struct mac){ .b = { 2, 0, 0, 0, 0, 1 }, .len = 6 });
	nft_add_elem(n, "spoof", &e, true);
	commits(n);
	if (!have_program("nft"))
		skip();
	prints((const char *const[]){
		"table bridge cplug {", "elements = { \"veth1\" . 02:00:00:00:00:01 }",
		"iifname @guarded iifname . ether saddr != @spoof drop",
		"iifname @guarded iifname . ip saddr != @spoofip drop",
		"iifname @guarded iifname . arp saddr ip != @spoofip drop",
		"iifname @guarded iifname . arp saddr ether != @spoof drop", NULL });
}

/* ---- what is said wrongly is told by the commit ---- */

static void refuses(struct nft *n, int err, const char *why)
{
	assert_int_equal(nft_try(&nl, n, 0), err);
	assert_string_equal(nl.why, why);
}

static void test_mistakes(void **state)
{
	char name[300];
	struct nft *n;

	(void)state;
	if (!nl.sk)
		skip();
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';

	n = changes(NFPROTO_INET);
	nft_accept(n);
	refuses(n, -EINVAL, "a word outside of a rule");

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	nft_rule(n, "ports");
	nft_rule_end(n, NULL);
	refuses(n, -EINVAL, "a rule within a rule");

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	nft_vmap(n, "ports4");
	nft_rule_end(n, NULL);
	refuses(n, -EINVAL, "a match or lookup of nothing");

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	for (unsigned i = 0; i < 5; i++)
		nft_load(n, NFT_IP6_SADDR);
	nft_rule_end(n, NULL);
	refuses(n, -E2BIG, "more than 64 bytes loaded at once");

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	for (unsigned i = 0; i < 100; i++)
		nft_counter(n);
	nft_rule_end(n, NULL);
	refuses(n, -E2BIG, "a rule of too many words");

	n = changes(NFPROTO_INET);
	nft_chain(n, name);
	refuses(n, -ENAMETOOLONG, "a name of more than 255 bytes");
	assert_int_equal(nft_chain_use(&nl, NFPROTO_INET, name, name, &(unsigned){ 0 }), -ENOENT);

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	refuses(n, -EINVAL, "a rule without an end");
	nft_rule_end(n, NULL); /* gives it back */
}

/* The netfilter sockets in this namespace, without the kernel's own. */
static unsigned open_sockets(void)
{
	FILE *f = fopen("/proc/net/netlink", "re");
	unsigned n = 0, protocol, port;
	char line[256];

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += sscanf(line, "%*s %u %u", &protocol, &port) == 2 && protocol == 12 && port;
	fclose(f);
	return n;
}

static void test_closed_before_long(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);
	unsigned before;

	(void)state;
	skeleton();
	before = open_sockets();
	for (unsigned i = 0; i < 20; i++) {
		assert_int_equal(try_add("ports4", &e, true), 0);
		assert_int_equal(try_del("ports4", &e), 0);
		nfnl_close(&nl);
		assert_int_equal(nfnl_open(&unit_tx, &nl, NULL), 0);
	}
	for (unsigned i = 0; open_sockets() > before && i < 500; i++)
		usleep(10000);
	assert_int_equal(open_sockets(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		TEST(test_skeleton),
		TEST(test_skeleton_reads_well),
		TEST(test_missing_table_is_told),
		TEST(test_commit_speaks),
		TEST(test_element_comes_and_goes),
		TEST(test_verdict_element),
		TEST(test_range),
		TEST(test_range_of_single_values),
		TEST(test_elements_read_well),
		TEST(test_longest_userdata),
		TEST(test_generation),
		TEST(test_ten_thousand),
		TEST(test_many_refusals),
		TEST(test_dump_while_changing),
		TEST(test_chains),
		TEST(test_ports_lead_there),
		TEST(test_bridge_family),
		TEST(test_mistakes),
		TEST(test_closed_before_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
