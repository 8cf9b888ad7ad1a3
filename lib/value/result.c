// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * result.c - the result type, and reading it in all protocol versions
 *
 * There are three forms.  Up to 0.2.0 a result has one IPv4 and one IPv6 block, each with its
 * routes.  Up to 0.4.0 it has lists of interfaces, addresses (with their IP version) and
 * routes.  Since 1.0.0 addresses have no version, and interfaces have more fields.
 * result_print.c prints.
 *
 * Strings are copied into the arena, because the document of a delegate's result is freed
 * before the result.
 */
#include <limits.h>

#include "value/result.h"

const char *const result_versions[] = { "0.1.0", "0.2.0", "0.3.0", "0.3.1",
					"0.4.0", "1.0.0", "1.1.0", NULL };

int result_version_number(const char *version)
{
	int part[3] = { 0, 0, 0 };
	const char *p = version;

	if (str_empty(version))
		return 1000; /* 0.1.0 */
	for (int i = 0; i < 3; i++) {
		int digits = 0;

		for (; *p >= '0' && *p <= '9'; p++, digits++)
			if (digits < 3)
				part[i] = part[i] * 10 + (*p - '0');
		if (!digits || digits > 3)
			return -1;
		if (!*p)
			return part[0] * 1000000 + part[1] * 1000 + part[2];
		if (*p++ != '.')
			return -1;
	}
	return -1;
}

static bool is_known(const char *version)
{
	for (unsigned i = 0; result_versions[i]; i++)
		if (str_eq(version, result_versions[i]))
			return true;
	return false;
}

enum result_form result_form(const char *version)
{
	int number = result_version_number(version);

	if (!is_known(version))
		return RESULT_UNKNOWN;
	if (number < 3000)
		return RESULT_BLOCKS;
	return number < 1000000 ? RESULT_LISTS : RESULT_MODERN;
}

/* ---- building ---- */

void result_init(struct result *r, struct mem *mem)
{
	*r = (struct result){ .mem = mem };
}

unsigned result_add_if(struct result *r, struct result_if i)
{
	r->ifs = mem_grow(r->mem, r->ifs, r->n_ifs, sizeof(*r->ifs));
	r->ifs[r->n_ifs] = i;
	return r->n_ifs++;
}

unsigned result_add_ip(struct result *r, struct result_ip ip)
{
	r->ips = mem_grow(r->mem, r->ips, r->n_ips, sizeof(*r->ips));
	r->ips[r->n_ips] = ip;
	return r->n_ips++;
}

unsigned result_add_route(struct result *r, struct result_route route)
{
	r->routes = mem_grow(r->mem, r->routes, r->n_routes, sizeof(*r->routes));
	r->routes[r->n_routes] = route;
	return r->n_routes++;
}

struct result_route result_route(struct cidr dst, struct ip gw)
{
	return (struct result_route){
		.dst = dst, .has_dst = true, .gw = gw, .table = -1, .scope = -1
	};
}

int result_find_if(const struct result *r, const char *name, bool sandboxed)
{
	for (unsigned i = 0; i < r->n_ifs; i++)
		if (str_eq(r->ifs[i].name, name) && !str_empty(r->ifs[i].sandbox) == sandboxed)
			return (int)i;
	return -1;
}

bool result_has_family(const struct result *r, int family)
{
	for (unsigned i = 0; i < r->n_ips; i++)
		if (r->ips[i].addr.ip.family == family)
			return true;
	return false;
}

bool result_dns_empty(const struct result_dns *d)
{
	return !d->n_nameservers && !d->n_search && !d->n_options && str_empty(d->domain);
}

/* ---- reading ---- */

/* A copy of a string; NULL if absent or empty. */
static const char *copy_text(struct mem *mem, const struct cj *c, const char *key)
{
	const char *s = cj_str(c, key, NULL);

	if (str_empty(s))
		return NULL;
	return mem_str(mem, s);
}

static const char **copy_texts(struct mem *mem, const struct cj *c, const char *key,
			       unsigned *ret_n)
{
	struct cj list = cj_list(c, key);
	unsigned n = 0, len = cj_len(&list);
	const char **all = len ? mem_alloc(mem, len * sizeof(*all)) : NULL;

	for (unsigned i = 0; i < len; i++) {
		struct cj element = cj_at(&list, i);
		const char *s = cj_as_str(&element);

		if (s)
			all[n++] = mem_str(mem, s);
	}
	*ret_n = n;
	return all;
}

struct result_dns result_read_dns(struct mem *mem, const struct cj *c)
{
	struct result_dns d = { .domain = copy_text(mem, c, "domain") };

	d.nameservers = copy_texts(mem, c, "nameservers", &d.n_nameservers);
	d.search = copy_texts(mem, c, "search", &d.n_search);
	d.options = copy_texts(mem, c, "options", &d.n_options);
	return d;
}

/* An element that must be an object; null is a complaint. */
static struct cj object_at(const struct cj *list, unsigned i)
{
	struct cj c = cj_at(list, i);

	if (!cj_present(&c))
		cj_wrong(&c, NULL, "expected an object, got null");
	return c;
}

