// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_link.c - links, in two namespaces of the test's own: "host" and "container"
 */
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "forged.h"
#include "netlink/link.h"
#include "private_net.h"
#include "unit.h"

static struct netns cont_ns;
static struct rt host, cont;

/*
 * A fresh namespace is the container's.  It and its socket are opened from inside, because
 * the first namespace of the process is its home for netns_run() and netns_open_self().
 */
static int new_container(void)
{
	if (!private_net())
		return -1;
	cont_ns.fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (cont_ns.fd < 0 || rt_open(&unit_tx, &cont, "container", NULL) < 0)
		return -1;
	cont.ns = &cont_ns;
	return 0;
}

static int two_namespaces(void **state UNUSED)
{
	tx_begin(&unit_tx);
	cont_ns = NETNS_NONE;
	if (new_container() < 0 || !private_net())
		return -1;
	return rt_open(&unit_tx, &host, "host", NULL);
}

static int close_namespaces(void **state UNUSED)
{
	rt_close(&host);
	rt_close(&cont);
	netns_close(&cont_ns);
	tx_end(&unit_tx);
	return 0;
}

#define IN_TWO(test) cmocka_unit_test_setup_teardown(test, two_namespaces, close_namespaces)

static const struct link_new container_end = { .name = "eth0", .in = &cont, .mtu = 1400 };

static struct mark mark;

static struct link_new pair(const char *name)
{
	mark = mark_of("net1", "c1", "eth0");
	return (struct link_new){
		.kind = "veth",
		.name = name,
		.mtu = 1400,
		.mac = { .b = { 2, 0, 0, 0, 0, 7 }, .len = 6 },
		.mark = &mark,
		.queues = 1,
		.peer = &container_end,
	};
}

static bool there(struct rt *rt, const char *name)
{
	return link_find(&unit_tx, rt, name, NULL) == 1;
}

static void a_pair_is_made_in_place(void **state UNUSED)
{
	struct link_new n = pair("veth1");
	struct link h, c;

	assert_int_equal(link_add(&unit_tx, &host, &n, &h), 0);
	assert_string_equal(h.kind, "veth");
	assert_int_equal(h.mtu, 1400);
	assert_true(mac_eq(h.mac, n.mac));
	assert_true(link_is_marked(&h, &mark));
	assert_int_equal(link_need(&unit_tx, &cont, "eth0", &c), 0);
	assert_int_equal(c.index, h.parent);
	assert_int_equal(link_is_pair(&unit_tx, &host, &h, &cont, &c), 1);
	tx_rollback(&unit_tx);
	assert_false(there(&host, "veth1"));
	assert_false(there(&cont, "eth0"));
}

/* On a kernel that does not tell what it made (before 6.2), both answers are the question's. */
static void what_was_made_is_what_a_question_tells(void **state UNUSED)
{
	struct link_new br = { .kind = "bridge", .name = "br1" }, n = pair("veth1");
	struct link bridge, made, asked;

	assert_int_equal(link_add(&unit_tx, &host, &br, &bridge), 0);
	n.master = bridge.index;
	assert_int_equal(link_add(&unit_tx, &host, &n, &made), 0);
	assert_int_equal(link_need(&unit_tx, &host, "veth1", &asked), 0);
	assert_int_equal(made.master, bridge.index);
	made.data = asked.data = (struct link_data){ .len = 0 };
	made.promiscuity = asked.promiscuity; /* counted when it became a port */
	assert_memory_equal(&made, &asked, sizeof(made));
}

/* The change is recorded before the step fails, so the rollback takes it away. */
static void a_failing_step_is_undone(void **state UNUSED)
{
	struct link_new n = pair("veth1");

	unit_tx.fail_at = 1;
	assert_true(link_add(&unit_tx, &host, &n, NULL) < 0);
	assert_true(there(&host, "veth1"));
	tx_rollback(&unit_tx);
	assert_false(there(&host, "veth1"));
}

static void a_macvlan_is_made_on_its_parent(void **state UNUSED)
{
	struct link_new n = pair("veth1"), v = { .kind = "macvlan", .name = "mv0", .in = &cont };
	struct link parent, l;

	assert_int_equal(link_add(&unit_tx, &host, &n, &parent), 0);
	v.parent = parent.index;
	assert_int_equal(link_add(&unit_tx, &host, &v, &l), 0);
	assert_string_equal(l.kind, "macvlan");
	assert_int_equal(l.parent, parent.index);
	assert_int_equal(link_data_number(&l, IFLA_MACVLAN_MODE, 0), MACVLAN_MODE_VEPA);
	assert_false(there(&host, "mv0"));
	tx_rollback(&unit_tx);
	assert_false(there(&cont, "mv0"));
}

