// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire6.c - the packets of a DHCPv6 lease, in the container's namespace
 *
 * They go from the link-local address, port 546, to ff02::1:2, port 547 (RFC 8415, 7.1 and 7.2),
 * and answers come back to that address, so an ordinary UDP socket is enough.  A socket keeps its
 * namespace alive, so it is open only while an answer, or an event of the addresses, is expected.
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "ipam/dhcp/hold.h"
#include "netlink/link.h"
#include "sys/sysctl.h"

enum { CLIENT_PORT = 546, SERVER_PORT = 547, ROUTER_SOLICIT = 133, HOPS = 255 };

enum {
	LISTEN_MS = 15000,      /* how long an answer may take, as in wire.c */
	ADDRESSES_MAX = 4096,   /* lines of if_inet6 that are read; most have fewer */
	EVENTS_MAX = 64,        /* events that are read at once */
	EVENT_ROOM = 64 * 1024, /* bytes of events that the kernel keeps */
};

/* ---- inside the namespace ----------------------------------------------- */

/* No function here allocates from the arena (netns_run()). */
struct job {
	struct wire_job w;
	const struct in6_addr *wanted; /* NULL: the link-local one */
	const struct in6_addr *remove; /* NULL: none */
	const struct dhcp_todo *todo;
	bool host; /* the port of clients is that of the host's own client */
	struct in6_addr found;
	enum wire6_state state;
};

/* "fe80000000000000000000fffe000001 02 40 20 80     eth0": index, length, scope, flags, name. */
static bool read_line(const char *line, struct job *j, struct in6_addr *a, unsigned *flags)
{
	unsigned word[4], index, length, scope;
	char name[IFNAMSIZ];

	if (sscanf(line, "%8x%8x%8x%8x %x %x %x %x %15s", &word[0], &word[1], &word[2], &word[3],
		   &index, &length, &scope, flags, name) != 9 ||
	    !str_eq(name, j->w.ifname))
		return false;
	for (unsigned i = 0; i < ARRAY_LEN(word); i++)
		a->s6_addr32[i] = htonl(word[i]);
	j->w.index = (int)index;
	return true;
}

static enum wire6_state state_of_flags(unsigned flags)
{
	if (flags & IFA_F_DADFAILED)
		return WIRE6_DUPLICATE;
	if (flags & IFA_F_TENTATIVE && !(flags & IFA_F_OPTIMISTIC))
		return WIRE6_TENTATIVE;
	return WIRE6_USABLE;
}

/*
 * The source address that the kernel chooses for multicasts on the link (RFC 6724): a link-local
 * one that is not tentative, if there is one.
 */
static bool find_source(const struct job *j, struct in6_addr *ret)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6,
				  .sin6_port = htons(SERVER_PORT),
				  .sin6_addr = { .s6_addr = { 0xff, 2, [15] = 2 } },
				  .sin6_scope_id = (uint32_t)j->w.index };
	auto_(fd_close) int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(a);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &size) < 0)
		return false;
	*ret = a.sin6_addr;
	return IN6_IS_ADDR_LINKLOCAL(ret);
}

/* The state of one address, as the kernel has it. */
static enum wire6_state ask_state(const struct job *j, const struct in6_addr *address)
{
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		struct nlattr a;
		struct in6_addr address;
	} q = { .h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = RTM_GETADDR,
		       .nlmsg_flags = NLM_F_REQUEST },
		.m = { .ifa_family = AF_INET6, .ifa_index = (uint32_t)j->w.index },
		.a = { sizeof(q.a) + sizeof(q.address), IFA_ADDRESS },
		.address = *address };
	struct {
		struct nlmsghdr h;
		struct ifaddrmsg m;
		char more[256];
	} answer;

	if (wire_ask(&q.h, &answer.h, sizeof(answer)) < (ssize_t)NLMSG_LENGTH(sizeof(q.m)) ||
	    answer.h.nlmsg_type != RTM_NEWADDR)
		return WIRE6_ABSENT;
	return state_of_flags(answer.m.ifa_flags);
}

/* A container may have more addresses than look_here() reads. */
static void look_directly(struct job *j)
{
	struct in6_addr a;

	j->w.index = link_here_try(j->w.ifname);
	if (j->w.index <= 0)
		return;
	if (j->wanted)
		a = *j->wanted;
	else if (!find_source(j, &a))
		return;
	j->state = ask_state(j, &a);
	j->found = a;
}

