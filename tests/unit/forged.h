/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * forged.h - messages of another socket, which come before a netlink socket is connected
 */
#ifndef CPLUG_TEST_FORGED_H
#define CPLUG_TEST_FORGED_H

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "unit.h"

static unsigned forged_before_connect; /* how many the next connect() finds in its socket */

static void forge_answers(int to_fd)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} forged = { .h = { .nlmsg_len = sizeof(forged), .nlmsg_type = NLMSG_ERROR },
		     .e.error = -EIO };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t size = sizeof(to);
	auto_(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

	/* Not each caller has given its socket a number; connect() would. */
	(void)bind(to_fd, (const struct sockaddr *)&to, sizeof(to));
	assert_int_equal(getsockname(to_fd, (struct sockaddr *)&to, &size), 0);
	for (; forged_before_connect; forged_before_connect--)
		(void)!sendto(fd, &forged, sizeof(forged), MSG_DONTWAIT, (struct sockaddr *)&to,
			      sizeof(to));
}

/* Takes the place of the C library's, whose parameters have reserved names. */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name) */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
	if (forged_before_connect)
		forge_answers(fd);
	return (int)syscall(SYS_connect, fd, address, size);
}

#endif
