// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route_read.c - reading routes: parse, look for one, look one up
 *
 * What can be asked by key is asked by key; the table is dumped only to list routes (filtered
 * by the kernel) and to find routes of one link.
 */
#include <stdlib.h>

#include "netlink/route_impl.h"

static bool get_ip(struct nlattr *a, int family, struct ip *ret)
{
	struct ip ip = { .family = family };

	if (!a || (unsigned)nla_len(a) != ip_bytes(ip))
		return false;
	memcpy(ip.b, nla_data(a), ip_bytes(ip));
	*ret = ip;
	return true;
}

/* Attributes that are shorter than their type count as absent. */
static uint32_t get_u32(struct nlattr *const *tb, int attr, uint32_t def)
{
	if (tb[attr] && nla_len(tb[attr]) >= 4)
		return nla_get_u32(tb[attr]);
	return def;
}

static void read_metrics(struct nlattr *a, struct route *r)
{
	struct nlattr *tb[RTAX_MAX + 1];

	if (!a || nla_parse_nested(tb, RTAX_MAX, a, NULL) < 0)
		return;
	r->mtu = get_u32(tb, RTAX_MTU, 0);
	r->advmss = get_u32(tb, RTAX_ADVMSS, 0);
}

bool route_read(const struct nlmsghdr *h, struct nlattr *tb[RTA_MAX + 1], struct route *ret)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct rtmsg *r = nlmsg_data(m);

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(m, sizeof(*r), tb, RTA_MAX, NULL) < 0)
		return false;
	*ret = (struct route){
		.dst = { .ip.family = r->rtm_family, .len = r->rtm_dst_len },
		.table = get_u32(tb, RTA_TABLE, r->rtm_table),
		.link = (int)get_u32(tb, RTA_OIF, 0),
		.priority = get_u32(tb, RTA_PRIORITY, 0),
		.type = r->rtm_type,
		.scope = r->rtm_scope,
		.protocol = r->rtm_protocol,
		.tos = r->rtm_tos,
		.onlink = r->rtm_flags & RTNH_F_ONLINK,
		.multipath = tb[RTA_MULTIPATH] || tb[RTA_NH_ID],
	};
	get_ip(tb[RTA_DST], r->rtm_family, &ret->dst.ip);
	get_ip(tb[RTA_GATEWAY], r->rtm_family, &ret->gw);
	get_ip(tb[RTA_PREFSRC], r->rtm_family, &ret->src);
	read_metrics(tb[RTA_METRICS], ret);
	return true;
}

void route_each_nexthop(const struct nlmsghdr *h, void (*each)(const struct route *r, void *arg),
			void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct rtnexthop *hop;
	struct route r;

	if (!route_read(h, tb, &r))
		return;
	if (!tb[RTA_MULTIPATH]) {
		each(&r, arg);
		return;
	}
	hop = nla_data(tb[RTA_MULTIPATH]);
	for (int left = nla_len(tb[RTA_MULTIPATH]); RTNH_OK(hop, left);) {
		int size = NLA_ALIGN((int)hop->rtnh_len);
		struct nlattr *attrs = (struct nlattr *)(hop + 1);

		r.link = hop->rtnh_ifindex;
		r.gw.family = 0;
		get_ip(nla_find(attrs, hop->rtnh_len - (int)sizeof(*hop), RTA_GATEWAY),
		       r.dst.ip.family, &r.gw);
		each(&r, arg);
		left -= size;
		hop = (struct rtnexthop *)((char *)hop + size);
	}
}

void route_ask_all(struct rt_msg *m, int family, uint32_t table, int link)
{
	struct rtmsg *h = rt_new(m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*h));

	h->rtm_family = (uint8_t)family;
	h->rtm_table = table < FIRST_BIG_TABLE ? (uint8_t)table : RT_TABLE_UNSPEC;
	if (table >= FIRST_BIG_TABLE)
		rt_put_u32(m, RTA_TABLE, table);
	if (link)
		rt_put_u32(m, RTA_OIF, (uint32_t)link);
}

/* ---- is a route there? -------------------------------------------------- */

struct search {
	const struct result_route *want;
	int oif;
	uint8_t type;
	bool any_table;
	bool found;
	bool *answer; /* route_find_all() */
};

static bool same_route(const struct search *s, const struct route *have)
{
	const struct result_route *want = s->want;

	if (have->type != s->type || (!s->any_table && have->table != route_table_of(want)) ||
	    !cidr_eq(have->dst, cidr_masked(want->dst)) || (s->oif && have->link != s->oif))
		return false;
	if (ip_set(want->gw) && !ip_is_any(want->gw) && !ip_eq(want->gw, have->gw))
		return false;
	return (want->mtu <= 0 || want->mtu == have->mtu) &&
	       (want->advmss <= 0 || want->advmss == have->advmss) &&
	       (want->priority <= 0 || want->priority == have->priority);
}

static void match_nexthop(const struct route *have, void *arg)
{
	struct search *s = arg;

	s->found |= same_route(s, have);
}

static int match_route(const struct nlmsghdr *h, void *arg)
{
	if (h)
		route_each_nexthop(h, match_nexthop, arg);
	return 0;
}

static int search(struct tx *tx, struct rt *rt, struct search *s)
{
	const struct result_route *route = s->want;
	uint32_t table = s->any_table ? RT_TABLE_UNSPEC : route_table_of(route);
	struct rt_msg m;
	int r;

	route_ask_all(&m, route->dst.ip.family, table, s->oif);
	r = rt_ask(rt, &m, match_route, s);
	if (r == -ENOENT) /* no such table */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "list routes");
	return s->found;
}

