// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - run the plugins of a list for an attachment
 *
 * A plugin gets its configuration on stdin and the attachment in its environment.  The result of
 * each plugin is the prevResult of the next one.  It is passed on as it was printed, unless its
 * protocol version differs from the list's.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cnitool/attach_impl.h"
#include "cnitool/cnitool.h"
#include "sys/exec.h"
#include "cnitool/errctx.h"
#include "base/log.h"
#include "value/name.h"
#include "value/result.h"
#include "cnitool/target.h"

/* ---- running a plugin ---- */

/* Longer than the grace of a plugin for its delegate (exec.h), so that both end. */
enum { GRACE_MS = 15000 };

static const struct command add_command = { "ADD", "add", false };
static const struct command del_command = { "DEL", "delete", false };
static const struct command gc_command = { "GC", "gc", false };
static const struct command status_command = { "STATUS", "status", false };

/* For bridge's STATUS: whether a plugin of the list makes others let the traffic pass. */
static const char *types_of(struct mem *m, const struct netconf *n)
{
	struct mem_text t = { .mem = m };

	mem_text_add(&t, " ");
	for (unsigned i = 0; i < n->n_plugins; i++)
		mem_text_add(&t, "%s ", n->plugins[i].type);
	return mem_text_end(&t);
}

static const char *repair_word(struct mem *m, const struct list_call *c)
{
	if (!c->command->repairs)
		return "";
	if (!c->adopts)
		return "1";
	return mem_printf(m, "keep%s", c->adopts);
}

static const char *const *plugin_env(struct tool *t, const struct list_call *c)
{
	static const struct attachment none = { .id = "", .ifname = "" };
	const struct attachment *a = c->a ? c->a : &none;
	const char *netns = a->netns ? a->netns : "";
	const char *args = a->args ? a->args : "";
	struct mem *m = &t->tx->mem;
	const char *const env[] = {
		mem_printf(m, "CNI_COMMAND=%s", c->command->name),
		mem_printf(m, "CNI_CONTAINERID=%s", a->id),
		mem_printf(m, "CNI_NETNS=%s", netns),
		mem_printf(m, "CNI_ARGS=%s", args),
		mem_printf(m, "CNI_IFNAME=%s", a->ifname),
		mem_printf(m, "CNI_PATH=%s", t->opt.cni_path),
		mem_printf(m, "CPLUG_REPAIR=%s", repair_word(m, c)),
		mem_printf(m, "CPLUG_CHAIN=%s", types_of(m, c->net)),
		NULL,
	};

	return mem_dup(m, env, sizeof(env));
}

int attach_time_left(const struct tool *t)
{
	int usual = (int)t->opt.timeout * 1000;
	int64_t left = t->until - clock_ms();

	if (!t->until || left > usual)
		return usual;
	return left > 0 ? (int)left : 0;
}

const char *attach_data_dir(const struct tool *t)
{
	if (!t->cache.private)
		return NULL;
	return mem_printf(&t->tx->mem, "%s/networks", t->cache.dir);
}

int attach_exec_plugin(struct tool *t, const struct list_call *c, unsigned i,
		       struct exec_answer *ret)
{
	struct mem *m = &t->tx->mem;
	/* A list may have many plugins, and each gets the whole prevResult. */
	auto_(mem_free) struct mem own = { .exhausted = m->exhausted, .arg = m->arg };
	struct netconf_extra extra = c->extra;
	int left = attach_time_left(t);
	struct exec_request q;
	const char *path;
	bool self;

	extra.data_dir = attach_data_dir(t);
	TRY(exec_find(t->tx, t->opt.cni_path, c->net->plugins[i].type, &path, &self));
	q = (struct exec_request){
		.path = path,
		.env = plugin_env(t, c),
		.in = netconf_request(&own, c->net, i, &extra),
		.timeout_ms = left ? left : 1,
		.grace_ms = GRACE_MS,
	};
	if (self && t->cache.held > 0)
		q.kept = t->cache.held;
	q.size = strlen(q.in);
	log_step("%s (%s) %s %s", c->command->name, c->command->word, path, (const char *)q.in);
	TRY(exec_run(t->tx, &q, ret));
	return exec_judge(t->tx, path, ret);
}

