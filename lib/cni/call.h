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

#include "value/cj.h"
#include "sys/netns.h"
#include "nft/nft.h"
#include "firewall/owned.h"
#include "value/mark.h"
#include "value/result.h"
#include "netlink/rt.h"
#include "base/tx.h"

struct plugin;

enum cni_command {
	CNI_ADD,
	CNI_DEL,
	CNI_CHECK,
	CNI_GC,
	CNI_STATUS,
	CNI_VERSION,
	CNI_REPAIR, /* what a CHECK with CPLUG_REPAIR becomes, if it found differences */
};

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
	/* CHECK: repair the differences (CPLUG_REPAIR; only cnitool sets it) */
	bool repair;
	bool ipam_deleted;    /* the IPAM plugin's DEL or GC was called: ipam_del_first() */
	bool renewed;         /* a repair: the IPAM plugin has put another address into prev */
	bool ipam_advertised; /* routes come with router advertisements; set by iface.c */
	/*
	 * STATUS: the types of the list's plugins, each with a space before and behind
	 * (CPLUG_CHAIN; only cnitool sets it); NULL = not known.
	 */
	const char *chain;
	/*
	 * A repair: ",ADDRESS,ADDRESS,", which an IPAM plugin may put into prev (CPLUG_REPAIR is
	 * "keep" and this): others may be another attachment's; NULL: any.
	 */
	const char *adopts;

	const char *stdin_text; /* the request as it came, for delegates */
	size_t stdin_size;
	struct cj conf;      /* its root */
	const char *version; /* cniVersion, "0.1.0" if absent */
	const char *network; /* name */
	const char *type;

	struct result *prev; /* prevResult; NULL = none */

	const struct plugin *const *plugins; /* the suite's, NULL-terminated: possible delegates */

	const struct plugin *plugin; /* the one that runs */
	const struct owner *owner;   /* call_owner() */
	const struct mark *mark;     /* call_mark() */

	/* The IPAM delegate, once it was found (ipam.h): path NULL = not yet */
	const char *delegate_path;
	const struct plugin *delegate; /* NULL: another program */

	struct netns host_ns, cont_ns;
	uint64_t cookie; /* of cont_ns: call_cookie() */
	bool cookie_read;
	struct rt host; /* rtnetlink in the plugin's own namespace */
	struct rt cont; /* rtnetlink in the container; rt_is_open() tells whether there is one */
	struct nfnl nf; /* nf_tables here: call_nf() */

	/* GC: cni.dev/valid-attachments */
	bool valid_known;              /* false: the key is absent or null, so GC removes nothing */
	struct call_attachment *valid; /* sorted */
	unsigned n_valid;
};

/*
 * GC: is (id, ifname) one of the valid attachments?  ifname NULL: any of that container. A binary
 * search, because there may be ten thousand, and as many questions.
 */
bool call_is_valid(const struct call *c, const char *id, const char *ifname);

/* The attachment as owner of nftables elements, and of links. */
const struct owner *call_owner(struct tx *tx, struct call *c);
const struct mark *call_mark(struct tx *tx, struct call *c);

/* The cookie of the container's namespace (netns_cookie()); 0 = not known, or it is not open. */
uint64_t call_cookie(struct call *c);

/* The keys of the valid attachments of this network, sorted.  (GC) */
struct owned_valid call_valid_keys(struct tx *tx, const struct call *c);

/*
 * Reads environment and stdin into *c, in the reference's order, with the spec's
 * codes; flags are the plugin's CNI_* flags.  The namespaces are not opened yet.
 */
int call_read(struct tx *tx, struct call *c) CHECKED;

/*
 * Reads cniVersion, name and type of c->conf.  c->command_name ADD: a name must be short enough for
 * the files that are named after it.
 */
int call_read_names(struct tx *tx, struct call *c) CHECKED;

/* Reads prevResult, and for GC the valid attachments; the version must have been checked. */
int call_read_prev(struct tx *tx, struct call *c) CHECKED;

/*
 * Opens what the plugin uses: host and container sockets.  ADD and CHECK need the
 * container's namespace; DEL does without if it is gone, or if CNI_NETNS is the plugin's own
 * namespace, which ADD and CHECK refuse (CNI_E_NETNS) before anything is done.
 */
int call_open(struct tx *tx, struct call *c, bool host, bool cont) CHECKED;

/*
 * For a DEL whose CNI_NETNS leads to no namespace: opens the one that ADD has noted (its path, and
 * netns_identify()) as c->cont, if it is the same one still, and not the host's.  Returns 1 if
 * c->cont is open, 0 if that namespace is gone, or a recorded failure that may pass.
 */
int call_open_noted(struct tx *tx, struct call *c, const char *path, const char *inode,
		    const char *cookie) CHECKED;
void call_close(struct call *c);

/* For CNI_CONT_LATER.  Returns 1 if c->cont is open, 0 if there is no namespace, or a failure. */
int call_cont(struct tx *tx, struct call *c) CHECKED;

/*
 * Locks the container's namespace against other calls that choose something there which must not be
 * chosen twice, such as a routing table.  Waits for ten seconds at most, then fails with
 * CNI_E_AGAIN. Closing *ret_fd releases the lock.
 */
int call_lock_cont(struct tx *tx, const struct call *c, int *ret_fd) CHECKED;

/* The nf_tables socket, opened when first asked for and kept to the end. */
int call_nf(struct tx *tx, struct call *c, struct nfnl **ret) CHECKED;

/*
 * The value of a key in CNI_ARGS ("K=V;K2=V2", each pair with exactly one '='), or
 * NULL.  The keys are case-sensitive.  One that no plugin of the suite knows (struct plugin,
 * args) is an error (CNI_E_ENV) unless IgnoreUnknown is 1 or true.  GC and STATUS are of no
 * attachment: always NULL.
 */
int call_arg(struct tx *tx, const struct call *c, const char *key, const char **ret) CHECKED;

/* The prevResult, which CHECK and chained ADDs need: fails with CPLUG_E_PREV. */
int call_need_prev(struct tx *tx, const struct call *c) CHECKED;

#endif
