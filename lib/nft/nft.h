/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.h - nftables: say it, commit it once
 *
 * A change-set (struct nft) collects tables, chains, rules, maps and elements
 * and is committed in one transaction of the kernel's: all of it happens or
 * nothing.  Saying is silent; what went wrong (no memory, a word too many) is
 * told by nft_commit().  A rule in C reads like the rule in nft:
 *
 *	nft_rule(n, "postrouting");
 *	nft_match_ct_dnat(n);
 *	nft_jump(n, "published");
 *	nft_rule_end(n, NULL);
 *
 * Words that load put a value into the next free register; words that match or
 * look up consume what was loaded since the rule, or the last consuming word,
 * began.  So a concatenation is several loads and one lookup.
 *
 * Elements carry a comment (who owns them) and optional private data, both in
 * the element's userdata, so that `nft list` explains itself.
 *
 * One table per change-set: family and name are given once.  Kernel ABI:
 * linux/netfilter/nf_tables.h.  No nft or iptables program is ever run.
 */
#ifndef CPLUG_NFT_H
#define CPLUG_NFT_H

#include "value/ip.h"
#include "nft/nfnl.h"
#include "base/tx.h"

struct nft;

/* A table, and in it a chain, set or map (name; NULL = the table itself). */
struct nft_ref {
	uint8_t family; /* NFPROTO_INET, NFPROTO_BRIDGE, … */
	const char *table, *name;
};

/*
 * ---- keys and data: up to 64 bytes ----
 * Begin with an empty one and append the parts in the order of the set's type:
 *
 *	nft_key_u8(&e.key, IPPROTO_TCP);
 *	nft_key_port(&e.key, 8080);
 *
 * As in nft, the parts of a concatenation are padded to 4 bytes, and a part that
 * stands alone is not.
 */
enum { NFT_KEY_MAX = 64, NFT_COMMENT_MAX = 127, NFT_PRIVATE_MAX = 120 };

struct nft_key {
	uint8_t b[NFT_KEY_MAX];
	unsigned len;
	unsigned parts; /* 0 = not known (what the kernel answered) */
};

void nft_key_ip(struct nft_key *k, struct ip ip);         /* 4 or 16 bytes */
void nft_key_u8(struct nft_key *k, uint8_t v);            /* as inet_proto: 1 byte */
void nft_key_port(struct nft_key *k, uint16_t port);      /* host order in, network order out */
void nft_key_u32(struct nft_key *k, uint32_t v);          /* host order, as mark */
void nft_key_ifname(struct nft_key *k, const char *name); /* 16 bytes */
void nft_key_mac(struct nft_key *k, struct mac mac);      /* 6 bytes */
bool nft_key_eq(const struct nft_key *a, const struct nft_key *b);

/* Types of key and data parts (nft's own data type numbers). */
enum nft_type {
	NFT_T_END = 0,
	NFT_T_IPV4 = 7,     /* ipv4_addr */
	NFT_T_IPV6 = 8,     /* ipv6_addr */
	NFT_T_ETHER = 9,    /* ether_addr */
	NFT_T_PROTO = 12,   /* inet_proto */
	NFT_T_SERVICE = 13, /* inet_service */
	NFT_T_MARK = 19,    /* mark */
	NFT_T_IFNAME = 41,  /* ifname */
	NFT_T_VERDICT = -1, /* as a map's data */
};

/* One element, for adding, asking and deleting. */
struct nft_elem {
	struct nft_key key;
	struct nft_key key_end; /* len 0 = a single value; else an interval [key, key_end] */
	struct nft_key data;    /* of a map; len 0 = none */
	const char *chain;      /* a verdict map's goto target; NULL = none */
	const char *comment;    /* NULL = none; cut to NFT_COMMENT_MAX bytes */
	const uint8_t *private; /* our own bytes, hidden from nft; NULL = none */
	unsigned private_len;   /* at most NFT_PRIVATE_MAX */
	bool found;             /* result of nft_find_elems() */
};

/* ---- a change-set ---- */
/* Lives in the arena.  family: NFPROTO_INET, NFPROTO_BRIDGE, … */
struct nft *nft_new(struct mem *mem, uint8_t family, const char *table);

