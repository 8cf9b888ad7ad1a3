// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * blocks.c - the blocks of a cluster, as etcd has them
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "ipam/cluster/helper/blocks.h"
#include "ipam/cluster/helper/ranges.h"
#include "ipam/cluster/helper/routes.h"
#include "netlink/route.h"
#include "value/json_make.h"

enum {
	PROBES = 6, /* random blocks that are tried before the claimed ones are listed */
	TRIES = 64, /* transactions of one claim */
	OWN_MAX = 4 * KNOWN_MAX, /* blocks of this node that are looked at */
};

/* ---- keys ---- */

static const char *block_name(struct mem *mem, struct cidr c)
{
	return mem_printf(mem, "%s-%u", IP_S(c.ip), c.len);
}

static bool parse_name(struct mem *mem, const char *name, struct cidr *ret)
{
	char *s = mem_str(mem, name), *dash = strrchr(s, '-');

	if (!dash)
		return false;
	*dash = '/';
	return cidr_parse(s, ret);
}

static const char *block_key(const struct blocks *b, const char *network, struct cidr c)
{
	return mem_printf(&b->tx->mem, "%s/blocks/%s/%s", b->prefix, network,
			  block_name(&b->tx->mem, c));
}

static const char *node_key(const struct blocks *b)
{
	return mem_printf(&b->tx->mem, "%s/nodes/%s/%s", b->prefix, b->node, b->q->network);
}

static const char *own_key(const struct blocks *b, struct cidr c)
{
	return mem_printf(&b->tx->mem, "%s/%s", node_key(b), block_name(&b->tx->mem, c));
}

/* ---- values ---- */

static const char *text_of(json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
}

static const char *now_text(struct mem *mem)
{
	time_t now = time(NULL);
	struct tm tm;
	char s[32];

	gmtime_r(&now, &tm);
	strftime(s, sizeof(s), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return mem_str(mem, s);
}

/* The seconds since a time of now_text(); -1: it is none. */
static int64_t age_of(const char *claimed)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end = claimed ? strptime(claimed, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;
	time_t then = end && !*end ? timegm(&tm) : -1, now = time(NULL);

	if (then < 0)
		return -1;
	return now > then ? now - then : 0;
}

static json_t *addressed(const struct blocks *b)
{
	return json_make("version", json_integer(1), "node", json_string(b->node), "instance",
			 json_string(b->q->instance), "network", json_string(b->q->network));
}

static const char *block_value(const struct blocks *b, struct cidr c)
{
	json_t *v = addressed(b);

	json_object_set_new(v, "block", json_string(CIDR_S(c)));
	json_object_set_new(v, "claimed", json_string(now_text(&b->tx->mem)));
	return text_of(v);
}

static const char *member(const char *value, const char *key)
{
	const char *s = json_string_value(json_object_get(json_loads(value, 0, NULL), key));

	return s ? s : "?";
}

/* ---- what etcd has of us ---- */

struct known {
	const char *config, *node; /* their values; NULL: the keys do not exist */
	int64_t revision;          /* of etcd, when they had these values */
	struct etcd_kvs own;
};

static const char *only_value(struct mem *mem, const json_t *responses, unsigned index)
{
	struct etcd_kvs f = etcd_found(mem, responses, index);

	if (!f.n)
		return NULL;
	return f.kv[0].value;
}

static int look(struct blocks *b, struct known *ret)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	json_array_append_new(t.yes, etcd_get(mem, ranges_key(b)));
	json_array_append_new(t.yes, etcd_get(mem, node_key(b)));
	json_array_append_new(t.yes,
			      etcd_get_below(mem, mem_printf(mem, "%s/", node_key(b)), false));
	TRY(etcd_commit(b->tx, b->etcd, &t, &answers));
	ret->config = only_value(mem, answers, 0);
	ret->node = only_value(mem, answers, 1);
	ret->own = etcd_found(mem, answers, 2);
	if (ret->own.n > OWN_MAX)
		return tx_fail_as(
			b->tx, CNI_E_UNAVAILABLE, -E2BIG,
			"etcd has %u blocks of this node below %s, of which a node can use "
			"%d: take them back with cnitool cluster reclaim %s when none of its "
			"containers runs",
			ret->own.n, node_key(b), KNOWN_MAX, b->node);
	if (ret->own.n)
		qsort(ret->own.kv, ret->own.n, sizeof(*ret->own.kv), etcd_kv_cmp);
	ret->revision = b->etcd->revision;
	return 0;
}

