// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tc.c - traffic control
 *
 * libnl-route-3's objects compose the messages; rt.c sends them.  Two things are put into the
 * messages here.  The options of a tbf, because the setters take an int, which has no rate from
 * 2^31 bytes/s on, and the burst as a time, of which a long burst at a low rate has more ticks than
 * 32 bits hold; they also read /proc/net/psched, and compute a table that the kernel does not use.
 * And the selector of a u32 filter, because the library reads through NULL if it cannot be
 * allocated. Answers are read from the messages.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netlink/route/qdisc.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/tc_impl.h"

#define TBF_HANDLE TC_H_MAKE(1U << 16, 0)
#define QUEUE_HANDLE TC_H_MAKE(2U << 16, 0)

/* In the parameter "mtu", which has no effect without a peak rate: the filter is ours. */
enum { TBF_MARK = 0x63706c67 };

enum { LATENCIES_PER_SECOND = 40, TICK_SHIFT = 6 /* a tick is 64 ns */ };

static void put_qdisc(struct rtnl_qdisc **q)
{
	if (*q)
		rtnl_qdisc_put(*q);
}

int tc_take(struct rt_msg *m, int r, struct nl_msg *msg)
{
	struct nlmsghdr *h = r < 0 ? NULL : nlmsg_hdr(msg);

	if (!h)
		return -ENOMEM;
	h->nlmsg_flags |= NLM_F_REQUEST;
	m->h = *h;
	m->overflow = h->nlmsg_len > sizeof(m->room);
	if (!m->overflow)
		memcpy(m->room, h, h->nlmsg_len);
	nlmsg_free(msg);
	return 0;
}

struct nlattr *tc_reopen_options(struct rt_msg *m)
{
	struct nlattr *o = NULL;

	if (!m->overflow)
		o = nlmsg_find_attr(&m->h, sizeof(struct tcmsg), TCA_OPTIONS);
	if (o && (char *)o + NLA_ALIGN(o->nla_len) == m->room + NLMSG_ALIGN(m->h.nlmsg_len))
		return o;
	m->overflow = true;
	return NULL;
}

/* ---- qdiscs ------------------------------------------------------------- */

static struct rtnl_qdisc *new_qdisc(const struct link *l, uint32_t parent, uint32_t handle)
{
	struct rtnl_qdisc *q = rtnl_qdisc_alloc();

	if (!q)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(q), l->index);
	rtnl_tc_set_parent(TC_CAST(q), parent);
	rtnl_tc_set_handle(TC_CAST(q), handle);
	return q;
}

int tc_qdisc_compose(struct rt_msg *m, const struct link *l, uint32_t parent, uint32_t handle,
		     const char *kind, int flags)
{
	auto_(put_qdisc) struct rtnl_qdisc *q = new_qdisc(l, parent, handle);
	struct nl_msg *msg = NULL;
	int r;

	if (!q || (kind && rtnl_tc_set_kind(TC_CAST(q), kind) < 0))
		return -ENOMEM;
	r = rtnl_qdisc_build_add_request(q, NLM_F_CREATE | flags, &msg);
	return tc_take(m, r, msg);
}

int tc_qdisc_del(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		 uint32_t handle)
{
	auto_(put_qdisc) struct rtnl_qdisc *q = new_qdisc(l, parent, handle);
	struct nl_msg *msg = NULL;
	struct rt_msg m;
	int r = -ENOMEM;

	if (q) {
		r = rtnl_qdisc_build_delete_request(q, &msg);
		r = tc_take(&m, r, msg);
	}
	if (r == 0)
		r = rt_try(rt, &m);
	if (r < 0 && !tc_is_gone(r))
		return rt_refused(tx, rt, r, "delete a queueing discipline of %s", l->name);
	return 0;
}

