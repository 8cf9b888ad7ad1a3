/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gateway.h - the host as a network's router: its address there, and forwarding
 */
#ifndef CPLUG_GATEWAY_H
#define CPLUG_GATEWAY_H

#include "netlink/link.h"
#include "value/result.h"
#include "netlink/rt.h"

enum gateway_flags {
	GATEWAY_FORCE = 1 << 0,  /* replaces an address that is in the way (undone on failure) */
	GATEWAY_BESIDE = 1 << 1, /* IPv4 addresses of other subnets are not in the way */
};

/*
 * Ensures an address on a link of the host.  If the link has one that is in the way (IPv4: any;
 * IPv6, and IPv4 with GATEWAY_BESIDE: one of an overlapping prefix), the call fails with
 * CPLUG_E_TAKEN, without GATEWAY_FORCE.  Returns 1 if this call added it and nothing undoes that
 * yet, because the link is shared; 0; or a recorded failure.
 */
int gateway_ensure(struct tx *tx, struct rt *rt, const struct link *l, struct cidr address,
		   unsigned flags) CHECKED;

/*
 * Would gateway_ensure() find an address in the way?  1 and the first one in *ret, 0, or a recorded
 * failure.
 */
int gateway_in_way(struct tx *tx, struct rt *rt, const struct link *l, struct cidr address,
		   unsigned flags, struct cidr *ret) CHECKED;

/*
 * Ensures that packets of the result's families are forwarded: the last step of an ADD, because one
 * that fails later would leave it on.  For IPv6, the link of the default route is set
 * to accept_ra 2 first, because a router otherwise ignores router advertisements.
 */
int gateway_forward(struct tx *tx, struct rt *rt, const struct result *r) CHECKED;

/*
 * The gateways of the result's addresses, in order, with the prefix length that they have on the
 * host: the address's; of an IPv6 gateway outside its prefix 64 if it is link-local, else 128.
 * *ret is in the arena.
 */
unsigned gateway_list(struct tx *tx, const struct result *r, struct cidr **ret);

/*
 * Fails with CNI_E_CONFIG for an IPv4 gateway outside the address's prefix: the container could not
 * reach it; and with CPLUG_E_TAKEN for the address that the host has as the router of the prefix
 * (cidr_is_anycast()).
 */
int gateway_validate(struct tx *tx, const struct result *r) CHECKED;

/*
 * isGateway: gives every address without a gateway the first host address of its prefix.
 * isDefaultGateway (default_route): gives each family a default route, unless the result has one.
 */
void gateway_complete(struct result *r, bool default_route);

/*
 * Fails with CPLUG_E_TAKEN if the kernel does not route ip through l, or if ip is an address of the
 * namespace itself (addr_is_own()); the message names the route that it uses instead.
 */
int gateway_check_route(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip) CHECKED;

/*
 * The same before l has the route to the subnet of a, for a.ip: fails if the route that the kernel
 * uses now will go on hiding it.  Returns 1 if nothing is left to be checked, because the kernel
 * routes it through l already; 0; or a recorded failure.
 */
int gateway_check_early(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

/*
 * For a gateway that other hosts choose (DHCP): fails with CPLUG_E_TAKEN if the host cannot mean it
 * as its own address on l.  That is one that no host can have, in a prefix shorter than 8 bits, an
 * address of the host itself, one in a network of another link, or one for which the host has a
 * route through another link that is as specific as a or more.
 */
int gateway_check_offer(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a) CHECKED;

/* CHECK: notes that the kernel does not route ip through a link; that forwarding is off. */
int gateway_compare_route(struct tx *tx, struct rt *rt, const struct link *to,
			  struct ip ip) CHECKED;
int gateway_compare_forwarding(struct tx *tx, const struct rt *rt, int family) CHECKED;

#endif
