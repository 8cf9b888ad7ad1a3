// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * addr.c - addresses of links
 */
#include <linux/rtnetlink.h>

#include "base/log.h"
#include "netlink/addr_impl.h"

static void compose(struct rt_msg *m, int type, int flags, const struct link *l, struct cidr a)
{
	struct ifaddrmsg *h = rt_new(m, type, flags, sizeof(*h));

	h->ifa_family = (uint8_t)a.ip.family;
	h->ifa_prefixlen = (uint8_t)a.len;
	h->ifa_index = (unsigned)l->index;
	h->ifa_scope = ip_is_loopback(a.ip) ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	rt_put_ip(m, IFA_LOCAL, a.ip);
	rt_put_ip(m, IFA_ADDRESS, a.ip);
}

static void compose_new(struct rt_msg *m, const struct link *l, struct cidr a, unsigned flags)
{
	uint32_t ifa_flags = 0;

	compose(m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, l, a);
	if (a.ip.family == AF_INET && a.len < 31 && !ip_is_loopback(a.ip))
		rt_put_ip(m, IFA_BROADCAST, cidr_last(a));
	if (a.ip.family == AF_INET6 && !(flags & ADDR_DAD))
		ifa_flags |= IFA_F_NODAD;
	if (flags & ADDR_NO_PREFIX_ROUTE)
		ifa_flags |= IFA_F_NOPREFIXROUTE;
	if (ifa_flags)
		rt_put_u32(m, IFA_FLAGS, ifa_flags);
}

int addr_add(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a, unsigned flags)
{
	struct rt_msg m;

	compose_new(&m, l, a, flags);
	return rt_call(tx, rt, &m, "add address %s to %s", CIDR_S(a), l->name);
}

int addr_add_missing(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
		     unsigned flags)
{
	struct rt_msg m;
	int r;

	compose_new(&m, l, a, flags);
	r = rt_try(rt, &m);
	if (r == -EEXIST)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "add address %s to %s", CIDR_S(a), l->name);
	log_step("%s: add address %s to %s", rt->where, CIDR_S(a), l->name);
	return 1;
}

int addr_ensure(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a, unsigned flags)
{
	TRY(addr_add_missing(tx, rt, l, a, flags));
	return 0;
}

int addr_set_lifetimes(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
		       uint32_t preferred, uint32_t valid)
{
	/* The kernel takes these flags from the request, and keeps the others. */
	static const uint32_t given = IFA_F_NODAD | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE;
	const struct ifa_cacheinfo times = { .ifa_prefered = preferred, .ifa_valid = valid };
	struct addr_list have = { .n = 0 };
	struct rt_msg m;
	unsigned i = 0;

	TRY(addr_list(tx, rt, l, AF_INET6, &have));
	while (i < have.n && !cidr_eq(have.a[i], a))
		i++;
	if (i == have.n || have.flags[i] & IFA_F_TENTATIVE)
		return 0;
	compose(&m, RTM_NEWADDR, NLM_F_REPLACE, l, a);
	/*
	 * Without the route to the prefix, which a host address does not need: kernels up to 6.18
	 * give it a wrong time of expiry, and remove it before the address (modify_prefix_route()).
	 */
	rt_put_u32(&m, IFA_FLAGS, (have.flags[i] & given) | IFA_F_NOPREFIXROUTE);
	rt_put(&m, IFA_CACHEINFO, &times, sizeof(times));
	return rt_call(tx, rt, &m, "set the lifetimes of address %s of %s", CIDR_S(a), l->name);
}

struct undo_addr {
	struct rt *rt;
	struct cidr a;
	int index;
	char name[IFNAMSIZ];
};

static struct undo_addr undo_of(struct rt *rt, const struct link *l, struct cidr a)
{
	struct undo_addr u = { .rt = rt, .a = a, .index = l->index };

	memcpy(u.name, l->name, sizeof(u.name));
	return u;
}

static struct link link_of(const struct undo_addr *u)
{
	struct link l = { .index = u->index };

	memcpy(l.name, u->name, sizeof(l.name));
	return l;
}

static int undo_add(struct tx *tx, void *arg)
{
	struct undo_addr *u = arg;
	struct link l = link_of(u);

	return addr_del(tx, u->rt, &l, u->a);
}

int addr_ensure_undoable(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	struct undo_addr u = undo_of(rt, l, a);
	int added;

	TRY(added = addr_add_missing(tx, rt, l, a, 0));
	if (!added)
		return 0;
	return tx_undo(tx, undo_add, "add address", &u);
}

/* ---- deleting ----------------------------------------------------------- */

bool addr_read(const struct nlmsghdr *h, struct nlattr *tb[ADDR_ATTR_LAST + 1], struct cidr *ret)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct ifaddrmsg *a = nlmsg_data(m);
	struct nlattr *ip;

	if (h->nlmsg_type != RTM_NEWADDR ||
	    nlmsg_parse(m, sizeof(*a), tb, ADDR_ATTR_LAST, NULL) < 0)
		return false;
	ip = tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS];
	*ret = (struct cidr){ .ip.family = a->ifa_family, .len = a->ifa_prefixlen };
	if (!ip || (unsigned)nla_len(ip) != ip_bytes(ret->ip))
		return false;
	memcpy(ret->ip.b, nla_data(ip), ip_bytes(ret->ip));
	return true;
}

