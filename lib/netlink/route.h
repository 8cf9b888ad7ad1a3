/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * route.h - routes  (linux/rtnetlink.h, rtnetlink(7))
 *
 * struct result_route is a route as CNI describes it; struct route is a route as the kernel
 * stores it.  Writing is in route.c, reading in route_read.c, route_list.c and route_default.c.
 */
#ifndef CPLUG_ROUTE_H
#define CPLUG_ROUTE_H

#include "netlink/link.h"
#include "value/result.h"
#include "netlink/rt.h"

/* ---- routes of a result ------------------------------------------------- */

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
 * Does the kernel make a route to the subnet with the address?  It does not for a single address,
 * nor in 0/8, such as 0.0.0.0/0 (fib_add_ifaddr()).
 */
bool route_comes_with(struct cidr a);

/*
 * The route to an address's own subnet, as the kernel makes it with the address: for a
 * repair, if it was deleted.  It goes with the address.  Returns 1 if this call added it, 0 if it
 * was there, or a recorded failure.
 */
int route_add_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;
/* Deletes it; gone is success.  No undo: it is one. */
int route_del_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

/* Does the error of an addition say that no route leads to the gateway? */
static inline bool route_is_unreachable(int err)
{
	return err == -ENETUNREACH || err == -EHOSTUNREACH;
}

/* Takes it away again; gone is success. */
int route_del(struct tx *tx, struct rt *rt, const struct link *l,
	      const struct result_route *route) CHECKED;

/*
 * Which of n routes of a result are there?  A default route without gw is matched by any default
 * route.  A route that names no table may have gone to another one (sbr, vrf): it is looked for in
 * all.  One dump for each family, and memory only for the questions, because the container chooses
 * how many routes there are.
 */
struct route_question {
	const struct link *link; /* NULL: any */
	struct result_route want;
	bool found; /* the answer */
};
int route_find_all(struct tx *tx, struct rt *rt, struct route_question *q, unsigned n) CHECKED;

/* ---- routes as the kernel stores them ----------------------------------- */

/* RT_TABLE_*, RTN_*, RT_SCOPE_*, RTPROT_* are in linux/rtnetlink.h.  0 = unset. */
struct route {
	struct cidr dst;
	struct ip gw, src;                     /* src: the preferred source address */
	int link;                              /* ifindex */
	uint32_t table, priority, mtu, advmss; /* mtu and advmss in bytes */
	uint8_t type, scope, protocol, tos;
	bool onlink; /* gw is on the link although no route says so (RTNH_F_ONLINK) */
	/*
	 * The attributes that the fields above do not describe, as the kernel sent them: other
	 * metrics, encapsulation, and (multipath) the nexthops, of which gw and link are the
	 * first.  A copy of a route keeps them.  An expiry is not kept.
	 */
	bool multipath;
	unsigned rest_size;
	const void *rest; /* in the arena */
};

struct route_list {
	struct route *r;
	unsigned n;
};

/* The unicast route through a link (NULL: none) that route_add() makes of a result's. */
struct route route_of(const struct link *l, const struct result_route *route);

/* Text for messages: "10.0.0.0/8 via 10.1.1.1", and " in table 100" unless it is main. */
struct route_text {
	char s[144];
};
struct route_text route_text(const struct route *r);
#define ROUTE_S(r) (route_text(r).s)

/* Which routes: 0 = any. */
struct route_filter {
	int family; /* AF_INET, AF_INET6 */
	uint32_t table;
	int link; /* ifindex; a multipath route matches if one of its nexthops does */
};

/* The routes that match, in the kernel's order, in the arena.  No such table: none. */
int route_list(struct tx *tx, struct rt *rt, const struct route_filter *filter,
	       struct route_list *ret) CHECKED;

/* Adds one through a link that is ours (no undo), after those to the same destination. */
int route_put(struct tx *tx, struct rt *rt, const struct route *r) CHECKED;

/*
 * Adds all routes of a list, those without gw first, because a gateway has to be reachable.
 * A route that exists already stays.  Undo: deletes those that were added.
 */
