// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * floor.c - the minimal work of the kernel for one ADD or DEL
 *
 *	floor add NETNS HOST-LINK BRIDGE ADDRESS/LENGTH GATEWAY
 *	floor del HOST-LINK
 *	floor add-leg NETNS KIND PARENT ADDRESS/LENGTH GATEWAY
 *	floor del-leg NETNS
 *	floor add-leg NETNS move DEVICE ADDRESS/LENGTH GATEWAY
 *	floor del-move NETNS DEVICE
 *	floor add-vrf NETNS GATEWAY
 *	floor del-vrf NETNS
 *	floor add-limits HOST-LINK
 *	floor del-limits HOST-LINK
 *
 * add creates a veth pair with its peer in the namespace and under the final name, as bridge does,
 * add-leg a link of KIND, as that plugin does: macvlan, ipvlan (mode l2) or vlan (5) on PARENT, or
 * dummy, or a persistent tap device; or it moves DEVICE, as host-device does, and del-move moves it
 * back.  Then both add one address and one default route.  add-vrf puts eth0 into a new VRF with
 * table 1, and its default route into that table.  add-limits limits both directions of a HOST-LINK
 * as bandwidth does, with an ifb, and del-limits deletes both links in one request.  They use two
 * netlink sockets, and look up only the index of BRIDGE or PARENT.  They allocate no address, read
 * no JSON, install no firewall rule and do not roll back: this is the lower limit for a plugin.
 * FLOOR_TRACE=1 prints the duration of each request.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static union {
	struct nlmsghdr h;
	char room[4096];
} m;
static unsigned seq;
static struct timespec start;

static void lap(const char *what)
{
	struct timespec t;

	if (!getenv("FLOOR_TRACE"))
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	fprintf(stderr, "%-12s %8.1f us\n", what,
		(double)(t.tv_sec - start.tv_sec) * 1e6 +
			(double)(t.tv_nsec - start.tv_nsec) / 1e3);
}

static int netlink(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		err(1, "netlink");
	return fd;
}

static void *take(size_t size)
{
	void *p = m.room + m.h.nlmsg_len;

	m.h.nlmsg_len += NLMSG_ALIGN((unsigned)size);
	return p;
}

static void *request(int type, int flags, size_t header)
{
	memset(&m, 0, sizeof(m));
	m.h = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN,
				 .nlmsg_type = (uint16_t)type,
				 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags),
				 .nlmsg_seq = ++seq };
	return take(header);
}

static struct rtattr *put(int type, const void *data, size_t size)
{
	struct rtattr *a = take(sizeof(*a) + size);

	*a = (struct rtattr){ .rta_len = (uint16_t)(sizeof(*a) + size),
			      .rta_type = (uint16_t)type };
	if (size)
		memcpy(a + 1, data, size);
	return a;
}

static void put_str(int type, const char *s)
{
	put(type, s, strlen(s) + 1);
}

static void end(struct rtattr *nest)
{
	nest->rta_len = (uint16_t)(m.room + m.h.nlmsg_len - (char *)nest);
}

static void call(int fd, const char *what)
{
	static union {
		struct nlmsghdr h;
		char room[8192];
	} answer;
	struct nlmsgerr *e = NLMSG_DATA(&answer.h);

	if (send(fd, &m, m.h.nlmsg_len, 0) < 0 || recv(fd, &answer, sizeof(answer), 0) < 0)
		err(1, "%s", what);
	if (answer.h.nlmsg_type == NLMSG_ERROR && e->error) {
		errno = -e->error;
		err(1, "%s", what);
	}
	lap(what);
}

static void set_up(int fd, unsigned index, const char *what)
{
	struct ifinfomsg *i = request(RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = (int)index;
	i->ifi_flags = i->ifi_change = IFF_UP;
	call(fd, what);
}

/* kind: veth or netkit, whose peer attributes are the same; bridge: 0 for none */
static void add_pair(int fd, const char *kind, const char *host, unsigned bridge, int netns)
{
	struct ifinfomsg *i = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	struct rtattr *info, *data, *peer;

	i->ifi_flags = i->ifi_change = IFF_UP;
	put_str(IFLA_IFNAME, host);
	if (bridge)
		put(IFLA_MASTER, &bridge, sizeof(bridge));
	info = put(IFLA_LINKINFO, NULL, 0);
	put_str(IFLA_INFO_KIND, kind);
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, 0);
	take(sizeof(*i));
	put_str(IFLA_IFNAME, "eth0");
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(peer);
	end(data);
	end(info);
	call(fd, kind);
}

