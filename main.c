// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - one executable, many names: the table of plugins
 *
 * The program is installed as hard links and dispatches on the name it was called by.
 * plugins/list.h lists the plugins; docs/adding-a-plugin.md explains how to add one.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/auxv.h>

#include "cnitool/cnitool.h"
#include "cnitool/netavark.h"
#include "cni/cni.h"
#include "cni/version.h"
#include "plugins/list.h"

#define ENTRY(name) &name##_plugin,
static const struct plugin *const plugins[] = { PLUGIN_LIST(ENTRY) NULL };

/* argv[0] is the plugin's name. */
static int run_plugin(const struct plugin *p, int argc, char **argv)
{
	if (p->program && argc > 1)
		return p->program(argc, argv);
	return cni_main(plugins, p);
}

static int explain(FILE *to, int status)
{
	fprintf(to,
		"cplug %s: the CNI plugins of a suite in one program\n\n"
		"It acts under the name it is called by (install it as hard links):\n",
		cplug_version);
	for (unsigned i = 0; plugins[i]; i++)
		fprintf(to, "  %-12s %s\n", plugins[i]->name, plugins[i]->about);
	fprintf(to, "  %-12s %s\n", "cnitool",
		"plug and unplug network namespaces by hand; run commands in them");
	fprintf(to,
		"\nA plugin is run by a container runtime, with CNI_COMMAND and others in\n"
		"the environment and a configuration on stdin: see cni.dev.  To try one:\n"
		"  cnitool --help\n"
		"\npodman 5 runs it as the network driver cplug (create, setup, teardown, info):\n"
		"  podman network create --driver cplug NAME\n");
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
		return cnitool_main(plugins, argc, argv);
	p = plugin_find(plugins, name);
	if (p)
		return run_plugin(p, argc, argv);
	/* "cplug bridge" is another way to say "bridge". */
	p = argc > 1 ? plugin_find(plugins, argv[1]) : NULL;
	if (p)
		return run_plugin(p, argc - 1, argv + 1);
	if (argc > 1 && str_eq(argv[1], "cnitool"))
		return cnitool_main(plugins, argc - 1, argv + 1);
	if (argc > 1 && netavark_has(argv[1]))
		return netavark_main(plugins, argc, argv);
	if (argc > 1 && (str_eq(argv[1], "--version") || str_eq(argv[1], "-V")))
		return printf("cplug %s\n", cplug_version_and_commit) < 0;
	if (argc > 1 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return explain(stdout, 0);
	if (argc > 1) {
		fprintf(stderr,
			"cplug: %s is neither a plugin nor a command (cplug --help names them)\n",
			argv[1]);
		return 2;
	}
	return explain(stderr, 0);
}