static bool is_our_node(const struct blocks *b, const struct known *k)
{
	return k->node && str_eq(member(k->node, "instance"), b->q->instance);
}

static bool is_ours(const struct blocks *b, const char *value)
{
	return str_eq(member(value, "node"), b->node) &&
	       str_eq(member(value, "instance"), b->q->instance);
}

static int check_node(struct blocks *b, const struct known *k)
{
	if (!k->node || is_our_node(b, k))
		return 0;
	return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EEXIST,
			  "the name \"%s\" belongs to another machine in etcd, or this machine has "
			  "lost its state folder: write another name to \"node\" in %s; or, if it "
			  "is this machine and no container of the network runs, take its blocks "
			  "back with cnitool cluster reclaim %s",
			  b->node, CLUSTER_CONF, b->node);
}

static struct cidr parse_block(struct mem *mem, const struct etcd_kv *kv)
{
	const char *slash = strrchr(kv->key, '/');
	struct cidr c = { .len = 0 };

	if (slash && parse_name(mem, slash + 1, &c) && cidr_eq(c, cidr_masked(c)))
		return c;
	log_warn("etcd: %.200s is no block", kv->key);
	return (struct cidr){ .len = 0 };
}

/* The same without a warning: false for the key of a node's network. */
static bool read_block(const struct etcd_kv *kv, struct cidr *ret)
{
	const char *block =
		json_string_value(json_object_get(json_loads(kv->value, 0, NULL), "block"));

	return block && cidr_parse(block, ret) && cidr_eq(*ret, cidr_masked(*ret));
}

static bool is_known(const struct block_request *q, struct cidr c)
{
	for (unsigned i = 0; i < q->n_known; i++)
		if (cidr_eq(q->known[i], c))
			return true;
	return false;
}

static bool is_of_range(const struct block_range *r, struct cidr c)
{
	return c.len == r->block && cidr_contains(r->subnet, c.ip) && cidr_eq(c, cidr_masked(c));
}

/*
 * A block that is ours, although the plugin does not know: its ADD was killed, or not answered.
 * One of another instance, or without the node's own key, is being reclaimed.
 */
static bool find_unknown(struct blocks *b, const struct known *k, struct cidr *ret)
{
	const struct block_request *q = b->q;

	for (unsigned i = 0; i < k->own.n && is_our_node(b, k); i++) {
		struct cidr c = parse_block(&b->tx->mem, &k->own.kv[i]);

		if (!str_eq(member(k->own.kv[i].value, "instance"), q->instance) ||
		    !is_of_range(&q->ranges[q->range], c) || is_known(q, c) ||
		    (ip_set(q->want.ip) && !cidr_eq(q->want, c)))
			continue;
		*ret = c;
		return true;
	}
	return false;
}

/* ---- choosing ---- */

static uint64_t count_of(const struct block_range *r)
{
	return 1ULL << (r->block - r->subnet.len);
}

/* So many blocks that claims never fill it: a random one is free. */
static bool is_large(const struct block_range *r)
{
	return r->block - r->subnet.len > 24;
}

static struct cidr block_at(const struct block_range *r, uint64_t index)
{
	struct cidr c = { r->subnet.ip, r->block };

	for (unsigned bit = r->block; bit > r->subnet.len; bit--, index >>= 1)
		if (index & 1)
			c.ip.b[(bit - 1) / 8] |= (uint8_t)(0x80 >> (bit - 1) % 8);
	return c;
}

static uint64_t index_of(const struct block_range *r, struct ip ip)
{
	uint64_t index = 0;

	for (unsigned bit = r->subnet.len; bit < r->block; bit++)
		index = index << 1 | (ip.b[bit / 8] >> (7 - bit % 8) & 1);
	return index;
}

static uint64_t random_below(uint64_t n)
{
	uint64_t x = 0;

	(void)!getrandom(&x, sizeof(x), 0);
	return x % n;
}

/* How many blocks of a range are claimed, and one bit for each block; no map of a large range. */
static int list_claimed(struct blocks *b, const struct block_range *r, uint8_t **ret_map,
			uint64_t *ret_n)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_kvs f;

	TRY(etcd_read_below(b->tx, b->etcd,
			    mem_printf(mem, "%s/blocks/%s/", b->prefix, b->q->network), true, &f));
	*ret_map = NULL;
	if (!is_large(r))
		*ret_map = mem_alloc(mem, count_of(r) / 8 + 1);
	*ret_n = 0;
	for (unsigned i = 0; i < f.n; i++) {
		struct cidr c = parse_block(mem, &f.kv[i]);
		uint64_t at;

		if (!is_of_range(r, c))
			continue;
		at = index_of(r, c.ip);
		/* An IPv6 block may have two keys, which spell it differently. */
		if (*ret_map && (*ret_map)[at / 8] >> at % 8 & 1)
			continue;
		++*ret_n;
		if (*ret_map)
			(*ret_map)[at / 8] |= (uint8_t)(1 << at % 8);
	}
	return 0;
}

