// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tc_redirect.c - what arrives at a link, or leaves it, is sent by another
 */
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/tc_impl.h"

#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)

/* A priority has one protocol.  Filters of subnets come before the one for all other packets. */
enum { PRIO_ONLY = 1, PRIO_IP4 = 1, PRIO_IP6 = 2, PRIO_OTHERS = 3 };

/* ---- the filters of a redirection --------------------------------------- */

/* One key for each 32-bit word of the prefix; one with an empty mask for a prefix of length 0. */
static void set_keys(struct tc_filter *f, struct cidr subnet, bool by_source)
{
	enum { IP4_SOURCE = 12, IP4_DEST = 16, IP6_SOURCE = 8, IP6_DEST = 24, WORD = 32 };
	bool six = subnet.ip.family == AF_INET6;
	int off = six ? IP6_DEST : IP4_DEST;

	if (by_source)
		off = six ? IP6_SOURCE : IP4_SOURCE;
	f->n_keys = 1;
	f->key[0] = (struct tc_u32_key){ .off = off };
	for (unsigned i = 0; i * WORD < subnet.len; i++) {
		unsigned bits = subnet.len - i * WORD;
		struct tc_u32_key *k = &f->key[i];

		*k = (struct tc_u32_key){ .mask = UINT32_MAX, .off = off + (int)i * 4 };
		if (bits < WORD)
			k->mask = htonl(~(UINT32_MAX >> bits));
		memcpy(&k->val, subnet.ip.b + (size_t)i * 4, sizeof(k->val));
		k->val &= k->mask;
		f->n_keys = i + 1;
	}
}

static struct tc_filter filter_all(const struct tc_redirect *r)
{
	return (struct tc_filter){
		.kind = "u32",
		.does = TC_FILTER_REDIRECT,
		.priority = r->n ? PRIO_OTHERS : PRIO_ONLY,
		.protocol = ETH_P_ALL,
		.to = r->to->index,
		.n_keys = 1,
	};
}

static struct tc_filter filter_subnet(const struct tc_redirect *r, struct cidr subnet)
{
	struct tc_filter f = { .kind = "u32", .priority = PRIO_IP4, .protocol = ETH_P_IP };

	if (subnet.ip.family == AF_INET6) {
		f.priority = PRIO_IP6;
		f.protocol = ETH_P_IPV6;
	}
	f.does = TC_FILTER_PASS;
	if (!r->except) {
		f.does = TC_FILTER_REDIRECT;
		f.to = r->to->index;
	}
	set_keys(&f, subnet, r->by_source);
	return f;
}

/* In the order in which they are added. */
static struct tc_filters wanted(struct tx *tx, const struct tc_redirect *r)
{
	struct tc_filters w = { .f = mem_alloc(&tx->mem, (r->n + 1) * sizeof(*w.f)) };

	for (unsigned i = 0; i < r->n; i++)
		w.f[w.n++] = filter_subnet(r, r->subnets[i]);
	if (!r->n || r->except)
		w.f[w.n++] = filter_all(r);
	return w;
}

static bool has_filter(const struct tc_filters *list, const struct tc_filter *f)
{
	for (unsigned i = 0; i < list->n; i++)
		if (tc_filter_eq(&list->f[i], f))
			return true;
	return false;
}

/* Have both lists the same filters, in any order? */
static bool are_same(const struct tc_filters *have, const struct tc_filters *want)
{
	bool same = true;

	for (unsigned i = 0; i < want->n; i++)
		same = same && has_filter(have, &want->f[i]);
	for (unsigned i = 0; i < have->n; i++)
		same = same && has_filter(want, &have->f[i]);
	return same;
}

int tc_redirect_find(struct tx *tx, struct rt *rt, const struct link *l,
		     const struct tc_redirect *r)
{
	struct tc_filters want = wanted(tx, r), have;

	TRY(tc_filter_list(tx, rt, l, tc_hook(r->leaving), r->to->index, &have));
	return are_same(&have, &want);
}

