/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - the namespace that an operand means
 *
 * NETNS is a path, a name of `ip netns`, or the number of a process.
 */
#ifndef CPLUG_CNITOOL_TARGET_H
#define CPLUG_CNITOOL_TARGET_H

#include "sys/netns.h"
#include "base/tx.h"

/*
 * The absolute path that arg means.  It need not exist: what was added must be
 * deletable after its namespace is gone.
 */
const char *target_path(struct mem *m, const char *arg);

/* The container id of a path: "cnitool-" and 20 hexadecimal digits of its SHA-512. */
const char *target_id(struct mem *m, const char *path);

/* Opens it for plugging: it must exist and must not be our own. */
int target_open(struct tx *tx, const char *path, struct netns *ret) CHECKED;

/*
 * Does it live?  1; 0 if nothing is there (or our own namespace: the process number
 * was given to somebody else); in doubt 1.
 */
bool target_lives(struct tx *tx, const char *path);

/* Has it an interface of that name?  1, 0, or a recorded failure. */
int target_has_if(struct tx *tx, const struct netns *ns, const char *ifname) CHECKED;

/* The first of eth0, eth1, … that is free there. */
int target_free_if(struct tx *tx, const struct netns *ns, const char **ret) CHECKED;

#endif
