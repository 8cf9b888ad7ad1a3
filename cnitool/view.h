/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * view.h - what is plugged where on this host (cnitool graph, inspect)
 *
 * Reads namespaces, interfaces, addresses, queueing disciplines and the table inet cplug from the
 * kernel, and the leases of host-local; not the caches of runtimes.  Nothing is changed, and no
 * lock is taken.
 *
 * The texts are not escaped.  A container chooses the names of its interfaces.
 */
#ifndef CPLUG_CNITOOL_VIEW_H
#define CPLUG_CNITOOL_VIEW_H

#include "cnitool/cnitool.h"
#include "ipam/host-local/lease.h"
#include "netlink/link.h"
#include "nft/nft.h"
#include "value/mark.h"

/* The most interfaces of a namespace, and about the most texts of an interface, that are shown. */
enum { VIEW_LINKS_MAX = 4096, VIEW_FACTS_MAX = 40 };

struct view_lease {
	struct ip ip;
	const char *network, *id, *ifname; /* ifname NULL: an old lease */
	const char *dir;                   /* DATA_DIR/NETWORK */
	int64_t age;                       /* in seconds */
};

/* Published ports; or a masqueraded address, without proto. */
struct view_elem {
	struct ip to;   /* the container's address */
	const char *at; /* the host's: "127.0.0.1:"; "" = any */
	uint8_t proto;
	unsigned first, last, target; /* host ports; the container port of the first */
	const char *owner;            /* "KEY NETWORK/ID/IFNAME", may be cut */
};

struct view_if {
	struct link l;
	unsigned ns;             /* index into view.ns */
	int under;               /* what it is plugged into: index into view.v; -1 = nothing */
	int lower;               /* what it is on top of, beside that; -1 = nothing */
	struct mark_owner owner; /* by its mark, or that of the host's end; network NULL: none */
	struct words facts;      /* for people */
	bool kept;               /* selected by the operand */
};

struct view_ns {
	const char *name;
	ino_t ino;
	bool kept; /* shown, although it has no interfaces */
};

struct view {
	struct tool *t;
	struct rt host;
	struct view_ns *ns; /* the first is the host */
	struct view_if *v;
	struct view_lease *leases;
	struct view_elem *elems;
	unsigned n_ns, n, n_leases, n_elems;
	bool near;    /* only the host, and the namespace of view_read() */
	ino_t wanted; /* a namespace that is shown even if nothing leads to it */
};

/*
 * Reads all.  path: also shows this namespace if nothing leads to it; NULL = none.  What cannot be
 * read is left out and noted (tool_note()).  view_close() in any case.
 */
int view_read(struct view *w, const char *path) CHECKED;
void view_close(struct view *w);

/* Selects an interface (kept), and what it is plugged into. */
void view_keep(struct view *w, int i);

/* Adds the members that describe an interface. */
void view_put_if(struct jw *j, const struct view *w, const struct view_if *v);

/* The parts that inspect needs. */
int view_read_leases(struct view *w) CHECKED;
int view_read_elems(struct view *w, struct nfnl *nl) CHECKED; /* by address and port */

/*
 * The data directories of host-local: those that a network's configuration names; and with the
 * default, and the user's own.  Each once.
 */
struct netconf;
void view_note_data_dirs(struct mem *m, const struct netconf *n, struct words *ret);
void view_data_dirs(struct tool *t, const struct netconf *nets, unsigned n, struct words *ret);

/*
 * Calls each() for every element of every set of a table; with e NULL at the beginning of a set,
 * and when its dump starts again.  A missing table is empty.
 */
typedef int view_elem_fn(const char *set, const struct nft_elem *e, void *arg);
int view_each_elem(struct tx *tx, struct nfnl *nl, struct nft_ref table, view_elem_fn *each,
		   void *arg) CHECKED;

/* "port 127.0.0.1:8080/tcp -> 80", "ports 9000-9009/udp -> 9000-9009", "masqueraded". */
const char *view_elem_text(struct mem *m, const struct view_elem *e);

/* "8 Mbit/s", to which what a link sends is limited; NULL = it is not. */
int view_rate(struct tx *tx, struct rt *rt, const struct link *l, const char **ret) CHECKED;

/* "bridge", "device" if the kernel names no kind; and "up", "no carrier" or "down". */
const char *view_kind(const struct link *l);
const char *view_state(const struct link *l);

/* Printable ASCII: other bytes, and the backslash, become \xNN.  In the arena. */
const char *view_escape(struct mem *m, const char *s);

/* Appends a formatted text. */
void view_say(struct mem *m, struct words *list, const char *fmt, ...) PRINTF(3, 4);

#endif
