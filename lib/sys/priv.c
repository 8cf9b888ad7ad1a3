// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * priv.c - drop the capabilities that a call does not need
 *
 * capget(2) and capset(2) are called directly, because libcap would be a shared library for
 * two system calls.  In a user namespace the sets belong to that namespace.
 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "sys/priv.h"

enum { WORDS = _LINUX_CAPABILITY_U32S_3 };

/* Needed by every call; all of them are in the first word. */
static const __u64 needed = 1u << CAP_NET_ADMIN | 1u << CAP_SYS_ADMIN | 1u << CAP_DAC_OVERRIDE |
			    1u << CAP_DAC_READ_SEARCH | 1u << CAP_SYS_PTRACE;

/* The address space that the caller allows, if it was lowered. */
static struct rlimit allowed;
static bool lowered;

void priv_limit_memory(uint64_t size)
{
	struct rlimit mine;

	if (SANITIZED || getrlimit(RLIMIT_AS, &allowed) < 0 || allowed.rlim_cur <= size)
		return;
	mine = (struct rlimit){ .rlim_cur = (rlim_t)size, .rlim_max = allowed.rlim_max };
	lowered = setrlimit(RLIMIT_AS, &mine) == 0;
}

void priv_restore_memory(void)
{
	if (lowered)
		setrlimit(RLIMIT_AS, &allowed);
}

void priv_drop(uint64_t more)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[WORDS], keeps[WORDS] = { { 0 } };

	if (syscall(SYS_capget, &head, has) == 0) {
		for (unsigned i = 0; i < WORDS; i++) {
			__u32 word = (__u32)((needed | more) >> (32 * i));

			keeps[i].effective = has[i].effective & word;
			keeps[i].permitted = has[i].permitted & word;
		}
		if (syscall(SYS_capset, &head, keeps) < 0)
			log_step("capabilities stay: %s", strerror(errno));
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_step("no_new_privs: %s", strerror(errno));
}

bool priv_can_inspect(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct has[WORDS];

	return syscall(SYS_capget, &head, has) == 0 &&
	       (has[0].effective & 1u << CAP_SYS_PTRACE) != 0;
}

/* Before priv_hide_loaders(). */
static struct __user_cap_data_struct shown[WORDS];

static bool set_shown(const struct __user_cap_data_struct *sets)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &head, sets) == 0;
}

bool priv_hide_loaders(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct rest[WORDS];

	if (syscall(SYS_capget, &head, shown) < 0)
		return false;
	memcpy(rest, shown, sizeof(rest));
	rest[0].effective &= ~(1u << CAP_NET_ADMIN | 1u << CAP_SYS_MODULE);
	return set_shown(rest);
}

/* Retries, because without CAP_NET_ADMIN nothing can be rolled back. */
void priv_show_loaders(void)
{
	for (int tries = 0; tries < 4; tries++)
		if (set_shown(shown))
			return;
	log_line(LOG_ERROR, "cannot put capabilities back: %s", strerror(errno));
}
