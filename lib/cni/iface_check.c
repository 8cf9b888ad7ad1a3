// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iface_check.c - CHECK: every difference is noted, and all are told together
 *
 * What the result promises is looked for, and what ADD did for it; more than that is
 * fine.  Plugins that came later may have changed things for good, and no alarm is
 * raised for what they are known to do:
 *
 *  - sbr and vrf move routes to tables of their own;
 *  - tuning sets the MAC, which the result then tells, and the MTU, which it does not: the
 *    file that tuning keeps for its DEL tells that it was here;
 *  - tuning may let router advertisements in again (accept_ra, autoconf, accept_dad).
 */
#include <unistd.h>

#include "base/differ.h"
#include "netlink/addr.h"
#include "cni/iface_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

/* ---- addresses and routes ----------------------------------------------- */

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

/* Does a route go through this interface?  A later plugin may have told others. */
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

int iface_has_route(struct tx *tx, struct call *c, const struct link *l, const struct result *r,
		    const struct result_route *want)
{
	return route_check(tx, &c->cont, is_through(r, want, l->name) ? l : NULL, want);
}

static int check_route(struct tx *tx, struct call *c, const struct link *l,
		       const struct result_route *want)
{
	int there;

	TRY(there = iface_has_route(tx, c, l, c->prev, want));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "route %s on %s", CIDR_S(want->dst), l->name),
		       ip_set(want->gw) ? mem_printf(&tx->mem, "via %s", IP_S(want->gw))
					: "present",
		       NULL);
	return 0;
}

/* Those of the result, and those that the kernel made with the addresses. */
static int check_routes(struct tx *tx, struct call *c, const struct link *l)
{
	for (unsigned i = 0; i < c->prev->n_routes; i++) {
		struct result_route want = iface_route(c->prev, i);

		if (want.has_dst)
			TRY(check_route(tx, c, l, &want));
	}
	for (unsigned i = 0; (l->flags & IFF_UP) && i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];
		struct result_route want = result_route(cidr_masked(ip->addr), (struct ip){ 0 });

		if (iface_belongs(c->prev, ip, l->name) && ip->addr.len < ip_bits(ip->addr.ip))
			TRY(check_route(tx, c, l, &want));
	}
	return 0;
}

/* ---- the link ----------------------------------------------------------- */

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
	unsigned n = iface_has_family(c->prev, AF_INET6) ? ARRAY_LEN(list) : 1;

	return sysctl_check(tx, &c->cont_ns, list, n);
}

/* The reference's tuning plugin notes what it is about to change. */
static bool was_tuned(struct tx *tx, const struct call *c)
{
	return access(mem_printf(&tx->mem, "/run/cni/tuning/%s_%s.json", c->id, c->ifname), F_OK) ==
	       0;
}

void iface_check_mtu(struct tx *tx, const struct link *have, int64_t want)
{
	if (want > 0 && want != have->mtu)
		differ(tx, mem_printf(&tx->mem, "MTU of %s", have->name),
		       mem_printf(&tx->mem, "%lld", (long long)want),
		       mem_printf(&tx->mem, "%d", have->mtu));
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

	if (i < 0)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: it lists no interface %s in a sandbox", c->ifname);
	*ret = (struct link){ .index = 0 };
	TRY(there = link_find(tx, &c->cont, c->ifname, ret));
	if (!there) {
		differ(tx, what, "present", NULL);
		return 0;
	}
	if (!str_eq(ret->kind, want->kind))
		differ(tx, what, want->kind, *ret->kind ? ret->kind : "another kind");
	if (want->up && !(ret->flags & IFF_UP))
		differ(tx, what, "up", "down");
	iface_check_mac(tx, ret, c->prev->ifs[i].mac);
	if (!was_tuned(tx, c))
		iface_check_mtu(tx, ret, c->prev->ifs[i].mtu > 0 ? c->prev->ifs[i].mtu : want->mtu);
	TRY(check_addresses(tx, c, ret));
	return check_routes(tx, c, ret);
}
