/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index.h - what a folder of leases contains, without reading the folder
 *
 * One file per network, beside the network's folder, used under the network's lock.
 * It answers two questions at the same cost whatever the number of leases: which
 * addresses has this container, and which address is free next.
 *
 * It is a hint.  It is believed as a whole only if nobody else changed the folder
 * since it was written, and in each single answer only after a look at the file
 * itself, which is the caller's business (store.c).  Nothing here ever fails:
 * an index that cannot be read or written is none.
 *
 * The format is native, private, and may change: docs/leases.md.
 */
#ifndef CPLUG_HOST_LOCAL_INDEX_H
#define CPLUG_HOST_LOCAL_INDEX_H

#include "ipam/host-local/slots.h"

struct index {
	int fd;          /* -1 = there is no index */
	struct mem *mem; /* for images */
	int folder;      /* where the file is, and its name */
	const char *name;
	int leases; /* the folder described */
	uint64_t boot;
	bool good;     /* in step with the folder when opened, or renewed since */
	bool readable; /* its tables can be read, good or not */
	bool behind;   /* the folder is being changed, and we were not told how */
	bool unsaved;  /* the file differs from what we know */
	struct slots owner, block, old;
};

/*
 * Opens the index called name in the directory folder, of the directory leases, whose
 * lock is held; makes it if it does not exist.  Both descriptors, name and mem must
 * outlive it.  Afterwards index_exists() tells whether there is one, and ix->good
 * whether it may be used; if not, renew it first.
 */
void index_open(struct index *ix, struct mem *mem, int folder, const char *name, int leases);
bool index_exists(const struct index *ix);

/* Starts it empty: the caller goes on to add every lease there is. */
void index_renew(struct index *ix);

/*
 * The folder is about to be changed; and the changes were told, by index_add() and
 * index_remove().  An index for which the second never comes will not be believed.
 */
void index_begin(struct index *ix);
void index_end(struct index *ix);

/*
 * A lease is about to be made: its life goes to the file before, so that it is known even if
 * we are killed right after.  False if the index has this lease already.  Then
 * index_add() if the lease was made, else (and if true) index_forget().
 */
bool index_intend(struct index *ix, struct ip ip, const char *id, const struct lease_life *life);
void index_forget(struct index *ix, struct ip ip, const char *id);

/* life NULL: as it was known, also before index_renew(), or unknown. */
void index_add(struct index *ix, struct ip ip, const char *id, const struct lease_life *life);
void index_remove(struct index *ix, struct ip ip, const char *id);
/* An address that cannot be had, though no lease can be read. */
void index_block(struct index *ix, struct ip ip);

/* The addresses that container id probably has: their number; *ret lives in mem. */
unsigned index_find(struct index *ix, const char *id, struct ip **ret);
/* What is known about a lease; false if it is not there. */
bool index_life(struct index *ix, struct ip ip, const char *id, struct lease_life *ret);
/* The first address of from … to that is probably free. */
bool index_free(struct index *ix, struct ip from, struct ip to, struct ip *ret);

/* Signs the index with the state of the folder, and closes it. */
void index_close(struct index *ix);

/* A hash of this boot's id; 0 if it cannot be read. */
uint64_t index_boot_id(void);

#endif
