// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge_port.c - a link as port of a bridge
 *
 * Options of a port travel in IFLA_LINKINFO (IFLA_INFO_SLAVE_DATA) of an ordinary
 * link request, so alias, options and up are one request.  VLANs need the bridge's
 * own form (AF_BRIDGE); ranges keep a trunk of 4,094 ids a single request.
 *
 * A port forwards when the bridge has seen its carrier, some time after both ends
 * of the veth pair are up.  What is sent before is lost, so the announcement of an
 * address has to wait for it.
 */
#include "netlink/bridge_port.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/differ.h"

/* Starts a request about a port; close_options() ends it. */
struct request {
	struct rt_msg m;
	struct ifinfomsg *i;
	struct nlattr *info, *data;
};

static void open_options(struct request *r, const struct link *l)
{
	r->i = rt_new(&r->m, RTM_NEWLINK, 0, sizeof(*r->i));
	r->i->ifi_index = l->index;
	r->info = rt_nest(&r->m, IFLA_LINKINFO);
	rt_put_str(&r->m, IFLA_INFO_KIND, "veth");
	rt_put_str(&r->m, IFLA_INFO_SLAVE_KIND, "bridge");
	r->data = rt_nest(&r->m, IFLA_INFO_SLAVE_DATA);
}

static void close_options(struct request *r)
{
	rt_nest_end(&r->m, r->data);
	rt_nest_end(&r->m, r->info);
}

/*
 * Options alone go in the bridge's own form, after which the kernel does not tell all parts of the
 * network that the link has changed: 0.02 ms.
 */
static int set_options(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct bridge_port *p)
{
	struct nlattr *options;
	struct ifinfomsg *i;
	struct rt_msg m;

	i = rt_new(&m, RTM_SETLINK, 0, sizeof(*i));
	i->ifi_family = AF_BRIDGE;
	i->ifi_index = l->index;
	options = rt_nest(&m, IFLA_PROTINFO);
	rt_put_u8(&m, IFLA_BRPORT_MODE, p->hairpin);
	rt_put_u8(&m, IFLA_BRPORT_ISOLATED, p->isolated);
	rt_nest_end(&m, options);
	return rt_call(tx, rt, &m, "configure bridge port %s", l->name);
}

int bridge_port_configure(struct tx *tx, struct rt *rt, const struct link *l,
			  const struct bridge_port *p)
{
	struct request r;

	if (!p->up && !p->mark)
		return set_options(tx, rt, l, p);
	open_options(&r, l);
	rt_put_u8(&r.m, IFLA_BRPORT_MODE, p->hairpin);
	rt_put_u8(&r.m, IFLA_BRPORT_ISOLATED, p->isolated);
	close_options(&r);
	if (p->up)
		r.i->ifi_flags = r.i->ifi_change = IFF_UP;
	if (p->mark)
		link_put_mark(&r.m, p->mark);
	return rt_call(tx, rt, &r.m, "configure bridge port %s", l->name);
}

struct undo_bridge_port {
	struct rt *rt;
	struct link *was;
};

static int undo_port(struct tx *tx, void *arg)
{
	struct undo_bridge_port *u = arg;
	struct mark mark = { .group = 0 };
	struct bridge_port p = {
		.mark = &mark,
		.hairpin = u->was->port.hairpin,
		.isolated = u->was->port.isolated,
	};
	struct link now;
	int there;

	memcpy(mark.s, u->was->alias, sizeof(mark.s));
	TRY(there = link_find_index(tx, u->rt, u->was->index, &now));
	if (!there || !now.master)
		return 0;
	return bridge_port_configure(tx, u->rt, u->was, &p);
}

static bool is_stopped(const struct link *l)
{
	return l->port.state == BR_STATE_DISABLED || l->port.state == BR_STATE_BLOCKING;
}

