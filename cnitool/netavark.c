// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netavark.c - create, setup, teardown, info: the commands of a netavark plugin
 *
 * setup and teardown are ADD and DEL of the list that a network becomes (netavark_network.c), with
 * the cache of cnitool, so that cnitool list, check, gc and restore see podman's containers.
 *
 * netavark passes the ports of a container to the driver of each of its networks.  The first
 * attachment publishes them; when it ends before the container does, the next one takes over.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cni/version.h"
#include "cnitool/attach.h"
#include "cnitool/errctx.h"
#include "cnitool/netavark.h"
#include "cnitool/netavark_impl.h"
#include "cnitool/netconf.h"
#include "cnitool/target.h"
#include "value/jw.h"
#include "value/name.h"
#include "value/json_make.h"

enum { STDIN_MAX = 8 << 20, PORTS_MAX = 16384, PROTOCOLS_MAX = 12, IPS_MAX = 256 };

/* What netavark sends to setup and teardown (src/network/types.rs, NetworkPluginExec). */
struct request {
	struct driver_network net;
	struct netconf conf;
	struct attachment a;
	struct cj json;
	const char *ports; /* JSON list; NULL = none */
};

/* ---- reading ---- */

static int read_document(struct tool *t, struct cj *ret)
{
	struct file_text text;

	TRY(tool_read_stdin(t, STDIN_MAX, &text));
	return cj_parse(t->tx, text.s, text.size, "input", ret);
}

/* A mapping for each protocol, of as many ports as its range says. */
static void add_ports(const struct cj *c, json_t *list)
{
	int64_t range = cj_int(c, "range", 1, 0, PORTS_MAX);
	int64_t host = cj_int(c, "host_port", 0, 1, 65535);
	int64_t cont = cj_int(c, "container_port", 0, 1, 65535);
	const char *s = cj_str(c, "protocol", ""), *ip = cj_str(c, "host_ip", "");
	int64_t more = range > 1 ? range - 1 : 0;

	if (!cj_has(c, "host_port") || !cj_has(c, "container_port"))
		cj_wrong(c, NULL, "host_port and container_port are needed");
	if (host + more > 65535 || cont + more > 65535)
		cj_wrong(c, "range", "%d ports end above 65535", (int)range);
	(void)cj_ip(c, "host_ip");
	if (strlen(s) > PROTOCOLS_MAX) {
		cj_wrong(c, "protocol", "expected tcp, udp, sctp, or some of them with commas");
		return;
	}
	do {
		size_t n = strcspn(s, ",");
		json_t *e =
			json_make("hostPort", json_integer(host), "hostPortEnd",
				  json_integer(host + more), "containerPort", json_integer(cont));

		json_object_set_new(e, "protocol", n ? json_stringn(s, n) : json_string("tcp"));
		if (*ip)
			json_object_set_new(e, "hostIP", json_string(ip));
		json_array_append_new(list, e);
		s += n + (s[n] == ',');
	} while (*s);
}

static void check_protocols(const struct cj *c, json_t *list)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		const char *p = json_string_value(json_object_get(e, "protocol"));

		if (!str_eq(p, "tcp") && !str_eq(p, "udp") && !str_eq(p, "sctp"))
			cj_wrong(c, "port_mappings", "expected tcp, udp or sctp, got \"%.20s\"",
				 p ? p : "");
	}
}

/* Takes the tree over. */
static const char *dump(struct mem *m, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	const char *copy = mem_str(m, text);

	free(text);
	json_decref(json);
	return copy;
}

static const char *read_ports(struct mem *m, const struct cj *c, const struct driver_network *n)
{
	struct cj ports = cj_list(c, "port_mappings");
	json_t *list = json_array();

	for (unsigned i = 0, len = cj_len_max(&ports, PORTS_MAX); i < len; i++) {
		struct cj e = cj_at(&ports, i);

		add_ports(&e, list);
	}
	check_protocols(c, list);
	/* As netavark's drivers: where the host does not route, nothing is published. */
	if (json_array_size(list) && n->options.mode == MODE_BRIDGE && n->n_subnets && !n->internal)
		return dump(m, list);
	json_decref(list);
	return NULL;
}

