// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge.c - a bridge on the host, and a veth pair from it into the container
 *
 * The bridge, its address and forwarding are shared and only ensured; the veth pair,
 * its nftables elements, the lease and resolv.conf are the attachment's own.  All names
 * derive from (network, container id, interface name), so DEL and GC work with or
 * without the namespace, prevResult and runtimeConfig.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bridge_conf.h"
#include "addr.h"
#include "gateway.h"
#include "iface.h"
#include "ipam.h"
#include "log.h"
#include "nat.h"
#include "plugins.h"
#include "resolv.h"
#include "route.h"
#include "spoof.h"
#include "sysctl.h"

enum { FORWARDING_TIMEOUT_MS = 5000 };

/* What the steps of one verb share. */
struct work {
	struct bridge_conf cf;
	struct owner owner;
	struct link br, host, eth, vlan_gw;
	struct cidr *addrs;
	unsigned n_addrs;
};

/* ---- names -------------------------------------------------------------- */

/* "NETWORK/ID/IFNAME", as the files and links we make are marked. */
static const char *owner_name(struct tx *tx, const struct call *c, const char *id,
			      const char *ifname)
{
	return mem_printf(&tx->mem, "%s/%s/%s", c->network, id, ifname);
}

/* The ifalias of an attachment's host link, and (without one) of the bridge. */
static const char *alias(struct tx *tx, const struct call *c, const char *id, const char *ifname)
{
	return mem_printf(&tx->mem, "%.255s",
			  id ? mem_printf(&tx->mem, "cplug %s", owner_name(tx, c, id, ifname))
			     : mem_printf(&tx->mem, "cplug %s", c->network));
}

static const char *host_name(const struct work *w)
{
	return w->cf.host_ifname ? w->cf.host_ifname : w->owner.key.s;
}

static struct owner *own(struct tx *tx, const struct call *c, struct work *w)
{
	w->owner = owner_of(tx, c->network, c->id, c->ifname);
	return &w->owner;
}

/* ---- links -------------------------------------------------------------- */

static int bridge_ensure(struct tx *tx, struct call *c, struct work *w)
{
	struct link_bridge b = {
		.name = w->cf.bridge,
		.alias = alias(tx, c, NULL, NULL),
		.vlan_filtering = w->cf.vlan_filtering,
		.promisc = w->cf.promisc,
	};
	struct sysctl quiet = sysctl_conf(AF_INET6, w->cf.bridge, "accept_ra", "0");

	if (w->cf.mtu == MTU_AUTO)
		TRY(route_default_mtu(tx, &c->host, &w->cf.mtu));
	b.mtu = w->cf.mtu;
	TRY(link_bridge_ensure(tx, &c->host, &b, &w->br));
	return sysctl_ensure(tx, NULL, &quiet, 1, NULL);
}

static int veth_add(struct tx *tx, struct call *c, struct work *w)
{
	struct link_veth v = {
		.host_name = host_name(w),
		.cont_name = c->ifname,
		.peer_ns = &c->cont_ns,
		.mtu = w->cf.mtu,
		.host_mac = link_random_mac(),
		.cont_mac = w->cf.mac.len ? w->cf.mac : link_random_mac(),
		.master = w->br.index,
	};
	int there;

	TRY(link_veth_add(tx, &c->host, &c->cont, &v));
	TRY(there = link_find(tx, &c->host, v.host_name, &w->host));
	TRY(there = also(there, there ? link_find(tx, &c->cont, c->ifname, &w->eth) : 0));
	return there ? 0
		     : tx_fail(tx, -ENODEV, "host: interface %s vanished while it was set up",
			       v.host_name);
}

static struct port_vlans vlans_of(const struct work *w)
{
	return (struct port_vlans){
		.pvid = w->cf.vlan,
		.trunk = w->cf.trunk,
		.n_trunk = w->cf.n_trunk,
		.keep_default = w->cf.keep_default_vlan,
		.default_pvid = (unsigned)w->br.default_pvid,
	};
}

/* Everything the bridge end needs before it comes up, and up. */
static int port_attach(struct tx *tx, struct call *c, struct work *w)
{
	struct port p = {
		.alias = alias(tx, c, c->id, c->ifname),
		.hairpin = w->cf.hairpin,
		.isolated = w->cf.isolated,
		.up = true,
	};
	struct sysctl quiet[] = {
		sysctl_conf(AF_INET6, w->host.name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, w->host.name, "autoconf", "0"),
	};
	struct port_vlans vlans = vlans_of(w);

	TRY(sysctl_ensure(tx, NULL, quiet, ARRAY_LEN(quiet), NULL));
	TRY(port_set_vlans(tx, &c->host, &w->host, &vlans));
	return port_configure(tx, &c->host, &w->host, &p);
}

