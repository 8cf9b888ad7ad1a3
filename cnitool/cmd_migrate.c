// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_migrate.c - cnitool migrate: what changes when cplug replaces the reference plugins
 *
 * Reads configurations, cached results, links, leases and rules, and changes nothing.  An
 * attachment is the reference's if neither its link on the host nor its interface in the
 * container has our mark.
 */
#include <fcntl.h>

#include "cnitool/cnitool.h"
#include "cnitool/differences.h"
#include "cnitool/errctx.h"
#include "cnitool/target.h"
#include "firewall/reference.h"
#include "ipam/host-local/store.h"
#include "netlink/link.h"
#include "netlink/route.h"
#include "sys/file.h"
#include "value/jw.h"
#include "value/mark.h"
#include "value/name.h"

/* An attachment, of the reference unless it is passed over. */
struct other {
	const char *network, *id, *ifname; /* ifname NULL: not known */
	const char *netns;
	const char *link; /* on the host; NULL = none */
	struct words leases;
	bool rules;
	bool passed_over;    /* it is ours, or its namespace is gone */
	const char *why_not; /* DEL of ours does not free all of it; NULL: it does */
};

struct migration {
	struct tool *t;
	struct netconf *nets;
	unsigned n_nets;
	struct differences d;
	struct other *v;
	unsigned n;
	struct rt host;
};

/* ---- attachments --------------------------------------------------------- */

static bool is_of(const struct other *o, const char *network, const char *id, const char *ifname)
{
	return str_eq(o->network, network) && str_eq(o->id, id) &&
	       (!ifname || !o->ifname || str_eq(o->ifname, ifname));
}

static void add_other(struct migration *m, const struct other *o)
{
	m->v = mem_grow(&m->t->tx->mem, m->v, m->n, sizeof(*m->v));
	m->v[m->n++] = *o;
}

static bool is_marked(struct tx *tx, struct rt *rt, const char *name, const struct mark *mark)
{
	struct errctx e = errctx_mark(tx);
	struct link l;
	int r = link_find(tx, rt, name, &l);

	if (r < 0)
		errctx_take(tx, e);
	return r == 1 && link_is_marked(&l, mark);
}

/* Has the interface in the container our mark? */
static bool is_marked_inside(struct tx *tx, const struct cached *c, const struct mark *mark)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct errctx e = errctx_mark(tx);
	struct rt rt = { .sk = NULL };
	bool marked = false;
	int r = target_open(tx, c->netns, &ns);

	if (r == 0)
		r = rt_open(tx, &rt, "container", &ns);
	if (r == 0)
		marked = is_marked(tx, &rt, c->ifname, mark);
	else
		errctx_take(tx, e);
	rt_close(&rt);
	return marked;
}

/* The veth pair of a result, if its end on the host is there. */
static const char *find_host_link(struct migration *m, const struct result *res)
{
	struct link l;

	for (unsigned i = 0; i < res->n_ifs; i++)
		if (str_empty(res->ifs[i].sandbox) &&
		    link_find(m->t->tx, &m->host, res->ifs[i].name, &l) == 1 && link_is_end(&l))
			return mem_str(&m->t->tx->mem, l.name);
	return NULL;
}

static void look_at_cached(struct migration *m, const struct cached *c)
{
	struct mark mark = mark_of(c->network, c->id, c->ifname);
	struct name_owner key = name_owner(c->network, c->id, c->ifname);
	struct tx *tx = m->t->tx;
	struct other o = { .network = c->network, .id = c->id, .ifname = c->ifname };
	struct cached whole = *c;
	struct result res;

	o.netns = c->netns;
	o.passed_over =
		!target_lives(tx, c->netns, &c->nsid) || is_marked(tx, &m->host, key.s, &mark);
	if (!o.passed_over && (!c->partial || cache_load(tx, c, &whole) == 0)) {
		cache_read_result(tx, whole.result, &res);
		o.link = find_host_link(m, &res);
		o.passed_over = (o.link && is_marked(tx, &m->host, o.link, &mark)) ||
				is_marked_inside(tx, c, &mark);
	}
	add_other(m, &o);
}

