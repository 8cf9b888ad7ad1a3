// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_inspect.c - the verb inspect: everything about one attachment
 *
 * Composed as JSON.  Without --json the same document is printed for people: a key and its value a
 * line, with the bytes escaped that a container or a configuration may have chosen.
 *
 * A part that cannot be read is noted (tool_note()), and the others follow.
 */
#include <netinet/in.h>

#include <jansson.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cni/resolv.h"
#include "cnitool/attach.h"
#include "cnitool/errctx.h"
#include "cnitool/target.h"
#include "cnitool/view.h"
#include "netlink/route.h"
#include "nft/ct.h"
#include "value/jw.h"
#include "value/name.h"

enum { ROUTES_MAX = 256 };

struct inspection {
	struct tool *t;
	struct view view;
	struct attachment a;
	struct cached cached;
	struct netns ns;
	struct rt cont;
	struct nfnl nf;
	struct jw w;
};

/* ---- interfaces ---- */

/* The beginning of struct rtnl_link_stats64. */
static const char *const counters[] = { "rxPackets", "txPackets", "rxBytes",   "txBytes",
					"rxErrors",  "txErrors",  "rxDropped", "txDropped" };

static int keep_stats(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct nlattr *a = NULL;

	if (h && h->nlmsg_type == RTM_NEWLINK)
		a = nlmsg_find_attr(m, sizeof(struct ifinfomsg), IFLA_STATS64);
	if (a && nla_len(a) >= (int)(ARRAY_LEN(counters) * sizeof(uint64_t)))
		memcpy(arg, nla_data(a), ARRAY_LEN(counters) * sizeof(uint64_t));
	return 0;
}

static int put_interface(struct inspection *x, const struct view_if *v)
{
	struct rt *rt = v->ns ? &x->cont : &x->view.host;
	int64_t stats[ARRAY_LEN(counters)] = { 0 };
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_GETLINK, 0, sizeof(*i));
	int r;

	i->ifi_index = v->l.index;
	r = rt_ask(rt, &m, keep_stats, stats);
	if (r < 0)
		return rt_refused(x->t->tx, rt, r, "read the counters of %s", v->l.name);
	jw_open(&x->w, NULL, '{');
	view_put_if(&x->w, &x->view, v);
	for (unsigned k = 0; k < ARRAY_LEN(counters); k++)
		jw_int(&x->w, counters[k], stats[k]);
	jw_close(&x->w, '}');
	return 0;
}

/* The container's interface, what it is plugged into, and others with the attachment's mark. */
static int put_interfaces(struct inspection *x)
{
	struct view *w = &x->view;
	const char *path = x->a.netns;
	int r = -ENOENT;

	if (path && !target_is_other(x->t->tx, path, &x->cached.nsid))
		r = netns_open(x->t->tx, path, &x->ns);
	if (r == 0)
		TRY(rt_open(x->t->tx, &x->cont, "container", &x->ns));
	jw_bool(&x->w, "alive", r == 0);
	w->near = true;
	if (r < 0)
		path = NULL;
	TRY(view_read(w, path));
	for (unsigned i = 0; i < w->n; i++) {
		const struct view_if *v = &w->v[i];

		if ((v->ns && str_eq(v->l.name, x->a.ifname)) ||
		    (str_eq(v->owner.network, x->a.net->name) && str_eq(v->owner.id, x->a.id) &&
		     str_eq(v->owner.ifname, x->a.ifname)))
			view_keep(w, (int)i);
	}
	jw_open(&x->w, "interfaces", '[');
	for (unsigned i = w->n; i-- > 0;)
		if (w->v[i].kept)
			TRY(put_interface(x, &w->v[i]));
	jw_close(&x->w, ']');
	return 0;
}

