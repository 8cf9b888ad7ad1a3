// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file_lock.c - locks with a limit of time
 *
 * A blocking flock() or fcntl() is fair and wakes at once, unlike polling, but has no time-out.  So
 * a periodic timer interrupts it, and each tick checks the clock and for SIGTERM.  (A single shot
 * would be lost if it fired just before the call slept.)  A flock belongs to an inode: if the name
 * was removed meanwhile ("rm -rf /var/lib/cni"), others lock another file, so the name is checked
 * after locking.
 *
 * Each process that can open a file can lock it, also for reading.  So a file that is locked is one
 * that only root, or our user, can open.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "sys/file_impl.h"

enum { TICK_MS = 50 };

/* ---- the holder ---- */

/* The pid that holds a flock on this inode; 0 if unknown (another pid namespace).  proc(5) */
static int flock_holder(struct mem *mem, const struct stat *st)
{
	unsigned dev_major, dev_minor;
	unsigned long ino;
	int pid, found = 0;
	struct file_text text = { .s = NULL };
	char *save;

	if (file_read(mem, AT_FDCWD, "/proc/locks", 16 << 20, &text) < 0 || !text.s)
		return 0;
	for (char *s = strtok_r(text.s, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		/* a waiter has an arrow before the kind: "12: -> FLOCK …" */
		if (sscanf(s, "%*u: FLOCK %*s %*s %d %x:%x:%lu", &pid, &dev_major, &dev_minor,
			   &ino) != 4 ||
		    ino != st->st_ino || pid <= 0)
			continue;
		found = pid;
		if (makedev(dev_major, dev_minor) == st->st_dev)
			break; /* else go on: btrfs and overlayfs show another device here */
	}
	return found;
}

/* "process 77 (host-local, stopped)", or "another process". */
static const char *holder_text(struct mem *mem, int pid)
{
	const char *file = mem_printf(mem, "/proc/%d/stat", pid);
	const char *name, *end, *stopped = "";
	struct file_text text = { .s = NULL };

	if (pid <= 0)
		return "another process";
	if (file_read(mem, AT_FDCWD, file, 65536, &text) < 0 || !text.s)
		return mem_printf(mem, "process %d", pid);
	name = strchr(text.s, '(');
	end = strrchr(text.s, ')');
	if (!name || !end)
		return mem_printf(mem, "process %d", pid);
	if (end[1] && strchr("Tt", end[2]))
		stopped = ", stopped";
	return mem_printf(mem, "process %d (%.*s%s)", pid, (int)(end - name - 1), name + 1,
			  stopped);
}

static int fail_held(struct tx *tx, const char *what, int pid, int timeout_ms)
{
	return tx_fail_as(tx, CNI_E_AGAIN, -ETIMEDOUT,
			  "lock %s: held by %s for %g seconds (end that process if it hangs, and "
			  "repeat the call)",
			  what, holder_text(&tx->mem, pid), timeout_ms / 1000.0);
}

int file_lock_timeout(int usual_ms)
{
	const char *s = secure_getenv("CNI_TEST_LOCK_TIMEOUT_MS");

	if (!s)
		return usual_ms;
	return atoi(s);
}

/* ---- waiting ---- */

static void on_tick(int sig UNUSED)
{
}

/* Takes a lock, and waits for it.  Returns 0 or -errno; -EINTR after a signal. */
typedef int wait_fn(int fd, const void *arg);

/* Tries again after each tick.  Returns as file_lock_wait(). */
static int wait_in_ticks(struct tx *tx, int fd, const struct file_wait *w, wait_fn *wait,
			 const void *arg)
{
	int64_t deadline = clock_ms() + w->timeout_ms;

	for (;;) {
		int r = wait(fd, arg);

		if (r != -EINTR)
			return r;
		TRY(tx_interrupted(tx));
		if (w->is_over && w->is_over(w->arg))
			return 1;
		if (clock_ms() >= deadline)
			return -ETIMEDOUT;
	}
}

static int wait_for_lock(struct tx *tx, int fd, const struct file_wait *w, wait_fn *wait,
			 const void *arg)
{
	struct sigaction tick = { .sa_handler = on_tick }, old_action; /* no SA_RESTART */
	struct timeval period = { 0, w->tick_ms * 1000 };
	struct itimerval ticking = { period, period }, old_timer;
	sigset_t alarm, old_mask;
	int r;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &tick, &old_action);
	sigprocmask(SIG_UNBLOCK, &alarm, &old_mask);
	setitimer(ITIMER_REAL, &ticking, &old_timer);
	r = wait_in_ticks(tx, fd, w, wait, arg);
	setitimer(ITIMER_REAL, &old_timer, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(SIGALRM, &old_action, NULL);
	return r;
}

static int wait_until(struct tx *tx, int fd, int64_t deadline, wait_fn *wait, const void *arg)
{
	struct file_wait w = { .timeout_ms = (int)(deadline - clock_ms()), .tick_ms = TICK_MS };

	return wait_for_lock(tx, fd, &w, wait, arg);
}

/* ---- a file ---- */

static int wait_flock(int fd, const void *arg)
{
	const struct file_flock *f = arg;

	int r = flock(fd, f->shared ? LOCK_SH : LOCK_EX);

	return r < 0 ? -errno : 0;
}

int file_flock(struct tx *tx, const struct file_flock *f)
{
	int kind = f->shared ? LOCK_SH : LOCK_EX;
	int r = flock(f->fd, kind | LOCK_NB) < 0 ? -errno : 0;
	struct stat st;

	if (r == -EWOULDBLOCK && f->timeout_ms == 0)
		r = -ETIMEDOUT;
	if (r == -EWOULDBLOCK || r == -EINTR)
		r = wait_until(tx, f->fd, f->deadline, wait_flock, f);
	if (r == -ETIMEDOUT && fstat(f->fd, &st) == 0)
		return fail_held(tx, file_path_text(&tx->mem, f->dirfd, f->path),
				 flock_holder(&tx->mem, &st), f->timeout_ms);
	if (r < 0 && r != -EINTR)
		return file_fail(tx, r, "lock", f->dirfd, f->path);
	return r;
}

int file_lock_wait(struct tx *tx, int fd, const struct file_wait *w)
{
	struct file_flock f = { .fd = fd, .shared = w->shared };

	return wait_for_lock(tx, fd, w, wait_flock, &f);
}

/* Does the name still lead to the locked file?  A folder, which can be locked as well, is none. */
static bool still_named(int dirfd, const char *path, int fd)
{
	struct stat ours, there;

	return fstat(fd, &ours) == 0 && fstatat(dirfd, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       there.st_dev == ours.st_dev && there.st_ino == ours.st_ino && !S_ISDIR(ours.st_mode);
}

/* Without a folder's descriptor it is a file of ours. */
static int open_named(const struct file_flock *f)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, fd;

	if (f->dirfd == AT_FDCWD)
		return file_open_own(f->path, O_RDONLY);
	if (!f->there)
		flags |= O_CREAT;
	fd = openat(f->dirfd, f->path, flags, 0750);
	if (fd >= 0 || errno != EISDIR)
		return fd;
	(void)!file_move_folder(f->dirfd, f->path); /* as file_open_own() */
	return openat(f->dirfd, f->path, flags, 0750);
}

static int lock_named(struct tx *tx, struct file_flock *f, int *ret_fd)
{
	f->deadline = clock_ms() + f->timeout_ms;
	for (;;) {
		auto_(fd_close) int fd = open_named(f);

		if (fd < 0 && f->there && errno == ENOENT)
			return -ENOENT;
		if (fd < 0)
			return file_fail(tx, -errno, "lock", f->dirfd, f->path);
		f->fd = fd;
		TRY(file_flock(tx, f));
		if (still_named(f->dirfd, f->path, fd)) {
			*ret_fd = fd_steal(&fd);
			return 0;
		}
		if (f->there) /* opened without O_CREAT, which refuses folders */
			(void)!file_move_folder(f->dirfd, f->path);
	}
}

int file_lock(struct tx *tx, int dirfd, const char *path, int timeout_ms, int *ret_fd)
{
	struct file_flock f = { .dirfd = dirfd, .path = path, .timeout_ms = timeout_ms };

	return lock_named(tx, &f, ret_fd);
}

int file_lock_there(struct tx *tx, int dirfd, const char *path, int timeout_ms, int *ret_fd)
{
	struct file_flock f = {
		.dirfd = dirfd,
		.path = path,
		.timeout_ms = timeout_ms,
		.there = true,
	};

	return lock_named(tx, &f, ret_fd);
}

int file_lock_own(struct tx *tx, const char *path, bool shared, int timeout_ms, int *ret_fd)
{
	struct file_flock f = {
		.dirfd = AT_FDCWD,
		.path = path,
		.timeout_ms = timeout_ms,
		.shared = shared,
	};

	return lock_named(tx, &f, ret_fd);
}

/* ---- a byte of a file ---- */

static struct flock lock_of(const struct file_byte *b)
{
	return (struct flock){
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = (off_t)b->byte,
		.l_len = 1,
	};
}

static int wait_byte(int fd, const void *arg)
{
	const struct file_byte *b = arg;
	struct flock l = lock_of(b);
	int how = b->inherited ? F_OFD_SETLKW : F_SETLKW;

	return fcntl(fd, how, &l) < 0 ? -errno : 0;
}

/* 0 if it is not known: a process of another pid namespace, or a lock that children share. */
static int byte_holder(int fd, const struct file_byte *b)
{
	struct flock l = lock_of(b);

	if (b->inherited || fcntl(fd, F_GETLK, &l) < 0 || l.l_type == F_UNLCK)
		return 0;
	return l.l_pid;
}

int file_lock_byte(struct tx *tx, const struct file_byte *b, int timeout_ms, int *ret_fd)
{
	auto_(fd_close) int fd = file_open_own(b->path, O_RDWR);
	int64_t deadline = clock_ms() + timeout_ms;
	struct flock l = lock_of(b);
	int how = b->inherited ? F_OFD_SETLK : F_SETLK, r;

	if (fd < 0)
		return file_fail(tx, -errno, "lock", AT_FDCWD, b->path);
	r = fcntl(fd, how, &l) < 0 ? -errno : 0;
	if (r == -EAGAIN || r == -EACCES || r == -EINTR)
		r = wait_until(tx, fd, deadline, wait_byte, b);
	if (r == -ETIMEDOUT)
		return fail_held(tx, mem_printf(&tx->mem, "%s of %s", b->path, b->what),
				 byte_holder(fd, b), timeout_ms);
	if (r < 0 && r != -EINTR)
		return file_fail(tx, r, "lock", AT_FDCWD, b->path);
	TRY(r);
	*ret_fd = fd_steal(&fd);
	return 0;
}
