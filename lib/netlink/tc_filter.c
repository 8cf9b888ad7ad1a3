// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tc_filter.c - the filters of a redirection, read and written
 *
 * A u32 filter compares 32-bit words of the network header.  One whose only key has an empty mask
 * matches everything.  cls_matchall and cls_flower would be simpler, but some kernels do not have
 * them, and the reference needs u32.
 */
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>

#include "netlink/tc_impl.h"

enum { PRIORITY_SHIFT = 16 };

/*
 * The class of a filter has no effect.  It tells that a filter without action is ours; and at which
 * hook a filter is, because the kernel lists the u32 filters of both hooks of a clsact for each.
 * 1:1 is the reference's.
 */
enum { REDIRECT_ARRIVING = 1, REDIRECT_LEAVING, PASS_ARRIVING = 0xcbce, PASS_LEAVING };

static uint32_t class_of(uint32_t hook, enum tc_filter_does does)
{
	bool leaving = hook == tc_hook(true), pass = does == TC_FILTER_PASS;
	unsigned minor = pass ? PASS_ARRIVING : REDIRECT_ARRIVING;

	return TC_H_MAKE(1U << 16, minor + leaving);
}

static bool is_of_other_hook(uint32_t hook, uint32_t class)
{
	uint32_t other = tc_hook(hook != tc_hook(true));

	return class == class_of(other, TC_FILTER_PASS) ||
	       class == class_of(other, TC_FILTER_REDIRECT);
}

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

/* Is an action the redirection to a link (or TC_ANY_LINK), or to one that is gone? */
static bool is_redirect(struct nlattr *action, int to, int *ret_to)
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
	*ret_to = (int)m.ifindex;
	return m.eaction == TCA_EGRESS_REDIR &&
	       (!m.ifindex || (int)m.ifindex == to || to == TC_ANY_LINK);
}

static enum tc_filter_does read_actions(struct nlattr *actions, int to, int *ret_to)
{
	struct nlattr *a;
	int left;

	nla_for_each_nested (a, actions, left)
		if (is_redirect(a, to, ret_to))
			return TC_FILTER_REDIRECT;
	return TC_FILTER_FOREIGN;
}

/* The keys of a selector; false: more than ours have. */
static bool read_keys(struct nlattr *selector, struct tc_filter *f)
{
	struct tc_u32_sel sel;
	int room;

	if (!selector || nla_len(selector) < (int)sizeof(sel))
		return false;
	memcpy(&sel, nla_data(selector), sizeof(sel));
	room = nla_len(selector) - (int)sizeof(sel);
	if (sel.nkeys > TC_KEYS_MAX || room < (int)(sel.nkeys * sizeof(*f->key)))
		return false;
	f->n_keys = sel.nkeys;
	memcpy(f->key, (char *)nla_data(selector) + sizeof(sel), sel.nkeys * sizeof(*f->key));
	return true;
}

/* Returns false for a filter of the other hook, which has its own list. */
static bool read_u32(struct nlattr *options, const struct tc_filters *l, struct tc_filter *f)
{
	struct nlattr *tb[TCA_U32_MAX + 1];
	uint32_t class = 0;
	bool known;

	if (nla_parse_nested(tb, TCA_U32_MAX, options, NULL) < 0)
		return true;
	if (tb[TCA_U32_CLASSID])
		class = nla_get_u32(tb[TCA_U32_CLASSID]);
	known = read_keys(tb[TCA_U32_SEL], f);
	if (tb[TCA_U32_ACT])
		f->does = read_actions(tb[TCA_U32_ACT], l->to, &f->to);
	else if (known && (class & ~1U) == class_of(tc_hook(false), TC_FILTER_PASS))
		f->does = TC_FILTER_PASS;
	if (!known)
		f->n_keys = 0; /* equals none of ours */
	return f->does == TC_FILTER_FOREIGN || !is_of_other_hook(l->hook, class);
}

static void read_matchall(struct nlattr *options, int to, struct tc_filter *f)
{
	struct nlattr *tb[TCA_MATCHALL_MAX + 1];

	if (nla_parse_nested(tb, TCA_MATCHALL_MAX, options, NULL) < 0 || !tb[TCA_MATCHALL_ACT])
		return;
	f->does = read_actions(tb[TCA_MATCHALL_ACT], to, &f->to);
	f->n_keys = 1;
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
	struct tc_filters *l = arg;
	struct tc_filter f = { .kind = "" };
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
	if (tb[TCA_OPTIONS] && str_eq(f.kind, "u32") && !read_u32(tb[TCA_OPTIONS], l, &f))
		return 0;
	if (tb[TCA_OPTIONS] && str_eq(f.kind, "matchall"))
		read_matchall(tb[TCA_OPTIONS], l->to, &f);
	if (f.does == TC_FILTER_FOREIGN) {
		l->any_other = true;
		return 0;
	}
	f.handle = t->tcm_handle;
	f.priority = (uint16_t)(TC_H_MAJ(t->tcm_info) >> PRIORITY_SHIFT);
	f.protocol = ntohs((uint16_t)TC_H_MIN(t->tcm_info));
	if (l->n == RT_LIST_MAX)
		return -E2BIG;
	l->f = mem_grow(l->mem, l->f, l->n, sizeof(f));
	l->f[l->n++] = f;
	return 0;
}

