/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - the call's arena
 *
 * Everything a call makes lives until the call ends, so nothing is freed one
 * by one and nothing can be freed twice.  The memory is zeroed.
 *
 * An allocation that fails never returns: it leaves through mem.exhausted,
 * which the owner of the arena sets (the dispatcher rolls the call back and
 * answers with one error document).  Code that allocates therefore has no
 * failure branch, and a builder stays silent (house rule R5).
 */
#ifndef CPLUG_MEM_H
#define CPLUG_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/util.h"

struct mem_block;

struct mem {
	struct mem_block *blocks;
	/* Called with arg when malloc() fails; must not return. */
	__attribute__((noreturn)) void (*exhausted)(void *arg);
	void *arg;
};

/* size zeroed bytes, aligned for any type. */
void *mem_alloc(struct mem *m, size_t size) __attribute__((returns_nonnull));

/*
 * The same; NULL if there is no memory.  For code that must not be left by a longjmp, because
 * it holds something that a rollback does not know, like a child that runs.
 */
void *mem_try_alloc(struct mem *m, size_t size);

/* A copy of size bytes. */
void *mem_dup(struct mem *m, const void *data, size_t size) __attribute__((returns_nonnull));

/* A copy of a string; NULL stays NULL. */
char *mem_str(struct mem *m, const char *s);

/* A formatted string. */
char *mem_printf(struct mem *m, const char *fmt, ...) PRINTF(2, 3) __attribute__((returns_nonnull));
char *mem_vprintf(struct mem *m, const char *fmt, va_list ap) PRINTF(2, 0)
	__attribute__((returns_nonnull));

/*
 * Room for one more element of an array of n elements of size bytes each that
 * lives in the arena: returns the array, moved if it had to grow (at powers of
 * two, from 4).  n must be what the previous calls counted.
 */
void *mem_grow(struct mem *m, void *array, size_t n, size_t size) __attribute__((returns_nonnull));

/* Gives everything back. */
void mem_free(struct mem *m);

#endif
