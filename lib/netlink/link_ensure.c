// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_ensure.c - links that are there: set up, put right, deleted
 *
 * link_ensure() sets only what differs, so a link that is as it should be is not touched,
 * and the former values are the way back.
 */
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/link.h"
#include "sys/sysctl.h"

static struct ifinfomsg *change(struct rt_msg *m, int index)
{
	struct ifinfomsg *i = rt_new(m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = index;
	return i;
}

static void put_up(struct ifinfomsg *i, bool up)
{
	i->ifi_change |= IFF_UP;
	if (up)
		i->ifi_flags |= IFF_UP;
}

void link_put_mark(struct rt_msg *m, const struct mark *mark)
{
	rt_put_str(m, IFLA_IFALIAS, mark->s);
	rt_put_u32(m, IFLA_GROUP, 0);
}

int link_set_up(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;

	put_up(change(&m, l->index), true);
	return rt_call(tx, rt, &m, "set %s up", l->name);
}

int link_set_up_notify(struct tx *tx, struct rt *rt, const struct link *l, const struct mark *mark)
{
	struct nlattr *spec, *inet, *conf;
	struct rt_msg m;

	put_up(change(&m, l->index), true);
	if (mark)
		link_put_mark(&m, mark);
	spec = rt_nest(&m, IFLA_AF_SPEC);
	inet = rt_nest(&m, AF_INET);
	conf = rt_nest(&m, IFLA_INET_CONF);
	rt_put_u32(&m, IPV4_DEVCONF_ARP_NOTIFY, 1);
	rt_nest_end(&m, conf);
	rt_nest_end(&m, inet);
	rt_nest_end(&m, spec);
	return rt_call(tx, rt, &m, "set %s up", l->name);
}

int link_set_no_dad(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct sysctl s = sysctl_conf(AF_INET6, l->name, "accept_dad", "0");

	return sysctl_ensure_new(tx, rt->ns, &s, 1);
}

static void follow_mark(struct link *l, const struct mark *mark)
{
	memcpy(l->alias, mark->s, sizeof(l->alias));
	l->group = 0;
}

int link_set_no_ipv6(struct tx *tx, struct rt *rt, struct link *l, const struct mark *mark)
{
	struct nlattr *spec, *inet6;
	struct rt_msg m;
	int r;

	change(&m, l->index);
	link_put_mark(&m, mark);
	spec = rt_nest(&m, IFLA_AF_SPEC);
	inet6 = rt_nest(&m, AF_INET6);
	rt_put_u8(&m, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
	rt_nest_end(&m, inet6);
	rt_nest_end(&m, spec);
	r = rt_try(rt, &m);
	/* No IPv6: of the kernel, or for so small an MTU.  Then nothing was set. */
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "give %s no IPv6 address", l->name);
	follow_mark(l, mark);
	log_step("%s: give %s no IPv6 address", rt->where, l->name);
	return 0;
}

/* A request to set the MAC to the value that it has. */
static void same_mac(struct rt_msg *m, const struct link *l)
{
	change(m, l->index);
	rt_put_mac(m, IFLA_ADDRESS, l->mac);
}

int link_fix_mac(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;

	same_mac(&m, l);
	return rt_call(tx, rt, &m, "fix the MAC of %s", l->name);
}

int link_announce(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;
	int r;

	same_mac(&m, l);
	r = rt_try(rt, &m);
	if (r == -EOPNOTSUPP) /* the MAC cannot be set: ipvlan, ifb */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "announce the addresses of %s", l->name);
	log_step("%s: announce the addresses of %s", rt->where, l->name);
	return 0;
}

int link_free(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;

	change(&m, l->index);
	rt_put_u32(&m, IFLA_MASTER, 0);
	return rt_call(tx, rt, &m, "take %s from its master", l->name);
}

int link_del(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_DELLINK, 0, sizeof(*i));
	int r;

	i->ifi_index = l->index;
	r = rt_try(rt, &m);
	if (r == -ENODEV || r == -ENXIO)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "delete interface %s", l->name);
	log_step("%s: delete interface %s", rt->where, l->name);
	return 0;
}