/* A container needs what a new port has: it learns, floods and forwards. */
static int open_port(struct tx *tx, struct rt *rt, const struct link *l)
{
	bool start = is_stopped(l) && (l->flags & IFF_RUNNING);
	struct request r;

	if (l->port.learning && l->port.flood && !l->port.locked && !start)
		return 0;
	open_options(&r, l);
	rt_put_u8(&r.m, IFLA_BRPORT_LEARNING, 1);
	rt_put_u8(&r.m, IFLA_BRPORT_UNICAST_FLOOD, 1);
	if (l->port.locked)
		rt_put_u8(&r.m, IFLA_BRPORT_LOCKED, 0);
	if (start)
		rt_put_u8(&r.m, IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
	close_options(&r);
	return rt_call(tx, rt, &r.m, "open bridge port %s", l->name);
}

int bridge_port_ensure(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct bridge_port *p)
{
	struct undo_bridge_port u = { rt, mem_dup(&tx->mem, l, sizeof(*l)) };

	TRY(open_port(tx, rt, l));
	if (p->hairpin == l->port.hairpin && p->isolated == l->port.isolated &&
	    (!p->mark || (str_eq(p->mark->s, l->alias) && !mark_is_doomed(l->group))))
		return 0;
	TRY(bridge_port_configure(tx, rt, l, p));
	return tx_undo(tx, undo_port, "set bridge port", &u);
}

static void check_flag(struct tx *tx, const struct link *l, const char *what, bool want, bool have)
{
	static const char *const words[] = { "off", "on" };

	if (want != have)
		differ(tx, mem_printf(&tx->mem, "%s of bridge port %s", what, l->name), words[want],
		       words[have]);
}

void bridge_port_check(struct tx *tx, const struct link *l, const struct bridge_port *p,
		       bool all_up)
{
	if (p->hairpin)
		check_flag(tx, l, "hairpin mode", true, l->port.hairpin);
	check_flag(tx, l, "isolation", p->isolated, l->port.isolated);
	check_flag(tx, l, "learning", true, l->port.learning);
	check_flag(tx, l, "flooding", true, l->port.flood);
	check_flag(tx, l, "locking", false, l->port.locked);
	if (is_stopped(l) && all_up)
		differ(tx, mem_printf(&tx->mem, "state of bridge port %s", l->name), "forwarding",
		       l->port.state == BR_STATE_DISABLED ? "disabled" : "blocking");
}

/* ---- VLANs -------------------------------------------------------------- */

static struct nlattr *vlan_request(struct rt_msg *m, int type, const struct link *l)
{
	struct ifinfomsg *i = rt_new(m, type, 0, sizeof(*i));
	struct nlattr *spec;

	i->ifi_family = AF_BRIDGE;
	i->ifi_index = l->index;
	spec = rt_nest(m, IFLA_AF_SPEC);
	rt_put_u16(m, IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_MASTER);
	return spec;
}

static void put_vlan(struct rt_msg *m, unsigned first, unsigned last, unsigned flags)
{
	struct bridge_vlan_info v = { .vid = (uint16_t)first, .flags = (uint16_t)flags };

	if (first < last) {
		v.flags |= BRIDGE_VLAN_INFO_RANGE_BEGIN;
		rt_put(m, IFLA_BRIDGE_VLAN_INFO, &v, sizeof(v));
		v.vid = (uint16_t)last;
		v.flags = (uint16_t)(flags | BRIDGE_VLAN_INFO_RANGE_END);
	}
	rt_put(m, IFLA_BRIDGE_VLAN_INFO, &v, sizeof(v));
}

/* The port's untagged VLAN; 0 = leave VLANs alone. */
static unsigned native_vlan(const struct bridge_port_vlans *v)
{
	if (v->pvid)
		return v->pvid;
	return v->n_trunk ? 1 : 0;
}

int bridge_port_set_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			  const struct bridge_port_vlans *v)
{
	unsigned native = native_vlan(v);
	struct nlattr *spec;
	struct rt_msg m;

	if (!native)
		return 0;
	if (!v->keep_default && v->default_pvid && v->default_pvid != native) {
		spec = vlan_request(&m, RTM_DELLINK, l);
		put_vlan(&m, v->default_pvid, v->default_pvid, 0);
		rt_nest_end(&m, spec);
		TRY(rt_call(tx, rt, &m, "remove VLAN %u from bridge port %s", v->default_pvid,
			    l->name));
	}
	spec = vlan_request(&m, RTM_SETLINK, l);
	for (unsigned i = 0; i < v->n_trunk; i++)
		put_vlan(&m, v->trunk[i].first, v->trunk[i].last, 0);
	put_vlan(&m, native, native, BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED);
	rt_nest_end(&m, spec);
	return rt_call(tx, rt, &m, "set VLANs of bridge port %s (untagged %u, %u tagged ranges)",
		       l->name, native, v->n_trunk);
}

