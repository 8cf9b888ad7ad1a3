// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_run.c - the verb run: a command in new namespaces, attached to networks
 *
 * Nothing is made before all options and networks are found valid.  Then: claim the id, start
 * init in new namespaces, name its network namespace, ADD each network, start the command.  The
 * end is the same after success and failure: DEL of every attachment of the id (also of those
 * that `cnitool attach` added), remove the name, kill init.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "cnitool/attach.h"
#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "cnitool/etc_files.h"
#include "cnitool/errctx.h"
#include "netlink/link.h"
#include "base/log.h"
#include "value/name.h"
#include "cnitool/run_registry.h"
#include "cnitool/sandbox.h"
#include "cnitool/target.h"

struct run {
	struct tool *t;
	struct netconf *nets;
	const char **caps;
	unsigned n;
	struct netns join; /* of container:NETNS */
	struct sandbox_plan plan;
	const char *id;
	struct run_claim claim;
	struct sandbox box;
	const char *netns; /* path of its namespace */
	struct result all; /* addresses and DNS of all networks */
};

/* ---- options and networks ---- */

static int open_other_netns(struct tool *t, const char *arg, struct netns *ret)
{
	const char *path = target_path(&t->tx->mem, arg);
	int r = netns_open(t->tx, path, ret);

	if (r == -ENOENT)
		return tx_fail_as(t->tx, CNI_E_NETNS, r,
				  "container:%s: there is no network namespace at %s", arg, path);
	return r;
}

static int find_networks(struct run *u, const char *names)
{
	struct mem *m = &u->t->tx->mem;
	char *copy = mem_str(m, names), *save;

	for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save)) {
		u->nets = mem_grow(m, u->nets, u->n, sizeof(*u->nets));
		TRY(netconf_find(u->t->tx, u->t->opt.conf_dir, s, &u->nets[u->n]));
		TRY(attach_plugins_exist(u->t, &u->nets[u->n]));
		u->n++;
	}
	return 0;
}

static int read_networks(struct run *u)
{
	const char *arg = u->t->args.v[0];

	if (str_starts(arg, "container:")) {
		TRY(open_other_netns(u->t, arg + strlen("container:"), &u->join));
		u->plan.join_net = &u->join;
	} else if (!str_eq(arg, "host")) {
		u->plan.new_net = true;
		if (!str_eq(arg, "none"))
			TRY(find_networks(u, arg));
	}
	u->caps = mem_alloc(&u->t->tx->mem, (u->n + 1) * sizeof(*u->caps));
	TRY(caps_check_args(u->t->tx, u->t->opt.args));
	return caps_build(u->t->tx, &u->t->opt, u->nets, u->n, u->caps);
}

static const char *random_id(struct mem *m)
{
	uint32_t v = 0;

	if (getrandom(&v, sizeof(v), 0) < 0)
		v = (uint32_t)getpid();
	return mem_printf(m, "cplug-%08x", v);
}

/* The command, or a shell: the user's, unless there is a rootfs that may not have it. */
static char *const *read_command(struct run *u)
{
	static char *shell[2];
	const char *wanted = secure_getenv("SHELL");
	char **command = u->t->command;

	if (command && command[0])
		return command;
	if (u->t->opt.rootfs || str_empty(wanted))
		wanted = "/bin/sh";
	shell[0] = mem_str(&u->t->tx->mem, wanted);
	return shell;
}

static void read_plan(struct run *u)
{
	const struct options *o = &u->t->opt;
	struct sandbox_plan *p = &u->plan;

	u->id = o->id ? o->id : random_id(&u->t->tx->mem);
	p->nohup = u->t->nohup;
	p->user = o->user;
	p->rootfs = o->rootfs;
	p->workdir = o->workdir;
	p->env = &o->env;
	p->command = read_command(u);
	p->hostname = o->hostname;
	if (!p->hostname && (p->new_net || o->id))
		p->hostname = u->id;
}

/* ---- attaching ---- */

static int set_lo_up(struct tx *tx, const char *path)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct link lo;

	TRY(target_open(tx, path, &ns));
	TRY(rt_open(tx, &rt, "container", &ns));
	TRY(link_need(tx, &rt, "lo", &lo));
	return link_set_up(tx, &rt, &lo);
}

/* Addresses and DNS of a result, for /etc. */
static void merge_result(struct run *u, const char *text)
{
	struct result res;
	const char *why = cache_read_result(u->t->tx, text, &res);

	if (why)
		log_warn("%s", why);
	for (unsigned i = 0; i < res.n_ips; i++)
		if (!ip_is_loopback(res.ips[i].addr.ip))
			result_add_ip(&u->all, res.ips[i]);
	etc_files_merge_dns(&u->t->tx->mem, &u->all.dns, &res.dns);
}

static struct attachment attachment_of(const struct run *u, unsigned i)
{
	return (struct attachment){
		.net = &u->nets[i],
		.id = u->id,
		.ifname = mem_printf(&u->t->tx->mem, "eth%u", i),
		.netns = u->netns,
		.args = u->t->opt.args,
		.capability_args = u->caps[i],
	};
}

