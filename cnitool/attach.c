// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach.c - one attachment: a container's interface on a network
 *
 * A plugin gets its request on stdin and the attachment in its environment; the
 * result of one is the prevResult of the next.  Results are passed on as they were
 * printed, unless a plugin answered in another protocol version than the list's:
 * then they are converted.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "cnitool/attach.h"
#include "cnitool/cnitool.h"
#include "sys/exec.h"
#include "cnitool/errctx.h"
#include "base/log.h"
#include "value/name.h"
#include "value/result.h"
#include "cnitool/target.h"

/* ---- running a plugin ---- */

/* What happened to which plugin, as libcni says it. */
static int blame_plugin(struct tx *tx, struct errctx m, int r, const struct netconf *n, unsigned i,
			const char *verb)
{
	return errctx_prefix(tx, m, r,
			     "plugin type=\"%s\" name=\"%s\" failed (%s): ", n->plugins[i].type,
			     n->name, verb);
}

/* a may be NULL: the variables of an attachment are there, but empty. */
static int run_plugin(struct tool *t, const char *command, const struct netconf *n, unsigned i,
		      const struct attachment *a, const struct netconf_extra *extra,
		      struct exec_answer *ret)
{
	struct mem *m = &t->tx->mem;
	struct netconf_extra e = *extra;
	const char *request, *path;
	struct exec_request q;
	bool self, repair = str_eq(command, "REPAIR");
	const char *const env[] = {
		mem_printf(m, "CNI_COMMAND=%s", repair ? "CHECK" : command),
		mem_printf(m, "CNI_CONTAINERID=%s", a ? a->id : ""),
		mem_printf(m, "CNI_NETNS=%s", a && a->netns ? a->netns : ""),
		mem_printf(m, "CNI_ARGS=%s", a && a->args ? a->args : ""),
		mem_printf(m, "CNI_IFNAME=%s", a ? a->ifname : ""),
		mem_printf(m, "CNI_PATH=%s", t->opt.cni_path),
		/* A plugin of ours puts right what its CHECK finds; another does not know it. */
		repair ? "CPLUG_REPAIR=1" : "CPLUG_REPAIR=",
		NULL,
	};

	/* An ordinary user's leases go where the results go. */
	if (t->cache.private)
		e.data_dir = mem_printf(m, "%s/networks", t->cache.dir);
	request = netconf_request(m, n, i, &e);
	TRY(exec_find(t->tx, t->opt.cni_path, n->plugins[i].type, &path, &self));
	log_step("%s %s %s", command, path, request);
	q = (struct exec_request){
		.path = path, .env = env, .in = request, .size = strlen(request)
	};
	TRY(exec_run(t->tx, &q, ret));
	return exec_judge(t->tx, path, ret);
}

