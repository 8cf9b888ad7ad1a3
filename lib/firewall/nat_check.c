// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_check.c - CHECK: elements, the rules of every chain they need, route_localnet
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "firewall/nat_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

typedef void differs_fn(struct tx *tx, const char *what, const char *want, const char *have);

/* IPv6: the second local route to ::1, instead of a sysctl. */
static int check_localnet6(struct tx *tx, struct rt *host, const char *dev, differs_fn *differs)
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
		differs(tx, mem_printf(&tx->mem, "local route ::1 on %s", dev), "present", NULL);
	return 0;
}

static int check_localnet(struct tx *tx, struct rt *host, const struct owned_change *change,
			  differs_fn *differs)
{
	for (unsigned i = 0; i < change->n; i++) {
		struct nat_localnet l;
		struct sysctl s;

		if (!nat_localnet_of(change->elems[i].e.chain, &l) || str_eq(l.dev, "none"))
			continue;
		s = sysctl_conf(AF_INET, l.dev, "route_localnet", "1");
		TRY(l.family == AF_INET6 ? check_localnet6(tx, host, l.dev, differs)
					 : sysctl_check(tx, NULL, &s, 1, differs));
	}
	return 0;
}

int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
	      void (*differs)(struct tx *tx, const char *what, const char *want, const char *have))
{
	struct nat_skeleton s = { .tx = tx, .n = n };
	struct owned_change c;

	TRY(nat_reach_dev(tx, host, n, &s.dev));
	c = nat_compose(tx, n, &s);
	s.change = &c;
	if (!c.n)
		return 0;
	TRY(owned_check_skeleton(tx, nl, &c, differs));
	TRY(owned_check(tx, nl, &c, differs));
	return check_localnet(tx, host, &c, differs);
}
