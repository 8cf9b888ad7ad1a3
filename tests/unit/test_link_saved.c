// SPDX-License-Identifier: GPL-2.0-or-later
/* test_link_saved.c - devices, addresses and routes remembered, recognised, and given again */
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "netlink/addr.h"
#include "netlink/link_saved.h"
#include "netlink/route.h"
#include "net_state.h"

static const char SETUP[] =
	"ip link add eth5 address 02:00:00:00:00:05 type veth peer name peer5 && "
	"ip link set peer5 up && ip link add br0 type bridge && "
	"ip link set eth5 alias 'an uplink' mtu 1400 group 7 txqueuelen 500 allmulticast on && "
	"ip link property add dev eth5 altname enp5 && "
	"ip link set eth5 master br0 up && "
	"ip addr add 10.5.0.2/24 brd + label eth5:1 dev eth5 && "
	"ip addr add 10.6.0.2/32 peer 10.6.0.1 dev eth5 && "
	"ip addr add fd00:5::2/64 dev eth5 nodad && "
	"ip addr add 10.7.0.2/24 valid_lft 500 preferred_lft 400 dev eth5 && "
	"ip route add 198.18.0.0/15 via 10.5.0.1 src 10.5.0.2 mtu 1300 && "
	"ip route add 198.51.100.0/24 via 172.31.1.1 dev eth5 onlink && "
	"ip route add 203.0.113.0/24 dev eth5 table 77";

/* Without the IPv6 routes of table local, which the kernel adds later. */
static const char WHOLE[] =
	"{ ip -d link show dev eth5; ip -d -4 addr show dev eth5; "
	"ip -6 addr show dev eth5 scope global; ip route show table all dev eth5; } | "
	"sed 's/,LOWER_UP//; s/NO-CARRIER,//; s/ state [A-Z]*//; s/[0-9]*sec/sec/g; "
	"/bridge_slave/d; /^local .*:.* table local/d'";

static int begin(void **state)
{
	return net_begin(state, SETUP);
}

static struct link link_named(const char *name)
{
	struct link l = { .index = 0 };

	assert_int_equal(link_find(&unit_tx, &net, name, &l), 1);
	return l;
}

