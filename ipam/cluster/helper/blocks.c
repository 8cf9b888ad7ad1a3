// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blocks.c - blocks that are given back, counted, listed, and taken from a node that is gone
 */
#include "ipam/cluster/helper/blocks.h"
#include "base/log.h"
#include "ipam/cluster/helper/choose.h"
#include "ipam/cluster/helper/keys.h"
#include "ipam/cluster/helper/known.h"
#include "ipam/cluster/helper/ranges.h"
#include "netlink/route.h"

/* ---- requests of the plugin ---- */

int blocks_release(struct blocks *b)
{
	struct known k;

	TRY(known_begin(b, &k));
	for (unsigned i = 0; i < b->q->n_known; i++)
		if (ranges_has(k.config, b->q->known[i]))
			known_put(b, &b->gone, b->q->known[i]);
	/* First the routes: nothing is to be sent to us when another node has the block. */
	if (b->set_routes)
		b->set_routes(b->tx, b->here, b->gone);
	for (unsigned i = 0; i < k.own.n && known_is_ours(b, &k); i++)
		if (request_knows(b->q, keys_parse(&b->tx->mem, &k.own.kv[i])))
			TRY(known_drop(b, b->q->network, &k.own.kv[i]));
	return 0;
}

int blocks_free(struct blocks *b, json_t *ret_list)
{
	const char *config, *others;
	struct known k;

	/* A range that a claim would be refused for has none. */
	TRY(known_read(b, &k));
	TRY(ranges_value(b, k.config, &config, &others));
	for (unsigned i = 0; i < b->q->n_ranges; i++) {
		const struct cluster_range *r = &b->q->ranges[i];
		uint8_t *map;
		uint64_t n;

		TRY(choose_claimed(b, r, &map, &n));
		json_array_append_new(ret_list, json_integer((json_int_t)(choose_count(r) - n)));
	}
	return 0;
}

/* ---- actions of the administrator ---- */

int blocks_list(struct blocks *b, const char *network, json_t *ret_list)
{
	struct mem *mem = &b->tx->mem;
	const char *prefix = mem_printf(mem, "%s/blocks/", b->prefix);
	struct etcd_kvs f;

	if (network)
		prefix = mem_printf(mem, "%s%s/", prefix, network);
	TRY(etcd_read_below(b->tx, b->etcd, prefix, false, &f));
	for (unsigned i = 0; i < f.n; i++) {
		json_t *value = json_loads(f.kv[i].value, 0, NULL);
		int64_t age = keys_age(json_string_value(json_object_get(value, "claimed")));

		if (age >= 0)
			json_object_set_new(value, "age", json_integer((json_int_t)age));
		if (json_is_object(value))
			json_array_append_new(ret_list, value);
	}
	return 0;
}

int blocks_forget(struct blocks *b, const char *network, json_t *ret_ranges)
{
	struct mem *mem = &b->tx->mem;
	const char *key = mem_printf(mem, "%s/config/%s", b->prefix, network), *value;
	const char *below = mem_printf(mem, "%s/blocks/%s/", b->prefix, network);
	struct etcd_txn t = etcd_txn(), read = etcd_txn();
	json_t *answers, *list;
	struct etcd_kvs f;
	int done;

	json_array_append_new(read.yes, etcd_get(mem, key));
	TRY(etcd_commit(b->tx, b->etcd, &read, &answers));
	value = etcd_found_value(mem, answers, 0);
	json_array_append_new(t.compare, etcd_unchanged(mem, below, b->etcd->revision));
	TRY(etcd_read_below(b->tx, b->etcd, below, true, &f));
	if (f.n)
		return tx_fail_as(
			b->tx, CPLUG_E_TAKEN, -EBUSY,
			"network \"%s\" has %u block%s: give them back first, with cnitool gc "
			"on their nodes (cnitool cluster list %s)",
			network, f.n, f.n == 1 ? "" : "s", network);
	if (!value)
		return 0;
	json_array_append_new(t.compare, etcd_equals(mem, key, value));
	json_array_append_new(t.yes, etcd_delete(mem, key));
	TRY(done = etcd_commit(b->tx, b->etcd, &t, &answers));
	if (!done)
		return tx_fail_as(
			b->tx, CNI_E_AGAIN, -EAGAIN,
			"a node claimed a block of network \"%s\" at this moment; try again",
			network);
	list = json_object_get(json_loads(value, 0, NULL), "ranges");
	json_array_extend(ret_ranges, list);
	return 0;
}

