// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_saved_options.c - options of a macvlan, ipvlan or VLAN (linux/if_link.h), read and set again
 *
 * The owner of the link's namespace may change them, and they stay when the link leaves: a macvlan
 * in mode "source", for example, gets packets from the MAC addresses of its list only.
 */
#include <limits.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/rtnetlink.h>

#include "netlink/link_saved.h"

enum { MACVLAN_BC_CUTOFF = 9 }; /* older headers do not have it */

/* Bits are numbers of attributes: those of one value, and those that are lists. */
enum {
	MACVLAN_ONES = 1 << IFLA_MACVLAN_MODE | 1 << IFLA_MACVLAN_FLAGS |
		       1 << IFLA_MACVLAN_BC_QUEUE_LEN | 1 << MACVLAN_BC_CUTOFF,
	MACVLAN_LISTS = 1 << IFLA_MACVLAN_MACADDR_DATA,
	IPVLAN_ONES = 1 << IFLA_IPVLAN_MODE | 1 << IFLA_IPVLAN_FLAGS,
	VLAN_ONES = 1 << IFLA_VLAN_FLAGS,
	VLAN_LISTS = 1 << IFLA_VLAN_EGRESS_QOS | 1 << IFLA_VLAN_INGRESS_QOS,
};

static const struct kind {
	const char *name;
	unsigned ones, lists;
} kinds[] = {
	{ "macvlan", MACVLAN_ONES, MACVLAN_LISTS },
	{ "macvtap", MACVLAN_ONES, MACVLAN_LISTS },
	{ "ipvlan", IPVLAN_ONES, 0 },
	{ "ipvtap", IPVLAN_ONES, 0 },
	{ "vlan", VLAN_ONES, VLAN_LISTS },
};

static const struct kind *kind_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(name, kinds[i].name))
			return &kinds[i];
	return NULL;
}

static bool is_in(unsigned set, const struct nlattr *a)
{
	return nla_type(a) < (int)sizeof(set) * CHAR_BIT && set & 1U << nla_type(a);
}

/* ---- reading ------------------------------------------------------------ */

struct link_data link_read_options(struct mem *mem, const char *kind, struct nlattr *info)
{
	const struct kind *k = kind_of(kind);
	struct nlattr *data = NULL, *a;
	unsigned len = 0;
	char *copy;
	int left;

	if (k && info)
		data = nla_find(nla_data(info), nla_len(info), IFLA_INFO_DATA);
	if (!data)
		return (struct link_data){ .len = 0 };
	copy = mem_alloc(mem, (size_t)NLA_ALIGN(nla_len(data)));
	nla_for_each_nested (a, data, left) {
		if (!is_in(k->ones | k->lists, a))
			continue;
		memcpy(copy + len, a, a->nla_len);
		len += (unsigned)NLA_ALIGN(a->nla_len);
	}
	return (struct link_data){ copy, len };
}

/* ---- giving again ------------------------------------------------------- */

/* A link whose options change. */
struct change {
	struct tx *tx;
	struct rt *rt;
	const struct link *l;
	const struct kind *kind;
};

/* Composes one change of options from an attribute, or from a list of them. */
typedef void put_fn(struct rt_msg *m, const struct change *c, int list, const struct nlattr *a);

static int request(const struct change *c, put_fn *put, int list, const struct nlattr *a)
{
	struct nlattr *info, *data;
	struct ifinfomsg *i;
	struct rt_msg m;

	i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));
	i->ifi_index = c->l->index;
	info = rt_nest(&m, IFLA_LINKINFO);
	rt_put_str(&m, IFLA_INFO_KIND, c->kind->name);
	data = rt_nest(&m, IFLA_INFO_DATA);
	put(&m, c, list, a);
	rt_nest_end(&m, data);
	rt_nest_end(&m, info);
	return rt_call(c->tx, c->rt, &m, "set options of %s %s as before", c->kind->name,
		       c->l->name);
}

