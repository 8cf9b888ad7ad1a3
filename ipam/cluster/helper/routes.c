// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * routes.c - a route of the kernel for each block of this node
 */
#include <linux/rtnetlink.h>

#include "ipam/cluster/helper/routes.h"
#include "netlink/addr.h"
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

/* ---- gateways of blocks that are gone ---- */

struct links {
	struct mem *mem;
	struct link *l;
	unsigned n;
};

static int collect(const struct link *l, void *arg)
{
	struct links *all = arg;

	if (!l) {
		all->n = 0;
		return 0;
	}
	all->l = mem_grow(all->mem, all->l, all->n, sizeof(*all->l));
	all->l[all->n++] = *l;
	return 0;
}

static struct cidr gateway_of(struct cidr block)
{
	block.ip = ip_add(block.ip, 1);
	return block;
}

/*
 * A main plugin gave the block's first address to a link of the host, a bridge say.  With it the
 * kernel has a route to the block, which would hide that of the node which has the block next.
 */
static int drop_gateways(struct tx *tx, struct rt *rt, const struct routes_blocks *gone)
{
	struct links all = { .mem = &tx->mem };
	struct addr_list list;

	if (!gone->n)
		return 0;
	TRY(link_each(tx, rt, "", collect, &all));
	for (unsigned i = 0; i < all.n; i++) {
		TRY(addr_list(tx, rt, &all.l[i], AF_UNSPEC, &list));
		for (unsigned k = 0; k < gone->n; k++)
			if (addr_listed(&list, gateway_of(gone->c[k])))
				TRY(addr_del(tx, rt, &all.l[i], gateway_of(gone->c[k])));
	}
	return 0;
}

void routes_set(struct tx *tx, struct routes_blocks here, struct routes_blocks gone)
{
	struct route_list add = routes_of(&tx->mem, here), del = routes_of(&tx->mem, gone);
	auto_(rt_close) struct rt rt = { .sk = NULL };
	int before = tx->err, r = rt_open(tx, &rt, "host", NULL);

	if (r == 0)
		r = drop_gateways(tx, &rt, &gone);
	if (r == 0)
		r = route_drop(tx, &rt, &del);
	if (r == 0)
		r = route_add_all(tx, &rt, &add);
	tx_excuse(tx, before, r, "the node's blocks have no routes");
}
