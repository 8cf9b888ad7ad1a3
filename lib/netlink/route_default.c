// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route_default.c - the default routes, their links, and the MTU of those
 *
 * A host may have a million routes.  The kernel lists those of IPv4 in order, default routes
 * first, so the dump ends with the first other route.  IPv6 lists its default routes last, so
 * the one in force is looked up by key.
 */
#include "netlink/route_impl.h"

enum { MAX_UPLINKS = 8 };

struct uplinks {
	int index[MAX_UPLINKS];
	unsigned n;
};

static void add_uplink(const struct route *r, void *arg)
{
	struct uplinks *u = arg;

	if (r->dst.len || r->type != RTN_UNICAST)
		return;
	for (unsigned i = 0; i < u->n; i++)
		if (u->index[i] == r->link)
			return;
	if (r->link && u->n < MAX_UPLINKS)
		u->index[u->n++] = r->link;
}

static int note_default(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct route r;

	if (!h || !route_read(h, tb, &r))
		return 0;
	if (r.dst.len)
		return 1;
	if (r.table == RT_TABLE_MAIN)
		route_each_nexthop(h, add_uplink, arg);
	return 0;
}

static int note_uplink(const struct nlmsghdr *h, void *arg)
{
	if (h)
		route_each_nexthop(h, add_uplink, arg);
	return 0;
}

static int default_uplinks(struct tx *tx, struct rt *rt, struct uplinks *u)
{
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*h));
	struct ip six;

	h->rtm_family = AF_INET;
	h->rtm_table = RT_TABLE_MAIN;
	TRY(rt_peek(tx, rt, &m, note_default, u, "list the default routes"));
	ip_parse("2000::", &six);
	return route_ask(tx, rt, six, RTM_F_FIB_MATCH, note_uplink, u);
}

int route_default_link(struct tx *tx, struct rt *rt, struct link *ret)
{
	struct uplinks u = { .n = 0 };
	int there = 0;

	TRY(default_uplinks(tx, rt, &u));
	for (unsigned i = 0; i < u.n && !there; i++)
		TRY(there = link_find_index(tx, rt, u.index[i], ret));
	return there;
}

struct uplink {
	int index;
	bool found;
};

static void match_uplink(const struct route *r, void *arg)
{
	struct uplink *u = arg;

	u->found |= !r->dst.len && r->type == RTN_UNICAST && r->link == u->index;
}

static int find_uplink(const struct nlmsghdr *h, void *arg)
{
	struct uplink *u = arg;

	if (!h)
		u->found = false;
	else
		route_each_nexthop(h, match_uplink, arg);
	return u->found;
}

int route_is_uplink(struct tx *tx, struct rt *rt, int index)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct uplink u = { .index = index };

	for (unsigned i = 0; i < ARRAY_LEN(families) && !u.found; i++) {
		struct rt_msg m;

		route_ask_all(&m, families[i], RT_TABLE_UNSPEC, index);
		TRY(rt_peek(tx, rt, &m, find_uplink, &u, "list the default routes"));
	}
	return u.found;
}

int route_default_mtu(struct tx *tx, struct rt *rt, int *ret_mtu)
{
	struct uplinks u = { .n = 0 };
	int least = 0;

	TRY(default_uplinks(tx, rt, &u));
	for (unsigned i = 0; i < u.n; i++) {
		struct link l;
		int there;

		TRY(there = link_find_index(tx, rt, u.index[i], &l));
		if (there && l.mtu > 0 && (!least || l.mtu < least))
			least = l.mtu;
	}
	*ret_mtu = least;
	return 0;
}
