// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * repair.c - what CHECK of the bridge plugin found, put right
 *
 * The steps of an ADD for an attachment that lives: what is there stays and is only
 * brought to what prevResult says, so no connection breaks; what is gone is made again
 * under its old name and MAC.
 */
#include "netlink/addr.h"
#include "plugins/bridge/work.h"
#include "cni/gateway.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

enum { FORWARDING_TIMEOUT_MS = 5000 };

static struct mac mac_of(const struct result *r, int i)
{
	struct mac mac = { .len = 0 };

	return i >= 0 && r->ifs[i].mac && mac_parse(r->ifs[i].mac, &mac) ? mac
									 : (struct mac){ .len = 0 };
}

/* The host end as prevResult lists it: on the host, and not the bridge or its VLAN leg. */
static int host_end_in(const struct result *r, const char *bridge)
{
	size_t n = strlen(bridge);

	for (unsigned i = 0; i < r->n_ifs; i++) {
		const char *name = r->ifs[i].name;

		if (str_empty(r->ifs[i].sandbox) && !str_empty(name) &&
		    !(str_starts(name, bridge) && (!name[n] || name[n] == '.')))
			return (int)i;
	}
	return -1;
}

/* Names and MACs as they were, for whatever must be made again. */
static int recall(struct tx *tx, const struct call *c, struct bridge_work *w)
{
	const struct result *r = c->prev;
	int host = host_end_in(r, w->cf.bridge), eth = result_find_if(r, c->ifname, true);

	w->br_mac = mac_of(r, result_find_if(r, w->cf.bridge, false));
	w->host_mac = mac_of(r, host);
	if (mac_of(r, eth).len)
		w->cf.mac = mac_of(r, eth);
	if (eth >= 0 && r->ifs[eth].mtu > 0 && r->ifs[eth].mtu <= UINT16_MAX)
		w->cf.mtu = (int)r->ifs[eth].mtu;
	if (host < 0)
		return 0;
	if (name_invalid_ifname(r->ifs[host].name))
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: interfaces[%d].name: %s: \"%.40s\"", host,
				  name_invalid_ifname(r->ifs[host].name), r->ifs[host].name);
	w->cf.host_ifname = r->ifs[host].name;
	return 0;
}

static int bridge_ensure(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct link_want want = { .mac = w->br_mac };

	TRY(bridge_link_ensure(tx, c, w));
	return link_ensure(tx, &c->host, &w->br, &want);
}

/* The container's end is the one that counts: 1 if the pair is there, 0 if it is gone. */
static int veth_find(struct tx *tx, struct call *c, struct bridge_work *w)
{
	int there;

	TRY(there = link_find(tx, &c->cont, c->ifname, &w->eth));
	if (!there)
		return 0;
	if (!str_eq(w->eth.kind, "veth"))
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s is not a veth pair's end any more%s%s "
				  "(remove it, and repair again)",
				  c->ifname, *w->eth.kind ? " but a " : "", w->eth.kind);
	TRY(there = link_find_index(tx, &c->host, w->eth.peer, &w->host));
	if (there && str_eq(w->host.kind, "veth") && w->host.peer == w->eth.index)
		return 1;
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s: its other end is not on this host (remove it, "
			  "and repair again)",
			  c->ifname);
}

