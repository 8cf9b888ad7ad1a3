/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routes.h - a route of the kernel for each block of this node
 *
 *	unreachable 10.40.0.64/26 proto 76 metric 1048576
 *
 * It says which blocks are here: a routing daemon exports the routes of this protocol number
 * (contrib/bird, contrib/frr).  It is behind the routes of the main plugins, so it matches only
 * addresses that no container has: a packet to these does not loop between this node, whose default
 * route leads to a router, and the router, which has the block's route to this node.
 */
#ifndef CPLUG_CLUSTER_HELPER_ROUTES_H
#define CPLUG_CLUSTER_HELPER_ROUTES_H

#include "netlink/rt.h"
#include "value/ip.h"

/* Of cplug, in routes of blocks (rtnetlink(7), rtm_protocol). */
enum { ROUTES_PROTOCOL = 76, ROUTES_METRIC = 1 << 20 };

struct routes_blocks {
	struct cidr *c;
	unsigned n;
};

/* Adds a block. */
void routes_put(struct mem *mem, struct routes_blocks *l, struct cidr c);

/* Has a link of the host an address in a block?  1, 0, or a recorded failure. */
int routes_has_address(struct tx *tx, struct cidr block) CHECKED;

/* The same on a socket that is open; *ret_index is the first such link's. */
int routes_find_address(struct tx *tx, struct rt *rt, struct cidr block, int *ret_index) CHECKED;

/*
 * Has a link of the host an address in a block that has no route of ours?  Then the block never was
 * this node's.  1, 0, or a recorded failure.
 */
int routes_is_foreign(struct tx *tx, struct cidr block) CHECKED;

/*
 * Ensures the routes of the blocks that are here, and removes those of the blocks that are gone,
 * and their gateways.  A block without a route of ours was not this node's: it keeps its gateway.
 * Best effort: without the right to change routes there is a warning.
 */
void routes_set(struct tx *tx, struct routes_blocks here, struct routes_blocks gone);

#endif