int tc_filter_list(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook, int to,
		   struct tc_filters *ret)
{
	struct rt_msg m;
	struct tcmsg *t = rt_new(&m, RTM_GETTFILTER, NLM_F_DUMP, sizeof(*t));
	int r;

	*ret = (struct tc_filters){ .mem = &tx->mem, .hook = hook, .to = to };
	t->tcm_ifindex = l->index;
	t->tcm_parent = hook;
	r = rt_ask(rt, &m, note_filter, ret);
	if (r < 0 && !tc_is_gone(r))
		return rt_refused(tx, rt, r, "list the filters of %s", l->name);
	return 0;
}

bool tc_filter_eq(const struct tc_filter *a, const struct tc_filter *b)
{
	if (a->does != b->does || a->protocol != b->protocol || a->n_keys != b->n_keys ||
	    a->to != b->to)
		return false;
	for (unsigned i = 0; i < a->n_keys; i++)
		if (a->key[i].val != b->key[i].val || a->key[i].mask != b->key[i].mask ||
		    a->key[i].off != b->key[i].off)
			return false;
	return true;
}

/* ---- writing ------------------------------------------------------------ */

static struct rtnl_cls *new_filter(const struct link *l, uint32_t hook, const struct tc_filter *f)
{
	struct rtnl_cls *c = rtnl_cls_alloc();

	if (!c)
		return NULL;
	rtnl_tc_set_ifindex(TC_CAST(c), l->index);
	rtnl_tc_set_parent(TC_CAST(c), hook);
	rtnl_tc_set_handle(TC_CAST(c), f->handle);
	rtnl_cls_set_prio(c, f->priority);
	rtnl_cls_set_protocol(c, f->protocol);
	if (rtnl_tc_set_kind(TC_CAST(c), f->kind) == 0)
		return c;
	rtnl_cls_put(c);
	return NULL;
}

int tc_filter_del(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook,
		  const struct tc_filter *f)
{
	auto_(put_filter) struct rtnl_cls *c = new_filter(l, hook, f);
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

static void put_selector(struct rt_msg *m, const struct tc_filter *f)
{
	const struct tc_u32_sel sel = { .flags = TC_U32_TERMINAL,
					.nkeys = (unsigned char)f->n_keys };
	struct nlattr *options = tc_reopen_options(m);
	char s[sizeof(sel) + sizeof(f->key)];
	size_t keys = f->n_keys * sizeof(*f->key);

	memcpy(s, &sel, sizeof(sel));
	memcpy(s + sizeof(sel), f->key, keys);
	rt_put(m, TCA_U32_SEL, s, sizeof(sel) + keys);
	rt_nest_end(m, options);
}

static int compose(struct rt_msg *m, const struct link *l, uint32_t hook, const struct tc_filter *f)
{
	bool redirects = f->does == TC_FILTER_REDIRECT;
	auto_(put_filter) struct rtnl_cls *c = new_filter(l, hook, f);
	auto_(put_action) struct rtnl_act *a = redirects ? new_redirect(f->to) : NULL;
	struct nl_msg *msg = NULL;
	int r;

	if (!c || rtnl_u32_set_classid(c, class_of(hook, f->does)) < 0)
		return -ENOMEM;
	if (redirects && (!a || rtnl_u32_add_action(c, a) < 0))
		return -ENOMEM;
	/* The filters of several subnets share a priority. */
	r = rtnl_cls_build_add_request(c, NLM_F_CREATE | NLM_F_EXCL, &msg);
	TRY(tc_take(m, r, msg));
	put_selector(m, f);
	return 0;
}

int tc_filter_add(struct tx *tx, struct rt *rt, const struct link *l, uint32_t hook,
		  const struct tc_filter *f)
{
	struct rt_msg m;
	int r = compose(&m, l, hook, f);

	if (r == 0)
		r = rt_try(rt, &m);
	if (r < 0)
		return rt_refused(tx, rt, r, "redirect packets of %s (filter u32)", l->name);
	return 0;
}
