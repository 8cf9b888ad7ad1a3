/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * survey.h - everything of ours on this machine that has no living owner
 *
 * First, what is known about who lives: the attachments that any program's cache remembers,
 * with the verdict on their namespaces; those whose leases know that they live; and the
 * networks whose plugins get a GC anyway.  Then
 * each kind of thing is looked at: leases, nftables elements, links, resolv.conf files, open
 * ways from the host's loopback.  A thing goes
 *
 * - if its attachment is remembered, and its namespace is gone;
 * - if it is remembered by nobody, on a network whose GC removes such things;
 * - if nobody remembers it, and it tells itself that its owner is dead: a lease of another
 *   boot or of a namespace that is gone, elements whose link is gone.
 *
 * Else it stays.  Networks with disableGC are not touched.
 */
#ifndef CPLUG_CNITOOL_SURVEY_H
#define CPLUG_CNITOOL_SURVEY_H

#include "sys/alive.h"
#include "cnitool/cnitool.h"
#include "value/name.h"
#include "cnitool/netconf.h"
#include "nft/nfnl.h"
#include "netlink/rt.h"

struct survey_known {
	struct name_owner key;
	const char *network, *id, *ifname;
	const char *dead; /* why; NULL = it lives */
	bool deleting;    /* it gets a DEL, so what it has need not be told one by one */
};

struct survey_network {
	const char *name;
	bool disabled;   /* disableGC */
	bool collecting; /* its plugins, which are ours, get a GC */
	bool unsure;     /* its leases could not be read, so it gets none */
};

struct survey_finding;
struct survey {
	struct tool *t;
	const char *only; /* one network; NULL = all */
	struct survey_known *known;
	unsigned n_known;
	struct survey_network *nets;
	unsigned n_nets;
	const char **data_dirs; /* of host-local */
	unsigned n_data_dirs;
	struct alive alive;
	struct rt host;
	struct nfnl nf;
	struct survey_finding *v; /* what was found */
	unsigned n;
};

struct survey_finding {
	const char *kind;   /* "lease", "nftables", "link", "file", "sysctl" */
	const char *object; /* for people: "10.1.0.2 in /var/lib/cni/networks/net1" */
	const char *owner;  /* "NETWORK/ID/IFNAME", perhaps cut; NULL = not known */
	const char *why;
	bool removed; /* it is gone */
	bool told;    /* false: it goes with an attachment that gets a DEL */
	int (*remove)(struct survey *s, const struct survey_finding *f);
	/* For that: */
	const char *text, *network;
	const void *data;
};

/* Looks at everything.  Goes on after failures, and returns the first. */
int survey_look(struct survey *s) CHECKED;
/* Removes what is still there of it; likewise. */
int survey_sweep(struct survey *s) CHECKED;
void survey_close(struct survey *s);

/*
 * Adds to what is known the attachments that nobody remembers, but whose leases know that
 * their namespace lives: another program's ADD is perhaps just under way.
 */
int survey_note_living(struct survey *s) CHECKED;
bool survey_knows(const struct survey *s, const char *key);

/* Does a lease know that the attachment's namespace lives, whatever its path says? */
bool survey_lease_lives(struct survey *s, const char *network, const char *id, const char *ifname);

/* ---- for the kinds ---- */

/* What is known of a key; network may be NULL. */
struct survey_verdict {
	bool stays;
	const char *why; /* NULL: nobody knows it */
	bool told;
};
struct survey_verdict survey_judge(const struct survey *s, const char *key, const char *network);

/* Is a network, or (with a comment cut short) may it be, one to be looked at? */
bool survey_wants(const struct survey *s, const char *owner);
void survey_add(struct survey *s, struct survey_finding f);

int survey_leases(struct survey *s) CHECKED;
int survey_elements(struct survey *s) CHECKED;
int survey_links(struct survey *s) CHECKED;
int survey_files(struct survey *s) CHECKED;
int survey_loopback_routes(struct survey *s) CHECKED;

#endif
