/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * layer3.h - the addresses and routes of a link, which the kernel drops with some changes
 *
 * A link that is set down loses its routes and its IPv6 addresses; one whose disable_ipv6 becomes
 * 1, or whose MTU falls below LAYER3_MTU6, its IPv6 routes and addresses; one that moves to another
 * namespace, all.
 */
#ifndef CPLUG_LAYER3_H
#define CPLUG_LAYER3_H

#include "netlink/addr.h"
#include "netlink/route.h"
#include "value/cj.h"
#include "value/jw.h"

enum { LAYER3_MTU6 = 1280 }; /* bytes; RFC 8200, section 5 */

struct layer3 {
	struct addr_saved addrs;
	struct route_list routes;
};

/*
 * The addresses of a link, of family (AF_UNSPEC: both), in the arena, without those that the kernel
 * makes itself (addr_save()), and its routes (route_list_own()).
 */
int layer3_save(struct tx *tx, struct rt *rt, const struct link *l, int family,
		struct layer3 *ret) CHECKED;

/*
 * Adds to a link what was saved; what exists is fine.  IPv6 addresses are usable at once. Continues
 * after failures.  No undo.
 */
int layer3_restore(struct tx *tx, struct rt *rt, const struct link *l,
		   const struct layer3 *s) CHECKED;

/*
 * A document's lists "addresses" (those that have no lifetime) and "routes": the kernel's own
 * messages in base64, because no other form has all their attributes, and beside them a text for
 * people.  Complaints of the reader go to the document.
 */
void layer3_write(struct mem *mem, struct jw *w, const struct layer3 *s);
void layer3_read(struct mem *mem, const struct cj *j, struct layer3 *ret);

/* Is called before a link is set down, with what it will lose. */
typedef int layer3_note_fn(struct tx *tx, const struct link *l, const struct layer3 *s, void *arg);

/*
 * link_ensure(), also for a device that refuses a new MAC while it is up (-EBUSY): that one is set
 * down, changed, and set up, and gets its addresses and routes again.  note may be NULL.
 * Undo: the link is up, and has them; and that of link_ensure().
 */
int layer3_ensure_link(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *want,
		       layer3_note_fn *note, void *arg) CHECKED;

#endif
