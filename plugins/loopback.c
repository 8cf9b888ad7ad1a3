// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * loopback.c - the container's own lo
 *
 * CNI_IFNAME does not matter: it is always lo.  DEL leaves lo up, for the namespace
 * may have other users; it goes with the namespace.
 */
#include "base/differ.h"
#include "netlink/addr.h"
#include "cni/iface.h"
#include "plugins/list.h"

/* The first address of each family; other than loopback addresses are misuse of lo. */
static int list_addresses(struct tx *tx, struct call *c, const struct link *lo, struct result *res)
{
	bool seen4 = false, seen6 = false;
	struct addr_list list;

	TRY(addr_list(tx, &c->cont, lo, AF_UNSPEC, &list));
	for (unsigned i = 0; i < list.n; i++) {
		bool *seen = list.a[i].ip.family == AF_INET6 ? &seen6 : &seen4;

		if (!ip_is_loopback(list.a[i].ip))
			return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
					  "container: loopback interface found with non-loopback "
					  "address \"%s\" (remove it from lo)",
					  CIDR_S(list.a[i]));
		if (!*seen)
			result_add_ip(res, (struct result_ip){ .addr = list.a[i], .iface = 0 });
		*seen = true;
	}
	return 0;
}

/* In a chain prevResult is the main plugin's, which does not list lo: -1. */
static int index_of_lo(const struct call *c)
{
	if (c->prev)
		return result_find_if(c->prev, "lo", true);
	return -1;
}

static int loopback_add(struct tx *tx, struct call *c, struct result *res)
{
	struct link_want want = { .up = true };
	struct link lo;

	TRY(link_need(tx, &c->cont, "lo", &lo));
	TRY(link_ensure(tx, &c->cont, &lo, &want));
	if (c->prev)
		return 0;
	result_add_if(res, (struct result_if){
				   .name = "lo",
				   .mac = "00:00:00:00:00:00",
				   .sandbox = c->netns_path,
			   });
	return list_addresses(tx, c, &lo, res);
}

static int loopback_check(struct tx *tx, struct call *c)
{
	struct addr_list have;
	struct link lo;
	int at;

	TRY(link_need(tx, &c->cont, "lo", &lo));
	if (!(lo.flags & IFF_UP))
		differ(tx, "interface lo", "up", "down");
	at = index_of_lo(c);
	if (at < 0)
		return 0;
	TRY(addr_list(tx, &c->cont, &lo, AF_UNSPEC, &have));
	for (unsigned i = 0; i < c->prev->n_ips; i++)
		if (c->prev->ips[i].iface == at && !addr_listed(&have, c->prev->ips[i].addr))
			differ(tx, "address of lo", CIDR_S(c->prev->ips[i].addr), NULL);
	return 0;
}

static int loopback_repair(struct tx *tx, struct call *c)
{
	struct link_want want = { .up = true };
	struct link lo;
	int at;

	TRY(link_need(tx, &c->cont, "lo", &lo));
	TRY(link_ensure(tx, &c->cont, &lo, &want));
	at = index_of_lo(c);
	for (unsigned i = 0; at >= 0 && i < c->prev->n_ips; i++)
		if (c->prev->ips[i].iface == at)
			TRY(addr_ensure(tx, &c->cont, &lo, c->prev->ips[i].addr, 0));
	return 0;
}

const struct plugin loopback_plugin = {
	.name = "loopback",
	.about = "sets the container's lo up",
	.flags = CNI_USES_CONT | CNI_PASSES_PREV,
	.add = loopback_add,
	.check = loopback_check,
	.repair = loopback_repair,
};
