// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - CHECK of the bridge plugin: object by object, every difference told
 */
#include "base/differ.h"
#include "netlink/addr.h"
#include "plugins/bridge/work.h"
#include "cni/gateway.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

#include <linux/if_bridge.h>

static int check_bridge(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const char *what = mem_printf(&tx->mem, "bridge %s", w->cf.bridge);
	int there, i = result_find_if(c->prev, w->cf.bridge, false);
	struct sysctl quiet = sysctl_conf(AF_INET6, w->cf.bridge, "accept_ra", "0");

	TRY(there = link_find(tx, &c->host, w->cf.bridge, &w->br));
	if (!there) {
		differ(tx, what, "present", NULL);
		return 0;
	}
	if (!str_eq(w->br.kind, "bridge"))
		differ(tx, what, "a bridge", w->br.kind);
	if (!(w->br.flags & IFF_UP))
		differ(tx, what, "up", "down");
	if (w->cf.promisc && !(w->br.flags & IFF_PROMISC))
		differ(tx, what, "promiscuous", "not promiscuous");
	if (w->cf.vlan_filtering && w->br.vlan_filtering != 1)
		differ(tx, what, "VLAN filtering on", "off");
	if (i >= 0)
		iface_check_mac(tx, &w->br, c->prev->ifs[i].mac);
	/* By a bridge of the administrator's the host may learn its own routes. */
	return str_starts(w->br.alias, "cplug ") ? sysctl_check(tx, NULL, &quiet, 1) : 0;
}

static void check_flag(struct tx *tx, const struct link *l, const char *what, bool want, bool have)
{
	if (want != have)
		differ(tx, mem_printf(&tx->mem, "%s of bridge port %s", what, l->name),
		       want ? "on" : "off", have ? "on" : "off");
}

/* What ADD said, and what it took for granted of a port just made. */
static void check_options(struct tx *tx, const struct bridge_work *w)
{
	const struct link *l = &w->host;
	bool stopped = l->port_state == BR_STATE_DISABLED || l->port_state == BR_STATE_BLOCKING;

	/* On although nobody asked us: a portmap behind us wants it so. */
	if (w->cf.hairpin)
		check_flag(tx, l, "hairpin mode", true, l->hairpin);
	check_flag(tx, l, "isolation", w->cf.isolated, l->isolated);
	check_flag(tx, l, "learning", true, l->learning);
	check_flag(tx, l, "flooding", true, l->flood);
	check_flag(tx, l, "locking", false, l->locked);
	/* Without carrier it cannot forward, and that is told of the link. */
	if (stopped && (l->flags & w->eth.flags & w->br.flags & IFF_UP))
		differ(tx, mem_printf(&tx->mem, "state of bridge port %s", l->name), "forwarding",
		       l->port_state == BR_STATE_DISABLED ? "disabled" : "blocking");
}

/* An attachment that the reference made has another name, and no alias. */
static int check_host_link(struct tx *tx, struct call *c, const struct bridge_work *w)
{
	const char *mark = bridge_alias(tx, c, c->id, c->ifname);
	const struct link *l = &w->host;
	int i = result_find_if(c->prev, l->name, false);
	bool ours = str_eq(l->name, bridge_host_name(w));
	struct sysctl quiet[] = {
		sysctl_conf(AF_INET6, l->name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, l->name, "autoconf", "0"),
	};

	if (!(l->flags & IFF_UP))
		differ(tx, mem_printf(&tx->mem, "interface %s", l->name), "up", "down");
	iface_check_mac(tx, l, i >= 0 ? c->prev->ifs[i].mac : NULL);
	iface_check_mtu(tx, l, i >= 0 && c->prev->ifs[i].mtu > 0 ? c->prev->ifs[i].mtu : w->cf.mtu);
	if (!ours)
		return 0;
	if (!str_eq(l->alias, mark))
		differ(tx, mem_printf(&tx->mem, "alias of %s", l->name), mark, l->alias);
	if (!w->cf.no_interface)
		TRY(iface_check_sysctls(tx, c, &w->eth));
	return sysctl_check(tx, NULL, quiet, ARRAY_LEN(quiet));
}

