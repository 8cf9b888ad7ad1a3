// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * claim.c - claims blocks, and claims again what etcd has lost
 */
#include <stdlib.h>

#include "base/log.h"
#include "ipam/cluster/helper/blocks.h"
#include "ipam/cluster/helper/choose.h"
#include "ipam/cluster/helper/keys.h"
#include "ipam/cluster/helper/known.h"
#include "ipam/cluster/helper/ranges.h"

enum {
	PROBES = 6, /* random blocks that are tried before the claimed ones are listed */
	TRIES = 64, /* transactions of one claim */
};

/* ---- failures ---- */

static int check_node(struct blocks *b, const struct known *k)
{
	if (!k->node || known_is_ours(b, k))
		return 0;
	return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EEXIST,
			  "the name \"%s\" belongs to another machine in etcd, or this machine has "
			  "lost its state folder, or has another one (ipam.dataDir): write another "
			  "name to \"node\" in %s; or, if it is this machine and no container of "
			  "the network runs, take its blocks back with cnitool cluster reclaim %s",
			  b->node, CLUSTER_CONF, b->node);
}

static int fail_wanted(struct blocks *b, const char *holder)
{
	return tx_fail_as(b->tx, CPLUG_E_ADDRESS, -EADDRINUSE,
			  "the block %s belongs to node %s: start the container there, or ask for "
			  "another address",
			  CIDR_S(b->q->want), keys_member(holder, "node"));
}

static int fail_strange(struct blocks *b, const struct cluster_range *range)
{
	return tx_fail_as(b->tx, CPLUG_E_ADDRESS, -EINVAL,
			  "the request: \"want\": %s is no block of the range %s: a /%u of it is "
			  "needed",
			  CIDR_S(b->q->want), CIDR_S(range->subnet), range->block);
}

/*
 * A claimed block gets a route that is announced, and its gateway goes when it is given back: so
 * none that has an address of the host, whose network it would take.
 */
static int fail_host(struct blocks *b, struct cidr c)
{
	return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EADDRINUSE,
			  "the block %s has an address of this host: choose another range, or "
			  "remove the address (ip address)",
			  CIDR_S(c));
}

static int fail_unsettled(struct blocks *b)
{
	return tx_fail_as(
		b->tx, CNI_E_AGAIN, -EAGAIN,
		"no block could be claimed, because other nodes claimed each one first; try "
		"again");
}

/* ---- one transaction ---- */

static void expect(struct blocks *b, json_t *compare, const char *key, const char *value)
{
	if (value)
		json_array_append_new(compare, etcd_equals(&b->tx->mem, key, value));
	else
		json_array_append_new(compare, etcd_absent(&b->tx->mem, key));
}

/*
 * One transaction.  Returns 1 if the block is ours now, 0 if another node has it (*ret_holder), or
 * if k is not true any longer (*ret_holder NULL).
 */
static int try_claim(struct blocks *b, const struct known *k, struct cidr c,
		     const char **ret_holder)
{
	struct mem *mem = &b->tx->mem;
	const char *key = keys_block(b, b->q->network, c), *value = keys_block_value(b, c);
	const char *config = NULL, *others = NULL;
	struct etcd_txn t = etcd_txn();
	json_t *answers;
	int r;

	TRY(ranges_value(b, k->config, &config, &others));
	json_array_append_new(t.compare, etcd_absent(mem, key));
	expect(b, t.compare, ranges_key(b), k->config);
	if (others)
		json_array_append_new(t.compare, etcd_unchanged(mem, others, k->revision));
	expect(b, t.compare, keys_node(b), k->node);
	json_array_append_new(t.yes, etcd_put(mem, key, value));
	json_array_append_new(t.yes, etcd_put(mem, keys_own(b, c), value));
	if (!k->node)
		json_array_append_new(t.yes, etcd_put(mem, keys_node(b), keys_node_value(b)));
	if (others)
		json_array_append_new(t.yes, etcd_put(mem, ranges_key(b), config));
	json_array_append_new(t.no, etcd_get(mem, key));
	r = etcd_commit(b->tx, b->etcd, &t, &answers);
	if (r != 0)
		return r;
	*ret_holder = etcd_found_value(mem, answers, 0);
	/*
	 * A request that was repeated after a lost answer may have found its own block.  But one
	 * that we know, and claimed in the same second, has the same value.
	 */
	return !request_knows(b->q, c) && str_eq(*ret_holder, value);
}

/* ---- the blocks that the plugin knows ---- */

static bool is_ours(const struct blocks *b, const char *value)
{
	return str_eq(keys_member(value, "node"), b->node) &&
	       str_eq(keys_member(value, "instance"), b->q->instance);
}

/* Has etcd this block among those of our instance? */
static bool is_own(const struct blocks *b, const struct known *k, struct cidr c)
{
	const struct etcd_kv want = { .key = keys_own(b, c) };

	return k->own.n && known_is_ours(b, k) &&
	       bsearch(&want, k->own.kv, k->own.n, sizeof(want), etcd_kv_cmp);
}

static bool may_restore(struct blocks *b, struct cidr c, int *ret_refused)
{
	int has;

	*ret_refused = 0;
	for (unsigned i = 0; i < b->q->n_ranges; i++)
		if (ranges_is_block(&b->q->ranges[i], c)) {
			has = routes_is_foreign(b->tx, c);
			*ret_refused = has < 0 ? has : 0;
			return has == 0;
		}
	return false;
}