static int is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* The attributes of a kind. */
static void put_data(const char *kind)
{
	uint16_t vlan = 5, l2 = 0;
	uint32_t table = 1;
	struct rtattr *data;

	if (!is(kind, "vlan") && !is(kind, "ipvlan") && !is(kind, "vrf"))
		return;
	data = put(IFLA_INFO_DATA, NULL, 0);
	if (is(kind, "vlan"))
		put(IFLA_VLAN_ID, &vlan, sizeof(vlan));
	else if (is(kind, "ipvlan"))
		put(IFLA_IPVLAN_MODE, &l2, sizeof(l2));
	else
		put(IFLA_VRF_TABLE, &table, sizeof(table));
	end(data);
}

/* parent: 0 for none; netns: -1 for this one */
static void add_leg(int fd, const char *name, const char *kind, unsigned parent, int netns)
{
	struct ifinfomsg *i = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	struct rtattr *info;

	if (netns < 0)
		i->ifi_flags = i->ifi_change = IFF_UP;
	put_str(IFLA_IFNAME, name);
	if (parent)
		put(IFLA_LINK, &parent, sizeof(parent));
	if (netns >= 0)
		put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	info = put(IFLA_LINKINFO, NULL, 0);
	put_str(IFLA_INFO_KIND, kind);
	put_data(kind);
	end(info);
	call(fd, kind);
}

/* In this namespace. */
static void add_tap(void)
{
	struct ifreq r = { .ifr_name = "eth0", .ifr_flags = IFF_TAP | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0 || ioctl(fd, TUNSETPERSIST, 1) < 0)
		err(1, "tap");
	close(fd);
	lap("tap");
}