/* A verb that has no answer; who failed is told by verb, if not NULL. */
static int run_plugin_mute(struct tool *t, const char *command, const struct netconf *n, unsigned i,
			   const struct attachment *a, const struct netconf_extra *extra,
			   const char *verb)
{
	struct errctx m = errctx_mark(t->tx);
	struct exec_answer answer;

	return blame_plugin(t->tx, m, run_plugin(t, command, n, i, a, extra, &answer), n, i, verb);
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

/* ---- results ---- */

static const char *version_of(const struct netconf *n)
{
	return *n->version ? n->version : "0.1.0";
}

/* A result at the list's version: compact JSON. */
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

/* A plugin's answer to ADD, which keeps the order of its keys. */
static int read_answer(struct tx *tx, const struct netconf *n, const struct exec_answer *a,
		       const char **ret)
{
	const char *sorted = NULL, *text = a->out + strspn(a->out, " \t\r\n");
	json_t *json, *version;

	if (str_starts(text, "null"))
		text = "{}";
	TRY(convert_result(tx, n, text, &sorted));
	json = json_loads(text, 0, NULL);
	version = json_object_get(json, "cniVersion");
	if (str_eq(json_string_value(version), version_of(n))) {
		char *compact = json_dumps(json, JSON_COMPACT);

		*ret = mem_str(&tx->mem, compact);
		free(compact);
	} else {
		*ret = sorted;
	}
	json_decref(json);
	return 0;
}

/*
 * The attachment with what the cache knows, and the prevResult of its DEL or CHECK
 * (NULL if there is none).  Returns 1 if the cache knows it, 0 if not.
 */
static int use_cached(struct tool *t, struct attachment *a, const struct cached *c,
		      const char **ret_prev)
{
	a->args = a->args ? a->args : c->args;
	a->capability_args = a->capability_args ? a->capability_args : c->capability_args;
	if (c->result && netconf_speaks(a->net, "0.4.0"))
		TRY(convert_result(t->tx, a->net, c->result, ret_prev));
	return 1;
}

static int read_cached(struct tool *t, struct attachment *a, const char **ret_prev)
{
	struct cached c;
	int r = cache_read(t->tx, &t->cache, a->net->name, a->id, a->ifname, &c);

	*ret_prev = NULL;
	return r <= 0 ? r : use_cached(t, a, &c, ret_prev);
}

/* ---- DEL ---- */

int attach_del(struct tool *t, const struct attachment *given)
{
	struct attachment a = *given;
	struct errctx m = errctx_mark(t->tx);
	struct netconf_extra extra = { .valid = NULL };
	int r = read_cached(t, &a, &extra.prev_result);

	if (r < 0) /* then without: the plugins can */
		log_warn("%s (the cached result is not used)", errctx_take(t->tx, m));
	extra.capability_args = a.capability_args;
	r = 0;
	for (unsigned i = a.net->n_plugins; i-- > 0;)
		r = also(r, run_plugin_mute(t, "DEL", a.net, i, &a, &extra, "delete"));
	if (r < 0)
		return r;
	return cache_remove(t->tx, &t->cache, a.net->name, a.id, a.ifname);
}

int attach_undo(struct tool *t, const struct attachment *a)
{
	bool was = t->tx->unwinding;
	int r;

	t->tx->unwinding = true;
	r = attach_del(t, a);
	t->tx->unwinding = was;
	return r;
}

/* ---- ADD ---- */

static int add_plugins(struct tool *t, const struct attachment *a, const char **ret)
{
	struct netconf_extra extra = { .capability_args = a->capability_args };

	for (unsigned i = 0; i < a->net->n_plugins; i++) {
		struct errctx m = errctx_mark(t->tx);
		struct exec_answer answer;
		int r = run_plugin(t, "ADD", a->net, i, a, &extra, &answer);

		if (r == 0)
			r = read_answer(t->tx, a->net, &answer, &extra.prev_result);
		TRY(blame_plugin(t->tx, m, r, a->net, i, "add"));
	}
	*ret = extra.prev_result;
	return 0;
}

static int write_cached(struct tool *t, const struct attachment *a, const char *result)
{
	struct cached c = {
		.network = a->net->name,
		.id = a->id,
		.ifname = a->ifname,
		.netns = a->netns,
		.args = a->args,
		.capability_args = a->capability_args,
		.result = result,
		.config = a->net->text,
		.config_size = a->net->size,
	};

	return cache_write(t->tx, &t->cache, &c);
}

/* The interface is gone, but not what was kept for it: its namespace was made anew. */
static int del_previous(struct tool *t, const struct attachment *a)
{
	struct errctx m = errctx_mark(t->tx);
	struct cached c;
	struct attachment old = { a->net, a->id, a->ifname, a->netns, NULL, NULL };
	int r = cache_read(t->tx, &t->cache, a->net->name, a->id, a->ifname, &c);

	if (r < 0)
		errctx_take(t->tx, m);
	if (r <= 0)
		return 0;
	log_warn("%s on network \"%s\" was attached before and never detached: that is done now",
		 a->ifname, a->net->name);
	return attach_del(t, &old);
}

/* A copy that does not go with its caller. */
static const struct attachment *copy_attachment(struct tool *t, const struct attachment *a)
{
	struct attachment *copy = mem_dup(&t->tx->mem, a, sizeof(*a));

	copy->net = mem_dup(&t->tx->mem, a->net, sizeof(*a->net));
	return copy;
}

int attach_add(struct tool *t, const struct attachment *a, const char **ret_result)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	const char *path, *result;
	int was_there, r;

	TRY(cache_path(t->tx, &t->cache, a->net->name, a->id, a->ifname, &path));
	TRY(target_open(t->tx, a->netns, &ns));
	was_there = target_has_if(t->tx, &ns, a->ifname);
	TRY(was_there);
	if (!was_there) {
		TRY(del_previous(t, a));
		t->unfinished = copy_attachment(t, a);
		/* If we are killed, gc finds what is to be undone. */
		TRY(write_cached(t, a, NULL));
	}
	r = add_plugins(t, a, &result);
	if (r == 0)
		r = write_cached(t, a, result);
	if (r == 0) {
		*ret_result = result;
		return 0;
	}
	if (was_there)
		tx_detail(t->tx, "%s was there before, so nothing was undone", a->ifname);
	else if (attach_undo(t, a) < 0)
		log_step("undoing the ADD failed as well");
	t->unfinished = NULL;
	return r;
}

/* ---- CHECK, GC, STATUS ---- */

/* Without what add remembered there is nothing to compare with. */
static int need_cached(struct tool *t, const struct attachment *a, bool found, const char *prev)
{
	if (found && prev)
		return 0;
	return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
			  found ? "%s of %s on network \"%s\": its add never ended: nothing to "
				  "compare with (del it, then add it again)"
				: "%s of %s on network \"%s\" was never added: nothing to compare "
				  "with (see cnitool list; -i names another interface)",
			  a->ifname, str_empty(a->netns) ? a->id : a->netns, a->net->name);
}

