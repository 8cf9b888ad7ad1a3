// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * turn.c - processes that would hinder each other act one after the other
 */
#include "sys/turn.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/log.h"
#include "sys/file.h" // NOLINT(readability-duplicate-include): <sys/file.h> is another

enum { LOOK_MS = 3, TICK_MS = 50 };

int turn_open(const char *path)
{
	int fd = file_open_own(path, O_RDWR);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	/* The first call after the machine's start.  Errors show when the file is opened. */
	(void)!mkdir("/run/cni", 0700);
	(void)!mkdir(STATE_ROOT, 0700);
	return file_open_own(path, O_RDWR);
}

bool turn_try(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static int wait_for(struct tx *tx, int fd, const struct file_wait *w)
{
	int r = file_lock_wait(tx, fd, w);

	if (r == -EINTR)
		return r;
	if (r < 0)
		log_step("another call does not end its turn (%s): not waiting", strerror(-r));
	return r == 0;
}

static struct file_wait wait_of(bool (*is_over)(void *arg), void *arg)
{
	return (struct file_wait){
		.timeout_ms = file_lock_timeout(TURN_WAIT_MS),
		.tick_ms = is_over ? LOOK_MS : TICK_MS,
		.is_over = is_over,
		.arg = arg,
	};
}

int turn_wait(struct tx *tx, int fd, bool (*is_over)(void *arg), void *arg)
{
	const struct file_wait w = wait_of(is_over, arg);

	return wait_for(tx, fd, &w);
}

static int take(struct tx *tx, const char *path, const struct file_wait *w, int *ret)
{
	int fd = turn_open(path), r;

	*ret = fd;
	if (fd < 0 || flock(fd, (w->shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0)
		return 0;
	r = wait_for(tx, fd, w);
	if (r <= 0)
		fd_close(ret);
	return r < 0 ? r : 0;
}

int turn_take(struct tx *tx, const char *path, int *ret)
{
	const struct file_wait w = wait_of(NULL, NULL);

	return take(tx, path, &w, ret);
}

int turn_share_gc(struct tx *tx, int *ret)
{
	const struct file_wait w = {
		.timeout_ms = file_lock_timeout(TURN_GC_WAIT_MS),
		.tick_ms = TICK_MS,
		.shared = true,
	};

	return take(tx, TURN_GC, &w, ret);
}
