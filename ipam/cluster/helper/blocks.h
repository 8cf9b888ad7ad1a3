/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * blocks.h - the blocks of a cluster, as etcd has them  (docs/cluster.md, "Keys")
 *
 *	PREFIX/config/NETWORK                     the ranges, and how long a block's prefix is
 *	PREFIX/blocks/NETWORK/10.40.0.64-26       who has this block
 *	PREFIX/nodes/NODE/NETWORK                 the instance that has the name NODE
 *	PREFIX/nodes/NODE/NETWORK/10.40.0.64-26   the same value, to find the blocks of a node
 *
 * A block is claimed by one transaction: its key must not exist, and the ranges and the instance
 * must be those that we know.  The instance is a random number in the state folder of a node, so
 * that two machines of one name do not share blocks.
 */
#ifndef CPLUG_CLUSTER_HELPER_BLOCKS_H
#define CPLUG_CLUSTER_HELPER_BLOCKS_H

#include "ipam/cluster/helper/etcd.h"
#include "ipam/cluster/helper/routes.h"
#include "value/cj.h"

enum { RANGES_MAX = 16, KNOWN_MAX = 1024 };

struct block_range {
	struct cidr subnet;
	unsigned block; /* prefix length of a block */
};

/* What the plugin asks for. */
struct block_request {
	const char *network, *instance;
	struct block_range ranges[RANGES_MAX];
	unsigned n_ranges;
	unsigned range;     /* which one */
	struct cidr want;   /* this block; no address: any */
	struct cidr *known; /* the blocks that the plugin knows, or that it gives back */
	unsigned n_known;
};

struct blocks {
	struct tx *tx;
	struct etcd *etcd;
	const char *node, *prefix;
	const struct block_request *q;
	/*
	 * Set by claim, sync and release: the blocks whose routes are to be there, and those that
	 * are not this node's any longer; and whether one that the plugin knows is not ours.
	 */
	struct routes_blocks here, gone;
	bool lost;
	/* Called by release before etcd has nothing of the blocks; NULL: nothing is. */
	void (*set_routes)(struct tx *tx, struct routes_blocks here, struct routes_blocks gone);
};

/*
 * Claims a block, or finds one that is ours and not known.  Before, known blocks that etcd has no
 * owner for are claimed again.
 */
int blocks_claim(struct blocks *b, struct cidr *ret) CHECKED;

/*
 * Lists the blocks that are ours, as JSON strings; known ones that etcd has no owner for are
 * claimed again.  Returns 1, or 0 if another instance has the node's name: then the routes here may
 * be that one's.
 */
int blocks_sync(struct blocks *b, json_t *ret_list) CHECKED;

/* Gives the known blocks back; one that is not ours is left alone. */
int blocks_release(struct blocks *b) CHECKED;

/* Adds the number of unclaimed blocks of each range to a list. */
int blocks_free(struct blocks *b, json_t *ret_list) CHECKED;

/* The keys below a prefix with their values, however many. */
int blocks_read_below(struct blocks *b, const char *prefix, struct etcd_kvs *ret) CHECKED;

/*
 * Adds the values of all blocks to a list, of one network or (NULL) of all, each with its age in
 * seconds.
 */
int blocks_list(struct blocks *b, const char *network, json_t *ret_list) CHECKED;

/*
 * Removes what etcd has of the ranges of a network, so that others can have them; adds them to a
 * list.  Fails with CPLUG_E_TAKEN if the network has a block.
 */
int blocks_forget(struct blocks *b, const char *network, json_t *ret_ranges) CHECKED;

/*
 * Takes all blocks of a node, of all networks; adds their values to a list.  Without force it fails
 * with CPLUG_E_TAKEN if this machine has a route to one of them.
 */
int blocks_reclaim(struct blocks *b, const char *node, bool force, json_t *ret_list) CHECKED;

#endif
