// SPDX-License-Identifier: GPL-2.0-or-later
/* test_route.c - routes: added with all their fields, listed, copied and deleted with undo */
#include "netlink/addr.h"
#include "netlink/route.h"
#include "net_state.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

/*
 * Without link-local addresses; the kernel adds the local routes of others some moments after
 * the addresses: on a busy machine, seconds.
 */
static const char SETUP[] =
	"ip link add v0 type veth peer name v1 && "
	"for l in v0 v1; do "
	"ip link set $l addrgenmode none && ip link set $l up; done && "
	"ip addr add 10.1.0.2/24 dev v0 && ip addr add fd00:1::2/64 dev v0 nodad && "
	"ip addr add 10.2.0.2/24 dev v1 && ip addr add fd00:2::2/64 dev v1 nodad && "
	"until test $(ip -6 route show table local | grep -c '^local fd00') = 2; do "
	"sleep 0.01; done";
static const char ROUTES[] = "ip -d -4 route show table all; ip -d -6 route show table all";

static struct link v0, v1;

static int begin(void **state)
{
	TRY(net_begin(state, SETUP));
	if (!rt_is_open(&net))
		return 0;
	return link_find(&unit_tx, &net, "v0", &v0) == 1 &&
			       link_find(&unit_tx, &net, "v1", &v1) == 1
		       ? 0
		       : -1;
}

static struct cidr prefix(const char *text)
{
	struct cidr c = { .len = 0 };

	if (!cidr_parse(text, &c))
		abort();
	return c;
}

static struct route unicast(const char *dst, const struct link *l)
{
	struct route r = {
		.dst = prefix(dst),
		.link = l->index,
		.table = RT_TABLE_MAIN,
		.type = RTN_UNICAST,
		.protocol = RTPROT_STATIC,
	};

	return r;
}

static struct route_list listed(int family, uint32_t table, const struct link *l)
{
	struct route_filter f = { .family = family, .table = table, .link = l ? l->index : 0 };
	struct route_list list = { .n = 99 };

	CHECK(route_list(&unit_tx, &net, &f, &list) == 0, "%s", unit_tx.msg);
	return list;
}

static bool is_there(const struct link *l, const struct result_route *r)
{
	struct route_question q = { .link = l, .want = *r };

	CHECK(route_find_all(&unit_tx, &net, &q, 1) == 0, "%s", unit_tx.msg);
	return q.found;
}

/* ---- adding ------------------------------------------------------------- */

static void adds_what_a_result_says(void **state)
{
	struct result_route r = result_route(prefix("10.9.0.0/16"), ip_of("10.1.0.1"));

	(void)state;
	net_need(NULL);
	r.mtu = 1400;
	r.advmss = 1200;
	r.priority = 7;
	r.table = 1000;
	assert_int_equal(route_add(&unit_tx, &net, &v0, &r), 0);
	net_expect("ip route show table 1000",
		   "10.9.0.0/16 via 10.1.0.1 dev v0 metric 7 mtu 1400 advmss 1200 \n");
	assert_true(is_there(&v0, &r));
	assert_true(is_there(NULL, &r));
	assert_false(is_there(&v1, &r));
	assert_int_equal(route_del(&unit_tx, &net, &v0, &r), 0);
	assert_int_equal(route_del(&unit_tx, &net, &v0, &r), 0); /* gone */
	net_expect("ip route show table 1000 2>&1 | grep -v 'not exist\\|terminated'", "");
}

/* What ptp needs: a gateway that no prefix covers, and a preferred source. */
static void adds_source_and_onlink(void **state)
{
	struct route r;

	(void)state;
	net_need(NULL);
	r = unicast("192.0.2.1/32", &v0);
	r.scope = RT_SCOPE_LINK;
	r.src = ip_of("10.1.0.2");
	assert_int_equal(route_put(&unit_tx, &net, &r), 0);
	r = unicast("0.0.0.0/0", &v0);
	r.gw = ip_of("198.51.100.1");
	r.src = ip_of("10.1.0.2");
	assert_true(route_put(&unit_tx, &net, &r) < 0);
	assert_string_equal(unit_tx.msg, "host: add route 0.0.0.0/0 via 198.51.100.1: Network is "
					 "unreachable (Nexthop has invalid gateway)");
	unit_again();
	r.onlink = true;
	assert_int_equal(route_put(&unit_tx, &net, &r), 0);
	r = unicast("::/0", &v0);
	r.gw = ip_of("fd00:9::1");
	r.src = ip_of("fd00:1::2");
	r.onlink = true;
	r.table = 300;
	assert_int_equal(route_put(&unit_tx, &net, &r), 0);
	net_expect(
		"ip route show proto static; ip -6 route show table 300",
		"default via 198.51.100.1 dev v0 src 10.1.0.2 onlink \n"
		"192.0.2.1 dev v0 scope link src 10.1.0.2 \n"
		"default via fd00:9::1 dev v0 proto static src fd00:1::2 metric 1024 onlink pref "
		"medium\n");
}

