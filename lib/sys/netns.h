/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * netns.h - network namespaces: opened, compared, and entered through one door
 *
 * netns_run() is the only caller of setns(CLONE_NEWNET) in cplug: it takes a
 * leaf function and always comes back (or aborts).  Netlink sockets opened
 * inside stay there, so hardly anything else needs the door: sysctls and
 * /dev/net/tun.
 */
#ifndef CPLUG_NETNS_H
#define CPLUG_NETNS_H

#include <sys/types.h>

#include "base/tx.h"

struct netns {
	int fd; /* -1 = there is none (gone, or not given) */
	dev_t dev;
	ino_t ino; /* dev and ino identify the namespace */
};

#define NETNS_NONE ((struct netns){ .fd = -1 })

/*
 * Opens the namespace at path, which must be an nsfs file of type net.
 * Returns 0, or -ENOENT unrecorded if nothing is there (the caller decides), or
 * a recorded failure (CNI_E_NETNS) if it is something else.  Does not block on a
 * FIFO and follows no trap: it is opened O_PATH first, and checked.
 */
int netns_open(struct tx *tx, const char *path, struct netns *ret) CHECKED;

/* Opens our own. */
int netns_open_self(struct tx *tx, struct netns *ret) CHECKED;

void netns_close(struct netns *ns);

/* The same namespace? */
bool netns_eq(const struct netns *a, const struct netns *b);

/*
 * A number that no other namespace of this boot has or will have (SO_NETNS_COOKIE, Linux
 * 5.14); 0 if the kernel does not tell.  Inode numbers are used again, this is not.
 */
uint64_t netns_cookie(struct tx *tx, const struct netns *ns);

/*
 * Runs fn(tx, arg) inside ns and returns its answer.  If coming back should
 * fail, the process ends (nothing may run in the wrong namespace).
 */
int netns_run(struct tx *tx, const struct netns *ns, int (*fn)(struct tx *tx, void *arg),
	      void *arg) CHECKED;

#endif
