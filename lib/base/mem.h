/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - the arena of a call
 *
 * All memory of a call is released when the call ends; no object is freed alone.  The memory
 * is zeroed.
 *
 * A failed allocation does not return: it calls mem.exhausted, which the owner of the arena
 * sets.  The dispatcher's leaves by longjmp, rolls the call back and answers with code 110
 * (CPLUG_E_MEMORY).  So code that allocates has no failure branch, and builders return
 * nothing (rule R5).
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

/* Returns size zeroed bytes, aligned for any type. */
void *mem_alloc(struct mem *m, size_t size) __attribute__((returns_nonnull));

/*
 * The same, but returns NULL if there is no memory.  For code that must not be left by longjmp
 * because it holds something that the rollback does not know, such as a running child.
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
 * Makes room for one more element in an array of n elements of size bytes each.  Returns the
 * array, which moves when it grows (at 4 and at each power of two above).  The array must have
 * grown from NULL by this function, one element at a time.
 */
void *mem_grow(struct mem *m, void *array, size_t n, size_t size) __attribute__((returns_nonnull));

/* Releases all memory of the arena. */
void mem_free(struct mem *m);

#endif