/* What is known without the RTNL lock is what the kernel says with it. */
static void a_glance_sees_what_a_question_tells(void **state UNUSED)
{
	struct link_new n = pair("veth1");
	struct link asked, seen = { .index = 0 };

	assert_false(link_glance(&host, "veth1", "veth", &seen));
	assert_int_equal(link_add(&unit_tx, &host, &n, &asked), 0);
	assert_true(link_glance(&host, "veth1", "veth", &seen));
	assert_false(seen.flags & IFF_UP);
	assert_int_equal(link_set_up(&unit_tx, &host, &asked), 0);
	assert_int_equal(link_need(&unit_tx, &host, "veth1", &asked), 0);
	assert_true(link_glance(&host, "veth1", "veth", &seen));
	assert_int_equal(seen.index, asked.index);
	assert_int_equal(seen.flags, asked.flags & 0xffff);
	assert_int_equal(seen.mtu, 1400);
	assert_true(mac_eq(seen.mac, n.mac));
	assert_string_equal(seen.name, "veth1");
	assert_string_equal(seen.kind, "veth");
	/* In the namespace of the socket, and no link without Ethernet. */
	assert_false(link_glance(&host, "eth0", "veth", &seen));
	assert_true(link_glance(&cont, "eth0", "veth", &seen));
	assert_int_equal(seen.index, asked.parent);
	assert_false(link_glance(&host, "lo", "", &seen));
	assert_false(link_glance(&host, "a-name-that-no-link-can-have", "", &seen));
	tx_rollback(&unit_tx);
}

static void a_taken_name_is_explained(void **state UNUSED)
{
	struct link_new n = pair("veth1"), again = pair("veth2");
	struct link_new other = { .name = "eth1", .in = &cont };

	assert_int_equal(link_add(&unit_tx, &host, &n, NULL), 0);
	assert_int_equal(link_add(&unit_tx, &host, &again, NULL), -EEXIST);
	assert_int_equal(unit_tx.code, CPLUG_E_EXISTS);
	assert_non_null(strstr(unit_tx.msg, "container: add interface eth0: it exists already"));
	unit_tx.err = 0;
	n.peer = &other;
	assert_int_equal(link_add(&unit_tx, &host, &n, NULL), -EEXIST);
	assert_int_equal(unit_tx.code, CPLUG_E_TAKEN);
	assert_non_null(strstr(unit_tx.msg, "host: add interface veth1: the name is in use"));
	tx_rollback(&unit_tx);
}

/* A name of an attachment whose container lives is not waited for, and never taken away. */
static void only_a_lost_peer_is_waited_for(void **state UNUSED)
{
	struct mark next = mark_of("net1", "c2", "eth0");
	struct link_new n = pair("veth1"), other = { .name = "eth1", .in = &cont };
	int64_t begun = clock_ms();
	struct link l;
	int lost = 0;

	assert_int_equal(link_add(&unit_tx, &host, &n, &l), 0);
	tx_commit(&unit_tx);
	assert_int_equal(link_has_lost_peer(&unit_tx, &host, &l), 0);
	n.peer = &other;
	n.mark = &next;
	assert_int_equal(link_add(&unit_tx, &host, &n, NULL), -EEXIST);
	assert_true(clock_ms() - begun < 1500);
	unit_tx.err = 0;
	rt_close(&cont);
	netns_close(&cont_ns);
	while (link_find(&unit_tx, &host, "veth1", &l) == 1)
		lost |= link_has_lost_peer(&unit_tx, &host, &l);
	assert_int_equal(lost, 1);
}

static void a_shared_link_is_taken_as_it_is(void **state UNUSED)
{
	struct link_new n = { .kind = "bridge", .name = "br0", .mac = link_random_mac() };
	struct link l;
	bool made;

	assert_int_equal(link_add_shared(&unit_tx, &host, &n, &l, &made), 0);
	assert_true(made);
	assert_int_equal(link_add_shared(&unit_tx, &host, &n, &l, &made), 0);
	assert_false(made);
	assert_int_equal(l.bridge.vlan_filtering, 0);
	tx_rollback(&unit_tx);
	assert_true(there(&host, "br0"));
}

