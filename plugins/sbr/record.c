// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * record.c - the routes that sbr has moved and added, as a document below /run (sys/state.h)
 *
 * Which of a table's routes main had, and which main route no table got, cannot be computed.
 */
#include "netlink/layer3.h"
#include "plugins/sbr/sbr.h"

#define PLUGIN "sbr"

struct record {
	struct layer3 added, moved; /* routes only */
	const char *netns;          /* path of the container's namespace */
	const char *inode, *cookie; /* netns_identify() */
};

static void write_routes(struct mem *mem, struct jw *w, const char *key, const struct layer3 *s)
{
	jw_open(w, key, '{');
	layer3_write(mem, w, s);
	jw_close(w, '}');
}

static int record_save(struct tx *tx, const struct state_file *f, const struct record *r)
{
	struct jw w;

	jw_init(&w, &tx->mem, true);
	jw_open(&w, NULL, '{');
	write_routes(&tx->mem, &w, "added", &r->added);
	write_routes(&tx->mem, &w, "moved", &r->moved);
	jw_str(&w, "netns", r->netns);
	jw_str(&w, "netnsInode", r->inode);
	jw_str(&w, "netnsCookie", r->cookie);
	jw_close(&w, '}');
	return state_save(tx, f, jw_end(&w));
}

/* 1, 0 if there is none, or a recorded failure. */
static int record_load(struct tx *tx, const struct state_file *f, struct record *ret)
{
	struct cj j, routes;
	char *text;
	int there;

	*ret = (struct record){ .netns = NULL };
	TRY(there = state_load(tx, f, &text));
	if (!there)
		return 0;
	TRY(cj_parse(tx, text, strlen(text), "routes that sbr has moved", &j));
	routes = cj_obj(&j, "added");
	layer3_read(&tx->mem, &routes, &ret->added);
	routes = cj_obj(&j, "moved");
	layer3_read(&tx->mem, &routes, &ret->moved);
	ret->netns = cj_str(&j, "netns", NULL);
	ret->inode = cj_str(&j, "netnsInode", NULL);
	ret->cookie = cj_str(&j, "netnsCookie", NULL);
	TRY(cj_ok(tx, &j)); /* the document lives as long as the call */
	return 1;
}

static bool is_ours(const struct call *c, const struct record *r)
{
	return netns_is(&c->cont_ns, r->inode, r->cookie);
}

/* Only root writes the document, so one that is wrong is an accident, and as none. */
static int record_find(struct tx *tx, const struct state_file *f, struct record *ret)
{
	int before = tx->err, there = record_load(tx, f, ret);

	if (there < 0 && !err_is_passing(there))
		return tx_excuse(tx, before, there, "the routes in table main stay as they are");
	return there;
}

/* The kernel fills in a metric that is 0. */
static bool is_listed(const struct route_list *list, const struct route *r)
{
	for (unsigned i = 0; i < list->n; i++) {
		const struct route *l = &list->r[i];

		if (cidr_eq(l->dst, r->dst) && ip_eq(l->gw, r->gw) && ip_eq(l->src, r->src) &&
		    l->table == r->table && l->protocol == r->protocol &&
		    (l->priority == r->priority || !l->priority || !r->priority))
			return true;
	}
	return false;
}

/* Each route once, so that the record does not grow with each repair. */
static void add_routes(struct tx *tx, struct route_list *to, const struct route_list *list)
{
	for (unsigned i = 0; i < list->n; i++)
		if (!is_listed(to, &list->r[i]))
			sbr_list_add(tx, to, list->r[i]);
}

int sbr_record_save(struct tx *tx, struct call *c, const struct sbr_plan *p)
{
	struct netns_id id = netns_identify(&c->cont_ns);
	struct record r = { .added.routes.n = 0 };
	struct state_file f;
	int there;

	TRY(state_of(tx, PLUGIN, c->network, c->id, c->ifname, &f));
	TRY(there = record_find(tx, &f, &r));
	there = there && is_ours(c, &r);
	if (!there)
		r = (struct record){ .added.routes.n = 0 };
	add_routes(tx, &r.added.routes, &p->tables);
	add_routes(tx, &r.added.routes, &p->hints);
	/* What a repair finds in main came after ADD. */
	if (!there || c->command != CNI_REPAIR)
		add_routes(tx, &r.moved.routes, &p->moved);
	r.netns = c->netns_path;
	r.inode = id.inode;
	r.cookie = id.cookie;
	return record_save(tx, &f, &r);
}

static int put_back(struct tx *tx, struct call *c, const struct link *l, const struct record *r)
{
	int before = tx->err, err;

	TRY(route_drop(tx, &c->cont, &r->added.routes));
	err = layer3_restore(tx, &c->cont, l, &r->moved);
	if (err_is_passing(err))
		return err;
	return tx_excuse(tx, before, err, "table main has the interface's other routes");
}

int sbr_record_open(struct tx *tx, struct call *c)
{
	struct state_file f;
	struct record r;
	int there;

	if (rt_is_open(&c->cont))
		return 1;
	TRY(state_of(tx, PLUGIN, c->network, c->id, c->ifname, &f));
	TRY(there = record_find(tx, &f, &r));
	if (!there)
		return 0;
	return call_open_noted(tx, c, r.netns, r.inode, r.cookie);
}

int sbr_record_undo(struct tx *tx, struct call *c, const struct link *l)
{
	struct state_file f;
	struct record r;
	int there = 0;

	TRY(state_of(tx, PLUGIN, c->network, c->id, c->ifname, &f));
	if (l)
		TRY(there = record_find(tx, &f, &r));
	if (there && is_ours(c, &r))
		TRY(put_back(tx, c, l, &r));
	return state_drop(tx, &f);
}

static int gc_one(struct tx *tx, const struct call *c, const struct state_entry *e)
{
	struct call other = *c;
	int r;

	other.id = e->id;
	other.ifname = e->ifname;
	other.cont = (struct rt){ .sk = NULL };
	other.cont_ns = NETNS_NONE;
	r = sbr_del(tx, &other);
	rt_close(&other.cont);
	netns_close(&other.cont_ns);
	return r;
}

int sbr_gc(struct tx *tx, struct call *c)
{
	struct state_list list;
	int r = 0;

	if (!c->valid_known)
		return 0;
	TRY(state_list(tx, SBR_RECORDS, &list));
	for (unsigned i = 0; i < list.n && r != -EINTR; i++) {
		const struct state_entry *e = &list.e[i];

		if (e->network && str_eq(e->network, c->network) &&
		    !call_is_valid(c, e->id, e->ifname))
			r = also(r, gc_one(tx, c, e));
	}
	return r;
}