static int look_at_rules(struct migration *m)
{
	struct tx *tx = m->t->tx;
	struct nfnl nl = { .sk = NULL };
	struct reference *r;
	unsigned n = 0;
	int result;

	TRY(nfnl_open(tx, &nl, NULL));
	result = reference_survey(tx, &nl, &r, &n);
	nfnl_close(&nl);
	for (unsigned i = 0; i < n; i++) {
		bool known = false;

		for (unsigned k = 0; k < m->n; k++)
			if (is_of(&m->v[k], r[i].network, r[i].id, r[i].ifname))
				m->v[k].rules = known = true;
		if (!known)
			add_other(m, &(struct other){ .network = r[i].network,
						      .id = r[i].id,
						      .ifname = r[i].ifname,
						      .rules = true });
	}
	return result;
}

/* ---- leases -------------------------------------------------------------- */

struct folder {
	struct migration *m;
	const char *network;
};

static int note_lease(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct folder *f = arg;
	struct migration *m = f->m;
	const char *ifname = l->lessee.ifname;
	struct words *leases;
	unsigned k = 0;

	if (r < 0 || l->lessee.odd)
		return 0;
	while (k < m->n && !is_of(&m->v[k], f->network, l->lessee.id, ifname))
		k++;
	if (k == m->n) {
		struct other o = { .network = f->network };
		struct mark mark = mark_of(f->network, l->lessee.id, ifname ? ifname : "");

		o.id = mem_str(&tx->mem, l->lessee.id);
		o.ifname = mem_str(&tx->mem, ifname);
		/* Called without a runtime that caches results. */
		o.passed_over = ifname && is_marked(tx, &m->host,
						    name_owner(o.network, o.id, ifname).s, &mark);
		add_other(m, &o);
	}
	leases = &m->v[k].leases;
	leases->v = mem_grow(&tx->mem, leases->v, leases->n, sizeof(*leases->v));
	leases->v[leases->n++] = mem_str(&tx->mem, IP_S(l->ip));
	return 0;
}

static int look_at_leases(struct migration *m, const struct netconf *n)
{
	struct tx *tx = m->t->tx;
	struct cj ipam;
	const char *dir;
	int r = 0;

	for (unsigned i = 0; i < n->n_plugins; i++) {
		auto_(store_close) struct store st = STORE_CLOSED;
		struct folder f = { m, n->name };

		ipam = cj_any(&n->plugins[i].conf, "ipam");
		if (!cj_is_object(&ipam) || !str_eq(cj_str(&ipam, "type", ""), "host-local"))
			continue;
		dir = cj_str(&ipam, "dataDir", "/var/lib/cni/networks");
		r = store_open(tx, dir, n->name, STORE_READ, &st);
		if (r == 0)
			r = lease_scan(tx, st.dir, note_lease, &f);
		if (r != -ENOENT)
			TRY(r);
	}
	return 0;
}

/* ---- iptables-legacy ----------------------------------------------------- */

static bool has_legacy_nat(struct mem *mem)
{
	static const char *const paths[] = { "/proc/self/net/ip_tables_names",
					     "/proc/self/net/ip6_tables_names" };
	struct file_text names;

	for (unsigned i = 0; i < ARRAY_LEN(paths); i++)
		if (file_read(mem, AT_FDCWD, paths[i], 4096, &names) == 0 &&
		    strstr(names.s, "nat\n"))
			return true;
	return false;
}

static bool translates(const struct migration *m, const char *network)
{
	for (unsigned i = 0; i < m->n_nets; i++)
		for (unsigned k = 0; k < m->nets[i].n_plugins; k++)
			if (str_eq(m->nets[i].name, network) &&
			    (str_eq(m->nets[i].plugins[k].type, "portmap") ||
			     cj_has(&m->nets[i].plugins[k].conf, "ipMasq")))
				return true;
	return false;
}

static void look_for_legacy(struct migration *m)
{
	if (!has_legacy_nat(&m->t->tx->mem))
		return;
	for (unsigned i = 0; i < m->n; i++)
		if (!m->v[i].rules && !m->v[i].passed_over && translates(m, m->v[i].network))
			m->v[i].why_not = "its rules may be in iptables-legacy, where cplug "
					  "changes nothing (delete it before the change)";
}

/* ---- the report ---------------------------------------------------------- */

static unsigned count_others(const struct migration *m, bool left)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->n; i++)
		n += !m->v[i].passed_over && (!left || m->v[i].why_not);
	return n;
}

