/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold.h - the leases that the daemon holds, and what the daemon's files share
 *
 * daemon.c has the options and the loop, server.c the socket, hold.c the life of a lease, wire.c
 * its packets, probe.c its ARP probes, hold6.c and wire6.c the same for DHCPv6, apply.c changes of
 * the container's interface, record.c the files below /run.
 */
#ifndef CPLUG_DHCP_HOLD_H
#define CPLUG_DHCP_HOLD_H

#include "base/tx.h"
#include "ipam/dhcp/client.h"
#include "ipam/dhcp/client6.h"
#include "ipam/dhcp/rpc.h"
#include "sys/netns.h"
#include "sys/state.h"

/* What epoll_wait(2) reports about: the first member of what the daemon waits for. */
struct daemon;
struct source {
	int fd; /* -1: none */
	void (*ready)(struct daemon *d, struct source *s, unsigned events);
};

struct daemon_options {
	const char *socket, *pidfile, *prefix; /* NULL: none */
	bool broadcast;
	uint32_t timeout, resend_max, resend_timeout; /* ms */
};

struct client; /* a connection: server.c */

enum { DAEMON_CLIENTS_MAX = 256, DAEMON_LEASES_MAX = 65536, DAEMON_LEFT_MAX = 4 };
/*
 * ADDs that wait for a lease at the same time: of all networks, so that connections remain for the
 * other calls; and of one.
 */
enum { DAEMON_WAITING_MAX = 192, DAEMON_NETWORK_MAX = 128 };

struct daemon {
	struct daemon_options opt;
	struct tx tx; /* of the present event */
	int epoll, timer;
	int spare; /* a descriptor that is closed to refuse a connection */
	struct source listener;
	bool passed; /* the listener is systemd's, which removes the socket's file */
	struct client *clients;
	unsigned n_clients, n_leases;
	struct hold *leases;
	const char *state_dir;
	sigset_t signals; /* that may come while the loop waits */
};

/* The DHCPv6 half of what is held for an attachment. */
enum hold6_phase {
	HOLD6_STARTS,  /* waits until the link-local address can be used */
	HOLD6_RUNS,    /* the state machine of client6.c decides */
	HOLD6_SETTLES, /* the same, and a new address is watched: it may be a duplicate */
};

struct hold6 {
	struct source udp;    /* open only while an answer is expected */
	struct source events; /* changes of addresses; open while a phase waits for one */
	struct hold *hold;
	enum hold6_phase phase;
	unsigned looks; /* events of this phase; a container makes as many as it likes */
	int64_t listen; /* until when udp is open; ms of CLOCK_BOOTTIME */
	int64_t watch;  /* until when the phase waits */
	int64_t wake;   /* when hold6_timer() has something to do */
	bool solicit;   /* the kernel has asked no router: accept_ra was off */
	struct dhcp6_client c;
};

static inline bool hold6_has_lease(const struct hold6 *six)
{
	return dhcp6_has_lease(&six->c);
}

/* The leases of one attachment: one for each family.  The strings follow the structure. */
struct hold {
	struct source packet, udp, arp; /* open only while an answer is expected */
	struct source changer;          /* a pipe that ends with the last child of apply_change() */
	/*
	 * What the container had of DHCPv4 and DHCPv6 before the change that the child makes (size
	 * 0: nothing); NULL: no change is under way.  It is in the file, so that the next daemon
	 * completes the change.
	 */
	struct dhcp_lease *replaced[2];
	struct hold *next;
	struct client *asker;  /* the connection that waits for the first leases; NULL: none */
	bool leaving;          /* its RELEASE waits for the next hop's MAC; then it is freed */
	struct client *leaver; /* the connection that waits for that; NULL: none */
	char *network, *id, *ifname, *netns;
	dev_t dev; /* identity of the namespace: a path may become another's */
	ino_t ino;
	uint64_t cookie;
	int index;       /* ifindex, as last seen */
	int64_t listen;  /* until when the sockets are open; ms of CLOCK_BOOTTIME */
	int64_t wake4;   /* when v4 or its sockets have something to do */
	int64_t wake;    /* when hold_timer() has something to do */
	int64_t carrier; /* how often the link came and went before the last ACK; -1: not known */
	int64_t priority;
	bool server_mtu;
	bool four;          /* v4 is used */
	uint32_t arp_probe; /* ms; 0: the address is not probed */
	bool checking;      /* there is a lease, which is used when the probe is over */
	bool conflict;      /* another host, rival, uses the address */
	uint8_t rival[6];
	unsigned probes;     /* that were sent */
	int64_t probe_begun; /* ms of CLOCK_BOOTTIME */
	char parent[16];     /* the host's link to the same network; "": not known */
	/* What the leases had before and have not now, the latest first; the rest has no family. */
	struct ip left[DAEMON_LEFT_MAX];
	struct dhcp_client v4;
	struct hold6 *six; /* NULL: no DHCPv6 */
};

