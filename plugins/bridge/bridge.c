// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge.c - a bridge on the host, and a veth pair from it into the container
 *
 * The bridge, its address and forwarding are shared and only ensured; the veth pair,
 * its nftables elements, the lease and resolv.conf are the attachment's own.  All names
 * derive from (network, container id, interface name), so DEL and GC work with or
 * without the namespace, prevResult and runtimeConfig.
 */
#include "plugins/bridge/bridge.h"

#include "cni/gateway.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/steps.h"
#include "netlink/addr.h"
#include "netlink/layer3.h"
#include "plugins/list.h"

/* ---- nftables ----------------------------------------------------------- */

static const struct cidr *addresses_of(struct tx *tx, const struct result *res)
{
	struct cidr *list = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*list));

	for (unsigned i = 0; i < res->n_ips; i++)
		list[i] = res->ips[i].addr;
	return list;
}

/* res NULL: a network without addresses. */
static int guard(struct tx *tx, struct call *c, struct bridge *b, const struct result *res)
{
	struct spoof s = {
		.port = &b->veth.host,
		.mac = b->veth.eth.mac,
		.strict = b->cf.spoof == SPOOF_STRICT,
	};

	if (b->cf.spoof == SPOOF_OFF || !b->veth.host.index)
		return 0;
	if (res) {
		s.ips = addresses_of(tx, res);
		s.n_ips = res->n_ips;
	}
	return step_spoof(tx, c, &s);
}

/* Masquerade and published ports. */
static int translate(struct tx *tx, struct call *c, struct bridge *b, const struct result *res)
{
	const struct translation t = {
		.masq = &b->cf.masq,
		.ports = &b->cf.ports,
		.link = b->veth.host.index,
		.dev = b->vlan_gw.index ? b->vlan_gw.name : b->br.name,
		.routed = bridge_gateway_is_routed(b),
	};

	return step_translate(tx, c, &t, res);
}

/* ---- ADD ---------------------------------------------------------------- */

/* The order of the reference: bridge, host end, container end [, VLAN gateway]. */
static void list_interfaces(struct tx *tx, const struct call *c, const struct bridge *b,
			    struct result *res)
{
	const struct link *links[] = { &b->br, &b->veth.host, &b->veth.eth, &b->vlan_gw };

	for (unsigned i = 0; i < ARRAY_LEN(links) && links[i]->index; i++)
		iface_list(tx, c, links[i], i == 2 ? c->netns_path : NULL, res);
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 2;
}

/* iface_need_mtu() for the bridge's own addresses: a bridge follows its smallest port. */
static int need_bridge_mtu(struct tx *tx, struct call *c, const struct bridge *b)
{
	struct addr_list have;

	if (b->cf.mtu <= 0 || b->cf.mtu >= LAYER3_MTU6)
		return 0;
	TRY(addr_list(tx, &c->host, &b->br, AF_INET6, &have));
	for (unsigned i = 0; i < have.n; i++)
		if (!ip_is_linklocal(have.a[i].ip))
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "mtu: %d would take %s from bridge %s, and with it the "
					  "other containers' gateway: IPv6 needs at least 1280 "
					  "(choose another bridge)",
					  b->cf.mtu, CIDR_S(have.a[i]), b->br.name);
	if (b->br.mtu >= LAYER3_MTU6 && mark_is_any(b->br.alias) && !bridge_link_is_own(c, b))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "mtu: %d would turn IPv6 off on bridge %s, which another network "
				  "made: IPv6 needs at least 1280 (choose another bridge)",
				  b->cf.mtu, b->br.name);
	return 0;
}

#define SMALL_BRIDGE                                                                               \
	" (the bridge has this MTU; one of cplug's is made anew when its last container is gone)"

static int layer3(struct tx *tx, struct call *c, struct bridge *b, struct result *res)
{
	struct iface_options o = { .dad = b->cf.dad };

	TRY(iface_prepare(tx, c, &b->veth.eth, b->cf.dad));
	TRY(ipam_add(tx, c, res));
	TRY(iface_need_mtu(tx, b->cf.mtu, res, ""));
	if (!result_dns_empty(&b->cf.dns))
		res->dns = b->cf.dns;
	if (b->cf.is_gateway) {
		gateway_complete(res, b->cf.default_gateway);
		TRY(gateway_validate(tx, res));
		TRY(bridge_vlan_gateway_ensure(tx, c, b));
	}
	if (b->cf.is_gateway && !b->vlan_gw.index)
		TRY(iface_need_mtu(tx, b->br.mtu, res, SMALL_BRIDGE));
	list_interfaces(tx, c, b, res);
	TRY(bridge_gateway_ensure(tx, c, b, res));
	TRY(guard(tx, c, b, res));
	TRY(iface_configure(tx, c, &b->veth.eth, res, &o));
	TRY(translate(tx, c, b, res));
	TRY(step_resolv(tx, c, b->cf.resolv_conf, &res->dns));
	if (!b->cf.is_gateway)
		return 0;
	return gateway_forward(tx, &c->host, res);
}