static int put_routes(struct inspection *x)
{
	struct route_list routes;

	jw_open(&x->w, "routes", '[');
	for (unsigned i = 0; i < x->view.n; i++) {
		const struct view_if *v = &x->view.v[i];

		if (!v->ns || !str_eq(v->l.name, x->a.ifname))
			continue;
		TRY(route_list_own(x->t->tx, &x->cont, &v->l, &routes));
		for (unsigned k = 0; k < routes.n && k < ROUTES_MAX; k++)
			jw_str(&x->w, NULL, ROUTE_S(&routes.r[k]));
	}
	jw_close(&x->w, ']');
	return 0;
}

/* ---- leases, nftables, flows, files ---- */

static int put_leases(struct inspection *x)
{
	jw_open(&x->w, "leases", '[');
	for (unsigned i = 0; i < x->view.n_leases; i++) {
		const struct view_lease *l = &x->view.leases[i];

		if (str_eq(l->network, x->a.net->name) && str_eq(l->id, x->a.id) &&
		    (!l->ifname || str_eq(l->ifname, x->a.ifname)))
			jw_str(&x->w, NULL,
			       mem_printf(x->w.mem, "%s in %s for %lld s", IP_S(l->ip), l->dir,
					  (long long)l->age));
	}
	jw_close(&x->w, ']');
	return 0;
}

struct own_elems {
	const char *table, *set, *key;
	unsigned n;
	struct jw *w;
};

static int count_own(const char *set, const struct nft_elem *e, void *arg)
{
	struct own_elems *o = arg;

	if (e) {
		o->n += e->comment && str_starts(e->comment, o->key);
		return 0;
	}
	if (o->n && set != o->set)
		jw_str(o->w, NULL, mem_printf(o->w->mem, "%s %s: %u", o->table, o->set, o->n));
	o->set = set;
	o->n = 0;
	return 0;
}

/* The number of elements in each set that belong to the attachment. */
static int put_elements(struct inspection *x)
{
	static const struct nft_ref tables[] = { { NFPROTO_INET, "cplug", NULL },
						 { NFPROTO_BRIDGE, "cplug", NULL },
						 { NFPROTO_INET, "cplug-firewall", NULL },
						 { NFPROTO_BRIDGE, "cplug-firewall", NULL } };
	const struct name_owner key = name_owner(x->a.net->name, x->a.id, x->a.ifname);
	struct own_elems o = { .key = key.s, .w = &x->w };

	TRY(nfnl_open(x->t->tx, &x->nf, NULL));
	jw_open(&x->w, "nftables", '[');
	for (unsigned i = 0; i < ARRAY_LEN(tables); i++) {
		o.table = mem_printf(x->w.mem, "%s %s", i % 2 ? "bridge" : "inet", tables[i].table);
		TRY(view_each_elem(x->t->tx, &x->nf, tables[i], count_own, &o));
		TRY(count_own(NULL, NULL, &o));
	}
	jw_close(&x->w, ']');
	return 0;
}

static int put_flows(struct inspection *x)
{
	struct mem *m = x->w.mem;
	struct result res;
	struct ip *ips;
	unsigned n;
	int r;

	if (cache_read_result(x->t->tx, x->cached.result, &res) || !x->nf.sk)
		return 0;
	ips = mem_alloc(m, (res.n_ips + 1) * sizeof(*ips));
	for (unsigned i = 0; i < res.n_ips; i++)
		ips[i] = res.ips[i].addr.ip;
	r = ct_count(&x->nf, ips, res.n_ips, &n);
	if (r < 0)
		return tx_fail(x->t->tx, r,
			       "the flows are not known, because the kernel does not list them "
			       "(nf_conntrack_netlink): %s",
			       strerror(-r));
	jw_int(&x->w, "flows", n);
	return 0;
}

static void put_words(struct jw *w, const char *key, const char *const *v, unsigned n)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < n; i++)
		jw_str(w, NULL, v[i]);
	jw_close(w, ']');
}

