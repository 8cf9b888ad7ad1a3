// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nft.c - tables, chains and rules with the kernel, in new network namespaces */
#include "nft_skeleton.h"

static int count(const struct nft_rule_info *w, void *arg)
{
	unsigned *n = arg;

	*n = w ? *n + 1 : 0;
	return 0;
}

static void test_skeleton(void **state)
{
	struct nft *n = changes(NFPROTO_INET);
	unsigned rules = 0;

	(void)state;
	need_nft();
	assert_true(nft_is_empty(n));
	say_skeleton(n);
	assert_false(nft_is_empty(n));
	commits(n);
	commits(n); /* the same change again */
	n = changes(NFPROTO_INET);
	say_skeleton(n); /* and composed again */
	commits(n);
	assert_int_equal(nft_each_rule(&nl, ref_of("ports"), count, &rules), 0);
	assert_int_equal(rules, 5);
}

static void test_nft_prints_the_skeleton(void **state)
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
		"type nat hook postrouting priority 100; policy accept;",
		"ct status dnat ip daddr @nets return",
		"ip saddr != @nets return comment \"one rule for all\"",
		"chain prerouting {",
		"type nat hook prerouting priority -100; policy accept;",
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

static void test_missing_table_is_reported(void **state)
{
	struct nft_elem e = port_elem(IPPROTO_TCP, 8080, "10.1.0.5", 80);

	(void)state;
	need_nft();
	assert_int_equal(try_add("ports4", &e, true), -ENOENT);
	assert_string_equal(nl.why, "add element to ports4");
	assert_false(find("ports4", &e));
}

static void test_commit_explains_errors(void **state)
{
	struct nft *n = changes(NFPROTO_INET);

	(void)state;
	need_nft();
	nft_flush_chain(n, "nothing");
	assert_int_equal(nft_commit(&unit_tx, &nl, n, 0, "flush %s", "it"), -ENOENT);
	assert_string_equal(unit_tx.msg,
			    "host: flush it: No such file or directory (flush chain nothing)");
}

/* ---- traffic ---- */

static void test_ports_are_translated(void **state)
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

/* ---- mistakes of the caller are reported by the commit ---- */

static void refuses(struct nft *n, int err, const char *why)
{
	assert_int_equal(nft_try(&nl, n, 0), err);
	assert_string_equal(nl.why, why);
}

static void test_mistakes(void **state)
{
	char name[300];
	struct nft_ref long_ref = { NFPROTO_INET, name, name };
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
	nft_lookup_map(n, "ports4");
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
	assert_int_equal(nft_chain_use(&nl, long_ref, &(unsigned){ 0 }), -ENOENT);

	n = changes(NFPROTO_INET);
	nft_rule(n, "ports");
	refuses(n, -EINVAL, "a rule without an end");
	nft_rule_end(n, NULL); /* frees the rule */
}

/* Returns the number of netfilter sockets in this namespace, without the kernel's. */
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
	for (unsigned i = 0; open_sockets() > before && i < 6000; i++)
		usleep(10000);
	assert_int_equal(open_sockets(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_skeleton),
		TEST(test_nft_prints_the_skeleton),
		TEST(test_missing_table_is_reported),
		TEST(test_commit_explains_errors),
		TEST(test_ports_are_translated),
		TEST(test_bridge_family),
		TEST(test_mistakes),
		TEST(test_closed_before_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
