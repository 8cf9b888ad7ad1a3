// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * routes.c - a route of the kernel for each block of this node
 */
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "ipam/cluster/helper/routes.h"
#include "netlink/addr.h"
#include "netlink/route.h"

void routes_put(struct mem *mem, struct routes_blocks *l, struct cidr c)
{
	l->c = mem_grow(mem, l->c, l->n, sizeof(*l->c));
	l->c[l->n++] = c;
}

static struct route_list routes_of(struct mem *mem, struct routes_blocks b)
{
	struct route_list list = { .n = 0 };

	list.r = mem_alloc(mem, (b.n + 1) * sizeof(*list.r));
	for (unsigned i = 0; i < b.n; i++)
		list.r[list.n++] = (struct route){
			.dst = b.c[i],
			.table = RT_TABLE_MAIN,
			.priority = ROUTES_METRIC,
			.type = RTN_UNREACHABLE,
			.scope = RT_SCOPE_UNIVERSE,
			.protocol = ROUTES_PROTOCOL,
		};
	return list;
}

/* ---- gateways of blocks that are gone ---- */

struct links {
	struct mem *mem;
	struct link *l;
	unsigned n;
};

static int collect(const struct link *l, void *arg)
{
	struct links *all = arg;

	if (!l) {
		all->n = 0;
		return 0;
	}
	all->l = mem_grow(all->mem, all->l, all->n, sizeof(*all->l));
	all->l[all->n++] = *l;
	return 0;
}

static struct cidr gateway_of(struct cidr block)
{
	block.ip = ip_add(block.ip, 1);
	return block;
}

/* ---- which routes are there ---- */

struct search {
	struct cidr c;
	bool found;
	int index; /* of the link that has an address there */
};

static int compare(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct search *s = arg;
	const struct rtmsg *r;
	struct nlattr *dst;

	if (!h || h->nlmsg_type != RTM_NEWROUTE)
		return 0;
	r = nlmsg_data(m);
	dst = nlmsg_find_attr(m, sizeof(*r), RTA_DST);
	/* An old kernel ignores the filter. */
	if (r->rtm_protocol == ROUTES_PROTOCOL && r->rtm_type == RTN_UNREACHABLE &&
	    r->rtm_family == s->c.ip.family && r->rtm_dst_len == s->c.len && dst &&
	    (unsigned)nla_len(dst) == ip_bits(s->c.ip) / 8 &&
	    memcmp(nla_data(dst), s->c.ip.b, (size_t)nla_len(dst)) == 0)
		s->found = true;
	return 0;
}

/* Has a block a route of ours?  1, 0, or a recorded failure. */
static int find_route(struct tx *tx, struct rt *rt, struct cidr block)
{
	struct search s = { .c = block };
	struct rt_msg m;
	struct rtmsg *r = rt_new(&m, RTM_GETROUTE, NLM_F_DUMP, sizeof(*r));
	int e;

	r->rtm_family = (uint8_t)block.ip.family;
	r->rtm_protocol = ROUTES_PROTOCOL;
	e = rt_ask(rt, &m, compare, &s);
	if (e < 0)
		return rt_refused(tx, rt, e, "list the routes of blocks");
	return s.found;
}

/*
 * Keeps the blocks that have a route of ours: only they were this node's.  What blocks.json says is
 * not enough to take an address from a link of the host, because dataDir may be a container's
 * folder.
 */
static int need_routes(struct tx *tx, struct rt *rt, struct routes_blocks *gone)
{
	unsigned n = 0;

	for (unsigned i = 0; i < gone->n; i++) {
		int there;

		TRY(there = find_route(tx, rt, gone->c[i]));
		if (there)
			gone->c[n++] = gone->c[i];
	}
	gone->n = n;
	return 0;
}

/*
 * A main plugin gave the block's first address to a link of the host, a bridge say.  With it the
 * kernel has a route to the block, which would hide that of the node which has the block next.
 */
static int drop_gateways(struct tx *tx, struct rt *rt, const struct routes_blocks *gone)
{
	struct links all = { .mem = &tx->mem };
	struct addr_list list;

	if (!gone->n)
		return 0;
	TRY(link_each(tx, rt, "", collect, &all));
	for (unsigned i = 0; i < all.n; i++) {
		TRY(addr_list(tx, rt, &all.l[i], AF_UNSPEC, &list));
		for (unsigned k = 0; k < gone->n; k++)
			if (addr_listed(&list, gateway_of(gone->c[k])))
				TRY(addr_del(tx, rt, &all.l[i], gateway_of(gone->c[k])));
	}
	return 0;
}

/* ---- addresses of the host ---- */

static int find_address(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct search *s = arg;
	struct nlattr *tb[IFA_MAX + 1], *a;
	const struct ifaddrmsg *i;
	struct ip ip;

	if (!h || h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(m, sizeof(*i), tb, IFA_MAX, NULL) < 0)
		return 0;
	i = nlmsg_data(m);
	a = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	ip = s->c.ip;
	if (!a || i->ifa_family != ip.family || (unsigned)nla_len(a) != ip_bits(ip) / 8)
		return 0;
	memcpy(ip.b, nla_data(a), (size_t)nla_len(a));
	if (s->found || !cidr_contains(s->c, ip))
		return 0;
	s->found = true;
	s->index = (int)i->ifa_index;
	return 0;
}

int routes_find_address(struct tx *tx, struct rt *rt, struct cidr block, int *ret_index)
{
	struct search s = { .c = block };
	struct rt_msg m;
	struct ifaddrmsg *i = rt_new(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(*i));
	int r;

	i->ifa_family = (uint8_t)block.ip.family;
	r = rt_ask(rt, &m, find_address, &s);
	if (r < 0)
		return rt_refused(tx, rt, r, "list addresses");
	*ret_index = s.index;
	return s.found;
}

int routes_has_address(struct tx *tx, struct cidr block)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	int index;

	TRY(rt_open(tx, &rt, "host", NULL));
	return routes_find_address(tx, &rt, block, &index);
}

int routes_is_foreign(struct tx *tx, struct cidr block)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	int index, there;

	TRY(rt_open(tx, &rt, "host", NULL));
	TRY(there = routes_find_address(tx, &rt, block, &index));
	if (!there)
		return 0;
	TRY(there = find_route(tx, &rt, block));
	return !there;
}

void routes_set(struct tx *tx, struct routes_blocks here, struct routes_blocks gone)
{
	struct route_list add = routes_of(&tx->mem, here), del;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	int before = tx->err, r = rt_open(tx, &rt, "host", NULL);

	if (r == 0)
		r = need_routes(tx, &rt, &gone);
	del = routes_of(&tx->mem, gone);
	if (r == 0)
		r = drop_gateways(tx, &rt, &gone);
	if (r == 0)
		r = route_drop(tx, &rt, &del);
	if (r == 0)
		r = route_add_all(tx, &rt, &add);
	tx_excuse(tx, before, r, "the node's blocks have no routes");
}
