/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cache.h - the cache of results that all libcni programs share
 *
 * The result of an ADD is kept in DIR/results/NETWORK-ID-IFNAME, with the configuration and the
 * arguments, byte by byte as libcni writes it (libcni/api.go, cacheAdd()).  So the reference's
 * cnitool can delete what ours added, and ours what the reference's added.
 */
#ifndef CPLUG_CNITOOL_CACHE_H
#define CPLUG_CNITOOL_CACHE_H

#include "base/tx.h"
#include "cnitool/nsid.h"
#include "cnitool/words.h"
#include "value/result.h"

struct cache {
	const char *dir; /* DIR: /var/lib/cni */
	int lock;        /* held descriptor, -1 = none */
	int held;        /* that of an attachment's lock, -1 = none */
	bool private;    /* a directory of the user's own, because /var/lib/cni is not writable */
	bool chosen;     /* the user named the directory */
};

/* DIR unless it is chosen otherwise: /var/lib/cni. */
extern const char cache_default_dir[];

/* The name of an attachment. */
struct cache_key {
	const char *network, *id, *ifname;
};

/* A longer file is neither written nor read, in bytes. */
enum { CACHE_FILE_MAX = 4 << 20 };

struct cached {
	const char *network, *id, *ifname;
	const char *netns; /* path; NULL = none */
	struct nsid nsid;  /* of the namespace at ADD; libcni ignores it */
	bool has_result;   /* its ADD has ended */
	bool partial;      /* the texts below are NULL, because the file is long: cache_load() */
	const char *args;  /* CNI_ARGS: K=V;K2=V2; NULL = none */
	const char *capability_args; /* JSON object; NULL = none */
	const char *result;          /* compact JSON; NULL = none */
	const char *config;          /* the list's text; NULL = none */
	size_t config_size;          /* bytes */
	const char *file;            /* path (cache_all(), cache_everywhere()) */
};

/*
 * Chooses the directory: dir if not NULL; else /var/lib/cni; else, if that is not writable and has
 * no results of the user's, ${XDG_RUNTIME_DIR:-/tmp/cplug-UID}/cni.  Creates only /tmp/cplug-UID;
 * fails (CPLUG_E_FILE) if that belongs to another user or is writable for one.  Such a
 * XDG_RUNTIME_DIR is not used, with a warning.
 */
int cache_open(struct tx *tx, const char *dir, struct cache *ret) CHECKED;

/*
 * Locks the cache (its file cnitool.lock) against other cnitools: gc exclusively, all others
 * shared. Waits for a minute; then fails with CNI_E_AGAIN and names the holder.
 */
int cache_lock(struct tx *tx, struct cache *c, bool exclusive) CHECKED;
void cache_unlock(struct cache *c);

/*
 * Takes the lock of one attachment (a byte of cnitool.lock): what changes it waits for the others
 * that do, and for cplug's plugins that they have started, also when they have been killed
 * (exec_request.kept = c->held).  Releases the lock that c has.  Waits for 20 seconds, which is
 * longer than the grace of a plugin; then fails with CNI_E_AGAIN.
 */
int cache_hold(struct tx *tx, struct cache *c, const struct cache_key *key) CHECKED;
void cache_release(struct cache *c);

/*
 * The path of an attachment's file.  Fails if a part of the key is not valid (CNI_E_CONFIG,
 * CNI_E_ENV), or if the file's name would be too long (CNI_E_CONFIG).  So do the functions below.
 */
int cache_path(struct tx *tx, const struct cache *c, const struct cache_key *key,
	       const char **ret) CHECKED;

/*
 * Reads what is cached of an attachment.  Returns 1, 0 if nothing is, or a recorded failure
 * (CPLUG_E_FILE), also for a file that is not understood.  A bare result, as older programs
 * cached it, is understood.
 */
int cache_read(struct tx *tx, const struct cache *c, const struct cache_key *key,
	       struct cached *ret) CHECKED;

int cache_write(struct tx *tx, const struct cache *c, const struct cached *a) CHECKED;
int cache_remove(struct tx *tx, const struct cache *c, const struct cache_key *key) CHECKED;

/*
 * Every cached attachment, by file name.  network NULL: of all networks.  Files that are not
 * understood are left out, as in libcni.  The texts of long files are not kept in memory: partial.
 */
int cache_all(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
	      unsigned *ret_n) CHECKED;

/*
 * The same of the caches of all programs on this host, unless the user chose a directory: ours,
 * those of containerd, CRI-O and others (/var/lib/cni, /var/lib/cni/cache) and podman's
 * (/run/containers/cni); each attachment once.  Warns about files that are not understood, and adds
 * their paths (ret_left_out may be NULL): an attachment of such a name may live.
 */
int cache_everywhere(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
		     unsigned *ret_n, struct words *ret_left_out) CHECKED;

/* From now on, the cache is the one that holds the attachment's file. */
void cache_follow(struct mem *m, struct cache *c, const struct cached *a);

/* The same attachment with its texts, in the arena.  Fails (CPLUG_E_FILE) if the file is gone. */
int cache_load(struct tx *tx, const struct cached *c, struct cached *ret) CHECKED;

/* The content of an attachment's file, in the arena. */
const char *cache_text(struct mem *m, const struct cached *a);

/* Reads such a content, into the arena; false if it is something else. */
bool cache_parse(struct mem *m, const char *text, size_t size, struct cached *ret);

/*
 * Reads a cached result (JSON; NULL = none) of any protocol version.  Returns NULL, or why it
 * cannot be read: then *ret is empty, and nothing is recorded.
 */
const char *cache_read_result(struct tx *tx, const char *text, struct result *ret);

#endif
