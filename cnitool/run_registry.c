// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run_registry.c - which containers of `cnitool run` live
 *
 * The name of a namespace is a bind mount, which outlives the processes in the namespace.  So
 * the namespace does not show whether the container lives.  A lock does, because the kernel
 * releases it when its owner dies.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "sys/file.h" // NOLINT(readability-duplicate-include): <sys/file.h> is another
#include "base/log.h"
#include "value/name.h"
#include "cnitool/run_registry.h"

static const char netns_dir[] = "/run/netns";

static const char *registry_dir(const struct tool *t)
{
	return mem_printf(&t->tx->mem, "%s/runs", t->cache.dir);
}

static const char *claim_path(const struct tool *t, const char *id)
{
	return mem_printf(&t->tx->mem, "%s/%s", registry_dir(t), id);
}

void run_registry_remove_name(const char *netns)
{
	if (umount2(netns, MNT_DETACH) < 0 && errno != EINVAL && errno != ENOENT)
		log_warn("cannot unmount %s: %s", netns, strerror(errno));
	if (unlink(netns) < 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", netns, strerror(errno));
}

/* Locks an existing file; -EWOULDBLOCK if its owner lives, -errno else. */
static int lock_existing(const char *path, int *ret_fd)
{
	auto_(fd_close) int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	*ret_fd = fd_steal(&fd);
	return 0;
}

/* Removes the name of the namespace that the file notes, and with forget the file. */
static void clean_up_dead(struct mem *m, const char *path, bool forget)
{
	struct file_text netns;

	if (file_read(m, AT_FDCWD, path, 4096, &netns) == 0 &&
	    str_starts(netns.s, mem_printf(m, "%s/", netns_dir)) && !strstr(netns.s, ".."))
		run_registry_remove_name(netns.s);
	if (forget && unlink(path) < 0)
		log_warn("cannot remove %s: %s", path, strerror(errno));
}

int run_registry_claim(struct tool *t, const char *id, struct run_claim *ret)
{
	const char *path = claim_path(t, id);
	auto_(fd_close) int fd = -1;
	int r;

	if (!name_valid_id(id))
		return tx_fail_as(t->tx, CNI_E_ENV, -EINVAL,
				  "--name %s: letters, digits, '_', '.' and '-' are allowed", id);
	TRY(file_mkdirs(t->tx, registry_dir(t), 0700));
	fd = file_open_own(path, O_RDWR);
	if (fd < 0)
		return tx_fail_as(t->tx, CPLUG_E_FILE, -errno, "create %s: %s", path,
				  strerror(errno));
	r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
	if (r == -EWOULDBLOCK)
		return tx_fail_as(t->tx, CPLUG_E_TAKEN, -EEXIST,
				  "a container named %s is running: choose another --name", id);
	if (r < 0)
		return tx_fail_as(t->tx, CPLUG_E_FILE, r, "lock %s: %s", path, strerror(-r));
	clean_up_dead(&t->tx->mem, path, false);
	*ret = (struct run_claim){ .id = mem_str(&t->tx->mem, id),
				   .path = path,
				   .fd = fd_steal(&fd) };
	return 0;
}

int run_registry_make_netns_dir(void)
{
	if (mkdir(netns_dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	if (access(netns_dir, W_OK) < 0)
		return -errno;
	if (mount("", netns_dir, NULL, MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL || mount(netns_dir, netns_dir, NULL, MS_BIND | MS_REC, NULL) < 0)
		return -errno;
	if (mount("", netns_dir, NULL, MS_SHARED | MS_REC, NULL) < 0)
		return -errno;
	return 0;
}

int run_registry_add_name(const char *netns, const char *source)
{
	auto_(fd_close) int fd = -1;

	TRY(run_registry_make_netns_dir());
	fd = open(netns, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0 || mount(source, netns, NULL, MS_BIND, NULL) < 0)
		return -errno;
	return 0;
}

int run_registry_name_netns(struct tx *tx, struct run_claim *c, int pid, const char **ret_path)
{
	const char *source = mem_printf(&tx->mem, "/proc/%d/ns/net", pid);
	const char *netns = mem_printf(&tx->mem, "%s/%s%s", netns_dir,
				       str_starts(c->id, "cplug-") ? "" : "cplug-", c->id);
	int r = run_registry_make_netns_dir();

	*ret_path = source;
	if (r < 0) {
		log_step("%s: %s: the namespace gets no name", netns_dir, strerror(-r));
		return 0;
	}
	/* Before the name is made, because gc finds it by this note if we are killed. */
	if (ftruncate(c->fd, 0) < 0 ||
	    pwrite(c->fd, netns, strlen(netns), 0) != (ssize_t)strlen(netns))
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "write %s: %s", c->path,
				  strerror(errno));
	r = run_registry_add_name(netns, source);
	if (r == -EEXIST)
		return tx_fail_as(tx, CPLUG_E_TAKEN, r,
				  "%s exists already: choose another --name, or remove it with ip "
				  "netns del",
				  netns);
	c->netns = netns;
	if (r < 0)
		return tx_fail(tx, r, "host: name the namespace %s: %s", netns, strerror(-r));
	*ret_path = netns;
	return 0;
}

void run_registry_release(struct run_claim *c)
{
	if (c->fd < 0)
		return;
	if (c->netns)
		run_registry_remove_name(c->netns);
	if (unlink(c->path) < 0 && errno != ENOENT)
		log_warn("cannot remove %s: %s", c->path, strerror(errno));
	fd_close(&c->fd);
}

bool run_registry_is_dead(struct tool *t, const char *id)
{
	auto_(fd_close) int fd = -1;

	return name_valid_id(id) && lock_existing(claim_path(t, id), &fd) == 0;
}

static bool has_attachments(const struct cached *all, unsigned n, const char *id)
{
	for (unsigned i = 0; i < n; i++)
		if (str_eq(all[i].id, id))
			return true;
	return false;
}

int run_registry_sweep(struct tool *t)
{
	auto_(file_close_dir) DIR *d = opendir(registry_dir(t));
	struct cached *all;
	struct dirent *e;
	unsigned n;

	if (!d)
		return 0;
	TRY(cache_all(t->tx, &t->cache, NULL, &all, &n));
	while ((e = readdir(d)) != NULL) {
		auto_(fd_close) int fd = -1;
		const char *path = claim_path(t, e->d_name);

		if (name_valid_id(e->d_name) && !has_attachments(all, n, e->d_name) &&
		    lock_existing(path, &fd) == 0)
			clean_up_dead(&t->tx->mem, path, true);
	}
	return 0;
}