struct undo_del {
	struct rt *rt;
	struct mem *mem;
	struct cidr a;
	int index;
	const struct nlmsghdr *was; /* the kernel's message; NULL: the address is not there */
};

static int keep_message(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[ADDR_ATTR_LAST + 1];
	struct undo_del *u = arg;
	struct cidr found;

	if (!h)
		u->was = NULL;
	else if (addr_read(h, tb, &found) && cidr_eq(found, u->a) &&
		 (int)((const struct ifaddrmsg *)nlmsg_data(h))->ifa_index == u->index)
		u->was = mem_dup(u->mem, h, h->nlmsg_len);
	return 0;
}

int addr_put_back_try(struct rt *rt, int index, const struct nlmsghdr *h, bool at_once)
{
	struct nlmsghdr *was = (struct nlmsghdr *)(uintptr_t)h;
	struct ifaddrmsg *old = nlmsg_data(was), *new;
	uint32_t more = at_once && old->ifa_family == AF_INET6 ? IFA_F_NODAD : 0;
	struct rt_msg m;
	struct nlattr *at;
	int left, r;

	new = rt_new(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*new));
	*new = *old;
	new->ifa_index = (unsigned)index;
	nlmsg_for_each_attr(at, was, sizeof(*old), left)
	{
		if (nla_type(at) == IFA_FLAGS && nla_len(at) >= 4)
			rt_put_u32(&m, IFA_FLAGS, nla_get_u32(at) | more);
		else
			rt_put(&m, nla_type(at), nla_data(at), (size_t)nla_len(at));
	}
	r = rt_try(rt, &m);
	return r == -EEXIST || r == -ENODEV ? 0 : r;
}

static int undo_del(struct tx *tx, void *arg)
{
	const struct undo_del *u = arg;
	/* It was there, so it is no duplicate: usable at once. */
	int r = addr_put_back_try(u->rt, u->index, u->was, true);

	if (r < 0)
		return rt_refused(tx, u->rt, r, "put address %s back", CIDR_S(u->a));
	return 0;
}

static int find_message(struct tx *tx, struct rt *rt, const struct link *l, struct undo_del *u)
{
	struct rt_msg m;
	struct ifaddrmsg *h = rt_new(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(*h));
	int r;

	h->ifa_family = (uint8_t)u->a.ip.family;
	h->ifa_index = (unsigned)l->index;
	r = rt_ask(rt, &m, keep_message, u);
	if (r < 0)
		return rt_refused(tx, rt, r, "list addresses of %s", l->name);
	return 0;
}

int addr_del(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	struct undo_del u = { .rt = rt, .mem = &tx->mem, .a = a, .index = l->index };
	struct rt_msg m;
	int r;

	if (!tx->unwinding) {
		TRY(find_message(tx, rt, l, &u));
		if (!u.was)
			return 0;
	}
	compose(&m, RTM_DELADDR, 0, l, a);
	r = rt_try(rt, &m);
	if (r == -EADDRNOTAVAIL || r == -ENODEV)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "delete address %s of %s", CIDR_S(a), l->name);
	log_step("%s: delete address %s of %s", rt->where, CIDR_S(a), l->name);
	return tx_undo(tx, undo_del, "delete address", &u);
}

struct collect {
	struct mem *mem;
	struct addr_list *list;
	int index;
};

static int keep_addr(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[ADDR_ATTR_LAST + 1];
	const struct ifaddrmsg *a;
	struct collect *c = arg;
	struct cidr found;

	if (!h) {
		*c->list = (struct addr_list){ .n = 0 };
		return 0;
	}
	a = nlmsg_data(h);
	if ((int)a->ifa_index != c->index || !addr_read(h, tb, &found))
		return 0;
	if (c->list->n == RT_LIST_MAX)
		return -E2BIG;
	c->list->a = mem_grow(c->mem, c->list->a, c->list->n, sizeof(*c->list->a));
	c->list->flags = mem_grow(c->mem, c->list->flags, c->list->n, sizeof(*c->list->flags));
	c->list->a[c->list->n] = found;
	c->list->flags[c->list->n++] = tb[IFA_FLAGS] ? nla_get_u32(tb[IFA_FLAGS]) : a->ifa_flags;
	return 0;
}

int addr_list(struct tx *tx, struct rt *rt, const struct link *l, int family, struct addr_list *ret)
{
	struct collect c = { .mem = &tx->mem, .list = ret, .index = l->index };
	struct rt_msg m;
	struct ifaddrmsg *h = rt_new(&m, RTM_GETADDR, NLM_F_DUMP, sizeof(*h));
	int r;

	h->ifa_family = (uint8_t)family;
	h->ifa_index = (unsigned)l->index;
	r = rt_ask(rt, &m, keep_addr, &c);
	if (r < 0)
		return rt_refused(tx, rt, r, "list addresses of %s", l->name);
	return 0;
}

bool addr_listed(const struct addr_list *list, struct cidr a)
{
	for (unsigned i = 0; i < list->n; i++)
		if (cidr_eq(list->a[i], a))
			return true;
	return false;
}
