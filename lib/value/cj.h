/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cj.h - the config cursor: JSON that knows where it is
 *
 * A cursor (struct cj) stands on one value of a JSON document.  Readers return
 * the value of a key, or the default given; they never return an error.  A
 * wrong type or an impossible value adds a sentence with its path to the
 * document's list of complaints, so that the user sees all mistakes at once;
 * cj_ok() ends the reader and turns the list into one failure:
 *
 *	*cf = (struct conf){
 *		.bridge = cj_str(c, "bridge", "cni0"),
 *		.mtu    = cj_int(c, "mtu", 0, 0, 65535),
 *	};
 *	return cj_ok(tx, c);
 *
 * Semantics follow Go's encoding/json, which CNI users know: keys match without
 * regard to case (an exact match wins), null is absent, the last of duplicate
 * keys counts, unknown keys are ignored (but reported by cj_report_unknown()
 * under CNI_DEBUG).  Strings are borrowed from the document.
 *
 * Complaints read like: ipam.ranges[0][1].subnet: expected an address with
 * prefix length, like 10.1.0.0/24, got 5
 */
#ifndef CPLUG_CJ_H
#define CPLUG_CJ_H

#include "value/ip.h"
#include "base/tx.h"

struct cj_doc; /* the document and its complaints */
struct json_t;

struct cj {
	struct cj_doc *doc;
	struct json_t *json;     /* NULL = absent */
	const struct cj *parent; /* must outlive the child */
	const char *key;         /* in the parent; NULL if an array element */
	unsigned index;
};

/*
 * Parses size bytes.  On failure: CNI_E_DECODE, "cannot parse the network
 * configuration: line 3, column 7: …".  The root must be an object.  what names
 * the document in messages ("network configuration").  doc lives in tx's arena.
 */
int cj_parse(struct tx *tx, const char *text, size_t size, const char *what,
	     struct cj *ret) CHECKED;

/* An empty object, absent everywhere. */
void cj_empty(struct mem *mem, struct cj *ret);

/* Frees the JSON tree under the root (the complaints live in the arena). */
void cj_free(struct cj *root);

/* ---- moving (a key asked of what is no object is a complaint, and absent) ---- */
struct cj cj_obj(const struct cj *c, const char *key);  /* must be an object if present */
struct cj cj_list(const struct cj *c, const char *key); /* must be an array if present */
struct cj cj_any(const struct cj *c, const char *key);  /* of whatever type */
bool cj_has(const struct cj *c, const char *key);       /* present and not null */
bool cj_present(const struct cj *c);                    /* does the cursor stand on a value? */
/* Elements of an array, members of an object; 0 if absent.  Anything else is a complaint. */
unsigned cj_len(const struct cj *list);
struct cj cj_at(const struct cj *list, unsigned index); /* an element, of whatever type */
/* Members of an object in document order: for (it = cj_first(&o); it.json; it = cj_next(&it));
 * it.key names it. */
struct cj cj_first(const struct cj *object);
struct cj cj_next(const struct cj *member);

/* ---- reading a key ---- */
const char *cj_str(const struct cj *c, const char *key, const char *def);
bool cj_bool(const struct cj *c, const char *key, bool def);
int64_t cj_int(const struct cj *c, const char *key, int64_t def, int64_t min, int64_t max);
struct ip cj_ip(const struct cj *c, const char *key);     /* "" and absent: no address */
struct cidr cj_cidr(const struct cj *c, const char *key); /* likewise */
struct mac cj_mac(const struct cj *c, const char *key);
/* One of names[0 … n-1]: its index, or def when absent or "". */
int cj_enum(const struct cj *c, const char *key, int def, const char *const *names, unsigned n);

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

/* ---- complaining ---- */
/* key NULL: about the value the cursor stands on. */
void cj_wrong(const struct cj *c, const char *key, const char *fmt, ...) PRINTF(3, 4);
/* The path of c and key, like ipam.ranges[0][1].subnet, in the arena. */
const char *cj_path(const struct cj *c, const char *key);

/*
 * Fails with CNI_E_CONFIG and all complaints so far ("a: …; b: …") and clears
 * them, or returns 0.
 */
int cj_ok(struct tx *tx, const struct cj *c) CHECKED;
/* The same with another code. */
int cj_ok_as(struct tx *tx, const struct cj *c, enum cni_code code) CHECKED;

/* Logs the keys of the document that no reader asked for (CNI_DEBUG). */
void cj_report_unknown(const struct cj *root);

/* The value as compact JSON with sorted keys, in the arena; NULL if absent. */
char *cj_dump(struct mem *mem, const struct cj *c);

#endif
