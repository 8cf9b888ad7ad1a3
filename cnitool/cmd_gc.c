// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_gc.c - the verb gc: remove what belongs to containers that are gone
 *
 * An attachment is stale if its namespace is gone, or if the cnitool run of its container was
 * killed (run_registry.h).  If that is not certain, it stays.  Stale attachments of our cache get
 * a DEL.  Then the plugins of each network get a GC with the attachments that remain, in the
 * caches of all programs.  Objects that are left, of any network, are found by a survey (survey.h).
 * The survey comes before all removals, so --dry-run reports the same.  While anything is removed,
 * no ADD runs (sys/turn.h).
 */
#include <sys/stat.h>
#include <time.h>

#include "cnitool/attach.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "value/jw.h"
#include "base/log.h"
#include "cnitool/run_registry.h"
#include "cnitool/survey.h"
#include "cnitool/target.h"
#include "cnitool/view.h"
#include "sys/file.h"
#include "sys/turn.h"

enum {
	ADDS_TIMEOUT_MS = 20000, /* they share the turn, so one that hangs shuts gc out */
	TURN_MS = 1000,          /* of DELs */
};

struct gc {
	time_t begun;
	struct netconf *nets;
	unsigned n_nets;
	struct cached *all; /* of our cache */
	const char **stale; /* why; NULL = it stays */
	bool *failed;       /* its DEL */
	unsigned n;
	struct cached *others; /* of the caches of all programs */
	unsigned n_others;
	struct words left_out; /* their files that cannot be read */
	struct survey survey;
	int turn; /* TURN_GC */
	int64_t turn_end;
	bool alone;    /* without a turn */
	bool reported; /* a failure to look */
};

/* ---- what is known ---- */

/* Why an attachment is stale; NULL if it lives, or may live. */
static const char *death_reason(struct tool *t, struct survey *s, const struct cached *c)
{
	if (run_registry_is_dead(t, c->id))
		return "the cnitool run of its container was killed";
	/* The namespace may live although its path is gone, or leads to another one. */
	if (target_lives(t->tx, c->netns, &c->nsid) || survey_netns_lives(s, &c->nsid) ||
	    survey_lease_lives(s, c->network, c->id, c->ifname))
		return NULL;
	if (target_is_other(t->tx, c->netns, &c->nsid))
		return mem_printf(&t->tx->mem,
				  "its network namespace is gone: %s leads to another one",
				  c->netns);
	return mem_printf(&t->tx->mem, "its network namespace %s is gone", c->netns);
}

static int find_networks(struct tool *t, struct gc *g)
{
	struct errctx m = errctx_mark(t->tx);
	int r;

	if (!t->args.n)
		return netconf_all(t->tx, t->opt.conf_dir, &g->nets, &g->n_nets);
	g->nets = mem_alloc(&t->tx->mem, sizeof(*g->nets));
	r = netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], g->nets);
	g->n_nets = r == 0;
	if (r == -ENOENT && name_valid_id(t->args.v[0])) {
		log_warn("%s (what is left of it is looked for)", errctx_take(t->tx, m));
		return 0;
	}
	return r;
}

/* Does the network get a GC, and is one of its plugins cplug's, so that it removes objects? */
static bool is_collected(struct tool *t, const struct netconf *n)
{
	bool ours = false;

	for (unsigned i = 0; i < n->n_plugins; i++)
		ours |= attach_plugin_is_ours(t, n, i);
	return ours && netconf_speaks(n, "1.1.0") && !n->disable_gc;
}

/* The cached configuration.  Returns 1, 0 if there is none, or a failure. */
static int read_cached_conf(struct tool *t, const struct cached *c, struct netconf *ret)
{
	struct cached whole;

	TRY(cache_load(t->tx, c, &whole));
	if (!whole.config)
		return 0;
	TRY(netconf_read_cached(t->tx, t->opt.conf_dir, whole.config, whole.config_size, ret));
	return 1;
}

static void note_cached_data_dirs(struct tool *t, struct survey *s, const struct cached *c)
{
	struct errctx m = errctx_mark(t->tx);
	struct netconf net;
	struct mem kept;
	int r;

	tool_step_begin(t, &kept);
	r = read_cached_conf(t, c, &net);
	if (r > 0) {
		struct words dirs = { .n = 0 };

		view_note_data_dirs(&kept, &net, &dirs);
		for (unsigned i = 0; i < dirs.n; i++)
			survey_note_folder(s, &kept, dirs.v[i], c->network);
		netconf_free(&net);
	}
	tool_step_end(t, &kept);
	if (r < 0)
		errctx_take(t->tx, m);
}