/* The kernel tells all bits as valid, and refuses those that it does not know. */
static void put_vlan_flags(struct rt_msg *m, const struct nlattr *a)
{
	enum { BRIDGE_BINDING = 1 << 4 }; /* older headers do not have it */
	struct ifla_vlan_flags f = { .flags = 0 };

	if (nla_len(a) == sizeof(f))
		memcpy(&f, nla_data(a), sizeof(f));
	f.mask = VLAN_FLAG_REORDER_HDR | VLAN_FLAG_GVRP | VLAN_FLAG_LOOSE_BINDING | VLAN_FLAG_MVRP |
		 BRIDGE_BINDING;
	rt_put(m, IFLA_VLAN_FLAGS, &f, sizeof(f));
}

/* Another mode empties a macvlan's list of MACs; where "source" stays the mode, we have to. */
static void put_one(struct rt_msg *m, const struct change *c, int list, const struct nlattr *a)
{
	(void)list;
	if (c->kind->lists == VLAN_LISTS) {
		put_vlan_flags(m, a);
		return;
	}
	rt_put(m, nla_type(a), nla_data(a), (size_t)nla_len(a));
	if (c->kind->lists == MACVLAN_LISTS && nla_type(a) == IFLA_MACVLAN_MODE &&
	    nla_len(a) == (int)sizeof(uint32_t) && nla_get_u32(a) == MACVLAN_MODE_SOURCE)
		rt_put_u32(m, IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_FLUSH);
}

static void put_mac(struct rt_msg *m, const struct nlattr *a)
{
	rt_put_u32(m, IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_ADD);
	rt_put(m, IFLA_MACVLAN_MACADDR, nla_data(a), (size_t)nla_len(a));
}

/* A mapping to 0 is none. */
static void put_mapping(struct rt_msg *m, int list, const struct nlattr *a, bool none)
{
	struct ifla_vlan_qos_mapping map = { .from = 0 };
	struct nlattr *nest = rt_nest(m, list);

	if (nla_len(a) == sizeof(map))
		memcpy(&map, nla_data(a), sizeof(map));
	if (none)
		map.to = 0;
	rt_put(m, IFLA_VLAN_QOS_MAPPING, &map, sizeof(map));
	rt_nest_end(m, nest);
}

static void put_entry(struct rt_msg *m, const struct change *c, int list, const struct nlattr *a)
{
	if (c->kind->lists == MACVLAN_LISTS)
		put_mac(m, a);
	else
		put_mapping(m, list, a, false);
}

static void put_none(struct rt_msg *m, const struct change *c, int list, const struct nlattr *a)
{
	(void)c;
	put_mapping(m, list, a, true);
}

/* One request for each option, and for each entry of a list: any number of them fits. */
static int set_each(const struct change *c, const struct link_data *options, bool ones, put_fn *put)
{
	const struct nlattr *a = options->attrs;
	struct nlattr *entry;
	int left = (int)options->len, rest, r = 0;

	for (; nla_ok(a, left); a = nla_next(a, &left)) {
		if (ones && is_in(c->kind->ones, a))
			r = also(r, request(c, put, 0, a));
		if (ones || !is_in(c->kind->lists, a))
			continue;
		nla_for_each_nested (entry, (struct nlattr *)(uintptr_t)a, rest)
			r = also(r, request(c, put, nla_type(a), entry));
	}
	return r;
}

int link_set_options(struct tx *tx, struct rt *rt, const struct link *l,
		     const struct link_data *was, const struct link_data *now)
{
	struct change c = { tx, rt, l, kind_of(l->kind) };
	int r;

	if (!c.kind || !was->len ||
	    (was->len == now->len && memcmp(was->attrs, now->attrs, was->len) == 0))
		return 0;
	r = set_each(&c, was, true, put_one);
	if (c.kind->lists == VLAN_LISTS)
		r = also(r, set_each(&c, now, false, put_none));
	return also(r, set_each(&c, was, false, put_entry));
}
