/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * util.h - TRY, also, CHECKED, auto_ and a few string functions
 *
 * Functions return 0 or a negative errno (rule R7).  The result of a CHECKED function must be
 * used.  TRY() returns a failure to the caller at once; also() continues and keeps the first
 * failure, for teardown (R11).  A function that uses TRY declares its descriptors and library
 * objects with auto_(), which releases them at the end of their scope (R6).
 */
#ifndef CPLUG_UTIL_H
#define CPLUG_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#define CHECKED __attribute__((warn_unused_result))
#define PRINTF(fmt, first) __attribute__((__format__(__printf__, fmt, first)))
#define COLD __attribute__((cold)) /* made small in a file that is made fast (Makefile) */
#define UNUSED __attribute__((unused))
#define auto_(release) __attribute__((cleanup(release)))

/* Evaluates expr; if it is negative, returns it from the calling function. */
#define TRY(expr)                                                                                  \
	do {                                                                                       \
		int try_ = (expr);                                                                 \
		if (try_ < 0)                                                                      \
			return try_;                                                               \
	} while (0)

/* Returns the first failure of two: r = also(r, step()). */
static inline int also(int r, int next)
{
	return r < 0 ? r : next;
}

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* The largest errno of the kernel (linux/err.h, MAX_ERRNO). */
enum { ERRNO_MAX = 4095 };

/*
 * Can the same call succeed when it is repeated?  Such an error says nothing about the object: a
 * signal, an input or output error, and resources that are missing now.
 */
static inline bool err_is_passing(int err)
{
	return err == -EINTR || err == -EIO || err == -ENOMEM || err == -EMFILE || err == -ENFILE ||
	       err == -EBUSY || err == -ENOSPC || err == -EAGAIN || err == -ENOBUFS ||
	       err == -ETIMEDOUT;
}

static inline bool str_eq(const char *a, const char *b)
{
	return a && b && strcmp(a, b) == 0;
}

/* Is s NULL or ""? */
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* CLOCK_MONOTONIC in milliseconds. */
static inline int64_t clock_ms(void)
{
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Closes *fd if it is open, and keeps errno: auto_(fd_close) int fd = -1; */
static inline void fd_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	errno = saved;
}

/* Writes size bytes.  Returns 0 or -errno. */
static inline int fd_write(int fd, const void *data, size_t size)
{
	const char *p = data;

	while (size) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Moves a descriptor out of an auto_ variable, which no longer closes it. */
static inline int fd_steal(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* AddressSanitizer needs much address space, so memory cannot be limited. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#endif
