// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_cnitool.c - cnitool's cache files and network configuration lists
 */
#include "cnitool/cache.h"
#include "cnitool/netconf.h"
#include "fuzz.h"

static void cached(struct tx *tx, const char *data, size_t size)
{
	struct cached a = { .id = NULL }, again = { .id = NULL };
	const char *text;

	if (!cache_parse(&tx->mem, data, size, &a))
		return;
	if (!a.network || !a.id || !a.ifname)
		return;
	text = cache_text(&tx->mem, &a);
	if (text && !cache_parse(&tx->mem, text, strlen(text), &again))
		__builtin_trap();
}

static void listed(struct tx *tx, const char *data, size_t size)
{
	const struct netconf_extra extra = { .prev_result = "{\"cniVersion\":\"1.0.0\"}",
					     .capability_args = "{\"portMappings\":[{}]}",
					     .valid = "[]" };
	const struct netconf_source source = { NULL, "x.conflist", data, size };
	struct netconf n = { .name = NULL };
	int r = netconf_read(tx, &source, &n);

	fuzz_expect(tx, r);
	if (r < 0)
		return;
	(void)netconf_declares(&n, "portMappings");
	(void)netconf_speaks(&n, "1.1.0");
	for (unsigned i = 0; i < n.n_plugins; i++)
		(void)netconf_pretty(&tx->mem, netconf_request(&tx->mem, &n, i, &extra));
	netconf_free(&n);
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	cached(tx, data, size);
	listed(tx, data, size);
}
