/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * resolv.h - resolv.conf files (resolv.conf(5))
 */
#ifndef CPLUG_RESOLV_H
#define CPLUG_RESOLV_H

#include "sys/netns.h"
#include "value/result.h"
#include "base/tx.h"

/*
 * Reads nameserver, domain, search and options as the reference does: repeated search and options
 * lines add up; comments (# and ;) and keywords without a value are ignored.  Fails with
 * CPLUG_E_FILE.  The strings live in the arena.
 */
int resolv_read(struct tx *tx, const char *path, struct result_dns *ret) CHECKED;

/* The same from a text, which is changed and borrowed. */
struct result_dns resolv_parse(struct mem *mem, char *text);

/*
 * Where a container's resolv.conf goes: mode is "auto" (the file that `ip netns exec`
 * mounts over /etc/resolv.conf: /etc/netns/NAME/resolv.conf, if netns_path is a named
 * namespace, below /run/netns or /var/run/netns), "off", or a path.  NULL = nowhere.
 */
const char *resolv_target(struct mem *m, const char *mode, const char *netns_path);

/*
 * Writes dns to path; the first line names the owner ("NETWORK/ID/IFNAME").  A file that is not
 * cplug's, or that belongs to another interface of the same container, is left alone (the former
 * with a warning).  own: NULL for the path that "auto" gives, where an unwritable path is a
 * warning; for a configured path, where it is a failure, the container's namespace: the file of
 * another one below /etc/netns is refused (CNI_E_CONFIG).  Undo: resolv_remove().
 */
int resolv_write(struct tx *tx, const char *path, const char *owner, const struct result_dns *dns,
		 const struct netns *own) CHECKED;

/* Removes the file if it is the owner's, and its folder if that is empty then. */
int resolv_remove(struct tx *tx, const char *path, const char *owner) CHECKED;

/* For CHECK: is the file the owner's, with this content?  1, 0, or -errno. */
int resolv_matches(struct tx *tx, const char *path, const char *owner,
		   const struct result_dns *dns) CHECKED;

/*
 * For GC: removes the files below /etc/netns whose owner is of the network and not
 * valid(owner, arg).
 */
int resolv_gc(struct tx *tx, const char *network, bool (*valid)(const char *owner, const void *arg),
	      const void *arg) CHECKED;

/*
 * For DEL without a namespace path: removes the owner's files below /etc/netns, wherever they are.
 */
int resolv_forget(struct tx *tx, const char *network, const char *owner) CHECKED;

/*
 * Calls each(path, netns, owner, arg) for every file of cplug's below /etc/netns; owner is
 * "NETWORK/ID/IFNAME", netns the name of the namespace that the file is for.
 */
void resolv_each(struct tx *tx,
		 void (*each)(const char *path, const char *netns, const char *owner, void *arg),
		 void *arg);

#endif
