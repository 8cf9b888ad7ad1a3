// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alive.c - does a network namespace still exist?
 *
 * Linux 6.18 has file handles for nsfs: id (for a network namespace its cookie), type and
 * inode number (linux/nsfs.h, struct nsfs_file_handle).  open_by_handle_at(2) fails with
 * ESTALE if no such namespace exists, whatever the caller may inspect; any other error proves
 * nothing.  can_ask() tries it with our own namespace first.
 *
 * Otherwise all of /proc is read.  That takes milliseconds, and happens only if an address
 * pool is exhausted.  It ends after some seconds, because any user can have millions of
 * descriptors, and the caller may hold a lock.  A process may end during the walk, but then the
 * namespace that it held is held elsewhere, or is gone.  The kernel reuses inode numbers at once,
 * so a namespace that has the number is compared by its cookie.
 *
 * In doubt a namespace exists.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "sys/alive.h"
#include "sys/file.h"
#include "sys/netns.h"
#include "sys/priv.h"

/* Inode of the initial pid namespace (linux/proc_ns.h, PROC_PID_INIT_INO). */
static const ino_t initial_pid_ns = 0xEFFFFFFCu;

enum { MOUNTINFO_MAX = 16 << 20, PATIENCE_MS = 5000 };

/* ---- asking the kernel --------------------------------------------------- */

/* Returns 0 if it exists, -ESTALE if not, or another -errno if that is not known. */
static int ask_kernel(ino_t ino, uint64_t cookie)
{
	struct netns_handle ns = { .id = cookie, .type = CLONE_NEWNET, .ino = (uint32_t)ino };
	_Alignas(struct file_handle) char room[sizeof(struct file_handle) + sizeof(ns)];
	struct file_handle *h = (struct file_handle *)room;
	auto_(fd_close) int fd = -1;

	h->handle_bytes = sizeof(ns);
	h->handle_type = NETNS_HANDLE;
	memcpy(h->f_handle, &ns, sizeof(ns));
	fd = open_by_handle_at(NETNS_NSFS_ROOT, h, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}

/* Does the kernel answer?  Our own namespace exists, and one with another cookie does not. */
static bool can_ask(struct tx *tx)
{
	struct netns self = NETNS_NONE;
	uint64_t cookie;
	bool works;
	int before = tx->err, r = netns_open_self(tx, &self);

	if (r < 0)
		return tx_excuse(tx, before, r, "in doubt namespaces are alive") < 0;
	cookie = netns_cookie(&self);
	works = cookie && ask_kernel(self.ino, cookie) == 0 &&
		ask_kernel(self.ino, UINT64_MAX) == -ESTALE;
	netns_close(&self);
	return works;
}

/* ---- reading /proc ------------------------------------------------------- */

struct search {
	struct mem *mem;
	struct alive *a;
	ino_t *mnt; /* mount namespaces read already */
	unsigned n_mnt;
	int64_t deadline; /* clock_ms() */
	unsigned most;    /* descriptors of one process */
	char busiest[16]; /* that process */
};

static bool is_late(const struct search *s)
{
	return clock_ms() > s->deadline;
}

static bool listed(const ino_t *list, unsigned n, ino_t ino)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == ino)
			return true;
	return false;
}

static const struct alive_net *find_net(const struct alive *a, ino_t ino)
{
	for (unsigned i = 0; i < a->n; i++)
		if (a->net[i].ino == ino)
			return &a->net[i];
	return NULL;
}

static void add_net(struct search *s, ino_t ino, const char *path)
{
	struct alive *a = s->a;

	if (find_net(a, ino))
		return;
	a->net = mem_grow(s->mem, a->net, a->n, sizeof(*a->net));
	a->net[a->n++] = (struct alive_net){ ino, path };
}

/* Something could not be read: a process that ended is fine, one that is hidden is not. */
static void missed(struct search *s)
{
	if (errno != ENOENT && errno != ESRCH)
		s->a->complete = false;
}

/* The next entry of a folder; not the end if it cannot be read further. */
static struct dirent *next(struct search *s, DIR *d)
{
	struct dirent *e;

	if (is_late(s))
		return NULL;
	errno = 0;
	e = readdir(d);
	if (!e && errno)
		missed(s);
	return e;
}

static void read_own(struct search *s, int proc, const char *pid)
{
	struct stat st;

	if (fstatat(proc, "ns/net", &st, 0) == 0)
		add_net(s, st.st_ino, mem_printf(s->mem, "/proc/%s/ns/net", pid));
	else
		missed(s);
}

