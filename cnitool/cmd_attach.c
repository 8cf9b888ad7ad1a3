// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_attach.c - the verbs for one attachment: add, del, check, attach, detach; and status
 *
 * add, del and check name an attachment as the reference does: by the namespace's
 * path.  attach and detach look for the container that has the namespace already,
 * so that the new interface belongs to it and goes when it goes.
 */
#include "cnitool/attach.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"
#include "base/log.h"
#include "cnitool/target.h"

/* The attachment that NET NETNS and the options mean. */
static void name_attachment(struct tool *t, const struct netconf *net, struct attachment *ret)
{
	const char *path = target_path(&t->tx->mem, t->args.v[1]);

	*ret = (struct attachment){
		.net = net,
		.id = t->opt.id ? t->opt.id : target_id(&t->tx->mem, path),
		.ifname = t->opt.ifname ? t->opt.ifname : "eth0",
		.netns = path,
		.args = t->opt.args,
	};
}

/* What was asked for: capability arguments and CNI_ARGS, found sound. */
static int read_requests(struct tool *t, struct attachment *a)
{
	TRY(caps_check_args(t->tx, t->opt.args));
	return caps_build(t->tx, &t->opt, a->net, 1, &a->capability_args);
}

/* ADD, and the answer out; what cannot be told did not happen. */
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

	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], &net));
	name_attachment(t, &net, &a);
	TRY(read_requests(t, &a));
	TRY(cache_lock(t->tx, &t->cache, false));
	return add_and_print(t, &a);
}

/* A network whose configuration was removed lives on in the cache. */
static int find_conf(struct tool *t, const char *id, const char *ifname, struct netconf *ret)
{
	const char *name = t->args.v[0];
	struct errctx m = errctx_mark(t->tx);
	struct cached c;
	int r = netconf_find(t->tx, t->opt.conf_dir, name, ret);

	if (r != -ENOENT)
		return r;
	if (cache_read(t->tx, &t->cache, name, id, ifname, &c) != 1 || !c.config)
		return r;
	log_warn("%s (its configuration at the time of ADD is used)", errctx_take(t->tx, m));
	return netconf_read(t->tx, t->opt.conf_dir, "the cached configuration", c.config,
			    c.config_size, ret);
}

static int del_attachment(struct tool *t, struct attachment a)
{
	struct netconf net;

	TRY(find_conf(t, a.id, a.ifname, &net));
	a.net = &net;
	TRY(read_requests(t, &a));
	return attach_del(t, &a);
}

int cmd_del(struct tool *t)
{
	struct attachment a;

	name_attachment(t, NULL, &a);
	TRY(cache_lock(t->tx, &t->cache, false));
	return del_attachment(t, a);
}

int cmd_check(struct tool *t)
{
	struct netconf net;
	struct attachment a;

	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], &net));
	name_attachment(t, &net, &a);
	TRY(read_requests(t, &a));
	TRY(cache_lock(t->tx, &t->cache, false));
	return t->opt.repair ? cmd_restore_one(t, &a) : attach_check(t, &a);
}

int cmd_status(struct tool *t)
{
	struct netconf net;

	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], &net));
	return attach_list_status(t, &net);
}

/* ---- by whoever has the namespace ---- */

/* Is the attachment's namespace ns?  If it cannot be opened: is its path the same? */
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

/* The container that has the namespace: its id, and the path it knows it by. */
static int find_owner(struct tool *t, const struct netns *ns, struct attachment *a)
{
	struct cached *all;
	unsigned n;

	if (t->opt.id)
		return 0;
	TRY(cache_all(t->tx, &t->cache, NULL, &all, &n));
	for (unsigned i = 0; i < n; i++)
		if (is_in_netns(t, &all[i], ns, a->netns)) {
			a->id = all[i].id;
			a->netns = all[i].netns;
			break;
		}
	return 0;
}

int cmd_attach(struct tool *t)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct netconf net;
	struct attachment a;

	TRY(netconf_find(t->tx, t->opt.conf_dir, t->args.v[0], &net));
	name_attachment(t, &net, &a);
	TRY(read_requests(t, &a));
	TRY(cache_lock(t->tx, &t->cache, false));
	TRY(target_open(t->tx, a.netns, &ns));
	TRY(find_owner(t, &ns, &a));
	if (!t->opt.ifname)
		TRY(target_free_if(t->tx, &ns, &a.ifname));
	return add_and_print(t, &a);
}

/* Which of the interfaces of the namespace on the network is meant? */
static int choose_interface(struct tool *t, const struct netns *ns, struct attachment *a)
{
	const char *names = NULL, *net = t->args.v[0];
	struct cached *all;
	unsigned n, found = 0;
	const char *path = a->netns;

	TRY(cache_all(t->tx, &t->cache, net, &all, &n));
	for (unsigned i = 0; i < n; i++) {
		if ((t->opt.ifname && !str_eq(t->opt.ifname, all[i].ifname)) ||
		    (t->opt.id && !str_eq(t->opt.id, all[i].id)) ||
		    !is_in_netns(t, &all[i], ns, path))
			continue;
		a->id = all[i].id;
		a->ifname = all[i].ifname;
		a->netns = all[i].netns;
		names = mem_printf(&t->tx->mem, "%s%s%s", names ? names : "", names ? ", " : "",
				   all[i].ifname);
		found++;
	}
	if (found > 1)
		return tx_fail_as(t->tx, CNI_E_ENV, -EINVAL,
				  "%s has several interfaces on network \"%s\", choose one with "
				  "-i: %s",
				  t->args.v[1], net, names);
	if (!found)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT,
				  "%s has no interface %s%son network \"%s\": see cnitool list",
				  t->args.v[1], t->opt.ifname ? t->opt.ifname : "",
				  t->opt.ifname ? " " : "", net);
	return 0;
}

int cmd_detach(struct tool *t)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	struct errctx m = errctx_mark(t->tx);
	struct attachment a;

	name_attachment(t, NULL, &a);
	TRY(cache_lock(t->tx, &t->cache, false));
	if (netns_open(t->tx, a.netns, &ns) < 0)
		errctx_take(t->tx, m);
	TRY(choose_interface(t, &ns, &a));
	return del_attachment(t, a);
}
