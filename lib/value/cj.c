// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj.c - the configuration cursor, over jansson
 *
 * A cursor is a JSON value and a pointer to the parent's cursor.  Paths are built only for
 * complaints, so reading a key costs one hash look-up, and a scan of the object's members if
 * the key is absent or spelled in another case.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/cj.h"
#include "value/cj_doc.h"
#include "value/cj_impl.h"
#include "base/log.h"

/* ---- watching (cj_tell.c) ---- */

static bool is_watched(const struct cj *c)
{
	return __builtin_expect(c->doc && c->doc->watch, false);
}

static inline void ask(const struct cj *c, enum cj_kind kind)
{
	if (is_watched(c))
		cj_tell(c, kind);
}

/* ---- the document ---- */

/* What editors leave, and what jansson's sentence does not name; position: after the token. */
static const char *remedy(const char *text, size_t size, const json_error_t *e)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t at = e->position > 0 && (size_t)e->position <= size ? (size_t)e->position : 0;

	if (size >= strlen(mark) && memcmp(text, mark, strlen(mark)) == 0)
		return " (save it as UTF-8 without byte order mark)";
	switch (at ? text[at - 1] : '\0') {
	case '/':
	case '#':
		return " (JSON has no comments; write them as \"_comment\": \"…\")";
	case '\'':
		return " (write strings in double quotes)";
	case '}':
	case ']':
		break;
	default:
		return "";
	}
	do
		at--;
	while (at && strchr(" \t\r\n", text[at - 1]));
	return at && text[at - 1] == ',' ? " (remove the comma before it)" : "";
}

COLD int cj_parse(struct tx *tx, const char *text, size_t size, const char *what, struct cj *ret)
{
	json_error_t e = { .line = 0 };
	json_t *root;

	if (!size)
		return tx_fail_as(tx, CNI_E_DECODE, -EINVAL, "cannot parse the %s: it is empty",
				  what);
	root = json_loadb(text, size, 0, &e);
	if (!root && (!e.text[0] || json_error_code(&e) == json_error_out_of_memory))
		doc_no_memory(&tx->mem); /* out of memory, jansson often gives no text */
	if (!root)
		return tx_fail_as(tx, CNI_E_DECODE, -EINVAL,
				  "cannot parse the %s: line %d, column %d: %s%s", what, e.line,
				  e.column, e.text, remedy(text, size, &e));
	if (!json_is_object(root)) {
		json_decref(root);
		return tx_fail_as(tx, CNI_E_DECODE, -EINVAL,
				  "cannot parse the %s: expected an object, got a list", what);
	}
	*ret = (struct cj){ .doc = doc_new(&tx->mem, root, what), .json = root };
	return 0;
}

void cj_empty(struct mem *mem, struct cj *ret)
{
	*ret = (struct cj){ .doc = doc_new(mem, NULL, "empty document") };
}

void cj_free(struct cj *root)
{
	if (root->doc) {
		json_decref(root->doc->root);
		root->doc->root = NULL;
	}
	root->json = NULL;
}

/* ---- complaining ---- */

enum { KEY_MAX = 64 };

/* Does the key need no quotes in a path? */
static bool is_plain(const char *key)
{
	size_t n = strlen(key);

	for (const char *p = key; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("\"[]\\", *p))
			return false;
	return n && n <= KEY_MAX;
}

COLD static const char *path_key(struct mem *m, const char *path, const char *key)
{
	const char *dot = *path ? "." : "";
	json_t *name;
	char *s;

	if (is_plain(key))
		return mem_printf(m, "%s%s%s", path, dot, key);
	name = json_string(key);
	s = mem_printf(m, "%s[%s]", path, name ? doc_quote(name).s : "?");
	json_decref(name);
	return s;
}

COLD const char *cj_path(const struct cj *c, const char *key)
{
	struct mem *m = c->doc->mem;
	const char *path = "";

	if (c->parent) {
		path = cj_path(c->parent, NULL);
		path = c->key ? path_key(m, path, c->key) : mem_printf(m, "%s[%u]", path, c->index);
	}
	if (!key)
		return path;
	return path_key(m, path, key);
}

COLD void cj_wrong(const struct cj *c, const char *key, const char *fmt, ...)
{
	va_list ap;

	if (!doc_has_room(c->doc))
		return;
	va_start(ap, fmt);
	doc_complain(c->doc, cj_path(c, key), fmt, ap);
	va_end(ap);
}

