// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netns.c - namespaces, and the one door into them
 *
 * A path from the environment can be anything: a FIFO that would block, a file
 * left behind by a namespace that is gone, the host's own.  So it is looked at
 * through O_PATH before it is opened for real, and what was opened is compared
 * with what was looked at.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "sys/netns.h"

static int refuse(struct tx *tx, const char *path, const char *reason)
{
	return tx_fail_as(tx, CNI_E_NETNS, -EINVAL,
			  "CNI_NETNS: open %s: %s (give the path of a network namespace, like "
			  "/run/netns/NAME or /proc/PID/ns/net)",
			  path, reason);
}

int netns_open(struct tx *tx, const char *path, struct netns *ret)
{
	auto_(fd_close) int look = open(path, O_PATH | O_CLOEXEC);
	auto_(fd_close) int fd = -1;
	struct statfs fs;
	struct stat seen, opened;
	int type;

	if (look < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (look < 0 || fstatfs(look, &fs) < 0 || fstat(look, &seen) < 0)
		return refuse(tx, path, strerror(errno));
	if (fs.f_type != NSFS_MAGIC)
		return refuse(tx, path, "it is not a namespace");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &opened) < 0)
		return errno == ENOENT ? -ENOENT : refuse(tx, path, strerror(errno));
	if (seen.st_dev != opened.st_dev || seen.st_ino != opened.st_ino)
		return refuse(tx, path, "it changed while it was opened");
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type >= 0 && type != CLONE_NEWNET)
		return refuse(tx, path, "it is a namespace, but not a network namespace");
	*ret = (struct netns){ .fd = fd_steal(&fd), .dev = opened.st_dev, .ino = opened.st_ino };
	return 0;
}

/*
 * Where this process is when it is in no other: opened once, for the door is passed often.
 * A child may have been born somewhere else.
 */
static struct {
	int fd;
	pid_t owner;
} home = { .fd = -1 };

static int find_home(struct tx *tx)
{
	if (home.fd >= 0 && home.owner == getpid())
		return 0;
	fd_close(&home.fd);
	home.fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	home.owner = getpid();
	if (home.fd >= 0)
		return 0;
	return tx_fail(tx, -errno, "host: open /proc/self/ns/net: %s%s", strerror(errno),
		       errno == ENOENT ? " (is /proc mounted?)" : "");
}

int netns_open_self(struct tx *tx, struct netns *ret)
{
	struct stat st;
	int fd;

	TRY(find_home(tx));
	fd = fcntl(home.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(home.fd, &st) < 0) {
		fd_close(&fd);
		return tx_fail(tx, -errno, "host: look at /proc/self/ns/net: %s", strerror(errno));
	}
	*ret = (struct netns){ .fd = fd, .dev = st.st_dev, .ino = st.st_ino };
	return 0;
}

void netns_close(struct netns *ns)
{
	fd_close(&ns->fd);
}

bool netns_eq(const struct netns *a, const struct netns *b)
{
	return a->fd >= 0 && b->fd >= 0 && a->dev == b->dev && a->ino == b->ino;
}

/* Nothing can be done from here, not even undone: so it is tried more than once. */
static bool go_home(void)
{
	for (int tries = 0; tries < 4; tries++)
		if (setns(home.fd, CLONE_NEWNET) == 0)
			return true;
	return false;
}

int netns_run(struct tx *tx, const struct netns *ns, int (*fn)(struct tx *tx, void *arg), void *arg)
{
	int r;

	TRY(find_home(tx));
	if (setns(ns->fd, CLONE_NEWNET) < 0)
		return tx_fail_as(tx, CNI_E_NETNS, -errno,
				  "container: enter the network namespace: %s%s", strerror(errno),
				  errno == EPERM ? " (CAP_SYS_ADMIN is needed)" : "");
	r = fn(tx, arg);
	if (!go_home()) {
		log_line(LOG_ERROR, "cannot return from the container's namespace: %s",
			 strerror(errno));
		abort();
	}
	return r;
}

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int read_cookie(struct tx *tx UNUSED, void *arg)
{
	auto_(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(uint64_t);

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, arg, &size) < 0)
		return -errno;
	return 0;
}

uint64_t netns_cookie(struct tx *tx, const struct netns *ns)
{
	uint64_t cookie = 0;
	int r = netns_run(tx, ns, read_cookie, &cookie);

	if (r < 0 && tx->err)
		tx_excuse(tx, r, "its namespace will not be told from a later one");
	return r < 0 ? 0 : cookie;
}