static void say_other(const struct tool *t, const struct other *o)
{
	const char *ifname = o->ifname ? o->ifname : "*";

	tool_say(t, "%s/%s/%s of the reference:", o->network, o->id, ifname);
	if (o->link)
		tool_say(t, " link %s,", o->link);
	for (unsigned k = 0; k < o->leases.n; k++)
		tool_say(t, " lease %s,", o->leases.v[k]);
	if (o->rules)
		tool_say(t, " rules of nf_tables,");
	tool_say(t, " %s\n", o->why_not ? o->why_not : "freed by DEL");
}

static void print_text(const struct migration *m)
{
	const struct tool *t = m->t;

	for (unsigned i = 0; i < m->d.n; i++) {
		const struct difference *d = &m->d.v[i];

		tool_say(t, "%s: %s%s: %s\n", d->network, d->note ? "note: " : "", d->path,
			 d->text);
	}
	for (unsigned i = 0; i < m->n; i++)
		if (!m->v[i].passed_over)
			say_other(t, &m->v[i]);
	tool_say(t,
		 "differences: %u; notes: %u; attachments of the reference: %u, %u stay in part\n",
		 m->d.n - m->d.n_notes, m->d.n_notes, count_others(m, false),
		 count_others(m, true));
}

static void put_other(struct jw *w, const struct other *o)
{
	jw_open(w, NULL, '{');
	jw_str(w, "network", o->network);
	jw_str(w, "containerID", o->id);
	if (o->ifname)
		jw_str(w, "ifname", o->ifname);
	if (o->netns)
		jw_str(w, "netns", o->netns);
	if (o->link)
		jw_str(w, "link", o->link);
	jw_open(w, "leases", '[');
	for (unsigned k = 0; k < o->leases.n; k++)
		jw_str(w, NULL, o->leases.v[k]);
	jw_close(w, ']');
	jw_bool(w, "rules", o->rules);
	jw_bool(w, "takenOver", !o->why_not);
	if (o->why_not)
		jw_str(w, "reason", o->why_not);
	jw_close(w, '}');
}

static int print_json(struct migration *m)
{
	struct jw w;

	tool_open_json(m->t, &w);
	jw_open(&w, "differences", '[');
	for (unsigned i = 0; i < m->d.n; i++) {
		const struct difference *d = &m->d.v[i];

		jw_open(&w, NULL, '{');
		jw_str(&w, "network", d->network);
		jw_str(&w, "path", d->path);
		jw_str(&w, "level", d->note ? "note" : "difference");
		jw_str(&w, "msg", d->text);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	jw_open(&w, "attachments", '[');
	for (unsigned i = 0; i < m->n; i++)
		if (!m->v[i].passed_over)
			put_other(&w, &m->v[i]);
	jw_close(&w, ']');
	return tool_print_json(m->t, &w);
}

static int look_at_all(struct migration *m)
{
	struct tool *t = m->t;
	struct cached *all;
	unsigned n;

	TRY(netconf_all(t->tx, t->opt.conf_dir, &m->nets, &m->n_nets));
	TRY(cache_everywhere(t->tx, &t->cache, NULL, &all, &n, NULL));
	TRY(rt_open(t->tx, &m->host, "host", NULL));
	TRY(route_default_mtu(t->tx, &m->host, &m->d.default_mtu));
	for (unsigned i = 0; i < n; i++)
		look_at_cached(m, &all[i]);
	TRY(look_at_rules(m));
	for (unsigned i = 0; i < m->n_nets; i++) {
		TRY(tx_interrupted(t->tx));
		differences_find(&m->d, &m->nets[i]);
		TRY(look_at_leases(m, &m->nets[i]));
	}
	look_for_legacy(m);
	return 0;
}

int cmd_migrate(struct tool *t)
{
	struct migration m = { .t = t, .d = { .tx = t->tx, .plugins = t->plugins } };
	int r = look_at_all(&m);

	rt_close(&m.host);
	TRY(r);
	if (!m.n_nets)
		tool_note(t, "no networks are configured in %s", t->opt.conf_dir);
	t->status = m.d.n > m.d.n_notes || count_others(&m, true);
	if (t->opt.json)
		return print_json(&m);
	print_text(&m);
	return 0;
}
