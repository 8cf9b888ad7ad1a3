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
	struct link *new;      /* ports that will get a mark */
	unsigned n, n_new;
};

static int note_port(const struct link *l, void *arg)
{
	struct ports *p = arg;

	if (!l) {
		p->used = false;
		p->gateways = p->new = NULL;
		p->n = p->n_new = 0;
		return 0;
	}
	if (l->master != p->bridge || l->index == p->own)
		return 0;
	if (mark_is_network(l->alias)) {
		p->gateways = mem_grow(p->mem, p->gateways, p->n, sizeof(*l));
		p->gateways[p->n++] = *l;
	} else if (link_is_unfinished(l)) {
		p->new = mem_grow(p->mem, p->new, p->n_new, sizeof(*l));
		p->new[p->n_new++] = *l;
	} else {
		p->used = true;
	}
	return p->used;
}

/* Is it the port of a VLAN gateway that was not finished?  Its mark names the other end. */
static int is_new_gateway(struct tx *tx, struct rt *rt, const struct link *port)
{
	struct mark mark;
	struct link gw;
	int there;

	TRY(there = link_find_index(tx, rt, port->parent, &gw));
	if (!there)
		return 0;
	mark = mark_of_network(gw.name);
	return link_is_marked(port, &mark);
}

static int look(struct tx *tx, struct rt *rt, int bridge, int own, struct ports *ret)
{
	int gateway;

	*ret = (struct ports){ .mem = &tx->mem, .bridge = bridge, .own = own };
	TRY(link_each_port(tx, rt, bridge, note_port, ret));
	for (unsigned i = 0; i < ret->n_new && !ret->used; i++) {
		TRY(gateway = is_new_gateway(tx, rt, &ret->new[i]));
		if (gateway) {
			ret->gateways =
				mem_grow(ret->mem, ret->gateways, ret->n, sizeof(*ret->new));
			ret->gateways[ret->n++] = ret->new[i];
		} else {
			ret->used = true;
		}
	}
	return 0;
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
