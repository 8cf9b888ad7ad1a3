// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netavark_network.c - a network of podman's as a network configuration list
 *
 * A bridge network becomes bridge, firewall, and bandwidth if a rate is given; a macvlan network
 * becomes macvlan and bandwidth.  podman's user writes each value, so that a value which could
 * become a path, a name or a route is checked before it is used.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cnitool/netavark_impl.h"
#include "value/name.h"
#include "value/json_make.h"

/* netavark's metric of default routes (src/network/constants.rs). */
enum { METRIC = 100, SUBNETS_MAX = 64 };

/* ---- reading ---- */

static const char *read_name(const struct cj *c, const char *key)
{
	const char *s = cj_str(c, key, "");

	if (!name_valid_id(s))
		cj_wrong(c, key, "expected letters, digits, '_', '.' and '-', got \"%.60s\"", s);
	return s;
}

static const char *read_interface(const struct cj *c)
{
	const char *s = cj_str(c, "network_interface", ""), *why = *s ? name_invalid_ifname(s) : "";

	if (*s && why)
		cj_wrong(c, "network_interface", "%s", why);
	return *s ? s : NULL;
}

static const char *read_ipam(const struct cj *c)
{
	static const char *const drivers[] = { "host-local", "dhcp", "none" };
	struct cj o = cj_obj(c, "ipam_options");
	int i;

	for (struct cj it = cj_first(&o); it.json; it = cj_next(&it))
		if (!str_eq(it.key, "driver"))
			cj_wrong(&it, NULL, "is no option of IPAM, which has driver");
	i = cj_enum(&o, "driver", -1, drivers, ARRAY_LEN(drivers));
	if (i < 0)
		return "";
	return drivers[i];
}

static struct ip read_inside(const struct cj *c, const char *key, struct cidr subnet)
{
	struct ip ip = cj_ip(c, key);

	if (ip_set(ip) && subnet.len && !cidr_contains(subnet, ip))
		cj_wrong(c, key, "%s is not in the subnet %s", IP_S(ip), CIDR_S(subnet));
	return ip;
}

static struct driver_subnet read_subnet(const struct cj *c)
{
	struct cj range = cj_obj(c, "lease_range");
	struct cidr subnet = cidr_masked(cj_cidr(c, "subnet"));

	if (!cj_has(c, "subnet"))
		cj_wrong(c, "subnet", "missing");
	else if (ip_set(subnet.ip) && (!subnet.len || subnet.len + 2 > ip_bits(subnet.ip)))
		cj_wrong(c, "subnet", "%s has no room for containers: take at most /%u",
			 CIDR_S(subnet), ip_bits(subnet.ip) - 2);
	return (struct driver_subnet){
		.subnet = subnet,
		.gateway = read_inside(c, "gateway", subnet),
		.first = read_inside(&range, "start_ip", subnet),
		.last = read_inside(&range, "end_ip", subnet),
	};
}

static void read_subnets(struct mem *m, const struct cj *c, struct driver_network *n)
{
	struct cj list = cj_list(c, "subnets");
	unsigned len = cj_len_max(&list, SUBNETS_MAX);

	n->subnets = mem_alloc(m, (len + 2) * sizeof(*n->subnets)); /* two more: create */
	for (unsigned i = 0; i < len; i++) {
		struct cj e = cj_at(&list, i);
		struct driver_subnet s = read_subnet(&e);

		for (unsigned k = 0; k < n->n_subnets; k++)
			if (ip_set(s.subnet.ip) && cidr_overlaps(s.subnet, n->subnets[k].subnet))
				cj_wrong(&e, "subnet", "%s overlaps %s", CIDR_S(s.subnet),
					 CIDR_S(n->subnets[k].subnet));
		n->subnets[n->n_subnets++] = s;
	}
	if (n->n_subnets && (str_eq(n->ipam, "dhcp") || str_eq(n->ipam, "none")))
		cj_wrong(c, "subnets", "no subnet belongs to the IPAM driver %s", n->ipam);
}

