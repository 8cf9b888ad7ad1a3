// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alloc.c - LD_PRELOAD: makes the n-th allocation of a program fail
 *
 * FAULT_ALLOC_AT=n makes the n-th malloc(), calloc() or realloc() fail, "n+" also all later
 * ones.  The first failure writes a byte to descriptor 198.  With FAULT_ALLOC_IN=name it affects
 * programs of that name only, not those that they execute.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALLOC_FD = 198 };

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);

static unsigned long at, count;
static bool ever;

static void __attribute__((constructor)) start(void)
{
	const char *s = getenv("FAULT_ALLOC_AT"), *in = getenv("FAULT_ALLOC_IN");
	char *end = NULL;

	if (in && strcmp(in, program_invocation_short_name) != 0)
		return;
	at = s ? strtoul(s, &end, 10) : 0;
	ever = end && *end == '+';
	count = 0;
}

static bool fails(void)
{
	if (!at || ++count < at || (count > at && !ever))
		return false;
	if (count == at)
		(void)!write(ALLOC_FD, "!", 1);
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	if (fails())
		return NULL;
	return __libc_malloc(size);
}

/* NOLINTBEGIN(readability-inconsistent-declaration-parameter-name) */
void *calloc(size_t n, size_t size)
{
	if (fails())
		return NULL;
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	if (fails())
		return NULL;
	return __libc_realloc(p, size);
}
/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */
