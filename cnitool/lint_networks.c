// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lint_networks.c - mistakes between the plugins of a list, and between networks
 */
#include "cni/conf.h"
#include "cnitool/lint.h"
#include "ipam/host-local/pool.h"

/* ---- one list ----------------------------------------------------------- */

/* Does it make the interface of the container?  A tap, or an ipvlan, may follow such a one. */
static bool makes_interface(const struct plugin *p)
{
	return !(p->flags & (CNI_NEEDS_PREV | CNI_PASSES_PREV | CNI_IS_IPAM));
}

static bool may_follow(const struct plugin *p)
{
	return str_eq(p->name, "tap") || str_eq(p->name, "ipvlan");
}

static unsigned find_type(const struct lint_network *n, const char *type, unsigned before)
{
	for (unsigned i = 0; i < before; i++)
		if (str_eq(n->conf.plugins[i].type, type))
			return i;
	return before;
}

/* Ports that two plugins of a list publish. */
static void check_ports(struct lint *l, const struct lint_network *n, unsigned i)
{
	for (unsigned k = 0; k < i; k++)
		if (conf_declares(&n->conf.plugins[i].conf, "portMappings") &&
		    conf_declares(&n->conf.plugins[k].conf, "portMappings"))
			lint_wrong(l, "capabilities.portMappings",
				   "plugins[%u] declares it, too, so each port would be published "
				   "twice (leave it to one of them)",
				   k);
}

static void check_place(struct lint *l, const struct lint_network *n, unsigned i,
			const struct plugin *p, bool *main_seen)
{
	unsigned same = find_type(n, p->name, i);

	if (p->flags & CNI_IS_IPAM)
		lint_wrong(l, "type", "%s is an IPAM plugin (name it in ipam.type of another one)",
			   p->name);
	else if (p->flags & CNI_NEEDS_PREV && !*main_seen)
		lint_wrong(l, "type",
			   "%s needs the result of another plugin (put it behind the "
			   "one that makes the interface)",
			   p->name);
	else if (makes_interface(p) && *main_seen && !may_follow(p))
		lint_wrong(l, "type",
			   "%s makes the interface of the container, which an earlier "
			   "plugin of the list makes already (remove one)",
			   p->name);
	else if (same < i && !may_follow(p))
		lint_wrong(l, "type", "%s is there twice, also as plugins[%u] (remove one)",
			   p->name, same);
	*main_seen |= makes_interface(p);
}

/* Does the host have a link that leads to the container alone? */
static bool has_host_link(const struct plugin *p)
{
	return str_eq(p->name, "bridge") || str_eq(p->name, "ptp");
}

static bool has_addresses(const struct netconf_plugin *np)
{
	struct cj ipam = cj_obj(&np->conf, "ipam");

	return !str_empty(cj_str(&ipam, "type", "")) || cj_bool(&np->conf, "keepAddresses", false);
}

/* What ADD of a chained plugin refuses behind this main plugin (NULL: there is none before it). */
static void check_main(struct lint *l, const struct netconf_plugin *np,
		       const struct netconf_plugin *main, const struct plugin *p)
{
	const struct cj *conf = &np->conf;

	if (str_eq(np->type, "tap") && cj_bool(conf, "redirect", false) && !main)
		lint_wrong(l, "redirect",
			   "tap is the first plugin of the list (put it behind the plugin whose "
			   "interface it joins)");
	if (!main)
		return;
	if (str_eq(np->type, "sbr") && !has_addresses(main))
		lint_wrong(l, "type", "sbr needs an address, and %s has no ipam (give it one)",
			   main->type);
	if (str_eq(np->type, "firewall") && !has_host_link(p) &&
	    !str_eq(cj_str(conf, "ingressPolicy", "open"), "open"))
		lint_wrong(l, "ingressPolicy",
			   "behind %s no link of the host leads to the container (use it behind "
			   "bridge or ptp, or set it to \"open\")",
			   main->type);
}

/* The reference, too, looks for them below the working directory: they are right for some. */
static void check_paths(struct lint *l, const struct netconf_plugin *np)
{
	static const char *const keys[] = { "dataDir", "resolvConf" };
	struct cj ipam = cj_any(&np->conf, "ipam");

	for (unsigned i = 0; i < ARRAY_LEN(keys) && cj_is_object(&ipam); i++) {
		const char *path = cj_str(&ipam, keys[i], "");

		if (*path && *path != '/')
			lint_warn(l, mem_printf(&l->tx->mem, "ipam.%s", keys[i]),
				  "\"%.60s\" is looked for below the working directory of the "
				  "runtime (write an absolute path)",
				  path);
	}
}

void lint_chain(struct lint *l, const struct lint_network *n)
{
	const struct netconf_plugin *main = NULL;
	const struct plugin *main_plugin = NULL;
	bool main_seen = false;

	for (unsigned i = 0; i < n->conf.n_plugins; i++) {
		const struct netconf_plugin *np = &n->conf.plugins[i];
		const struct plugin *p = plugin_find(l->plugins, np->type);

		l->prefix = lint_prefix(l, n, i);
		if (p && main_seen == (main != NULL))
			check_main(l, np, main, main_plugin);
		if (p && makes_interface(p) && !main_seen) {
			main = np;
			main_plugin = p;
		}
		if (p)
			check_place(l, n, i, p, &main_seen);
		else
			main_seen = true; /* it may be one that makes interfaces */
		check_ports(l, n, i);
		check_paths(l, np);
	}
	l->prefix = "";
}

