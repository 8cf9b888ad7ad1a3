// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gateway.c - the host as a network's router: its address there, and forwarding
 */
#include <linux/if_addr.h>

#include "netlink/addr.h"
#include "cni/gateway.h"
#include "base/differ.h"
#include "base/log.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

static bool conflicts(struct cidr have, struct cidr want, unsigned flags)
{
	if (have.ip.family == AF_INET && !(flags & GATEWAY_BESIDE))
		return true;
	return cidr_overlaps(have, want) && !ip_is_linklocal(have.ip);
}

/* Walks the addresses that are in the way of another; 1 = *list has one, at *at or later. */
static int next_in_way(const struct addr_list *list, struct cidr want, unsigned flags, unsigned *at)
{
	while (*at < list->n && !conflicts(list->a[*at], want, flags))
		(*at)++;
	return *at < list->n;
}

int gateway_in_way(struct tx *tx, struct rt *rt, const struct link *l, struct cidr address,
		   unsigned flags, struct cidr *ret)
{
	struct addr_list list;
	unsigned i = 0;

	TRY(addr_list(tx, rt, l, address.ip.family, &list));
	if (addr_listed(&list, address) || !next_in_way(&list, address, flags, &i))
		return 0;
	*ret = list.a[i];
	return 1;
}

int gateway_ensure(struct tx *tx, struct rt *rt, const struct link *l, struct cidr address,
		   unsigned flags)
{
	struct addr_list list;
	bool replaced = false;

	TRY(addr_list(tx, rt, l, address.ip.family, &list));
	if (addr_listed(&list, address))
		return 0;
	for (unsigned i = 0; next_in_way(&list, address, flags, &i); i++) {
		if (!(flags & GATEWAY_FORCE))
			return tx_fail_as(
				tx, CPLUG_E_TAKEN, -EADDRINUSE,
				"%s: \"%s\" already has an IP address different from %s: %s "
				"(remove it, set forceAddress, or use another bridge)",
				rt->where, l->name, CIDR_S(address), CIDR_S(list.a[i]));
		TRY(addr_del(tx, rt, l, list.a[i]));
		replaced = true;
	}
	if (replaced)
		return addr_ensure_undoable(tx, rt, l, address);
	return addr_add_missing(tx, rt, l, address, 0);
}

static bool is_on(const struct netns *ns, const char *name)
{
	char now[8];

	return sysctl_read_try(ns, name, now, sizeof(now)) == 0 && str_eq(now, "1");
}

/* With forwarding on, the kernel ignores router advertisements unless accept_ra is 2. */
static int keep_listening(struct tx *tx, struct rt *rt)
{
	struct sysctl s;
	struct link l;
	struct ip outside;
	int index, there;

	ip_parse("2000::", &outside);
	TRY(route_to(tx, rt, outside, &index));
	if (!index)
		return 0;
	TRY(there = link_find_index(tx, rt, index, &l));
	if (!there)
		return 0;
	s = sysctl_conf(AF_INET6, l.name, "accept_ra", "2");
	if (!is_on(NULL, s.name))
		return 0;
	return sysctl_ensure(tx, NULL, &s, 1, NULL);
}

static int forward_family(struct tx *tx, struct rt *rt, int family)
{
	static const struct sysctl four = { "net/ipv4/ip_forward", "1" };
	static const struct sysctl six = { "net/ipv6/conf/all/forwarding", "1" };
	const struct sysctl *s = family == AF_INET6 ? &six : &four;

	if (is_on(NULL, s->name))
		return 0;
	if (family == AF_INET6)
		TRY(keep_listening(tx, rt));
	return sysctl_ensure(tx, NULL, s, 1, NULL);
}

int gateway_forward(struct tx *tx, struct rt *rt, const struct result *r)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		TRY(forward_family(tx, rt, r->ips[i].addr.ip.family));
	return 0;
}

/* Does the kernel pass over routes of links without carrier (ip-sysctl.rst)? */
static bool ignores_linkdown(const struct rt *rt, int family, const char *ifname)
{
	static const char key[] = "ignore_routes_with_linkdown";
	const struct sysctl list[] = {
		sysctl_conf(family, "all", key, "1"),
		sysctl_conf(family, ifname, key, "1"),
	};

	for (unsigned i = 0; i < ARRAY_LEN(list); i++)
		if (is_on(rt->ns, list[i].name))
			return true;
	return false;
}

/*
 * Is a route through l, which has no carrier, at least as specific as the one that the kernel
 * uses?  With ignore_routes_with_linkdown (FRR and Cumulus set it) the kernel passes it over
 * until the first container's end is up.
 */
