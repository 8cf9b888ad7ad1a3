// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * complete.c - the hidden verb __complete, which the shells' completion calls
 *
 * The scripts in contrib/completion pass the words of the command line after "cnitool", up to the
 * cursor.  The last one, which may be empty, is completed.  A candidate is a line: the word, and
 * after a tab what it is.  The one line ":file", ":dir" or ":command" asks the shell for its own
 * candidates.
 *
 * A failure leaves out candidates, because the command line may still be incomplete.
 */
#include <dirent.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>

#include "cnitool/complete.h"
#include "cnitool/errctx.h"
#include "cnitool/netconf.h"
#include "cnitool/target.h"
#include "cni/plugin.h"
#include "nft/diag.h"
#include "sys/file.h"

static const char netns_dir[] = "/run/netns/";

/* The word that is completed: head stays as it is, and is printed before each candidate. */
struct word {
	struct tool *t;
	const char *head;
	int head_len;
	const char *prefix;
	bool has_host; /* the head of a port mapping has the host's port */
};

/* A shell gets only words that need no quotes: names of files come from elsewhere. */
static bool is_plain(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./:-";

	return s[strspn(s, plain)] == '\0';
}

static void offer(const struct word *w, const char *candidate, const char *about)
{
	if (str_starts(candidate, w->prefix) && is_plain(candidate))
		printf("%.*s%s\t%s\n", w->head_len, w->head, candidate, about);
}

/* Everything up to the last of the separators stays as it is. */
static void keep_head(struct word *w, const char *separators)
{
	for (size_t n; w->prefix[n = strcspn(w->prefix, separators)]; w->prefix += n + 1)
		w->head_len += (int)n + 1;
}

static struct cached *remembered(struct tool *t, const char *network, unsigned *n)
{
	struct errctx m = errctx_mark(t->tx);
	struct cached *all = NULL;

	*n = 0;
	if (cache_open(t->tx, t->opt.cache_dir, &t->cache) < 0 ||
	    cache_all(t->tx, &t->cache, network, &all, n) < 0)
		errctx_take(t->tx, m);
	return all;
}

static void offer_networks(struct word *w)
{
	struct errctx m = errctx_mark(w->t->tx);
	struct netconf *nets = NULL;
	unsigned n = 0, n_cached;
	struct cached *all;

	keep_head(w, ",");
	if (netconf_all(w->t->tx, w->t->opt.conf_dir, &nets, &n) < 0)
		errctx_take(w->t->tx, m);
	for (unsigned i = 0; i < n; i++)
		offer(w, nets[i].name, nets[i].file);
	if (n)
		return;
	/* Attachments of networks that are not configured any more can still be removed. */
	all = remembered(w->t, NULL, &n_cached);
	for (unsigned i = 0; i < n_cached; i++)
		offer(w, all[i].network, "not configured any more");
}

/* Verbs for attachments offer those of the network; others, and without any, all names. */
static void offer_namespaces(struct word *w)
{
	enum { ATTACHED = V_DEL | V_CHECK | V_DETACH | V_SET | V_LIVE | V_INSPECT };
	struct tool *t = w->t;
	struct cached *all = NULL;
	unsigned n = 0;

	if (t->args.n && t->verb->bit & ATTACHED)
		all = remembered(t, t->args.v[0], &n);
	else if (t->args.n > 1 && t->verb->bit & V_POOL)
		all = remembered(t, t->args.v[1], &n);
	for (unsigned i = 0; i < n; i++) {
		const char *path = all[i].netns ? all[i].netns : "";

		offer(w, path + (str_starts(path, netns_dir) ? strlen(netns_dir) : 0),
		      all[i].ifname);
	}
	if (!n) {
		auto_(file_close_dir) DIR *d = opendir(netns_dir);
		struct dirent *e;

		while (d && (e = readdir(d)) != NULL)
			if (e->d_name[0] != '.')
				offer(w, e->d_name, "ip netns");
	}
	if (w->prefix[0] == '/')
		puts(":file");
}

static int offer_listeners(void *arg)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };
	struct word *w = arg;
	struct mem *m = &w->t->tx->mem;

	for (unsigned k = 0; k < ARRAY_LEN(protos); k++) {
		struct diag_listener *l;
		unsigned n;

		if (diag_find_listeners(m, protos[k], 1, UINT16_MAX, &l, &n) < 0)
			continue;
		for (unsigned i = 0; i < n; i++) {
			const char *port = mem_printf(m, k ? "%u/udp" : "%u", l[i].port);

			offer(w, w->has_host ? port : mem_printf(m, "%u:%s", l[i].port, port),
			      diag_str(m, &l[i]));
		}
	}
	return 0;
}

/* --publish, publish: the ports that processes of the container serve already. */
static void offer_ports(struct word *w)
{
	struct tool *t = w->t;
	struct errctx m = errctx_mark(t->tx);
	auto_(netns_close) struct netns ns = NETNS_NONE;

	if (t->args.n < 2)
		return;
	w->has_host = strchr(w->prefix, ':');
	keep_head(w, ":");
	if (target_open(t->tx, target_path(&t->tx->mem, t->args.v[1]), &ns) < 0)
		errctx_take(t->tx, m);
	else
		(void)!netns_run_try(&ns, offer_listeners, w);
}