static void read_tbf(struct nlattr *options, struct tc_tbf_params *p)
{
	struct nlattr *tb[TCA_TBF_MAX + 1];
	struct tc_tbf_qopt q;

	if (!options || nla_parse_nested(tb, TCA_TBF_MAX, options, NULL) < 0 ||
	    !tb[TCA_TBF_PARMS] || nla_len(tb[TCA_TBF_PARMS]) < (int)sizeof(q))
		return;
	memcpy(&q, nla_data(tb[TCA_TBF_PARMS]), sizeof(q));
	p->rate = q.rate.rate;
	p->limit = q.limit;
	p->buffer = q.buffer;
	p->ours = q.mtu == TBF_MARK;
	if (tb[TCA_TBF_RATE64] && nla_len(tb[TCA_TBF_RATE64]) >= (int)sizeof(p->rate))
		p->rate = nla_get_u64(tb[TCA_TBF_RATE64]);
}

static void read_fifo(struct nlattr *options, struct tc_tbf_params *p)
{
	struct tc_fifo_qopt q;

	if (!options || nla_len(options) < (int)sizeof(q))
		return;
	memcpy(&q, nla_data(options), sizeof(q));
	p->queue = q.limit;
}

static int keep_qdisc(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct nlattr *tb[TCA_MAX + 1];
	struct tc_qdisc *q = arg;
	struct tcmsg *t;

	if (!h || h->nlmsg_type != RTM_NEWQDISC)
		return 0;
	t = nlmsg_data(m);
	if (nlmsg_parse(m, sizeof(*t), tb, TCA_MAX, NULL) < 0)
		return -EBADMSG;
	q->tbf.handle = t->tcm_handle;
	if (tb[TCA_KIND])
		nla_strlcpy(q->kind, tb[TCA_KIND], sizeof(q->kind));
	if (str_eq(q->kind, "tbf"))
		read_tbf(tb[TCA_OPTIONS], &q->tbf);
	else if (str_eq(q->kind, "bfifo"))
		read_fifo(tb[TCA_OPTIONS], &q->tbf);
	return 0;
}

int tc_qdisc_find(struct tx *tx, struct rt *rt, const struct link *l, uint32_t parent,
		  struct tc_qdisc *ret)
{
	struct rt_msg m;
	/*
	 * An answer to RTM_GETQDISC is a notification, which NLM_F_ECHO asks for.  There is none
	 * about a qdisc like noqueue, hence the acknowledgement.
	 */
	struct tcmsg *t = rt_new(&m, RTM_GETQDISC, NLM_F_ECHO | NLM_F_ACK, sizeof(*t));
	struct tc_qdisc q = { .kind = "" };
	int r;

	t->tcm_ifindex = l->index;
	t->tcm_parent = parent;
	r = rt_ask(rt, &m, keep_qdisc, &q);
	if (r < 0 && !tc_is_gone(r) && r != -EBADMSG)
		return rt_refused(tx, rt, r, "look up the queueing discipline of %s", l->name);
	*ret = q;
	return 0;
}

/* ---- the token bucket --------------------------------------------------- */

