// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route.c - routes
 *
 * What can be asked by key is asked by key; the table is dumped only to find a
 * route of one link (filtered by the kernel), and to see the default routes, which
 * stand at its very beginning: a host may have a million others.
 */
#include <linux/rtnetlink.h>

#include "base/log.h"
#include "netlink/route.h"

enum { FIRST_BIG_TABLE = 256 };

static void put_metrics(struct rt_msg *m, const struct result_route *route)
{
	struct nlattr *nest;

	if (route->mtu <= 0 && route->advmss <= 0)
		return;
	nest = rt_nest(m, RTA_METRICS);
	if (route->mtu > 0)
		rt_put_u32(m, RTAX_MTU, (uint32_t)route->mtu);
	if (route->advmss > 0)
		rt_put_u32(m, RTAX_ADVMSS, (uint32_t)route->advmss);
	rt_nest_end(m, nest);
}

static uint32_t table_of(const struct result_route *route)
{
	return route->table > 0 ? (uint32_t)route->table : RT_TABLE_MAIN;
}

static void compose(struct rt_msg *m, int type, int flags, const struct link *l,
		    const struct result_route *route)
{
	struct rtmsg *h = rt_new(m, type, flags, sizeof(*h));
	uint32_t table = table_of(route);

	h->rtm_family = (uint8_t)route->dst.ip.family;
	h->rtm_dst_len = (uint8_t)route->dst.len;
	h->rtm_table = table < FIRST_BIG_TABLE ? (uint8_t)table : RT_TABLE_UNSPEC;
	h->rtm_protocol = RTPROT_BOOT;
	h->rtm_scope = route->scope >= 0 ? (uint8_t)route->scope : RT_SCOPE_UNIVERSE;
	h->rtm_type = RTN_UNICAST;
	if (route->dst.len)
		rt_put_ip(m, RTA_DST, cidr_network(route->dst));
	if (ip_set(route->gw) && !ip_is_any(route->gw))
		rt_put_ip(m, RTA_GATEWAY, route->gw);
	rt_put_u32(m, RTA_OIF, (uint32_t)l->index);
	if (table >= FIRST_BIG_TABLE)
		rt_put_u32(m, RTA_TABLE, table);
	if (route->priority > 0)
		rt_put_u32(m, RTA_PRIORITY, (uint32_t)route->priority);
	put_metrics(m, route);
}

static int put(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route,
	       int flags)
{
	struct rt_msg m;

	compose(&m, RTM_NEWROUTE, NLM_F_CREATE | flags, l, route);
	if (ip_set(route->gw))
		return rt_call(tx, rt, &m, "add route %s via %s on %s", CIDR_S(route->dst),
			       IP_S(route->gw), l->name);
	return rt_call(tx, rt, &m, "add route %s on %s", CIDR_S(route->dst), l->name);
}

int route_add(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	return put(tx, rt, l, route, NLM_F_APPEND);
}

int route_set(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	return put(tx, rt, l, route, NLM_F_REPLACE);
}

int route_add_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	enum { ADDRCONF_METRIC = 256 }; /* of the kernel's own for IPv6 */
	bool six = a.ip.family == AF_INET6;
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*h));
	int r;

	h->rtm_family = (uint8_t)a.ip.family;
	h->rtm_dst_len = (uint8_t)a.len;
	h->rtm_table = RT_TABLE_MAIN;
	h->rtm_protocol = RTPROT_KERNEL;
	h->rtm_scope = six ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
	h->rtm_type = RTN_UNICAST;
	rt_put_ip(&m, RTA_DST, cidr_network(a));
	rt_put_u32(&m, RTA_OIF, (uint32_t)l->index);
	if (six)
		rt_put_u32(&m, RTA_PRIORITY, ADDRCONF_METRIC);
	else
		rt_put_ip(&m, RTA_PREFSRC, a.ip);
	r = rt_try(rt, &m);
	return r < 0 && r != -EEXIST ? rt_refused(tx, rt, r, "add route %s on %s",
						  CIDR_S(cidr_masked(a)), l->name)
				     : 0;
}

int route_del(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	struct rt_msg m;
	int r;

	compose(&m, RTM_DELROUTE, 0, l, route);
	r = rt_try(rt, &m);
	if (r == -ESRCH || r == -ENODEV || r == -ENOENT)
		return 0;
	return r < 0 ? rt_refused(tx, rt, r, "delete route %s on %s", CIDR_S(route->dst), l->name)
		     : 0;
}

int route_local(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip, bool on)
{
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, on ? RTM_NEWROUTE : RTM_DELROUTE,
				 on ? NLM_F_CREATE | NLM_F_APPEND : 0, sizeof(*h));
	int r;

	h->rtm_family = (uint8_t)ip.family;
	h->rtm_dst_len = (uint8_t)ip_bits(ip);
	h->rtm_table = RT_TABLE_LOCAL;
	h->rtm_protocol = RTPROT_BOOT;
	h->rtm_scope = RT_SCOPE_HOST;
	h->rtm_type = RTN_LOCAL;
	rt_put_ip(&m, RTA_DST, ip);
	rt_put_u32(&m, RTA_OIF, (uint32_t)l->index);
	rt_put_u32(&m, RTA_PRIORITY, 1024);
	r = rt_try(rt, &m);
	if (r == -EEXIST || (!on && (r == -ESRCH || r == -ENODEV)))
		return 0;
	return r < 0 ? rt_refused(tx, rt, r, "%s local route %s on %s", on ? "add" : "delete",
				  IP_S(ip), l->name)
		     : 0;
}

