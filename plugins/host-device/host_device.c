// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host_device.c - gives a container a device of the host
 *
 * ADD		find the device, remember what it is, move it, lease addresses or take its own
 *		along, configure
 * CHECK	the same device, as prevResult and the configuration want it
 * DEL		move it back, and give it what it had; one that a dead namespace left is found
 * GC		the same for stale attachments
 *
 * A device that a userspace driver has (DPDK) has no link: nothing is moved or configured.
 */
#include "base/differ.h"
#include "cni/conf.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/steps.h"
#include "plugins/host-device/host_device.h"
#include "plugins/list.h"

/* ---- the device's own addresses ----------------------------------------- */

static void list_kept_addresses(const struct hostdev_record *r, struct result *res)
{
	for (unsigned i = 0; i < r->addrs.n; i++) {
		struct result_ip ip = { .addr = r->addrs.a[i].addr };

		if (r->addrs.a[i].lasting && !ip_is_linklocal(ip.addr.ip))
			result_add_ip(res, ip);
	}
}

/* Those of table main that the kernel does not make with the addresses. */
static struct route_list kept_routes(struct mem *mem, const struct hostdev_record *r,
				     const struct link *l)
{
	struct route_list list = { .r = mem_alloc(mem, (r->routes.n + 1) * sizeof(*list.r)) };

	for (unsigned i = 0; i < r->routes.n; i++) {
		struct route route = r->routes.r[i];

		if (route.table != RT_TABLE_MAIN || route.protocol == RTPROT_KERNEL ||
		    route.multipath)
			continue;
		route.link = l->index;
		list.r[list.n++] = route;
	}
	return list;
}

static void list_kept_routes(const struct route_list *list, struct result *res)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct route *r = &list->r[i];
		struct result_route told = result_route(r->dst, r->gw);

		told.mtu = r->mtu;
		told.advmss = r->advmss;
		told.priority = r->priority;
		if (r->scope)
			told.scope = r->scope;
		result_add_route(res, told);
	}
}

static int move_routes(struct tx *tx, struct call *c, const struct link *l,
		       const struct hostdev_record *r, struct result *res)
{
	struct route_list list = kept_routes(&tx->mem, r, l);

	list_kept_routes(&list, res);
	return route_add_all(tx, &c->cont, &list);
}

/* prevResult does not say everything of a route (onlink, source), so the record is asked. */
static int repair_kept(struct tx *tx, struct call *c, struct link *l)
{
	struct link_want want = { .up = true };
	struct hostdev_record r;
	struct hostdev_owner o;
	struct route_list list;
	int there;

	TRY(hostdev_owner(tx, c->network, c->id, c->ifname, &o));
	TRY(there = hostdev_record_load(tx, &o, &r));
	if (!there)
		return 0;
	TRY(link_ensure(tx, &c->cont, l, &want));
	for (unsigned i = 0; i < r.addrs.n; i++)
		TRY(addr_ensure_undoable(tx, &c->cont, l, r.addrs.a[i].addr));
	list = kept_routes(&tx->mem, &r, l);
	return route_add_all(tx, &c->cont, &list);
}

/* ---- ADD ---------------------------------------------------------------- */

/* r: what the device was on the host; NULL for one of DPDK, which has no addresses */
static int ask_addresses(struct tx *tx, struct call *c, const struct hostdev_conf *d,
			 const struct hostdev_record *r, struct result *res)
{
	if (ipam_wanted(c))
		TRY(ipam_add(tx, c, res));
	if (d->keep && r)
		list_kept_addresses(r, res);
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 0;
	if (!result_dns_empty(&d->dns))
		res->dns = d->dns;
	return 0;
}

static int add_dpdk(struct tx *tx, struct call *c, const struct hostdev_conf *d, struct result *res)
{
	result_add_if(res, (struct result_if){ .name = c->ifname, .sandbox = c->netns_path });
	TRY(ask_addresses(tx, c, d, NULL, res));
	return step_resolv(tx, c, d->resolv_conf, &res->dns);
}

/* Some virtual functions refuse to set a MAC address, even the one that they have. */
static int announce(struct tx *tx, struct call *c, const struct link *l)
{
	int before = tx->err, r = link_announce(tx, &c->cont, l);

	return tx_excuse(tx, before, r, "neighbours learn the addresses later");
}

static int hostdev_validate(struct tx *tx, struct call *c)
{
	struct hostdev_conf d;

	TRY(hostdev_read(tx, c, &d));
	if (!d.what && !conf_declares(&c->conf, "deviceID"))
		return hostdev_select(tx, c, &d);
	return 0;
}

