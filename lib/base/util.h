/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * util.h - the four words every file speaks: TRY, also, CHECKED, auto_
 *
 * Functions return 0 or a negative errno (house rule R7).  An action that can
 * fail is CHECKED: its answer must be used.  TRY() hands a failure to the
 * caller at once; also() goes on and keeps the first one, for teardown (R11).
 * A function that uses TRY owns nothing by hand: its descriptors and library
 * objects are auto_(): released when the name goes out of scope (R6).
 */
#ifndef CPLUG_UTIL_H
#define CPLUG_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((__format__(__printf__, fmt, first)))
#define UNUSED __attribute__((unused))
#define auto_(release) __attribute__((cleanup(release)))

/* Returns the value of an expression from the calling function if negative. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		int try_ = (expr);                                                                 \
		if (try_ < 0)                                                                      \
			return try_;                                                               \
	} while (0)

/* The first failure of two: r = also(r, step()). */
static inline int also(int r, int next)
{
	return r < 0 ? r : next;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The kernel's errors are no larger (linux/err.h, MAX_ERRNO). */
enum { ERRNO_MAX = 4095 };

static inline bool str_eq(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* NULL and "" are the same nothing. */
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* auto_(fd_close) int fd = -1;  closes what is open, keeps errno. */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Takes a descriptor out of an auto_ variable. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#endif
