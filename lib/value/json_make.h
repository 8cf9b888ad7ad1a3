/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * json_make.h - make small JSON values
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

#endif