/* ---- reading ------------------------------------------------------------ */

struct seen_route {
	struct cidr dst;
	struct ip gw;
	uint32_t table, oif, mtu, advmss, priority;
	uint8_t type, flags;
	const struct nlattr *paths; /* of a multipath route: its ways, which have gw and oif */
};

static bool get_ip(struct nlattr *a, int family, struct ip *ret)
{
	struct ip ip = { .family = family };

	if (!a || (unsigned)nla_len(a) != ip_bytes(ip))
		return false;
	memcpy(ip.b, nla_data(a), ip_bytes(ip));
	*ret = ip;
	return true;
}

static void read_metrics(struct nlattr *a, struct seen_route *s)
{
	struct nlattr *tb[RTAX_MAX + 1];

	if (!a || nla_parse_nested(tb, RTAX_MAX, a, NULL) < 0)
		return;
	s->mtu = tb[RTAX_MTU] ? nla_get_u32(tb[RTAX_MTU]) : 0;
	s->advmss = tb[RTAX_ADVMSS] ? nla_get_u32(tb[RTAX_ADVMSS]) : 0;
}

static bool read_route(const struct nlmsghdr *h, struct seen_route *s)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct rtmsg *r = nlmsg_data(m);
	struct nlattr *tb[RTA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(m, sizeof(*r), tb, RTA_MAX, NULL) < 0)
		return false;
	*s = (struct seen_route){
		.dst = { .ip.family = r->rtm_family, .len = r->rtm_dst_len },
		.table = tb[RTA_TABLE] ? nla_get_u32(tb[RTA_TABLE]) : r->rtm_table,
		.oif = tb[RTA_OIF] ? nla_get_u32(tb[RTA_OIF]) : 0,
		.priority = tb[RTA_PRIORITY] ? nla_get_u32(tb[RTA_PRIORITY]) : 0,
		.type = r->rtm_type,
		.paths = tb[RTA_MULTIPATH],
	};
	get_ip(tb[RTA_DST], r->rtm_family, &s->dst.ip);
	get_ip(tb[RTA_GATEWAY], r->rtm_family, &s->gw);
	read_metrics(tb[RTA_METRICS], s);
	return true;
}

/* Calls each(way, arg) for every way that a route message lists; most have one. */
static void each_nexthop(const struct nlmsghdr *h,
			 void (*each)(const struct seen_route *way, void *arg), void *arg)
{
	struct seen_route s;
	struct rtnexthop *hop;

	if (!read_route(h, &s))
		return;
	if (!s.paths) {
		each(&s, arg);
		return;
	}
	hop = nla_data(s.paths);
	for (int left = nla_len(s.paths); RTNH_OK(hop, left);) {
		int size = NLA_ALIGN((int)hop->rtnh_len);
		struct nlattr *attrs = (struct nlattr *)(hop + 1);

		s.oif = (uint32_t)hop->rtnh_ifindex;
		s.gw.family = 0;
		get_ip(nla_find(attrs, hop->rtnh_len - (int)sizeof(*hop), RTA_GATEWAY),
		       s.dst.ip.family, &s.gw);
		each(&s, arg);
		left -= size;
		hop = (struct rtnexthop *)((char *)hop + size);
	}
}

struct search {
	const struct result_route *want;
	int oif;
	uint8_t type;
	bool any_table;
	bool found;
};

static bool same_route(const struct search *s, const struct seen_route *have)
{
	const struct result_route *want = s->want;

	if (have->type != s->type || (!s->any_table && have->table != table_of(want)) ||
	    !cidr_eq(have->dst, cidr_masked(want->dst)) || (s->oif && (int)have->oif != s->oif))
		return false;
	if (ip_set(want->gw) && !ip_is_any(want->gw) && !ip_eq(want->gw, have->gw))
		return false;
	return (want->mtu <= 0 || want->mtu == have->mtu) &&
	       (want->advmss <= 0 || want->advmss == have->advmss) &&
	       (want->priority <= 0 || want->priority == have->priority);
}

static void match_nexthop(const struct seen_route *have, void *arg)
{
	struct search *s = arg;

	s->found |= same_route(s, have);
}

static int match_route(const struct nlmsghdr *h, void *arg)
{
	if (h)
		each_nexthop(h, match_nexthop, arg);
	return 0;
}

