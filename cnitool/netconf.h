/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netconf.h - read network configuration lists, and derive the plugins' requests
 *
 * (CNI spec, section 1 "Network configuration format"; libcni/conf.go.)  A directory holds lists
 * (*.conflist) and single plugins (*.conf, *.json); a single plugin becomes a list of one.  A
 * list gets further plugins from the folder of its name (NAME/ *.conf), unless it sets
 * loadOnlyInlinedPlugins.
 *
 * Failures are CNI_E_CONFIG or CNI_E_DECODE for a document, CPLUG_E_FILE for a file or directory
 * that cannot be read.
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
	const char *version; /* protocol version to be used; "" if none is given */
	const char *file;
	const char *text; /* as libcni caches it */
	size_t size;      /* bytes */
	bool disable_check, disable_gc;
	bool inlined; /* loadOnlyInlinedPlugins */
	struct netconf_plugin *plugins;
	unsigned n_plugins;
	struct cj **roots; /* the documents that it was read from */
	unsigned n_roots;
};

/*
 * Finds a network by name.  A file that cannot be read does not hide others: it is named in a
 * warning, and in the failure if the network is not found.  Returns 0 or a recorded failure:
 * -ENOENT if there is no network of that name.
 */
int netconf_find(struct tx *tx, const char *dir, const char *name, struct netconf *ret) CHECKED;

/* All networks of a directory, by file name; warns about files that cannot be read. */
int netconf_all(struct tx *tx, const char *dir, struct netconf **ret, unsigned *ret_n) CHECKED;

struct netconf_source {
	const char *dir;  /* where the list's folder is; NULL = it has none */
	const char *file; /* for messages, and netconf.file */
	const char *text;
	size_t size; /* bytes */
};

/* Reads a list. */
int netconf_read(struct tx *tx, const struct netconf_source *source, struct netconf *ret) CHECKED;

/*
 * Reads the keys of a list into *n, without the plugins of its folder; mistakes become complaints
 * of the document.  c must outlive *n.
 */
void netconf_scan(struct tx *tx, const struct cj *c, struct netconf *n);

/* Reads a cached configuration, which may be a list or a single plugin. */
int netconf_read_cached(struct tx *tx, const char *dir, const char *text, size_t size,
			struct netconf *ret) CHECKED;

/* Frees the JSON trees.  Only needed by a caller that reads many lists. */
void netconf_free(struct netconf *n);

/* Is the list's protocol version at least this one?  (None is 0.1.0.) */
bool netconf_speaks(const struct netconf *n, const char *version);

/* Does a plugin of the list declare the capability? */
bool netconf_declares(const struct netconf *n, const char *capability);

/*
 * The capability argument that "cnitool set" keeps in the cache: an object with the four keys
 * of the bandwidth plugin, which replace those of its configuration.
 */
#define NETCONF_LIMITS "cplug.bandwidth"

/* What is added to a plugin's configuration; NULL = nothing. */
struct netconf_extra {
	const char *prev_result;     /* JSON */
	const char *capability_args; /* JSON object: the plugin gets what it declares */
	const char *valid;           /* JSON list: the valid attachments, for GC */
	const char *data_dir;        /* path: where host-local keeps leases by default */
};

/* The request for a plugin: its configuration with name, cniVersion and the extras. */
const char *netconf_request(struct mem *m, const struct netconf *n, unsigned plugin,
			    const struct netconf_extra *extra);

/* JSON text, indented by 4 spaces, with the order of its keys. */
const char *netconf_pretty(struct mem *m, const char *text);

#endif
