// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iface_routes.c - the routes of the container's interface: added, put right, compared
 */
#include <linux/rtnetlink.h>
#include <stdlib.h>

#include "base/differ.h"
#include "cni/iface_impl.h"
#include "netlink/route.h"
#include "sys/state.h"

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
	/* A link-scoped route has no gateway by its nature; dhcp writes it as 0.0.0.0. */
	if (ip_is_any(route.gw) || (route.scope > 0 && !ip_set(r->routes[i].gw)))
		route.gw = (struct ip){ .family = 0 };
	return route;
}

/*
 * Where the host routes the subnet, it is not connected to the interface.  A gateway in it, other
 * than the host's address, is a neighbour all the same: the reference adds such a route while the
 * kernel's own route to the subnet is still there.
 */
static bool is_neighbour(const struct result *r, const char *ifname, struct ip gw)
{
	for (unsigned i = 0; ip_set(gw) && i < r->n_ips; i++)
		if (iface_belongs(r, &r->ips[i], ifname) && cidr_contains(r->ips[i].addr, gw) &&
		    !ip_eq(r->ips[i].gateway, gw))
			return true;
	return false;
}

/* Each is a request, for which the kernel holds the lock of all its links. */
enum { NEW_ROUTES_MAX = 2048 };

/* ---- the routes of a result, sorted ---- */

static int by_dst(const struct result_route *a, const struct result_route *b)
{
	if (a->dst.len != b->dst.len)
		return a->dst.len < b->dst.len ? -1 : 1;
	return ip_cmp(a->dst.ip, b->dst.ip);
}

static int compare_ints(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* By what the kernel tells routes apart. */
static int by_identity(const struct result_route *a, const struct result_route *b)
{
	int r = by_dst(a, b);

	if (!r)
		r = compare_ints(ip_set(a->gw), ip_set(b->gw));
	if (!r && ip_set(a->gw))
		r = ip_cmp(a->gw, b->gw);
	if (!r)
		r = compare_ints(a->table, b->table);
	if (!r)
		r = compare_ints(a->priority, b->priority);
	return r;
}

/* Equal routes in their order in the result: all are in one array. */
static int by_identity_and_place(const void *a, const void *b)
{
	const struct result_route *x = *(const struct result_route *const *)a;
	const struct result_route *y = *(const struct result_route *const *)b;
	int r = by_identity(x, y);

	if (r)
		return r;
	return compare_ints(x - y, 0);
}

static const struct result_route **sort_routes(struct tx *tx, const struct result *r)
{
	const struct result_route **sorted =
		mem_alloc(&tx->mem, (r->n_routes + 1) * sizeof(*sorted));

	for (unsigned i = 0; i < r->n_routes; i++)
		sorted[i] = &r->routes[i];
	qsort(sorted, r->n_routes, sizeof(const struct result_route *), by_identity_and_place);
	return sorted;
}

/* Is a route given twice?  The kernel would only say "File exists". */
static int refuse_duplicates(struct tx *tx, const struct result *r)
{
	const struct result_route **sorted = sort_routes(tx, r), *twice = NULL;

	for (unsigned i = 1; i < r->n_routes; i++)
		if (by_identity(sorted[i - 1], sorted[i]) == 0 && (!twice || sorted[i] < twice))
			twice = sorted[i];
	if (!twice)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EEXIST,
			  "ipam.routes[%u]: the route to %s is given twice",
			  (unsigned)(twice - r->routes), CIDR_S(twice->dst));
}

/* Which routes are the only ones to their destination?  By their place in the result. */
static const bool *find_only(struct tx *tx, const struct result *r)
{
	const struct result_route **sorted = sort_routes(tx, r);
	bool *only = mem_alloc(&tx->mem, r->n_routes + 1);

	for (unsigned i = 0; i < r->n_routes; i++)
		only[sorted[i] - r->routes] =
			(i == 0 || by_dst(sorted[i - 1], sorted[i]) != 0) &&
			(i + 1 == r->n_routes || by_dst(sorted[i], sorted[i + 1]) != 0);
	return only;
}

/* ---- ADD ---- */

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

/* The kernel's words about a gateway that it cannot reach name no key. */
static int add_listed(struct tx *tx, struct call *c, const struct link *l,
		      const struct result_route *route, unsigned i)
{
	int r = route_add(tx, &c->cont, l, route);

	if (route_is_unreachable(r) && ip_set(route->gw))
		tx_detail(tx,
			  "ipam.routes[%u].gw: %s is in no subnet of %s (give a gateway in one of "
			  "them, or a route to %s before this one)",
			  i, IP_S(route->gw), l->name, IP_S(route->gw));
	return r;
}

int iface_add_routes(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		     bool routed)
{
	if (r->n_routes > NEW_ROUTES_MAX)
		return tx_fail_as(
			tx, CNI_E_CONFIG, -E2BIG,
			"ipam.routes: too long: %u entries, at most %d are allowed for an "
			"interface",
			r->n_routes, NEW_ROUTES_MAX);
	TRY(refuse_duplicates(tx, r));
	TRY(add_gateway_routes(tx, c, l, r));
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = result_route_of(r, i);

		if (!route.has_dst)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "ipam.routes[%u].dst: missing (give a prefix, like "
					  "0.0.0.0/0)",
					  i);
		route.onlink = routed && is_neighbour(r, l->name, route.gw);
		TRY(add_listed(tx, c, l, &route, i));
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

/* ---- CHECK, repair ---- */

