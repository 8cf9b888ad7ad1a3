/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge.h - the objects that the bridge plugin makes
 *
 * One file for each object, with all its verbs side by side: link.c the bridge itself, veth.c the
 * veth pair and its end as port of the bridge, gateway.c the host's address in the network.
 * bridge.c puts them together.
 */
#ifndef CPLUG_BRIDGE_BRIDGE_H
#define CPLUG_BRIDGE_BRIDGE_H

#include "cni/pair.h"
#include "plugins/bridge/conf.h"

/* One attachment: its configuration, and its links as they are found or made. */
struct bridge {
	struct bridge_conf cf;
	struct pair veth;
	struct link br, vlan_gw;     /* index 0: not there, or not known yet */
	struct mac br_mac, host_mac; /* of what is made anew; none: a random one */
	int host_mtu;                /* of the host end, as prevResult has it; 0: that of cf */
};

/* ---- the bridge: link.c ---- */

/*
 * Ensures that the bridge is there, up, and as configured; never switches promiscuous mode or
 * VLAN filtering off, because another network may want it.  A bridge that this call makes is
 * shared: no undo.  Fails with CPLUG_E_TAKEN if the name belongs to another kind of link.
 */
int bridge_link_ensure(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
/*
 * ADD, when its port is there: reads MTU and MAC of the bridge again, because it takes the least
 * MTU of its ports, unless an administrator has set its own, and the MAC of one that an
 * administrator made may be that of the new port; and what another ADD has taken back
 * (cni/found.h) is ensured.
 */
int bridge_link_look_again(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
/* Has the bridge the mark of this network? */
bool bridge_link_is_own(const struct call *c, const struct bridge *b);
/*
 * A port with an MTU below 1280 turns IPv6 of the bridge off.  When IPv6 came back with that port's
 * end, the kernel's defaults would hold, and the host accept the containers' router advertisements.
 * So a bridge of cplug's keeps such an MTU: one that is set does not follow the ports.
 */
int bridge_link_keep_mtu(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
int bridge_link_check(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
int bridge_link_repair(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
/* GC: deletes a bridge that cplug made for this network and that has no port. */
int bridge_link_gc(struct tx *tx, struct call *c, const char *name) CHECKED;

/* ---- the veth pair and its port: veth.c ---- */

int bridge_veth_add(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
int bridge_veth_check(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
int bridge_veth_repair(struct tx *tx, struct call *c, struct bridge *b) CHECKED;

/* Waits until the port forwards, then announces the container's addresses. */
int bridge_veth_announce(struct tx *tx, struct call *c, struct bridge *b) CHECKED;

/* Makes a link of the host a port of the configured VLAN alone (the VLAN gateway). */
int bridge_veth_join_vlan(struct tx *tx, struct call *c, const struct bridge *b,
			  const struct link *l, const struct mark *mark) CHECKED;

/* ---- the host's side of the network: gateway.c ---- */

/*
 * Ensures the gateway addresses of the result, on the bridge or on the VLAN gateway; fails if a
 * route of the host hides the container, where possible before.  Undone at ADD: addresses, and
 * routes to subnets, that this call added, unless a container that may count on them has come to
 * the bridge by then; and what forceAddress replaced.
 */
int bridge_gateway_ensure(struct tx *tx, struct call *c, struct bridge *b,
			  const struct result *res) CHECKED;
/*
 * forceAddress: fails with CPLUG_E_TAKEN if an address that is in the way on `link` (the bridge or
 * its VLAN gateway) is not this network's to replace.  That is: the bridge has the mark of another
 * network, or has no mark and is an uplink or has ports of another network.  The host may allow it
 * (hostconf.h, replaceAcrossNetworks).
 */
int bridge_force_check(struct tx *tx, struct call *c, const struct bridge *b,
		       const struct link *link, struct cidr address) CHECKED;
/* Has it then compared the host's routes to the addresses that have a gateway? */
bool bridge_gateway_is_routed(const struct bridge *b);
int bridge_gateway_check(struct tx *tx, struct call *c, struct bridge *b) CHECKED;
int bridge_gateway_repair(struct tx *tx, struct call *c, struct bridge *b) CHECKED;

/* The VLAN gateway, BRIDGE.VLAN: the host's veth into a VLAN, shared by its containers. */
const char *bridge_vlan_gateway_name(struct mem *mem, const char *bridge, unsigned vlan);
int bridge_vlan_gateway_ensure(struct tx *tx, struct call *c, struct bridge *b) CHECKED;

/* ---- GC and STATUS: gc.c ---- */

int bridge_gc(struct tx *tx, struct call *c) CHECKED;
int bridge_status(struct tx *tx, struct call *c) CHECKED;

#endif
