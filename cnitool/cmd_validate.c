// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_validate.c - cnitool validate: all mistakes of configuration files
 */
#include "base/log.h"
#include "cnitool/cnitool.h"
#include "cnitool/lint.h"
#include "value/jw.h"

enum { FILE_MAX = 16 << 20 };

static int read_file(struct tool *t, const char *name, struct file_text *ret)
{
	const char *remedy = "";
	int r;

	if (str_eq(name, "-"))
		return tool_read_stdin(t, FILE_MAX, ret);
	r = file_read_checked(&t->tx->mem, name, FILE_MAX, ret);
	if (r == -EISDIR)
		remedy = " (name the files in it)";
	if (r < 0)
		return tx_fail_as(t->tx, CPLUG_E_FILE, r, "cannot read %s: %s%s", name,
				  strerror(-r), remedy);
	return 0;
}

static int lint_one(struct tool *t, struct lint *l, const char **name)
{
	char *shown = mem_str(&t->tx->mem, *name);
	struct file_text text;

	t->usage = true;
	TRY(read_file(t, *name, &text));
	t->usage = false;
	text_plain(shown);
	*name = shown;
	lint_file(l, shown, text.s, text.size);
	return 0;
}

static unsigned count_mistakes(const struct lint *l, const char *file)
{
	unsigned n = 0;

	for (unsigned i = 0; i < l->n; i++)
		n += !l->found[i].warning && (!file || str_eq(l->found[i].file, file));
	return n;
}

static void print_text(struct tool *t, const struct lint *l)
{
	for (unsigned i = 0; i < l->n; i++) {
		const struct finding *f = &l->found[i];

		const char *colon = *f->path ? ": " : "";

		tool_say(t, "%s: %s%s%s%s\n", f->file, f->warning ? "warning: " : "", f->path,
			 colon, f->text);
	}
	if (l->dropped)
		tool_say(t, "and %u more\n", l->dropped);
	for (unsigned i = 0; i < t->args.n; i++)
		if (!count_mistakes(l, t->args.v[i]))
			tool_say(t, "%s: valid\n", t->args.v[i]);
}

static int print_json(struct tool *t, const struct lint *l)
{
	struct jw w;

	tool_open_json(t, &w);
	jw_bool(&w, "valid", !count_mistakes(l, NULL));
	jw_open(&w, "findings", '[');
	for (unsigned i = 0; i < l->n; i++) {
		const struct finding *f = &l->found[i];

		jw_open(&w, NULL, '{');
		jw_str(&w, "file", f->file);
		jw_str(&w, "path", f->path);
		jw_str(&w, "level", f->warning ? "warning" : "error");
		jw_str(&w, "msg", f->text);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	jw_int(&w, "more", l->dropped);
	return tool_print_json(t, &w);
}

int cmd_validate(struct tool *t)
{
	struct lint l;

	lint_init(&l, t->tx, t->plugins);
	for (unsigned i = 0; i < t->args.n; i++)
		TRY(lint_one(t, &l, &t->args.v[i]));
	lint_networks(&l);
	t->status = count_mistakes(&l, NULL) > 0;
	if (t->opt.json)
		return print_json(t, &l);
	print_text(t, &l);
	return 0;
}
