/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * store.h - the leases of one network: find, claim, release
 *
 * The folder <dataDir>/<network> (lease.h) under its lock, and beside it
 * <dataDir>/.cplug/<network>.index (index.h), a hint that saves reading the folder.
 * docs/leases.md tells more.
 */
#ifndef CPLUG_HOST_LOCAL_STORE_H
#define CPLUG_HOST_LOCAL_STORE_H

#include "sys/alive.h"
#include "ipam/host-local/index.h"
#include "ipam/host-local/lease.h"
#include "ipam/host-local/pool.h"
#include "base/tx.h"

enum store_mode {
	STORE_READ,   /* looks only: takes no lock, writes nothing */
	STORE_CHANGE, /* for release: locked */
	STORE_CREATE, /* for claims: locked; makes what is missing */
};

struct store {
	const char *data_dir, *network;
	int root, dir; /* the data directory, and the network's in it */
	int folder;    /* .cplug; -1 = there is none */
	int lock;
	bool rescanned;
	struct alive *alive; /* the namespaces, once somebody asked */
	struct index index;
};

#define STORE_CLOSED                                                                               \
	((struct store){ .root = -1, .dir = -1, .folder = -1, .lock = -1, .index.fd = -1 })

/*
 * Opens a network's leases; auto_(store_close).  Returns 0, or -ENOENT unrecorded if
 * there is no such folder (never for STORE_CREATE), or a recorded failure.  The
 * strings must live as long as the call.
 */
int store_open(struct tx *tx, const char *data_dir, const char *network, enum store_mode mode,
	       struct store *ret) CHECKED;
void store_close(struct store *st);

/* Could a lease be written there?  Else fails with CNI_E_UNAVAILABLE.  Makes nothing. */
int store_writable(struct tx *tx, const char *data_dir, const char *network) CHECKED;

/* All leases of container id, whatever the interface; in the arena. */
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

/* Has the set a free address?  (In any mode.) */
bool store_has_free(struct mem *mem, struct store *st, const struct pool_set *s, unsigned set);

/* Removes a lease that was read; gone is done. */
int store_release(struct tx *tx, struct store *st, const struct lease *l) CHECKED;

/*
 * Releases the leases whose container is dead for sure: taken in another boot, or its
 * network namespace is gone.  What is not known, or cannot be seen, stays.  Says on stderr
 * what it released; *ret_n counts.
 */
int store_reclaim(struct tx *tx, struct store *st, unsigned *ret_n) CHECKED;

/* Is the container of a lease dead for sure? */
bool store_is_dead(struct tx *tx, struct store *st, const struct lease *l);
/* Why: "its network namespace is gone"; NULL if it may be alive. */
const char *store_obituary(struct tx *tx, struct store *st, const struct lease *l);

/* Removes every lease that keep() does not want, and files that are no lease. */
typedef bool store_keep_fn(const struct lessee *o, const void *arg);
int store_purge(struct tx *tx, struct store *st, store_keep_fn *keep, const void *arg) CHECKED;

#endif
