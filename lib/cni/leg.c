// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * leg.c - a main plugin that gives a container one interface, made in place
 *
 * The link carries the attachment's mark (mark.h), so DEL after a failed ADD does not delete
 * another attachment's interface of the same name.
 */
#include "cni/leg.h"

#include <stdio.h>

#include "base/differ.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/prev.h"
#include "cni/steps.h"

/* ---- description -------------------------------------------------------- */

/* "mac" < CNI_ARGS < args.cni.mac < runtimeConfig.mac (the reference's macvlan). */
static int read_mac(struct tx *tx, struct call *c, struct mac *ret)
{
	struct mac mac = cj_mac(&c->conf, "mac");

	TRY(call_mac(tx, c, ret));
	if (!ret->len)
		*ret = mac;
	return 0;
}

int leg_read(struct tx *tx, struct call *c, struct leg *leg)
{
	const struct cj *j = &c->conf;

	leg->link.mtu = conf_mtu(j, 0);
	if (leg->link.mtu == MTU_AUTO)
		leg->link.mtu = 0;
	if (leg->has_parent)
		leg->parent = conf_parent(j);
	leg->dad = cj_bool(j, "dad", false);
	leg->dns = conf_dns(&tx->mem, j);
	leg->resolv_conf = conf_resolv(j);
	if (leg->needs_ipam && !ipam_wanted(c))
		cj_wrong(j, "ipam",
			 "missing: a %s interface requires an IPAM configuration (name an IPAM "
			 "plugin in ipam.type)",
			 leg->link.kind);
	if (leg->has_mac)
		TRY(read_mac(tx, c, &leg->link.mac));
	return cj_ok(tx, j);
}

static int describe(struct tx *tx, struct call *c, struct leg *leg)
{
	*leg = (struct leg){ .resolv_conf = "auto" };
	return c->plugin->leg(tx, c, leg);
}

/* Finds the parent; *ret_rt is the socket that requests for the link go to. */
static int place(struct tx *tx, struct call *c, struct leg *leg, struct rt **ret_rt)
{
	struct link parent;

	*ret_rt = &c->cont;
	leg->link.name = c->ifname;
	leg->link.in = &c->cont;
	leg->link.group = call_mark(tx, c)->group;
	if (leg->has_mac && !leg->link.mac.len)
		leg->link.mac = link_random_mac();
	if (!leg->has_parent)
		return 0;
	TRY(conf_find_parent(tx, c, &leg->parent, leg->link.mtu, ret_rt, &parent));
	leg->link.parent = parent.index;
	return 0;
}

/* ---- ADD ---------------------------------------------------------------- */

static void list_interface(struct tx *tx, const struct call *c, const struct link *l,
			   struct result *res)
{
	bool mtu = result_version_number(c->version) >= result_version_number("1.1.0");

	result_add_if(res, (struct result_if){
				   .name = mem_str(&tx->mem, l->name),
				   .mac = mem_str(&tx->mem, MAC_S(l->mac)),
				   .sandbox = c->netns_path,
				   .mtu = mtu ? l->mtu : 0,
			   });
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 0;
}

static int check_mtu(struct tx *tx, const struct leg *leg, const struct result *res)
{
	if (!leg->link.mtu || leg->link.mtu >= 1280)
		return 0;
	for (unsigned i = 0; i < res->n_ips; i++)
		if (res->ips[i].addr.ip.family == AF_INET6)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "mtu: %d is too small for %s: IPv6 needs at least 1280",
					  leg->link.mtu, CIDR_S(res->ips[i].addr));
	return 0;
}

int leg_add(struct tx *tx, struct call *c, struct result *res)
{
	struct iface_options o = { .mark = call_mark(tx, c) };
	struct leg leg;
	struct link l;
	struct rt *rt;

	TRY(describe(tx, c, &leg));
	TRY(ipam_validate(tx, c));
	TRY(place(tx, c, &leg, &rt));
	TRY(link_add(tx, rt, &leg.link, &l));
	if (ipam_wanted(c)) {
		TRY(ipam_add(tx, c, res));
		TRY(check_mtu(tx, &leg, res));
	}
	list_interface(tx, c, &l, res);
	if (!result_dns_empty(&leg.dns))
		res->dns = leg.dns;
	o.dad = leg.dad;
	if (!ipam_wanted(c))
		return iface_up(tx, c, &l, o.mark);
	TRY(iface_configure(tx, c, &l, res, &o));
	TRY(step_resolv(tx, c, leg.resolv_conf, &res->dns));
	return link_announce(tx, &c->cont, &l);
}

/* ---- CHECK, repair ------------------------------------------------------ */

static void check_parent(struct tx *tx, const struct link *have, const struct leg *leg)
{
	if (!leg->has_parent || have->parent == leg->link.parent)
		return;
	differ(tx, mem_printf(&tx->mem, "master of %s", have->name),
	       mem_printf(&tx->mem, "interface #%d", leg->link.parent),
	       mem_printf(&tx->mem, "interface #%d", have->parent));
}

