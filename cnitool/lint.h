/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lint.h - all mistakes of network configurations
 *
 * lint_file() looks at one file, lint_networks() at what several networks have in common.  Nothing
 * is executed, and nothing is changed.  The mistakes in values are the complaints of the plugins'
 * own readers; keys that no reader asks for (keys.h) are unknown.
 */
#ifndef CPLUG_CNITOOL_LINT_H
#define CPLUG_CNITOOL_LINT_H

#include "cni/plugin.h"
#include "cnitool/netconf.h"

enum { LINT_MAX = 1000 };

struct finding {
	const char *file, *path; /* path "": the whole file */
	const char *text;
	bool warning; /* no mistake, but it may surprise */
};

struct lint_network {
	const char *file;
	bool single; /* a plugin without a list around it */
	struct netconf conf;
};

struct lint {
	struct tx *tx;
	const struct plugin *const *plugins; /* the suite's, NULL-terminated */
	bool refusals;                       /* note only what a reader refuses */
	struct finding *found;
	unsigned n, dropped; /* beyond LINT_MAX they are only counted */
	struct lint_network *nets;
	unsigned n_nets;
	/* Keys that were recorded already, each for a pair of plugins. */
	struct lint_keys {
		const struct plugin *p, *ipam;
		const struct key *keys;
	} * recorded;
	unsigned n_recorded;
	const struct key *list_keys;
	/* The file, and the plugin of its list, that are looked at now. */
	const char *file, *prefix;
	const struct cj *conf;
	struct cj_watch watch, silent;
};

void lint_init(struct lint *l, struct tx *tx, const struct plugin *const *plugins);

/* A list, or a single plugin: it has no key "plugins". */
void lint_file(struct lint *l, const char *file, const char *text, size_t size);

/* The keys of a list, of which the runtime is the reader. */
const struct key *lint_list_keys(struct tx *tx);

/* Once, after all files. */
void lint_networks(struct lint *l);

/* Notes a mistake, or a warning, of a key of the plugin or list that is looked at. */
void lint_wrong(struct lint *l, const char *path, const char *fmt, ...) PRINTF(3, 4);
void lint_warn(struct lint *l, const char *path, const char *fmt, ...) PRINTF(3, 4);

/* "plugins[2]."; "" for a single plugin. */
const char *lint_prefix(struct lint *l, const struct lint_network *n, unsigned plugin);

/* Notes mistakes in the order of a network's plugins. */
void lint_chain(struct lint *l, const struct lint_network *n);

#endif
