// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vrf.c - puts the container's interface into a VRF, a routing domain of its own (kind "vrf";
 * kernel Documentation/networking/vrf)
 *
 * Chained.  The VRF is a link in the container that several interfaces may share.  The kernel takes
 * an interface's routes away when it joins, and sets it down and up again; what it does not put
 * back is added again, in the VRF's table.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "base/differ.h"
#include "cni/conf.h"
#include "cni/found.h"
#include "netlink/addr.h"
#include "netlink/bridge_port.h"
#include "netlink/route.h"
#include "plugins/list.h"
#include "plugins/vrf/vrf.h"

struct vrf {
	const char *name;
	uint32_t table; /* 0 = a free one */
};

static int read_conf(struct tx *tx, const struct call *c, struct vrf *v)
{
	*v = (struct vrf){
		.name = conf_ifname(&c->conf, "vrfname"),
		.table = (uint32_t)cj_int(&c->conf, "table", 0, 0, UINT32_MAX),
	};
	/* conf_ifname() has said what is wrong with one that is there. */
	if (!conf_says(&c->conf, "vrfname"))
		cj_wrong(&c->conf, "vrfname",
			 "missing: configuration is expected to have a valid vrf name");
	if (v->table >= RT_TABLE_DEFAULT && v->table <= RT_TABLE_LOCAL)
		cj_wrong(&c->conf, "table", "%u is a table of the system (253 to 255)", v->table);
	return cj_ok(tx, &c->conf);
}

/* ---- the VRF ------------------------------------------------------------ */

static void put_vrf(struct rt_msg *m, const void *data)
{
	const struct vrf *v = data;

	rt_put_u32(m, IFLA_VRF_TABLE, v->table);
}

/* *ret is a VRF; its table is the configured one, if one is. */
static int check_found(struct tx *tx, const struct vrf *v, const struct link *l)
{
	uint32_t table;

	if (!str_eq(l->kind, "vrf"))
		return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
				  "vrfname: container: interface %s is not a VRF (choose another "
				  "name)",
				  v->name);
	table = link_data_number(l, IFLA_VRF_TABLE, 0);
	if (v->table && table != v->table)
		return tx_fail_as(tx, CNI_E_CONFIG, -EEXIST,
				  "table: VRF %s already exists with table %u, not %u (leave "
				  "\"table\" out, or write this one)",
				  v->name, table, v->table);
	return 0;
}

/* The VRF goes with its last member, unless it has an alias that is not cplug's. */
static int prune(struct tx *tx, struct call *c, const struct link *vrf)
{
	int used;

	if (*vrf->alias && !mark_is_any(vrf->alias))
		return 0;
	TRY(used = bridge_port_any(tx, &c->cont, vrf->index));
	if (used)
		return 0;
	return link_del(tx, &c->cont, vrf);
}

struct made {
	struct call *c;
	const char *name;
	bool made;
};

/* Another interface of the container may have joined it by now: so it also stays up. */
static int undo_made(struct tx *tx, void *arg)
{
	struct made *m = *(struct made **)arg;
	auto_(fd_close) int lock = -1;
	struct link vrf;
	int there;

	if (!m->made)
		return 0;
	TRY(call_lock_cont(tx, m->c, &lock));
	TRY(there = link_find(tx, &m->c->cont, m->name, &vrf));
	if (!there || !str_eq(vrf.kind, "vrf"))
		return 0;
	return prune(tx, m->c, &vrf);
}

/* The caller holds the lock, so the table that is free now is free when the VRF is made. */
static int make_vrf(struct tx *tx, struct call *c, const struct vrf *v, struct link *ret)
{
	struct mark mark = mark_of_network(c->network);
	struct vrf own = *v;
	struct link_new n = {
		.kind = "vrf",
		.name = v->name,
		.in = &c->cont,
		.mac = link_random_mac(),
		.mark = &mark,
		.put = put_vrf,
		.data = &own,
	};
	struct link_want want = { .up = true, .mark = &mark, .shared = true };
	struct made *m = mem_alloc(&tx->mem, sizeof(*m));

	*m = (struct made){ .c = c, .name = v->name };
	if (!own.table)
		TRY(vrf_free_table(tx, &c->cont, &own.table));
	/* First, because what was made is looked up, which may fail. */
	TRY(tx_undo(tx, undo_made, "add VRF", &m));
	TRY(link_add_shared(tx, &c->cont, &n, ret, &m->made));
	TRY(check_found(tx, v, ret));
	return link_ensure(tx, &c->cont, ret, &want);
}

static int ensure_vrf(struct tx *tx, struct call *c, const struct vrf *v, const struct link *member,
		      struct link *ret)
{
	struct link_want want = { .up = true, .shared = true };
	int there;

	TRY(there = link_find(tx, &c->cont, v->name, ret));
	if (!there)
		return make_vrf(tx, c, v, ret);
	TRY(check_found(tx, v, ret));
	return found_ensure(tx, c, &c->cont, ret, &want, member);
}

/* ---- the member --------------------------------------------------------- */