/* A port's VLANs: BRIDGE_VLAN_INFO_* by VLAN id. */
struct vlan_table {
	int index;
	bool seen;
	uint8_t flags[4096];
};

enum { VLAN_THERE = 0x80 };

static void note_vlans(struct nlattr *spec, struct vlan_table *t)
{
	struct nlattr *a;
	unsigned first = 0;
	int left;

	nla_for_each_nested (a, spec, left) {
		struct bridge_vlan_info *v = nla_data(a);

		if (nla_type(a) != IFLA_BRIDGE_VLAN_INFO || nla_len(a) < (int)sizeof(*v) ||
		    v->vid >= 4096)
			continue;
		if (v->flags & BRIDGE_VLAN_INFO_RANGE_BEGIN) {
			first = v->vid;
			continue;
		}
		if (!(v->flags & BRIDGE_VLAN_INFO_RANGE_END))
			first = v->vid;
		for (unsigned id = first; id <= v->vid; id++)
			t->flags[id] = (uint8_t)(VLAN_THERE | (v->flags & 0x7));
	}
}

static int keep_vlans(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct vlan_table *t = arg;
	struct nlattr *tb[IFLA_MAX + 1];
	struct ifinfomsg *i;

	if (!h) {
		memset(t->flags, 0, sizeof(t->flags));
		return 0;
	}
	i = nlmsg_data(m);
	if (h->nlmsg_type != RTM_NEWLINK || i->ifi_index != t->index ||
	    nlmsg_parse(m, sizeof(*i), tb, IFLA_MAX, NULL) < 0)
		return 0;
	t->seen = true;
	if (tb[IFLA_AF_SPEC])
		note_vlans(tb[IFLA_AF_SPEC], t);
	return 0;
}

static int read_vlans(struct tx *tx, struct rt *rt, const struct link *l, struct vlan_table *t)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_GETLINK, NLM_F_DUMP, sizeof(*i));
	int r;

	*t = (struct vlan_table){ .index = l->index };
	i->ifi_family = AF_BRIDGE;
	rt_put_u32(&m, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED);
	r = rt_ask(rt, &m, keep_vlans, t);
	if (r < 0)
		return rt_refused(tx, rt, r, "list VLANs of bridge port %s", l->name);
	return 0;
}

/* A VLAN that the port lacks, as text; *ret NULL: none. */
static int missing_vlan(struct tx *tx, struct rt *rt, const struct link *l,
			const struct bridge_port_vlans *v, const char **ret)
{
	unsigned native = native_vlan(v), need = BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
	struct vlan_table t;

	*ret = NULL;
	if (!native)
		return 0;
	TRY(read_vlans(tx, rt, l, &t));
	if ((t.flags[native] & need) != need) {
		*ret = mem_printf(&tx->mem, "VLAN %u is not the untagged VLAN", native);
		return 0;
	}
	for (unsigned i = 0; i < v->n_trunk; i++)
		for (unsigned id = v->trunk[i].first; id <= v->trunk[i].last; id++)
			if (!t.flags[id]) {
				*ret = mem_printf(&tx->mem, "VLAN %u is missing", id);
				return 0;
			}
	return 0;
}

