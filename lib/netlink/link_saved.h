/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link_saved.h - what a device is on the host, remembered while a container has it
 *
 * The container can rename the device, change every attribute, and make other links that look
 * like it.  So a device is recognised by what the container cannot choose (link_is_saved()), and
 * gets everything again (link_restore_*()), except for addresses and routes (addr.h, route.h).
 */
#ifndef CPLUG_LINK_SAVED_H
#define CPLUG_LINK_SAVED_H

#include "netlink/link.h"

/*
 * linux/if_link.h: IFLA_LINKMODE, IFLA_PROTO_DOWN, and the largest segments that are made or
 * joined.
 */
enum link_saved_number {
	LINK_SAVED_MODE,
	LINK_SAVED_PROTO_DOWN,
	LINK_SAVED_GSO_SIZE,
	LINK_SAVED_GSO_SEGMENTS,
	LINK_SAVED_GRO_SIZE,
	LINK_SAVED_GSO4_SIZE,
	LINK_SAVED_GRO4_SIZE,
	LINK_SAVED_NUMBERS
};

/* What ethtool(8) sets, by the structures of linux/ethtool.h. */
enum link_ethtool {
	LINK_ETHTOOL_CHANNELS,
	LINK_ETHTOOL_RINGS,
	LINK_ETHTOOL_COALESCE,
	LINK_ETHTOOL_PAUSE,
	LINK_ETHTOOL_WOL,
	LINK_ETHTOOL_EEE,
	LINK_ETHTOOL_FEC,
	LINK_ETHTOOL_PRIVATE,  /* flags of the driver's own */
	LINK_ETHTOOL_MESSAGES, /* the driver's messages in the kernel's log */
	LINK_ETHTOOL_FEATURES, /* offloads */
	LINK_ETHTOOL_SETTINGS
};

/* "coalesce", as in documents. */
const char *link_ethtool_name(enum link_ethtool i);

struct link_saved {
	char name[IFNAMSIZ];
	char alias[MARK_SIZE];
	char kind[16];
	/*
	 * "BUS DEVICE PORT MAC" of a link that is a device: its bus and its name there, the name of
	 * the port, and the permanent MAC address, each "-" if the kernel tells none.  "" of a link
	 * that has a kind, because such a link can be made by a request.
	 */
	const char *hardware;
	int index;
	int parent;       /* IFLA_LINK; 0 = none */
	bool parent_here; /* the parent is in the same namespace */
	int mtu;          /* bytes */
	struct mac mac, broadcast;
	bool xdp;              /* an XDP program is attached */
	unsigned flags;        /* IFF_* */
	uint32_t group;        /* device group */
	uint32_t tx_size;      /* length of the transmit queue, packets */
	char master[IFNAMSIZ]; /* "" = none */
	/* Numbers that any holder of the device can set, by enum link_saved_number; -1 = unknown.
	 */
	int64_t number[LINK_SAVED_NUMBERS];
	const char *ethtool[LINK_ETHTOOL_SETTINGS]; /* base64; NULL = unknown */
	struct link_data options; /* of a macvlan, ipvlan or VLAN: link_read_options() */
	const char **altnames;    /* alternative names, "ip link property" */
	unsigned n_altnames;
};

/* Reads the settings that the driver has; ret[i] is in the arena, or unchanged. */
void link_read_ethtool(struct mem *mem, struct rt *rt, const struct link *l,
		       const char *ret[LINK_ETHTOOL_SETTINGS]);

/*
 * The options that link_set_options() can set, in the arena; info is the attribute IFLA_LINKINFO,
 * or NULL.  None for other kinds than macvlan, macvtap, ipvlan, ipvtap and vlan.
 */
struct link_data link_read_options(struct mem *mem, const char *kind, struct nlattr *info);

/*
 * Sets the options that the link had, if those that it has now differ; nothing if it is not known
 * that it had some.  No undo: for DEL.
 */
int link_set_options(struct tx *tx, struct rt *rt, const struct link *l,
		     const struct link_data *was, const struct link_data *now) CHECKED;

/* Reads a link as it is now; *ret is in the arena.  -ENODEV, recorded, if it is gone. */
int link_save(struct tx *tx, struct rt *rt, const struct link *l, struct link_saved *ret) CHECKED;

/*
 * Is a link in rt's namespace like the saved one, in what the container cannot choose?  host: the
 * socket of the namespace in which it was saved.  *ret_sure (may be NULL): it is the saved one with
 * certainty, because it is a device, or a veth pair whose other end is on the host.  If not, it is
 * one of the same kind on the same parent, and the caller has to ask for the mark or the name.
 * 1, 0, or a recorded failure.
 */
int link_is_saved(struct tx *tx, struct rt *rt, struct rt *host, const struct link *l,
		  const struct link_saved *s, bool *ret_sure) CHECKED;

/* Removes the alternative names that the link has now and had not then.  No undo: for DEL. */
int link_drop_altnames(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct link_saved *s) CHECKED;

/*
 * Each sets what differs from the saved link; *l follows.  No undo: for DEL.  Several functions,
 * because a failure of one is no reason to leave the others out.
 */
/* name need not be the saved one, which may be in use. */
int link_restore_name(struct tx *tx, struct rt *rt, struct link *l, const char *name) CHECKED;
/* MTU, flags except for IFF_UP, device group, transmit queue, and then the numbers. */
int link_restore_settings(struct tx *tx, struct rt *rt, struct link *l,
			  const struct link_saved *s) CHECKED;
int link_restore_mac(struct tx *tx, struct rt *rt, struct link *l,
		     const struct link_saved *s) CHECKED;
/* The options of its kind. */
int link_restore_options(struct tx *tx, struct rt *rt, struct link *l,
			 const struct link_saved *s) CHECKED;
/* The broadcast MAC. */
int link_restore_broadcast(struct tx *tx, struct rt *rt, struct link *l,
			   const struct link_saved *s) CHECKED;
/* Detaches an XDP program if there was none. */
int link_restore_xdp(struct tx *tx, struct rt *rt, struct link *l,
		     const struct link_saved *s) CHECKED;
/* What link_read_ethtool() has read. */
int link_restore_ethtool(struct tx *tx, struct rt *rt, struct link *l,
			 const struct link_saved *s) CHECKED;
int link_restore_altnames(struct tx *tx, struct rt *rt, struct link *l,
			  const struct link_saved *s) CHECKED;
/* The master, by name; none of that name: nothing. */
int link_restore_master(struct tx *tx, struct rt *rt, struct link *l,
			const struct link_saved *s) CHECKED;
/* Up or down. */
int link_restore_state(struct tx *tx, struct rt *rt, struct link *l,
		       const struct link_saved *s) CHECKED;
int link_restore_alias(struct tx *tx, struct rt *rt, struct link *l,
		       const struct link_saved *s) CHECKED;

#endif
