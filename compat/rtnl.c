// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rtnl.c - cplug does not use libnl's caches, nor link objects and names of classes of libnl-route
 *
 * lib/netlink/tc.c uses objects of libnl-route for qdiscs and filters.  Those can hold a link
 * object, and print the names of links and classes; cplug gives them numbers and prints nothing.
 * The functions here replace those that would link two more members of the archive.  One is the
 * largest; the other has a constructor that reads /etc/libnl/classid at each start.
 *
 * Constructors of libnl-route register operations of caches, which cplug has none of.  Without the
 * cache's functions libnl-3 is 15 kB smaller.
 * They are weak, so that a version of the library that needs more of these members can have them.
 * netlink/route/link.h, netlink/route/tc.h.
 */
#include <stddef.h>

#include <netlink/cache.h>
#include <netlink/errno.h>
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

/* ---- caches ------------------------------------------------------------- */

WEAK int nl_cache_mngt_register(struct nl_cache_ops *ops)
{
	(void)ops;
	return 0;
}

WEAK int nl_cache_mngt_unregister(struct nl_cache_ops *ops)
{
	(void)ops;
	return 0;
}

WEAK struct nl_cache *__nl_cache_mngt_require(const char *name)
{
	(void)name;
	return NULL;
}

WEAK struct nl_cache *nl_cache_mngt_require_safe(const char *name)
{
	(void)name;
	return NULL;
}

WEAK struct nl_cache *nl_cache_alloc(struct nl_cache_ops *ops)
{
	(void)ops;
	return NULL;
}

WEAK int nl_cache_alloc_and_fill(struct nl_cache_ops *ops, struct nl_sock *sk,
				 struct nl_cache **ret)
{
	(void)ops;
	(void)sk;
	(void)ret;
	return -NLE_OPNOTSUPP;
}

WEAK int nl_cache_refill(struct nl_sock *sk, struct nl_cache *cache)
{
	(void)sk;
	(void)cache;
	return -NLE_OPNOTSUPP;
}

WEAK void nl_cache_foreach_filter(struct nl_cache *cache, struct nl_object *filter,
				  void (*cb)(struct nl_object *, void *), void *arg)
{
	(void)cache;
	(void)filter;
	(void)cb;
	(void)arg;
}

/* In the archive, but in no header that may be included. */
struct nl_parser_param;
int nl_cache_parse(struct nl_cache_ops *ops, struct sockaddr_nl *who, struct nlmsghdr *h,
		   struct nl_parser_param *params);

WEAK int nl_cache_parse(struct nl_cache_ops *ops, struct sockaddr_nl *who, struct nlmsghdr *h,
			struct nl_parser_param *params)
{
	(void)ops;
	(void)who;
	(void)h;
	(void)params;
	return -NLE_OPNOTSUPP;
}

WEAK void nl_cache_remove(struct nl_object *obj)
{
	(void)obj;
}

WEAK void nl_cache_free(struct nl_cache *cache)
{
	(void)cache;
}

WEAK void nl_cache_put(struct nl_cache *cache)
{
	(void)cache;
}

WEAK struct nl_cache_ops *nl_cache_ops_lookup_safe(const char *name)
{
	(void)name;
	return NULL;
}

WEAK struct nl_cache_ops *nl_cache_ops_associate_safe(int protocol, int type)
{
	(void)protocol;
	(void)type;
	return NULL;
}

WEAK struct nl_msgtype *nl_msgtype_lookup(struct nl_cache_ops *ops, int type)
{
	(void)ops;
	(void)type;
	return NULL;
}

WEAK void nl_cache_ops_put(struct nl_cache_ops *ops)
{
	(void)ops;
}
