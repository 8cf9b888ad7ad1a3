// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netavark_create.c - `cplug create`: completes a new network
 *
 * podman leaves to the driver what its user did not name: subnets, gateways, the interface.  A
 * subnet that is chosen here overlaps no route of the host and no other network of podman's.  It is
 * in 10.128.0.0/9, which podman's own driver uses last, and begins where a hash of the network's id
 * says, because networks of other programs may not have a route yet.
 */
#include <fcntl.h>
#include <jansson.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cnitool/errctx.h"
#include "cnitool/lint.h"
#include "cnitool/netavark_impl.h"
#include "cnitool/netconf.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "sys/file.h"
#include "value/name.h"
#include "value/json_make.h"

enum { FILE_MAX = 1 << 20, POOL = 1 << 15 /* networks /24 in 10.128.0.0/9 */ };

/* Prefixes that are taken. */
struct taken {
	struct mem *m;
	struct cidr *v;
	unsigned n;
};

static void take(struct taken *t, struct cidr c)
{
	t->v = mem_grow(t->m, t->v, t->n, sizeof(*t->v));
	t->v[t->n++] = c;
}

/* NULL: the prefix is free. */
static const struct cidr *find_taken(const struct taken *t, struct cidr c)
{
	for (unsigned i = 0; i < t->n; i++)
		if (cidr_overlaps(t->v[i], c))
			return &t->v[i];
	return NULL;
}

/* ---- what is taken ---- */

/*
 * The host's routes, without default routes and those through the network's own bridge.  A subnet
 * that the user names may lie in a prefix that is routed elsewhere, but not on a link of the host.
 */
static int take_routes(struct tx *tx, const char *bridge, bool connected, struct taken *t)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int own = bridge ? link_here_try(bridge) : 0;
	struct rt rt = { .sk = NULL };
	int r = rt_open(tx, &rt, "host", NULL);

	for (unsigned i = 0; r == 0 && i < ARRAY_LEN(families); i++) {
		const struct route_filter filter = { .family = families[i],
						     .table = RT_TABLE_MAIN };
		struct route_list list = { .n = 0 };

		r = route_list(tx, &rt, &filter, &list);
		for (unsigned k = 0; r == 0 && k < list.n; k++) {
			const struct route *o = &list.r[k];

			if (o->dst.len && (own <= 0 || o->link != own) &&
			    (!connected || o->protocol == RTPROT_KERNEL) &&
			    !ip_is_linklocal(o->dst.ip))
				take(t, o->dst);
		}
	}
	rt_close(&rt);
	return r;
}

static void take_file(const char *path, struct taken *t)
{
	struct file_text text;
	json_t *net, *e;
	struct cidr c;
	size_t i;

	if (file_read(t->m, AT_FDCWD, path, FILE_MAX, &text) < 0)
		return;
	net = json_loadb(text.s, text.size, 0, NULL);
	json_array_foreach (json_object_get(net, "subnets"), i, e) {
		const char *s = json_string_value(json_object_get(e, "subnet"));

		if (s && cidr_parse(s, &c))
			take(t, cidr_masked(c));
	}
	json_decref(net);
}

