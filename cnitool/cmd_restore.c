// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_restore.c - the verb restore, and check --repair: what the kernel lost is made again
 *
 * What is remembered of an attachment - its configuration and result - says what there
 * must be.  cplug's plugins compare, and put right what differs (CHECK with CPLUG_REPAIR,
 * lib/cni/cni.c); so restoring what is whole changes nothing.
 *
 * A runtime may delete the container meanwhile.  Having changed something, we look whether
 * the attachment is still remembered, and if not, delete what was made.
 */
#include <stdio.h>

#include "cnitool/attach.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "value/jw.h"
#include "base/log.h"
#include "value/result.h"
#include "cnitool/run_registry.h"
#include "cnitool/target.h"

/* ---- telling ---- */

static void put_differences(struct jw *w, const char *key, const struct repairs *r)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < r->n; i++) {
		jw_open(w, NULL, '{');
		jw_str(w, "plugin", r->v[i].plugin);
		jw_str(w, "object", r->v[i].object);
		jw_str(w, "want", r->v[i].want);
		jw_str(w, "have", r->v[i].have);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static void say_differences(const struct tool *t, const struct attachment *a,
			    const struct repairs *r)
{
	for (unsigned i = 0; i < r->n; i++) {
		const struct repaired *d = &r->v[i];

		tool_say(t, "%s %s of %s on network %s: %s%s%s%s%s%s\n",
			 t->opt.dry_run ? "would restore" : "restored", a->ifname, a->id,
			 a->net->name, d->object, *d->want ? ": " : "", d->want,
			 *d->want ? " (was: " : "",
			 !*d->want  ? ""
			 : *d->have ? d->have
				    : "nothing",
			 *d->want ? ")" : "");
	}
}

/* ---- check --repair ---- */

int cmd_restore_one(struct tool *t, const struct attachment *a)
{
	struct repairs done = { .n = 0 };
	struct jw w;
	int r = attach_repair(t, a, NULL, false, &done);

	if (r == 0)
		r = attach_check(t, a);
	say_differences(t, a, &done);
	if (r < 0 || !t->opt.json)
		return r;
	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '{');
	put_differences(&w, "repaired", &done);
	jw_close(&w, '}');
	return tool_print(t, jw_end(&w));
}

/* ---- restore ---- */

enum fate { WHOLE, RESTORED, FAILED, FOREIGN };

struct restoration {
	const struct cached *c;
	struct netconf net;
	struct attachment a;
	struct repairs done;
	enum fate fate;
	const char *why; /* of a failure */
};

struct restore {
	struct restoration *v;
	unsigned n, failed;
};

/* The namespace's path: libcni before 1.2 kept it in the result only. */
static const char *netns_of(struct tool *t, const struct cached *c)
{
	const struct result_rules rules = { .def_version = "0.1.0", .code = CNI_E_DECODE };
	struct errctx m = errctx_mark(t->tx);
	struct cj root = { .json = NULL };
	struct result res;
	const char *path = NULL;
	int i = -1;

	if (c->netns)
		return c->netns;
	result_init(&res, &t->tx->mem);
	if (cj_parse(t->tx, c->result, strlen(c->result), "result", &root) < 0 ||
	    result_read(t->tx, &root, &rules, &res) < 0)
		errctx_take(t->tx, m);
	else
		i = result_find_if(&res, c->ifname, true);
	if (i >= 0)
		path = res.ifs[i].sandbox;
	cj_free(&root);
	return path;
}

/* As it was at the time of ADD; the network's file may say something else by now. */
static int conf_of(struct tool *t, const struct cached *c, struct netconf *ret)
{
	if (c->config)
		return netconf_read_kept(t->tx, t->opt.conf_dir, c->config, c->config_size, ret);
	return netconf_find(t->tx, t->opt.conf_dir, c->network, ret);
}

/* Deleted meanwhile: what was made belongs to nobody. */
static int undo_if_deleted(struct tool *t, const struct restoration *o)
{
	if (!o->done.n || access(o->c->file, F_OK) == 0)
		return 0;
	log_warn("%s of %s on network %s was deleted meanwhile", o->a.ifname, o->a.id,
		 o->a.net->name);
	return attach_undo(t, &o->a);
}

