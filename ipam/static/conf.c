// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the addresses that the configuration or the runtime names
 *
 * Sources, each of which replaces the ones before it: ipam.addresses with IP of CNI_ARGS,
 * args.cni.ips, runtimeConfig.ips.  The order is that of the reference.
 */
#include "base/log.h"
#include "ipam/static/static.h"

enum { MAX_ADDRESSES = 256 };

const char *static_why_unusable(struct cidr a)
{
	if (ip_is_any(a.ip) || (a.ip.family == AF_INET && !a.ip.b[0]))
		return "is no host's address (write the container's address)";
	if (!a.len)
		return "has the prefix length 0, which would take all traffic";
	if (ip_is_multicast(a.ip))
		return "is a multicast address (write the container's address)";
	if (ip_is_loopback(a.ip))
		return "is a loopback address (write the container's address)";
	if (a.ip.family != AF_INET || a.len >= 31)
		return NULL;
	if (ip_eq(a.ip, cidr_network(a)))
		return "is the subnet's network address (write the container's address)";
	if (ip_eq(a.ip, cidr_last(a)))
		return "is the subnet's broadcast address (write the container's address)";
	return NULL;
}

/* Returns false and says so in *ret_why if the address cannot be used. */
static bool append(struct mem *mem, struct static_conf *cf, struct static_address a,
		   const char **ret_why)
{
	const char *why = static_why_unusable(a.addr);

	for (unsigned i = cf->first; i < cf->n_all && !why; i++)
		if (ip_eq(cf->all[i].addr.ip, a.addr.ip))
			why = mem_printf(mem, "is already in %s (name each address once)",
					 cf->all[i].from);
	if (!why && cf->n_all - cf->first >= MAX_ADDRESSES)
		why = mem_printf(mem, "is more than %d addresses", MAX_ADDRESSES);
	*ret_why = why;
	if (why)
		return false;
	cf->all = mem_grow(mem, cf->all, cf->n_all, sizeof(*cf->all));
	cf->all[cf->n_all++] = a;
	return true;
}

static void read_configured(struct mem *mem, const struct cj *ipam, struct static_conf *cf)
{
	struct cj list = cj_list(ipam, "addresses");

	for (unsigned i = 0, n = cj_len(&list); i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct static_address a = {
			.addr = cj_cidr(&e, "address"),
			.gateway = cj_ip(&e, "gateway"),
			.configured = true,
			.from = cj_path(&e, NULL),
		};
		const char *why;

		if (cj_is_object(&e) && !cj_has(&e, "address"))
			cj_wrong(&e, "address", "missing: write it like 10.1.0.5/24");
		else if (ip_set(a.addr.ip) && !append(mem, cf, a, &why))
			cj_wrong(&e, "address", "%s %s", CIDR_S(a.addr), why);
	}
}

/* One item of a comma-separated list in CNI_ARGS; NULL at its end. */
static char *next_item(char **rest)
{
	static const char space[] = " \t";
	char *item = strsep(rest, ",");

	if (!item)
		return NULL;
	item += strspn(item, space);
	item[strcspn(item, space)] = '\0';
	return item;
}

static int read_ip_arg(struct tx *tx, const struct call *c, struct static_conf *cf)
{
	const char *text, *why;
	char *rest, *item;

	TRY(call_arg(tx, c, "IP", &text));
	if (str_empty(text))
		return 0;
	rest = mem_str(&tx->mem, text);
	while ((item = next_item(&rest))) {
		struct static_address a = { .from = "CNI_ARGS IP" };

		if (!cidr_parse(item, &a.addr))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
					  "CNI_ARGS: the 'ip' field is expected to be in CIDR "
					  "notation, like IP=10.1.0.5/24, got: '%.60s'",
					  item);
		if (!append(&tx->mem, cf, a, &why))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL, "CNI_ARGS: IP=%s %s",
					  CIDR_S(a.addr), why);
	}
	return 0;
}

