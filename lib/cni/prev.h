/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * prev.h - what prevResult says about this attachment (CNI spec, section "prevResult")
 *
 * prevResult comes from the runtime, and a plugin that is not cplug's may have made it: indexes,
 * names and MACs are checked here.  c->prev must not be NULL.
 */
#ifndef CPLUG_PREV_H
#define CPLUG_PREV_H

#include "cni/call.h"
#include "netlink/link.h"

/* The interface CNI_IFNAME in a sandbox: its index in prevResult's interfaces; -1 = none. */
int prev_interface(const struct call *c);

/*
 * The first interface on the host that is not the bridge `bridge`, nor its VLAN gateway
 * (BRIDGE.VLAN); -1 = none.
 */
int prev_host_interface(const struct call *c, const char *bridge);

/* MAC and MTU (bytes) of interface i; none and 0 if i is -1, or prevResult does not tell. */
struct mac prev_mac(const struct call *c, int i);
int prev_mtu(const struct call *c, int i);

/*
 * Is an address of prevResult the attachment's?  So is one that names no interface, or none that
 * prevResult lists.
 */
bool prev_is_ours(const struct call *c, const struct result_ip *ip);

/* The first address of each family that is CNI_IFNAME's in a sandbox; none: ip_set() is false. */
void prev_addresses(const struct call *c, struct cidr *ret4, struct cidr *ret6);

/*
 * All addresses in prevResult that a container can have, each once, whichever interface they belong
 * to (as the reference plugin firewall takes them).  In the arena.  PREV_IPS_MAX + 1 if there are
 * more than PREV_IPS_MAX, because the plugins compare each with each.
 */
enum { PREV_IPS_MAX = 256 };
struct ip *prev_all_ips(struct mem *mem, const struct call *c, unsigned *ret_n);

/*
 * The link on the host that lives as long as the attachment: a bridge port, or else the
 * last veth on the host.  (The VLAN gateway is listed as well, and is neither.)  *ret has index 0
 * if there is none.  A link with the mark of another attachment is passed over, and one without a
 * mark whose other end is not in CNI_NETNS, because the author of a configuration can write
 * prevResult.
 */
int prev_host_link(struct tx *tx, struct call *c, struct link *ret) CHECKED;

#endif
