// SPDX-License-Identifier: GPL-2.0-or-later
/* test_rule.c - policy rules: added with undo, found, deleted; and a table that is free */
#include "netlink/route.h"
#include "netlink/rule.h"
#include "net_state.h"

#include <linux/rtnetlink.h>

static const char SETUP[] = "ip link add v0 type veth peer name v1 && ip link set v0 up && "
			    "ip link set v1 up && ip addr add 10.1.0.2/24 dev v0";
static const char RULES[] = "ip -d rule; ip -d -6 rule";
static const char DEFAULTS[] = "0:\tfrom all lookup local\n"
			       "32766:\tfrom all lookup main\n"
			       "32767:\tfrom all lookup default\n";

static int begin(void **state)
{
	return net_begin(state, SETUP);
}

static struct rule from(const char *src, uint32_t table)
{
	struct rule r = { .table = table };

	if (!cidr_parse(src, &r.src))
		abort();
	r.family = r.src.ip.family;
	return r;
}

static int add_some(struct tx *tx)
{
	struct rule four = from("10.1.0.2/32", 100), six = from("fd00:1::2/128", 1000);
	struct rule full = from("10.3.0.0/16", 300);

	cidr_parse("192.0.2.0/24", &full.dst);
	memcpy(full.iif, "v0", 3);
	memcpy(full.oif, "v1", 3);
	full.fwmark = 0x10;
	full.fwmask = 0xf0;
	full.priority = 5000;
	full.protocol = RTPROT_STATIC;
	TRY(rule_add(tx, &net, &four));
	TRY(rule_add(tx, &net, &six));
	return rule_add(tx, &net, &full);
}

static void adds_and_undoes(void **state)
{
	(void)state;
	net_need(NULL);
	net_undoes(add_some, RULES);
	assert_int_equal(add_some(&unit_tx), 0);
	net_expect("ip rule; ip -6 rule",
		   "0:\tfrom all lookup local\n"
		   "5000:\tfrom 10.3.0.0/16 to 192.0.2.0/24 fwmark 0x10/0xf0 iif v0 oif v1 lookup "
		   "300 proto static\n"
		   "32765:\tfrom 10.1.0.2 lookup 100\n"
		   "32766:\tfrom all lookup main\n"
		   "32767:\tfrom all lookup default\n"
		   "0:\tfrom all lookup local\n"
		   "32765:\tfrom fd00:1::2 lookup 1000\n"
		   "32766:\tfrom all lookup main\n");
	assert_true(add_some(&unit_tx) < 0);
	assert_string_equal(unit_tx.msg,
			    "host: add policy rule from 10.3.0.0/16 to 192.0.2.0/24 fwmark "
			    "0x10/0xf0 iif v0 oif v1 lookup 300: File exists");
}

static struct rule added;

static int add_like(struct tx *tx)
{
	return rule_add(tx, &net, &added);
}

/* A rule that has what ours has, and more, stands before it. */
static void undoes_only_its_own(void **state)
{
	(void)state;
	net_need("ip rule add from 10.1.0.2 lookup 100 ipproto tcp priority 100 && "
		 "ip rule add from 10.1.0.2 tos 0x10 lookup 100 priority 101 && "
		 "ip rule add not from 10.1.0.2 lookup 100 priority 102 && "
		 "ip rule add from 10.1.0.2 blackhole priority 103");
	added = from("10.1.0.2/32", 100);
	net_undoes(add_like, RULES);
}

/* Another program adds the same rule at a lower priority meanwhile. */
static void undoes_by_the_kernels_priority(void **state)
{
	(void)state;
	net_need(NULL);
	added = from("10.1.0.2/32", 100);
	assert_int_equal(add_like(&unit_tx), 0);
	net_need("ip rule add from 10.1.0.2 lookup 100 priority 50");
	tx_rollback(&unit_tx);
	net_expect("ip rule | grep 'lookup 100'", "50:\tfrom 10.1.0.2 lookup 100\n");
}

static void finds_what_matches(void **state)
{
	struct rule want = from("10.1.0.2/32", 0), have = { .family = 0 };

	(void)state;
	net_need("ip rule add from 10.1.0.2 lookup 77 ipproto tcp priority 100 && "
		 "ip rule add from 10.1.0.2 lookup 78 suppress_prefixlength 0 priority 101");
	assert_int_equal(rule_find(&unit_tx, &net, &want, NULL), 0);
	net_need("ip rule add from 10.1.0.2 oif v1 fwmark 0x3 lookup 500 priority 200");
	assert_int_equal(rule_find(&unit_tx, &net, &want, &have), 1);
	assert_int_equal(have.priority, 200);
	assert_int_equal(have.table, 500);
	assert_int_equal(have.fwmark, 3);
	assert_int_equal(have.fwmask, 0xffffffff);
	assert_string_equal(have.oif, "v1");
	assert_string_equal(RULE_S(&have), "from 10.1.0.2/32 fwmark 0x3/0xffffffff oif v1 lookup "
					   "500");
	want.table = 501;
	assert_int_equal(rule_find(&unit_tx, &net, &want, NULL), 0);
	want = (struct rule){ .family = AF_INET6, .table = 500 };
	assert_int_equal(rule_find(&unit_tx, &net, &want, NULL), 0);
	assert_false(rule_matches(&have, &want));
	want.family = AF_INET;
	assert_true(rule_matches(&have, &want));
}

