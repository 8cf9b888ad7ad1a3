// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire_link.c - the device of the wire, and its static entries
 */
#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "ipam/cluster/helper/routes.h"
#include "ipam/cluster/helper/wire_link.h"
#include "netlink/addr.h"

/* Bytes that VXLAN adds to a packet: the outer IP header, UDP, VXLAN, the inner Ethernet header. */
enum { OVERHEAD_4 = 20 + 8 + 8 + 14, OVERHEAD_6 = 40 + 8 + 8 + 14 };

/* ---- the device ---- */

/* The MTU of the link that has the local address. */
static int find_local(struct tx *tx, struct rt *rt, struct ip local, int *ret_mtu)
{
	struct link l;
	int index, there;

	TRY(there = routes_find_address(tx, rt, cidr_host(local), &index));
	if (there)
		TRY(there = link_find_index(tx, rt, index, &l));
	if (there) {
		*ret_mtu = l.mtu;
		return 0;
	}
	return tx_fail_as(tx, CNI_E_CONFIG, -EADDRNOTAVAIL,
			  "this machine does not have the address %s: --local is the address to "
			  "which the other nodes send",
			  IP_S(local));
}

static int fail_foreign(struct tx *tx, const struct link *l)
{
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
			  "the name %s is in use by an interface of kind \"%s\" (remove it)",
			  NAME_OF_WIRE, l->kind);
}

/* Looks for the device.  1, 0, or a failure if the name is another kind's. */
static int find_device(struct tx *tx, struct rt *rt, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, rt, NAME_OF_WIRE, ret));
	if (there && !str_eq(ret->kind, "vxlan"))
		return fail_foreign(tx, ret);
	return there;
}

int wire_link_check(struct tx *tx, const struct wire_node *me)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct link l;
	int mtu;

	TRY(rt_open(tx, &rt, "host", NULL));
	TRY(find_device(tx, &rt, &l));
	return find_local(tx, &rt, me->local, &mtu);
}

static int local_attr(const struct wire_node *w)
{
	return w->local.family == AF_INET ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6;
}

static void put_vxlan(struct rt_msg *m, const void *data)
{
	const struct wire_node *w = data;

	rt_put_u32(m, IFLA_VXLAN_ID, w->vni);
	rt_put_ip(m, local_attr(w), w->local);
	rt_put_u16(m, IFLA_VXLAN_PORT, htons((uint16_t)w->port));
	rt_put_u8(m, IFLA_VXLAN_LEARNING, 0);
}

static bool is_same(const struct link *l, const struct wire_node *me)
{
	const struct nlattr *local = link_data_attr(l, local_attr(me));
	size_t size = ip_bits(me->local) / 8;

	return link_data_number(l, IFLA_VXLAN_ID, 0) == me->vni &&
	       ntohs((uint16_t)link_data_number(l, IFLA_VXLAN_PORT, 0)) == me->port &&
	       link_data_number(l, IFLA_VXLAN_LEARNING, 1) == 0 && local &&
	       (size_t)nla_len(local) == size && memcmp(nla_data(local), me->local.b, size) == 0;
}

static int make_device(struct tx *tx, struct rt *rt, const struct wire_node *me, struct link *ret)
{
	int over = me->local.family == AF_INET ? OVERHEAD_4 : OVERHEAD_6, there, mtu;
	struct link_new n = {
		.kind = "vxlan", .name = NAME_OF_WIRE, .mac = me->mac, .put = put_vxlan, .data = me
	};
	struct link_want want = { .mac = me->mac, .up = true, .shared = true };

	TRY(find_local(tx, rt, me->local, &mtu));
	TRY(there = find_device(tx, rt, ret));
	if (there && !is_same(ret, me)) {
		TRY(link_del(tx, rt, ret));
		there = 0;
	}
	n.mtu = want.mtu = mtu - over;
	if (!there)
		TRY(link_add(tx, rt, &n, ret));
	return link_ensure(tx, rt, ret, &want);
}

