/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bridge.h - bridges that no container uses any more */
#ifndef CPLUG_BRIDGE_H
#define CPLUG_BRIDGE_H

#include "netlink/link.h"

/*
 * Has a bridge (by ifindex) a port beside the link `own` (ifindex; 0 = none) and the ports of VLAN
 * gateways, which have a network's mark?  1, 0, or a recorded failure.
 */
int bridge_used(struct tx *tx, struct rt *rt, int bridge, int own) CHECKED;

/* Deletes a bridge and its VLAN gateways, unless it is used; gone is success.  No undo. */
int bridge_drop(struct tx *tx, struct rt *rt, const struct link *br) CHECKED;

#endif
