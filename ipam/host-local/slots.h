/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots.h - a hash table of addresses that lives in a file
 *
 * Open addressing with linear probing and no tombstones: a removal moves the
 * followers up.  A table is either in its file, read by pages with pread() and
 * written slot by slot with pwrite(), or in memory as a whole (its image).  No map is
 * used, so a full disk or an I/O error is an answer and not a SIGBUS: the table
 * is broken then, finds nothing, and says so when asked.
 */
#ifndef CPLUG_HOST_LOCAL_SLOTS_H
#define CPLUG_HOST_LOCAL_SLOTS_H

#include <sys/types.h>

#include "value/ip.h"
#include "base/mem.h"

enum { SLOTS_PER_PAGE = 64, SLOTS_PAGE = 4096, SLOTS_MIN = SLOTS_PER_PAGE, SLOTS_MAX = 1 << 26 };

/* What tells later whether the owner of a lease can still be alive; 0 = not known. */
struct lease_life {
	uint64_t boot;        /* hash of the boot id */
	uint64_t cookie, ino; /* of the network namespace */
	uint64_t time;        /* of the lease, seconds since 1970 */
};

struct slot {
	uint64_t key;    /* hash; 0 = empty */
	uint32_t family; /* AF_INET, AF_INET6 */
	uint32_t unused;
	uint8_t addr[16];
	union {
		struct lease_life life; /* of a lease */
		uint64_t taken[4];      /* of a block of 256 addresses: a bit for each */
	};
};

struct slots {
	uint32_t cap, used; /* cap is a power of two */
	int fd;
	off_t at;           /* where it is in the file */
	struct slot *image; /* all of it in memory, or NULL */
	bool broken;        /* an I/O error: not to be used any more */
	int64_t page_at;    /* the page held; -1 = none */
	struct slot page[SLOTS_PER_PAGE];
};

/* A 64-bit hash, never 0. */
uint64_t slots_hash(const void *data, size_t size);

/* A table that is in a file; false if it cannot be one. */
bool slots_in_file(struct slots *t, int fd, off_t at, uint32_t cap, uint32_t used);
/* An empty table in memory. */
void slots_in_memory(struct slots *t, struct mem *mem);
/* Its size in the file, in bytes. */
off_t slots_size(const struct slots *t);

/* Slot i, valid until the next call. */
const struct slot *slots_get(struct slots *t, uint32_t i);
void slots_put(struct slots *t, uint32_t i, const struct slot *s);
/* The slot of key and ip: true, or false and where it could be put. */
bool slots_find(struct slots *t, uint64_t key, struct ip ip, uint32_t *ret);
/* A new slot for key and ip, with everything else zero. */
struct slot slots_new(uint64_t key, struct ip ip);
/* Empties slot i. */
void slots_remove(struct slots *t, uint32_t i);

/* Must it grow before another slot is put? */
bool slots_full(const struct slots *t);
/* Moves the slots that keep() into memory (NULL: all), with room for as many again. */
void slots_rehash(struct slots *t, struct mem *mem, bool (*keep)(const struct slot *s));

/* pwrite() of everything; false on failure. */
bool slots_write(int fd, const void *data, size_t size, off_t at);

#endif