/*
 * etcd has no owner for a block of ours if it has lost its data, or if the node was reclaimed.  A
 * block that no other node has since is claimed again.  Returns 1 if it is ours, else 0, and the
 * value of the node that has it.
 */
static int restore(struct blocks *b, struct known *k, struct cidr c, const char **ret_holder)
{
	const char *holder = NULL;
	int r;

	*ret_holder = NULL;

	if (!may_restore(b, c, &r))
		return r;
	for (unsigned i = 0; i < TRIES && !etcd_is_late(b->etcd); i++) {
		TRY(r = try_claim(b, k, c, &holder));
		if (r == 1)
			log_warn("etcd had no owner for the block %s of this node (it has lost its "
				 "data, or this node was reclaimed): the node has claimed it again",
				 CIDR_S(c));
		*ret_holder = holder;
		if (r == 0 && holder && !is_ours(b, holder))
			return 0;
		TRY(known_read(b, k));
		TRY(check_node(b, k));
		if (r == 1 || is_own(b, k, c))
			return 1;
		if (holder)
			return 0; /* it is being reclaimed */
	}
	return fail_unsettled(b);
}

static void warn_held(struct cidr c, const char *holder)
{
	log_warn("the block %s is another node's (%s), because etcd has lost its data or this node "
		 "was "
		 "reclaimed: run cnitool gc, and start this node's containers in it anew",
		 CIDR_S(c), keys_member(holder, "node"));
}

/*
 * Divides the known blocks into those that are here and those that are gone: what another node has,
 * or what is being reclaimed.  all: the caller tells of these; else as far as the time allows, with
 * a warning.  Of blocks.json only what lies in the network's own ranges is believed: the file may
 * be a container's.
 */
static int keep_known(struct blocks *b, struct known *k, bool all)
{
	const char *holder = NULL;

	for (unsigned i = 0; i < b->q->n_known; i++) {
		struct cidr c = b->q->known[i];
		int ours = is_own(b, k, c);

		if (!ours && (all || !etcd_is_late(b->etcd)))
			TRY(ours = restore(b, k, c, &holder));
		if (!ours && !all && holder)
			warn_held(c, holder);
		if (ours)
			known_put(b, &b->here, c);
		else if (ranges_has(k->config, c))
			known_put(b, &b->gone, c);
		b->lost |= !ours;
	}
	return 0;
}

/* ---- a claim ---- */

/*
 * A block that is ours, although the plugin does not know: its ADD was killed, or not answered.
 * One of another instance, or without the node's own key, is being reclaimed.
 */
static bool find_unknown(struct blocks *b, const struct known *k, struct cidr *ret)
{
	const struct block_request *q = b->q;

	for (unsigned i = 0; i < k->own.n && known_is_ours(b, k); i++) {
		struct cidr c = keys_parse(&b->tx->mem, &k->own.kv[i]);

		if (!str_eq(keys_member(k->own.kv[i].value, "instance"), q->instance) ||
		    !ranges_is_block(&q->ranges[q->range], c) || request_knows(q, c) ||
		    (ip_set(q->want.ip) && !cidr_eq(q->want, c)))
			continue;
		*ret = c;
		return true;
	}
	return false;
}

int blocks_claim(struct blocks *b, struct cidr *ret)
{
	const struct block_request *q = b->q;
	const struct cluster_range *range = &q->ranges[q->range];
	unsigned missed = 0, taken = 0;
	struct known k;

	if (ip_set(q->want.ip) && !ranges_is_block(range, q->want))
		return fail_strange(b, range);
	TRY(known_begin(b, &k));
	TRY(check_node(b, &k));
	TRY(keep_known(b, &k, false));
	for (unsigned i = 0; i < TRIES && !(i && etcd_is_late(b->etcd)); i++) {
		const char *holder = NULL;
		struct cidr c = q->want;
		int r;

		TRY(check_node(b, &k));
		if (find_unknown(b, &k, ret)) {
			known_put(b, &b->here, *ret);
			return 0;
		}
		if (!ip_set(c.ip) && (missed >= PROBES || choose_count(range) <= PROBES))
			TRY(choose_free(b, range, &c));
		else if (!ip_set(c.ip))
			c = choose_any(range);
		TRY(r = routes_has_address(b->tx, c));
		if (r && (ip_set(q->want.ip) || ++taken > PROBES))
			return fail_host(b, c);
		missed += (unsigned)r;
		if (r)
			continue;
		r = try_claim(b, &k, c, &holder);
		TRY(r);
		if (r == 1) {
			*ret = c;
			known_put(b, &b->here, c);
			return 0;
		}
		if (holder && ip_set(q->want.ip))
			return fail_wanted(b, holder);
		if (holder)
			missed++;
		else
			TRY(known_read(b, &k));
	}
	return fail_unsettled(b);
}

/* ---- all blocks of the node ---- */

int blocks_sync(struct blocks *b, json_t *ret_list)
{
	struct known k;

	TRY(known_begin(b, &k));
	if (k.node && !known_is_ours(b, &k))
		return 0;
	TRY(keep_known(b, &k, true));
	for (unsigned i = 0; i < k.own.n && known_is_ours(b, &k); i++) {
		struct cidr c = keys_parse(&b->tx->mem, &k.own.kv[i]);

		if (!ip_set(c.ip))
			continue;
		json_array_append_new(ret_list, json_string(CIDR_S(c)));
		if (!request_knows(b->q, c))
			known_put(b, &b->here, c);
	}
	return 1;
}
