/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nsid.h - the identity of a network namespace, beyond its path
 *
 * A path like /proc/PID/ns/net leads to a stranger's namespace after the container has ended and
 * the process number was reused.  The identity of the namespace is cached with the attachment
 * (cache.h), and compared before anything is done at the path.
 */
#ifndef CPLUG_CNITOOL_NSID_H
#define CPLUG_CNITOOL_NSID_H

#include "sys/netns.h"

struct nsid {
	const char *boot; /* boot id, random(4); NULL: the identity is not known */
	uint64_t ino;     /* inode number in nsfs, which the kernel reuses */
	uint64_t cookie;  /* netns_cookie(): unique within a boot; 0 = not known (before 5.14) */
};

/* The identity of a namespace; *ret is in mem, and not known if /proc cannot be read. */
void nsid_read(struct mem *m, const struct netns *ns, struct nsid *ret);

/* Is ns certainly not the namespace of that identity?  False if that is not known. */
bool nsid_differs(struct mem *m, const struct netns *ns, const struct nsid *was);

/* Is the identity of this boot?  False also if it is not known. */
bool nsid_is_of_this_boot(struct mem *m, const struct nsid *id);

#endif
