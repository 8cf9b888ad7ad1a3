// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netns.c - open, compare and enter network namespaces
 *
 * A path from the environment can name anything: a FIFO that would block, a file that a
 * deleted namespace left behind, the host's own namespace.  So it is opened with O_PATH and
 * checked, then opened for reading, and the two are compared.
 *
 * Each process has entries of its own in /proc, which the kernel makes when they are first looked
 * at, and removes when the process ends: together 30 µs, a fifth of a short call.  So /proc is
 * used only where the kernel has no other way.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/log.h"
#include "sys/netns.h"

static int refuse(struct tx *tx, const char *path, int err, const char *reason)
{
	return tx_fail_as(tx, CNI_E_NETNS, err,
			  "CNI_NETNS: open %s: %s (give the path of a network namespace, like "
			  "/run/netns/NAME or /proc/PID/ns/net)",
			  path, reason);
}

enum { HANDLE_MAX = 128 }; /* MAX_HANDLE_SZ */

union handle {
	struct file_handle h;
	char room[sizeof(struct file_handle) + HANDLE_MAX];
};

/* false: the kernel has no handle of fd.  *ret_id: 0 if it is not one of a namespace. */
static bool get_handle(int fd, union handle *ret, uint64_t *ret_id)
{
	struct netns_handle ns;
	int mount;

	ret->h.handle_bytes = HANDLE_MAX;
	if (name_to_handle_at(fd, "", &ret->h, &mount, AT_EMPTY_PATH) < 0)
		return false;
	*ret_id = 0;
	if (ret->h.handle_type != NETNS_HANDLE || ret->h.handle_bytes < sizeof(ns))
		return true;
	memcpy(&ns, ret->h.f_handle, sizeof(ns));
	*ret_id = ns.id;
	return true;
}

/*
 * Opens for reading what look was opened for with O_PATH: by its handle (nsfs since Linux 6.18), or
 * through /proc.  Not by the path: it may lead to a device by now, in a container's folder
 * (alive.c).  *ret_id is set only in the first way.
 */
