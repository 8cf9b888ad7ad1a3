// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge_check.c - CHECK of the bridge plugin: object by object, every difference told
 */
#include "addr.h"
#include "bridge_work.h"
#include "gateway.h"
#include "iface.h"
#include "ipam.h"

static int check_bridge(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const char *what = mem_printf(&tx->mem, "bridge %s", w->cf.bridge);
	int there, i = result_find_if(c->prev, w->cf.bridge, false);
	struct mac mac;

	TRY(there = link_find(tx, &c->host, w->cf.bridge, &w->br));
	if (!there) {
		iface_differs(tx, what, "present", NULL);
		return 0;
	}
	if (!str_eq(w->br.kind, "bridge"))
		iface_differs(tx, what, "a bridge", w->br.kind);
	if (!(w->br.flags & IFF_UP))
		iface_differs(tx, what, "up", "down");
	if (w->cf.promisc && !(w->br.flags & IFF_PROMISC))
		iface_differs(tx, what, "promiscuous", "not promiscuous");
	if (w->cf.vlan_filtering && w->br.vlan_filtering != 1)
		iface_differs(tx, what, "VLAN filtering on", "off");
	if (i >= 0 && c->prev->ifs[i].mac && mac_parse(c->prev->ifs[i].mac, &mac) &&
	    !mac_eq(mac, w->br.mac))
		iface_differs(tx, mem_printf(&tx->mem, "MAC of %s", w->cf.bridge), MAC_S(mac),
			      MAC_S(w->br.mac));
	return 0;
}

static void check_flag(struct tx *tx, const struct link *l, const char *what, bool want, bool have)
{
	if (want != have)
		iface_differs(tx, mem_printf(&tx->mem, "%s of bridge port %s", what, l->name),
			      want ? "on" : "off", have ? "on" : "off");
}

/* The host end, which is the container end's peer, whoever named it. */
static int check_port(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct port_vlans vlans = bridge_vlans(w);
	const char *what;
	char text[80];
	int there;

	if (!w->eth.index)
		return 0;
	TRY(there = link_find_index(tx, &c->host, w->eth.peer, &w->host));
	what = mem_printf(&tx->mem, "host end of %s", c->ifname);
	if (!there || !str_eq(w->host.kind, "veth") || w->host.peer != w->eth.index) {
		iface_differs(tx, what, "present", NULL);
		w->host.index = 0;
		return 0;
	}
	if (w->host.master != w->br.index)
		iface_differs(tx, what, w->cf.bridge, "not a port of it");
	if (!(w->host.flags & IFF_UP))
		iface_differs(tx, what, "up", "down");
	check_flag(tx, &w->host, "hairpin mode", w->cf.hairpin, w->host.hairpin);
	check_flag(tx, &w->host, "isolation", w->cf.isolated, w->host.isolated);
	TRY(there = port_check_vlans(tx, &c->host, &w->host, &vlans, text, sizeof(text)));
	if (!there)
		iface_differs(tx, mem_printf(&tx->mem, "VLANs of bridge port %s", w->host.name),
			      "as configured", text);
	return 0;
}

static int check_gateways(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const char *name =
		w->cf.vlan ? mem_printf(&tx->mem, "%s.%u", w->cf.bridge, w->cf.vlan) : w->cf.bridge;
	struct addr_list have;
	struct cidr *list;
	struct link l;
	unsigned n;
	int there;

	if (!w->cf.is_gateway)
		return 0;
	TRY(there = link_find(tx, &c->host, name, &l));
	if (!there)
		return 0;
	if (w->cf.vlan)
		w->vlan_gw = l;
	TRY(addr_list(tx, &c->host, &l, AF_UNSPEC, &have));
	n = gateway_list(tx, c->prev, &list);
	for (unsigned i = 0; i < n; i++)
		if (!addr_listed(&have, list[i]))
			iface_differs(tx, mem_printf(&tx->mem, "gateway address of %s", name),
				      CIDR_S(list[i]), NULL);
	return 0;
}

int bridge_check(struct tx *tx, struct call *c)
{
	struct bridge_work *w = mem_alloc(&tx->mem, sizeof(*w));

	TRY(bridge_read_conf(tx, c, &w->cf));
	TRY(call_need_prev(tx, c));
	bridge_own(tx, c, w);
	TRY(ipam_check(tx, c));
	TRY(check_bridge(tx, c, w));
	TRY(iface_check(tx, c, "veth", !w->cf.no_interface, &w->eth));
	TRY(check_port(tx, c, w));
	TRY(check_gateways(tx, c, w));
	bridge_note_addresses(tx, w, c->prev);
	if (w->host.index)
		TRY(bridge_spoof_step(tx, c, w));
	TRY(w->cf.l3 ? bridge_nat_step(tx, c, w, c->prev) : 0);
	TRY(bridge_resolv_step(tx, c, w, c->prev));
	return iface_check_done(tx);
}
