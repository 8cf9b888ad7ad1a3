/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - the leases of one network: find, claim, release
 *
 * The leases are in the folder <dataDir>/<network> (lease.h), which has a lock.  The file
 * <dataDir>/.cplug/<network>.index (index.h) is a hint that saves reading the folder.  See
 * docs/leases.md.
 */
#ifndef CPLUG_HOST_LOCAL_STORE_H
#define CPLUG_HOST_LOCAL_STORE_H

#include "sys/alive.h"
#include "ipam/host-local/index.h"
#include "ipam/host-local/lease.h"
#include "ipam/host-local/pool.h"
#include "base/tx.h"

enum store_mode {
	STORE_READ,   /* takes no lock, writes nothing */
	STORE_CHANGE, /* to release: takes the lock */
	STORE_TRY,    /* the same, but does not wait for the lock */
	STORE_CREATE, /* to claim: takes the lock, makes missing folders */
};

struct store {
	const char *data_dir, *network;
	int root, dir; /* the data directory, and the network's folder in it */
	int folder;    /* .cplug; -1: there is none */
	int lock;
	struct lease_cursor cursor; /* of the range set from which an address is claimed */
	bool rescanned;
	struct alive *alive; /* set when first needed */
	struct index index;
};

#define STORE_CLOSED                                                                               \
	((struct store){ .root = -1,                                                               \
			 .dir = -1,                                                                \
			 .folder = -1,                                                             \
			 .lock = -1,                                                               \
			 .index.fd = -1,                                                           \
			 .cursor.fd = -1 })

/*
 * Opens a network's leases; *ret must be auto_(store_close).  Returns 0, -ENOENT (not recorded;
 * never with STORE_CREATE) if the folder does not exist, or a recorded failure.  With STORE_CREATE
 * a folder of cplug or of a runtime is refused (hostconf_guards()), also one that exists.  The
 * strings must live as long as the call.
 */
int store_open(struct tx *tx, const char *data_dir, const char *network, enum store_mode mode,
	       struct store *ret) CHECKED;
void store_close(struct store *st);

/*
 * Fails with CNI_E_CONFIG if no folder is made there (hostconf_guards()): with Multus, users of a
 * cluster write dataDir.
 */
int store_may_make(struct tx *tx, const char *data_dir, const char *network) CHECKED;

/* Fails with CNI_E_UNAVAILABLE if no lease could be written there.  Makes nothing. */
int store_writable(struct tx *tx, const char *data_dir, const char *network) CHECKED;

/* Finds all leases of a container, of all its interfaces; *ret is in the arena. */
int store_find(struct tx *tx, struct store *st, const char *id, struct lease **ret,
	       unsigned *ret_n) CHECKED;

/* Who claims an address, and from which range set. */
struct store_want {
	struct lessee lessee;
	unsigned set; /* its number */
	struct lease_life life;
};

/*
 * Claims ip, and registers the undo.  Returns 0, -EEXIST (not recorded) if it is taken, or a
 * recorded failure.
 */
int store_claim(struct tx *tx, struct store *st, const struct store_want *w, struct ip ip) CHECKED;

/*
 * Claims the next free address of the range set, going round.  Returns 0, -EADDRNOTAVAIL (not
 * recorded) if every address is taken, or a recorded failure.
 */
int store_claim_next(struct tx *tx, struct store *st, const struct store_want *w,
		     const struct pool_set *s, struct ip *ret) CHECKED;

/*
 * Can an address of the range set be claimed: is one free, or leased to a container that is
 * certainly dead, which store_reclaim() would release?  Works in all modes.  Returns 0, or a
 * recorded failure to read the leases.
 */
int store_has_room(struct tx *tx, struct store *st, const struct pool_set *s, unsigned set,
		   bool *ret) CHECKED;

/* Has the range set a free address?  Works in all modes. */
bool store_has_free(struct mem *mem, struct store *st, const struct pool_set *s, unsigned set);

/* Removes a lease; absent is success. */
int store_release(struct tx *tx, struct store *st, const struct lease *l) CHECKED;

/*
 * Releases the leases whose container is certainly dead: made before the last boot, or its
 * network namespace no longer exists.  Keeps a lease if that is unknown.  Logs a warning for
 * each; *ret_n is their number.
 */
int store_reclaim(struct tx *tx, struct store *st, unsigned *ret_n) CHECKED;

/* Is the container of a lease certainly dead? */
bool store_is_dead(struct tx *tx, struct store *st, const struct lease *l);
/* The reason, "its network namespace is gone"; NULL if the container may be alive. */
const char *store_death_reason(struct tx *tx, struct store *st, const struct lease *l);

/* Removes every lease for which keep() returns false, and torn ones; no other program's files. */
typedef bool store_keep_fn(const struct lessee *o, const void *arg);
int store_purge(struct tx *tx, struct store *st, store_keep_fn *keep, const void *arg) CHECKED;

#endif
