/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bridge_port.h - a link as port of a bridge  (linux/if_bridge.h)
 */
#ifndef CPLUG_BRIDGE_PORT_H
#define CPLUG_BRIDGE_PORT_H

#include "netlink/link.h"

struct bridge_port {
	const struct mark *mark; /* alias of the link, NULL = leave it */
	bool hairpin;
	bool isolated;
	bool up;
};

/* Sets the options of a port that is ours, its alias, and up, in one request. */
int bridge_port_configure(struct tx *tx, struct rt *rt, const struct link *l,
			  const struct bridge_port *p) CHECKED;

/*
 * The same for a port that is there: only if alias or options differ; also learning, flooding,
 * locking and state as a new port has them.  Undo: as they were.  Up is link_ensure()'s.
 */
int bridge_port_ensure(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct bridge_port *p) CHECKED;

/*
 * For CHECK: notes the options that differ from *p, and from what a new port has (learning,
 * flooding, locking, and forwarding if the bridge and both ends are up).  A hairpin mode that is
 * on although p does not want it is fine: a portmap behind the main plugin sets it.
 */
void bridge_port_check(struct tx *tx, const struct link *l, const struct bridge_port *p,
		       bool all_up);

/* VLAN ids as ranges, first <= last, sorted. */
struct vlan_range {
	uint16_t first, last;
};

struct bridge_port_vlans {
	unsigned pvid; /* untagged VLAN of the port; 0 = none of ours */
	const struct vlan_range *trunk;
	unsigned n_trunk;
	bool keep_default; /* leave the bridge's default VLAN on the port */
	unsigned default_pvid;
};

/* Gives a port that is ours its VLANs: at most two requests, however many ids. */
int bridge_port_set_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			  const struct bridge_port_vlans *v) CHECKED;

/* For CHECK: notes a VLAN that is missing, or not untagged. */
int bridge_port_check_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			    const struct bridge_port_vlans *v) CHECKED;

/* Sets the VLANs if one is missing.  No undo: they are the port's own. */
int bridge_port_ensure_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			     const struct bridge_port_vlans *v) CHECKED;

/* The VLANs of a port as text, in the arena: "5 untagged, 10-19, 30"; "none". */
int bridge_port_list_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			   const char **ret) CHECKED;

/*
 * Waits until the port forwards (by netlink events, no sleep), at most timeout_ms.
 * Fails with CNI_E_AGAIN, naming the state it is in.
 */
int bridge_port_wait_forwarding(struct tx *tx, struct rt *rt, const struct link *l,
				int timeout_ms) CHECKED;

/* Has the bridge (by ifindex) a port?  1, 0, or a recorded failure. */
int bridge_port_any(struct tx *tx, struct rt *rt, int bridge) CHECKED;

#endif