static int attach_networks(struct run *u)
{
	const char *result;

	TRY(set_lo_up(u->t->tx, u->netns));
	for (unsigned i = 0; i < u->n; i++) {
		struct attachment a = attachment_of(u, i);

		TRY(attach_add(u->t, &a, &result));
		merge_result(u, result);
	}
	return 0;
}

/* Attachments that `cnitool attach` added to this container: the newest interface first. */
static int detach_others(struct run *u)
{
	struct cached *all;
	unsigned n;
	int r = 0;

	TRY(cache_all(u->t->tx, &u->t->cache, NULL, &all, &n));
	while (n-- > 0) {
		struct cached *c = &all[n];
		struct attachment a = { .id = u->id, .ifname = c->ifname, .netns = u->netns };
		struct netconf net;
		int one;

		if (!str_eq(c->id, u->id))
			continue;
		a.net = &net;
		one = cache_load(u->t->tx, c, c);
		if (one == 0 && !c->config)
			continue;
		if (one == 0)
			one = netconf_read_cached(u->t->tx, u->t->opt.conf_dir, c->config,
						  c->config_size, &net);
		if (one == 0)
			one = attach_undo(u->t, &a);
		r = also(r, one);
	}
	return r;
}

/*
 * Unplugs one network, unless nothing is cached: then its ADD was undone, or never began.  What is
 * cached may be unreadable: that is a failure, and the attachment may exist, so DEL comes as well.
 */
static int detach_network(struct run *u, const struct attachment *a)
{
	struct errctx m = errctx_mark(u->t->tx);
	struct cache_key key = attachment_key(a);
	const char *path;
	struct cached c;
	int r = cache_path(u->t->tx, &u->t->cache, &key, &path);

	if (r < 0) { /* for this reason its ADD failed */
		errctx_take(u->t->tx, m);
		return 0;
	}
	r = cache_read(u->t->tx, &u->t->cache, &key, &c);
	if (r == 0)
		return 0;
	if (r > 0)
		return attach_undo(u->t, a);
	return also(r, attach_undo(u->t, a));
}

static int detach_networks(struct run *u)
{
	int r = 0;

	for (unsigned i = u->n; i-- > 0;) {
		struct attachment a = attachment_of(u, i);

		r = also(r, detach_network(u, &a));
	}
	return also(r, detach_others(u));
}

/* ---- the container ---- */

static int start_container(struct run *u)
{
	/* Before the container has its mounts, which get the name of its namespace. */
	if (u->plan.new_net && run_registry_make_netns_dir() < 0)
		log_step("/run/netns cannot be made");
	TRY(sandbox_open(u->t, &u->plan, &u->box));
	if (!u->plan.new_net)
		return 0;
	TRY(run_registry_name_netns(u->t->tx, &u->claim, u->box.init, &u->netns));
	return attach_networks(u);
}

static int run_in_container(struct run *u)
{
	struct mem *m = &u->t->tx->mem;
	struct sandbox_files f = { .hosts = NULL };

	if (u->plan.hostname)
		f.hostname = mem_printf(m, "%s\n", u->plan.hostname);
	if (u->plan.new_net) {
		f.hosts = etc_files_hosts(m, u->plan.hostname, u->all.ips, u->all.n_ips);
		f.resolv_conf = etc_files_resolv_conf(m, &u->all.dns);
	}
	return sandbox_run(u->t, &u->box, &f, &u->t->status);
}

/* Is not interrupted by signals. */
static int end_container(struct run *u)
{
	struct tx *tx = u->t->tx;
	struct errctx m = errctx_mark(tx);
	bool first = m.first;
	int r = 0;

	tx->unwinding = true;
	m = errctx_mark(tx);
	if (u->netns) {
		r = cache_lock(tx, &u->t->cache, false);
		r = also(r, detach_networks(u));
	}
	cache_unlock(&u->t->cache);
	sandbox_close(&u->box);
	run_registry_release(&u->claim);
	tx->unwinding = false;
	if (r < 0 && first)
		fprintf(stderr, "%s%s (cnitool gc will try again)\n", tool_prefix(),
			errctx_take(tx, m));
	return r;
}

int cmd_run(struct tool *t)
{
	struct run u = { .t = t, .join = NETNS_NONE, .claim = { .fd = -1 }, .box = SANDBOX_NONE };
	int r;

	result_init(&u.all, &t->tx->mem);
	TRY(read_networks(&u));
	read_plan(&u);
	if (u.plan.new_net) {
		TRY(cache_lock(t->tx, &t->cache, false)); /* keeps gc out */
		TRY(run_registry_claim(t, u.id, &u.claim));
	}
	r = start_container(&u);
	cache_unlock(&t->cache);
	if (r == 0)
		r = run_in_container(&u);
	if (end_container(&u) < 0 && r == 0 && t->status == 0)
		t->status = EXIT_OURS;
	netns_close(&u.join);
	return r;
}
