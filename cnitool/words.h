/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * words.h - a growing list of words, in an arena
 */
#ifndef CPLUG_WORDS_H
#define CPLUG_WORDS_H

#include "base/mem.h"

struct words {
	const char **v;
	unsigned n;
};

/* The word is not copied. */
static inline void words_add(struct mem *m, struct words *list, const char *word)
{
	list->v = mem_grow(m, list->v, list->n, sizeof(*list->v));
	list->v[list->n++] = word;
}

#endif
