// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mounts.c - what a container sees: mounts, files in /etc, hostname
 *
 * All mounts are in a private mount namespace and vanish with it.  Objects of the host (device
 * nodes, the cgroup tree) and the generated files are copied as detached mounts first
 * (open_tree(2)), and attached after the root directory has changed.  So a symbolic link in the
 * rootfs cannot lead to the host.
 *
 * The generated files are in a tmpfs that is mounted on /proc for the time being: this directory
 * always exists, and it gets another mount anyway.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "cnitool/sandbox.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1U
#define OPEN_TREE_CLOEXEC ((unsigned)O_CLOEXEC)
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x00000004U
#endif

static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };

enum { FILE_HOSTS, FILE_RESOLV, FILE_HOSTNAME, N_FILES };
static const char *const etc_names[N_FILES] = { "hosts", "resolv.conf", "hostname" };

/* Descriptors of detached mounts; -1 = none. */
struct detached {
	int files[N_FILES];
	int devices[ARRAY_LEN(devices)];
	int cgroup;
};

/* ---- mounts ---- */

/* A detached copy of the mount at path; flags: 0 or AT_RECURSIVE. */
static int clone_mount(const char *path, unsigned flags)
{
	flags |= OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	return (int)syscall(SYS_open_tree, AT_FDCWD, path, flags);
}

/* Attaches a detached mount to path, and closes it. */
static int attach_mount(int *mount_fd, const char *path)
{
	long r = syscall(SYS_move_mount, *mount_fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH);
	int err = -errno;

	fd_close(mount_fd);
	return r < 0 ? err : 0;
}

static int mount_needed(struct tx *tx, const char *type, const char *path, unsigned long flags,
			const char *options)
{
	if (mount(type, path, type, flags, options) < 0)
		return tx_fail(tx, -errno, "container: mount %s on %s: %s", type, path,
			       strerror(errno));
	return 0;
}

/* A mount that the container can do without. */
static bool mount_optional(const char *type, const char *path, unsigned long flags,
			   const char *options)
{
	if (mount(type, path, type, flags, options) == 0)
		return true;
	log_step("container: mount %s on %s: %s", type, path, strerror(errno));
	return false;
}

/* ---- privacy ---- */

/* Enters the mount namespace of this process again: root and cwd become its root directory. */
static int enter_own_root(void)
{
	auto_(fd_close) int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);

	if (ns < 0 || setns(ns, CLONE_NEWNS) < 0)
		return -errno;
	return 0;
}

/* Makes the directory fd the root, as a mount of its own, which pivot_root(2) wants. */
static int enter_root(int fd)
{
	auto_(fd_close) int tree = -1;

	if (fchdir(fd) < 0)
		return -errno;
	tree = clone_mount(".", AT_RECURSIVE);
	if (tree < 0 ||
	    syscall(SYS_move_mount, tree, "", AT_FDCWD, ".", MOVE_MOUNT_F_EMPTY_PATH) < 0 ||
	    fchdir(tree) < 0 || chroot(".") < 0)
		return -errno;
	return 0;
}

/*
 * In a chroot whose root is no mount point, no path leads to the mount that it is in.  The root of
 * the mount namespace does, and setns(2) leads there.
 */
static int make_private_in_chroot(void)
{
	auto_(fd_close) int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char cwd[4096];
	bool known = getcwd(cwd, sizeof(cwd)) != NULL;

	if (root < 0)
		return -errno;
	TRY(enter_own_root());
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return -errno;
	TRY(enter_root(root));
	/* The new mount of the root hides the directory, so it is looked up again. */
	if ((!known || chdir(cwd) < 0) && chdir("/") < 0)
		return -errno;
	return 0;
}

int mounts_make_private(struct tx *tx)
{
	int r = 0;

	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		r = -errno;
	if (r == -EINVAL)
		r = make_private_in_chroot();
	if (r == 0)
		return 0;
	return tx_fail(tx, r,
		       "container: cannot make its mounts private, so they would appear on the "
		       "host: %s (in a chroot: mount --bind DIR DIR before chroot DIR)",
		       strerror(-r));
}

/* ---- detached mounts ---- */

static int write_file(struct tx *tx, const char *path, const char *text)
{
	auto_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    fchmod(fd, 0644) < 0)
		return tx_fail(tx, -errno, "container: write %s: %s", path, strerror(errno));
	return 0;
}

static int clone_etc_files(struct tx *tx, const struct sandbox_files *f, struct detached *h)
{
	const char *const texts[N_FILES] = { f->hosts, f->resolv_conf, f->hostname };

	TRY(mount_needed(tx, "tmpfs", "/proc", MS_NOSUID | MS_NODEV, "mode=0755"));
	for (unsigned i = 0; i < N_FILES; i++) {
		const char *path = mem_printf(&tx->mem, "/proc/%s", etc_names[i]);

		if (!texts[i])
			continue;
		TRY(write_file(tx, path, texts[i]));
		h->files[i] = clone_mount(path, 0);
		if (h->files[i] < 0)
			return tx_fail(tx, -errno, "container: open_tree %s: %s", path,
				       strerror(errno));
	}
	if (umount2("/proc", MNT_DETACH) < 0)
		return tx_fail(tx, -errno, "container: umount /proc: %s", strerror(errno));
	return 0;
}

