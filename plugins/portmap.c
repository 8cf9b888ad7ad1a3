// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * portmap.c - publishes a container's ports on the host, behind any main plugin
 *
 * The ports come in runtimeConfig.portMappings, the container's addresses from
 * prevResult.  (bridge can do the same by itself, in one transaction with the rest.)
 */
#include "base/differ.h"
#include "cni/iface.h"
#include "firewall/nat.h"
#include "plugins/list.h"
#include "netlink/bridge_port.h"

/* First address of each family that is the container's: of CNI_IFNAME, in a sandbox. */
static void find_addresses(const struct call *c, struct nat *n)
{
	const struct result *r = c->prev;

	for (unsigned i = 0; i < r->n_ips; i++) {
		const struct result_ip *ip = &r->ips[i];
		bool listed = ip->iface >= 0 && (unsigned)ip->iface < r->n_ifs;
		struct cidr *to = ip->addr.ip.family == AF_INET6 ? &n->to6 : &n->to4;

		if (listed && (!str_eq(r->ifs[ip->iface].name, c->ifname) ||
			       str_empty(r->ifs[ip->iface].sandbox)))
			continue;
		if (!ip_set(to->ip))
			*to = ip->addr;
	}
}

/*
 * The host end of the attachment, which lives as long as it: a bridge port, or else the
 * last link on the host.  (The gateway of a VLAN is listed as well, and is neither.)
 */
static int find_link(struct tx *tx, struct call *c, struct link *ret)
{
	for (unsigned i = c->prev->n_ifs; i-- && !ret->master;) {
		const struct result_if *f = &c->prev->ifs[i];
		struct link l;
		int there;

		if (!str_empty(f->sandbox) || str_empty(f->name))
			continue;
		TRY(there = link_find(tx, &c->host, f->name, &l));
		if (there && str_eq(l.kind, "veth") && (l.master || !ret->index))
			*ret = l;
	}
	return 0;
}

/*
 * Where bridged packets pass the firewall, a container's packet to its own published port
 * leaves by the port it came in by; the bridge could not know that there are any.
 */
static int turn_back(struct tx *tx, struct call *c, const struct hostports *p, const struct link *l)
{
	struct bridge_port port = { .hairpin = true, .isolated = l->isolated };

	return p->n && p->snat && l->master ? bridge_port_ensure(tx, &c->host, l, &port) : 0;
}

static int read_nat(struct tx *tx, struct call *c, struct owner *o, struct hostports *p,
		    struct nat *n, struct link *l)
{
	*p = hostports_read(tx, &c->conf);
	TRY(cj_ok(tx, &c->conf));
	*o = owner_of(tx, c->network, c->id, c->ifname);
	*n = (struct nat){ .owner = o, .kind = NAT_OF_PORTMAP, .ports = p };
	find_addresses(c, n);
	*l = (struct link){ .index = 0 };
	TRY(find_link(tx, c, l));
	n->link = l->index;
	return 0;
}

static int add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	struct owner *o = mem_alloc(&tx->mem, sizeof(*o));
	struct hostports p;
	struct nfnl *nl;
	struct link l;
	struct nat n;

	TRY(read_nat(tx, c, o, &p, &n, &l));
	if (!p.n)
		return 0;
	TRY(turn_back(tx, c, &p, &l));
	TRY(call_nf(tx, c, &nl));
	return nat_add(tx, nl, &c->host, &n);
}

static int check(struct tx *tx, struct call *c)
{
	struct owner o;
	struct hostports p;
	struct nfnl *nl;
	struct link l;
	struct nat n;

	TRY(read_nat(tx, c, &o, &p, &n, &l));
	if (!p.n)
		return 0;
	if (p.snat && l.master && !l.hairpin)
		differ(tx, mem_printf(&tx->mem, "hairpin mode of bridge port %s", l.name), "on",
		       "off");
	TRY(call_nf(tx, c, &nl));
	return nat_check(tx, nl, &c->host, &n);
}

static int repair(struct tx *tx, struct call *c)
{
	struct owner *o = mem_alloc(&tx->mem, sizeof(*o));
	struct hostports p;
	struct nfnl *nl;
	struct link l;
	struct nat n;

	TRY(read_nat(tx, c, o, &p, &n, &l));
	n.repair = true;
	TRY(turn_back(tx, c, &p, &l));
	TRY(call_nf(tx, c, &nl));
	return nat_add(tx, nl, &c->host, &n);
}

/* Is the main plugin our bridge, whose DEL takes away what ours could not? */
static int has_main_plugin(struct tx *tx, struct call *c, const struct owner *o)
{
	const char *mark = mem_printf(&tx->mem, "cplug %s/%s/%s", o->network, o->id, o->ifname);
	struct link l;
	int there;

	TRY(there = link_find(tx, &c->host, o->key.s, &l));
	return there && strncmp(l.alias, mark, sizeof(l.alias) - 1) == 0;
}

static int take_away(struct tx *tx, struct call *c, const struct owner *o)
{
	struct nfnl *nl;

	TRY(call_nf(tx, c, &nl));
	return nat_del(tx, nl, &c->host, o, NAT_OF_PORTMAP);
}

/*
 * Runtimes end a DEL at the first plugin that fails, and the main plugin, which has the
 * address freed, comes after us.
 */
static int del(struct tx *tx, struct call *c)
{
	struct owner o = owner_of(tx, c->network, c->id, c->ifname);
	int r = take_away(tx, c, &o);

	if (r < 0 && r != -EINTR && has_main_plugin(tx, c, &o) == 1)
		return tx_excuse(tx, r, "left to the bridge's DEL");
	return r;
}

static int gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct nfnl *nl;

	if (!c->valid_known)
		return 0;
	TRY(call_nf(tx, c, &nl));
	return nat_gc(tx, nl, &c->host, c->network, NAT_OF_PORTMAP, &valid);
}

static int status(struct tx *tx, struct call *c)
{
	struct nfnl *nl;

	TRY(call_nf(tx, c, &nl));
	return nat_status(tx, nl);
}

const struct plugin portmap_plugin = {
	.name = "portmap",
	.about = "publishes ports of a container on the host, behind another plugin",
	.flags = CNI_USES_HOST | CNI_NEEDS_PREV | CNI_PASSES_PREV,
	.add = add,
	.del = del,
	.check = check,
	.repair = repair,
	.gc = gc,
	.status = status,
};
