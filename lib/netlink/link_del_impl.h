/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_del_impl.h - device groups for deletion, for link_del_all.c and link_doomed.c
 */
#ifndef CPLUG_LINK_DEL_IMPL_H
#define CPLUG_LINK_DEL_IMPL_H

#include "netlink/link.h"

/* A number for a group (mark_is_doomed()); 0: the kernel gives no random bytes. */
uint32_t link_random_group(void);

/* Puts a link, by its ifindex, into a group.  One that is gone is success.  Returns 0 or -errno. */
int link_put_into_group(struct rt *rt, const struct link *l, uint32_t group) CHECKED;

/* Deletes the links of a group in one request.  No links are success.  Returns 0 or -errno. */
int link_del_group(struct rt *rt, uint32_t group) CHECKED;

#endif
