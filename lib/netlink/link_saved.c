// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_saved.c - what a device is on the host, remembered while a container has it
 */
#include "netlink/link_saved.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"

/* Older headers (linux/if_link.h) do not have these; older kernels do not send them. */
enum {
	PARENT_DEV_NAME = 56,
	PARENT_DEV_BUS_NAME = 57,
	GRO_MAX_SIZE = 58,
	GSO_IPV4_MAX_SIZE = 63,
	GRO_IPV4_MAX_SIZE = 64,
	LAST_ATTR = GRO_IPV4_MAX_SIZE
};

static const struct {
	int attr;
	int size; /* bytes */
} numbers[LINK_SAVED_NUMBERS] = {
	[LINK_SAVED_MODE] = { IFLA_LINKMODE, 1 },
	[LINK_SAVED_PROTO_DOWN] = { IFLA_PROTO_DOWN, 1 },
	[LINK_SAVED_GSO_SIZE] = { IFLA_GSO_MAX_SIZE, 4 },
	[LINK_SAVED_GSO_SEGMENTS] = { IFLA_GSO_MAX_SEGS, 4 },
	[LINK_SAVED_GRO_SIZE] = { GRO_MAX_SIZE, 4 },
	[LINK_SAVED_GSO4_SIZE] = { GSO_IPV4_MAX_SIZE, 4 },
	[LINK_SAVED_GRO4_SIZE] = { GRO_IPV4_MAX_SIZE, 4 },
};

/* The flags that a user sets, and that stay when a link changes its namespace. */
enum {
	KEPT_FLAGS = IFF_PROMISC | IFF_ALLMULTI | IFF_NOARP | IFF_MULTICAST | IFF_DEBUG |
		     IFF_NOTRAILERS | IFF_DYNAMIC | IFF_PORTSEL | IFF_AUTOMEDIA
};

/* ---- reading ------------------------------------------------------------ */

struct details {
	struct mem *mem;
	const char *kind;
	struct link_saved *s;
	bool found;
};

static const char *text_of(struct mem *mem, struct nlattr *a)
{
	if (!a)
		return "-";
	return mem_printf(mem, "%.*s", nla_len(a), (const char *)nla_data(a));
}

static const char *mac_of(struct mem *mem, struct nlattr *a)
{
	struct mac mac = { .len = 0 };

	if (!a || nla_len(a) > (int)sizeof(mac.b))
		return "-";
	mac.len = (unsigned)nla_len(a);
	memcpy(mac.b, nla_data(a), mac.len);
	return mem_str(mem, MAC_S(mac));
}

/* XDP_ATTACHED_*; 0 = no program. */
static unsigned xdp_mode(struct nlattr *xdp)
{
	struct nlattr *a = NULL;

	if (xdp)
		a = nla_find(nla_data(xdp), nla_len(xdp), IFLA_XDP_ATTACHED);
	if (!a || nla_len(a) < 1)
		return 0;
	return nla_get_u8(a);
}

static void read_altnames(struct details *d, struct nlattr *list)
{
	struct link_saved *s = d->s;
	struct nlattr *a;
	int left;

	nla_for_each_nested (a, list, left) {
		if (nla_type(a) != IFLA_ALT_IFNAME)
			continue;
		s->altnames = mem_grow(d->mem, s->altnames, s->n_altnames, sizeof(*s->altnames));
		s->altnames[s->n_altnames++] = text_of(d->mem, a);
	}
}

static int64_t number_of(struct nlattr *a, int size)
{
	if (!a || nla_len(a) < size)
		return -1;
	if (size == 1)
		return nla_get_u8(a);
	return nla_get_u32(a);
}

