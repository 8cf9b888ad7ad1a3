// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_publish.c - publishes ports of an attachment that lives, and takes them back
 *
 * The capability argument portMappings is changed, and the plugins that read it repair what differs
 * from it: one transaction of nftables.  The cache is written afterwards, so it has only what a
 * command completed: after a kill in between, check --repair and restore put the ports back that it
 * has, and the same command may be repeated.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cni/conf.h"
#include "cnitool/attach.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "firewall/hostports.h"
#include "value/json_make.h"
#include "value/jw.h"

static const char key[] = "portMappings";

/* An attachment whose ports change. */
struct change {
	struct tool *t;
	struct netconf net;
	struct attachment a;
	struct cached c;
	unsigned plugin; /* one that publishes */
	struct port_mapping *maps;
	unsigned n;
};

/* ---- mappings ---- */

/* The mappings in capability arguments, as the plugin reads them. */
static int read_ports(struct change *h, const char *capability_args, struct port_mapping **ret,
		      unsigned *ret_n)
{
	const struct netconf_extra extra = { .capability_args = capability_args };
	struct tx *tx = h->t->tx;
	const char *text = netconf_request(&tx->mem, &h->net, h->plugin, &extra);
	struct hostports p;
	struct cj c;
	int r;

	TRY(cj_parse(tx, text, strlen(text), "port mappings", &c));
	p = hostports_read(&tx->mem, &c);
	r = cj_ok(tx, &c);
	cj_free(&c);
	*ret = p.maps;
	*ret_n = p.n;
	return r;
}

/* "127.0.0.1:8080/tcp"; any address of a family is 0.0.0.0 or [::]. */
static const char *host_ip_of(struct mem *m, const struct port_mapping *p)
{
	if (ip_set(p->host_ip))
		return mem_str(m, IP_S(p->host_ip));
	if (!p->family)
		return NULL;
	return p->family == AF_INET6 ? "::" : "0.0.0.0";
}

static json_t *mapping_json(struct mem *m, const struct port_mapping *p)
{
	const char *ip = host_ip_of(m, p);
	json_t *o = json_make("hostPort", json_integer(p->host), "containerPort",
			      json_integer(p->container), "protocol",
			      json_string(hostports_proto(p->proto)));

	if (p->host_end != p->host)
		json_object_set_new(o, "hostPortEnd", json_integer(p->host_end));
	if (ip)
		json_object_set_new(o, "hostIP", json_string(ip));
	return o;
}

static json_t *mappings_json(const struct change *h)
{
	json_t *list = h->n ? json_array() : NULL;

	for (unsigned i = 0; i < h->n; i++)
		json_array_append_new(list, mapping_json(&h->t->tx->mem, &h->maps[i]));
	return list;
}

static bool has_common_port(const struct port_mapping *a, const struct port_mapping *b)
{
	return a->proto == b->proto && a->host <= b->host_end && b->host <= a->host_end &&
	       ip_eq(a->host_ip, b->host_ip) &&
	       (!a->family || !b->family || a->family == b->family);
}

/* ---- what the operands ask for ---- */

static int read_new(struct change *h, struct port_mapping **ret, unsigned *ret_n)
{
	const struct words *w = &h->t->args;
	struct mem *m = &h->t->tx->mem;
	json_t *caps = json_object();
	const char *wrong = NULL, *text;
	unsigned i = 2;

	for (; i < w->n && !wrong; i++)
		wrong = caps_put_ports(m, w->v[i], caps);
	text = caps_set(m, NULL, key, json_incref(json_object_get(caps, key)));
	json_decref(caps);
	if (wrong)
		return tool_wrong_operand(h->t, w->v[i - 1], wrong);
	return read_ports(h, text, ret, ret_n);
}

static int add_mapping(struct change *h, const struct port_mapping *p)
{
	struct tx *tx = h->t->tx;

	for (unsigned i = 0; i < h->n; i++) {
		const struct port_mapping *old = &h->maps[i];

		if (!has_common_port(old, p))
			continue;
		/* The same again is not another target. */
		if (old->host <= p->host && old->container + (p->host - old->host) == p->container)
			return 0;
		return tx_fail_as(tx, CPLUG_E_PORT, -EADDRINUSE,
				  "publish: host port %s leads to port %u of this container "
				  "already (unpublish it first, or choose another port)",
				  hostports_text(&tx->mem, old), old->container);
	}
	h->maps = mem_grow(&tx->mem, h->maps, h->n, sizeof(*h->maps));
	h->maps[h->n++] = *p;
	return 0;
}

static int add_ports(struct change *h)
{
	struct port_mapping *added;
	unsigned n;

	TRY(read_new(h, &added, &n));
	for (unsigned i = 0; i < n; i++)
		TRY(add_mapping(h, &added[i]));
	return 0;
}

static bool is_named(const struct caps_published *q, const struct port_mapping *p)
{
	if (!str_eq(q->proto, hostports_proto(p->proto)) || q->first > p->host_end ||
	    p->host > q->last)
		return false;
	if (ip_is_any(q->ip))
		return !ip_set(p->host_ip) && p->family == q->ip.family;
	return !ip_set(q->ip) || ip_eq(q->ip, p->host_ip);
}

