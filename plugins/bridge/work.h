/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * work.h - what the verbs of the bridge plugin share
 */
#ifndef CPLUG_BRIDGE_WORK_H
#define CPLUG_BRIDGE_WORK_H

#include "plugins/bridge/conf.h"
#include "firewall/owned.h"
#include "netlink/bridge_port.h"

/* What the steps of one verb share. */
struct bridge_work {
	struct bridge_conf cf;
	struct owner owner;
	struct link br, host, eth, vlan_gw;
	struct mac br_mac, host_mac; /* wanted, of what is made anew; none: a random one */
	struct cidr *addrs;
	unsigned n_addrs;
};

/* "NETWORK/ID/IFNAME", as the files and links we make are marked. */
const char *bridge_owner_name(struct tx *tx, const struct call *c, const char *id,
			      const char *ifname);

/* The ifalias of an attachment's host link; with id NULL, of a bridge that we made. */
const char *bridge_alias(struct tx *tx, const struct call *c, const char *id, const char *ifname);

/* The host link's name: as configured, or derived. */
const char *bridge_host_name(const struct bridge_work *w);
void bridge_own(struct tx *tx, const struct call *c, struct bridge_work *w);

/* DEL and GC go on with the default of an option that is wrong. */
int bridge_excuse_options(struct tx *tx, const struct call *c) CHECKED;

struct bridge_port_vlans bridge_vlans(const struct bridge_work *w);
void bridge_note_addresses(struct tx *tx, struct bridge_work *w, const struct result *res);

/* Steps of ADD that a repair takes, too. */
int bridge_link_ensure(struct tx *tx, struct call *c, struct bridge_work *w) CHECKED;
int bridge_veth_add(struct tx *tx, struct call *c, struct bridge_work *w) CHECKED;
int bridge_port_attach(struct tx *tx, struct call *c, struct bridge_work *w) CHECKED;
int bridge_gateways_ensure(struct tx *tx, struct call *c, struct bridge_work *w,
			   const struct result *res) CHECKED;
int bridge_check_route(struct tx *tx, struct call *c, const struct bridge_work *w,
		       const struct result *res) CHECKED;
int bridge_vlan_gateway_ensure(struct tx *tx, struct call *c, struct bridge_work *w) CHECKED;

/* Steps that ADD does, CHECK compares and a repair puts right, from one description. */
int bridge_spoof_step(struct tx *tx, struct call *c, struct bridge_work *w) CHECKED;
int bridge_nat_step(struct tx *tx, struct call *c, struct bridge_work *w,
		    const struct result *res) CHECKED;
int bridge_resolv_step(struct tx *tx, struct call *c, const struct bridge_work *w,
		       const struct result *res) CHECKED;

/* The verbs that have files of their own. */
int bridge_check(struct tx *tx, struct call *c) CHECKED;
int bridge_repair(struct tx *tx, struct call *c) CHECKED;
int bridge_gc(struct tx *tx, struct call *c) CHECKED;
int bridge_status(struct tx *tx, struct call *c) CHECKED;

#endif
