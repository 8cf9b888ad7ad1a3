// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iface.c - the container's interface: configured from a result, compared with it, put right
 *
 * What ADD adds here goes away with the link, which has its own undo; only the loopback's
 * disable_ipv6, which is not ours, is put back.
 *
 * CHECK looks for what the result promises and for what ADD did; more than that is fine.
 * Later plugins change things for good, and no difference is noted for what they are known to do:
 *
 *  - sbr and vrf move routes to tables of their own;
 *  - tuning sets the MAC, which the result then names, and the MTU, which it does not before
 *    1.1.0, and sysctls; the document that tuning keeps for its DEL tells that it ran;
 *  - tuning may accept router advertisements again (accept_ra, autoconf, accept_dad).
 */
#include <net/if.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <jansson.h>

#include "base/differ.h"
#include "netlink/addr.h"
#include "netlink/layer3.h"
#include "netlink/route.h"
#include "cni/iface_impl.h"
#include "cni/ipam.h"
#include "sys/state.h"
#include "sys/sysctl.h"

bool iface_belongs(const struct result *r, const struct result_ip *ip, const char *ifname)
{
	return ip->iface >= 0 && (unsigned)ip->iface < r->n_ifs &&
	       str_eq(r->ifs[ip->iface].name, ifname);
}

/* disable_ipv6=1 on lo breaks ::1; on the interface it rejects addresses. */
static int enable_ipv6(struct tx *tx, struct call *c, const struct link *l)
{
	const char *names[] = { "lo", l->name };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		struct sysctl s = sysctl_conf(AF_INET6, names[i], "disable_ipv6", "0");
		int r = sysctl_set(tx, &c->cont_ns, s.name, "0");

		if (r < 0 && r != -ENOENT)
			return r;
	}
	return 0;
}

/* The kernel reads these when the link goes up. */
static int set_sysctls(struct tx *tx, struct call *c, const struct link *l,
		       const struct iface_options *o, bool six)
{
	struct sysctl list[6];
	unsigned n = 0;

	if (c->ipam_advertised) {
		/* 2: also if the container forwards.  SLAAC (autoconf) stays as it is. */
		list[n++] = sysctl_conf(AF_INET6, l->name, "accept_ra", "2");
	} else if (!o->accept_ra) {
		list[n++] = sysctl_conf(AF_INET6, l->name, "accept_ra", "0");
		list[n++] = sysctl_conf(AF_INET6, l->name, "autoconf", "0");
	}
	list[n++] = sysctl_conf(AF_INET6, l->name, "accept_dad", o->dad ? "1" : "0");
	if (o->dad)
		list[n++] = sysctl_conf(AF_INET6, l->name, "enhanced_dad", "1");
	if (six) {
		list[n++] = sysctl_conf(AF_INET6, l->name, "ndisc_notify", "1");
		list[n++] = sysctl_conf(AF_INET6, l->name, "keep_addr_on_down", "1");
	}
	return sysctl_ensure_new(tx, &c->cont_ns, list, n);
}

static int add_addresses(struct tx *tx, struct call *c, const struct link *l,
			 const struct result *r, const struct iface_options *o)
{
	unsigned flags = o->dad ? ADDR_DAD : 0;

	flags |= o->routed ? ADDR_NO_PREFIX_ROUTE : 0;

	for (unsigned i = 0; i < r->n_ips; i++)
		if (iface_belongs(r, &r->ips[i], l->name))
			TRY(addr_add(tx, &c->cont, l, r->ips[i].addr, flags));
	return 0;
}

void iface_list(struct tx *tx, const struct call *c, const struct link *l, const char *sandbox,
		struct result *ret)
{
	struct result_if f = {
		.name = mem_str(&tx->mem, l->name),
		.mac = mem_str(&tx->mem, MAC_S(l->mac)),
		.sandbox = sandbox,
	};

	if (result_version_number(c->version) >= result_version_number("1.1.0"))
		f.mtu = l->mtu;
	result_add_if(ret, f);
}