/* proc(5) shows the namespace of the process.  Unlike netlink it does not wait for RTNL. */
static int look_here(struct tx *tx, void *arg)
{
	FILE *f = fopen("/proc/self/net/if_inet6", "re");
	struct job *j = arg;
	unsigned n = 0;
	char line[128];

	if (!f)
		return tx_fail(
			tx, -EAFNOSUPPORT,
			"container: /proc/net/if_inet6: %s (DHCPv6 needs a kernel with IPv6)",
			strerror(errno));
	j->state = WIRE6_ABSENT;
	for (; n < ADDRESSES_MAX && fgets(line, sizeof(line), f); n++) {
		struct in6_addr a;
		unsigned flags;

		if (!read_line(line, j, &a, &flags))
			continue;
		if (j->wanted ? !IN6_ARE_ADDR_EQUAL(&a, j->wanted) : !IN6_IS_ADDR_LINKLOCAL(&a))
			continue;
		j->found = a;
		j->state = state_of_flags(flags);
		if (j->state == WIRE6_USABLE)
			break;
	}
	fclose(f);
	if (j->state == WIRE6_ABSENT && n == ADDRESSES_MAX)
		look_directly(j);
	if (j->state == WIRE6_ABSENT && link_here_try(j->w.ifname) <= 0)
		return tx_fail(tx, -ENODEV, "container: find %s: %s", j->w.ifname,
			       strerror(ENODEV));
	return 0;
}

static int watch_here(struct tx *tx, void *arg)
{
	struct job *j = arg;
	const struct sockaddr_nl a = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV6_IFADDR };
	const int room = EVENT_ROOM;

	j->w.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (j->w.fd >= 0 && setsockopt(j->w.fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room)) == 0 &&
	    bind(j->w.fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	tx_fail(tx, -errno, "container: watch the addresses of %s: %s", j->w.ifname,
		strerror(errno));
	fd_close(&j->w.fd);
	return tx->err;
}

static int open_here(struct tx *tx, struct job *j)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6, .sin6_port = htons(CLIENT_PORT) };
	const int on = 1;

	TRY(look_here(tx, j));
	if (j->state != WIRE6_USABLE)
		return tx_fail(tx, -EADDRNOTAVAIL, "container: %s has no usable link-local address",
			       j->w.ifname);
	if (j->host)
		from.sin6_port = 0;
	from.sin6_addr = j->found;
	from.sin6_scope_id = (uint32_t)j->w.index;
	j->w.fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (j->w.fd >= 0 && setsockopt(j->w.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(j->w.fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0 &&
	    setsockopt(j->w.fd, SOL_SOCKET, SO_BINDTODEVICE, j->w.ifname,
		       (socklen_t)strlen(j->w.ifname) + 1) == 0 &&
	    bind(j->w.fd, (const struct sockaddr *)&from, sizeof(from)) == 0)
		return 0;
	tx_fail(tx, -errno, "container: open a UDP socket on %s: %s", j->w.ifname, strerror(errno));
	fd_close(&j->w.fd);
	return tx->err;
}

/* struct in6_ifreq of linux/ipv6.h, which does not go with the C library's headers. */
static void remove_here(const struct job *j)
{
	struct {
		struct in6_addr address;
		uint32_t length;
		int index;
	} q = { .length = 128, .index = j->w.index };

	if (!j->remove)
		return;
	q.address = *j->remove;
	(void)ioctl(j->w.fd, SIOCDIFADDR, &q);
}

/* To ff02::group: 1:2 are all DHCP relay agents and servers, 2 all routers. */
static int send_to_group(struct tx *tx, const struct job *j, uint16_t port, uint32_t group,
			 const void *data, size_t size)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr.s6_addr32 = { htonl(0xff020000), 0, 0, htonl(group) },
				   .sin6_scope_id = (uint32_t)j->w.index };

	if (sendto(j->w.fd, data, size, 0, (const struct sockaddr *)&to, sizeof(to)) < 0)
		return tx_fail(tx, -errno, "send on %s: %s", j->w.ifname, strerror(errno));
	return 0;
}

