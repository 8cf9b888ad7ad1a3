// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * force.c - whose addresses forceAddress replaces
 *
 * The address that is in the way may be the gateway of other containers, or the host's own on its
 * uplink.  The author of a configuration must not take those away.
 */
#include "cni/gateway.h"
#include "netlink/route.h"
#include "plugins/bridge/bridge.h"
#include "sys/hostconf.h"

static const char *network_of(struct mem *mem, const char *alias)
{
	struct mark_owner o;

	if (mark_parse(mem, alias, &o))
		return mem_printf(mem, "network %s", o.network);
	return "another network";
}

/* A port of the bridge that belongs to an attachment of another network. */
struct foreign_port {
	struct mem *mem;
	const char *own; /* the beginning of this network's marks */
	int bridge;
	const char *found; /* whose; NULL = there is none */
};

static int match_foreign(const struct link *l, void *arg)
{
	struct foreign_port *p = arg;

	if (!l)
		p->found = NULL;
	if (!l || l->master != p->bridge || !mark_is_any(l->alias) || mark_is_network(l->alias) ||
	    str_starts(l->alias, p->own))
		return 0;
	p->found = network_of(p->mem, l->alias);
	return 1;
}

/* Whose is the bridge?  *ret is NULL if nothing speaks against this network. */
static int find_owner(struct tx *tx, struct call *c, const struct bridge *b,
		      const struct link *link, const char **ret)
{
	struct mark own = mark_of_network(c->network);
	struct foreign_port p = {
		.mem = &tx->mem,
		.own = mem_printf(&tx->mem, "%s/", own.s),
		.bridge = b->br.index,
	};
	int up;

	*ret = NULL;
	if (mark_is_any(b->br.alias)) {
		if (!bridge_link_is_own(c, b))
			*ret = network_of(&tx->mem, b->br.alias);
		return 0;
	}
	TRY(up = route_is_uplink(tx, &c->host, link->index));
	if (up) {
		*ret = "the host, whose default route it has";
		return 0;
	}
	TRY(link_each_port(tx, &c->host, b->br.index, match_foreign, &p));
	*ret = p.found;
	return 0;
}

int bridge_force_check(struct tx *tx, struct call *c, const struct bridge *b,
		       const struct link *link, struct cidr address)
{
	const char *owner;
	struct cidr old;
	int there;

	if (!(b->cf.gateway_flags & GATEWAY_FORCE))
		return 0;
	TRY(there = gateway_in_way(tx, &c->host, link, address, b->cf.gateway_flags, &old));
	if (!there)
		return 0;
	TRY(find_owner(tx, c, b, link, &owner));
	if (!owner || hostconf_replaces_across_networks(tx))
		return 0;
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
			  "host: forceAddress: %s of %s is not replaced by %s, because the bridge "
			  "belongs to %s (use another bridge, ip address del that address, or set "
			  "replaceAcrossNetworks in /etc/cplug/cplug.conf)",
			  CIDR_S(old), link->name, CIDR_S(address), owner);
}