/* From fd's namespace to another, under a new name. */
static void move_link(int fd, unsigned index, int netns, const char *name)
{
	struct ifinfomsg *i = request(RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = (int)index;
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	put_str(IFLA_IFNAME, name);
	call(fd, "move");
}

static void add_address(int fd, unsigned index, char *text)
{
	struct ifaddrmsg *h = request(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
	char *slash = strchr(text, '/');
	struct in_addr a;

	if (!slash)
		errx(2, "%s: expected ADDRESS/LENGTH", text);
	*slash = '\0';
	inet_pton(AF_INET, text, &a);
	h->ifa_family = AF_INET;
	h->ifa_prefixlen = (uint8_t)strtoul(slash + 1, NULL, 10);
	h->ifa_index = index;
	put(IFA_LOCAL, &a, sizeof(a));
	put(IFA_ADDRESS, &a, sizeof(a));
	call(fd, "address");
}

static void add_route(int fd, unsigned index, const char *gateway, unsigned char table)
{
	struct rtmsg *h = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
	struct in_addr a;

	inet_pton(AF_INET, gateway, &a);
	h->rtm_family = AF_INET;
	h->rtm_table = table;
	h->rtm_protocol = RTPROT_BOOT;
	h->rtm_scope = RT_SCOPE_UNIVERSE;
	h->rtm_type = RTN_UNICAST;
	put(RTA_GATEWAY, &a, sizeof(a));
	put(RTA_OIF, &index, sizeof(index));
	call(fd, "route");
}

/* To a container behind a link of its own. */
static void add_host_route(int fd, unsigned index, const char *text)
{
	struct rtmsg *h = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
	char address[INET_ADDRSTRLEN];
	struct in_addr a;

	snprintf(address, sizeof(address), "%.*s", (int)strcspn(text, "/"), text);
	inet_pton(AF_INET, address, &a);
	h->rtm_family = AF_INET;
	h->rtm_dst_len = 32;
	h->rtm_table = RT_TABLE_MAIN;
	h->rtm_protocol = RTPROT_BOOT;
	h->rtm_scope = RT_SCOPE_LINK;
	h->rtm_type = RTN_UNICAST;
	put(RTA_DST, &a, sizeof(a));
	put(RTA_OIF, &index, sizeof(index));
	call(fd, "host route");
}

/* As ptp: the host's end has the gateway's address. */
static void add_ptp(int fd, const char *kind, int netns, const char *address, const char *gateway)
{
	char host[IFNAMSIZ], on_host[INET_ADDRSTRLEN + 3];
	unsigned index;

	snprintf(host, sizeof(host), "floor%d", (int)getpid());
	add_pair(fd, kind, host, 0, netns);
	index = if_nametoindex(host);
	snprintf(on_host, sizeof(on_host), "%s/32", gateway);
	add_address(fd, index, on_host);
	add_host_route(fd, index, address);
}

static int open_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static void enter(int netns)
{
	if (setns(netns, CLONE_NEWNET) < 0)
		err(1, "setns");
}

/* argv: NETNS, HOST-LINK or KIND, BRIDGE or PARENT, ADDRESS/LENGTH, GATEWAY */
static int add(char **argv, int leg)
{
	int fd = netlink(), netns = open_netns(argv[0]);
	int pair = leg && (is(argv[1], "veth") || is(argv[1], "netkit"));
	int free_standing = pair || (leg && (is(argv[1], "dummy") || is(argv[1], "tap")));
	unsigned parent = free_standing ? 0 : if_nametoindex(argv[2]), eth0;

	if (!parent && !free_standing)
		err(1, "%s", argv[2]);
	if (!leg)
		add_pair(fd, "veth", argv[1], parent, netns);
	else if (pair)
		add_ptp(fd, argv[1], netns, argv[3], argv[4]);
	else if (is(argv[1], "move"))
		move_link(fd, parent, netns, "eth0");
	else if (!is(argv[1], "tap"))
		add_leg(fd, "eth0", argv[1], parent, netns);
	enter(netns);
	if (leg && is(argv[1], "tap"))
		add_tap();
	fd = netlink();
	eth0 = if_nametoindex("eth0");
	set_up(fd, eth0, "eth0 up");
	set_up(fd, 1, "lo up");
	add_address(fd, eth0, argv[3]);
	add_route(fd, eth0, argv[4], RT_TABLE_MAIN);
	return 0;
}

static int add_vrf(const char *netns, const char *gateway)
{
	unsigned eth0, vrf;
	struct ifinfomsg *i;
	int fd;

	enter(open_netns(netns));
	fd = netlink();
	eth0 = if_nametoindex("eth0");
	add_leg(fd, "vrf0", "vrf", 0, -1);
	vrf = if_nametoindex("vrf0");
	i = request(RTM_NEWLINK, 0, sizeof(*i));
	i->ifi_index = (int)eth0;
	put(IFLA_MASTER, &vrf, sizeof(vrf));
	call(fd, "master");
	add_route(fd, eth0, gateway, 1);
	return 0;
}

/* ---- limits ---- */

static struct tcmsg *traffic(int type, unsigned index, uint32_t parent, const char *kind)
{
	struct tcmsg *t = request(type, NLM_F_CREATE | NLM_F_EXCL, sizeof(*t));

	t->tcm_ifindex = (int)index;
	t->tcm_parent = parent;
	put_str(TCA_KIND, kind);
	return t;
}

/* 100 Mbit/s, with a burst of 1 ms */
static void add_bucket(int fd, unsigned index)
{
	struct tc_tbf_qopt q = {
		.rate = { .rate = 12500000, .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = 325000,
		.buffer = 1000000 / 64,
	};
	struct rtattr *options;

	traffic(RTM_NEWQDISC, index, TC_H_ROOT, "tbf")->tcm_handle = TC_H_MAKE(1U << 16, 0);
	options = put(TCA_OPTIONS, NULL, 0);
	put(TCA_TBF_PARMS, &q, sizeof(q));
	end(options);
	call(fd, "tbf");
}

static void redirect(int fd, unsigned from, unsigned to)
{
	struct tc_mirred mirred = { .action = TC_ACT_STOLEN,
				    .eaction = TCA_EGRESS_REDIR,
				    .ifindex = to };
	union {
		struct tc_u32_sel sel;
		char room[sizeof(struct tc_u32_sel) + sizeof(struct tc_u32_key)];
	} all = { .sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 } };
	struct rtattr *options, *actions, *action, *parms;
	uint32_t handle = TC_H_MAKE(TC_H_INGRESS, 0);

	traffic(RTM_NEWQDISC, from, TC_H_INGRESS, "ingress")->tcm_handle = handle;
	call(fd, "ingress");
	traffic(RTM_NEWTFILTER, from, handle, "u32")->tcm_info =
		TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	options = put(TCA_OPTIONS, NULL, 0);
	put(TCA_U32_SEL, &all, sizeof(all));
	actions = put(TCA_U32_ACT, NULL, 0);
	action = put(1, NULL, 0);
	put_str(TCA_ACT_KIND, "mirred");
	parms = put(TCA_ACT_OPTIONS, NULL, 0);
	put(TCA_MIRRED_PARMS, &mirred, sizeof(mirred));
	end(parms);
	end(action);
	end(actions);
	end(options);
	call(fd, "filter");
}

/* The name of the ifb: "b", and that of the link without its first letter. */
static unsigned index_of_ifb(const char *link)
{
	char name[IFNAMSIZ];

	snprintf(name, sizeof(name), "b%s", link + 1);
	return if_nametoindex(name);
}

static int add_limits(const char *link)
{
	unsigned from = if_nametoindex(link), to;
	char name[IFNAMSIZ];
	int fd = netlink();

	snprintf(name, sizeof(name), "b%s", link + 1);
	add_bucket(fd, from);
	add_leg(fd, name, "ifb", 0, -1);
	to = index_of_ifb(link);
	add_bucket(fd, to);
	redirect(fd, from, to);
	return 0;
}

static void set_group(int fd, unsigned index, uint32_t group)
{
	struct ifinfomsg *i = request(RTM_SETLINK, 0, sizeof(*i));

	i->ifi_index = (int)index;
	put(IFLA_GROUP, &group, sizeof(group));
	call(fd, "group");
}

static int del_limits(const char *link)
{
	uint32_t group = 1U << 30;
	int fd = netlink();

	set_group(fd, if_nametoindex(link), group);
	set_group(fd, index_of_ifb(link), group);
	request(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	put(IFLA_GROUP, &group, sizeof(group));
	call(fd, "del");
	return 0;
}

static int del(const char *link)
{
	request(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	put_str(IFLA_IFNAME, link);
	call(netlink(), "del");
	return 0;
}

static int del_in(const char *netns, const char *link)
{
	enter(open_netns(netns));
	return del(link);
}

static int del_move(const char *netns, const char *device)
{
	int home = open_netns("/proc/self/ns/net"), fd = netlink();

	enter(open_netns(netns));
	move_link(netlink(), if_nametoindex("eth0"), home, device);
	enter(home);
	set_up(fd, if_nametoindex(device), "up");
	return 0;
}

int main(int argc, char **argv)
{
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (argc == 7 && is(argv[1], "add"))
		return add(argv + 2, 0);
	if (argc == 7 && is(argv[1], "add-leg"))
		return add(argv + 2, 1);
	if (argc == 4 && is(argv[1], "add-vrf"))
		return add_vrf(argv[2], argv[3]);
	if (argc == 3 && is(argv[1], "del-leg"))
		return del_in(argv[2], "eth0");
	if (argc == 3 && is(argv[1], "del-vrf"))
		return del_in(argv[2], "vrf0");
	if (argc == 4 && is(argv[1], "del-move"))
		return del_move(argv[2], argv[3]);
	if (argc == 3 && is(argv[1], "del"))
		return del(argv[2]);
	if (argc == 3 && is(argv[1], "add-limits"))
		return add_limits(argv[2]);
	if (argc == 3 && is(argv[1], "del-limits"))
		return del_limits(argv[2]);
	errx(2, "usage: floor add NETNS HOST-LINK BRIDGE ADDRESS/LENGTH GATEWAY\n"
		"       floor del HOST-LINK\n"
		"       floor add-leg NETNS KIND PARENT ADDRESS/LENGTH GATEWAY\n"
		"       floor del-leg NETNS\n"
		"       floor add-leg NETNS move DEVICE ADDRESS/LENGTH GATEWAY\n"
		"       floor del-move NETNS DEVICE\n"
		"       floor add-vrf NETNS GATEWAY\n"
		"       floor del-vrf NETNS\n"
		"       floor add-limits HOST-LINK\n"
		"       floor del-limits HOST-LINK");
}
