// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - the bridge itself
 *
 * A bridge that cplug makes has a MAC of its own, so it does not follow its ports', and it
 * ignores router advertisements.  On an administrator's bridge the host may learn routes.
 */
#include <fcntl.h>
#include <stdlib.h>

#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/found.h"
#include "cni/iface.h"
#include "cni/prev.h"
#include "netlink/bridge.h"
#include "netlink/layer3.h"
#include "netlink/route.h"
#include "plugins/bridge/bridge.h"
#include "sys/file.h"
#include "sys/sysctl.h"

static void put_vlan_filtering(struct rt_msg *m, const void *on)
{
	rt_put_u8(m, IFLA_BR_VLAN_FILTERING, *(const bool *)on);
}

static struct sysctl no_router_advertisements(const struct bridge *b)
{
	return sysctl_conf(AF_INET6, b->cf.bridge, "accept_ra", "0");
}

static int need_kind(struct tx *tx, const struct rt *rt, const struct link *l)
{
	const char *kind;

	if (str_eq(l->kind, "bridge"))
		return 0;
	kind = *l->kind ? mem_printf(&tx->mem, " but a %s", l->kind) : "";
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
			  "%s: bridge %s: the name belongs to an interface that is not a "
			  "bridge%s (choose another \"bridge\", or rename that interface)",
			  rt->where, l->name, kind);
}

/* The number in a file of /sys/class/net/IFNAME; -1 if it cannot be read. */
static int sysfs_number(struct tx *tx, const char *ifname, const char *file)
{
	const char *path = mem_printf(&tx->mem, "/sys/class/net/%s/%s", ifname, file);
	struct file_text text;

	if (file_read(&tx->mem, AT_FDCWD, path, 4096, &text) < 0)
		return -1;
	return (int)strtol(text.s, NULL, 10);
}

/*
 * Containers remember the gateway's MAC.  The MAC of a bridge that an administrator made without
 * one follows its lowest port's, so the first ADD fixes it.  sysfs may show another namespace.
 */
static int fix_mac(struct tx *tx, struct call *c, const struct bridge *b)
{
	enum { NET_ADDR_SET = 3 };

	if (sysfs_number(tx, b->br.name, "ifindex") == b->br.index &&
	    sysfs_number(tx, b->br.name, "addr_assign_type") == NET_ADDR_SET)
		return 0;
	return link_fix_mac(tx, &c->host, &b->br);
}

/*
 * A bridge keeps an MTU that IPv6 cannot have (bridge_link_keep_mtu()).  When its network has
 * another one by now, and the last port has gone, it is made anew, because a larger MTU that is set
 * would not follow the ports either.
 */
static int renew_small(struct tx *tx, struct call *c, const struct link_new *n, struct bridge *b,
		       bool *made)
{
	bool wants_small = n->mtu > 0 && n->mtu < LAYER3_MTU6;

	if (*made || wants_small || b->br.mtu >= LAYER3_MTU6 || !bridge_link_is_own(c, b))
		return 0;
	TRY(bridge_drop(tx, &c->host, &b->br));
	return link_add_shared(tx, &c->host, n, &b->br, made);
}

static struct link_want wanted(const struct bridge *b)
{
	static const bool off = false;
	struct link_want want = {
		.up = true,
		.promisc = b->cf.promisc ? LINK_ON : LINK_LEAVE,
		.shared = true,
	};

	if (b->cf.vlan_filtering && b->br.bridge.vlan_filtering != 1) {
		want.put = put_vlan_filtering;
		want.data = &b->cf.vlan_filtering;
		want.data_before = &off;
		want.hint = "VLANs need a kernel with CONFIG_BRIDGE_VLAN_FILTERING (leave \"vlan\" "
			    "and \"vlanTrunk\" out)";
	}
	return want;
}

int bridge_link_ensure(struct tx *tx, struct call *c, struct bridge *b)
{
	struct mark mark = mark_of_network(c->network);
	struct link_new n = {
		.kind = "bridge",
		.name = b->cf.bridge,
		.mark = &mark,
		.put = b->cf.vlan_filtering ? put_vlan_filtering : NULL,
		.data = &b->cf.vlan_filtering,
	};
	struct sysctl no_ra = no_router_advertisements(b);
	struct link_want want;
	bool made;

	if (b->cf.mtu == MTU_AUTO)
		TRY(route_default_mtu(tx, &c->host, &b->cf.mtu));
	n.mtu = b->cf.mtu;
	n.mac = b->br_mac;
	if (!n.mac.len)
		n.mac = link_random_mac();
	TRY(link_add_shared(tx, &c->host, &n, &b->br, &made));
	TRY(need_kind(tx, &c->host, &b->br));
	TRY(renew_small(tx, c, &n, b, &made));
	/* One whose ADD was killed, has failed, or goes on beside this call; then both do the same.
	 */
	made = made || link_is_unfinished(&b->br);
	want = wanted(b);
	if (!made) {
		TRY(found_ensure(tx, c, &c->host, &b->br, &want, &b->veth.host));
	} else {
		TRY(sysctl_ensure_new(tx, c->host.ns, &no_ra, 1));
		TRY(link_set_no_dad(tx, &c->host, &b->br));
		want.mark = &mark;
		TRY(link_ensure(tx, &c->host, &b->br, &want));
	}
	if (!made && mark_is_any(b->br.alias))
		return sysctl_ensure(tx, c->host.ns, &no_ra, 1, NULL);
	if (!made && b->cf.is_gateway)
		return fix_mac(tx, c, b);
	return 0;
}