int attach_blame_plugin(struct tool *t, const struct list_call *c, unsigned i, struct errctx m,
			int r)
{
	/* A repair is a part of publish, set, restore and others. */
	const char *word = c->command->repairs ? t->verb->name : c->command->word;

	return errctx_prefix(t->tx, m, r, "plugin type=\"%s\" name=\"%s\" failed (%s): ",
			     c->net->plugins[i].type, c->net->name, word);
}

/* Runs plugin i, whose answer does not matter. */
static int run_plugin(struct tool *t, const struct list_call *c, unsigned i)
{
	struct errctx m = errctx_mark(t->tx);
	struct exec_answer answer;
	int r = attach_exec_plugin(t, c, i, &answer);

	return attach_blame_plugin(t, c, i, m, r);
}

/* Runs all plugins, up to the first failure. */
static int run_plugins(struct tool *t, const struct list_call *c)
{
	for (unsigned i = 0; i < c->net->n_plugins; i++)
		TRY(run_plugin(t, c, i));
	return 0;
}

int attach_plugins_exist(struct tool *t, const struct netconf *n)
{
	const char *path;
	bool self;

	for (unsigned i = 0; i < n->n_plugins; i++) {
		struct errctx m = errctx_mark(t->tx);
		int r = exec_find(t->tx, t->opt.cni_path, n->plugins[i].type, &path, &self);

		if (r < 0)
			return errctx_prefix(t->tx, m, r, "network \"%s\": ", n->name);
	}
	return 0;
}

bool attach_plugin_is_ours(struct tool *t, const struct netconf *n, unsigned i)
{
	const char *path, *type = n->plugins[i].type;
	bool self = false;

	return exec_look(&t->tx->mem, t->opt.cni_path, type, &path, &self) && self;
}

/* ---- results ---- */

static const char *version_of(const struct netconf *n)
{
	return *n->version ? n->version : "0.1.0";
}

/* Converts a result to the list's protocol version: compact JSON. */
static int convert_result(struct tx *tx, const struct netconf *n, const char *text,
			  const char **ret)
{
	struct result_rules rules = { .code = CNI_E_DECODE };
	struct result res;
	struct cj c;
	const char *version;
	char *converted = NULL;
	int r;

	TRY(cj_parse(tx, text, strlen(text), "result", &c));
	version = cj_str(&c, "cniVersion", "");
	if (!*version) {
		json_object_set_new(c.json, "cniVersion", json_string(version_of(n)));
		version = version_of(n);
	}
	result_init(&res, &tx->mem);
	rules.def_version = version;
	r = result_read(tx, &c, &rules, &res);
	if (r == 0 && str_eq(version, version_of(n)))
		converted = cj_dump(&tx->mem, &c);
	else if (r == 0)
		r = result_print(tx, &res, version_of(n), true, &converted);
	cj_free(&c);
	if (r == 0)
		*ret = converted;
	return r;
}

/*
 * The result of an ADD at the list's version.  One that has this version already keeps the order
 * of its keys.
 */
static int read_answer(struct tx *tx, const struct netconf *n, const struct exec_answer *a,
		       const char **ret)
{
	const char *converted = NULL, *text = a->out + strspn(a->out, " \t\r\n");
	json_t *json, *version;

	if (str_starts(text, "null"))
		text = "{}";
	TRY(convert_result(tx, n, text, &converted));
	json = json_loads(text, 0, NULL);
	version = json_object_get(json, "cniVersion");
	if (str_eq(json_string_value(version), version_of(n))) {
		char *compact = json_dumps(json, JSON_COMPACT);

		converted = mem_str(&tx->mem, compact);
		free(compact);
	}
	json_decref(json);
	*ret = converted;
	return 0;
}

/* ---- the cache ---- */

struct cache_key attachment_key(const struct attachment *a)
{
	return (struct cache_key){ a->net->name, a->id, a->ifname };
}

