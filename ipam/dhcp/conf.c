// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of dhcp
 */
#include <jansson.h>
#include <stdlib.h>

#include "ipam/dhcp/client.h"
#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/packet.h"
#include "ipam/dhcp/rpc.h"
#include "value/name.h"

static int option_code(const char *name)
{
	static const struct {
		const char *name;
		int code;
	} named[] = {
		/* The reference's, and the usual names of others whose values the result has. */
		{ "dhcp-client-identifier", 61 },
		{ "subnet-mask", 1 },
		{ "routers", 3 },
		{ "host-name", 12 },
		{ "user-class", 77 },
		{ "vendor-class-identifier", 60 },
		{ "domain-name-servers", 6 },
		{ "domain-name", 15 },
		{ "interface-mtu", 26 },
		{ "domain-search", 119 },
		{ "classless-static-routes", 121 },
	};
	char *end;
	long n;

	for (unsigned i = 0; i < ARRAY_LEN(named); i++)
		if (str_eq(name, named[i].name))
			return named[i].code;
	if (*name < '0' || *name > '9')
		return -1;
	n = strtol(name, &end, 10);
	return !*end && n <= 255 ? (int)n : -1;
}

/* 0 and 255 have no value: padding, and the end. */
static int read_code(const struct cj *entry)
{
	const char *name = cj_str(entry, "option", "");
	int code = option_code(name);

	if (code <= 0 || code == 255)
		cj_wrong(entry, "option",
			 "Can not parse option \"%.40s\": expected a number from 1 to 254, or a "
			 "name like host-name (docs/config/dhcp.md lists them)",
			 name);
	return code;
}

/* The value of a key in CNI_ARGS; NULL: none.  As lenient as the reference: no key is unknown. */
static const char *find_arg(struct mem *mem, const char *args, const char *key)
{
	char *rest = mem_str(mem, args), *pair;

	while (*args && (pair = strsep(&rest, ";"))) {
		char *value = strchr(pair, '=');

		if (!value)
			continue;
		*value++ = '\0';
		if (str_eq(pair, key))
			return value;
	}
	return NULL;
}

static void read_provided(struct mem *mem, const struct cj *entry, const char *args,
			  struct dhcp_ipam *cf)
{
	const char *from = cj_str(entry, "fromArg", ""), *value = cj_str(entry, "value", "");
	const char *found = *from ? find_arg(mem, args, from) : NULL;
	struct dhcp_provided *p = &cf->provide[cf->n_provide];
	int code = read_code(entry);

	if (found)
		value = found;
	if (!*value || code <= 0)
		return;
	if (strlen(value) > DHCP_OPTION_MAX) {
		cj_wrong(entry, "value", "longer than %d bytes, which is all that an option holds",
			 DHCP_OPTION_MAX);
		return;
	}
	p->code = (uint8_t)code;
	p->len = (uint8_t)strlen(value);
	memcpy(p->value, value, strlen(value));
	cf->n_provide++;
}

static void read_provide(struct mem *mem, const struct cj *ipam, const char *args,
			 struct dhcp_ipam *cf)
{
	struct cj list = cj_list(ipam, "provide");
	unsigned n = cj_len_max(&list, DHCP_PROVIDE_MAX);

	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);

		read_provided(mem, &e, args, cf);
	}
}

/* An entry with skipDefault may name no option. */
static void read_request(const struct cj *ipam, struct dhcp_ipam *cf)
{
	struct cj list = cj_list(ipam, "request");
	unsigned n = cj_len_max(&list, DHCP_REQUEST_MAX);

	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);
		int code;

		if (cj_bool(&e, "skipDefault", false))
			cf->skip_defaults = true;
		if (str_empty(cj_str(&e, "option", "")))
			continue;
		code = read_code(&e);
		if (code > 0)
			cf->request[cf->n_request++] = (uint8_t)code;
	}
}

static void read_family(const struct cj *ipam, struct dhcp_ipam *cf)
{
	const char *family = cj_str(ipam, "family", "4");

	cf->v4 = str_eq(family, "4") || str_eq(family, "46");
	cf->v6 = str_eq(family, "6") || str_eq(family, "46");
	if (!cf->v4 && !cf->v6)
		cj_wrong(ipam, "family", "expected \"4\", \"6\" or \"46\", got \"%.20s\"", family);
}

