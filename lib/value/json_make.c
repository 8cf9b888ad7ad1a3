// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * json_make.c - make small JSON values; how much memory a document takes
 */
#include <stdarg.h>
#include <stdbool.h>

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

/* An empty list or object takes 180 to 240 bytes, a member about 180, an element of a list 90. */
size_t json_memory_of(const char *text, size_t size)
{
	size_t sum = 3 * size;
	bool quoted = false;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			i += c == '\\';
		else if (c == '{' || c == '[')
			sum += 256;
		else if (c == ':' || c == ',')
			sum += 96;
	}
	return sum;
}

json_t *json_make_list(json_t *element)
{
	json_t *list = json_array();

	json_array_append_new(list, element);
	return list;
}