/* What struct link has no fields for. */
static int read_details(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct nlattr *tb[LAST_ATTR + 1];
	struct details *d = arg;

	if (!h || h->nlmsg_type != RTM_NEWLINK)
		return 0;
	if (nlmsg_parse(m, sizeof(struct ifinfomsg), tb, LAST_ATTR, NULL) < 0)
		return -EBADMSG;
	d->found = true;
	if (tb[IFLA_TXQLEN] && nla_len(tb[IFLA_TXQLEN]) >= 4)
		d->s->tx_size = nla_get_u32(tb[IFLA_TXQLEN]);
	if (tb[IFLA_BROADCAST] && nla_len(tb[IFLA_BROADCAST]) <= (int)sizeof(d->s->broadcast.b)) {
		d->s->broadcast.len = (unsigned)nla_len(tb[IFLA_BROADCAST]);
		memcpy(d->s->broadcast.b, nla_data(tb[IFLA_BROADCAST]), d->s->broadcast.len);
	}
	d->s->xdp = xdp_mode(tb[IFLA_XDP]);
	d->s->options = link_read_options(d->mem, d->kind, tb[IFLA_LINKINFO]);
	for (unsigned i = 0; i < LINK_SAVED_NUMBERS; i++)
		d->s->number[i] = number_of(tb[numbers[i].attr], numbers[i].size);
	if (tb[IFLA_PROP_LIST])
		read_altnames(d, tb[IFLA_PROP_LIST]);
	d->s->hardware = mem_printf(d->mem, "%s %s %s %s", text_of(d->mem, tb[PARENT_DEV_BUS_NAME]),
				    text_of(d->mem, tb[PARENT_DEV_NAME]),
				    text_of(d->mem, tb[IFLA_PHYS_PORT_NAME]),
				    mac_of(d->mem, tb[IFLA_PERM_ADDRESS]));
	return 0;
}

static int find_details(struct tx *tx, struct rt *rt, const struct link *l, struct link_saved *s)
{
	struct details d = { .mem = &tx->mem, .kind = l->kind, .s = s };
	struct rt_msg m;
	int r;

	link_question(&m, 0)->ifi_index = l->index;
	r = rt_ask(rt, &m, read_details, &d);
	if (r == 0 && !d.found)
		r = -ENODEV;
	if (r < 0)
		return rt_refused(tx, rt, r, "look up interface %s", l->name);
	if (*l->kind)
		s->hardware = "";
	return 0;
}

/* The same of a link as it is now, and nothing else. */
static int find_now(struct tx *tx, struct rt *rt, const struct link *l, struct link_saved *now)
{
	*now = (struct link_saved){ .hardware = "" };
	return find_details(tx, rt, l, now);
}

static int find_master(struct tx *tx, struct rt *rt, const struct link *l, struct link_saved *s)
{
	struct link master;
	int there;

	if (!l->master)
		return 0;
	TRY(there = link_find_index(tx, rt, l->master, &master));
	if (there)
		memcpy(s->master, master.name, sizeof(s->master));
	return 0;
}

int link_save(struct tx *tx, struct rt *rt, const struct link *l, struct link_saved *ret)
{
	struct link_saved s = {
		.hardware = "",
		.index = l->index,
		.parent = l->parent,
		.parent_here = l->parent && l->parent_nsid < 0,
		.mtu = l->mtu,
		.mac = l->mac,
		.flags = l->flags,
		.group = l->group,
	};

	memcpy(s.name, l->name, sizeof(s.name));
	memcpy(s.alias, l->alias, sizeof(s.alias));
	memcpy(s.kind, l->kind, sizeof(s.kind));
	TRY(find_details(tx, rt, l, &s));
	TRY(find_master(tx, rt, l, &s));
	link_read_ethtool(&tx->mem, rt, l, s.ethtool);
	*ret = s;
	return 0;
}

/* ---- recognising -------------------------------------------------------- */

static int has_hardware(struct tx *tx, struct rt *rt, const struct link *l, const char *hardware)
{
	struct link_saved now;

	TRY(find_now(tx, rt, l, &now));
	return str_eq(now.hardware, hardware);
}

int link_is_saved(struct tx *tx, struct rt *rt, struct rt *host, const struct link *l,
		  const struct link_saved *s, bool *ret_sure)
{
	int nsid;

	if (ret_sure)
		*ret_sure = *s->hardware || (s->parent_here && str_eq(s->kind, "veth"));
	if (!str_eq(l->kind, s->kind))
		return 0;
	if (*s->hardware)
		return has_hardware(tx, rt, l, s->hardware);
	if (l->parent != s->parent)
		return 0;
	if (!s->parent_here)
		return 1;
	if (rt == host)
		return l->parent_nsid < 0;
	/* Without an id there, no link has named the host's namespace yet. */
	TRY(link_nsid(tx, rt, host->ns, &nsid));
	return nsid >= 0 && l->parent_nsid == nsid;
}