/* A block without an owner, at random; fails if there is none. */
static int choose_free(struct blocks *b, const struct block_range *r, struct cidr *ret)
{
	uint64_t n, skip, at;
	uint8_t *map;

	*ret = block_at(r, random_below(count_of(r)));
	if (is_large(r))
		return 0;
	TRY(list_claimed(b, r, &map, &n));
	if (n >= count_of(r))
		return tx_fail_as(b->tx, CPLUG_E_EXHAUSTED, -EADDRNOTAVAIL,
				  "every block of %s is claimed (%llu of /%u): add a range on each "
				  "node, or take the blocks of a dead node back (cnitool cluster "
				  "list; cnitool cluster reclaim NODE)",
				  CIDR_S(r->subnet), (unsigned long long)count_of(r), r->block);
	skip = random_below(count_of(r) - n);
	for (at = 0; map; at++)
		if (!(map[at / 8] >> at % 8 & 1) && !skip--)
			break;
	*ret = block_at(r, at);
	return 0;
}

/* ---- claiming ---- */

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
	const char *key = block_key(b, b->q->network, c), *value = block_value(b, c);
	const char *config = NULL, *others = NULL;
	struct etcd_txn t = etcd_txn();
	json_t *answers;
	int r;

	TRY(ranges_value(b, k->config, &config, &others));
	json_array_append_new(t.compare, etcd_absent(mem, key));
	expect(b, t.compare, ranges_key(b), k->config);
	if (others)
		json_array_append_new(t.compare, etcd_unchanged(mem, others, k->revision));
	expect(b, t.compare, node_key(b), k->node);
	json_array_append_new(t.yes, etcd_put(mem, key, value));
	json_array_append_new(t.yes, etcd_put(mem, own_key(b, c), value));
	if (!k->node)
		json_array_append_new(t.yes, etcd_put(mem, node_key(b), text_of(addressed(b))));
	if (others)
		json_array_append_new(t.yes, etcd_put(mem, ranges_key(b), config));
	json_array_append_new(t.no, etcd_get(mem, key));
	r = etcd_commit(b->tx, b->etcd, &t, &answers);
	if (r != 0)
		return r;
	*ret_holder = only_value(mem, answers, 0);
	/*
	 * A request that was repeated after a lost answer may have found its own block.  But one
	 * that we know, and claimed in the same second, has the same value.
	 */
	return !is_known(b->q, c) && str_eq(*ret_holder, value);
}

static int fail_wanted(struct blocks *b, const char *holder)
{
	return tx_fail_as(b->tx, CPLUG_E_ADDRESS, -EADDRINUSE,
			  "the block %s belongs to node %s: start the container there, or ask for "
			  "another address",
			  CIDR_S(b->q->want), member(holder, "node"));
}

static int fail_strange(struct blocks *b, const struct block_range *range)
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

/* ---- the blocks that the plugin knows ---- */

static int begin(struct blocks *b, struct known *ret)
{
	b->here = b->gone = (struct routes_blocks){ .n = 0 };
	b->lost = false;
	return look(b, ret);
}

static void put_block(struct blocks *b, struct routes_blocks *l, struct cidr c)
{
	if (ranges_is_special(c) || !cluster_conf_allows(b->etcd->conf, b->q->network, c))
		return; /* whatever etcd says: it is not announced */
	l->c = mem_grow(&b->tx->mem, l->c, l->n, sizeof(*l->c));
	l->c[l->n++] = c;
}

/* Has etcd this block among those of our instance? */
static bool is_own(const struct blocks *b, const struct known *k, struct cidr c)
{
	const struct etcd_kv want = { .key = own_key(b, c) };

	return k->own.n && is_our_node(b, k) &&
	       bsearch(&want, k->own.kv, k->own.n, sizeof(want), etcd_kv_cmp);
}

static bool may_restore(struct blocks *b, struct cidr c, int *ret_refused)
{
	int has;

	*ret_refused = 0;
	for (unsigned i = 0; i < b->q->n_ranges; i++)
		if (is_of_range(&b->q->ranges[i], c)) {
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
		TRY(look(b, k));
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
		 CIDR_S(c), member(holder, "node"));
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
			put_block(b, &b->here, c);
		else if (ranges_has(k->config, c))
			put_block(b, &b->gone, c);
		b->lost |= !ours;
	}
	return 0;
}

