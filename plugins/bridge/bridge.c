// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge.c - a bridge on the host, and a veth pair from it into the container
 *
 * The bridge, its address and forwarding are shared and only ensured; the veth pair,
 * its nftables elements, the lease and resolv.conf are the attachment's own.  All names
 * derive from (network, container id, interface name), so DEL and GC work with or
 * without the namespace, prevResult and runtimeConfig.
 */
#include "netlink/addr.h"
#include "plugins/bridge/work.h"
#include "cni/gateway.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "firewall/nat.h"
#include "plugins/list.h"
#include "cni/resolv.h"
#include "netlink/route.h"
#include "firewall/spoof.h"
#include "sys/sysctl.h"

enum { FORWARDING_TIMEOUT_MS = 5000 };

/* ---- links -------------------------------------------------------------- */

int bridge_link_ensure(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct link_bridge b = {
		.name = w->cf.bridge,
		.alias = bridge_alias(tx, c, NULL, NULL),
		.mac = w->br_mac,
		.vlan_filtering = w->cf.vlan_filtering,
		.promisc = w->cf.promisc,
	};
	struct sysctl deaf = sysctl_conf(AF_INET6, w->cf.bridge, "accept_ra", "0");

	if (w->cf.mtu == MTU_AUTO)
		TRY(route_default_mtu(tx, &c->host, &w->cf.mtu));
	b.mtu = w->cf.mtu;
	TRY(link_bridge_ensure(tx, &c->host, &b, &w->br));
	/* By a bridge of the administrator's the host may learn its own routes. */
	return str_starts(w->br.alias, "cplug ") ? sysctl_ensure(tx, NULL, &deaf, 1, NULL) : 0;
}

int bridge_veth_add(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct link_veth v = {
		.host_name = bridge_host_name(w),
		.cont_name = c->ifname,
		.peer_ns = &c->cont_ns,
		.mtu = w->cf.mtu,
		.host_mac = w->host_mac.len ? w->host_mac : link_random_mac(),
		.cont_mac = w->cf.mac.len ? w->cf.mac : link_random_mac(),
		.master = w->br.index,
	};
	int there;

	TRY(link_veth_add(tx, &c->host, &c->cont, &v));
	TRY(there = link_find(tx, &c->host, v.host_name, &w->host));
	if (there && !link_veth_peer(&v, &w->host, &w->eth))
		TRY(there = link_find(tx, &c->cont, c->ifname, &w->eth));
	return there ? 0
		     : tx_fail(tx, -ENODEV, "host: interface %s vanished while it was set up",
			       v.host_name);
}

/* Everything the bridge end needs before it comes up, and up. */
int bridge_port_attach(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct bridge_port p = {
		.alias = bridge_alias(tx, c, c->id, c->ifname),
		.hairpin = w->cf.hairpin,
		.isolated = w->cf.isolated,
		.up = true,
	};
	struct sysctl quiet[] = {
		sysctl_conf(AF_INET6, w->host.name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, w->host.name, "autoconf", "0"),
	};
	struct bridge_port_vlans vlans = bridge_vlans(w);

	TRY(sysctl_ensure_new(tx, NULL, quiet, ARRAY_LEN(quiet)));
	TRY(bridge_port_set_vlans(tx, &c->host, &w->host, &vlans));
	return bridge_port_configure(tx, &c->host, &w->host, &p);
}

/* The bridge's own leg in a VLAN, BRIDGE.VLAN, shared by the VLAN's containers. */
int bridge_vlan_gateway_ensure(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const char *name = mem_printf(&tx->mem, "%s.%u", w->cf.bridge, w->cf.vlan);
	struct name_owner port = name_owner("", "vlan-gateway", name);
	struct bridge_port_vlans vlans = { .pvid = w->cf.vlan,
					   .default_pvid = (unsigned)w->br.default_pvid,
					   .keep_default = w->cf.keep_default_vlan };
	struct link_veth v = { .host_name = port.s,
			       .cont_name = name,
			       .peer_ns = &c->host_ns,
			       .mtu = w->br.mtu,
			       .host_mac = link_random_mac(),
			       .cont_mac = link_random_mac(),
			       .master = w->br.index,
			       .shared = true };
	struct bridge_port p = { .alias = mem_printf(&tx->mem, "cplug %s", name), .up = true };
	struct link l;
	int there;

	TRY(there = link_find(tx, &c->host, name, &w->vlan_gw));
	if (there)
		return 0;
	TRY(link_veth_add(tx, &c->host, &c->host, &v));
	TRY(there = link_find(tx, &c->host, port.s, &l));
	TRY(there = there ? link_find(tx, &c->host, name, &w->vlan_gw) : 0);
	if (!there)
		return tx_fail(tx, -ENODEV, "host: VLAN gateway %s vanished while it was set up",
			       name);
	TRY(bridge_port_set_vlans(tx, &c->host, &l, &vlans));
	TRY(bridge_port_configure(tx, &c->host, &l, &p));
	TRY(link_set_no_dad(tx, &w->vlan_gw));
	return link_set_up(tx, &c->host, &w->vlan_gw);
}

