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

#include "ipam/cluster/helper/request.h"

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

/*
 * Adds the number of unclaimed blocks of each range to a list.  Fails as a claim does if a range
 * may not be this network's.
 */
int blocks_free(struct blocks *b, json_t *ret_list) CHECKED;

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
 * Takes all blocks of a node, of all networks; adds their values to a list, but for keys of the
 * node whose block is another node's in etcd, which only go.  Without force it fails with
 * CPLUG_E_TAKEN if this machine has a route to one of them.
 */
int blocks_reclaim(struct blocks *b, const char *node, bool force, json_t *ret_list) CHECKED;

#endif
