// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * choose.c - which blocks of a range are free
 */
#include <sys/random.h>

#include "ipam/cluster/helper/choose.h"
#include "ipam/cluster/helper/keys.h"
#include "ipam/cluster/helper/ranges.h"

uint64_t choose_count(const struct cluster_range *r)
{
	return 1ULL << (r->block - r->subnet.len);
}

/* So many blocks that claims never fill it: a random one is free. */
static bool is_large(const struct cluster_range *r)
{
	return r->block - r->subnet.len > 24;
}

static struct cidr block_at(const struct cluster_range *r, uint64_t index)
{
	struct cidr c = { r->subnet.ip, r->block };

	for (unsigned bit = r->block; bit > r->subnet.len; bit--, index >>= 1)
		if (index & 1)
			c.ip.b[(bit - 1) / 8] |= (uint8_t)(0x80 >> (bit - 1) % 8);
	return c;
}

static uint64_t index_of(const struct cluster_range *r, struct ip ip)
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

struct cidr choose_any(const struct cluster_range *r)
{
	return block_at(r, random_below(choose_count(r)));
}

int choose_claimed(struct blocks *b, const struct cluster_range *r, uint8_t **ret_map,
		   uint64_t *ret_n)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_kvs f;

	TRY(etcd_read_below(b->tx, b->etcd,
			    mem_printf(mem, "%s/blocks/%s/", b->prefix, b->q->network), true, &f));
	*ret_map = NULL;
	if (!is_large(r))
		*ret_map = mem_alloc(mem, choose_count(r) / 8 + 1);
	*ret_n = 0;
	for (unsigned i = 0; i < f.n; i++) {
		struct cidr c = keys_parse(mem, &f.kv[i]);
		uint64_t at;

		if (!ranges_is_block(r, c))
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

int choose_free(struct blocks *b, const struct cluster_range *r, struct cidr *ret)
{
	uint64_t n, skip, at;
	uint8_t *map;

	*ret = choose_any(r);
	if (is_large(r))
		return 0;
	TRY(choose_claimed(b, r, &map, &n));
	if (n >= choose_count(r))
		return tx_fail_as(b->tx, CPLUG_E_EXHAUSTED, -EADDRNOTAVAIL,
				  "every block of %s is claimed (%llu of /%u): add a range on each "
				  "node, or take the blocks of a dead node back (cnitool cluster "
				  "list; cnitool cluster reclaim NODE)",
				  CIDR_S(r->subnet), (unsigned long long)choose_count(r), r->block);
	skip = random_below(choose_count(r) - n);
	for (at = 0; map; at++)
		if (!(map[at / 8] >> at % 8 & 1) && !skip--)
			break;
	*ret = block_at(r, at);
	return 0;
}
