// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge.c - bridges that no container uses any more
 */
#include <linux/if_link.h>

#include "netlink/bridge.h"

struct ports {
	struct mem *mem;
	int bridge, own;
	bool used;
	struct link *gateways; /* ports of VLAN gateways */
	unsigned n;
};

static int note_port(const struct link *l, void *arg)
{
	struct ports *p = arg;

	if (!l) {
		p->used = false;
		p->gateways = NULL;
		p->n = 0;
		return 0;
	}
	if (l->master != p->bridge || l->index == p->own)
		return 0;
	if (!mark_is_network(l->alias)) {
		p->used = true;
		return 1;
	}
	p->gateways = mem_grow(p->mem, p->gateways, p->n, sizeof(*l));
	p->gateways[p->n++] = *l;
	return 0;
}

static int look(struct tx *tx, struct rt *rt, int bridge, int own, struct ports *ret)
{
	*ret = (struct ports){ .mem = &tx->mem, .bridge = bridge, .own = own };
	return link_each_port(tx, rt, bridge, note_port, ret);
}

int bridge_used(struct tx *tx, struct rt *rt, int bridge, int own)
{
	struct ports p;

	TRY(look(tx, rt, bridge, own, &p));
	return p.used;
}

int bridge_drop(struct tx *tx, struct rt *rt, const struct link *br)
{
	struct ports p;

	TRY(look(tx, rt, br->index, 0, &p));
	if (p.used)
		return 0;
	for (unsigned i = 0; i < p.n; i++)
		TRY(link_del(tx, rt, &p.gateways[i]));
	return link_del(tx, rt, br);
}