static void take_folder(const char *dir, struct taken *t)
{
	auto_(file_close_dir) DIR *d = opendir(dir);
	struct dirent *e;

	while (d && (e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');

		if (str_eq(dot, ".json"))
			take_file(mem_printf(t->m, "%s/%s", dir, e->d_name), t);
	}
}

/* podman's networks may have no bridge yet.  podman does not say where it keeps them. */
static void take_networks(struct taken *t)
{
	const char *home = secure_getenv("HOME");

	take_folder("/etc/containers/networks", t);
	if (!str_empty(home))
		take_folder(mem_printf(t->m, "%s/.local/share/containers/storage/networks", home),
			    t);
}

/* ---- choosing ---- */

static int add_subnet4(struct tx *tx, const struct taken *t, struct driver_network *n)
{
	uint8_t hash[SHA512_SIZE];
	unsigned start;

	sha512(n->id, strlen(n->id), hash);
	start = (unsigned)(hash[0] << 8 | hash[1]);
	for (unsigned i = 0; i < POOL; i++) {
		unsigned at = (start + i) % POOL;
		struct cidr c = { .ip = { .family = AF_INET }, .len = 24 };

		c.ip.b[0] = 10;
		c.ip.b[1] = (uint8_t)(128 + (at >> 8));
		c.ip.b[2] = (uint8_t)at;
		if (!find_taken(t, c)) {
			n->subnets[n->n_subnets++] = (struct driver_subnet){ .subnet = c };
			return 0;
		}
	}
	return tx_fail_as(tx, CPLUG_E_EXHAUSTED, -ENOSPC,
			  "no free subnet in 10.128.0.0/9: name one with --subnet");
}

/* A unique local prefix of its own (RFC 4193): fd, 40 bits of a hash, and subnet 0. */
static int add_subnet6(struct tx *tx, const struct taken *t, struct driver_network *n)
{
	struct cidr c = { .ip = { .family = AF_INET6 }, .len = 64 };
	uint8_t hash[SHA512_SIZE];

	sha512(n->id, strlen(n->id), hash);
	for (unsigned i = 2; i + 5 < sizeof(hash); i++) {
		c.ip.b[0] = 0xfd;
		memcpy(c.ip.b + 1, hash + i, 5);
		if (!find_taken(t, c)) {
			n->subnets[n->n_subnets++] = (struct driver_subnet){ .subnet = c };
			return 0;
		}
	}
	return tx_fail_as(tx, CPLUG_E_EXHAUSTED, -ENOSPC,
			  "no free IPv6 subnet: name one with --subnet");
}

static int count_family(const struct driver_network *n, int family)
{
	int count = 0;

	for (unsigned i = 0; i < n->n_subnets; i++)
		count += n->subnets[i].subnet.ip.family == family;
	return count;
}

/* As podman's driver: IPv4 if there is none, unless only IPv6 is named; IPv6 with --ipv6. */
static int choose_subnets(struct tx *tx, struct driver_network *n)
{
	bool v4 = !n->n_subnets, v6 = n->ipv6 && !count_family(n, AF_INET6);
	struct taken t = { .m = &tx->mem };

	if (!v4 && !v6)
		return 0;
	TRY(take_routes(tx, NULL, false, &t));
	take_networks(&t);
	if (v4)
		TRY(add_subnet4(tx, &t, n));
	if (v6)
		TRY(add_subnet6(tx, &t, n));
	return 0;
}

static int check_subnets(struct tx *tx, const struct driver_network *n)
{
	struct taken t = { .m = &tx->mem };

	if (!n->n_subnets || n->options.mode == MODE_MACVLAN)
		return 0;
	TRY(take_routes(tx, n->interface, true, &t));
	take_networks(&t);
	for (unsigned i = 0; i < n->n_subnets; i++) {
		const struct cidr *other = find_taken(&t, n->subnets[i].subnet);

		if (other)
			return tx_fail_as(tx, CNI_E_CONFIG, -EEXIST,
					  "subnets[%u].subnet: %s overlaps %s, which a link of the "
					  "host or another network of podman's has (choose another "
					  "with --subnet)",
					  i, CIDR_S(n->subnets[i].subnet), CIDR_S(*other));
	}
	return 0;
}

/* ---- the answer ---- */

static json_t *make_subnet(const struct driver_network *n, unsigned i)
{
	struct cj list = cj_list(&n->json, "subnets"), e;
	struct driver_subnet *s = &n->subnets[i];
	json_t *o = json_object();

	if (i < cj_len(&list)) {
		e = cj_at(&list, i);
		json_object_update(o, e.json);
	}
	if (!ip_set(s->gateway) && !n->internal)
		s->gateway = ip_add(s->subnet.ip, 1);
	json_object_set_new(o, "subnet", json_string(CIDR_S(s->subnet)));
	if (ip_set(s->gateway))
		json_object_set_new(o, "gateway", json_string(IP_S(s->gateway)));
	return o;
}

static void complete_json(struct mem *m, struct driver_network *n, bool named)
{
	struct cj servers = cj_list(&n->json, "network_dns_servers");
	json_t *o = n->json.json, *subnets = json_array();

	for (unsigned i = 0; i < n->n_subnets; i++)
		json_array_append_new(subnets, make_subnet(n, i));
	json_object_set_new(o, "subnets", subnets);
	if (n->options.mode == MODE_BRIDGE && !n->interface)
		n->interface = driver_bridge_name(m, n->id);
	/* It may be the text of the member that is replaced. */
	n->interface = mem_str(m, n->interface);
	if (n->interface)
		json_object_set_new(o, "network_interface", json_string(n->interface));
	if (count_family(n, AF_INET6))
		json_object_set_new(o, "ipv6_enabled", json_true());
	/* netavark starts aardvark-dns for its own drivers only. */
	if (!cj_len(&servers))
		json_object_set_new(o, "dns_enabled", json_false());
	if (!named)
		json_object_set_new(o, "ipam_options", json_make("driver", json_string(n->ipam)));
}

int driver_need_accepted(struct tx *tx, const struct plugin *const *plugins, const char *conf)
{
	struct lint l;

	lint_init(&l, tx, plugins);
	l.refusals = true;
	lint_file(&l, "the network", conf, strlen(conf));
	for (unsigned i = 0; i < l.n; i++) {
		const char *path = l.found[i].path, *dot = strrchr(path, '.');
		const char *option = driver_option_of(dot ? dot + 1 : path);

		if (l.found[i].warning)
			continue;
		if (option)
			path = mem_printf(&tx->mem, "options.%s", option);
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "%s: %s", path, l.found[i].text);
	}
	return 0;
}