/* The link of such a descriptor reads "net:[4026532281]". */
static void read_descriptors(struct search *s, int proc, const char *pid)
{
	int fd = openat(proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	unsigned n_read = 0;

	if (!d) {
		missed(s);
		fd_close(&fd);
		return;
	}
	for (; (e = next(s, d)); n_read++) {
		char text[32];
		ssize_t n = readlinkat(dirfd(d), e->d_name, text, sizeof(text) - 1);

		if (n < 0 && *e->d_name != '.')
			missed(s);
		text[n > 0 ? n : 0] = '\0';
		if (str_starts(text, "net:["))
			add_net(s, (ino_t)strtoull(text + 5, NULL, 10),
				mem_printf(s->mem, "/proc/%s/fd/%s", pid, e->d_name));
	}
	closedir(d);
	if (n_read > s->most) {
		s->most = n_read;
		snprintf(s->busiest, sizeof(s->busiest), "%.15s", pid);
	}
}

/* The field after n others; NULL if the line ends before. */
static const char *skip_fields(const char *line, unsigned n)
{
	for (; n && line; n--) {
		line += strcspn(line, " \n");
		line = *line == ' ' ? line + 1 : NULL;
	}
	return line;
}

/*
 * "625 24 0:4 net:[4026532281] /run/netns/c1 …" (proc(5), mountinfo).  Only the fourth field, the
 * root of the mount, tells: a container chooses the others.
 */
static void read_mount(struct search *s, const char *line, const char *pid)
{
	const char *root = skip_fields(line, 3), *point = root ? skip_fields(root, 1) : NULL;

	if (point && str_starts(root, "net:["))
		add_net(s, (ino_t)strtoull(root + 5, NULL, 10),
			mem_printf(s->mem, "/proc/%s/root%.*s", pid, (int)strcspn(point, " \n"),
				   point));
}

static void read_mounts(struct search *s, int proc, const char *pid)
{
	/* Not in the arena: a container chooses the size, and there may be many. */
	auto_(mem_free) struct mem scratch = { .exhausted = s->mem->exhausted, .arg = s->mem->arg };
	struct file_text text;
	struct stat st;

	if (fstatat(proc, "ns/mnt", &st, 0) < 0) {
		missed(s);
		return;
	}
	if (listed(s->mnt, s->n_mnt, st.st_ino))
		return;
	if (file_read(&scratch, proc, "mountinfo", MOUNTINFO_MAX, &text) < 0) {
		s->a->complete = false;
		return;
	}
	for (const char *line = text.s; *line; line += strcspn(line, "\n"), line += *line == '\n')
		read_mount(s, line, pid);
	s->mnt = mem_grow(s->mem, s->mnt, s->n_mnt, sizeof(*s->mnt));
	s->mnt[s->n_mnt++] = st.st_ino;
}

/*
 * Can we see and inspect every process of the machine?  Without CAP_SYS_PTRACE, a /proc mounted
 * with hidepid=ptraceable does not even list the others (proc(5)).
 */
static bool sees_all(struct mem *mem)
{
	struct stat st;
	struct file_text map;
	unsigned long from = 1, to = 1, n = 0;

	if (!priv_can_inspect())
		return false;
	if (stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != initial_pid_ns)
		return false;
	if (file_read(mem, AT_FDCWD, "/proc/self/uid_map", 4096, &map) < 0)
		return false;
	return sscanf(map.s, "%lu %lu %lu", &from, &to, &n) == 3 && !from && !to &&
	       n == 4294967295ul && geteuid() == 0;
}

static void give_up(struct search *s)
{
	s->a->complete = false;
	log_warn("the search of /proc for network namespaces ended after %d s: process %s has %u "
		 "descriptors or more (end it); namespaces count as alive",
		 PATIENCE_MS / 1000, s->busiest, s->most);
}

void alive_collect(struct mem *mem, struct alive *a)
{
	struct search s = { .mem = mem, .a = a, .deadline = clock_ms() + PATIENCE_MS };
	DIR *d = opendir("/proc");
	struct dirent *e;

	a->collected = true;
	a->complete = d && sees_all(mem);
	while (d && (e = next(&s, d))) {
		auto_(fd_close) int proc = -1;

		if (!isdigit((unsigned char)*e->d_name))
			continue;
		proc = openat(dirfd(d), e->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (proc < 0) {
			missed(&s);
			continue;
		}
		read_own(&s, proc, e->d_name);
		read_descriptors(&s, proc, e->d_name);
		read_mounts(&s, proc, e->d_name);
	}
	if (is_late(&s))
		give_up(&s);
	if (d)
		closedir(d);
}

/* Does /proc show that it does not exist? */
static bool is_missing(struct tx *tx, const struct alive *a, ino_t ino, uint64_t cookie)
{
	const struct alive_net *n = find_net(a, ino);
	struct netns ns = NETNS_NONE;
	uint64_t now;
	int before = tx->err, r;

	if (!a->complete || !n)
		return a->complete;
	if (!cookie)
		return false;
	r = netns_open(tx, n->path, &ns);
	if (r < 0)
		return r != -ENOENT && tx_excuse(tx, before, r, "in doubt it is alive") < 0;
	now = ns.ino == ino ? netns_cookie(&ns) : 0;
	netns_close(&ns);
	return now && now != cookie;
}

bool alive_is_gone(struct tx *tx, struct alive *a, ino_t ino, uint64_t cookie)
{
	if (!a->tried) {
		a->tried = true;
		a->askable = can_ask(tx);
	}
	if (a->askable && cookie) {
		int r = ask_kernel(ino, cookie);

		if (r == 0 || r == -ESTALE)
			return r < 0;
	}
	if (!a->collected)
		alive_collect(&tx->mem, a);
	return is_missing(tx, a, ino, cookie);
}
