/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * addr.h - addresses of links  (linux/if_addr.h)
 */
#ifndef CPLUG_ADDR_H
#define CPLUG_ADDR_H

#include "value/ip.h"
#include "netlink/link.h"
#include "netlink/rt.h"

enum addr_flags {
	ADDR_DAD = 1 << 0,             /* IPv6: duplicate address detection */
	ADDR_NO_PREFIX_ROUTE = 1 << 1, /* the kernel adds no route to the address's subnet */
};

/*
 * Adds an address to a link that is ours (it goes with the link: no undo).  IPv4
 * prefixes shorter than /31 get a broadcast address.  IPv6 skips duplicate address
 * detection without ADDR_DAD: uniqueness is IPAM's business.
 */
int addr_add(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
	     unsigned flags) CHECKED;

/*
 * Ensures an address on a shared link: exists already = fine, whatever its flags; no undo.
 */
int addr_ensure(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
		unsigned flags) CHECKED;

/* The same; returns 1 if this call added it, 0 if it was there, or a recorded failure. */
int addr_add_missing(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
		     unsigned flags) CHECKED;

/* As addr_ensure(), but undone if this call added it: for an address that takes another's place. */
int addr_ensure_undoable(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

/*
 * Gives an IPv6 address lifetimes in seconds (UINT32_MAX: for ever; valid > 0): it becomes
 * deprecated after preferred, and the kernel removes it after valid.  It keeps its other
 * attributes.  No undo. An address that is not there is success, and so is one that is tentative
 * and stays as it is: a duplicate with a lifetime would be deleted, and not be marked as one.
 */
int addr_set_lifetimes(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a,
		       uint32_t preferred, uint32_t valid) CHECKED;

/* Deletes; gone is success.  Undo: puts it back as it was, with the route to its subnet. */
int addr_del(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

struct addr_list {
	struct cidr *a;
	uint32_t *flags; /* IFA_F_* */
	unsigned n;
};

/* The addresses of a link, of family (AF_UNSPEC: both), in the arena. */
int addr_list(struct tx *tx, struct rt *rt, const struct link *l, int family,
	      struct addr_list *ret) CHECKED;

bool addr_listed(const struct addr_list *list, struct cidr a);

/*
 * Is ip an address of rt's namespace, or covered by a local route there?  Policy rules (ip-rule(8))
 * have no influence, and the number of addresses does not matter.  An address that only links in a
 * VRF have does not count.  Returns 1, 0 or -errno, unrecorded: addr_own.c.
 */
int addr_is_own_try(struct rt *rt, struct ip ip) CHECKED;
/* The same; returns 1, 0, or a recorded failure. */
int addr_is_own(struct tx *tx, struct rt *rt, struct ip ip) CHECKED;

/* ---- addresses to be added again: addr_saved.c ---- */

/* An address as the kernel described it. */
struct addr_message {
	const struct nlmsghdr *h;
	struct cidr addr;
	bool lasting; /* it has no lifetime */
};

struct addr_saved {
	struct addr_message *a;
	unsigned n;
};

/*
 * The addresses of a link, of family (AF_UNSPEC: both), in the arena, without those that the
 * kernel makes itself: IPv6 link-local, and from router advertisements.
 */
int addr_save(struct tx *tx, struct rt *rt, const struct link *l, int family,
	      struct addr_saved *ret) CHECKED;

/*
 * Adds saved addresses to a link, with label, broadcast address, peer, scope, flags and lifetimes;
 * those that exist are fine.  at_once: IPv6 without duplicate address detection.  Continues after
 * failures.  No undo.
 */
int addr_restore(struct tx *tx, struct rt *rt, const struct link *l, const struct addr_saved *saved,
		 bool at_once) CHECKED;

/*
 * Registers as undo that saved addresses are on the link again, at once: for a caller whose next
 * step makes the kernel drop them (another namespace, a VRF as master).
 */
int addr_keep_all(struct tx *tx, struct rt *rt, const struct link *l,
		  const struct addr_saved *saved) CHECKED;

/* A saved address as text (base64), and added to a list from a text; false if it is none. */
const char *addr_encode(struct mem *mem, const struct addr_message *a);
bool addr_decode(struct mem *mem, const char *text, struct addr_saved *s);

#endif
