// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gc.c - the verb gc: remove what belongs to containers that are gone
 *
 * An attachment is stale if its namespace is gone, or if the cnitool that ran its
 * container was killed (runs.h); in doubt it stays.  Stale ones get a DEL of the
 * whole list, as the reference does with every attachment.  Then each plugin gets a
 * GC with the list of those that are left.
 */
#include "attach.h"
#include "cnitool.h"
#include "fail.h"
#include "jw.h"
#include "log.h"
#include "runs.h"
#include "target.h"

struct gc {
	struct netconf *nets;
	unsigned n_nets;
	struct cached *all;
	bool *stale;
	unsigned n;
};

static int collect(struct tool *t, struct gc *g)
{
	const char *name = t->args.n ? t->args.v[0] : NULL;

	TRY(cache_all(t->tx, &t->cache, name, &g->all, &g->n));
	g->stale = mem_alloc(&t->tx->mem, g->n * sizeof(*g->stale));
	for (unsigned i = 0; i < g->n; i++)
		g->stale[i] = t->opt.all || !target_lives(t->tx, g->all[i].netns) ||
			      runs_is_dead(t, g->all[i].id);
	if (!name)
		return netconf_all(t->tx, t->opt.conf_dir, &g->nets, &g->n_nets);
	g->nets = mem_alloc(&t->tx->mem, sizeof(*g->nets));
	g->n_nets = 1;
	return netconf_find(t->tx, t->opt.conf_dir, name, g->nets);
}

/* The configuration of an attachment: the network's, or what the cache kept of it. */
static const struct netconf *conf_of(struct tool *t, const struct gc *g, const struct cached *c)
{
	struct fail_mark m = fail_mark(t->tx);
	struct netconf *kept;

	for (unsigned i = 0; i < g->n_nets; i++)
		if (str_eq(g->nets[i].name, c->network))
			return &g->nets[i];
	kept = mem_alloc(&t->tx->mem, sizeof(*kept));
	if (c->config && netconf_read(t->tx, t->opt.conf_dir, "the cached configuration", c->config,
				      c->config_size, kept) == 0)
		return kept;
	log_warn("%s %s: network \"%s\" is not configured any more %s", c->id, c->ifname,
		 c->network, fail_take(t->tx, m));
	return NULL;
}

static int remove_one(struct tool *t, const struct netconf *net, const struct cached *c)
{
	struct attachment a = { net, c->id, c->ifname, c->netns, c->args, c->capability_args };
	struct fail_mark m = fail_mark(t->tx);

	return fail_prefix(t->tx, m, attach_del(t, &a),
			   "failed to delete stale attachment %s %s: ", c->id, c->ifname);
}

static int remove_stale(struct tool *t, struct gc *g)
{
	int r = 0;

	for (unsigned i = 0; i < g->n; i++) {
		const struct cached *c = &g->all[i];
		const struct netconf *net = g->stale[i] ? conf_of(t, g, c) : NULL;
		int one = 0;

		if (!net || net->disable_gc) {
			g->stale[i] = false;
			continue;
		}
		if (!t->opt.dry_run)
			one = remove_one(t, net, c);
		if (one == 0)
			tool_say(t, "%s %s of %s on network %s\n",
				 t->opt.dry_run ? "would remove" : "removed", c->ifname, c->id,
				 c->network);
		r = also(r, one);
	}
	return r;
}

/* [{"containerID":…,"ifname":…}]: what is left of a network. */
static const char *valid_of(struct tool *t, const struct gc *g, const struct netconf *net)
{
	struct jw w;

	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '[');
	for (unsigned i = 0; i < g->n; i++) {
		if (g->stale[i] || !str_eq(g->all[i].network, net->name))
			continue;
		jw_open(&w, NULL, '{');
		jw_str(&w, "containerID", g->all[i].id);
		jw_str(&w, "ifname", g->all[i].ifname);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	return jw_end(&w);
}

static void put_list(struct jw *w, const char *key, const struct gc *g, bool stale)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < g->n; i++) {
		if (g->stale[i] != stale)
			continue;
		jw_open(w, NULL, '{');
		jw_str(w, "network", g->all[i].network);
		jw_str(w, "containerID", g->all[i].id);
		jw_str(w, "ifname", g->all[i].ifname);
		if (g->all[i].netns)
			jw_str(w, "netns", g->all[i].netns);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static int answer(struct tool *t, const struct gc *g)
{
	struct jw w;

	if (!t->opt.json)
		return 0;
	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '{');
	jw_bool(&w, "dryRun", t->opt.dry_run);
	put_list(&w, "removed", g, true);
	put_list(&w, "kept", g, false);
	jw_close(&w, '}');
	return tool_print(t, jw_end(&w));
}

int verb_gc(struct tool *t)
{
	struct gc g = { .n = 0 };
	int r;

	TRY(cache_lock(t->tx, &t->cache, true));
	TRY(collect(t, &g));
	r = remove_stale(t, &g);
	for (unsigned i = 0; i < g.n_nets && !t->opt.dry_run; i++)
		if (!g.nets[i].disable_gc)
			r = also(r,
				 attach_list_gc(t, &g.nets[i],
						t->opt.all ? NULL : valid_of(t, &g, &g.nets[i])));
	if (!t->opt.dry_run)
		r = also(r, runs_sweep(t));
	return r < 0 ? r : answer(t, &g);
}
