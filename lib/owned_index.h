/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owned_index.h - the index of owned elements (owned.c alone includes this)
 *
 * The set `attachments`: elements (KEY . kind and number) whose private bytes hold,
 * packed, which keys of which sets belong to KEY.
 */
#ifndef CPLUG_OWNED_INDEX_H
#define CPLUG_OWNED_INDEX_H

#include "owned.h"

enum { OWNED_NETWORK_HASH = 6, OWNED_GROUP_MAX = 12 };

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
		     char kind, struct owned_index *x) CHECKED;

/* If e is the first index element of a key of this kind and network: the key, else false. */
bool owned_index_names(const struct nft_elem *e, char kind, const char *network,
		       char ret_key[IFNAMSIZ]);

#endif
