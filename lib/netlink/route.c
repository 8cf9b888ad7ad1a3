// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route.c - adding and deleting routes
 */
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/route_impl.h"

/* A result says 0 for unset. */
static uint32_t number(int64_t n)
{
	return n > 0 ? (uint32_t)n : 0;
}

struct route route_of(const struct link *l, const struct result_route *route)
{
	struct route r = {
		.dst = route->dst,
		.table = route_table_of(route),
		.priority = number(route->priority),
		.mtu = number(route->mtu),
		.advmss = number(route->advmss),
		.type = RTN_UNICAST,
		.scope = RT_SCOPE_UNIVERSE,
		.protocol = RTPROT_BOOT,
		.onlink = route->onlink,
	};

	if (l)
		r.link = l->index;
	if (ip_set(route->gw) && !ip_is_any(route->gw))
		r.gw = route->gw;
	if (route->scope >= 0)
		r.scope = (uint8_t)route->scope;
	return r;
}

struct route_text route_text(const struct route *r)
{
	struct route_text t;
	char table[32] = "";

	if (r->table && r->table != RT_TABLE_MAIN)
		snprintf(table, sizeof(table), " in table %u", r->table);
	snprintf(t.s, sizeof(t.s), "%s%s%s%s", CIDR_S(r->dst), ip_set(r->gw) ? " via " : "",
		 IP_S(r->gw), table);
	return t;
}

/* ---- composing ---------------------------------------------------------- */

static void put_metrics(struct rt_msg *m, const struct route *r)
{
	struct nlattr *nest;

	if (!r->mtu && !r->advmss)
		return;
	nest = rt_nest(m, RTA_METRICS);
	if (r->mtu)
		rt_put_u32(m, RTAX_MTU, r->mtu);
	if (r->advmss)
		rt_put_u32(m, RTAX_ADVMSS, r->advmss);
	rt_nest_end(m, nest);
}

/* Metrics are in rest if there are others than mtu and advmss. */
static bool rest_has(const struct route *r, int attr)
{
	return nla_find((struct nlattr *)(uintptr_t)r->rest, (int)r->rest_size, attr) != NULL;
}

static void put_rest(struct rt_msg *m, const struct route *r)
{
	void *room = r->rest_size ? rt_put_header(m, r->rest_size) : NULL;

	if (room)
		memcpy(room, r->rest, r->rest_size);
}

void route_compose(struct rt_msg *m, int type, int flags, const struct route *r)
{
	struct rtmsg *h = rt_new(m, type, flags, sizeof(*h));

	h->rtm_family = (uint8_t)r->dst.ip.family;
	h->rtm_dst_len = (uint8_t)r->dst.len;
	h->rtm_table = r->table < FIRST_BIG_TABLE ? (uint8_t)r->table : RT_TABLE_UNSPEC;
	h->rtm_protocol = r->protocol;
	h->rtm_scope = r->scope;
	h->rtm_type = r->type;
	h->rtm_tos = r->tos;
	h->rtm_flags = r->onlink ? RTNH_F_ONLINK : 0;
	if (r->dst.len)
		rt_put_ip(m, RTA_DST, cidr_network(r->dst));
	if (ip_set(r->gw) && !r->multipath)
		rt_put_ip(m, RTA_GATEWAY, r->gw);
	if (ip_set(r->src))
		rt_put_ip(m, RTA_PREFSRC, r->src);
	if (r->link && !r->multipath)
		rt_put_u32(m, RTA_OIF, (uint32_t)r->link);
	if (r->table >= FIRST_BIG_TABLE)
		rt_put_u32(m, RTA_TABLE, r->table);
	if (r->priority)
		rt_put_u32(m, RTA_PRIORITY, r->priority);
	if (!r->rest_size || !rest_has(r, RTA_METRICS))
		put_metrics(m, r);
	put_rest(m, r);
}

static bool is_gone(int err)
{
	return err == -ESRCH || err == -ENODEV || err == -ENOENT;
}