/* The bridge's own leg in a VLAN, BRIDGE.VLAN, shared by the VLAN's containers. */
static int vlan_gateway_ensure(struct tx *tx, struct call *c, struct work *w)
{
	const char *name = mem_printf(&tx->mem, "%s.%u", w->cf.bridge, w->cf.vlan);
	struct name_owner port = name_owner("", "vlan-gateway", name);
	struct port_vlans vlans = { .pvid = w->cf.vlan,
				    .default_pvid = (unsigned)w->br.default_pvid,
				    .keep_default = w->cf.keep_default_vlan };
	struct link_veth v = { .host_name = port.s, .cont_name = name, .peer_ns = &c->host_ns,
			       .mtu = w->br.mtu, .host_mac = link_random_mac(),
			       .cont_mac = link_random_mac(), .master = w->br.index,
			       .shared = true };
	struct port p = { .alias = mem_printf(&tx->mem, "cplug %s", name), .up = true };
	struct link l;
	int there;

	if (strlen(name) >= IFNAMSIZ)
		return tx_fail_as(tx, CNI_E_CONFIG, -ENAMETOOLONG,
				  "bridge: the VLAN gateway's name %s is longer than 15 characters "
				  "(choose a shorter bridge name)",
				  name);
	TRY(there = link_find(tx, &c->host, name, &w->vlan_gw));
	if (there)
		return 0;
	TRY(link_veth_add(tx, &c->host, &c->host, &v));
	TRY(there = link_find(tx, &c->host, port.s, &l));
	TRY(there = there ? link_find(tx, &c->host, name, &w->vlan_gw) : 0);
	if (!there)
		return tx_fail(tx, -ENODEV, "host: VLAN gateway %s vanished while it was set up",
			       name);
	TRY(port_set_vlans(tx, &c->host, &l, &vlans));
	TRY(port_configure(tx, &c->host, &l, &p));
	return link_set_up(tx, &c->host, &w->vlan_gw);
}

/* ---- layer 3 ------------------------------------------------------------ */

/* Result order: bridge, host end, container end [, VLAN gateway] (reference.md 2.1). */
static void list_interfaces(struct tx *tx, const struct call *c, const struct work *w,
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

static void note_addresses(struct tx *tx, struct work *w, const struct result *res)
{
	w->addrs = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*w->addrs));
	for (unsigned i = 0; i < res->n_ips; i++)
		w->addrs[w->n_addrs++] = res->ips[i].addr;
}

static int spoof_guard(struct tx *tx, struct call *c, struct work *w)
{
	struct spoof s = {
		.owner = &w->owner,
		.port = &w->host,
		.mac = w->eth.mac,
		.strict = w->cf.spoof == SPOOF_STRICT,
		.ips = w->addrs,
		.n_ips = w->n_addrs,
	};
	struct nfnl *nl;

	if (w->cf.spoof == SPOOF_OFF)
		return 0;
	TRY(call_nf(tx, c, &nl));
	return c->command == CNI_CHECK ? spoof_check(tx, nl, &s, iface_differs)
				       : spoof_add(tx, nl, &c->host, &s);
}

/* The host's side of the subnet: gateway addresses, and forwarding where they route. */
static int gateways_ensure(struct tx *tx, struct call *c, struct work *w, const struct result *res)
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

