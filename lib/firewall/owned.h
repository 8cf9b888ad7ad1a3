/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owned.h - nftables elements that belong to an attachment
 *
 * Everything that an attachment has in nftables is an element of a set or map.  Therefore the
 * cost of ADD, of DEL and of a packet does not depend on the number of attachments.  Each
 * element's comment contains the key and the name of its owner.
 *
 * An index, the set `attachments` of the same table, lists the elements of each attachment.  The
 * transaction that changes the elements also changes the index, so it cannot be wrong about them.
 * DEL therefore needs only network, container id and interface name: no prevResult, no
 * runtimeConfig, no dump of the table.
 *
 * An element is deleted only if its comment still names the owner, in a transaction that fails
 * if the ruleset has changed since the element was read (generation id).  So an address or port
 * that another container has taken over stays with it.
 *
 * Functions named owned_put_*() add messages to a change-set (nft.h): they cannot fail, and
 * nothing happens before the change-set is committed.
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
	/* "KEY NETWORK/ID/IFNAME"; if it is longer than NFT_COMMENT_MAX, cut, with a hash at its
	 * end */
	const char *comment;
	/* The network namespace, which shows later whether the owner still lives; 0 = unknown. */
	uint32_t ino;
	uint64_t cookie;
};

/* The owner that is the attachment (network, id, ifname); comment is in the arena. */
struct owner owner_of(struct mem *mem, const char *network, const char *id, const char *ifname);

/* ---- tables ---- */

/*
 * A set or map of a table.
 *
 * No rule looks up a verdict map that has lookup sets.  When an element that leads to a chain is
 * added, the kernel walks all elements of every verdict map that a rule looks up
 * (nft_lookup_validate() in net/netfilter/nft_lookup.c), so each container would make the next
 * ADD slower.  Such a map only records which chain an element leads to, and makes the kernel count
 * the references to that chain.  Rules look up a lookup set instead: for each chain, the set
 * "NAME-HASH" has the keys that lead to it.  The skeleton declares the lookup sets.
 */
struct owned_set {
	const char *name;
	const enum nft_type *key, *data; /* as for nft_set() */
	bool interval;
	bool grouped; /* a group has a set of its own, "NAME-GROUP" */
	bool has_lookup_sets;
	bool on_demand;   /* skeleton() puts the set, if the change has elements there */
	unsigned key_len; /* bytes */
};

/* A table; one constant for each. */
struct owned_table {
	uint8_t family; /* NFPROTO_* */
	const char *name;
	const struct owned_set *sets;
	unsigned n_sets;
	/* Puts the skeleton into a change-set: chains and rules.  arg: of the change. */
	void (*skeleton)(struct nft *n, const char *group, void *arg);
	/*
	 * Called before skeleton(), to read what the kernel has; NULL if skeleton() does not need
	 * it.  Returns 0 or a recorded failure.
	 */
	int (*survey)(struct tx *tx, struct nfnl *nl, void *arg);
};

/* The sets of a table for one group. */
struct owned_sets {
	const struct owned_table *table;
	const char *group; /* suffix of the names of grouped sets, at most 12 bytes; "" = none */
};

/* The name of a set, in the arena; and where it is.  set: index into the table's sets. */
const char *owned_set_name(struct mem *mem, struct owned_sets in, unsigned set);
struct nft_ref owned_set_ref(struct mem *mem, struct owned_sets in, unsigned set);

/* The name of the lookup set of s for a chain, in the arena. */
const char *owned_lookup_set(struct mem *mem, const struct owned_set *s, const char *chain);

/* ---- adding and checking ---- */

/*
 * The plugin that adds elements, and their purpose.  The letter is part of the index key, so that
 * two plugins can have elements for one attachment.  owned_index.c has the table of all kinds.
 */
enum owned_kind {
	OWNED_UNLISTED = 0, /* elements that no index lists (struct owned_seen) */
	OWNED_MAIN_NAT = 'b',
	OWNED_PORTMAP_NAT = 'p',
	OWNED_SPOOF = 's',
	OWNED_FIREWALL = 'f',
};

/* What to do if another owner has the key of an element. */
enum owned_conflict {
	OWNED_FAIL, /* fail and name the owner, unless it is dead */
	/*
	 * Take the key over from an attachment of the own network; from others only if the host
	 * allows it (replaceAcrossNetworks, cplug.conf(5)), else as OWNED_FAIL.
	 */
	OWNED_REPLACE_OWN,
	OWNED_WARN, /* leave the key to its owner, unless it is dead, and warn */
	/*
	 * For an address or a link, which any configuration can name: as OWNED_FAIL, but with
	 * CPLUG_E_ADDRESS.
	 */
	OWNED_HELD,
	/* Take the key over: only for what cannot be another's while the attachment has it. */
	OWNED_REPLACE,
};

struct owned_elem {
	unsigned set; /* index into the table's sets */
	enum owned_conflict conflict;
	struct nft_elem e;
	const char *what; /* for messages: "host port 8080/tcp" */
	/* Results. */
	struct nft_elem there; /* what the kernel has at the key, if there.found */
	bool in_lookup_set;    /* the key is in the lookup set of there.chain, too */
	bool takeover;         /* there is deleted in favour of e */
	bool skipped;          /* left to its owner (OWNED_WARN) */
};

