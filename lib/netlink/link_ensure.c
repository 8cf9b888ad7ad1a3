// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_ensure.c - a link that is there, put right
 *
 * Only what differs is said, so a link that is as it should be is not touched, and
 * what it was before is the way back.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "netlink/link.h"
#include "base/log.h"

struct undo_set {
	struct rt *rt;
	int index, mtu, master;
	bool had_master, up, was_up;
	struct mac mac;
	char name[IFNAMSIZ];
};

static void put_flags(struct ifinfomsg *i, bool up)
{
	i->ifi_change = IFF_UP;
	i->ifi_flags = up ? IFF_UP : 0;
}

static int undo_set(struct tx *tx, void *arg)
{
	struct undo_set *u = arg;
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));
	int r;

	i->ifi_index = u->index;
	if (u->up)
		put_flags(i, u->was_up);
	if (u->had_master)
		rt_put_u32(&m, IFLA_MASTER, (uint32_t)u->master);
	if (u->mtu)
		rt_put_u32(&m, IFLA_MTU, (uint32_t)u->mtu);
	if (u->mac.len)
		rt_put_mac(&m, IFLA_ADDRESS, u->mac);
	r = rt_try(u->rt, &m);
	return r < 0 && r != -ENODEV ? rt_refused(tx, u->rt, r, "put %s back", u->name) : 0;
}

int link_ensure(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *w)
{
	bool mac = w->mac.len && !mac_eq(w->mac, l->mac), mtu = w->mtu && w->mtu != l->mtu;
	bool master = w->master && w->master != l->master, up = w->up && !(l->flags & IFF_UP);
	struct undo_set u = { .rt = rt, .index = l->index };
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));

	if (!mac && !mtu && !master && !up)
		return 0;
	i->ifi_index = l->index;
	if (up)
		put_flags(i, true);
	if (master)
		rt_put_u32(&m, IFLA_MASTER, (uint32_t)w->master);
	if (mtu)
		rt_put_u32(&m, IFLA_MTU, (uint32_t)w->mtu);
	if (mac)
		rt_put_mac(&m, IFLA_ADDRESS, w->mac);
	u.up = up;
	u.was_up = (l->flags & IFF_UP) != 0;
	u.had_master = master;
	u.master = l->master;
	u.mtu = mtu ? l->mtu : 0;
	u.mac = mac ? l->mac : u.mac;
	memcpy(u.name, l->name, sizeof(u.name));
	TRY(rt_call(tx, rt, &m, "put %s right:%s%s%s%s", l->name, up ? " up" : "",
		    master ? " bridge" : "", mtu ? " MTU" : "", mac ? " MAC" : ""));
	l->flags |= w->up ? IFF_UP : 0;
	l->master = master ? w->master : l->master;
	l->mtu = mtu ? w->mtu : l->mtu;
	l->mac = mac ? w->mac : l->mac;
	return tx_undo(tx, undo_set, "put a link right", &u);
}