int attach_use_cached(struct tool *t, struct attachment *a, const struct cached *c,
		      const char **ret_prev)
{
	struct cache_key key = attachment_key(a);
	struct cached file;
	int found;

	*ret_prev = NULL;
	if (!c) {
		TRY(found = cache_read(t->tx, &t->cache, &key, &file));
		if (!found)
			return 0;
		c = &file;
	}
	if (target_is_other(t->tx, a->netns, &c->nsid))
		a->netns = NULL;
	if (!a->args)
		a->args = c->args;
	if (!a->capability_args)
		a->capability_args = c->capability_args;
	if (c->result && netconf_speaks(a->net, "0.4.0"))
		TRY(convert_result(t->tx, a->net, c->result, ret_prev));
	return 1;
}

static int write_cached(struct tool *t, const struct attachment *a, const struct nsid *nsid,
			const char *result)
{
	struct cached c = {
		.network = a->net->name,
		.id = a->id,
		.ifname = a->ifname,
		.netns = a->netns,
		.nsid = *nsid,
		.args = a->args,
		.capability_args = a->capability_args,
		.result = result,
		.config = a->net->text,
		.config_size = a->net->size,
	};

	return cache_write(t->tx, &t->cache, &c);
}

/* ---- one at a time ---- */

/* A cache that cannot be written keeps no DEL from what can be deleted. */
int attach_hold(struct tool *t, const struct attachment *a)
{
	struct cache_key key = attachment_key(a);
	struct errctx m = errctx_mark(t->tx);
	int r = cache_hold(t->tx, &t->cache, &key);

	if (r == 0 || r == -ETIMEDOUT || r == -EINTR)
		return r;
	log_warn("%s (the attachment is not locked)", errctx_take(t->tx, m));
	return 0;
}

/* ---- DEL ---- */

static int del_plugins(struct tool *t, const struct attachment *given)
{
	struct attachment a = *given;
	struct list_call call = { .command = &del_command, .net = a.net, .a = &a };
	struct errctx m = errctx_mark(t->tx);
	struct cache_key key = attachment_key(&a);
	int r = attach_use_cached(t, &a, NULL, &call.extra.prev_result);

	if (r < 0) /* plugins can do without */
		log_warn("%s (the cached result is not used)", errctx_take(t->tx, m));
	call.extra.capability_args = a.capability_args;
	if (given->netns && !a.netns)
		log_warn("%s leads to another network namespace by now: its container is gone",
			 given->netns);
	r = 0;
	for (unsigned i = a.net->n_plugins; i-- > 0;)
		r = also(r, run_plugin(t, &call, i));
	if (r < 0)
		return r;
	return cache_remove(t->tx, &t->cache, &key);
}

int attach_del(struct tool *t, const struct attachment *given)
{
	int r;

	TRY(attach_hold(t, given));
	r = del_plugins(t, given);
	cache_release(&t->cache);
	return r;
}

typedef int del_fn(struct tool *t, const struct attachment *a);

static int uninterrupted(struct tool *t, const struct attachment *a, del_fn *del)
{
	bool was = t->tx->unwinding;
	int r;

	t->tx->unwinding = true;
	r = del(t, a);
	t->tx->unwinding = was;
	return r;
}

int attach_undo(struct tool *t, const struct attachment *a)
{
	return uninterrupted(t, a, attach_del);
}

/* ---- ADD ---- */

/* A plugin can take long, and the next one opens the path itself. */
static int need_same(struct tool *t, const struct attachment *a, const struct nsid *nsid)
{
	if (!target_is_other(t->tx, a->netns, nsid))
		return 0;
	return tx_fail_as(t->tx, CNI_E_NETNS, -ESTALE,
			  "%s has come to another network namespace meanwhile: the container "
			  "is gone",
			  a->netns);
}

static int add_plugins(struct tool *t, const struct attachment *a, const struct nsid *nsid,
		       const char **ret)
{
	struct list_call call = { .command = &add_command, .net = a->net, .a = a };

	call.extra.capability_args = a->capability_args;
	for (unsigned i = 0; i < a->net->n_plugins; i++) {
		struct errctx m = errctx_mark(t->tx);
		struct exec_answer answer;
		int r;

		if (i)
			TRY(need_same(t, a, nsid));
		r = attach_exec_plugin(t, &call, i, &answer);
		if (r == 0)
			r = read_answer(t->tx, a->net, &answer, &call.extra.prev_result);
		TRY(attach_blame_plugin(t, &call, i, m, r));
	}
	*ret = call.extra.prev_result;
	return 0;
}

