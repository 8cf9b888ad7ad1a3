// SPDX-License-Identifier: GPL-2.0-or-later
/*
  * self.c - LD_PRELOAD: stat("/proc/self/exe") returns the plugin instead of valgrind
  *
  * Valgrind emulates readlink("/proc/self/exe") but not stat().  Without this a plugin would not
  * recognise its own file on CNI_PATH, and execute it.
 */
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): glibc has __file */
int stat(const char *restrict path, struct stat *restrict st)
{
	char exe[PATH_MAX];
	ssize_t n = -1;

	if (strcmp(path, "/proc/self/exe") == 0)
		n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0)
		exe[n] = '\0';
	return fstatat(AT_FDCWD, n > 0 ? exe : path, st, 0);
}
