// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * view_links.c - namespaces and interfaces, and which is plugged into which
 *
 * The host's end of a veth pair tells which interface is its other end, because the container can
 * choose the ifindex that its own end names.  The other kinds (macvlan, ipvlan, VLAN) name their
 * parent, and the namespace that it is in.
 */
#include <stdio.h>
#include <sys/stat.h>

#include "cnitool/errctx.h"
#include "cnitool/view.h"
#include "netlink/addr.h"
#include "netlink/bridge_port.h"
#include "netlink/tc.h"
#include "sys/alive.h"
#include "value/jw.h"

/* ---- interfaces of a namespace ---- */

struct link_walk {
	struct view *w;
	unsigned from, more; /* w->n before; links beyond VIEW_LINKS_MAX */
};

static int note_link(const struct link *l, void *arg)
{
	struct link_walk *x = arg;
	struct view *w = x->w;
	struct mem *m = &w->t->tx->mem;
	struct view_if *i;

	if (!l) {
		w->n = x->from;
		x->more = 0;
		return 0;
	}
	if (l->flags & IFF_LOOPBACK)
		return 0;
	if (w->n - x->from == VIEW_LINKS_MAX) {
		x->more++;
		return 0;
	}
	w->v = mem_grow(m, w->v, w->n, sizeof(*w->v));
	i = &w->v[w->n++];
	*i = (struct view_if){ .l = *l, .ns = w->n_ns - 1, .under = -1, .lower = -1 };
	(void)!mark_parse(m, l->alias, &i->owner);
	return 0;
}

/* The interface of that ifindex among those from `from` on; -1 = none, or not shown. */
static int find_if(const struct view *w, unsigned from, unsigned to, int index)
{
	for (unsigned i = from; index && i < to; i++)
		if (w->v[i].l.index == index)
			return (int)i;
	return -1;
}

/* What the interfaces of one namespace are plugged into, there. */
static void plug_in(struct view *w, unsigned from)
{
	for (unsigned i = from; i < w->n; i++) {
		struct link *l = &w->v[i].l;
		int *lower = &w->v[i].lower;

		w->v[i].under = find_if(w, from, w->n, l->master);
		if (l->parent_nsid < 0)
			*lower = find_if(w, from, w->n, l->parent);
		/* Of a pair, the later end is plugged into the other one. */
		if (link_is_end(l) && *lower >= (int)i)
			*lower = -1;
		if (w->v[i].under < 0) {
			w->v[i].under = *lower;
			*lower = -1;
		}
	}
}

static void add_address(struct view *w, struct view_if *i, struct cidr a)
{
	struct mem *m = &w->t->tx->mem;
	const struct view_lease *l = NULL;
	const char *whose = "";

	for (unsigned k = 0; i->ns && k < w->n_leases; k++)
		if (ip_eq(w->leases[k].ip, a.ip) &&
		    (!l || str_eq(w->leases[k].network, i->owner.network)))
			l = &w->leases[k];
	if (l && i->owner.id && !str_eq(l->id, i->owner.id))
		whose = mem_printf(m, "/%s", l->id);
	if (l)
		view_say(m, &i->facts, "%s (lease of %s%s)", CIDR_S(a), l->network, whose);
	else
		view_say(m, &i->facts, "%s", CIDR_S(a));
	if (l && !i->owner.network)
		i->owner.network = l->network;
	for (unsigned k = 0; i->ns && k < w->n_elems; k++) {
		const struct view_elem *e = &w->elems[k];

		if (i->facts.n <= VIEW_FACTS_MAX && ip_eq(e->to, a.ip))
			view_say(m, &i->facts, "%s", view_elem_text(m, e));
	}
}