static void clone_devices(struct mem *m, struct detached *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(devices); i++)
		h->devices[i] = clone_mount(mem_printf(m, "/dev/%s", devices[i]), 0);
}

/* ---- the root directory ---- */

/*
 * Makes dir the root.  *ret_old keeps the old root mounted, because an unprivileged mount of proc
 * or sysfs is allowed only if one is visible (mount_too_revealing() in the kernel).
 */
static int change_root(struct tx *tx, const char *dir, int *ret_old)
{
	*ret_old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(dir) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0)
		return tx_fail(tx, -errno, "--rootfs %s: %s", dir, strerror(errno));
	if (chdir("/") < 0)
		return tx_fail(tx, -errno, "--rootfs %s: chdir: %s", dir, strerror(errno));
	return 0;
}

static int leave_old_root(struct tx *tx, int old)
{
	if (fchdir(old) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return tx_fail(tx, -errno, "container: leave the old root: %s", strerror(errno));
	return 0;
}

/* A mount point that the rootfs may lack. */
static void make_dir(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		log_step("container: mkdir %s: %s", path, strerror(errno));
}

static void make_file(const char *path)
{
	auto_(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);

	if (fd < 0)
		log_step("container: create %s: %s", path, strerror(errno));
}

/* A new /dev: the devices that every program expects, and terminals. */
static int mount_dev(struct tx *tx, struct detached *h)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "/dev/fd" },       { "/proc/self/fd/0", "/dev/stdin" },
		{ "/proc/self/fd/1", "/dev/stdout" }, { "/proc/self/fd/2", "/dev/stderr" },
		{ "pts/ptmx", "/dev/ptmx" },
	};

	make_dir("/dev");
	TRY(mount_needed(tx, "tmpfs", "/dev", MS_NOSUID, "mode=0755,size=64k"));
	for (unsigned i = 0; i < ARRAY_LEN(devices); i++) {
		const char *path = mem_printf(&tx->mem, "/dev/%s", devices[i]);
		int r;

		if (h->devices[i] < 0)
			continue;
		make_file(path);
		r = attach_mount(&h->devices[i], path);
		if (r < 0)
			return tx_fail(tx, r, "container: mount %s: %s", path, strerror(-r));
	}
	for (unsigned i = 0; i < ARRAY_LEN(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			log_step("container: symlink %s: %s", links[i][1], strerror(errno));
	make_dir("/dev/pts");
	make_dir("/dev/shm");
	mount_optional("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
		       "newinstance,ptmxmode=0666,mode=0620");
	mount_optional("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
	return 0;
}

/* ---- /proc, /sys, /etc ---- */

static int mount_proc(struct tx *tx, bool rootfs)
{
	if (rootfs)
		make_dir("/proc");
	return mount_needed(tx, "proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

/* sysfs shows the network namespace it was mounted in. */
static void mount_sys(const struct sandbox_plan *plan, struct detached *h)
{
	if (plan->rootfs)
		make_dir("/sys");
	if (!plan->rootfs && !plan->new_net && !plan->join_net)
		return;
	if (!mount_optional("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		return;
	if (h->cgroup >= 0 && attach_mount(&h->cgroup, "/sys/fs/cgroup") < 0)
		log_step("container: /sys/fs/cgroup: %s", strerror(errno));
}

static void mount_etc_files(struct mem *m, const struct sandbox_plan *plan, struct detached *h)
{
	if (plan->rootfs)
		make_dir("/etc");
	for (unsigned i = 0; i < N_FILES; i++) {
		const char *path = mem_printf(m, "/etc/%s", etc_names[i]);
		int r;

		if (h->files[i] < 0)
			continue;
		/* Without a rootfs this is the host's /etc, in which no file is created. */
		if (plan->rootfs)
			make_file(path);
		r = attach_mount(&h->files[i], path);
		if (r < 0 && i != FILE_HOSTNAME)
			log_warn("%s stays as it is: %s", path, strerror(-r));
	}
}

int mounts_make(struct tx *tx, const struct sandbox_plan *plan, const struct sandbox_files *files)
{
	auto_(fd_close) int old = -1;
	struct detached h = { .files = { -1, -1, -1 }, .cgroup = -1 };

	TRY(clone_etc_files(tx, files, &h));
	if (plan->rootfs) {
		clone_devices(&tx->mem, &h);
		TRY(change_root(tx, plan->rootfs, &old));
	} else {
		h.cgroup = clone_mount("/sys/fs/cgroup", AT_RECURSIVE);
	}
	TRY(mount_proc(tx, plan->rootfs));
	mount_sys(plan, &h);
	if (plan->rootfs) {
		TRY(mount_dev(tx, &h));
		TRY(leave_old_root(tx, old));
	}
	mount_etc_files(&tx->mem, plan, &h);
	fd_close(&h.cgroup);
	if (plan->hostname && sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		return tx_fail(tx, -errno, "container: set the hostname to %s: %s", plan->hostname,
			       strerror(errno));
	return 0;
}
