/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cj_doc.h - what the cursors of one document share (for cj.c alone)
 *
 * The complaints collected so far, and a record of the members that somebody
 * asked for.  Everything lives in the transaction's arena, except the JSON.
 */
#ifndef CPLUG_CJ_DOC_H
#define CPLUG_CJ_DOC_H

#include "base/tx.h"

struct json_t;

struct cj_doc {
	struct mem *mem;
	struct json_t *root; /* owned */
	const char *what;    /* its name in messages */
	const char **complaints;
	unsigned n_complaints, n_unsaid;
	bool watched;      /* keep the record of members asked for? */
	const char **seen; /* that record: a hash set of keys, open addressing */
	size_t n_seen, n_slots;
};

struct cj_doc *doc_new(struct mem *mem, struct json_t *root, const char *what);

/* Leaves as mem.c does when jansson could not allocate. */
void doc_no_memory(struct mem *mem) __attribute__((noreturn));

/* key is jansson's own copy: its address names the member. */
void doc_see(struct cj_doc *d, const char *key);
bool doc_was_seen(const struct cj_doc *d, const char *key);

/* Is there room for another complaint?  Counts it if not. */
bool doc_listens(struct cj_doc *d);

/* Adds "path: text" unless it has been said. */
void doc_complain(struct cj_doc *d, const char *path, const char *fmt, va_list ap) PRINTF(3, 0);

/* Fails with all complaints and forgets them; 0 if there are none. */
int doc_fail(struct tx *tx, struct cj_doc *d, enum cni_code code) CHECKED;

/* The beginning of a value's compact JSON. */
enum { QUOTE_MAX = 60 };
struct quote {
	char s[QUOTE_MAX + sizeof("…")];
	size_t n;
	bool cut;
};
struct quote doc_quote(const struct json_t *json);

#endif
