/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * survey.h - objects of cplug on this host that have no living owner (cnitool gc)
 *
 * cmd_gc.c notes what is known: the attachments that any libcni program has cached, and which
 * of them are dead; living attachments that only their objects show; the networks whose plugins get
 * a GC.  Then the objects of each kind are listed.  An object is removed
 *
 * - if its attachment is known, and dead;
 * - if its attachment is not known, and its network gets a GC, which would remove it as well;
 * - if its attachment is not known, and the object itself shows that the owner is dead: a lease
 *   of an earlier boot or of a namespace that is gone, elements whose link is gone.
 *
 * Any other object stays, and so do all objects of networks with disableGC.
 *
 * survey.c decides, and removes; survey_KIND.c lists the objects of a kind.
 */
#ifndef CPLUG_CNITOOL_SURVEY_H
#define CPLUG_CNITOOL_SURVEY_H

#include "cnitool/cnitool.h"
#include "cnitool/netconf.h"
#include "netlink/rt.h"
#include "nft/nfnl.h"
#include "sys/alive.h"
#include "value/name.h"

struct survey_known {
	struct name_owner key;
	const char *network, *id, *ifname;
	const char *dead; /* the reason; NULL = it lives */
	bool gets_del;    /* its objects are reported as one, because a DEL removes them */
	bool replaceable; /* its namespace is gone: a runtime may use the same id for another one */
};

struct survey_network {
	const char *name;
	bool disabled;   /* disableGC */
	bool collecting; /* it gets a GC, and one of its plugins is cplug's */
	bool unsure;     /* who lives cannot be known, so it gets no GC */
};

/* Where one network has leases. */
struct survey_folder {
	const char *data_dir, *network;
};

struct survey_finding;
struct survey {
	struct tool *t;
	const char *only;           /* one network; NULL = all */
	struct survey_known *known; /* in the order of their keys */
	unsigned n_known;
	struct survey_network *nets;
	unsigned n_nets;
	/*
	 * Of host-local: the usual folder, and those that configurations of this host name.  Then
	 * those that only cached configurations name: with Multus, users write them, and a
	 * container may have such a folder as a volume.
	 */
	struct words data_dirs;
	struct survey_folder *folders;
	unsigned n_folders;
	unsigned n_foreign; /* files of leases seen in those */
	bool hurried;       /* a folder's lock was held for too long: no other is waited for */
	struct alive alive;
	struct rt host;
	struct nfnl nf;
	struct survey_finding *v; /* objects to be removed */
	unsigned n;
};

struct survey_verdict {
	bool stays;
	const char *why; /* NULL: the attachment is not known */
	bool reported;   /* as in struct survey_finding */
	struct name_owner key;
	const char *network;
};

/* An object to be removed. */
struct survey_finding {
	const char *kind;   /* "lease", "nftables", "link", "file", "sysctl" */
	const char *object; /* for people: "10.1.0.2 in /var/lib/cni/networks/net1" */
	const char *owner;  /* "NETWORK/ID/IFNAME", perhaps cut; NULL = not known */
	struct name_owner key;
	const char *network; /* NULL = not known */
	const char *why;
	bool reported; /* false: it belongs to an attachment that gets a DEL */
	bool removed;  /* result of survey_sweep() */
	/* Removes it, unless it belongs to another attachment by now. */
	int (*remove)(struct survey *s, const void *data);
	const void *data;
};

/* Opens what the functions below need; the first of all. */
int survey_open(struct survey *s) CHECKED;

/* Lists all objects to be removed.  Continues after failures; returns the first. */
int survey_look(struct survey *s) CHECKED;

/*
 * Removes those that are still there and have no living owner by now, and empty tables.  Reports
 * failures (tool_report()) and continues; fails only if we are interrupted.
 */
int survey_sweep(struct survey *s) CHECKED;

void survey_close(struct survey *s);

/* Notes that a cached configuration of the network names the data directory; copies the names. */
void survey_note_folder(struct survey *s, struct mem *m, const char *data_dir, const char *network);

/*
 * Adds an attachment to the known ones; copies nothing.  If it is among them, one that lives
 * replaces one that is dead, if that is replaceable.
 */
void survey_note(struct survey *s, const struct survey_known *k);

/* The same of one that lives. */
void survey_note_owner(struct survey *s, const char *network, const char *id, const char *ifname);

/*
 * Notes the attachments that are not cached, but one of whose objects shows that their namespace
 * lives: another program's ADD may be under way.
 */
int survey_note_living(struct survey *s) CHECKED;

/* Is the attachment among the known ones?  key: name_owner(). */
bool survey_knows(const struct survey *s, const char *key);

/* Is it known, and does it live? */
bool survey_lives(const struct survey *s, const char *key);

/* Is it certain that the namespace exists? */
bool survey_netns_lives(struct survey *s, const struct nsid *id);

/* May one of this boot exist?  ino, cookie 0 = unknown (netns_cookie()). */
bool survey_netns_may_live(struct survey *s, ino_t ino, uint64_t cookie);

/* Does a lease show that the attachment's namespace lives, even if its path does not exist? */
bool survey_lease_lives(struct survey *s, const char *network, const char *id, const char *ifname);

/* ---- for the kinds ---- */

/* What is known of an object's attachment, by its key.  network may be NULL: not known. */
struct survey_verdict survey_judge(const struct survey *s, const char *key, const char *network);

/* Does "NETWORK/ID/IFNAME", or the start of it, name a network to be looked at? */
bool survey_wants(const struct survey *s, const char *owner);

/* The network of that name, if it is configured; else NULL. */
const struct survey_network *survey_find_network(const struct survey *s, const char *name);

/* Adds an object; reason and whether it is reported are the verdict's. */
void survey_add(struct survey *s, const struct survey_verdict *v, struct survey_finding f);

/* Who lives cannot be known: nothing of the network (NULL: of any) is removed as not known. */
void survey_mark_unsure(struct survey *s, const char *network);

/* Each notes the attachments one of whose objects of a kind shows that their namespace lives. */
int survey_note_leases(struct survey *s) CHECKED;
int survey_note_elements(struct survey *s) CHECKED;
int survey_note_links(struct survey *s) CHECKED; /* its other end is in another namespace */
int survey_note_files(struct survey *s) CHECKED;

/* Each adds the objects of a kind that have no living owner. */
int survey_leases(struct survey *s) CHECKED;
int survey_elements(struct survey *s) CHECKED;
int survey_reference(struct survey *s) CHECKED;
int survey_links(struct survey *s) CHECKED;
int survey_files(struct survey *s) CHECKED;
int survey_loopback_routes(struct survey *s) CHECKED;

/* Deletes nftables tables that hold nothing of an attachment any more. */
int survey_prune_tables(struct survey *s) CHECKED;

#endif
