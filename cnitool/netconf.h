/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netconf.h - network configuration lists: found, read, turned into requests
 *
 * (CNI spec, section 1 "Network configuration format"; libcni's conf.go.)  A
 * directory holds lists (*.conflist) and single plugins (*.conf, *.json), which are
 * taken for lists of one.  A list may get more plugins from the folder of its
 * name (NAME/ *.conf), unless it says loadOnlyInlinedPlugins.
 */
#ifndef CPLUG_CNITOOL_NETCONF_H
#define CPLUG_CNITOOL_NETCONF_H

#include "value/cj.h"
#include "base/tx.h"

struct netconf_plugin {
	const char *type;
	struct cj conf; /* its object */
};

struct netconf {
	const char *name;
	const char *version; /* the one to be spoken; "" if none is given */
	const char *file;
	const char *text; /* as libcni's cache keeps it */
	size_t size;
	bool disable_check, disable_gc;
	struct netconf_plugin *plugins;
	unsigned n_plugins;
	struct cj **roots; /* the documents it stands in */
	unsigned n_roots;
};

/*
 * Finds a network by name.  A file that cannot be read is no obstacle to another,
 * but is told: in a warning, and in the error if the network is not found.
 * Returns 0, or a recorded failure: -ENOENT if there is none of that name.
 */
int netconf_find(struct tx *tx, const char *dir, const char *name, struct netconf *ret) CHECKED;

/* Every network of a directory, by file name; broken files are warned about. */
int netconf_all(struct tx *tx, const char *dir, struct netconf **ret, unsigned *ret_n) CHECKED;

/*
 * Reads a list from text.  file is where it is said to come from; dir is where
 * its folder is looked for (NULL: nowhere).
 */
int netconf_read(struct tx *tx, const char *dir, const char *file, const char *text, size_t size,
		 struct netconf *ret) CHECKED;

/* The same from what a cache kept, which may be a single plugin's. */
int netconf_read_kept(struct tx *tx, const char *dir, const char *text, size_t size,
		      struct netconf *ret) CHECKED;

/* Frees the JSON trees; for who reads many lists (a program's end does it as well). */
void netconf_free(struct netconf *n);

/* Is the list's version at least this one?  ("" is 0.1.0) */
bool netconf_speaks(const struct netconf *n, const char *version);

/* Does a plugin of the list declare a capability? */
bool netconf_declares(const struct netconf *n, const char *capability);

/* What is added to a plugin's object; each NULL or JSON text. */
struct netconf_extra {
	const char *prev_result;
	const char *capability_args; /* an object: what the plugin declares is picked */
	const char *valid;           /* GC: the list of valid attachments */
	const char *data_dir; /* not JSON: where a host-local keeps leases that names no place */
};

/* A plugin's request: its object with name, cniVersion and the extras, in the arena. */
const char *netconf_request(struct mem *m, const struct netconf *n, unsigned plugin,
			    const struct netconf_extra *extra);

/* JSON text as it is shown to people: 4 spaces of indentation, order kept. */
const char *netconf_pretty(struct mem *m, const char *text);

#endif
