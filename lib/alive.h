/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * alive.h - which network namespaces of this machine are alive
 *
 * A namespace lives while a process is in it, a mount holds it (in any process's mount
 * namespace), or a process has it open.  All three are read from /proc.
 */
#ifndef CPLUG_ALIVE_H
#define CPLUG_ALIVE_H

#include <sys/types.h>

#include "tx.h"

struct alive_net {
	ino_t ino;        /* of nsfs */
	const char *path; /* by which it can be opened */
};

struct alive {
	struct alive_net *net;
	unsigned n;
	bool complete; /* nothing was hidden from us */
};

/*
 * Collects them.  Where we cannot see all of the machine (another pid or user namespace,
 * no right to look), complete is false: then absence proves nothing.
 */
void alive_collect(struct tx *tx, struct alive *ret);

/*
 * Is a namespace gone for sure?  ino and cookie (netns_cookie(); 0 = not known) are its own:
 * an inode number may belong to another namespace by now.
 */
bool alive_is_gone(struct tx *tx, const struct alive *a, ino_t ino, uint64_t cookie);

#endif