/* ---- daemon.c ---- */

/* Milliseconds of CLOCK_BOOTTIME, and fresh random bits. */
struct dhcp_at daemon_at(void);

/* A line on stderr about a lease. */
void daemon_say(const struct hold *l, const char *fmt, ...) PRINTF(2, 3);

/* Adds s->fd to what the loop waits for; closes it and returns -errno if that fails. */
int daemon_watch(struct daemon *d, struct source *s, unsigned events) CHECKED;
void daemon_unwatch(struct daemon *d, struct source *s);

/* ---- server.c ---- */

/* Takes the socket of systemd (sd_listen_fds(3)), or makes one.  Returns 0 or a failure. */
int server_open(struct daemon *d) CHECKED;
void server_close(struct daemon *d);
/* Ends connections that are too slow; returns when the next one is. */
int64_t server_timer(struct daemon *d, int64_t now);
/* Answers a connection that waited: with the leases, or the recorded failure. */
void server_answer(struct daemon *d, struct client *c, const struct hold *l);

/* ---- hold.c ---- */

struct dhcp_ipam;

#define DHCP_NOT_RELEASED "not released, so the server keeps the address until the lease ends: "

struct hold *hold_find(struct daemon *d, const char *network, const char *id, const char *ifname);
/* Begins to look for a lease; asker gets the answer. */
int hold_begin(struct daemon *d, const struct rpc_args *a, const char *network,
	       const struct dhcp_ipam *cf, struct client *asker) CHECKED;
/*
 * Removes its file, and gives the leases back to the servers.  Returns true if the message waits
 * for the MAC of its next hop: the lease then frees itself, and answers l->leaver.
 */
bool hold_give_back(struct daemon *d, struct hold *l);
/* The same, and frees it. */
void hold_release(struct daemon *d, struct hold *l);
/* Frees it, and stops its timers and sockets; the file of its state stays. */
void hold_free(struct daemon *d, struct hold *l);
void hold_timer(struct daemon *d, struct hold *l);
/* A new structure in the list. */
struct hold *hold_new(struct daemon *d, const char *network, const char *id, const char *ifname,
		      const char *netns);
/* Goes on with a lease that was loaded, and completes the changes of l->replaced. */
void hold_resume(struct daemon *d, struct hold *l);
/* hold_result.c: the result of a lease of DHCPv4. */
void hold_result(const struct hold *l, struct mem *mem, const struct dhcp_lease *of,
		 struct result *ret);
/* The result of the present leases, as ADD gives it. */
void hold_results(const struct hold *l, struct mem *mem, struct result *ret);
/*
 * Another lease of this family takes the place of before: notes the address that is left, for the
 * plugins (firewall/owned_left.c).
 */
void hold_note_left(struct hold *l, struct mem *mem, bool six, const struct dhcp_lease *before);
/* Is there a lease of each family? */
bool hold_is_complete(const struct hold *l);
/* Is it of the namespace that is at this path now? */
bool hold_is_in(struct daemon *d, const struct hold *l, const char *netns);
/*
 * May the interface that is there now use it?  One that was made anew has another MAC, or else is
 * prepared like the first one.
 */
bool hold_fits(struct daemon *d, struct hold *l);

/* For hold6.c.  hold_set_wake() takes the earlier of both families' times. */
void hold_set_wake(struct hold *l);
/* Writes its file.  before: the lease of this family that a change replaces; NULL: no change. */
void hold_save(struct daemon *d, struct hold *l, bool six, const struct dhcp_lease *before);
/* Remembers what a change replaces; false: no memory. */
bool hold_replaces(struct hold *l, bool six, const struct dhcp_lease *before);
/* Answers the asker if all leases are there.  Returns false if there is no asker. */
bool hold_answer(struct daemon *d, struct hold *l);
/* ADD cannot succeed, for the recorded reason: gives back what there is, and frees l. */
void hold_fail(struct daemon *d, struct hold *l);
/* A failure that says that the container is gone; hold_forget() then frees l. */
bool hold_is_gone(int r);
void hold_forget(struct daemon *d, struct hold *l);

