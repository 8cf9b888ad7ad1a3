// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tc_redirect.c - what arrives at a link is sent by another
 *
 * A u32 filter whose only key has an empty mask matches everything.  cls_matchall would be
 * simpler, but some kernels do not have it, and the reference needs u32.
 */
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/tc_impl.h"

#define INGRESS_HANDLE TC_H_MAKE(TC_H_INGRESS, 0)
/* The parent of a filter for what arrives, with a qdisc ingress as well as with a clsact. */
#define INGRESS_PARENT TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)

enum { PRIORITY = 1, PRIORITY_SHIFT = 16 };

static void put_filter(struct rtnl_cls **c)
{
	if (*c)
		rtnl_cls_put(*c);
}

static void put_action(struct rtnl_act **a)
{
	if (*a)
		rtnl_act_put(*a);
}

/* ---- reading ------------------------------------------------------------ */

struct filter {
	char kind[16];
	uint32_t handle;
	uint16_t priority, protocol; /* protocol in host byte order */
};

struct filters {
	struct mem *mem;
	int to; /* ifindex */
	struct filter *f;
	unsigned n;     /* that redirect there */
	bool any_other; /* are there others? */
};

/* Is an action the redirection to a link? */
static bool is_redirect(struct nlattr *action, int to)
{
	struct nlattr *tb[TCA_ACT_MAX + 1], *options[TCA_MIRRED_MAX + 1], *parms;
	struct tc_mirred m;

	if (nla_parse_nested(tb, TCA_ACT_MAX, action, NULL) < 0 || !tb[TCA_ACT_KIND] ||
	    !str_eq(nla_get_string(tb[TCA_ACT_KIND]), "mirred") || !tb[TCA_ACT_OPTIONS] ||
	    nla_parse_nested(options, TCA_MIRRED_MAX, tb[TCA_ACT_OPTIONS], NULL) < 0)
		return false;
	parms = options[TCA_MIRRED_PARMS];
	if (!parms || nla_len(parms) < (int)sizeof(m))
		return false;
	memcpy(&m, nla_data(parms), sizeof(m));
	return m.eaction == TCA_EGRESS_REDIR && (int)m.ifindex == to;
}

static bool has_redirect(struct nlattr *const *tb, const char *kind, int to)
{
	int attr = str_eq(kind, "u32") ? TCA_U32_ACT : TCA_MATCHALL_ACT;
	struct nlattr *actions, *a;
	int left;

	if (!tb[TCA_OPTIONS] || (attr != TCA_U32_ACT && !str_eq(kind, "matchall")))
		return false;
	actions = nla_find(nla_data(tb[TCA_OPTIONS]), nla_len(tb[TCA_OPTIONS]), attr);
	if (!actions)
		return false;
	nla_for_each_nested (a, actions, left)
		if (is_redirect(a, to))
			return true;
	return false;
}

/* Messages without a handle, and with that of a hash table of u32, are about no filter. */
static bool is_filter(const struct tcmsg *t, const char *kind)
{
	if (!t->tcm_handle)
		return false;
	return !str_eq(kind, "u32") || TC_U32_NODE(t->tcm_handle);
}

static int note_filter(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct nlattr *tb[TCA_MAX + 1];
	struct filters *l = arg;
	struct filter f = { .kind = "" };
	struct tcmsg *t;

	if (!h) {
		l->n = 0;
		l->any_other = false;
		return 0;
	}
	t = nlmsg_data(m);
	if (h->nlmsg_type != RTM_NEWTFILTER || nlmsg_parse(m, sizeof(*t), tb, TCA_MAX, NULL) < 0 ||
	    !tb[TCA_KIND])
		return 0;
	nla_strlcpy(f.kind, tb[TCA_KIND], sizeof(f.kind));
	if (!is_filter(t, f.kind))
		return 0;
	if (!has_redirect(tb, f.kind, l->to)) {
		l->any_other = true;
		return 0;
	}
	f.handle = t->tcm_handle;
	f.priority = (uint16_t)(TC_H_MAJ(t->tcm_info) >> PRIORITY_SHIFT);
	f.protocol = ntohs((uint16_t)TC_H_MIN(t->tcm_info));
	l->f = mem_grow(l->mem, l->f, l->n, sizeof(f));
	l->f[l->n++] = f;
	return 0;
}

