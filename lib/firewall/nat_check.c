// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_check.c - CHECK: elements, the rules of every chain they need, route_localnet
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "base/differ.h"
#include "firewall/nat_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

/* IPv6: the second local route to ::1, instead of a sysctl. */
static int check_localnet6(struct tx *tx, struct rt *host, const char *dev)
{
	struct ip loopback;
	struct link l;
	int there;

	ip_parse("::1", &loopback);
	TRY(there = link_find(tx, host, dev, &l));
	if (!there)
		return 0;
	TRY(there = route_local_find(tx, host, &l, loopback));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "local route ::1 on %s", dev), "present", NULL);
	return 0;
}

static int check_localnet(struct tx *tx, struct rt *host, const struct owned_change *change)
{
	for (unsigned i = 0; i < change->n; i++) {
		struct nat_localnet l;
		struct sysctl s;

		if (!nat_localnet_of(change->elems[i].e.chain, &l) || str_eq(l.dev, "none"))
			continue;
		s = sysctl_conf(AF_INET, l.dev, "route_localnet", "1");
		TRY(l.family == AF_INET6 ? check_localnet6(tx, host, l.dev)
					 : sysctl_check(tx, NULL, &s, 1));
	}
	return 0;
}

int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n)
{
	struct nat_skeleton s = { .tx = tx, .n = n };
	struct owned_change c;

	TRY(nat_reach_dev(tx, host, n, &s.dev));
	c = nat_compose(tx, n, &s);
	s.change = &c;
	if (!c.n)
		return 0;
	TRY(owned_check_skeleton(tx, nl, &c));
	TRY(owned_check(tx, nl, &c));
	return check_localnet(tx, host, &c);
}
