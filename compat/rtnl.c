// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rtnl.c - cplug does not use libnl-route's link objects and names of classes
 *
 * lib/netlink/tc.c uses objects of libnl-route for qdiscs and filters.  Those can hold a link
 * object, and print the names of links and classes; cplug gives them numbers and prints nothing.
 * The functions here replace those that would link two more members of the archive.  One is the
 * largest; the other has a constructor that reads /etc/libnl/classid at each start.
 * They are weak, so that a version of the library that needs more of these members can have them.
 * netlink/route/link.h, netlink/route/tc.h.
 */
#include <stddef.h>

#include <netlink/route/link.h>
#include <netlink/route/tc.h>

#define WEAK __attribute__((weak))

WEAK struct rtnl_link *rtnl_link_get(struct nl_cache *cache, int ifindex)
{
	(void)cache;
	(void)ifindex;
	return NULL;
}

WEAK char *rtnl_link_i2name(struct nl_cache *cache, int ifindex, char *name, size_t size)
{
	(void)cache;
	(void)ifindex;
	(void)name;
	(void)size;
	return NULL;
}

WEAK void rtnl_link_put(struct rtnl_link *link)
{
	(void)link;
}

WEAK char *rtnl_tc_handle2str(uint32_t handle, char *text, size_t size)
{
	(void)handle;
	if (size)
		*text = '\0';
	return text;
}