static int put_resolv(struct inspection *x)
{
	const char *mode = cj_str(&x->a.net->plugins[0].conf, "resolvConf", "auto"), *path = NULL;
	struct result_dns dns;

	if (x->a.netns)
		path = resolv_target(x->w.mem, mode, x->a.netns);
	if (!path || access(path, F_OK) < 0)
		return 0;
	TRY(resolv_read(x->t->tx, path, &dns));
	jw_open(&x->w, "resolvConf", '{');
	jw_str(&x->w, "path", path);
	put_words(&x->w, "nameservers", dns.nameservers, dns.n_nameservers);
	put_words(&x->w, "search", dns.search, dns.n_search);
	put_words(&x->w, "options", dns.options, dns.n_options);
	jw_close(&x->w, '}');
	return 0;
}

/* ---- for people ---- */

static void print_value(struct mem *m, const char *key, json_t *v, int depth)
{
	const char *text = "", *member;
	json_t *value;
	size_t i;

	if (json_is_string(v))
		text = view_escape(m, json_string_value(v));
	else if (json_is_integer(v))
		text = mem_printf(m, "%lld", (long long)json_integer_value(v));
	else if (json_is_boolean(v))
		text = json_is_true(v) ? "yes" : "no";
	else if (json_array_size(v) + json_object_size(v) == 0)
		text = "none";
	if (*text)
		text = mem_printf(m, " %s", text);
	if (depth >= 0)
		printf("%*s%s%s%s\n", depth * 2, "", view_escape(m, key), *key == '-' ? "" : ":",
		       text);
	json_object_foreach (v, member, value) {
		print_value(m, member, value, depth + 1);
	}
	json_array_foreach (v, i, value) {
		print_value(m, "-", value, depth + 1);
	}
}

/* ---- all ---- */

static int compose(struct inspection *x)
{
	static int (*const parts[])(struct inspection * x) = { put_interfaces, put_routes,
							       put_leases,     put_elements,
							       put_flows,      put_resolv };
	struct tool *t = x->t;
	const struct netconf *net = x->a.net;
	struct cache_key key = attachment_key(&x->a);
	const char *path;
	struct stat st;

	tool_put_attachment(&x->w, &key, x->a.netns);
	jw_str(&x->w, "configuration", net->file);
	jw_open(&x->w, "plugins", '[');
	for (unsigned i = 0; i < net->n_plugins; i++)
		jw_str(&x->w, NULL, net->plugins[i].type);
	jw_close(&x->w, ']');
	TRY(cache_path(t->tx, &t->cache, &key, &path));
	if (stat(path, &st) == 0)
		jw_int(&x->w, "ageSeconds", (int64_t)(time(NULL) - st.st_mtime));
	for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
		struct errctx m = errctx_mark(t->tx);
		size_t len = x->w.len;
		unsigned depth = x->w.depth;

		if (parts[i](x) == 0)
			continue;
		x->w.len = len;
		x->w.depth = depth;
		tool_note(t, "%s", errctx_take(t->tx, m));
	}
	if (x->cached.result)
		jw_raw(&x->w, "result", x->cached.result);
	return 0;
}

static int inspect(struct tool *t, struct inspection *x)
{
	struct netconf net;
	struct cache_key key;
	json_t *all;
	int found;

	TRY(cmd_find_attached(t, false, &x->a));
	TRY(cmd_find_conf(t, x->a.id, x->a.ifname, &net));
	x->a.net = &net;
	key = attachment_key(&x->a);
	TRY(found = cache_read(t->tx, &t->cache, &key, &x->cached));
	tool_open_json(t, &x->w);
	TRY(compose(x));
	if (t->opt.json || t->opt.quiet)
		return tool_print_json(t, &x->w);
	jw_close(&x->w, '}');
	all = json_loads(jw_end(&x->w), 0, NULL);
	print_value(&t->tx->mem, "", all, -1);
	json_decref(all);
	return 0;
}

int cmd_inspect(struct tool *t)
{
	struct inspection x = { .t = t, .view.t = t, .ns = NETNS_NONE };
	int r = inspect(t, &x);

	nfnl_close(&x.nf);
	rt_close(&x.cont);
	view_close(&x.view);
	netns_close(&x.ns);
	return r;
}
