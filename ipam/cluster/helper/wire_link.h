/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire_link.h - the device of the wire, and its static entries  (linux/if_link.h,
 * linux/neighbour.h)
 */
#ifndef CPLUG_CLUSTER_HELPER_WIRE_LINK_H
#define CPLUG_CLUSTER_HELPER_WIRE_LINK_H

#include "value/name.h"
#include "netlink/link.h"

enum { WIRE_ADDRESSES_MAX = 2 };

struct wire_node {
	const char *node;
	const char *instance; /* of its machine; "": not known */
	int64_t since;        /* the revision of etcd that has it */
	const char *key;      /* by which wire.c sorts */
	struct ip local;      /* of the other network, to which packets are sent */
	struct mac mac;       /* of the device */
	unsigned vni, port;
	struct cidr addresses[WIRE_ADDRESSES_MAX];
	unsigned n;
};

/* Before anything is changed: has this machine the local address, and is the name free or ours? */
int wire_link_check(struct tx *tx, const struct wire_node *me) CHECKED;

/*
 * Makes the device, or takes the one that is there if it is the same; its addresses are those of
 * me.  Puts the entries of all nodes, which are others, and removes what else is there.  An entry
 * that the kernel refuses does not stop the others; the first such failure is returned.
 */
int wire_link_make(struct tx *tx, const struct wire_node *me, const struct wire_node *nodes,
		   unsigned n) CHECKED;

/* Removes the device, and with it addresses, entries and routes; gone is success. */
int wire_link_remove(struct tx *tx) CHECKED;

#endif