static int open_looked_at(int look, uint64_t *ret_id)
{
	union handle h;
	int fd = -1;
	char self[40];

	if (get_handle(look, &h, ret_id))
		fd = open_by_handle_at(NETNS_NSFS_ROOT, &h.h, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	*ret_id = 0;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", look);
	return open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

int netns_open(struct tx *tx, const char *path, struct netns *ret)
{
	auto_(fd_close) int look = open(path, O_PATH | O_CLOEXEC);
	auto_(fd_close) int fd = -1;
	struct statfs fs;
	struct stat seen, opened = { .st_ino = 0 };
	uint64_t id = 0;
	int type, r = 0;

	if (look < 0 && (errno == ENOENT || errno == ENOTDIR))
		return -ENOENT;
	if (look < 0 || fstatfs(look, &fs) < 0 || fstat(look, &seen) < 0)
		return refuse(tx, path, -errno, strerror(errno));
	if (fs.f_type != NSFS_MAGIC)
		return refuse(tx, path, -EINVAL, "it is not a namespace");
	fd = open_looked_at(look, &id);
	if (fd < 0 || fstat(fd, &opened) < 0)
		r = -errno;
	if (r == -ENOENT)
		return r;
	if (r < 0)
		return refuse(tx, path, r, strerror(-r));
	if (seen.st_dev != opened.st_dev || seen.st_ino != opened.st_ino)
		return refuse(tx, path, -EAGAIN, "it changed while it was opened");
	type = ioctl(fd, NS_GET_NSTYPE);
	if (type >= 0 && type != CLONE_NEWNET)
		return refuse(tx, path, -EINVAL, "it is a namespace, but not a network namespace");
	*ret = (struct netns){
		.fd = fd_steal(&fd), .dev = opened.st_dev, .ino = opened.st_ino, .id = id
	};
	return 0;
}

/*
 * The namespace of this process, opened once because netns_run() is called often.  owner: a
 * child that was forked in another namespace has another home.
 */
static struct {
	int fd;
	pid_t owner;
	bool away;       /* between setns(ns) and setns(home) */
	uint64_t cookie; /* 0 = not known */
} home = { .fd = -1 };

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static int ask_cookie(int fd, uint64_t *ret)
{
	socklen_t size = sizeof(*ret);

	if (getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, ret, &size) < 0)
		return -errno;
	return 0;
}

/* The namespace of a socket (netns(7), SIOCGSKNS: needs CAP_NET_ADMIN) is the process's. */
static int open_own(uint64_t *ret_cookie)
{
	auto_(fd_close) int sk = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int fd = sk < 0 ? -1 : ioctl(sk, SIOCGSKNS);

	*ret_cookie = 0;
	if (sk >= 0)
		(void)ask_cookie(sk, ret_cookie);

	if (fd >= 0)
		return fd;
	return open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
}

/* Opens the home namespace unless it is open.  Returns 0 or -errno. */
static int open_home(void)
{
	pid_t self = getpid();

	if (home.fd >= 0 && home.owner == self)
		return 0;
	fd_close(&home.fd);
	home.fd = open_own(&home.cookie);
	home.owner = self;
	home.away = false;
	return home.fd < 0 ? -errno : 0;
}

static int need_home(struct tx *tx)
{
	int r = open_home();
	const char *hint = r == -ENOENT ? " (is /proc mounted?)" : "";

	if (r < 0)
		return tx_fail(tx, r, "host: open /proc/self/ns/net: %s%s", strerror(-r), hint);
	return 0;
}

int netns_open_self(struct tx *tx, struct netns *ret)
{
	struct stat st;
	int fd;

	TRY(need_home(tx));
	fd = fcntl(home.fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &st) < 0) {
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

/* Returns 0 or -errno. */
static int enter(const struct netns *ns)
{
	if (setns(ns->fd, CLONE_NEWNET) < 0)
		return -errno;
	home.away = true;
	return 0;
}

/* Retry before aborting: in the wrong namespace we cannot even roll back. */
static void leave(void)
{
	for (int tries = 0; tries < 4; tries++)
		if (setns(home.fd, CLONE_NEWNET) == 0) {
			home.away = false;
			return;
		}
	log_line(LOG_ERROR, "cannot return from the container's namespace: %s", strerror(errno));
	abort();
}

int netns_run(struct tx *tx, const struct netns *ns, int (*fn)(struct tx *tx, void *arg), void *arg)
{
	const char *hint;
	int r;

	TRY(need_home(tx));
	r = enter(ns);
	hint = r == -EPERM ? " (CAP_SYS_ADMIN is needed)" : "";
	if (r < 0)
		return tx_fail_as(tx, CNI_E_NETNS, r,
				  "container: enter the network namespace: %s%s", strerror(-r),
				  hint);
	r = fn(tx, arg);
	leave();
	return r;
}

int netns_run_try(const struct netns *ns, int (*fn)(void *arg), void *arg)
{
	int r;

	TRY(open_home());
	TRY(enter(ns));
	r = fn(arg);
	leave();
	return r;
}

/* The descriptor is not closed: its number may be another file's by now. */
void netns_forget_home(void)
{
	home.fd = -1;
	home.owner = 0;
	home.away = false;
}

void netns_go_home(void)
{
	if (home.away && home.owner == getpid())
		leave();
}

static int read_cookie(void *arg)
{
	auto_(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return ask_cookie(fd, arg);
}

/* -ENOPROTOOPT: before Linux 5.14 */
static uint64_t cookie_or_none(uint64_t cookie, int r)
{
	if (r < 0 && r != -ENOPROTOOPT)
		log_warn("cannot read the cookie of a network namespace: %s", strerror(-r));
	return r < 0 ? 0 : cookie;
}

static bool is_home(const struct netns *ns)
{
	struct stat st;

	return home.fd >= 0 && fstat(home.fd, &st) == 0 && st.st_dev == ns->dev &&
	       st.st_ino == ns->ino;
}

/* Is the id in a handle the cookie?  It is, if it is for the namespace of this process. */
static bool ids_are_cookies(void)
{
	static enum { UNKNOWN, NO, YES } known;
	union handle h;
	uint64_t id;

	if (known == UNKNOWN && home.fd >= 0 && home.cookie)
		known = get_handle(home.fd, &h, &id) && id == home.cookie ? YES : NO;
	return known == YES;
}

uint64_t netns_cookie(const struct netns *ns)
{
	uint64_t cookie = 0;
	int r;

	if (ns->id && ids_are_cookies())
		return ns->id;
	r = netns_run_try(ns, read_cookie, &cookie);

	/* setns(2) needs privileges, also for the namespace of this process. */
	if (r == -EPERM && is_home(ns))
		r = read_cookie(&cookie);
	return cookie_or_none(cookie, r);
}

uint64_t netns_cookie_of_socket(int fd)
{
	uint64_t cookie = 0;
	int r = ask_cookie(fd, &cookie);

	return cookie_or_none(cookie, r);
}

struct netns_id netns_identify(const struct netns *ns)
{
	uint64_t cookie = netns_cookie(ns);
	struct netns_id id = { .cookie = "" };

	snprintf(id.inode, sizeof(id.inode), "%" PRIu64, (uint64_t)ns->ino);
	if (cookie)
		snprintf(id.cookie, sizeof(id.cookie), "%" PRIu64, cookie);
	return id;
}

bool netns_is(const struct netns *ns, const char *inode, const char *cookie)
{
	struct netns_id now = netns_identify(ns);

	if (!str_empty(cookie) && *now.cookie)
		return str_eq(cookie, now.cookie);
	return str_empty(inode) || str_eq(inode, now.inode);
}
