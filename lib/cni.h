/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cni.h - the contract: what a plugin is, and the dispatcher that runs it
 *
 * A plugin is one struct plugin in one table (plugins/main.c).  The dispatcher
 * reads the request, opens the namespaces, begins the transaction, calls the
 * verb, prints the one JSON document, and then commits, or rolls back.
 *
 * Verbs return 0 or a failure recorded in tx.  An empty verb is success; an
 * empty gc or status is forwarded to the IPAM delegate.
 */
#ifndef CPLUG_CNI_H
#define CPLUG_CNI_H

#include "call.h"
#include "result.h"
#include "tx.h"

enum {
	CNI_USES_HOST = 1,    /* c->host is opened */
	CNI_USES_CONT = 2,    /* c->cont and c->cont_ns are opened; ADD and CHECK need them */
	CNI_IS_IPAM = 4,      /* an IPAM plugin: reads "ipam", called as a delegate */
	CNI_NEEDS_PREV = 8,   /* chained: ADD and CHECK need prevResult */
	CNI_PASSES_PREV = 16, /* ADD starts with ret = prevResult */
};

struct plugin {
	const char *name;
	unsigned flags;
	const char *about;  /* one line for cplug's own help */
	const char *oldest; /* oldest protocol version spoken; NULL = 0.1.0 */
	int (*add)(struct tx *tx, struct call *c, struct result *ret);
	int (*del)(struct tx *tx, struct call *c);
	int (*check)(struct tx *tx, struct call *c);
	int (*gc)(struct tx *tx, struct call *c);
	int (*status)(struct tx *tx, struct call *c);
};

/* The table: NULL if there is no plugin of that name (plugins/main.c). */
const struct plugin *plugin_find(const char *name);
extern const struct plugin *const plugins[]; /* NULL-terminated */

/* Runs a plugin as the CNI contract says; returns the exit status. */
int cni_main(const struct plugin *p);

#define CPLUG_VERSION "0.1.0"

#endif
