// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keys.c - the keys of blocks in etcd, and their values
 */
#include <time.h>

#include "base/log.h"
#include "ipam/cluster/helper/keys.h"
#include "value/json_make.h"

#define TIME_FORMAT "%Y-%m-%dT%H:%M:%SZ"

/* ---- keys ---- */

static const char *block_name(struct mem *mem, struct cidr c)
{
	return mem_printf(mem, "%s-%u", IP_S(c.ip), c.len);
}

const char *keys_block(const struct blocks *b, const char *network, struct cidr c)
{
	return mem_printf(&b->tx->mem, "%s/blocks/%s/%s", b->prefix, network,
			  block_name(&b->tx->mem, c));
}

const char *keys_node(const struct blocks *b)
{
	return mem_printf(&b->tx->mem, "%s/nodes/%s/%s", b->prefix, b->node, b->q->network);
}

const char *keys_own(const struct blocks *b, struct cidr c)
{
	return mem_printf(&b->tx->mem, "%s/%s", keys_node(b), block_name(&b->tx->mem, c));
}

static bool parse_name(struct mem *mem, const char *name, struct cidr *ret)
{
	char *s = mem_str(mem, name), *dash = strrchr(s, '-');

	if (!dash)
		return false;
	*dash = '/';
	return cidr_parse(s, ret);
}

struct cidr keys_parse(struct mem *mem, const struct etcd_kv *kv)
{
	const char *slash = strrchr(kv->key, '/');
	struct cidr c = { .len = 0 };

	if (slash && parse_name(mem, slash + 1, &c) && cidr_eq(c, cidr_masked(c)))
		return c;
	log_warn("etcd: %.200s is no block", kv->key);
	return (struct cidr){ .len = 0 };
}

/* ---- values ---- */

static const char *now_text(struct mem *mem)
{
	time_t now = time(NULL);
	struct tm tm;
	char s[32];

	gmtime_r(&now, &tm);
	strftime(s, sizeof(s), TIME_FORMAT, &tm);
	return mem_str(mem, s);
}

int64_t keys_age(const char *claimed)
{
	struct tm tm = { .tm_sec = 0 };
	const char *end = claimed ? strptime(claimed, TIME_FORMAT, &tm) : NULL;
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

const char *keys_node_value(const struct blocks *b)
{
	return etcd_text(addressed(b));
}

const char *keys_block_value(const struct blocks *b, struct cidr c)
{
	json_t *v = addressed(b);

	json_object_set_new(v, "block", json_string(CIDR_S(c)));
	json_object_set_new(v, "claimed", json_string(now_text(&b->tx->mem)));
	return etcd_text(v);
}

const char *keys_member(const char *value, const char *key)
{
	const char *s = json_string_value(json_object_get(json_loads(value, 0, NULL), key));

	return s ? s : "?";
}
