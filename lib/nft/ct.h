/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ct.h - conntrack: delete the flows of a port mapping, count those of an address
 *
 * A flow keeps the DNAT result of its first packet.  A flow that began before ADD, or is still
 * there after DEL, therefore leads to the wrong destination, in particular with UDP.
 *
 * linux/netfilter/nfnetlink_conntrack.h.
 */
#ifndef CPLUG_CT_H
#define CPLUG_CT_H

#include "value/ip.h"
#include "netlink/rt.h"
#include "nft/nfnl.h"

/* Which flows: protocol, destination and port of the original direction, source of the reply. */
struct ct_filter {
	uint8_t proto;                  /* IPPROTO_TCP, _UDP, _SCTP */
	uint16_t port_first, port_last; /* original destination port */
	struct ip dst;                  /* original destination; no address = any */
	struct ip reply_src;            /* the container's address; no address = any */
};

struct ct_flows {
	int family; /* AF_INET, AF_INET6 */
	const struct ct_filter *f;
	unsigned n;
	struct ip keep; /* the new owner; no address = none */
};

/*
 * Deletes all tracked flows of a family that match one of n filters.  One dump, filtered by the
 * kernel where possible; a kernel without conntrack has none.  nl and host must be of the process's
 * own namespace.
 *
 * DEL: reply_src is the container's address; matches every flow of the port that leads there.
 *
 * ADD: reply_src is empty; matches every flow of the port, except those that lead to keep (the new
 * owner) already, those to other hosts (without dst, only flows to addresses of this host match),
 * and established TCP and SCTP connections with the host itself.
 *
 * Returns 0 or -errno; *ret_deleted (may be NULL) is the number of deleted flows.
 */
int ct_flush(struct nfnl *nl, struct rt *host, const struct ct_flows *which,
	     unsigned *ret_deleted) CHECKED;

/*
 * May there be a tracked flow that matches one of the filters?  Does not dump the table: returns
 * true if it is unknown, or would take long to find out.
 */
bool ct_seen(struct nfnl *nl, const struct ct_flows *which);

/*
 * Counts the tracked flows that one of n addresses sends, receives, or (translated) answers.  Reads
 * the whole table.  Returns 0, or -errno: -EINVAL or -EOPNOTSUPP if the kernel has no
 * nf_conntrack_netlink.
 */
int ct_count(struct nfnl *nl, const struct ip *ips, unsigned n, unsigned *ret) CHECKED;

#endif
