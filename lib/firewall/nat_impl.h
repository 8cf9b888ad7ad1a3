/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat_impl.h - shared by the files of the nat module only
 *
 * nat.c has the verbs, nat_table.c the table, nat_dispatch.c the part of it that grows with the
 * number of networks, nat_localnet.c the loopback routes, nat_flows.c the conntrack flows,
 * nat_conflicts.c the ports that are in use.
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
	LOCALNET4,
	LOCALNET6,
	N_SETS
};

enum { PORTS_RULES = 8, SNAT_RULES = 3, GUARD_RULES = 4 };

/*
 * A dispatch rule: a rule in one of three chains that looks up a lookup set (owned.h) and leads to
 * the chain of a network or bridge.
 */
struct nat_dispatch_rule {
	const char *from;      /* the chain that has the rule */
	const char *chain;     /* the chain that it leads to */
	const char *set, *why; /* the lookup set, and its comment */
	bool six, there;       /* IPv6; the kernel has the rule */
	uint64_t handle;       /* of the rule, if it is there */
};

struct nat_dispatch_rules {
	struct nat_dispatch_rule *v;
	unsigned n;
};

/* How the host reaches a container. */
struct nat_reach {
	const char *dev; /* the link; "none" if there is no route */
	bool own;        /* no other container is behind it */
};

/* What skeleton() and survey() of one change need (struct owned_table). */
struct nat_skeleton {
	struct mem *mem;
	const struct nat *n;
	struct nat_reach reach;
	const struct owned_change *change;
	bool surveyed;                    /* nat_dispatch_survey() has filled in what follows */
	struct nat_dispatch_rules needed; /* by the change */
	struct nat_dispatch_rules stale;  /* no longer used */
};

/*
 * Lists the dispatch rules that the change needs, whether the kernel has them, and those that are
 * no longer used.  arg: struct nat_skeleton.
 */
int nat_dispatch_survey(struct tx *tx, struct nfnl *nl, void *arg) CHECKED;
/* Put the chains of dispatch rules; the rules that are missing, and the deletion of stale ones. */
void nat_dispatch_put_chains(struct nft *n);
void nat_dispatch_put_rules(struct nft *n, struct nat_skeleton *s);
bool nat_dispatch_owns(const char *chain);

/* The chain that drops packets that would leave a subnet untranslated (ct state invalid). */
const char *nat_stray_chain(struct mem *mem, const char *masq_chain);

/* Table inet cplug. */
extern const struct owned_table nat_table;
extern const struct nft_ref nat_table_ref;

/* The chain that masquerades packets from a subnet of the network. */
const char *nat_masq_chain(struct mem *mem, const struct nat *n, struct cidr subnet);

/* The chain that masquerades redirected packets to a container. */
const char *nat_snat_chain(struct mem *mem, const struct nat *n, struct cidr subnet,
			   struct nat_reach reach);

/* The key of one host port of a mapping. */
struct nft_key nat_port_key(const struct port_mapping *m, unsigned port);

/*
 * Looks for host ports of the attachment that are in use: by a socket of the host; by a range that
 * contains our port, or a port that is in our range.  Handled as onConflict says.  had: of a
 * repair, the ports that the attachment has now, which a socket does not take from it; NULL = not
 * known, so that it may have had all of them.
 */
struct nat_after_del;
int nat_find_listeners(struct tx *tx, const struct nat *n, const struct nat_after_del *had) CHECKED;
int nat_find_conflicts(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
		       struct owned_change *of) CHECKED;

/* How the host reaches the container. */
int nat_find_reach(struct tx *tx, struct rt *host, const struct nat *n,
		   struct nat_reach *ret) CHECKED;

/* Does the attachment need a loopback route of its own (sets localnet4 and localnet6)? */
bool nat_has_own_route(const struct nat *n, struct nat_reach reach);

/*
 * The loopback route of an snat chain, by its name; and that of an element of set, which names
 * its link or leads to such a chain.  False if there is none.
 */
bool nat_localnet_of(const char *chain, struct nat_loopback_route *ret);
bool nat_localnet_of_elem(unsigned set, const struct nft_elem *e, struct nat_loopback_route *ret);

/* Did cplug open the IPv4 loopback route of an snat chain?  By the chain's name. */
bool nat_localnet_is_on(const char *chain);

/* Is it open, by cplug?  1, 0 (or its link is gone), or a recorded failure. */
int nat_localnet_is_open(struct tx *tx, struct rt *host,
			 const struct nat_loopback_route *l) CHECKED;

/*
 * The chain `guard`, without which an open route_localnet exposes the host's loopback.  find: 1 if
 * it is as it must be, 0, or a recorded failure.  ensure puts it in place, alone, if it is missing
 * or empty; shared: no undo.
 */
int nat_guard_find(struct tx *tx, struct nfnl *nl) CHECKED;
int nat_guard_ensure(struct tx *tx, struct nfnl *nl) CHECKED;

/*
 * The loopback routes of a change.  prepare registers the undo: before the elements are added,
 * because the undo closes a route only after the elements are gone.  add opens them, after the
 * chain `guard` is in place.  check notes those that are not open, and a missing guard (differ.h).
 */
int nat_localnet_prepare(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct owned_change *c) CHECKED;
int nat_localnet_add(struct tx *tx, struct nfnl *nl, struct rt *host,
		     const struct owned_change *c) CHECKED;
int nat_localnet_check(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct owned_change *c) CHECKED;

/* Does a container behind the link publish ports? */
int nat_localnet_used(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l,
		      bool *ret) CHECKED;
/* Is the IPv4 route of a chain or element in the table open?  1, 0, or a recorded failure. */
int nat_localnet_any_open(struct tx *tx, struct nfnl *nl) CHECKED;
/* Closes a route if it is unused, and cplug opened it. */
int nat_localnet_release(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct nat_loopback_route *l) CHECKED;
/* Closes all unused routes of chains in the table. */
int nat_localnet_sweep(struct tx *tx, struct nfnl *nl, struct rt *host) CHECKED;

/*
 * Deletes conntrack flows of the ports that began before this ADD.  TCP flows are searched only if
 * the ports may have been published before (inherits: owned_change).
 */
int nat_flush_for_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
		      bool inherits) CHECKED;

/*
 * Collected by DEL from the elements that it deletes, and done after they are gone (struct
 * owned_cleanup): conntrack flows and loopback routes.
 */
struct nat_after_del {
	struct mem *mem;
	struct nfnl *nl;
	const char *dev; /* the link to the container; NULL = unknown */
	bool any;        /* an element was found */
	struct ct_filter *flows[2];
	unsigned n_flows[2];
	struct nat_loopback_route *users;
	unsigned n_users;
};
void nat_after_del_note(const struct owned_elem *e, void *arg);
/* May there be conntrack flows of these ports? */
bool nat_after_del_needed(const struct owned_elem *elems, unsigned n, void *arg);
int nat_after_del_finish(struct tx *tx, struct nfnl *nl, struct rt *host,
			 struct nat_after_del *a) CHECKED;

#endif
