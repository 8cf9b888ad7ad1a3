// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * leg.c - a main plugin that gives a container one interface, made in place
 *
 * The link carries the attachment's mark (mark.h), so DEL after a failed ADD does not delete
 * another attachment's interface of the same name.
 */
#include "cni/leg_impl.h"

#include <stdio.h>

#include "base/differ.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "netlink/addr.h"

/* ---- description -------------------------------------------------------- */

/* In a list without "master" the parent is the only interface of the plugin before. */
static void take_master(const struct call *c, struct leg *leg)
{
	const struct result *r = c->prev;

	if (leg->parent.master || c->command != CNI_ADD || !r)
		return;
	if (r->n_ifs == 1 && !str_empty(r->ifs[0].name)) {
		leg->parent.master = r->ifs[0].name;
		leg->parent.in_container |= !str_empty(r->ifs[0].sandbox);
		return;
	}
	cj_wrong(&c->conf, "master",
		 "chained master failure. PrevResult lacks a single named interface (name the "
		 "parent interface)");
}

int leg_read(struct tx *tx, struct call *c, struct leg *leg)
{
	const struct cj *j = &c->conf;

	leg->link.mtu = conf_mtu(j, 0);
	if (leg->link.mtu == MTU_AUTO)
		leg->link.mtu = 0;
	if (leg->has_parent)
		leg->parent = conf_parent(j);
	if (leg->takes_prev)
		take_master(c, leg);
	leg->dad = cj_bool(j, "dad", false);
	leg->dns = conf_dns(&tx->mem, j);
	leg->resolv_conf = conf_resolv(tx, j);
	if (leg->needs_ipam && !ipam_wanted(c))
		cj_wrong(j, "ipam",
			 "missing: a %s interface requires an IPAM configuration (name an IPAM "
			 "plugin in ipam.type)",
			 leg->link.kind);
	if (leg->has_mac)
		TRY(conf_mac(tx, c, cj_mac(j, "mac"), &leg->link.mac));
	return cj_ok(tx, j);
}

int leg_describe(struct tx *tx, struct call *c, struct leg *leg)
{
	*leg = (struct leg){ .resolv_conf = "auto" };
	return c->plugin->leg(tx, c, leg);
}

int leg_validate(struct tx *tx, struct call *c)
{
	struct leg leg;

	ipam_wanted(c); /* a question that each leg asks */
	return leg_describe(tx, c, &leg);
}

int leg_find_site(struct tx *tx, struct call *c, const struct leg *leg, struct leg_site *ret)
{
	*ret = (struct leg_site){ .rt = &c->cont };
	if (!leg->has_parent)
		return 0;
	return conf_find_parent(tx, c, &leg->parent, &ret->rt, &ret->parent);
}

/* The bridge in the container whose port the link becomes: link.master. */
static int find_bridge(struct tx *tx, struct call *c, struct leg *leg)
{
	struct link l;
	int there;

	if (!leg->bridge)
		return 0;
	TRY(there = link_find(tx, &c->cont, leg->bridge, &l));
	if (!there || !str_eq(l.kind, "bridge"))
		return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
				  "bridge: there is no bridge %s in the container (make it there "
				  "first, or leave the key out)",
				  leg->bridge);
	leg->link.master = l.index;
	return 0;
}

/* A new link needs of its parent only what is known without the RTNL lock. */
static int look_at_site(struct tx *tx, struct call *c, const struct leg *leg, struct leg_site *ret)
{
	const struct conf_parent *p = &leg->parent;

	*ret = (struct leg_site){ .rt = p->in_container ? &c->cont : &c->host };
	if (leg->has_parent && p->master && link_glance(ret->rt, p->master, "", &ret->parent))
		return 0;
	return leg_find_site(tx, c, leg, ret);
}

static int make_link(struct tx *tx, struct call *c, struct leg *leg, struct rt *rt,
		     struct link *ret)
{
	if (leg->make)
		return leg->make(tx, c, leg, ret);
	TRY(link_add(tx, rt, &leg->link, NULL));
	if (link_glance(&c->cont, c->ifname, leg->link.kind, ret))
		return 0;
	return link_need(tx, &c->cont, c->ifname, ret);
}

static int add_link(struct tx *tx, struct call *c, struct leg *leg, struct link *ret)
{
	struct link_want want = { .mac = leg->link.mac, .promisc = leg->promisc };
	struct leg_site s;

	TRY(find_bridge(tx, c, leg));
	TRY(look_at_site(tx, c, leg, &s));
	if (leg->has_parent) {
		TRY(conf_check_parent(tx, s.rt, &s.parent, leg->link.mtu));
		leg->parent.master = mem_str(&tx->mem, s.parent.name);
	}
	if (leg->has_mac && !leg->link.mac.len && !leg->starts_with_mac)
		leg->link.mac = link_random_mac();
	leg->link.name = c->ifname;
	leg->link.in = &c->cont;
	leg->link.parent = s.parent.index;
	leg->link.mark = call_mark(tx, c);
	TRY(make_link(tx, c, leg, s.rt, ret));
	/* A macvlan in mode passthru starts with its parent's MAC. */
	return link_ensure(tx, &c->cont, ret, &want);
}