/* ---- listing ------------------------------------------------------------ */

static void lists_what_matches(void **state)
{
	struct route_list list;
	const struct route *r;

	(void)state;
	net_need("ip route add default via 10.1.0.1 dev v0 src 10.1.0.2 metric 5 mtu 1300 && "
		 "ip route add 10.8.0.0/16 via 10.2.0.1 dev v1 table 100 onlink && "
		 "ip route add blackhole 10.7.0.0/16");
	list = listed(AF_INET, RT_TABLE_MAIN, &v0);
	assert_int_equal(list.n, 2);
	r = &list.r[0];
	assert_string_equal(ROUTE_S(r), "0.0.0.0/0 via 10.1.0.1");
	assert_string_equal(IP_S(r->src), "10.1.0.2");
	assert_int_equal(r->link, v0.index);
	assert_int_equal(r->table, RT_TABLE_MAIN);
	assert_int_equal(r->priority, 5);
	assert_int_equal(r->mtu, 1300);
	assert_int_equal(r->type, RTN_UNICAST);
	assert_int_equal(r->scope, RT_SCOPE_UNIVERSE);
	assert_int_equal(r->protocol, RTPROT_BOOT);
	assert_false(r->onlink || r->multipath || r->rest_size);
	r = &list.r[1];
	assert_string_equal(ROUTE_S(r), "10.1.0.0/24");
	assert_int_equal(r->scope, RT_SCOPE_LINK);
	assert_int_equal(r->protocol, RTPROT_KERNEL);
	list = listed(AF_INET, 100, NULL);
	assert_int_equal(list.n, 1);
	assert_string_equal(ROUTE_S(&list.r[0]), "10.8.0.0/16 via 10.2.0.1 in table 100");
	assert_true(list.r[0].onlink);
	assert_int_equal(listed(AF_INET, 100, &v0).n, 0);
	assert_int_equal(listed(0, 4711, NULL).n, 0); /* no such table */
	list = listed(AF_INET, RT_TABLE_MAIN, NULL);
	assert_int_equal(list.n, 4);
	assert_int_equal(list.r[3].type, RTN_BLACKHOLE);
	assert_int_equal(list.r[3].link, 0);
	list = listed(0, RT_TABLE_MAIN, &v1);
	assert_string_equal(ROUTE_S(&list.r[0]), "10.2.0.0/24");
	assert_string_equal(ROUTE_S(&list.r[1]), "fd00:2::/64");
}

static void a_nexthop_is_enough(void **state)
{
	struct route_list list;

	(void)state;
	net_need("ip route add 10.9.0.0/16 nexthop via 10.1.0.1 weight 3 nexthop via 10.2.0.1");
	list = listed(AF_INET, RT_TABLE_MAIN, &v1);
	assert_int_equal(list.n, 2);
	assert_string_equal(ROUTE_S(&list.r[1]), "10.9.0.0/16 via 10.1.0.1");
	assert_int_equal(list.r[1].link, v0.index);
	assert_true(list.r[1].multipath);
}

static void finds_the_default_link(void **state)
{
	struct link l = { .index = 0 };
	int mtu = -1;

	(void)state;
	net_need(NULL);
	assert_int_equal(route_default_link(&unit_tx, &net, &l), 0);
	assert_int_equal(route_default_mtu(&unit_tx, &net, &mtu), 0);
	assert_int_equal(mtu, 0);
	net_need("ip -6 route add default via fd00:2::1 && ip link set v0 mtu 1400");
	assert_int_equal(route_default_link(&unit_tx, &net, &l), 1);
	assert_string_equal(l.name, "v1");
	net_need("ip route add default via 10.1.0.1");
	assert_int_equal(route_default_link(&unit_tx, &net, &l), 1);
	assert_string_equal(l.name, "v0");
	assert_int_equal(route_default_mtu(&unit_tx, &net, &mtu), 0);
	assert_int_equal(mtu, 1400);
}

/* ---- many at once, and undone ------------------------------------------- */

static const char MANY[] =
	"ip route add default via 10.1.0.1 dev v0 metric 3 && "
	"ip route add 172.16.0.0/12 via 10.1.0.1 src 10.1.0.2 tos 0x10 mtu 1300 && "
	"ip route add 192.0.2.1/32 dev v0 scope link window 5000 mtu lock 1200 && "
	"ip route add 10.9.0.0/16 nexthop via 10.1.0.1 weight 3 nexthop via 10.1.0.9 && "
	"ip -6 route add default via fd00:1::1 metric 3 pref high && "
	"ip -6 route add fd00:9::/64 nexthop via fd00:1::1 nexthop via fd00:1::9 weight 2 && "
	"ip -6 route add fd00:8::/64 via fd00:1::1 metric 8 advmss 1100";

