/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * link.h - network interfaces  (linux/if_link.h)
 *
 * Links are made in place: one request gives the final name, MTU, MAC, master and
 * namespace; nothing is renamed or moved afterwards (house rule R9).
 *
 * link.c reads, link_add.c makes, link_ensure.c puts right what is there, link_del_all.c
 * deletes many.
 */
#ifndef CPLUG_LINK_H
#define CPLUG_LINK_H

#include <net/if.h>

#include "netlink/rt.h"
#include "value/ip.h"
#include "value/mark.h"

/*
 * The attributes of IFLA_INFO_DATA as the kernel sent them, in the arena.  None from link_each(),
 * and none of a bridge, which has struct link_bridge.
 */
struct link_data {
	const void *attrs;
	unsigned len;
};

/* What only a bridge has. */
struct link_bridge {
	int vlan_filtering; /* 0 or 1; -1 = no bridge */
	int default_pvid;   /* VLAN id; 0 = none */
};

/* What only a port of a bridge has. */
struct link_port {
	int state;                                      /* BR_STATE_*; -1 = no bridge port */
	int hairpin, isolated, learning, flood, locked; /* 0 or 1 */
};

struct link {
	int index;
	char name[IFNAMSIZ];
	char kind[16];         /* "veth", "bridge", …; "" if the kernel names none */
	char alias[MARK_SIZE]; /* ifalias; "" if none */
	uint32_t group;        /* device group */
	unsigned flags;        /* IFF_* */
	unsigned promiscuity;
	int mtu;         /* bytes */
	uint32_t txqlen; /* packets */
	struct mac mac;
	int master;      /* ifindex, 0 = none */
	int parent;      /* IFLA_LINK: ifindex of the parent, or of a veth's peer; 0 = none */
	int parent_nsid; /* the namespace that parent is in (IFLA_LINK_NETNSID); -1 = this one */
	bool is_cut_off; /* the kernel is destroying that namespace, and has taken its id away */
	struct link_bridge bridge;
	struct link_port port;
	struct link_data data;
};

/* ---- reading: link.c ---- */

/*
 * Starts a request for links (RTM_GETLINK; flags: NLM_F_DUMP, or 0) without their statistics,
 * because the kernel sums those up over all processors.  Returns its header.
 */
struct ifinfomsg *link_question(struct rt_msg *m, int flags);

/*
 * Looks a link up.  Returns 1 and fills *ret (may be NULL), 0 if there is none, or
 * a recorded failure.
 */
int link_find(struct tx *tx, struct rt *rt, const char *name, struct link *ret) CHECKED;
int link_find_index(struct tx *tx, struct rt *rt, int index, struct link *ret) CHECKED;

/* The same for a link that must be there: a missing one is a recorded failure (-ENODEV). */
int link_need(struct tx *tx, struct rt *rt, const char *name, struct link *ret) CHECKED;

/*
 * Sends a request that makes a link in rt's own namespace.  *ret is the link as the kernel's
 * notification tells it, before it gets its master; its index is 0 if the kernel sends none
 * (rt_try_seen()).  Returns 0 or -errno, unrecorded.
 */
int link_make_try(struct mem *mem, struct rt *rt, struct rt_msg *m, struct link *ret) CHECKED;

/*
 * The name alone, of a link of the process's own namespace, without the RTNL lock that the
 * others wait for (SIOCGIFNAME, netdevice(7)).  Returns 1, 0 if there is none, or -errno,
 * unrecorded.
 */
int link_name_try(struct rt *rt, int index, char name[IFNAMSIZ]) CHECKED;

/*
 * The same for the index of a link that has this name (SIOCGIFINDEX): 0 if there is none.  The
 * kernel loads no module of this name, as it does for who may configure the network (priv.h).
 */
int link_index_try(struct rt *rt, const char *name) CHECKED;
/* The same in the namespace that the thread is in, without a socket of rtnetlink. */
int link_here_try(const char *name) CHECKED;

/*
 * What netdevice(7) tells of a link without the RTNL lock: its index, name (also of an alternative
 * name), flags, MTU and MAC of 6 bytes.  kind is what the caller knows, or ""; the rest of *ret is
 * not known.  false: it is not there, or the question has to be asked by link_find().
 */
bool link_glance(struct rt *rt, const char *name, const char *kind, struct link *ret);
/* The same in the namespace that the thread is in, as link_here_try(). */
bool link_glance_here(const char *name, struct link *ret);

/*
 * Calls each(link, arg) for every link of a kind ("" = all); each returns 1 to stop.  It is called
 * with NULL first, and when a change interrupted the list, which then starts over.
 */
typedef int link_each_fn(const struct link *l, void *arg);
int link_each(struct tx *tx, struct rt *rt, const char *kind, link_each_fn *each,
	      void *arg) CHECKED;

/*
 * The same for the links of a master (ifindex); old kernels show all links.  What comes after the
 * link at which each() returned 1 is not read (rt_peek()), and an interrupted list does not start
 * over.
 */
