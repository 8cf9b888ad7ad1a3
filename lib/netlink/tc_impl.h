/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc_impl.h - what the files of tc.h share */
#ifndef CPLUG_TC_IMPL_H
#define CPLUG_TC_IMPL_H

#include <netlink/route/tc.h>

#include "netlink/tc.h"

/* Takes a message that libnl-route built: 0 or -ENOMEM.  r: what building it returned. */
int tc_take(struct rt_msg *m, int r, struct nl_msg *msg) CHECKED;

/*
 * The options of a message, which are its last attribute: what rt_put() adds until
 * rt_nest_end() becomes part of them.
 */
struct nlattr *tc_reopen_options(struct rt_msg *m);

/* Exported by libnl-route, but in none of its headers: NULL if there was no memory. */
void *rtnl_tc_data(struct rtnl_tc *tc);

struct tc_qdisc {
	char kind[16];
	struct tc_tbf_params tbf; /* of a tbf; of others only handle */
};

/* The qdisc at a parent; kind "" if there is none, or one that the kernel does not report. */
int tc_qdisc_find(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		  struct tc_qdisc *ret) CHECKED;

/* A request that adds a qdisc of a kind without options: 0 or -ENOMEM. */
int tc_qdisc_compose(struct rt_msg *m, const struct link *l, uint32_t parent, uint32_t handle,
		     const char *kind) CHECKED;

/* Deletes a qdisc; gone is success. */
int tc_qdisc_del(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		 uint32_t handle) CHECKED;

/* The qdisc, the filter or the link is gone. */
static inline bool tc_is_gone(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -EINVAL;
}

#endif