/* ---- routes of a result ------------------------------------------------- */

static int put(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route,
	       int flags)
{
	struct route r = route_of(l, route);
	struct rt_msg m;

	route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | flags, &r);
	if (ip_set(route->gw))
		return rt_call(tx, rt, &m, "add route %s via %s on %s", CIDR_S(route->dst),
			       IP_S(route->gw), l->name);
	return rt_call(tx, rt, &m, "add route %s on %s", CIDR_S(route->dst), l->name);
}

int route_add(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	return put(tx, rt, l, route, NLM_F_APPEND);
}

int route_set(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	return put(tx, rt, l, route, NLM_F_REPLACE);
}

bool route_comes_with(struct cidr a)
{
	if (a.ip.family == AF_INET && !cidr_network(a).b[0])
		return false;
	return a.len < ip_bits(a.ip);
}

static struct route connected(const struct link *l, struct cidr a)
{
	enum { ADDRCONF_METRIC = 256 }; /* the kernel's metric for IPv6 prefixes */
	struct route r = {
		.dst = cidr_masked(a),
		.link = l->index,
		.table = RT_TABLE_MAIN,
		.type = RTN_UNICAST,
		.protocol = RTPROT_KERNEL,
	};

	if (a.ip.family == AF_INET6) {
		r.priority = ADDRCONF_METRIC;
	} else {
		r.scope = RT_SCOPE_LINK;
		r.src = a.ip;
	}
	return r;
}

int route_add_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	const struct route r = connected(l, a);
	struct rt_msg m;
	int err;

	route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &r);
	err = rt_try(rt, &m);
	if (err < 0 && err != -EEXIST)
		return rt_refused(tx, rt, err, "add route %s on %s", CIDR_S(r.dst), l->name);
	return err == 0;
}

int route_del_connected(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	const struct route r = connected(l, a);
	struct rt_msg m;
	int err;

	route_compose(&m, RTM_DELROUTE, 0, &r);
	err = rt_try(rt, &m);
	if (err < 0 && !is_gone(err))
		return rt_refused(tx, rt, err, "delete route %s on %s", CIDR_S(r.dst), l->name);
	return 0;
}

int route_del(struct tx *tx, struct rt *rt, const struct link *l, const struct result_route *route)
{
	struct route r = route_of(l, route);
	struct rt_msg m;
	int err;

	route_compose(&m, RTM_DELROUTE, 0, &r);
	err = rt_try(rt, &m);
	if (err < 0 && !is_gone(err))
		return rt_refused(tx, rt, err, "delete route %s on %s", CIDR_S(route->dst),
				  l->name);
	return 0;
}

int route_local(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip, bool on)
{
	struct route r = {
		.dst = cidr_host(ip),
		.link = l->index,
		.table = RT_TABLE_LOCAL,
		.priority = 1024,
		.type = RTN_LOCAL,
		.scope = RT_SCOPE_HOST,
		.protocol = RTPROT_BOOT,
	};
	const char *verb = on ? "add" : "delete";
	struct rt_msg m;
	int err;

	if (on)
		route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &r);
	else
		route_compose(&m, RTM_DELROUTE, 0, &r);
	err = rt_try(rt, &m);
	if (err == -EEXIST || (!on && (err == -ESRCH || err == -ENODEV)))
		return 0;
	if (err < 0)
		return rt_refused(tx, rt, err, "%s local route %s on %s", verb, IP_S(ip), l->name);
	return 0;
}

/* ---- routes as the kernel stores them ----------------------------------- */

int route_put(struct tx *tx, struct rt *rt, const struct route *r)
{
	struct rt_msg m;

	route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, r);
	return rt_call(tx, rt, &m, "add route %s", ROUTE_S(r));
}

