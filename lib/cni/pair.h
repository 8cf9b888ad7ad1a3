/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * pair.h - the pair of links of an attachment: an end on the host, and CNI_IFNAME in the container
 *
 * The host end is found from the host alone, by its name and mark.  What the container's
 * namespace says about it is a hint, because the container can choose ifindexes and names there;
 * the peer relation is verified from the host's side (link_is_pair()).
 */
#ifndef CPLUG_PAIR_H
#define CPLUG_PAIR_H

#include "cni/call.h"
#include "netlink/link.h"

/* What is configured; 0, NULL and a MAC without bytes: not. */
struct pair_want {
	const char *kind;         /* "netkit": links without MAC; NULL: "veth" */
	const char *host_name;    /* NULL: the name that derives from the attachment */
	int mtu;                  /* bytes; of both ends */
	int host_mtu;             /* of the host end, if tuning has changed the other one; 0: mtu */
	int master;               /* ifindex on the host: the host end becomes its port */
	struct mac mac, host_mac; /* of the container's end, and of the host's; none: random */
};

struct pair {
	struct link host, eth; /* index 0: not there, or not known yet */
};

/* The host end's name: as configured, or derived from the attachment. */
const char *pair_host_name(struct tx *tx, struct call *c, const char *configured);

/* The MTU that the host end is to have. */
static inline int pair_host_mtu(const struct pair_want *w)
{
	return w->host_mtu ? w->host_mtu : w->mtu;
}

/* Makes the pair in place; both ends are down.  Undo: deletes it. */
int pair_add(struct tx *tx, struct call *c, const struct pair_want *w, struct pair *ret) CHECKED;

/*
 * ADD and repair, before the host's end comes up, which routes for the addresses of *res: it has an
 * IPv6 address of its own, usable at once (link_set_no_dad()), if one of them is an IPv6 address.
 * Otherwise it needs none (link_set_no_ipv6(), which also sets the mark); a repair of a result that
 * got its first IPv6 address later makes the kernel give it one.
 */
int pair_give_ipv6(struct tx *tx, struct call *c, struct link *host,
		   const struct result *res) CHECKED;

/*
 * Finds the host end of p->eth: the other end of it, under the name that ADD gave it, or under the
 * one that prevResult lists (the reference's is random; bridge: see prev_host_interface(), "" if
 * there is none).  1 and p->host, 0, or a recorded failure.
 */
int pair_find(struct tx *tx, struct call *c, const char *host_name, const char *bridge,
	      struct pair *p) CHECKED;

/* The host end by its name and mark, whether or not there is a container's end. */
int pair_find_marked(struct tx *tx, struct call *c, const char *host_name,
		     struct link *ret) CHECKED;

/* CHECK: notes how the ends differ from prevResult and from what ADD made.  p->host is there. */
int pair_check(struct tx *tx, struct call *c, const struct pair_want *w,
	       const struct pair *p) CHECKED;

/* For a repair: names, MACs and MTUs as prevResult lists them. */
int pair_recall(struct tx *tx, const struct call *c, const char *bridge,
		struct pair_want *w) CHECKED;

/*
 * For a repair: finds the pair, with the container's MAC as wanted.  1; 0 = there is neither end,
 * make it again; a failure if another interface has the name, or only one end is there.
 */
int pair_recover(struct tx *tx, struct call *c, const struct pair_want *w, const char *bridge,
		 struct pair *p) CHECKED;

/*
 * DEL: deletes the pair.  One without our mark is the reference's if prevResult names its MAC, or,
 * without prevResult, if its host end is a port of `bridge` (NULL: no such rule).
 */
int pair_remove(struct tx *tx, struct call *c, const char *host_name, const char *bridge) CHECKED;

#endif
