// SPDX-License-Identifier: GPL-2.0-or-later
/* test_nft_elem.c - elements: adding, searching, listing and deleting one and ten thousand */
#include <signal.h>
#include <sys/wait.h>

#include "nft_skeleton.h"

/* ---- keys ---- */

static void test_keys(void **state)
{
	struct nft_key port = { 0 }, pair = { 0 }, name = { 0 };
	static const uint8_t tcp_80[8] = { IPPROTO_TCP, 0, 0, 0, 0, 80, 0, 0 };

	(void)state;
	nft_key_port(&port, 80);
	assert_int_equal(port.len, 2); /* alone: not padded */
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
	nft_key_u8(&e.key, 1); /* a key of another type, and a missing chain */
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

static void test_nft_prints_elements(void **state)
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
	uint8_t hidden[NFT_PRIVATE_MAX + 1];
	char comment[200], line[300];

	(void)state;
	skeleton();
	memset(comment, 'c', sizeof(comment) - 1);
	comment[sizeof(comment) - 1] = '\0';
	for (unsigned i = 0; i < sizeof(hidden); i++)
		hidden[i] = (uint8_t)i;
	e.comment = comment;
	e.private = hidden;
	e.private_len = NFT_PRIVATE_MAX;
	assert_int_equal(try_add("ports4", &e, true), 0);
	assert_true(find("ports4", &q));
	assert_int_equal(strlen(q.comment), NFT_COMMENT_MAX);
	assert_int_equal(q.private_len, NFT_PRIVATE_MAX);
	assert_memory_equal(q.private, hidden, NFT_PRIVATE_MAX);
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
	assert_int_equal(nft_try(&nl, n, later), 0); /* the same change again */
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

	assert_int_equal(nft_each_elem(&nl, ref_of(set), count_each, &n), 0);
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
	if (r == -EMSGSIZE) /* limited by net.core.wmem_max in a user namespace */
		skip();
	assert_int_equal(r, 0);
	assert_int_equal(count("ports4"), 10000);
	assert_int_equal(nft_find_elems(&unit_tx.mem, &nl, ref_of("ports4"), q, 10000), 0);
	for (unsigned i = 0; i < 10000; i++)
		assert_true(q[i].found);
	assert_string_equal(q[9999].comment, "net/id/eth0");
	assert_int_equal(nft_each_elem(&nl, ref_of("ports4"), stop_each, &seen), 0);
	assert_int_equal(seen, 3);
	assert_int_equal(nft_try(&nl, add, 0), -EEXIST); /* the socket is still usable */
	commits(del);
	assert_int_equal(count("ports4"), 0);
	assert_int_equal(count("nothing"), 0);
}

static void test_many_errors(void **state)
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

/* A dump is consistent while another process changes the ruleset constantly. */
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

static int no_rule(const struct nft_rule_info *w, void *arg UNUSED)
{
	assert_null(w);
	return 0;
}

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
	assert_int_equal(nft_chain_use(&nl, ref_of(masq_chain), &use), 0);
	assert_int_equal(use, 3); /* its rules */
	nft_key_ip(&e.key, ip_of("10.1.0.5"));
	assert_int_equal(try_add("masq4", &e, true), 0);
	assert_int_equal(nft_chain_use(&nl, ref_of(masq_chain), &use), 0);
	assert_int_equal(use, 4);
	assert_int_equal(nft_each_chain(&nl, ref_of(NULL), chains_each, &seen), 0);
	assert_int_equal(seen, 100 + 4 + 6);

	nft_flush_chain(n, masq_chain);
	nft_del_chain(n, masq_chain);
	assert_int_equal(nft_try(&nl, n, 0), -EBUSY);
	assert_string_equal(nl.why, "delete chain masq-mynet-10.1.0.0/24");
	assert_int_equal(try_del("masq4", &e), 0);
	commits(n);
	assert_int_equal(nft_chain_use(&nl, ref_of(masq_chain), &use), -ENOENT);
	assert_int_equal(nft_each_rule(&nl, ref_of(masq_chain), no_rule, NULL), 0);

	seen = 0;
	n = changes(NFPROTO_INET);
	nft_del_table(n);
	commits(n);
	assert_int_equal(nft_each_chain(&nl, ref_of(NULL), chains_each, &seen), 0);
	assert_int_equal(seen, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),       TEST(test_element_comes_and_goes),
		TEST(test_verdict_element),        TEST(test_range),
		TEST(test_range_of_single_values), TEST(test_nft_prints_elements),
		TEST(test_longest_userdata),       TEST(test_generation),
		TEST(test_ten_thousand),           TEST(test_many_errors),
		TEST(test_dump_while_changing),    TEST(test_chains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
