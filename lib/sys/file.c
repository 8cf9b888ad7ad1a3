// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * file.c - read a file, replace it atomically
 *
 * Replacing.  The content is written to an unnamed file (O_TMPFILE), which gets its name when
 * it is complete.  If the target does not exist, link() gives it the name, so a process that
 * is killed anywhere leaves nothing.  Otherwise link() gives it a fixed temporary name, and
 * rename() replaces the target.  Writers share the temporary name, because the file under it
 * is always complete; a writer whose link was taken away starts again.  A killed writer's file
 * is replaced by the next writer, or removed by file_remove().  On a file system without
 * O_TMPFILE or hard links, the content is written under the temporary name, by one writer at a
 * time.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/statvfs.h>

#include "base/log.h"
#include "sys/file_impl.h"

enum { TRIES = 100, NAMED_TIMEOUT_MS = 10000 };

const char *file_path_text(struct mem *mem, int dirfd, const char *path)
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

int file_fail(struct tx *tx, int err, const char *verb, int dirfd, const char *path)
{
	return tx_fail_as(tx, CPLUG_E_FILE, err, "%s %s: %s", verb,
			  file_path_text(&tx->mem, dirfd, path), strerror(-err));
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

bool fd_is_endless(int fd)
{
	int type = SOCK_STREAM;
	socklen_t size = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type != SOCK_STREAM &&
	       type != SOCK_SEQPACKET;
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

int file_read_trusted(struct mem *mem, int dirfd, const char *path, size_t max,
		      struct file_text *ret)
{
	auto_(fd_close) int fd =
		openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return file_read_fd(mem, fd, max, ret);
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
static int named_open(struct tx *tx, const struct place *pl)
{
	auto_(fd_close) int fd =
		openat(pl->dirfd, pl->temp, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int timeout = file_lock_timeout(NAMED_TIMEOUT_MS);
	struct file_flock lock = {
		.fd = fd,
		.dirfd = pl->dirfd,
		.path = pl->temp,
		.timeout_ms = timeout,
		.deadline = clock_ms() + timeout,
	};
	struct stat ours, there;

	if (fd < 0 && errno == EISDIR && file_move_folder(pl->dirfd, pl->temp) == 0)
		return -EAGAIN;
	if (fd < 0)
		return -errno;
	TRY(file_flock(tx, &lock));
	if (fstat(fd, &ours) < 0)
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
static int temp_open(struct tx *tx, const struct place *pl, bool *ret_named)
{
	int fd = openat(pl->dirfd, pl->dir, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_TMPFILE, 0600);

	*ret_named = fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL);
	if (*ret_named)
		return named_open(tx, pl);
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
static int put_in_place(const struct place *pl, int fd, bool named, bool own)
{
	int r = named ? -EEXIST : file_link(fd, pl->dirfd, pl->path);

	if (r != -EEXIST)
		return r;
	for (int i = 0; !named && i < TRIES; i++) {
		r = file_link(fd, pl->dirfd, pl->temp);
		if (r != -EEXIST)
			break;
		if (unlinkat(pl->dirfd, pl->temp, 0) < 0 && errno == EISDIR)
			(void)!file_move_folder(pl->dirfd, pl->temp);
	}
	if (!named && r < 0)
		return r;
	if (renameat(pl->dirfd, pl->temp, pl->dirfd, pl->path) == 0)
		return 0;
	if (errno == EISDIR && own && file_move_folder(pl->dirfd, pl->path) == 0 &&
	    renameat(pl->dirfd, pl->temp, pl->dirfd, pl->path) == 0)
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
static int replace_once(struct tx *tx, const struct place *pl, const struct file_new *f, bool link)
{
	bool named = true;
	auto_(fd_close) int fd = link ? temp_open(tx, pl, &named) : named_open(tx, pl);
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
	TRY(put_in_place(pl, fd, named, f->own));
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
		r = replace_once(tx, &pl, f, link);
		if (link && file_no_links(r)) {
			link = false;
			r = -EAGAIN;
		}
	}
	if (r < 0)
		return file_fail(tx, r, "write", f->dirfd, f->path);
	return 0;
}

int file_dir_writable(struct mem *mem, const char *path, const char **ret)
{
	char *dir = mem_str(mem, path), *slash;
	struct statvfs fs;
	int r;

	for (;;) {
		r = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) < 0 ? -errno : 0;
		slash = strrchr(dir, '/');
		if (r != -ENOENT || !slash || slash == dir)
			break;
		*slash = '\0';
	}
	if (r == 0 && statvfs(dir, &fs) == 0 &&
	    ((fs.f_blocks && !fs.f_bfree) || (fs.f_files && !fs.f_ffree)))
		r = -ENOSPC;
	*ret = dir;
	return r;
}

int file_mkdirs(struct tx *tx, const char *path, mode_t mode)
{
	char *copy = mem_str(&tx->mem, path);
	struct stat st;
	int r;

	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return 0;
		return file_fail(tx, -ENOTDIR, "create directory", AT_FDCWD, path);
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
		return file_fail(tx, r, "create directory", AT_FDCWD, path);
	return 0;
}

/* With a slash at the end of the names rename(2) moves folders alone. */
int file_move_folder(int dirfd, const char *path)
{
	char from[PATH_MAX], to[PATH_MAX];

	snprintf(from, sizeof(from), "%s/", path);
	snprintf(to, sizeof(to), "%s.%jx/", path, (uintmax_t)clock_ms());
	if (renameat(dirfd, from, dirfd, to) < 0)
		return -errno;
	log_warn("%s: a folder was in its place, which is now %s", path, to);
	return 0;
}

int file_open_own(const char *path, int flags)
{
	int fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);

	if (fd >= 0 || errno != EISDIR)
		return fd;
	/* Another call may have moved it. */
	(void)!file_move_folder(AT_FDCWD, path);
	return open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
}

bool file_is_gone(const char *path)
{
	return access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

int file_remove(struct tx *tx, int dirfd, const char *path)
{
	struct place pl = place(&tx->mem, dirfd, path);

	unlinkat(dirfd, pl.temp, 0);
	if (unlinkat(dirfd, path, 0) < 0 && errno != ENOENT && errno != ENOTDIR && errno != EISDIR)
		return file_fail(tx, -errno, "remove", dirfd, path);
	return 0;
}
