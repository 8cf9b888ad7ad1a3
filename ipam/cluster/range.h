/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * range.h - a range of a cluster, as the plugin and its helper have it
 */
#ifndef CPLUG_CLUSTER_RANGE_H
#define CPLUG_CLUSTER_RANGE_H

#include "value/ip.h"

enum { CLUSTER_RANGES_MAX = 16, CLUSTER_BLOCKS_MAX = 1024 }; /* of a network; of a node there */

struct cluster_range {
	struct cidr subnet;
	unsigned block; /* prefix length of a block */
};

#endif