static int layer2(struct tx *tx, struct call *c, struct bridge *b, struct result *res)
{
	list_interfaces(tx, c, b, res);
	res->dns = b->cf.dns;
	TRY(guard(tx, c, b, NULL));
	if (!b->cf.no_interface)
		TRY(iface_up(tx, c, &b->veth.eth, NULL));
	return step_resolv(tx, c, b->cf.resolv_conf, &res->dns);
}

static int bridge_validate(struct tx *tx, struct call *c)
{
	struct bridge_conf cf;

	return bridge_read_conf(tx, c, &cf);
}

static int bridge_add(struct tx *tx, struct call *c, struct result *res)
{
	struct bridge *b = mem_alloc(&tx->mem, sizeof(*b));

	TRY(bridge_read_conf(tx, c, &b->cf));
	TRY(ipam_validate(tx, c));
	TRY(bridge_link_ensure(tx, c, b));
	TRY(need_bridge_mtu(tx, c, b));
	TRY(bridge_link_keep_mtu(tx, c, b));
	TRY(bridge_veth_add(tx, c, b));
	TRY(bridge_link_look_again(tx, c, b));
	if (b->cf.l3)
		TRY(layer3(tx, c, b, res));
	else
		TRY(layer2(tx, c, b, res));
	return bridge_veth_announce(tx, c, b);
}

/* ---- CHECK, repair ------------------------------------------------------ */

static int bridge_check(struct tx *tx, struct call *c)
{
	struct bridge *b = mem_alloc(&tx->mem, sizeof(*b));
	struct iface_want want = { .kind = "veth" };

	TRY(bridge_read_conf(tx, c, &b->cf));
	want.up = !b->cf.no_interface;
	want.mtu = b->cf.mtu;
	TRY(call_need_prev(tx, c));
	TRY(ipam_check(tx, c));
	TRY(bridge_link_check(tx, c, b));
	TRY(iface_check(tx, c, &want, &b->veth.eth));
	TRY(bridge_veth_check(tx, c, b));
	TRY(bridge_gateway_check(tx, c, b));
	TRY(guard(tx, c, b, c->prev));
	if (b->cf.l3)
		TRY(translate(tx, c, b, c->prev));
	return step_resolv(tx, c, b->cf.resolv_conf, &c->prev->dns);
}

/*
 * The steps of an ADD for an attachment that lives: what is there stays and is only brought to
 * what prevResult says, so no connection breaks; what is gone is made again under its
 * old name and MAC.
 */
static int bridge_repair(struct tx *tx, struct call *c)
{
	struct bridge *b = mem_alloc(&tx->mem, sizeof(*b));
	struct iface_options o = { .dad = true, .accept_ra = true };

	TRY(bridge_read_conf(tx, c, &b->cf));
	TRY(call_need_prev(tx, c));
	TRY(ipam_repair(tx, c));
	TRY(bridge_link_repair(tx, c, b));
	TRY(bridge_veth_repair(tx, c, b));
	if (b->cf.l3) {
		TRY(bridge_gateway_repair(tx, c, b));
		o = (struct iface_options){ .dad = b->cf.dad };
	}
	TRY(guard(tx, c, b, c->prev));
	if (!b->cf.no_interface)
		TRY(iface_ensure(tx, c, &b->veth.eth, c->prev, &o));
	if (b->cf.l3)
		TRY(translate(tx, c, b, c->prev));
	TRY(step_resolv(tx, c, b->cf.resolv_conf, &c->prev->dns));
	return bridge_veth_announce(tx, c, b);
}

/* ---- DEL ---------------------------------------------------------------- */

/* The link through which the host reached the container: the bridge or its VLAN gateway. */
static const char *reach_dev(struct tx *tx, const struct call *c, const char *bridge)
{
	unsigned vlan = (unsigned)cj_int(&c->conf, "vlan", 0, 0, 4094);

	if (vlan)
		return bridge_vlan_gateway_name(&tx->mem, bridge, vlan);
	return bridge;
}

/* nftables first: its grace period then overlaps with the rest. */
static int bridge_del(struct tx *tx, struct call *c)
{
	const char *host_ifname = conf_ifname(&c->conf, "hostIfName");
	const char *bridge = conf_ifname(&c->conf, "bridge");
	const char *resolv_mode = conf_resolv(tx, &c->conf);
	int before = tx->err, r, pair;
	const char *dev;

	if (!bridge)
		bridge = BRIDGE_DEFAULT;
	dev = reach_dev(tx, c, bridge);
	r = cj_ok(tx, &c->conf);
	TRY(tx_excuse(tx, before, r, "DEL takes the default"));
	r = ipam_del_first(tx, c);
	r = also(r, step_nft_remove(tx, c, dev));
	pair = pair_remove(tx, c, host_ifname, bridge);
	r = also(r, pair);
	r = also(r, step_resolv_remove(tx, c, resolv_mode));
	if (pair < 0) /* the container has its addresses */
		return r;
	return also(r, ipam_del(tx, c));
}

static const char *const args[] = { "MAC", NULL };

const struct plugin bridge_plugin = {
	.name = "bridge",
	.about = "a bridge on the host, and a veth pair from it into the container",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.args = args,
	.validate = bridge_validate,
	.add = bridge_add,
	.del = bridge_del,
	.check = bridge_check,
	.repair = bridge_repair,
	.gc = bridge_gc,
	.status = bridge_status,
};
