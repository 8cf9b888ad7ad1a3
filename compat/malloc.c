// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * malloc.c - an allocator for short-lived processes, in an executable with musl
 *
 * musl unmaps a page as soon as it is unused.  libnftnl allocates and frees the objects of each
 * rule, so a third of CHECK's time was spent on mapping and unmapping the same page.  This
 * allocator only unmaps large blocks.  It has a list of free blocks for each power of two, and
 * cuts new blocks from static memory, then from large mappings.  (It serves the libraries: the
 * plugins use the arena of lib/base/mem.c.)
 *
 * It is not thread-safe.  Freeing a block twice, or one that was never allocated, ends the
 * process.  C11 7.22.3; musl allows a program to replace malloc() and its relatives.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	SMALLEST = 5, /* powers of two, header included */
	LARGEST = 15,
	FIRST_CHUNK = 48 << 10,
	CHUNK = 512 << 10,
};

enum state { USED = 0x75736564, FREED = 0x66726565, MAPPED = 0x6d617070 };

/* Before the caller's memory, and aligned as it must be. */
struct block {
	_Alignas(max_align_t) uint32_t state;
	uint32_t power;
	size_t size; /* of the caller's part */
};

struct freed {
	struct block head;
	struct freed *next;
};

static _Alignas(max_align_t) char first_chunk[FIRST_CHUNK];
static char *chunk = first_chunk;
static size_t left = FIRST_CHUNK;
static struct freed *lists[LARGEST + 1];

static void *map(size_t size)
{
	/* cppcheck-suppress invalidFunctionArg ; (-1: no file) */
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* cppcheck-suppress memleak */
	return p == MAP_FAILED ? NULL : p;
}

static void *give(struct block *b, enum state state, unsigned power, size_t size)
{
	if (!b) {
		errno = ENOMEM;
		return NULL;
	}
	*b = (struct block){ .state = state, .power = power, .size = size };
	return b + 1;
}

/* Returns a new block of zeros.  The rest of a chunk that is too small is not used. */
static struct block *cut(unsigned power)
{
	struct block *b;

	if (left < (size_t)1 << power) {
		chunk = map(CHUNK);
		left = chunk ? CHUNK : 0;
	}
	if (!chunk)
		return NULL;
	b = (void *)chunk;
	chunk += (size_t)1 << power;
	left -= (size_t)1 << power;
	return b;
}

static void *allocate(size_t size, bool zeroed)
{
	unsigned power = SMALLEST;
	struct freed *f;

	if (size > PTRDIFF_MAX - sizeof(struct block))
		return give(NULL, USED, 0, 0);
	if (size + sizeof(struct block) > (size_t)1 << LARGEST)
		return give(map(size + sizeof(struct block)), MAPPED, 0, size);
	while ((size_t)1 << power < size + sizeof(struct block))
		power++;
	f = lists[power];
	if (!f)
		return give(cut(power), USED, power, ((size_t)1 << power) - sizeof(struct block));
	lists[power] = f->next;
	if (zeroed)
		memset(&f->head + 1, 0, size);
	return give(&f->head, USED, power, f->head.size);
}

void *malloc(size_t size)
{
	return allocate(size, false);
}

void *calloc(size_t nmemb, size_t size)
{
	size_t all;

	return allocate(__builtin_mul_overflow(nmemb, size, &all) ? SIZE_MAX : all, true);
}

static void release(struct block *b)
{
	struct freed *f = (void *)b;

	if (b->state == MAPPED) {
		munmap(b, b->size + sizeof(*b));
		return;
	}
	if (b->state != USED || b->power < SMALLEST || b->power > LARGEST)
		abort();
	b->state = FREED;
	f->next = lists[b->power];
	lists[b->power] = f;
}

void free(void *ptr)
{
	if (ptr)
		release((struct block *)ptr - 1);
}

void *realloc(void *ptr, size_t size)
{
	struct block *b;
	void *bigger;

	if (!ptr)
		return allocate(size, false);
	b = (struct block *)ptr - 1;
	if (size <= b->size)
		return ptr;
	bigger = allocate(size, false);
	if (bigger) {
		memcpy(bigger, ptr, b->size);
		release(b);
	}
	return bigger;
}
