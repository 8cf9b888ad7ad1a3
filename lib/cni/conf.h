/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - keys that several plugins have in their configurations (docs/config/README.md)
 *
 * Readers return the value or the default; a wrong value is a complaint in the document,
 * which cj_ok() turns into one failure (cj.h).
 */
#ifndef CPLUG_CONF_H
#define CPLUG_CONF_H

#include "base/log.h"
#include "cni/call.h"
#include "netlink/link.h"
#include "value/cj.h"
#include "value/result.h"

enum { MTU_AUTO = -1 };

/* "log": the trace file ("": none), and the level of its lines. */
struct conf_log {
	const char *file;
	enum log_level level;
};
struct conf_log conf_log(const struct cj *c);

/*
 * Has the key a value other than null, "" and 0?  A reader that returned nothing of it has
 * complained of it, so it is not missing.
 */
bool conf_says(const struct cj *c, const char *key);

/* Does "capabilities" declare that the runtime may pass runtimeConfig.NAME? */
bool conf_declares(const struct cj *c, const char *name);

/* "mtu": bytes, or "auto" (MTU_AUTO); without the key, and for 0, def. */
int conf_mtu(const struct cj *c, int def);

/* An interface name; NULL if the key is absent or empty. */
const char *conf_ifname(const struct cj *c, const char *key);

/*
 * "resolvConf": "auto" (also without the key), "off", or an absolute path that the host allows
 * (sys/hostconf.h).
 */
const char *conf_resolv(struct tx *tx, const struct cj *c);

/* "dns"; result_dns_empty() if there is none.  The strings are borrowed from the document. */
struct result_dns conf_dns(struct mem *mem, const struct cj *c);

/*
 * The MAC wanted: def < CNI_ARGS MAC < args.cni.mac < runtimeConfig.mac; len 0 = none.  Fails
 * with all mistakes of the document, for a wrong CNI_ARGS (CNI_E_ENV), and for a multicast or
 * zero MAC (CNI_E_CONFIG).
 */
int conf_mac(struct tx *tx, const struct call *c, struct mac def, struct mac *ret) CHECKED;

/*
 * "ipMasq": a bool, or {"v4":…, "v6":…, "except":[…], "dropInvalid":…}, and "ipMasqBackend", which
 * is only checked.
 */
struct conf_masq {
	bool v4, v6;
	bool pass_invalid; /* do not drop packets of ct state invalid */
	const struct cidr *except;
	unsigned n_except;
};
struct conf_masq conf_masq(struct mem *mem, const struct cj *c);

/* The parent of a link: "master", in the container with "linkInContainer". */
struct conf_parent {
	const char *master; /* NULL: the link of the default route */
	bool in_container;
};

struct conf_parent conf_parent(const struct cj *c);

/*
 * Looks the parent up: *ret_rt is the socket of its namespace.  A missing parent is a failure
 * (CNI_E_CONFIG).
 */
int conf_find_parent(struct tx *tx, struct call *c, const struct conf_parent *p, struct rt **ret_rt,
		     struct link *ret) CHECKED;

/* The same for CHECK: 1, 0 if it is missing, or a recorded failure. */
int conf_look_for_parent(struct tx *tx, struct call *c, const struct conf_parent *p,
			 struct rt **ret_rt, struct link *ret) CHECKED;

/* Fails if the parent is down, or if mtu (bytes) is above its MTU (CNI_E_CONFIG). */
int conf_check_parent(struct tx *tx, const struct rt *rt, const struct link *parent,
		      int mtu) CHECKED;

/*
 * For validate and STATUS of an IPAM plugin: reads ipam.routes, and complains of a route that no
 * ADD of a main plugin could make.  ADD itself passes routes on as they are, as the reference does.
 */
void conf_check_routes(struct mem *mem, const struct cj *ipam);

#endif
