/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_move.h - links that exist: moved to another namespace and renamed, with the way back
 *
 * For devices that are not made in place (house rule R9), because they exist before the
 * attachment: host-device.  The kernel takes a link's addresses, routes and master away when it
 * moves, and sets it down.
 */
#ifndef CPLUG_LINK_MOVE_H
#define CPLUG_LINK_MOVE_H

#include "netlink/link.h"

struct link_saved;

struct link_move {
	struct rt *to;     /* of the other namespace */
	const char *name;  /* there; NULL = as it is */
	const char *alias; /* there; "" = none, NULL = as it is */
	int index;         /* ifindex there, if it is free; 0 = the kernel's choice */
	bool for_good;     /* no undo: for DEL */
	/*
	 * The link as it is (strings in the arena): the undo deletes another one that the container
	 * has put in its place, and fails.  NULL: the name and the MAC are believed.
	 */
	const struct link_saved *saved;
};

/*
 * Moves a link from rt's namespace to another; *ret is the link there, which is down.
 * The name in the process's own namespace, where udev and network managers watch, is final at
 * once: a link is renamed in the other namespace, before it leaves or after it has arrived.
 * A name that is in use there fails with CPLUG_E_EXISTS (container) or CPLUG_E_TAKEN (host).
 *
 * Undo (unless for_good): moves it back, with the name, alias, ifindex and master of *l, and up if
 * *l was.  Its addresses and routes do not come back by that: see addr_keep_all() and
 * route_keep_all(), which are called before.
 */
int link_move(struct tx *tx, struct rt *rt, const struct link *l, const struct link_move *m,
	      struct link *ret) CHECKED;

/*
 * Renames a link; l->name follows.  Kernels before 6.2 refuse it for a link that is up (-EBUSY,
 * recorded).  Undo: the old name.
 */
int link_rename(struct tx *tx, struct rt *rt, struct link *l, const char *name) CHECKED;

#endif
