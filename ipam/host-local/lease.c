// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lease.c - the files of a network's folder, in the format of the reference host-local
 *
 * A lease appears complete or not at all: its content is written to an unnamed file
 * (O_TMPFILE), and link() gives it the address as its name.  link() succeeds for one process
 * and fails with EEXIST for all others, even without the lock.  Where there are no hard links, an
 * exclusive open() does, and a crash leaves a torn file.  There is no fsync(2);
 * docs/leases.md explains why.
 */
#include <fcntl.h>
#include <stdio.h>

#include "sys/file.h"
#include "ipam/host-local/lease.h"
#include "value/name.h"

/* A container id comes from the environment, where a string has at most 128 KiB (execve(2)). */
enum { SMALL = 512, LEASE_MAX = 256 * 1024 };

const char *lessee_text(struct mem *mem, const struct lessee *o)
{
	if (!o->ifname)
		return mem_printf(mem, "container %s", o->id);
	return mem_printf(mem, "container %s (%s)", o->id, o->ifname);
}

/* Removes white space at both ends. */
static char *trim(char *s)
{
	static const char space[] = " \t\r\n\v\f";
	size_t n;

	s += strspn(s, space);
	for (n = strlen(s); n && strchr(space, s[n - 1]); n--)
		s[n - 1] = '\0';
	return s;
}

bool lease_parse(char *text, size_t size, struct lessee *ret)
{
	char *end;

	if (strlen(text) != size)
		return false;
	text = trim(text);
	end = text + strcspn(text, "\r\n");
	*ret = (struct lessee){ .id = text };
	if (*end) {
		ret->ifname = end + strspn(end, "\r\n");
		ret->odd = !str_starts(end, "\r\n") || ret->ifname != end + 2;
		*end = '\0';
	}
	return name_valid_id(ret->id) && !(ret->ifname && name_invalid_ifname(ret->ifname));
}

bool lease_is_torn(char *text, size_t size)
{
	size_t n = strlen(text);
	struct lessee o;

	if (n && n == size)
		return false;
	for (size_t i = n; i < size; i++)
		if (text[i])
			return false;
	return !n || lease_parse(text, n, &o);
}

/* *ret points into small, or into the arena if small is too small. */
static int read_name(struct mem *mem, int dir, const char *name, char small[SMALL],
		     struct lessee *ret)
{
	auto_(fd_close) int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char *text = small;
	struct stat st;
	size_t size;
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, small, SMALL - 1);
	if (n < 0)
		return -errno;
	/* A FIFO and some devices can be read, too, and are empty; they are no torn lease. */
	if (n == 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
		return -EINVAL;
	size = (size_t)n;
	small[size] = '\0';
	if (size == SMALL - 1) {
		struct file_text all;
		int r = file_read(mem, dir, name, LEASE_MAX, &all);

		if (r < 0)
			return r == -EFBIG ? -EILSEQ : r;
		text = all.s;
		size = all.size;
	}
	if (lease_is_torn(text, size))
		return -EBADMSG;
	if (!lease_parse(text, size, ret))
		return -EILSEQ;
	return 0;
}

int lease_read(struct mem *mem, int dir, struct ip ip, struct lease *ret)
{
	char small[SMALL];
	struct lessee o;

	TRY(read_name(mem, dir, IP_S(ip), small, &o));
	ret->ip = ip;
	ret->lessee.id = mem_str(mem, o.id);
	ret->lessee.ifname = mem_str(mem, o.ifname);
	return 0;
}

int lease_scan(struct tx *tx, int dir, lease_each_fn *each, void *arg)
{
	/* not dup(): a duplicate would share the position */
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_(file_close_dir) DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e = NULL;
	int result = 0;

	if (!d) {
		fd_close(&fd);
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "read the leases: %s", strerror(errno));
	}
	while (result != -EINTR && result != -E2BIG && (errno = 0, e = readdir(d)) != NULL) {
		struct lease l = { .lessee.id = "" };
		char small[SMALL];
		int r;

		if (!ip_parse(e->d_name, &l.ip) || !str_eq(IP_S(l.ip), e->d_name))
			continue;
		r = read_name(&tx->mem, dir, e->d_name, small, &l.lessee);
		if (r != -ENOENT)
			result = also(result, each(tx, &l, r, arg));
		if (result == 0)
			result = tx_interrupted(tx);
	}
	if (!e && errno)
		result = also(result, tx_fail_as(tx, CPLUG_E_FILE, -errno, "read the leases: %s",
						 strerror(errno)));
	return result;
}

