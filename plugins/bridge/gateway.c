// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gateway.c - the host's side of the network: gateway addresses, forwarding, the VLAN gateway
 *
 * With a VLAN the gateway is a veth of the host, BRIDGE.VLAN, whose other end is a port in that
 * VLAN; without one it is the bridge itself.
 */
#include "cni/gateway.h"
#include "base/differ.h"
#include "cni/ipam.h"
#include "netlink/addr.h"
#include "netlink/bridge.h"
#include "netlink/route.h"
#include "plugins/bridge/bridge.h"
#include "sys/sysctl.h"
#include "value/name.h"

const char *bridge_vlan_gateway_name(struct mem *mem, const char *bridge, unsigned vlan)
{
	return mem_printf(mem, "%s.%u", bridge, vlan);
}

static const char *vlan_gateway_name(struct tx *tx, const struct bridge *b)
{
	return bridge_vlan_gateway_name(&tx->mem, b->cf.bridge, b->cf.vlan);
}

/* The link that has the gateway addresses. */
static const struct link *gateway_link(const struct bridge *b)
{
	return b->cf.vlan ? &b->vlan_gw : &b->br;
}

/* ---- the VLAN gateway --------------------------------------------------- */

/* Has an administrator made it, so that its other end is no port of the name that cplug gives? */
static int is_others(struct tx *tx, struct call *c, const struct bridge *b, const char *port)
{
	struct link l;
	int there;

	TRY(there = link_find(tx, &c->host, port, &l));
	return !there || l.master != b->br.index;
}

/*
 * It is set up last, so one that is down is not finished: its ADD was killed, has failed, or goes
 * on beside this call; then both do the same.
 */
static int ensure_vlan_gateway(struct tx *tx, struct call *c, struct bridge *b)
{
	const char *name = vlan_gateway_name(tx, b);
	struct name_owner port = name_owner("", "vlan-gateway", name);
	struct mark mark = mark_of_network(name);
	struct link_new own = {
		.name = name, .mtu = b->br.mtu, .mac = link_random_mac(), .queues = 1
	};
	struct link_new n = {
		.kind = "veth",
		.name = port.s,
		.mtu = b->br.mtu,
		.mac = link_random_mac(),
		.master = b->br.index,
		.mark = &mark,
		.queues = 1,
		.peer = &own,
	};
	struct link l;
	bool made;
	int there;

	TRY(there = link_find(tx, &c->host, name, &b->vlan_gw));
	if (there && (b->vlan_gw.flags & IFF_UP))
		return 0;
	if (there)
		TRY(there = is_others(tx, c, b, port.s));
	if (there)
		return 0;
	TRY(link_add_shared(tx, &c->host, &n, &l, &made));
	TRY(link_need(tx, &c->host, name, &b->vlan_gw));
	TRY(bridge_veth_join_vlan(tx, c, b, &l, &mark));
	TRY(link_set_no_dad(tx, &c->host, &b->vlan_gw));
	return link_set_up(tx, &c->host, &b->vlan_gw);
}

int bridge_vlan_gateway_ensure(struct tx *tx, struct call *c, struct bridge *b)
{
	if (!b->cf.vlan)
		return 0;
	return ensure_vlan_gateway(tx, c, b);
}

/* ---- ADD ---------------------------------------------------------------- */

/* A bridge in a VRF is reached from that VRF only. */
bool bridge_gateway_is_routed(const struct bridge *b)
{
	return b->cf.is_gateway && !b->br.master;
}

/* No route of the host hides the container. */
static int check_routes(struct tx *tx, struct call *c, const struct bridge *b,
			const struct result *res)
{
	for (unsigned i = 0; i < res->n_ips && bridge_gateway_is_routed(b); i++)
		if (ip_set(res->ips[i].gateway))
			TRY(gateway_check_route(tx, &c->host, gateway_link(b),
						res->ips[i].addr.ip));
	return 0;
}

/*
 * The same before the gateway link has its addresses, so that it does not get those of a subnet
 * that is refused; with forceAddress those that it has may go.  Returns 1 if check_routes() has
 * nothing left to do, 0, or a recorded failure.
 */
