/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file.h - read, replace atomically, lock
 *
 * Paths come from configuration, so every open is O_CLOEXEC; what we write is
 * opened O_NOFOLLOW, under a directory descriptor where there is one.  A file is
 * never rewritten in place: a reader sees the old content or the new.  Messages
 * name the path.
 */
#ifndef CPLUG_FILE_H
#define CPLUG_FILE_H

#include <sys/stat.h>
#include <sys/types.h>

#include "base/tx.h"

/*
 * Reads a whole file (at most max bytes, else -EFBIG) into the arena; the text
 * is NUL-terminated.  Returns 0 or -errno, and records nothing: the caller
 * knows whether absence matters.  dirfd may be AT_FDCWD; below another the last part of
 * the path is never a symbolic link (-ELOOP).
 */
struct file_text {
	char *s;
	size_t size; /* in bytes, without the NUL */
};
int file_read(struct mem *mem, int dirfd, const char *path, size_t max,
	      struct file_text *ret) CHECKED;

/*
 * Writes a file so that it appears whole or not at all: a temporary name in the
 * same directory, then rename over the target, then (sync) fsync of file and
 * directory.  Records failures.
 */
struct file_new {
	int dirfd; /* or AT_FDCWD */
	const char *path;
	const void *data;
	size_t size;
	mode_t mode;
	bool sync;
};
int file_replace(struct tx *tx, const struct file_new *f) CHECKED;

/*
 * Gives an open file that has no name (O_TMPFILE) this one: 0, -EEXIST if the name is
 * taken, or -errno, unrecorded.
 */
int file_link(int fd, int dirfd, const char *path) CHECKED;

/* mkdir -p; existing directories are fine.  Records failures. */
int file_mkdirs(struct tx *tx, const char *path, mode_t mode) CHECKED;

/* Removes a file; absence is success.  Records failures. */
int file_remove(struct tx *tx, int dirfd, const char *path) CHECKED;

/*
 * Takes an exclusive flock() on path (created if missing; opened read-only, so
 * it works next to the reference), waiting at most timeout_ms.  When the time is
 * up: CNI_E_AGAIN, with the pid and command of the holder (from /proc/locks)
 * where it can be found.  The lock is released by closing the descriptor.
 */
int file_lock(struct tx *tx, int dirfd, const char *path, int timeout_ms, int *ret_fd) CHECKED;

#endif
