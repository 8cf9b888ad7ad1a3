/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netavark.h - the commands of a netavark plugin: podman 5 calls cplug as a network driver
 *
 * (netavark, plugin-API.md, API version 1.0.0.)  A network whose driver is "cplug" is set up by
 * `cplug setup NETNS`, with the network and the container's options as JSON on stdin.  The driver
 * translates them into a network configuration list and attaches the container as cnitool does,
 * with the same cache.
 */
#ifndef CPLUG_CNITOOL_NETAVARK_H
#define CPLUG_CNITOOL_NETAVARK_H

#include "cni/plugin.h"

/* Is the word a command of a netavark plugin: create, setup, teardown or info? */
bool netavark_has(const char *word);

/* Runs the command argv[1] (plugins: the suite's, NULL-terminated); returns the exit status: 0, or
 * 1 after {"error": …} on stdout. */
int netavark_main(const struct plugin *const *plugins, int argc, char **argv);

#endif