int iface_need_mtu(struct tx *tx, int mtu, const struct result *r, const char *hint)
{
	for (unsigned i = 0; mtu > 0 && mtu < LAYER3_MTU6 && i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == AF_INET6)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "mtu: %d is too small for %s: IPv6 needs at least 1280%s",
					  mtu, CIDR_S(r->ips[i].addr), hint);
	return 0;
}

/* ---- duplicate address detection ---------------------------------------- */

enum { DAD_TIMEOUT_MS = 5000 };

static int fail_as_duplicate(struct tx *tx, struct cidr a, const struct link *l)
{
	return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRINUSE,
			  "container: address %s of %s: another host on the link has it (duplicate "
			  "address detection)",
			  CIDR_S(a), l->name);
}

/*
 * 1 = some address is still being tested, 0 = none; a duplicate is a failure.  The daemon of dhcp
 * sees a duplicate as well, and may already have removed it.
 */
static int tentative(struct tx *tx, struct call *c, const struct link *l, const struct result *r)
{
	struct addr_list list;
	int waiting = 0;

	TRY(addr_list(tx, &c->cont, l, AF_INET6, &list));
	for (unsigned i = 0; i < list.n; i++) {
		if (list.flags[i] & IFA_F_DADFAILED)
			return fail_as_duplicate(tx, list.a[i], l);
		waiting |= (list.flags[i] & IFA_F_TENTATIVE) != 0;
	}
	for (unsigned i = 0; c->ipam_advertised && i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == AF_INET6 && iface_belongs(r, &r->ips[i], l->name) &&
		    !addr_listed(&list, r->ips[i].addr))
			return fail_as_duplicate(tx, r->ips[i].addr, l);
	return waiting;
}

/* Sets the link up and waits until no address is tentative: by events, with one deadline. */
static int set_up_and_wait(struct tx *tx, struct call *c, const struct link *l,
			   const struct result *res, const struct iface_options *o)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int64_t deadline = rt_deadline(DAD_TIMEOUT_MS);
	int r;

	TRY(rt_subscribe(tx, &c->cont, RTNLGRP_IPV6_IFADDR, &events));
	TRY(link_set_up_notify(tx, &c->cont, l, o->mark));
	for (;;) {
		TRY(r = tentative(tx, c, l, res));
		if (!r)
			return 0;
		r = rt_wait(tx, &events, deadline, rt_any_event, NULL);
		if (r == -ETIMEDOUT)
			return tx_fail_as(tx, CNI_E_AGAIN, r,
					  "container: addresses of %s are still tentative after %d "
					  "ms (duplicate address detection)",
					  l->name, DAD_TIMEOUT_MS);
		TRY(r);
	}
}

/* They go with the link. */
static int add_routed(struct tx *tx, struct call *c, const struct link *l, const struct result *r)
{
	struct route_list list = iface_routed(tx, l, r);

	for (unsigned i = 0; i < list.n; i++)
		TRY(route_put(tx, &c->cont, &list.r[i]));
	return 0;
}

int iface_configure(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		    const struct iface_options *o)
{
	bool six = result_has_family(r, AF_INET6);

	if (six)
		TRY(enable_ipv6(tx, c, l));
	TRY(set_sysctls(tx, c, l, o, six));
	TRY(add_addresses(tx, c, l, r, o));
	if (o->dad && six)
		TRY(set_up_and_wait(tx, c, l, r, o));
	else
		TRY(link_set_up_notify(tx, &c->cont, l, o->mark));
	if (o->routed)
		TRY(add_routed(tx, c, l, r));
	return iface_add_routes(tx, c, l, r, o->routed);
}

int iface_prepare(struct tx *tx, struct call *c, const struct link *l, bool dad)
{
	struct iface_options o = { .dad = false };

	if (!ipam_needs_link(c))
		return 0;
	c->ipam_advertised = ipam_needs_advertisements(c);
	if (c->ipam_advertised) {
		/* DHCPv6 is spoken from the link-local address. */
		TRY(enable_ipv6(tx, c, l));
		o.dad = dad;
	}
	TRY(set_sysctls(tx, c, l, &o, false));
	return link_set_up(tx, &c->cont, l);
}

