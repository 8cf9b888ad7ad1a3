// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * strerror.c - glibc's error texts in an executable with musl
 *
 * musl's texts for some errors differ from those of glibc, which users know from other programs
 * and docs/errors.md, and search for.  The linker replaces strerror() (-Wl,--wrap=strerror).
 *
 * libnl looks texts up in a new locale.  musl's newlocale() has an allocator of its own, beside the
 * one that compat/malloc.c replaces: 7 kB.  The only locale here is one without translations.
 */
#include <errno.h>
#include <locale.h>
#include <string.h>

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's header has others
locale_t newlocale(int mask, const char *name, locale_t base)
{
	/* A pointer for each category (struct __locale_struct). */
	static void *none[8];

	(void)mask;
	(void)name;
	(void)base;
	return (locale_t)none;
}

void freelocale(locale_t locale)
{
	(void)locale;
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)

char *__wrap_strerror(int err);
char *__real_strerror(int err);

/* Arrays instead of pointers, which would be relocated at every start. */
static const struct {
	int err;
	char words[40];
} usual[] = {
	{ EIO, "Input/output error" },
	{ ENOMEM, "Cannot allocate memory" },
	{ EBUSY, "Device or resource busy" },
	{ EXDEV, "Invalid cross-device link" },
	{ EMFILE, "Too many open files" },
	{ ENOTTY, "Inappropriate ioctl for device" },
	{ ERANGE, "Numerical result out of range" },
	{ EDEADLK, "Resource deadlock avoided" },
	{ ENAMETOOLONG, "File name too long" },
	{ ELOOP, "Too many levels of symbolic links" },
	{ ETIME, "Timer expired" },
	{ EOVERFLOW, "Value too large for defined data type" },
	{ EUSERS, "Too many users" },
	{ ENOTSOCK, "Socket operation on non-socket" },
	{ EMSGSIZE, "Message too long" },
	{ EOPNOTSUPP, "Operation not supported" },
	{ EADDRINUSE, "Address already in use" },
	{ EADDRNOTAVAIL, "Cannot assign requested address" },
	{ ENETUNREACH, "Network is unreachable" },
	{ ENETRESET, "Network dropped connection on reset" },
	{ ECONNABORTED, "Software caused connection abort" },
	{ EISCONN, "Transport endpoint is already connected" },
	{ ENOTCONN, "Transport endpoint is not connected" },
	{ ETIMEDOUT, "Connection timed out" },
	{ EHOSTUNREACH, "No route to host" },
	{ EINPROGRESS, "Operation now in progress" },
	{ EUCLEAN, "Structure needs cleaning" },
	{ EDQUOT, "Disk quota exceeded" },
};

char *__wrap_strerror(int err)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		if (usual[i].err == err)
			return (char *)(unsigned long)usual[i].words;
	return __real_strerror(err);
}
