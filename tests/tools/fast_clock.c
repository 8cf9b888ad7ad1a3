// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fast_clock.c - time that passes faster, for a daemon that a test wants to see years later
 *
 * Linked into a copy of the executable with --wrap.  From SIGUSR1 on CLOCK_BOOTTIME goes FAST times
 * as fast, and a timerfd with an absolute time of it fires accordingly.
 */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

enum { FAST = 100, SECOND = 1000000000 };

int __real_clock_gettime(clockid_t clock, struct timespec *ret);
int __real_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old);

static volatile sig_atomic_t is_fast;
static int64_t since; /* ns, when it became fast */

static int64_t ns_of(const struct timespec *t)
{
	return (int64_t)t->tv_sec * SECOND + t->tv_nsec;
}

static struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND) };
}

static void on_signal(int sig)
{
	struct timespec t;

	(void)sig;
	if (is_fast)
		return;
	__real_clock_gettime(CLOCK_BOOTTIME, &t);
	since = ns_of(&t);
	is_fast = 1;
}

static void __attribute__((constructor)) begin(void)
{
	const struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGUSR1, &sa, NULL);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret)
{
	int r = __real_clock_gettime(clock, ret);

	if (r == 0 && clock == CLOCK_BOOTTIME && is_fast)
		*ret = timespec_of(since + (ns_of(ret) - since) * FAST);
	return r;
}

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *t, struct itimerspec *old)
{
	struct itimerspec real = *t;
	int64_t ns = ns_of(&t->it_value);

	if (is_fast && ns > since)
		real.it_value = timespec_of(since + (ns - since) / FAST + 1);
	return __real_timerfd_settime(fd, flags, &real, old);
}