/* Our addresses, and no others but the link-local one. */
static int set_addresses(struct tx *tx, struct rt *rt, const struct link *l,
			 const struct wire_node *me)
{
	struct addr_list have;

	TRY(addr_list(tx, rt, l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < have.n; i++) {
		struct ip ip = have.a[i].ip;
		bool wanted = ip.family == AF_INET6 && ip_is_linklocal(ip);

		for (unsigned k = 0; k < me->n; k++)
			wanted |= cidr_eq(have.a[i], me->addresses[k]);
		if (!wanted)
			TRY(addr_del(tx, rt, l, have.a[i]));
	}
	for (unsigned k = 0; k < me->n; k++)
		TRY(addr_ensure(tx, rt, l, me->addresses[k], 0));
	return 0;
}

/* ---- entries ---- */

struct entry {
	int family; /* AF_BRIDGE: the MAC is at ip; else ip has the MAC */
	struct ip ip;
	struct mac mac;
};

struct entries {
	struct mem *mem;
	int index; /* of the link */
	int family;
	struct entry *e;
	unsigned n, before;
};

static void add_entry(struct entries *all, struct entry e)
{
	all->e = mem_grow(all->mem, all->e, all->n, sizeof(*all->e));
	all->e[all->n++] = e;
}

static void add_node(struct entries *all, const struct wire_node *w)
{
	add_entry(all, (struct entry){ AF_BRIDGE, w->local, w->mac });
	add_entry(all, (struct entry){ AF_INET6, ip_linklocal(w->mac), w->mac });
	for (unsigned i = 0; i < w->n; i++)
		add_entry(all,
			  (struct entry){ w->addresses[i].ip.family, w->addresses[i].ip, w->mac });
}

static int by_value(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int r = x->family - y->family;

	if (!r)
		r = ip_cmp(x->ip, y->ip);
	if (!r)
		r = memcmp(x->mac.b, y->mac.b, sizeof(x->mac.b));
	return r;
}

static void sort(struct entries *all)
{
	if (all->n)
		qsort(all->e, all->n, sizeof(*all->e), by_value);
}

/* all is sorted. */
static bool has_entry(const struct entries *all, const struct entry *e)
{
	return all->n && bsearch(e, all->e, all->n, sizeof(*e), by_value);
}

/* An entry of the kernel's list; only those that do not age. */
static int keep_entry(const struct nlmsghdr *h, void *arg)
{
	struct entries *all = arg;
	struct nlattr *tb[NDA_MAX + 1];
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct ndmsg *nd;
	struct entry e;

	if (!h) {
		all->n = all->before;
		return 0;
	}
	nd = nlmsg_data(h);
	if (h->nlmsg_type != RTM_NEWNEIGH || nd->ndm_ifindex != all->index ||
	    !(nd->ndm_state & NUD_PERMANENT) || nd->ndm_family != all->family ||
	    nlmsg_parse(m, sizeof(*nd), tb, NDA_MAX, NULL) < 0 || !tb[NDA_DST] || !tb[NDA_LLADDR] ||
	    nla_len(tb[NDA_LLADDR]) != 6)
		return 0;
	e = (struct entry){ .family = nd->ndm_family, .mac.len = 6 };
	e.ip.family = nla_len(tb[NDA_DST]) == 4 ? AF_INET : AF_INET6;
	memcpy(e.ip.b, nla_data(tb[NDA_DST]), (size_t)nla_len(tb[NDA_DST]) == 4 ? 4 : 16);
	memcpy(e.mac.b, nla_data(tb[NDA_LLADDR]), 6);
	if (all->n == RT_LIST_MAX)
		return -E2BIG;
	add_entry(all, e);
	return 0;
}

static int list_entries(struct tx *tx, struct rt *rt, const struct link *l, struct entries *ret)
{
	static const int families[] = { AF_BRIDGE, AF_INET, AF_INET6 };

	*ret = (struct entries){ .mem = &tx->mem, .index = l->index };
	for (unsigned i = 0; i < ARRAY_LEN(families); i++) {
		struct rt_msg m;
		struct ndmsg *nd = rt_new(&m, RTM_GETNEIGH, NLM_F_DUMP, sizeof(*nd));
		int r;

		ret->family = families[i];
		ret->before = ret->n;
		nd->ndm_family = (uint8_t)families[i];
		r = rt_ask(rt, &m, keep_entry, ret);
		if (r < 0)
			return rt_refused(tx, rt, r, "list the entries of %s", l->name);
	}
	return 0;
}

static void compose(struct rt_msg *m, int type, int flags, const struct link *l,
		    const struct entry *e)
{
	struct ndmsg *nd = rt_new(m, type, flags, sizeof(*nd));

	nd->ndm_family = (uint8_t)e->family;
	nd->ndm_ifindex = l->index;
	nd->ndm_state = NUD_PERMANENT | (e->family == AF_BRIDGE ? NUD_NOARP : 0);
	nd->ndm_flags = e->family == AF_BRIDGE ? NTF_SELF : 0;
	rt_put_ip(m, NDA_DST, e->ip);
	rt_put_mac(m, NDA_LLADDR, e->mac);
}

static int set_entries(struct tx *tx, struct rt *rt, const struct link *l, struct entries *want)
{
	struct entries have;
	struct rt_msg m;
	int r, first = 0;

	TRY(list_entries(tx, rt, l, &have));
	sort(&have);
	sort(want);
	/* First those that go: a MAC has one entry of the FDB, and an address one neighbour. */
	for (unsigned i = 0; i < have.n; i++) {
		if (has_entry(want, &have.e[i]))
			continue;
		compose(&m, RTM_DELNEIGH, 0, l, &have.e[i]);
		r = rt_try(rt, &m);
		if (r < 0 && r != -ENOENT)
			return rt_refused(tx, rt, r, "remove the entry of %s from %s",
					  IP_S(have.e[i].ip), l->name);
	}
	for (unsigned i = 0; i < want->n; i++) {
		if (has_entry(&have, &want->e[i]))
			continue;
		compose(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, l, &want->e[i]);
		r = rt_call(tx, rt, &m, "add the entry of %s to %s", IP_S(want->e[i].ip), l->name);
		first = also(first, r);
	}
	return first;
}

int wire_link_make(struct tx *tx, const struct wire_node *me, const struct wire_node *nodes,
		   unsigned n)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct entries want = { .mem = &tx->mem };
	struct link l;

	TRY(rt_open(tx, &rt, "host", NULL));
	TRY(make_device(tx, &rt, me, &l));
	TRY(set_addresses(tx, &rt, &l, me));
	for (unsigned i = 0; i < n; i++)
		add_node(&want, &nodes[i]);
	return set_entries(tx, &rt, &l, &want);
}

int wire_link_remove(struct tx *tx)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct link l;
	int there;

	TRY(rt_open(tx, &rt, "host", NULL));
	TRY(there = find_device(tx, &rt, &l));
	if (!there)
		return 0;
	return link_del(tx, &rt, &l);
}
