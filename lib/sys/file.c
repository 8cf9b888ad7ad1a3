// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - read a file, replace it atomically, lock it
 *
 * Replacing.  The content is written to an unnamed file (O_TMPFILE), which gets its name when
 * it is complete.  If the target does not exist, link() gives it the name, so a process that
 * is killed anywhere leaves nothing.  Otherwise link() gives it a fixed temporary name, and
 * rename() replaces the target.  Writers share the temporary name, because the file under it
 * is always complete; a writer whose link was taken away starts again.  A killed writer's file
 * is replaced by the next writer, or removed by file_remove().  On a file system without
 * O_TMPFILE or hard links, the content is written under the temporary name, by one writer at a
 * time.
 *
 * Locking.  A blocking flock() is fair and wakes at once, unlike polling, but has no time-out.
 * So a periodic timer interrupts it, and each tick checks the clock and for SIGTERM.  (A single
 * shot would be lost if it fired just before flock() slept.)  The lock belongs to an inode: if
 * the name was removed meanwhile ("rm -rf /var/lib/cni"), others lock another file, so the name
 * is checked after locking.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/sysmacros.h>
#include <sys/time.h>

#include "sys/file.h" // NOLINT(readability-duplicate-include): <sys/file.h> is another
#include "base/log.h"

enum { TICK_MS = 50, TRIES = 100 };

/* The full path, for messages. */
static const char *path_text(struct mem *mem, int dirfd, const char *path)
{
	char link[40], dir[PATH_MAX];
	ssize_t n;

	if (dirfd == AT_FDCWD || *path == '/')
		return path;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", dirfd);
	n = readlink(link, dir, sizeof(dir) - 1);
	if (n <= 0)
		return path;
	return mem_printf(mem, "%.*s/%s", (int)n, dir, path);
}

static int fail_on_path(struct tx *tx, int err, const char *verb, int dirfd, const char *path)
{
	return tx_fail_as(tx, CPLUG_E_FILE, err, "%s %s: %s", verb,
			  path_text(&tx->mem, dirfd, path), strerror(-err));
}

