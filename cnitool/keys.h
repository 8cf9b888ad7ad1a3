/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - the keys of a configuration, as the plugins' readers ask for them
 *
 * There is no second list of keys that could become stale: a reader is run over documents made for
 * that purpose, and its questions are recorded (cj_watch()).  The first document is empty.  The
 * next ones have one of the keys that were asked for, in each type that was expected, or all of
 * them, until the reader asks nothing new.  So keys behind a condition are found as well.
 */
#ifndef CPLUG_CNITOOL_KEYS_H
#define CPLUG_CNITOOL_KEYS_H

#include "cni/call.h"
#include "cni/plugin.h"

struct key {
	struct key *parent;
	const char *name; /* NULL: the root, or any element or member of parent */
	unsigned kinds;   /* 1 << enum cj_kind */
	int64_t min, max; /* CJ_INT */
	const char **words;
	unsigned n_words;
	bool has_def, many_defs; /* the default is known; there are several, by other keys */
	int64_t def;
	const char *def_text;
	struct key *children, *next; /* in the order of the questions */
	struct key *element;         /* of a list, or of an object with any keys */
};

/* The child of that name, in upper or lower case; element if any name is allowed; NULL: none. */
const struct key *key_find(const struct key *object, const char *name);

/*
 * Adds the keys that read() asks for; *root begins as { 0 }.  Changes nothing on the machine.  The
 * failures of read() are forgotten.
 */
typedef int key_reader(struct tx *tx, struct call *c);
void keys_record(struct tx *tx, struct call *c, key_reader *read, struct key *root);

/* A call for reading a configuration alone, like that of STATUS; c->conf is not set. */
struct call keys_call(const struct plugin *const *plugins, const struct plugin *p);

/*
 * The keys of a plugin: those of all plugins, and of its own reader; with ipam also those of an
 * IPAM plugin (below "ipam", and in "runtimeConfig" and "args").
 */
const struct key *keys_of(struct tx *tx, const struct plugin *const *plugins,
			  const struct plugin *p, const struct plugin *ipam);

#endif
