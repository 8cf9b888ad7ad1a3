/* SPDX-License-Identifier: GPL-2.0-or-later */
/* addr_impl.h - what the files of addr.h share */
#ifndef CPLUG_ADDR_IMPL_H
#define CPLUG_ADDR_IMPL_H

#include <linux/if_addr.h>

#include "netlink/addr.h"

/* IFA_PROTO is not in headers before Linux 5.18. */
enum { ADDR_ATTR_PROTO = 11, ADDR_ATTR_LAST = ADDR_ATTR_PROTO };

/*
 * Reads the address that a message of the kernel is about; false if there is none.  tb has the
 * attributes, by IFA_*.
 */
bool addr_read(const struct nlmsghdr *h, struct nlattr *tb[ADDR_ATTR_LAST + 1], struct cidr *ret);

/*
 * Adds the address of a message of the kernel to a link: with its scope, label, broadcast
 * address, peer, flags and lifetimes.  at_once: without duplicate address detection.  0 or -errno;
 * exists already and a link that is gone are 0.
 */
int addr_put_back_try(struct rt *rt, int index, const struct nlmsghdr *h, bool at_once) CHECKED;

#endif