int bridge_link_look_again(struct tx *tx, struct call *c, struct bridge *b)
{
	bool own = mark_is_any(b->br.alias), plain = !b->cf.promisc && !b->cf.vlan_filtering;
	struct link_want want;
	struct link now;

	if (own && plain && b->veth.host.mtu == b->br.mtu)
		return 0;
	TRY(link_need(tx, &c->host, b->br.name, &now));
	b->br.mtu = now.mtu;
	b->br.mac = now.mac;
	b->br.flags = now.flags;
	b->br.bridge.vlan_filtering = now.bridge.vlan_filtering;
	want = wanted(b);
	return found_ensure(tx, c, &c->host, &b->br, &want, &b->veth.host);
}

bool bridge_link_is_own(const struct call *c, const struct bridge *b)
{
	struct mark mark = mark_of_network(c->network);

	return link_is_marked(&b->br, &mark);
}

int bridge_link_keep_mtu(struct tx *tx, struct call *c, struct bridge *b)
{
	enum { SMALLEST = 68 };
	struct link_want want = { .shared = true };
	int mtu = b->cf.mtu;

	if (mtu <= 0 || mtu >= LAYER3_MTU6 || !mark_is_any(b->br.alias))
		return 0;
	if (b->br.mtu >= LAYER3_MTU6 && !bridge_link_is_own(c, b))
		return 0;
	if (b->br.mtu < mtu)
		mtu = b->br.mtu;
	/* The kernel takes note of a change only. */
	if (b->br.mtu == mtu) {
		want.mtu = mtu > SMALLEST ? mtu - 1 : mtu + 1;
		TRY(link_ensure(tx, &c->host, &b->br, &want));
	}
	want.mtu = mtu;
	return link_ensure(tx, &c->host, &b->br, &want);
}

/* ---- CHECK, repair ------------------------------------------------------ */

struct port_mac {
	const struct link *br;
	bool found;
};

static int compare_mac(const struct link *l, void *arg)
{
	struct port_mac *p = arg;

	if (!l)
		return 0;
	p->found = l->master == p->br->index && mac_eq(l->mac, p->br->mac);
	return p->found;
}

/*
 * The MAC of prevResult, which the bridge must have.  None (len 0) if it is another one because the
 * bridge is an administrator's without gateway, which takes that of a port, or zeros without any.
 */
static int wanted_mac(struct tx *tx, struct call *c, const struct bridge *b, int i, struct mac *ret)
{
	static const uint8_t zero[sizeof(b->br.mac.b)];
	struct port_mac p = { .br = &b->br };

	*ret = prev_mac(c, i);
	if (!ret->len || mac_eq(*ret, b->br.mac) || b->cf.is_gateway || mark_is_any(b->br.alias))
		return 0;
	p.found = memcmp(b->br.mac.b, zero, sizeof(zero)) == 0;
	if (!p.found)
		TRY(link_each(tx, &c->host, "", compare_mac, &p));
	if (p.found)
		ret->len = 0;
	return 0;
}

int bridge_link_check(struct tx *tx, struct call *c, struct bridge *b)
{
	const char *what = mem_printf(&tx->mem, "bridge %s", b->cf.bridge);
	int there, i = result_find_if(c->prev, b->cf.bridge, false);
	struct sysctl no_ra = no_router_advertisements(b);
	struct mac mac;

	TRY(there = link_find(tx, &c->host, b->cf.bridge, &b->br));
	if (!there) {
		differ(tx, what, "present", NULL);
		return 0;
	}
	if (!str_eq(b->br.kind, "bridge"))
		differ(tx, what, "a bridge", b->br.kind);
	if (!(b->br.flags & IFF_UP))
		differ(tx, what, "up", "down");
	if (b->cf.promisc && !(b->br.flags & IFF_PROMISC))
		differ(tx, what, "promiscuous", "not promiscuous");
	if (b->cf.vlan_filtering && b->br.bridge.vlan_filtering != 1)
		differ(tx, what, "VLAN filtering on", "off");
	TRY(wanted_mac(tx, c, b, i, &mac));
	if (mac.len)
		iface_check_mac(tx, &b->br, c->prev->ifs[i].mac);
	if (mark_is_any(b->br.alias))
		return sysctl_check(tx, c->host.ns, &no_ra, 1);
	return 0;
}

/* A bridge that is made again gets the MAC that prevResult names. */
int bridge_link_repair(struct tx *tx, struct call *c, struct bridge *b)
{
	int i = result_find_if(c->prev, b->cf.bridge, false);
	struct link_want want = { .up = false };

	b->br_mac = prev_mac(c, i);
	TRY(bridge_link_ensure(tx, c, b));
	TRY(bridge_link_keep_mtu(tx, c, b));
	TRY(wanted_mac(tx, c, b, i, &want.mac));
	return link_ensure(tx, &c->host, &b->br, &want);
}

int bridge_link_gc(struct tx *tx, struct call *c, const char *name)
{
	struct mark mark = mark_of_network(c->network);
	struct link br;
	int there;

	TRY(there = link_find(tx, &c->host, name, &br));
	if (!there || !str_eq(br.kind, "bridge") || !link_is_marked(&br, &mark))
		return 0;
	return bridge_drop(tx, &c->host, &br);
}