/* The host end, which is the container end's peer, whoever named it. */
static int check_port(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct bridge_port_vlans vlans = bridge_vlans(w);
	const char *what;
	char text[80];
	int there;

	if (!w->eth.index)
		return 0;
	TRY(there = link_find_index(tx, &c->host, w->eth.peer, &w->host));
	what = mem_printf(&tx->mem, "host end of %s", c->ifname);
	if (!there || !str_eq(w->host.kind, "veth") || w->host.peer != w->eth.index) {
		differ(tx, what, "present", NULL);
		w->host.index = 0;
		return 0;
	}
	if (w->host.master != w->br.index)
		differ(tx, mem_printf(&tx->mem, "master of %s", w->host.name), w->cf.bridge,
		       w->host.master ? "another" : NULL);
	else
		check_options(tx, w);
	TRY(check_host_link(tx, c, w));
	TRY(there = bridge_port_check_vlans(tx, &c->host, &w->host, &vlans, text, sizeof(text)));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "VLANs of bridge port %s", w->host.name),
		       "as configured", text);
	return 0;
}

/* The host must reach the container through the bridge: nobody's route is in the way. */
static int check_way(struct tx *tx, struct call *c, const struct link *to, struct ip ip)
{
	struct link l;
	int index, there;

	TRY(route_to(tx, &c->host, ip, &index));
	if (index == to->index)
		return 0;
	TRY(there = index ? link_find_index(tx, &c->host, index, &l) : 0);
	differ(tx, mem_printf(&tx->mem, "the host's route to %s", IP_S(ip)),
	       mem_printf(&tx->mem, "through %s", to->name),
	       there ? mem_printf(&tx->mem, "through %s", l.name) : NULL);
	return 0;
}

/* A bridge in a VRF is reached from there only. */
static int check_host_routes(struct tx *tx, struct call *c, const struct bridge_work *w,
			     const struct link *to)
{
	static const struct sysctl four = { "net/ipv4/ip_forward", "1" };
	static const struct sysctl six = { "net/ipv6/conf/all/forwarding", "1" };
	bool seen[2] = { false, false };

	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		struct ip ip = c->prev->ips[i].addr.ip;
		bool is6 = ip.family == AF_INET6;

		if (c->prev->ips[i].iface < 0 || !ip_set(c->prev->ips[i].gateway))
			continue;
		if (!seen[is6])
			TRY(sysctl_check(tx, NULL, is6 ? &six : &four, 1));
		seen[is6] = true;
		if ((w->br.flags & IFF_UP) && !w->br.master)
			TRY(check_way(tx, c, to, ip));
	}
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
			differ(tx, mem_printf(&tx->mem, "gateway address of %s", name),
			       CIDR_S(list[i]), NULL);
	return check_host_routes(tx, c, w, &l);
}

int bridge_check(struct tx *tx, struct call *c)
{
	struct bridge_work *w = mem_alloc(&tx->mem, sizeof(*w));
	struct iface_want want = { .kind = "veth" };

	TRY(bridge_read_conf(tx, c, &w->cf));
	want.up = !w->cf.no_interface;
	want.mtu = w->cf.mtu;
	TRY(call_need_prev(tx, c));
	bridge_own(tx, c, w);
	TRY(ipam_check(tx, c));
	TRY(check_bridge(tx, c, w));
	TRY(iface_check(tx, c, &want, &w->eth));
	TRY(check_port(tx, c, w));
	TRY(check_gateways(tx, c, w));
	bridge_note_addresses(tx, w, c->prev);
	if (w->host.index)
		TRY(bridge_spoof_step(tx, c, w));
	TRY(w->cf.l3 ? bridge_nat_step(tx, c, w, c->prev) : 0);
	TRY(bridge_resolv_step(tx, c, w, c->prev));
	return 0;
}
