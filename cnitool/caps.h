/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * caps.h - capability arguments: the options -p, --ip, --mac and --cap-args
 *
 * (CNI conventions, "Dynamic Plugin specific fields": portMappings, ips, mac.)
 */
#ifndef CPLUG_CNITOOL_CAPS_H
#define CPLUG_CNITOOL_CAPS_H

#include <jansson.h>

#include "cnitool/netconf.h"
#include "value/ip.h"

struct options;

/*
 * ret[i] becomes the capability arguments for nets[i] (a JSON object; NULL = none).  --cap-args
 * applies to every network.  A port, address or MAC applies to the network that it names
 * (NETWORK=VALUE), or else to the first that declares the capability.  Fails with CNI_E_FIELD if
 * a value is wrong, or no network declares its capability, and with CNI_E_ENV for --cap-args.
 */
int caps_build(struct tx *tx, const struct options *opt, const struct netconf *nets, unsigned n,
	       const char **ret) CHECKED;

/*
 * Adds [HOSTIP:]HOST[-END]:CONTAINER[-END][/PROTOCOL] to caps.portMappings, a mapping for each
 * port. Returns NULL, or what is wrong with it.
 */
const char *caps_put_ports(struct mem *m, const char *text, json_t *caps);

/* Reads [HOSTIP:]HOST[-END][/PROTOCOL].  Returns NULL, or what is wrong with it. */
struct caps_published {
	struct ip ip;         /* no address = any */
	unsigned first, last; /* host ports */
	const char *proto;
};
const char *caps_read_published(struct mem *m, const char *text, struct caps_published *ret);

/* Fails with CNI_E_FIELD if no plugin of the network declares portMappings. */
int caps_need_ports(struct tx *tx, const char *verb, const struct netconf *net) CHECKED;

/*
 * Capability arguments (JSON object; NULL = none) with another value of a key, which is taken over;
 * NULL: without the key.  Returns NULL if nothing is left.
 */
const char *caps_set(struct mem *m, const char *capability_args, const char *key, json_t *value);

/* A rate: NUMBER, or NUMBER and K, M, G or T, like 50M, in bits per second; -1 if it is none. */
int64_t caps_rate(const char *s);

/* Checks CNI_ARGS: "K=V;K2=V2", "" or NULL.  Fails with CNI_E_ENV. */
int caps_check_args(struct tx *tx, const char *args) CHECKED;

#endif