int tc_redirect_target(struct tx *tx, struct rt *rt, const struct link *l, int *ret)
{
	struct tc_filters list;

	TRY(tc_filter_list(tx, rt, l, tc_hook(false), TC_ANY_LINK, &list));
	for (unsigned i = 0; i < list.n; i++) {
		if (list.f[i].does != TC_FILTER_REDIRECT)
			continue;
		*ret = list.f[i].to;
		return 1;
	}
	return 0;
}

int tc_redirect_rival(struct tx *tx, struct rt *rt, const struct link *l, int to, int *ret)
{
	struct tc_filters list;

	TRY(tc_filter_list(tx, rt, l, tc_hook(false), TC_ANY_LINK, &list));
	for (unsigned i = 0; i < list.n; i++) {
		const struct tc_filter *f = &list.f[i];

		if (f->does != TC_FILTER_REDIRECT || f->priority > PRIO_ONLY || !f->to ||
		    f->to == to)
			continue;
		*ret = f->to;
		return 1;
	}
	return 0;
}

/* ---- deleting ----------------------------------------------------------- */

/* Were the filters made with a clsact of ours? */
static bool need_clsact(const struct tc_filters *list)
{
	for (unsigned i = 0; i < list->n; i++)
		if (list->f[i].does == TC_FILTER_PASS || list->f[i].protocol != ETH_P_ALL)
			return true;
	return false;
}

static int is_hook_empty(struct tx *tx, struct rt *rt, const struct link *l, bool leaving)
{
	struct tc_filters list;

	TRY(tc_filter_list(tx, rt, l, tc_hook(leaving), 0, &list));
	return !list.n && !list.any_other;
}

/* Deletes the qdisc if it has no filter; a clsact only if it is ours. */
static int prune_qdisc(struct tx *tx, struct rt *rt, const struct link *l, bool clsact)
{
	struct tc_qdisc q;
	int empty;

	TRY(tc_qdisc_find(tx, rt, l, TC_H_INGRESS, &q));
	if (!str_eq(q.kind, "ingress") && !(clsact && str_eq(q.kind, "clsact")))
		return 0;
	TRY(empty = is_hook_empty(tx, rt, l, false));
	if (empty && str_eq(q.kind, "clsact"))
		TRY(empty = is_hook_empty(tx, rt, l, true));
	if (!empty)
		return 0;
	return tc_qdisc_del(tx, rt, l, TC_H_INGRESS, INGRESS_HANDLE);
}

/* *ret_clsact: need_clsact() of what was there. */
static int del_filters(struct tx *tx, struct rt *rt, const struct link *l, int to, bool leaving,
		       bool *ret_clsact)
{
	struct tc_filters list;
	int r = 0;

	TRY(tc_filter_list(tx, rt, l, tc_hook(leaving), to, &list));
	/* The last one first: packets that filters let pass are never redirected meanwhile. */
	for (unsigned i = list.n; i-- > 0;)
		r = also(r, tc_filter_del(tx, rt, l, tc_hook(leaving), &list.f[i]));
	*ret_clsact = need_clsact(&list);
	return r;
}

int tc_redirect_del(struct tx *tx, struct rt *rt, const struct link *l, const struct link *to,
		    bool leaving)
{
	bool clsact = false;
	int r = del_filters(tx, rt, l, to ? to->index : 0, leaving, &clsact);

	return also(r, prune_qdisc(tx, rt, l, clsact || leaving));
}

/* ---- adding ------------------------------------------------------------- */

struct undo_redirect {
	struct rt *rt;
	int index, to;
	bool leaving, clsact;
	char name[IFNAMSIZ];
};

static int undo_qdisc(struct tx *tx, void *arg)
{
	struct undo_redirect *u = arg;
	struct link l = { .index = u->index };

	memcpy(l.name, u->name, sizeof(l.name));
	return prune_qdisc(tx, u->rt, &l, u->clsact);
}