/* ---- giving again ------------------------------------------------------- */

static struct ifinfomsg *change(struct rt_msg *m, int type, const struct link *l)
{
	struct ifinfomsg *i = rt_new(m, type, 0, sizeof(*i));

	i->ifi_index = l->index;
	return i;
}

static bool has_altname(const struct link_saved *s, const char *name)
{
	for (unsigned i = 0; i < s->n_altnames; i++)
		if (str_eq(s->altnames[i], name))
			return true;
	return false;
}

static int change_altname(struct tx *tx, struct rt *rt, const struct link *l, bool add,
			  const char *name)
{
	struct nlattr *list;
	struct rt_msg m;

	change(&m, add ? RTM_NEWLINKPROP : RTM_DELLINKPROP, l);
	list = rt_nest(&m, IFLA_PROP_LIST);
	rt_put_str(&m, IFLA_ALT_IFNAME, name);
	rt_nest_end(&m, list);
	return rt_call(tx, rt, &m, "%s alternative name %s of %s", add ? "add" : "delete", name,
		       l->name);
}

int link_drop_altnames(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct link_saved *s)
{
	struct link_saved now;
	int r = 0;

	TRY(find_now(tx, rt, l, &now));
	for (unsigned i = 0; i < now.n_altnames; i++)
		if (!has_altname(s, now.altnames[i]))
			r = also(r, change_altname(tx, rt, l, false, now.altnames[i]));
	return r;
}

int link_restore_altnames(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct link_saved now;
	int r = 0;

	TRY(find_now(tx, rt, l, &now));
	for (unsigned i = 0; i < s->n_altnames; i++)
		if (!has_altname(&now, s->altnames[i]))
			r = also(r, change_altname(tx, rt, l, true, s->altnames[i]));
	return r;
}

static int set_up(struct tx *tx, struct rt *rt, struct link *l, bool up)
{
	struct ifinfomsg *i;
	struct rt_msg m;

	if (up == !!(l->flags & IFF_UP))
		return 0;
	i = change(&m, RTM_NEWLINK, l);
	i->ifi_change = IFF_UP;
	if (up)
		i->ifi_flags = IFF_UP;
	TRY(rt_call(tx, rt, &m, "set %s %s", l->name, up ? "up" : "down"));
	l->flags ^= IFF_UP;
	return 0;
}

int link_restore_name(struct tx *tx, struct rt *rt, struct link *l, const char *name)
{
	struct rt_msg m;

	if (str_eq(l->name, name))
		return 0;
	TRY(set_up(tx, rt, l, false)); /* kernels before 6.2 refuse to rename one that is up */
	change(&m, RTM_NEWLINK, l);
	rt_put_str(&m, IFLA_IFNAME, name);
	TRY(rt_call(tx, rt, &m, "rename %s to %s", l->name, name));
	snprintf(l->name, sizeof(l->name), "%s", name);
	return 0;
}

/* The kernel does not take it away while programs have given reasons for it. */
static void put_no_reasons(struct rt_msg *m)
{
	struct nlattr *reasons = rt_nest(m, IFLA_PROTO_DOWN_REASON);

	rt_put_u32(m, IFLA_PROTO_DOWN_REASON_MASK, UINT32_MAX);
	rt_put_u32(m, IFLA_PROTO_DOWN_REASON_VALUE, 0);
	rt_nest_end(m, reasons);
}

/* One request for each: a driver may refuse some. */
static int restore_numbers(struct tx *tx, struct rt *rt, const struct link *l,
			   const struct link_saved *s, const struct link_saved *now)
{
	struct rt_msg m;
	int r = 0;

	for (unsigned i = 0; i < LINK_SAVED_NUMBERS; i++) {
		int64_t v = s->number[i];

		if (v < 0 || now->number[i] < 0 || v == now->number[i])
			continue;
		change(&m, RTM_NEWLINK, l);
		if (i == LINK_SAVED_PROTO_DOWN && !v)
			put_no_reasons(&m);
		if (numbers[i].size == 1)
			rt_put_u8(&m, numbers[i].attr, (uint8_t)v);
		else
			rt_put_u32(&m, numbers[i].attr, (uint32_t)v);
		r = also(r, rt_call(tx, rt, &m, "set attribute %d of %s to %u, as before",
				    numbers[i].attr, l->name, (unsigned)v));
	}
	return r;
}

