/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tun.h - persistent tap and tun devices  (linux/if_tun.h; kernel Documentation/networking/tuntap)
 *
 * Such a device is made by opening /dev/net/tun inside its namespace.  It stays when the
 * descriptor is closed, until it is deleted like any other link, and a program that has the right
 * user or group attaches to it.
 */
#ifndef CPLUG_TUN_H
#define CPLUG_TUN_H

#include "sys/netns.h"

struct tun_new {
	const char *name;
	bool layer3;          /* a tun device: IP packets; otherwise a tap device: frames */
	bool multi_queue;     /* IFF_MULTI_QUEUE: a program that attaches needs it, too */
	bool vnet_hdr;        /* IFF_VNET_HDR: a virtio header before each packet */
	bool packet_info;     /* no IFF_NO_PI: 4 bytes of flags and protocol before each packet */
	int64_t owner, group; /* uid and gid that may attach; -1 = none but CAP_NET_ADMIN */
};

/*
 * Makes a device in ns (NULL: here), which is down and goes away when *ret_fd is closed, so that a
 * process that is killed leaves nothing.  Errors as tun_add().  No undo: close the descriptor.
 */
int tun_open(struct tx *tx, const struct netns *ns, const struct tun_new *t, int *ret_fd) CHECKED;

/* Makes it persistent.  Undo: deletes it. */
int tun_keep(struct tx *tx, const struct netns *ns, const struct tun_new *t, int fd) CHECKED;

/*
 * Both: makes a persistent device in ns (NULL: here), which is down.  A name that is in use fails
 * with CPLUG_E_EXISTS; no /dev/net/tun, or a kernel without it, with CPLUG_E_KERNEL and a hint.
 * Undo: deletes it.
 */
int tun_add(struct tx *tx, const struct netns *ns, const struct tun_new *t) CHECKED;

#endif
