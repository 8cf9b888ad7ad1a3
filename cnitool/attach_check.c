// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attach_check.c - CHECK of an attachment, and repair
 *
 * cplug's plugins list all differences in the details of their error (code 107); of another
 * plugin's error of this code, the message is the difference.
 */
#include <jansson.h>
#include <stdlib.h>

#include "cnitool/attach_impl.h"
#include "cnitool/cnitool.h"
#include "cnitool/target.h"
#include "ipam/dhcp/conf.h"
#include "value/json_make.h"

static const struct command check_command = { "CHECK", "check", false };
static const struct command repair_command = { "CHECK", "check", true };

/* ---- what CHECK needs ---- */

/* CHECK compares with the result of ADD, so there must be one. */
static int need_cached(struct tool *t, const struct attachment *a, bool found, const char *prev)
{
	const char *container = str_empty(a->netns) ? a->id : a->netns;

	if (!found)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
				  "%s of %s on network \"%s\" was never added: nothing to compare "
				  "with (see cnitool list; -i names another interface)",
				  a->ifname, container, a->net->name);
	if (!prev)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
				  "%s of %s on network \"%s\": its add never ended: nothing to "
				  "compare with (del it, then add it again)",
				  a->ifname, container, a->net->name);
	return 0;
}

static int fail_other(struct tool *t, const struct attachment *given, const struct attachment *a)
{
	return tx_fail_as(
		t->tx, CNI_E_NETNS, -ESTALE,
		"%s leads to another network namespace than that of %s on network \"%s\", "
		"whose container is gone: remove the attachment with del or cnitool gc",
		given->netns, a->ifname, a->net->name);
}

static int need_netns(struct tool *t, const struct attachment *given, const struct attachment *a)
{
	if (!given->netns || a->netns)
		return 0;
	return fail_other(t, given, a);
}

static int need_version(struct tool *t, const struct netconf *n)
{
	if (netconf_speaks(n, "0.4.0"))
		return 0;
	return tx_fail_as(t->tx, CNI_E_VERSION, -EPROTONOSUPPORT,
			  "configuration version \"%s\" does not support the CHECK command",
			  n->version);
}

/* ---- differences ---- */

static const char *copy_member(struct mem *m, json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	if (!s)
		return "";
	return mem_str(m, s);
}

/* list: {"object","want","have"} of each difference. */
static void note_differences(struct mem *m, const char *type, json_t *list, struct repairs *ret)
{
	json_t *e;
	size_t i;

	json_array_foreach (list, i, e) {
		if (!json_is_string(json_object_get(e, "object")))
			continue;
		ret->v = mem_grow(m, ret->v, ret->n, sizeof(*ret->v));
		ret->v[ret->n++] = (struct repaired){
			.plugin = mem_str(m, type),
			.object = copy_member(m, e, "object"),
			.want = copy_member(m, e, "want"),
			.have = copy_member(m, e, "have"),
		};
	}
}

/*
 * Notes what a plugin's answer lists: what it repaired, or the differences in the error of a CHECK
 * (code 107).  Returns whether it is such an error.
 */
static bool read_differences(struct mem *m, const char *type, const char *text, struct repairs *ret)
{
	json_t *result;
	char *printed;

	json_t *json = json_loads(text, 0, NULL), *list = NULL;
	const char *details = json_string_value(json_object_get(json, "details"));
	bool differs = json_integer_value(json_object_get(json, "code")) == CPLUG_E_CHECK;

	if (differs && details)
		list = json_loads(details, 0, NULL);
	if (differs && !json_is_array(list)) {
		json_decref(list);
		list = json_make_list(
			json_make("object", json_incref(json_object_get(json, "msg"))));
	}
	note_differences(m, type, differs ? list : json_object_get(json, "repaired"), ret);
	result = json_object_get(json, "result");
	printed = json_is_object(result) ? json_dumps(result, JSON_COMPACT) : NULL;
	if (printed)
		ret->result = mem_str(m, printed);
	free(printed);
	json_decref(list);
	json_decref(json);
	return differs;
}

