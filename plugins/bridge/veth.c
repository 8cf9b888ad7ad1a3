// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * veth.c - the veth pair, and its end on the host as a port of the bridge
 */
#include "base/differ.h"
#include "cni/iface.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "netlink/bridge_port.h"
#include "plugins/bridge/bridge.h"

enum { FORWARDING_TIMEOUT_MS = 5000 };

/* ---- description -------------------------------------------------------- */

static struct pair_want pair_of(const struct bridge *b)
{
	return (struct pair_want){
		.host_name = b->cf.host_ifname,
		.mtu = b->cf.mtu,
		.host_mtu = b->host_mtu,
		.master = b->br.index,
		.mac = b->cf.mac,
		.host_mac = b->host_mac,
	};
}

static struct bridge_port port_of(struct tx *tx, struct call *c, const struct bridge *b)
{
	return (struct bridge_port){
		.mark = call_mark(tx, c),
		.hairpin = b->cf.hairpin,
		.isolated = b->cf.isolated,
	};
}

static struct bridge_port_vlans vlans_of(const struct bridge *b)
{
	return (struct bridge_port_vlans){
		.pvid = b->cf.vlan,
		.trunk = b->cf.trunk,
		.n_trunk = b->cf.n_trunk,
		.keep_default = b->cf.keep_default_vlan,
		.default_pvid = (unsigned)b->br.bridge.default_pvid,
	};
}

/* ---- ADD ---------------------------------------------------------------- */

/* Everything that the port needs before it comes up, and up. */
int bridge_veth_add(struct tx *tx, struct call *c, struct bridge *b)
{
	struct pair_want w = pair_of(b);
	struct bridge_port p = port_of(tx, c, b);
	struct bridge_port_vlans vlans;

	TRY(pair_add(tx, c, &w, &b->veth));
	vlans = vlans_of(b);
	p.up = true;
	TRY(step_quiet(tx, c, &c->host, &b->veth.host));
	TRY(link_set_no_ipv6(tx, &c->host, &b->veth.host, p.mark));
	TRY(bridge_port_set_vlans(tx, &c->host, &b->veth.host, &vlans));
	/* Alias and options would be announced as a change of a link that is up. */
	if (str_eq(b->veth.host.alias, p.mark->s))
		p.mark = NULL;
	if (!p.mark && !p.hairpin && !p.isolated)
		return link_set_up(tx, &c->host, &b->veth.host);
	return bridge_port_configure(tx, &c->host, &b->veth.host, &p);
}

int bridge_veth_announce(struct tx *tx, struct call *c, struct bridge *b)
{
	if (b->cf.no_interface)
		return 0;
	TRY(bridge_port_wait_forwarding(tx, &c->host, &b->veth.host, FORWARDING_TIMEOUT_MS));
	return link_announce(tx, &c->cont, &b->veth.eth);
}

int bridge_veth_join_vlan(struct tx *tx, struct call *c, const struct bridge *b,
			  const struct link *l, const struct mark *mark)
{
	struct bridge_port_vlans vlans = {
		.pvid = b->cf.vlan,
		.keep_default = b->cf.keep_default_vlan,
		.default_pvid = (unsigned)b->br.bridge.default_pvid,
	};
	struct bridge_port p = { .mark = mark, .up = true };

	TRY(bridge_port_set_vlans(tx, &c->host, l, &vlans));
	return bridge_port_configure(tx, &c->host, l, &p);
}

/* ---- CHECK -------------------------------------------------------------- */

int bridge_veth_check(struct tx *tx, struct call *c, struct bridge *b)
{
	struct bridge_port_vlans vlans = vlans_of(b);
	struct pair_want w = pair_of(b);
	struct bridge_port p = port_of(tx, c, b);
	bool all_up;
	int there;

	if (!b->veth.eth.index)
		return 0;
	TRY(there = pair_find(tx, c, b->cf.host_ifname, b->cf.bridge, &b->veth));
	if (!there) {
		differ(tx, mem_printf(&tx->mem, "host end of %s", c->ifname), "present", NULL);
		b->veth.host.index = 0;
		return 0;
	}
	all_up = b->veth.host.flags & b->veth.eth.flags & b->br.flags & IFF_UP;
	if (b->veth.host.master == b->br.index)
		bridge_port_check(tx, &b->veth.host, &p, all_up);
	else
		differ(tx, mem_printf(&tx->mem, "master of %s", b->veth.host.name), b->cf.bridge,
		       b->veth.host.master ? "another" : NULL);
	TRY(pair_check(tx, c, &w, &b->veth));
	return bridge_port_check_vlans(tx, &c->host, &b->veth.host, &vlans);
}

/* ---- repair ------------------------------------------------------------- */

/* VLANs that are right again stay if a later step fails: they are the port's own. */
static int put_right(struct tx *tx, struct call *c, struct bridge *b)
{
	struct link_want want = {
		.master = b->br.index,
		.up = true,
		.mac = b->host_mac,
		.mtu = b->host_mtu,
	};
	struct bridge_port p = port_of(tx, c, b);
	struct bridge_port_vlans vlans = vlans_of(b);
	bool moved = b->veth.host.master != b->br.index;

	/* A portmap behind this plugin may have switched it on. */
	p.hairpin |= b->veth.host.port.hairpin > 0;
	TRY(link_ensure(tx, &c->host, &b->veth.host, &want));
	/* The kernel gives a port that moves to a bridge the options of a new one. */
	if (moved)
		b->veth.host.port.hairpin = b->veth.host.port.isolated = 0;
	TRY(bridge_port_ensure(tx, &c->host, &b->veth.host, &p));
	TRY(step_quiet(tx, c, &c->host, &b->veth.host));
	return bridge_port_ensure_vlans(tx, &c->host, &b->veth.host, &vlans);
}

int bridge_veth_repair(struct tx *tx, struct call *c, struct bridge *b)
{
	struct pair_want w = pair_of(b);
	int there;

	TRY(pair_recall(tx, c, b->cf.bridge, &w));
	b->cf.host_ifname = w.host_name;
	b->cf.mac = w.mac;
	b->cf.mtu = w.mtu;
	b->host_mac = w.host_mac;
	b->host_mtu = w.host_mtu;
	TRY(there = pair_recover(tx, c, &w, b->cf.bridge, &b->veth));
	if (there)
		return put_right(tx, c, b);
	return bridge_veth_add(tx, c, b);
}
