// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iface.c - the container's interface, configured from a result and compared with it
 *
 * Everything added here goes away with the link, which registered its own undo;
 * only the loopback's disable_ipv6, which is not ours, is put back.
 *
 * CHECK notes every difference instead of stopping at the first.  Later plugins may
 * have moved addresses' routes to other tables (sbr, vrf), so only what the result
 * itself promises is looked for: addresses, and routes where the result says.
 */
#include <net/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "addr.h"
#include "iface.h"
#include "jw.h"
#include "log.h"
#include "route.h"
#include "sysctl.h"

static bool belongs(const struct result *r, const struct result_ip *ip, const char *ifname)
{
	return ip->iface >= 0 && (unsigned)ip->iface < r->n_ifs &&
	       str_eq(r->ifs[ip->iface].name, ifname);
}

static bool has_family(const struct result *r, int family)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == family)
			return true;
	return false;
}

struct ip iface_default_gateway(const struct result *r, int family)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == family && ip_set(r->ips[i].gateway))
			return r->ips[i].gateway;
	return (struct ip){ .family = 0 };
}

/* Off for lo would make ::1 unreachable, off for the interface refuse the address. */
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

/* What has to be said before the link goes up, or it is too late. */
static int set_sysctls(struct tx *tx, struct call *c, const struct link *l, bool dad, bool ra)
{
	struct sysctl list[] = {
		sysctl_conf(AF_INET6, l->name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, l->name, "autoconf", "0"),
		sysctl_conf(AF_INET6, l->name, "accept_dad", dad ? "1" : "0"),
		sysctl_conf(AF_INET6, l->name, "ndisc_notify", "1"),
		sysctl_conf(AF_INET6, l->name, "keep_addr_on_down", "1"),
		sysctl_conf(AF_INET6, l->name, "enhanced_dad", "1"),
	};
	unsigned skip = ra ? 2 : 0;

	return sysctl_ensure_new(tx, &c->cont_ns, list + skip,
				 (unsigned)ARRAY_LEN(list) - skip - (dad ? 0 : 1));
}

static int add_addresses(struct tx *tx, struct call *c, const struct link *l,
			 const struct result *r, bool dad)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (belongs(r, &r->ips[i], l->name))
			TRY(addr_add(tx, &c->cont, l, r->ips[i].addr, dad));
	return 0;
}

/* The route of a result as it is made: with the gateway that it goes through. */
static struct result_route route_of(const struct result *r, unsigned i)
{
	struct result_route route = r->routes[i];

	if (!ip_set(route.gw))
		route.gw = iface_default_gateway(r, route.dst.ip.family);
	/* A link-scoped route has no gateway by its nature. */
	if (route.scope > 0 && !ip_set(r->routes[i].gw))
		route.gw = (struct ip){ .family = 0 };
	return route;
}

static int add_routes(struct tx *tx, struct call *c, const struct link *l, const struct result *r)
{
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = route_of(r, i);

		if (!route.has_dst)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "ipam.routes[%u].dst: missing (give a prefix, like "
					  "0.0.0.0/0)",
					  i);
		TRY(route_add(tx, &c->cont, l, &route));
	}
	return 0;
}

/* ---- duplicate address detection ---------------------------------------- */

enum { DAD_TIMEOUT_MS = 5000 };

static int any_event(const struct nlmsghdr *h UNUSED, void *arg UNUSED)
{
	return 1;
}

/* 1 = some address is still being tested, 0 = none; a duplicate is a failure. */
static int tentative(struct tx *tx, struct call *c, const struct link *l)
{
	struct addr_list list;
	int waiting = 0;

	TRY(addr_list(tx, &c->cont, l, AF_INET6, &list));
	for (unsigned i = 0; i < list.n; i++) {
		if (list.flags[i] & IFA_F_DADFAILED)
			return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRINUSE,
					  "container: address %s of %s: another host on the link "
					  "has it (duplicate address detection)",
					  CIDR_S(list.a[i]), l->name);
		waiting |= (list.flags[i] & IFA_F_TENTATIVE) != 0;
	}
	return waiting;
}

