/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script.h - the script of a test's server: words KEY=VALUE, read again for each message; its clock
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { WORDS = 4096 };

static char script[WORDS];

static void read_script(const char *path)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f) {
		n = fread(script, 1, sizeof(script) - 1, f);
		fclose(f);
	}
	script[n] = '\0';
}

/* The value of a word; otherwise if it is not there. */
static const char *word(const char *key, const char *otherwise)
{
	static char value[64];
	size_t n = strlen(key);

	for (const char *p = script; *p; p += strcspn(p, " \n"), p += strspn(p, " \n")) {
		if (strncmp(p, key, n) == 0 && p[n] == '=') {
			snprintf(value, sizeof(value), "%.*s", (int)strcspn(p + n + 1, " \n"),
				 p + n + 1);
			return value;
		}
	}
	return otherwise;
}

static unsigned number(const char *key, unsigned otherwise)
{
	const char *s = word(key, NULL);

	if (!s)
		return otherwise;
	return (unsigned)strtoul(s, NULL, 0);
}

/* Since the first call. */
static long milliseconds(void)
{
	static struct timespec begin;
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	if (!begin.tv_sec)
		begin = t;
	return (t.tv_sec - begin.tv_sec) * 1000 + (t.tv_nsec - begin.tv_nsec) / 1000000;
}