/* ---- putting right ------------------------------------------------------ */

/* What a flag of the link (IFF_*) has to become; LINK_LEAVE if it is so already. */
static enum link_switch flip(const struct link *l, unsigned flag, enum link_switch want)
{
	bool is_on = l->flags & flag;

	if (want == LINK_LEAVE || (want == LINK_ON) == is_on)
		return LINK_LEAVE;
	return want;
}

static void put_flag(struct ifinfomsg *i, unsigned flag, enum link_switch to)
{
	if (to == LINK_LEAVE)
		return;
	i->ifi_change |= flag;
	if (to == LINK_ON)
		i->ifi_flags |= flag;
}

/* Undo: back to the state before. */
static enum link_switch opposite(enum link_switch to)
{
	if (to == LINK_LEAVE)
		return LINK_LEAVE;
	return to == LINK_ON ? LINK_OFF : LINK_ON;
}

/* What link_ensure() changes: the fields of *want that differ; the others are empty. */
static struct link_want difference(const struct link *l, const struct link_want *want)
{
	struct link_want d = { .shared = want->shared };

	if (want->mac.len && !mac_eq(want->mac, l->mac))
		d.mac = want->mac;
	if (want->mtu && want->mtu != l->mtu)
		d.mtu = want->mtu;
	if (want->master && want->master != l->master)
		d.master = want->master;
	/* A link whose DEL was killed would be deleted by the next DEL (link_doomed.c). */
	if (want->mark && (!str_eq(want->mark->s, l->alias) || mark_is_doomed(l->group)))
		d.mark = want->mark;
	d.up = want->up && !(l->flags & IFF_UP);
	d.promisc = flip(l, IFF_PROMISC, want->promisc);
	d.allmulti = flip(l, IFF_ALLMULTI, want->allmulti);
	if (want->txqlen && *want->txqlen != l->txqlen)
		d.txqlen = want->txqlen;
	if (want->put) {
		d.put = want->put;
		d.data = want->data;
		d.data_before = want->data_before;
		d.hint = want->hint;
	}
	return d;
}

static void put_options(struct rt_msg *m, const struct link *l, const struct link_want *d,
			const void *data)
{
	struct nlattr *info, *options;

	info = rt_nest(m, IFLA_LINKINFO);
	rt_put_str(m, IFLA_INFO_KIND, l->kind);
	options = rt_nest(m, IFLA_INFO_DATA);
	d->put(m, data);
	rt_nest_end(m, options);
	rt_nest_end(m, info);
}

static void compose(struct rt_msg *m, const struct link *l, const struct link_want *d)
{
	struct ifinfomsg *i = change(m, l->index);

	if (d->up)
		put_up(i, true);
	put_flag(i, IFF_PROMISC, d->promisc);
	put_flag(i, IFF_ALLMULTI, d->allmulti);
	if (d->txqlen)
		rt_put_u32(m, IFLA_TXQLEN, *d->txqlen);
	if (d->master)
		rt_put_u32(m, IFLA_MASTER, (uint32_t)d->master);
	if (d->mtu)
		rt_put_u32(m, IFLA_MTU, (uint32_t)d->mtu);
	if (d->mac.len)
		rt_put_mac(m, IFLA_ADDRESS, d->mac);
	if (d->mark)
		link_put_mark(m, d->mark);
	if (d->put)
		put_options(m, l, d, d->data);
}

/* " up, MTU, alias" */
static const char *summary(struct mem *m, const struct link_want *d)
{
	const struct {
		bool set;
		const char *name;
	} fields[] = {
		{ d->up, "up" },         { d->promisc, "promiscuous" },
		{ d->master, "master" }, { d->allmulti, "all-multicast" },
		{ d->mtu, "MTU" },       { d->txqlen, "transmit queue length" },
		{ d->mac.len, "MAC" },   { d->mark, "alias" },
		{ d->put, "options" },
	};
	const char *text = "";

	for (unsigned i = 0; i < ARRAY_LEN(fields); i++)
		if (fields[i].set)
			text = mem_printf(m, "%s%s %s", text, *text ? "," : "", fields[i].name);
	return text;
}