/* Addresses are ready to be used when ADD answers: waits for events, does not poll. */
static int set_up_and_wait(struct tx *tx, struct call *c, const struct link *l)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int r;

	TRY(rt_subscribe(tx, &c->cont_ns, RTNLGRP_IPV6_IFADDR, &events));
	TRY(link_set_up_notify(tx, &c->cont, l));
	for (;;) {
		TRY(r = tentative(tx, c, l));
		if (!r)
			return 0;
		r = rt_wait(tx, &events, DAD_TIMEOUT_MS, any_event, NULL);
		if (r == -ETIMEDOUT)
			return tx_fail_as(tx, CNI_E_AGAIN, r,
					  "container: addresses of %s are still tentative after %d "
					  "ms (duplicate address detection)",
					  l->name, DAD_TIMEOUT_MS);
		TRY(r);
	}
}

int iface_configure(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		    const struct iface_options *o)
{
	if (has_family(r, AF_INET6))
		TRY(enable_ipv6(tx, c, l));
	TRY(set_sysctls(tx, c, l, o->dad, o->accept_ra));
	TRY(add_addresses(tx, c, l, r, o->dad));
	if (o->dad && has_family(r, AF_INET6))
		TRY(set_up_and_wait(tx, c, l));
	else
		TRY(link_set_up_notify(tx, &c->cont, l));
	return add_routes(tx, c, l, r);
}

int iface_up(struct tx *tx, struct call *c, const struct link *l)
{
	TRY(set_sysctls(tx, c, l, true, true));
	return link_set_up_notify(tx, &c->cont, l);
}

/* ---- putting right ------------------------------------------------------ */

/* What one repair adds to a link that stays if it fails: one record, however much it is. */
struct additions {
	struct rt *rt;
	struct link l;
	struct cidr *addrs;
	struct result_route *routes;
	unsigned n_addrs, n_routes;
};

static int undo_additions(struct tx *tx, void *arg)
{
	struct additions *a = *(struct additions **)arg;
	int r = 0;

	while (a->n_routes)
		r = also(r, route_del(tx, a->rt, &a->l, &a->routes[--a->n_routes]));
	while (a->n_addrs)
		r = also(r, addr_del(tx, a->rt, &a->l, a->addrs[--a->n_addrs]));
	return r;
}

static int ensure_addresses(struct tx *tx, struct call *c, const struct result *r,
			    struct additions *a)
{
	struct addr_list have;

