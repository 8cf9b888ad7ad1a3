// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ptp.c - a veth pair between the host and one container, and routes on both sides
 *
 * The host is the gateway: it has the gateway's address on its end, as a host address, which other
 * containers' ends may have as well, and a route to each of the container's addresses.  In the
 * container everything leads to the gateway, the own subnet too.
 */
#include <linux/rtnetlink.h>

#include "base/differ.h"
#include "cni/conf.h"
#include "cni/gateway.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/pair.h"
#include "cni/steps.h"
#include "netlink/addr.h"
#include "netlink/route.h"
#include "plugins/list.h"

struct ptp {
	struct pair_want want;
	struct conf_masq masq;
	struct hostports ports;
	bool dad;
	struct result_dns dns;
	const char *resolv_conf;
	struct pair pair;
};

static int read_conf(struct tx *tx, const struct call *c, struct ptp *p)
{
	static const char *const kinds[] = { "veth", "netkit" };
	const struct cj *j = &c->conf;

	*p = (struct ptp){
		.want.kind = kinds[cj_enum(j, "linkType", 0, kinds, ARRAY_LEN(kinds))],
		.want.host_name = conf_ifname(j, "hostIfName"),
		.want.mtu = conf_mtu(j, MTU_AUTO),
		.masq = conf_masq(&tx->mem, j),
		.ports = hostports_read(&tx->mem, j),
		.dad = cj_bool(j, "dad", false),
		.dns = conf_dns(&tx->mem, j),
		.resolv_conf = conf_resolv(tx, j),
	};
	if (!ipam_wanted(c))
		cj_wrong(j, "ipam",
			 "missing: ptp routes the addresses that an IPAM plugin gives (name it in "
			 "ipam.type)");
	TRY(conf_mac(tx, c, cj_mac(j, "mac"), &p->want.mac));
	if (p->want.mac.len && str_eq(p->want.kind, "netkit"))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "linkType: links of kind netkit have no MAC address (leave "
				  "\"mac\" out, or set linkType to \"veth\")");
	return 0;
}

/* ---- the host's side ---------------------------------------------------- */

static int need_gateways(struct tx *tx, const struct result *res)
{
	for (unsigned i = 0; i < res->n_ips; i++)
		if (!ip_set(res->ips[i].gateway))
			return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
					  "ipam: %s has no gateway, which is the host's address "
					  "for ptp (with static, set addresses[].gateway)",
					  CIDR_S(res->ips[i].addr));
	return 0;
}

/* The routes to the container's addresses, as the reference makes them. */
static struct route_list host_routes(struct tx *tx, const struct link *host,
				     const struct result *res)
{
	struct route *list = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*list));

	for (unsigned i = 0; i < res->n_ips; i++) {
		struct result_route r =
			result_route(cidr_host(res->ips[i].addr.ip), (struct ip){ .family = 0 });

		r.scope = RT_SCOPE_HOST;
		list[i] = route_of(host, &r);
	}
	return (struct route_list){ .r = list, .n = res->n_ips };
}

static int ensure_host(struct tx *tx, struct call *c, struct ptp *p, const struct result *res)
{
	struct link_want want = {
		.up = true,
		.mark = call_mark(tx, c),
		.mac = p->want.host_mac,
		.mtu = pair_host_mtu(&p->want),
	};
	struct route_list routes = host_routes(tx, &p->pair.host, res);

	for (unsigned i = 0; i < res->n_ips; i++)
		TRY(addr_ensure(tx, &c->host, &p->pair.host, cidr_host(res->ips[i].gateway), 0));
	TRY(step_quiet(tx, c, &c->host, &p->pair.host));
	TRY(pair_give_ipv6(tx, c, &p->pair.host, res));
	TRY(link_ensure(tx, &c->host, &p->pair.host, &want));
	TRY(route_add_all(tx, &c->host, &routes));
	for (unsigned i = 0; i < res->n_ips; i++)
		TRY(gateway_check_route(tx, &c->host, &p->pair.host, res->ips[i].addr.ip));
	return 0;
}

static int check_host(struct tx *tx, struct call *c, const struct ptp *p)
{
	const struct link *l = &p->pair.host;
	struct addr_list have;

	TRY(addr_list(tx, &c->host, l, AF_UNSPEC, &have));
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];

		if (!ip_set(ip->gateway))
			continue;
		if (!addr_listed(&have, cidr_host(ip->gateway)))
			differ(tx, mem_printf(&tx->mem, "gateway address of %s", l->name),
			       CIDR_S(cidr_host(ip->gateway)), NULL);
		TRY(gateway_compare_forwarding(tx, &c->host, ip->addr.ip.family));
		if (l->flags & IFF_UP)
			TRY(gateway_compare_route(tx, &c->host, l, ip->addr.ip));
	}
	return 0;
}

/* Masquerade and published ports. */
static int translate(struct tx *tx, struct call *c, const struct ptp *p, const struct result *res)
{
	const struct translation t = {
		.masq = &p->masq,
		.ports = &p->ports,
		.link = p->pair.host.index,
		.dev = p->pair.host.name,
		.own_dev = true,
		.routed = true,
	};

	return step_translate(tx, c, &t, res);
}

/* "auto" becomes the MTU of the default routes. */
static int find_mtu(struct tx *tx, struct call *c, struct ptp *p)
{
	if (p->want.mtu != MTU_AUTO)
		return 0;
	return route_default_mtu(tx, &c->host, &p->want.mtu);
}

/* ---- verbs -------------------------------------------------------------- */

static int ptp_validate(struct tx *tx, struct call *c)
{
	struct ptp *p = mem_alloc(&tx->mem, sizeof(*p));

	return read_conf(tx, c, p);
}

