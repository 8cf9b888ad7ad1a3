// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_list.c - the verb list: configured networks, and cached attachments
 *
 * Also lists attachments that gc would remove: those whose namespace is gone, or whose network is
 * not configured any more.
 */
#include <stdio.h>

#include "cnitool/cnitool.h"
#include "base/log.h"
#include "value/jw.h"
#include "cnitool/netconf.h"
#include "value/result.h"
#include "cnitool/run_registry.h"
#include "cnitool/target.h"

struct listing {
	struct netconf *nets;
	unsigned n_nets;
	struct cached *all;
	unsigned n;
};

static int read_all(struct tool *t, struct listing *s)
{
	const char *name = t->args.n ? t->args.v[0] : NULL;

	TRY(cache_everywhere(t->tx, &t->cache, name, &s->all, &s->n, NULL));
	if (!name)
		return netconf_all(t->tx, t->opt.conf_dir, &s->nets, &s->n_nets);
	s->nets = mem_alloc(&t->tx->mem, sizeof(*s->nets));
	s->n_nets = 1;
	return netconf_find(t->tx, t->opt.conf_dir, name, s->nets);
}

static bool is_alive(struct tool *t, const struct cached *c)
{
	return target_lives(t->tx, c->netns, &c->nsid) && !run_registry_is_dead(t, c->id);
}

static const struct netconf *conf_of(const struct listing *s, const struct cached *c)
{
	for (unsigned i = 0; i < s->n_nets; i++)
		if (str_eq(s->nets[i].name, c->network))
			return &s->nets[i];
	return NULL;
}

/* The addresses of a result; none if it cannot be read. */
static struct result read_addresses(struct tool *t, const struct cached *c)
{
	struct result res;
	const char *why = cache_read_result(t->tx, c->result, &res);

	if (why)
		log_step("%s: %s", c->file, why);
	return res;
}

/* ---- as JSON ---- */

static void put_attachment(struct tool *t, struct jw *w, const struct cached *c)
{
	const struct cache_key key = { NULL, c->id, c->ifname };
	struct result res = read_addresses(t, c);

	jw_open(w, NULL, '{');
	tool_put_attachment(w, &key, c->netns);
	jw_bool(w, "alive", is_alive(t, c));
	jw_open(w, "ips", '[');
	for (unsigned i = 0; i < res.n_ips; i++)
		jw_str(w, NULL, CIDR_S(res.ips[i].addr));
	jw_close(w, ']');
	jw_close(w, '}');
}

static void put_attachments(struct tool *t, struct jw *w, const struct listing *s,
			    const struct netconf *net)
{
	jw_open(w, "attachments", '[');
	for (unsigned i = 0; i < s->n; i++)
		if (conf_of(s, &s->all[i]) == net)
			put_attachment(t, w, &s->all[i]);
	jw_close(w, ']');
}

static int print_json(struct tool *t, const struct listing *s)
{
	struct jw w;

	tool_open_json(t, &w);
	jw_open(&w, "networks", '[');
	for (unsigned i = 0; i < s->n_nets; i++) {
		jw_open(&w, NULL, '{');
		jw_str(&w, "name", s->nets[i].name);
		jw_str(&w, "cniVersion", s->nets[i].version);
		jw_str(&w, "file", s->nets[i].file);
		jw_open(&w, "plugins", '[');
		for (unsigned k = 0; k < s->nets[i].n_plugins; k++)
			jw_str(&w, NULL, s->nets[i].plugins[k].type);
		jw_close(&w, ']');
		put_attachments(t, &w, s, &s->nets[i]);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	put_attachments(t, &w, s, NULL); /* of networks that are not configured */
	return tool_print_json(t, &w);
}

/* ---- as a table ---- */

enum { COLUMNS = 4 };

enum row_kind { NETWORK, ATTACHMENT, LINE, ROW_KINDS };

struct row {
	enum row_kind kind;
	const char *cell[COLUMNS];
};

/* Rows of a kind have columns as wide as the longest word in them; the last one has no width. */
struct table {
	struct mem *m;
	struct row *rows;
	unsigned n;
	int width[ROW_KINDS][COLUMNS];
};

static void add_row(struct table *tab, const struct row *row)
{
	int *width = tab->width[row->kind];
	struct row *new;

	tab->rows = mem_grow(tab->m, tab->rows, tab->n, sizeof(*tab->rows));
	new = &tab->rows[tab->n++];
	*new = *row;
	for (unsigned k = 0; k < COLUMNS; k++) {
		char *cell = mem_str(tab->m, row->cell[k]);

		if (!cell)
			continue;
		text_plain(cell);
		new->cell[k] = cell;
		if (row->kind != LINE && (int)strlen(cell) > width[k])
			width[k] = (int)strlen(cell);
	}
}

static void print_table(const struct table *tab)
{
	for (unsigned i = 0; i < tab->n; i++) {
		const struct row *r = &tab->rows[i];
		const int *w = tab->width[r->kind];

		if (r->kind == LINE)
			printf("%s\n", r->cell[0]);
		else
			printf("%-*s  %-*s  %-*s  %s\n", w[0], r->cell[0], w[1], r->cell[1], w[2],
			       r->cell[2], r->cell[3]);
	}
}

static const char *joined(struct mem *m, const char *list, const char *word)
{
	if (!*list)
		return mem_str(m, word);
	return mem_printf(m, "%s,%s", list, word);
}

static void add_network(struct table *tab, const struct netconf *n)
{
	const char *types = "", *version = *n->version ? n->version : "-";

	for (unsigned i = 0; i < n->n_plugins; i++)
		types = joined(tab->m, types, n->plugins[i].type);
	add_row(tab, &(struct row){ NETWORK, { n->name, version, types, n->file } });
}

static const char *state_of(struct tool *t, const struct cached *c)
{
	if (!is_alive(t, c))
		return " (gone: cnitool gc)";
	return c->has_result ? "" : " (unfinished)";
}

static void add_attachment(struct table *tab, struct tool *t, const struct cached *c)
{
	const char *ifname = mem_printf(tab->m, "  %s", c->ifname), *ips = "", *netns;
	struct result res = read_addresses(t, c);

	for (unsigned i = 0; i < res.n_ips; i++)
		ips = joined(tab->m, ips, CIDR_S(res.ips[i].addr));
	netns = mem_printf(tab->m, "%s%s", c->netns ? c->netns : "", state_of(t, c));
	add_row(tab, &(struct row){ ATTACHMENT, { ifname, c->id, *ips ? ips : "-", netns } });
}

static void add_attachments(struct table *tab, struct tool *t, const struct listing *s,
			    const struct netconf *net)
{
	bool lost = false;

	for (unsigned i = 0; i < s->n; i++) {
		if (conf_of(s, &s->all[i]) != net)
			continue;
		if (!net && !lost)
			add_row(tab,
				&(struct row){ LINE,
					       { "(networks that are not configured any more)" } });
		lost = true;
		add_attachment(tab, t, &s->all[i]);
	}
}

int cmd_list(struct tool *t)
{
	struct table tab = { .m = &t->tx->mem };
	struct listing s = { .n = 0 };

	TRY(read_all(t, &s));
	if (t->opt.json)
		return print_json(t, &s);
	if (!s.n_nets)
		tool_note(t, "no networks are configured in %s", t->opt.conf_dir);
	for (unsigned i = 0; i < s.n_nets; i++) {
		add_network(&tab, &s.nets[i]);
		add_attachments(&tab, t, &s, &s.nets[i]);
	}
	add_attachments(&tab, t, &s, NULL);
	print_table(&tab);
	return 0;
}