void nft_table(struct nft *n, const char *comment); /* "add table": fine if there */
void nft_chain(struct nft *n, const char *chain);   /* "add chain": a regular one */
/* A base chain, policy accept.  type: "nat", "filter", "route". */
void nft_base_chain(struct nft *n, const char *chain, const char *type, uint32_t hook,
		    int32_t priority);
void nft_flush_chain(struct nft *n, const char *chain);
void nft_fresh_chain(struct nft *n, const char *chain); /* a regular one, and empty */
void nft_del_chain(struct nft *n, const char *chain);
void nft_del_rule(struct nft *n, const char *chain, uint64_t handle);
void nft_del_set(struct nft *n, const char *set);
void nft_del_table(struct nft *n);

/*
 * "add set" / "add map".  key: the parts of the key, NFT_T_END-terminated;
 * data: likewise, NULL for a set, {NFT_T_VERDICT, NFT_T_END} for a verdict map.
 * interval: elements may be ranges.
 */
void nft_set(struct nft *n, const char *set, const enum nft_type *key, const enum nft_type *data,
	     bool interval);
/* The same for a set whose name does not say what it is for. */
void nft_set_commented(struct nft *n, const char *set, const enum nft_type *key,
		       const enum nft_type *data, bool interval, const char *comment);

/*
 * excl: fail with -EEXIST if the key is there already (or a range overlaps
 * another).  Without it, an element that is there with the same data is fine and
 * keeps its comment; with other data it is -EEXIST all the same.  Elements of ranges
 * give both ends.  Deleting what is not there is -ENOENT.
 */
void nft_add_elem(struct nft *n, const char *set, const struct nft_elem *e, bool excl);
void nft_del_elem(struct nft *n, const char *set, const struct nft_elem *e);

/* ---- a rule: begin, words, end ---- */
void nft_rule(struct nft *n, const char *chain);
void nft_rule_end(struct nft *n, const char *comment);

/* What can be loaded. */
enum nft_field {
	NFT_IP_SADDR,
	NFT_IP_DADDR,
	NFT_IP6_SADDR,
	NFT_IP6_DADDR,
	NFT_TH_SPORT,
	NFT_TH_DPORT,
	NFT_META_L4PROTO,
	NFT_META_NFPROTO,
	NFT_META_PROTOCOL,
	NFT_META_MARK,
	NFT_META_IIFNAME,
	NFT_META_OIFNAME,
	NFT_META_IIFTYPE,
	NFT_ETHER_SADDR,
	NFT_ETHER_TYPE,
	NFT_ARP_SADDR_IP,
	NFT_ARP_SADDR_ETHER,
	NFT_CT_STATUS,
	NFT_CT_STATE,
	NFT_CT_MARK,
};
void nft_load(struct nft *n, enum nft_field field);

/* Matches on what was loaded: equal (or not) to bytes, masked or not, in a prefix. */
void nft_match(struct nft *n, bool equal, const void *value, unsigned len);
void nft_match_masked(struct nft *n, bool equal, const void *mask, const void *value, unsigned len);
/* Common ones, load included. */
void nft_match_nfproto(struct nft *n, uint8_t nfproto); /* meta nfproto ipv4 */
void nft_match_l4proto(struct nft *n, bool equal, uint8_t proto);
void nft_match_cidr(struct nft *n, bool source, bool equal,
		    struct cidr c); /* ip saddr …, nfproto implied by the caller */
void nft_match_ifname(struct nft *n, bool input, bool equal, const char *name); /* "x*" = prefix */
void nft_match_mark(struct nft *n, bool equal, uint32_t value, uint32_t mask);
void nft_match_port(struct nft *n, bool source, bool equal, uint16_t first, uint16_t last);
void nft_match_ct_state(struct nft *n, bool equal, uint32_t bits); /* any of the bits (or none) */
void nft_match_ct_invalid(struct nft *n);                          /* ct state invalid */
void nft_match_ct_dnat(struct nft *n);                             /* ct status dnat */
void nft_match_fib_local(struct nft *n);                           /* fib daddr type local */

/* Looks up what was loaded.  Set: match (or not).  Map: data into the registers. */
void nft_lookup(struct nft *n, const char *set, bool inverted);
void nft_lookup_map(struct nft *n, const char *map);

