// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * work.c - what the verbs of the bridge plugin share
 *
 * What ADD makes and CHECK compares comes from one description of it, so that the two
 * cannot drift apart.
 */
#include "base/differ.h"
#include "plugins/bridge/work.h"
#include "cni/iface.h"
#include "firewall/nat.h"
#include "cni/resolv.h"
#include "firewall/spoof.h"

/* ---- names -------------------------------------------------------------- */

/* "NETWORK/ID/IFNAME", as the files and links we make are marked. */
const char *bridge_owner_name(struct tx *tx, const struct call *c, const char *id,
			      const char *ifname)
{
	return mem_printf(&tx->mem, "%s/%s/%s", c->network, id, ifname);
}

/* The ifalias of an attachment's host link, and (without one) of the bridge. */
const char *bridge_alias(struct tx *tx, const struct call *c, const char *id, const char *ifname)
{
	return mem_printf(
		&tx->mem, "%.255s",
		id ? mem_printf(&tx->mem, "cplug %s", bridge_owner_name(tx, c, id, ifname))
		   : mem_printf(&tx->mem, "cplug %s", c->network));
}

const char *bridge_host_name(const struct bridge_work *w)
{
	return w->cf.host_ifname ? w->cf.host_ifname : w->owner.key.s;
}

void bridge_own(struct tx *tx, const struct call *c, struct bridge_work *w)
{
	w->owner = owner_of(tx, c->network, c->id, c->ifname);
}

int bridge_excuse_options(struct tx *tx, const struct call *c)
{
	return tx_excuse(tx, cj_ok(tx, &c->conf), "the default is taken");
}

/* ---- descriptions -------------------------------------------------------- */

struct bridge_port_vlans bridge_vlans(const struct bridge_work *w)
{
	return (struct bridge_port_vlans){
		.pvid = w->cf.vlan,
		.trunk = w->cf.trunk,
		.n_trunk = w->cf.n_trunk,
		.keep_default = w->cf.keep_default_vlan,
		.default_pvid = (unsigned)w->br.default_pvid,
	};
}

void bridge_note_addresses(struct tx *tx, struct bridge_work *w, const struct result *res)
{
	w->addrs = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*w->addrs));
	for (unsigned i = 0; i < res->n_ips; i++)
		w->addrs[w->n_addrs++] = res->ips[i].addr;
}

/* ADD does it anyway, a repair where the check just made found a difference. */
static bool is_to_add(struct tx *tx, const struct call *c)
{
	bool repair = c->command == CNI_REPAIR && tx->n_differences;

	if (c->command == CNI_REPAIR)
		differ_forget(tx);
	return c->command == CNI_ADD || repair;
}

int bridge_spoof_step(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct spoof s = {
		.owner = &w->owner,
		.port = &w->host,
		.mac = w->eth.mac,
		.strict = w->cf.spoof == SPOOF_STRICT,
		.ips = w->addrs,
		.n_ips = w->n_addrs,
		.repair = c->command == CNI_REPAIR,
	};
	struct nfnl *nl;

	if (w->cf.spoof == SPOOF_OFF)
		return 0;
	TRY(call_nf(tx, c, &nl));
	if (c->command != CNI_ADD)
		TRY(spoof_check(tx, nl, &s));
	return is_to_add(tx, c) ? spoof_add(tx, nl, &c->host, &s) : 0;
}

/* What the attachment has in table inet cplug. */
static struct nat nat_of(struct tx *tx, struct bridge_work *w, const struct result *res)
{
	struct cidr *masq = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*masq));
	struct nat n = {
		.owner = &w->owner,
		.kind = NAT_OF_BRIDGE,
		.link = w->host.index,
		.masq = masq,
		.except = w->cf.masq_except,
		.n_except = w->cf.n_masq_except,
		.pass_invalid = w->cf.masq_pass_invalid,
		.ports = w->cf.ports.n ? &w->cf.ports : NULL,
		.dev = w->vlan_gw.index ? w->vlan_gw.name : w->br.name,
	};

	for (unsigned i = 0; i < res->n_ips; i++) {
		struct cidr a = res->ips[i].addr;
		bool six = a.ip.family == AF_INET6;
		struct cidr *to = six ? &n.to6 : &n.to4;

		if (six ? w->cf.masq6 : w->cf.masq4)
			masq[n.n_masq++] = a;
		if (!ip_set(to->ip))
			*to = a;
	}
	return n;
}

int bridge_nat_step(struct tx *tx, struct call *c, struct bridge_work *w, const struct result *res)
{
	struct nat *n = mem_alloc(&tx->mem, sizeof(*n));
	struct nfnl *nl;

	*n = nat_of(tx, w, res);
	if (!n->n_masq && !n->ports)
		return 0;
	n->repair = c->command == CNI_REPAIR;
	TRY(call_nf(tx, c, &nl));
	if (c->command != CNI_ADD)
		TRY(nat_check(tx, nl, &c->host, n));
	return is_to_add(tx, c) ? nat_add(tx, nl, &c->host, n) : 0;
}

int bridge_resolv_step(struct tx *tx, struct call *c, const struct bridge_work *w,
		       const struct result *res)
{
	const char *path = resolv_target(tx, w->cf.resolv_conf, c->netns_path);
	const char *owner = bridge_owner_name(tx, c, c->id, c->ifname);

	if (!path || result_dns_empty(&res->dns))
		return 0;
	if (c->command != CNI_ADD && !resolv_matches(tx, path, owner, &res->dns))
		differ(tx, path, "the DNS of the result", "another content");
	return is_to_add(tx, c)
		       ? resolv_write(tx, path, owner, &res->dns, *w->cf.resolv_conf == '/')
		       : 0;
}
