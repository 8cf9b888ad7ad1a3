// SPDX-License-Identifier: GPL-2.0-or-later
/* test_link_move.c - links moved to another namespace and back, renamed, found by device */
#include <sys/mount.h>

#include "netlink/addr.h"
#include "netlink/link_device.h"
#include "netlink/link_move.h"
#include "netlink/route.h"
#include "net_state.h"

/* The container: a namespace beside the test's own, and a command that enters it. */
static struct rt cont;
static struct netns cont_ns = { .fd = -1 };
static char at_cont[64];
static char state_of_both[512];

static const char SETUP[] =
	"ip link add eth5 address 02:00:00:00:00:05 type veth peer name peer5 && "
	"ip link add eth6 address 02:00:00:00:00:06 type veth peer name peer6 && "
	"ip link set peer5 up && ip link set peer6 up && ip link set eth6 up && "
	"ip link set eth5 alias 'an uplink' mtu 1400 up";

/*
 * Both namespaces are made once, because netns.c keeps the one that the process is in; each
 * test begins without links.
 */
static int make_namespaces(void **state)
{
	int fd;

	(void)state;
	if (!have_program("ip") || !private_net())
		return 0;
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!private_net())
		return 0;
	cont_ns.fd = fd;
	snprintf(at_cont, sizeof(at_cont), "nsenter --net=/proc/%d/fd/%d", (int)getpid(), fd);
	snprintf(state_of_both, sizeof(state_of_both),
		 "{ ip -d link; ip -4 -d addr; ip -4 route show table all; %s ip -d link; } | "
		 "sed 's/,LOWER_UP//; s/NO-CARRIER,//; s/ state [A-Z]*//'",
		 at_cont);
	return 0;
}

static int begin(void **state)
{
	char command[512];

	if (cont_ns.fd < 0) {
		net = (struct rt){ .sk = NULL };
		return unit_begin(state);
	}
	snprintf(command, sizeof(command),
		 "for l in eth5 eth6 net1 br0 other; do "
		 "ip link del $l; %s ip link del $l; done 2>/dev/null",
		 at_cont);
	if (system(command) < 0) /* NOLINT(cert-env33-c) */
		return -1;
	TRY(net_begin_here(state, SETUP));
	if (!rt_is_open(&net))
		return 0;
	return rt_open(&unit_tx, &cont, "container", &cont_ns);
}

static int end(void **state)
{
	rt_close(&cont);
	return net_end(state);
}

static const char *in_cont(const char *command)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s %s", at_cont, command);
	return text;
}

static int move_as(struct tx *tx, const char *name, const char *alias, struct link *ret)
{
	struct link_move m = { .to = &cont, .name = name, .alias = alias };
	struct link l = { .index = 0 };

	TRY(link_need(tx, &net, "eth5", &l));
	return link_move(tx, &net, &l, &m, ret);
}

static int move(struct tx *tx)
{
	struct link there = { .index = 0 };

	return move_as(tx, "net1", "eth5", &there);
}

static void moves_and_renames(void **state)
{
	struct link there = { .index = 0 };

	(void)state;
	net_need(NULL);
	net_undoes(move, state_of_both);
	assert_int_equal(move_as(&unit_tx, "net1", "eth5", &there), 0);
	assert_string_equal(there.name, "net1");
	assert_string_equal(there.alias, "eth5");
	assert_string_equal(MAC_S(there.mac), "02:00:00:00:00:05");
	assert_int_equal(there.mtu, 1400);
	assert_int_equal(there.flags & IFF_UP, 0);
	assert_int_equal(link_find(&unit_tx, &net, "eth5", NULL), 0);
	assert_int_equal(link_find(&unit_tx, &cont, "eth5", NULL), 0);
}

static int move_back_home(struct tx *tx)
{
	struct link_move home = { .to = &net, .name = "eth5", .alias = "" };
	struct link there = { .index = 0 }, here = { .index = 0 };

	TRY(link_need(tx, &cont, "net1", &there));
	TRY(link_move(tx, &cont, &there, &home, &here));
	return here.index ? 0 : -ENODEV;
}