int link_each_port(struct tx *tx, struct rt *rt, int master, link_each_fn *each, void *arg) CHECKED;

/*
 * Finds the namespace's link of that kind that carries the mark, whatever its name.  Returns 1, 0
 * (none), or a recorded failure.
 */
int link_find_marked(struct tx *tx, struct rt *rt, const char *kind, const struct mark *mark,
		     struct link *ret) CHECKED;

/* An attribute of IFLA_INFO_DATA; NULL if absent. */
const struct nlattr *link_data_attr(const struct link *l, int attr);

/* A number of IFLA_INFO_DATA (u8, u16 or u32, in the kernel's byte order); def if absent. */
uint32_t link_data_number(const struct link *l, int attr, uint32_t def);

/* Does the link carry the mark, or the device group of a new link that will carry it? */
static inline bool link_is_marked(const struct link *l, const struct mark *m)
{
	return mark_matches(m, l->alias, l->group);
}

/* Is it one of cplug's that its ADD has not given its mark yet?  The ADD may have been killed. */
static inline bool link_is_unfinished(const struct link *l)
{
	return !*l->alias && mark_is_group(l->group);
}

/*
 * The id that rt's namespace has for another one (NULL: the process's own), as in parent_nsid
 * (linux/net_namespace.h, RTM_GETNSID); -1 = none, as for itself.
 */
int link_nsid(struct tx *tx, struct rt *rt, const struct netns *ns, int *ret) CHECKED;

/* Is it one end of a pair: kind "veth", or "netkit"? */
static inline bool link_is_end(const struct link *l)
{
	return str_eq(l->kind, "veth") || str_eq(l->kind, "netkit");
}

/*
 * Is the container's link the other end of the host's?  The container can choose the ifindex that
 * its own link names as peer, so the host's link is asked, and the namespace compared.  1, 0,
 * or a recorded failure.
 */
int link_is_pair(struct tx *tx, struct rt *host, const struct link *at_host, const struct rt *cont,
		 const struct link *at_cont) CHECKED;

/*
 * Is the other end of a pair in a namespace that the kernel destroys, because its last user has
 * gone?  It has an id until the destruction begins.  1, 0, or a recorded failure.
 */
