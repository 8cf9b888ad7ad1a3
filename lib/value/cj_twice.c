// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_twice.c - keys that an object has twice in the text of a document
 *
 * A parsed object has one value for each key, so the text is scanned.  jansson has accepted it
 * already: only its structure is followed.  Keys are compared as they are decoded, because "\u0061"
 * is "a".
 */
#include <jansson.h>
#include <stdlib.h>

#include "value/cj.h"
#include "value/cj_doc.h"

struct key {
	const char *s; /* without a NUL at its end */
	size_t len;
};

/* The keys of the objects that are open; levels: where those of an object or array begin. */
struct scan {
	struct mem *mem;
	struct key *keys;
	size_t *levels;
	size_t n_keys, room_keys, n_levels, room_levels;
	const struct key *wanted; /* sorted; NULL: any */
	size_t n_wanted;
};

static int by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp(x->s, y->s, n);

	if (order)
		return order;
	return (x->len > y->len) - (x->len < y->len);
}

/* Not mem_grow(): these lists also get shorter. */
static void *make_room(struct mem *mem, void *list, size_t n, size_t *room, size_t size)
{
	void *bigger;

	if (n < *room)
		return list;
	*room = n ? n * 2 : 16;
	bigger = mem_alloc(mem, *room * size);
	if (n)
		memcpy(bigger, list, n * size);
	return bigger;
}

/* text: a string with its quotation marks. */
static struct key decode(struct mem *mem, const char *text, size_t size)
{
	struct key k = { text + 1, size - 2 };
	json_t *j;

	if (!memchr(text, '\\', size))
		return k;
	j = json_loadb(text, size, JSON_DECODE_ANY, NULL);
	if (!j)
		doc_no_memory(mem);
	k.len = json_string_length(j);
	k.s = mem_dup(mem, json_string_value(j), k.len + 1);
	json_decref(j);
	return k;
}

/* The end of the string that begins at s: after its last quotation mark. */
static const char *string_end(const char *s, const char *end)
{
	for (s++; s < end && *s != '"'; s++)
		s += *s == '\\';
	return s + 1;
}

static bool is_key(const char *after, const char *end)
{
	while (after < end && strchr(" \t\r\n", *after))
		after++;
	return after < end && *after == ':';
}

/* The end of an object or array: one of the wanted keys that it has twice, or NULL. */
static const struct key *close_level(struct scan *s)
{
	struct key *first = s->keys + s->levels[--s->n_levels];
	size_t n = s->n_keys - s->levels[s->n_levels];
	const struct key *found = NULL;

	s->n_keys -= n;
	if (n > 1)
		qsort(first, n, sizeof(*first), by_text);
	for (size_t i = 1; i < n && !found; i++) {
		if (by_text(&first[i - 1], &first[i]) != 0)
			continue;
		if (!s->wanted)
			found = &first[i];
		else
			found = bsearch(&first[i], s->wanted, s->n_wanted, sizeof(*s->wanted),
					by_text);
	}
	return found;
}

static const struct key *scan_text(struct scan *s, const char *text, size_t size)
{
	const char *end = text + size, *next;
	const struct key *found = NULL;

	for (const char *p = text; p < end && !found; p = next) {
		next = p + 1;
		if (*p == '"') {
			next = string_end(p, end);
			if (!is_key(next, end))
				continue;
			s->keys = make_room(s->mem, s->keys, s->n_keys, &s->room_keys,
					    sizeof(*s->keys));
			s->keys[s->n_keys++] = decode(s->mem, p, (size_t)(next - p));
		} else if (*p == '{' || *p == '[') {
			s->levels = make_room(s->mem, s->levels, s->n_levels, &s->room_levels,
					      sizeof(*s->levels));
			s->levels[s->n_levels++] = s->n_keys;
		} else if ((*p == '}' || *p == ']') && s->n_levels) {
			found = close_level(s);
		}
	}
	return found;
}

const char *cj_find_twice(struct mem *mem, const char *text, size_t size, const char *const *keys,
			  unsigned n)
{
	struct key *wanted = keys ? mem_alloc(mem, (n + 1) * sizeof(*wanted)) : NULL;
	struct scan s = { .mem = mem, .wanted = wanted, .n_wanted = n };
	const struct key *found;

	for (unsigned i = 0; keys && i < n; i++)
		wanted[i] = (struct key){ keys[i], strlen(keys[i]) };
	if (wanted)
		qsort(wanted, n, sizeof(*wanted), by_text);
	found = scan_text(&s, text, size);
	if (!found)
		return NULL;
	return mem_printf(mem, "%.*s", (int)found->len, found->s);
}