/* DEL's direction: the host never sees the name that the link had in the container. */
static void moves_out_of_a_container(void **state)
{
	struct link there = { .index = 0 }, here = { .index = 0 };

	(void)state;
	net_need(NULL);
	assert_int_equal(move_as(&unit_tx, "net1", "eth5", &there), 0);
	assert_int_equal(link_set_up(&unit_tx, &cont, &there), 0);
	net_undoes(move_back_home, state_of_both);
	net_need("ip link add net1 type ifb");
	assert_int_equal(move_back_home(&unit_tx), 0);
	assert_int_equal(link_find(&unit_tx, &net, "eth5", &here), 1);
	assert_string_equal(here.alias, "");
	assert_string_equal(MAC_S(here.mac), "02:00:00:00:00:05");
}

/* The container has a link with the name that the device had on the host. */
static void moves_past_a_name_in_use(void **state)
{
	(void)state;
	net_need(in_cont("ip link add eth5 type ifb"));
	net_undoes(move, state_of_both);
	assert_int_equal(move(&unit_tx), 0);
	net_undoes(move_back_home, state_of_both);
	assert_int_equal(move_back_home(&unit_tx), 0);
}

static void refuses_a_name_in_use(void **state)
{
	char *before, *after;
	struct link there = { .index = 0 };

	(void)state;
	net_need(in_cont("ip link add net1 type ifb"));
	before = net_text(state_of_both);
	assert_true(move_as(&unit_tx, "net1", NULL, &there) < 0);
	assert_int_equal(unit_tx.code, CPLUG_E_EXISTS);
	assert_string_equal(unit_tx.msg,
			    "container: move an interface here as net1: the name is in "
			    "use, kind ifb");
	after = net_text(state_of_both);
	assert_string_equal(before, after);
	free(before);
	free(after);
	unit_again();
	assert_true(move_as(&unit_tx, "bad/name", NULL, &there) < 0);
	CHECK(!*unit_tx.details, "%s", unit_tx.details);
	unit_again();
	assert_int_equal(link_find(&unit_tx, &net, "eth5", NULL), 1);
	assert_int_equal(link_find(&unit_tx, &cont, "eth5", NULL), 0);
}

/* The ifindex is in use in the container, and the old one comes back. */
static void keeps_the_ifindex(void **state)
{
	struct link l = { .index = 0 }, there = { .index = 0 };
	char command[160];

	(void)state;
	net_need(NULL);
	assert_int_equal(link_find(&unit_tx, &net, "eth5", &l), 1);
	snprintf(command, sizeof(command), "%s ip link add other index %d type ifb", at_cont,
		 l.index);
	net_need(command);
	net_undoes(move, state_of_both);
	assert_int_equal(move_as(&unit_tx, NULL, NULL, &there), 0);
	assert_string_equal(there.name, "eth5");
	assert_string_equal(there.alias, "an uplink");
	assert_int_not_equal(there.index, l.index);
}

static void comes_back_to_its_master(void **state)
{
	(void)state;
	net_need("ip link add br0 type bridge && ip link set eth5 master br0");
	net_undoes(move, state_of_both);
}

static int move_with_all(struct tx *tx)
{
	struct addr_saved addrs;
	struct route_list routes;
	struct route_filter f = { .table = RT_TABLE_MAIN };
	struct link l = { .index = 0 };

	TRY(link_need(tx, &net, "eth5", &l));
	f.link = l.index;
	TRY(route_list(tx, &net, &f, &routes));
	TRY(addr_save(tx, &net, &l, AF_UNSPEC, &addrs));
	TRY(route_keep_all(tx, &net, &routes));
	TRY(addr_keep_all(tx, &net, &l, &addrs));
	return move(tx);
}

static void addresses_and_routes_come_back(void **state)
{
	(void)state;
	net_need("ip addr add 10.1.0.2/24 brd + dev eth5 && "
		 "ip addr add 10.2.0.2/24 brd + dev eth5 noprefixroute && "
		 "ip addr add fd00:1::2/64 dev eth5 nodad && "
		 "ip route add default via 10.1.0.1 && ip -6 route add default via fd00:1::1");
	net_undoes(move_with_all,
		   "{ ip -4 addr; ip -6 addr show scope global; ip -4 route show table all; "
		   "ip -6 route | grep -v ^fe80; } | "
		   "sed 's/,LOWER_UP//; s/NO-CARRIER,//; s/ state [A-Z]*//'");
}