/* Is the address the container's to have? */
static void check_ip(const struct cj *c, const struct driver_network *n, struct ip ip)
{
	for (unsigned i = 0; i < n->n_subnets; i++) {
		const struct driver_subnet *s = &n->subnets[i];

		if (!cidr_contains(s->subnet, ip))
			continue;
		if (ip_eq(ip, s->gateway))
			cj_wrong(c, NULL, "%s is the gateway of network %s", IP_S(ip), n->name);
		return;
	}
	cj_wrong(c, NULL, "%s is in no subnet of network %s", IP_S(ip), n->name);
}

static void read_ips(struct mem *m, const struct cj *o, struct driver_network *n)
{
	struct cj list = cj_list(o, "static_ips");
	unsigned len = cj_len_max(&list, IPS_MAX);

	n->ips = mem_alloc(m, (len + 1) * sizeof(*n->ips));
	for (unsigned i = 0; i < len; i++) {
		struct cj e = cj_at(&list, i);
		struct ip ip = cj_as_ip(&e);

		if (!ip_set(ip))
			continue;
		check_ip(&e, n, ip);
		n->ips[n->n_ips++] = ip;
	}
}

/* The capability arguments: a MAC address, and addresses for host-local. */
static const char *read_statics(struct mem *m, const struct cj *o, struct driver_network *n)
{
	struct mac mac = cj_mac(o, "static_mac");
	json_t *caps = json_object(), *ips = json_array();

	read_ips(m, o, n);
	for (unsigned i = 0; i < n->n_ips; i++)
		json_array_append_new(ips, json_string(IP_S(n->ips[i])));
	json_object_set_new(caps, "ips", ips);
	if (mac.len)
		json_object_set_new(caps, "mac", json_string(MAC_S(mac)));
	return dump(m, caps);
}

static const char *read_id(const struct cj *c)
{
	const char *id = cj_str(c, "container_id", "");

	if (!name_valid_id(id))
		cj_wrong(c, "container_id", "\"%.60s\" is no container id", id);
	return id;
}

static const char *read_ifname(const struct cj *o)
{
	const char *s = cj_str(o, "interface_name", ""), *why = name_invalid_ifname(s);

	if (why)
		cj_wrong(o, "interface_name", "%s", why);
	return s;
}

static void read_members(struct tool *t, struct request *q)
{
	struct cj *c = &q->json;
	struct cj net = cj_obj(c, "network"), options = cj_obj(c, "network_options");
	struct cj own = cj_obj(&options, "options");
	struct mem *m = &t->tx->mem;

	/* The cursors of net's members refer to it. */
	driver_network_read(m, mem_dup(m, &net, sizeof(net)), &own, &q->net);
	q->a = (struct attachment){
		.net = &q->conf,
		.id = read_id(c),
		.ifname = read_ifname(&options),
		.netns = target_path(m, t->args.v[0]),
	};
	q->ports = read_ports(m, c, &q->net);
	q->a.capability_args = read_statics(m, &options, &q->net);
}

static int read_request(struct tool *t, struct request *q)
{
	struct netconf_source source = { .file = "the network" };

	TRY(read_document(t, &q->json));
	read_members(t, q);
	TRY(cj_ok(t->tx, &q->json));
	source.text = driver_network_conf(&t->tx->mem, &q->net);
	source.size = strlen(source.text);
	TRY(netconf_read(t->tx, &source, &q->conf));
	return cache_lock(t->tx, &t->cache, false);
}

/* ---- ports ---- */

static const char *with_ports(struct mem *m, const char *caps, const char *ports)
{
	json_t *all = json_loads(caps ? caps : "{}", 0, NULL);

	json_object_set_new(all, "portMappings", json_loads(ports, 0, NULL));
	return dump(m, all);
}

static bool has_ports(const struct cached *c)
{
	return c->capability_args && strstr(c->capability_args, "\"portMappings\"");
}