static void ensure_changes_what_differs(void **state UNUSED)
{
	struct link_want want = { .mtu = 1300, .up = true, .mark = &mark };
	struct link_new n = pair("veth1");
	struct link l, now;

	assert_int_equal(link_add(&unit_tx, &host, &n, &l), 0);
	tx_commit(&unit_tx);
	assert_int_equal(link_ensure(&unit_tx, &host, &l, &want), 0);
	assert_int_equal(link_need(&unit_tx, &host, "veth1", &now), 0);
	assert_int_equal(now.mtu, 1300);
	assert_true(now.flags & IFF_UP);
	assert_string_equal(now.alias, mark.s);
	assert_int_equal(now.group, 0);
	/* Nothing differs any more: no request, no record. */
	assert_int_equal(unit_tx.depth, 1);
	assert_int_equal(link_ensure(&unit_tx, &host, &l, &want), 0);
	assert_int_equal(unit_tx.depth, 1);
	tx_rollback(&unit_tx);
	assert_int_equal(link_need(&unit_tx, &host, "veth1", &now), 0);
	assert_int_equal(now.mtu, 1400);
	assert_false(now.flags & IFF_UP);
	assert_string_equal(now.alias, "");
	assert_true(link_is_marked(&now, &mark));
}

/* The container chooses the ifindex of its eth0, and the ifindex that it names as peer. */
static void a_forged_peer_is_no_pair(void **state UNUSED)
{
	struct link_new other = { .kind = "bridge", .name = "br0" }, n = pair("veth1");
	struct link victim, forged;
	char command[128];

	/* Two different numbers at the two ends. */
	assert_int_equal(link_add(&unit_tx, &host, &other, NULL), 0);
	assert_int_equal(link_add(&unit_tx, &host, &n, &victim), 0);
	assert_int_not_equal(victim.index, victim.parent);
	/* The attacker's namespace: a pair of its own with just these numbers. */
	rt_close(&cont);
	netns_close(&cont_ns);
	assert_int_equal(new_container(), 0);
	snprintf(command, sizeof(command),
		 "ip link add eth0 index %d type veth peer name p index %d", victim.parent,
		 victim.index);
	assert_true(shell(command));
	assert_int_equal(link_need(&unit_tx, &cont, "eth0", &forged), 0);
	assert_int_equal(forged.index, victim.parent);
	assert_int_equal(forged.parent, victim.index);
	assert_int_equal(link_is_pair(&unit_tx, &host, &victim, &cont, &forged), 0);
}

/* 260 names of 120 bytes make an answer of 35 KB. */
static void a_long_answer_is_read(void **state UNUSED)
{
	struct link_new n = pair("veth1");
	struct link l;

	assert_int_equal(link_add(&unit_tx, &host, &n, NULL), 0);
	assert_true(shell("for i in $(seq 260); do echo link property add dev veth1 altname "
			  "$(printf '%0120d' $i); done | ip -batch -"));
	assert_int_equal(link_need(&unit_tx, &host, "veth1", &l), 0);
	assert_int_equal(l.mtu, 1400);
}

/* Root of the namespace cannot answer in place of the kernel. */
static void answers_come_from_the_kernel(void **state UNUSED)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} forged = { .h = { .nlmsg_len = sizeof(forged),
			    .nlmsg_type = NLMSG_ERROR,
			    .nlmsg_seq = host.seq + 1 },
		     .e.error = -EIO };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK,
				  .nl_pid = nl_socket_get_local_port(host.sk) };
	auto_(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct link l;

	assert_true(fd >= 0);
	assert_int_equal(sendto(fd, &forged, sizeof(forged), 0, (struct sockaddr *)&to, sizeof(to)),
			 -1);
	assert_int_equal(errno, ECONNREFUSED);
	assert_int_equal(link_need(&unit_tx, &host, "lo", &l), 0);
}

/* A socket has a number, which root of the namespace can see, before it is connected. */
static void what_comes_before_connect_is_forgotten(void **state UNUSED)
{
	auto_(rt_close) struct rt another = { .sk = NULL };
	struct link l;

	forged_before_connect = 2000;
	assert_int_equal(rt_open(&unit_tx, &another, "host", NULL), 0);
	assert_int_equal(forged_before_connect, 0);
	assert_int_equal(link_need(&unit_tx, &another, "lo", &l), 0);
}