/* What the attachment has in table inet cplug. */
static struct nat nat_of(struct tx *tx, struct work *w, const struct result *res)
{
	struct cidr *masq = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*masq));
	struct nat n = {
		.owner = &w->owner,
		.kind = NAT_OF_BRIDGE,
		.link = w->host.index,
		.masq = masq,
		.except = w->cf.masq_except,
		.n_except = w->cf.n_masq_except,
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

static int nat_step(struct tx *tx, struct call *c, struct work *w, const struct result *res)
{
	struct nat *n = mem_alloc(&tx->mem, sizeof(*n));
	struct nfnl *nl;

	*n = nat_of(tx, w, res);
	if (!n->n_masq && !n->ports)
		return 0;
	TRY(call_nf(tx, c, &nl));
	return c->command == CNI_CHECK ? nat_check(tx, nl, &c->host, n, iface_differs)
				       : nat_add(tx, nl, &c->host, n);
}

static int resolv_step(struct tx *tx, struct call *c, const struct work *w,
		       const struct result *res)
{
	const char *path = resolv_target(tx, w->cf.resolv_conf, c->netns_path);
	const char *owner = owner_name(tx, c, c->id, c->ifname);

	if (!path || result_dns_empty(&res->dns))
		return 0;
	if (c->command != CNI_CHECK)
		return resolv_write(tx, path, owner, &res->dns, *w->cf.resolv_conf == '/');
	if (!resolv_matches(tx, path, owner, &res->dns))
		iface_differs(tx, path, "the DNS of the result", "another content");
	return 0;
}

static int layer3(struct tx *tx, struct call *c, struct work *w, struct result *res)
{
	struct iface_options o = { .dad = w->cf.dad };

	TRY(ipam_add(tx, c, res));
	if (w->cf.is_gateway)
		gateway_complete(res, w->cf.default_gateway);
	if (!result_dns_empty(&w->cf.dns))
		res->dns = w->cf.dns;
	if (w->cf.is_gateway && w->cf.vlan)
		TRY(vlan_gateway_ensure(tx, c, w));
	list_interfaces(tx, c, w, res);
	note_addresses(tx, w, res);
	TRY(gateways_ensure(tx, c, w, res));
	TRY(spoof_guard(tx, c, w));
	TRY(iface_configure(tx, c, &w->eth, res, &o));
	TRY(nat_step(tx, c, w, res));
	return resolv_step(tx, c, w, res);
}

static int layer2(struct tx *tx, struct call *c, struct work *w, struct result *res)
{
	list_interfaces(tx, c, w, res);
	res->dns = w->cf.dns;
	TRY(spoof_guard(tx, c, w));
	return w->cf.no_interface ? 0 : iface_up(tx, c, &w->eth);
}

static int add(struct tx *tx, struct call *c, struct result *res)
{
	struct work *w = mem_alloc(&tx->mem, sizeof(*w));

	TRY(bridge_read_conf(tx, c, &w->cf));
	own(tx, c, w);
	TRY(bridge_ensure(tx, c, w));
	TRY(veth_add(tx, c, w));
	TRY(port_attach(tx, c, w));
	TRY(w->cf.l3 ? layer3(tx, c, w, res) : layer2(tx, c, w, res));
	if (w->cf.no_interface)
		return 0;
	TRY(port_wait_forwarding(tx, &c->host, &w->host, FORWARDING_TIMEOUT_MS));
	return link_announce(tx, &c->cont, &w->eth);
}

/* ---- DEL ---------------------------------------------------------------- */

/*
 * From the host side by the derived name; an attachment that the reference made has a
 * random one, so its end in the container is looked for as well.
 */
static int link_remove(struct tx *tx, struct call *c, struct work *w)
{
	const char *mark = alias(tx, c, c->id, c->ifname);
	struct link l;
	int there;

	TRY(there = link_find(tx, &c->host, host_name(w), &l));
	if (there && (!*l.alias || str_eq(l.alias, mark)))
		return link_del(tx, &c->host, l.name);
	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	return there && str_eq(l.kind, "veth") ? link_del(tx, &c->cont, c->ifname) : 0;
}

/* The namespace's path: as given, or as it was at ADD. */
static const char *sandbox(const struct call *c)
{
	int i = c->prev ? result_find_if(c->prev, c->ifname, true) : -1;

	return *c->netns_path || i < 0 ? c->netns_path : c->prev->ifs[i].sandbox;
}

static int nft_remove(struct tx *tx, struct call *c, struct work *w)
{
	struct nfnl *nl;
	int r;

	TRY(call_nf(tx, c, &nl));
	r = nat_del(tx, nl, &c->host, &w->owner, NAT_OF_BRIDGE);
	return also(r, spoof_del(tx, nl, &w->owner));
}

static int del(struct tx *tx, struct call *c)
{
	struct work w = { .cf.host_ifname = cj_str(&c->conf, "hostIfName", NULL) };
	const char *mode = cj_str(&c->conf, "resolvConf", "auto"), *path;
	int r;

	if (w.cf.host_ifname && name_invalid_ifname(w.cf.host_ifname))
		w.cf.host_ifname = NULL;
	own(tx, c, &w);
	path = resolv_target(tx, *mode ? mode : "auto", sandbox(c));
	r = nft_remove(tx, c, &w);
	r = also(r, link_remove(tx, c, &w));
	if (path)
		r = also(r, resolv_remove(tx, path, owner_name(tx, c, c->id, c->ifname)));
	return also(r, ipam_del(tx, c));
}

/* ---- CHECK -------------------------------------------------------------- */

static int check_bridge(struct tx *tx, struct call *c, struct work *w)
{
	const char *what = mem_printf(&tx->mem, "bridge %s", w->cf.bridge);
	int there, i = result_find_if(c->prev, w->cf.bridge, false);
	struct mac mac;

	TRY(there = link_find(tx, &c->host, w->cf.bridge, &w->br));
	if (!there) {
		iface_differs(tx, what, "present", NULL);
		return 0;
	}
	if (!str_eq(w->br.kind, "bridge"))
		iface_differs(tx, what, "a bridge", w->br.kind);
	if (!(w->br.flags & IFF_UP))
		iface_differs(tx, what, "up", "down");
	if (w->cf.promisc && !(w->br.flags & IFF_PROMISC))
		iface_differs(tx, what, "promiscuous", "not promiscuous");
	if (w->cf.vlan_filtering && w->br.vlan_filtering != 1)
		iface_differs(tx, what, "VLAN filtering on", "off");
	if (i >= 0 && c->prev->ifs[i].mac && mac_parse(c->prev->ifs[i].mac, &mac) &&
	    !mac_eq(mac, w->br.mac))
		iface_differs(tx, mem_printf(&tx->mem, "MAC of %s", w->cf.bridge), MAC_S(mac),
			      MAC_S(w->br.mac));
	return 0;
}

static void check_flag(struct tx *tx, const struct link *l, const char *what, bool want, bool have)
{
	if (want != have)
		iface_differs(tx, mem_printf(&tx->mem, "%s of bridge port %s", what, l->name),
			      want ? "on" : "off", have ? "on" : "off");
}

/* The host end, which is the container end's peer, whoever named it. */
static int check_port(struct tx *tx, struct call *c, struct work *w)
{
	struct port_vlans vlans = vlans_of(w);
	const char *what;
	char text[80];
	int there;

	if (!w->eth.index)
		return 0;
	TRY(there = link_find_index(tx, &c->host, w->eth.peer, &w->host));
	what = mem_printf(&tx->mem, "host end of %s", c->ifname);
	if (!there || !str_eq(w->host.kind, "veth") || w->host.peer != w->eth.index) {
		iface_differs(tx, what, "present", NULL);
		w->host.index = 0;
		return 0;
	}
	if (w->host.master != w->br.index)
		iface_differs(tx, what, w->cf.bridge, "not a port of it");
	if (!(w->host.flags & IFF_UP))
		iface_differs(tx, what, "up", "down");
	check_flag(tx, &w->host, "hairpin mode", w->cf.hairpin, w->host.hairpin);
	check_flag(tx, &w->host, "isolation", w->cf.isolated, w->host.isolated);
	TRY(there = port_check_vlans(tx, &c->host, &w->host, &vlans, text, sizeof(text)));
	if (!there)
		iface_differs(tx, mem_printf(&tx->mem, "VLANs of bridge port %s", w->host.name),
			      "as configured", text);
	return 0;
}

static int check_gateways(struct tx *tx, struct call *c, struct work *w)
{
	const char *name = w->cf.vlan ? mem_printf(&tx->mem, "%s.%u", w->cf.bridge, w->cf.vlan)
				      : w->cf.bridge;
	struct addr_list have;
	struct cidr *list;
	struct link l;
	unsigned n;
	int there;

	if (!w->cf.is_gateway)
		return 0;
	TRY(there = link_find(tx, &c->host, name, &l));
	if (!there)
		return 0;
	if (w->cf.vlan)
		w->vlan_gw = l;
	TRY(addr_list(tx, &c->host, &l, AF_UNSPEC, &have));
	n = gateway_list(tx, c->prev, &list);
	for (unsigned i = 0; i < n; i++)
		if (!addr_listed(&have, list[i]))
			iface_differs(tx, mem_printf(&tx->mem, "gateway address of %s", name),
				      CIDR_S(list[i]), NULL);
	return 0;
}

static int check(struct tx *tx, struct call *c)
{
	struct work *w = mem_alloc(&tx->mem, sizeof(*w));

	TRY(bridge_read_conf(tx, c, &w->cf));
	TRY(call_need_prev(tx, c));
	own(tx, c, w);
	TRY(ipam_check(tx, c));
	TRY(check_bridge(tx, c, w));
	TRY(iface_check(tx, c, "veth", !w->cf.no_interface, &w->eth));
	TRY(check_port(tx, c, w));
	TRY(check_gateways(tx, c, w));
	note_addresses(tx, w, c->prev);
	if (w->host.index)
		TRY(spoof_guard(tx, c, w));
	TRY(w->cf.l3 ? nat_step(tx, c, w, c->prev) : 0);
	TRY(resolv_step(tx, c, w, c->prev));
	return iface_check_done(tx);
}

/* ---- GC and STATUS ------------------------------------------------------ */

struct marks {
	struct mem *mem;
	const char **valid; /* sorted aliases */
	unsigned n;
	const char *prefix; /* "cplug NETWORK/" */
	const char **stale;
	unsigned n_stale;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int note_stale(const struct link *l, void *arg)
{
	struct marks *m = arg;
	const char *text = l->alias;

	if (!str_starts(text, m->prefix) ||
	    (m->n && bsearch(&text, m->valid, m->n, sizeof(*m->valid), by_text)))
		return 0;
	m->stale = mem_grow(m->mem, m->stale, m->n_stale, sizeof(*m->stale));
	m->stale[m->n_stale++] = mem_str(m->mem, l->name);
	return 0;
}

static int gc_links(struct tx *tx, struct call *c)
{
	struct marks m = { .mem = &tx->mem,
			   .valid = mem_alloc(&tx->mem, (c->n_valid + 1) * sizeof(*m.valid)),
			   .prefix = mem_printf(&tx->mem, "cplug %s/", c->network) };
	int r = 0;

	for (; m.n < c->n_valid; m.n++)
		m.valid[m.n] = alias(tx, c, c->valid[m.n].id, c->valid[m.n].ifname);
	qsort(m.valid, m.n, sizeof(*m.valid), by_text);
	TRY(link_each(tx, &c->host, "veth", note_stale, &m));
	for (unsigned i = 0; i < m.n_stale; i++)
		r = also(r, link_del(tx, &c->host, m.stale[i]));
	return r;
}

static bool resolv_valid(const char *owner, const void *arg)
{
	const struct call *c = arg;
	const char *rest = owner + strlen(c->network) + 1;

	for (unsigned i = 0; i < c->n_valid; i++) {
		size_t n = strlen(c->valid[i].id);

		if (strncmp(rest, c->valid[i].id, n) == 0 && rest[n] == '/' &&
		    str_eq(rest + n + 1, c->valid[i].ifname))
			return true;
	}
	return false;
}

/* A bridge of ours that nobody uses any more, and the table when it is empty. */
static int gc_shared(struct tx *tx, struct call *c, struct nfnl *nl)
{
	const char *name = cj_str(&c->conf, "bridge", "cni0");
	struct link br;
	int there, used;

	if (c->n_valid)
		return 0;
	TRY(there = link_find(tx, &c->host, *name ? name : "cni0", &br));
	if (there && str_eq(br.kind, "bridge") && str_eq(br.alias, alias(tx, c, NULL, NULL))) {
		TRY(used = port_any(tx, &c->host, br.index));
		if (!used)
			TRY(link_del(tx, &c->host, br.name));
	}
	return nat_prune(tx, nl);
}

static int gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct nfnl *nl;
	int r;

	if (!c->valid_known)
		return ipam_gc(tx, c);
	TRY(call_nf(tx, c, &nl));
	r = nat_gc(tx, nl, &c->host, c->network, NAT_OF_BRIDGE, &valid);
	r = also(r, spoof_gc(tx, nl, c->network, &valid));
	r = also(r, gc_links(tx, c));
	r = also(r, resolv_gc(tx, c->network, resolv_valid, c));
	r = also(r, gc_shared(tx, c, nl));
	return also(r, ipam_gc(tx, c));
}

static int status(struct tx *tx, struct call *c)
{
	struct bridge_conf cf;
	struct nfnl *nl;
	struct link br;
	int there;

	TRY(bridge_read_conf(tx, c, &cf));
	TRY(there = link_find(tx, &c->host, cf.bridge, &br));
	if (there && !str_eq(br.kind, "bridge"))
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, -EEXIST,
				  "host: bridge %s: the name belongs to an interface that is not a "
				  "bridge%s%s",
				  cf.bridge, *br.kind ? " but a " : "", br.kind);
	if (cf.masq4 || cf.masq6 || cf.spoof != SPOOF_OFF) {
		TRY(call_nf(tx, c, &nl));
		TRY(nat_status(tx, nl));
	}
	return ipam_status(tx, c);
}

const struct plugin bridge_plugin = {
	.name = "bridge",
	.about = "a bridge on the host, and a veth pair from it into the container",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.add = add,
	.del = del,
	.check = check,
	.gc = gc,
	.status = status,
};
