// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ranges.c - which ranges a network has
 */
#include "ipam/cluster/helper/ranges.h"
#include "base/log.h"
#include "value/json_make.h"

enum { LEAST_4 = 8, LEAST_6 = 16 }; /* the shortest prefixes of ranges */

/* ---- what may be a range ---- */

bool ranges_is_special(struct cidr c)
{
	static const char *const prefixes[] = { "240.0.0.0/4", "::/8" };
	struct cidr p;

	if (c.len < (c.ip.family == AF_INET ? LEAST_4 : LEAST_6) || cidr_is_reserved(c, &p))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
		if (cidr_parse(prefixes[i], &p) && cidr_overlaps(p, c))
			return true;
	return false;
}

/* RFC 1918, RFC 6598, RFC 4193. */
static bool is_private(struct cidr c)
{
	static const char *const prefixes[] = { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
						"100.64.0.0/10", "fc00::/7" };

	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++) {
		struct cidr p;

		if (cidr_parse(prefixes[i], &p) && c.len >= p.len && cidr_contains(p, c.ip))
			return true;
	}
	return false;
}

bool ranges_is_block(const struct cluster_range *r, struct cidr c)
{
	return c.len == r->block && c.len >= r->subnet.len && cidr_contains(r->subnet, c.ip) &&
	       cidr_eq(c, cidr_masked(c));
}

int ranges_check(struct tx *tx, const struct cluster_conf *cf, struct block_request *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < q->n_ranges; i++) {
		if (ranges_is_special(q->ranges[i].subnet))
			return tx_fail_as(
				tx, CNI_E_CONFIG, -EINVAL,
				"ipam.ranges: %s is no range for hosts: it has reserved addresses "
				"(240.0.0.0/4, ::/8), or is larger than /8 (IPv6: /16)",
				CIDR_S(q->ranges[i].subnet));
		if (!cluster_conf_allows(cf, q->network, q->ranges[i].subnet))
			return tx_fail_as(
				tx, CNI_E_CONFIG, -EPERM,
				"ipam.ranges: network \"%s\" may not have %s: \"networks\" in "
				"%s says which ranges it may have",
				q->network, CIDR_S(q->ranges[i].subnet), CLUSTER_CONF);
	}
	for (unsigned i = 0; i < q->n_known; i++)
		if (cluster_conf_allows(cf, q->network, q->known[i]) &&
		    !ranges_is_special(q->known[i]))
			q->known[n++] = q->known[i];
	q->n_known = n;
	return 0;
}

/* ---- what etcd has ---- */

static const char *prefix_of(const struct blocks *b)
{
	return mem_printf(&b->tx->mem, "%s/config/", b->prefix);
}

const char *ranges_key(const struct blocks *b)
{
	return mem_printf(&b->tx->mem, "%s%s", prefix_of(b), b->q->network);
}

static json_t *range_json(const struct cluster_range *r)
{
	return json_make("subnet", json_string(CIDR_S(r->subnet)), "block",
			 json_integer((json_int_t)r->block));
}

static bool parse_range(const json_t *range, struct cluster_range *ret)
{
	const char *subnet = json_string_value(json_object_get(range, "subnet"));

	ret->block = (unsigned)json_integer_value(json_object_get(range, "block"));
	return subnet && cidr_parse(subnet, &ret->subnet);
}

static json_t *list_of(const char *value)
{
	if (!value)
		return NULL;
	return json_object_get(json_loads(value, 0, NULL), "ranges");
}

bool ranges_has(const char *value, struct cidr c)
{
	const json_t *list = list_of(value);

	for (size_t i = 0; i < json_array_size(list); i++) {
		struct cluster_range r;

		if (parse_range(json_array_get(list, i), &r) && ranges_is_block(&r, c))
			return true;
	}
	return false;
}

/* ---- a new range ---- */