/* Is it there?  On any link, if a later plugin may have moved it. */
static struct route_question question(const struct result *r, const struct link *l,
				      const struct result_route *want)
{
	return (struct route_question){
		.link = is_through(r, want, l->name) ? l : NULL,
		.want = *want,
	};
}

/* The connected routes, which the kernel adds with the addresses. */
static unsigned ask_connected(const struct result *r, const struct link *l,
			      struct route_question *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_ips; i++) {
		struct cidr a = r->ips[i].addr;
		struct result_route want = result_route(cidr_masked(a), (struct ip){ 0 });

		if (iface_belongs(r, &r->ips[i], l->name) && route_comes_with(a))
			q[n++] = question(r, l, &want);
	}
	return n;
}

/* The routes of the result. */
static unsigned ask_listed(const struct result *r, const struct link *l, struct route_question *q)
{
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route want = result_route_of(r, i);

		if (want.has_dst)
			q[n++] = question(r, l, &want);
	}
	return n;
}

static struct route_question *new_questions(struct tx *tx, const struct result *r)
{
	return mem_alloc(&tx->mem,
			 (r->n_routes + 2 * r->n_ips + 1) * sizeof(struct route_question));
}

/*
 * The connected routes, which the kernel adds with the addresses.  A later plugin may have moved
 * them to another table.
 */
int iface_ensure_connected(struct tx *tx, struct call *c, const struct result *r,
			   const struct link *l)
{
	struct route_question *q = new_questions(tx, r);
	unsigned n = ask_connected(r, l, q), k = 0;

	TRY(route_find_all(tx, &c->cont, q, n));
	for (unsigned i = 0; i < r->n_ips; i++) {
		struct cidr a = r->ips[i].addr;

		if (iface_belongs(r, &r->ips[i], l->name) && route_comes_with(a) && !q[k++].found)
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

/*
 * Has the sbr plugin put a default route through a gateway of its configuration in place of this
 * one? Its record tells that it took this one from table main.
 */
static bool is_replaced(struct tx *tx, const struct call *c, const struct result_route *want)
{
	struct state_file f;
	int before = tx->err, r;
	char *text = NULL;

	if (!cidr_is_default(want->dst) || !ip_set(want->gw))
		return false;
	r = state_of(tx, "sbr", c->network, c->id, c->ifname, &f);
	if (r == 0)
		r = state_load(tx, &f, &text);
	if (r == 1 && text)
		return strstr(text, mem_printf(&tx->mem, "\"%s via %s\"", CIDR_S(want->dst),
					       IP_S(want->gw)));
	tx_excuse(tx, before, r, "taken for a container without sbr");
	return false;
}

/* Replace: an appended route would never be preferred over the existing one. */
static int put_back(struct tx *tx, struct call *c, const struct link *l,
		    const struct result_route *route, bool replace)
{
	int r;

	if (replace)
		r = route_set(tx, &c->cont, l, route);
	else
		r = route_add(tx, &c->cont, l, route);
	if (route_is_unreachable(r) && ip_set(route->gw))
		tx_detail(
			tx,
			"no route of %s leads to %s, the gateway of a route in the attachment's "
			"result (perhaps a plugin of the list names a route that it did not make: "
			"correct that plugin, and add the container anew)",
			l->name, IP_S(route->gw));
	return r;
}

int iface_ensure_routes(struct tx *tx, struct call *c, const struct result *r,
			struct iface_additions *a, bool routed)
{
	struct route_question *q = new_questions(tx, r);
	unsigned n = ask_listed(r, &a->l, q), k = 0;
	const bool *only = find_only(tx, r);

	TRY(route_find_all(tx, &c->cont, q, n));
	for (unsigned i = 0; i < r->n_routes; i++) {
		struct result_route route = result_route_of(r, i);

		if (!route.has_dst || q[k++].found || is_replaced(tx, c, &route))
			continue;
		route.onlink = routed && is_neighbour(r, a->l.name, route.gw);
		TRY(put_back(tx, c, &a->l, &route, only[i]));
		a->routes[a->n_routes++] = route;
	}
	return 0;
}

static void differ_route(struct tx *tx, const struct link *l, const struct result_route *want)
{
	const char *how = "present";

	if (ip_set(want->gw))
		how = mem_printf(&tx->mem, "via %s", IP_S(want->gw));
	differ(tx, mem_printf(&tx->mem, "route %s on %s", CIDR_S(want->dst), l->name), how, NULL);
}

/* The routes of iface_routed(). */
static unsigned ask_routed(struct tx *tx, const struct result *r, const struct link *l,
			   struct route_question *q)
{
	struct route_list list = iface_routed(tx, l, r);

	for (unsigned i = 0; i < list.n; i++) {
		struct result_route want = result_route(list.r[i].dst, list.r[i].gw);

		q[i] = question(r, l, &want);
	}
	return list.n;
}

/* The routes of the result, and those that come with the addresses. */
int iface_check_routes(struct tx *tx, struct call *c, const struct link *l, bool routed)
{
	struct route_question *q = new_questions(tx, c->prev);
	unsigned n = ask_listed(c->prev, l, q);
	bool up = l->flags & IFF_UP;

	if (up && routed)
		n += ask_routed(tx, c->prev, l, q + n);
	else if (up)
		n += ask_connected(c->prev, l, q + n);
	TRY(route_find_all(tx, &c->cont, q, n));
	for (unsigned i = 0; i < n; i++)
		if (!q[i].found && !is_replaced(tx, c, &q[i].want))
			differ_route(tx, l, &q[i].want);
	return 0;
}