static int search(struct tx *tx, struct rt *rt, struct search *s)
{
	const struct result_route *route = s->want;
	uint32_t table = s->any_table ? RT_TABLE_UNSPEC : table_of(route);
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*h));
	int r;

	h->rtm_family = (uint8_t)route->dst.ip.family;
	h->rtm_table = table < FIRST_BIG_TABLE ? (uint8_t)table : RT_TABLE_UNSPEC;
	if (table >= FIRST_BIG_TABLE)
		rt_put_u32(&m, RTA_TABLE, table);
	if (s->oif)
		rt_put_u32(&m, RTA_OIF, (uint32_t)s->oif);
	r = rt_ask(rt, &m, match_route, s);
	if (r == -ENOENT) /* no such table */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "list routes");
	return s->found;
}

int route_find(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	struct search s = { .want = route, .oif = l ? l->index : 0, .type = RTN_UNICAST };

	return search(tx, rt, &s);
}

int route_check(struct tx *tx, struct rt *rt, const struct link *l,
		const struct result_route *route)
{
	struct search s = {
		.want = route,
		.oif = l ? l->index : 0,
		.type = RTN_UNICAST,
		.any_table = route->table <= 0,
	};

	return search(tx, rt, &s);
}

int route_local_find(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip)
{
	struct cidr dst = { ip, ip_bits(ip) };
	struct result_route route = result_route(dst, (struct ip){ .family = 0 });
	struct search s = { .want = &route, .oif = l->index, .type = RTN_LOCAL };

	route.table = RT_TABLE_LOCAL;
	return search(tx, rt, &s);
}

static int keep_route(const struct nlmsghdr *h, void *arg)
{
	if (h && !read_route(h, arg))
		return -EBADMSG;
	return 0;
}

/* Asks which route leads to ip; each(message, arg) is not called if none does. */
static int lookup(struct tx *tx, struct rt *rt, struct ip ip, int flags,
		  int (*each)(const struct nlmsghdr *h, void *arg), void *arg)
{
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_GETROUTE, 0, sizeof(*h));
	int r;

	h->rtm_family = (uint8_t)ip.family;
	h->rtm_dst_len = (uint8_t)ip_bits(ip);
	h->rtm_flags = (unsigned)flags;
	rt_put_ip(&m, RTA_DST, ip);
	r = rt_ask(rt, &m, each, arg);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENOENT || r == -EACCES ||
	    r == -EINVAL || r == -EAFNOSUPPORT)
		return 0;
	return r < 0 ? rt_refused(tx, rt, r, "look up the route to %s", IP_S(ip)) : 0;
}

int route_to(struct tx *tx, struct rt *rt, struct ip ip, int *ret_index)
{
	struct seen_route s = { .oif = 0 };

	TRY(lookup(tx, rt, ip, 0, keep_route, &s));
	*ret_index = s.type == RTN_UNICAST ? (int)s.oif : 0;
	return 0;
}

int route_lookup(struct tx *tx, struct rt *rt, struct ip ip, struct route_lookup *ret)
{
	struct seen_route s = { .oif = 0 };

	TRY(lookup(tx, rt, ip, RTM_F_FIB_MATCH, keep_route, &s));
	if (s.dst.ip.family && !ip_set(s.dst.ip))
		s.dst.ip.family = ip.family;
	*ret = (struct route_lookup){
		.dst = s.dst,
		.index = (int)s.oif,
		.rejects = s.type == RTN_BLACKHOLE || s.type == RTN_UNREACHABLE ||
			   s.type == RTN_PROHIBIT,
	};
	return 0;
}

/* ---- the default routes' MTU -------------------------------------------- */

enum { MAX_UPLINKS = 8 };

struct uplinks {
	int index[MAX_UPLINKS];
	unsigned n;
};

static void add_uplink(const struct seen_route *s, void *arg)
{
	struct uplinks *u = arg;

	if (s->dst.len || s->type != RTN_UNICAST)
		return;
	for (unsigned i = 0; i < u->n; i++)
		if (u->index[i] == (int)s->oif)
			return;
	if (s->oif && u->n < MAX_UPLINKS)
		u->index[u->n++] = (int)s->oif;
}

/* The kernel lists the table in order, default routes first. */
static int note_default(const struct nlmsghdr *h, void *arg)
{
	struct seen_route s;

	if (!h || !read_route(h, &s))
		return 0;
	if (s.dst.len)
		return 1;
	if (s.table == RT_TABLE_MAIN)
		each_nexthop(h, add_uplink, arg);
	return 0;
}

static int note_uplink(const struct nlmsghdr *h, void *arg)
{
	if (h)
		each_nexthop(h, add_uplink, arg);
	return 0;
}

static int default_uplinks(struct tx *tx, struct rt *rt, struct uplinks *u)
{
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*h));
	struct ip six;
	int r;

	h->rtm_family = AF_INET;
	h->rtm_table = RT_TABLE_MAIN;
	r = rt_peek(tx, rt, &m, note_default, u);
	if (r < 0 && r != -ENOENT)
		return rt_refused(tx, rt, r, "list the default routes");
	/* IPv6 lists its default routes last, so the one in force is asked for by key. */
	ip_parse("2000::", &six);
	return lookup(tx, rt, six, RTM_F_FIB_MATCH, note_uplink, u);
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