/* ---- ADD ---------------------------------------------------------------- */

static int need_mtu(struct tx *tx, const struct leg *leg, const struct link *l,
		    const struct result *res)
{
	const char *hint = "";

	if (!leg->link.mtu && leg->has_parent)
		hint = mem_printf(&tx->mem, " (the master %s has it)", leg->parent.master);
	return iface_need_mtu(tx, l->mtu, res, hint);
}

/* Addresses come from the IPAM plugin, or from the plugin before this one. */
static bool has_addresses(const struct call *c, const struct leg *leg)
{
	return ipam_wanted(c) || (leg->takes_prev && c->prev && c->prev->n_ips);
}

static int ask_addresses(struct tx *tx, struct call *c, struct result *res)
{
	if (ipam_wanted(c))
		return ipam_add(tx, c, res);
	for (unsigned i = 0; i < c->prev->n_ips; i++)
		result_add_ip(res, c->prev->ips[i]);
	for (unsigned i = 0; i < c->prev->n_routes; i++)
		result_add_route(res, c->prev->routes[i]);
	res->dns = c->prev->dns;
	return 0;
}

int leg_add(struct tx *tx, struct call *c, struct result *res)
{
	struct iface_options o = { .mark = call_mark(tx, c) };
	struct leg leg;
	struct link l;
	bool l3;

	TRY(leg_describe(tx, c, &leg));
	TRY(ipam_validate(tx, c));
	TRY(add_link(tx, c, &leg, &l));
	TRY(iface_prepare(tx, c, &l, leg.dad));
	l3 = has_addresses(c, &leg);
	if (l3) {
		TRY(ask_addresses(tx, c, res));
		TRY(need_mtu(tx, &leg, &l, res));
	}
	iface_list(tx, c, &l, c->netns_path, res);
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 0;
	if (!result_dns_empty(&leg.dns))
		res->dns = leg.dns;
	o.dad = leg.dad;
	if (!l3) {
		TRY(iface_up(tx, c, &l, o.mark));
		return step_resolv(tx, c, leg.resolv_conf, &res->dns);
	}
	TRY(iface_configure(tx, c, &l, res, &o));
	TRY(step_resolv(tx, c, leg.resolv_conf, &res->dns));
	return link_announce(tx, &c->cont, &l);
}

/* ---- repair -------------------------------------------------------------- */

static int fail_if_renamed(struct tx *tx, struct call *c, const struct leg *leg)
{
	struct link l;
	int there;

	TRY(there = link_find_marked(tx, &c->cont, leg->link.kind, call_mark(tx, c), &l));
	if (!there)
		return 0;
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s was renamed to %s (rename it back, or DEL and "
			  "ADD)",
			  c->ifname, l.name);
}

static int fail_if_foreign(struct tx *tx, struct call *c, const struct leg *leg,
			   const struct link *have)
{
	struct leg_site s;
	int on = 1;

	if (leg->has_parent && leg->parent.master) {
		TRY(leg_find_site(tx, c, leg, &s));
		TRY(on = leg_is_on_parent(tx, c, leg, &s, have));
	}
	if (on && str_eq(have->kind, leg->link.kind))
		return 0;
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s is another one than ADD made (remove it, and "
			  "repair again)",
			  c->ifname);
}

/* Where the addresses are another plugin's, the parent may be as well: ADD knew, a repair does not.
 */
static int need_master(struct tx *tx, const struct call *c, const struct leg *leg)
{
	if (!leg->takes_prev || leg->parent.master || ipam_wanted(c))
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
			  "master: missing: ADD took the parent from the plugin before this one, "
			  "and a repair cannot (name it in \"master\")");
}

/* The link as prevResult and the configuration want it; made again if it is gone. */
static int ensure_link(struct tx *tx, struct call *c, struct leg *leg, struct link *ret)
{
	struct link_want want = { .mark = call_mark(tx, c) };
	int i = prev_interface(c), there;

	if (leg->has_mac && prev_mac(c, i).len)
		leg->link.mac = prev_mac(c, i);
	if (prev_mtu(c, i))
		leg->link.mtu = prev_mtu(c, i);
	want.mtu = leg->link.mtu;
	want.promisc = leg->promisc;
	TRY(find_bridge(tx, c, leg));
	want.master = leg->link.master;
	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (there) {
		TRY(fail_if_foreign(tx, c, leg, ret));
	} else {
		TRY(fail_if_renamed(tx, c, leg));
		TRY(need_master(tx, c, leg));
		TRY(add_link(tx, c, leg, ret));
	}
	if (leg->check)
		leg->check(tx, leg, ret);
	if (tx->n_differences) {
		want.put = leg->link.put;
		want.data = leg->link.data;
		want.hint = "the kernel refuses this change of a link (DEL and ADD)";
	}
	differ_forget(tx);
	return link_ensure(tx, &c->cont, ret, &want);
}