static void saves_and_restores(void **state)
{
	struct addr_saved addrs = { .n = 0 };
	struct route_list routes = { .n = 0 };
	struct link_saved s = { .hardware = NULL };
	struct link l;
	char *before;

	(void)state;
	net_need(NULL);
	before = net_text(WHOLE);
	l = link_named("eth5");
	assert_int_equal(link_save(&unit_tx, &net, &l, &s), 0);
	assert_string_equal(s.name, "eth5");
	assert_string_equal(s.alias, "an uplink");
	assert_string_equal(s.kind, "veth");
	assert_string_equal(s.hardware, "");
	assert_string_equal(s.master, "br0");
	assert_int_equal(s.n_altnames, 1);
	assert_true(s.parent_here);
	assert_int_equal(s.tx_size, 500);
	assert_int_equal(addr_save(&unit_tx, &net, &l, AF_UNSPEC, &addrs), 0);
	assert_int_equal(addrs.n, 4);
	assert_int_equal(route_list_own(&unit_tx, &net, &l, &routes), 0);
	net_need("ip link set eth5 nomaster down && ip addr flush dev eth5 && "
		 "ip link set eth5 name tmp0 alias mine mtu 1280 group 3 txqueuelen 9 "
		 "allmulticast off promisc on address 02:00:00:00:00:99 && "
		 "ip link property del dev tmp0 altname enp5 && "
		 "ip link property add dev tmp0 altname other && ip link set tmp0 up");
	l = link_named("tmp0");
	assert_int_equal(link_restore_name(&unit_tx, &net, &l, s.name), 0);
	assert_int_equal(link_drop_altnames(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_settings(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_mac(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_altnames(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_master(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_state(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(addr_restore(&unit_tx, &net, &l, &addrs, true), 0);
	assert_int_equal(route_restore(&unit_tx, &net, &l, &routes), 0);
	assert_int_equal(link_restore_alias(&unit_tx, &net, &l, &s), 0);
	net_expect(WHOLE, before);
	/* Nothing is left to do, and a master that is gone is nothing. */
	net_need("ip link set eth5 nomaster && ip link del br0");
	assert_int_equal(link_restore_settings(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_altnames(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(link_restore_master(&unit_tx, &net, &l, &s), 0);
	free(before);
}

static void are_text(void **state)
{
	struct addr_saved addrs = { .n = 0 }, again = { .n = 0 };
	struct route_list routes = { .n = 0 }, read = { .n = 0 };
	struct mem *mem = &unit_tx.mem;
	struct link l;
	char *before;

	(void)state;
	net_need("ip addr del 10.7.0.2/24 dev eth5");
	before = net_text(WHOLE);
	l = link_named("eth5");
	assert_int_equal(addr_save(&unit_tx, &net, &l, AF_UNSPEC, &addrs), 0);
	assert_int_equal(route_list_own(&unit_tx, &net, &l, &routes), 0);
	for (unsigned i = 0; i < addrs.n; i++) {
		assert_true(addrs.a[i].lasting);
		assert_true(addr_decode(mem, addr_encode(mem, &addrs.a[i]), &again));
		assert_true(cidr_eq(addrs.a[i].addr, again.a[i].addr));
	}
	for (unsigned i = 0; i < routes.n; i++)
		assert_true(route_decode(mem, route_encode(mem, &routes.r[i]), &read));
	assert_int_equal(read.n, routes.n);
	net_need("ip addr flush dev eth5 && ip link set eth5 down && ip link set eth5 up");
	assert_int_equal(addr_restore(&unit_tx, &net, &l, &again, true), 0);
	assert_int_equal(route_restore(&unit_tx, &net, &l, &read), 0);
	net_expect(WHOLE, before);
	free(before);
}

static void bad_text_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "nonsense", "AAAA", "EAAAABQAAAAAAAAAAAAAAA==", "////////////////////////",
	};
	struct addr_saved addrs = { .n = 0 };
	struct route_list routes = { .n = 0 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(!addr_decode(&unit_tx.mem, bad[i], &addrs), "address: %s", bad[i]);
		CHECK(!route_decode(&unit_tx.mem, bad[i], &routes), "route: %s", bad[i]);
	}
	assert_int_equal(addrs.n + routes.n, 0);
}

static int is_saved(const char *name, const struct link_saved *s, bool *sure)
{
	struct link l = link_named(name);

	return link_is_saved(&unit_tx, &net, &net, &l, s, sure);
}

static void recognises(void **state)
{
	struct link_saved veth, ifb;
	struct link l;
	bool sure = false;

	(void)state;
	net_need("ip link add ifb5 type ifb && ip link add ifb6 type ifb && "
		 "ip link add eth6 type veth peer name peer6");
	l = link_named("eth5");
	assert_int_equal(link_save(&unit_tx, &net, &l, &veth), 0);
	l = link_named("ifb5");
	assert_int_equal(link_save(&unit_tx, &net, &l, &ifb), 0);
	assert_int_equal(is_saved("eth5", &veth, &sure), 1);
	assert_true(sure);
	assert_int_equal(is_saved("eth6", &veth, NULL), 0);
	assert_int_equal(is_saved("peer5", &veth, NULL), 0);
	assert_int_equal(is_saved("ifb5", &veth, NULL), 0);
	/* Of a link without parent nothing is known but its kind. */
	assert_int_equal(is_saved("ifb6", &ifb, &sure), 1);
	assert_false(sure);
	/* A device is never a link of a kind, and the other way round. */
	veth.kind[0] = '\0';
	veth.hardware = "pci 0000:00:1f.6 - 02:00:00:00:00:05";
	assert_int_equal(is_saved("eth5", &veth, &sure), 0);
	assert_true(sure);
	assert_int_equal(is_saved("lo", &veth, NULL), 0);
}

/* ETHTOOL_G* or ETHTOOL_S* of eth5 with one number. */
static uint32_t ethtool(uint32_t cmd, uint32_t data)
{
	struct ethtool_value v = { cmd, data };
	struct ifreq q = { .ifr_name = "eth5", .ifr_data = (void *)&v };

	assert_int_equal(ioctl(nl_socket_get_fd(net.sk), SIOCETHTOOL, &q), 0);
	return v.data;
}

static uint32_t channels(uint32_t set)
{
	struct ethtool_channels v = { .cmd = ETHTOOL_GCHANNELS };
	struct ifreq q = { .ifr_name = "eth5", .ifr_data = (void *)&v };

	assert_int_equal(ioctl(nl_socket_get_fd(net.sk), SIOCETHTOOL, &q), 0);
	if (!set)
		return v.tx_count;
	v.cmd = ETHTOOL_SCHANNELS;
	v.tx_count = set;
	assert_int_equal(ioctl(nl_socket_get_fd(net.sk), SIOCETHTOOL, &q), 0);
	return set;
}

static void settings_of_ethtool_come_back(void **state)
{
	struct link_saved s = { .hardware = NULL };
	struct link l;

	(void)state;
	net_need("ip link del eth5 && ip link add eth5 numtxqueues 2 numrxqueues 2 type veth "
		 "peer name peer5 numtxqueues 2 numrxqueues 2");
	l = link_named("eth5");
	assert_int_equal(ethtool(ETHTOOL_GSG, 0), 1);
	assert_int_equal(ethtool(ETHTOOL_GTSO, 0), 1);
	assert_int_equal(ethtool(ETHTOOL_GGRO, 0), 0);
	channels(2);
	assert_int_equal(link_save(&unit_tx, &net, &l, &s), 0);
	assert_non_null(s.ethtool[LINK_ETHTOOL_FEATURES]);
	assert_non_null(s.ethtool[LINK_ETHTOOL_CHANNELS]);
	assert_null(s.ethtool[LINK_ETHTOOL_WOL]);
	ethtool(ETHTOOL_STSO, 0);
	ethtool(ETHTOOL_SSG, 0);
	ethtool(ETHTOOL_SGRO, 1);
	channels(1);
	assert_int_equal(link_restore_ethtool(&unit_tx, &net, &l, &s), 0);
	assert_int_equal(ethtool(ETHTOOL_GSG, 0), 1);
	assert_int_equal(ethtool(ETHTOOL_GTSO, 0), 1);
	assert_int_equal(ethtool(ETHTOOL_GGRO, 0), 0);
	assert_int_equal(channels(0), 2);
	/* What is no structure of that size is left out. */
	s.ethtool[LINK_ETHTOOL_CHANNELS] = "AAAA";
	s.ethtool[LINK_ETHTOOL_RINGS] = "!";
	assert_int_equal(link_restore_ethtool(&unit_tx, &net, &l, &s), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, net_end)
	const struct CMUnitTest tests[] = {
		TEST(saves_and_restores),
		TEST(are_text),
		TEST(bad_text_is_refused),
		TEST(recognises),
		TEST(settings_of_ethtool_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
