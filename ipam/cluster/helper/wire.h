/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - a wire of VXLAN between nodes that do not share a link
 *
 *	PREFIX/wire/10.41.0.1    who has this address of the wire, and where:
 *	                         {"version":1,"node":"n1","local":"192.0.2.11","mac":"…","vni":76,
 *	                         "port":4789,"addresses":["10.41.0.1/24"],"instance":"…"}
 *
 * join makes the device cplug-vxlan, with this node's address, and static entries for each other
 * node: its MAC is at its local address (FDB), its addresses have its MAC (neighbours).  So the
 * device learns and floods nothing.  Blocks are no matter of the wire: a routing daemon exchanges
 * their routes over it, as over any link, so join need be repeated only when a node joins or
 * leaves.  A value that cannot be true is left out, with a warning.
 */
#ifndef CPLUG_CLUSTER_HELPER_WIRE_H
#define CPLUG_CLUSTER_HELPER_WIRE_H

#include "ipam/cluster/helper/blocks.h"
#include "ipam/cluster/helper/wire_link.h"

/*
 * Tells etcd where this node is, makes the device, and the entries for all other nodes.  me: mac is
 * filled in.  Adds a value for each other node to a list.  Fails with CPLUG_E_TAKEN if another node
 * has one of the addresses, another machine the node's name, or another link the device's.
 */
int wire_join(struct blocks *b, struct wire_node *me, json_t *ret_peers) CHECKED;

/*
 * Removes the keys of a node that is gone for good, so that its addresses are free and the next
 * join of the others removes their entries for it; what is gone is success.
 */
int wire_forget(struct blocks *b, const char *node) CHECKED;

/*
 * Removes the device and this node's keys; what is gone is success.  Fails with CPLUG_E_TAKEN if
 * another machine has the node's name.
 */
int wire_leave(struct blocks *b) CHECKED;

#endif
