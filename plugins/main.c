// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - one executable, many names: the table of plugins
 *
 * The program is installed as hard links and looks its own name up.  Adding a
 * plugin: its file in plugins/ or ipam/, a line here, its name in the Makefile, and
 * an example in conf-examples/.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "../cnitool/cnitool.h"
#include "cni.h"
#include "plugins.h"

const struct plugin *const plugins[] = {
	&bridge_plugin, &loopback_plugin, &portmap_plugin, &host_local_plugin, NULL,
};

const struct plugin *plugin_find(const char *name)
{
	for (unsigned i = 0; plugins[i]; i++)
		if (str_eq(plugins[i]->name, name))
			return plugins[i];
	return NULL;
}

static int explain(FILE *to, int status)
{
	fprintf(to, "cplug " CPLUG_VERSION ": the CNI plugins of a suite in one program\n\n"
		    "It acts under the name it is called by (install it as hard links):\n");
	for (unsigned i = 0; plugins[i]; i++)
		fprintf(to, "  %-12s %s\n", plugins[i]->name, plugins[i]->about);
	fprintf(to, "  %-12s %s\n", "cnitool",
		"plug and unplug network namespaces by hand; run commands in them");
	fprintf(to, "\nA plugin is run by a container runtime, with CNI_COMMAND and others in\n"
		    "the environment and a configuration on stdin: see cni.dev.  To try one:\n"
		    "  cnitool --help\n");
	return status;
}

/* What keeps hash tables unpredictable comes with the process: no need to open a file. */
static void seed_json(void)
{
	const void *random = (const void *)getauxval(AT_RANDOM);
	uint32_t seed = 0;

	if (random)
		memcpy(&seed, random, sizeof(seed));
	json_object_seed(seed);
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? argv[0] : "cplug";
	const char *slash = strrchr(name, '/');
	const struct plugin *p;

	seed_json();
	name = slash ? slash + 1 : name;
	if (str_eq(name, "cnitool"))
		return cnitool_main(argc, argv);
	p = plugin_find(name);
	if (p)
		return cni_main(p);
	/* "cplug bridge" is another way to say "bridge". */
	p = argc > 1 ? plugin_find(argv[1]) : NULL;
	if (p)
		return cni_main(p);
	if (argc > 1 && str_eq(argv[1], "cnitool"))
		return cnitool_main(argc - 1, argv + 1);
	return explain(argc > 1 ? stdout : stderr, argc > 1 && !str_starts(argv[1], "-"));
}
