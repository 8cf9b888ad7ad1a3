/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps.h - capability arguments: what -p, --ip, --mac and --cap-args ask for
 *
 * (CNI conventions: portMappings, ips, mac.)
 */
#ifndef CPLUG_CNITOOL_CAPS_H
#define CPLUG_CNITOOL_CAPS_H

#include "cnitool/netconf.h"

struct options;

/*
 * ret[i] becomes the capability arguments (a JSON object; NULL = none) of the
 * network nets[i].  What --cap-args says goes to every network.  A port, address
 * or MAC goes to the network it names (NET=…), or else to the first that declares
 * the capability; if there is none, that is an error which tells the remedy.
 */
int caps_build(struct tx *tx, const struct options *opt, const struct netconf *nets, unsigned n,
	       const char **ret) CHECKED;

/* "K=V;K2=V2", every pair with exactly one '=' and neither side empty, or "". */
int caps_check_args(struct tx *tx, const char *args) CHECKED;

#endif