/* Another attachment of the container: the one that has published its ports, or any other. */
static int find_other(struct tool *t, const struct request *q, bool published, struct cached *ret)
{
	struct cached *all;
	unsigned n;

	TRY(cache_all(t->tx, &t->cache, NULL, &all, &n));
	for (unsigned i = 0; i < n; i++) {
		struct cached c = all[i];

		if (!str_eq(c.id, q->a.id) ||
		    (str_eq(c.network, q->conf.name) && str_eq(c.ifname, q->a.ifname)))
			continue;
		if (c.partial)
			TRY(cache_load(t->tx, &all[i], &c));
		if (published != has_ports(&c) || !target_lives(t->tx, c.netns, &c.nsid))
			continue;
		*ret = c;
		return 1;
	}
	return 0;
}

/* Can the attachment's network publish ports?  Its first plugin declares it. */
static bool can_publish(const struct netconf *n)
{
	return netconf_declares(n, "portMappings");
}

/* Publishes the ports for another attachment, whose bridge plugin repairs what is missing. */
static int give_ports(struct tool *t, const struct request *q, struct cached *c)
{
	struct repairs done = { .n = 0 };
	struct netconf net;
	struct attachment a = { &net, c->id, c->ifname, c->netns, c->args, NULL };
	const char *before = c->capability_args;
	int r;

	TRY(netconf_read_cached(t->tx, NULL, c->config, c->config_size, &net));
	if (!can_publish(&net))
		return 0;
	a.capability_args = c->capability_args = with_ports(&t->tx->mem, before, q->ports);
	TRY(cache_write(t->tx, &t->cache, c));
	r = attach_repair_plugin(t, &a, 0, &done);
	if (r == 0)
		return 0;
	c->capability_args = before;
	return also(r, cache_write(t->tx, &t->cache, c));
}

/* The container may go on with its other networks. */
static void move_ports(struct tool *t, const struct request *q)
{
	struct errctx m = errctx_mark(t->tx);
	struct cached c;
	int r;

	r = find_other(t, q, true, &c);
	if (r == 0)
		r = find_other(t, q, false, &c);
	else if (r > 0)
		return;
	if (r > 0)
		r = give_ports(t, q, &c);
	if (r < 0)
		log_warn("%s (the ports of %s are not published any more)", errctx_take(t->tx, m),
			 q->a.id);
}

/* ---- the answer ---- */

static void put_texts(struct jw *w, const char *const *v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		jw_str(w, NULL, v[i]);
}

static void put_dns(struct jw *w, const struct request *q, const struct result *res)
{
	struct cj servers = cj_list(&q->net.json, "network_dns_servers");
	json_t *search = json_object_get(q->net.options.parts[PART_DRIVER], "search");

	jw_open(w, "dns_search_domains", '[');
	for (size_t i = 0; i < json_array_size(search); i++)
		jw_str(w, NULL, json_string_value(json_array_get(search, i)));
	put_texts(w, res->dns.search, res->dns.n_search);
	jw_close(w, ']');
	jw_open(w, "dns_server_ips", '[');
	for (unsigned i = 0, n = cj_len(&servers); i < n; i++) {
		struct cj s = cj_at(&servers, i);

		if (ip_set(cj_as_ip(&s)))
			jw_str(w, NULL, IP_S(cj_as_ip(&s)));
	}
	put_texts(w, res->dns.nameservers, res->dns.n_nameservers);
	jw_close(w, ']');
}

/* The StatusBlock (src/network/types.rs). */
static const char *status_block(struct tool *t, const struct request *q, const struct result *res)
{
	int i = result_find_if(res, q->a.ifname, true);
	struct jw w;

	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '{');
	put_dns(&w, q, res);
	jw_open(&w, "interfaces", '{');
	jw_open(&w, q->a.ifname, '{');
	jw_str(&w, "mac_address", i >= 0 && res->ifs[i].mac ? res->ifs[i].mac : "");
	jw_open(&w, "subnets", '[');
	for (unsigned k = 0; k < res->n_ips; k++) {
		jw_open(&w, NULL, '{');
		jw_str(&w, "ipnet", CIDR_S(res->ips[k].addr));
		if (ip_set(res->ips[k].gateway) && !q->net.internal)
			jw_str(&w, "gateway", IP_S(res->ips[k].gateway));
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	jw_close(&w, '}');
	jw_close(&w, '}');
	jw_close(&w, '}');
	return jw_end(&w);
}