/* Statements. */
void nft_accept(struct nft *n);
void nft_drop(struct nft *n);
void nft_return(struct nft *n);
void nft_jump(struct nft *n, const char *chain);
void nft_goto(struct nft *n, const char *chain);
void nft_masquerade(struct nft *n);
/* dnat to what the map lookup before put there: family NFPROTO_IPV4/6; with_port: address . port */
void nft_dnat(struct nft *n, uint8_t family, bool with_port);
void nft_mark_or(struct nft *n, uint32_t bits); /* meta mark set meta mark | bits */
void nft_counter(struct nft *n);

/* ---- acting ---- */
/*
 * Commits the change-set: one batch, all acknowledgements read.  Returns 0 or
 * -errno of the first refusal, unrecorded; nl->why says what was refused and the
 * kernel's own words, if it has some: "add element to masq4".  genid 0: whatever
 * the ruleset's generation; else only if it is still that (-ERESTART otherwise).
 * The batch is sent with one sendmsg however large.  A change-set can be committed
 * again (after -ERESTART or -ENOENT).
 */
int nft_try(struct nfnl *nl, struct nft *n, uint32_t genid) CHECKED;
/* The same, and records "host: <what>: <reason> (<why>)". */
int nft_commit(struct tx *tx, struct nfnl *nl, struct nft *n, uint32_t genid, const char *fmt, ...)
	PRINTF(5, 6) CHECKED;
bool nft_is_empty(const struct nft *n);

/* ---- asking ---- */
/* The ruleset's generation.  Returns 0 or -errno, unrecorded. */
int nft_genid(struct nfnl *nl, uint32_t *ret) CHECKED;

/*
 * Looks n elements of a set up by key, 64 in one datagram.  If e[i].found, e[i].data, chain,
 * comment and private are filled in (in the arena).  In a set of ranges that is the range
 * that holds the key, and e[i].key and key_end become its ends.  If the table or set is
 * missing, nothing is found.  Returns 0 or -errno.
 */
int nft_find_elems(struct mem *mem, struct nfnl *nl, struct nft_ref set, struct nft_elem *e,
		   unsigned n) CHECKED;

/*
 * Gives every element of a set to each(e, arg), which returns 0 to go on, 1 to stop, or
 * -errno; e->comment and e->private are valid during the call only.  A dump that a change of
 * the ruleset interrupted is repeated, after a call of each(NULL, arg).  A missing table or
 * set is empty.
 */
typedef int nft_elem_fn(const struct nft_elem *e, void *arg);
int nft_each_elem(struct nfnl *nl, struct nft_ref set, nft_elem_fn *each, void *arg) CHECKED;

/*
 * The kernel's reference count of a chain: its own rules, and the rules and elements that
 * lead to it.  -ENOENT if the chain is missing.
 */
int nft_chain_use(struct nfnl *nl, struct nft_ref chain, unsigned *ret_use) CHECKED;

/* What a rule looks up, and where it leads; the strings are valid during each() only. */
struct nft_rule_info {
	uint64_t handle;
	const char *set, *chain; /* NULL = none */
};

/* Gives every rule of a chain to each(w, arg), as nft_each_elem(); a missing chain is empty. */
typedef int nft_rule_fn(const struct nft_rule_info *w, void *arg);
int nft_each_rule(struct nfnl *nl, struct nft_ref chain, nft_rule_fn *each, void *arg) CHECKED;

/*
 * For CHECK: does the kernel have what a change-set says: the table, its chains with their
 * hooks, its sets with their types, and exactly the rules that are said for those chains
 * (among others, if the chain is not flushed)?
 * Elements are not looked at.  Every difference is noted (differ.h).
 */
int nft_compare(struct tx *tx, struct nfnl *nl, struct nft *n) CHECKED;

/* Every chain of a table by name; each(NULL, 0, arg) before a repetition, as above. */
typedef int nft_chain_fn(const char *chain, unsigned use, void *arg);
int nft_each_chain(struct nfnl *nl, struct nft_ref table, nft_chain_fn *each, void *arg) CHECKED;

/* Every set and map of a table by name; each(NULL, arg) before a repetition, as above. */
typedef int nft_set_fn(const char *set, void *arg);
int nft_each_set(struct nfnl *nl, struct nft_ref table, nft_set_fn *each, void *arg) CHECKED;

/* Is nf_tables there?  0, or -errno (-EPROTONOSUPPORT: the kernel lacks it). */
int nft_usable(struct nfnl *nl) CHECKED;

#endif
