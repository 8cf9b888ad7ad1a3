// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_graph.c - the verb graph: draws what is plugged where (view.h)
 *
 * As a text tree, whose root is the host; as Graphviz DOT; as a Mermaid flowchart; or as SVG, by
 * Graphviz.  A label has printable ASCII only (view_escape()), and in DOT and Mermaid every
 * character that could mean something there is a character reference.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cnitool/cnitool.h"
#include "cnitool/netconf.h"
#include "cnitool/target.h"
#include "cnitool/view.h"
#include "sys/exec.h"
#include "value/jw.h"

enum { DEPTH_MAX = 12 };

/* How a format writes its parts. */
struct style {
	const char *name, *begin, *end;
	/* Of a namespace: before its number, before its name, behind it, at the end. */
	const char *group, *group_name, *group_body, *group_end;
	const char *node, *node_end; /* of an interface: before and behind its label */
	const char *line;            /* between the lines of a label */
	/* Between two interfaces, and behind: plugged into; and beside that on top of. */
	const char *edge[2], *edge_end[2];
	const char *reference; /* of a character: before its number */
};

static const struct style styles[] = {
	{ .name = "text" },
	{ .name = "dot",
	  .begin =
		  "graph cnitool {\n"
		  "\trankdir=LR; ranksep=0.4; nodesep=0.12; fontname=\"sans-serif\"; fontsize=11;\n"
		  "\tnode [shape=box, style=\"rounded,filled\", fillcolor=\"#ffffff\", "
		  "color=\"#4a6785\",\n"
		  "\t\tfontname=\"sans-serif\", fontsize=10, margin=\"0.12,0.06\"];\n"
		  "\tedge [color=\"#4a6785\"];\n",
	  .end = "}\n",
	  .group = "\tsubgraph cluster_",
	  .group_name = " {\n\t\tlabel=\"",
	  .group_body = "\"; style=\"rounded,filled\"; fillcolor=\"#e8eef4\"; "
			"color=\"#b4c4d4\";\n",
	  .group_end = "\t}\n",
	  .node = " [label=\"",
	  .node_end = "\"];\n",
	  .line = "\\n",
	  .edge = { " -- ", " -- " },
	  .edge_end = { ";\n", " [style=dashed];\n" },
	  .reference = "&#" },
	{ .name = "mermaid",
	  .begin = "flowchart LR\n",
	  .end = "",
	  .group = "\tsubgraph s",
	  .group_name = "[\"",
	  .group_body = "\"]\n",
	  .group_end = "\tend\n",
	  .node = "[\"",
	  .node_end = "\"]\n",
	  .line = "<br/>",
	  .edge = { " --- ", " -.- " },
	  .edge_end = { "\n", "\n" },
	  .reference = "#" },
};

struct drawing {
	struct view view;
	struct mem *m;
	const struct style *style;
	struct mem_text out;
};

/* ---- the selection ---- */

static bool keep_network(struct view *w, const char *network)
{
	bool any = false;

	for (unsigned i = 0; i < w->n; i++)
		if (!network || str_eq(w->v[i].owner.network, network)) {
			view_keep(w, (int)i);
			any = true;
		}
	for (unsigned i = 0; i < w->n_leases; i++)
		any |= str_eq(w->leases[i].network, network);
	return any;
}

/* What limits an interface whose host's end is at: the ifbs of the same attachment below that. */
static void keep_limits(struct view *w, int at)
{
	const struct mark_owner *o;

	if (at < 0 || !w->v[at].owner.id)
		return;
	o = &w->v[at].owner;
	for (unsigned i = 0; i < w->n; i++)
		if (w->v[i].under == at && str_eq(w->v[i].owner.id, o->id) &&
		    str_eq(w->v[i].owner.ifname, o->ifname))
			w->v[i].kept = true;
}

static bool keep_netns(struct view *w, const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return false;
	for (unsigned k = 0; k < w->n_ns; k++) {
		if (w->ns[k].ino != st.st_ino)
			continue;
		w->ns[k].kept = true;
		for (unsigned i = 0; i < w->n; i++)
			if (w->v[i].ns == k) {
				view_keep(w, (int)i);
				keep_limits(w, w->v[i].under);
				w->ns[k].kept = false;
			}
		return true;
	}
	return false;
}

