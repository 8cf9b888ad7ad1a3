/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - network interfaces  (linux/if_link.h, linux/veth.h, linux/if_bridge.h)
 *
 * Links are made in place: one request gives the final name, MTU, MAC, master and
 * namespace; nothing is renamed or moved afterwards (house rule R9).
 */
#ifndef CPLUG_LINK_H
#define CPLUG_LINK_H

#include <net/if.h>

#include "value/ip.h"
#include "netlink/rt.h"
#include "base/tx.h"

struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[16];   /* "veth", "bridge", …; "" if the kernel names none */
	char alias[256]; /* ifalias; "" if none */
	unsigned flags;  /* IFF_* */
	unsigned promiscuity;
	int mtu; /* bytes */
	struct mac mac;
	int master;         /* ifindex, 0 = none */
	int peer;           /* IFLA_LINK: the peer's or parent's ifindex, 0 = none */
	uint8_t operstate;  /* IF_OPER_* */
	int vlan_filtering; /* of a bridge: 0 or 1, else -1 */
	int default_pvid;   /* of a bridge */
	int port_state;     /* of a bridge port: BR_STATE_*, else -1 */
	int hairpin, isolated, learning, flood, locked;
};

/*
 * Starts a question for links (RTM_GETLINK; flags: NLM_F_DUMP, or 0), without their counters,
 * which the kernel would sum up over all processors.  Returns its header.
 */
struct ifinfomsg *link_question(struct rt_msg *m, int flags);

/*
 * Looks a link up.  Returns 1 and fills *ret (may be NULL), 0 if there is none, or
 * a recorded failure.
 */
int link_find(struct tx *tx, struct rt *rt, const char *name, struct link *ret) CHECKED;
int link_find_index(struct tx *tx, struct rt *rt, int index, struct link *ret) CHECKED;

/*
 * The name alone, of a link of the process's own namespace, without the RTNL lock that the
 * others wait for (SIOCGIFNAME, netdevice(7)).  Returns 1, 0 if there is none, or -errno,
 * unrecorded.
 */
int link_name(struct rt *rt, int index, char name[IFNAMSIZ]) CHECKED;

/* Calls each(link, arg) for every link of a kind ("" = all); each returns 1 to stop. */
int link_each(struct tx *tx, struct rt *rt, const char *kind,
	      int (*each)(const struct link *l, void *arg), void *arg) CHECKED;

/* A random, locally administered unicast MAC. */
struct mac link_random_mac(void);

struct link_veth {
	const char *host_name; /* on the side of rt */
	const char *cont_name; /* in peer_ns */
	const struct netns *peer_ns;
	int mtu; /* bytes, 0 = the kernel's default */
	struct mac host_mac, cont_mac;
	int master;  /* of the host end, 0 = none */
	bool shared; /* ensure it: exists = fine, nothing to undo */
};

/*
 * Adds a veth pair, both ends down.  Fails with CPLUG_E_EXISTS if cont_name exists in
 * the container (cont is asked), CPLUG_E_TAKEN if host_name is in use.  Undo: deletes
 * the pair.
 */
int link_veth_add(struct tx *tx, struct rt *host, struct rt *cont,
		  const struct link_veth *v) CHECKED;

/*
 * The container's end of a pair just added, from the host's end as it was looked up:
 * what link_find() would tell, without asking.  false: ask.
 */
bool link_veth_peer(const struct link_veth *v, const struct link *host, struct link *ret);

struct link_bridge {
	const char *name;
	const char *alias; /* given to a bridge that we make; NULL = none */
	int mtu;           /* of a bridge that we make, 0 = the kernel's default */
	struct mac mac;    /* likewise, none = a random one */
	bool vlan_filtering;
	bool promisc;
};

/*
 * Ensures a bridge: there, up, with VLAN filtering if wanted, promiscuous if
 * wanted (never switched off: another network may want it).  One that it makes is of this
 * process's namespace, and does not listen to router advertisements.  Fails with
 * CPLUG_E_TAKEN if the name belongs to something that is not a bridge.
 */
int link_bridge_ensure(struct tx *tx, struct rt *rt, const struct link_bridge *b,
		       struct link *ret) CHECKED;

/*
 * For a link on the host just made, still down: its IPv6 addresses are usable at once.
 * Before its own link-local address is, a router cannot ask who has an address, so the
 * first packets from outside would wait for two seconds of duplicate address detection.
 */
int link_set_no_dad(struct tx *tx, const struct link *l) CHECKED;

/* Sets up.  No undo: for links that are ours, or meant to be up. */
int link_set_up(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/* What a link that is there should be; 0, false and a MAC without bytes: no matter. */
struct link_want {
	int mtu, master; /* bytes; ifindex */
	struct mac mac;
	bool up;
};

/*
 * Puts right what differs, in one request, or none; *l follows.  Undo: as it was.
 */
int link_ensure(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *w) CHECKED;

/*
 * Up, and the IPv4 device settings that IFLA_AF_SPEC can carry (arp_notify), in one
 * request.
 */
int link_set_up_notify(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * Tells the link's peers on the wire where its addresses live now: the kernel sends
 * a gratuitous ARP and (with ndisc_notify) unsolicited neighbour advertisements
 * when a MAC is set, also to the value it has.  No packet socket, no grace period.
 */
int link_announce(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/* Deletes; a link that is gone is success. */
int link_del(struct tx *tx, struct rt *rt, const char *name) CHECKED;

/*
 * Deletes n links as they were looked up, in one request if that can be: they are put into
 * a device group of their own, which then is deleted, so that the kernel waits for one
 * grace period instead of n.  Goes on after failures.
 */
int link_del_all(struct tx *tx, struct rt *rt, const struct link *links, unsigned n) CHECKED;

#endif