static int send_here(struct tx *tx, void *arg)
{
	struct job *j = arg;

	TRY(open_here(tx, j));
	remove_here(j);
	return send_to_group(tx, j, SERVER_PORT, 0x10002, j->todo->packet, j->todo->size);
}

/* A router solicitation without options (RFC 4861, 4.1); the kernel adds the checksum. */
static int solicit_here(struct tx *tx, void *arg)
{
	static const uint8_t message[8] = { ROUTER_SOLICIT };
	const int hops = HOPS;
	struct job *j = arg;
	int r;

	TRY(look_here(tx, j));
	j->w.fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	(void)setsockopt(j->w.fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof(hops));
	r = send_to_group(tx, j, 0, 2, message, sizeof(message));
	fd_close(&j->w.fd);
	return r;
}

/* ---- the namespace ------------------------------------------------------ */

/* Does the kernel ask routers for this interface?  (ipv6_accept_ra()) */
static bool is_asking(const struct netns *ns, const char *ifname)
{
	struct sysctl s = sysctl_conf(AF_INET6, ifname, "accept_ra", NULL);
	char ra[4] = "", forwarding[4] = "";

	if (sysctl_read_try(ns, s.name, ra, sizeof(ra)) < 0 || *ra == '2')
		return true;
	s = sysctl_conf(AF_INET6, ifname, "forwarding", NULL);
	return *ra == '1' && (sysctl_read_try(ns, s.name, forwarding, sizeof(forwarding)) < 0 ||
			      *forwarding != '1');
}

int wire6_prepare(struct daemon *d, struct hold *l)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	/* In this order: the router is asked when the link-local address is made. */
	const struct sysctl list[] = {
		sysctl_conf(AF_INET6, l->ifname, "accept_ra", "2"),
		sysctl_conf(AF_INET6, l->ifname, "disable_ipv6", "0"),
	};

	TRY(wire_enter(d, l, &ns));
	l->six->solicit = !is_asking(&ns, l->ifname);
	return sysctl_ensure(&d->tx, &ns, list, ARRAY_LEN(list), NULL);
}

int wire6_solicit(struct daemon *d, struct hold *l)
{
	struct job j = { .wanted = NULL };

	return wire_run(d, l, solicit_here, &j.w);
}

int wire6_look(struct daemon *d, struct hold *l, const struct in6_addr *a, enum wire6_state *ret)
{
	struct job j = { .wanted = a };

	TRY(wire_run(d, l, look_here, &j.w));
	*ret = j.state;
	return 0;
}

int wire6_watch(struct daemon *d, struct hold *l)
{
	struct job j = { .wanted = NULL };

	if (l->six->events.fd >= 0)
		return 0;
	TRY(wire_run(d, l, watch_here, &j.w));
	return wire_wait(d, &l->six->events, j.w.fd);
}

void wire6_drain(const struct source *events)
{
	char byte;

	for (unsigned i = 0; i < EVENTS_MAX; i++)
		if (recv(events->fd, &byte, 1, MSG_DONTWAIT) < 0 && errno != ENOBUFS)
			return;
}

/* ---- sending ------------------------------------------------------------ */

int wire6_send(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	struct hold6 *six = l->six;
	struct job j = { .todo = todo };
	int r;

	/* The link-local address may have changed since the socket was opened. */
	daemon_unwatch(d, &six->udp);
	six->listen = daemon_at().now + LISTEN_MS;
	r = wire_run(d, l, send_here, &j.w);
	if (r < 0) {
		fd_close(&j.w.fd);
		return r;
	}
	return wire_wait(d, &six->udp, j.w.fd);
}

int wire6_send_last(struct daemon *d, struct hold *l, const struct dhcp_todo *todo,
		    const struct in6_addr *remove)
{
	struct job j = { .todo = todo, .remove = remove };
	int r = wire_run(d, l, send_here, &j.w);

	fd_close(&j.w.fd);
	return r;
}

/* All links of the network hear a multicast, so the host's link serves as well. */
int wire6_send_from_host(struct daemon *d, const struct hold *l, const struct dhcp_todo *todo)
{
	struct job j = { .w.fd = -1, .todo = todo, .host = true };
	int r;

	snprintf(j.w.ifname, sizeof(j.w.ifname), "%s", l->parent);
	r = send_here(&d->tx, &j);
	fd_close(&j.w.fd);
	return r;
}
