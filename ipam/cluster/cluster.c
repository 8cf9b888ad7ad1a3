// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cluster.c - cluster: allocate addresses that are unique among many machines
 *
 * A node owns blocks of the cluster's ranges, which it has claimed in etcd.  ADD leases an address
 * inside them as host-local does, and asks etcd, by the helper, only
 *
 *  - when every address of the node's blocks is leased,
 *  - when a requested address lies in a block whose owner is not known here, and
 *  - once after a boot: while the machine was down, an administrator may have given its blocks to
 *    others (cplug-etcd reclaim), and then no address of them may be leased again.
 *
 * GC gives blocks without a lease back.
 */
#include "cni/conf.h"
#include "ipam/cluster/cluster.h"
#include "ipam/host-local/store.h"
#include "plugins/list.h"

/* ---- getting blocks ---- */

/* Claims a block of a range; q says which.  The caller holds the lock of the claims. */
static int claim(struct tx *tx, struct call *c, struct cluster *cl, struct cluster_question *q)
{
	int r;

	q->word = "claim";
	q->known = &cl->state;
	r = cluster_ask_block(tx, c, cl, q);
	TRY(cluster_noted(tx, c, cl, r));
	return cluster_save(tx, c, cl);
}

static unsigned count(const struct cluster *cl, unsigned range)
{
	return cl->local.pool.sets[range].n;
}

static int grow(struct tx *tx, struct call *c, struct local_conf *cf, unsigned set)
{
	struct cluster *cl = cf->arg;
	struct cluster_question q = { .range = set };
	auto_(fd_close) int lock = -1;
	unsigned had = count(cl, set);
	int64_t begun = clock_ms();

	TRY(cluster_lock(tx, c, cl, &lock));
	TRY(cluster_load(tx, c, cl));
	if (count(cl, set) > had)
		return 0; /* an ADD that held the lock has claimed one */
	TRY(cluster_share_away(tx, c, cl, begun));
	return claim(tx, c, cl, &q);
}

static int load(struct tx *tx, struct call *c, struct local_conf *cf)
{
	return cluster_load(tx, c, cf->arg);
}

static const struct local_source source = { load, grow };

/* May a container have the address, once the node has its block?  What no claim helps claims none.
 */
static int check_request(struct tx *tx, const struct cluster_range *r, struct ip ip)
{
	const char *why = "it lies in no range of ipam.ranges";
	struct pool_range block;

	if (r) {
		block = pool_whole(cluster_block_of(r, ip));
		if (pool_find(&(struct pool_set){ &block, 1 }, ip) && !ip_eq(ip, block.gateway))
			return 0;
		why = "its block has it for the network, the gateway or broadcasts";
	}
	return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRNOTAVAIL,
			  "requested ip %s: %s: ask for another address", IP_S(ip), why);
}

/* Gets the block that a requested address lies in, unless it is ours. */
static int get_block_of(struct tx *tx, struct call *c, struct cluster *cl, struct ip ip)
{
	const struct cluster_range *r = cluster_range_of(cl, ip);
	struct cluster_question q = { .range = 0 };
	auto_(fd_close) int lock = -1;
	int64_t begun = clock_ms();

	TRY(check_request(tx, r, ip));
	q.want = cluster_block_of(r, ip);
	q.range = (unsigned)(r - cl->ranges);
	if (cluster_has(&cl->state, q.want))
		return 0;
	TRY(cluster_lock(tx, c, cl, &lock));
	TRY(cluster_load(tx, c, cl));
	if (cluster_has(&cl->state, q.want))
		return 0;
	TRY(cluster_share_away(tx, c, cl, begun));
	return claim(tx, c, cl, &q);
}

/* ---- the verbs ---- */

static int cluster_read(struct tx *tx, struct call *c, struct cluster *cl)
{
	TRY(cluster_conf_of(tx, c, cl));
	cl->local.source = &source;
	cl->local.arg = cl;
	return cluster_load(tx, c, cl);
}