static void note_networks(struct tool *t, struct gc *g)
{
	struct survey *s = &g->survey;
	struct mem *m = &t->tx->mem;

	view_data_dirs(t, g->nets, g->n_nets, &s->data_dirs);
	s->nets = mem_alloc(m, (g->n_nets + 1) * sizeof(*s->nets));
	for (unsigned i = 0; i < g->n_nets; i++) {
		const struct netconf *n = &g->nets[i];

		s->nets[s->n_nets++] = (struct survey_network){
			.name = n->name,
			.disabled = n->disable_gc,
			/* --all: without a list of attachments, a GC removes nothing. */
			.collecting = is_collected(t, n) && !t->opt.all,
		};
	}
	for (unsigned i = 0; i < g->n_others; i++)
		note_cached_data_dirs(t, s, &g->others[i]);
}

static const struct netconf *network_of(const struct gc *g, const char *name)
{
	for (unsigned i = 0; i < g->n_nets; i++)
		if (str_eq(g->nets[i].name, name))
			return &g->nets[i];
	return NULL;
}

static void note_known(struct tool *t, struct gc *g)
{
	struct survey *s = &g->survey;

	for (unsigned i = 0; i < g->n + g->n_others; i++) {
		bool own = i < g->n;
		const struct cached *c = own ? &g->all[i] : &g->others[i - g->n];
		struct survey_known k = {
			.key = name_owner(c->network, c->id, c->ifname),
			.network = c->network,
			.id = c->id,
			.ifname = c->ifname,
			.gets_del = own && g->stale[i],
			.replaceable = !t->opt.all && !run_registry_is_dead(t, c->id),
		};

		if (survey_knows(s, k.key.s)) /* ours are among the others, too */
			continue;
		k.dead = own ? g->stale[i] : death_reason(t, s, c);
		survey_note(s, &k);
	}
}

/*
 * A cached file that cannot be read: each attachment that has its name, NETWORK-ID-IFNAME, may
 * live.
 */
static void note_left_out(struct survey *s, const char *path)
{
	struct mem *m = &s->t->tx->mem;
	const char *name = strrchr(path, '/') + 1;

	for (const char *id = name; (id = strchr(id, '-')); id++)
		for (const char *end = id + 1; (end = strchr(end, '-')); end++) {
			struct survey_known k = {
				.network = mem_printf(m, "%.*s", (int)(id - name), name),
				.id = mem_printf(m, "%.*s", (int)(end - id - 1), id + 1),
				.ifname = end + 1,
			};

			if (!name_valid_id(k.network) || !name_valid_id(k.id) ||
			    name_invalid_ifname(k.ifname))
				continue;
			k.key = name_owner(k.network, k.id, k.ifname);
			survey_note(s, &k);
		}
}

/* Why an attachment of our cache gets a DEL; NULL if it gets none. */
static const char *stale_reason(struct tool *t, struct gc *g, const struct cached *c)
{
	const struct netconf *n = network_of(g, c->network);

	if (n && n->disable_gc)
		return NULL;
	if (t->opt.all)
		return "--all";
	return death_reason(t, &g->survey, c);
}

/* Reports that the cached configuration cannot be read: there is no DEL without it. */
static bool is_unreadable(struct tool *t, const struct cached *c)
{
	struct errctx m = errctx_mark(t->tx);
	struct netconf own;
	struct mem kept;
	int r;

	tool_step_begin(t, &kept);
	r = read_cached_conf(t, c, &own);
	if (r > 0)
		netconf_free(&own);
	tool_step_end(t, &kept);
	if (r >= 0)
		return false;
	errctx_prefix(t->tx, m, r,
		      "stale attachment %s %s on network %s is left alone, because its cached "
		      "configuration cannot be read: ",
		      c->id, c->ifname, c->network);
	tool_report(t, m);
	return true;
}

static void note_stale(struct tool *t, struct gc *g, unsigned i)
{
	const struct cached *c = &g->all[i];

	g->stale[i] = stale_reason(t, g, c);
	if (!g->stale[i] || network_of(g, c->network) || !is_unreadable(t, c))
		return;
	g->stale[i] = NULL;
}

