// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sysctl.c - read and write /proc/sys/net, in any network namespace
 *
 * A list of values takes one passage through netns_run(), which costs two system calls.  The
 * functions that run inside another namespace do not allocate: they fill what the caller
 * allocated before (netns.h).
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/differ.h"
#include "base/log.h"
#include "sys/procfs.h"
#include "sys/sysctl.h"

enum { VALUE_MAX = 64 };

/* A value as CHECK found it. */
struct reading {
	bool differs;
	char now[VALUE_MAX];
};

struct job {
	const struct netns *ns;
	const struct sysctl *list;
	unsigned n, missed;
	bool is_new;             /* write without reading */
	struct reading *reading; /* one for each of the list */
	char *ret;               /* read: the value */
	size_t size;
	int err; /* of reading or writing one value */
	struct sysctl_value *values;
};

/* Joins the parts in ret, cut to its size.  printf() of musl takes ten times as long. */
static void join(char *ret, size_t size, const char *const *parts, unsigned n)
{
	size_t left = size - 1;

	for (unsigned i = 0; i < n; i++)
		for (const char *p = parts[i]; *p && left; left--)
			*ret++ = *p++;
	*ret = '\0';
}

struct sysctl sysctl_conf(int family, const char *ifname, const char *key, const char *value)
{
	struct sysctl s = { .value = value };
	const char *parts[] = { family == AF_INET6 ? "net/ipv6/conf/" : "net/ipv4/conf/", ifname,
				"/", key };

	join(s.name, sizeof(s.name), parts, ARRAY_LEN(parts));
	return s;
}

/* While this process is in another namespace: procfs_own(). */
static int proc_of_passage = -1;

static int open_knob(const char *name, int flags)
{
	const char *parts[] = { "/proc/sys/", name };
	char path[128];
	int fd;

	join(path, sizeof(path), parts, ARRAY_LEN(parts));
	if (proc_of_passage < 0)
		fd = open(path, flags | O_CLOEXEC);
	else
		fd = openat(proc_of_passage, path + strlen("/proc/"), flags | O_CLOEXEC);
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
	/* Writing nothing does nothing; a line without content makes a list empty. */
	if (!*value)
		value = "\n";
	if (write(fd, value, strlen(value)) < 0)
		return -errno;
	log_step("sysctl %s = %s", name, value);
	return 0;
}

/* Calls fn(tx, j) in the namespace of the job; records only a failure to enter it. */
static int run_in_ns(struct tx *tx, struct job *j, int (*fn)(struct tx *tx, void *arg))
{
	int r;

	if (!j->ns)
		return fn(tx, j);
	proc_of_passage = procfs_own();
	r = netns_run(tx, j->ns, fn, j);
	proc_of_passage = -1;
	return r;
}

/* One warning for all. */
static void warn_no_sysctls(const struct sysctl *s)
{
	static bool warned;

	if (warned || procfs_has_sysctls())
		return;
	warned = true;
	log_warn("sysctl %s cannot be set to %s, nor any other: there is no /proc/sys/net here "
		 "(mount /proc without subset=pid)",
		 s->name, s->value);
}

static int ensure_one(const struct sysctl *s, bool is_new)
{
	char now[VALUE_MAX];
	int r;

	if (is_new && write_here(s->name, s->value) == 0)
		return 0;
	r = read_here(s->name, now, sizeof(now));
	if (r == -ENOENT)
		warn_no_sysctls(s);
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
		j->missed += ensure_one(&j->list[i], j->is_new) < 0;
	return 0;
}

int sysctl_ensure(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n,
		  unsigned *ret_missed)
{
	struct job j = { .ns = ns, .list = list, .n = n };

	TRY(run_in_ns(tx, &j, ensure_all));
	if (ret_missed)
		*ret_missed = j.missed;
	return 0;
}

int sysctl_ensure_new(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n)
{
	struct job j = { .ns = ns, .list = list, .n = n, .is_new = true };

	return run_in_ns(tx, &j, ensure_all);
}

static bool read_only(const char *name)
{
	auto_(fd_close) int fd = open_knob(name, O_WRONLY);

	return fd == -EROFS || fd == -EACCES;
}

static int compare_all(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n; i++) {
		const struct sysctl *s = &j->list[i];
		struct reading *r = &j->reading[i];

		r->differs = read_here(s->name, r->now, sizeof(r->now)) == 0 &&
			     !str_eq(r->now, s->value) && !read_only(s->name);
	}
	return 0;
}

int sysctl_check(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n)
{
	struct job j = { .ns = ns, .list = list, .n = n };

	j.reading = mem_alloc(&tx->mem, n * sizeof(*j.reading));
	TRY(run_in_ns(tx, &j, compare_all));
	for (unsigned i = 0; i < n; i++)
		if (j.reading[i].differs)
			differ(tx, mem_printf(&tx->mem, "sysctl %s", list[i].name), list[i].value,
			       j.reading[i].now);
	return 0;
}

static int read_one(void *arg)
{
	struct job *j = arg;

	j->err = read_here(j->list->name, j->ret, j->size);
	return j->err;
}

static int read_one_tx(struct tx *tx UNUSED, void *arg)
{
	(void)read_one(arg);
	return 0;
}

