/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tc.h - traffic control: a rate limit, and the redirection of what arrives to another link
 *
 * A link's queueing discipline (qdisc) limits what it sends.  What a link receives has no queue,
 * so it is redirected to an intermediate link (kind ifb), whose qdisc limits it.
 *
 * tc.c limits, tc_redirect.c redirects, tc_filter.c reads and composes the filters.
 *
 * Messages are composed with libnl-route-3's objects.  Kernel ABI: linux/pkt_sched.h,
 * linux/pkt_cls.h, linux/tc_act/tc_mirred.h; tc-tbf(8), tc-u32(8), tc-mirred(8),
 * tc-fq_codel(8), tc-bfifo(8).
 */
#ifndef CPLUG_TC_H
#define CPLUG_TC_H

#include "netlink/link.h"

/* A token bucket filter. */
struct tc_tbf {
	uint64_t rate;  /* bytes per second, at least 1 */
	uint32_t burst; /* bytes, at least 1 */
	/*
	 * Bytes that may wait where the kernel has no fq_codel; 0 = the filter's own queue, which
	 * is long (limit).  Packets above the burst are split, so twice the burst always suffices.
	 */
	uint32_t queue;
};

/* The same as the kernel stores it. */
struct tc_tbf_params {
	uint64_t rate;   /* bytes per second */
	uint32_t limit;  /* bytes that may wait: what is sent in 25 ms, and the burst */
	uint32_t buffer; /* the burst as a time, in ticks of 64 ns; UINT32_MAX if it is longer */
	uint32_t burst;  /* bytes: where the buffer is UINT32_MAX; not reported by the kernel */
	uint32_t handle; /* of the qdisc */
	bool ours;       /* made or changed by tc_tbf_add() or tc_tbf_ensure() */
	uint32_t child;  /* handle of the queue; 0 = the filter's own */
	uint32_t queue;  /* bytes; 0 = the filter's own, or fq_codel */
};

/* What tc_tbf_add() gives to the kernel (handle 1:, queue 2:). */
struct tc_tbf_params tc_tbf_params(const struct tc_tbf *t);

/* "rate 1000000 B/s, burst 10000 B, limit 35000 B, queue fq_codel", for messages. */
struct tc_text {
	char s[128];
};
struct tc_text tc_tbf_text(const struct tc_tbf_params *p);
#define TC_TBF_S(p) (tc_tbf_text(p).s)

/*
 * Is the root qdisc of a link a token bucket filter?  1 and its parameters, 0, or a recorded
 * failure.
 */
int tc_tbf_find(struct tx *tx, struct rt *rt, const struct link *l,
		struct tc_tbf_params *ret) CHECKED;

/*
 * Are these the parameters that tc_tbf_add() would give to the kernel?  Up to a microsecond in
 * the buffer, because the reference rounds it to that; a buffer that is too long for the kernel's
 * report is not compared.  The queue may be fq_codel.
 */
bool tc_tbf_matches(const struct tc_tbf_params *have, const struct tc_tbf *want);

/*
 * Limits what a link sends: root qdisc tbf, handle 1:, with a queue fq_codel, or bfifo.  Fails with
 * CPLUG_E_TAKEN if the link has a root qdisc that is not the kernel's default.  Undo: deletes it.
 */
int tc_tbf_add(struct tx *tx, struct rt *rt, const struct link *l, const struct tc_tbf *t) CHECKED;

/*
 * The same, but a token bucket filter that is there stays if it matches, or gets these
 * parameters.  Undo: as it was.
 */
int tc_tbf_ensure(struct tx *tx, struct rt *rt, const struct link *l,
		  const struct tc_tbf *t) CHECKED;

/* Deletes the root qdisc if it is a token bucket filter; gone is success.  No undo: for DEL. */
int tc_tbf_del(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * Packets that another link sends in place of the one that they pass; the other is usually an ifb,
 * which then hands them back.
 */
struct tc_redirect {
	const struct link *to;
	bool leaving;   /* what the link sends; else what arrives at it */
	bool by_source; /* subnets are of the source address; else of the destination */
	bool except;    /* all packets but those of the subnets; else only those */
	const struct cidr *subnets;
	unsigned n; /* 0: all packets */
};

/*
 * Ensures a redirection: qdisc ingress, or a clsact that is there, and a u32 filter with priority 1
 * for all protocols; or, with subnets, a clsact with a filter for each.  Undo: deletes what it
 * made; filters of another redirection to the same link do not come back.
 */
int tc_redirect_ensure(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct tc_redirect *r) CHECKED;

/*
 * Is a redirection there, as a whole?  1, 0, or a recorded failure.  The reference's filter counts,
 * too.
 */
int tc_redirect_find(struct tx *tx, struct rt *rt, const struct link *l,
		     const struct tc_redirect *r) CHECKED;

/*
 * Where does a filter redirect what arrives at a link?  1 and the ifindex (0: that link is gone), 0
 * if no filter does, or a recorded failure.
 */
int tc_redirect_target(struct tx *tx, struct rt *rt, const struct link *l, int *ret) CHECKED;

/*
 * Does a filter take what arrives at a link before one of tc_redirect_ensure() would, and redirect
 * it elsewhere than to the link with the ifindex to?  1 and the ifindex, 0, or a recorded failure.
 */
int tc_redirect_rival(struct tx *tx, struct rt *rt, const struct link *l, int to, int *ret) CHECKED;

/*
 * Deletes the filters of the redirection from a link to another, and the qdisc if they leave none;
 * gone is success.  leaving: as in struct tc_redirect.  to NULL: the other link is gone.  No
 * undo: for DEL.
 */
int tc_redirect_del(struct tx *tx, struct rt *rt, const struct link *l, const struct link *to,
		    bool leaving) CHECKED;

/*
 * Has the kernel what limits a rate?  Returns the name of the first module that is missing
 * ("sch_tbf", "ifb", "act_mirred"), or NULL.  Asks with requests that the kernel must refuse, so
 * nothing changes, but it may load the modules.
 */
const char *tc_missing_module(struct rt *rt);

#endif