/* ---- several networks --------------------------------------------------- */

/* One plugin of one network. */
struct side {
	const struct lint_network *net;
	unsigned i;
	const struct cj *conf;
	struct pool pool; /* of host-local */
};

static struct side side_of(struct lint *l, const struct lint_network *n, unsigned i)
{
	struct side s = { .net = n, .i = i, .conf = &n->conf.plugins[i].conf };
	struct cj ipam = cj_obj(s.conf, "ipam");

	if (cj_is_object(&ipam) && str_eq(cj_str(&ipam, "type", ""), "host-local"))
		pool_read(&l->tx->mem, s.conf, "1.0.0", &s.pool);
	return s;
}

static const char *name_of(struct lint *l, const struct side *s)
{
	return mem_printf(&l->tx->mem, "network %s in %s", s->net->conf.name, s->net->file);
}

static bool is_overlap(const struct pool_range *x, const struct pool_range *y)
{
	return x->first.family == y->first.family && ip_cmp(x->first, y->last) <= 0 &&
	       ip_cmp(y->first, x->last) <= 0;
}

static bool is_gateway(const struct cj *c)
{
	return cj_bool(c, "isGateway", false) || cj_bool(c, "isDefaultGateway", false);
}

/* Leases are kept by the name of the network, so two networks would give an address twice. */
static bool compare_ranges(struct lint *l, const struct pool_range *x, const struct pool_range *y,
			   const struct side *a, const struct side *b)
{
	bool both = cidr_eq(x->subnet, y->subnet) && is_gateway(a->conf) && is_gateway(b->conf);

	if (is_overlap(x, y))
		lint_wrong(l, "ipam",
			   "%s-%s overlaps with %s-%s of %s: both would give an address "
			   "(choose other ranges)",
			   IP_S(y->first), IP_S(y->last), IP_S(x->first), IP_S(x->last),
			   name_of(l, a));
	else if (both && !ip_eq(x->gateway, y->gateway))
		lint_wrong(l, "ipam",
			   "the gateway of %s is %s here, and %s for %s (name one of them)",
			   CIDR_S(y->subnet), IP_S(y->gateway), IP_S(x->gateway), name_of(l, a));
	else
		return false;
	return true;
}

/* One mistake is enough. */
static void compare_pools(struct lint *l, const struct side *a, const struct side *b)
{
	for (unsigned s = 0; s < a->pool.n; s++)
		for (unsigned t = 0; t < b->pool.n; t++)
			for (unsigned i = 0; i < a->pool.sets[s].n; i++)
				for (unsigned k = 0; k < b->pool.sets[t].n; k++)
					if (compare_ranges(l, &a->pool.sets[s].ranges[i],
							   &b->pool.sets[t].ranges[k], a, b))
						return;
}

static const char *bridge_of(const struct cj *c)
{
	const char *name = cj_str(c, "bridge", "");

	return *name ? name : "cni0";
}

static bool has_vlans(const struct cj *c)
{
	return cj_int(c, "vlan", 0, 0, 4094) || cj_has(c, "vlanTrunk");
}

/* VLAN filtering belongs to the bridge, not to one of its networks. */
static void compare_bridges(struct lint *l, const struct side *a, const struct side *b)
{
	const char *bridge = bridge_of(b->conf);
	const struct side *with = has_vlans(a->conf) ? a : b;
	const struct side *without = with == a ? b : a;

	if (!str_eq(b->net->conf.plugins[b->i].type, "bridge") ||
	    !str_eq(a->net->conf.plugins[a->i].type, "bridge") ||
	    !str_eq(bridge_of(a->conf), bridge) || has_vlans(a->conf) == has_vlans(b->conf))
		return;
	lint_wrong(
		l, "bridge",
		"%s filters VLANs for %s, and not for %s (give each a bridge of its own, or vlan "
		"to both)",
		bridge, name_of(l, with), name_of(l, without));
}

static void compare_networks(struct lint *l, const struct lint_network *x,
			     const struct lint_network *y)
{
	l->file = y->file;
	if (*y->conf.name && str_eq(x->conf.name, y->conf.name)) {
		lint_wrong(l, "name",
			   "%s is the name of the network in %s, too, which hides one of "
			   "them (choose another)",
			   y->conf.name, x->file);
		return;
	}
	for (unsigned i = 0; i < x->conf.n_plugins; i++)
		for (unsigned k = 0; k < y->conf.n_plugins; k++) {
			struct side a = side_of(l, x, i), b = side_of(l, y, k);

			l->prefix = lint_prefix(l, y, k);
			compare_pools(l, &a, &b);
			compare_bridges(l, &a, &b);
			l->prefix = "";
		}
}

void lint_networks(struct lint *l)
{
	for (unsigned i = 0; i < l->n_nets; i++)
		for (unsigned k = i + 1; k < l->n_nets; k++)
			compare_networks(l, &l->nets[i], &l->nets[k]);
}
