/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * attach.h - one attachment: a container's interface on a network
 *
 * Runs the plugins of a list as a runtime must (CNI spec, section 3 "Execution of Network
 * Configurations"): forwards for ADD and CHECK, backwards for DEL.
 */
#ifndef CPLUG_CNITOOL_ATTACH_H
#define CPLUG_CNITOOL_ATTACH_H

#include "cnitool/cache.h"
#include "cnitool/netconf.h"

struct tool;

struct attachment {
	const struct netconf *net;
	const char *id, *ifname;
	const char *netns;           /* path; NULL or "" = gone, or another namespace is there */
	const char *args;            /* CNI_ARGS; NULL or "" = none */
	const char *capability_args; /* JSON object; NULL = none */
};

struct cache_key attachment_key(const struct attachment *a);

/*
 * ADD; caches the result.  *ret_result is compact JSON.  A failed ADD is undone by a DEL, unless
 * the container had an interface of that name before, because a DEL would remove that one.  A
 * cached attachment of the same name whose interface is gone is deleted first.
 */
int attach_add(struct tool *t, const struct attachment *a, const char **ret_result) CHECKED;

/*
 * DEL of all plugins, without the namespace if another one is at its path.  Continues after
 * failures and returns the first; removes the cached result if there is none.  Arguments that are
 * NULL are taken from the cache.
 */
int attach_del(struct tool *t, const struct attachment *given) CHECKED;

/* The same after another failure, or after a signal: it is not interrupted. */
int attach_undo(struct tool *t, const struct attachment *a) CHECKED;

/* A difference that was found, or repaired. */
struct repaired {
	const char *plugin; /* its type */
	const char *object, *want, *have;
};

struct repairs {
	struct repaired *v;
	unsigned n;
	unsigned ours; /* plugins of the list that are cplug's, so that they can repair */
	const char
		*result; /* the attachment's, if an address is another one now; NULL = as it was */
	bool differs;    /* the last plugin found what it did not repair */
	bool held;       /* a DHCP server gave an address that another attachment has */
};

/*
 * CHECK of all plugins; nothing to do if the list has disableCheck.  Continues after differences,
 * which *ret lists; they are no failure.  Fails with CNI_E_VERSION for a list older than 0.4.0,
 * with CNI_E_CONTAINER if no result is cached, and with CNI_E_NETNS if another namespace is at the
 * attachment's path.
 */
int attach_check(struct tool *t, const struct attachment *given, struct repairs *ret) CHECKED;

/*
 * CHECK of cplug's plugins in the list, which repair what differs unless dry is set.  Continues
 * after failures and returns the first.  c: what is cached of the attachment; NULL = read it.
 * Fails like attach_check().
 */
int attach_repair(struct tool *t, const struct attachment *given, const struct cached *c, bool dry,
		  struct repairs *ret) CHECKED;

/* The same of plugin i alone, which must be cplug's; with given->capability_args if not NULL. */
int attach_repair_plugin(struct tool *t, const struct attachment *given, unsigned i,
			 struct repairs *ret) CHECKED;

/*
 * GC and STATUS of a list.  Before 1.1.0 there is nothing to do, which is noted (tool_note()).
 * valid: as in struct netconf_extra.  GC continues after failures and returns the first.
 */
int attach_list_gc(struct tool *t, const struct netconf *n, const char *valid) CHECKED;
int attach_list_status(struct tool *t, const struct netconf *n) CHECKED;

/* Fails if a plugin of the list is not on CNI_PATH (CPLUG_E_DELEGATE). */
int attach_plugins_exist(struct tool *t, const struct netconf *n) CHECKED;

/* An ordinary user's leases are kept beside the results: that path.  NULL: host-local's default. */
const char *attach_data_dir(const struct tool *t);

/* Is plugin i of the list this very executable? */
bool attach_plugin_is_ours(struct tool *t, const struct netconf *n, unsigned i);

#endif