/* The end of a mapping that the operand names and that has the port; 0 = there is none. */
static unsigned published_until(const struct change *h, const struct caps_published *q,
				unsigned port)
{
	for (unsigned i = 0; i < h->n; i++)
		if (is_named(q, &h->maps[i]) && h->maps[i].host <= port &&
		    port <= h->maps[i].host_end)
			return h->maps[i].host_end;
	return 0;
}

static int fail_unpublished(struct change *h, const struct caps_published *q, unsigned port)
{
	struct tx *tx = h->t->tx;
	const char *where = "";

	if (q->ip.family)
		where = mem_printf(&tx->mem, "%s port ", IP_S(q->ip));
	return tx_fail_as(tx, CNI_E_FIELD, -ENOENT,
			  "unpublish: %s%u/%s is not published by %s on network \"%s\" (cnitool "
			  "inspect tells what is)",
			  where, port, q->proto, h->a.ifname, h->net.name);
}

/* Every port that the operand names must be published. */
static int need_published(struct change *h, const struct caps_published *q)
{
	for (unsigned port = q->first, end; port <= q->last; port = end + 1) {
		end = published_until(h, q, port);
		if (!end)
			return fail_unpublished(h, q, port);
	}
	return 0;
}

static int remove_ports(struct change *h, const char *text)
{
	struct tx *tx = h->t->tx;
	struct caps_published q;
	const char *wrong = caps_read_published(&tx->mem, text, &q);
	unsigned kept = 0;

	if (wrong)
		return tool_wrong_operand(h->t, text, wrong);
	TRY(need_published(h, &q));
	for (unsigned i = 0; i < h->n; i++) {
		const struct port_mapping *p = &h->maps[i];

		if (!is_named(&q, p))
			h->maps[kept++] = *p;
		else if (p->host < q.first || p->host_end > q.last)
			return tx_fail_as(tx, CNI_E_FIELD, -EINVAL,
					  "unpublish %s: it is part of %s, which can only be "
					  "unpublished as a whole",
					  text, hostports_text(&tx->mem, p));
	}
	h->n = kept;
	return 0;
}

/* ---- the change ---- */

/* The plugins that read the ports, which must be this program; h->plugin: the first. */
static int find_plugins(struct change *h)
{
	const struct netconf *n = &h->net;

	TRY(caps_need_ports(h->t->tx, h->t->verb->name, n));
	h->plugin = n->n_plugins;
	for (unsigned i = n->n_plugins; i-- > 0;) {
		if (!conf_declares(&n->plugins[i].conf, key))
			continue;
		if (!attach_plugin_is_ours(h->t, n, i))
			return tx_fail_as(h->t->tx, CPLUG_E_DELEGATE, -EOPNOTSUPP,
					  "the %s plugin of network \"%s\" is not cplug's, or of "
					  "another version: it cannot change ports",
					  n->plugins[i].type, n->name);
		h->plugin = i;
	}
	return 0;
}

/* A port leads to an address. */
static int need_address(struct change *h)
{
	struct result res;

	if (cache_read_result(h->t->tx, h->c.result, &res) == NULL && !res.n_ips)
		return tx_fail_as(h->t->tx, CNI_E_CONTAINER, -EADDRNOTAVAIL,
				  "%s has no address on network \"%s\", so no port can lead to it",
				  h->a.ifname, h->net.name);
	return 0;
}

static int find_attachment(struct tool *t, struct change *h)
{
	TRY(cmd_find_live(t, &h->net, &h->a, &h->c));
	TRY(find_plugins(h));
	TRY(need_address(h));
	return read_ports(h, h->c.capability_args, &h->maps, &h->n);
}

/* "{}" in place of nothing, for which the cached arguments would be taken. */
static int repair(struct change *h, const char *capability_args)
{
	struct repairs done = { .n = 0 };

	h->a.capability_args = capability_args ? capability_args : "{}";
	for (unsigned i = h->plugin; i < h->net.n_plugins; i++)
		if (conf_declares(&h->net.plugins[i].conf, key))
			TRY(attach_repair_plugin(h->t, &h->a, i, &done));
	return 0;
}

static int apply(struct change *h)
{
	struct tool *t = h->t;
	const char *before = h->c.capability_args;
	int r;

	h->c.capability_args = caps_set(&t->tx->mem, before, key, mappings_json(h));
	TRY(repair(h, h->c.capability_args));
	r = cache_write(t->tx, &t->cache, &h->c);
	if (r < 0)
		r = also(r, repair(h, before));
	return r;
}

static int print_ports(struct change *h)
{
	struct cache_key name = attachment_key(&h->a);
	json_t *list;
	char *text;
	struct jw w;

	if (!h->t->opt.json)
		return 0;
	tool_open_json(h->t, &w);
	tool_put_attachment(&w, &name, h->a.netns);
	list = mappings_json(h);
	text = json_dumps(list, JSON_COMPACT);
	jw_raw(&w, key, text ? mem_str(&h->t->tx->mem, text) : "[]");
	free(text);
	json_decref(list);
	return tool_print_json(h->t, &w);
}

int cmd_publish(struct tool *t)
{
	struct change h = { .t = t };

	TRY(find_attachment(t, &h));
	TRY(add_ports(&h));
	TRY(apply(&h));
	return print_ports(&h);
}

int cmd_unpublish(struct tool *t)
{
	struct change h = { .t = t };

	TRY(find_attachment(t, &h));
	for (unsigned i = 2; i < t->args.n; i++)
		TRY(remove_ports(&h, t->args.v[i]));
	TRY(apply(&h));
	return print_ports(&h);
}