/*
 * Deletes a cached attachment of the same name whose interface is gone: its namespace was made
 * anew.
 */
static int del_previous(struct tool *t, const struct attachment *a)
{
	struct attachment old = { a->net, a->id, a->ifname, a->netns, NULL, NULL };
	struct cache_key key = attachment_key(a);
	struct errctx m = errctx_mark(t->tx);
	struct cached c;
	int r = cache_read(t->tx, &t->cache, &key, &c);

	if (r < 0)
		errctx_take(t->tx, m);
	if (r <= 0)
		return 0;
	log_warn("%s on network \"%s\" was attached before and never detached: that is done now",
		 a->ifname, a->net->name);
	return del_plugins(t, &old);
}

/* A copy in the arena, for t->unfinished. */
static const struct attachment *copy_attachment(struct tool *t, const struct attachment *a)
{
	struct attachment *copy = mem_dup(&t->tx->mem, a, sizeof(*a));

	copy->net = mem_dup(&t->tx->mem, a->net, sizeof(*a->net));
	return copy;
}

static int add_held(struct tool *t, const struct attachment *a, const char **ret_result)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	const char *result;
	struct nsid nsid;
	int was_there, r;

	TRY(target_open(t->tx, a->netns, &ns));
	nsid_read(&t->tx->mem, &ns, &nsid);
	TRY(was_there = target_has_if(t->tx, &ns, a->ifname));
	if (!was_there) {
		TRY(del_previous(t, a));
		t->unfinished = copy_attachment(t, a);
		/* If we are killed, gc finds the attachment. */
		TRY(write_cached(t, a, &nsid, NULL));
	}
	r = add_plugins(t, a, &nsid, &result);
	if (r == 0)
		r = write_cached(t, a, &nsid, result);
	if (r == 0) {
		*ret_result = result;
		return 0;
	}
	if (was_there)
		tx_detail(t->tx, "%s was there before, so nothing was undone", a->ifname);
	else if (uninterrupted(t, a, del_plugins) < 0)
		log_step("undoing the ADD failed as well");
	t->unfinished = NULL;
	return r;
}

int attach_add(struct tool *t, const struct attachment *a, const char **ret_result)
{
	struct cache_key key = attachment_key(a);
	const char *path;
	int r;

	TRY(cache_path(t->tx, &t->cache, &key, &path));
	TRY(attach_hold(t, a));
	r = add_held(t, a, ret_result);
	cache_release(&t->cache);
	return r;
}

/* ---- GC, STATUS ---- */

/* Does the list's version have the command, which is new in 1.1.0?  If not, says so. */
static bool has_command(struct tool *t, const struct netconf *n, const char *name)
{
	if (netconf_speaks(n, "1.1.0"))
		return true;
	tool_note(t,
		  "network \"%s\": its cniVersion %s has no %s, so no plugin was asked (add "
		  "\"cniVersions\": [\"%s\", \"1.1.0\"] to %s if its plugins support 1.1.0)",
		  n->name, version_of(n), name, version_of(n), n->file);
	return false;
}

int attach_list_gc(struct tool *t, const struct netconf *n, const char *valid)
{
	struct list_call call = { .command = &gc_command, .net = n, .extra.valid = valid };
	int r = 0;

	/* gc of all networks has one note for all (cmd_gc.c). */
	if (!t->args.n && !netconf_speaks(n, "1.1.0"))
		return 0;
	if (!has_command(t, n, "GC"))
		return 0;
	for (unsigned i = 0; i < n->n_plugins; i++)
		r = also(r, run_plugin(t, &call, i));
	return r;
}

int attach_list_status(struct tool *t, const struct netconf *n)
{
	struct list_call call = { .command = &status_command, .net = n };

	if (!has_command(t, n, "STATUS"))
		return 0;
	return run_plugins(t, &call);
}