static uint32_t saturated(uint64_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

struct tc_tbf_params tc_tbf_params(const struct tc_tbf *t)
{
	uint64_t ticks = ((uint64_t)t->burst * 1000000000 / t->rate) >> TICK_SHIFT;

	return (struct tc_tbf_params){
		.rate = t->rate,
		.limit = saturated(t->rate / LATENCIES_PER_SECOND + t->burst),
		.buffer = saturated(ticks),
		.burst = t->burst,
		.handle = TBF_HANDLE,
		.ours = true,
		.child = t->queue ? QUEUE_HANDLE : 0,
		.queue = t->queue,
	};
}

struct tc_text tc_tbf_text(const struct tc_tbf_params *p)
{
	uint64_t ns = (uint64_t)p->buffer << TICK_SHIFT, burst = p->burst;
	struct tc_text t;
	int n;

	if (!burst) /* rounded up, as ticks are rounded down */
		burst = (uint64_t)((double)ns * (double)p->rate / 1e9 + 0.99);
	n = snprintf(t.s, sizeof(t.s), "rate %llu B/s, burst %llu B, limit %u B",
		     (unsigned long long)p->rate, (unsigned long long)burst, p->limit);
	if (p->child && p->queue)
		snprintf(t.s + n, sizeof(t.s) - (size_t)n, ", queue %u B", p->queue);
	else if (p->child)
		snprintf(t.s + n, sizeof(t.s) - (size_t)n, ", queue fq_codel");
	return t;
}

bool tc_tbf_matches(const struct tc_tbf_params *have, const struct tc_tbf *want)
{
	enum { MICROSECOND = 16 }; /* ticks */
	struct tc_tbf_params p = tc_tbf_params(want);
	uint32_t low = have->buffer < p.buffer ? have->buffer : p.buffer;

	if (have->rate != p.rate || have->limit != p.limit)
		return false;
	if (p.queue && (!have->child || (have->queue && have->queue != p.queue)))
		return false;
	return p.buffer == UINT32_MAX || have->buffer - low + p.buffer - low <= MICROSECOND;
}

static int compose_tbf(struct rt_msg *m, const struct link *l, const struct tc_tbf_params *p,
		       int flags)
{
	const struct tc_tbf_qopt q = {
		/* With the link layer the kernel computes the times, and needs no table of them. */
		.rate = { .rate = saturated(p->rate), .linklayer = TC_LINKLAYER_ETHERNET },
		.limit = p->limit,
		.buffer = p->buffer,
		.mtu = p->ours ? TBF_MARK : 0,
	};
	struct nlattr *options;

	TRY(tc_qdisc_compose(m, l, TC_H_ROOT, p->handle, NULL, flags));
	rt_put_str(m, TCA_KIND, "tbf");
	options = rt_nest(m, TCA_OPTIONS);
	rt_put(m, TCA_TBF_PARMS, &q, sizeof(q));
	if (p->rate > UINT32_MAX)
		rt_put(m, TCA_TBF_RATE64, &p->rate, sizeof(p->rate));
	if (p->burst)
		rt_put_u32(m, TCA_TBF_BURST, p->burst);
	rt_nest_end(m, options);
	return 0;
}

/* ---- the rate limit ----------------------------------------------------- */

struct undo_tbf {
	struct rt *rt;
	struct tc_tbf_params before; /* rate 0: there was none */
	int index;
	char name[IFNAMSIZ];
};

/*
 * The queue of a tbf.  Its own would be as long as its limit, so packets would wait behind a full
 * bucket's worth of others.  fq_codel keeps the flows apart and the wait below 5 ms; a bfifo is
 * short.  A change of the tbf sets the limit of a bfifo to its own, so this comes after it.
 */
static int set_queue(struct tx *tx, struct rt *rt, const struct link *l,
		     const struct tc_tbf_params *p)
{
	const struct tc_fifo_qopt fifo = { .limit = p->queue };
	static bool no_fq_codel; /* the kernel looks for a module each time */
	uint32_t parent = TC_H_MAKE(p->handle, 1);
	struct rt_msg m;
	int r = -ENOENT;

	if (!no_fq_codel) {
		r = tc_qdisc_compose(&m, l, parent, QUEUE_HANDLE, "fq_codel", NLM_F_REPLACE);
		if (r == 0)
			r = rt_try(rt, &m);
	}
	no_fq_codel = r == -ENOENT;
	if (r == -ENOENT || r == -EINVAL) { /* unknown kind, or there is a bfifo */
		r = tc_qdisc_compose(&m, l, parent, QUEUE_HANDLE, "bfifo", NLM_F_REPLACE);
		if (r == 0) {
			rt_put(&m, TCA_OPTIONS, &fifo, sizeof(fifo));
			r = rt_try(rt, &m);
		}
	}
	if (r < 0)
		return rt_refused(tx, rt, r, "give %s a queue (qdisc fq_codel or bfifo)", l->name);
	return 0;
}

static int set_tbf(struct tx *tx, struct rt *rt, const struct link *l,
		   const struct tc_tbf_params *p, int flags)
{
	struct rt_msg m;
	int r = compose_tbf(&m, l, p, flags);

	if (r == 0)
		r = rt_try(rt, &m);
	if (r == -EEXIST)
		return tx_fail_as(tx, CPLUG_E_TAKEN, r,
				  "%s: limit the rate of %s: it has a queueing discipline already "
				  "(see: tc qdisc show dev %s)",
				  rt->where, l->name, l->name);
	if (r < 0)
		return rt_refused(tx, rt, r, "limit the rate of %s (qdisc tbf)", l->name);
	if (log_on(LOG_DEBUG))
		log_step("%s: limit %s to %s", rt->where, l->name, TC_TBF_S(p));
	return 0;
}

static int undo_tbf(struct tx *tx, void *arg)
{
	struct undo_tbf *u = arg;
	struct link l = { .index = u->index };

	memcpy(l.name, u->name, sizeof(l.name));
	if (u->before.rate) {
		TRY(set_tbf(tx, u->rt, &l, &u->before, NLM_F_REPLACE));
		if (u->before.queue)
			return set_queue(tx, u->rt, &l, &u->before);
		return 0;
	}
	return tc_qdisc_del(tx, u->rt, &l, TC_H_ROOT, TBF_HANDLE);
}

static int change_tbf(struct tx *tx, struct rt *rt, const struct link *l,
		      const struct tc_tbf_params *p, const struct tc_tbf_params *before)
{
	struct undo_tbf u = { .rt = rt, .index = l->index, .before = *before };

	TRY(tx_interrupted(tx));
	TRY(set_tbf(tx, rt, l, p, before->rate ? NLM_F_REPLACE : NLM_F_EXCL));
	memcpy(u.name, l->name, sizeof(u.name));
	TRY(tx_undo(tx, undo_tbf, "limit rate", &u));
	if (p->queue)
		return set_queue(tx, rt, l, p);
	return 0;
}

int tc_tbf_find(struct tx *tx, struct rt *rt, const struct link *l, struct tc_tbf_params *ret)
{
	struct tc_qdisc q = { .kind = "" }, child = { .kind = "" };

	TRY(tc_qdisc_find(tx, rt, l, TC_H_ROOT, &q));
	if (!str_eq(q.kind, "tbf"))
		return 0;
	TRY(tc_qdisc_find(tx, rt, l, TC_H_MAKE(q.tbf.handle, 1), &child));
	*ret = q.tbf;
	/* Another kind may be longer. */
	if (str_eq(child.kind, "fq_codel") || str_eq(child.kind, "bfifo")) {
		ret->child = child.tbf.handle;
		ret->queue = child.tbf.queue;
	}
	return 1;
}

int tc_tbf_add(struct tx *tx, struct rt *rt, const struct link *l, const struct tc_tbf *t)
{
	struct tc_tbf_params p = tc_tbf_params(t), none = { .rate = 0 };

	return change_tbf(tx, rt, l, &p, &none);
}

int tc_tbf_ensure(struct tx *tx, struct rt *rt, const struct link *l, const struct tc_tbf *t)
{
	struct tc_tbf_params p = tc_tbf_params(t), before = { .rate = 0 };
	int there;

	TRY(there = tc_tbf_find(tx, rt, l, &before));
	if (there && tc_tbf_matches(&before, t))
		return 0;
	if (there)
		p.handle = before.handle;
	return change_tbf(tx, rt, l, &p, &before);
}

int tc_tbf_del(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct tc_tbf_params p;
	int there;

	TRY(there = tc_tbf_find(tx, rt, l, &p));
	if (!there)
		return 0;
	return tc_qdisc_del(tx, rt, l, TC_H_ROOT, p.handle);
}
