// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nsid.c - the identity of a network namespace, beyond its path
 */
#include <fcntl.h>

#include "cnitool/nsid.h"
#include "sys/file.h"

enum { BOOT_ID_SIZE = 36 };

static const char *boot_id(struct mem *m)
{
	struct file_text text;

	if (file_read(m, AT_FDCWD, "/proc/sys/kernel/random/boot_id", 4096, &text) < 0 ||
	    text.size < BOOT_ID_SIZE)
		return NULL;
	text.s[BOOT_ID_SIZE] = '\0';
	return text.s;
}

void nsid_read(struct mem *m, const struct netns *ns, struct nsid *ret)
{
	*ret = (struct nsid){ boot_id(m), ns->ino, netns_cookie(ns) };
}

bool nsid_is_of_this_boot(struct mem *m, const struct nsid *id)
{
	return id->boot && str_eq(id->boot, boot_id(m));
}

bool nsid_differs(struct mem *m, const struct netns *ns, const struct nsid *was)
{
	const char *boot = was->boot ? boot_id(m) : NULL;
	uint64_t cookie;

	if (!boot || ns->fd < 0)
		return false;
	/* No namespace outlives a boot. */
	if (!str_eq(was->boot, boot) || ns->ino != was->ino)
		return true;
	/* To read the cookie, the namespace is entered; so the inode number comes first. */
	cookie = was->cookie ? netns_cookie(ns) : 0;
	return cookie && cookie != was->cookie;
}