/* The same without a warning: false for the key of a node's network. */
static bool read_block(const struct etcd_kv *kv, struct cidr *ret)
{
	const char *block =
		json_string_value(json_object_get(json_loads(kv->value, 0, NULL), "block"));

	return block && cidr_parse(block, ret) && cidr_eq(*ret, cidr_masked(*ret));
}

/*
 * A node is dead if its administrator says so: etcd does not know, and one that we cannot reach may
 * run.  But a route to one of its blocks says that it lives, because its routing daemon exports it.
 */
static int fail_if_alive(struct blocks *b, const char *node, const struct etcd_kvs *f)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct mem_text routes = { .mem = &b->tx->mem };
	unsigned n = 0;

	TRY(rt_open(b->tx, &rt, "host", NULL));
	for (unsigned i = 0; i < f->n; i++) {
		struct route_lookup r;
		struct cidr c;

		if (!read_block(&f->kv[i], &c))
			continue;
		n++;
		TRY(route_lookup(b->tx, &rt, ip_add(c.ip, 2), &r));
		if (ip_set(r.dst.ip) && r.dst.len >= c.len && !r.rejects)
			mem_text_add(&routes, "%s%s", mem_text_comma(&routes, ", "), CIDR_S(c));
	}
	if (!routes.len)
		return 0;
	tx_detail(b->tx, "routes of this machine: %s", mem_text_end(&routes));
	return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EBUSY,
			  "node %s seems to run: this machine has routes to its blocks.  Shut it "
			  "down and try again when they are gone; or say --force: its %u block%s "
			  "then go to other nodes, and each container that still runs there shares "
			  "its address with another one",
			  node, n, n == 1 ? "" : "s");
}

/*
 * Is the block of a value that of its key?  The caller takes routes and gateways of reclaimed
 * blocks from this machine, so one that lives here must not be among them, whatever a value says.
 */
static bool names_block(struct mem *mem, const struct etcd_kv *kv)
{
	struct cidr c;

	return read_block(kv, &c) && cidr_eq(c, keys_parse(mem, kv));
}

int blocks_reclaim(struct blocks *b, const char *node, bool force, json_t *ret_list)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_kvs f;

	TRY(etcd_read_below(b->tx, b->etcd, mem_printf(mem, "%s/nodes/%s/", b->prefix, node), false,
			    &f));
	if (!force)
		TRY(fail_if_alive(b, node, &f));
	/* The names of its networks come before their blocks, so no claim begins in between. */
	for (unsigned i = 0; i < f.n; i++) {
		json_t *value = json_loads(f.kv[i].value, 0, NULL);
		const char *network = json_string_value(json_object_get(value, "network"));
		struct etcd_txn t = etcd_txn();
		json_t *answers;
		int dropped;

		if (network && json_object_get(value, "block")) {
			TRY(dropped = known_drop(b, network, &f.kv[i]));
			if (dropped && names_block(mem, &f.kv[i]))
				json_array_append_new(ret_list, value);
			else
				log_warn("etcd: %.200s is removed, but node %s does not have that "
					 "block",
					 f.kv[i].key, node);
			continue;
		}
		json_array_append_new(t.yes, etcd_delete(mem, f.kv[i].key));
		TRY(etcd_commit(b->tx, b->etcd, &t, &answers));
	}
	return 0;
}
