// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_restore.c - the verbs restore and check: compare attachments, and repair them
 *
 * The cached configuration and result of an attachment say what must exist.  cplug's plugins
 * compare, and repair what differs (a CHECK with CPLUG_REPAIR=1, lib/cni/cni.c), so an attachment
 * that is complete is not changed.
 *
 * A runtime may delete the container at the same time.  So after a change, restore looks whether
 * the attachment is still cached; if it is not, restore deletes what it made.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cnitool/attach.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "value/jw.h"
#include "base/log.h"
#include "value/result.h"
#include "cnitool/run_registry.h"
#include "cnitool/target.h"
#include "firewall/nat.h"

/* ---- differences ---- */

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

enum told { DIFFERS, RESTORED_NOW, WOULD_RESTORE };

static void say_differences(const struct tool *t, const struct attachment *a, enum told told,
			    const struct repairs *r)
{
	static const char *const before[] = { "", "restored ", "would restore " };
	const char *differs = told == DIFFERS ? " differs" : "";
	const char *tense = told == DIFFERS ? "is" : "was";

	for (unsigned i = 0; i < r->n; i++) {
		const struct repaired *d = &r->v[i];
		const char *have = *d->have ? d->have : "nothing";

		tool_say(t, "%s%s of %s on network %s%s: %s", before[told], a->ifname, a->id,
			 a->net->name, differs, d->object);
		if (*d->want)
			tool_say(t, ": %s (%s: %s)", d->want, tense, have);
		tool_say(t, "\n");
	}
}

/* ---- check ---- */

static int print_check(struct tool *t, const struct attachment *a, const struct repairs *done,
		       const struct repairs *found)
{
	const struct cache_key key = attachment_key(a);
	struct jw w;

	if (!t->opt.json)
		return 0;
	tool_open_json(t, &w);
	tool_put_attachment(&w, &key, a->netns);
	if (t->opt.repair)
		put_differences(&w, "repaired", done);
	put_differences(&w, "differences", found);
	return tool_print_json(t, &w);
}

int cmd_check_one(struct tool *t, const struct attachment *a)
{
	const char *remedy =
		t->opt.repair ? " that cannot be repaired" : " (check --repair repairs)";
	struct repairs done = { .n = 0 }, found = { .n = 0 };
	int r = 0;

	if (t->opt.repair)
		r = attach_repair(t, a, NULL, false, &done);
	if (r == 0)
		r = attach_check(t, a, &found);
	say_differences(t, a, RESTORED_NOW, &done);
	say_differences(t, a, DIFFERS, &found);
	TRY(r);
	TRY(print_check(t, a, &done, &found));
	if (!found.n)
		return 0;
	t->status = 1;
	if (t->opt.json)
		return 0;
	return tx_fail_as(t->tx, CPLUG_E_CHECK, -EIO, "%u difference%s%s", found.n,
			  found.n == 1 ? "" : "s", remedy);
}

/* ---- restore ---- */

enum outcome {
	WHOLE,    /* nothing differs */
	RESTORED, /* or would be, with --dry-run */
	FAILED,
	FOREIGN, /* none of its plugins is cplug's */
};

struct restoration {
	const struct cached *c;
	int64_t added; /* nanoseconds: when the cache file was written */
	struct netconf net;
	struct attachment a;
	struct repairs done;
	enum outcome outcome;
	const char *why;  /* of a failure */
	bool tried, slow; /* a plugin did not answer, or late */
	bool cut;         /* its plugins had a shorter time than --timeout */
	bool early;       /* it failed before another attachment of its namespace was tried */
};

struct restore {
	struct restoration *v;
	unsigned n, failed, foreign;
	unsigned n_slow;
	int64_t slow_ms; /* that they took */
};

/* The configuration at the time of ADD, because the network's file may have changed since. */
static int read_conf(struct tool *t, const struct cached *c, struct netconf *ret)
{
	if (c->config)
		return netconf_read_cached(t->tx, t->opt.conf_dir, c->config, c->config_size, ret);
	return netconf_find(t->tx, t->opt.conf_dir, c->network, ret);
}

/* Without its cached result, nothing would ever delete what was made. */
static int undo_if_deleted(struct tool *t, const struct restoration *o)
{
	if (!o->done.n || !file_is_gone(o->c->file))
		return 0;
	log_warn("%s of %s on network %s was deleted meanwhile", o->a.ifname, o->a.id,
		 o->a.net->name);
	t->until = 0;
	return attach_undo(t, &o->a);
}

static int repair_attachment(struct tool *t, struct restoration *o)
{
	struct cached whole;
	int r;

	TRY(cache_load(t->tx, o->c, &whole));
	TRY(read_conf(t, &whole, &o->net));
	o->a.net = &o->net;
	o->a.args = whole.args;
	o->a.capability_args = whole.capability_args;
	r = attach_repair(t, &o->a, &whole, t->opt.dry_run, &o->done);
	if (!t->opt.dry_run)
		r = also(r, undo_if_deleted(t, o));
	say_differences(t, &o->a, t->opt.dry_run ? WOULD_RESTORE : RESTORED_NOW, &o->done);
	netconf_free(&o->net);
	return r;
}

