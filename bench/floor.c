// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * floor.c - the minimal work of the kernel for one ADD or DEL
 *
 *	floor add NETNS HOST-LINK BRIDGE ADDRESS/LENGTH GATEWAY
 *	floor del HOST-LINK
 *	floor add-leg NETNS KIND PARENT ADDRESS/LENGTH GATEWAY
 *	floor del-leg NETNS
 *
 * add creates a veth pair with its peer in the namespace and under the final name, as bridge does,
 * add-leg a link of KIND on PARENT, as macvlan does.  Then both add one address and one default
 * route.  They use two netlink sockets, and look up only the index of BRIDGE or PARENT.  They
 * allocate no address, read no JSON, install no firewall rule and do not roll back: this is the
 * lower limit for a plugin.  FLOOR_TRACE=1 prints the duration of each request.
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void add_veth(int fd, const char *host, unsigned bridge, int netns)
{
	struct ifinfomsg *i = request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	struct rtattr *info, *data, *peer;

	i->ifi_flags = i->ifi_change = IFF_UP;
	put_str(IFLA_IFNAME, host);
	put(IFLA_MASTER, &bridge, sizeof(bridge));
	info = put(IFLA_LINKINFO, NULL, 0);
	put_str(IFLA_INFO_KIND, "veth");
	data = put(IFLA_INFO_DATA, NULL, 0);
	peer = put(VETH_INFO_PEER, NULL, 0);
	take(sizeof(*i));
	put_str(IFLA_IFNAME, "eth0");
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	end(peer);
	end(data);
	end(info);
	call(fd, "veth");
}

static void add_leg(int fd, const char *kind, unsigned parent, int netns)
{
	struct rtattr *info;

	request(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	put_str(IFLA_IFNAME, "eth0");
	put(IFLA_LINK, &parent, sizeof(parent));
	put(IFLA_NET_NS_FD, &netns, sizeof(netns));
	info = put(IFLA_LINKINFO, NULL, 0);
	put_str(IFLA_INFO_KIND, kind);
	end(info);
	call(fd, kind);
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

static void add_route(int fd, unsigned index, const char *gateway)
{
	struct rtmsg *h = request(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
	struct in_addr a;

	inet_pton(AF_INET, gateway, &a);
	h->rtm_family = AF_INET;
	h->rtm_table = RT_TABLE_MAIN;
	h->rtm_protocol = RTPROT_BOOT;
	h->rtm_scope = RT_SCOPE_UNIVERSE;
	h->rtm_type = RTN_UNICAST;
	put(RTA_GATEWAY, &a, sizeof(a));
	put(RTA_OIF, &index, sizeof(index));
	call(fd, "route");
}

static int open_netns(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

/* argv: NETNS, HOST-LINK or KIND, BRIDGE or PARENT, ADDRESS/LENGTH, GATEWAY */
static int add(char **argv, int leg)
{
	int fd = netlink(), netns = open_netns(argv[0]);
	unsigned parent = if_nametoindex(argv[2]), eth0;

	if (!parent)
		err(1, "%s", argv[2]);
	if (leg)
		add_leg(fd, argv[1], parent, netns);
	else
		add_veth(fd, argv[1], parent, netns);
	if (setns(netns, CLONE_NEWNET) < 0)
		err(1, "setns");
	fd = netlink();
	eth0 = if_nametoindex("eth0");
	set_up(fd, eth0, "eth0 up");
	set_up(fd, 1, "lo up");
	add_address(fd, eth0, argv[3]);
	add_route(fd, eth0, argv[4]);
	return 0;
}

static int del(const char *link)
{
	request(RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	put_str(IFLA_IFNAME, link);
	call(netlink(), "del");
	return 0;
}

static int del_leg(const char *netns)
{
	if (setns(open_netns(netns), CLONE_NEWNET) < 0)
		err(1, "setns");
	return del("eth0");
}

int main(int argc, char **argv)
{
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (argc == 7 && strcmp(argv[1], "add") == 0)
		return add(argv + 2, 0);
	if (argc == 7 && strcmp(argv[1], "add-leg") == 0)
		return add(argv + 2, 1);
	if (argc == 3 && strcmp(argv[1], "del-leg") == 0)
		return del_leg(argv[2]);
	if (argc == 3 && strcmp(argv[1], "del") == 0)
		return del(argv[2]);
	errx(2, "usage: floor add NETNS HOST-LINK BRIDGE ADDRESS/LENGTH GATEWAY\n"
		"       floor del HOST-LINK\n"
		"       floor add-leg NETNS KIND PARENT ADDRESS/LENGTH GATEWAY\n"
		"       floor del-leg NETNS");
}