int leg_check(struct tx *tx, struct call *c)
{
	struct iface_want want = { .up = true };
	struct leg leg;
	struct link l;
	struct rt *rt;

	TRY(describe(tx, c, &leg));
	want.kind = leg.link.kind;
	want.mtu = leg.link.mtu;
	TRY(call_need_prev(tx, c));
	TRY(ipam_check(tx, c));
	TRY(place(tx, c, &leg, &rt));
	TRY(iface_check(tx, c, &want, &l));
	if (l.index && str_eq(l.kind, leg.link.kind)) {
		check_parent(tx, &l, &leg);
		if (leg.check)
			leg.check(tx, &leg, &l);
		/* The reference's ADD sets other sysctls. */
		if (link_is_marked(&l, call_mark(tx, c)))
			TRY(iface_check_sysctls(tx, c, &l));
	}
	return step_resolv(tx, c, leg.resolv_conf, &c->prev->dns);
}

/* The link as prevResult and the configuration want it; made again if it is gone. */
static int ensure_link(struct tx *tx, struct call *c, struct leg *leg, struct link *ret)
{
	int i = prev_interface(c), there;
	struct link_want want = { .mtu = leg->link.mtu, .up = true };
	struct rt *rt;

	if (leg->has_mac && prev_mac(c, i).len)
		leg->link.mac = prev_mac(c, i);
	if (prev_mtu(c, i))
		leg->link.mtu = prev_mtu(c, i);
	TRY(place(tx, c, leg, &rt));
	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (!there)
		return link_add(tx, rt, &leg->link, ret);
	if (!str_eq(ret->kind, leg->link.kind) ||
	    (leg->has_parent && ret->parent != leg->link.parent))
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s is another one than ADD made (remove "
				  "it, and repair again)",
				  c->ifname);
	if (leg->check)
		leg->check(tx, leg, ret);
	if (tx->n_differences) {
		want.put = leg->link.put;
		want.data = leg->link.data;
	}
	differ_forget(tx);
	want.mark = call_mark(tx, c);
	return link_ensure(tx, &c->cont, ret, &want);
}

int leg_repair(struct tx *tx, struct call *c)
{
	struct iface_options o = { .mark = call_mark(tx, c) };
	struct leg leg;
	struct link l;

	TRY(describe(tx, c, &leg));
	TRY(call_need_prev(tx, c));
	TRY(ipam_repair(tx, c));
	TRY(ensure_link(tx, c, &leg, &l));
	o.dad = leg.dad || !ipam_wanted(c);
	o.accept_ra = !ipam_wanted(c);
	TRY(iface_ensure(tx, c, &l, c->prev, &o));
	TRY(step_resolv(tx, c, leg.resolv_conf, &c->prev->dns));
	return link_announce(tx, &c->cont, &l);
}

/* ---- DEL, GC, STATUS ---------------------------------------------------- */

/*
 * A link without a mark was made by the reference; prevResult must then name its MAC, or it may
 * be a link that made our ADD fail.
 */
static bool is_ours(struct tx *tx, struct call *c, const struct link *l)
{
	struct mac mac;

	if (*l->alias || l->group)
		return link_is_marked(l, call_mark(tx, c));
	if (!c->prev)
		return false;
	mac = prev_mac(c, prev_interface(c));
	return mac.len && mac_eq(mac, l->mac);
}

static int delete_link(struct tx *tx, struct call *c, const char *kind)
{
	struct link l;
	int there;

	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (!there || !str_eq(l.kind, kind) || !is_ours(tx, c, &l))
		return 0;
	return link_del(tx, &c->cont, c->ifname);
}

int leg_del(struct tx *tx, struct call *c)
{
	struct leg leg;
	int r;

	TRY(tx_excuse(tx, describe(tx, c, &leg), "DEL goes on without the configuration"));
	r = delete_link(tx, c, leg.link.kind);
	r = also(r, step_resolv_remove(tx, c, leg.resolv_conf));
	return also(r, ipam_del(tx, c));
}

int leg_gc(struct tx *tx, struct call *c)
{
	int r = c->valid_known ? step_resolv_gc(tx, c) : 0;

	return also(r, ipam_gc(tx, c));
}

int leg_status(struct tx *tx, struct call *c)
{
	struct link parent;
	struct leg leg;
	struct rt *rt;
	int r;

	TRY(describe(tx, c, &leg));
	TRY(ipam_status(tx, c));
	if (!leg.has_parent || leg.parent.in_container)
		return 0;
	r = conf_find_parent(tx, c, &leg.parent, leg.link.mtu, &rt, &parent);
	if (r < 0)
		tx->code = CNI_E_UNAVAILABLE;
	return r;
}