/* Setting up announces the address (arp_notify); there is no other way without a MAC to set. */
static void a_mac_that_cannot_be_set_is_not_announced(void **state UNUSED)
{
	struct link_new n = { .kind = "ifb", .name = "ifb7", .in = &cont };
	struct link l;
	int r = link_add(&unit_tx, &cont, &n, &l);

	if (r == -EOPNOTSUPP) {
		unit_tx.err = 0;
		skip();
	}
	assert_int_equal(r, 0);
	assert_int_equal(link_announce(&unit_tx, &cont, &l), 0);
	tx_rollback(&unit_tx);
}

struct count {
	struct rt another;
	unsigned n, passes;
};

static struct link_new plain_pair(const char *name)
{
	return (struct link_new){ .kind = "veth", .name = name };
}

/* In the first pass, adds links while the kernel has not listed all of them. */
static int count_link(const struct link *l, void *arg)
{
	struct link_new late = plain_pair("late");
	struct count *c = arg;

	if (!l) {
		c->n = 0;
		c->passes++;
		return 0;
	}
	if (!c->n++ && c->passes < 2)
		assert_int_equal(link_add(&unit_tx, &c->another, &late, NULL), 0);
	return 0;
}

static void an_interrupted_list_starts_over(void **state UNUSED)
{
	struct count c = { .n = 0 };
	unsigned n = 1; /* lo */

	for (; n < 81; n += 2) {
		struct link_new v = plain_pair(mem_printf(&unit_tx.mem, "v%u", n));

		assert_int_equal(link_add(&unit_tx, &host, &v, NULL), 0);
	}
	assert_int_equal(rt_open(&unit_tx, &c.another, "host", NULL), 0);
	assert_int_equal(link_each(&unit_tx, &host, "", count_link, &c), 0);
	rt_close(&c.another);
	assert_int_equal(c.passes, 2);
	assert_int_equal(c.n, n + 2);
}

static int count_event(const struct nlmsghdr *h UNUSED, void *arg)
{
	++*(int *)arg;
	return 0;
}

/* Another process of the namespace can send events, too: only the kernel's count. */
static void events_come_from_the_kernel(void **state UNUSED)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} forged = { .h = { .nlmsg_len = sizeof(forged), .nlmsg_type = RTM_NEWLINK } };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };
	auto_(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct link_new n = pair("veth1");
	int seen = 0;

	assert_int_equal(rt_subscribe(&unit_tx, &host, RTNLGRP_LINK, &events), 0);
	(void)!sendto(fd, &forged, sizeof(forged), 0, (struct sockaddr *)&to, sizeof(to));
	assert_int_equal(rt_wait(&unit_tx, &events, rt_deadline(50), count_event, &seen),
			 -ETIMEDOUT);
	assert_int_equal(seen, 0);
	assert_int_equal(link_add(&unit_tx, &host, &n, NULL), 0);
	assert_int_equal(rt_wait(&unit_tx, &events, rt_deadline(50), count_event, &seen),
			 -ETIMEDOUT);
	assert_true(seen > 0);
}

static int never(const struct nlmsghdr *h UNUSED, void *arg)
{
	++*(int *)arg;
	return 0;
}

/* The kernel acknowledges a question that it does not answer, like a forger would. */
static void an_answer_without_its_object_is_an_error(void **state UNUSED)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_SETLINK, NLM_F_ACK, sizeof(*i));
	int seen = 0;

	i->ifi_index = 1; /* lo, of which nothing changes */
	assert_int_equal(rt_ask(&host, &m, never, &seen), -EBADMSG);
	assert_int_equal(seen, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_TWO(a_pair_is_made_in_place),
		IN_TWO(what_was_made_is_what_a_question_tells),
		IN_TWO(a_failing_step_is_undone),
		IN_TWO(a_macvlan_is_made_on_its_parent),
		IN_TWO(a_glance_sees_what_a_question_tells),
		IN_TWO(a_taken_name_is_explained),
		IN_TWO(only_a_lost_peer_is_waited_for),
		IN_TWO(a_shared_link_is_taken_as_it_is),
		IN_TWO(ensure_changes_what_differs),
		IN_TWO(a_forged_peer_is_no_pair),
		IN_TWO(a_long_answer_is_read),
		IN_TWO(answers_come_from_the_kernel),
		IN_TWO(what_comes_before_connect_is_forgotten),
		IN_TWO(events_come_from_the_kernel),
		IN_TWO(a_mac_that_cannot_be_set_is_not_announced),
		IN_TWO(an_interrupted_list_starts_over),
		IN_TWO(an_answer_without_its_object_is_an_error),
	};

	return cmocka_run_group_tests_name("link", tests, NULL, NULL);
}