int link_has_lost_peer(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/* ---- making: link_add.c ---- */

/* A random, locally administered unicast MAC; none if the kernel gives no random bytes. */
struct mac link_random_mac(void);

/*
 * A link to be made.  Fields that are 0, NULL or without bytes leave it to the kernel.
 * Always give a MAC where the kind has its own: the kernel marks one that it made up as
 * random (NET_ADDR_RANDOM), and udev may change it.
 */
struct link_new {
	const char *kind; /* "veth", "macvlan", … */
	const char *name;
	struct rt *in; /* the namespace where it appears; NULL = that of the request's socket */
	int parent;    /* IFLA_LINK: ifindex in the namespace of the request's socket */
	int master;    /* likewise */
	int mtu;       /* bytes */
	struct mac mac;
	const struct mark *mark; /* its group, until the alias is set (mark.h); NULL = none */
	int queues;              /* transmit and receive queues, each */
	/* The kind's own attributes: called between begin and end of IFLA_INFO_DATA. */
	void (*put)(struct rt_msg *m, const void *data);
	const void *data;
	/* The other end of a pair of kind veth or netkit (linux/veth.h); in place of put. */
	const struct link_new *peer;
	/*
	 * What an error of the kernel may mean: for the details, or without a parent in place of
	 * the kernel's words; hint_for 0: -EINVAL.
	 */
	const char *hint;
	int hint_for;
};

/*
 * Adds a link, which is down.  *ret (may be NULL) is what was made.  Undo: deletes it.
 * A name that is in use in the container fails with CPLUG_E_EXISTS, one on the host with
 * CPLUG_E_TAKEN, and the message tells what has it.  If that is a link with the same mark, its
 * other end may be in a namespace that the kernel is destroying: link_add() waits up to five
 * seconds for it to go, also for a pair's end of another attachment of which that is certain, and
 * for the parent's link of the same VLAN, or its macvlan in mode passthru.
 */
int link_add(struct tx *tx, struct rt *rt, const struct link_new *n, struct link *ret) CHECKED;

/*
 * The same for a link that is shared: a link of that name is taken as it is, whatever its kind.
 * *ret_made tells whether this call made it.  No undo.
 */
int link_add_shared(struct tx *tx, struct rt *rt, const struct link_new *n, struct link *ret,
		    bool *ret_made) CHECKED;

/*
 * Fails (-EBUSY) if a bridge or bond takes the frames of a link, which therefore cannot be the
 * parent of `what` (for the message), a macvlan or ipvlan link.  A VRF leaves them to others.
 */
int link_need_no_master(struct tx *tx, struct rt *rt, const struct link *parent,
			const char *what) CHECKED;

/*
 * The far end of a pair just added, derived from the near end as it was looked up: what
 * link_find() would tell, without a request.  false: not known, look it up.
 */
bool link_peer(const struct link_new *n, const struct link *near, struct link *ret);

/* ---- changing: link_ensure.c ---- */

enum link_switch { LINK_LEAVE, LINK_ON, LINK_OFF };

/* What a link should be; 0, false, NULL and a MAC without bytes: leave as it is. */
struct link_want {
	int mtu, master; /* bytes; ifindex */
	struct mac mac;
	const struct mark *mark; /* as alias; takes the link out of the group of new links */
	bool up;
	enum link_switch promisc, allmulti;
	const uint32_t *txqlen; /* packets */
	/* The kind's own attributes, always set (the caller has compared them). */
	void (*put)(struct rt_msg *m, const void *data);
	const void *data;
	const void *data_before; /* what put takes for the way back; NULL = there is none */
	const char *hint; /* for the details, if the kernel refuses those attributes; NULL = none */
	bool shared;      /* a link of many attachments: no undo */
};

/*
 * Puts right what differs, in one request, or none; *l follows.  Undo: as it was, unless the
 * link is shared.
 */
int link_ensure(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *w) CHECKED;

/*
 * The way back of a link_ensure() without undo: what *w asks for, and *was, the link before, did
 * not have, becomes as it was.  A link that is gone is success.
 */
int link_put_back(struct tx *tx, struct rt *rt, const struct link *was,
		  const struct link_want *w) CHECKED;
/* Would link_ensure() change anything? */
bool link_differs(const struct link *l, const struct link_want *w);

/* Composing: the mark as alias, which takes the place of the group of new links (mark.h). */
void link_put_mark(struct rt_msg *m, const struct mark *mark);

/* Sets up.  No undo: for links that are ours, or meant to be up. */
int link_set_up(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * For a link in a container that is ours: sets it up, with arp_notify (IFLA_AF_SPEC) and with
 * the mark as its alias (NULL: none), in one request.  No undo.
 */
int link_set_up_notify(struct tx *tx, struct rt *rt, const struct link *l,
		       const struct mark *mark) CHECKED;

/*
 * For a new link that is still down: its IPv6 addresses are usable at once (accept_dad 0).
 * Until a router's own link-local address is, it cannot solicit neighbours, so the first
 * packets from outside would wait two seconds for duplicate address detection.
 */
int link_set_no_dad(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * For a new link that is still down, and that only carries frames (a bridge's port, an ifb): the
 * kernel gives it no IPv6 address of its own (IFLA_INET6_ADDR_GEN_MODE none, linux/if_link.h).  So
 * nothing is sent for one (MLD, duplicate address detection), and with IPv6 forwarding on, the link
 * has no router anycast address, whose release makes the kernel wait for a second grace period at
 * the deletion.  Its alias is set in the same request, because of a link that is down the kernel
 * tells no part of the network; *l follows.  A kernel without IPv6, or an MTU that is too small for
 * it, has no address to give: then nothing is set, and the alias goes with the link's start.
 */
int link_set_no_ipv6(struct tx *tx, struct rt *rt, struct link *l, const struct mark *mark) CHECKED;

/*
 * Sets the MAC to the value that it has.  The kernel then counts it as set (addr_assign_type 3),
 * and a bridge keeps it, where otherwise it follows the lowest MAC of its ports.
 */
int link_fix_mac(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * Tells the link's peers on the wire where its addresses live now: the kernel sends
 * a gratuitous ARP and (with ndisc_notify) unsolicited neighbour advertisements
 * when a MAC is set, also to the value it has.  No packet socket, no grace period.  Kinds whose MAC
 * cannot be set (ipvlan) are not announced again: link_set_up_notify() did so for IPv4.
 */
int link_announce(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/* Takes a link from its master (bridge, VRF).  No undo: for DEL. */
int link_free(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * Deletes a link as it was looked up, by its ifindex: a name may be another link's alternative
 * name.  A link that is gone is success.
 */
int link_del(struct tx *tx, struct rt *rt, const struct link *l) CHECKED;

/*
 * Deletes n links as they were looked up, all in one request: they are put into a device group of
 * their own, which is then deleted, so that the kernel waits for one grace period instead of n.  If
 * that is refused, one after the other.  Goes on after failures.
 */
int link_del_all(struct tx *tx, struct rt *rt, const struct link *links, unsigned n) CHECKED;

/*
 * The same for the DEL of one attachment, whose links are in the host's namespace.  Together with
 * other DELs that run at the same time: one of them deletes the links of all (link_doomed.c).
 */
int link_del_jointly(struct tx *tx, struct rt *rt, const struct link *links, unsigned n) CHECKED;

/*
 * Deletes the macvlans, ipvlans, VLANs and the like in rt's namespace on top of link `index` of the
 * namespace with this id there (link_nsid(); -1 = the same).
 */
int link_del_uppers(struct tx *tx, struct rt *rt, int index, int nsid) CHECKED;

#endif
