// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysctl.c - /proc/sys/net, in whichever namespace
 *
 * Several values are written behind one door (netns_run()), for every passage
 * costs two system calls.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/differ.h"
#include "base/log.h"
#include "sys/sysctl.h"

struct job {
	const struct netns *ns;
	const struct sysctl *list;
	unsigned n, missed;
	bool unread;
	char *ret;
	size_t size;
};

struct sysctl sysctl_conf(int family, const char *ifname, const char *key, const char *value)
{
	struct sysctl s = { .value = value };

	snprintf(s.name, sizeof(s.name), "net/ipv%d/conf/%s/%s", family == AF_INET6 ? 6 : 4, ifname,
		 key);
	return s;
}

static int open_knob(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int read_here(const char *name, char *ret, size_t size)
{
	auto_(fd_close) int fd = open_knob(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, ret, size - 1);
	if (n < 0)
		return -errno;
	if (n > 0 && ret[n - 1] == '\n')
		n--;
	ret[n] = '\0';
	return 0;
}

static int write_here(const char *name, const char *value)
{
	auto_(fd_close) int fd = open_knob(name, O_WRONLY);

	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) < 0)
		return -errno;
	log_step("sysctl %s = %s", name, value);
	return 0;
}

/* Through the door, or right here. */
static int go(struct tx *tx, struct job *j, int (*fn)(struct tx *tx, void *arg))
{
	return j->ns ? netns_run(tx, j->ns, fn, j) : fn(tx, j);
}

static int ensure_one(const struct sysctl *s, bool unread)
{
	char now[64];
	int r;

	if (unread && write_here(s->name, s->value) == 0)
		return 0;
	r = read_here(s->name, now, sizeof(now));
	if (r < 0 || str_eq(now, s->value))
		return r;
	r = write_here(s->name, s->value);
	if (r < 0)
		log_warn("sysctl %s is %s and cannot be set to %s: %s", s->name, now, s->value,
			 strerror(-r));
	return r;
}

static int ensure_all(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n; i++)
		j->missed += ensure_one(&j->list[i], j->unread) < 0;
	return 0;
}

int sysctl_ensure(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n,
		  unsigned *ret_missed)
{
	struct job j = { .ns = ns, .list = list, .n = n };

	TRY(go(tx, &j, ensure_all));
	if (ret_missed)
		*ret_missed = j.missed;
	return 0;
}

int sysctl_ensure_new(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n)
{
	struct job j = { .ns = ns, .list = list, .n = n, .unread = true };

	return go(tx, &j, ensure_all);
}

static bool read_only(const char *name)
{
	auto_(fd_close) int fd = open_knob(name, O_WRONLY);

	return fd == -EROFS || fd == -EACCES;
}

static int check_all(struct tx *tx, void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n; i++) {
		const struct sysctl *s = &j->list[i];
		char now[64];

		if (read_here(s->name, now, sizeof(now)) == 0 && !str_eq(now, s->value) &&
		    !read_only(s->name))
			differ(tx, mem_printf(&tx->mem, "sysctl %s", s->name), s->value, now);
	}
	return 0;
}

int sysctl_check(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n)
{
	struct job j = { .ns = ns, .list = list, .n = n };

	return go(tx, &j, check_all);
}

static int read_one(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	return read_here(j->list->name, j->ret, j->size);
}

int sysctl_read(struct tx *tx, const struct netns *ns, const char *name, char *ret, size_t size)
{
	struct sysctl s = { .value = NULL };
	struct job j = { .ns = ns, .list = &s, .n = 1, .ret = ret, .size = size };

	snprintf(s.name, sizeof(s.name), "%s", name);
	return go(tx, &j, read_one);
}

static int write_one(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	return write_here(j->list->name, j->list->value);
}

struct undo_sysctl {
	const struct netns *ns;
	char name[96], old[48];
};

static int write_value(struct tx *tx, const struct netns *ns, const char *name, const char *value)
{
	struct sysctl s = { .value = value };
	struct job j = { .ns = ns, .list = &s, .n = 1 };
	int r;

	snprintf(s.name, sizeof(s.name), "%s", name);
	r = go(tx, &j, write_one);
	return r < 0 && r != -ENOENT
		       ? tx_fail(tx, r, "set sysctl %s to %s: %s", name, value, strerror(-r))
		       : r;
}

static int undo_sysctl(struct tx *tx, void *arg)
{
	struct undo_sysctl *u = arg;

	return write_value(tx, u->ns, u->name, u->old);
}

int sysctl_set(struct tx *tx, const struct netns *ns, const char *name, const char *value)
{
	struct undo_sysctl u = { .ns = ns };
	int r;

	snprintf(u.name, sizeof(u.name), "%s", name);
	r = sysctl_read(tx, ns, name, u.old, sizeof(u.old));
	if (r < 0 && r != -ENOENT && !tx->err) /* the door tells for itself */
		return tx_fail(tx, r, "read sysctl %s: %s", name, strerror(-r));
	TRY(r);
	if (str_eq(u.old, value))
		return 0;
	TRY(write_value(tx, ns, name, value));
	return tx_undo(tx, undo_sysctl, "set sysctl", &u);
}
