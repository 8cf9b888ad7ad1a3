// SPDX-License-Identifier: GPL-2.0-or-later
/* test_ct.c - which conntrack entries are deleted, and which stay */
#include "nft/ct.h"
#include "nft/nft.h"
#include "private_net.h"
#include "unit.h"

#include <linux/netfilter.h>

static struct nfnl nl;
static struct rt host;
static const struct ip any;

static int begin(void **state)
{
	unit_begin(state);
	nl = (struct nfnl){ 0 };
	host = (struct rt){ 0 };
	if (!private_net())
		return 0; /* track() skips the tests */
	TRY(rt_open(&unit_tx, &host, "host", NULL));
	return nfnl_open(&unit_tx, &nl, NULL);
}

static int end(void **state)
{
	nfnl_close(&nl);
	rt_close(&host);
	return unit_end(state);
}

/* Connection tracking is enabled by the first rule that needs it (ct state: both families). */
static void track(void)
{
	static const enum nft_type key[] = { NFT_T_PROTO, NFT_T_SERVICE, NFT_T_END };
	static const enum nft_type data[] = { NFT_T_IPV4, NFT_T_SERVICE, NFT_T_END };
	struct nft *n = nft_new(&unit_tx.mem, NFPROTO_INET, "cplug");

	if (!nl.sk || nft_usable(&nl) < 0)
		skip();
	nft_table(n, NULL);
	nft_set(n, "ports", key, data, false);
	nft_base_chain(n, "output", "nat", NF_INET_LOCAL_OUT, -100);
	nft_base_chain(n, "input", "nat", NF_INET_LOCAL_IN, 100);
	nft_rule(n, "output");
	nft_match_ct_state(n, true, 1);
	nft_return(n);
	nft_rule_end(n, NULL);
	nft_rule(n, "output");
	nft_match_nfproto(n, NFPROTO_IPV4);
	nft_load(n, NFT_META_L4PROTO);
	nft_load(n, NFT_TH_DPORT);
	nft_lookup_map(n, "ports");
	nft_dnat(n, NFPROTO_IPV4, true);
	nft_rule_end(n, NULL);
	assert_int_equal(nft_try(&nl, n, 0), 0);
}

static void publish(uint8_t proto, uint16_t port, const char *to, uint16_t to_port)
{
	struct nft *n = nft_new(&unit_tx.mem, NFPROTO_INET, "cplug");
	struct nft_elem e = { 0 };

	nft_key_u8(&e.key, proto);
	nft_key_port(&e.key, port);
	nft_key_ip(&e.data, ip_of(to));
	nft_key_port(&e.data, to_port);
	nft_add_elem(n, "ports", &e, true);
	assert_int_equal(nft_try(&nl, n, 0), 0);
}

static struct ct_filter port_filter(uint8_t proto, uint16_t port)
{
	return (struct ct_filter){ .proto = proto, .port_first = port, .port_last = port };
}

static unsigned flush(const struct ct_filter *f, unsigned n, struct ip keep)
{
	unsigned deleted = 1000;
	struct ct_flows which = { AF_INET, f, n, keep };
	int r = ct_flush(&nl, &host, &which, &deleted);

	if (r)
		fail_msg("%s: %s", strerror(-r), nl.why);
	return deleted;
}

static void say(int fd)
{
	ssize_t n = send(fd, "x", 1, MSG_NOSIGNAL);

	if (n < 0 && errno == ECONNREFUSED) /* the ICMP error of the datagram before */
		n = send(fd, "x", 1, MSG_NOSIGNAL);
	assert_int_equal(n, 1);
}

static void test_nothing_tracked(void **state)
{
	struct ct_filter f = port_filter(IPPROTO_UDP, 53);

	(void)state;
	if (!nl.sk)
		skip();
	assert_int_equal(flush(&f, 1, any), 0);
	assert_int_equal(flush(NULL, 0, any), 0);
}

/* A sender that is older than the mapping reaches it only after its flow was deleted. */
static void test_steady_sender(void **state)
{
	auto_(fd_close) int old = -1, new = -1, sender = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);

	(void)state;
	track();
	old = serve(SOCK_DGRAM, "127.0.0.1", 5300, false);
	new = serve(SOCK_DGRAM, "127.0.0.2", 5301, false);
	sender = reach(SOCK_DGRAM, "127.0.0.1", 5300);
	say(sender);
	assert_true(arrives(old, 1000));
	publish(IPPROTO_UDP, 5300, "127.0.0.2", 5301);
	say(sender);
	assert_true(arrives(old, 1000));

	assert_int_equal(flush(&f, 1, ip_of("127.0.0.2")), 1);
	say(sender);
	assert_true(arrives(new, 1000));

	/* Flows to the new owner stay. */
	assert_int_equal(flush(&f, 1, ip_of("127.0.0.2")), 0);
	/* For another owner they are deleted. */
	assert_int_equal(flush(&f, 1, ip_of("127.0.0.3")), 1);
}

static void test_container_goes(void **state)
{
	auto_(fd_close) int a = -1, b = -1;
	struct ct_filter f[2] = { port_filter(IPPROTO_UDP, 5300),
				  { .proto = IPPROTO_UDP, .port_first = 6000, .port_last = 6010 } };

	(void)state;
	track();
	f[0].reply_src = f[1].reply_src = ip_of("127.0.0.2");
	publish(IPPROTO_UDP, 5300, "127.0.0.2", 5301);
	publish(IPPROTO_UDP, 6005, "127.0.0.3", 5301);
	a = reach(SOCK_DGRAM, "127.0.0.1", 5300);
	b = reach(SOCK_DGRAM, "127.0.0.1", 6005);
	say(a);
	say(b);
	assert_int_equal(flush(f, 2, any), 1);
	f[1].reply_src = ip_of("127.0.0.3");
	assert_int_equal(flush(f, 2, any), 1);
	assert_int_equal(flush(f, 2, any), 0);
}

