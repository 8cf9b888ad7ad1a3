/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * routes.h - which routes of the interface sbr moves, and where (docs/config/sbr.md)
 */
#ifndef CPLUG_SBR_ROUTES_H
#define CPLUG_SBR_ROUTES_H

#include "cni/conf.h"
#include "cni/prev.h"
#include "netlink/route.h"

struct sbr {
	uint32_t table; /* 0: one for each address; else only rules are added */
	struct ip gw4, gw6;
	bool hints;
};

/* The table of an address of the attachment. */
struct sbr_table {
	uint32_t number;
	const struct link *link;
	const struct result_ip *ip;
	const struct route_list *main; /* the interface's routes in table main */
	struct route_list have;        /* in the table, before a repair */
};

void sbr_list_add(struct tx *tx, struct route_list *list, struct route r);

/* The interface's routes in table main.  One with more nexthops is not its own. */
int sbr_main_routes(struct tx *tx, struct call *c, const struct link *l,
		    struct route_list *ret) CHECKED;

/*
 * Does a route stay in table main?  Link-local addresses have no rule.  With source hints, routes
 * to the link do; IPv6 routes have no scope, there it is the hint itself.
 */
bool sbr_stays(const struct sbr *s, const struct route *r);

/* The route to the address's own subnet, from it. */
struct route sbr_connected(const struct link *l, struct cidr a, uint32_t table);

/* The gateway of the configuration, or else that of prevResult. */
struct ip sbr_gateway(const struct sbr *s, const struct result_ip *ip);

/* What the table has: what main had for the address's subnet, and a default route. */
struct route_list sbr_table_routes(struct tx *tx, const struct call *c, const struct sbr *s,
				   const struct sbr_table *t);

#endif
