/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * owned_impl.h - shared by the files of the owned module only
 *
 * owned.c adds elements, owned_conflict.c and owned_left.c judge other owners, owned_compare.c is
 * CHECK, owned_remove.c deletes, owned_survey.c lists all owners.  owned_index.c is the index: the
 * set `attachments`, whose elements (KEY . kind and number) hold, in private bytes, which keys of
 * which sets belong to KEY.
 *
 * Functions that return -errno and do not take struct tx record nothing.
 */
#ifndef CPLUG_OWNED_IMPL_H
#define CPLUG_OWNED_IMPL_H

#include "firewall/owned.h"
#include "sys/alive.h"

enum {
	OWNED_NETWORK_HASH = 6, /* bytes of a network's hash in the index */
	OWNED_GROUP_MAX = 12,
	OWNED_KEY_LEN = 15,  /* of an owner's key at the start of a comment */
	OWNED_TAIL_HEX = 32, /* hexadecimal digits at the end of a comment that is cut */
	OWNED_TRIES = 2000,  /* transactions that may fail because the ruleset has changed */
};

/* All kinds; OWNED_UNLISTED ends the table. */
extern const struct owned_kind_info {
	enum owned_kind kind;
	bool proves_life; /* the owner lives if its index has this kind and its link exists */
} owned_kinds[];

/* ---- owned.c ---- */

/* Puts the table, the index, and the sets that are not on demand. */
void owned_put_sets(struct mem *mem, struct nft *n, struct owned_sets in);

/* Puts an element, also into its lookup set.  excl: as for nft_add_elem(). */
void owned_put_add(struct mem *mem, struct nft *n, struct owned_sets in, unsigned set,
		   const struct nft_elem *e, bool excl);
/* Puts the deletion of e->there, also from its lookup set if e->in_lookup_set. */
void owned_put_del(struct mem *mem, struct nft *n, struct owned_sets in,
		   const struct owned_elem *e);

/* Does an element of this set that leads to a chain have to be in a lookup set, too? */
bool owned_has_lookup_set(const struct owned_table *t, unsigned set, const struct nft_elem *e);

/* Looks all keys up, with one request for each set: fills in elems[i].there. */
int owned_look(struct mem *mem, struct nfnl *nl, struct owned_sets in, struct owned_elem *elems,
	       unsigned n) CHECKED;
/* After owned_look(): fills in elems[i].in_lookup_set. */
int owned_look_lookup_sets(struct mem *mem, struct nfnl *nl, const struct owned_table *t,
			   struct owned_elem *elems, unsigned n) CHECKED;

/* Record a failed lookup of elements, or of the index: -errno r. */
int owned_fail_look(struct tx *tx, const struct owned_table *t, int r) CHECKED;
int owned_fail_look_index(struct tx *tx, const struct owned_table *t, int r) CHECKED;

/* ---- owned_conflict.c ---- */

/* Is the comment that of e? */
bool owned_is_ours(const struct nft_elem *e, const char *comment);

/* Is this comment one of cplug's: "veth", 11 hexadecimal digits, a space? */
bool owned_names_owner(const char *comment);

/* NETWORK/ID/IFNAME of a comment, for messages. */
const char *owned_owner_text(const char *comment);

/* The attachment that a comment names; false if the comment is cut, or names none. */
struct mark_owner;
bool owned_parse(struct mem *mem, const char *comment, struct mark_owner *ret);

/* What is needed to judge other owners; .tx, .nl, .host and .t are set, the rest is zero. */
struct owned_judge {
	struct tx *tx;
	struct nfnl *nl;
	struct rt *host;
	const struct owned_table *t;
	struct alive alive;
	/* Results of owned_is_dead(). */
	bool lost;    /* an index has lost its private bytes */
	uint32_t ino; /* the owner's network namespace; 0 = unknown */
	uint64_t cookie;
};

/*
 * Is the owner that a comment names dead?  Its index has the ifindex of its link on the host and
 * its network namespace.  An element that no index lists has no owner any more.  1, 0 (it lives, or
 * that is not known), or a recorded failure.
 */
int owned_is_dead(struct owned_judge *j, const char *comment) CHECKED;

/*
 * The kernel has an element at the key of e (e->there), of ourselves (an ADD that was killed), of a
 * dead owner, or of a living one.  Sets e->takeover, or e->skipped; or fails as e->conflict says.
 */
int owned_resolve(struct owned_judge *j, const struct owned_change *c,
		  struct owned_elem *e) CHECKED;

/* ---- owned_left.c ---- */

/*
 * After owned_is_dead(): does the DHCP daemon know that the living owner of e->there has left the
 * address that is the key of e?  false also if that cannot be known.
 */
bool owned_has_left(struct owned_judge *j, const struct owned_elem *e);

/* ---- owned_remove.c ---- */

/* Deletes everything of a dead owner. */
int owned_del_dead(struct tx *tx, struct nfnl *nl, const struct owned_table *t,
		   const char *comment) CHECKED;

/*
 * Reads an owner's index, and what it lists and is the owner's, with there and in_lookup_set;
 * in->group becomes that of the elements.  Returns 1, 0 if there is no index, or -errno.
 */
struct owned_index;
int owned_read_ours(struct mem *mem, struct nfnl *nl, struct owned_sets *in, const struct owner *o,
		    enum owned_kind kind, struct owned_index *x, struct owned_elem **elems,
		    unsigned *n) CHECKED;

/* ---- owned_index.c ---- */

extern const char owned_index_set[];
extern const enum nft_type owned_index_key[];

struct nft_ref owned_index_ref(const struct owned_table *t);

/* The index of one owner and kind. */
struct owned_index {
	struct nft_elem *chunks;
	unsigned n;
	bool lost;     /* it exists, but without its private bytes */
	unsigned link; /* ifindex; 0 = unknown */
	uint32_t ino;  /* of the network namespace; 0 = unknown */
	uint64_t cookie;
	char group[OWNED_GROUP_MAX + 1];
	uint8_t network[OWNED_NETWORK_HASH];
};

/* The index elements of a change, with n_more elements more, in the arena. */
struct nft_elem *owned_pack(struct mem *mem, const struct owned_change *c,
			    const struct owned_elem *more, unsigned n_more, unsigned *ret_n);

/* Appends the elements that an index lists to *elems. */
void owned_unpack(struct mem *mem, const struct owned_table *t, const struct owned_index *x,
		  struct owned_elem **elems, unsigned *n);

/* Have both the same keys in the same set? */
bool owned_same_keys(const struct owned_elem *a, const struct owned_elem *b);

/* Reads the index of a key.  Returns 1, 0 if there is none, or -errno. */
int owned_read_index(struct mem *mem, struct nfnl *nl, const struct owned_table *t, const char *key,
		     enum owned_kind kind, struct owned_index *x) CHECKED;

/* Is e the first index element of an owner of this kind and network?  *ret_key: its key. */
bool owned_index_names(const struct nft_elem *e, enum owned_kind kind, const char *network,
		       char ret_key[IFNAMSIZ]);

/* The owner's key, the kind and (returned) the number of an index element. */
unsigned owned_chunk_of(const struct nft_elem *e, char ret_key[IFNAMSIZ],
			enum owned_kind *ret_kind);

#endif
