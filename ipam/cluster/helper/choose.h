/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * choose.h - which blocks of a range are free
 */
#ifndef CPLUG_CLUSTER_HELPER_CHOOSE_H
#define CPLUG_CLUSTER_HELPER_CHOOSE_H

#include "ipam/cluster/helper/request.h"

/* How many blocks a range has. */
uint64_t choose_count(const struct cluster_range *r);

/* One of them, at random. */
struct cidr choose_any(const struct cluster_range *r);

/*
 * How many blocks of a range are claimed, and one bit for each block.  Of a range that is so large
 * that a random block is free, *ret_map is NULL.
 */
int choose_claimed(struct blocks *b, const struct cluster_range *r, uint8_t **ret_map,
		   uint64_t *ret_n) CHECKED;

/* A block without an owner, at random.  Fails with CPLUG_E_EXHAUSTED if there is none. */
int choose_free(struct blocks *b, const struct cluster_range *r, struct cidr *ret) CHECKED;

#endif
