/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * index.h - an index of a folder of leases
 *
 * One file per network, beside the network's folder, used under the network's lock.  It finds
 * the addresses of a container, and the next free address, at a cost that does not depend on
 * the number of leases.
 *
 * The index is a hint.  It is used only if the folder has not been changed by another program
 * since the index was written, and the caller (store.c) verifies each answer with the lease
 * file.  No function fails: an index that cannot be read or written does not exist.
 *
 * The format is private, in native byte order, and may change (docs/leases.md).
 */
#ifndef CPLUG_HOST_LOCAL_INDEX_H
#define CPLUG_HOST_LOCAL_INDEX_H

#include "ipam/host-local/slots.h"

struct index {
	int fd;          /* -1: there is no index */
	struct mem *mem; /* for images */
	int folder;      /* directory of the file */
	const char *name;
	int leases; /* the folder of leases */
	uint64_t boot;
	bool good;     /* matched the folder when it was opened, or was renewed since */
	bool readable; /* its tables can be read, even if it is not good */
	bool look;     /* opened by index_look(): index_exists() says no */
	bool behind;   /* the folder is being changed, between index_begin() and index_end() */
	bool unsaved;  /* the tables differ from the file */
	struct slots owner, block, old;
};

/*
 * Opens the index called name in the directory folder; makes it if it is missing.  leases is
 * the folder of leases, whose lock the caller holds.  Both descriptors, name and mem must
 * outlive the index.  If index_exists() but not ix->good, call index_renew() before use.
 */
void index_open(struct index *ix, struct mem *mem, int folder, const char *name, int leases);
/* The same for index_life() alone, without the lock: makes and writes nothing. */
void index_look(struct index *ix, struct mem *mem, int folder, const char *name, int leases);
bool index_exists(const struct index *ix);

/* Empties the index; the caller then adds all leases of the folder. */
void index_renew(struct index *ix);

/*
 * Bracket changes of the folder that are reported by index_add() and index_remove().  An index
 * without index_end() is not good when it is opened next.
 */
void index_begin(struct index *ix);
void index_end(struct index *ix);

/*
 * Writes the life of a lease that is about to be made, so that it is known even if we are
 * killed right after.  Returns false if the index has the lease already.  If the lease is
 * made, call index_add(); otherwise index_forget(), unless this returned false.
 */
bool index_intend(struct index *ix, struct ip ip, const char *id, const struct lease_life *life);
void index_forget(struct index *ix, struct ip ip, const char *id);

/* Adds a lease.  life NULL: keep the one the index has, or had before index_renew(). */
void index_add(struct index *ix, struct ip ip, const char *id, const struct lease_life *life);
void index_remove(struct index *ix, struct ip ip, const char *id);
/* Marks an address as taken whose lease file cannot be read. */
void index_block(struct index *ix, struct ip ip);

/* Returns the number of addresses that container id probably has; *ret is in mem. */
unsigned index_find(struct index *ix, const char *id, struct ip **ret);
/* The life of a lease; false if the index does not have it. */
bool index_life(struct index *ix, struct ip ip, const char *id, struct lease_life *ret);
/* The first probably free address of from … to; false if there is none. */
bool index_free(struct index *ix, struct ip from, struct ip to, struct ip *ret);

/* Stores the state of the folder in the index, and closes it. */
void index_close(struct index *ix);

/* A hash of the boot id; 0 if it cannot be read.  random(4) */
uint64_t index_boot_id(void);

#endif
