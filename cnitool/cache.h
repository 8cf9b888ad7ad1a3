/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - the result cache that all libcni programs share
 *
 * An attachment that was added is remembered in <dir>/results/NETWORK-ID-IFNAME,
 * byte by byte as libcni writes it, so the reference's cnitool can undo what ours
 * did and the other way round.
 */
#ifndef CPLUG_CNITOOL_CACHE_H
#define CPLUG_CNITOOL_CACHE_H

#include "base/tx.h"

struct cache {
	const char *dir; /* /var/lib/cni */
	int lock;        /* held descriptor, -1 = none */
	bool private;    /* a place of our own, because /var/lib/cni is not ours to write */
	bool chosen;     /* by the user */
};

struct cached {
	const char *network, *id, *ifname;
	const char *netns;           /* path; NULL = none */
	const char *args;            /* CNI_ARGS: K=V;K2=V2; NULL = none */
	const char *capability_args; /* JSON object; NULL = none */
	const char *result;          /* compact JSON; NULL = none */
	const char *config;          /* the list's text; NULL = none */
	size_t config_size;
	const char *file; /* where it is remembered (cache_all(), cache_everywhere()) */
};

/*
 * Chooses the directory: dir if not NULL; else /var/lib/cni; else, if that is not
 * ours to write, ${XDG_RUNTIME_DIR:-/tmp/cplug-UID}/cni.  Creates nothing but the
 * last, which must belong to us.
 */
int cache_open(struct tx *tx, const char *dir, struct cache *ret) CHECKED;

/*
 * Keeps gc (exclusive) apart from everything else (shared) of this cache, for as
 * long as the lock is held; waits for a minute.
 */
int cache_lock(struct tx *tx, struct cache *c, bool exclusive) CHECKED;
void cache_unlock(struct cache *c);

/* Where an attachment is remembered.  Fails if a part is not valid in a name. */
int cache_path(struct tx *tx, const struct cache *c, const char *network, const char *id,
	       const char *ifname, const char **ret) CHECKED;

/*
 * Reads what is known of an attachment.  Returns 1 if there is something, 0 if
 * not, or a recorded failure (the file cannot be understood).  A bare result, as
 * older programs kept it, is understood.
 */
int cache_read(struct tx *tx, const struct cache *c, const char *network, const char *id,
	       const char *ifname, struct cached *ret) CHECKED;

int cache_write(struct tx *tx, const struct cache *c, const struct cached *a) CHECKED;
int cache_remove(struct tx *tx, const struct cache *c, const char *network, const char *id,
		 const char *ifname) CHECKED;

/*
 * Every attachment remembered, by file name.  network NULL: of all networks.  What
 * cannot be understood is left out, as libcni does.
 */
int cache_all(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
	      unsigned *ret_n) CHECKED;

/*
 * The same of every program's cache on this machine, if the user chose none: ours, those of
 * containerd, CRI-O and others (/var/lib/cni, /var/lib/cni/cache) and podman's
 * (/run/containers/cni); each attachment once.  A file that is none is warned about, once.
 */
int cache_everywhere(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
		     unsigned *ret_n) CHECKED;

/* The text of an attachment's file (in the arena). */
const char *cache_text(struct mem *m, const struct cached *a);
/* The other way round: false if it is not of this kind. */
bool cache_parse(struct mem *m, const char *text, size_t size, struct cached *ret);

#endif
