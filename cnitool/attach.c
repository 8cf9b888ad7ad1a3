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

#include "attach.h"
#include "cnitool.h"
#include "exec.h"
#include "fail.h"
#include "log.h"
#include "name.h"
#include "result.h"
#include "target.h"

/* ---- running a plugin ---- */

/* What happened to which plugin, as libcni says it. */
static int blame(struct tx *tx, struct fail_mark m, int r, const struct netconf *n, unsigned i,
		 const char *verb)
{
	return fail_prefix(tx, m, r,
			   "plugin type=\"%s\" name=\"%s\" failed (%s): ", n->plugins[i].type,
			   n->name, verb);
}

/* a may be NULL: the variables of an attachment are there, but empty. */
static int run(struct tool *t, const char *command, const struct netconf *n, unsigned i,
	       const struct attachment *a, const struct netconf_extra *extra,
	       struct exec_answer *ret)
{
	struct mem *m = &t->tx->mem;
	struct netconf_extra e = *extra;
	const char *request, *path;
	bool self;
	const char *const env[] = {
		mem_printf(m, "CNI_COMMAND=%s", command),
		mem_printf(m, "CNI_CONTAINERID=%s", a ? a->id : ""),
		mem_printf(m, "CNI_NETNS=%s", a && a->netns ? a->netns : ""),
		mem_printf(m, "CNI_ARGS=%s", a && a->args ? a->args : ""),
		mem_printf(m, "CNI_IFNAME=%s", a ? a->ifname : ""),
		mem_printf(m, "CNI_PATH=%s", t->opt.cni_path),
		NULL,
	};

	/* An ordinary user's leases go where the results go. */
	if (t->cache.private)
		e.data_dir = mem_printf(m, "%s/networks", t->cache.dir);
	request = netconf_request(t->tx, n, i, &e);
	TRY(exec_find(t->tx, t->opt.cni_path, n->plugins[i].type, &path, &self));
	log_step("%s %s %s", command, path, request);
	TRY(exec_run(t->tx, path, env, request, strlen(request), 0, ret));
	return exec_judge(t->tx, path, ret);
}

/* A verb that has no answer; who failed is told by verb, if not NULL. */
static int run_mute(struct tool *t, const char *command, const struct netconf *n, unsigned i,
		    const struct attachment *a, const struct netconf_extra *extra, const char *verb)
{
	struct fail_mark m = fail_mark(t->tx);
	struct exec_answer answer;

	return blame(t->tx, m, run(t, command, n, i, a, extra, &answer), n, i, verb);
}

int attach_plugins_exist(struct tool *t, const struct netconf *n)
{
	const char *path;
	bool self;

	for (unsigned i = 0; i < n->n_plugins; i++) {
		struct fail_mark m = fail_mark(t->tx);
		int r = exec_find(t->tx, t->opt.cni_path, n->plugins[i].type, &path, &self);

		if (r < 0)
			return fail_prefix(t->tx, m, r, "network \"%s\": ", n->name);
	}
	return 0;
}

/* ---- results ---- */

static const char *version_of(const struct netconf *n)
{
	return *n->version ? n->version : "0.1.0";
}

/* A result at the list's version: compact JSON. */
static int convert(struct tx *tx, const struct netconf *n, const char *text, const char **ret)
{
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
	r = result_read(tx, &c, version, NULL, CNI_E_DECODE, &res);
	if (r == 0 && str_eq(version, version_of(n)))
		converted = cj_dump(tx, &c);
	else if (r == 0)
		r = result_print(tx, &res, version_of(n), true, &converted);
	cj_free(&c);
	if (r == 0)
		*ret = converted;
	return r;
}

