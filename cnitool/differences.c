// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * differences.c - what a network's configuration does not do as with the reference plugins
 *
 * A configuration that runs with the reference is valid there.  So a value that a reader of ours
 * refuses (lint.h) is a difference.  The others are in a table, and documented in docs/config.
 */
#include "cnitool/differences.h"

#include "cnitool/lint.h"

/* A key, below the plugin's object, that means something else. */
struct rule {
	const char *types; /* " bridge ptp " */
	const char *path;  /* "capabilities.portMappings" */
	const char *value; /* a word, or "true"; "" = the key is missing; NULL = it is there */
	bool note;
	const char *text;
};

#define TABLE "of nftables, not in chains of iptables (nft list table inet cplug)"

static const struct rule rules[] = {
	{ " bridge ptp ", "ipMasqBackend", "iptables", false,
	  "cplug never runs iptables: the rules are in table inet cplug " TABLE },
	{ " bridge ptp ", "ipMasq", "true", true, "the rules are in table inet cplug " TABLE },
	{ " bridge ", "macspoofchk", "true", true,
	  "the rules are in table bridge cplug of nftables, not in table bridge nat" },
	{ " portmap ", "backend", "iptables", false,
	  "cplug never runs iptables: the rules are in table inet cplug " TABLE },
	{ " portmap ", "capabilities.portMappings", "true", true,
	  "the rules are in table inet cplug " TABLE
	  "; a host port that another container has is an error" },
	{ " portmap ", "markMasqBit", "", true,
	  "no packet gets the mark 0x2000 (set it to 13 if other rules match that mark)" },
	{ " portmap ", "externalSetMarkChain", NULL, false,
	  "the chain is looked for in table inet cplug of nftables (make it there before the "
	  "first ADD)" },
	{ " firewall ", "backend", "", true,
	  "cplug takes the backend that makes the traffic pass, nftables by default; rules of "
	  "your own for all containers belong into the administrator's chain of table inet "
	  "cplug-firewall (set it to \"iptables\" to keep CNI-ADMIN of iptables)" },
	{ " firewall ", "ingressPolicy", "isolated", true,
	  "the isolation ends with the last attachment, and needs no br_netfilter" },
	{ " bandwidth ", "", "", true,
	  "CHECK misses the queue in attachments of the reference (cnitool restore makes it)" },
	{ " tap ", "owner", NULL, true, "mtu and mac have an effect beside owner and group, too" },
};

void differences_add(struct differences *d, const struct difference *one)
{
	d->v = mem_grow(&d->tx->mem, d->v, d->n, sizeof(*d->v));
	d->v[d->n++] = *one;
	d->n_notes += one->note;
}

static void add_difference(struct differences *d, const struct netconf *n, const char *path,
			   bool note, const char *text)
{
	differences_add(d, &(struct difference){ n->name, path, note, text });
}

static bool applies(const struct rule *r, struct mem *mem, const struct cj *conf)
{
	const char *dot = strchr(r->path, '.'), *key = r->path;
	struct cj c = *conf, v;

	if (dot) {
		c = cj_any(conf, mem_printf(mem, "%.*s", (int)(dot - key), key));
		key = dot + 1;
	}
	if (!cj_is_object(&c))
		return r->value && !*r->value;
	v = cj_any(&c, key);
	if (!r->value)
		return cj_present(&v);
	if (str_eq(r->value, "true"))
		return cj_is_bool(&v) && cj_as_bool(&v, false);
	if (*r->value)
		return cj_is_word(&v, r->value);
	return !cj_present(&v);
}

static const char *path_of(struct mem *mem, unsigned plugin, const char *key)
{
	if (!*key)
		return mem_printf(mem, "plugins[%u]", plugin);
	return mem_printf(mem, "plugins[%u].%s", plugin, key);
}

/* The default MTU of a veth pair is the host's, there 1500. */
static void compare_mtu(struct differences *d, const struct netconf *n, unsigned plugin)
{
	struct cj mtu = cj_any(&n->plugins[plugin].conf, "mtu");

	if ((cj_present(&mtu) && !(cj_is_int(&mtu) && !cj_as_int(&mtu, 0, INT64_MIN, INT64_MAX))) ||
	    !d->default_mtu || d->default_mtu == 1500)
		return;
	add_difference(
		d, n, path_of(&d->tx->mem, plugin, "mtu"), false,
		mem_printf(
			&d->tx->mem,
			"the default is that of the host's default route, %d, not 1500 (set it to "
			"1500 to keep that)",
			d->default_mtu));
}

static void compare_routes(struct differences *d, const struct netconf *n, unsigned plugin)
{
	struct cj ipam = cj_any(&n->plugins[plugin].conf, "ipam"), routes, route;
	struct mem *mem = &d->tx->mem;

	if (!cj_is_object(&ipam))
		return;
	routes = cj_any(&ipam, "routes");
	for (unsigned i = 0; cj_is_array(&routes) && i < cj_len(&routes); i++) {
		route = cj_at(&routes, i);
		if (cj_is_object(&route) && (cj_has(&route, "mtu") || cj_has(&route, "advmss")))
			add_difference(
				d, n, path_of(mem, plugin, mem_printf(mem, "ipam.routes[%u]", i)),
				false,
				"mtu and advmss have an effect, which the reference ignores");
	}
}

static void compare_plugin(struct differences *d, const struct netconf *n, unsigned i)
{
	const struct netconf_plugin *p = &n->plugins[i];
	struct mem *mem = &d->tx->mem;
	const char *type = mem_printf(mem, " %s ", p->type);

	if (!plugin_find(d->plugins, p->type)) {
		add_difference(d, n, path_of(mem, i, "type"), true,
			       mem_printf(mem,
					  "%s is not one of cplug's plugins (keep its executable)",
					  p->type));
		return;
	}
	for (unsigned k = 0; k < ARRAY_LEN(rules); k++)
		if (strstr(rules[k].types, type) && applies(&rules[k], mem, &p->conf))
			add_difference(d, n, path_of(mem, i, rules[k].path), rules[k].note,
				       rules[k].text);
	if (str_eq(p->type, "bridge") || str_eq(p->type, "ptp"))
		compare_mtu(d, n, i);
	compare_routes(d, n, i);
}

void differences_find(struct differences *d, const struct netconf *n)
{
	struct lint *l = mem_alloc(&d->tx->mem, sizeof(*l));

	lint_init(l, d->tx, d->plugins);
	l->refusals = true;
	lint_file(l, n->file, n->text, n->size);
	for (unsigned i = 0; i < l->n; i++)
		add_difference(
			d, n, l->found[i].path, false,
			mem_printf(&d->tx->mem, "cplug refuses the value: %s", l->found[i].text));
	for (unsigned i = 0; i < n->n_plugins; i++)
		compare_plugin(d, n, i);
}