static void test_specific_address(void **state)
{
	auto_(fd_close) int a = -1, b = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);

	(void)state;
	track();
	a = reach(SOCK_DGRAM, "127.0.0.1", 5300);
	b = reach(SOCK_DGRAM, "127.0.0.4", 5300);
	say(a);
	say(b);
	f.dst = ip_of("127.0.0.4");
	assert_int_equal(flush(&f, 1, any), 1);
	assert_int_equal(flush(&f, 1, any), 0);
	f.dst = any;
	assert_int_equal(flush(&f, 1, any), 1);
}

/* A mapping without hostIP does not affect flows to the same port of other hosts. */
static void test_other_hosts(void **state)
{
	static const char add_addresses[] = "ip addr add 198.51.100.1/32 dev lo && "
					    "ip route add 192.0.2.0/24 dev lo";
	auto_(fd_close) int away = -1, own = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);

	(void)state;
	track();
	/* NOLINTNEXTLINE(cert-env33-c): in a namespace of our own */
	if (!have_program("ip") || system(add_addresses) != 0)
		skip();
	away = reach(SOCK_DGRAM, "192.0.2.7", 5300);
	own = reach(SOCK_DGRAM, "198.51.100.1", 5300);
	say(away);
	say(own);
	assert_int_equal(flush(&f, 1, any), 1);
	f.dst = ip_of("192.0.2.7"); /* a mapping of this address does */
	assert_int_equal(flush(&f, 1, any), 1);
}

/* A secondary address is one of this host, too, although its route has the primary as source. */
static void test_secondary_address(void **state)
{
	static const char add_addresses[] = "ip addr add 198.51.100.1/24 dev lo && "
					    "ip addr add 198.51.100.2/24 dev lo";
	auto_(fd_close) int fd = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);

	(void)state;
	track();
	/* NOLINTNEXTLINE(cert-env33-c): in a namespace of our own */
	if (!have_program("ip") || system(add_addresses) != 0)
		skip();
	fd = reach(SOCK_DGRAM, "198.51.100.2", 5300);
	say(fd);
	assert_int_equal(flush(&f, 1, any), 1);
}

/* An address that a policy rule hides before the local table is one of this host. */
static void test_hidden_address(void **state)
{
	static const char hide[] = "ip rule add pref 60 lookup local && ip rule del pref 0 && "
				   "ip route add unreachable default table 77 && "
				   "ip rule add pref 50 to 198.51.100.2 lookup 77";
	auto_(fd_close) int fd = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);

	(void)state;
	track();
	if (!have_program("ip") || !shell("ip addr add 198.51.100.2/24 dev lo"))
		skip();
	fd = reach(SOCK_DGRAM, "198.51.100.2", 5300);
	say(fd);
	if (!shell(hide)) /* a kernel without policy rules */
		skip();
	assert_int_equal(flush(&f, 1, any), 1);
}

/* A TCP connection with the host itself stays; one to a former container is deleted. */
static void test_established(void **state)
{
	auto_(fd_close) int ssh = -1, web = -1, one = -1, two = -1;
	struct ct_filter f[2] = { port_filter(IPPROTO_TCP, 22), port_filter(IPPROTO_TCP, 8080) };

	(void)state;
	track();
	publish(IPPROTO_TCP, 8080, "127.0.0.2", 80);
	ssh = serve(SOCK_STREAM, "127.0.0.1", 22, false);
	web = serve(SOCK_STREAM, "127.0.0.2", 80, false);
	one = reach(SOCK_STREAM, "127.0.0.1", 22);
	two = reach(SOCK_STREAM, "127.0.0.1", 8080);
	assert_true(ssh >= 0 && web >= 0 && one >= 0 && two >= 0);
	say(one);
	say(two);
	assert_int_equal(flush(f, 2, ip_of("127.0.0.9")), 1);
}

static void test_ipv6(void **state)
{
	auto_(fd_close) int fd = -1;
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);
	struct ct_flows which = { AF_INET6, &f, 1, any };
	unsigned deleted;

	(void)state;
	track();
	fd = reach(SOCK_DGRAM, "::1", 5300);
	if (fd < 0)
		skip();
	say(fd);
	assert_int_equal(ct_flush(&nl, &host, &which, &deleted), 0);
	assert_int_equal(deleted, 1);
	f.dst = ip_of("::1");
	say(fd);
	assert_int_equal(ct_flush(&nl, &host, &which, &deleted), 0);
	assert_int_equal(deleted, 1);
}

static void test_many(void **state)
{
	struct ct_filter f = port_filter(IPPROTO_UDP, 5300);
	int fd[500];

	(void)state;
	track();
	for (unsigned i = 0; i < ARRAY_LEN(fd); i++) {
		fd[i] = reach(SOCK_DGRAM, "127.0.0.1", 5300);
		say(fd[i]);
	}
	for (unsigned i = 0; i < ARRAY_LEN(fd); i++)
		close(fd[i]);
	assert_int_equal(flush(&f, 1, any), ARRAY_LEN(fd));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_tracked),
		TEST(test_steady_sender),
		TEST(test_container_goes),
		TEST(test_specific_address),
		TEST(test_other_hosts),
		TEST(test_secondary_address),
		TEST(test_hidden_address),
		TEST(test_established),
		TEST(test_ipv6),
		TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
