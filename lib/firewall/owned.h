/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owned.h - nftables elements that belong to an attachment
 *
 * Everything an attachment has in nftables is an element of a set or map: so ADD,
 * DEL and the data path cost the same with one attachment or ten thousand.  The
 * owner's key and name stand in each element's comment.  Beside them an index, the
 * set `attachments` of the same table, tells which elements an attachment has: it
 * is written in the same transaction, so it is never wrong about what we made, and
 * DEL needs nothing but (network, id, ifname): no prevResult, no runtimeConfig, no
 * dump.
 *
 * An element is deleted only if it still carries our comment, in a transaction that
 * fails if the ruleset changed since we looked (the generation id): an address or
 * port that meanwhile went to another container stays with it.
 */
#ifndef CPLUG_OWNED_H
#define CPLUG_OWNED_H

#include "value/name.h"
#include "nft/nft.h"
#include "netlink/rt.h"
#include "base/tx.h"

struct owner {
	const char *network, *id, *ifname;
	struct name_owner key;
	const char *comment; /* "KEY NETWORK/ID/IFNAME", cut to what an element holds */
};

struct owner owner_of(struct tx *tx, const char *network, const char *id, const char *ifname);

/*
 * A set or map of a table.  Elements of sets with a group suffix live in "name-GROUP".
 *
 * A verdict map with lookup sets is not looked up by any rule: whenever somebody adds an element
 * that leads to a chain, the kernel walks all elements of every verdict map that is
 * (nft_lookup_validate), so that an ADD would cost more with every container.  It is a
 * directory, and it makes the kernel count who leads to a chain.  Rules look up its lookup sets:
 * for every chain one set "name-HASH" of the same keys, which the skeleton declares.
 */
struct owned_set {
	const char *name;
	const enum nft_type *key, *data; /* as for nft_set() */
	bool interval;
	bool grouped;
	bool has_lookup_sets;
	unsigned key_len; /* bytes */
};

/* A table: constant, one per module (nat, spoof guard). */
struct owned_table {
	uint8_t family;
	const char *name;
	const struct owned_set *sets;
	unsigned n_sets;
	/* Says the skeleton: table, chains, rules, without elements; group may be "". */
	void (*skeleton)(struct nft *n, const char *group, void *arg);
	/* Called before, to see what is there; NULL = it need not know.  -errno, recorded. */
	int (*survey)(struct tx *tx, struct nfnl *nl, void *arg);
};

/* A set's name, with the group's suffix where it has one. */
const char *owned_set_name(struct tx *tx, const struct owned_set *s, const char *group);

/* The set that a rule looks up for a chain that elements of s lead to. */
const char *owned_lookup_set(struct tx *tx, const struct owned_set *s, const char *chain);

/*
 * Who adds elements: a plugin, and what for.  The letter is part of the index key, so that two
 * plugins can have elements for one attachment.  owned_index.c has the table of all kinds.
 */
enum owned_kind {
	OWNED_UNLISTED = 0, /* elements that no index lists (struct owned_seen) */
	OWNED_BRIDGE_NAT = 'b',
	OWNED_PORTMAP_NAT = 'p',
	OWNED_SPOOF = 's',
};

/* What to do with an element whose key another owner has. */
enum owned_conflict {
	OWNED_FAIL,    /* refuse, naming the owner, unless that one is dead */
	OWNED_REPLACE, /* take it over */
	OWNED_WARN,    /* leave it, and warn */
};

struct owned_elem {
	unsigned set; /* index into the table's sets */
	struct nft_elem e;
	enum owned_conflict conflict;
	const char *what; /* for messages: "host port 8080/tcp" */
	bool skipped;     /* result: left to its owner (OWNED_WARN) */
};

struct owned_change {
	const struct owned_table *table;
	const struct owner *owner;
	enum owned_kind kind;
	const char *group; /* suffix of grouped sets, "" = none; at most 12 characters */
	int link; /* ifindex on the host that lives as long as the attachment, 0 = unknown */
	struct owned_elem *elems;
	unsigned n;
	void *arg;   /* for the skeleton */
	bool repair; /* what is ours may be there, or half of it: all in place anew */
	/* Result: there was an owner before, or perhaps was: a key taken over, a table built. */
	bool inherits;
};

/*
 * Adds the elements and the index in one transaction, building the skeleton only if
 * the kernel says that something is missing.  A key that is taken is handled as the
 * element's conflict says; one whose owner's link is gone is taken over.  Undo: deletes
 * them again and gives back what was taken over.
 */
int owned_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c) CHECKED;

/*
 * What hangs on elements and is not in the table: flows, a way through the host.  It is
 * settled when they are gone, and must be although a call is killed in between: so as long as
 * needed() says that there is something, the index stays, and tells the next call.
 */
struct owned_cleanup {
	/*
	 * Told every element that was deleted, and every one in the index that was gone
	 * before (without data).
	 */
	void (*note)(const struct nft_elem *e, unsigned set, void *arg);
	/* Is there something to be settled for these?  Asked before they are deleted. */
	bool (*needed)(const struct owned_elem *elems, unsigned n, void *arg);
	void *arg;
	bool unfinished; /* result: when all is settled, call again, without a cleanup */
};

/* Deletes what is still ours; nothing there is success.  cleanup may be NULL. */
int owned_del(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	      enum owned_kind kind, struct owned_cleanup *cleanup) CHECKED;

/*
 * Other elements that would get in the way of ours although their keys differ (a range that
 * holds a port): n keys of a set.  As for a conflict in owned_add(), but what is alive
 * stays, and a dead owner is deleted altogether.
 */
int owned_clash(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c,
		const struct owned_elem *keys, unsigned n) CHECKED;

/*
 * Deletes the table if it holds no attachment and no chain that ours(chain) does not
 * know: an administrator's stays.
 */
int owned_prune(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		bool (*ours)(const char *chain)) CHECKED;

/*
 * For CHECK: notes every element that is missing or not ours (differ.h).
 */
int owned_check(struct tx *tx, struct nfnl *nl, const struct owned_change *c) CHECKED;

/* The owner keys that are still valid, sorted, for GC. */
struct owned_valid {
	const struct name_owner *keys;
	unsigned n;
};

/*
 * For GC: owned_del() of every attachment of the network in the index that is not
 * among the valid ones; goes on after failures.
 */
int owned_gc(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *network,
	     enum owned_kind kind, const struct owned_valid *valid,
	     struct owned_cleanup *cleanup) CHECKED;

/*
 * The same about what the elements live in: the table, its sets and chains, every rule
 * of the skeleton, and the index of the attachment.
 */
int owned_check_skeleton(struct tx *tx, struct nfnl *nl, const struct owned_change *c) CHECKED;

/* ---- for who looks over the whole machine ---- */

/* What an owner has in a table. */
struct owned_seen {
	char key[IFNAMSIZ];
	enum owned_kind kind;
	const char *comment; /* "KEY NETWORK/ID/IFNAME", perhaps cut */
	unsigned link;       /* ifindex on the host, 0 = unknown */
	unsigned n;          /* elements, of those that no index lists */
};

/* Everybody's, in the arena; a table that is not there is empty. */
int owned_survey(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		 struct owned_seen **ret, unsigned *ret_n) CHECKED;

/*
 * Deletes what carries the comment and no index lists, wherever it is in the table; nothing,
 * if there is an index by now.  What an index lists is owned_del()'s.
 */
int owned_sweep(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		const struct owned_seen *s) CHECKED;

#endif
