// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iface_routes.c - the routes of the container's interface: added, put right, compared
 */
#include <linux/rtnetlink.h>

#include "base/differ.h"
#include "cni/iface_impl.h"
#include "netlink/route.h"

enum { ROUTES_MAX = 2048 };

/* CHECK and repair list the kernel's routes for each route of the result. */
static int limit_routes(struct tx *tx, const struct result *r, const char *what, enum cni_code code)
{
	if (r->n_routes <= ROUTES_MAX)
		return 0;
	return tx_fail_as(tx, code, -E2BIG,
			  "%s: too long: %u entries, at most %d are allowed for an interface", what,
			  r->n_routes, ROUTES_MAX);
}

struct ip iface_default_gateway(const struct result *r, int family)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == family && ip_set(r->ips[i].gateway))
			return r->ips[i].gateway;
	return (struct ip){ .family = 0 };
}

static struct result_route result_route_of(const struct result *r, unsigned i)
{
	struct result_route route = r->routes[i];

	if (!ip_set(route.gw))
		route.gw = iface_default_gateway(r, route.dst.ip.family);
	/* A link-scoped route has no gateway by its nature. */
	if (route.scope > 0 && !ip_set(r->routes[i].gw))
		route.gw = (struct ip){ .family = 0 };
	return route;
}

/* Is a route the same as one before it?  The kernel would only say "File exists". */
static int refuse_duplicate(struct tx *tx, const struct result *r, unsigned i)
{
	const struct result_route *b = &r->routes[i];

	for (unsigned k = 0; k < i; k++) {
		const struct result_route *a = &r->routes[k];
		bool same_gw = ip_eq(a->gw, b->gw) || (!ip_set(a->gw) && !ip_set(b->gw));

		if (cidr_eq(a->dst, b->dst) && same_gw && a->table == b->table &&
		    a->priority == b->priority)
			return tx_fail_as(tx, CNI_E_CONFIG, -EEXIST,
					  "ipam.routes[%u]: the route to %s is given twice", i,
					  CIDR_S(b->dst));
	}
	return 0;
}

/* An IPv6 gateway that no prefix of the interface contains is reached on the link. */
static int add_gateway_routes(struct tx *tx, struct call *c, const struct link *l,
			      const struct result *r)
{
	for (unsigned i = 0; i < r->n_ips; i++) {
		struct ip gw = r->ips[i].gateway;
		struct result_route on_link =
			result_route(cidr_host(gw), (struct ip){ .family = 0 });

		if (gw.family == AF_INET6 && iface_belongs(r, &r->ips[i], l->name) &&
		    !ip_is_linklocal(gw) && !cidr_contains(r->ips[i].addr, gw))
			TRY(route_set(tx, &c->cont, l, &on_link));
	}
	return 0;
}

int iface_add_routes(struct tx *tx, struct call *c, const struct link *l, const struct result *r)
{
	TRY(limit_routes(tx, r, "ipam.routes", CNI_E_CONFIG));
	TRY(add_gateway_routes(tx, c, l, r));
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = result_route_of(r, i);

		if (!route.has_dst)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "ipam.routes[%u].dst: missing (give a prefix, like "
					  "0.0.0.0/0)",
					  i);
		TRY(refuse_duplicate(tx, r, i));
		TRY(route_add(tx, &c->cont, l, &route));
	}
	return 0;
}

/* Does a route go through this interface?  A later plugin may have added others. */
static bool is_through(const struct result *r, const struct result_route *route, const char *ifname)
{
	if (!ip_set(route->gw))
		return true;
	for (unsigned i = 0; i < r->n_ips; i++)
		if (iface_belongs(r, &r->ips[i], ifname) &&
		    (cidr_contains(r->ips[i].addr, route->gw) ||
		     ip_eq(r->ips[i].gateway, route->gw)))
			return true;
	return false;
}

static int has_route(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		     const struct result_route *want)
{
	if (!is_through(r, want, l->name))
		l = NULL;
	return route_check(tx, &c->cont, l, want);
}

/*
 * The connected routes, which the kernel adds with the addresses.  A later plugin may have moved
 * them to another table.
 */
int iface_ensure_connected(struct tx *tx, struct call *c, const struct result *r,
			   const struct link *l)
{
	for (unsigned i = 0; i < r->n_ips; i++) {
		struct cidr a = r->ips[i].addr;
		struct result_route want = result_route(cidr_masked(a), (struct ip){ 0 });
		int there;

		if (!iface_belongs(r, &r->ips[i], l->name) || a.len >= ip_bits(a.ip))
			continue;
		TRY(there = has_route(tx, c, l, r, &want));
		if (!there)
			TRY(route_add_connected(tx, &c->cont, l, a));
	}
	return 0;
}