/* ---- layer 3 ------------------------------------------------------------ */

/* Result order: bridge, host end, container end [, VLAN gateway] (reference.md 2.1). */
static void list_interfaces(struct tx *tx, const struct call *c, const struct bridge_work *w,
			    struct result *res)
{
	const struct link *links[] = { &w->br, &w->host, &w->eth, &w->vlan_gw };
	bool mtu = result_version_number(c->version) >= result_version_number("1.1.0");

	for (unsigned i = 0; i < ARRAY_LEN(links) && links[i]->index; i++)
		result_add_if(res, (struct result_if){
					   .name = mem_str(&tx->mem, links[i]->name),
					   .mac = mem_str(&tx->mem, MAC_S(links[i]->mac)),
					   .sandbox = i == 2 ? c->netns_path : NULL,
					   .mtu = mtu ? links[i]->mtu : 0,
				   });
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 2;
}

/* The host's side of the subnet: gateway addresses, and forwarding where they route. */
int bridge_gateways_ensure(struct tx *tx, struct call *c, struct bridge_work *w,
			   const struct result *res)
{
	const struct link *to = w->cf.vlan ? &w->vlan_gw : &w->br;
	struct cidr *list;
	unsigned n;

	if (!w->cf.is_gateway)
		return 0;
	n = gateway_list(tx, res, &list);
	for (unsigned i = 0; i < n; i++)
		TRY(gateway_ensure(tx, &c->host, to, list[i], w->cf.force_address));
	for (unsigned i = 0; i < res->n_ips; i++)
		TRY(gateway_forward(tx, &c->host, res->ips[i].addr.ip.family));
	return 0;
}

/* Nobody's route hides the container.  A bridge in a VRF is reached from there only. */
int bridge_check_route(struct tx *tx, struct call *c, const struct bridge_work *w,
		       const struct result *res)
{
	const struct link *to = w->cf.vlan ? &w->vlan_gw : &w->br;

	for (unsigned i = 0; w->cf.is_gateway && i < res->n_ips && !w->br.master; i++)
		if (ip_set(res->ips[i].gateway))
			TRY(gateway_check_route(tx, &c->host, to, res->ips[i].addr.ip));
	return 0;
}

/*
 * Below 1280 bytes the kernel takes IPv6 from a link, and the bridge follows its smallest
 * port.
 */
static int check_mtu(struct tx *tx, struct call *c, const struct bridge_work *w,
		     const struct result *res)
{
	struct addr_list have;

	if (w->cf.mtu <= 0 || w->cf.mtu >= 1280)
		return 0;
	for (unsigned i = 0; res && i < res->n_ips; i++)
		if (res->ips[i].addr.ip.family == AF_INET6)
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "mtu: %d is too small for %s: IPv6 needs at least 1280",
					  w->cf.mtu, CIDR_S(res->ips[i].addr));
	if (res)
		return 0;
	TRY(addr_list(tx, &c->host, &w->br, AF_INET6, &have));
	for (unsigned i = 0; i < have.n; i++)
		if (!ip_is_linklocal(have.a[i].ip))
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "mtu: %d would take %s from bridge %s, and with it the "
					  "other containers' gateway: IPv6 needs at least 1280 "
					  "(choose another bridge)",
					  w->cf.mtu, CIDR_S(have.a[i]), w->br.name);
	return 0;
}

static int layer3(struct tx *tx, struct call *c, struct bridge_work *w, struct result *res)
{
	struct iface_options o = { .dad = w->cf.dad };

	TRY(ipam_add(tx, c, res));
	TRY(check_mtu(tx, c, w, res));
	if (w->cf.is_gateway)
		gateway_complete(res, w->cf.default_gateway);
	if (!result_dns_empty(&w->cf.dns))
		res->dns = w->cf.dns;
	if (w->cf.is_gateway && w->cf.vlan)
		TRY(bridge_vlan_gateway_ensure(tx, c, w));
	list_interfaces(tx, c, w, res);
	bridge_note_addresses(tx, w, res);
	TRY(bridge_gateways_ensure(tx, c, w, res));
	TRY(bridge_check_route(tx, c, w, res));
	TRY(bridge_spoof_step(tx, c, w));
	TRY(iface_configure(tx, c, &w->eth, res, &o));
	TRY(bridge_nat_step(tx, c, w, res));
	return bridge_resolv_step(tx, c, w, res);
}

static int layer2(struct tx *tx, struct call *c, struct bridge_work *w, struct result *res)
{
	list_interfaces(tx, c, w, res);
	res->dns = w->cf.dns;
	TRY(bridge_spoof_step(tx, c, w));
	return w->cf.no_interface ? 0 : iface_up(tx, c, &w->eth);
}