static int gather(struct tool *t, struct gc *g)
{
	const char *name = t->args.n ? t->args.v[0] : NULL;

	g->survey = (struct survey){ .t = t, .only = name };
	TRY(cache_all(t->tx, &t->cache, name, &g->all, &g->n));
	TRY(cache_everywhere(t->tx, &t->cache, name, &g->others, &g->n_others, &g->left_out));
	TRY(find_networks(t, g));
	note_networks(t, g);
	g->stale = mem_alloc(&t->tx->mem, (g->n + 1) * sizeof(*g->stale));
	g->failed = mem_alloc(&t->tx->mem, (g->n + 1) * sizeof(*g->failed));
	for (unsigned i = 0; i < g->n; i++)
		note_stale(t, g, i);
	note_known(t, g);
	for (unsigned i = 0; i < g->left_out.n; i++)
		note_left_out(&g->survey, g->left_out.v[i]);
	return 0;
}

/* ---- removing ---- */

/* The configuration of an attachment: the network's, or the cached one in *own, or NULL. */
static const struct netconf *conf_of(struct tool *t, const struct gc *g, const struct cached *c,
				     struct netconf *own)
{
	const struct netconf *n = network_of(g, c->network);
	struct errctx m = errctx_mark(t->tx);
	int r;

	if (n)
		return n;
	r = read_cached_conf(t, c, own);
	if (r > 0)
		return own;
	if (r < 0)
		log_warn("%s %s: %s", c->id, c->ifname, errctx_take(t->tx, m));
	else
		log_warn("%s %s: network \"%s\" is not configured any more", c->id, c->ifname,
			 c->network);
	return NULL;
}

static int remove_one(struct tool *t, const struct netconf *net, const struct cached *c)
{
	struct attachment a = { net, c->id, c->ifname, c->netns, NULL, NULL };
	struct errctx m = errctx_mark(t->tx);
	struct cached whole;
	int r = cache_load(t->tx, c, &whole);

	if (r == 0) {
		a.args = whole.args;
		a.capability_args = whole.capability_args;
		r = attach_del(t, &a);
	}
	return errctx_prefix(t->tx, m, r,
			     "failed to delete stale attachment %s %s on network %s: ", c->id,
			     c->ifname, c->network);
}

static const char *removed_word(const struct tool *t)
{
	return t->opt.dry_run ? "would remove" : "removed";
}

/*
 * The end of a step: reports its failure, so that gc goes on.  Fails only if we are interrupted.
 */
static int end_step(struct tool *t, struct errctx m, int r)
{
	if (r < 0 && r != -EINTR)
		tool_report(t, m);
	return r == -EINTR ? r : 0;
}

/* Removes a stale attachment, or with --dry-run only tells. */
static int remove_and_tell(struct tool *t, struct gc *g, unsigned i, const struct netconf *net)
{
	struct errctx m = errctx_mark(t->tx);
	const struct cached *c = &g->all[i];
	int r = t->opt.dry_run ? 0 : remove_one(t, net, c);

	if (r == 0)
		tool_say(t, "%s %s of %s on network %s: %s\n", removed_word(t), c->ifname, c->id,
			 c->network, g->stale[i]);
	else
		g->failed[i] = true;
	return end_step(t, m, r);
}

static int remove_one_stale(struct tool *t, struct gc *g, unsigned i)
{
	struct netconf own = { .name = NULL };
	const struct netconf *net = conf_of(t, g, &g->all[i], &own);
	int r = 0;

	if (!net || net->disable_gc)
		g->stale[i] = NULL;
	else
		r = remove_and_tell(t, g, i, net);
	if (net == &own)
		netconf_free(&own);
	return r;
}

/* Has the file been written since gather()?  No program can set this time. */
static bool is_new(const struct gc *g, const char *file)
{
	struct stat st;

	return stat(file, &st) < 0 || st.st_ctime >= g->begun - 1;
}

/* What a runtime has cached since gather(), perhaps again with another namespace, lives. */
static int note_new(struct tool *t, struct gc *g)
{
	struct survey *s = &g->survey;
	struct cached *v;
	unsigned n;

	g->left_out.n = 0;
	TRY(cache_everywhere(t->tx, &t->cache, s->only, &v, &n, &g->left_out));
	for (unsigned i = 0; i < n; i++)
		if (!survey_lives(s, name_owner(v[i].network, v[i].id, v[i].ifname).s) &&
		    is_new(g, v[i].file) && !death_reason(t, s, &v[i]))
			survey_note_owner(s, v[i].network, v[i].id, v[i].ifname);
	for (unsigned i = 0; i < g->left_out.n; i++)
		note_left_out(s, g->left_out.v[i]);
	return 0;
}