int iface_up(struct tx *tx, struct call *c, const struct link *l, const struct mark *mark)
{
	/* Another program may configure the addresses. */
	const struct iface_options as_it_is = { .dad = true, .accept_ra = true };

	TRY(set_sysctls(tx, c, l, &as_it_is, true));
	return link_set_up_notify(tx, &c->cont, l, mark);
}

/* ---- putting right ------------------------------------------------------ */

static int undo_additions(struct tx *tx, void *arg)
{
	struct iface_additions *a = *(struct iface_additions **)arg;
	int r = 0;

	while (a->n_routes)
		r = also(r, route_del(tx, a->rt, &a->l, &a->routes[--a->n_routes]));
	while (a->n_addrs)
		r = also(r, addr_del(tx, a->rt, &a->l, a->addrs[--a->n_addrs]));
	return r;
}

static int ensure_addresses(struct tx *tx, struct call *c, const struct result *r,
			    struct iface_additions *a, unsigned flags)
{
	struct addr_list have;

	TRY(addr_list(tx, &c->cont, &a->l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < r->n_ips; i++) {
		if (!iface_belongs(r, &r->ips[i], a->l.name) || addr_listed(&have, r->ips[i].addr))
			continue;
		TRY(addr_ensure(tx, &c->cont, &a->l, r->ips[i].addr, flags));
		a->addrs[a->n_addrs++] = r->ips[i].addr;
	}
	return 0;
}

static struct link_want wanted(const struct result *r, const char *ifname)
{
	struct link_want want = { .up = true };
	int i = result_find_if(r, ifname, true);

