// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_words.c - values that are one of some words
 */
#include <jansson.h>

#include "value/cj.h"
#include "value/cj_doc.h"

/* "a", "b" or "c" */
static const char *word_list(struct mem *m, const char *const *names, unsigned n, const char *quote)
{
	struct mem_text list = { .mem = m };

	for (unsigned i = 0; i < n; i++) {
		const char *separator = i < n - 1 ? ", " : " or ";

		mem_text_add(&list, "%s%s%s%s", mem_text_comma(&list, separator), quote, names[i],
			     quote);
	}
	return mem_text_end(&list);
}

/* The index of the value in names; -1 if it is absent or "", -2 if it is another. */
static int find_word(const struct cj *k, const char *const *names, unsigned n, int def)
{
	const char *s = json_string_value(k->json);

	if (k->doc->watch)
		cj_tell_words(k, names, n, def);
	if (!cj_present(k) || str_eq(s, ""))
		return -1;
	for (unsigned i = 0; i < n; i++)
		if (str_eq(s, names[i]))
			return (int)i;
	return -2;
}

int cj_enum(const struct cj *c, const char *key, int def, const char *const *names, unsigned n)
{
	struct cj k = cj_any(c, key);
	int i = find_word(&k, names, n, def);

	if (i == -2)
		cj_wrong(&k, NULL, "expected %s%s, got %s", n > 1 ? "one of " : "",
			 word_list(c->doc->mem, names, n, "\""), doc_quote(k.json).s);
	return i < 0 ? def : i;
}

int cj_word(const struct cj *c, const char *key, const char *what, const char *const *names,
	    unsigned n)
{
	struct cj k = cj_any(c, key);
	int i = find_word(&k, names, n, 0);

	if (i == -2 && cj_text(&k))
		cj_wrong(&k, NULL, "unknown %s: \"%.40s\" (expected %s)", what, cj_text(&k),
			 word_list(c->doc->mem, names, n, ""));
	else if (i == -2)
		cj_wrong(&k, NULL, "expected a string, got %s", doc_quote(k.json).s);
	return i < 0 ? 0 : i;
}