static int check_early(struct tx *tx, struct call *c, const struct bridge *b,
		       const struct result *res)
{
	int done, all = 1;

	if (b->cf.gateway_flags & GATEWAY_FORCE)
		return 0;
	for (unsigned i = 0; i < res->n_ips && bridge_gateway_is_routed(b); i++) {
		if (!ip_set(res->ips[i].gateway))
			continue;
		TRY(done = gateway_check_early(tx, &c->host, gateway_link(b), res->ips[i].addr));
		all &= done;
	}
	return all;
}

/* What this call has given the gateway link: addresses, and routes to subnets. */
struct given {
	struct rt *host;
	const char *network;
	const struct bridge *b;
	struct cidr *addresses, *routes;
	unsigned n_addresses, n_routes;
};

/* A port of the bridge whose container may count on what was given. */
struct needy_port {
	const char *own; /* the beginning of this network's marks */
	const struct bridge *b;
	bool found;
};

static int match_needy(const struct link *l, void *arg)
{
	struct needy_port *p = arg;
	int own = p->b->veth.host.index;

	if (!l)
		p->found = false;
	if (!l || l->master != p->b->br.index || l->index == own || mark_is_network(l->alias))
		return 0;
	p->found = l->index > own || str_starts(l->alias, p->own);
	return p->found;
}

/*
 * Is there a container that may have found what was given, and count on it?  That is one whose port
 * came after the call's own (the kernel numbers links in order), or any of the same network: its
 * ADD may have made its port earlier, and look for the gateway only now.  Ports of others that were
 * there before did without.
 */
static int is_needed(struct tx *tx, const struct given *g)
{
	struct mark network = mark_of_network(g->network);
	struct needy_port p = { .own = mem_printf(&tx->mem, "%s/", network.s), .b = g->b };

	TRY(link_each_port(tx, g->host, g->b->br.index, match_needy, &p));
	return p.found;
}

static int give(struct tx *tx, const struct given *g)
{
	const struct link *l = gateway_link(g->b);
	int added, r = 0;

	for (unsigned i = 0; i < g->n_addresses; i++)
		r = also(r, addr_ensure(tx, g->host, l, g->addresses[i], 0));
	for (unsigned i = 0; i < g->n_routes; i++) {
		added = route_add_connected(tx, g->host, l, g->routes[i]);
		if (added < 0)
			r = also(r, added);
	}
	return r;
}

static int take(struct tx *tx, const struct given *g)
{
	const struct link *l = gateway_link(g->b);
	int r = 0;

	for (unsigned i = 0; i < g->n_routes; i++)
		r = also(r, route_del_connected(tx, g->host, l, g->routes[i]));
	for (unsigned i = 0; i < g->n_addresses; i++)
		r = also(r, addr_del(tx, g->host, l, g->addresses[i]));
	return r;
}

/*
 * An ADD adds its port before it looks for the gateway's addresses.  So one that found those which
 * are taken here has its port by the second look, and gets them back; one whose port comes later
 * does not find them, and adds them itself.
 */
static int undo_given(struct tx *tx, void *arg)
{
	const struct given *g = *(const struct given **)arg;
	int needed, r;

	TRY(needed = is_needed(tx, g));
	if (needed)
		return 0;
	r = take(tx, g);
	TRY(needed = is_needed(tx, g));
	if (needed)
		r = also(r, give(tx, g));
	return r;
}

/* ADD notes what it added, for the undo; what a repair put back stays. */
static int note(struct tx *tx, const struct call *c, struct given *g, struct cidr **list,
		unsigned *n, struct cidr a)
{
	bool first = !g->n_addresses && !g->n_routes;

	*list = mem_grow(&tx->mem, *list, *n, sizeof(**list));
	(*list)[(*n)++] = a;
	if (!first || c->command != CNI_ADD)
		return 0;
	return tx_undo(tx, undo_given, "add gateway", &g);
}