static int hostdev_add(struct tx *tx, struct call *c, struct result *res)
{
	struct iface_options o = { .dad = false };
	struct hostdev_conf d;
	struct hostdev_record r;
	struct link l;

	TRY(hostdev_read(tx, c, &d));
	TRY(hostdev_select(tx, c, &d));
	TRY(ipam_validate(tx, c));
	if (d.dpdk)
		return add_dpdk(tx, c, &d, res);
	TRY(hostdev_take(tx, c, &d, &r, &l));
	TRY(iface_prepare(tx, c, &l, d.dad));
	TRY(ask_addresses(tx, c, &d, &r, res));
	TRY(iface_need_mtu(tx, l.mtu, res, ""));
	iface_list(tx, c, &l, c->netns_path, res);
	o.dad = d.dad;
	if (res->n_ips)
		TRY(iface_configure(tx, c, &l, res, &o));
	else
		TRY(iface_up(tx, c, &l, NULL));
	if (d.keep)
		TRY(move_routes(tx, c, &l, &r, res));
	TRY(step_resolv(tx, c, d.resolv_conf, &res->dns));
	if (!res->n_ips)
		return 0;
	return announce(tx, c, &l);
}

/* ---- CHECK, repair ------------------------------------------------------ */

static int hostdev_check_all(struct tx *tx, struct call *c)
{
	struct iface_want want = { .up = true };
	struct hostdev_conf d;
	struct link l;

	TRY(hostdev_read(tx, c, &d));
	TRY(hostdev_select(tx, c, &d));
	TRY(call_need_prev(tx, c));
	TRY(ipam_check(tx, c));
	if (!d.dpdk) {
		want.mtu = d.mtu;
		TRY(iface_check(tx, c, &want, &l));
		if (l.index)
			TRY(hostdev_check(tx, c, &l));
		if (l.index && link_is_marked(&l, call_mark(tx, c)))
			TRY(iface_check_sysctls(tx, c, &l));
	}
	return step_resolv(tx, c, d.resolv_conf, &c->prev->dns);
}

/* The device as prevResult wants it; taken again if it is back on the host. */
static int ensure_device(struct tx *tx, struct call *c, const struct hostdev_conf *d,
			 struct link *ret)
{
	struct hostdev_record r;
	int there;

	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (!there)
		return hostdev_take(tx, c, d, &r, ret);
	differ_forget(tx);
	TRY(hostdev_check(tx, c, ret));
	if (!tx->n_differences)
		return 0;
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s is another one than ADD moved (remove or rename "
			  "it, and repair again)",
			  c->ifname);
}

static int hostdev_repair(struct tx *tx, struct call *c)
{
	struct iface_options o = { .dad = false };
	struct hostdev_conf d;
	struct link l;

	TRY(hostdev_read(tx, c, &d));
	TRY(hostdev_select(tx, c, &d));
	TRY(call_need_prev(tx, c));
	TRY(ipam_repair(tx, c));
	if (!d.dpdk) {
		TRY(ensure_device(tx, c, &d, &l));
		o.dad = d.dad || !c->prev->n_ips;
		o.accept_ra = !c->prev->n_ips;
		if (d.keep)
			TRY(repair_kept(tx, c, &l));
		TRY(iface_ensure(tx, c, &l, c->prev, &o));
		TRY(announce(tx, c, &l));
	}
	return step_resolv(tx, c, d.resolv_conf, &c->prev->dns);
}

/* ---- DEL, GC, STATUS ---------------------------------------------------- */

static int hostdev_del(struct tx *tx, struct call *c)
{
	struct hostdev_conf d = { .resolv_conf = "auto" };
	int before = tx->err, r = hostdev_read(tx, c, &d), moved;

	TRY(tx_excuse(tx, before, r, "DEL goes on without the configuration"));
	r = ipam_del_first(tx, c);
	moved = hostdev_give_back(tx, c, &d);
	r = also(r, moved);
	r = also(r, step_resolv_remove(tx, c, d.resolv_conf));
	/* The container still has its addresses. */
	if (moved < 0)
		return r;
	return also(r, ipam_del(tx, c));
}

static int hostdev_gc(struct tx *tx, struct call *c)
{
	int r = 0;

	if (c->valid_known) {
		r = ipam_gc_first(tx, c);
		r = also(r, hostdev_give_back_stale(tx, c));
		r = also(r, step_resolv_gc(tx, c));
	}
	return also(r, ipam_gc(tx, c));
}

/* Without a selection, each container brings its own (runtimeConfig.deviceID). */
static int hostdev_status_all(struct tx *tx, struct call *c)
{
	struct hostdev_conf d;
	int r;

	TRY(hostdev_read(tx, c, &d));
	TRY(ipam_status(tx, c));
	TRY(state_ready(tx, HOSTDEV_RECORDS));
	if (!d.what)
		return 0;
	r = hostdev_select(tx, c, &d);
	if (r == 0 && !d.dpdk)
		r = hostdev_status(tx, c, &d);
	if (r < 0)
		tx->code = CNI_E_UNAVAILABLE;
	return r;
}

static const char *const args[] = { "MAC", NULL };

const struct plugin host_device_plugin = {
	.name = "host-device",
	.about = "gives a container a device of the host",
	.flags = CNI_USES_HOST | CNI_USES_CONT | CNI_RESTORES_CONT,
	.args = args,
	.validate = hostdev_validate,
	.add = hostdev_add,
	.del = hostdev_del,
	.check = hostdev_check_all,
	.repair = hostdev_repair,
	.gc = hostdev_gc,
	.status = hostdev_status_all,
};