static enum outcome outcome_of(const struct restoration *o)
{
	if (!o->done.ours)
		return FOREIGN;
	return o->done.n ? RESTORED : WHOLE;
}

static struct repairs copy_repairs(struct mem *m, const struct repairs *r)
{
	struct repairs copy = { .n = r->n, .ours = r->ours };

	copy.v = mem_alloc(m, (r->n + 1) * sizeof(*copy.v));
	for (unsigned i = 0; i < r->n; i++)
		copy.v[i] = (struct repaired){
			.plugin = mem_str(m, r->v[i].plugin),
			.object = mem_str(m, r->v[i].object),
			.want = mem_str(m, r->v[i].want),
			.have = mem_str(m, r->v[i].have),
		};
	return copy;
}

/*
 * May it need an interface that comes later?  The order is that of the cache files, and publish or
 * a clock that was set back changes it; and other attachments of a slow network come late.
 */
static bool is_early(const struct restore *s, const struct restoration *o)
{
	if (o->early || o->slow)
		return false;
	for (const struct restoration *x = s->v; x < s->v + s->n; x++)
		if (x != o && !x->tried && str_eq(x->a.netns, o->a.netns))
			return true;
	return false;
}

/* Reports a failure itself, unless it is tried again, and continues with the next attachment. */
static void restore_attachment(struct tool *t, const struct restore *s, struct restoration *o)
{
	struct errctx m = errctx_mark(t->tx);
	const struct attachment a = o->a;
	int64_t begun = clock_ms();
	struct mem kept;
	int r;

	tool_step_begin(t, &kept);
	r = repair_attachment(t, o);
	o->done = copy_repairs(&kept, &o->done);
	o->a = a; /* without the configuration and the texts of this step */
	tool_step_end(t, &kept);
	o->slow = clock_ms() - begun >= t->opt.timeout * 500;
	o->tried = true;
	if (r == 0) {
		o->outcome = outcome_of(o);
		return;
	}
	o->outcome = FAILED;
	o->early = is_early(s, o);
	if (o->early || (o->slow && o->cut)) {
		errctx_take(t->tx, m);
		o->tried = false;
		return;
	}
	errctx_prefix(t->tx, m, r, "%s of %s on network %s: ", o->a.ifname, o->a.id, o->c->network);
	o->why = tool_report(t, m);
}

static void give_up(struct tool *t, struct restoration *o)
{
	struct errctx m = errctx_mark(t->tx);
	int r = tx_fail(t->tx, -ETIMEDOUT,
			"not tried%s, because plugins did not answer for too long (try cnitool "
			"restore %s)",
			o->cut ? " again" : "", o->c->network);

	o->tried = true;
	o->outcome = FAILED;
	errctx_prefix(t->tx, m, r, "%s of %s on network %s: ", o->a.ifname, o->a.id, o->c->network);
	o->why = tool_report(t, m);
}

/* Was another attachment of the network slow? */
static bool is_slow(const struct restore *s, const struct restoration *o)
{
	for (unsigned i = 0; s->n_slow && i < s->n; i++)
		if (&s->v[i] != o && s->v[i].slow && str_eq(s->v[i].c->network, o->c->network))
			return true;
	return false;
}

/* Tries an attachment, whose plugins have this many seconds for an answer, and twice as many for
 * all. */
static void try_in(struct tool *t, struct restore *s, struct restoration *o, unsigned seconds)
{
	unsigned usual = t->opt.timeout;
	int64_t begun = clock_ms();

	o->cut = seconds < usual;
	t->opt.timeout = seconds;
	t->until = begun + 2000LL * seconds;
	restore_attachment(t, s, o);
	t->until = 0;
	t->opt.timeout = usual;
	if (o->slow) {
		s->n_slow++;
		s->slow_ms += clock_ms() - begun;
	}
}

/*
 * An attachment whose plugin does not answer costs half a minute or more, and the author of a
 * configuration can have hundreds, in as many networks.  So after the first of a network, the
 * others of that network come later; after two networks, the plugins of others have one second at
 * first; and after ten time-outs, what is left is given up.  What may need an interface of these is
 * tried again behind them.
 */
enum pass { ALL, AGAIN, LAST, EARLY };
enum { FULL_TIMES = 2, BUDGET = 10 };

static bool is_in_pass(const struct restore *s, const struct restoration *o, enum pass pass)
{
	if (o->tried)
		return false;
	if (pass == ALL)
		return !is_slow(s, o);
	if (pass == EARLY)
		return true;
	return !o->early && (pass == LAST || o->cut);
}

