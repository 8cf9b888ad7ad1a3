// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mem.c - the arena of a call: a list of blocks with a bump pointer
 *
 * The first block is so large that calloc() maps it: its pages are zero and cost nothing until
 * they are touched.  Each later block is twice as large as the one before, up to a bound: what the
 * last one has left counts for the limit of the address space, too.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum { FIRST_BLOCK = 256 << 10, LARGE_BLOCK = 8 << 20 };

struct mem_block {
	struct mem_block *next;
	size_t size, used;
	bool lent; /* not from calloc() */
	max_align_t data[];
};

static size_t align_up(size_t n)
{
	size_t a = _Alignof(max_align_t);

	return (n + a - 1) & ~(a - 1);
}

/* How large the next block is, for size bytes; 0: the ceiling is reached. */
static size_t next_room(struct mem *m, size_t size)
{
	size_t room = m->blocks ? m->blocks->size * 2 : FIRST_BLOCK;

	m->at_max = m->max && size > m->max - m->size;
	if (m->at_max)
		return 0;
	if (room > LARGE_BLOCK)
		room = LARGE_BLOCK;
	if (room < size)
		room = size;
	if (m->max && room > m->max - m->size)
		room = m->max - m->size;
	return room;
}

/* Adds a block with room for size bytes; false if there is no memory. */
static bool add_block(struct mem *m, size_t size)
{
	size_t room = next_room(m, size);
	struct mem_block *b = room ? calloc(1, sizeof(*b) + room) : NULL;

	if (!b)
		return false;
	b->size = room;
	b->next = m->blocks;
	m->blocks = b;
	m->size += room;
	return true;
}

void *mem_try_alloc(struct mem *m, size_t size)
{
	struct mem_block *b = m->blocks;
	void *p;

	size = align_up(size ? size : 1);
	if (!b || b->size - b->used < size) {
		if (!add_block(m, size))
			return NULL;
		b = m->blocks;
	}
	p = (char *)b->data + b->used;
	b->used += size;
	return p;
}

void *mem_alloc(struct mem *m, size_t size)
{
	void *p = mem_try_alloc(m, size);

	if (!p) {
		if (m->exhausted)
			m->exhausted(m->arg);
		abort();
	}
	return p;
}

void *mem_dup(struct mem *m, const void *data, size_t size)
{
	void *p = mem_alloc(m, size);

	if (size)
		memcpy(p, data, size);
	return p;
}

char *mem_str(struct mem *m, const char *s)
{
	if (!s)
		return NULL;
	return mem_dup(m, s, strlen(s) + 1);
}

/* Prints into the rest of the block first, because the text mostly fits. */
char *mem_vprintf(struct mem *m, const char *fmt, va_list ap)
{
	struct mem_block *b = m->blocks;
	size_t room = b ? b->size - b->used : 0;
	va_list again;
	char *s = b ? (char *)b->data + b->used : NULL;
	int n;

	va_copy(again, ap);
	n = vsnprintf(s, room, fmt, again);
	va_end(again);
	if (n < 0)
		return mem_str(m, "");
	if ((size_t)n < room)
		return mem_alloc(m, (size_t)n + 1);
	if (room)
		memset(s, 0, room);
	s = mem_alloc(m, (size_t)n + 1);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	return s;
}

char *mem_printf(struct mem *m, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = mem_vprintf(m, fmt, ap);
	va_end(ap);
	return s;
}

void *mem_grow(struct mem *m, void *array, size_t n, size_t size)
{
	void *bigger;

	if (n ? n < 4 || (n & (n - 1)) : array != NULL)
		return array;
	bigger = mem_alloc(m, (n ? n * 2 : 4) * size);
	if (n)
		memcpy(bigger, array, n * size);
	return bigger;
}

/* ---- texts that grow ---- */

/* Makes room for n more bytes and a NUL. */
static void text_reserve(struct mem_text *t, size_t n)
{
	size_t room = t->room ? t->room : 64;
	char *bigger;

	if (t->s && t->room - t->len > n)
		return;
	while (room - t->len <= n)
		room *= 2;
	bigger = mem_alloc(t->mem, room);
	if (t->s)
		memcpy(bigger, t->s, t->len);
	t->s = bigger;
	t->room = room;
}

void mem_text_add(struct mem_text *t, const char *fmt, ...)
{
	size_t left = t->s ? t->room - t->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->s ? t->s + t->len : NULL, left, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n >= left) {
		text_reserve(t, (size_t)n);
		va_start(ap, fmt);
		vsnprintf(t->s + t->len, t->room - t->len, fmt, ap);
		va_end(ap);
	}
	t->len += (size_t)n;
}

const char *mem_text_comma(const struct mem_text *t, const char *comma)
{
	return t->len ? comma : "";
}

const char *mem_text_end(const struct mem_text *t)
{
	return t->s ? t->s : "";
}

size_t mem_used(const struct mem *m)
{
	size_t used = 0;

	for (const struct mem_block *b = m->blocks; b; b = b->next)
		used += b->used;
	return used;
}

void mem_lend(struct mem *m, void *room, size_t size)
{
	struct mem_block *b = room;

	*b = (struct mem_block){ .next = m->blocks, .size = size - sizeof(*b), .lent = true };
	m->blocks = b;
}

void mem_free(struct mem *m)
{
	while (m->blocks) {
		struct mem_block *b = m->blocks;

		m->blocks = b->next;
		if (!b->lent)
			free(b);
	}
	m->size = 0;
}