/* A plugin's answer to ADD, which keeps the order of its keys. */
static int take_result(struct tx *tx, const struct netconf *n, const struct exec_answer *a,
		       const char **ret)
{
	const char *sorted = NULL, *text = a->out + strspn(a->out, " \t\r\n");
	json_t *json, *version;

	if (str_starts(text, "null"))
		text = "{}";
	TRY(convert(tx, n, text, &sorted));
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
 * (NULL if there is none).
 */
static int recall(struct tool *t, struct attachment *a, const char **ret_prev)
{
	struct cached c;
	int r = cache_read(t->tx, &t->cache, a->net->name, a->id, a->ifname, &c);

	*ret_prev = NULL;
	if (r <= 0)
		return r;
	a->args = a->args ? a->args : c.args;
	a->capability_args = a->capability_args ? a->capability_args : c.capability_args;
	if (c.result && netconf_speaks(a->net, "0.4.0"))
		return convert(t->tx, a->net, c.result, ret_prev);
	return 0;
}

/* ---- DEL ---- */

int attach_del(struct tool *t, const struct attachment *given)
{
	struct attachment a = *given;
	struct fail_mark m = fail_mark(t->tx);
	struct netconf_extra extra = { .valid = NULL };
	int r = recall(t, &a, &extra.prev_result);

	if (r < 0) /* then without: the plugins can */
		log_warn("%s (the cached result is not used)", fail_take(t->tx, m));
	extra.capability_args = a.capability_args;
	r = 0;
	for (unsigned i = a.net->n_plugins; i-- > 0;)
		r = also(r, run_mute(t, "DEL", a.net, i, &a, &extra, "delete"));
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

static int add_all(struct tool *t, const struct attachment *a, const char **ret)
{
	struct netconf_extra extra = { .capability_args = a->capability_args };

	for (unsigned i = 0; i < a->net->n_plugins; i++) {
		struct fail_mark m = fail_mark(t->tx);
		struct exec_answer answer;
		int r = run(t, "ADD", a->net, i, a, &extra, &answer);

		if (r == 0)
			r = take_result(t->tx, a->net, &answer, &extra.prev_result);
		TRY(blame(t->tx, m, r, a->net, i, "add"));
	}
	*ret = extra.prev_result;
	return 0;
}

static int remember(struct tool *t, const struct attachment *a, const char *result)
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
static int remove_stale(struct tool *t, const struct attachment *a)
{
	struct fail_mark m = fail_mark(t->tx);
	struct cached c;
	struct attachment old = { a->net, a->id, a->ifname, a->netns, NULL, NULL };
	int r = cache_read(t->tx, &t->cache, a->net->name, a->id, a->ifname, &c);

	if (r < 0)
		fail_take(t->tx, m);
	if (r <= 0)
		return 0;
	log_warn("%s on network \"%s\" was attached before and never detached: that is done now",
		 a->ifname, a->net->name);
	return attach_del(t, &old);
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
		TRY(remove_stale(t, a));
		/* If we are killed, gc finds what is to be undone. */
		TRY(remember(t, a, NULL));
	}
	r = add_all(t, a, &result);
	if (r == 0)
		r = remember(t, a, result);
	if (r == 0) {
		*ret_result = result;
		return 0;
	}
	if (was_there)
		tx_detail(t->tx, "%s was there before, so nothing was undone", a->ifname);
	else if (attach_undo(t, a) < 0)
		log_step("undoing the ADD failed as well");
	return r;
}

/* ---- CHECK, GC, STATUS ---- */

int attach_check(struct tool *t, const struct attachment *given)
{
	struct attachment a = *given;
	struct netconf_extra extra = { .valid = NULL };

	if (!netconf_speaks(a.net, "0.4.0"))
		return tx_fail_as(t->tx, CNI_E_VERSION, -EPROTONOSUPPORT,
				  "configuration version \"%s\" does not support the CHECK command",
				  a.net->version);
	if (a.net->disable_check)
		return 0;
	TRY(recall(t, &a, &extra.prev_result));
	extra.capability_args = a.capability_args;
	for (unsigned i = 0; i < a.net->n_plugins; i++)
		TRY(run_mute(t, "CHECK", a.net, i, &a, &extra, "check"));
	return 0;
}

int attach_list_gc(struct tool *t, const struct netconf *n, const char *valid)
{
	struct netconf_extra extra = { .valid = valid };
	int r = 0;

	if (!netconf_speaks(n, "1.1.0"))
		return 0;
	for (unsigned i = 0; i < n->n_plugins; i++)
		r = also(r, run_mute(t, "GC", n, i, NULL, &extra, "gc"));
	return r;
}

int attach_list_status(struct tool *t, const struct netconf *n)
{
	struct netconf_extra extra = { .valid = NULL };

	if (!netconf_speaks(n, "1.1.0"))
		return 0;
	for (unsigned i = 0; i < n->n_plugins; i++)
		TRY(run_mute(t, "STATUS", n, i, NULL, &extra, "status"));
	return 0;
}
