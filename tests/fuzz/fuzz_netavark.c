// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_netavark.c - networks as podman describes them to the netavark driver
 *
 * The driver writes a configuration list, which the plugins' readers read.
 */
#include "cnitool/netavark_impl.h"
#include "fuzz.h"
#include "plugins/list.h"

#define ENTRY(name) &name##_plugin,
static const struct plugin *const plugins[] = { PLUGIN_LIST(ENTRY) NULL };

static void set_up(struct tx *tx, const char *data, size_t size)
{
	struct driver_network n = { .name = NULL };
	struct cj c, options;
	int r = cj_parse(tx, data, size, "input", &c);

	fuzz_expect(tx, r);
	if (r < 0)
		return;
	options = cj_obj(&c, "container");
	driver_network_read(&tx->mem, &c, &options, &n);
	r = cj_ok(tx, &c);
	fuzz_expect(tx, r);
	if (r == 0)
		fuzz_expect(tx,
			    driver_need_accepted(tx, plugins, driver_network_conf(&tx->mem, &n)));
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	fuzz_keep_json();
	set_up(tx, data, size);
	fuzz_free_json();
}
