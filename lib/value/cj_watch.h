/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cj_watch.h - what the readers of a configuration ask for, seen from outside
 */
#ifndef CPLUG_CJ_WATCH_H
#define CPLUG_CJ_WATCH_H

#include "base/util.h"

struct cj;

/* What a reader expects a value to be. */
enum cj_kind {
	CJ_ANY, /* asked for, of no type yet */
	CJ_OBJ,
	CJ_MEMBERS, /* an object of any keys */
	CJ_LIST,
	CJ_STR,
	CJ_TEXT, /* perhaps a string */
	CJ_WORD, /* one of words */
	CJ_IP,
	CJ_CIDR,
	CJ_MAC,
	CJ_BOOL,
	CJ_INT, /* from min to max */
	CJ_KINDS
};

struct cj_ask {
	enum cj_kind kind;
	bool has_def; /* the default is known: def (CJ_BOOL, CJ_INT), text (CJ_STR) */
	int64_t def, min, max;
	const char *text;
	const char *const *words; /* not kept: each is the reader's */
	unsigned n;
};

/*
 * Sees what the readers of a document do: each question, also for what is absent, and each
 * complaint.  Of a watched document cj_ok() finds no complaints, so that a reader goes on.
 */
struct cj_watch {
	void (*asked)(void *arg, const struct cj *c, const struct cj_ask *ask);
	void (*wrong)(void *arg, const char *path, const char *text);
	void *arg;
};

/* Both must outlive the document; w NULL ends it. */
void cj_watch(const struct cj *root, const struct cj_watch *w);

/* ---- for cj.c: of a document that is watched ---- */

void cj_tell(const struct cj *c, enum cj_kind kind);
void cj_tell_default(const struct cj *c, enum cj_kind kind, int64_t def, const char *text);
void cj_tell_int(const struct cj *c, int64_t def, int64_t min, int64_t max);
/* def < 0: there is no default. */
void cj_tell_words(const struct cj *c, const char *const *words, unsigned n, int def);

#endif