/* As sbr does it: copies of the routes of a link in another table, and none in main. */
static int move_routes(struct tx *tx)
{
	struct route_filter f = { .table = RT_TABLE_MAIN, .link = v0.index };
	struct route_list main, copies;

	TRY(route_list(tx, &net, &f, &main));
	copies = (struct route_list){ .r = mem_dup(&tx->mem, main.r, main.n * sizeof(*main.r)),
				      .n = main.n };
	for (unsigned i = 0; i < copies.n; i++)
		copies.r[i].table = 1234;
	TRY(route_add_all(tx, &net, &copies));
	return route_del_all(tx, &net, &main);
}

static void moves_routes_and_back(void **state)
{
	char *before, *after;

	(void)state;
	net_need(MANY);
	net_undoes(move_routes, ROUTES);
	before = net_text("ip -d route show dev v0; ip -d -6 route show dev v0");
	assert_int_equal(move_routes(&unit_tx), 0);
	after = net_text(
		"ip -d route show dev v0 table 1234; ip -d -6 route show dev v0 table 1234");
	assert_string_equal(after, before);
	free(before);
	free(after);
	net_expect("ip route show dev v0; ip -6 route show dev v0", "");
}

static int put_twice(struct tx *tx)
{
	struct route many[] = { unicast("10.50.0.0/16", &v1), unicast("10.40.0.0/16", &v1),
				unicast("10.2.0.0/24", &v1) };
	struct route_list list = { many, ARRAY_LEN(many) };

	many[0].gw = ip_of("10.40.0.1");
	many[1].scope = RT_SCOPE_LINK;
	many[2] = listed(AF_INET, RT_TABLE_MAIN, &v1).r[0];
	TRY(route_add_all(tx, &net, &list));
	return route_add_all(tx, &net, &list);
}

/* What was there before stays there, also when it is undone. */
static void tolerates_what_is_there(void **state)
{
	(void)state;
	net_need(NULL);
	net_undoes(put_twice, ROUTES);
}

static int set_down(struct tx *tx)
{
	struct route_filter f = { .table = RT_TABLE_MAIN, .link = v0.index };
	struct route_list list;

	TRY(route_list(tx, &net, &f, &list));
	TRY(route_keep_all(tx, &net, &list));
	if (!shell("ip link set v0 down && ip link set v0 up"))
		return -EIO;
	return 0;
}

static void keeps_what_the_kernel_drops(void **state)
{
	(void)state;
	net_need("sysctl -qw net.ipv6.conf.v0.keep_addr_on_down=1 && "
		 "ip route add default via 10.1.0.1 && ip route add 10.9.0.0/16 via 10.1.0.9 && "
		 "ip route add 10.1.9.0/24 dev v0 metric 9");
	net_undoes(set_down, "ip -d route show");
}

/* ---- addresses ---------------------------------------------------------- */

static void adds_no_prefix_route(void **state)
{
	struct addr_list list;

	(void)state;
	net_need(NULL);
	assert_int_equal(addr_add(&unit_tx, &net, &v1, prefix("10.3.0.2/24"), ADDR_NO_PREFIX_ROUTE),
			 0);
	assert_int_equal(
		addr_add(&unit_tx, &net, &v1, prefix("fd00:3::2/64"), ADDR_NO_PREFIX_ROUTE), 0);
	assert_int_equal(addr_ensure(&unit_tx, &net, &v1, prefix("fd00:3::2/64"), 0), 0);
	assert_int_equal(addr_add(&unit_tx, &net, &v1, prefix("fd00:4::2/64"), ADDR_DAD), 0);
	net_expect("ip route show 10.3.0.0/24; ip -6 route show fd00:3::/64", "");
	assert_int_equal(addr_list(&unit_tx, &net, &v1, AF_UNSPEC, &list), 0);
	for (unsigned i = 0; i < list.n; i++) {
		uint32_t dad = list.flags[i] & (IFA_F_NODAD | IFA_F_TENTATIVE);

		if (cidr_eq(list.a[i], prefix("fd00:3::2/64")))
			assert_int_equal(dad, IFA_F_NODAD);
		if (cidr_eq(list.a[i], prefix("fd00:4::2/64")))
			assert_int_equal(dad & IFA_F_NODAD, 0);
	}
	assert_true(addr_listed(&list, prefix("10.3.0.2/24")));
	assert_true(addr_listed(&list, prefix("fd00:4::2/64")));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		TEST(adds_what_a_result_says), TEST(adds_source_and_onlink),
		TEST(lists_what_matches),      TEST(a_nexthop_is_enough),
		TEST(finds_the_default_link),  TEST(moves_routes_and_back),
		TEST(tolerates_what_is_there), TEST(keeps_what_the_kernel_drops),
		TEST(adds_no_prefix_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