static int rename_it(struct tx *tx)
{
	struct link l = { .index = 0 };

	TRY(link_need(tx, &net, "eth6", &l));
	TRY(link_rename(tx, &net, &l, "eth6")); /* nothing to do */
	TRY(link_rename(tx, &net, &l, "wan0"));
	return str_eq(l.name, "wan0") ? 0 : -EINVAL;
}

static void renames(void **state)
{
	struct link l = { .index = 0 };

	(void)state;
	net_need("ip link set eth6 down && ip link set eth6 name tmp0 && ip link set tmp0 name "
		 "eth6");
	net_undoes(rename_it, "ip -o link | cut -d: -f1,2");
	assert_int_equal(link_find(&unit_tx, &net, "eth6", &l), 1);
	assert_true(link_rename(&unit_tx, &net, &l, "eth5") < 0);
	assert_string_equal(unit_tx.msg, "host: rename eth6 to eth5: File exists");
	assert_string_equal(l.name, "eth6");
}

static struct mac mac_of(const char *text)
{
	struct mac m = { .len = 0 };

	if (!mac_parse(text, &m))
		abort();
	return m;
}

static void finds_by_mac(void **state)
{
	struct link l = { .index = 0 };

	(void)state;
	net_need(NULL);
	assert_int_equal(link_find_mac(&unit_tx, &net, mac_of("02:00:00:00:00:06"), &l), 1);
	assert_string_equal(l.name, "eth6");
	assert_int_equal(link_find_mac(&unit_tx, &net, mac_of("02:00:00:00:00:07"), &l), 0);
	assert_int_equal(link_find_mac(&unit_tx, &net, (struct mac){ .len = 0 }, &l), 0);
}

static void finds_by_sysfs(void **state)
{
	static const char *const bad[] = {
		"", "net", "/etc", "/sys", "/sys/../etc", "/sys/..", "/sys/devices/virtual/.."
	};
	struct link l = { .index = 0 };

	(void)state;
	net_need(NULL);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(link_find_sysfs(&unit_tx, &net, bad[i], &l) < 0, "\"%s\" passed", bad[i]);
		assert_int_equal(unit_tx.code, CNI_E_CONFIG);
		unit_again();
	}
	/* sysfs shows the namespace that mounted it */
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL) < 0) {
		fprintf(stderr, "no sysfs to be mounted: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(link_find_sysfs(&unit_tx, &net, "/sys/devices/virtual", &l), 1);
	assert_string_equal(l.name, "eth5");
	assert_int_equal(link_find_sysfs(&unit_tx, &net, "/sys/devices/virtual/", &l), 1);
	assert_int_equal(link_find_sysfs(&unit_tx, &net, "/sys/devices/gone", &l), 0);
	assert_int_equal(link_find_sysfs(&unit_tx, &net, "/sys/devices/virtual/mem", &l), 0);
	assert_int_equal(link_find_sysfs(&unit_tx, &cont, "/sys/devices/virtual", &l), 0);
	/* A virtio device has its links one folder further down. */
	if (mount("tmpfs", "/sys/devices", "tmpfs", 0, NULL) < 0)
		skip();
	assert_int_equal(system("mkdir -p /sys/devices/pci/virtio3/net/eth6"), 0); /* NOLINT */
	assert_int_equal(link_find_sysfs(&unit_tx, &net, "/sys/devices/pci", &l), 1);
	assert_string_equal(l.name, "eth6");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(moves_and_renames),
		TEST(moves_out_of_a_container),
		TEST(moves_past_a_name_in_use),
		TEST(refuses_a_name_in_use),
		TEST(keeps_the_ifindex),
		TEST(comes_back_to_its_master),
		TEST(addresses_and_routes_come_back),
		TEST(renames),
		TEST(finds_by_mac),
		TEST(finds_by_sysfs),
	};

	return cmocka_run_group_tests(tests, make_namespaces, NULL);
}
