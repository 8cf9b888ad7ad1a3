/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugin.h - what a plugin is
 *
 * A plugin is one struct plugin in one table (main.c makes it of plugins/list.h).  Verbs return 0
 * or a failure recorded in tx.  An empty verb is success; an empty gc or status is forwarded to the
 * IPAM delegate.
 */
#ifndef CPLUG_PLUGIN_H
#define CPLUG_PLUGIN_H

#include "base/util.h"

enum {
	CNI_USES_HOST = 1,    /* c->host is opened */
	CNI_USES_CONT = 2,    /* c->cont and c->cont_ns are opened; ADD and CHECK need them */
	CNI_IS_IPAM = 4,      /* an IPAM plugin: reads "ipam", called as a delegate */
	CNI_NEEDS_PREV = 8,   /* chained: ADD and CHECK need prevResult */
	CNI_PASSES_PREV = 16, /* ADD starts with ret = prevResult */
	/* DEL puts back in the container what was there before: a namespace that is there, and only
	   cannot be opened this time, makes it fail. */
	CNI_RESTORES_CONT = 32,
	CNI_CONT_LATER = 64, /* with CNI_USES_CONT: c->cont is opened by call_cont() */
};

struct call;
struct leg;
struct result;
struct tx;

struct plugin {
	const char *name;
	unsigned flags;
	const char *about;       /* one line for cplug's own help */
	const char *oldest;      /* oldest protocol version spoken; NULL = 0.1.0 */
	const char *const *args; /* keys of CNI_ARGS that it reads, NULL-terminated; NULL = none */
	uint64_t capabilities;   /* needed in addition to those in priv.h: 1 << CAP_… */
	/* Called instead of the contract if there are arguments: another program of this name. */
	int (*program)(int argc, char **argv);
	/*
	 * Reads all keys of the configuration, reports all mistakes, and changes nothing.  ADD
	 * of a main plugin calls that of its IPAM plugin; cnitool those of all plugins (validate,
	 * schema).  NULL: the plugin has no keys of its own.
	 */
	int (*validate)(struct tx *tx, struct call *c);
	int (*add)(struct tx *tx, struct call *c, struct result *ret);
	int (*del)(struct tx *tx, struct call *c);
	int (*check)(struct tx *tx, struct call *c);
	/*
	 * After a CHECK that found differences: ensures what ADD made, without breaking
	 * connections.
	 */
	int (*repair)(struct tx *tx, struct call *c);
	int (*gc)(struct tx *tx, struct call *c);
	int (*status)(struct tx *tx, struct call *c);
	/* IPAM plugins: the addresses that are allocated to the attachment now, in ret->ips. */
	int (*list)(struct tx *tx, struct call *c, struct result *ret);
	/* Describes the one interface that the plugin makes: for LEG_VERBS (leg.h). */
	int (*leg)(struct tx *tx, struct call *c, struct leg *ret);
};

/* Looks a plugin up in a NULL-terminated table; NULL if it has none of that name. */
static inline const struct plugin *plugin_find(const struct plugin *const *table, const char *name)
{
	for (; *table; table++)
		if (str_eq((*table)->name, name))
			return *table;
	return NULL;
}

#endif