static int ensure_addresses(struct tx *tx, struct call *c, const struct bridge *b,
			    const struct result *res)
{
	struct given *g = mem_alloc(&tx->mem, sizeof(*g));
	struct cidr *list;
	unsigned n = gateway_list(tx, res, &list);
	int added;

	*g = (struct given){ .host = &c->host, .network = c->network, .b = b };
	for (unsigned i = 0; i < n; i++) {
		TRY(bridge_force_check(tx, c, b, gateway_link(b), list[i]));
		TRY(added = gateway_ensure(tx, &c->host, gateway_link(b), list[i],
					   b->cf.gateway_flags));
		if (added)
			TRY(note(tx, c, g, &g->addresses, &g->n_addresses, list[i]));
	}
	for (unsigned i = 0; i < res->n_ips; i++) {
		const struct result_ip *ip = &res->ips[i];

		added = 0;
		/* No address of the gateway link brings a route to the subnet. */
		if (ip_set(ip->gateway) && !cidr_contains(ip->addr, ip->gateway))
			TRY(added = route_add_connected(tx, &c->host, gateway_link(b), ip->addr));
		if (added)
			TRY(note(tx, c, g, &g->routes, &g->n_routes, ip->addr));
	}
	return 0;
}

/* Who answers DHCP on the bridge, maybe a container, has chosen router and mask. */
static int check_offer(struct tx *tx, struct call *c, const struct bridge *b,
		       const struct result *res)
{
	struct cidr *list;
	unsigned n = ipam_is(c, "dhcp") ? gateway_list(tx, res, &list) : 0;

	for (unsigned i = 0; i < n; i++)
		TRY(gateway_check_offer(tx, &c->host, gateway_link(b), list[i]));
	return 0;
}

int bridge_gateway_ensure(struct tx *tx, struct call *c, struct bridge *b, const struct result *res)
{
	int done;

	if (!b->cf.is_gateway)
		return 0;
	TRY(check_offer(tx, c, b, res));
	TRY(done = check_early(tx, c, b, res));
	TRY(ensure_addresses(tx, c, b, res));
	if (done)
		return 0;
	return check_routes(tx, c, b, res);
}

/* ---- CHECK -------------------------------------------------------------- */

static int compare_host_routes(struct tx *tx, struct call *c, const struct bridge *b)
{
	bool seen[2] = { false, false };

	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		struct ip ip = c->prev->ips[i].addr.ip;
		bool is6 = ip.family == AF_INET6;

		if (c->prev->ips[i].iface < 0 || !ip_set(c->prev->ips[i].gateway))
			continue;
		if (!seen[is6])
			TRY(gateway_compare_forwarding(tx, &c->host, ip.family));
		seen[is6] = true;
		if ((b->br.flags & IFF_UP) && !b->br.master)
			TRY(gateway_compare_route(tx, &c->host, gateway_link(b), ip));
	}
	return 0;
}

int bridge_gateway_check(struct tx *tx, struct call *c, struct bridge *b)
{
	const struct link *l = gateway_link(b);
	struct addr_list have;
	struct cidr *list;
	unsigned n;
	int there;

	if (!b->cf.is_gateway)
		return 0;
	if (b->cf.vlan)
		TRY(there = link_find(tx, &c->host, vlan_gateway_name(tx, b), &b->vlan_gw));
	if (!l->index)
		return 0;
	TRY(addr_list(tx, &c->host, l, AF_UNSPEC, &have));
	n = gateway_list(tx, c->prev, &list);
	for (unsigned i = 0; i < n; i++)
		if (!addr_listed(&have, list[i]))
			differ(tx, mem_printf(&tx->mem, "gateway address of %s", l->name),
			       CIDR_S(list[i]), NULL);
	return compare_host_routes(tx, c, b);
}

/* ---- repair ------------------------------------------------------------- */

int bridge_gateway_repair(struct tx *tx, struct call *c, struct bridge *b)
{
	struct cidr *list;
	unsigned n;

	if (!b->cf.is_gateway)
		return 0;
	TRY(bridge_vlan_gateway_ensure(tx, c, b));
	TRY(ensure_addresses(tx, c, b, c->prev));
	/* A bridge in a VRF has its connected routes in the VRF's table. */
	n = b->br.master ? 0 : gateway_list(tx, c->prev, &list);
	for (unsigned i = 0; i < n; i++)
		if (route_comes_with(list[i]))
			TRY(route_add_connected(tx, &c->host, gateway_link(b), list[i]));
	TRY(gateway_forward(tx, &c->host, c->prev));
	return check_routes(tx, c, b, c->prev);
}