/* GATEWAY belongs to the addresses of IP whose subnets contain it. */
static int read_gateway_arg(struct tx *tx, const struct call *c, struct static_conf *cf)
{
	const char *text;
	char *rest, *item;
	struct ip gw;

	TRY(call_arg(tx, c, "GATEWAY", &text));
	if (str_empty(text))
		return 0;
	rest = mem_str(&tx->mem, text);
	while ((item = next_item(&rest))) {
		bool used = false;

		if (!ip_parse(item, &gw))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
					  "CNI_ARGS: GATEWAY=%.60s is not an IP address, like "
					  "10.1.0.1",
					  item);
		for (unsigned i = cf->first; i < cf->n_all; i++) {
			if (cf->all[i].configured || !cidr_contains(cf->all[i].addr, gw))
				continue;
			cf->all[i].gateway = gw;
			used = true;
		}
		if (!used)
			log_warn("CNI_ARGS: GATEWAY=%s is in the subnet of no address of IP, so it "
				 "is not used",
				 IP_S(gw));
	}
	return 0;
}

/* The list "ips" of args.cni or runtimeConfig; it replaces what was read before. */
static void read_list(struct mem *mem, const struct cj *c, struct static_conf *cf)
{
	struct cj list = cj_list(c, "ips");

	if (cj_len(&list))
		cf->first = cf->n_all;
	for (unsigned i = 0, n = cj_len(&list); i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct static_address a = { .from = cj_path(&e, NULL) };
		const char *text = cj_as_str(&e), *why;

		if (text && !cidr_parse(text, &a.addr))
			cj_wrong(&e, NULL,
				 "an entry in the 'ips' field is NOT in CIDR notation, like "
				 "10.1.0.5/24, got: '%.60s'",
				 text);
		else if (text && !append(mem, cf, a, &why))
			cj_wrong(&e, NULL, "%s %s", text, why);
	}
}

/* An address that is asked for lies in a subnet whose gateway the configuration names. */
static void inherit_gateways(struct static_conf *cf)
{
	for (unsigned i = cf->first; i < cf->n_all; i++) {
		struct static_address *a = &cf->all[i];

		for (unsigned k = 0; k < cf->n_all && !a->configured; k++)
			if (cf->all[k].configured && !ip_set(a->gateway) &&
			    cidr_eq(cidr_masked(cf->all[k].addr), cidr_masked(a->addr)) &&
			    !ip_eq(cf->all[k].gateway, a->addr.ip))
				a->gateway = cf->all[k].gateway;
	}
}

/* The result's forms before 0.3.0 have room for one address of each family. */
static void check_version(const struct call *c, const struct cj *ipam, const struct static_conf *cf)
{
	unsigned n[2] = { 0, 0 };

	for (unsigned i = cf->first; i < cf->n_all; i++)
		n[cf->all[i].addr.ip.family == AF_INET6]++;
	if ((n[0] > 1 || n[1] > 1) && result_version_number(c->version) < 3000)
		cj_wrong(ipam, "addresses",
			 "CNI version %s does not support more than 1 address per family",
			 c->version);
}

int static_read_conf(struct tx *tx, const struct call *c, struct static_conf *cf)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), args = cj_obj(&c->conf, "args");
	struct cj runtime = cj_obj(&c->conf, "runtimeConfig"), cni = cj_obj(&args, "cni");

	*cf = (struct static_conf){ .first = 0 };
	cj_any(&ipam, "type"); /* read by the caller: not an unknown key */
	if (!cj_has(&c->conf, "ipam"))
		cj_wrong(&c->conf, "ipam", "IPAM config missing 'ipam' key");
	read_configured(&tx->mem, &ipam, cf);
	if (c->command != CNI_STATUS) {
		TRY(read_ip_arg(tx, c, cf));
		TRY(read_gateway_arg(tx, c, cf));
	}
	read_list(&tx->mem, &cni, cf);
	read_list(&tx->mem, &runtime, cf);
	inherit_gateways(cf);
	check_version(c, &ipam, cf);
	return cj_ok(tx, &c->conf);
}