/* ---- wire.c ---- */

/*
 * Opens the namespace.  A lease whose ino is 0 takes the one that is there; another one than before
 * is refused (-ESTALE).  Failures are recorded, -ENOENT also.
 */
int wire_enter(struct daemon *d, struct hold *l, struct netns *ret) CHECKED;
/* Opens the namespace and finds the link.  Sets *ret_mac, and sets the link up. */
int wire_look(struct daemon *d, struct hold *l, uint8_t ret_mac[6]) CHECKED;
/* Sends what todo says, and opens the socket for the answer. */
int wire_send(struct daemon *d, struct hold *l, const struct dhcp_todo *todo) CHECKED;
/*
 * RELEASE.  Returns 0 if it is sent, or 1 if the kernel asks for the MAC of the next hop: l->udp is
 * ready when it has gone out.
 */
int wire_release(struct daemon *d, struct hold *l, const struct dhcp_todo *todo) CHECKED;
/* The same as a frame to all on the link, for which no MAC has to be known. */
int wire_release_frame(struct daemon *d, struct hold *l, const struct dhcp_todo *todo) CHECKED;
/*
 * The same from the daemon's own namespace, when the container's or its link is gone: a datagram
 * that the host routes, and a frame on l->parent, because the host may have no way to the server,
 * or a wrong one.  Fails if neither is sent.
 */
int wire_release_from_host(struct daemon *d, const struct hold *l,
			   const struct dhcp_todo *todo) CHECKED;
/*
 * A link that was made of another one, as macvlan, names it itself: then l->parent is that one,
 * or "" if it is not in the daemon's own namespace.  After wire_look().
 */
int wire_find_parent(struct daemon *d, struct hold *l) CHECKED;
/* How often the link came and went; -1: not known.  Fails as wire_look() if there is none. */
int wire_carrier(struct daemon *d, struct hold *l, int64_t *ret) CHECKED;
/* Reads one datagram into data[DHCP_PACKET]; 0: none that may be an answer. */
size_t wire_receive(const struct hold *l, const struct source *s, uint8_t *data);
void wire_close(struct daemon *d, struct hold *l);

/*
 * What functions in the container's namespace take, or its head; they must not use the arena.
 */
struct wire_job {
	char ifname[16];
	int fd, index; /* fd: what the function opens */
	/* DHCPv4 alone: what follows when the link is looked up; NULL: nothing. */
	int (*open)(struct tx *tx, void *arg);
	uint8_t mac[6];
	struct in_addr from; /* the leased or offered address */
};
/* Has fn(tx, j) run in the namespace, with ifname and fd (-1) set. */
int wire_run(struct daemon *d, struct hold *l, int (*fn)(struct tx *tx, void *arg),
	     struct wire_job *j) CHECKED;
/*
 * Sends a request to rtnetlink in the namespace of the caller, and receives the datagram that
 * answers it, without waiting.  Only the kernel can send to a connected socket; what came before,
 * its random sequence number tells apart.  Sets request->nlmsg_seq; room is in bytes.  Returns the
 * size of the datagram or a negative errno (netlink(7)).
 */
struct nlmsghdr;
ssize_t wire_ask(struct nlmsghdr *request, struct nlmsghdr *answer, size_t room) CHECKED;
/* Waits for input of fd, which becomes that of s. */
int wire_wait(struct daemon *d, struct source *s, int fd) CHECKED;
/*
 * Opens j->fd, a packet socket (AF_PACKET, SOCK_DGRAM) for a protocol (ETH_P_*) with a filter, in
 * the namespace of the caller.  Returns 0 or a recorded failure (packet(7)).
 */
struct sock_fprog;
int wire_packet_socket(struct tx *tx, struct wire_job *j, int protocol,
		       const struct sock_fprog *filter) CHECKED;
/* Has fn(tx, a struct wire_job) open s->fd, unless it is open, and waits for input. */
int wire_open(struct daemon *d, struct hold *l, int (*fn)(struct tx *tx, void *arg),
	      struct in_addr from, struct source *s) CHECKED;

