// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json_make.c - make small JSON values
 */
#include <stdarg.h>

#include "value/json_make.h"

json_t *json_make_pairs(const char *key, ...)
{
	json_t *object = json_object();
	va_list ap;

	va_start(ap, key);
	for (; key; key = va_arg(ap, const char *))
		json_object_set_new(object, key, va_arg(ap, json_t *));
	va_end(ap);
	return object;
}

json_t *json_make_list(json_t *element)
{
	json_t *list = json_array();

	json_array_append_new(list, element);
	return list;
}