static int ptp_add(struct tx *tx, struct call *c, struct result *res)
{
	struct ptp *p = mem_alloc(&tx->mem, sizeof(*p));
	struct iface_options o = { .routed = true, .mark = call_mark(tx, c) };

	TRY(read_conf(tx, c, p));
	TRY(ipam_validate(tx, c));
	TRY(find_mtu(tx, c, p));
	TRY(pair_add(tx, c, &p->want, &p->pair));
	TRY(ipam_add(tx, c, res));
	TRY(need_gateways(tx, res));
	TRY(iface_need_mtu(tx, p->want.mtu, res, ""));
	if (!result_dns_empty(&p->dns))
		res->dns = p->dns;
	iface_list(tx, c, &p->pair.host, NULL, res);
	iface_list(tx, c, &p->pair.eth, c->netns_path, res);
	for (unsigned i = 0; i < res->n_ips; i++)
		res->ips[i].iface = 1;
	o.dad = p->dad;
	TRY(ensure_host(tx, c, p, res));
	TRY(iface_configure(tx, c, &p->pair.eth, res, &o));
	TRY(translate(tx, c, p, res));
	TRY(step_resolv(tx, c, p->resolv_conf, &res->dns));
	TRY(gateway_forward(tx, &c->host, res));
	return link_announce(tx, &c->cont, &p->pair.eth);
}

static int ptp_check(struct tx *tx, struct call *c)
{
	struct ptp *p = mem_alloc(&tx->mem, sizeof(*p));
	struct iface_want want = { .up = true, .routed = true };
	int there;

	TRY(read_conf(tx, c, p));
	want.kind = p->want.kind;
	want.mtu = p->want.mtu;
	TRY(call_need_prev(tx, c));
	TRY(ipam_check(tx, c));
	TRY(iface_check(tx, c, &want, &p->pair.eth));
	if (!p->pair.eth.index)
		return 0;
	TRY(there = pair_find(tx, c, p->want.host_name, "", &p->pair));
	if (!there) {
		differ(tx, mem_printf(&tx->mem, "host end of %s", c->ifname), "present", NULL);
		return 0;
	}
	TRY(pair_check(tx, c, &p->want, &p->pair));
	TRY(check_host(tx, c, p));
	TRY(translate(tx, c, p, c->prev));
	return step_resolv(tx, c, p->resolv_conf, &c->prev->dns);
}

static int ptp_repair(struct tx *tx, struct call *c)
{
	struct ptp *p = mem_alloc(&tx->mem, sizeof(*p));
	struct iface_options o = { .routed = true, .mark = call_mark(tx, c) };
	int there;

	TRY(read_conf(tx, c, p));
	TRY(call_need_prev(tx, c));
	TRY(need_gateways(tx, c->prev));
	TRY(ipam_repair(tx, c));
	TRY(find_mtu(tx, c, p));
	TRY(pair_recall(tx, c, "", &p->want));
	TRY(there = pair_recover(tx, c, &p->want, "", &p->pair));
	if (!there)
		TRY(pair_add(tx, c, &p->want, &p->pair));
	o.dad = p->dad;
	TRY(gateway_forward(tx, &c->host, c->prev));
	TRY(ensure_host(tx, c, p, c->prev));
	TRY(iface_ensure(tx, c, &p->pair.eth, c->prev, &o));
	TRY(translate(tx, c, p, c->prev));
	TRY(step_resolv(tx, c, p->resolv_conf, &c->prev->dns));
	return link_announce(tx, &c->cont, &p->pair.eth);
}

/* nftables first: its grace period then overlaps with the rest. */
static int ptp_del(struct tx *tx, struct call *c)
{
	const char *host_name = conf_ifname(&c->conf, "hostIfName");
	const char *resolv_mode = conf_resolv(tx, &c->conf);
	int before = tx->err, r = cj_ok(tx, &c->conf), pair;

	TRY(tx_excuse(tx, before, r, "DEL takes the default"));
	r = ipam_del_first(tx, c);
	r = also(r, step_nft_remove(tx, c, pair_host_name(tx, c, host_name)));
	pair = pair_remove(tx, c, host_name, NULL);
	r = also(r, pair);
	r = also(r, step_resolv_remove(tx, c, resolv_mode));
	if (pair < 0) /* the container has its addresses */
		return r;
	return also(r, ipam_del(tx, c));
}

static int ptp_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct nfnl *nl;
	int r;

	if (!c->valid_known)
		return ipam_gc(tx, c);
	TRY(call_nf(tx, c, &nl));
	r = ipam_gc_first(tx, c);
	r = also(r, nat_gc(tx, nl, &c->host, OWNED_MAIN_NAT, &valid));
	r = also(r, step_reference_gc(tx, c));
	r = also(r, step_links_gc(tx, c, ""));
	r = also(r, step_resolv_gc(tx, c));
	return also(r, ipam_gc(tx, c));
}

static int ptp_status(struct tx *tx, struct call *c)
{
	struct ptp *p = mem_alloc(&tx->mem, sizeof(*p));
	struct nfnl *nl;

	TRY(read_conf(tx, c, p));
	if (p->masq.v4 || p->masq.v6) {
		TRY(call_nf(tx, c, &nl));
		TRY(nat_status(tx, nl));
	}
	return ipam_status(tx, c);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin ptp_plugin = {
	.name = "ptp",
	.about = "a veth pair between the host and one container",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.args = args,
	.validate = ptp_validate,
	.add = ptp_add,
	.del = ptp_del,
	.check = ptp_check,
	.repair = ptp_repair,
	.gc = ptp_gc,
	.status = ptp_status,
};
