// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of host-local
 */
#include "ipam/host-local/conf.h"

const char *local_conf_data_dir(const struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");
	const char *dir = cj_str(&ipam, "dataDir", "");

	return *dir ? dir : "/var/lib/cni/networks";
}

/* ---- requested addresses ---- */

/* More than one for each range set cannot be granted. */
enum { REQUESTS_MAX = 64 };

static void add_request(struct mem *mem, struct local_conf *cf, struct ip ip)
{
	for (unsigned i = 0; i < cf->n_requests; i++)
		if (ip_eq(cf->requests[i].ip, ip))
			return;
	cf->requests = mem_grow(mem, cf->requests, cf->n_requests, sizeof(*cf->requests));
	cf->requests[cf->n_requests++] = (struct request){ .ip = ip };
}

/* "10.1.0.9" or "10.1.0.9/24"; the prefix length is ignored. */
static bool parse_request(const char *s, struct ip *ret)
{
	struct cidr c;

	if (ip_parse(s, ret))
		return true;
	if (!cidr_parse(s, &c))
		return false;
	*ret = c.ip;
	return true;
}

static void read_requests(struct mem *mem, const struct cj *c, struct local_conf *cf)
{
	struct cj list = cj_list(c, "ips");
	struct ip ip;

	for (unsigned i = 0, n = cj_len_max(&list, REQUESTS_MAX); i < n; i++) {
		struct cj e = cj_at(&list, i);
		const char *s = cj_as_str(&e);

		if (s && parse_request(s, &ip))
			add_request(mem, cf, ip);
		else if (s)
			cj_wrong(&e, NULL, "expected an IP address, like 10.1.0.9, got \"%.60s\"",
				 s);
	}
}

int local_conf_read_requests(struct tx *tx, const struct call *c, struct local_conf *cf)
{
	struct cj args = cj_obj(&c->conf, "args"), cni = cj_obj(&args, "cni");
	struct cj runtime = cj_obj(&c->conf, "runtimeConfig");
	const char *arg;
	struct ip ip;

	TRY(call_arg(tx, c, "IP", &arg));
	if (!str_empty(arg)) {
		if (!parse_request(arg, &ip))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
					  "CNI_ARGS: IP=%.60s is not an IP address, like 10.1.0.9",
					  arg);
		add_request(&tx->mem, cf, ip);
	}
	read_requests(&tx->mem, &cni, cf);
	read_requests(&tx->mem, &runtime, cf);
	return cj_ok(tx, &c->conf);
}

int local_conf_load_podcidr(struct tx *tx, const struct call *c, enum cni_code absent,
			    struct local_conf *cf)
{
	if (!cf->subnet_file)
		return 0;
	TRY(podcidr_read(tx, cf->subnet_file, absent, &cf->podcidr));
	for (unsigned i = 0; i < cf->podcidr.n_subnets; i++) {
		const char *why = pool_add(&tx->mem, &cf->pool, cf->podcidr.subnets[i], c->version);

		if (why)
			return tx_fail_as(tx, CPLUG_E_FILE, -EINVAL, "file %s: %s", cf->subnet_file,
					  why);
	}
	return 0;
}

int local_conf_read(struct tx *tx, const struct call *c, struct local_conf *ret)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");

	*ret = (struct local_conf){
		.data_dir = local_conf_data_dir(c),
		.resolv_conf = cj_str(&ipam, "resolvConf", ""),
	};
	cj_any(&ipam, "type"); /* read by the caller: not an unknown key */
	pool_read(&tx->mem, &c->conf, c->version, &ret->pool);
	ret->subnet_file = podcidr_conf(tx, &ipam, ret->pool.podcidr);
	return cj_ok(tx, &c->conf);
}