static int end_look(struct tool *t, struct gc *g, struct errctx m, int r)
{
	g->reported |= r < 0;
	return end_step(t, m, r);
}

static int lock_turn(struct tool *t, struct gc *g)
{
	TRY(file_mkdirs(t->tx, STATE_ROOT, 0700));
	return file_lock_own(t->tx, TURN_GC, false, file_lock_timeout(ADDS_TIMEOUT_MS), &g->turn);
}

/*
 * Runtimes cache an attachment after its last plugin's ADD.  In our turn no plugin of cplug runs an
 * ADD, so what an ADD under way has made shows that its namespace lives, or is not there yet.  We
 * look anew in each turn, which is short, because ADDs wait for its end.
 */
static int take_turn(struct tool *t, struct gc *g)
{
	struct errctx m = errctx_mark(t->tx);
	int r = 0;

	fd_close(&g->turn);
	if (!g->alone)
		r = lock_turn(t, g);
	if (r < 0) {
		/* ADDs may be under way, so only what is certainly dead is removed. */
		g->alone = true;
		survey_mark_unsure(&g->survey, NULL);
		TRY(end_step(t, m, r));
	}
	m = errctx_mark(t->tx);
	r = note_new(t, g);
	r = also(r, survey_note_living(&g->survey));
	g->turn_end = clock_ms() + TURN_MS;
	if (r == 0 || r == -EINTR || !g->reported)
		return end_look(t, g, m, r);
	errctx_take(t->tx, m);
	return 0;
}

static bool is_stale(const struct gc *g, unsigned i)
{
	const struct cached *c = &g->all[i];

	return g->stale[i] && !survey_lives(&g->survey, name_owner(c->network, c->id, c->ifname).s);
}

static int remove_stale(struct tool *t, struct gc *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		struct mem kept;
		int r;

		if (!g->stale[i])
			continue;
		if (!t->opt.dry_run && clock_ms() >= g->turn_end)
			TRY(take_turn(t, g));
		if (!is_stale(g, i)) {
			g->stale[i] = NULL;
			continue;
		}
		tool_step_begin(t, &kept);
		r = remove_one_stale(t, g, i);
		tool_step_end(t, &kept);
		TRY(r);
	}
	return 0;
}

/* The attachments of a network that remain: [{"containerID":…,"ifname":…}]. */
static const char *valid_attachments(struct tool *t, const struct gc *g, const struct netconf *net)
{
	struct jw w;

	jw_init(&w, &t->tx->mem, true);
	jw_open(&w, NULL, '[');
	for (unsigned i = 0; i < g->survey.n_known; i++) {
		const struct survey_known *k = &g->survey.known[i];

		if (k->dead || !str_eq(k->network, net->name))
			continue;
		jw_open(&w, NULL, '{');
		jw_str(&w, "containerID", k->id);
		jw_str(&w, "ifname", k->ifname);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	return jw_end(&w);
}

static void print_leftovers(struct tool *t, const struct survey *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct survey_finding *f = &s->v[i];

		if (!f->reported || (!f->removed && !t->opt.dry_run))
			continue;
		tool_say(t, "%s %s", removed_word(t), f->object);
		if (f->owner)
			tool_say(t, " of %s", f->owner);
		tool_say(t, ": %s\n", f->why);
	}
}

static bool is_listed(const struct gc *g, unsigned i, bool removed)
{
	return (g->stale[i] && !g->failed[i]) == removed;
}

