/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * private_net.h - network namespaces for tests, and sockets in them
 *
 * private_net() enters a new network namespace, with lo up.  Without privileges it enters a new
 * user namespace first.  Each call enters another one.
 */
#ifndef CPLUG_TEST_PRIVATE_NET_H
#define CPLUG_TEST_PRIVATE_NET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "value/ip.h"

static inline bool write_file(const char *path, const char *text)
{
	auto_(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static inline bool private_user(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWUSER) < 0)
		return false;
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	if (!write_file("/proc/self/uid_map", map))
		return false;
	snprintf(map, sizeof(map), "0 %u 1", gid);
	return write_file("/proc/self/gid_map", map);
}

/* Returns false if namespaces are not allowed. */
static inline bool private_net(void)
{
	auto_(fd_close) int fd = -1;
	struct ifreq lo = { .ifr_name = "lo" };

	if (unshare(CLONE_NEWNET) < 0 && (!private_user() || unshare(CLONE_NEWNET) < 0)) {
		fprintf(stderr, "no new network namespace: %s\n", strerror(errno));
		return false;
	}
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	lo.ifr_flags = IFF_UP | IFF_RUNNING;
	return ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
}

/* True if a program is installed.  Adds /usr/sbin to PATH, which ordinary users lack. */
static inline bool have_program(const char *name)
{
	char command[128];

	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	snprintf(command, sizeof(command), "command -v %s >/dev/null", name);
	return system(command) == 0; /* NOLINT(bugprone-command-processor,cert-env33-c) */
}

/* Runs a shell command in the test's namespaces; true if it succeeds. */
static inline bool shell(const char *command)
{
	return system(command) == 0; /* NOLINT(bugprone-command-processor,cert-env33-c) */
}

static inline struct ip ip_of(const char *text)
{
	struct ip ip = { 0 };

	if (!ip_parse(text, &ip))
		abort();
	return ip;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static inline socklen_t address_of(struct ip ip, uint16_t port, union address *ret)
{
	*ret = (union address){ 0 };
	ret->any.sa_family = (sa_family_t)ip.family;
	if (ip.family == AF_INET) {
		ret->v4.sin_addr = ip.v4;
		ret->v4.sin_port = htons(port);
		return sizeof(ret->v4);
	}
	ret->v6.sin6_addr = ip.v6;
	ret->v6.sin6_port = htons(port);
	return sizeof(ret->v6);
}

/* Returns a bound socket (SOCK_STREAM: listening), or -1. */
static inline int serve(int type, const char *addr, uint16_t port, bool v6only)
{
	struct ip ip = ip_of(addr);
	int fd = socket(ip.family, type | SOCK_CLOEXEC, 0), on = 1, only = v6only;
	union address a;
	socklen_t len = address_of(ip, port, &a);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ip.family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	if (bind(fd, &a.any, len) == 0 && (type != SOCK_STREAM || listen(fd, 8) == 0))
		return fd;
	close(fd);
	return -1;
}

/* Returns a connected socket, or -1 after a second. */
static inline int reach(int type, const char *addr, uint16_t port)
{
	struct timeval second = { .tv_sec = 1 };
	struct ip ip = ip_of(addr);
	int fd = socket(ip.family, type | SOCK_CLOEXEC, 0);
	union address a;
	socklen_t len = address_of(ip, port, &a);

	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	if (connect(fd, &a.any, len) == 0)
		return fd;
	close(fd);
	return -1;
}

/* True if a datagram or connection arrives within ms milliseconds; receives it. */
static inline bool arrives(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char buf[64];

	if (poll(&p, 1, ms) != 1)
		return false;
	if (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) < 0) {
		int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

		if (conn < 0)
			return false;
		close(conn);
	}
	return true;
}

#endif
