/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plugins.h - every plugin there is
 */
#ifndef CPLUG_PLUGINS_H
#define CPLUG_PLUGINS_H

#include "plugin.h"

extern const struct plugin bridge_plugin, loopback_plugin, portmap_plugin;
extern const struct plugin host_local_plugin;

#endif