void result_read_routes(struct result *r, const struct cj *list)
{
	for (unsigned i = 0, n = cj_len_max(list, RESULT_LIST_MAX); i < n; i++) {
		struct cj c = object_at(list, i), dst = cj_any(&c, "dst");
		struct result_route route = { .gw = cj_ip(&c, "gw") };

		/* The reference prints "<nil>" for a route without dst. */
		if (!cj_is_word(&dst, "<nil>"))
			route.dst = cj_as_cidr(&dst);
		route.has_dst = ip_set(route.dst.ip);
		route.mtu = cj_int(&c, "mtu", 0, 0, UINT32_MAX);
		route.advmss = cj_int(&c, "advmss", 0, 0, UINT32_MAX);
		route.priority = cj_int(&c, "priority", 0, 0, UINT32_MAX);
		route.table = cj_int(&c, "table", -1, 0, UINT32_MAX);
		route.scope = cj_int(&c, "scope", -1, 0, UINT8_MAX);
		result_add_route(r, route);
	}
}

/* An address; absent is a complaint. */
static struct cidr address(const struct cj *c, const char *key)
{
	struct cj k = cj_any(c, key);

	if (!cj_present(&k) || (cj_is_str(&k) && str_empty(cj_as_str(&k))))
		cj_wrong(c, key,
			 "expected an address with prefix length, like 10.1.0.5/24, got nothing");
	return cj_as_cidr(&k);
}

/* ip4 or ip6, up to 0.2.0. */
static void read_block(struct result *r, const struct cj *c, const char *key)
{
	struct cj block = cj_obj(c, key);
	struct cj routes = cj_list(&block, "routes");

	if (!cj_present(&block))
		return;
	result_add_ip(r, (struct result_ip){
				 .addr = address(&block, "ip"),
				 .gateway = cj_ip(&block, "gateway"),
				 .iface = -1,
			 });
	result_read_routes(r, &routes);
}

static void read_ifs(struct result *r, const struct cj *list, bool modern)
{
	for (unsigned i = 0, n = cj_len_max(list, RESULT_LIST_MAX); i < n; i++) {
		struct cj c = object_at(list, i);
		struct result_if f = {
			.name = mem_str(r->mem, cj_str(&c, "name", "")),
			.mac = copy_text(r->mem, &c, "mac"),
			.sandbox = copy_text(r->mem, &c, "sandbox"),
		};

		if (modern) {
			f.mtu = cj_int(&c, "mtu", 0, 0, INT32_MAX);
			f.socket_path = copy_text(r->mem, &c, "socketPath");
			f.pci_id = copy_text(r->mem, &c, "pciID");
		}
		result_add_if(r, f);
	}
}

static void read_ips(struct result *r, const struct cj *list)
{
	for (unsigned i = 0, n = cj_len_max(list, RESULT_LIST_MAX); i < n; i++) {
		struct cj c = object_at(list, i);

		if (!cj_present(&c))
			continue;
		result_add_ip(r,
			      (struct result_ip){
				      .addr = address(&c, "address"),
				      .gateway = cj_ip(&c, "gateway"),
				      .iface = (int)cj_int(&c, "interface", -1, INT_MIN, INT_MAX),
			      });
	}
}

static const char *version_or_oldest(const char *version)
{
	if (str_empty(version))
		return "0.1.0";
	return version;
}

/* Fails unless the version is known and of the wanted group. */
static int check_version(struct tx *tx, const char *version, const struct result_rules *rules)
{
	static const char *const members[] = {
		[RESULT_UNKNOWN] = "",
		[RESULT_BLOCKS] = "0.1.0 0.2.0",
		[RESULT_LISTS] = "0.3.0 0.3.1 0.4.0",
		[RESULT_MODERN] = "1.0.0 1.1.0",
	};
	enum result_form form = result_form(version), wanted = form;

	if (rules->group)
		wanted = result_form(version_or_oldest(rules->group));
	if (form != wanted)
		return tx_fail_as(tx, rules->code, -EINVAL,
				  "could not parse prevResult: result type supports [%s] but "
				  "unmarshalled CNIVersion is \"%s\"",
				  members[wanted], version);
	if (form == RESULT_UNKNOWN)
		return tx_fail_as(tx, rules->code, -EINVAL, "unsupported CNI result version \"%s\"",
				  version);
	return 0;
}

static void read_lists(struct result *r, const struct cj *c, bool modern)
{
	struct cj ifs = cj_list(c, "interfaces");
	struct cj ips = cj_list(c, "ips");
	struct cj routes = cj_list(c, "routes");

	read_ifs(r, &ifs, modern);
	read_ips(r, &ips);
	result_read_routes(r, &routes);
}

int result_read(struct tx *tx, const struct cj *c, const struct result_rules *rules,
		struct result *ret)
{
	enum result_form form;
	const char *version;
	struct result r;
	struct cj dns;

	result_init(&r, &tx->mem);
	if (!cj_present(c)) {
		*ret = r;
		return 0;
	}
	version = cj_str(c, "cniVersion", "");
	if (!*version)
		version = version_or_oldest(rules->def_version);
	TRY(cj_ok_as(tx, c, rules->code));
	TRY(check_version(tx, version, rules));
	form = result_form(version);
	if (form == RESULT_BLOCKS) {
		read_block(&r, c, "ip4");
		read_block(&r, c, "ip6");
	} else {
		read_lists(&r, c, form == RESULT_MODERN);
	}
	dns = cj_obj(c, "dns");
	r.dns = result_read_dns(&tx->mem, &dns);
	TRY(cj_ok_as(tx, c, rules->code));
	*ret = r;
	return 0;
}