int bridge_port_check_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			    const struct bridge_port_vlans *v)
{
	const char *missing;

	TRY(missing_vlan(tx, rt, l, v, &missing));
	if (missing)
		differ(tx, mem_printf(&tx->mem, "VLANs of bridge port %s", l->name),
		       "as configured", missing);
	return 0;
}

int bridge_port_ensure_vlans(struct tx *tx, struct rt *rt, const struct link *l,
			     const struct bridge_port_vlans *v)
{
	const char *missing;

	TRY(missing_vlan(tx, rt, l, v, &missing));
	if (missing)
		return bridge_port_set_vlans(tx, rt, l, v);
	return 0;
}

int bridge_port_list_vlans(struct tx *tx, struct rt *rt, const struct link *l, const char **ret)
{
	struct mem_text text = { .mem = &tx->mem };
	struct vlan_table t;
	unsigned last;

	TRY(read_vlans(tx, rt, l, &t));
	for (unsigned id = 0; id < ARRAY_LEN(t.flags); id = last + 1) {
		last = id;
		if (!t.flags[id])
			continue;
		while (last + 1 < ARRAY_LEN(t.flags) && t.flags[last + 1] == t.flags[id])
			last++;
		mem_text_add(&text, "%s%u", mem_text_comma(&text, ", "), id);
		if (last > id)
			mem_text_add(&text, "-%u", last);
		if (t.flags[id] & BRIDGE_VLAN_INFO_UNTAGGED)
			mem_text_add(&text, " untagged");
	}
	*ret = text.s ? mem_text_end(&text) : "none";
	return 0;
}

/* ---- forwarding --------------------------------------------------------- */

static const char *state_name(int state)
{
	static const char *const names[] = { "disabled", "listening", "learning", "forwarding",
					     "blocking" };

	if (state < 0 || (size_t)state >= ARRAY_LEN(names))
		return "unknown";
	return names[state];
}

/* Returns 1 if the event is about the port, or events were lost. */
static int about_port(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	const int *index = arg;

	if (!h)
		return 1;
	if (h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK)
		return 0;
	if (!nlmsg_valid_hdr(m, sizeof(struct ifinfomsg)))
		return 0;
	return ((struct ifinfomsg *)nlmsg_data(m))->ifi_index == *index;
}

/* 1 = forwards, 0 = not yet. */
static int forwards(struct tx *tx, struct rt *rt, const struct link *l, int *ret_state)
{
	struct link now;
	int there;

	TRY(there = link_find_index(tx, rt, l->index, &now));
	if (!there)
		return tx_fail(tx, -ENODEV, "%s: bridge port %s vanished while it was set up",
			       rt->where, l->name);
	*ret_state = now.port.state;
	return now.port.state == BR_STATE_FORWARDING;
}

int bridge_port_wait_forwarding(struct tx *tx, struct rt *rt, const struct link *l, int timeout_ms)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int64_t deadline = rt_deadline(timeout_ms);
	int state = -1, index = l->index, r;

	TRY(r = forwards(tx, rt, l, &state));
	if (r)
		return 0;
	TRY(rt_subscribe(tx, rt, RTNLGRP_LINK, &events));
	for (;;) {
		TRY(r = forwards(tx, rt, l, &state));
		if (r)
			return 0;
		r = rt_wait(tx, &events, deadline, about_port, &index);
		if (r == -ETIMEDOUT)
			return tx_fail_as(tx, CNI_E_AGAIN, r,
					  "%s: bridge port %s does not forward after %d ms: its "
					  "state is %s (spanning tree on the bridge delays ports)",
					  rt->where, l->name, timeout_ms, state_name(state));
		TRY(r);
	}
}

struct any {
	int bridge;
	bool found;
};

static int is_port(const struct link *l, void *arg)
{
	struct any *a = arg;

	a->found |= l && l->master == a->bridge;
	return a->found;
}

int bridge_port_any(struct tx *tx, struct rt *rt, int bridge)
{
	struct any a = { .bridge = bridge };

	TRY(link_each_port(tx, rt, bridge, is_port, &a));
	return a.found;
}
