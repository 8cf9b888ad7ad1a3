/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * found.h - a bridge or VRF that was there before an ADD changed it
 */
#ifndef CPLUG_FOUND_H
#define CPLUG_FOUND_H

#include "cni/call.h"
#include "netlink/link.h"

/*
 * link_ensure() for a bridge or VRF that was there, in rt's namespace, with *w shared.  Undo of
 * ADD: as it was found, unless a port other than *own has come to it by then, or a VRF or bridge
 * that was down needs to be up for its addresses, or has a mark (found.c).  *own is the call's port
 * (index 0: not made yet), and has to last as long as tx.  A repair has no undo, because other
 * attachments need what it puts right.
 */
int found_ensure(struct tx *tx, const struct call *c, struct rt *rt, struct link *l,
		 const struct link_want *w, const struct link *own) CHECKED;

#endif
