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
#include "base/log.h"

/* ---- the document ---- */

int cj_parse(struct tx *tx, const char *text, size_t size, const char *what, struct cj *ret)
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
				  "cannot parse the %s: line %d, column %d: %s", what, e.line,
				  e.column, e.text);
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

static const char *path_key(struct mem *m, const char *path, const char *key)
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

const char *cj_path(const struct cj *c, const char *key)
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

void cj_wrong(const struct cj *c, const char *key, const char *fmt, ...)
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

/* The cursor of the member at jansson's iterator; absent if it is NULL. */
static struct cj member_at(const struct cj *c, void *it)
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
		struct cj m = member_at(c, it);

		doc_see(c->doc, m.key);
		if (cj_present(&m))
			return m;
	}
	for (void *it = json_object_iter(c->json); it; it = json_object_iter_next(c->json, it)) {
		struct cj m = member_at(c, it);

		if (strcasecmp(m.key, key) != 0)
			continue;
		doc_see(c->doc, m.key);
		if (cj_present(&m))
			found = m;
	}
	return found;
}

struct cj cj_any(const struct cj *c, const char *key)
{
	return find_member(c, key);
}

struct cj cj_obj(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	if (k.json && !json_is_object(k.json)) {
		complain_expected(&k, "an object");
		k.json = NULL;
	}
	return k;
}

struct cj cj_list(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	if (k.json && !json_is_array(k.json)) {
		complain_expected(&k, "a list");
		k.json = NULL;
	}
	return k;
}

bool cj_has(const struct cj *c, const char *key)
{
	struct cj k = find_member(c, key);

	return cj_present(&k);
}

