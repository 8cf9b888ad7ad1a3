/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * known.h - what etcd has of this node: the ranges of the network, the instance, and its blocks
 */
#ifndef CPLUG_CLUSTER_HELPER_KNOWN_H
#define CPLUG_CLUSTER_HELPER_KNOWN_H

#include "ipam/cluster/helper/request.h"

struct known {
	const char *config, *node; /* their values; NULL: the keys do not exist */
	int64_t revision;          /* of etcd, when they had these values */
	struct etcd_kvs own;       /* sorted by key */
};

/* Reads it.  Fails with CNI_E_UNAVAILABLE if there are far more blocks than a node can have. */
int known_read(struct blocks *b, struct known *ret) CHECKED;

/* The same for a request that sets here, gone and lost: these are empty then. */
int known_begin(struct blocks *b, struct known *ret) CHECKED;

/* Is the node in etcd this machine? */
bool known_is_ours(const struct blocks *b, const struct known *k);

/* Adds a block to here or gone, unless its route may not be announced at all. */
void known_put(struct blocks *b, struct routes_blocks *l, struct cidr c);

/*
 * Removes both keys of a block if they still have the value that was read.  Returns 1, 0 if another
 * node has the block by now, or a recorded failure.
 */
int known_drop(struct blocks *b, const char *network, const struct etcd_kv *own) CHECKED;

#endif
