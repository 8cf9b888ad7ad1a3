/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netavark_impl.h - what the files of the netavark driver share
 */
#ifndef CPLUG_CNITOOL_NETAVARK_IMPL_H
#define CPLUG_CNITOOL_NETAVARK_IMPL_H

#include "cnitool/cnitool.h"
#include "value/cj.h"

struct json_t;

/* ---- netavark_options.c ---- */

enum { MODE_BRIDGE = 1, MODE_MACVLAN = 2 };

/* Which part of the configuration list has an option's key. */
enum part { PART_MAIN, PART_BANDWIDTH, PART_FIREWALL, PART_DRIVER, PARTS };

/* The options of a network as members of the plugins' configurations. */
struct driver_options {
	unsigned mode;               /* MODE_* */
	struct json_t *parts[PARTS]; /* objects; the caller releases them */
};

/*
 * Reads the options of a network (a JSON object of strings; absent: none), and of a container,
 * which count more.  A wrong one is a complaint of its document.
 */
void driver_options_read(const struct cj *network, const struct cj *container,
			 struct driver_options *ret);
void driver_options_free(struct driver_options *o);

/* The first option that becomes a plugin's key; NULL = none. */
const char *driver_option_of(const char *key);

/* ---- netavark_network.c ---- */

struct driver_subnet {
	struct cidr subnet;
	struct ip gateway, first, last; /* of the lease range; family 0 = none */
};

/* A network as podman describes it (netavark, src/network/types.rs, Network). */
struct driver_network {
	const char *name, *id;
	const char *interface; /* of the host: the bridge, or the parent; NULL = none is named */
	const char *ipam;      /* "", host-local, dhcp or none */
	bool internal, ipv6;
	struct driver_subnet *subnets;
	unsigned n_subnets;
	/*
	 * The addresses of one attachment, each in a subnet: podman leases them.  If a subnet has
	 * none, host-local leases the addresses of all.
	 */
	struct ip *ips;
	unsigned n_ips;
	struct driver_options options;
	struct cj json; /* the object itself */
};

/*
 * Reads and checks a network.  container: the options of one attachment, or absent.  Each mistake
 * is a complaint of the document; cj_ok() has to follow.  driver_options_free() after use.
 */
void driver_network_read(struct mem *m, const struct cj *c, const struct cj *container,
			 struct driver_network *ret);

/* The network as the text of a configuration list. */
const char *driver_network_conf(struct mem *m, const struct driver_network *n);

/* The name of the network's bridge if podman's user named none: "cp" and 8 digits. */
const char *driver_bridge_name(struct mem *m, const char *id);

/* ---- netavark_create.c ---- */

/*
 * Fails (CNI_E_CONFIG) if a plugin would refuse the list that driver_network_conf() wrote, and
 * names the option.  plugins: the suite's, NULL-terminated.
 */
int driver_need_accepted(struct tx *tx, const struct plugin *const *plugins,
			 const char *conf) CHECKED;

/* `cplug create`: completes the network on stdin and prints it. */
int driver_create(struct tool *t, const struct cj *c) CHECKED;

/* ---- netavark_collect.c ---- */

/* The name of the bridge that setup will make; NULL: it is there already, or there will be none. */
const char *driver_new_bridge(struct tool *t, const struct driver_network *n);

/*
 * After the last container: GC with no valid attachment, which deletes the bridge.  new_bridge
 * (NULL: none): what a failed setup has made; it goes unless a container uses it.  Failures are
 * logged.
 */
void driver_collect(struct tool *t, const struct netconf *conf, const char *new_bridge);

#endif