	if (i >= 0 && r->ifs[i].mac)
		mac_parse(r->ifs[i].mac, &want.mac);
	if (i >= 0 && r->ifs[i].mtu > 0 && r->ifs[i].mtu <= INT32_MAX)
		want.mtu = (int)r->ifs[i].mtu;
	return want;
}

int iface_ensure(struct tx *tx, struct call *c, struct link *l, const struct result *r,
		 const struct iface_options *o)
{
	struct link_want want = wanted(r, l->name);
	struct sysctl more[] = {
		sysctl_conf(AF_INET, l->name, "arp_notify", "1"),
		sysctl_conf(AF_INET6, l->name, "enhanced_dad", "1"),
	};
	struct iface_additions *a = mem_alloc(&tx->mem, sizeof(*a));
	bool six = result_has_family(r, AF_INET6);
	int got;

	want.mark = o->mark;
	c->ipam_advertised = ipam_needs_advertisements(c);
	*a = (struct iface_additions){
		.rt = &c->cont,
		.l = *l,
		.addrs = mem_alloc(&tx->mem, (r->n_ips + 1) * sizeof(*a->addrs)),
		.routes = mem_alloc(&tx->mem, (r->n_routes + 1) * sizeof(*a->routes)),
	};
	if (six)
		TRY(enable_ipv6(tx, c, l));
	TRY(set_sysctls(tx, c, l, o, six));
	TRY(sysctl_ensure(tx, &c->cont_ns, more, ARRAY_LEN(more), NULL));
	TRY(link_ensure(tx, &c->cont, l, &want));
	got = ensure_addresses(tx, c, r, a, o->routed ? ADDR_NO_PREFIX_ROUTE : 0);
	if (got == 0 && !o->routed)
		got = iface_ensure_connected(tx, c, r, l);
	if (got == 0 && o->routed)
		got = iface_ensure_routed(tx, c, r, l);
	if (got == 0)
		got = iface_ensure_routes(tx, c, r, a, o->routed);
	/* Record the additions also if one of them failed. */
	return also(got, tx_undo(tx, undo_additions, "put addresses and routes right", &a));
}

/* ---- CHECK -------------------------------------------------------------- */

static int check_addresses(struct tx *tx, struct call *c, const struct link *l)
{
	struct addr_list have;

	TRY(addr_list(tx, &c->cont, l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];

		if (iface_belongs(c->prev, ip, l->name) && !addr_listed(&have, ip->addr))
			differ(tx, mem_printf(&tx->mem, "address of %s", l->name), CIDR_S(ip->addr),
			       NULL);
	}
	return 0;
}

/* ---- the link ----------------------------------------------------------- */

/*
 * The document in which the tuning plugin saves the former values before it changes them; NULL:
 * there is none.
 */
static const char *tuned(struct tx *tx, const struct call *c)
{
	struct state_file f = {
		.dir = "/run/cni/tuning",
		.name = mem_printf(&tx->mem, "%s_%s.json", c->id, c->ifname),
	};
	int before = tx->err, r;
	char *text;

	r = state_load(tx, &f, &text);
	if (r == 1)
		return text;
	tx_excuse(tx, before, r, "taken for a container without tuning");
	return NULL;
}

int iface_mtu_before_tuning(struct tx *tx, const struct call *c)
{
	const char *text = tuned(tx, c);
	json_t *document;
	json_int_t mtu;

	if (!text)
		return 0;
	document = json_loads(text, 0, NULL);
	mtu = json_integer_value(json_object_get(document, "mtu"));
	json_decref(document);
	return mtu > 0 && mtu <= INT_MAX ? (int)mtu : 0;
}

int iface_check_sysctls(struct tx *tx, struct call *c, const struct link *l)
{
	struct sysctl list[] = {
		sysctl_conf(AF_INET, l->name, "arp_notify", "1"),
		sysctl_conf(AF_INET6, l->name, "ndisc_notify", "1"),
		sysctl_conf(AF_INET6, l->name, "keep_addr_on_down", "1"),
		sysctl_conf(AF_INET6, l->name, "enhanced_dad", "1"),
		sysctl_conf(AF_INET6, l->name, "disable_ipv6", "0"),
		sysctl_conf(AF_INET6, "lo", "disable_ipv6", "0"),
	};
	unsigned n = result_has_family(c->prev, AF_INET6) ? ARRAY_LEN(list) : 1, kept = 0;
	const char *text = tuned(tx, c);

	for (unsigned i = 0; i < n; i++)
		if (!text || !strstr(text, mem_printf(&tx->mem, "\"%s\"", list[i].name)))
			list[kept++] = list[i];
	return sysctl_check(tx, &c->cont_ns, list, kept);
}

void iface_check_mtu(struct tx *tx, const struct link *have, int64_t want)
{
	if (want > 0)
		differ_number(tx, mem_printf(&tx->mem, "MTU of %s", have->name), want, have->mtu);
}

void iface_check_mac(struct tx *tx, const struct link *have, const char *want)
{
	struct mac mac;

	if (want && mac_parse(want, &mac) && !mac_eq(mac, have->mac))
		differ(tx, mem_printf(&tx->mem, "MAC of %s", have->name), MAC_S(mac),
		       MAC_S(have->mac));
}

int iface_check(struct tx *tx, struct call *c, const struct iface_want *want, struct link *ret)
{
	int i = result_find_if(c->prev, c->ifname, true), there;
	const char *what = mem_printf(&tx->mem, "interface %s", c->ifname);
	int64_t mtu = want->mtu;

	if (i < 0)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: it lists no interface %s in a sandbox", c->ifname);
	*ret = (struct link){ .index = 0 };
	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (!there) {
		differ(tx, what, "present", NULL);
		return 0;
	}
	if (want->kind && !str_eq(ret->kind, want->kind))
		differ(tx, what, want->kind, *ret->kind ? ret->kind : "another kind");
	if (want->up && !(ret->flags & IFF_UP))
		differ(tx, what, "up", "down");
	if (c->prev->ifs[i].mtu > 0)
		mtu = c->prev->ifs[i].mtu;
	iface_check_mac(tx, ret, c->prev->ifs[i].mac);
	if (!tuned(tx, c))
		iface_check_mtu(tx, ret, mtu);
	TRY(check_addresses(tx, c, ret));
	return iface_check_routes(tx, c, ret, want->routed);
}
