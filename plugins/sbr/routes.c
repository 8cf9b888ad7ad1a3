// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * routes.c - which routes of the interface sbr moves, and where
 */
#include <linux/rtnetlink.h>

#include "plugins/sbr/sbr.h"

enum { ADDRCONF_METRIC = 256 }; /* the kernel's metric for IPv6 prefixes */

void sbr_list_add(struct tx *tx, struct route_list *list, struct route r)
{
	list->r = mem_grow(&tx->mem, list->r, list->n, sizeof(r));
	list->r[list->n++] = r;
}

int sbr_main_routes(struct tx *tx, struct call *c, const struct link *l, struct route_list *ret)
{
	struct route_filter f = { .table = RT_TABLE_MAIN, .link = l->index };
	struct route_list all, own = { .n = 0 };

	TRY(route_list(tx, &c->cont, &f, &all));
	for (unsigned i = 0; i < all.n; i++)
		if (!all.r[i].multipath && all.r[i].type == RTN_UNICAST)
			sbr_list_add(tx, &own, all.r[i]);
	*ret = own;
	return 0;
}

bool sbr_stays(const struct sbr *s, const struct route *r)
{
	if (ip_set(r->dst.ip) && ip_is_linklocal(r->dst.ip))
		return true;
	return s->hints && (r->scope == RT_SCOPE_LINK || (ip_set(r->src) && !ip_set(r->gw)));
}

/* Does a route of main belong into the table of an address, too? */
static bool concerns(const struct route *r, struct cidr a)
{
	if (r->dst.ip.family != a.ip.family)
		return false;
	if (!ip_set(r->src) && !ip_set(r->gw))
		return true;
	return cidr_contains(a, r->src) || cidr_contains(a, r->gw);
}

static bool has_route_to(const struct route_list *list, struct cidr dst)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->r[i].dst.ip.family == dst.ip.family && list->r[i].dst.len == dst.len &&
		    (!dst.len || cidr_eq(list->r[i].dst, dst)))
			return true;
	return false;
}

static struct route route_in(const struct link *l, struct cidr dst, uint32_t table)
{
	return (struct route){
		.dst = dst,
		.link = l->index,
		.table = table,
		.type = RTN_UNICAST,
		.protocol = RTPROT_STATIC,
	};
}

struct route sbr_connected(const struct link *l, struct cidr a, uint32_t table)
{
	struct route r = route_in(l, cidr_masked(a), table);

	/* In a VRF, no other table may name the address. */
	if (!l->master)
		r.src = a.ip;
	/* As the kernel's, so that one that is there already is the same. */
	r.protocol = RTPROT_KERNEL;
	if (a.ip.family == AF_INET6)
		r.priority = ADDRCONF_METRIC;
	else
		r.scope = RT_SCOPE_LINK;
	return r;
}

struct ip sbr_gateway(const struct sbr *s, const struct result_ip *ip)
{
	struct ip gw = ip->addr.ip.family == AF_INET6 ? s->gw6 : s->gw4;

	return ip_set(gw) ? gw : ip->gateway;
}

/* What a repair cannot copy, because it was moved before, comes from prevResult. */
static void add_lost(struct tx *tx, const struct call *c, const struct sbr_table *t,
		     struct route_list *list)
{
	struct cidr a = t->ip->addr;

	for (unsigned i = 0; i < c->prev->n_routes; i++) {
		struct route r = route_of(t->link, &c->prev->routes[i]);

		if (r.table != RT_TABLE_MAIN || !ip_set(r.gw) || !concerns(&r, a) ||
		    has_route_to(list, cidr_masked(r.dst)))
			continue;
		r.table = t->number;
		sbr_list_add(tx, list, r);
	}
}

/* Behind vrf, which has moved it, main has no route to the subnet. */
static void add_connected(struct tx *tx, const struct sbr_table *t, struct route_list *list)
{
	struct cidr a = t->ip->addr;

	if (a.len < ip_bits(a.ip) && !has_route_to(list, cidr_masked(a)))
		sbr_list_add(tx, list, sbr_connected(t->link, a, t->number));
}

struct route_list sbr_table_routes(struct tx *tx, const struct call *c, const struct sbr *s,
				   const struct sbr_table *t)
{
	struct ip gw = sbr_gateway(s, t->ip);
	bool given = ip_set(gw) && (ip_eq(gw, s->gw4) || ip_eq(gw, s->gw6));
	struct cidr all = { .ip.family = t->ip->addr.ip.family };
	struct route_list list = { .n = 0 };

	for (unsigned i = 0; i < t->have.n; i++)
		sbr_list_add(tx, &list, t->have.r[i]);
	for (unsigned i = 0; i < t->main->n; i++) {
		struct route r = t->main->r[i];

		r.table = t->number;
		if (concerns(&r, t->ip->addr) && !(given && cidr_is_default(r.dst)))
			sbr_list_add(tx, &list, r);
	}
	if (c->command == CNI_REPAIR)
		add_lost(tx, c, t, &list);
	add_connected(tx, t, &list);
	if (ip_set(gw) && !has_route_to(&list, all)) {
		struct route r = route_in(t->link, all, t->number);

		r.gw = gw;
		sbr_list_add(tx, &list, r);
	}
	return list;
}
