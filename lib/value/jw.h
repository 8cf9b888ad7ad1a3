/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * jw.h - the JSON writer: builds a document value by value
 *
 * No function fails (rule R5).
 *
 *	struct jw w;
 *
 *	jw_init(&w, mem, false);
 *	jw_open(&w, NULL, '{');
 *	jw_int(&w, "code", 7);
 *	jw_open(&w, "keys", '[');
 *	jw_str(&w, NULL, "bridge");
 *	jw_close(&w, ']');
 *	jw_close(&w, '}');
 *	text = jw_end(&w);
 *
 * The layout is that of Go's json.MarshalIndent with four spaces, or compact.  Keys keep the
 * order of the calls.  Bytes that are not UTF-8 become U+FFFD, because names from the kernel
 * or a user may contain any byte.  <, > and & are not escaped.
 */
#ifndef CPLUG_JW_H
#define CPLUG_JW_H

#include "base/mem.h"

struct jw {
	struct mem *mem;
	char *s;
	size_t len, size;
	unsigned depth;
	bool compact;
};

void jw_init(struct jw *w, struct mem *mem, bool compact);

/* bracket: '{' or '[' to open, '}' or ']' to close.  key: NULL in a list and at the root. */
void jw_open(struct jw *w, const char *key, char bracket);
void jw_close(struct jw *w, char bracket);

void jw_str(struct jw *w, const char *key, const char *s);
void jw_int(struct jw *w, const char *key, int64_t n);
void jw_bool(struct jw *w, const char *key, bool b);
/* Adds a value that is JSON text; it is not indented again. */
void jw_raw(struct jw *w, const char *key, const char *json);

/* Returns the text, in the arena, without a final newline. */
char *jw_end(struct jw *w);

#endif