static void check_routes(const struct cj *c)
{
	struct cj list = cj_list(c, "routes");

	for (unsigned i = 0, len = cj_len_max(&list, SUBNETS_MAX); i < len; i++) {
		struct cj e = cj_at(&list, i);
		const char *type = cj_str(&e, "route_type", "unicast");

		if (!ip_set(cj_cidr(&e, "destination").ip))
			cj_wrong(&e, "destination", "expected a prefix, like 10.1.0.0/24");
		if (!str_eq(type, "unicast"))
			cj_wrong(&e, "route_type", "only unicast routes can be made, got \"%.60s\"",
				 type);
		(void)cj_ip(&e, "gateway");
		(void)cj_int(&e, "metric", 0, 0, UINT32_MAX);
	}
}

/* The parent is network_interface or the option parent. */
static void join_parent(const struct cj *c, struct driver_network *n)
{
	json_t *main = n->options.parts[PART_MAIN];
	const char *parent = json_string_value(json_object_get(main, "master"));

	if (parent && n->interface && !str_eq(parent, n->interface))
		cj_wrong(c, "network_interface", "%s and the option parent (%s) differ",
			 n->interface, parent);
	if (parent)
		n->interface = parent;
}

void driver_network_read(struct mem *m, const struct cj *c, const struct cj *container,
			 struct driver_network *ret)
{
	struct cj options = cj_obj(c, "options");

	*ret = (struct driver_network){
		.name = read_name(c, "name"),
		.id = read_name(c, "id"),
		.interface = read_interface(c),
		.ipam = read_ipam(c),
		.internal = cj_bool(c, "internal", false),
		.ipv6 = cj_bool(c, "ipv6_enabled", false),
		.json = *c,
	};
	driver_options_read(&options, container, &ret->options);
	read_subnets(m, c, ret);
	check_routes(c);
	join_parent(c, ret);
}

/* ---- the configuration list ---- */

static void put_ip(json_t *o, const char *key, struct ip ip)
{
	if (ip_set(ip))
		json_object_set_new(o, key, json_string(IP_S(ip)));
}

static json_t *make_range(const struct driver_subnet *s)
{
	json_t *o = json_make("subnet", json_string(CIDR_S(s->subnet)));

	put_ip(o, "gateway", s->gateway);
	put_ip(o, "rangeStart", s->first);
	put_ip(o, "rangeEnd", s->last);
	return o;
}

static bool has_family(const struct driver_network *n, int family)
{
	for (unsigned i = 0; i < n->n_subnets; i++)
		if (n->subnets[i].subnet.ip.family == family)
			return true;
	return false;
}

static json_t *make_route(const char *dst, int64_t priority)
{
	return json_make("dst", json_string(dst), "priority", json_integer(priority));
}

static json_t *make_routes(const struct driver_network *n)
{
	json_t *routes = json_array(), *driver = n->options.parts[PART_DRIVER];
	json_t *metric = json_object_get(driver, "metric");
	int64_t priority = metric ? json_integer_value(metric) : METRIC;
	bool none = n->internal || json_is_true(json_object_get(driver, "noDefaultRoute"));
	struct cj list = cj_list(&n->json, "routes");

	if (!none && has_family(n, AF_INET))
		json_array_append_new(routes, make_route("0.0.0.0/0", priority));
	if (!none && has_family(n, AF_INET6))
		json_array_append_new(routes, make_route("::/0", priority));
	for (unsigned i = 0, len = cj_len_max(&list, SUBNETS_MAX); i < len; i++) {
		struct cj e = cj_at(&list, i);
		struct cidr dst = cidr_masked(cj_cidr(&e, "destination"));
		json_t *o = make_route(CIDR_S(dst), cj_int(&e, "metric", METRIC, 0, UINT32_MAX));

		put_ip(o, "gw", cj_ip(&e, "gateway"));
		json_array_append_new(routes, o);
	}
	return routes;
}

