/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * call.h - one request: environment and stdin, read, checked and opened
 *
 * (CNI spec, sections 2 "Execution Protocol" and 1 "Network configuration
 * format".)  A struct call is what a plugin gets beside the transaction; nothing
 * in it changes while the plugin runs.
 */
#ifndef CPLUG_CALL_H
#define CPLUG_CALL_H

#include "cj.h"
#include "netns.h"
#include "result.h"
#include "rt.h"
#include "tx.h"

enum cni_command { CNI_ADD, CNI_DEL, CNI_CHECK, CNI_GC, CNI_STATUS, CNI_VERSION };

struct call_attachment {
	const char *id, *ifname;
};

struct call {
	enum cni_command command;
	const char *command_name;
	const char *id;         /* CNI_CONTAINERID; "" for GC and STATUS */
	const char *ifname;     /* CNI_IFNAME; likewise */
	const char *netns_path; /* CNI_NETNS; "" if absent */
	const char *args;       /* CNI_ARGS; "" if absent */
	const char *path;       /* CNI_PATH */

	const char *stdin_text; /* the request as it came, for delegates */
	size_t stdin_size;
	struct cj conf;      /* its root */
	const char *version; /* cniVersion, "0.1.0" if absent */
	const char *network; /* name */
	const char *type;

	struct result *prev; /* prevResult; NULL = none */

	struct netns host_ns, cont_ns;
	struct rt host; /* rtnetlink here */
	struct rt cont; /* and in the container; rt_is_open() tells */

	/* GC: cni.dev/valid-attachments */
	bool valid_known; /* absent and null: nothing is known */
	struct call_attachment *valid;
	unsigned n_valid;
};

/* Is (id, ifname) one of the valid attachments?  (GC) */
bool call_is_valid(const struct call *c, const char *id, const char *ifname);

/*
 * CNI_ARGS as pairs: "K=V;K2=V2" (the reference's types.LoadArgs).  Every pair has
 * exactly one '='.  known is the NULL-terminated list of keys this plugin reads;
 * others are an error (CNI_E_ENV) unless IgnoreUnknown is 1 or true.  The keys of
 * delegates in the same call count as known (see call_args_known).
 * ret_values[i] is the value of known[i], or NULL.
 */
int call_args(struct tx *tx, const struct call *c, const char *const *known,
	      const char **ret_values) CHECKED;

/* The MAC wanted: CNI_ARGS MAC < args.cni.mac < runtimeConfig.mac; len 0 = none. */
int call_mac(struct tx *tx, const struct call *c, struct mac *ret) CHECKED;

#endif
