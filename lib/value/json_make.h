/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json_make.h - make small JSON values; how much memory a document takes
 *
 * In place of jansson's json_pack(), whose reader of formats is 10 kB.
 */
#ifndef CPLUG_JSON_MAKE_H
#define CPLUG_JSON_MAKE_H

#include <jansson.h>

/*
 * json_make(key, value, ...) makes an object of pairs: a key and its json_t *, which the object
 * owns then.  A member whose value is NULL is left out.
 */
#define json_make(...) json_make_pairs(__VA_ARGS__, (const char *)NULL)
json_t *json_make_pairs(const char *key, ...) __attribute__((sentinel));

/* Makes a list of one element, which the list owns then. */
json_t *json_make_list(json_t *element);

/*
 * About the most memory that jansson takes for a document, in bytes: it can be a hundred times as
 * long as the text ("[[],[],[]]").  JSON_MEMORY_MAX is for programs that read documents of others
 * without a ceiling for the memory of a call.
 */
#define JSON_MEMORY_MAX ((size_t)128 << 20)
size_t json_memory_of(const char *text, size_t size);

#endif
