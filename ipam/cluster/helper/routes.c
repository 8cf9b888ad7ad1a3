// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * routes.c - a route of the kernel for each block of this node
 */
#include <linux/rtnetlink.h>

#include "ipam/cluster/helper/routes.h"
#include "netlink/route.h"

static struct route_list routes_of(struct mem *mem, struct routes_blocks b)
{
	struct route_list list = { .n = 0 };

	list.r = mem_alloc(mem, (b.n + 1) * sizeof(*list.r));
	for (unsigned i = 0; i < b.n; i++)
		list.r[list.n++] = (struct route){
			.dst = b.c[i],
			.table = RT_TABLE_MAIN,
			.priority = ROUTES_METRIC,
			.type = RTN_UNREACHABLE,
			.scope = RT_SCOPE_UNIVERSE,
			.protocol = ROUTES_PROTOCOL,
		};
	return list;
}

void routes_set(struct tx *tx, struct routes_blocks here, struct routes_blocks gone)
{
	struct route_list add = routes_of(&tx->mem, here), del = routes_of(&tx->mem, gone);
	auto_(rt_close) struct rt rt = { .sk = NULL };
	int before = tx->err, r = rt_open(tx, &rt, "host", NULL);

	if (r == 0)
		r = route_drop(tx, &rt, &del);
	if (r == 0)
		r = route_add_all(tx, &rt, &add);
	tx_excuse(tx, before, r, "the node's blocks have no routes");
}
