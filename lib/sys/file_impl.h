/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * file_impl.h - shared by the files of the module file only
 */
#ifndef CPLUG_FILE_IMPL_H
#define CPLUG_FILE_IMPL_H

#include "sys/file.h"

/* The full path, for messages. */
const char *file_path_text(struct mem *mem, int dirfd, const char *path);

/* Records "VERB PATH: ERROR" with CPLUG_E_FILE, and returns err. */
int file_fail(struct tx *tx, int err, const char *verb, int dirfd, const char *path);

/*
 * Takes a flock(2) of an open file, before the deadline (clock_ms()).  Fails as
 * file_lock() does; timeout_ms, dirfd and path are for the message.
 */
struct file_flock {
	int fd, dirfd;
	const char *path;
	int timeout_ms;
	bool there; /* the file is not made */
	int64_t deadline;
	bool shared;
};
int file_flock(struct tx *tx, const struct file_flock *f) CHECKED;

#endif
