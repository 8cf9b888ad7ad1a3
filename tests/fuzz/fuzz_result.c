// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_result.c - results: read, printed in every version, and read again
 */
#include "fuzz.h"

static void say(struct tx *tx, const struct result *r, const char *version)
{
	const struct result_rules rules = { .def_version = version,
					    .group = version,
					    .code = CPLUG_E_PREV };
	struct result again;
	struct cj c;
	char *text, *twice;

	if (result_print(tx, r, version, true, &text) < 0) {
		fuzz_expect(tx, -EINVAL);
		tx->err = 0;
		return;
	}
	fuzz_expect(tx, cj_parse(tx, text, strlen(text), "result", &c));
	result_init(&again, &tx->mem);
	if (result_read(tx, &c, &rules, &again) == 0 &&
	    result_print(tx, &again, version, true, &twice) == 0 && strcmp(text, twice) != 0)
		__builtin_trap();
	tx->err = 0;
	cj_free(&c);
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	const struct result_rules rules = { .def_version = "1.0.0", .code = CPLUG_E_PREV };
	struct result r;
	struct cj c = { .doc = NULL };

	result_init(&r, &tx->mem);
	if (cj_parse(tx, data, size, "result", &c) < 0) {
		fuzz_expect(tx, -EINVAL);
		return;
	}
	if (result_read(tx, &c, &rules, &r) == 0) {
		for (unsigned i = 0; result_versions[i]; i++)
			say(tx, &r, result_versions[i]);
	} else {
		fuzz_expect(tx, -EINVAL);
	}
	cj_free(&c);
}