static int select_part(struct tool *t, struct view *w)
{
	const char *what = t->args.n ? t->args.v[0] : NULL;
	struct netconf *nets;
	unsigned n;
	bool known = keep_network(w, what);

	if (!what || known || keep_netns(w, target_path(&t->tx->mem, what)))
		return 0;
	TRY(netconf_all(t->tx, t->opt.conf_dir, &nets, &n));
	for (unsigned i = 0; i < n; i++)
		if (str_eq(nets[i].name, what))
			return 0;
	return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
			  "there is no network \"%s\", and no network namespace %s: see cnitool "
			  "list",
			  what, target_path(&t->tx->mem, what));
}

static bool is_shown(const struct view *w, unsigned ns)
{
	bool any = w->ns[ns].kept;

	for (unsigned i = 0; i < w->n && !any; i++)
		any = w->v[i].kept && w->v[i].ns == ns;
	return any;
}

/* ---- the text tree ---- */

/* "web: eth0 (veth, up)"; from: the namespace that is told already. */
static const char *headline(struct mem *m, const struct view *w, const struct view_if *i,
			    unsigned from)
{
	struct mem_text t = { .mem = m };

	if (i->ns != from)
		mem_text_add(&t, "%s: ", w->ns[i->ns].name);
	mem_text_add(&t, "%s (%s, %s)", i->l.name, view_kind(&i->l), view_state(&i->l));
	if (i->lower >= 0)
		mem_text_add(&t, " on %s", w->v[i->lower].l.name);
	return mem_text_end(&t);
}

/* "NETWORK/ID"; "" if there is none, or what it is plugged into has the same. */
static const char *owner_text(struct mem *m, const struct view *w, const struct view_if *i)
{
	const struct mark_owner *o = &i->owner;

	if (!o->network || (i->under >= 0 && str_eq(o->id, w->v[i->under].owner.id)))
		return "";
	if (!o->id)
		return mem_printf(m, "[%s]", o->network);
	return mem_printf(m, "[%s/%s]", o->network, o->id);
}

static void print_under(struct drawing *d, int under, unsigned ns, const char *indent, int depth)
{
	struct view *w = &d->view;
	int last = -1;

	for (unsigned i = 0; i < w->n; i++)
		if (w->v[i].kept && w->v[i].under == under && (under >= 0 || w->v[i].ns == ns))
			last = (int)i;
	for (int i = 0; i <= last && depth < DEPTH_MAX; i++) {
		struct view_if *v = &w->v[i];
		const char *next, *owner;

		if (!v->kept || v->under != under || (under < 0 && v->ns != ns))
			continue;
		next = mem_printf(d->m, "%s%s", indent, i == last ? "   " : "│  ");
		mem_text_add(&d->out, "%s%s %s", indent, i == last ? "└─" : "├─",
			     view_escape(d->m, headline(d->m, w, v, ns)));
		owner = owner_text(d->m, w, v);
		if (*owner)
			mem_text_add(&d->out, "  %s", view_escape(d->m, owner));
		mem_text_add(&d->out, "\n");
		for (unsigned k = 0; k < v->facts.n; k++)
			mem_text_add(&d->out, "%s     %s\n", next,
				     view_escape(d->m, v->facts.v[k]));
		print_under(d, i, v->ns, next, depth + 1);
	}
}

static void print_tree(struct drawing *d)
{
	struct view *w = &d->view;

	for (unsigned k = 0; k < w->n_ns; k++) {
		bool root = false;

		for (unsigned i = 0; i < w->n; i++)
			root |= w->v[i].kept && w->v[i].ns == k && w->v[i].under < 0;
		if (!root && !w->ns[k].kept)
			continue;
		mem_text_add(&d->out, "%s\n", view_escape(d->m, w->ns[k].name));
		print_under(d, -1, k, "", 0);
	}
}

/* ---- DOT and Mermaid ---- */

static const char *label(struct drawing *d, const char *s)
{
	struct mem_text t = { .mem = d->m };

	for (s = view_escape(d->m, s); *s; s++) {
		/* DOT reads escapes after references. */
		if (*s == '\\' && *d->style->reference == '&')
			mem_text_add(&t, "&#92;");
		if (isalnum((unsigned char)*s) || strchr(" .,:/()+=-", *s))
			mem_text_add(&t, "%c", *s);
		else
			mem_text_add(&t, "%s%u;", d->style->reference, (unsigned)*s);
	}
	return mem_text_end(&t);
}

