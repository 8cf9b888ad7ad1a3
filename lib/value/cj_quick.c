// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_quick.c - reads plain documents into jansson's values
 *
 * jansson's own reader takes 330 instructions for each byte, a third of an ADD, because it gets the
 * text byte by byte through functions.  Runtimes write plain documents: strings of ASCII
 * without escapes, whole numbers, not many levels.  These are read here, and made the same values
 * that jansson makes of them.  Anything else, and each mistake, is left to jansson (NULL is
 * returned), so that it alone decides what is JSON, and words the errors.
 */
#include <jansson.h>

#include "value/cj_impl.h"

enum {
	LEVELS_MAX = 32,
	KEY_ROOM = 64,
	DIGITS_MAX = 18, /* they fit into 63 bits */
};

struct reader {
	const char *p, *end;
	unsigned level;
};

static json_t *read_value(struct reader *r);

/* The next byte that is not white space; it stays there.  '\0': the text ends. */
static char peek(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
	return r->p < r->end ? *r->p : '\0';
}

/* Takes the next byte that is not white space, if it is c. */
static bool take(struct reader *r, char c)
{
	if (peek(r) != c)
		return false;
	r->p++;
	return true;
}

/* The bytes between the quotation marks of a plain string. */
static bool read_text(struct reader *r, const char **ret, size_t *ret_size)
{
	const char *p;

	if (!take(r, '"'))
		return false;
	for (p = r->p; p < r->end && *p != '"'; p++)
		if (*p < ' ' || *p > '~' || *p == '\\')
			return false;
	if (p == r->end)
		return false;
	*ret = r->p;
	*ret_size = (size_t)(p - r->p);
	r->p = p + 1;
	return true;
}

static json_t *read_string(struct reader *r)
{
	const char *text;
	size_t size;

	if (!read_text(r, &text, &size))
		return NULL;
	return json_stringn_nocheck(text, size);
}

static bool is_digit(const struct reader *r)
{
	return r->p < r->end && *r->p >= '0' && *r->p <= '9';
}

static json_t *read_number(struct reader *r)
{
	bool minus = take(r, '-');
	const char *first = r->p;
	int64_t n = 0;

	for (; is_digit(r) && r->p - first < DIGITS_MAX; r->p++)
		n = n * 10 + (*r->p - '0');
	/* Not a number, "00", or one with a fraction, an exponent, or more digits. */
	if (r->p == first || (*first == '0' && r->p - first > 1) || is_digit(r))
		return NULL;
	if (r->p < r->end && (*r->p == '.' || *r->p == 'e' || *r->p == 'E'))
		return NULL;
	return json_integer(minus ? -n : n);
}

static json_t *read_word(struct reader *r)
{
	static const struct {
		const char *word;
		json_t *(*make)(void);
	} words[] = { { "true", json_true }, { "false", json_false }, { "null", json_null } };

	for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
		size_t size = strlen(words[i].word);

		if ((size_t)(r->end - r->p) < size || memcmp(r->p, words[i].word, size) != 0)
			continue;
		r->p += size;
		return words[i].make();
	}
	return NULL;
}

/* A member, after its key: false on failure. */
static bool read_member(struct reader *r, json_t *object)
{
	char key[KEY_ROOM];
	const char *text;
	json_t *value;
	size_t size;

	if (!read_text(r, &text, &size) || size >= sizeof(key) || !take(r, ':'))
		return false;
	memcpy(key, text, size);
	key[size] = '\0';
	value = read_value(r);
	return value && json_object_set_new_nocheck(object, key, value) == 0;
}

static bool read_element(struct reader *r, json_t *array)
{
	json_t *value = read_value(r);

	return value && json_array_append_new(array, value) == 0;
}

typedef bool read_one(struct reader *r, json_t *into);

/* Members or elements, up to the closing bracket. */
static bool read_list(struct reader *r, json_t *into, read_one *read, char closing)
{
	r->p++;
	if (!into || r->level > LEVELS_MAX)
		return false;
	if (take(r, closing))
		return true;
	do {
		if (!read(r, into))
			return false;
	} while (take(r, ','));
	return take(r, closing);
}

/* into: the new object or array. */
static json_t *read_nested(struct reader *r, json_t *into, read_one *read, char closing)
{
	bool good;

	r->level++;
	good = read_list(r, into, read, closing);
	r->level--;
	if (good)
		return into;
	json_decref(into);
	return NULL;
}

static json_t *read_value(struct reader *r)
{
	switch (peek(r)) {
	case '{':
		return read_nested(r, json_object(), read_member, '}');
	case '[':
		return read_nested(r, json_array(), read_element, ']');
	case '"':
		return read_string(r);
	case 't':
	case 'f':
	case 'n':
		return read_word(r);
	default:
		return read_number(r);
	}
}

json_t *cj_quick(const char *text, size_t size)
{
	struct reader r = { .p = text, .end = text + size };
	json_t *j;

	/* jansson takes no other value for a document. */
	if (peek(&r) != '{')
		return NULL;
	j = read_value(&r);
	if (!j || (!peek(&r) && r.p == r.end))
		return j;
	json_decref(j);
	return NULL;
}