/* The addresses in a subnet, added to list; false: there are none. */
static bool add_addresses(const struct driver_network *n, const struct driver_subnet *s,
			  json_t *list)
{
	bool any = false;

	for (unsigned i = 0; i < n->n_ips; i++) {
		struct cidr c = { n->ips[i], s->subnet.len };
		json_t *o;

		if (!cidr_contains(s->subnet, n->ips[i]))
			continue;
		o = json_make("address", json_string(CIDR_S(c)));
		put_ip(o, "gateway", s->gateway);
		json_array_append_new(list, o);
		any = true;
	}
	return any;
}

/* The addresses that podman has leased; NULL: not one in each subnet. */
static json_t *make_static(const struct driver_network *n)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < n->n_subnets; i++)
		if (!add_addresses(n, &n->subnets[i], list)) {
			json_decref(list);
			return NULL;
		}
	return json_make("type", json_string("static"), "addresses", list, "routes",
			 make_routes(n));
}

/* NULL: the network has no addresses. */
static json_t *make_ipam(const struct driver_network *n)
{
	json_t *ranges, *fixed;

	if (str_eq(n->ipam, "dhcp"))
		return json_make("type", json_string("dhcp"));
	if (!n->n_subnets)
		return NULL;
	fixed = make_static(n);
	if (fixed)
		return fixed;
	ranges = json_array();
	for (unsigned i = 0; i < n->n_subnets; i++)
		json_array_append_new(ranges, json_make_list(make_range(&n->subnets[i])));
	return json_make("type", json_string("host-local"), "ranges", ranges, "routes",
			 make_routes(n));
}

const char *driver_bridge_name(struct mem *m, const char *id)
{
	char name[16];

	name_hash(name, 10, "cp", id);
	return mem_str(m, name);
}

static void add_bridge(struct mem *m, json_t *main, const struct driver_network *n)
{
	const char *bridge = n->interface ? n->interface : driver_bridge_name(m, n->id);
	bool routed = n->n_subnets && !n->internal;

	json_object_set_new(main, "bridge", json_string(bridge));
	json_object_set_new(main, "isGateway", json_boolean(routed));
	if (!routed || !json_object_get(main, "ipMasq"))
		json_object_set_new(main, "ipMasq", json_boolean(routed));
}

static json_t *make_main(struct mem *m, const struct driver_network *n)
{
	json_t *main = json_copy(n->options.parts[PART_MAIN]), *ipam = make_ipam(n);
	bool macvlan = n->options.mode == MODE_MACVLAN;
	bool leased = str_eq(json_string_value(json_object_get(ipam, "type")), "host-local");

	json_object_set_new(main, "type", json_string(macvlan ? "macvlan" : "bridge"));
	if (!macvlan)
		add_bridge(m, main, n);
	else if (n->interface)
		json_object_set_new(main, "master", json_string(n->interface));
	json_object_set_new(main, "capabilities",
			    json_make("mac", json_true(), "ips", json_boolean(leased),
				      "portMappings", json_boolean(!macvlan && !n->internal)));
	if (ipam)
		json_object_set_new(main, "ipam", ipam);
	return main;
}

static void append_plugin(json_t *plugins, json_t *conf, const char *type)
{
	json_t *o = json_copy(conf);

	json_object_set_new(o, "type", json_string(type));
	json_array_append_new(plugins, o);
}

const char *driver_network_conf(struct mem *m, const struct driver_network *n)
{
	json_t *const *parts = n->options.parts;
	json_t *plugins = json_array(), *list;
	const char *copy;
	char *text;

	json_array_append_new(plugins, make_main(m, n));
	if (n->options.mode == MODE_BRIDGE && n->n_subnets)
		append_plugin(plugins, parts[PART_FIREWALL], "firewall");
	if (json_object_size(parts[PART_BANDWIDTH]))
		append_plugin(plugins, parts[PART_BANDWIDTH], "bandwidth");
	/* /etc/cni/net.d is not podman's. */
	list = json_make("cniVersion", json_string("1.1.0"), "name", json_string(n->name),
			 "loadOnlyInlinedPlugins", json_true(), "plugins", plugins);
	text = json_dumps(list, JSON_COMPACT);
	copy = mem_str(m, text);
	free(text);
	json_decref(list);
	return copy;
}