/* Reads to the end; room: the expected size.  Returns 0 or -errno. */
static int read_all(struct mem *mem, int fd, size_t room, size_t max, struct file_text *ret)
{
	char *text = mem_alloc(mem, room + 2);
	size_t size = 0;

	for (;;) {
		ssize_t n = read(fd, text + size, room + 1 - size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		size += (size_t)n;
		if (size > max)
			return -EFBIG;
		if (n == 0)
			break;
		if (size == room + 1) {
			char *bigger = mem_alloc(mem, room * 2 + 2);

			memcpy(bigger, text, size);
			text = bigger;
			room *= 2;
		}
	}
	text[size] = '\0';
	*ret = (struct file_text){ text, size };
	return 0;
}

int file_read(struct mem *mem, int dirfd, const char *path, size_t max, struct file_text *ret)
{
	/* O_NONBLOCK: opening a FIFO must not block */
	int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	auto_(fd_close) int fd =
		openat(dirfd, path, dirfd == AT_FDCWD ? flags : flags | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	return file_read_fd(mem, fd, max, ret);
}

int file_read_fd(struct mem *mem, int fd, size_t max, struct file_text *ret)
{
	struct stat st;
	size_t room;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > 0 && (size_t)st.st_size > max)
		return -EFBIG;
	room = st.st_size > 0 ? (size_t)st.st_size : 1024; /* st_size is 0 in /proc */
	return read_all(mem, fd, room, max, ret);
}

int file_read_checked(struct mem *mem, const char *path, size_t max, struct file_text *ret)
{
	auto_(fd_close) int look = open(path, O_PATH | O_CLOEXEC);
	struct stat st;
	char self[40];

	if (look < 0 || fstat(look, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	/* The same file, also if the name leads to another by now. */
	snprintf(self, sizeof(self), "/proc/self/fd/%d", look);
	return file_read(mem, AT_FDCWD, self, max, ret);
}

struct place {
	int dirfd;        /* as given */
	const char *path; /* the target */
	const char *dir;  /* its directory */
	const char *temp; /* the temporary name in it */
};

static struct place place(struct mem *mem, int dirfd, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	int dir = (int)(base - path);
	char *folder = mem_printf(mem, "%.*s", dir, path);

	return (struct place){
		.dirfd = dirfd,
		.path = path,
		.dir = dir ? folder : ".",
		.temp = mem_printf(mem, "%.*s.%s.cplug-new", dir, path, base),
	};
}

/*
 * Opens the temporary name, on a file system without O_TMPFILE.  Its lock serialises the
 * writers; a killed writer's file is used by the next one.  -EAGAIN: try again.
 */
static int named_open(const struct place *pl, mode_t mode)
{
	auto_(fd_close) int fd =
		openat(pl->dirfd, pl->temp, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode);
	struct stat ours, there;

	if (fd < 0 || flock(fd, LOCK_EX) < 0 || fstat(fd, &ours) < 0)
		return -errno;
	/* the writer before us has renamed it */
	if (fstatat(pl->dirfd, pl->temp, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    there.st_ino != ours.st_ino)
		return -EAGAIN;
	if (ftruncate(fd, 0) < 0)
		return -errno;
	return fd_steal(&fd);
}

/* Opens an unnamed file, or pl->temp (*ret_named). */
static int temp_open(const struct place *pl, mode_t mode, bool *ret_named)
{
	int fd = openat(pl->dirfd, pl->dir, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_TMPFILE, mode);

	*ret_named = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
	if (*ret_named)
		return named_open(pl, mode);
	return fd < 0 ? -errno : fd;
}

int file_link(int fd, int dirfd, const char *path)
{
	char self[40];

	/* needs CAP_DAC_READ_SEARCH (ENOENT); the other form needs /proc */
	if (linkat(fd, "", dirfd, path, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOENT && errno != EINVAL && errno != EPERM)
		return -errno;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	if (linkat(AT_FDCWD, self, dirfd, path, AT_SYMLINK_FOLLOW) < 0)
		return -errno;
	return 0;
}

bool file_no_links(int r)
{
	return r == -EPERM || r == -EOPNOTSUPP || r == -EMLINK || r == -ENOSYS;
}

/* Returns 0, -EAGAIN if another writer took our temporary name away, or -errno. */
static int put_in_place(const struct place *pl, int fd, bool named)
{
	int r = named ? -EEXIST : file_link(fd, pl->dirfd, pl->path);

	if (r != -EEXIST)
		return r;
	for (int i = 0; !named && i < TRIES; i++) {
		r = file_link(fd, pl->dirfd, pl->temp);
		if (r != -EEXIST)
			break;
		unlinkat(pl->dirfd, pl->temp, 0);
	}
	if (!named && r < 0)
		return r;
	if (renameat(pl->dirfd, pl->temp, pl->dirfd, pl->path) == 0)
		return 0;
	r = errno == ENOENT && !named ? -EAGAIN : -errno;
	unlinkat(pl->dirfd, pl->temp, 0);
	return r;
}

static int sync_dir(const struct place *pl)
{
	auto_(fd_close) int fd =
		openat(pl->dirfd, pl->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* link: an unnamed file may be used, which is linked later. */
static int replace_once(const struct place *pl, const struct file_new *f, bool link)
{
	bool named = true;
	auto_(fd_close) int fd = link ? temp_open(pl, f->mode, &named) : named_open(pl, f->mode);
	int r;

	if (fd < 0)
		return fd;
	r = fd_write(fd, f->data, f->size);
	if (r == 0 && fchmod(fd, f->mode) < 0) /* the umask does not count */
		r = -errno;
	if (r == 0 && f->sync && fsync(fd) < 0)
		r = -errno;
	if (r < 0) {
		if (named)
			unlinkat(pl->dirfd, pl->temp, 0);
		return r;
	}
	TRY(put_in_place(pl, fd, named));
	if (f->sync)
		return sync_dir(pl);
	return 0;
}

int file_replace(struct tx *tx, const struct file_new *f)
{
	struct place pl = place(&tx->mem, f->dirfd, f->path);
	bool link = true;
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		r = replace_once(&pl, f, link);
		if (link && file_no_links(r)) {
			link = false;
			r = -EAGAIN;
		}
	}
	if (r < 0)
		return fail_on_path(tx, r, "write", f->dirfd, f->path);
	return 0;
}

int file_mkdirs(struct tx *tx, const char *path, mode_t mode)
{
	char *copy = mem_str(&tx->mem, path);
	struct stat st;
	int r;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return fail_on_path(tx, -ENOTDIR, "create directory", AT_FDCWD, path);
	}
	for (char *p = copy; *p; p++) {
		if (*p != '/' || p == copy)
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			log_step("mkdir %s: %s", copy,
				 strerror(errno)); /* the last mkdir() decides */
		*p = '/';
	}
	r = mkdir(path, mode) < 0 ? -errno : 0;
	/* "a/b/" and "a/." were made by the loop */
	if (r == -EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		r = 0;
	if (r < 0)
		return fail_on_path(tx, r, "create directory", AT_FDCWD, path);
	return 0;
}

int file_remove(struct tx *tx, int dirfd, const char *path)
{
	struct place pl = place(&tx->mem, dirfd, path);

	unlinkat(dirfd, pl.temp, 0);
	if (unlinkat(dirfd, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR)
		return fail_on_path(tx, -errno, "remove", dirfd, path);
	return 0;
}

/* The pid that holds a flock on this inode; 0 if unknown (another pid namespace).  proc(5) */
static int lock_holder(struct mem *mem, const struct stat *st)
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
static const char *holder_text(struct mem *mem, const struct stat *st)
{
	int pid = lock_holder(mem, st);
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

static void on_tick(int sig UNUSED)
{
}

/* Returns 0, -ETIMEDOUT or another -errno; only -EINTR is recorded. */
static int flock_until(struct tx *tx, int fd, int64_t deadline)
{
	struct sigaction tick = { .sa_handler = on_tick }, old_action; /* no SA_RESTART */
	struct itimerval ticking = { { 0, TICK_MS * 1000 }, { 0, TICK_MS * 1000 } }, old_timer;
	sigset_t alarm, old_mask;
	int r;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigaction(SIGALRM, &tick, &old_action);
	sigprocmask(SIG_UNBLOCK, &alarm, &old_mask);
	setitimer(ITIMER_REAL, &ticking, &old_timer);
	for (;;) {
		r = flock(fd, LOCK_EX) < 0 ? -errno : 0;
		if (r != -EINTR)
			break;
		r = tx_interrupted(tx);
		if (r < 0)
			break;
		r = -ETIMEDOUT;
		if (clock_ms() >= deadline)
			break;
	}
	setitimer(ITIMER_REAL, &old_timer, NULL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(SIGALRM, &old_action, NULL);
	return r;
}

/* Does the name still lead to the locked file? */
static bool still_named(int dirfd, const char *path, const struct stat *locked)
{
	struct stat st;

	return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_dev == locked->st_dev &&
	       st.st_ino == locked->st_ino;
}

int file_lock(struct tx *tx, int dirfd, const char *path, int timeout_ms, int *ret_fd)
{
	int64_t deadline = clock_ms() + timeout_ms;
	struct stat st;
	int r;

	for (;;) {
		auto_(fd_close) int fd =
			openat(dirfd, path,
			       O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0750);

		if (fd < 0 || fstat(fd, &st) < 0)
			return fail_on_path(tx, -errno, "lock", dirfd, path);
		r = flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
		if (r == -EWOULDBLOCK || r == -EINTR)
			r = flock_until(tx, fd, deadline);
		if (r == -ETIMEDOUT)
			return tx_fail_as(tx, CNI_E_AGAIN, r, "lock %s: held by %s for %g seconds",
					  path_text(&tx->mem, dirfd, path),
					  holder_text(&tx->mem, &st), timeout_ms / 1000.0);
		if (r == -EINTR)
			return r;
		if (r < 0)
			return fail_on_path(tx, r, "lock", dirfd, path);
		if (still_named(dirfd, path, &st)) {
			*ret_fd = fd_steal(&fd);
			return 0;
		}
	}
}