/* The routes of table main through the link that the kernel did not make. */
static int own_routes(struct tx *tx, struct call *c, const struct link *l, struct route_list *ret)
{
	struct route_filter f = { .table = RT_TABLE_MAIN, .link = l->index };
	unsigned n = 0;

	TRY(route_list(tx, &c->cont, &f, ret));
	for (unsigned i = 0; i < ret->n; i++)
		if (ret->r[i].protocol != RTPROT_KERNEL && ret->r[i].protocol != RTPROT_RA)
			ret->r[n++] = ret->r[i];
	ret->n = n;
	return 0;
}

static int join(struct tx *tx, struct call *c, struct link *l, const struct link *vrf)
{
	struct link_want want = { .master = vrf->index };
	struct route_list routes, moved;
	struct addr_saved addrs;

	TRY(own_routes(tx, c, l, &routes));
	moved.n = routes.n;
	TRY(addr_save(tx, &c->cont, l, AF_INET6, &addrs));
	/* In this order undone: master, addresses, routes. */
	TRY(route_keep_all(tx, &c->cont, &routes));
	TRY(addr_keep_all(tx, &c->cont, l, &addrs));
	TRY(link_ensure(tx, &c->cont, l, &want));
	TRY(addr_restore(tx, &c->cont, l, &addrs, true));
	if (!routes.n)
		return 0;
	moved.r = mem_dup(&tx->mem, routes.r, routes.n * sizeof(*routes.r));
	for (unsigned i = 0; i < moved.n; i++)
		moved.r[i].table = link_data_number(vrf, IFLA_VRF_TABLE, 0);
	return route_add_all(tx, &c->cont, &moved);
}

/* ---- verbs -------------------------------------------------------------- */

static int vrf_validate(struct tx *tx, struct call *c)
{
	struct vrf v;

	return read_conf(tx, c, &v);
}

static int vrf_add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	auto_(fd_close) int lock = -1;
	struct link *l = mem_alloc(&tx->mem, sizeof(*l)), vrf, master;
	struct vrf v;
	int there;

	TRY(read_conf(tx, c, &v));
	TRY(link_need(tx, &c->cont, c->ifname, l));
	/* A DEL of another interface does not delete the VRF before this one has joined. */
	TRY(call_lock_cont(tx, c, &lock));
	TRY(ensure_vrf(tx, c, &v, l, &vrf));
	if (l->master == vrf.index)
		return 0;
	if (l->master) {
		TRY(there = link_find_index(tx, &c->cont, l->master, &master));
		return tx_fail_as(
			tx, CPLUG_E_TAKEN, -EBUSY,
			"container: interface %s has already a master set: %s (a VRF needs "
			"an interface without master)",
			l->name, there ? master.name : "another link");
	}
	return join(tx, c, l, &vrf);
}

static int vrf_check(struct tx *tx, struct call *c)
{
	const char *what;
	struct link l, vrf;
	uint32_t table;
	struct vrf v;
	int there;

	TRY(read_conf(tx, c, &v));
	what = mem_printf(&tx->mem, "VRF %s", v.name);
	TRY(there = link_find(tx, &c->cont, v.name, &vrf));
	if (!there || !str_eq(vrf.kind, "vrf")) {
		differ(tx, what, "present", there ? "another kind" : NULL);
		return 0;
	}
	table = link_data_number(&vrf, IFLA_VRF_TABLE, 0);
	if (v.table)
		differ_number(tx, mem_printf(&tx->mem, "table of %s", what), v.table, table);
	if (!(vrf.flags & IFF_UP))
		differ(tx, what, "up", "down");
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (!there || l.master != vrf.index)
		differ(tx, mem_printf(&tx->mem, "master of %s", c->ifname), v.name,
		       there && l.master ? "another" : NULL);
	return 0;
}

static int vrf_repair(struct tx *tx, struct call *c)
{
	differ_forget(tx);
	return vrf_add(tx, c, NULL);
}

static int vrf_del(struct tx *tx, struct call *c)
{
	auto_(fd_close) int lock = -1;
	struct link l, vrf;
	struct vrf v;
	int before = tx->err, there, r;

	r = read_conf(tx, c, &v);
	TRY(tx_excuse(tx, before, r, "DEL leaves the VRF as it is"));
	if (!v.name || !rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, v.name, &vrf));
	if (!there || !str_eq(vrf.kind, "vrf"))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (there && l.master == vrf.index)
		TRY(link_free(tx, &c->cont, &l));
	r = call_lock_cont(tx, c, &lock);
	if (r == -ETIMEDOUT || r == -EINTR)
		return r;
	TRY(tx_excuse(tx, before, r, "DEL goes on without the lock"));
	return prune(tx, c, &vrf);
}

const struct plugin vrf_plugin = {
	.name = "vrf",
	.about = "puts the container's interface into a VRF",
	.flags = CNI_USES_CONT | CNI_NEEDS_PREV | CNI_PASSES_PREV | CNI_RESTORES_CONT,
	.oldest = "0.3.1",
	.validate = vrf_validate,
	.add = vrf_add,
	.del = vrf_del,
	.check = vrf_check,
	.repair = vrf_repair,
	.status = vrf_validate, /* each container has its own VRFs */
};