int link_restore_settings(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct link_saved now;
	unsigned flags = (l->flags ^ s->flags) & KEPT_FLAGS;
	struct ifinfomsg *i;
	struct rt_msg m;

	TRY(find_now(tx, rt, l, &now));
	if (!flags && l->mtu == s->mtu && l->group == s->group && now.tx_size == s->tx_size)
		return restore_numbers(tx, rt, l, s, &now);
	i = change(&m, RTM_NEWLINK, l);
	i->ifi_change = flags;
	i->ifi_flags = s->flags & flags;
	if (l->mtu != s->mtu)
		rt_put_u32(&m, IFLA_MTU, (uint32_t)s->mtu);
	if (l->group != s->group)
		rt_put_u32(&m, IFLA_GROUP, s->group);
	if (now.tx_size != s->tx_size)
		rt_put_u32(&m, IFLA_TXQLEN, s->tx_size);
	TRY(rt_call(tx, rt, &m, "set MTU, flags, group and queue of %s as before", l->name));
	l->mtu = s->mtu;
	l->group = s->group;
	l->flags ^= flags;
	return restore_numbers(tx, rt, l, s, &now);
}

int link_restore_options(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct link_saved now;

	TRY(find_now(tx, rt, l, &now));
	return link_set_options(tx, rt, l, &s->options, &now.options);
}

int link_restore_mac(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct rt_msg m;

	if (!s->mac.len || mac_eq(l->mac, s->mac))
		return 0;
	change(&m, RTM_NEWLINK, l);
	rt_put_mac(&m, IFLA_ADDRESS, s->mac);
	TRY(rt_call(tx, rt, &m, "set the MAC of %s to %s", l->name, MAC_S(s->mac)));
	l->mac = s->mac;
	return 0;
}

int link_restore_broadcast(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct link_saved now;
	struct rt_msg m;

	TRY(find_now(tx, rt, l, &now));
	if (!s->broadcast.len || mac_eq(now.broadcast, s->broadcast))
		return 0;
	change(&m, RTM_NEWLINK, l);
	rt_put_mac(&m, IFLA_BROADCAST, s->broadcast);
	return rt_call(tx, rt, &m, "set the broadcast MAC of %s to %s", l->name,
		       MAC_S(s->broadcast));
}

/* A program in each mode has to be detached for itself. */
int link_restore_xdp(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	static const uint32_t modes[] = { XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE,
					  XDP_FLAGS_HW_MODE };
	struct link_saved now;
	struct nlattr *xdp;
	struct rt_msg m;
	int r = 0;

	TRY(find_now(tx, rt, l, &now));
	for (unsigned i = 0; i < ARRAY_LEN(modes) && now.xdp && !s->xdp; i++) {
		change(&m, RTM_NEWLINK, l);
		xdp = rt_nest(&m, IFLA_XDP);
		rt_put_u32(&m, IFLA_XDP_FD, UINT32_MAX);
		rt_put_u32(&m, IFLA_XDP_FLAGS, modes[i]);
		rt_nest_end(&m, xdp);
		r = rt_call(tx, rt, &m, "detach the XDP program of %s", l->name);
		TRY(find_now(tx, rt, l, &now));
	}
	return now.xdp && !s->xdp ? r : 0;
}

int link_restore_master(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct link_want want = { .shared = true };
	struct link master;
	int there;

	if (!*s->master)
		return 0;
	TRY(there = link_find(tx, rt, s->master, &master));
	if (!there)
		return 0;
	want.master = master.index;
	return link_ensure(tx, rt, l, &want);
}

int link_restore_state(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	return set_up(tx, rt, l, s->flags & IFF_UP);
}

int link_restore_alias(struct tx *tx, struct rt *rt, struct link *l, const struct link_saved *s)
{
	struct rt_msg m;

	if (str_eq(l->alias, s->alias))
		return 0;
	change(&m, RTM_NEWLINK, l);
	rt_put_str(&m, IFLA_IFALIAS, s->alias);
	TRY(rt_call(tx, rt, &m, "set the alias of %s to \"%s\"", l->name, s->alias));
	snprintf(l->alias, sizeof(l->alias), "%s", s->alias);
	return 0;
}
