/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * target.h - the network namespace that an operand NETNS names
 *
 * NETNS is a path, a name of ip-netns(8), the name of a running container (cnitool run --name), or
 * the number of a process.
 */
#ifndef CPLUG_CNITOOL_TARGET_H
#define CPLUG_CNITOOL_TARGET_H

#include "cnitool/nsid.h"
#include "base/tx.h"

/*
 * The absolute path that arg names.  It need not exist, because an attachment must be deletable
 * after its namespace is gone.
 */
const char *target_path(struct mem *m, const char *arg);

/* The container id for a path: "cnitool-" and 20 hexadecimal digits of its SHA-512. */
const char *target_id(struct mem *m, const char *path);

/*
 * Opens a container's namespace.  Fails with CNI_E_NETNS if it does not exist (-ENOENT), or is
 * the caller's own.
 */
int target_open(struct tx *tx, const char *path, struct netns *ret) CHECKED;

/* The same for a change in an attachment's namespace: fails if another one is there by now. */
int target_open_same(struct tx *tx, const char *path, const struct nsid *was,
		     struct netns *ret) CHECKED;

/*
 * Is another namespace than the attachment's at path?  That is so if the path leads to the
 * caller's own namespace, or if the identity differs (was: not known, or NULL, proves nothing),
 * because a process number or a name was reused.  False if nothing is there.
 */
bool target_is_other(struct tx *tx, const char *path, const struct nsid *was);

/*
 * Opens what is at path, to be compared later; without a namespace there ns stays closed.  Is it
 * still the same?  True if ns is not open.
 */
void target_hold(struct tx *tx, const char *path, struct netns *ns);
bool target_is_held(struct tx *tx, const char *path, const struct netns *ns);

/*
 * Does the namespace of an attachment live?  No if its path does not exist, or another namespace is
 * there (target_is_other()).  Yes if it cannot be determined.
 */
bool target_lives(struct tx *tx, const char *path, const struct nsid *was);

/* Has the namespace an interface of that name?  1, 0, or a recorded failure. */
int target_has_if(struct tx *tx, const struct netns *ns, const char *ifname) CHECKED;

/* The first of eth0, eth1, … that is free in the namespace.  Fails with -EEXIST. */
int target_free_if(struct tx *tx, const struct netns *ns, const char **ret) CHECKED;

#endif