static void complain_expected(const struct cj *c, const char *what)
{
	cj_wrong(c, NULL, "expected %s, got %s", what, doc_quote(c->json).s);
}

int cj_ok_as(struct tx *tx, const struct cj *c, enum cni_code code)
{
	return doc_fail(tx, c->doc, code);
}

int cj_ok(struct tx *tx, const struct cj *c)
{
	return cj_ok_as(tx, c, CNI_E_CONFIG);
}

/* ---- moving ---- */

bool cj_present(const struct cj *c)
{
	return c->json && !json_is_null(c->json);
}

struct cj cj_member_at(const struct cj *c, void *it)
{
	struct cj m = { .doc = c->doc, .parent = c };

	if (it) {
		m.json = json_object_iter_value(it);
		m.key = json_object_iter_key(it);
	}
	return m;
}

/* The member of that key; a null is absent. */
static struct cj find_member(const struct cj *c, const char *key)
{
	struct cj found = { .doc = c->doc, .parent = c, .key = key };

	if (!cj_present(c))
		return found;
	if (!json_is_object(c->json)) {
		complain_expected(c, "an object");
		return found;
	}
	for (void *it = json_object_iter_at(c->json, key); it; it = NULL) {
		struct cj m = cj_member_at(c, it);

		doc_see(c->doc, m.key);
		if (cj_present(&m))
			return m;
	}
	for (void *it = json_object_iter(c->json); it; it = json_object_iter_next(c->json, it)) {
		struct cj m = cj_member_at(c, it);

		/* Upper and lower case differ in one bit: most keys differ at their start. */
		if (((*m.key ^ *key) & ~0x20) || strcasecmp(m.key, key) != 0)
			continue;
		doc_see(c->doc, m.key);
		if (cj_present(&m))
			found = m;
	}
	return found;
}

struct cj cj_any(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	ask(&k, CJ_ANY);
	return k;
}

struct cj cj_obj(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	ask(&k, CJ_OBJ);
	if (k.json && !json_is_object(k.json)) {
		complain_expected(&k, "an object");
		k.json = NULL;
	}
	return k;
}

COLD struct cj cj_list(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	ask(&k, CJ_LIST);
	if (k.json && !json_is_array(k.json)) {
		complain_expected(&k, "a list");
		k.json = NULL;
	}
	return k;
}

bool cj_has(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	ask(&k, CJ_ANY);
	return cj_present(&k);
}

COLD unsigned cj_len_max(const struct cj *list, unsigned max)
{
	size_t n;

	ask(list, CJ_LIST);
	if (!cj_present(list))
		return 0;
	if (!json_is_object(list->json) && !json_is_array(list->json)) {
		complain_expected(list, "a list");
		return 0;
	}
	n = json_is_object(list->json) ? json_object_size(list->json) : json_array_size(list->json);
	if (n <= max)
		return (unsigned)n;
	cj_wrong(list, NULL, "too long: %zu entries, at most %u are allowed", n, max);
	return max;
}

unsigned cj_len(const struct cj *list)
{
	return cj_len_max(list, CJ_LIST_MAX);
}

struct cj cj_at(const struct cj *list, unsigned index)
{
	return (struct cj){ .doc = list->doc,
			    .json = json_array_get(list->json, index),
			    .parent = list,
			    .index = index };
}

COLD struct cj cj_first(const struct cj *object)
{
	struct cj m = cj_member_at(object, json_object_iter(object->json));

	ask(object, CJ_MEMBERS);
	if (m.key)
		doc_see(m.doc, m.key);
	return m;
}

struct cj cj_next(const struct cj *m)
{
	void *it = json_object_key_to_iter(m->key);
	struct cj next = cj_member_at(m->parent, json_object_iter_next(m->parent->json, it));

	if (next.key)
		doc_see(next.doc, next.key);
	return next;
}

/* ---- reading ---- */

bool cj_is_object(const struct cj *c)
{
	ask(c, CJ_OBJ);
	return json_is_object(c->json);
}

bool cj_is_array(const struct cj *c)
{
	ask(c, CJ_LIST);
	return json_is_array(c->json);
}

bool cj_is_str(const struct cj *c)
{
	ask(c, CJ_TEXT);
	return json_is_string(c->json);
}

bool cj_is_bool(const struct cj *c)
{
	ask(c, CJ_BOOL);
	return json_is_boolean(c->json);
}

