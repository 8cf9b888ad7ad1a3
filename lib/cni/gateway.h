/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway.h - the host as a network's router: its address there, and forwarding
 */
#ifndef CPLUG_GATEWAY_H
#define CPLUG_GATEWAY_H

#include "netlink/link.h"
#include "value/result.h"
#include "netlink/rt.h"

/*
 * Ensures an address on a link of the host.  If the link has another address (IPv4:
 * any; IPv6: one of an overlapping prefix): force replaces it (undone on failure), else
 * CPLUG_E_TAKEN.
 */
int gateway_ensure(struct tx *tx, struct rt *rt, const struct link *l, struct cidr address,
		   bool force) CHECKED;

/*
 * Ensures that packets of a family are forwarded.  For IPv6 the link of the default
 * route goes on accepting router advertisements, which a router otherwise ignores.
 */
int gateway_forward(struct tx *tx, struct rt *rt, int family) CHECKED;

/*
 * The gateways of the result's addresses, with the address's prefix length, in order.
 * *ret is in the arena.
 */
unsigned gateway_list(struct tx *tx, const struct result *r, struct cidr **ret);

/*
 * For networks that want it: gives every address without gateway the first host
 * address of its prefix, and (default_route) each family a default route, unless the
 * result has one.
 */
void gateway_complete(struct result *r, bool default_route);

/*
 * Fails with CPLUG_E_TAKEN if the host's packets to ip leave by another link than l, or by
 * none, and names the route that is in front.
 */
int gateway_check_route(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip) CHECKED;

#endif