/* ---- making leases ---- */

static int open_spare(struct lease_spare *s)
{
	int fd;

	/* unlink, do not truncate: the file of a killed call may have become a lease */
	unlinkat(s->dir, s->name, 0);
	fd = openat(s->dir, s->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? -EIO : -errno;
	s->used = true;
	return fd;
}

static int write_lease(struct mem *mem, int fd, struct lessee o)
{
	const char *text = mem_printf(mem, "%s\r\n%s", o.id, o.ifname);
	ssize_t size = (ssize_t)strlen(text), n = write(fd, text, (size_t)size);

	if (n != size)
		return n < 0 ? -errno : -ENOSPC;
	return 0;
}

int lease_new(struct mem *mem, int dir, struct lease_spare *spare, struct lessee o)
{
	auto_(fd_close) int fd = openat(dir, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	if (fd < 0 && errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
		return -errno;
	if (fd < 0)
		fd = open_spare(spare);
	if (fd < 0)
		return fd;
	TRY(write_lease(mem, fd, o));
	return fd_steal(&fd);
}

int lease_link(struct mem *mem, int dir, int fd, struct ip ip, struct lessee o)
{
	int r = file_link(fd, dir, IP_S(ip));
	auto_(fd_close) int lease = -1;

	if (!file_no_links(r))
		return r;
	lease = openat(dir, IP_S(ip), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (lease < 0)
		return -errno;
	r = write_lease(mem, lease, o);
	if (r < 0)
		unlinkat(dir, IP_S(ip), 0);
	return r;
}

/* ---- last_reserved_ip ---- */

struct last_name {
	char s[40];
};

static struct last_name last_name(unsigned set)
{
	struct last_name n;

	snprintf(n.s, sizeof(n.s), "last_reserved_ip.%u", set);
	return n;
}

static struct ip read_last(int fd, size_t *ret_size)
{
	struct ip ip = { .family = 0 };
	char text[64];
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	*ret_size = n < 0 ? sizeof(text) : (size_t)n;
	if (n > 0) {
		text[n] = '\0';
		if (!ip_parse(trim(text), &ip))
			ip.family = 0;
	}
	return ip;
}

static int open_last(int dir, unsigned set, int flags)
{
	flags |= O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	return openat(dir, last_name(set).s, flags, 0600);
}

struct ip lease_last(int dir, unsigned set)
{
	auto_(fd_close) int fd = open_last(dir, set, O_RDONLY);
	size_t size;

	return read_last(fd, &size);
}

struct ip lease_last_open(int dir, unsigned set, struct lease_cursor *ret)
{
	*ret = (struct lease_cursor){ .fd = open_last(dir, set, O_RDWR), .set = set };
	if (ret->fd < 0)
		return lease_last(dir, set);
	return read_last(ret->fd, &ret->size);
}

static int write_last(int fd, size_t former, struct ip ip)
{
	struct ip_text t = ip_text(ip);
	ssize_t n = (ssize_t)strlen(t.s);

	if (pwrite(fd, t.s, (size_t)n, 0) != n || ((size_t)n < former && ftruncate(fd, n) < 0))
		return errno ? -errno : -EIO;
	return 0;
}

/*
 * Overwrites the file in place, as the reference does: it only says where the next search
 * starts, so a torn one is harmless, and a rename would cost more than a lease.
 */
int lease_set_last(int dir, unsigned set, struct ip ip)
{
	auto_(fd_close) int fd = -1;

	if (!ip_set(ip)) {
		if (unlinkat(dir, last_name(set).s, 0) < 0 && errno != ENOENT)
			return -errno;
		return 0;
	}
	fd = open_last(dir, set, O_WRONLY | O_CREAT);
	if (fd < 0)
		return -errno;
	return write_last(fd, SIZE_MAX, ip);
}

int lease_last_write(int dir, unsigned set, struct lease_cursor *c, struct ip ip)
{
	if (c->fd < 0 || c->set != set)
		return lease_set_last(dir, set, ip);
	return write_last(c->fd, c->size, ip);
}
