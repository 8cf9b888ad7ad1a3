/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route.h - routes  (linux/rtnetlink.h)
 */
#ifndef CPLUG_ROUTE_H
#define CPLUG_ROUTE_H

#include "netlink/link.h"
#include "value/result.h"
#include "netlink/rt.h"

/*
 * Adds a route of a result through a link that is ours (it goes with the link: no
 * undo).  All fields are applied: dst, gw (none: on-link), mtu, advmss, priority,
 * table, scope.  Several routes to one destination are appended.
 */
int route_add(struct tx *tx, struct rt *rt, const struct link *l,
	      const struct result_route *route) CHECKED;

/* The same in place of whatever route there is to that destination, with that priority. */
int route_set(struct tx *tx, struct rt *rt, const struct link *l,
	      const struct result_route *route) CHECKED;

/*
 * The route to an address's own subnet, as the kernel makes it with the address; for when
 * somebody deleted it.  There already is fine; it goes with the address.
 */
int route_add_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

/* Takes it away again; gone is success. */
int route_del(struct tx *tx, struct rt *rt, const struct link *l,
	      const struct result_route *route) CHECKED;

/*
 * Is a route of a result there, on this link or (link NULL) any?  1, 0, or a recorded
 * failure.  A default route without gw is matched by any default route.
 */
int route_find(struct tx *tx, struct rt *rt, const struct link *l,
	       const struct result_route *route) CHECKED;

/*
 * For CHECK: the same, but a route that names no table may have gone to another one (sbr,
 * vrf): it is looked for in all.
 */
int route_check(struct tx *tx, struct rt *rt, const struct link *l,
		const struct result_route *route) CHECKED;

/* Is there a local route to ip through a link (route_local())?  1, 0, or a recorded failure. */
int route_local_find(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip) CHECKED;

/*
 * Through which link does the kernel route to ip?  *ret_index = 0 if it does not.
 */
int route_to(struct tx *tx, struct rt *rt, struct ip ip, int *ret_index) CHECKED;

/* The route itself, as it stands in the table.  dst.ip.family 0: nothing leads there. */
struct route_lookup {
	struct cidr dst;
	int index;    /* of the link; 0 = none */
	bool rejects; /* blackhole, unreachable, prohibit */
};
int route_lookup(struct tx *tx, struct rt *rt, struct ip ip, struct route_lookup *ret) CHECKED;

/*
 * Ensures, or takes away, a local route to ip through a link, behind the one that lo has
 * (metric 1024, table local).
 */
int route_local(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip, bool on) CHECKED;

/* The least MTU of the links of this namespace's default routes; 0 = there are none. */
int route_default_mtu(struct tx *tx, struct rt *rt, int *ret_mtu) CHECKED;

#endif