static int add_facts(struct view *w, struct rt *rt, struct view_if *i)
{
	struct tx *tx = w->t->tx;
	struct mem *m = &tx->mem;
	const struct link *l = &i->l;
	struct addr_list addrs = { .n = 0 };
	const char *text;
	struct link whole;
	int there = 1;

	if (str_eq(l->kind, "vlan"))
		TRY(there = link_find_index(tx, rt, l->index, &whole));
	if (str_eq(l->kind, "vlan") && there)
		view_say(m, &i->facts, "VLAN %u", link_data_number(&whole, IFLA_VLAN_ID, 0));
	if (i->under >= 0 && w->v[i->under].l.bridge.vlan_filtering == 1) {
		TRY(bridge_port_list_vlans(tx, rt, l, &text));
		view_say(m, &i->facts, "VLANs %s", text);
	}
	TRY(addr_list(tx, rt, l, AF_UNSPEC, &addrs));
	for (unsigned k = 0; k < addrs.n && i->facts.n < VIEW_FACTS_MAX; k++)
		if (!ip_is_linklocal(addrs.a[k].ip))
			add_address(w, i, addrs.a[k]);
	TRY(view_rate(tx, rt, l, &text));
	if (text)
		view_say(m, &i->facts, "sends at most %s", text);
	return 0;
}

/* Redirected to an intermediate link, whose rate limits what arrives. */
static int follow_redirects(struct view *w)
{
	bool any = false;
	int to, there;

	for (unsigned i = 0; i < w->n; i++)
		any |= str_eq(w->v[i].l.kind, "ifb");
	for (unsigned i = 0; any && i < w->n; i++) {
		if (!link_is_end(&w->v[i].l))
			continue;
		TRY(there = tc_redirect_target(w->t->tx, &w->host, &w->v[i].l, &to));
		to = there ? find_if(w, 0, w->n, to) : -1;
		if (to >= 0 && w->v[to].under < 0)
			w->v[to].under = (int)i;
	}
	return 0;
}

static int read_links(struct view *w, struct rt *rt, unsigned *ret_from)
{
	struct link_walk x = { .w = w, .from = w->n };

	*ret_from = x.from;
	TRY(link_each(w->t->tx, rt, "", note_link, &x));
	if (x.more)
		tool_note(w->t, "%s: %u more interfaces are not shown", w->ns[w->n_ns - 1].name,
			  x.more);
	plug_in(w, x.from);
	return 0;
}

static int read_facts(struct view *w, struct rt *rt, unsigned from)
{
	for (unsigned i = from; i < w->n; i++)
		TRY(add_facts(w, rt, &w->v[i]));
	return 0;
}

/* ---- containers ---- */

/*
 * Plugs a container's interfaces into the host's.  here: the host's id for its namespace; back: its
 * id for the host's.  Returns whether one of them is, or is marked as cplug's.
 */
static bool plug_in_host(struct view *w, unsigned from, int here, int back)
{
	unsigned n_host = 0;
	bool any = false;

	while (n_host < from && w->v[n_host].ns == 0)
		n_host++;
	for (unsigned i = 0; here >= 0 && i < n_host; i++) {
		const struct link *l = &w->v[i].l;
		int k = -1;

		if (link_is_end(l) && l->parent_nsid == here)
			k = find_if(w, from, w->n, l->parent);
		if (k < 0)
			continue;
		w->v[k].under = (int)i;
		w->v[k].owner = w->v[i].owner;
	}
	for (unsigned i = from; i < w->n; i++) {
		const struct link *l = &w->v[i].l;

		if (back >= 0 && l->parent_nsid == back && !link_is_end(l))
			w->v[i].under = find_if(w, 0, n_host, l->parent);
		any |= (w->v[i].under >= 0 && w->v[i].under < (int)from) || w->v[i].owner.id;
	}
	return any;
}

static int read_container(struct view *w, const struct netns *ns, bool wanted)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct tx *tx = w->t->tx;
	int here, back;
	unsigned from;

	TRY(rt_open(tx, &rt, w->ns[w->n_ns - 1].name, ns));
	TRY(link_nsid(tx, &w->host, ns, &here));
	TRY(link_nsid(tx, &rt, NULL, &back));
	TRY(read_links(w, &rt, &from));
	if (!plug_in_host(w, from, here, back) && !wanted) {
		w->n = from;
		w->n_ns--;
		return 0;
	}
	return read_facts(w, &rt, from);
}

