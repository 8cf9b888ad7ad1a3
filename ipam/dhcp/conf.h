/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - the configuration of dhcp (docs/config/dhcp.md), for the plugin and the daemon
 */
#ifndef CPLUG_DHCP_CONF_H
#define CPLUG_DHCP_CONF_H

#include "cni/call.h"
#include "sys/state.h"

enum {
	DHCP_PROVIDE_MAX = 16, /* options that the client sends */
	DHCP_REQUEST_MAX = 64, /* options that it asks for */
	DHCP_OPTION_MAX = 255, /* bytes of a value */
	DHCP_PROBE_MS = 30,    /* default of arpProbe */
	DHCP_PROBE_MAX = 10000,
};

/* What CHECK wants in place of an address that a renewal gave (differ.h), for cnitool. */
#define DHCP_ANOTHER "an address of prevResult"

struct dhcp_provided {
	uint8_t code;
	uint8_t len;
	char value[DHCP_OPTION_MAX + 1];
};

struct dhcp_ipam {
	const char *socket;
	const char *parent; /* dhcp_ipam_parent(), for the daemon */
	bool v4, v6;
	bool rapid_commit; /* DHCPv6: two messages instead of four, if the server can */
	bool server_mtu;   /* the server's MTU becomes that of the routes */
	int64_t priority;
	uint32_t arp_probe; /* ms; 0: none */
	struct dhcp_provided provide[DHCP_PROVIDE_MAX];
	unsigned n_provide;
	uint8_t request[DHCP_REQUEST_MAX];
	unsigned n_request;
	bool skip_defaults; /* ask for request[] alone */
};

/*
 * Reads "ipam" of a configuration.  args is CNI_ARGS, for "fromArg".  Fails with all mistakes of
 * the document (CNI_E_CONFIG).
 */
int dhcp_ipam_read(struct tx *tx, const struct cj *conf, const char *args,
		   struct dhcp_ipam *ret) CHECKED;

/*
 * Gives the client the options to send and to ask for.  Fails with CNI_E_CONFIG for one that the
 * protocol sets itself, or if there are too many.
 */
struct dhcp_conf;
int dhcp_ipam_options(struct tx *tx, const struct dhcp_ipam *cf, struct dhcp_conf *conf) CHECKED;

/* The link of the host that the main plugin names as "master" or "bridge"; "": none. */
const char *dhcp_ipam_parent(const struct cj *conf);

/* "daemonSocketPath" alone, for DEL and GC, which succeed with any other mistake. */
const char *dhcp_ipam_socket(const struct cj *conf);

#endif