int blocks_claim(struct blocks *b, struct cidr *ret)
{
	const struct block_request *q = b->q;
	const struct block_range *range = &q->ranges[q->range];
	unsigned missed = 0, taken = 0;
	struct known k;

	if (ip_set(q->want.ip) && !is_of_range(range, q->want))
		return fail_strange(b, range);
	TRY(begin(b, &k));
	TRY(check_node(b, &k));
	TRY(keep_known(b, &k, false));
	for (unsigned i = 0; i < TRIES && !(i && etcd_is_late(b->etcd)); i++) {
		const char *holder = NULL;
		struct cidr c = q->want;
		int r;

		TRY(check_node(b, &k));
		if (find_unknown(b, &k, ret)) {
			put_block(b, &b->here, *ret);
			return 0;
		}
		if (!ip_set(c.ip) && (missed >= PROBES || count_of(range) <= PROBES))
			TRY(choose_free(b, range, &c));
		else if (!ip_set(c.ip))
			c = block_at(range, random_below(count_of(range)));
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
			put_block(b, &b->here, c);
			return 0;
		}
		if (holder && ip_set(q->want.ip))
			return fail_wanted(b, holder);
		if (holder)
			missed++;
		else
			TRY(look(b, &k));
	}
	return fail_unsettled(b);
}

/* ---- the other words ---- */

int blocks_sync(struct blocks *b, json_t *ret_list)
{
	struct known k;

	TRY(begin(b, &k));
	if (k.node && !is_our_node(b, &k))
		return 0;
	TRY(keep_known(b, &k, true));
	for (unsigned i = 0; i < k.own.n && is_our_node(b, &k); i++) {
		struct cidr c = parse_block(&b->tx->mem, &k.own.kv[i]);

		if (!ip_set(c.ip))
			continue;
		json_array_append_new(ret_list, json_string(CIDR_S(c)));
		if (!is_known(b->q, c))
			put_block(b, &b->here, c);
	}
	return 1;
}

/* Removes both keys of a block if they still have the value that was read. */
static int drop(struct blocks *b, const char *network, const struct etcd_kv *own)
{
	struct mem *mem = &b->tx->mem;
	struct cidr c = parse_block(mem, own);
	const char *key = block_key(b, network, c);
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	json_array_append_new(t.compare, etcd_equals(mem, key, own->value));
	json_array_append_new(t.yes, etcd_delete(mem, key));
	json_array_append_new(t.yes, etcd_delete(mem, own->key));
	json_array_append_new(t.no, etcd_delete(mem, own->key));
	return etcd_commit(b->tx, b->etcd, &t, &answers);
}

int blocks_release(struct blocks *b)
{
	struct known k;

	TRY(begin(b, &k));
	for (unsigned i = 0; i < b->q->n_known; i++)
		if (ranges_has(k.config, b->q->known[i]))
			put_block(b, &b->gone, b->q->known[i]);
	/* First the routes: nothing is to be sent to us when another node has the block. */
	if (b->set_routes)
		b->set_routes(b->tx, b->here, b->gone);
	for (unsigned i = 0; i < k.own.n && is_our_node(b, &k); i++)
		if (is_known(b->q, parse_block(&b->tx->mem, &k.own.kv[i])))
			TRY(drop(b, b->q->network, &k.own.kv[i]));
	return 0;
}

int blocks_free(struct blocks *b, json_t *ret_list)
{
	const char *config, *others;
	struct known k;

	/* A range that a claim would be refused for has none. */
	TRY(look(b, &k));
	TRY(ranges_value(b, k.config, &config, &others));
	for (unsigned i = 0; i < b->q->n_ranges; i++) {
		const struct block_range *r = &b->q->ranges[i];
		uint8_t *map;
		uint64_t n;

		TRY(list_claimed(b, r, &map, &n));
		json_array_append_new(ret_list, json_integer((json_int_t)(count_of(r) - n)));
	}
	return 0;
}

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
		int64_t age = age_of(json_string_value(json_object_get(value, "claimed")));

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
	value = only_value(mem, answers, 0);
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

		if (network && json_object_get(value, "block")) {
			TRY(drop(b, network, &f.kv[i]));
			json_array_append_new(ret_list, value);
			continue;
		}
		json_array_append_new(t.yes, etcd_delete(mem, f.kv[i].key));
		TRY(etcd_commit(b->tx, b->etcd, &t, &answers));
	}
	return 0;
}
