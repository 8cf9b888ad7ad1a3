/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl.h - read and write /proc/sys/net, in any network namespace
 *
 * Names are paths below /proc/sys with slashes: "net/ipv4/ip_forward".  ns NULL means the
 * namespace of the process.  A file below /proc/sys/net belongs to the namespace of the
 * process that opens it, whatever directory descriptor the path starts from, so other
 * namespaces are entered with netns_run().  proc(5)
 */
#ifndef CPLUG_SYSCTL_H
#define CPLUG_SYSCTL_H

#include "sys/netns.h"
#include "base/tx.h"

struct sysctl {
	char name[96];
	const char *value;
};

/* "net/ipv6/conf/eth0/accept_ra" from (AF_INET6, "eth0", "accept_ra"). */
struct sysctl sysctl_conf(int family, const char *ifname, const char *key, const char *value);

/*
 * Ensures n values on our own devices, or values that are shared: no undo.  Writes only where
 * the value differs.  A sysctl that does not exist (no IPv6), or cannot be written (read-only
 * /proc/sys), is skipped with a warning if it has another value, or if there is none at all;
 * *ret_missed (may be NULL) counts those.  Fails only if it cannot enter ns.
 */
int sysctl_ensure(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n,
		  unsigned *ret_missed) CHECKED;

/* The same for a new device, where all values differ: writes without reading first. */
int sysctl_ensure_new(struct tx *tx, const struct netns *ns, const struct sysctl *list,
		      unsigned n) CHECKED;

/* Sets one value and registers the undo.  -ENOENT, not recorded, if it does not exist. */
int sysctl_set(struct tx *tx, const struct netns *ns, const char *name, const char *value) CHECKED;

/*
 * CHECK: notes every value that differs (differ.h), as object "sysctl NAME".  A sysctl that
 * does not exist or is read-only is no difference.
 */
int sysctl_check(struct tx *tx, const struct netns *ns, const struct sysctl *list,
		 unsigned n) CHECKED;

/* ---- values that a configuration names ---- */

enum { SYSCTL_VALUE_MAX = 4095 }; /* bytes that are read of a value */

/*
 * The path of a key as sysctl(8) takes it: the first separator is the one between parts, and the
 * other one stands for itself: "net.ipv4.conf.eth0/100.arp_filter" is
 * "net/ipv4/conf/eth0.100/arp_filter".  The first IFNAME in it becomes ifname.  false: not a path
 * below net/, or too long.
 */
bool sysctl_path(const char *key, const char *ifname, char ret[sizeof(((struct sysctl *)0)->name)]);

/* Are two values the same for the kernel, which prints tabs between numbers? */
bool sysctl_same(const char *a, const char *b);

/* A value to read, or to write, and how that ended. */
struct sysctl_value {
	struct sysctl s; /* value NULL: not written */
	char *now;       /* as read, without the final newline, in the arena; NULL: not readable */
	int err;         /* of the last reading or writing: 0 or -errno */
};

/*
 * Read and write lists, in one passage through the namespace.  Both go on after a value that
 * fails, and record only that they cannot enter ns.  Writing has no undo: the caller has one.
 */
int sysctl_read_list(struct tx *tx, const struct netns *ns, struct sysctl_value *list,
		     unsigned n) CHECKED;
int sysctl_write_list(struct tx *tx, const struct netns *ns, struct sysctl_value *list,
		      unsigned n) CHECKED;

/* Reads a value, without the final newline.  Returns 0 or -errno, and records nothing. */
int sysctl_read_try(const struct netns *ns, const char *name, char *ret, size_t size) CHECKED;

#endif
