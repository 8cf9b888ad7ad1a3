// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * jw.c - the JSON writer
 *
 * The text grows in the arena by doubling.  The last character written decides whether a comma
 * precedes the next value, because no value ends in an opening bracket.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "value/jw.h"

void jw_init(struct jw *w, struct mem *mem, bool compact)
{
	*w = (struct jw){ .mem = mem, .compact = compact };
}

static void put_bytes(struct jw *w, const char *s, size_t n)
{
	if (w->size - w->len < n + 1) {
		char *bigger;

		while (w->size - w->len < n + 1)
			w->size = w->size ? w->size * 2 : 1024;
		bigger = mem_alloc(w->mem, w->size);
		if (w->len)
			memcpy(bigger, w->s, w->len);
		w->s = bigger;
	}
	memcpy(w->s + w->len, s, n);
	w->len += n;
	w->s[w->len] = '\0';
}

static void put_str(struct jw *w, const char *s)
{
	put_bytes(w, s, strlen(s));
}

static bool at_start(const struct jw *w)
{
	return !w->len || w->s[w->len - 1] == '{' || w->s[w->len - 1] == '[';
}

static void new_line(struct jw *w)
{
	if (w->compact)
		return;
	put_bytes(w, "\n", 1);
	for (unsigned i = 0; i < w->depth; i++)
		put_bytes(w, "    ", 4);
}

/* How many characters at s are ASCII that needs no escape. */
static size_t plain_len(const char *s)
{
	const char *p = s;

	while (*p >= ' ' && *p != '"' && *p != '\\' && (unsigned char)*p < 0x7f)
		p++;
	return (size_t)(p - s);
}

/* The control character at s, also DEL and U+0080 to U+009F, which terminals obey; else -1. */
static int control_code(const char *s)
{
	unsigned char c = (unsigned char)s[0], next = c ? (unsigned char)s[1] : 0;

	if (c < ' ' || c == 0x7f)
		return c;
	return c == 0xc2 && next >= 0x80 && next < 0xa0 ? next : -1;
}

static void put_quoted(struct jw *w, const char *s)
{
	static const char special[] = "\"\\\n\r\t", letter[] = "\"\\nrt";

	put_bytes(w, "\"", 1);
	while (*s) {
		size_t plain = plain_len(s);
		const char *found = strchr(special, s[plain]);
		unsigned n = text_utf8_len(s + plain);
		char escape[8];

		put_bytes(w, s, plain);
		s += plain;
		if (!*s)
			break;
		if (found) {
			snprintf(escape, sizeof(escape), "\\%c", letter[found - special]);
			put_str(w, escape);
		} else if (control_code(s) >= 0) {
			snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)control_code(s));
			put_str(w, escape);
		} else if (n) {
			put_bytes(w, s, n);
		} else {
			put_str(w, "\xef\xbf\xbd");
		}
		s += n ? n : 1;
	}
	put_bytes(w, "\"", 1);
}

/* Writes the comma, the line break and the key before a value. */
static void begin_value(struct jw *w, const char *key)
{
	if (!at_start(w))
		put_bytes(w, ",", 1);
	if (w->depth)
		new_line(w);
	if (key) {
		put_quoted(w, key);
		put_str(w, w->compact ? ":" : ": ");
	}
}

void jw_open(struct jw *w, const char *key, char bracket)
{
	begin_value(w, key);
	put_bytes(w, &bracket, 1);
	w->depth++;
}

void jw_close(struct jw *w, char bracket)
{
	w->depth--;
	if (!at_start(w))
		new_line(w);
	put_bytes(w, &bracket, 1);
}

void jw_str(struct jw *w, const char *key, const char *s)
{
	begin_value(w, key);
	put_quoted(w, s ? s : "");
}

void jw_raw(struct jw *w, const char *key, const char *json)
{
	begin_value(w, key);
	put_str(w, json);
}

void jw_int(struct jw *w, const char *key, int64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, n);
	jw_raw(w, key, text);
}

void jw_bool(struct jw *w, const char *key, bool b)
{
	jw_raw(w, key, b ? "true" : "false");
}

char *jw_end(struct jw *w)
{
	if (!w->len)
		put_bytes(w, "", 0);
	return w->s;
}