/* Without the repair, a CHECK that found differences is no failure. */
static int repair_plugin(struct tool *t, struct list_call *call, unsigned i, struct repairs *ret)
{
	bool dry = !call->command->repairs, differs = false;
	struct exec_answer answer = { .out = NULL };
	struct errctx m = errctx_mark(t->tx);
	int r = attach_exec_plugin(t, call, i, &answer);

	if (answer.out && (r == 0 || dry || call->adopts))
		differs =
			read_differences(&t->tx->mem, call->net->plugins[i].type, answer.out, ret);
	ret->differs = differs;
	if (ret->result)
		call->extra.prev_result = ret->result;
	if (dry && differs) {
		errctx_take(t->tx, m);
		return 0;
	}
	return attach_blame_plugin(t, call, i, m, r);
}

int attach_check(struct tool *t, const struct attachment *given, struct repairs *ret)
{
	struct attachment a = *given;
	struct list_call call = { .command = &check_command, .net = a.net, .a = &a };
	int found;

	TRY(need_version(t, a.net));
	if (a.net->disable_check)
		return 0;
	TRY(found = attach_use_cached(t, &a, NULL, &call.extra.prev_result));
	TRY(need_cached(t, given, found, call.extra.prev_result));
	TRY(need_netns(t, given, &a));
	call.extra.capability_args = a.capability_args;
	for (unsigned i = 0; i < a.net->n_plugins; i++)
		TRY(repair_plugin(t, &call, i, ret));
	return 0;
}

/* Completes *a, a copy of given, and the call's extras.  c: as for attach_repair(). */
static int prepare_call(struct tool *t, const struct attachment *given, const struct cached *c,
			struct attachment *a, struct list_call *call)
{
	int found;

	TRY(need_version(t, a->net));
	TRY(found = attach_use_cached(t, a, c, &call->extra.prev_result));
	TRY(need_cached(t, given, found, call->extra.prev_result));
	TRY(need_netns(t, given, a));
	call->extra.capability_args = a->capability_args;
	return 0;
}

/* The address is another one than at ADD.  A result that another folder has is the runtime's. */
static int remember_result(struct tool *t, const struct attachment *a, const char *result)
{
	struct cache_key key = attachment_key(a);
	struct cached c;
	int found;

	TRY(found = cache_read(t->tx, &t->cache, &key, &c));
	if (!found)
		return 0;
	c.result = result;
	return cache_write(t->tx, &t->cache, &c);
}

/* ---- an address that another attachment has ---- */

static bool is_same(const struct cached *c, const struct attachment *a)
{
	return str_eq(c->network, a->net->name) && str_eq(c->id, a->id) &&
	       str_eq(c->ifname, a->ifname);
}

/* Fails if the result of another attachment that lives has the address. */
static int need_free(struct tool *t, const struct attachment *a, struct ip ip)
{
	struct cached *all;
	unsigned n;

	TRY(cache_everywhere(t->tx, &t->cache, NULL, &all, &n, NULL));
	for (unsigned i = 0; i < n; i++) {
		const struct cached *c = &all[i];
		struct cached whole;
		struct result res;

		if (!c->has_result || is_same(c, a) || str_empty(c->netns) ||
		    !target_lives(t->tx, c->netns, &c->nsid))
			continue;
		TRY(cache_load(t->tx, c, &whole));
		if (cache_read_result(t->tx, whole.result, &res))
			continue;
		for (unsigned k = 0; k < res.n_ips; k++)
			if (ip_eq(res.ips[k].addr.ip, ip))
				return tx_fail_as(
					t->tx, CPLUG_E_ADDRESS, -EADDRINUSE,
					"the DHCP server gave it %s, which belongs to %s/%s/%s "
					"(network/container/interface) already (correct the "
					"server, "
					"or DEL that attachment first)",
					IP_S(ip), c->network, c->id, c->ifname);
	}
	return 0;
}

/* Has the list rules for the container's addresses? */
static bool has_rules(const struct netconf *n)
{
	for (unsigned i = 0; i < n->n_plugins; i++)
		if (cj_has(&n->plugins[i].conf, "ipMasq") ||
		    str_eq(n->plugins[i].type, "portmap") || str_eq(n->plugins[i].type, "firewall"))
			return true;
	return false;
}

