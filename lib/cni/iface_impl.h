/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * iface_impl.h - what iface.c, which makes, and iface_check.c, which compares, share
 */
#ifndef CPLUG_IFACE_IMPL_H
#define CPLUG_IFACE_IMPL_H

#include "cni/iface.h"

/* Is an address of the result the interface's? */
bool iface_belongs(const struct result *r, const struct result_ip *ip, const char *ifname);
bool iface_has_family(const struct result *r, int family);

/* Route i of a result as it is made: with the gateway that it goes through. */
struct result_route iface_route(const struct result *r, unsigned i);

/* Is it there: on the interface, or where a later plugin moved it?  1, 0, or a failure. */
int iface_has_route(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		    const struct result_route *want) CHECKED;

#endif
