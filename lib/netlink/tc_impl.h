/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tc_impl.h - what the files of tc.h share */
#ifndef CPLUG_TC_IMPL_H
#define CPLUG_TC_IMPL_H

#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <netlink/route/tc.h>

#include "netlink/tc.h"

/* Takes a message that libnl-route built: 0 or -ENOMEM.  r: what building it returned. */
int tc_take(struct rt_msg *m, int r, struct nl_msg *msg) CHECKED;

/*
 * The options of a message, which are its last attribute: what rt_put() adds until
 * rt_nest_end() becomes part of them.
 */
struct nlattr *tc_reopen_options(struct rt_msg *m);

struct tc_qdisc {
	char kind[16];
	struct tc_tbf_params tbf; /* of a tbf; of a bfifo handle and queue; of others only handle */
};

/* The qdisc at a parent; kind "" if there is none, or one that the kernel does not report. */
int tc_qdisc_find(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		  struct tc_qdisc *ret) CHECKED;

/*
 * A request that adds a qdisc of a kind, with NLM_F_CREATE and these flags: 0 or -ENOMEM.  Options
 * may be put after it, and with kind NULL the kind.
 */
int tc_qdisc_compose(struct rt_msg *m, const struct link *l, uint32_t parent, uint32_t handle,
		     const char *kind, int flags) CHECKED;

/* Deletes a qdisc; gone is success. */
int tc_qdisc_del(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		 uint32_t handle) CHECKED;

/* ---- filters: tc_filter.c ---- */

enum tc_filter_does {
	TC_FILTER_FOREIGN,  /* anything else */
	TC_FILTER_REDIRECT, /* to the link asked for, or to one that is gone */
	TC_FILTER_PASS,     /* lets packets pass that a later filter would redirect */
};

enum { TC_KEYS_MAX = 4, TC_ANY_LINK = -1 };

struct tc_filter {
	char kind[16]; /* "u32", or the reference's "matchall" */
	enum tc_filter_does does;
	uint32_t handle;
	uint16_t priority, protocol; /* protocol in host byte order */
	int to;                      /* ifindex; 0 = the link is gone */
	struct tc_u32_key key[TC_KEYS_MAX];
	unsigned n_keys;
};

struct tc_filters {
	struct mem *mem;
	uint32_t hook;
	int to; /* ifindex that is asked for; 0 = only to links that are gone; TC_ANY_LINK */
	struct tc_filter *f;
	unsigned n;     /* that are not foreign */
	bool any_other; /* are there others? */
};

/* The parent of the filters for what leaves a link (with a clsact only), or arrives at it. */
static inline uint32_t tc_hook(bool leaving)
{
	return TC_H_MAKE(TC_H_CLSACT, leaving ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS);
}

/* The filters at a hook.  No qdisc: none. */
int tc_filter_list(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook, int to,
		   struct tc_filters *ret) CHECKED;

/* Do both the same to the same packets?  The kind, handle and priority do not matter. */
bool tc_filter_eq(const struct tc_filter *a, const struct tc_filter *b);

int tc_filter_add(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook,
		  const struct tc_filter *f) CHECKED;
int tc_filter_del(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook,
		  const struct tc_filter *f) CHECKED;

/* The qdisc, the filter or the link is gone. */
static inline bool tc_is_gone(int err)
{
	return err == -ENOENT || err == -ENODEV || err == -EINVAL;
}

#endif
