/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host_device.h - the objects of the host-device plugin
 *
 * device.c finds the device that a configuration selects; record.c keeps what the device was on the
 * host; take.c moves it to the container; find.c finds it again; give_back.c moves it back.
 * host_device.c puts them together.
 */
#ifndef CPLUG_HOST_DEVICE_H
#define CPLUG_HOST_DEVICE_H

#include "cni/call.h"
#include "netlink/addr.h"
#include "netlink/link_saved.h"
#include "netlink/route.h"
#include "sys/state.h"

/* ---- the configuration: device.c ---- */

struct hostdev_conf {
	const char *device; /* the name of a link; NULL = not selected by it */
	struct mac hwaddr;
	const char *path; /* the device's folder in sysfs; NULL = not selected by it */
	const char *what; /* the selection, for messages: "device eth5"; NULL = none */
	bool dpdk;        /* a userspace driver has it, so there is no link to move */
	bool keep;        /* keepAddresses */
	bool dad;
	int mtu;        /* bytes; 0 = as it is */
	struct mac mac; /* none = as it is */
	struct result_dns dns;
	const char *resolv_conf; /* conf_resolv() */
};

/* Reads the configuration; without a selection, what is NULL. */
int hostdev_read(struct tx *tx, struct call *c, struct hostdev_conf *ret) CHECKED;

/* Finds out which device is selected.  A missing selection is a failure (CNI_E_CONFIG). */
int hostdev_select(struct tx *tx, struct call *c, struct hostdev_conf *d) CHECKED;

/* The link of the selected device on the host: 1, 0 if there is none, or a recorded failure. */
int hostdev_find(struct tx *tx, struct call *c, const struct hostdev_conf *d,
		 struct link *ret) CHECKED;

/* ---- what the device was on the host: record.c ---- */

#define HOSTDEV_RECORDS STATE_ROOT "/host-device"

struct hostdev_owner {
	const char *network, *id, *ifname;
	struct mark mark;
	struct state_file file;
};

int hostdev_owner(struct tx *tx, const char *network, const char *id, const char *ifname,
		  struct hostdev_owner *ret) CHECKED;

struct hostdev_record {
	struct link_saved link;
	struct addr_saved addrs; /* without those that have a lifetime */
	struct route_list routes;
	const char *netns;          /* path of the container's namespace */
	const char *inode, *cookie; /* netns_identify(); "" = unknown */
};

int hostdev_record_save(struct tx *tx, const struct hostdev_owner *o,
			const struct hostdev_record *r) CHECKED;
/* 1, 0 if there is none (or it is of no use: a warning says so), or a recorded failure. */
int hostdev_record_load(struct tx *tx, const struct hostdev_owner *o,
			struct hostdev_record *ret) CHECKED;

/*
 * Calls each(owner, record, arg) for the records of a network (NULL: of all) until it returns 1
 * or a failure, which is returned; else 0.
 */
typedef int hostdev_each_fn(struct tx *tx, const struct hostdev_owner *o,
			    const struct hostdev_record *r, void *arg);
int hostdev_each(struct tx *tx, const char *network, hostdev_each_fn *each, void *arg) CHECKED;

/* ---- to the container: take.c ---- */

/*
 * Moves the selected device to the container, as CNI_IFNAME; *ret is the link there, which is
 * down.  Undo: moves it back, with everything it had.
 */
int hostdev_take(struct tx *tx, struct call *c, const struct hostdev_conf *d,
		 struct hostdev_record *ret_record, struct link *ret) CHECKED;

/* CHECK: notes that a link of the container is another one than the attachment took. */
int hostdev_check(struct tx *tx, struct call *c, const struct link *l) CHECKED;

/* STATUS: fails if there is no such device on the host, and no container has it. */
int hostdev_status(struct tx *tx, struct call *c, const struct hostdev_conf *d) CHECKED;

/* ---- finding it again: find.c ---- */

/* Where a search is made, and for what. */
struct hostdev_place {
	struct rt *rt, *host;
	const struct hostdev_owner *owner; /* NULL: of any attachment, hostdev_has_owner() */
	const struct link_saved *saved;
	const char *name; /* that it would have there; NULL = any */
};

/* The attachment's device, wherever it is in a namespace: 1, 0, or a recorded failure. */
int hostdev_find_again(struct tx *tx, const struct hostdev_place *p, struct link *ret) CHECKED;

/*
 * Does a record describe the link?  With an owner in *p: one with the link's mark, because the mark
 * alone does not tell: the container can write one.  1, 0, or a recorded failure.
 */
int hostdev_has_owner(struct tx *tx, const struct hostdev_place *p, const struct link *l) CHECKED;

/* Does the host have such a device, so that some namespace has its link? */
bool hostdev_is_plugged(struct mem *mem, const struct link_saved *s);

/* ---- what it had: restore.c ---- */

/*
 * *ret is the name that the device had, or, if another link has that by now, a free one.  index: of
 * the device, 0 = it is not on the host yet.
 */
int hostdev_choose_name(struct tx *tx, struct rt *host, const char *had, int index,
			const char **ret) CHECKED;

/*
 * The device is on the host: gives it everything again.  What is refused for good is left out;
 * fails if a part is refused that may be possible later.  No undo.
 */
int hostdev_restore(struct tx *tx, struct rt *host, struct link *l,
		    const struct hostdev_record *r) CHECKED;

/* ---- and back: give_back.c ---- */

/*
 * DEL: moves the attachment's device from the container to the host, or finds it there, and gives
 * it everything that it had.  No undo.
 */
int hostdev_give_back(struct tx *tx, struct call *c, const struct hostdev_conf *d) CHECKED;

/* GC: the same for the attachments of the network that are not valid. */
int hostdev_give_back_stale(struct tx *tx, struct call *c) CHECKED;

/* The same for all devices that the kernel moved back from namespaces that died. */
int hostdev_reclaim(struct tx *tx, struct call *c) CHECKED;

#endif
