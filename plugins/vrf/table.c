// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * table.c - a routing table for a new VRF
 *
 * The table of a VRF that has no routes yet is seen at the VRF only.
 */
#include <linux/if_link.h>

#include "netlink/link.h"
#include "netlink/route.h"
#include "plugins/vrf/vrf.h"

struct vrfs {
	struct mem *mem;
	int *index;
	unsigned n;
};

static int note_vrf(const struct link *l, void *arg)
{
	struct vrfs *v = arg;

	if (!l) { /* the list starts over */
		v->n = 0;
		return 0;
	}
	if (v->n == RT_LIST_MAX)
		return -E2BIG;
	v->index = mem_grow(v->mem, v->index, v->n, sizeof(*v->index));
	v->index[v->n++] = l->index;
	return 0;
}

/* The tables of all VRFs; *ret_n is their number. */
static int list_tables(struct tx *tx, struct rt *rt, uint32_t **ret, unsigned *ret_n)
{
	struct vrfs all = { .mem = &tx->mem };
	uint32_t *tables;

	TRY(link_each(tx, rt, "vrf", note_vrf, &all));
	tables = mem_alloc(&tx->mem, (all.n + 1) * sizeof(*tables));
	for (unsigned i = 0; i < all.n; i++) {
		struct link l;
		int there;

		tables[i] = 0;
		TRY(there = link_find_index(tx, rt, all.index[i], &l));
		if (there)
			tables[i] = link_data_number(&l, IFLA_VRF_TABLE, 0);
	}
	*ret = tables;
	*ret_n = all.n;
	return 0;
}

static bool is_taken(const uint32_t *tables, unsigned n, uint32_t table)
{
	for (unsigned i = 0; i < n; i++)
		if (tables[i] == table)
			return true;
	return false;
}

int vrf_free_table(struct tx *tx, struct rt *rt, uint32_t *ret)
{
	enum { TRIES_IN_ORDER = 64 };
	uint32_t *tables, table = 0;
	unsigned n;

	TRY(list_tables(tx, rt, &tables, &n));
	for (unsigned tries = 0; !tries || is_taken(tables, n, table); tries++) {
		uint32_t first = tries < TRIES_IN_ORDER ? table + 1 : route_random_table();

		TRY(route_free_table(tx, rt, first, &table));
	}
	*ret = table;
	return 0;
}
