/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - one attachment: a container's interface on a network
 *
 * Runs the plugins of a list as a runtime must (CNI spec, section 3 "Execution of
 * Network Configurations"): ADD and CHECK forwards, DEL backwards.
 */
#ifndef CPLUG_CNITOOL_ATTACH_H
#define CPLUG_CNITOOL_ATTACH_H

#include "cnitool/cache.h"
#include "cnitool/netconf.h"

struct tool;

struct attachment {
	const struct netconf *net;
	const char *id, *ifname;
	const char *netns;           /* path; "" if there is none any more */
	const char *args;            /* CNI_ARGS; NULL or "" = none */
	const char *capability_args; /* JSON object; NULL = none */
};

/*
 * ADD, and the result into the cache.  If it fails, DEL undoes what was done -
 * unless an interface of that name was there before: it is not ours to remove.  An
 * attachment of the same name that was never removed, though its interface is
 * gone, is removed first.  *ret_result is compact JSON.
 */
int attach_add(struct tool *t, const struct attachment *a, const char **ret_result) CHECKED;

/*
 * DEL of every plugin, whatever fails; forgotten only if nothing failed.
 * Arguments that are NULL are taken from the cache.
 */
int attach_del(struct tool *t, const struct attachment *given) CHECKED;

/* The same, after something else went wrong or a signal came: it is not interrupted. */
int attach_undo(struct tool *t, const struct attachment *a) CHECKED;

/* CHECK; success if the list has it disabled. */
int attach_check(struct tool *t, const struct attachment *given) CHECKED;

/* What was put right of an attachment; or, with dry, what differs. */
struct repaired {
	const char *plugin; /* its type */
	const char *object, *want, *have;
};

struct repairs {
	struct repaired *v;
	unsigned n;
	unsigned ours; /* plugins of the list that can repair: this program's own */
};

/*
 * CHECK of every plugin of ours, and (unless dry) what differs is put right; goes on after
 * failures.  Plugins that are not ours are passed over.  c: what is remembered of it; NULL =
 * look into the cache.
 */
int attach_repair(struct tool *t, const struct attachment *given, const struct cached *c, bool dry,
		  struct repairs *ret) CHECKED;

/* Verbs of a whole list: no attachment.  valid as in struct netconf_extra. */
int attach_list_gc(struct tool *t, const struct netconf *n, const char *valid) CHECKED;
int attach_list_status(struct tool *t, const struct netconf *n) CHECKED;

/* Are all plugins of the list on CNI_PATH? */
int attach_plugins_exist(struct tool *t, const struct netconf *n) CHECKED;

#endif