/* May a repair of plugin i give the attachment, and its rules, another address? */
static bool may_get_another(struct tool *t, const struct netconf *n, unsigned i)
{
	struct cj ipam = cj_any(&n->plugins[i].conf, "ipam");

	return cj_is_object(&ipam) && str_eq(cj_str(&ipam, "type", ""), "dhcp") && has_rules(n) &&
	       attach_plugin_is_ours(t, n, i);
}

/* Sets call->adopts to the addresses that a DHCP server has given since ADD, unless one is held. */
static int choose_addresses(struct tool *t, struct list_call *call, unsigned i, struct repairs *ret)
{
	const struct command *repair = call->command;
	struct repairs found = { .n = 0 };
	int r;

	call->command = &check_command;
	r = repair_plugin(t, call, i, &found);
	call->command = repair;
	TRY(r);
	for (unsigned k = 0; k < found.n; k++) {
		struct cidr now;

		if (!str_eq(found.v[k].want, DHCP_ANOTHER) || !cidr_parse(found.v[k].have, &now))
			continue;
		ret->held = true;
		TRY(need_free(t, call->a, now.ip));
		ret->held = false;
		call->adopts = mem_printf(&t->tx->mem, "%s%s,", call->adopts, IP_S(now.ip));
	}
	return 0;
}

/*
 * A DHCP server can give any address, with a renewal, and when a repair asks for a lease anew.  The
 * nftables elements of one that another attachment got by its ADD belong to that, also while a
 * flushed ruleset has none.  So the first try takes no other address than that of ADD.
 */
static int repair_leased(struct tool *t, struct list_call *call, unsigned i, struct repairs *ret)
{
	struct errctx m = errctx_mark(t->tx);
	struct repairs was = *ret;
	int r;

	call->adopts = ",";
	r = repair_plugin(t, call, i, ret);
	if (r < 0 && ret->differs) {
		*ret = was;
		errctx_take(t->tx, m);
		r = choose_addresses(t, call, i, ret);
		if (r == 0)
			r = repair_plugin(t, call, i, ret);
	}
	call->adopts = NULL;
	return r;
}

static int repair_one(struct tool *t, struct list_call *call, unsigned i, struct repairs *ret)
{
	if (call->command->repairs && may_get_another(t, call->net, i))
		return repair_leased(t, call, i, ret);
	return repair_plugin(t, call, i, ret);
}

static int repair_list(struct tool *t, const struct attachment *given, const struct cached *c,
		       bool dry, struct repairs *ret)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct attachment a = *given;
	struct list_call call = { .net = a.net, .a = &a };
	int r = 0;

	call.command = dry ? &check_command : &repair_command;
	TRY(prepare_call(t, given, c, &a, &call));
	target_hold(t->tx, a.netns, &ns);
	for (unsigned i = 0; i < a.net->n_plugins && (r == 0 || attach_time_left(t)); i++) {
		if (!attach_plugin_is_ours(t, a.net, i))
			continue;
		/* A plugin can take long, and opens the path itself. */
		if (ret->ours && !target_is_held(t->tx, a.netns, &ns))
			return also(r, fail_other(t, given, &a));
		ret->ours++;
		r = also(r, repair_one(t, &call, i, ret));
		if (ret->held)
			return r;
	}
	if (ret->result && !dry)
		r = also(r, remember_result(t, &a, ret->result));
	return r;
}

int attach_repair(struct tool *t, const struct attachment *given, const struct cached *c, bool dry,
		  struct repairs *ret)
{
	int r;

	if (dry)
		return repair_list(t, given, c, dry, ret);
	TRY(attach_hold(t, given));
	r = repair_list(t, given, c, dry, ret);
	cache_release(&t->cache);
	return r;
}

int attach_repair_plugin(struct tool *t, const struct attachment *given, unsigned i,
			 struct repairs *ret)
{
	struct attachment a = *given;
	struct list_call call = { .command = &repair_command, .net = a.net, .a = &a };
	int r;

	TRY(prepare_call(t, given, NULL, &a, &call));
	TRY(attach_hold(t, given));
	r = repair_one(t, &call, i, ret);
	cache_release(&t->cache);
	return r;
}