static void lists_both_families(void **state)
{
	struct rule_list list = { .n = 0 };

	(void)state;
	net_need("ip rule add not from 10.0.0.0/8 lookup 9");
	assert_int_equal(rule_list(&unit_tx, &net, AF_UNSPEC, &list), 0);
	assert_int_equal(list.n, 6);
	assert_int_equal(list.r[0].table, RT_TABLE_LOCAL);
	assert_false(list.r[0].special);
	assert_true(list.r[1].special);
	assert_int_equal(list.r[5].family, AF_INET6);
	assert_int_equal(rule_list(&unit_tx, &net, AF_INET6, &list), 0);
	assert_int_equal(list.n, 2);
}

static void ensures_once(void **state)
{
	struct rule r = from("10.1.0.2/32", 100);

	(void)state;
	net_need(NULL);
	assert_int_equal(rule_ensure(&unit_tx, &net, &r), 0);
	assert_int_equal(rule_ensure(&unit_tx, &net, &r), 0);
	assert_int_equal(unit_tx.count, 0);
	net_expect("ip rule | grep 'lookup 100'", "32765:\tfrom 10.1.0.2 lookup 100\n");
}

static void deletes_what_matches(void **state)
{
	struct ip ips[] = { from("fd00:1::2/128", 0).src.ip, from("10.1.0.2/32", 0).src.ip,
			    from("10.1.0.4/32", 0).src.ip };

	(void)state;
	net_need(
		"ip rule add from 10.1.0.2 lookup 100 && ip rule add from 10.1.0.2 lookup 101 && "
		"ip rule add from 10.1.0.2 to 10.2.0.0/16 lookup 102 && "
		"ip -6 rule add from fd00:1::2 lookup 100 && ip rule add from 10.1.0.3 lookup 100");
	assert_int_equal(rule_del_from(&unit_tx, &net, ips, 0, 0), 0);
	assert_int_equal(rule_del_from(&unit_tx, &net, ips, ARRAY_LEN(ips), 100), 0);
	net_expect("ip -6 rule | grep fd00", "");
	net_expect("ip rule | grep -c 10.1.0.2", "2\n");
	assert_int_equal(rule_del_from(&unit_tx, &net, ips, ARRAY_LEN(ips), 0), 0);
	assert_int_equal(rule_del_from(&unit_tx, &net, ips, ARRAY_LEN(ips), 0), 0); /* gone */
	net_expect("ip rule | grep lookup.10 | cut -f2", "from 10.1.0.3 lookup 100\n");
	ips[0] = from("10.1.0.3/32", 0).src.ip;
	assert_int_equal(rule_del_from(&unit_tx, &net, ips, 1, 0), 0);
	net_expect("ip rule", DEFAULTS);
}

static uint32_t free_from(uint32_t first)
{
	uint32_t table = 0;

	CHECK(route_free_table(&unit_tx, &net, first, &table) == 0, "%s", unit_tx.msg);
	return table;
}

static void finds_a_free_table(void **state)
{
	(void)state;
	net_need(NULL);
	assert_int_equal(free_from(100), 100);
	net_need("ip rule add from 10.1.0.2 lookup 100 && ip route add default dev v0 table 101 && "
		 "ip -6 rule add not from fd00::1 lookup 102 && "
		 "ip -6 route add blackhole fd00:9::/64 table 103 && "
		 "ip route add 10.9.0.0/16 dev v0 table 104 && "
		 "ip route del 10.9.0.0/16 dev v0 table 104 && ip rule add lookup 252 from "
		 "10.1.0.9");
	assert_int_equal(free_from(100), 104);
	assert_int_equal(free_from(252), 256);
	assert_int_equal(free_from(0), 1);
	assert_int_equal(free_from(100000), 100000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		TEST(adds_and_undoes),
		TEST(undoes_only_its_own),
		TEST(undoes_by_the_kernels_priority),
		TEST(finds_what_matches),
		TEST(lists_both_families),
		TEST(ensures_once),
		TEST(deletes_what_matches),
		TEST(finds_a_free_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