struct owned_cleanup;
struct owned_change {
	struct owned_sets in;
	const struct owner *owner;
	enum owned_kind kind;
	int link; /* ifindex of the attachment's link on the host; 0 = unknown */
	struct owned_elem *elems;
	unsigned n;
	void *arg;   /* for skeleton() and survey() */
	bool repair; /* the elements may be there, or some of them: put all in place again */
	/* Of a repair, for what the index lists and the change has not; NULL = nothing depends on
	 * it. */
	struct owned_cleanup *cleanup;
	/* Result: a key was taken over, or the table was built: there may be old flows. */
	bool inherits;
};

/*
 * Adds the elements and the index in one transaction.  It creates the skeleton only if the kernel
 * reports that something is missing.  A key that is taken is handled as e.conflict says; a key
 * whose owner is dead (its link on the host, or its network namespace, is gone) is taken over.
 * Fails with CPLUG_E_PORT or CPLUG_E_ADDRESS if a living owner has a key (OWNED_FAIL, OWNED_HELD),
 * with CNI_E_AGAIN if the ruleset changes all the time.
 * A repair also deletes, in the same transaction, what the index lists and the change has not;
 * while the cleanup needs them, the index lists them still (c->cleanup->unfinished: to be repeated
 * with c->cleanup NULL).
 * Undo: deletes the elements and gives back those that were taken over.  c must live as long.
 */
int owned_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c) CHECKED;

/*
 * Handles conflicts of elements whose keys differ, such as a range that contains a port: the
 * elements of c are the keys that may be in the way.  As owned_add(), but a living owner keeps its
 * element, and everything of a dead owner is deleted.
 */
int owned_clash(struct tx *tx, struct nfnl *nl, struct rt *host, struct owned_change *c) CHECKED;

/*
 * For CHECK: notes everything that differs from what owned_add() makes (differ.h): the table, its
 * sets and chains, every rule of the skeleton, the index, every element.
 */
int owned_check(struct tx *tx, struct nfnl *nl, struct owned_change *c) CHECKED;

/*
 * What the owner has by its index, in the arena: elements with keys, and with there if the kernel
 * has them.  Returns 1, 0 if there is no index, or a recorded failure.
 */
int owned_list(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	       enum owned_kind kind, struct owned_elem **ret, unsigned *ret_n) CHECKED;

/* ---- deleting ---- */

/*
 * What depends on elements but is not in the table: conntrack flows, loopback routes.  The caller
 * removes it after the elements are gone.  A call may be killed in between; so if needed() says
 * that there is something to do, the index stays, and the next DEL or GC starts again from it.
 */
struct owned_cleanup {
	/*
	 * Called for every element that was deleted (e->there), and for every one in the index
	 * that was gone already (e->there.found is false, and e->there has only keys).
	 */
	void (*note)(const struct owned_elem *e, void *arg);
	/* Called with these elements before they are deleted: is there something to do? */
	bool (*needed)(const struct owned_elem *elems, unsigned n, void *arg);
	void *arg;
	bool unfinished; /* result: call again without cleanup, when everything is done */
};

/* Deletes the elements of an owner; none is success.  cleanup may be NULL. */
int owned_del(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const struct owner *o,
	      enum owned_kind kind, struct owned_cleanup *cleanup) CHECKED;

/* The attachments of a network that are valid, for GC. */
struct owned_valid {
	const char *network;
	const struct name_owner *keys; /* sorted */
	unsigned n;
};

/*
 * For GC: owned_del() of every attachment of the network that the index has and valid has not.
 * Continues after failures.
 */
int owned_gc(struct tx *tx, struct nfnl *nl, const struct owned_table *t, enum owned_kind kind,
	     const struct owned_valid *valid, struct owned_cleanup *cleanup) CHECKED;

/*
 * Deletes the table, unless the index has an attachment, or the table a chain that is not ours
 * (an administrator's; use: its reference count, as nft_chain_use()).  A table that is missing, or
 * changes meanwhile, is success.
 */
int owned_prune(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		bool (*ours)(const char *chain, unsigned use)) CHECKED;

/* ---- inspection of the whole host (cnitool gc) ---- */

/* What an owner has in a table. */
struct owned_seen {
	char key[IFNAMSIZ];
	enum owned_kind kind;
	const char *comment; /* "KEY NETWORK/ID/IFNAME", may be cut */
	unsigned link;       /* ifindex on the host; 0 = unknown */
	uint32_t ino;        /* of the network namespace; 0 = unknown */
	uint64_t cookie;
	unsigned n; /* OWNED_UNLISTED: number of elements */
};

/* All owners in a table, in the arena; none if the table, or nf_tables, is missing. */
int owned_survey(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		 struct owned_seen **ret, unsigned *ret_n) CHECKED;

/*
 * Deletes the unlisted elements with the comment of s, in all sets of the table; nothing, if an
 * index lists its key by now.
 */
int owned_sweep(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		const struct owned_seen *s) CHECKED;

#endif