int route_local_find(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip)
{
	struct cidr dst = { ip, ip_bits(ip) };
	struct result_route route = result_route(dst, (struct ip){ .family = 0 });
	struct search s = { .want = &route, .oif = l->index, .type = RTN_LOCAL };

	route.table = RT_TABLE_LOCAL;
	return search(tx, rt, &s);
}

/* ---- which of many routes are there? -------------------------------------- */

/* The questions of one family, sorted by destination. */
struct searches {
	struct search *v;
	unsigned n;
};

static int by_dst(const void *a, const void *b)
{
	struct cidr x = cidr_masked(((const struct search *)a)->want->dst);
	struct cidr y = cidr_masked(((const struct search *)b)->want->dst);

	if (x.len != y.len)
		return x.len < y.len ? -1 : 1;
	return ip_cmp(x.ip, y.ip);
}

/* The first question whose destination is not before that of key. */
static unsigned first_of(const struct searches *all, const struct search *key)
{
	unsigned low = 0, high = all->n;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (by_dst(&all->v[middle], key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void match_searches(const struct route *have, void *arg)
{
	struct result_route route = result_route(have->dst, (struct ip){ .family = 0 });
	const struct search key = { .want = &route };
	struct searches *all = arg;

	for (unsigned i = first_of(all, &key); i < all->n && by_dst(&all->v[i], &key) == 0; i++)
		match_nexthop(have, &all->v[i]);
}

static int match_route_of_many(const struct nlmsghdr *h, void *arg)
{
	if (h)
		route_each_nexthop(h, match_searches, arg);
	return 0;
}

/* The link that all questions name; 0: they do not. */
static int common_link(const struct searches *all)
{
	for (unsigned i = 1; i < all->n; i++)
		if (all->v[i].oif != all->v[0].oif)
			return 0;
	return all->v[0].oif;
}

static int find_family(struct tx *tx, struct rt *rt, struct route_question *q, unsigned n,
		       int family)
{
	struct searches all = { .v = mem_alloc(&tx->mem, (n + 1) * sizeof(*all.v)) };
	struct rt_msg m;
	int r;

	for (unsigned i = 0; i < n; i++)
		if (q[i].want.dst.ip.family == family)
			all.v[all.n++] = (struct search){
				.want = &q[i].want,
				.oif = q[i].link ? q[i].link->index : 0,
				.type = RTN_UNICAST,
				.any_table = q[i].want.table <= 0,
				.answer = &q[i].found,
			};
	if (!all.n)
		return 0;
	qsort(all.v, all.n, sizeof(*all.v), by_dst);
	route_ask_all(&m, family, RT_TABLE_UNSPEC, common_link(&all));
	r = rt_ask(rt, &m, match_route_of_many, &all);
	if (r < 0)
		return rt_refused(tx, rt, r, "list routes");
	for (unsigned i = 0; i < all.n; i++)
		*all.v[i].answer = all.v[i].found;
	return 0;
}

int route_find_all(struct tx *tx, struct rt *rt, struct route_question *q, unsigned n)
{
	TRY(find_family(tx, rt, q, n, AF_INET));
	return find_family(tx, rt, q, n, AF_INET6);
}

/* ---- lookups ------------------------------------------------------------ */

static int keep_route(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];

	if (h && !route_read(h, tb, arg))
		return -EBADMSG;
	return 0;
}

struct rtmsg *route_ask_one(struct rt_msg *m, struct ip ip)
{
	struct rtmsg *h = rt_new(m, RTM_GETROUTE, 0, sizeof(*h));

	h->rtm_family = (uint8_t)ip.family;
	h->rtm_dst_len = (uint8_t)ip_bits(ip);
	rt_put_ip(m, RTA_DST, ip);
	return h;
}

int route_ask(struct tx *tx, struct rt *rt, struct ip ip, int flags, rt_each_fn *each, void *arg)
{
	struct rt_msg m;
	int r;

	route_ask_one(&m, ip)->rtm_flags = (unsigned)flags;
	r = rt_ask(rt, &m, each, arg);
	if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -ENOENT || r == -EACCES ||
	    r == -EINVAL || r == -EAFNOSUPPORT)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "look up the route to %s", IP_S(ip));
	return 0;
}

int route_to(struct tx *tx, struct rt *rt, struct ip ip, int *ret_index)
{
	struct route r = { .link = 0 };

	TRY(route_ask(tx, rt, ip, 0, keep_route, &r));
	*ret_index = r.type == RTN_UNICAST ? r.link : 0;
	return 0;
}

int route_lookup(struct tx *tx, struct rt *rt, struct ip ip, struct route_lookup *ret)
{
	struct route r = { .link = 0 };

	TRY(route_ask(tx, rt, ip, RTM_F_FIB_MATCH, keep_route, &r));
	if (r.dst.ip.family && !ip_set(r.dst.ip))
		r.dst.ip.family = ip.family;
	*ret = (struct route_lookup){
		.dst = r.dst,
		.table = r.table,
		.priority = r.priority,
		.index = r.link,
		.rejects = r.type == RTN_BLACKHOLE || r.type == RTN_UNREACHABLE ||
			   r.type == RTN_PROHIBIT,
		.local = r.type == RTN_LOCAL,
		.broadcast = r.type == RTN_BROADCAST,
		.onlink = !r.gw.family && !r.multipath,
	};
	return 0;
}
