/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list.h - the plugins of the suite: one line each
 *
 * main.c makes its table of this list, the Makefile the names that it installs.  An
 * underscore stands for a hyphen in the name: host_local is "host-local".
 */
#ifndef CPLUG_PLUGINS_LIST_H
#define CPLUG_PLUGINS_LIST_H

#include "cni/plugin.h"

/* clang-format off */
#define PLUGIN_LIST(X) \
	X(bridge)      \
	X(ptp)         \
	X(loopback)    \
	X(portmap)     \
	X(firewall)    \
	X(bandwidth)   \
	X(sbr)         \
	X(vrf)         \
	X(tuning)      \
	X(dummy)       \
	X(macvlan)     \
	X(ipvlan)      \
	X(vlan)        \
	X(tap)         \
	X(host_device) \
	X(host_local)  \
	X(cluster)     \
	X(static)      \
	X(dhcp)
/* clang-format on */

#define PLUGIN_DECLARE(name) extern const struct plugin name##_plugin;
PLUGIN_LIST(PLUGIN_DECLARE)

#endif