static int waits_for_carrier(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip,
			     const struct route_lookup *used)
{
	struct route_filter filter = { .family = ip.family, .link = l->index };
	struct route_list list;

	if (!ignores_linkdown(rt, ip.family, l->name))
		return 0;
	TRY(route_list(tx, rt, &filter, &list));
	for (unsigned i = 0; i < list.n; i++) {
		struct cidr dst = list.r[i].dst;

		if (cidr_contains(dst, ip) && (!used->dst.ip.family || dst.len >= used->dst.len))
			return 1;
	}
	return 0;
}

/* Does the kernel send packets to ip through l, or will it when l has its carrier? */
static int leads(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip,
		 struct route_lookup *used)
{
	struct link now;
	int there;

	TRY(route_lookup(tx, rt, ip, used));
	if (used->index == l->index && !used->rejects)
		return 1;
	if (used->local)
		return 0;
	TRY(there = link_find_index(tx, rt, l->index, &now));
	if (!there)
		return 0;
	if (!(now.flags & IFF_RUNNING))
		return waits_for_carrier(tx, rt, &now, ip, used);
	/* The carrier may have come after the first question. */
	TRY(route_lookup(tx, rt, ip, used));
	return used->index == l->index && !used->rejects;
}

/* The route may lead through l because a policy rule hides the local table. */
static int need_no_own_address(struct tx *tx, struct rt *rt, struct ip ip)
{
	int own;

	TRY(own = addr_is_own(tx, rt, ip));
	if (own)
		return tx_fail_as(
			tx, CPLUG_E_TAKEN, -EADDRINUSE,
			"%s: %s is an address of the host itself (choose another address)",
			rt->where, IP_S(ip));
	return 0;
}

int gateway_check_route(struct tx *tx, struct rt *rt, const struct link *l, struct ip ip)
{
	static const char hint[] = "choose another subnet, or remove that route";
	struct route_lookup w;
	struct link other;
	const char *rejecting = "a route or rule";
	int there;

	TRY(there = leads(tx, rt, l, ip, &w));
	/* The reference, too, gives it to a container. */
	if (there && w.broadcast)
		log_warn("%s: %s is a broadcast address on %s, so the host does not reach the "
			 "container (exclude it from the addresses that the IPAM plugin gives)",
			 rt->where, IP_S(ip), l->name);
	if (there)
		return need_no_own_address(tx, rt, ip);
	if (w.index && !w.rejects)
		TRY(there = link_find_index(tx, rt, w.index, &other));
	if (there)
		return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
				  "%s: %s is reached through %s, not through %s, by the route %s "
				  "(%s)",
				  rt->where, IP_S(ip), other.name, l->name, CIDR_S(w.dst), hint);
	if (w.dst.ip.family)
		rejecting = mem_printf(&tx->mem, "the route %s", CIDR_S(w.dst));
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EHOSTUNREACH,
			  "%s: %s is not reached through %s: %s rejects it (%s)", rt->where,
			  IP_S(ip), l->name, rejecting, hint);
}

/* Is it used in spite of a new connected route in table main?  In other tables rules decide. */
static bool outranks(const struct route_lookup *used, struct cidr a)
{
	const uint32_t connected = a.ip.family == AF_INET6 ? 255 : 0;

	if (used->local)
		return true;
	if (!used->dst.ip.family || (used->table != RT_TABLE_MAIN && used->table != RT_TABLE_LOCAL))
		return false;
	return used->dst.len > a.len || (used->dst.len == a.len && used->priority <= connected);
}

int gateway_check_early(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	struct route_lookup w;

	TRY(route_lookup(tx, rt, a.ip, &w));
	if (w.index == l->index && !w.rejects && !w.broadcast) {
		TRY(need_no_own_address(tx, rt, a.ip));
		return 1;
	}
	if (w.index == l->index || !outranks(&w, a))
		return 0;
	TRY(gateway_check_route(tx, rt, l, a.ip));
	return 1;
}

static bool is_possible(struct cidr a)
{
	enum { SHORTEST = 8 };
	bool wide = a.len + 1 < ip_bits(a.ip);

	return ip_is_of_host(a.ip) && !ip_is_linklocal(a.ip) && a.len >= SHORTEST &&
	       !(wide && (ip_eq(a.ip, cidr_network(a)) || ip_eq(a.ip, cidr_last(a))));
}