int leg_repair(struct tx *tx, struct call *c)
{
	struct iface_options o = { .mark = call_mark(tx, c) };
	struct leg leg;
	struct link l;

	TRY(leg_describe(tx, c, &leg));
	TRY(call_need_prev(tx, c));
	TRY(ipam_repair(tx, c));
	TRY(ensure_link(tx, c, &leg, &l));
	o.dad = leg.dad || !has_addresses(c, &leg);
	o.accept_ra = !has_addresses(c, &leg);
	TRY(iface_ensure(tx, c, &l, c->prev, &o));
	TRY(step_resolv(tx, c, leg.resolv_conf, &c->prev->dns));
	return link_announce(tx, &c->cont, &l);
}

/* ---- DEL, GC, STATUS ---------------------------------------------------- */

/* Has the link an address that is leased to the attachment?  1, 0, or a recorded failure. */
static int has_leased_address(struct tx *tx, struct call *c, const struct link *l)
{
	struct result leased;
	struct addr_list have = { .n = 0 };
	int before = tx->err, r;

	TRY(ipam_list(tx, c, &leased));
	if (!leased.n_ips)
		return 0;
	r = addr_list(tx, &c->cont, l, AF_UNSPEC, &have);
	TRY(rt_excuse_crowd(tx, before, r, "an interface with so many addresses is not ours"));
	for (unsigned i = 0; i < leased.n_ips; i++)
		for (unsigned k = 0; k < have.n; k++)
			if (ip_eq(leased.ips[i].addr.ip, have.a[k].ip))
				return 1;
	return 0;
}

/*
 * A link without a mark was made by the reference, or the container changed its alias; or it made
 * our ADD fail, and must stay.  The former has the MAC that prevResult names.  Without prevResult
 * the lease tells, because an ADD that failed left none.  1, 0, or a recorded failure.
 */
static int is_ours(struct tx *tx, struct call *c, const struct link *l)
{
	struct mac mac;

	if (link_is_marked(l, call_mark(tx, c)))
		return 1;
	if (mark_is_any(l->alias))
		return 0;
	if (!c->prev)
		return has_leased_address(tx, c, l);
	mac = prev_mac(c, prev_interface(c));
	return mac.len && mac_eq(mac, l->mac);
}

static int delete_link(struct tx *tx, struct call *c, const char *kind)
{
	struct link l;
	int there, ours = 0;

	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	/* CNI_IFNAME may be an alternative name of another link. */
	if (there && str_eq(l.name, c->ifname) && str_eq(l.kind, kind))
		TRY(ours = is_ours(tx, c, &l));
	if (!ours)
		TRY(ours = link_find_marked(tx, &c->cont, kind, call_mark(tx, c), &l));
	if (!ours)
		return 0;
	return link_del(tx, &c->cont, &l);
}

int leg_del(struct tx *tx, struct call *c)
{
	struct leg leg;
	int before = tx->err, r = leg_describe(tx, c, &leg), link;

	TRY(tx_excuse(tx, before, r, "DEL goes on without the configuration"));
	r = ipam_del_first(tx, c);
	link = delete_link(tx, c, leg.link.kind);
	r = also(r, link);
	r = also(r, step_resolv_remove(tx, c, leg.resolv_conf));
	/* It has its addresses, and the next DEL may need the lease to recognise it. */
	if (link < 0)
		return r;
	return also(r, ipam_del(tx, c));
}

int leg_gc(struct tx *tx, struct call *c)
{
	int r = c->valid_known ? step_resolv_gc(tx, c) : 0;

	return also(r, ipam_gc(tx, c));
}

int leg_status(struct tx *tx, struct call *c)
{
	struct leg leg;
	struct leg_site s;
	int r;

	TRY(leg_describe(tx, c, &leg));
	TRY(ipam_status(tx, c));
	if (!leg.has_parent || leg.parent.in_container)
		return 0;
	r = leg_find_site(tx, c, &leg, &s);
	if (r == 0)
		r = conf_check_parent(tx, s.rt, &s.parent, leg.link.mtu);
	/* On a link of its own kind, it is made on the parent of that. */
	if (r == 0 && leg.skips_own_kind && !str_eq(s.parent.kind, leg.link.kind))
		r = link_need_no_master(tx, s.rt, &s.parent, leg.link.kind);
	if (r < 0)
		tx->code = CNI_E_UNAVAILABLE;
	return r;
}