static void put_node(struct drawing *d, unsigned i)
{
	const struct view_if *v = &d->view.v[i];
	const char *owner = label(d, owner_text(d->m, &d->view, v));
	const struct style *s = d->style;

	mem_text_add(&d->out, "\t\tn%u%s%s%s%s", i, s->node,
		     label(d, headline(d->m, &d->view, v, v->ns)), *owner ? s->line : "", owner);
	for (unsigned k = 0; k < v->facts.n; k++)
		mem_text_add(&d->out, "%s%s", s->line, label(d, v->facts.v[k]));
	mem_text_add(&d->out, "%s", s->node_end);
}

static void put_graph(struct drawing *d)
{
	const struct style *s = d->style;
	struct view *w = &d->view;

	mem_text_add(&d->out, "%s", s->begin);
	for (unsigned k = 0; k < w->n_ns; k++) {
		if (!is_shown(w, k))
			continue;
		mem_text_add(&d->out, "%s%u%s%s%s", s->group, k, s->group_name,
			     label(d, w->ns[k].name), s->group_body);
		for (unsigned i = 0; i < w->n; i++)
			if (w->v[i].kept && w->v[i].ns == k)
				put_node(d, i);
		mem_text_add(&d->out, "%s", s->group_end);
	}
	for (unsigned i = 0; i < w->n; i++) {
		const int to[] = { w->v[i].under, w->v[i].lower };

		for (unsigned k = 0; w->v[i].kept && k < ARRAY_LEN(to); k++)
			if (to[k] >= 0)
				mem_text_add(&d->out, "\tn%d%sn%u%s", to[k], s->edge[k], i,
					     s->edge_end[k]);
	}
	mem_text_add(&d->out, "%s", s->end);
}

static int put_svg(struct tool *t, const char *dot, struct mem_text *out)
{
	const char *path = secure_getenv("PATH"), *program;
	const char *const env[] = { NULL };
	struct exec_answer answer;
	struct exec_request q = { .arg = "-Tsvg", .env = env, .in = dot, .size = strlen(dot) };
	bool self;

	if (str_empty(path) || !exec_look(&t->tx->mem, path, "dot", &program, &self))
		return tx_fail_as(t->tx, CPLUG_E_DELEGATE, -ENOENT,
				  "--format svg needs the program dot: install graphviz, or use "
				  "--format dot");
	q.path = program;
	q.timeout_ms = (int)t->opt.timeout * 1000;
	TRY(exec_run(t->tx, &q, &answer));
	if (answer.status)
		return tx_fail_as(t->tx, CPLUG_E_DELEGATE, -EIO, "%s failed: %s", program,
				  view_escape(&t->tx->mem, answer.err));
	mem_text_add(out, "%s", answer.out);
	return 0;
}

/* ---- all ---- */

static int print_json(struct drawing *d)
{
	struct view *w = &d->view;
	struct jw j;

	tool_open_json(w->t, &j);
	jw_open(&j, "interfaces", '[');
	for (unsigned i = 0; i < w->n; i++) {
		if (!w->v[i].kept)
			continue;
		jw_open(&j, NULL, '{');
		view_put_if(&j, w, &w->v[i]);
		jw_close(&j, '}');
	}
	jw_close(&j, ']');
	return tool_print_json(w->t, &j);
}

static int draw(struct tool *t, struct drawing *d, bool svg)
{
	const char *what = t->args.n ? target_path(d->m, t->args.v[0]) : NULL;

	TRY(view_read(&d->view, what));
	TRY(select_part(t, &d->view));
	if (t->opt.json)
		return print_json(d);
	if (!d->style->begin)
		print_tree(d);
	else
		put_graph(d);
	if (svg) {
		const char *dot = mem_text_end(&d->out);

		d->out = (struct mem_text){ .mem = d->m };
		TRY(put_svg(t, dot, &d->out));
	}
	tool_say(t, "%s", mem_text_end(&d->out));
	return 0;
}

int cmd_graph(struct tool *t)
{
	const char *format = t->opt.format ? t->opt.format : "text";
	struct drawing d = { .view.t = t, .m = &t->tx->mem, .out.mem = &t->tx->mem };
	bool svg = str_eq(format, "svg");
	int r;

	for (unsigned i = 0; i < ARRAY_LEN(styles); i++)
		if (str_eq(styles[i].name, svg ? "dot" : format))
			d.style = &styles[i];
	if (!d.style) {
		t->usage = true;
		return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL,
				  "graph --format %s: expected text, dot, mermaid or svg", format);
	}
	r = draw(t, &d, svg);
	view_close(&d.view);
	return r;
}
