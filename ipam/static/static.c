// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * static.c - static: the addresses that the configuration or the runtime names
 *
 * No state: nothing is allocated, so nothing keeps two containers from having one address.
 */
#include "base/differ.h"
#include "cni/conf.h"
#include "ipam/static/static.h"
#include "plugins/list.h"

static int need_address(struct tx *tx, const struct static_conf *cf)
{
	if (cf->n_all > cf->first)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
			  "ipam.addresses: missing: static gives the addresses that are written "
			  "there, like [{\"address\": \"10.1.0.5/24\"}], or that the runtime asks "
			  "for");
}

/* Reads everything, as ADD does. */
static int read_all(struct tx *tx, struct call *c, struct static_conf *ret)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), dns = cj_obj(&ipam, "dns");

	conf_check_routes(&tx->mem, &ipam);
	result_read_dns(&tx->mem, &dns);
	return static_read_conf(tx, c, ret);
}

/* An ADD without a route through it may succeed, so only validate says so. */
static void complain_of_gateway(const struct cj *e)
{
	struct cidr addr = cj_cidr(e, "address");
	struct ip gw = cj_ip(e, "gateway");

	if (!ip_set(addr.ip) || !ip_set(gw))
		return;
	if (gw.family != addr.ip.family)
		cj_wrong(e, "gateway",
			 "%s is of another family than the address %s (name a gateway of the same "
			 "family)",
			 IP_S(gw), CIDR_S(addr));
	else if (ip_eq(gw, addr.ip))
		cj_wrong(e, "gateway", "%s is also the container's address (name the router's)",
			 IP_S(gw));
}

static int static_validate(struct tx *tx, struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), list = cj_list(&ipam, "addresses");
	struct static_conf cf;

	for (unsigned i = 0, n = cj_len(&list); i < n; i++) {
		struct cj e = cj_at(&list, i);

		complain_of_gateway(&e);
	}
	TRY(read_all(tx, c, &cf));
	return need_address(tx, &cf);
}

static int static_add(struct tx *tx, struct call *c, struct result *ret)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), routes = cj_list(&ipam, "routes");
	struct cj dns = cj_obj(&ipam, "dns");
	struct static_conf cf;

	TRY(static_read_conf(tx, c, &cf));
	TRY(need_address(tx, &cf));
	for (unsigned i = cf.first; i < cf.n_all; i++)
		result_add_ip(ret, (struct result_ip){ .addr = cf.all[i].addr,
						       .gateway = cf.all[i].gateway,
						       .iface = -1 });
	result_read_routes(ret, &routes);
	ret->dns = result_read_dns(&tx->mem, &dns);
	return cj_ok(tx, &c->conf);
}

/* NULL: prevResult has no such address. */
static const struct result_ip *find_address(const struct result *r, struct cidr a)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (cidr_eq(r->ips[i].addr, a))
			return &r->ips[i];
	return NULL;
}

static const char *gateway_text(struct mem *mem, struct ip gateway)
{
	if (!ip_set(gateway))
		return "none";
	return mem_str(mem, IP_S(gateway));
}

/*
 * A gateway that the configuration does not name is the main plugin's to choose (isGateway), so it
 * may be anything.
 */
static int static_check(struct tx *tx, struct call *c)
{
	struct static_conf cf;

	TRY(static_read_conf(tx, c, &cf));
	TRY(call_need_prev(tx, c));
	for (unsigned i = cf.first; i < cf.n_all; i++) {
		const struct static_address *a = &cf.all[i];
		const struct result_ip *have = find_address(c->prev, a->addr);
		const char *what;

		if (!have) {
			what = mem_printf(&tx->mem, "address of %s in prevResult", c->ifname);
			differ(tx, what, CIDR_S(a->addr), NULL);
		} else if (ip_set(a->gateway) && !ip_eq(a->gateway, have->gateway)) {
			what = mem_printf(&tx->mem, "gateway of %s in prevResult", CIDR_S(a->addr));
			differ(tx, what, IP_S(a->gateway), gateway_text(&tx->mem, have->gateway));
		}
	}
	return 0;
}

static int static_status(struct tx *tx, struct call *c)
{
	struct static_conf cf;

	return read_all(tx, c, &cf);
}

static const char *const args[] = { "IP", "GATEWAY", NULL };

/* DEL and GC have nothing to release. */
const struct plugin static_plugin = {
	.name = "static",
	.about = "the addresses that the configuration names (IPAM)",
	.flags = CNI_IS_IPAM,
	.args = args,
	.validate = static_validate,
	.add = static_add,
	.check = static_check,
	.status = static_status,
};