/* As podman's own driver: a slip is told now, and not by each container. */
static int check_parent(struct tx *tx, const struct driver_network *n)
{
	if (n->options.mode != MODE_MACVLAN || !n->interface || link_here_try(n->interface) > 0)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
			  "network_interface: there is no interface %s on the host (ip link lists "
			  "them)",
			  n->interface);
}

static int complete(struct tool *t, struct driver_network *n)
{
	bool named = *n->ipam, macvlan = n->options.mode == MODE_MACVLAN;
	const struct netconf_source source = { .file = "the network" };
	struct netconf_source list = source;
	struct netconf net;

	TRY(check_subnets(t->tx, n));
	/* The addresses of a parent's network are given out by a DHCP server there. */
	if (!named && macvlan && !n->n_subnets)
		n->ipam = "dhcp";
	else if (!named)
		n->ipam = "host-local";
	if (str_eq(n->ipam, "host-local") && macvlan && !n->n_subnets)
		return tx_fail_as(t->tx, CNI_E_CONFIG, -EINVAL,
				  "subnets: missing: name the parent's subnet with --subnet, or "
				  "take --ipam-driver dhcp");
	if (str_eq(n->ipam, "host-local"))
		TRY(choose_subnets(t->tx, n));
	complete_json(&t->tx->mem, n, named);
	list.text = driver_network_conf(&t->tx->mem, n);
	list.size = strlen(list.text);
	TRY(netconf_read(t->tx, &list, &net));
	TRY(driver_need_accepted(t->tx, t->plugins, list.text));
	TRY(check_parent(t->tx, n));
	return tool_print(t, cj_dump(&t->tx->mem, &n->json));
}

int driver_create(struct tool *t, const struct cj *c)
{
	struct cj none;
	struct driver_network n;
	int r;

	cj_empty(&t->tx->mem, &none);
	driver_network_read(&t->tx->mem, c, &none, &n);
	r = cj_ok(t->tx, c);
	if (r == 0)
		r = complete(t, &n);
	driver_options_free(&n.options);
	return r;
}
