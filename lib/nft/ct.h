/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct.h - connection tracking: forget the flows of a mapping
 *
 * A published port's DNAT verdict is cached in the flow, so a flow that began
 * before ADD, or outlives DEL, goes to the wrong place (UDP first of all).
 * (linux/netfilter/nfnetlink_conntrack.h)
 */
#ifndef CPLUG_CT_H
#define CPLUG_CT_H

#include "value/ip.h"
#include "nft/nfnl.h"

/* A flow of original direction: protocol, destination port, destination address. */
struct ct_filter {
	uint8_t proto;                  /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t port_first, port_last; /* original destination port */
	struct ip dst;                  /* original destination; no address = any */
	struct ip reply_src;            /* the container's address; no address = any */
};

/*
 * Deletes every tracked flow that matches one of n filters, of the family
 * (AF_INET or AF_INET6).  One dump, filtered by the kernel where it can; an absent
 * conntrack is success.  nl must be of the process's own namespace.
 *
 * For DEL: reply_src = the container; every flow of the port that leads there.
 *
 * For ADD: reply_src unset; flows of the port whatever they lead to, except those
 * that already lead to keep (the new owner), those to other hosts (if dst is unset,
 * only flows to addresses of this host match), and
 * established TCP and SCTP connections with the host itself.
 *
 * Returns 0 or -errno, unrecorded; *ret_deleted counts (may be NULL).
 */
int ct_flush(struct nfnl *nl, int family, const struct ct_filter *f, unsigned n, struct ip keep,
	     unsigned *ret_deleted) CHECKED;

/*
 * Could a tracked flow match one of the filters?  A quick look, without a dump: true where
 * it cannot be told, or would take long.
 */
bool ct_seen(struct nfnl *nl, int family, const struct ct_filter *f, unsigned n);

#endif