/* ---- commands ---- */

static int print_info(struct tool *t)
{
	struct jw w;

	tool_open_json(t, &w);
	jw_str(&w, "version", cplug_version);
	jw_str(&w, "api_version", "1.0.0");
	return tool_print_json(t, &w);
}

static int create(struct tool *t)
{
	struct cj c;

	TRY(read_document(t, &c));
	return driver_create(t, &c);
}

static int add_and_answer(struct tool *t, struct request *q)
{
	const char *text, *why;
	struct result res;
	int r;

	TRY(attach_add(t, &q->a, &text));
	why = cache_read_result(t->tx, text, &res);
	if (why)
		r = tx_fail_as(t->tx, CNI_E_DECODE, -EINVAL, "%s", why);
	else
		r = tool_print(t, status_block(t, q, &res));
	if (r < 0 && attach_undo(t, &q->a) < 0)
		log_step("undoing the ADD failed as well");
	t->unfinished = NULL;
	return r;
}

/* In the arena, because its JSON trees live as long as the process. */
static struct request *new_request(struct tool *t)
{
	return mem_alloc(&t->tx->mem, sizeof(struct request));
}

static int setup(struct tool *t)
{
	struct request *q = new_request(t);
	const char *new_bridge;
	struct cached other;
	int found = 0, r;

	TRY(read_request(t, q));
	new_bridge = driver_new_bridge(t, &q->net);
	if (q->ports)
		TRY(found = find_other(t, q, true, &other));
	if (q->ports && !found)
		q->a.capability_args = with_ports(&t->tx->mem, q->a.capability_args, q->ports);
	r = add_and_answer(t, q);
	if (r < 0)
		driver_collect(t, &q->conf, new_bridge);
	return r;
}

/* The configuration at the time of setup: podman's file may have changed. */
static int use_cached_conf(struct tool *t, struct request *q)
{
	struct cache_key key = attachment_key(&q->a);
	struct errctx m = errctx_mark(t->tx);
	struct netconf conf;
	struct cached c;
	int r = cache_read(t->tx, &t->cache, &key, &c);

	if (r == 1 && c.config) {
		r = netconf_read_cached(t->tx, NULL, c.config, c.config_size, &conf);
		if (r == 0)
			q->conf = conf;
	}
	if (r < 0)
		log_warn("%s (the network as it is now is used)", errctx_take(t->tx, m));
	return 0;
}

static int teardown(struct tool *t)
{
	struct request *q = new_request(t);

	TRY(read_request(t, q));
	TRY(use_cached_conf(t, q));
	q->a.capability_args = NULL; /* those of the cache */
	TRY(attach_del(t, &q->a));
	if (q->ports)
		move_ports(t, q);
	driver_collect(t, &q->conf, NULL);
	return 0;
}

static const struct verb commands[] = {
	{ "create", "", "", V_DRIVER, 0, 0, false, create, "" },
	{ "setup", "NETNS", "", V_DRIVER, 1, 1, false, setup, "" },
	{ "teardown", "NETNS", "", V_DRIVER, 1, 1, false, teardown, "" },
	{ "info", "", "", V_DRIVER, 0, 0, false, print_info, "" },
};

static const struct verb *find_command(const char *word)
{
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
		if (str_eq(commands[i].name, word))
			return &commands[i];
	return NULL;
}

bool netavark_has(const char *word)
{
	return find_command(word) != NULL;
}

int netavark_main(const struct plugin *const *plugins, int argc, char **argv)
{
	return cnitool_driver(plugins, find_command(argv[1]), argc, argv);
}