int gateway_check_offer(struct tx *tx, struct rt *rt, const struct link *l, struct cidr a)
{
	struct addr_list have;
	struct route_lookup w;
	bool own;

	TRY(addr_list(tx, rt, l, a.ip.family, &have));
	if (addr_listed(&have, a))
		return 0;
	TRY(route_lookup(tx, rt, a.ip, &w));
	/* Behind a narrower route of its own, a wider prefix would take what lies around it. */
	own = w.index == l->index && w.dst.len <= a.len;
	if (is_possible(a) && (own || !w.dst.len || (!w.local && !w.onlink && w.dst.len < a.len)))
		return 0;
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
			  "%s: %s does not get the gateway %s from DHCP, because it would take a "
			  "network of the host, or is no address of a host (give it an address "
			  "yourself and leave isGateway out, or mend the DHCP server)",
			  rt->where, l->name, CIDR_S(a));
}

int gateway_validate(struct tx *tx, const struct result *r)
{
	for (unsigned i = 0; i < r->n_ips; i++) {
		const struct result_ip *ip = &r->ips[i];

		if (ip->gateway.family == AF_INET && !cidr_contains(ip->addr, ip->gateway))
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "gateway: %s is outside %s (choose an address of the "
					  "subnet)",
					  IP_S(ip->gateway), CIDR_S(cidr_masked(ip->addr)));
		if (cidr_is_anycast(ip->addr) && cidr_contains(ip->addr, ip->gateway))
			return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
					  "host: %s is the subnet-router anycast address of its "
					  "prefix, which the host itself has as the gateway "
					  "(choose another address)",
					  CIDR_S(ip->addr));
	}
	return 0;
}

/* The prefix length of a gateway on the host. */
static unsigned gateway_len(const struct result_ip *ip)
{
	if (cidr_contains(ip->addr, ip->gateway))
		return ip->addr.len;
	return ip_is_linklocal(ip->gateway) ? 64 : ip_bits(ip->gateway);
}

unsigned gateway_list(struct tx *tx, const struct result *r, struct cidr **ret)
{
	struct cidr *list = NULL;
	unsigned n = 0;

	for (unsigned i = 0; i < r->n_ips; i++) {
		struct cidr gw = { .ip = r->ips[i].gateway };
		bool seen = !ip_set(gw.ip);

		if (!seen)
			gw.len = gateway_len(&r->ips[i]);
		for (unsigned k = 0; k < n; k++)
			seen |= cidr_eq(list[k], gw);
		if (seen)
			continue;
		list = mem_grow(&tx->mem, list, n, sizeof(*list));
		list[n++] = gw;
	}
	*ret = list;
	return n;
}

static bool has_default(const struct result *r, int family)
{
	for (unsigned i = 0; i < r->n_routes; i++)
		if (r->routes[i].has_dst && r->routes[i].dst.ip.family == family &&
		    cidr_is_default(r->routes[i].dst) && r->routes[i].table < 0)
			return true;
	return false;
}

void gateway_complete(struct result *r, bool default_route)
{
	for (unsigned i = 0; i < r->n_ips; i++) {
		struct result_ip *ip = &r->ips[i];
		struct cidr any = { .ip.family = ip->addr.ip.family };

		/* A /32 or /128 has no room for a gateway. */
		if (!ip_set(ip->gateway) && ip->addr.len < ip_bits(ip->addr.ip))
			ip->gateway = ip_add(cidr_network(ip->addr), 1);
		if (default_route && ip_set(ip->gateway) && !has_default(r, any.ip.family))
			result_add_route(r, result_route(any, ip->gateway));
	}
}

/* ---- CHECK -------------------------------------------------------------- */

int gateway_compare_route(struct tx *tx, struct rt *rt, const struct link *to, struct ip ip)
{
	struct route_lookup w;
	struct link l;
	int index, there = 0;

	TRY(route_to(tx, rt, ip, &index));
	if (index == to->index)
		return 0;
	if (!index)
		TRY(route_lookup(tx, rt, ip, &w));
	if (!index && w.broadcast && w.index == to->index)
		return 0; /* gateway_check_route() has warned */
	if (index)
		TRY(there = link_find_index(tx, rt, index, &l));
	differ(tx, mem_printf(&tx->mem, "the host's route to %s", IP_S(ip)),
	       mem_printf(&tx->mem, "through %s", to->name),
	       there ? mem_printf(&tx->mem, "through %s", l.name) : NULL);
	return 0;
}

int gateway_compare_forwarding(struct tx *tx, const struct rt *rt, int family)
{
	static const struct sysctl four = { "net/ipv4/ip_forward", "1" };
	static const struct sysctl six = { "net/ipv6/conf/all/forwarding", "1" };

	const struct sysctl *s = family == AF_INET6 ? &six : &four;

	return sysctl_check(tx, rt->ns, s, 1);
}
