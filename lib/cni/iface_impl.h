/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iface_impl.h - shared by the files of the iface module
 *
 * iface.c has the link, its sysctls and addresses; iface_routes.c the routes.
 */
#ifndef CPLUG_IFACE_IMPL_H
#define CPLUG_IFACE_IMPL_H

#include "cni/iface.h"
#include "netlink/route.h"

/* Is an address of the result the interface's? */
bool iface_belongs(const struct result *r, const struct result_ip *ip, const char *ifname);

/* What one repair adds to a link that exists: one undo record for all addresses and routes. */
struct iface_additions {
	struct rt *rt;
	struct link l;
	struct cidr *addrs;
	struct result_route *routes;
	unsigned n_addrs, n_routes;
};

/* The routes of a result through the link: as ADD makes them.  routed: struct iface_options. */
int iface_add_routes(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		     bool routed) CHECKED;

/*
 * The routes of struct iface_options, routed: for each address one to its gateway, and one to its
 * subnet.  In the arena.
 */
struct route_list iface_routed(struct tx *tx, const struct link *l, const struct result *r);

/* For a repair: adds what is missing; the routes of the result are noted in a for the undo. */
int iface_ensure_connected(struct tx *tx, struct call *c, const struct result *r,
			   const struct link *l) CHECKED;
int iface_ensure_routed(struct tx *tx, struct call *c, const struct result *r,
			const struct link *l) CHECKED;
int iface_ensure_routes(struct tx *tx, struct call *c, const struct result *r,
			struct iface_additions *a, bool routed) CHECKED;

/* For CHECK: notes the routes of c->prev that are missing. */
int iface_check_routes(struct tx *tx, struct call *c, const struct link *l, bool routed) CHECKED;

#endif