bool cj_is_int(const struct cj *c)
{
	ask(c, CJ_INT);
	return json_is_integer(c->json);
}

COLD bool cj_is_word(const struct cj *c, const char *word)
{
	if (is_watched(c))
		cj_tell_words(c, &word, 1, -1);
	return str_eq(json_string_value(c->json), word);
}

const char *cj_text(const struct cj *c)
{
	return json_string_value(c->json);
}

/* A string; NULL if absent, or of another type (complaint: what was expected). */
static const char *string_expected(const struct cj *c, const char *what)
{
	if (cj_present(c) && !json_is_string(c->json))
		complain_expected(c, what);
	return json_string_value(c->json);
}

const char *cj_as_str(const struct cj *c)
{
	ask(c, CJ_STR);
	return string_expected(c, "a string");
}

COLD bool cj_as_bool(const struct cj *c, bool def)
{
	if (is_watched(c))
		cj_tell_default(c, CJ_BOOL, def, NULL);
	if (json_is_boolean(c->json))
		return json_is_true(c->json);
	if (cj_present(c))
		complain_expected(c, "true or false");
	return def;
}

COLD int64_t cj_as_int(const struct cj *c, int64_t def, int64_t min, int64_t max)
{
	char what[96] = "a whole number";
	size_t n;

	if (is_watched(c))
		cj_tell_int(c, def, min, max);
	if (!cj_present(c))
		return def;
	if (json_is_integer(c->json) && json_integer_value(c->json) >= min &&
	    json_integer_value(c->json) <= max)
		return json_integer_value(c->json);
	n = strlen(what);
	if (min > INT64_MIN && max < INT64_MAX)
		snprintf(what + n, sizeof(what) - n, " from %" PRId64 " to %" PRId64, min, max);
	else if (min > INT64_MIN)
		snprintf(what + n, sizeof(what) - n, " of %" PRId64 " or more", min);
	else if (max < INT64_MAX)
		snprintf(what + n, sizeof(what) - n, " of %" PRId64 " or less", max);
	complain_expected(c, what);
	return def;
}

COLD struct ip cj_as_ip(const struct cj *c)
{
	static const char what[] = "an IP address, like 10.1.0.1";
	const char *s = string_expected(c, what);
	struct ip ip = { .family = 0 };

	ask(c, CJ_IP);
	if (!str_empty(s) && !ip_parse(s, &ip))
		complain_expected(c, what);
	return ip;
}

COLD struct cidr cj_as_cidr(const struct cj *c)
{
	static const char what[] = "an address with prefix length, like 10.1.0.0/24";
	const char *s = string_expected(c, what);
	struct cidr cidr = { .len = 0 };

	ask(c, CJ_CIDR);
	if (!str_empty(s) && !cidr_parse(s, &cidr))
		complain_expected(c, what);
	return cidr;
}

COLD struct mac cj_mac(const struct cj *c, const char *key)
{
	static const char what[] = "a MAC address, like 02:00:00:00:00:01";
	struct cj k = find_member(c, key);
	const char *s = string_expected(&k, what);
	struct mac mac = { .len = 0 };

	ask(&k, CJ_MAC);
	if (!str_empty(s) && !mac_parse(s, &mac))
		complain_expected(&k, what);
	return mac;
}

const char *cj_str(const struct cj *c, const char *key, const char *def)
{
	struct cj k = find_member(c, key);
	const char *s = string_expected(&k, "a string");

	if (is_watched(c))
		cj_tell_default(&k, CJ_STR, 0, def);
	return s ? s : def;
}

COLD bool cj_bool(const struct cj *c, const char *key, bool def)
{
	struct cj k = find_member(c, key);

	return cj_as_bool(&k, def);
}

int64_t cj_int(const struct cj *c, const char *key, int64_t def, int64_t min, int64_t max)
{
	struct cj k = find_member(c, key);

	return cj_as_int(&k, def, min, max);
}

struct ip cj_ip(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	return cj_as_ip(&k);
}

struct cidr cj_cidr(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	return cj_as_cidr(&k);
}

COLD char *cj_dump(struct mem *mem, const struct cj *c)
{
	char *text, *copy;

	if (!cj_present(c))
		return NULL;
	text = json_dumps(c->json, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (!text)
		doc_no_memory(mem);
	copy = mem_str(mem, text);
	free(text);
	return copy;
}