static int restore_pass(struct tool *t, struct restore *s, enum pass pass)
{
	for (unsigned i = 0; i < s->n; i++) {
		struct restoration *o = &s->v[i];

		if (!is_in_pass(s, o, pass))
			continue;
		TRY(tx_interrupted(t->tx));
		if (pass == ALL && s->n_slow >= FULL_TIMES)
			try_in(t, s, o, 1);
		else if (pass == ALL || s->slow_ms < BUDGET * 1000LL * t->opt.timeout)
			try_in(t, s, o, t->opt.timeout);
		else
			give_up(t, o);
	}
	return 0;
}

static void count_outcomes(struct restore *s)
{
	for (unsigned i = 0; i < s->n; i++) {
		s->failed += s->v[i].outcome == FAILED;
		s->foreign += s->v[i].outcome == FOREIGN;
	}
}

static bool is_wanted(const struct tool *t, const struct cached *c)
{
	for (unsigned i = 0; i < t->args.n; i++)
		if (str_eq(t->args.v[i], c->network))
			return true;
	return !t->args.n;
}

static int64_t time_added(const struct cached *c)
{
	struct stat st;

	if (stat(c->file, &st) < 0)
		return INT64_MAX;
	return st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec;
}

/* In the order of add, because an interface may be the parent of a later one. */
static int by_time(const void *a, const void *b)
{
	const struct restoration *x = a, *y = b;

	if (x->added != y->added)
		return x->added < y->added ? -1 : 1;
	return strcmp(x->c->file, y->c->file);
}

/* Attachments that live and whose ADD succeeded. */
static void choose_attachments(struct tool *t, const struct cached *all, unsigned n,
			       struct restore *s)
{
	for (unsigned i = 0; i < n; i++) {
		const struct cached *c = &all[i];
		const char *netns = is_wanted(t, c) && c->has_result ? c->netns : NULL;

		if (str_empty(netns) || !target_lives(t->tx, netns, &c->nsid) ||
		    run_registry_is_dead(t, c->id)) {
			log_step("%s: passed over: its add never ended, or its namespace is gone",
				 c->file);
			continue;
		}
		s->v = mem_grow(&t->tx->mem, s->v, s->n, sizeof(*s->v));
		s->v[s->n++] = (struct restoration){
			.c = c,
			.added = time_added(c),
			.a = { NULL, c->id, c->ifname, netns, c->args, c->capability_args },
		};
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_time);
}

/* An operand that is neither configured nor cached is a typing error. */
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

static void put_outcome(struct jw *w, const char *key, const struct restore *s,
			enum outcome outcome)
{
	jw_open(w, key, '[');
	for (unsigned i = 0; i < s->n; i++) {
		const struct restoration *o = &s->v[i];
		const struct cache_key name = { o->c->network, o->a.id, o->a.ifname };

		if (o->outcome != outcome)
			continue;
		jw_open(w, NULL, '{');
		tool_put_attachment(w, &name, o->a.netns);
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
	tool_open_json(t, &w);
	jw_bool(&w, "dryRun", t->opt.dry_run);
	put_outcome(&w, "restored", s, RESTORED);
	put_outcome(&w, "whole", s, WHOLE);
	put_outcome(&w, "failed", s, FAILED);
	return tool_print_json(t, &w);
}

/*
 * After "nft flush ruleset" the host's loopback is open to containers until the first of them is
 * repaired, which may take long.  So it is closed before; the repairs open it again.
 */
static void close_loopback(struct tool *t)
{
	struct nfnl nf = { .sk = NULL };
	struct rt host = { .sk = NULL };
	int before = t->tx->err, r = rt_open(t->tx, &host, "host", NULL);

	if (r == 0)
		r = nfnl_open(t->tx, &nf, NULL);
	if (r == 0)
		r = nat_loopback_sweep(t->tx, &nf, &host);
	tx_excuse(t->tx, before, r, "containers may reach the host's loopback");
	nfnl_close(&nf);
	rt_close(&host);
}

int cmd_restore(struct tool *t)
{
	struct restore s = { .n = 0 };
	struct cached *all;
	unsigned n;

	TRY(cache_lock(t->tx, &t->cache, false));
	TRY(cache_everywhere(t->tx, &t->cache, NULL, &all, &n, NULL));
	TRY(check_names(t, all, n));
	choose_attachments(t, all, n, &s);
	if (!t->opt.dry_run)
		close_loopback(t);
	TRY(restore_pass(t, &s, ALL));
	TRY(restore_pass(t, &s, AGAIN));
	TRY(restore_pass(t, &s, LAST));
	TRY(restore_pass(t, &s, EARLY));
	count_outcomes(&s);
	if (s.foreign)
		tool_note(t,
			  "%u of %u attachments passed over: none of their plugins is of cplug, in "
			  "the "
			  "version of this cnitool",
			  s.foreign, s.n);
	TRY(print_json(t, &s));
	if (!s.failed)
		return 0;
	t->status = 1;
	if (t->opt.json)
		return 0;
	return tx_fail(t->tx, -EIO, "%u of %u attachments could not be restored", s.failed, s.n);
}
