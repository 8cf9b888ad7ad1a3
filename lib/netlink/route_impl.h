/* SPDX-License-Identifier: GPL-2.0-or-later */
/* route_impl.h - what the files of route.h share */
#ifndef CPLUG_ROUTE_IMPL_H
#define CPLUG_ROUTE_IMPL_H

#include <linux/rtnetlink.h>

#include "netlink/route.h"

/* rtm_table has eight bits; RTA_TABLE carries the others. */
enum { FIRST_BIG_TABLE = 256 };

static inline uint32_t route_table_of(const struct result_route *route)
{
	return route->table > 0 ? (uint32_t)route->table : RT_TABLE_MAIN;
}

/* Composes a request about a route, with all that struct route describes. */
void route_compose(struct rt_msg *m, int type, int flags, const struct route *r);

/*
 * Reads a message of the kernel; false if it is not a route.  rest borrows nothing: it stays
 * empty.  tb has the attributes, by RTA_*.
 */
bool route_read(const struct nlmsghdr *h, struct nlattr *tb[RTA_MAX + 1], struct route *ret);

/* The same with rest, in the arena, and the first nexthop as gw and link. */
bool route_read_whole(struct mem *mem, const struct nlmsghdr *h, struct route *ret);

/*
 * Calls each(route, arg) for every nexthop in a message of the kernel, with its gw and link;
 * most routes have one.
 */
void route_each_nexthop(const struct nlmsghdr *h, void (*each)(const struct route *r, void *arg),
			void *arg);

/*
 * Composes the question for all routes of a table (RT_TABLE_UNSPEC: of all tables), or for those in
 * it that use a link (ifindex; 0 = any).
 */
void route_ask_all(struct rt_msg *m, int family, uint32_t table, int link);

/* Composes the question which route leads to ip. */
struct rtmsg *route_ask_one(struct rt_msg *m, struct ip ip);

/* Asks which route leads to ip; each(message, arg) is not called if none does. */
int route_ask(struct tx *tx, struct rt *rt, struct ip ip, int flags, rt_each_fn *each,
	      void *arg) CHECKED;

#endif
