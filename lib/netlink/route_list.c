// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route_list.c - routes read whole: the list of those that match, and a table without any
 */
#include <sys/random.h>

#include "netlink/route_impl.h"
#include "netlink/rule.h"

/* ---- the list of routes ------------------------------------------------- */

struct listing {
	struct mem *mem;
	const struct route_filter *filter;
	int family;
	struct route_list *list;
	unsigned before; /* routes in the list when this dump began */
	bool matches;
};

/* Not in rest: what struct route has a field for, and what the kernel only reports. */
static bool is_described(int attr, struct nlattr *const *tb)
{
	switch (attr) {
	case RTA_DST:
	case RTA_TABLE:
	case RTA_PRIORITY:
	case RTA_PREFSRC:
	case RTA_GATEWAY:
	case RTA_OIF:
	case RTA_CACHEINFO:
		return true;
	case RTA_MULTIPATH: /* RTA_NH_ID names an object that has them */
		return tb[RTA_NH_ID] != NULL;
	default:
		return false;
	}
}

/* Metrics stay in rest only if there are others than the two that have fields. */
static bool has_other_metrics(struct nlattr *metrics)
{
	struct nlattr *a;
	int left;

	nla_for_each_nested (a, metrics, left)
		if (nla_type(a) != RTAX_MTU && nla_type(a) != RTAX_ADVMSS)
			return true;
	return false;
}

static bool is_kept(int attr, struct nlattr *const *tb)
{
	if (!tb[attr] || is_described(attr, tb))
		return false;
	return attr != RTA_METRICS || has_other_metrics(tb[attr]);
}

static void keep_rest(struct mem *mem, struct nlattr *const *tb, struct route *r)
{
	unsigned size = 0;
	char *rest;

	for (int i = 1; i <= RTA_MAX; i++)
		if (is_kept(i, tb))
			size += (unsigned)NLA_ALIGN(tb[i]->nla_len);
	if (!size)
		return;
	r->rest = rest = mem_alloc(mem, size);
	r->rest_size = size;
	for (int i = 1; i <= RTA_MAX; i++) {
		if (!is_kept(i, tb))
			continue;
		memcpy(rest, tb[i], tb[i]->nla_len);
		rest += NLA_ALIGN(tb[i]->nla_len);
	}
}

static void match_link(const struct route *hop, void *arg)
{
	struct listing *l = arg;

	l->matches |= !l->filter->link || l->filter->link == hop->link;
}

static void keep_first_hop(const struct route *hop, void *arg)
{
	struct route *r = arg;

	if (!r->link) {
		r->link = hop->link;
		r->gw = hop->gw;
	}
}

static void add_rest(struct mem *mem, const struct nlmsghdr *h, struct nlattr *const *tb,
		     struct route *r)
{
	if (r->multipath)
		route_each_nexthop(h, keep_first_hop, r);
	keep_rest(mem, tb, r);
}

bool route_read_whole(struct mem *mem, const struct nlmsghdr *h, struct route *ret)
{
	struct nlattr *tb[RTA_MAX + 1];

	if (!route_read(h, tb, ret))
		return false;
	add_rest(mem, h, tb, ret);
	return true;
}

static int list_route(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct listing *l = arg;
	struct route r;

	if (!h) {
		l->list->n = l->before;
		return 0;
	}
	if (!route_read(h, tb, &r) || r.dst.ip.family != l->family ||
	    (l->filter->table && r.table != l->filter->table))
		return 0;
	/* A kernel before 4.20 lists its cache, too. */
	if (((struct rtmsg *)nlmsg_data(h))->rtm_flags & RTM_F_CLONED)
		return 0;
	l->matches = false;
	route_each_nexthop(h, match_link, l);
	if (!l->matches)
		return 0;
	add_rest(l->mem, h, tb, &r);
	if (l->list->n == RT_LIST_MAX)
		return -E2BIG;
	l->list->r = mem_grow(l->mem, l->list->r, l->list->n, sizeof(r));
	l->list->r[l->list->n++] = r;
	return 0;
}

static int list_family(struct tx *tx, struct rt *rt, struct listing *l, int family)
{
	struct rt_msg m;
	int r;

	l->family = family;
	l->before = l->list->n;
	route_ask_all(&m, family, l->filter->table, l->filter->link);
	r = rt_ask(rt, &m, list_route, l);
	if (r == -ENOENT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* no such table; no IPv6 */
	if (r < 0)
		return rt_refused(tx, rt, r, "list routes");
	return 0;
}

int route_list(struct tx *tx, struct rt *rt, const struct route_filter *filter,
	       struct route_list *ret)
{
	struct route_list list = { .n = 0 };
	struct listing l = { .mem = &tx->mem, .filter = filter, .list = &list };

	if (filter->family != AF_INET6)
		TRY(list_family(tx, rt, &l, AF_INET));
	if (filter->family != AF_INET)
		TRY(list_family(tx, rt, &l, AF_INET6));
	*ret = list;
	return 0;
}

/* ---- a free table ------------------------------------------------------- */

enum { TRIES_IN_ORDER = 1024, ALL_TRIES = 2048 };

static bool is_named(const struct rule_list *rules, uint32_t table)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (rules->r[i].table == table)
			return true;
	return table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL;
}

uint32_t route_random_table(void)
{
	enum { FIRST = 1 << 16 };
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		return FIRST;
	return (n & INT32_MAX) | FIRST;
}

int route_free_table(struct tx *tx, struct rt *rt, uint32_t first, uint32_t *ret)
{
	struct rule_list rules;
	struct route_list routes;

	TRY(rule_list(tx, rt, AF_UNSPEC, &rules));
	for (uint32_t table = first ? first : 1, tries = 0; tries < ALL_TRIES; table++, tries++) {
		struct route_filter f = { .table = table };

		/* A container may use thousands in a row. */
		if (tries >= TRIES_IN_ORDER)
			table = f.table = route_random_table();
		if (is_named(&rules, table))
			continue;
		TRY(route_list(tx, rt, &f, &routes));
		if (routes.n)
			continue;
		*ret = table;
		return 0;
	}
	return tx_fail(tx, -ENOSPC, "%s: no free routing table was found from %u on", rt->where,
		       first);
}
