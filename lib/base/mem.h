/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mem.h - the arena of a call
 *
 * All memory of a call is released when the call ends; no object is freed alone.  The memory
 * is zeroed.
 *
 * A failed allocation, or one beyond the ceiling mem.max, does not return: it calls mem.exhausted,
 * which the owner of the arena sets.  The dispatcher's leaves by longjmp, rolls the call back and
 * answers with code 110 (CPLUG_E_MEMORY).  So code that allocates has no failure branch, and
 * builders return nothing (rule R5).
 */
#ifndef CPLUG_MEM_H
#define CPLUG_MEM_H

#include <stdarg.h>
#include <stddef.h>

#include "base/util.h"

struct mem_block;

struct mem {
	struct mem_block *blocks;
	size_t size; /* of all blocks, in bytes */
	size_t max;  /* ceiling of size; 0: none */
	bool at_max; /* an allocation failed because of it */
	/* Called with arg when malloc() fails or the ceiling is reached; must not return. */
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

/*
 * A text that grows piece by piece: its memory is proportional to its length.  (Appending by
 * mem_printf("%s…", text) in a loop would keep every intermediate text.)
 *
 *	struct mem_text t = { .mem = mem };
 *	mem_text_add(&t, "%s%u", mem_text_comma(&t, ", "), i);
 *	return mem_text_end(&t);
 */
struct mem_text {
	struct mem *mem;
	char *s; /* NULL: nothing was added */
	size_t len, room;
};
void mem_text_add(struct mem_text *t, const char *fmt, ...) PRINTF(2, 3);
/* comma if something was added already, else "". */
const char *mem_text_comma(const struct mem_text *t, const char *comma);
/* The text; "" if nothing was added. */
const char *mem_text_end(const struct mem_text *t) __attribute__((returns_nonnull));

/* The bytes that were allocated.  For tests. */
size_t mem_used(const struct mem *m);

/*
 * Adds size bytes that the caller owns, zeroed and aligned for any type, at least until mem_free().
 * They do not count for the ceiling.
 */
void mem_lend(struct mem *m, void *room, size_t size);

/* Releases all memory of the arena. */
void mem_free(struct mem *m);

#endif
