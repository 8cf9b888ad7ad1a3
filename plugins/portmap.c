// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portmap.c - publishes a container's ports on the host, behind any main plugin
 *
 * The ports come in runtimeConfig.portMappings, the container's addresses from
 * prevResult.  (bridge can do the same by itself, in one transaction with the rest.)
 */
#include "base/differ.h"
#include "base/log.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "netlink/bridge_port.h"
#include "plugins/list.h"

/* One attachment: what is published, and the link on the host that lives as long as it. */
struct portmap {
	struct hostports ports;
	struct nat nat;
	struct link link;
};

static int portmap_read(struct tx *tx, struct call *c, struct portmap **ret)
{
	struct portmap *p = mem_alloc(&tx->mem, sizeof(*p));

	p->ports = hostports_read(&tx->mem, &c->conf);
	TRY(cj_ok(tx, &c->conf));
	TRY(prev_host_link(tx, c, &p->link));
	p->nat = (struct nat){
		.kind = OWNED_PORTMAP_NAT,
		.link = p->link.index,
		.ports = p->ports.n ? &p->ports : NULL,
	};
	prev_addresses(c, &p->nat.to4, &p->nat.to6);
	if (p->ports.n && !ip_set(p->nat.to4.ip) && !ip_set(p->nat.to6.ip))
		log_warn("prevResult has no address of %s, so no port is published", c->ifname);
	*ret = p;
	return 0;
}

/*
 * Where bridged packets pass the firewall, a container's packet to its own published port
 * leaves by the port it came in by; the bridge plugin could not know that there are any.
 */
static bool needs_hairpin(const struct portmap *p)
{
	return p->ports.n && p->ports.snat && p->link.master;
}

static int ensure_hairpin(struct tx *tx, struct call *c, const struct portmap *p)
{
	struct bridge_port port = { .hairpin = true, .isolated = p->link.port.isolated };

	if (!needs_hairpin(p))
		return 0;
	return bridge_port_ensure(tx, &c->host, &p->link, &port);
}

static int portmap_validate(struct tx *tx, struct call *c)
{
	hostports_read(&tx->mem, &c->conf);
	if (!conf_declares(&c->conf, "portMappings"))
		cj_wrong(&c->conf, "capabilities.portMappings",
			 "missing: without it the runtime passes no ports (set it to true)");
	return cj_ok(tx, &c->conf);
}

static int portmap_add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	struct portmap *p;

	TRY(portmap_read(tx, c, &p));
	TRY(ensure_hairpin(tx, c, p));
	return step_nat(tx, c, &p->nat);
}

static int portmap_check(struct tx *tx, struct call *c)
{
	struct portmap *p;

	TRY(portmap_read(tx, c, &p));
	if (needs_hairpin(p) && !p->link.port.hairpin)
		differ(tx, mem_printf(&tx->mem, "hairpin mode of bridge port %s", p->link.name),
		       "on", "off");
	return step_nat(tx, c, &p->nat);
}

static int portmap_repair(struct tx *tx, struct call *c)
{
	struct portmap *p;

	TRY(portmap_read(tx, c, &p));
	TRY(ensure_hairpin(tx, c, p));
	return step_nat(tx, c, &p->nat);
}

/*
 * Is the main plugin our bridge?  Its DEL takes away what ours could not.  The link is gone if
 * bandwidth's DEL came first, but prevResult has its name.
 */
static int has_bridge(struct tx *tx, struct call *c)
{
	const char *name = call_owner(tx, c)->key.s;
	struct link l;
	int there;

	TRY(there = link_find(tx, &c->host, name, &l));
	if (!there)
		return c->prev && result_find_if(c->prev, name, false) >= 0;
	return link_is_marked(&l, call_mark(tx, c));
}

/*
 * The link of prevResult whose route_localnet cplug switched on.  After a flushed ruleset the table
 * does not name it, and another suite's bridge plugin does not switch it off.
 */
static const char *reach_dev(const struct call *c)
{
	for (unsigned i = 0; c->prev && i < c->prev->n_ifs; i++) {
		const struct result_if *f = &c->prev->ifs[i];

		if (str_empty(f->sandbox) && f->name && !name_invalid_ifname(f->name) &&
		    nat_is_open(f->name))
			return f->name;
	}
	return NULL;
}

static int delete_ports(struct tx *tx, struct call *c)
{
	struct nfnl *nl;
	int there;

	TRY(call_nf(tx, c, &nl));
	TRY(there = nat_del(tx, nl, &c->host, call_owner(tx, c), OWNED_PORTMAP_NAT, reach_dev(c)));
	if (there)
		return 0;
	return step_reference_remove(tx, c, REFERENCE_PORTS);
}

/*
 * Runtimes end a DEL at the first plugin that fails, and the main plugin, which has the
 * address released, comes after this one.
 */
static int portmap_del(struct tx *tx, struct call *c)
{
	int before = tx->err, r = delete_ports(tx, c);

	if (r < 0 && r != -EINTR && has_bridge(tx, c) == 1)
		return tx_excuse(tx, before, r, "left to the bridge's DEL");
	return r;
}

static int portmap_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct nfnl *nl;

	if (!c->valid_known)
		return 0;
	TRY(call_nf(tx, c, &nl));
	return nat_gc(tx, nl, &c->host, OWNED_PORTMAP_NAT, &valid);
}

static int portmap_status(struct tx *tx, struct call *c)
{
	struct nfnl *nl;

	hostports_read(&tx->mem, &c->conf);
	TRY(cj_ok(tx, &c->conf));
	TRY(call_nf(tx, c, &nl));
	return nat_status(tx, nl);
}

const struct plugin portmap_plugin = {
	.name = "portmap",
	.about = "publishes ports of a container on the host, behind another plugin",
	.flags = CNI_USES_HOST | CNI_NEEDS_PREV | CNI_PASSES_PREV,
	.validate = portmap_validate,
	.add = portmap_add,
	.del = portmap_del,
	.check = portmap_check,
	.repair = portmap_repair,
	.gc = portmap_gc,
	.status = portmap_status,
};
