/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cj_impl.h - shared by the files of the cj module only */
#ifndef CPLUG_CJ_IMPL_H
#define CPLUG_CJ_IMPL_H

#include <jansson.h>

#include "value/cj.h"

/* The cursor of the member at jansson's iterator; absent if it is NULL. */
struct cj cj_member_at(const struct cj *c, void *it);

/*
 * Reads a plain document, an object, as json_loadb(text, size, 0) does.  NULL: it is not plain, or
 * not JSON, or memory is short; ask jansson.
 */
json_t *cj_quick(const char *text, size_t size);

#endif
