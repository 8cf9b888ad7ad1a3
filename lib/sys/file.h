/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.h - read a file, replace it atomically, lock it
 *
 * A file is never rewritten in place: a reader sees the old content or the new.  Files that
 * are written are opened with O_NOFOLLOW.  Failures have the code CPLUG_E_FILE and name the
 * path.  dirfd may be AT_FDCWD, as in openat(2).
 */
#ifndef CPLUG_FILE_H
#define CPLUG_FILE_H

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/tx.h"

/*
 * Reads a regular file of at most max bytes into the arena.  Returns 0 or -errno (-EFBIG,
 * -EISDIR, -EINVAL: not a regular file).  With a dirfd, the last part of the path must not be
 * a symbolic link (-ELOOP).
 */
struct file_text {
	char *s;     /* NUL-terminated */
	size_t size; /* in bytes, without the NUL */
};
int file_read(struct mem *mem, int dirfd, const char *path, size_t max,
	      struct file_text *ret) CHECKED;
/*
 * The same for a path that a configuration names (AT_FDCWD): what is no regular file is not even
 * opened, because opening a device can do something (watchdog, tape).
 */
int file_read_checked(struct mem *mem, const char *path, size_t max, struct file_text *ret) CHECKED;
/* The same from an open descriptor. */
int file_read_fd(struct mem *mem, int fd, size_t max, struct file_text *ret) CHECKED;

/*
 * The same for a file of the host's administrator: not a symbolic link, root's, and no other user
 * can write it; -EPERM otherwise.
 */
int file_read_trusted(struct mem *mem, int dirfd, const char *path, size_t max,
		      struct file_text *ret) CHECKED;

/* Is it a socket of datagrams?  Reading from it waits for ever, also after the sender's end. */
bool fd_is_endless(int fd);

/* Writes a file that appears complete or not at all, in place of one that is there. */
struct file_new {
	int dirfd;
	const char *path;
	const void *data;
	size_t size;
	mode_t mode; /* independent of the umask */
	bool sync;   /* fsync(2) the file and its directory */
	bool own;    /* cplug's: a folder in its place is moved away (file_open_own()) */
};
int file_replace(struct tx *tx, const struct file_new *f) CHECKED;

/* Gives a name to an open O_TMPFILE file.  Returns 0 or -errno (-EEXIST: the name is taken). */
int file_link(int fd, int dirfd, const char *path) CHECKED;

/*
 * Does a failure of file_link() mean that the file system has no hard links (exFAT, some NFS and
 * FUSE servers)?
 */
bool file_no_links(int r);

/* As mkdir -p: makes all missing directories of the path. */
int file_mkdirs(struct tx *tx, const char *path, mode_t mode) CHECKED;

/*
 * For STATUS: can files be made in a directory, or in the nearest one above it that is there?
 * Returns 0 or -errno (-EROFS, -EACCES, -ENOTDIR, -ENOSPC: the file system is full), and which
 * directory was looked at.
 */
int file_dir_writable(struct mem *mem, const char *path, const char **ret) CHECKED;

/*
 * Opens a lock of cplug's, with mode 0600; makes it.  A folder in its place is moved away, because
 * the author of a configuration can have host-local make folders anywhere (dataDir).  flags: O_RDWR
 * or O_RDONLY.  Returns a descriptor, or -1 and errno.
 */
int file_open_own(const char *path, int flags);

/* Gives a folder another name, with a warning.  Returns 0 or -errno (-ENOTDIR: it is a file). */
int file_move_folder(int dirfd, const char *path) CHECKED;

/* Is it certain that nothing is at path?  Any other failure, such as EIO or ENOMEM, proves nothing.
 */
bool file_is_gone(const char *path);

/* Removes a file; absent is success, and so is a folder in its place, which stays. */
int file_remove(struct tx *tx, int dirfd, const char *path) CHECKED;

/*
 * Takes an exclusive flock(2) on path, as the reference does; makes the file if it is missing.
 * Waits for timeout_ms at most, then fails with CNI_E_AGAIN and the pid and command of the
 * holder, if /proc/locks shows it.  Fails with -EINTR if a signal came.  Closing the
 * descriptor releases the lock.  A folder in its place is moved away.
 */
int file_lock(struct tx *tx, int dirfd, const char *path, int timeout_ms, int *ret_fd) CHECKED;

/* The same, but does not make the file: -ENOENT, which is not recorded, if it is not there. */
int file_lock_there(struct tx *tx, int dirfd, const char *path, int timeout_ms,
		    int *ret_fd) CHECKED;

/* The same for a file that only our user can open (mode 0600), so that no other can hold it. */
int file_lock_own(struct tx *tx, const char *path, bool shared, int timeout_ms,
		  int *ret_fd) CHECKED;

/*
 * The same for one byte of a file (fcntl(2), F_SETLK), so that one file has the locks of many
 * objects, and none is left behind.  The file has mode 0600.  Closing any descriptor of the file
 * releases the locks that the process has there.
 */
struct file_byte {
	const char *path;
	uint64_t byte;    /* the object's number */
	const char *what; /* the object, for messages */
	/*
	 * The lock belongs to the open file description (F_OFD_SETLK), so a child that keeps the
	 * descriptor holds it as well, also when we have died.  The holder is not known then.
	 */
	bool inherited;
};
int file_lock_byte(struct tx *tx, const struct file_byte *b, int timeout_ms, int *ret_fd) CHECKED;

/* usual_ms, or what a test has set (CNI_TEST_LOCK_TIMEOUT_MS, secure_getenv(3)). */
int file_lock_timeout(int usual_ms);

/* How to wait for a lock. */
struct file_wait {
	int timeout_ms, tick_ms;
	bool (*is_over)(void *arg); /* asked at each tick; true ends the wait.  NULL = none */
	void *arg;
	bool shared; /* LOCK_SH */
};

/*
 * Takes a flock(2) on an open file.  Returns 0, 1 if the wait is over without it,
 * -ETIMEDOUT or another -errno, of which only -EINTR (a signal came) is recorded.
 */
int file_lock_wait(struct tx *tx, int fd, const struct file_wait *w) CHECKED;

/* auto_(file_close_dir) DIR *d = opendir(path); */
static inline void file_close_dir(DIR **d)
{
	if (*d)
		closedir(*d);
	*d = NULL;
}

#endif