static void restore_attachment(struct tool *t, struct restoration *o)
{
	struct errctx m = errctx_mark(t->tx);
	int r = conf_of(t, o->c, &o->net);

	o->a.net = &o->net;
	if (r == 0) {
		r = attach_repair(t, &o->a, o->c, t->opt.dry_run, &o->done);
		r = also(r, t->opt.dry_run ? 0 : undo_if_deleted(t, o));
		say_differences(t, &o->a, &o->done);
		netconf_free(&o->net);
	}
	o->fate = r < 0 ? FAILED : !o->done.ours ? FOREIGN : o->done.n ? RESTORED : WHOLE;
	if (r < 0)
		o->why = errctx_take(t->tx, m);
	if (r < 0 && !t->opt.json)
		fprintf(stderr, "cnitool: %s of %s on network %s: %s\n", o->a.ifname, o->a.id,
			o->c->network, o->why);
}

static bool is_wanted(const struct tool *t, const struct cached *c)
{
	for (unsigned i = 0; i < t->args.n; i++)
		if (str_eq(t->args.v[i], c->network))
			return true;
	return !t->args.n;
}

/* What lives, and was added to the end. */
static void choose_attachments(struct tool *t, const struct cached *all, unsigned n,
			       struct restore *s)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cached *c = &all[i];
		const char *netns = is_wanted(t, c) && c->result ? netns_of(t, c) : NULL;

		if (str_empty(netns) || !target_lives(t->tx, netns) ||
		    run_registry_is_dead(t, c->id)) {
			log_step("%s: passed over: its add never ended, or its namespace is gone",
				 c->file);
			continue;
		}
		s->v = mem_grow(&t->tx->mem, s->v, s->n, sizeof(*s->v));
		s->v[s->n++] = (struct restoration){
			.c = c,
			.a = { NULL, c->id, c->ifname, netns, c->args, c->capability_args },
		};
	}
}

/* A network that nobody knows is a slip of the pen. */
static int check_names(struct tool *t, const struct cached *all, unsigned n)
{
	for (unsigned i = 0; i < t->args.n; i++) {
		struct netconf net;
		bool known = false;

		for (unsigned k = 0; k < n; k++)
			known |= str_eq(all[k].network, t->args.v[i]);
		if (!known)
			TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[i], &net));
	}
	return 0;
}

static void put_fate(struct jw *w, const char *key, const struct restore *s, enum fate fate)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < s->n; i++) {
		const struct restoration *o = &s->v[i];

		if (o->fate != fate)
			continue;
		jw_open(w, NULL, '{');
		jw_str(w, "network", o->c->network);
		jw_str(w, "containerID", o->a.id);
		jw_str(w, "ifname", o->a.ifname);
		jw_str(w, "netns", o->a.netns);
		if (o->done.n)
			put_differences(w, "differences", &o->done);
		if (o->why)
			jw_str(w, "msg", o->why);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static int print_json(struct tool *t, const struct restore *s)
{
	struct jw w;

	if (!t->opt.json)
		return 0;
	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '{');
	jw_bool(&w, "dryRun", t->opt.dry_run);
	put_fate(&w, "restored", s, RESTORED);
	put_fate(&w, "whole", s, WHOLE);
	put_fate(&w, "failed", s, FAILED);
	jw_close(&w, '}');
	return tool_print(t, jw_end(&w));
}

int cmd_restore(struct tool *t)
{
	struct restore s = { .n = 0 };
	struct cached *all;
	unsigned n;

	TRY(cache_lock(t->tx, &t->cache, false));
	TRY(cache_everywhere(t->tx, &t->cache, NULL, &all, &n));
	TRY(check_names(t, all, n));
	choose_attachments(t, all, n, &s);
	for (unsigned i = 0; i < s.n; i++) {
		TRY(tx_interrupted(t->tx));
		restore_attachment(t, &s.v[i]);
		s.failed += s.v[i].fate == FAILED;
	}
	TRY(print_json(t, &s));
	if (!s.failed)
		return 0;
	t->status = 1;
	return t->opt.json ? 0
			   : tx_fail(t->tx, -EIO, "%u of %u attachments could not be restored",
				     s.failed, s.n);
}