static int cluster_validate(struct tx *tx, struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");
	struct cluster cl = { .n = 0 };

	conf_check_routes(&tx->mem, &ipam);
	TRY(cluster_conf_of(tx, c, &cl));
	return local_conf_read_requests(tx, c, &cl.local);
}

static int cluster_add(struct tx *tx, struct call *c, struct result *ret)
{
	struct cluster *cl = mem_alloc(&tx->mem, sizeof(*cl));

	TRY(cluster_read(tx, c, cl));
	TRY(local_conf_read_requests(tx, c, &cl->local));
	TRY(cluster_make_sure(tx, c, cl));
	for (unsigned i = 0; i < cl->local.n_requests; i++)
		TRY(get_block_of(tx, c, cl, cl->local.requests[i].ip));
	return local_add_from(tx, c, &cl->local, ret);
}

static int cluster_check(struct tx *tx, struct call *c)
{
	struct cluster cl = { .n = 0 };

	TRY(cluster_read(tx, c, &cl));
	return local_check_in(tx, c, &cl.local);
}

static int cluster_repair(struct tx *tx, struct call *c)
{
	struct cluster *cl = mem_alloc(&tx->mem, sizeof(*cl));

	TRY(cluster_read(tx, c, cl));
	TRY(cluster_make_sure(tx, c, cl));
	return local_repair_in(tx, c, &cl->local);
}

static int cluster_gc(struct tx *tx, struct call *c)
{
	struct cluster cl = { .n = 0 };

	TRY(cluster_read(tx, c, &cl));
	TRY(local_gc(tx, c));
	if (!c->valid_known || !cl.state.n)
		return 0;
	return cluster_give_back_unused(tx, c, &cl);
}

/* ---- STATUS ---- */

/* Which ranges have no free address in this node's blocks? */
static int find_full(struct tx *tx, struct call *c, struct cluster *cl, bool *full)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	int r = store_open(tx, cl->local.data_dir, c->network, STORE_READ, &st);
	int found = 0;

	if (r < 0 && r != -ENOENT)
		return r;
	for (unsigned i = 0; i < cl->n; i++) {
		bool room = false;

		if (r != -ENOENT)
			TRY(store_has_room(tx, &st, &cl->local.pool.sets[i], i, &room));
		full[i] = !room;
		found = found || full[i];
	}
	return found;
}

static int cluster_status(struct tx *tx, struct call *c)
{
	bool full[CLUSTER_RANGES_MAX] = { false };
	int64_t free[CLUSTER_RANGES_MAX];
	struct cj ipam = cj_obj(&c->conf, "ipam");
	struct cluster cl = { .n = 0 };
	int r;

	conf_check_routes(&tx->mem, &ipam);
	TRY(cluster_read(tx, c, &cl));
	TRY(store_writable(tx, cl.local.data_dir, c->network));
	r = find_full(tx, c, &cl, full);
	TRY(r);
	if (!r && !cluster_is_unsure(&cl))
		return 0; /* there is room: ADD needs no etcd */
	TRY(cluster_ask_free(tx, c, &cl, free));
	for (unsigned i = 0; i < cl.n; i++)
		if (full[i] && !free[i])
			return tx_fail_as(
				tx, CNI_E_UNAVAILABLE, -EADDRNOTAVAIL,
				"no IP addresses available in this node's blocks of %s, and "
				"every block is claimed (cnitool cluster list)",
				CIDR_S(cl.ranges[i].subnet));
	return 0;
}

static const char *const args[] = { "IP", "GATEWAY", NULL };

const struct plugin cluster_plugin = {
	.args = args,
	.name = "cluster",
	.flags = CNI_IS_IPAM,
	.about = "addresses from this node's blocks of a cluster's ranges (IPAM)",
	.validate = cluster_validate,
	.add = cluster_add,
	.del = local_del,
	.check = cluster_check,
	.repair = cluster_repair,
	.gc = cluster_gc,
	.status = cluster_status,
	.list = local_list,
};