static int list_filters(struct tx *tx, struct rt *rt, const struct link *l, int to,
			struct filters *ret)
{
	struct rt_msg m;
	struct tcmsg *t = rt_new(&m, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*t));
	int r;

	*ret = (struct filters){ .mem = &tx->mem, .to = to };
	t->tcm_ifindex = l->index;
	t->tcm_parent = INGRESS_PARENT;
	r = rt_ask(rt, &m, note_filter, ret);
	if (r < 0 && !tc_is_gone(r))
		return rt_refused(tx, rt, r, "list the filters of %s", l->name);
	return 0;
}

int tc_redirect_find(struct tx *tx, struct rt *rt, const struct link *l, const struct link *to)
{
	struct filters list;

	TRY(list_filters(tx, rt, l, to->index, &list));
	return list.n > 0;
}

/* ---- deleting ----------------------------------------------------------- */

static struct rtnl_cls *new_filter(const struct link *l, const struct filter *f)
{
	struct rtnl_cls *c = rtnl_cls_alloc();

	if (!c)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(c), l->index);
	rtnl_tc_set_parent(TC_CAST(c), INGRESS_PARENT);
	rtnl_tc_set_handle(TC_CAST(c), f->handle);
	rtnl_cls_set_prio(c, f->priority);
	rtnl_cls_set_protocol(c, f->protocol);
	if (rtnl_tc_set_kind(TC_CAST(c), f->kind) == 0)
		return c;
	rtnl_cls_put(c);
	return NULL;
}

static int del_filter(struct tx *tx, struct rt *rt, const struct link *l, const struct filter *f)
{
	auto_(put_filter) struct rtnl_cls *c = new_filter(l, f);
	struct nl_msg *msg = NULL;
	struct rt_msg m;
	int r = -ENOMEM;

	if (c) {
		r = rtnl_cls_build_delete_request(c, 0, &msg);
		r = tc_take(&m, r, msg);
	}
	if (r == 0)
		r = rt_try(rt, &m);
	if (r < 0 && !tc_is_gone(r))
		return rt_refused(tx, rt, r, "delete a filter of %s", l->name);
	return 0;
}

static int del_filters(struct tx *tx, struct rt *rt, const struct link *l, int to)
{
	struct filters list;
	int r = 0;

	TRY(list_filters(tx, rt, l, to, &list));
	for (unsigned i = 0; i < list.n; i++)
		r = also(r, del_filter(tx, rt, l, &list.f[i]));
	return r;
}

/* Deletes a qdisc ingress that has no filter (a clsact is another program's). */
static int del_ingress(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct filters list;
	struct tc_qdisc q;

	TRY(tc_qdisc_find(tx, rt, l, TC_H_INGRESS, &q));
	if (!str_eq(q.kind, "ingress"))
		return 0;
	TRY(list_filters(tx, rt, l, 0, &list));
	if (list.n || list.any_other)
		return 0;
	return tc_qdisc_del(tx, rt, l, TC_H_INGRESS, INGRESS_HANDLE);
}

int tc_redirect_del(struct tx *tx, struct rt *rt, const struct link *l, const struct link *to)
{
	int r = del_filters(tx, rt, l, to->index);

	return also(r, del_ingress(tx, rt, l));
}

/* ---- adding ------------------------------------------------------------- */

struct undo_redirect {
	struct rt *rt;
	int index, to;
	char name[IFNAMSIZ];
};

static int undo_ingress(struct tx *tx, void *arg)
{
	struct undo_redirect *u = arg;
	struct link l = { .index = u->index };

	memcpy(l.name, u->name, sizeof(l.name));
	return del_ingress(tx, u->rt, &l);
}

