// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keep.c - which blocks stay this node's: after a boot, and in GC
 */
#include "base/log.h"
#include "ipam/cluster/cluster.h"
#include "ipam/host-local/store.h"

/* Which blocks have a lease? */
struct usage {
	const struct cluster_state *state;
	bool *used;
};

static int note_use(struct tx *tx UNUSED, const struct lease *l, int r UNUSED, void *arg)
{
	struct usage *u = arg;

	for (unsigned i = 0; i < u->state->n; i++)
		if (cidr_contains(u->state->blocks[i], l->ip))
			u->used[i] = true;
	return 0;
}

static void warn_lost(const struct cluster *cl, struct cidr block, bool used)
{
	log_warn("the block %s is not this node's any longer: its blocks were taken back "
		 "(cnitool cluster reclaim %s), or etcd has lost its data and another node claimed "
		 "it%s",
		 CIDR_S(block), cl->state.node,
		 used ? "; containers of this node still have addresses of it: start them anew"
		      : "");
}

/*
 * Removes the blocks that etcd says are not ours; and with *ret_empty those without a lease, which
 * become its blocks.  The caller holds the lock of the claims.
 */
static int keep_ours(struct tx *tx, struct call *c, struct cluster *cl,
		     const struct cluster_state *ours, struct cluster_state *ret_empty)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct cluster_state had;
	struct usage u = { .state = &had };

	TRY(store_open(tx, cl->local.data_dir, c->network, STORE_CREATE, &st));
	TRY(cluster_load(tx, c, cl));
	had = cl->state;
	u.used = mem_alloc(&tx->mem, (had.n + 1) * sizeof(bool));
	TRY(lease_scan(tx, st.dir, note_use, &u));
	cl->state.blocks = NULL;
	cl->state.n = 0;
	cl->state.boot = index_boot_id();
	for (unsigned i = 0; i < had.n; i++) {
		if (!cluster_has(ours, had.blocks[i]))
			warn_lost(cl, had.blocks[i], u.used[i]);
		else if (ret_empty && !u.used[i])
			cluster_put(&tx->mem, ret_empty, had.blocks[i]);
		else
			cluster_put(&tx->mem, &cl->state, had.blocks[i]);
	}
	if (cl->state.n == had.n && cl->state.boot == had.boot)
		return 0;
	return cluster_save(tx, c, cl);
}

bool cluster_is_unsure(const struct cluster *cl)
{
	return cl->state.n && cl->state.boot != index_boot_id();
}

int cluster_make_sure(struct tx *tx, struct call *c, struct cluster *cl)
{
	struct cluster_state ours = { .n = 0 };
	auto_(fd_close) int lock = -1;
	int64_t begun = clock_ms();
	int r;

	if (!cluster_is_unsure(cl))
		return 0;
	TRY(cluster_lock(tx, c, cl, &lock));
	TRY(cluster_load(tx, c, cl));
	if (!cluster_is_unsure(cl))
		return 0;
	TRY(cluster_share_away(tx, c, cl, begun));
	r = cluster_ask_ours(tx, c, cl, 0, &ours);
	TRY(cluster_noted(tx, c, cl, r));
	return keep_ours(tx, c, cl, &ours, NULL);
}

int cluster_give_back_unused(struct tx *tx, struct call *c, struct cluster *cl)
{
	struct cluster_state ours = { .n = 0 }, empty = { .n = 0 };
	auto_(fd_close) int lock = -1;
	int before = tx->err, r;

	TRY(cluster_lock(tx, c, cl, &lock));
	r = cluster_ask_ours(tx, c, cl, 0, &ours);
	if (r < 0)
		return tx_excuse(tx, before, r, "the blocks stay, until the next GC");
	/* First out of the file, under the lock of the leases: from then on no ADD leases there. */
	TRY(keep_ours(tx, c, cl, &ours, &empty));
	if (!empty.n)
		return 0;
	r = cluster_give_back(tx, c, cl, &empty);
	return tx_excuse(tx, before, r, "the next ADD that needs a block takes it again");
}