/* Both are lists of DHCPv4's options, whose numbers mean something else in DHCPv6. */
static void refuse_options(const struct cj *ipam, const struct dhcp_ipam *cf)
{
	static const char *const keys[] = { "provide", "request" };

	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (!cf->v4 && cf->v6 && cj_has(ipam, keys[i]))
			cj_wrong(ipam, keys[i],
				 "options of DHCPv4, which family \"6\" does not use (remove the "
				 "key, or write family \"46\")");
}

const char *dhcp_ipam_parent(const struct cj *conf)
{
	static const char *const keys[] = { "master", "bridge" };

	for (unsigned i = 0; i < ARRAY_LEN(keys); i++) {
		struct cj c = cj_any(conf, keys[i]);
		const char *s = json_string_value(c.json);

		if (s && !name_invalid_ifname(s))
			return s;
	}
	return str_eq(cj_str(conf, "type", ""), "bridge") ? "cni0" : "";
}

const char *dhcp_ipam_socket(const struct cj *conf)
{
	struct cj ipam = cj_obj(conf, "ipam");
	const char *socket = cj_str(&ipam, "daemonSocketPath", "");

	return *socket ? socket : RPC_SOCKET;
}

int dhcp_ipam_read(struct tx *tx, const struct cj *conf, const char *args, struct dhcp_ipam *ret)
{
	struct cj ipam = cj_obj(conf, "ipam");

	*ret = (struct dhcp_ipam){
		.socket = dhcp_ipam_socket(conf),
		.parent = "",
		.server_mtu = cj_bool(&ipam, "serverMTU", false),
		.rapid_commit = cj_bool(&ipam, "rapidCommit", true),
		.priority = cj_int(&ipam, "priority", 0, 0, UINT32_MAX),
		.arp_probe = (uint32_t)cj_int(&ipam, "arpProbe", DHCP_PROBE_MS, 0, DHCP_PROBE_MAX),
	};
	cj_any(&ipam, "type"); /* read by the caller: not an unknown key */
	if (!cj_has(conf, "ipam"))
		cj_wrong(conf, "ipam", "IPAM config missing 'ipam' key");
	if (*ret->socket != '/')
		cj_wrong(&ipam, "daemonSocketPath", "expected an absolute path, got \"%.100s\"",
			 ret->socket);
	read_family(&ipam, ret);
	read_provide(&tx->mem, &ipam, args, ret);
	read_request(&ipam, ret);
	refuse_options(&ipam, ret);
	return cj_ok(tx, conf);
}

static int fail_provide(struct tx *tx, unsigned i, unsigned code, int r)
{
	const char *why = "the protocol sets it itself";

	if (r != -EINVAL)
		why = "all options together have at most 1200 bytes";
	else if (code == DHCP_OPT_MAX_SIZE)
		why = "its value has to be two bytes, from 576 to 1500";
	return tx_fail_as(tx, CNI_E_CONFIG, r, "ipam.provide[%u]: option %u cannot be set: %s", i,
			  code, why);
}

int dhcp_ipam_options(struct tx *tx, const struct dhcp_ipam *cf, struct dhcp_conf *conf)
{
	unsigned codes[DHCP_REQUEST_MAX + 1], n = 0;
	int r;

	for (unsigned i = 0; i < cf->n_provide; i++) {
		const struct dhcp_provided *p = &cf->provide[i];

		r = dhcp_conf_provide(conf, p->code, p->value, p->len);
		if (r < 0)
			return fail_provide(tx, i, p->code, r);
	}
	for (unsigned i = 0; i < cf->n_request; i++)
		codes[n++] = cf->request[i];
	if (cf->server_mtu)
		codes[n++] = DHCP_OPT_MTU;
	r = dhcp_conf_request(conf, codes, n, cf->skip_defaults);
	if (r < 0)
		return tx_fail_as(tx, CNI_E_CONFIG, r, "ipam.request: too many options");
	return 0;
}
