/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat_impl.h - what the files of the nat module share (nobody else includes this)
 *
 * nat_table.c says the table; nat_dispatch.c the part of it that grows with the number of
 * networks; nat_localnet.c has the routes from the host's loopback; nat_flows.c forgets old
 * flows; nat_conflicts.c looks who has a port already; nat.c does the verbs.
 */
#ifndef CPLUG_NAT_IMPL_H
#define CPLUG_NAT_IMPL_H

#include "firewall/nat.h"

enum nat_set {
	MASQ4,
	MASQ6,
	PUBLISHED4,
	PUBLISHED6,
	HOSTPORTS4,
	HOSTPORTS6,
	PORTS4,
	PORTS6,
	HOSTRANGES4,
	HOSTRANGES6,
	RANGES4,
	RANGES6,
	N_SETS
};

enum { PORTS_RULES = 8, SNAT_RULES = 3 };

/*
 * A path: a rule of one of three dispatching chains that leads what a set holds to the
 * chain of a network or bridge.
 */
struct nat_dispatch_rule {
	const char *from;      /* the dispatching chain */
	const char *chain;     /* where it leads */
	const char *set, *why; /* for which addresses, and the set's comment */
	bool six, there;       /* there: the kernel has such a rule */
	uint64_t handle;       /* of that */
};

struct nat_dispatch_rules {
	struct nat_dispatch_rule *v;
	unsigned n;
};

/* What the skeleton of one change needs beside the constant part. */
struct nat_skeleton {
	struct mem *mem;
	const struct nat *n;
	const char *dev;
	const struct owned_change *change;
	bool surveyed;                    /* what follows is known */
	struct nat_dispatch_rules needed; /* that it needs */
	struct nat_dispatch_rules stale;  /* that nobody needs any more */
};

/* Notes the paths that the change needs, which are there, and which others are stale. */
int nat_dispatch_survey(struct tx *tx, struct nfnl *nl, void *arg) CHECKED;
/* Says the dispatching chains; what is missing in them, and takes away what is stale. */
void nat_dispatch_put_chains(struct nft *n);
void nat_dispatch_put_rules(struct nft *n, struct nat_skeleton *s);
bool nat_dispatch_owns(const char *chain);

/* The chain that drops what leaves a subnet without a connection to translate. */
const char *nat_stray_chain(struct mem *mem, const char *masq_chain);

/* "cplug", and its sets. */
extern const struct owned_table nat_table;
extern const struct nft_ref nat_table_ref;

/* The chain that masquerades what leaves a subnet of the network. */
const char *nat_masq_chain(struct mem *mem, const struct nat *n, struct cidr subnet);

/* The chain that masquerades what was redirected to a container, reached through dev. */
const char *nat_snat_chain(struct mem *mem, const struct nat *n, struct cidr subnet,
			   const char *dev);

/* The key of one of a mapping's host ports. */
struct nft_key nat_port_key(const struct port_mapping *m, unsigned port);

/*
 * Is a host port of the attachment taken: by a service of the host; by a range that holds
 * our port, or a port that our range holds?  Handled as onConflict says.
 */
int nat_find_listeners(struct tx *tx, const struct nat *n) CHECKED;
int nat_find_conflicts(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
		       struct owned_change *of) CHECKED;

/* The link through which the host reaches the container; "none" if it does not. */
int nat_reach_dev(struct tx *tx, struct rt *host, const struct nat *n, const char **ret) CHECKED;

/* The loopback route of an snat chain, by its name; false if there is none. */
bool nat_localnet_of(const char *chain, struct nat_loopback_route *ret);

/* Is it open?  1, 0 (or its link is gone), or a recorded failure. */
int nat_localnet_is_open(struct tx *tx, struct rt *host,
			 const struct nat_loopback_route *l) CHECKED;

/*
 * The loopback routes of a change.  prepare registers the undo: before the elements are added,
 * because the undo closes a route only after the elements are gone.  add opens them.  check notes
 * those that are not open (differ.h).
 */
int nat_localnet_prepare(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct owned_change *c) CHECKED;
int nat_localnet_add(struct tx *tx, struct rt *host, const struct owned_change *c) CHECKED;
int nat_localnet_check(struct tx *tx, struct rt *host, const struct owned_change *c) CHECKED;

/* Does a container behind the link publish ports? */
int nat_localnet_used(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l,
		      bool *ret) CHECKED;
/* Closes a route if it is unused. */
int nat_localnet_release(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct nat_loopback_route *l) CHECKED;
/* Closes all unused routes of chains in the table. */
int nat_localnet_sweep(struct tx *tx, struct nfnl *nl, struct rt *host) CHECKED;

/*
 * Forgets the flows that began before the ports were ours.  Of TCP they are looked for only
 * if somebody had the ports, or perhaps had (inherits).
 */
int nat_flush_for_add(struct tx *tx, struct nfnl *nl, const struct nat *n, bool inherits) CHECKED;

/* What a DEL learns from the elements it deletes, and does when they are gone. */
struct nat_after_del {
	struct mem *mem;
	struct nfnl *nl;
	bool any; /* was there anything? */
	struct ct_filter *flows[2];
	unsigned n_flows[2];
	struct nat_loopback_route *users;
	unsigned n_users;
};
void nat_after_del_note(const struct owned_elem *e, void *arg);
/* Are there flows of these ports, perhaps? */
bool nat_after_del_needed(const struct owned_elem *elems, unsigned n, void *arg);
int nat_after_del_finish(struct tx *tx, struct nfnl *nl, struct rt *host,
			 struct nat_after_del *a) CHECKED;

#endif