unsigned cj_len_max(const struct cj *list, unsigned max)
{
	size_t n;

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

struct cj cj_first(const struct cj *object)
{
	struct cj m = member_at(object, json_object_iter(object->json));

	if (m.key)
		doc_see(m.doc, m.key);
	return m;
}

struct cj cj_next(const struct cj *m)
{
	void *it = json_object_key_to_iter(m->key);
	struct cj next = member_at(m->parent, json_object_iter_next(m->parent->json, it));

	if (next.key)
		doc_see(next.doc, next.key);
	return next;
}

/* ---- reading ---- */

bool cj_is_object(const struct cj *c)
{
	return json_is_object(c->json);
}

bool cj_is_array(const struct cj *c)
{
	return json_is_array(c->json);
}

bool cj_is_str(const struct cj *c)
{
	return json_is_string(c->json);
}

bool cj_is_bool(const struct cj *c)
{
	return json_is_boolean(c->json);
}

bool cj_is_int(const struct cj *c)
{
	return json_is_integer(c->json);
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
	return string_expected(c, "a string");
}

bool cj_as_bool(const struct cj *c, bool def)
{
	if (json_is_boolean(c->json))
		return json_is_true(c->json);
	if (cj_present(c))
		complain_expected(c, "true or false");
	return def;
}

int64_t cj_as_int(const struct cj *c, int64_t def, int64_t min, int64_t max)
{
	char what[96] = "a whole number";
	size_t n = strlen(what);

	if (!cj_present(c))
		return def;
	if (json_is_integer(c->json) && json_integer_value(c->json) >= min &&
	    json_integer_value(c->json) <= max)
		return json_integer_value(c->json);
	if (min > INT64_MIN && max < INT64_MAX)
		snprintf(what + n, sizeof(what) - n, " from %" PRId64 " to %" PRId64, min, max);
	else if (min > INT64_MIN)
		snprintf(what + n, sizeof(what) - n, " of %" PRId64 " or more", min);
	else if (max < INT64_MAX)
		snprintf(what + n, sizeof(what) - n, " of %" PRId64 " or less", max);
	complain_expected(c, what);
	return def;
}

struct ip cj_as_ip(const struct cj *c)
{
	static const char what[] = "an IP address, like 10.1.0.1";
	const char *s = string_expected(c, what);
	struct ip ip = { .family = 0 };

	if (!str_empty(s) && !ip_parse(s, &ip))
		complain_expected(c, what);
	return ip;
}

struct cidr cj_as_cidr(const struct cj *c)
{
	static const char what[] = "an address with prefix length, like 10.1.0.0/24";
	const char *s = string_expected(c, what);
	struct cidr cidr = { .len = 0 };

	if (!str_empty(s) && !cidr_parse(s, &cidr))
		complain_expected(c, what);
	return cidr;
}

struct mac cj_mac(const struct cj *c, const char *key)
{
	static const char what[] = "a MAC address, like 02:00:00:00:00:01";
	struct cj k = find_member(c, key);
	const char *s = string_expected(&k, what);
	struct mac mac = { .len = 0 };

	if (!str_empty(s) && !mac_parse(s, &mac))
		complain_expected(&k, what);
	return mac;
}

const char *cj_str(const struct cj *c, const char *key, const char *def)
{
	struct cj k = find_member(c, key);
	const char *s = cj_as_str(&k);

	return s ? s : def;
}

bool cj_bool(const struct cj *c, const char *key, bool def)
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

/* "a", "b" or "c" */
static const char *quoted_list(struct mem *m, const char *const *names, unsigned n)
{
	struct mem_text list = { .mem = m };

	for (unsigned i = 0; i < n; i++) {
		const char *separator = i < n - 1 ? ", " : " or ";

		mem_text_add(&list, "%s\"%s\"", mem_text_comma(&list, separator), names[i]);
	}
	return mem_text_end(&list);
}

int cj_enum(const struct cj *c, const char *key, int def, const char *const *names, unsigned n)
{
	struct cj k = find_member(c, key);

	if (!cj_present(&k) || str_eq(json_string_value(k.json), ""))
		return def;
	for (unsigned i = 0; i < n; i++)
		if (str_eq(json_string_value(k.json), names[i]))
			return (int)i;
	complain_expected(&k, mem_printf(c->doc->mem, "%s%s", n > 1 ? "one of " : "",
					 quoted_list(c->doc->mem, names, n)));
	return def;
}

char *cj_dump(struct mem *mem, const struct cj *c)
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

/* ---- unknown keys ---- */

/* Is it a key of the root that the runtime or other plugins use? */
static bool is_of_others(const char *key)
{
	static const char *const known[] = { "runtimeConfig", "args", "capabilities",
					     "prevResult" };

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (strcasecmp(key, known[i]) == 0)
			return true;
	return str_starts(key, "cni.dev/");
}

/* Is it an "ipam" that another program reads?  Then only its type was asked for. */
static bool is_of_delegate(const struct cj *ipam)
{
	if (strcasecmp(ipam->key, "ipam") != 0 || !json_is_object(ipam->json))
		return false;
	for (void *it = json_object_iter(ipam->json); it;
	     it = json_object_iter_next(ipam->json, it))
		if (doc_was_seen(ipam->doc, json_object_iter_key(it)) &&
		    strcasecmp(json_object_iter_key(it), "type") != 0)
			return false;
	return true;
}

static void report_unread(const struct cj *c)
{
	bool top = !c->parent;

	for (unsigned i = 0; i < json_array_size(c->json); i++) {
		struct cj element = cj_at(c, i);

		report_unread(&element);
	}
	for (void *it = json_object_iter(c->json); it; it = json_object_iter_next(c->json, it)) {
		struct cj m = member_at(c, it);

		if (top && (is_of_others(m.key) || is_of_delegate(&m)))
			continue;
		if (doc_was_seen(c->doc, m.key))
			report_unread(&m);
		else
			log_step("%s: unknown key, ignored", cj_path(&m, NULL));
	}
}

void cj_report_unknown(const struct cj *root)
{
	if (root->doc->watched)
		report_unread(root);
}
