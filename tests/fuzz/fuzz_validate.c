// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_validate.c - network configurations, of which cnitool validate finds all mistakes
 */
#include "cnitool/lint.h"
#include "fuzz.h"
#include "plugins/list.h"

#define ENTRY(name) &name##_plugin,
static const struct plugin *const plugins[] = { PLUGIN_LIST(ENTRY) NULL };

/* A second time as another file, because mistakes of several networks are a part. */
void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct lint l = { .n = 0 };

	fuzz_keep_json();
	lint_init(&l, tx, plugins);
	lint_file(&l, "a.conflist", data, size);
	lint_file(&l, "b.conflist", data, size);
	lint_networks(&l);
	for (unsigned i = 0; i < l.n; i++)
		if (!l.found[i].file || !l.found[i].path || str_empty(l.found[i].text))
			__builtin_trap();
	fuzz_expect(tx, 0);
	fuzz_free_json();
}