bool link_differs(const struct link *l, const struct link_want *want)
{
	struct link_want d = difference(l, want);

	return d.mac.len || d.mtu || d.master || d.mark || d.up || d.promisc || d.allmulti ||
	       d.txqlen || d.put;
}

static int put_back(struct tx *tx, struct rt *rt, const struct link *was,
		    const struct link_want *changed)
{
	struct ifinfomsg *i;
	struct rt_msg m;
	int r;

	i = change(&m, was->index);
	if (changed->up)
		put_up(i, false);
	put_flag(i, IFF_PROMISC, opposite(changed->promisc));
	put_flag(i, IFF_ALLMULTI, opposite(changed->allmulti));
	if (changed->txqlen)
		rt_put_u32(&m, IFLA_TXQLEN, was->txqlen);
	if (changed->master)
		rt_put_u32(&m, IFLA_MASTER, (uint32_t)was->master);
	if (changed->mtu)
		rt_put_u32(&m, IFLA_MTU, (uint32_t)was->mtu);
	if (changed->mac.len)
		rt_put_mac(&m, IFLA_ADDRESS, was->mac);
	if (changed->mark) {
		rt_put_str(&m, IFLA_IFALIAS, was->alias);
		rt_put_u32(&m, IFLA_GROUP, was->group);
	}
	if (changed->put && changed->data_before)
		put_options(&m, was, changed, changed->data_before);
	r = rt_try(rt, &m);
	if (r < 0 && r != -ENODEV)
		return rt_refused(tx, rt, r, "put %s back", was->name);
	return 0;
}

int link_put_back(struct tx *tx, struct rt *rt, const struct link *was,
		  const struct link_want *want)
{
	struct link_want d = difference(was, want);

	return put_back(tx, rt, was, &d);
}

struct undo_ensure {
	struct rt *rt;
	struct link *was;
	struct link_want changed;
};

static int undo_ensure(struct tx *tx, void *arg)
{
	struct undo_ensure *u = *(struct undo_ensure **)arg;

	return put_back(tx, u->rt, u->was, &u->changed);
}

static void follow_flag(struct link *l, unsigned flag, enum link_switch to)
{
	if (to == LINK_ON)
		l->flags |= flag;
	else if (to == LINK_OFF)
		l->flags &= ~flag;
}

/* *l as the kernel has it now. */
static void follow(struct link *l, const struct link_want *d)
{
	if (d->up)
		l->flags |= IFF_UP;
	follow_flag(l, IFF_PROMISC, d->promisc);
	follow_flag(l, IFF_ALLMULTI, d->allmulti);
	if (d->txqlen)
		l->txqlen = *d->txqlen;
	if (d->master)
		l->master = d->master;
	if (d->mtu)
		l->mtu = d->mtu;
	if (d->mac.len)
		l->mac = d->mac;
	if (d->mark)
		follow_mark(l, d->mark);
}

int link_ensure(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *want)
{
	struct link_want d = difference(l, want);
	struct undo_ensure *u;
	struct rt_msg m;
	int r;

	if (!link_differs(l, want))
		return 0;
	compose(&m, l, &d);
	/* First, because after the change an exhausted arena would leave it without undo. */
	u = mem_alloc(&tx->mem, sizeof(*u));
	*u = (struct undo_ensure){ rt, mem_dup(&tx->mem, l, sizeof(*l)), d };
	r = rt_call(tx, rt, &m, "set %s %s%s", l->kind, l->name, summary(&tx->mem, &d));
	if (r < 0 && d.hint)
		tx_detail(tx, "%s", d.hint);
	else if (r == -EINVAL && d.mtu)
		tx_detail(tx, "mtu: %s cannot have %d (ip -d link shows its minmtu and maxmtu)",
			  l->name, d.mtu);
	TRY(r);
	follow(l, &d);
	if (d.shared)
		return 0;
	return tx_undo(tx, undo_ensure, "set link", &u);
}
