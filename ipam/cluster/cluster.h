/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cluster.h - the IPAM plugin cluster: the configuration, the blocks of this node, the helper
 *
 * A node has blocks of the cluster's ranges.  Which, is in a file of the network's folder of
 * leases:
 *
 *	<dataDir>/<network>/blocks.json		docs/cluster.md, "blocks.json"
 *
 * Inside the blocks addresses are leased by host-local's code.  Only the helper cplug-etcd talks
 * to a network.  Two locks: that of the leases, under which a block is removed from the file, so
 * that no ADD leases from it at this moment; and that of the claims, which is held while the
 * helper runs, so that ADDs at the same time claim one block and not one each.
 */
#ifndef CPLUG_CLUSTER_H
#define CPLUG_CLUSTER_H

#include "ipam/cluster/range.h"
#include "ipam/host-local/local.h"

struct cluster_state {
	const char *node, *instance; /* node: for people; instance: random */
	uint64_t boot; /* hash of the boot in which etcd was asked whether they are ours */
	struct cidr *blocks;
	unsigned n;
};

struct cluster {
	struct local_conf local; /* its pool has one set for each range */
	struct cluster_range ranges[CLUSTER_RANGES_MAX];
	unsigned n;
	struct cluster_state state;
};

/* ---- conf.c ---- */

/* Reads the keys of ipam; not the state.  Fails with CNI_E_CONFIG. */
int cluster_conf_of(struct tx *tx, struct call *c, struct cluster *ret) CHECKED;

/* The range that an address lies in; NULL if there is none. */
const struct cluster_range *cluster_range_of(const struct cluster *cl, struct ip ip);

/* The block of a range that contains ip. */
struct cidr cluster_block_of(const struct cluster_range *r, struct ip ip);

/* ---- state.c ---- */

/* Reads blocks.json, and makes the range sets of it.  No file: no blocks, and a new instance. */
int cluster_load(struct tx *tx, const struct call *c, struct cluster *cl) CHECKED;

/* Writes blocks.json, through to the disk.  Failures: CPLUG_E_FILE. */
int cluster_save(struct tx *tx, const struct call *c, struct cluster *cl) CHECKED;

bool cluster_has(const struct cluster_state *s, struct cidr block);
void cluster_put(struct mem *mem, struct cluster_state *s, struct cidr block);

/* Adds the blocks of a document's list "blocks". */
void cluster_read_blocks(struct mem *mem, const struct cj *c, struct cluster_state *s);

/* Takes the lock of the claims; waits half a minute at most (CNI_E_AGAIN). */
int cluster_lock(struct tx *tx, const struct call *c, const struct cluster *cl,
		 int *ret_fd) CHECKED;

/*
 * ADDs that wait for the lock of the claims share a failure because etcd is away: otherwise each of
 * them would wait for etcd in turn, and the last ones for the lock in vain.  The caller holds the
 * lock.  cluster_noted() notes such a failure r, for the others, and returns r;
 * cluster_share_away() fails as one did since begun (clock_ms()).
 */
int cluster_noted(struct tx *tx, const struct call *c, const struct cluster *cl, int r) CHECKED;
int cluster_share_away(struct tx *tx, const struct call *c, const struct cluster *cl,
		       int64_t begun) CHECKED;

/* ---- keep.c ---- */

/* After a boot: has etcd not been asked yet whether the blocks are still ours? */
bool cluster_is_unsure(const struct cluster *cl);

/* Asks it, and removes those that are not; nothing if it has been asked. */
int cluster_make_sure(struct tx *tx, struct call *c, struct cluster *cl) CHECKED;

/* Gives back the blocks that have no lease.  Without etcd they stay, with a warning. */
int cluster_give_back_unused(struct tx *tx, struct call *c, struct cluster *cl) CHECKED;

/* ---- ask.c ---- */

struct cluster_question {
	const char *word; /* claim, sync, release, free */
	unsigned range;   /* of claim */
	struct cidr want; /* of claim: this block; no address: any */
	const struct cluster_state *known;
	enum cni_code away; /* of the failure that etcd does not answer; 0 = CNI_E_AGAIN */
};

/*
 * The following run the helper.  They fail with CNI_E_UNAVAILABLE if it is not installed; otherwise
 * with its own failure.
 */

/* Claims a block, and adds it to cl->state. */
int cluster_ask_block(struct tx *tx, const struct call *c, struct cluster *cl,
		      const struct cluster_question *q) CHECKED;

/* For STATUS: the unclaimed blocks of each range.  CNI_E_DEGRADED: etcd does not answer. */
int cluster_ask_free(struct tx *tx, const struct call *c, const struct cluster *cl,
		     int64_t free[CLUSTER_RANGES_MAX]) CHECKED;

/* Tells etcd that the blocks are not ours any longer. */
int cluster_give_back(struct tx *tx, const struct call *c, const struct cluster *cl,
		      const struct cluster_state *blocks) CHECKED;

/* The blocks that etcd says are ours (sync); *ret: only the blocks are set. */
int cluster_ask_ours(struct tx *tx, const struct call *c, const struct cluster *cl,
		     enum cni_code away, struct cluster_state *ret) CHECKED;

#endif