/* Has an address before r->ips[i] the same gateway, the same subnet? */
static bool shares_gateway(const struct result *r, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (ip_eq(r->ips[k].gateway, r->ips[i].gateway))
			return true;
	return false;
}

static bool shares_subnet(const struct result *r, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (cidr_eq(cidr_masked(r->ips[k].addr), cidr_masked(r->ips[i].addr)))
			return true;
	return false;
}

struct route_list iface_routed(struct tx *tx, const struct link *l, const struct result *r)
{
	struct route *list = mem_alloc(&tx->mem, (2 * r->n_ips + 1) * sizeof(*list));
	struct route_list ret = { .r = list };

	for (unsigned i = 0; i < r->n_ips; i++) {
		const struct result_ip *ip = &r->ips[i];
		struct result_route gw =
			result_route(cidr_host(ip->gateway), (struct ip){ .family = 0 });
		struct result_route net = result_route(cidr_masked(ip->addr), ip->gateway);

		if (!iface_belongs(r, ip, l->name) || !ip_set(ip->gateway))
			continue;
		gw.scope = RT_SCOPE_LINK;
		if (!shares_gateway(r, i)) {
			list[ret.n] = route_of(l, &gw);
			list[ret.n++].src = ip->addr.ip;
		}
		if (!shares_subnet(r, i)) {
			list[ret.n] = route_of(l, &net);
			list[ret.n++].src = ip->addr.ip;
		}
	}
	return ret;
}

int iface_ensure_routed(struct tx *tx, struct call *c, const struct result *r, const struct link *l)
{
	struct route_list list = iface_routed(tx, l, r);

	return route_add_all(tx, &c->cont, &list);
}

static bool is_only(const struct result *r, unsigned i)
{
	for (unsigned k = 0; k < r->n_routes; k++)
		if (k != i && cidr_eq(r->routes[k].dst, r->routes[i].dst))
			return false;
	return true;
}

/* On any link: a later plugin may have moved it. */
int iface_ensure_routes(struct tx *tx, struct call *c, const struct result *r,
			struct iface_additions *a)
{
	TRY(limit_routes(tx, r, "prevResult.routes", CPLUG_E_PREV));
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = result_route_of(r, i);
		int there;

		if (!route.has_dst)
			continue;
		TRY(there = has_route(tx, c, &a->l, r, &route));
		if (there)
			continue;
		/* Replace: an appended route would never be preferred over the existing one. */
		if (is_only(r, i))
			TRY(route_set(tx, &c->cont, &a->l, &route));
		else
			TRY(route_add(tx, &c->cont, &a->l, &route));
		a->routes[a->n_routes++] = route;
	}
	return 0;
}

static int check_route(struct tx *tx, struct call *c, const struct link *l,
		       const struct result_route *want)
{
	int there;

	TRY(there = has_route(tx, c, l, c->prev, want));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "route %s on %s", CIDR_S(want->dst), l->name),
		       ip_set(want->gw) ? mem_printf(&tx->mem, "via %s", IP_S(want->gw))
					: "present",
		       NULL);
	return 0;
}

/* How the routes of iface_routed() differ. */
static int check_routed(struct tx *tx, struct call *c, const struct link *l)
{
	struct route_list list = iface_routed(tx, l, c->prev);

	for (unsigned i = 0; i < list.n; i++) {
		struct result_route want = result_route(list.r[i].dst, list.r[i].gw);

		TRY(check_route(tx, c, l, &want));
	}
	return 0;
}

/* The routes of the result, and the connected routes, which the kernel adds with the addresses. */
int iface_check_routes(struct tx *tx, struct call *c, const struct link *l, bool routed)
{
	TRY(limit_routes(tx, c->prev, "prevResult.routes", CPLUG_E_PREV));
	for (unsigned i = 0; i < c->prev->n_routes; i++) {
		struct result_route want = result_route_of(c->prev, i);

		if (want.has_dst)
			TRY(check_route(tx, c, l, &want));
	}
	if (routed && (l->flags & IFF_UP))
		return check_routed(tx, c, l);
	for (unsigned i = 0; (l->flags & IFF_UP) && i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];
		struct result_route want = result_route(cidr_masked(ip->addr), (struct ip){ 0 });

		if (iface_belongs(c->prev, ip, l->name) && ip->addr.len < ip_bits(ip->addr.ip))
			TRY(check_route(tx, c, l, &want));
	}
	return 0;
}
