/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cj_doc.h - the document behind the cursors (private to cj.c, cj_doc.c and cj_twice.c)
 *
 * Holds the complaints so far and the set of members that a reader asked for.  Everything but
 * the JSON tree is in the arena.
 */
#ifndef CPLUG_CJ_DOC_H
#define CPLUG_CJ_DOC_H

#include "base/tx.h"

struct cj_watch;
struct json_t;

struct cj_doc {
	struct mem *mem;
	struct json_t *root; /* owned */
	const char *what;    /* its name in messages */
	const char **complaints;
	unsigned n_complaints, n_dropped;
	const struct cj_watch *watch; /* NULL: none */
	bool watched;                 /* is the set of members kept? */
	const char **seen;            /* the set: keys, open addressing */
	size_t n_seen, n_slots;
};

struct cj_doc *doc_new(struct mem *mem, struct json_t *root, const char *what);

/* jansson could not allocate: does what mem_alloc() does then. */
void doc_no_memory(struct mem *mem) __attribute__((noreturn));

/* A reader asked for a member.  key is jansson's copy: its address identifies the member. */
void doc_see(struct cj_doc *d, const char *key);
bool doc_was_seen(const struct cj_doc *d, const char *key);

/* Is there room for another complaint?  If not, counts it as dropped. */
bool doc_has_room(struct cj_doc *d);

/* Adds the complaint "path: text", unless it is already there; or tells it to the watch. */
void doc_complain(struct cj_doc *d, const char *path, const char *fmt, va_list ap) PRINTF(3, 0);

/* Returns 0 if there are no complaints; else removes them and fails with all of them. */
int doc_fail(struct tx *tx, struct cj_doc *d, enum cni_code code) CHECKED;

/* The compact JSON of a value, cut to QUOTE_MAX bytes. */
enum { QUOTE_MAX = 60 };
struct quote {
	char s[QUOTE_MAX + sizeof("…")];
	size_t n;
	bool cut;
};
struct quote doc_quote(const struct json_t *json);

#endif