static int undo_filter(struct tx *tx, void *arg)
{
	struct undo_redirect *u = arg;
	struct link l = { .index = u->index };

	memcpy(l.name, u->name, sizeof(l.name));
	return del_filters(tx, u->rt, &l, u->to);
}

static int ensure_ingress(struct tx *tx, struct rt *rt, const struct link *l,
			  const struct undo_redirect *u)
{
	struct rt_msg m;
	int r = tc_qdisc_compose(&m, l, TC_H_INGRESS, INGRESS_HANDLE, "ingress");

	if (r == 0)
		r = rt_try(rt, &m);
	if (r == -EEXIST) /* or a clsact */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "redirect what arrives at %s (qdisc ingress)",
				  l->name);
	return tx_undo(tx, undo_ingress, "add ingress qdisc", u);
}

/* Composes the action: NULL without memory. */
static struct rtnl_act *new_redirect(int to)
{
	struct rtnl_act *a = rtnl_act_alloc();

	if (a && rtnl_tc_set_kind(TC_CAST(a), "mirred") == 0 &&
	    rtnl_mirred_set_action(a, TCA_EGRESS_REDIR) == 0 &&
	    rtnl_mirred_set_policy(a, TC_ACT_STOLEN) == 0 &&
	    rtnl_mirred_set_ifindex(a, (uint32_t)to) == 0)
		return a;
	if (a)
		rtnl_act_put(a);
	return NULL;
}

/* The selector: one key that every packet matches. */
static void put_selector(struct rt_msg *m)
{
	const struct tc_u32_sel sel = { .flags = TC_U32_TERMINAL, .nkeys = 1 };
	const struct tc_u32_key key = { .val = 0 };
	char s[sizeof(sel) + sizeof(key)];
	struct nlattr *options = tc_reopen_options(m);

	memcpy(s, &sel, sizeof(sel));
	memcpy(s + sizeof(sel), &key, sizeof(key));
	rt_put(m, TCA_U32_SEL, s, sizeof(s));
	rt_nest_end(m, options);
}

static int compose_redirect(struct rt_msg *m, const struct link *l, int to)
{
	static const struct filter f = { .kind = "u32",
					 .priority = PRIORITY,
					 .protocol = ETH_P_ALL };
	auto_(put_filter) struct rtnl_cls *c = new_filter(l, &f);
	auto_(put_action) struct rtnl_act *a = new_redirect(to);
	struct nl_msg *msg = NULL;
	int r;

	if (!c || !a || rtnl_u32_set_classid(c, TC_H_MAKE(1U << 16, 1)) < 0 ||
	    rtnl_u32_add_action(c, a) < 0)
		return -ENOMEM;
	r = rtnl_cls_build_add_request(c, NLM_F_CREATE | NLM_F_EXCL, &msg);
	TRY(tc_take(m, r, msg));
	put_selector(m);
	return 0;
}

int tc_redirect_ensure(struct tx *tx, struct rt *rt, const struct link *l, const struct link *to)
{
	struct undo_redirect u = { .rt = rt, .index = l->index, .to = to->index };
	struct rt_msg m;
	int there, r;

	memcpy(u.name, l->name, sizeof(u.name));
	TRY(there = tc_redirect_find(tx, rt, l, to));
	if (there)
		return 0;
	TRY(tx_interrupted(tx));
	TRY(ensure_ingress(tx, rt, l, &u));
	r = compose_redirect(&m, l, to->index);
	if (r == 0)
		r = rt_try(rt, &m);
	if (r < 0)
		return rt_refused(tx, rt, r, "redirect what arrives at %s to %s (filter u32)",
				  l->name, to->name);
	log_step("%s: redirect what arrives at %s to %s", rt->where, l->name, to->name);
	return tx_undo(tx, undo_filter, "redirect", &u);
}
