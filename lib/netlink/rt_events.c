// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rt_events.c - rtnetlink: waiting for events
 */
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "netlink/rt.h"

/* An event is one message; longer ones are not looked at. */
static char datagram[65536] __attribute__((aligned(NLMSG_ALIGNTO)));

int rt_subscribe(struct tx *tx, const struct rt *rt, unsigned group, struct rt *ret)
{
	TRY(rt_open(tx, ret, rt->where, rt->ns));
	if (nl_socket_add_membership(ret->sk, (int)group) == 0)
		return 0;
	rt_close(ret);
	return tx_fail(tx, -EIO, "%s: subscribe to rtnetlink group %u", rt->where, group);
}

/* One datagram of the kernel's; -EAGAIN: there is none, or another process sent it. */
static ssize_t receive_event(struct rt *events)
{
	struct sockaddr_nl from = { .nl_pid = 0 };
	struct iovec room = { .iov_base = datagram, .iov_len = sizeof(datagram) };
	struct msghdr m = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &room,
		.msg_iovlen = 1,
	};
	ssize_t n = recvmsg(nl_socket_get_fd(events->sk), &m, MSG_DONTWAIT);

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (from.nl_pid != 0 || (m.msg_flags & MSG_TRUNC))
		return -EAGAIN;
	return n;
}

static int give_events(ssize_t n, rt_each_fn *each, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)datagram;
	int left = (int)n, r = 0;

	for (; r == 0 && nlmsg_ok(h, left); h = nlmsg_next(h, &left))
		r = each(h, arg);
	return r;
}

int rt_any_event(const struct nlmsghdr *h UNUSED, void *arg UNUSED)
{
	return 1;
}

int rt_wait(struct tx *tx, struct rt *events, int64_t deadline, rt_each_fn *each, void *arg)
{
	for (;;) {
		struct pollfd p = { .fd = nl_socket_get_fd(events->sk), .events = POLLIN };
		int64_t left = deadline - clock_ms();
		ssize_t n;
		int r;

		TRY(tx_interrupted(tx));
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = receive_event(events);
		if (n == -EAGAIN)
			continue;
		r = n < 0 ? each(NULL, arg) : give_events(n, each, arg);
		if (r)
			return r < 0 ? r : 0;
	}
}