static int add(struct tx *tx, struct call *c, struct result *res)
{
	struct bridge_work *w = mem_alloc(&tx->mem, sizeof(*w));

	TRY(bridge_read_conf(tx, c, &w->cf));
	TRY(ipam_validate(tx, c));
	bridge_own(tx, c, w);
	TRY(bridge_link_ensure(tx, c, w));
	TRY(check_mtu(tx, c, w, NULL));
	TRY(bridge_veth_add(tx, c, w));
	TRY(bridge_port_attach(tx, c, w));
	TRY(w->cf.l3 ? layer3(tx, c, w, res) : layer2(tx, c, w, res));
	if (w->cf.no_interface)
		return 0;
	TRY(bridge_port_wait_forwarding(tx, &c->host, &w->host, FORWARDING_TIMEOUT_MS));
	return link_announce(tx, &c->cont, &w->eth);
}

/* ---- DEL ---------------------------------------------------------------- */

/*
 * Ours by its alias; or, of an ADD that was killed before it set one, by the derived name:
 * then its peer, if it can be seen, has the container's interface name.  A chosen name
 * (hostIfName) may be anybody's.
 */
static int host_end_is_ours(struct tx *tx, struct call *c, const struct bridge_work *w,
			    const struct link *l, const char *mark)
{
	struct link peer;
	int there;

	if (*l->alias || w->cf.host_ifname || !str_eq(l->kind, "veth"))
		return str_eq(l->alias, mark);
	if (!rt_is_open(&c->cont))
		return 1;
	TRY(there = link_find(tx, &c->cont, c->ifname, &peer));
	return there && peer.index == l->peer && peer.peer == l->index;
}

/* Another network's attachment may have the interface's name: our ADD failed for it. */
static int cont_end_is_foreign(struct tx *tx, struct call *c, const struct link *eth,
			       const char *mark)
{
	struct link l;
	int there;

	TRY(there = link_find_index(tx, &c->host, eth->peer, &l));
	return there && l.peer == eth->index && str_starts(l.alias, "cplug ") &&
	       !str_eq(l.alias, mark);
}

/*
 * From the host side by the derived name; an attachment that the reference made has a
 * random one, so its end in the container is looked for as well.
 */
static int link_remove(struct tx *tx, struct call *c, struct bridge_work *w)
{
	const char *mark = bridge_alias(tx, c, c->id, c->ifname);
	struct link l;
	int r;

	TRY(r = link_find(tx, &c->host, bridge_host_name(w), &l));
	if (r)
		TRY(r = host_end_is_ours(tx, c, w, &l, mark));
	if (r)
		return link_del(tx, &c->host, l.name);
	if (!rt_is_open(&c->cont))
		return 0;
	TRY(r = link_find(tx, &c->cont, c->ifname, &l));
	if (!r || !str_eq(l.kind, "veth"))
		return 0;
	TRY(r = cont_end_is_foreign(tx, c, &l, mark));
	return r ? 0 : link_del(tx, &c->cont, c->ifname);
}

/* The namespace's path: as given, or as it was at ADD. */
static const char *sandbox(const struct call *c)
{
	int i = c->prev ? result_find_if(c->prev, c->ifname, true) : -1;

	return *c->netns_path || i < 0 ? c->netns_path : c->prev->ifs[i].sandbox;
}

static int resolv_conf_remove(struct tx *tx, struct call *c, const char *mode)
{
	const char *owner = bridge_owner_name(tx, c, c->id, c->ifname), *netns = sandbox(c);
	const char *path = resolv_target(tx, *mode ? mode : "auto", netns);

	if (path)
		return resolv_remove(tx, path, owner);
	return str_empty(netns) && !str_eq(mode, "off") ? resolv_forget(tx, c->network, owner) : 0;
}

static int nft_remove(struct tx *tx, struct call *c, struct bridge_work *w)
{
	struct nfnl *nl;
	int r;

	TRY(call_nf(tx, c, &nl));
	r = nat_del_all(tx, nl, &c->host, &w->owner);
	return also(r, spoof_del(tx, nl, &w->owner));
}

static int del(struct tx *tx, struct call *c)
{
	struct bridge_work w = { .cf.host_ifname = cj_str(&c->conf, "hostIfName", NULL) };
	const char *mode = cj_str(&c->conf, "resolvConf", "auto");
	int r;

	TRY(bridge_excuse_options(tx, c));
	if (w.cf.host_ifname && name_invalid_ifname(w.cf.host_ifname))
		w.cf.host_ifname = NULL;
	bridge_own(tx, c, &w);
	r = nft_remove(tx, c, &w);
	r = also(r, link_remove(tx, c, &w));
	r = also(r, resolv_conf_remove(tx, c, mode));
	return also(r, ipam_del(tx, c));
}

const struct plugin bridge_plugin = {
	.name = "bridge",
	.about = "a bridge on the host, and a veth pair from it into the container",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.add = add,
	.del = del,
	.check = bridge_check,
	.repair = bridge_repair,
	.gc = bridge_gc,
	.status = bridge_status,
};
