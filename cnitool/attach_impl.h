/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach_impl.h - what attach.c and attach_check.c share
 */
#ifndef CPLUG_CNITOOL_ATTACH_IMPL_H
#define CPLUG_CNITOOL_ATTACH_IMPL_H

#include "cnitool/attach.h"
#include "cnitool/errctx.h"
#include "sys/exec.h"

struct command {
	const char *name; /* CNI_COMMAND */
	const char *word; /* libcni's, for messages (a repair has the verb) */
	bool repairs;     /* CPLUG_REPAIR=1: cplug's plugins repair what their CHECK finds */
};

/* A call of the plugins of a list, one after the other. */
struct list_call {
	const struct command *command;
	const struct netconf *net;
	const struct attachment *a; /* NULL: its variables are empty */
	struct netconf_extra extra;
	const char *adopts; /* of a repair: call.h; NULL: any address */
};

/* How long a plugin may take now, in milliseconds; 0: no time is left (tool.until). */
int attach_time_left(const struct tool *t);

/* Runs plugin i of the list, within the time limit, and judges its answer (exec_judge()). */
int attach_exec_plugin(struct tool *t, const struct list_call *c, unsigned i,
		       struct exec_answer *ret) CHECKED;

/* Begins the failure of a plugin (r < 0) as libcni does.  Returns r. */
int attach_blame_plugin(struct tool *t, const struct list_call *c, unsigned i, struct errctx m,
			int r) CHECKED;

/* Keeps others from the attachment (cache_hold()) until cache_release(). */
int attach_hold(struct tool *t, const struct attachment *a) CHECKED;

/*
 * Completes the attachment with what is cached, removes a path at which another namespace is by
 * now, and converts the cached result to a prevResult
 * (*ret_prev; NULL if there is none, or if the list's version has none in DEL and CHECK).
 * c: what is cached; NULL = read it.  Returns 1, 0 if nothing is cached, or a recorded failure.
 */
int attach_use_cached(struct tool *t, struct attachment *a, const struct cached *c,
		      const char **ret_prev) CHECKED;

#endif
