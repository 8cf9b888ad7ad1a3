/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctl.h - /proc/sys/net, in whichever namespace
 *
 * Names are paths below /proc/sys with slashes: "net/ipv4/ip_forward".  A name
 * under /proc/sys/net means the network namespace of the process that opens
 * it, whatever directory descriptor it came from, so these go through
 * netns_run() (ns NULL: here).
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
 * Ensures n values, for devices that are ours or knobs that are shared: nothing
 * to undo.  Written only where they differ.  What the kernel does not have (no
 * IPv6), or does not let us write although it differs (read-only /proc/sys), is
 * passed over with a warning: the caller says what then, through ret_missed (may
 * be NULL), the number passed over.
 */
int sysctl_ensure(struct tx *tx, const struct netns *ns, const struct sysctl *list, unsigned n,
		  unsigned *ret_missed) CHECKED;

/* The same for a device just made, where everything differs: written without a look. */
int sysctl_ensure_new(struct tx *tx, const struct netns *ns, const struct sysctl *list,
		      unsigned n) CHECKED;

/* Sets one value and registers the old one as undo.  Absent: -ENOENT, unrecorded. */
int sysctl_set(struct tx *tx, const struct netns *ns, const char *name, const char *value) CHECKED;

/*
 * For CHECK: notes every value that differs (differ.h), as object "sysctl NAME".  A value that
 * the kernel does not have, or that is read-only, is no difference.
 */
int sysctl_check(struct tx *tx, const struct netns *ns, const struct sysctl *list,
		 unsigned n) CHECKED;

/* Reads one, without the final newline.  0 or -errno, unrecorded. */
int sysctl_read(struct tx *tx, const struct netns *ns, const char *name, char *ret,
		size_t size) CHECKED;

#endif
