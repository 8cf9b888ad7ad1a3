/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ranges.h - which ranges a network has: those that etcd has of it, and what may become one
 *
 *	PREFIX/config/NETWORK    {"version":1,"ranges":[{"subnet":"10.40.0.0/16","block":26}]}
 *
 * The transaction of the first claim in a range registers the range.  From then on it is this
 * network's: all nodes must divide it in the same way, and no other network gets a range that
 * overlaps it.  What is registered stays valid, also when an older version of cplug has written it.
 */
#ifndef CPLUG_CLUSTER_HELPER_RANGES_H
#define CPLUG_CLUSTER_HELPER_RANGES_H

#include "ipam/cluster/helper/request.h"

/*
 * Can no node ever announce this prefix?  True if it has an address of cidr_is_reserved(), 240/4 or
 * ::/8, or if it is larger than /8 (IPv6: /16).
 */
bool ranges_is_special(struct cidr c);

/* Is c one of the blocks of a range? */
bool ranges_is_block(const struct cluster_range *r, struct cidr c);

/*
 * Fails with CNI_E_CONFIG for a range that cannot be one, or that cluster.conf does not allow;
 * known blocks of such ranges are removed from the request.
 */
int ranges_check(struct tx *tx, const struct cluster_conf *cf, struct block_request *q) CHECKED;

/* The key of the network's ranges. */
const char *ranges_key(const struct blocks *b);

/*
 * The value of the key that has the request's ranges, too.  have: the value that etcd has, or NULL.
 * If it gets longer, *ret_others is the prefix of all networks' keys: the transaction that writes
 * the value must demand that none of them has changed since.  Fails with CNI_E_CONFIG if a new
 * range overlaps that of another network, or is public and cluster.conf has no "networks".
 */
int ranges_value(struct blocks *b, const char *have, const char **ret,
		 const char **ret_others) CHECKED;

/* Is c a block of a range in such a value (NULL: there is none)? */
bool ranges_has(const char *value, struct cidr c);

#endif
