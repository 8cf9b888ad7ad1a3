// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_attach.c - the verbs for one attachment: add, del, check, attach, detach; and status
 *
 * add, del and check name an attachment as the reference does: by the path of the namespace.
 * attach and detach look for the cached container of the namespace, so that the interface
 * belongs to this container and is deleted with it.
 */
#include <stdlib.h>

#include "cnitool/attach.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "base/log.h"
#include "value/jw.h"
#include "cnitool/target.h"

/* The attachment that the operands NET NETNS and the options name. */
static void name_attachment(struct tool *t, const struct netconf *net, struct attachment *ret)
{
	const char *path = target_path(&t->tx->mem, t->args.v[1]);
	struct attachment a = {
		.net = net,
		.id = t->opt.id,
		.ifname = t->opt.ifname,
		.netns = path,
		.args = t->opt.args,
	};

	if (!a.id)
		a.id = target_id(&t->tx->mem, path);
	if (!a.ifname)
		a.ifname = "eth0";
	*ret = a;
}

/*
 * Capability arguments and CNI_ARGS, checked.  A wrong value is wrong usage, unless it comes from
 * the environment.
 */
static int read_arguments(struct tool *t, struct attachment *a)
{
	int r = caps_check_args(t->tx, t->opt.args);

	if (r < 0) {
		t->usage = t->opt.args != secure_getenv("CNI_ARGS");
		return r;
	}
	r = caps_build(t->tx, &t->opt, a->net, 1, &a->capability_args);
	if (r == -EINVAL)
		t->usage =
			t->tx->code == CNI_E_FIELD || t->opt.cap_args != secure_getenv("CAP_ARGS");
	return r;
}

int cmd_prepare(struct tool *t, struct netconf *net, struct attachment *ret)
{
	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], net));
	name_attachment(t, net, ret);
	TRY(read_arguments(t, ret));
	return cache_lock(t->tx, &t->cache, false);
}

/* ADD; undone if its result cannot be printed. */
static int add_and_print(struct tool *t, const struct attachment *a)
{
	const char *result;
	int r;

	TRY(attach_add(t, a, &result));
	r = tool_print(t, result);
	if (r < 0 && attach_undo(t, a) < 0)
		log_step("undoing the ADD failed as well");
	t->unfinished = NULL;
	return r;
}

int cmd_add(struct tool *t)
{
	struct netconf net;
	struct attachment a;

	TRY(cmd_prepare(t, &net, &a));
	return add_and_print(t, &a);
}

int cmd_find_conf(struct tool *t, const char *id, const char *ifname, struct netconf *ret)
{
	const struct cache_key key = { t->args.v[0], id, ifname };
	struct errctx m = errctx_mark(t->tx);
	struct cached c;
	int r = netconf_find(t->tx, t->opt.conf_dir, key.network, ret);

	if (r != -ENOENT)
		return r;
	if (cache_read(t->tx, &t->cache, &key, &c) != 1 || !c.config)
		return r;
	log_warn("%s (its configuration at the time of ADD is used)", errctx_take(t->tx, m));
	return netconf_read_cached(t->tx, t->opt.conf_dir, c.config, c.config_size, ret);
}

static int del_and_print(struct tool *t, struct attachment *a)
{
	struct cache_key key;
	struct jw w;

	TRY(read_arguments(t, a));
	TRY(attach_del(t, a));
	if (!t->opt.json)
		return 0;
	key = attachment_key(a);
	tool_open_json(t, &w);
	tool_put_attachment(&w, &key, a->netns);
	jw_bool(&w, "deleted", true);
	return tool_print_json(t, &w);
}

static int del_attachment(struct tool *t, struct attachment a)
{
	struct netconf net;
	int r;

	TRY(cmd_find_conf(t, a.id, a.ifname, &net));
	a.net = &net;
	r = del_and_print(t, &a);
	netconf_free(&net);
	return r;
}

int cmd_del(struct tool *t)
{
	struct attachment a;

	name_attachment(t, NULL, &a);
	TRY(cache_lock(t->tx, &t->cache, false));
	return del_attachment(t, a);
}

int cmd_status(struct tool *t)
{
	struct netconf net;

	struct jw w;

	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], &net));
	TRY(attach_list_status(t, &net));
	if (!t->opt.json)
		return 0;
	tool_open_json(t, &w);
	jw_str(&w, "network", net.name);
	jw_str(&w, "cniVersion", net.version);
	jw_bool(&w, "asked", netconf_speaks(&net, "1.1.0"));
	jw_bool(&w, "ready", true);
	return tool_print_json(t, &w);
}

/* ---- by namespace ---- */

/* Is the attachment in ns?  If its namespace cannot be opened: is its path the same? */
static bool is_in_netns(struct tool *t, const struct cached *c, const struct netns *ns,
			const char *path)
{
	auto_(netns_close) struct netns theirs = NETNS_NONE;
	struct errctx m = errctx_mark(t->tx);

	if (!c->netns)
		return false;
	if (str_eq(c->netns, path))
		return true;
	if (netns_open(t->tx, c->netns, &theirs) < 0) {
		errctx_take(t->tx, m);
		return false;
	}
	return netns_eq(&theirs, ns);
}

/*
 * The id and path of the container that has the namespace, in the cache of any program; unchanged
 * if there is none.  *ret: its first attachment, or NULL.
 */
