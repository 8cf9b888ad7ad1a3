/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * request.h - what is asked, and of which etcd and node
 */
#ifndef CPLUG_CLUSTER_HELPER_REQUEST_H
#define CPLUG_CLUSTER_HELPER_REQUEST_H

#include "ipam/cluster/helper/etcd.h"
#include "ipam/cluster/helper/routes.h"
#include "ipam/cluster/range.h"

/* What the plugin asks for. */
struct block_request {
	const char *network, *instance;
	struct cluster_range ranges[CLUSTER_RANGES_MAX];
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
 * Reads the request on stdin.  *ret_away: the code of the failure that etcd does not answer.  Fails
 * with CNI_E_CONFIG or CNI_E_DECODE.
 */
int request_read(struct tx *tx, struct block_request *ret, enum cni_code *ret_away) CHECKED;

/* Does the plugin know this block? */
bool request_knows(const struct block_request *q, struct cidr c);

#endif
