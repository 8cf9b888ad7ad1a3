/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pool.h - range sets: the addresses of a network
 *
 * A pool is a list of sets; an attachment gets one address of each set.  A set is a list of
 * ranges of one family.  The number of a set is part of a file name (last_reserved_ip.N), so
 * the order is fixed: runtimeConfig.ipRanges, the single range in ipam itself, ipam.ranges.
 *
 *	ipam: { "ranges": [ [ {"subnet": "10.1.0.0/24"} ], [ {"subnet": "fd01::/64"} ] ] }
 *
 * Rules and messages are those of the reference host-local.
 */
#ifndef CPLUG_HOST_LOCAL_POOL_H
#define CPLUG_HOST_LOCAL_POOL_H

#include "value/cj.h"
#include "value/ip.h"
#include "base/mem.h"

struct pool_range {
	struct cidr subnet;
	struct ip first, last; /* inclusive */
	struct ip gateway;     /* never allocated; may be outside of the range */
};

struct pool_set {
	struct pool_range *ranges;
	unsigned n;
};

struct pool {
	struct pool_set *sets;
	unsigned n;
	bool podcidr; /* ipam.ranges is "podCIDR": pool_add() adds the node's subnets */
};

/*
 * Reads and validates all sets; conf is the root of the configuration.  If there are
 * complaints (cj_ok()), *ret must not be used.
 */
void pool_read(struct mem *mem, const struct cj *conf, const char *version, struct pool *ret);

/* The range of a whole subnet, with the defaults of the keys. */
struct pool_range pool_whole(struct cidr subnet);

/*
 * Adds a set of one range, a whole subnet without host bits.  Returns NULL, or a sentence that
 * says why it does not fit, in the arena.
 */
const char *pool_add(struct mem *mem, struct pool *p, struct cidr subnet, const char *version);

/* The range that contains ip, or NULL. */
const struct pool_range *pool_find(const struct pool_set *s, struct ip ip);

/* "10.1.0.1-10.1.0.254,10.2.0.1-10.2.0.9", in the arena. */
const char *pool_text(struct mem *mem, const struct pool_set *s);

/* Finds the first free address of from … to, both inclusive; false if there is none. */
typedef bool pool_free_fn(void *arg, struct ip from, struct ip to, struct ip *ret);

/*
 * Finds the next free address after last: in the rest of last's range, the ranges after it,
 * those before it, and its own range up to and including last.  If last is in no range, or no
 * address, the search starts at the first range.  Skips gateways, and addresses that routers have
 * (cidr_is_anycast()), unless the range is just such an address.  Returns false if no address
 * is free.
 */
bool pool_next(const struct pool_set *s, struct ip last, pool_free_fn *is_free, void *arg,
	       struct ip *ret);

#endif