int route_add_all(struct tx *tx, struct rt *rt, const struct route_list *list) CHECKED;

/*
 * Deletes all routes of a list, as route_list() has read them; gone is success.  Undo: puts
 * back those that were deleted, each after others to the same destination.
 */
int route_del_all(struct tx *tx, struct rt *rt, const struct route_list *list) CHECKED;

/*
 * Registers as undo that the routes of a list are there again: for a caller whose next step
 * makes the kernel drop them (setting a link down, or its master to a VRF).
 */
int route_keep_all(struct tx *tx, struct rt *rt, const struct route_list *list) CHECKED;

/*
 * The first number, from first (at least 1) on, of a table that no policy rule names and that
 * has no routes, IPv4 or IPv6; never 253 to 255, which are the system's.  Where 1024 tables in a
 * row are taken, a random one.  Nothing reserves it: the caller holds a lock until a rule names it.
 */
uint32_t route_random_table(void); /* a number from 2^16 on; it may be taken */
int route_free_table(struct tx *tx, struct rt *rt, uint32_t first, uint32_t *ret) CHECKED;

/* ---- routes of a device, to be added again: route_saved.c ---- */

/*
 * The routes through a link that are not the kernel's alone: of all tables except local, without
 * those of router advertisements.  Those that the kernel made with an address are among them,
 * because a network manager makes the same ones.
 */
int route_list_own(struct tx *tx, struct rt *rt, const struct link *l,
		   struct route_list *ret) CHECKED;

/*
 * Adds all routes of a list through l, those without gw first; one that exists is fine.  Continues
 * after failures.  No undo.
 */
int route_restore(struct tx *tx, struct rt *rt, const struct link *l,
		  const struct route_list *list) CHECKED;

/*
 * Deletes all routes of a list, as they were added, those with gw first; gone is success. Continues
 * after failures.  No undo: for DEL and GC.
 */
int route_drop(struct tx *tx, struct rt *rt, const struct route_list *list) CHECKED;

/* A route as text (base64), and added to a list from a text; false if it is none. */
const char *route_encode(struct mem *mem, const struct route *r);
bool route_decode(struct mem *mem, const char *text, struct route_list *list);

/* ---- local routes, lookups, the default routes -------------------------- */

/* Is there a local route to ip through a link (route_local())?  1, 0, or a recorded failure. */
int route_local_find(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip) CHECKED;

/*
 * Through which link does the kernel route to ip?  *ret_index = 0 if it does not.
 */
int route_to(struct tx *tx, struct rt *rt, struct ip ip, int *ret_index) CHECKED;

/* The route itself, as it stands in the table.  dst.ip.family 0: nothing leads there. */
struct route_lookup {
	struct cidr dst;
	uint32_t table, priority;
	int index;              /* of the link; 0 = none */
	bool rejects;           /* blackhole, unreachable, prohibit */
	bool local;             /* an address of this host */
	bool broadcast, onlink; /* onlink: it has no gateway */
};
int route_lookup(struct tx *tx, struct rt *rt, struct ip ip, struct route_lookup *ret) CHECKED;

/*
 * Ensures, or takes away, a local route to ip through a link, behind the one that lo has
 * (metric 1024, table local).
 */
int route_local(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip, bool on) CHECKED;

/*
 * The link of the first default route, IPv4 before IPv6, in table main.  Returns 1 and fills
 * *ret, 0 if there is none, or a recorded failure.
 */
int route_default_link(struct tx *tx, struct rt *rt, struct link *ret) CHECKED;

/*
 * Has a default route this link, in whatever table, because policy rules may use it?  1, 0, or a
 * recorded failure.  Reads the routes of the link.
 */
int route_is_uplink(struct tx *tx, struct rt *rt, int index) CHECKED;

/* The least MTU of the links of this namespace's default routes; 0 = there are none. */
int route_default_mtu(struct tx *tx, struct rt *rt, int *ret_mtu) CHECKED;

#endif
