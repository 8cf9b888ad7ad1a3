// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * env.c - getenv() and open() in an executable with musl
 *
 * musl's getenv() compares the name with each variable by strncmp(), 45 instructions for each; most
 * variables differ at the first letter.  Its open() sets FD_CLOEXEC again, because kernels before
 * 2.6.23 ignored O_CLOEXEC; its openat() does not, and is all that open() needs.
 */
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): glibc's header has others
char *getenv(const char *name)
{
	size_t size = strlen(name);

	for (char **e = environ; size && e && *e; e++)
		if (**e == *name && strncmp(*e, name, size) == 0 && (*e)[size] == '=')
			return *e + size + 1;
	return NULL;
}

int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list ap;

	/* O_TMPFILE has more bits than O_DIRECTORY, and needs a mode, too. */
	if (flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE) {
		va_start(ap, flags);
		mode = va_arg(ap, mode_t);
		va_end(ap);
	}
	return openat(AT_FDCWD, path, flags, mode);
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
