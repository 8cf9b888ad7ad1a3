/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alive.h - is a network namespace of this machine still alive?
 *
 * A namespace lives while a process is in it, a mount holds it (in any process's mount
 * namespace), or a process has it open.  Linux 6.18 can be asked about one; before, all
 * three are read from /proc, which needs the right to look at every process.
 */
#ifndef CPLUG_ALIVE_H
#define CPLUG_ALIVE_H

#include <sys/types.h>

#include "base/tx.h"

struct alive_net {
	ino_t ino;        /* of nsfs */
	const char *path; /* by which it can be opened */
};

/* What is known so far; begin with zeros. */
struct alive {
	bool tried, askable; /* does the kernel answer? */
	bool collected;      /* /proc was read */
	bool complete;       /* and nothing of it was hidden from us */
	struct alive_net *net;
	unsigned n;
};

/*
 * Is a namespace gone for sure?  ino and cookie (netns_cookie(); 0 = not known) are its own:
 * an inode number may belong to another namespace by now.  Where we cannot know (an old
 * kernel, and we do not see all of the machine), it is not.
 */
bool alive_is_gone(struct tx *tx, struct alive *a, ino_t ino, uint64_t cookie);

#endif