static int undo_filters(struct tx *tx, void *arg)
{
	struct undo_redirect *u = arg;
	struct link l = { .index = u->index };
	bool clsact;

	memcpy(l.name, u->name, sizeof(l.name));
	return del_filters(tx, u->rt, &l, u->to, u->leaving, &clsact);
}

/* 1 if it is new, and has no filter; 0, or a recorded failure. */
static int ensure_qdisc(struct tx *tx, struct rt *rt, const struct link *l,
			const struct undo_redirect *u)
{
	const char *kind = u->clsact ? "clsact" : "ingress";
	uint32_t parent = u->clsact ? TC_H_CLSACT : TC_H_INGRESS;
	struct rt_msg m;
	int r = tc_qdisc_compose(&m, l, parent, INGRESS_HANDLE, kind, NLM_F_EXCL);

	if (r == 0)
		r = rt_try(rt, &m);
	if (r == -EEXIST) /* of the one kind or the other */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "redirect packets of %s (qdisc %s)", l->name, kind);
	TRY(tx_undo(tx, undo_qdisc, "add qdisc of filters", u));
	return 1;
}

int tc_redirect_ensure(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct tc_redirect *r)
{
	struct undo_redirect u = {
		.rt = rt,
		.index = l->index,
		.to = r->to->index,
		.leaving = r->leaving,
		.clsact = r->leaving || r->n,
	};
	struct tc_filters want = wanted(tx, r);
	bool was;
	int is_new, there, err = 0;

	memcpy(u.name, l->name, sizeof(u.name));
	TRY(tx_interrupted(tx));
	TRY(is_new = ensure_qdisc(tx, rt, l, &u));
	if (!is_new) {
		TRY(there = tc_redirect_find(tx, rt, l, r));
		if (there)
			return 0;
		TRY(del_filters(tx, rt, l, r->to->index, r->leaving, &was));
	}
	for (unsigned i = 0; i < want.n && err == 0; i++)
		err = tc_filter_add(tx, rt, l, tc_hook(r->leaving), &want.f[i]);
	err = also(err, tx_undo(tx, undo_filters, "redirect", &u));
	if (err == 0)
		log_step("%s: redirect what %s %s to %s", rt->where,
			 r->leaving ? "leaves" : "arrives at", l->name, r->to->name);
	return err;
}

/* ---- what the kernel has ------------------------------------------------ */

/* A tbf without options, which tbf_init() refuses.  The library would not compose it. */
static int try_tbf(struct rt *rt)
{
	struct rt_msg m;
	struct tcmsg *t = rt_new(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL, sizeof(*t));

	t->tcm_ifindex = 1; /* lo */
	t->tcm_parent = TC_H_ROOT;
	rt_put_str(&m, TCA_KIND, "tbf");
	return rt_try(rt, &m);
}

/* An ifb without queues: the kernel looks for the kind first. */
static int try_ifb(struct rt *rt)
{
	struct rt_msg m;
	struct nlattr *info;

	rt_new(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	rt_put_u32(&m, IFLA_NUM_TX_QUEUES, 0);
	info = rt_nest(&m, IFLA_LINKINFO);
	rt_put_str(&m, IFLA_INFO_KIND, "ifb");
	rt_nest_end(&m, info);
	return rt_try(rt, &m);
}

/* An action without options, which tcf_mirred_init() refuses. */
static int try_mirred(struct rt *rt)
{
	struct nlattr *all, *one;
	struct rt_msg m;

	rt_new(&m, RTM_NEWACTION, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct tcamsg));
	all = rt_nest(&m, TCA_ACT_TAB);
	one = rt_nest(&m, 1);
	rt_put_str(&m, TCA_ACT_KIND, "mirred");
	rt_nest_end(&m, one);
	rt_nest_end(&m, all);
	return rt_try(rt, &m);
}

const char *tc_missing_module(struct rt *rt)
{
	if (try_tbf(rt) == -ENOENT)
		return "sch_tbf";
	if (try_ifb(rt) == -EOPNOTSUPP)
		return "ifb";
	if (try_mirred(rt) == -ENOENT)
		return "act_mirred";
	return NULL;
}