/* VLANs that are right again stay so if a later step fails: they are the port's own. */
static int port_put_right(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct link_want want = { .master = w->br.index, .up = true };
	struct bridge_port p = {
		.alias = bridge_alias(tx, c, c->id, c->ifname),
		.hairpin = w->cf.hairpin || w->host.hairpin > 0, /* as a portmap wants it */
		.isolated = w->cf.isolated,
	};
	struct sysctl quiet[] = {
		sysctl_conf(AF_INET6, w->host.name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, w->host.name, "autoconf", "0"),
	};
	struct bridge_port_vlans vlans = bridge_vlans(w);
	bool moved = w->host.master != w->br.index;
	int at = host_end_in(c->prev, w->cf.bridge);
	char text[80];
	int right;

	want.mac = w->host_mac;
	if (at >= 0 && c->prev->ifs[at].mtu > 0 && c->prev->ifs[at].mtu <= UINT16_MAX)
		want.mtu = (int)c->prev->ifs[at].mtu;

	TRY(link_ensure(tx, &c->host, &w->host, &want));
	/* As a new port has them. */
	if (moved)
		w->host.hairpin = w->host.isolated = 0;
	TRY(bridge_port_ensure(tx, &c->host, &w->host, &p));
	TRY(sysctl_ensure(tx, NULL, quiet, ARRAY_LEN(quiet), NULL));
	TRY(right = bridge_port_check_vlans(tx, &c->host, &w->host, &vlans, text, sizeof(text)));
	return right ? 0 : bridge_port_set_vlans(tx, &c->host, &w->host, &vlans);
}

static int veth_ensure(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct link_want want = { .mac = w->cf.mac };
	int there;

	TRY(there = veth_find(tx, c, w));
	if (there) {
		/* The spoof guard is going to know it. */
		TRY(link_ensure(tx, &c->cont, &w->eth, &want));
		return port_put_right(tx, c, w);
	}
	TRY(there = link_find(tx, &c->host, bridge_host_name(w), &w->host));
	if (there && str_eq(w->host.alias, bridge_alias(tx, c, c->id, c->ifname)))
		return tx_fail_as(
			tx, CPLUG_E_EXISTS, -EEXIST,
			"container: there is no interface %s, but its other end %s is there: "
			"it was renamed, or moved away (rename it back, or DEL and ADD)",
			c->ifname, w->host.name);
	TRY(bridge_veth_add(tx, c, w));
	return bridge_port_attach(tx, c, w);
}

static int layer3(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const struct link *to = w->cf.vlan ? &w->vlan_gw : &w->br;
	struct cidr *list;
	unsigned n;

	if (w->cf.is_gateway && w->cf.vlan)
		TRY(bridge_vlan_gateway_ensure(tx, c, w));
	bridge_note_addresses(tx, w, c->prev);
	TRY(bridge_gateways_ensure(tx, c, w, c->prev));
	/* A bridge in a VRF has them elsewhere. */
	n = w->cf.is_gateway && !w->br.master ? gateway_list(tx, c->prev, &list) : 0;
	for (unsigned i = 0; i < n; i++)
		if (list[i].len < ip_bits(list[i].ip))
			TRY(route_add_connected(tx, &c->host, to, list[i]));
	return bridge_check_route(tx, c, w, c->prev);
}

int bridge_repair(struct tx *tx, struct call *c)
{
	struct bridge_work *w = mem_alloc(&tx->mem, sizeof(*w));
	struct iface_options o;

	TRY(bridge_read_conf(tx, c, &w->cf));
	TRY(call_need_prev(tx, c));
	bridge_own(tx, c, w);
	TRY(recall(tx, c, w));
	TRY(ipam_repair(tx, c));
	TRY(bridge_ensure(tx, c, w));
	TRY(veth_ensure(tx, c, w));
	TRY(w->cf.l3 ? layer3(tx, c, w) : 0);
	TRY(bridge_spoof_step(tx, c, w));
	o = (struct iface_options){ .dad = w->cf.dad || !w->cf.l3, .accept_ra = !w->cf.l3 };
	TRY(w->cf.no_interface ? 0 : iface_ensure(tx, c, &w->eth, c->prev, &o));
	TRY(w->cf.l3 ? bridge_nat_step(tx, c, w, c->prev) : 0);
	TRY(bridge_resolv_step(tx, c, w, c->prev));
	if (w->cf.no_interface)
		return 0;
	TRY(bridge_port_wait_forwarding(tx, &c->host, &w->host, FORWARDING_TIMEOUT_MS));
	return link_announce(tx, &c->cont, &w->eth);
}
