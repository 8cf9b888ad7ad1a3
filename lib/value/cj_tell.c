// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cj_tell.c - what the readers of a configuration ask for, seen from outside
 *
 * A document is seldom watched, so cj.c only tests whether it is, and the rest is here.
 */
#include "value/cj.h"
#include "value/cj_doc.h"

void cj_watch(const struct cj *root, const struct cj_watch *w)
{
	root->doc->watch = w;
}

static void tell(const struct cj *c, const struct cj_ask *ask)
{
	c->doc->watch->asked(c->doc->watch->arg, c, ask);
}

void cj_tell(const struct cj *c, enum cj_kind kind)
{
	tell(c, &(struct cj_ask){ .kind = kind });
}

void cj_tell_default(const struct cj *c, enum cj_kind kind, int64_t def, const char *text)
{
	tell(c, &(struct cj_ask){ .kind = kind, .has_def = true, .def = def, .text = text });
}

void cj_tell_int(const struct cj *c, int64_t def, int64_t min, int64_t max)
{
	tell(c, &(struct cj_ask){
			.kind = CJ_INT, .has_def = true, .def = def, .min = min, .max = max });
}

void cj_tell_words(const struct cj *c, const char *const *words, unsigned n, int def)
{
	struct cj_ask ask = { .kind = CJ_WORD, .words = words, .n = n };

	if (def >= 0) {
		ask.has_def = true;
		ask.text = words[def];
	}
	tell(c, &ask);
}