/* Adds one: 1, 0 if it exists already, or a recorded failure. */
static int add_one(struct tx *tx, struct rt *rt, const struct route *r)
{
	struct rt_msg m;
	int err;

	route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, r);
	err = rt_try(rt, &m);
	if (err == -EEXIST)
		return 0;
	if (err < 0)
		return rt_refused(tx, rt, err, "add route %s", ROUTE_S(r));
	log_step("%s: add route %s", rt->where, ROUTE_S(r));
	return 1;
}

/* Deletes one: 1, 0 if it is gone already, or a recorded failure. */
static int del_one(struct tx *tx, struct rt *rt, const struct route *r)
{
	struct rt_msg m;
	int err;

	route_compose(&m, RTM_DELROUTE, 0, r);
	err = rt_try(rt, &m);
	if (is_gone(err))
		return 0;
	if (err < 0)
		return rt_refused(tx, rt, err, "delete route %s", ROUTE_S(r));
	log_step("%s: delete route %s", rt->where, ROUTE_S(r));
	return 1;
}

typedef int change_fn(struct tx *tx, struct rt *rt, const struct route *r);

/*
 * Many changes are one record on the undo stack, which is short.  The record points to this:
 * the routes that were changed so far, in that order.
 */
struct batch {
	struct rt *rt;
	const char *what;
	change_fn *change, *change_back;
	struct route *done;
	unsigned n_done;
};

static int undo_batch(struct tx *tx, void *arg)
{
	struct batch *b = *(struct batch **)arg;
	int r = 0;

	while (b->n_done)
		r = also(r, b->change_back(tx, b->rt, &b->done[--b->n_done]));
	return r;
}

static struct batch *batch_of(struct tx *tx, struct batch b, const struct route_list *list)
{
	b.done = mem_alloc(&tx->mem, (list->n + 1) * sizeof(*b.done));
	return mem_dup(&tx->mem, &b, sizeof(b));
}

/* Changes the routes of a list that have a gateway, or those that have none. */
static int change_some(struct tx *tx, struct batch *b, const struct route_list *list, bool via)
{
	for (unsigned i = 0; i < list->n; i++) {
		int changed;

		if (ip_set(list->r[i].gw) != via)
			continue;
		TRY(changed = b->change(tx, b->rt, &list->r[i]));
		if (!changed)
			continue;
		b->done[b->n_done++] = list->r[i];
		if (b->n_done == 1)
			TRY(tx_undo(tx, undo_batch, b->what, &b));
	}
	return 0;
}

int route_add_all(struct tx *tx, struct rt *rt, const struct route_list *list)
{
	struct batch new = {
		.rt = rt, .what = "add routes", .change = add_one, .change_back = del_one
	};
	struct batch *b = batch_of(tx, new, list);

	TRY(change_some(tx, b, list, false));
	return change_some(tx, b, list, true);
}

int route_del_all(struct tx *tx, struct rt *rt, const struct route_list *list)
{
	struct batch new = {
		.rt = rt, .what = "delete routes", .change = del_one, .change_back = add_one
	};
	struct batch *b = batch_of(tx, new, list);

	TRY(change_some(tx, b, list, true));
	return change_some(tx, b, list, false);
}

int route_drop(struct tx *tx, struct rt *rt, const struct route_list *list)
{
	int r = 0, one;

	for (int via = 1; via >= 0; via--)
		for (unsigned i = 0; i < list->n; i++) {
			if (ip_set(list->r[i].gw) != via)
				continue;
			one = del_one(tx, rt, &list->r[i]);
			if (one < 0)
				r = also(r, one);
		}
	return r;
}

/* For undo only: the routes count as deleted. */
static int pretend(struct tx *tx UNUSED, struct rt *rt UNUSED, const struct route *r UNUSED)
{
	return 1;
}

int route_keep_all(struct tx *tx, struct rt *rt, const struct route_list *list)
{
	struct batch new = {
		.rt = rt, .what = "keep routes", .change = pretend, .change_back = add_one
	};
	struct batch *b = batch_of(tx, new, list);

	TRY(change_some(tx, b, list, true));
	return change_some(tx, b, list, false);
}