static int need_version(struct tool *t, const struct netconf *n)
{
	if (netconf_speaks(n, "0.4.0"))
		return 0;
	return tx_fail_as(t->tx, CNI_E_VERSION, -EPROTONOSUPPORT,
			  "configuration version \"%s\" does not support the CHECK command",
			  n->version);
}

int attach_check(struct tool *t, const struct attachment *given)
{
	struct attachment a = *given;
	struct netconf_extra extra = { .valid = NULL };
	int found;

	TRY(need_version(t, a.net));
	if (a.net->disable_check)
		return 0;
	TRY(found = read_cached(t, &a, &extra.prev_result));
	TRY(need_cached(t, &a, found, extra.prev_result));
	extra.capability_args = a.capability_args;
	for (unsigned i = 0; i < a.net->n_plugins; i++)
		TRY(run_plugin_mute(t, "CHECK", a.net, i, &a, &extra, "check"));
	return 0;
}

/* ---- repair ---- */

/* A list of {"object","want","have"} from a plugin. */
static void note_differences(struct tool *t, const char *type, json_t *list, struct repairs *ret)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		const char *object = json_string_value(json_object_get(e, "object"));
		const char *want = json_string_value(json_object_get(e, "want"));
		const char *have = json_string_value(json_object_get(e, "have"));

		if (!object)
			continue;
		ret->v = mem_grow(&t->tx->mem, ret->v, ret->n, sizeof(*ret->v));
		ret->v[ret->n++] = (struct repaired){
			.plugin = mem_str(&t->tx->mem, type),
			.object = mem_str(&t->tx->mem, object),
			.want = mem_str(&t->tx->mem, want ? want : ""),
			.have = mem_str(&t->tx->mem, have ? have : ""),
		};
	}
}

/*
 * What a plugin answered: what it repaired; or as the error of a plain CHECK, which is no
 * failure where nothing was to be done but look.
 */
static bool read_differences(struct tool *t, const char *type, const char *text,
			     struct repairs *ret)
{
	json_t *json = json_loads(text, 0, NULL), *list = NULL;
	const char *details = json_string_value(json_object_get(json, "details"));
	bool differs = json_integer_value(json_object_get(json, "code")) == CPLUG_E_CHECK;

	if (differs && details)
		list = json_loads(details, 0, NULL);
	if (differs && !json_is_array(list)) {
		json_decref(list);
		list = json_pack("[{s:O?}]", "object", json_object_get(json, "msg"));
	}
	note_differences(t, type, differs ? list : json_object_get(json, "repaired"), ret);
	json_decref(list);
	json_decref(json);
	return differs;
}

static int repair_plugin(struct tool *t, const struct attachment *a, unsigned i, bool dry,
			 const struct netconf_extra *extra, struct repairs *ret)
{
	struct errctx m = errctx_mark(t->tx);
	struct exec_answer answer = { .out = NULL };
	int r = run_plugin(t, dry ? "CHECK" : "REPAIR", a->net, i, a, extra, &answer);

	if (answer.out && (r == 0 || dry) &&
	    read_differences(t, a->net->plugins[i].type, answer.out, ret) && dry) {
		errctx_take(t->tx, m);
		return 0;
	}
	return blame_plugin(t->tx, m, r, a->net, i, dry ? "check" : "repair");
}

int attach_repair(struct tool *t, const struct attachment *given, const struct cached *c, bool dry,
		  struct repairs *ret)
{
	struct attachment a = *given;
	struct netconf_extra extra = { .valid = NULL };
	const char *path;
	int found, r = 0;

	TRY(need_version(t, a.net));
	TRY(found = c ? use_cached(t, &a, c, &extra.prev_result)
		      : read_cached(t, &a, &extra.prev_result));
	TRY(need_cached(t, &a, found, extra.prev_result));
	extra.capability_args = a.capability_args;
	for (unsigned i = 0; i < a.net->n_plugins; i++) {
		struct errctx m = errctx_mark(t->tx);
		bool self = false;

		if (exec_find(t->tx, t->opt.cni_path, a.net->plugins[i].type, &path, &self) < 0)
			errctx_take(t->tx, m);
		if (!self)
			continue;
		ret->ours++;
		r = also(r, repair_plugin(t, &a, i, dry, &extra, ret));
	}
	return r;
}

int attach_list_gc(struct tool *t, const struct netconf *n, const char *valid)
{
	struct netconf_extra extra = { .valid = valid };
	int r = 0;

	if (!netconf_speaks(n, "1.1.0"))
		return 0;
	for (unsigned i = 0; i < n->n_plugins; i++)
		r = also(r, run_plugin_mute(t, "GC", n, i, NULL, &extra, "gc"));
	return r;
}

int attach_list_status(struct tool *t, const struct netconf *n)
{
	struct netconf_extra extra = { .valid = NULL };

	if (!netconf_speaks(n, "1.1.0"))
		return 0;
	for (unsigned i = 0; i < n->n_plugins; i++)
		TRY(run_plugin_mute(t, "STATUS", n, i, NULL, &extra, "status"));
	return 0;
}
