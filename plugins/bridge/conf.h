/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - the configuration of the bridge plugin (docs/config/bridge.md)
 */
#ifndef CPLUG_BRIDGE_CONF_H
#define CPLUG_BRIDGE_CONF_H

#include "cni/conf.h"
#include "netlink/bridge_port.h"
#include "firewall/hostports.h"

enum spoof_mode { SPOOF_OFF, SPOOF_MAC, SPOOF_STRICT };

#define BRIDGE_DEFAULT "cni0"

struct bridge_conf {
	const char *bridge;
	bool is_gateway, default_gateway;
	unsigned gateway_flags;
	struct conf_masq masq;
	int mtu; /* bytes, or MTU_AUTO */
	bool hairpin, promisc, isolated;
	unsigned vlan;
	struct vlan_range *trunk;
	unsigned n_trunk;
	bool vlan_filtering, keep_default_vlan;
	enum spoof_mode spoof;
	bool dad, no_interface;
	const char *host_ifname; /* NULL = derived */
	const char *resolv_conf;
	bool l3; /* there is an IPAM plugin */
	struct result_dns dns;
	struct hostports ports;
	struct mac mac;
};

/* Reads all keys, and fails with all mistakes at once. */
int bridge_read_conf(struct tx *tx, const struct call *c, struct bridge_conf *cf) CHECKED;

#endif