int sysctl_read_try(const struct netns *ns, const char *name, char *ret, size_t size)
{
	struct sysctl s = { .value = NULL };
	struct job j = { .list = &s, .n = 1, .ret = ret, .size = size };
	int r;

	if (!ns)
		return read_here(name, ret, size);
	snprintf(s.name, sizeof(s.name), "%s", name);
	proc_of_passage = procfs_own();
	r = netns_run_try(ns, read_one, &j);
	proc_of_passage = -1;
	return r;
}

static int write_one(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	j->err = write_here(j->list->name, j->list->value);
	return 0;
}

struct undo_sysctl {
	const struct netns *ns;
	char name[96], old[48];
};

/* Returns 0, -ENOENT (not recorded), or a recorded failure. */
static int write_value(struct tx *tx, const struct netns *ns, const char *name, const char *value)
{
	struct sysctl s = { .value = value };
	struct job j = { .ns = ns, .list = &s, .n = 1 };

	snprintf(s.name, sizeof(s.name), "%s", name);
	TRY(run_in_ns(tx, &j, write_one));
	if (j.err < 0 && j.err != -ENOENT)
		return tx_fail(tx, j.err, "set sysctl %s to %s: %s", name, value, strerror(-j.err));
	return j.err;
}

static int undo_sysctl(struct tx *tx, void *arg)
{
	struct undo_sysctl *u = arg;

	return write_value(tx, u->ns, u->name, u->old);
}

int sysctl_set(struct tx *tx, const struct netns *ns, const char *name, const char *value)
{
	struct undo_sysctl u = { .ns = ns };
	struct sysctl s = { .value = value };
	struct job j = { .ns = ns, .list = &s, .n = 1, .ret = u.old, .size = sizeof(u.old) };

	snprintf(s.name, sizeof(s.name), "%s", name);
	snprintf(u.name, sizeof(u.name), "%s", name);
	TRY(run_in_ns(tx, &j, read_one_tx));
	if (j.err < 0 && j.err != -ENOENT)
		return tx_fail(tx, j.err, "read sysctl %s: %s", name, strerror(-j.err));
	TRY(j.err);
	if (str_eq(u.old, value))
		return 0;
	TRY(write_value(tx, ns, name, value));
	return tx_undo(tx, undo_sysctl, "set sysctl", &u);
}

/* ---- values that a configuration names ---------------------------------- */

static void swap_separators(char *s)
{
	for (; *s; s++) {
		if (*s == '.')
			*s = '/';
		else if (*s == '/')
			*s = '.';
	}
}

/* Are all parts of a path names, and none "." or ".."? */
static bool has_plain_parts(const char *path)
{
	for (const char *p = path;; p++) {
		size_t n = strcspn(p, "/");

		if (!n || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
		if (!*p)
			return true;
	}
}

bool sysctl_path(const char *key, const char *ifname, char ret[sizeof(((struct sysctl *)0)->name)])
{
	enum { SIZE = sizeof(((struct sysctl *)0)->name) };
	static const char placeholder[] = "IFNAME";
	char text[SIZE], *at;
	int n;

	if (strlen(key) >= SIZE)
		return false;
	key += strspn(key, "/");
	memcpy(text, key, strlen(key) + 1);
	if (text[strcspn(text, "./")] == '.')
		swap_separators(text);
	at = strstr(text, placeholder);
	n = at ? snprintf(ret, SIZE, "%.*s%s%s", (int)(at - text), text, ifname,
			  at + sizeof(placeholder) - 1)
	       : snprintf(ret, SIZE, "%s", text);
	return n < SIZE && str_starts(ret, "net/") && has_plain_parts(ret);
}

static const char *skip_spaces(const char *s)
{
	return s + strspn(s, " \t\n");
}

bool sysctl_same(const char *a, const char *b)
{
	for (a = skip_spaces(a), b = skip_spaces(b); *a && *b;) {
		size_t n = strcspn(a, " \t\n");

		if (n != strcspn(b, " \t\n") || strncmp(a, b, n) != 0)
			return false;
		a = skip_spaces(a + n);
		b = skip_spaces(b + n);
	}
	return !*a && !*b;
}

static int read_values(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n; i++) {
		struct sysctl_value *v = &j->values[i];

		v->err = read_here(v->s.name, v->now, SYSCTL_VALUE_MAX + 1);
		if (v->err == 0 && strlen(v->now) == SYSCTL_VALUE_MAX)
			v->err = -EFBIG; /* perhaps cut */
	}
	return 0;
}

int sysctl_read_list(struct tx *tx, const struct netns *ns, struct sysctl_value *list, unsigned n)
{
	struct job j = { .ns = ns, .values = list, .n = n };

	for (unsigned i = 0; i < n; i++)
		list[i].now = mem_alloc(&tx->mem, SYSCTL_VALUE_MAX + 1);
	TRY(run_in_ns(tx, &j, read_values));
	for (unsigned i = 0; i < n; i++)
		if (list[i].err < 0)
			list[i].now = NULL;
	return 0;
}

static int write_values(struct tx *tx UNUSED, void *arg)
{
	struct job *j = arg;

	for (unsigned i = 0; i < j->n; i++) {
		struct sysctl_value *v = &j->values[i];

		if (v->s.value)
			v->err = write_here(v->s.name, v->s.value);
	}
	return 0;
}

int sysctl_write_list(struct tx *tx, const struct netns *ns, struct sysctl_value *list, unsigned n)
{
	struct job j = { .ns = ns, .values = list, .n = n };

	return run_in_ns(tx, &j, write_values);
}
