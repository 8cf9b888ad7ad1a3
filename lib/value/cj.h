/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cj.h - the configuration cursor: reads JSON and knows the path of each value
 *
 * A cursor (struct cj) stands on one value of a JSON document.  A reader returns the value of
 * a key, or the given default, and never an error.  A value of the wrong type or out of range
 * adds a sentence with its path to the complaints of the document, so that the user sees all
 * mistakes at once.  cj_ok() turns the complaints into one failure:
 *
 *	*cf = (struct conf){
 *		.bridge = cj_str(c, "bridge", "cni0"),
 *		.mtu    = cj_int(c, "mtu", 0, 0, 65535),
 *	};
 *	return cj_ok(tx, c);
 *
 * Semantics are those of Go's encoding/json, which the reference plugins use: keys match
 * case-insensitively (an exact match wins), null means absent, the last of duplicate keys
 * counts, unknown keys are ignored (cj_report_unknown() logs them with CNI_DEBUG).  Strings
 * are borrowed from the document.
 *
 * Example of a complaint: ipam.ranges[0][1].subnet: expected an address with prefix length,
 * like 10.1.0.0/24, got 5
 */
#ifndef CPLUG_CJ_H
#define CPLUG_CJ_H

#include "value/cj_watch.h"
#include "value/ip.h"
#include "base/tx.h"

struct cj_doc; /* the document and its complaints */
struct json_t;

struct cj {
	struct cj_doc *doc;
	struct json_t *json;     /* NULL: absent */
	const struct cj *parent; /* must outlive the child */
	const char *key;         /* in the parent; NULL: an array element */
	unsigned index;
};

/*
 * Parses size bytes of text, whose root must be an object.  what names the document in
 * messages.  Fails with CNI_E_DECODE: "cannot parse the network configuration: line 3, column
 * 7: …".  The document is in tx's arena; cj_free() releases the JSON tree.
 */
int cj_parse(struct tx *tx, const char *text, size_t size, const char *what,
	     struct cj *ret) CHECKED;

/*
 * One of n keys (keys NULL: any) that an object in the text of a document, any object, has twice;
 * NULL: there is none. The text has been parsed by cj_parse(), whose cursor shows only the last
 * value of such a key.  How a key is written does not matter: "\u0061" is "a".
 */
const char *cj_find_twice(struct mem *mem, const char *text, size_t size, const char *const *keys,
			  unsigned n);

/* A cursor on which every key is absent. */
void cj_empty(struct mem *mem, struct cj *ret);

/* Frees the JSON tree; the complaints are in the arena. */
void cj_free(struct cj *root);

/* ---- moving (of a value that is no object, a key is absent and a complaint) ---- */
struct cj cj_obj(const struct cj *c, const char *key);  /* must be an object if present */
struct cj cj_list(const struct cj *c, const char *key); /* must be an array if present */
struct cj cj_any(const struct cj *c, const char *key);  /* of any type */
bool cj_has(const struct cj *c, const char *key);       /* present and not null */
bool cj_present(const struct cj *c);                    /* is there a value that is not null? */
/*
 * Number of elements or members; 0 if absent.  Another type is a complaint, and so is a list of
 * more than max entries, of which max are counted.  cj_len(): CJ_LIST_MAX.
 */
enum { CJ_LIST_MAX = 1024 };
unsigned cj_len(const struct cj *list);
unsigned cj_len_max(const struct cj *list, unsigned max);
struct cj cj_at(const struct cj *list, unsigned index); /* an element, of any type */
/*
 * The members of an object, in document order:
 *	for (it = cj_first(&o); it.json; it = cj_next(&it))
 * it.key is the name.
 */
struct cj cj_first(const struct cj *object);
struct cj cj_next(const struct cj *member);

/* ---- reading a key ---- */
const char *cj_str(const struct cj *c, const char *key, const char *def);
bool cj_bool(const struct cj *c, const char *key, bool def);
int64_t cj_int(const struct cj *c, const char *key, int64_t def, int64_t min, int64_t max);
struct ip cj_ip(const struct cj *c, const char *key);     /* "" or absent: no address */
struct cidr cj_cidr(const struct cj *c, const char *key); /* same */
struct mac cj_mac(const struct cj *c, const char *key);
/* The index of the value in names[0 … n-1]; def if absent or "". */
int cj_enum(const struct cj *c, const char *key, int def, const char *const *names, unsigned n);
/* The same, def 0, with another complaint: unknown WHAT: "x" (expected a, b or c) */
int cj_word(const struct cj *c, const char *key, const char *what, const char *const *names,
	    unsigned n);

/* ---- reading the value itself (array elements) ---- */
const char *cj_as_str(const struct cj *c); /* NULL if absent */
bool cj_as_bool(const struct cj *c, bool def);
int64_t cj_as_int(const struct cj *c, int64_t def, int64_t min, int64_t max);
struct ip cj_as_ip(const struct cj *c);
struct cidr cj_as_cidr(const struct cj *c);
bool cj_is_object(const struct cj *c);
bool cj_is_array(const struct cj *c);
bool cj_is_str(const struct cj *c);
bool cj_is_bool(const struct cj *c);
bool cj_is_int(const struct cj *c);
bool cj_is_word(const struct cj *c, const char *word); /* is it this string? */
const char *cj_text(const struct cj *c);               /* for complaints; NULL: no string */

/* ---- complaining ---- */
/* Adds a complaint about a key; key NULL: about the value of the cursor. */
void cj_wrong(const struct cj *c, const char *key, const char *fmt, ...) PRINTF(3, 4);
/* The path of a key (key NULL: of the cursor), "ipam.ranges[0][1].subnet"; in the arena. */
const char *cj_path(const struct cj *c, const char *key);

/*
 * Returns 0 if there are no complaints; else removes them and fails with CNI_E_CONFIG and all
 * of them ("a: …; b: …").
 */
int cj_ok(struct tx *tx, const struct cj *c) CHECKED;
/* The same with another code. */
int cj_ok_as(struct tx *tx, const struct cj *c, enum cni_code code) CHECKED;

/* Logs the keys that no reader asked for (with CNI_DEBUG). */
void cj_report_unknown(const struct cj *root);

/* The value as compact JSON with sorted keys, in the arena; NULL if absent. */
char *cj_dump(struct mem *mem, const struct cj *c);

#endif