/* unpublish: the ports of the network's attachment to this namespace. */
static void offer_published(struct word *w)
{
	struct mem *m = &w->t->tx->mem;
	const struct words *args = &w->t->args;
	struct cached *all;
	unsigned n;

	if (args->n < 2)
		return;
	all = remembered(w->t, args->v[0], &n);
	for (unsigned i = 0; i < n; i++) {
		json_t *caps, *e;
		size_t k;

		if (!all[i].capability_args || !str_eq(all[i].netns, target_path(m, args->v[1])))
			continue;
		caps = json_loads(all[i].capability_args, 0, NULL);
		json_array_foreach (json_object_get(caps, "portMappings"), k, e) {
			const char *proto = json_string_value(json_object_get(e, "protocol"));
			int port = (int)json_integer_value(json_object_get(e, "hostPort"));

			offer(w, mem_printf(m, "%d/%s", port, proto ? proto : "tcp"),
			      all[i].ifname);
		}
		json_decref(caps);
	}
}

/* unassign: the addresses of the network's attachment to this namespace. */
static void offer_assigned(struct word *w)
{
	struct tool *t = w->t;
	struct cached *all;
	struct result res;
	unsigned n;

	if (t->args.n < 2 || t->verb->run != cmd_unassign)
		return;
	all = remembered(t, t->args.v[0], &n);
	for (unsigned i = 0; i < n; i++) {
		if (!str_eq(all[i].netns, target_path(&t->tx->mem, t->args.v[1])) ||
		    cache_read_result(t->tx, all[i].result, &res) != NULL)
			continue;
		for (unsigned k = 0; k < res.n_ips; k++)
			offer(w, IP_S(res.ips[k].addr.ip), all[i].ifname);
	}
}

static void offer_types(struct word *w)
{
	for (unsigned i = 0; w->t->plugins[i]; i++)
		offer(w, w->t->plugins[i]->name, w->t->plugins[i]->about);
}

static void offer_actions(struct word *w)
{
	static const char *const actions[] = { "create", "resize", "fill",   "take",
					       "give",   "list",   "destroy" };

	for (unsigned i = 0; i < ARRAY_LEN(actions); i++)
		offer(w, actions[i], "");
}

static void offer_formats(struct word *w)
{
	static const char *const formats[] = { "text", "dot", "mermaid", "svg" };

	for (unsigned i = 0; i < ARRAY_LEN(formats); i++)
		offer(w, formats[i], "graph");
}

/* what: how the help names an operand or a value. */
static void offer_kind(struct word *w, const char *what)
{
	what += *what == '[';
	if (str_starts(what, "NETNS") || str_starts(what, "NET|"))
		offer_namespaces(w);
	if (str_starts(what, "NET") && !str_starts(what, "NETNS"))
		offer_networks(w);
	else if (str_starts(what, "TYPE"))
		offer_types(w);
	else if (str_starts(what, "HOSTIP") || str_starts(what, "MAPPING"))
		offer_ports(w);
	else if (str_starts(what, "ACTION"))
		offer_actions(w);
	else if (str_starts(what, "PORT"))
		offer_published(w);
	else if (str_starts(what, "ADDRESS"))
		offer_assigned(w);
	else if (str_starts(what, "FORMAT"))
		offer_formats(w);
	else if (str_starts(what, "FILE"))
		puts(":file");
	else if (str_starts(what, "DIR"))
		puts(":dir");
}

/* The operand after those that are there. */
static const char *next_operand(const struct tool *t)
{
	const char *s = t->verb->operands;

	for (unsigned n = t->args.n; n; n--) {
		const char *space = strchr(s, ' ');

		if (space)
			s = space + 1;
		else if (!strstr(s, "..."))
			return "";
	}
	return s;
}

void complete_verbs(const struct verb *verbs, unsigned n, const char *prefix)
{
	struct word w = { .head = "", .prefix = prefix };

	for (unsigned i = 0; i < n; i++)
		offer(&w, verbs[i].name, verbs[i].about);
}

void complete_word(struct tool *t, const char *before, const char *last)
{
	const char *equals = str_starts(last, "--") ? strchr(last, '=') : NULL;
	struct word w = { .t = t, .head = last, .prefix = last };

	if (t->command) {
		puts(*t->command ? ":file" : ":command");
	} else if (options_take_value(before)) {
		offer_kind(&w, options_value(before));
	} else if (equals) {
		w.head_len = (int)(equals + 1 - last);
		w.prefix = equals + 1;
		offer_kind(&w, options_value(last));
	} else if (*last == '-') {
		options_complete(t->verb->bit, last);
	} else {
		if (t->verb->takes_command && t->args.n)
			puts(":command");
		offer_kind(&w, next_operand(t));
	}
}