static int fail_overlap(struct blocks *b, const struct cluster_range *r, const struct etcd_kv *kv,
			struct cidr other)
{
	const char *network = kv->key + strlen(prefix_of(b));

	return tx_fail_as(
		b->tx, CNI_E_CONFIG, -EEXIST,
		"ipam.ranges: %s overlaps %s of network \"%.200s\": choose another range; "
		"or, if no node has that network any longer, say cnitool cluster forget "
		"%.200s",
		CIDR_S(r->subnet), CIDR_S(other), network, network);
}

/* Has another network a range that overlaps? */
static int check_others(struct blocks *b, const struct cluster_range *r, const struct etcd_kvs *all)
{
	for (unsigned i = 0; i < all->n; i++) {
		const json_t *list = list_of(all->kv[i].value);

		if (str_eq(all->kv[i].key, ranges_key(b)))
			continue;
		for (size_t k = 0; k < json_array_size(list); k++) {
			struct cluster_range o;

			if (parse_range(json_array_get(list, k), &o) &&
			    cidr_overlaps(o.subnet, r->subnet))
				return fail_overlap(b, r, &all->kv[i], o.subnet);
		}
	}
	return 0;
}

static int fail_public(struct blocks *b, const struct cluster_range *r)
{
	return tx_fail_as(b->tx, CNI_E_CONFIG, -EPERM,
			  "ipam.ranges: %s is not of a private network (10.0.0.0/8, 172.16.0.0/12, "
			  "192.168.0.0/16, 100.64.0.0/10, fc00::/7): choose such a range, or allow "
			  "this one with \"networks\" in %s, like {\"%s\": [\"%s\"]}",
			  CIDR_S(r->subnet), CLUSTER_CONF, b->q->network, CIDR_S(r->subnet));
}

static int fail_division(struct blocks *b, const struct cluster_range *r,
			 const struct cluster_range *o)
{
	return tx_fail_as(
		b->tx, CNI_E_CONFIG, -EINVAL,
		"ipam.ranges: %s with blocks of /%u overlaps %s with blocks of /%u, which "
		"other nodes have: each node must divide the ranges of network %s in the "
		"same way",
		CIDR_S(r->subnet), r->block, CIDR_S(o->subnet), o->block, b->q->network);
}

/* Has the network this range already?  1, 0, or a failure if it is divided in another way. */
static int find_range(struct blocks *b, const json_t *list, const struct cluster_range *r)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		struct cluster_range o;

		if (!parse_range(json_array_get(list, i), &o) ||
		    !cidr_overlaps(o.subnet, r->subnet))
			continue;
		if (cidr_eq(o.subnet, r->subnet) && o.block == r->block)
			return 1;
		return fail_division(b, r, &o);
	}
	return 0;
}

int ranges_value(struct blocks *b, const char *have, const char **ret, const char **ret_others)
{
	json_t *list = list_of(have);
	struct etcd_kvs all = { .n = 0 };

	if (have && !json_is_array(list))
		return tx_fail_as(b->tx, CNI_E_CONFIG, -EINVAL,
				  "etcd: %s has no list of ranges: delete the key, or correct it",
				  ranges_key(b));
	if (!list)
		list = json_array();
	*ret = have;
	*ret_others = NULL;
	for (unsigned i = 0; i < b->q->n_ranges; i++) {
		const struct cluster_range *r = &b->q->ranges[i];
		int there;

		TRY(there = find_range(b, list, r));
		if (there)
			continue;
		if (!b->etcd->conf->networks.json && !is_private(r->subnet))
			return fail_public(b, r);
		if (!*ret_others)
			TRY(etcd_read_below(b->tx, b->etcd, prefix_of(b), false, &all));
		*ret_others = prefix_of(b);
		TRY(check_others(b, r, &all));
		json_array_append_new(list, range_json(r));
	}
	if (*ret_others)
		*ret = etcd_text(json_make("version", json_integer(1), "ranges", list));
	return 0;
}
