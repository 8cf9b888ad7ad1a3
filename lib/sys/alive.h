/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alive.h - does a network namespace still exist?
 *
 * A namespace exists while a process is in it, a mount in any mount namespace holds it, or a
 * process has a descriptor of it.  Linux 6.18 answers the question for one namespace.  Older
 * kernels do not, so all three are read from /proc, which needs access to every process.
 */
#ifndef CPLUG_ALIVE_H
#define CPLUG_ALIVE_H

#include <sys/types.h>

#include "base/tx.h"

struct alive_net {
	ino_t ino;        /* inode number in nsfs */
	const char *path; /* for open(2) */
};

/* The knowledge so far; initialise with zeros. */
struct alive {
	bool tried, askable; /* was it tried whether the kernel answers; does it? */
	bool collected;      /* /proc was read */
	bool complete;       /* and every process could be inspected */
	struct alive_net *net;
	unsigned n;
};

/*
 * Is it certain that a namespace no longer exists?  ino is its inode number, which the kernel
 * may have reused; cookie is that of netns_cookie(), or 0 if unknown.  Returns false if it
 * cannot be known (an old kernel, and not every process can be inspected).
 */
bool alive_is_gone(struct tx *tx, struct alive *a, ino_t ino, uint64_t cookie);

/*
 * Adds the namespaces of all processes that can be inspected, of their mounts and descriptors, to
 * a->net, in the arena.  One that is listed already keeps its path.  After five seconds it gives
 * up, with a warning: the list is not complete then.
 */
void alive_collect(struct mem *mem, struct alive *a);

#endif