static int find_container(struct tool *t, const struct netns *ns, struct attachment *a,
			  const struct cached **ret)
{
	struct cached *all;
	unsigned n;

	*ret = NULL;
	if (t->opt.id)
		return 0;
	TRY(cache_everywhere(t->tx, &t->cache, NULL, &all, &n, NULL));
	for (unsigned i = 0; i < n; i++)
		if (is_in_netns(t, &all[i], ns, a->netns) &&
		    !nsid_differs(&t->tx->mem, ns, &all[i].nsid)) {
			a->id = all[i].id;
			a->netns = all[i].netns;
			*ret = &all[i];
			break;
		}
	return 0;
}

/*
 * The attachment by the id that its path gives; if none has it, that of the container which has the
 * namespace, because podman and other programs choose their ids.
 */
static int find_checked(struct tool *t, struct attachment *a)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	const struct cache_key key = { t->args.v[0], a->id, a->ifname };
	struct errctx m = errctx_mark(t->tx);
	const struct cached *found;
	struct cached c;
	int r = cache_read(t->tx, &t->cache, &key, &c);

	if (r == 0)
		r = netns_open(t->tx, a->netns, &ns);
	if (r == 0) {
		TRY(find_container(t, &ns, a, &found));
		if (found)
			cache_follow(&t->tx->mem, &t->cache, found);
	}
	if (r < 0)
		errctx_take(t->tx, m);
	return 0;
}

int cmd_check(struct tool *t)
{
	struct netconf net = { .name = NULL };
	struct attachment a;

	name_attachment(t, &net, &a);
	TRY(cache_lock(t->tx, &t->cache, false));
	TRY(find_checked(t, &a));
	TRY(cmd_find_conf(t, a.id, a.ifname, &net));
	TRY(read_arguments(t, &a));
	return cmd_check_one(t, &a);
}

int cmd_attach(struct tool *t)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	const struct cached *found;
	struct netconf net;
	struct attachment a;

	TRY(cmd_prepare(t, &net, &a));
	TRY(target_open(t->tx, a.netns, &ns));
	TRY(find_container(t, &ns, &a, &found));
	if (!t->opt.ifname)
		TRY(target_free_if(t->tx, &ns, &a.ifname));
	return add_and_print(t, &a);
}

/* Does the cached attachment match the options and the namespace? */
static bool is_chosen(struct tool *t, const struct cached *c, const struct netns *ns,
		      const char *path)
{
	if (t->opt.ifname && !str_eq(t->opt.ifname, c->ifname))
		return false;
	if (t->opt.id && !str_eq(t->opt.id, c->id))
		return false;
	return is_in_netns(t, c, ns, path);
}

/* Fails because not one interface was found, but n; names: of those, separated by commas. */
static int fail_choice(struct tool *t, unsigned n, const char *names)
{
	const char *netns = t->args.v[1], *net = t->args.v[0];

	if (n)
		return tx_fail_as(t->tx, CNI_E_ENV, -EINVAL,
				  "%s has several interfaces on network \"%s\", choose one with "
				  "-i: %s",
				  netns, net, names);
	if (t->opt.ifname)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
				  "%s has no interface %s on network \"%s\": see cnitool list",
				  netns, t->opt.ifname, net);
	return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
			  "%s has no interface on network \"%s\": see cnitool list", netns, net);
}

/* The one attachment of the namespace to the network. */
static int choose_attachment(struct tool *t, const struct netns *ns, struct attachment *a)
{
	const char *names = NULL, *path = a->netns;
	const struct cached *one = NULL;
	struct cached *all;
	unsigned n, found = 0;

	TRY(cache_everywhere(t->tx, &t->cache, t->args.v[0], &all, &n, NULL));
	for (unsigned i = 0; i < n; i++) {
		const struct cached *c = &all[i];

		if (!is_chosen(t, c, ns, path))
			continue;
		a->id = c->id;
		a->ifname = c->ifname;
		a->netns = c->netns;
		names = names ? mem_printf(&t->tx->mem, "%s, %s", names, c->ifname) : c->ifname;
		one = c;
		found++;
	}
	if (found != 1)
		return fail_choice(t, found, names);
	cache_follow(&t->tx->mem, &t->cache, one);
	return 0;
}

int cmd_find_attached(struct tool *t, bool changes, struct attachment *ret)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct errctx m = errctx_mark(t->tx);

	name_attachment(t, NULL, ret);
	TRY(cache_lock(t->tx, &t->cache, changes));
	if (netns_open(t->tx, ret->netns, &ns) < 0)
		errctx_take(t->tx, m);
	return choose_attachment(t, &ns, ret);
}

int cmd_find_live(struct tool *t, struct netconf *net, struct attachment *a, struct cached *ret)
{
	struct cache_key key;
	int found;

	TRY(cmd_find_attached(t, true, a));
	TRY(cmd_find_conf(t, a->id, a->ifname, net));
	a->net = net;
	key = attachment_key(a);
	TRY(found = cache_read(t->tx, &t->cache, &key, ret));
	if (!found)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
				  "%s on network \"%s\" has just been removed", a->ifname,
				  net->name);
	if (!target_lives(t->tx, ret->netns, &ret->nsid))
		return tx_fail_as(t->tx, CNI_E_NETNS, -ENOENT,
				  "the network namespace of %s on network \"%s\" is gone: cnitool "
				  "gc removes what is left",
				  a->ifname, net->name);
	a->args = ret->args;
	return 0;
}

int cmd_detach(struct tool *t)
{
	struct attachment a;

	TRY(cmd_find_attached(t, false, &a));
	return del_attachment(t, a);
}