static void put_attachments(struct jw *w, const char *key, const struct gc *g, bool removed)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < g->n; i++) {
		const struct cached *c = &g->all[i];
		const struct cache_key name = { c->network, c->id, c->ifname };

		if (!is_listed(g, i, removed))
			continue;
		jw_open(w, NULL, '{');
		tool_put_attachment(w, &name, c->netns);
		if (g->stale[i])
			jw_str(w, "reason", g->stale[i]);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static void put_failures(struct jw *w, const struct words *failures)
{
	jw_open(w, "failed", '[');
	for (unsigned i = 0; i < failures->n; i++) {
		jw_open(w, NULL, '{');
		jw_str(w, "msg", failures->v[i]);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static void put_leftovers(struct jw *w, const struct survey *s, bool dry)
{
	jw_open(w, "leftovers", '[');
	for (unsigned i = 0; i < s->n; i++) {
		const struct survey_finding *f = &s->v[i];

		if (!f->reported)
			continue;
		jw_open(w, NULL, '{');
		jw_str(w, "kind", f->kind);
		jw_str(w, "object", f->object);
		if (f->owner)
			jw_str(w, "owner", f->owner);
		jw_str(w, "reason", f->why);
		jw_bool(w, "removed", !dry && f->removed);
		jw_close(w, '}');
	}
	jw_close(w, ']');
}

static int print_json(struct tool *t, const struct gc *g)
{
	struct jw w;

	if (!t->opt.json)
		return 0;
	tool_open_json(t, &w);
	jw_bool(&w, "dryRun", t->opt.dry_run);
	put_attachments(&w, "removed", g, true);
	put_attachments(&w, "kept", g, false);
	put_leftovers(&w, &g->survey, t->opt.dry_run);
	put_failures(&w, &t->failures);
	return tool_print_json(t, &w);
}

/* A timer runs gc of all networks, so those whose version has no GC share one note. */
static void note_old_versions(struct tool *t, const struct gc *g)
{
	struct mem_text names = { .mem = &t->tx->mem };

	for (unsigned i = 0; i < g->n_nets; i++)
		if (!g->nets[i].disable_gc && !netconf_speaks(&g->nets[i], "1.1.0"))
			mem_text_add(&names, "%s%s", mem_text_comma(&names, ", "), g->nets[i].name);
	if (names.len && !t->args.n)
		tool_note(
			t,
			"no plugin was asked for a GC of these networks, whose cniVersion is older "
			"than 1.1.0: %s (cnitool gc NET says what to do)",
			mem_text_end(&names));
}

/*
 * GC of every network's plugins, with the list of the attachments that remain.  A network whose
 * leases cannot be read gets none, because the list may lack an attachment that is being added.
 */
static int gc_networks(struct tool *t, struct gc *g)
{
	for (unsigned i = 0; i < g->n_nets; i++) {
		const struct netconf *n = &g->nets[i];
		struct errctx m;
		int r;

		if (n->disable_gc)
			continue;
		TRY(take_turn(t, g));
		if (g->survey.nets[i].unsure)
			continue;
		m = errctx_mark(t->tx);
		r = attach_list_gc(t, n, t->opt.all ? NULL : valid_attachments(t, g, n));
		TRY(end_step(t, m, r));
	}
	return 0;
}

static int remove_all(struct tool *t, struct gc *g)
{
	struct errctx m;

	TRY(remove_stale(t, g));
	if (t->opt.dry_run)
		return 0;
	note_old_versions(t, g);
	TRY(gc_networks(t, g));
	TRY(take_turn(t, g));
	if (g->alone) {
		g->survey.n = 0;
		m = errctx_mark(t->tx);
		TRY(end_step(t, m, survey_look(&g->survey)));
	}
	TRY(survey_sweep(&g->survey));
	fd_close(&g->turn);
	return run_registry_sweep(t);
}

/* What takes long, as a held lock of a folder of leases, is met here, and not in turn. */
static int look_around(struct tool *t, struct gc *g)
{
	struct errctx m = errctx_mark(t->tx);
	int r = survey_open(&g->survey);

	r = also(r, survey_note_living(&g->survey));
	r = also(r, survey_look(&g->survey));
	return end_look(t, g, m, r);
}

static int run_gc(struct tool *t, struct gc *g)
{
	struct errctx m;

	TRY(gather(t, g));
	TRY(look_around(t, g));
	m = errctx_mark(t->tx);
	TRY(end_step(t, m, remove_all(t, g)));
	print_leftovers(t, &g->survey);
	TRY(print_json(t, g));
	if (!t->failures.n)
		return 0;
	t->status = 1;
	if (t->opt.json)
		return 0;
	return tx_fail(t->tx, -EIO, "gc went on after %u failure%s", t->failures.n,
		       t->failures.n == 1 ? "" : "s");
}

int cmd_gc(struct tool *t)
{
	struct gc g = { .turn = -1, .begun = time(NULL) };
	int r;

	TRY(cache_lock(t->tx, &t->cache, true));
	r = run_gc(t, &g);
	fd_close(&g.turn);
	survey_close(&g.survey);
	return r;
}
