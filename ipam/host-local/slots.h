/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * slots.h - a hash table of addresses in a file
 *
 * Open addressing with linear probing; a removal moves the followers up, so there are no
 * tombstones.  A table is either in its file, which is read in pages with pread(2) and written
 * slot by slot with pwrite(2), or completely in memory (its image).  mmap(2) is not used,
 * because a full disk or an I/O error would be a SIGBUS.  After such an error the table is
 * broken: it finds nothing.
 *
 * So it is when it has a longer run of slots in use than chance makes: in a folder that others can
 * write to, leases of one container, or of addresses that were searched for, would make each step
 * take as long as there are leases.
 */
#ifndef CPLUG_HOST_LOCAL_SLOTS_H
#define CPLUG_HOST_LOCAL_SLOTS_H

#include <sys/types.h>

#include "value/ip.h"
#include "base/mem.h"

enum { SLOTS_PER_PAGE = 64, SLOTS_PAGE = 4096, SLOTS_MIN = SLOTS_PER_PAGE, SLOTS_MAX = 1 << 26 };

/* The longest run of slots in use.  Tables of a million leases, three quarters full, have runs of
 * some hundred. */
enum { SLOTS_RUN = 4096 };

/* Shows later whether the container of a lease can still exist; 0: unknown. */
struct lease_life {
	uint64_t boot;        /* hash of the boot id */
	uint64_t cookie, ino; /* of the network namespace */
	uint64_t time;        /* of the lease, in seconds since 1970 */
};

struct slot {
	uint64_t key;    /* hash; 0: empty */
	uint32_t family; /* AF_INET, AF_INET6 */
	uint32_t unused;
	uint8_t addr[16];
	union {
		struct lease_life life; /* of a lease */
		uint64_t taken[4];      /* of a block of 256 addresses: one bit each */
	};
};

struct slots {
	uint32_t cap, used; /* cap is a power of two */
	int fd;
	off_t at;           /* offset in the file */
	struct slot *image; /* the table in memory, or NULL */
	bool broken;        /* after an I/O error, or with too long a run */
	int64_t page_at;    /* number of the page below; -1: none */
	struct slot page[SLOTS_PER_PAGE];
};

/* A 64-bit hash, never 0. */
uint64_t slots_hash(const void *data, size_t size);

/* A table in a file, at offset at; false if cap and used are impossible. */
bool slots_in_file(struct slots *t, int fd, off_t at, uint32_t cap, uint32_t used);
/* An empty table in memory. */
void slots_in_memory(struct slots *t, struct mem *mem);
/* The size in the file, in bytes. */
off_t slots_size(const struct slots *t);

/* Slot i, valid until the next call. */
const struct slot *slots_get(struct slots *t, uint32_t i);
void slots_put(struct slots *t, uint32_t i, const struct slot *s);
/* Finds the slot of key and ip; false: *ret is the slot where it can be put. */
bool slots_find(struct slots *t, uint64_t key, struct ip ip, uint32_t *ret);
/* A slot of key and ip; everything else is zero. */
struct slot slots_new(uint64_t key, struct ip ip);
/* Empties slot i. */
void slots_remove(struct slots *t, uint32_t i);

/* Must the table grow before another slot is put? */
bool slots_full(const struct slots *t);
/* Moves the table into memory, with room to double; keep NULL: all slots. */
void slots_rehash(struct slots *t, struct mem *mem, bool (*keep)(const struct slot *s));

/* Writes all bytes with pwrite(2); false on failure. */
bool slots_write(int fd, const void *data, size_t size, off_t at);

#endif
