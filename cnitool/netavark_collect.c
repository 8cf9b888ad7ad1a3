// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netavark_collect.c - what the containers of a podman network share, when none needs it
 *
 * A network has one bridge.  But podman's user may have named another one since other containers of
 * the network were set up.
 */
#include "base/log.h"
#include "cnitool/attach.h"
#include "cnitool/errctx.h"
#include "cnitool/netavark_impl.h"
#include "netlink/bridge.h"

const char *driver_new_bridge(struct tool *t, const struct driver_network *n)
{
	const char *name = n->interface;

	if (n->options.mode != MODE_BRIDGE)
		return NULL;
	if (!name)
		name = driver_bridge_name(&t->tx->mem, n->id);
	if (link_here_try(name) > 0)
		return NULL;
	return name;
}

static int drop_bridge(struct tool *t, const struct netconf *conf, const char *name)
{
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct mark mark = mark_of_network(conf->name);
	struct link br;
	int there;

	TRY(rt_open(t->tx, &rt, "host", NULL));
	TRY(there = link_find(t->tx, &rt, name, &br));
	if (!there || !str_eq(br.kind, "bridge") || !link_is_marked(&br, &mark))
		return 0;
	return bridge_drop(t->tx, &rt, &br);
}

/* The lock keeps other setups away. */
static int collect(struct tool *t, const struct netconf *conf, const char *new_bridge)
{
	struct cached *all;
	unsigned n;

	TRY(cache_lock(t->tx, &t->cache, true));
	TRY(cache_all(t->tx, &t->cache, conf->name, &all, &n));
	if (!n)
		TRY(attach_list_gc(t, conf, "[]"));
	if (new_bridge)
		return drop_bridge(t, conf, new_bridge);
	return 0;
}

void driver_collect(struct tool *t, const struct netconf *conf, const char *new_bridge)
{
	struct errctx m = errctx_mark(t->tx);
	struct cached *all;
	unsigned n = 1;
	int r = cache_all(t->tx, &t->cache, conf->name, &all, &n);

	if (r < 0 || (n && !new_bridge)) {
		errctx_take(t->tx, m);
		return;
	}
	cache_unlock(&t->cache);
	if (collect(t, conf, new_bridge) < 0)
		log_warn("%s (what network %s shares is left: cnitool gc)", errctx_take(t->tx, m),
			 conf->name);
}