/* "web" for /proc/1/root/run/netns/web, "process 42" for /proc/42/ns/net. */
static const char *name_of(struct mem *m, const char *path)
{
	const char *name = strstr(path, "/netns/");
	unsigned pid;

	if (name && name[7])
		return name + 7;
	if (sscanf(path, "/proc/%u/ns/net", &pid) == 1)
		return mem_printf(m, "process %u", pid);
	return path;
}

/* One that ends meanwhile, or cannot be entered, is left out. */
static void try_container(struct view *w, const char *path)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct errctx before = errctx_mark(w->t->tx);
	struct mem *m = &w->t->tx->mem;
	unsigned n = w->n, n_ns = w->n_ns;
	int r = netns_open(w->t->tx, path, &ns);

	if (r == -ENOENT)
		return;
	for (unsigned i = 0; r == 0 && i < w->n_ns; i++)
		if (w->ns[i].ino == ns.ino)
			return;
	if (r == 0) {
		w->ns = mem_grow(m, w->ns, w->n_ns, sizeof(*w->ns));
		w->ns[w->n_ns++] = (struct view_ns){ name_of(m, path), ns.ino, false };
		r = read_container(w, &ns, ns.ino == w->wanted);
	}
	if (r == 0)
		return;
	w->n = n;
	w->n_ns = n_ns;
	tool_note(w->t, "%s is left out: %s", view_escape(m, path), errctx_take(w->t->tx, before));
}

/* ---- all ---- */

static int read_host(struct view *w)
{
	auto_(netns_close) struct netns self = NETNS_NONE;
	unsigned from;

	TRY(netns_open_self(w->t->tx, &self));
	w->ns = mem_grow(&w->t->tx->mem, NULL, 0, sizeof(*w->ns));
	w->ns[w->n_ns++] = (struct view_ns){ "host", self.ino, false };
	TRY(rt_open(w->t->tx, &w->host, "host", NULL));
	TRY(read_links(w, &w->host, &from));
	TRY(follow_redirects(w));
	return read_facts(w, &w->host, from);
}

/* Without the rights for leases or nftables, the rest is shown. */
static void note_failure(struct view *w, struct errctx m, int r)
{
	if (r < 0)
		tool_note(w->t, "%s", errctx_take(w->t->tx, m));
}

int view_read(struct view *w, const char *path)
{
	struct errctx m = errctx_mark(w->t->tx);
	struct nfnl nf = { .sk = NULL };
	struct alive all = { .n = 0 };
	struct stat st;
	int r;

	note_failure(w, m, view_read_leases(w));
	r = nfnl_open(w->t->tx, &nf, NULL);
	if (r == 0)
		r = view_read_elems(w, &nf);
	nfnl_close(&nf);
	note_failure(w, m, r);
	TRY(read_host(w));
	if (path && stat(path, &st) == 0)
		w->wanted = st.st_ino;
	if (!w->near)
		alive_collect(&w->t->tx->mem, &all);
	for (unsigned i = 0; i < all.n; i++)
		try_container(w, all.net[i].path);
	if (path)
		try_container(w, path);
	return 0;
}

void view_keep(struct view *w, int i)
{
	/* Bounded, because the kernel may have changed meanwhile. */
	for (int depth = 0; i >= 0 && depth < 16; depth++) {
		w->v[i].kept = true;
		if (w->v[i].lower >= 0)
			w->v[w->v[i].lower].kept = true;
		i = w->v[i].under;
	}
}

void view_put_if(struct jw *j, const struct view *w, const struct view_if *v)
{
	jw_int(j, "id", v - w->v);
	jw_str(j, "namespace", w->ns[v->ns].name);
	jw_str(j, "name", v->l.name);
	jw_str(j, "kind", view_kind(&v->l));
	jw_str(j, "state", view_state(&v->l));
	jw_str(j, "mac", MAC_S(v->l.mac));
	jw_int(j, "mtu", v->l.mtu);
	if (v->under >= 0)
		jw_int(j, "pluggedInto", v->under);
	if (v->lower >= 0)
		jw_int(j, "onTopOf", v->lower);
	jw_open(j, "facts", '[');
	for (unsigned k = 0; k < v->facts.n; k++)
		jw_str(j, NULL, v->facts.v[k]);
	jw_close(j, ']');
}

void view_close(struct view *w)
{
	rt_close(&w->host);
}