	TRY(addr_list(tx, &c->cont, &a->l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < r->n_ips; i++) {
		if (!belongs(r, &r->ips[i], a->l.name) || addr_listed(&have, r->ips[i].addr))
			continue;
		TRY(addr_ensure(tx, &c->cont, &a->l, r->ips[i].addr));
		a->addrs[a->n_addrs++] = r->ips[i].addr;
	}
	return 0;
}

/* Wherever it is: a later plugin may have moved it to another link. */
static int ensure_routes(struct tx *tx, struct call *c, const struct result *r, struct additions *a)
{
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = route_of(r, i);
		int there;

		if (!route.has_dst)
			continue;
		TRY(there = route_find(tx, &c->cont, NULL, &r->routes[i]));
		if (there)
			continue;
		TRY(route_add(tx, &c->cont, &a->l, &route));
		a->routes[a->n_routes++] = route;
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
	struct sysctl notify = sysctl_conf(AF_INET, l->name, "arp_notify", "1");
	struct additions *a = mem_alloc(&tx->mem, sizeof(*a));
	int got;

	*a = (struct additions){
		.rt = &c->cont,
		.l = *l,
		.addrs = mem_alloc(&tx->mem, (r->n_ips + 1) * sizeof(*a->addrs)),
		.routes = mem_alloc(&tx->mem, (r->n_routes + 1) * sizeof(*a->routes)),
	};
	if (has_family(r, AF_INET6))
		TRY(enable_ipv6(tx, c, l));
	TRY(set_sysctls(tx, c, l, o->dad, o->accept_ra));
	TRY(sysctl_ensure(tx, &c->cont_ns, &notify, 1, NULL));
	TRY(link_ensure(tx, &c->cont, l, &want));
	got = ensure_addresses(tx, c, r, a);
	if (got == 0)
		got = ensure_routes(tx, c, r, a);
	/* Also what came before the one that failed. */
	return also(got, tx_undo(tx, undo_additions, "put addresses and routes right", &a));
}

/* ---- CHECK -------------------------------------------------------------- */

/* The differences live in the details as a JSON list until iface_check_done(). */
void iface_differs(struct tx *tx, const char *object, const char *want, const char *have)
{
	size_t n = strlen(tx->details), room = sizeof(tx->details) - n;
	struct jw w;
	char *entry;

	if (!n)
		snprintf(tx->msg, sizeof(tx->msg), "%s: expected %s, found %s", object, want,
			 str_empty(have) ? "nothing" : have);
	jw_init(&w, &tx->mem, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "object", object);
	jw_str(&w, "want", want);
	jw_str(&w, "have", have ? have : "");
	jw_close(&w, '}');
	entry = mem_printf(&tx->mem, "%s%s", n ? "," : "[", jw_end(&w));
	if (strlen(entry) + 2 < room)
		memcpy(tx->details + n, entry, strlen(entry) + 1);
	log_step("differs: %s: want %s, have %s", object, want, have ? have : "nothing");
}

int iface_check_done(struct tx *tx)
{
	size_t n = strlen(tx->details);

	if (tx->details[0] != '[' || tx->err)
		return 0;
	memcpy(tx->details + n, "]", 2);
	tx->code = CPLUG_E_CHECK;
	tx->err = -EINVAL;
	return tx->err;
}

const char *iface_take_differences(struct tx *tx)
{
	size_t n = strlen(tx->details);
	const char *list;

	if (tx->err && tx->code != CPLUG_E_CHECK)
		return NULL;
	if (!tx->err && !n)
		return NULL;
	if (tx->details[0] == '[') {
		list = mem_printf(&tx->mem, "%s%s", tx->details,
				  tx->details[n - 1] == ']' ? "" : "]");
	} else {
		struct jw w;

		jw_init(&w, &tx->mem, true);
		jw_open(&w, NULL, '[');
		jw_open(&w, NULL, '{');
		jw_str(&w, "object", tx->msg);
		jw_close(&w, '}');
		jw_close(&w, ']');
		list = jw_end(&w);
	}
	tx->err = 0;
	tx->code = 0;
	tx->msg[0] = tx->details[0] = '\0';
	return list;
}

static int check_addresses(struct tx *tx, struct call *c, const struct link *l)
{
	struct addr_list have;

	TRY(addr_list(tx, &c->cont, l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];

		if (belongs(c->prev, ip, l->name) && !addr_listed(&have, ip->addr))
			iface_differs(tx, mem_printf(&tx->mem, "address of %s", l->name),
				      CIDR_S(ip->addr), NULL);
	}
	return 0;
}

static int check_routes(struct tx *tx, struct call *c)
{
	for (unsigned i = 0; i < c->prev->n_routes; i++) {
		const struct result_route *want = &c->prev->routes[i];
		int there;

		if (!want->has_dst)
			continue;
		TRY(there = route_find(tx, &c->cont, NULL, want));
		if (!there)
			iface_differs(tx, mem_printf(&tx->mem, "route %s", CIDR_S(want->dst)),
				      ip_set(want->gw)
					      ? mem_printf(&tx->mem, "via %s", IP_S(want->gw))
					      : "present",
				      NULL);
	}
	return 0;
}

static void check_link(struct tx *tx, const struct result_if *want, const char *kind, bool up,
		       const struct link *have)
{
	const char *what = mem_printf(&tx->mem, "interface %s", have->name);
	struct mac mac;

	if (!str_eq(have->kind, kind))
		iface_differs(tx, what, kind, *have->kind ? have->kind : "another kind");
	if (up && !(have->flags & IFF_UP))
		iface_differs(tx, what, "up", "down");
	if (want->mac && mac_parse(want->mac, &mac) && !mac_eq(mac, have->mac))
		iface_differs(tx, mem_printf(&tx->mem, "MAC of %s", have->name), MAC_S(mac),
			      MAC_S(have->mac));
	if (want->mtu && want->mtu != have->mtu)
		iface_differs(tx, mem_printf(&tx->mem, "MTU of %s", have->name),
			      mem_printf(&tx->mem, "%lld", (long long)want->mtu),
			      mem_printf(&tx->mem, "%d", have->mtu));
}

int iface_check(struct tx *tx, struct call *c, const char *kind, bool up, struct link *ret)
{
	int i = result_find_if(c->prev, c->ifname, true), there;

	if (i < 0)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: it lists no interface %s in a sandbox", c->ifname);
	*ret = (struct link){ .index = 0 };
	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (!there) {
		iface_differs(tx, mem_printf(&tx->mem, "interface %s", c->ifname), "present", NULL);
		return 0;
	}
	check_link(tx, &c->prev->ifs[i], kind, up, ret);
	TRY(check_addresses(tx, c, ret));
	return check_routes(tx, c);
}