/* ---- probe.c ---- */

/* Begins to probe v4.address, unless it has begun or arp_probe is 0.  Failures are recorded. */
int probe_begin(struct daemon *d, struct hold *l) CHECKED;
/* Sends the probes that are due.  Returns when there is something to do; DHCP_NEVER: not any more.
 */
int64_t probe_timer(struct hold *l, int64_t now);
/* Is it known whether the address may be used? */
bool probe_is_over(const struct hold *l, int64_t now);
/* Reads what has come, and sets conflict. */
void probe_receive(struct hold *l);

/* ---- hold6.c ---- */

/* Gives the attachment a DHCPv6 half; NULL: no memory. */
struct hold6 *hold6_new(struct hold *l);
void hold6_free(struct daemon *d, struct hold *l);
/* Reads the configuration, and prepares the interface. */
int hold6_configure(struct daemon *d, struct hold *l, const struct dhcp_ipam *cf) CHECKED;
/* As the functions of hold.h; each of these may free l. */
void hold6_begin(struct daemon *d, struct hold *l);
void hold6_resume(struct daemon *d, struct hold *l);
void hold6_timer(struct daemon *d, struct hold *l);
/* The interface is prepared: asks the routers if the kernel has not. */
void hold6_prepared(struct daemon *d, struct hold *l);
/* The plugin has got the address, and is about to give it to the interface. */
void hold6_answered(struct daemon *d, struct hold *l);
/* Lets a lease that was loaded, and not resumed, be given back. */
void hold6_restore(struct hold6 *six);
/* Sends a RELEASE (a DECLINE if the address is a duplicate); the address is removed before. */
void hold6_give_back(struct daemon *d, struct hold *l);
/* Appends the address and the DNS of a lease to a result. */
void hold6_result(const struct hold6 *six, struct mem *mem, const struct dhcp_lease *of,
		  struct result *ret);

/* ---- wire6.c ---- */

enum wire6_state { WIRE6_ABSENT, WIRE6_TENTATIVE, WIRE6_DUPLICATE, WIRE6_USABLE };

/*
 * Lets the interface have IPv6 addresses and take routes from router advertisements (sysctls
 * disable_ipv6 and accept_ra).
 */
int wire6_prepare(struct daemon *d, struct hold *l) CHECKED;
/* The state of an address of the interface; NULL: of its link-local address. */
int wire6_look(struct daemon *d, struct hold *l, const struct in6_addr *a,
	       enum wire6_state *ret) CHECKED;
/* Opens six->events. */
int wire6_watch(struct daemon *d, struct hold *l) CHECKED;
/* Reads the events that have come. */
void wire6_drain(const struct source *events);
/* Asks for the routes of routers (RFC 4861, 6.3.7), once the link-local address is usable. */
int wire6_solicit(struct daemon *d, struct hold *l) CHECKED;
/* Sends todo->packet by multicast, and opens six->udp for the answer. */
int wire6_send(struct daemon *d, struct hold *l, const struct dhcp_todo *todo) CHECKED;
/* The same without waiting for an answer, after an address was removed from the interface. */
int wire6_send_last(struct daemon *d, struct hold *l, const struct dhcp_todo *todo,
		    const struct in6_addr *remove) CHECKED;

/* The same from l->parent, when the container's namespace or link is gone. */
int wire6_send_from_host(struct daemon *d, const struct hold *l,
			 const struct dhcp_todo *todo) CHECKED;

/* ---- apply.c ---- */

/*
 * Changes the interface's address and routes from those of before to those of after (size 0: none),
 * in a child process, which the daemon does not wait for; but a later child of the same lease does.
 * An IPv6 address that is there also gets the lifetimes of the lease.
 */
struct apply_want {
	const struct dhcp_lease *before, *after;
	bool six; /* leases of DHCPv6 */
};
void apply_change(struct daemon *d, struct hold *l, const struct apply_want *want);

/* ---- record.c ---- */

int record_save(struct daemon *d, const struct hold *l) CHECKED;
void record_forget(struct daemon *d, const struct hold *l);
/* Is there a file of the lease? */
bool record_is_kept(struct daemon *d, const struct hold *l);
/* Loads all leases. */
int record_load_all(struct daemon *d) CHECKED;
/* All leases as a JSON list, in the arena. */
const char *record_list(struct daemon *d);

#endif
