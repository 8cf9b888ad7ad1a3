/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owned_impl.h - what the files of the owned module share (nobody else includes this)
 *
 * owned.c adds and compares elements, owned_compare.c compares what they live in,
 * owned_remove.c takes away, owned_index.c is the index: the
 * set `attachments`: elements (KEY . kind and number) whose private bytes hold,
 * packed, which keys of which sets belong to KEY.
 */
#ifndef CPLUG_OWNED_IMPL_H
#define CPLUG_OWNED_IMPL_H

#include "firewall/owned.h"

enum {
	OWNED_NETWORK_HASH = 6,
	OWNED_GROUP_MAX = 12,
	OWNED_KEY_LEN = 15, /* of an owner's key at the start of a comment */
	OWNED_TRIES = 2000,
};

/* All kinds; OWNED_UNLISTED ends the table. */
extern const struct owned_kind_info {
	enum owned_kind kind;
	bool proves_life; /* the owner lives if its index has this kind and its link exists */
} owned_kinds[];

/* Says the table and its sets. */
void owned_put_sets(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group);

/* Looks all elements up, one request for each set: there[i] is what stands at elems[i]. */
int owned_look(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *group,
	       const struct owned_elem *elems, unsigned n, struct nft_elem *there,
	       bool *found) CHECKED;

/* in_lookup_set[i]: is the lookup set of what was found there, too?  -errno is not recorded. */
int owned_look_lookup_sets(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
			   const struct owned_elem *elems, unsigned n, const struct nft_elem *there,
			   const bool *found, bool *in_lookup_set) CHECKED;

/* Adds or deletes an element and its lookup set. */
void owned_put_add(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group,
		   unsigned set, const struct nft_elem *e, bool excl);
void owned_put_del(struct tx *tx, struct nft *n, const struct owned_table *t, const char *group,
		   unsigned set, const struct nft_elem *e, bool in_lookup_set);

bool owned_is_ours(const struct nft_elem *e, const char *comment);

/* Did we write this comment?  "veth" and 11 hexadecimal digits, and a name. */
bool owned_names_owner(const char *comment);

/* Deletes everything of a dead owner. */
int owned_del_dead(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		   const char *comment) CHECKED;

extern const char owned_index_set[];
extern const enum nft_type owned_index_key[];

struct owned_index {
	struct nft_elem *chunks;
	unsigned n;
	bool lost;     /* there, but without its private bytes */
	unsigned link; /* ifindex, 0 = unknown */
	char group[OWNED_GROUP_MAX + 1];
	uint8_t network[OWNED_NETWORK_HASH];
};

/* Composes the index elements of a change. */
struct nft_elem *owned_pack(struct tx *tx, const struct owned_change *c, unsigned *ret_n);

/* Appends what an index lists to *elems. */
void owned_unpack(struct tx *tx, const struct owned_table *t, const struct owned_index *x,
		  struct owned_elem **elems, unsigned *n);

/* Reads the index of a key.  1 = there, 0 = not, or -errno unrecorded. */
int owned_read_index(struct tx *tx, struct nfnl *nl, const struct owned_table *t, const char *key,
		     enum owned_kind kind, struct owned_index *x) CHECKED;

/* If e is the first index element of a key of this kind and network: the key, else false. */
bool owned_index_names(const struct nft_elem *e, enum owned_kind kind, const char *network,
		       char ret_key[IFNAMSIZ]);

/* Of an element of the index: the owner's key; returns which chunk it is, *ret_kind whose. */
unsigned owned_chunk_of(const struct nft_elem *e, char ret_key[IFNAMSIZ],
			enum owned_kind *ret_kind);

#endif
