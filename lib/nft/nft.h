/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft.h - nftables: change-sets and queries
 *
 * A change-set (struct nft) collects tables, chains, rules, maps and elements and is committed in
 * one transaction of the kernel, completely or not at all.  The functions that fill it cannot fail:
 * the first error (out of memory, a name that is too long) is reported by nft_try() or
 * nft_commit().  A rule in C reads like the rule in nft:
 *
 *	nft_rule(n, "postrouting");
 *	nft_match_ct_dnat(n);
 *	nft_jump(n, "published");
 *	nft_rule_end(n, NULL);
 *
 * nft_load() puts a value into the next free registers.  A match or lookup consumes all values that
 * were loaded since the last match or lookup.  So a lookup of a concatenation is several loads and
 * one lookup.
 *
 * Elements carry a comment (their owner) and optional private data, both in the element's userdata;
 * `nft list` prints the comment.
 *
 * A change-set belongs to one table.  Kernel ABI: linux/netfilter/nf_tables.h.  cplug does not run
 * nft or iptables.
 *
 * Functions that do not take struct tx record nothing: they return 0 or -errno, and nl->why has the
 * kernel's message.
 */
#ifndef CPLUG_NFT_H
#define CPLUG_NFT_H

#include "value/ip.h"
#include "nft/nfnl.h"
#include "base/tx.h"

struct nft;

/* A table, and a chain, set or map in it (name; NULL = the table itself). */
struct nft_ref {
	uint8_t family; /* NFPROTO_INET, NFPROTO_BRIDGE, … */
	const char *table, *name;
};

/*
 * ---- keys and data: up to 64 bytes ----
 * Begin with an empty key and append the parts in the order of the set's type:
 *
 *	nft_key_u8(&e.key, IPPROTO_TCP);
 *	nft_key_port(&e.key, 8080);
 *
 * As in nft, the parts of a concatenation are padded to 4 bytes; a single part is not.
 */
enum { NFT_KEY_MAX = 64, NFT_COMMENT_MAX = 127, NFT_PRIVATE_MAX = 120 };

struct nft_key {
	uint8_t b[NFT_KEY_MAX];
	unsigned len;
	unsigned parts; /* 0 = unknown (an answer of the kernel) */
};

void nft_key_ip(struct nft_key *k, struct ip ip);    /* 4 or 16 bytes */
void nft_key_u8(struct nft_key *k, uint8_t v);       /* inet_proto: 1 byte */
void nft_key_port(struct nft_key *k, uint16_t port); /* host order; the key has network order */
void nft_key_u32(struct nft_key *k, uint32_t v);     /* host order, like mark */
void nft_key_ifname(struct nft_key *k, const char *name); /* 16 bytes */
void nft_key_mac(struct nft_key *k, struct mac mac);      /* 6 bytes */
bool nft_key_eq(const struct nft_key *a, const struct nft_key *b);

/* Types of the parts of keys and data: nft's data type numbers (enum datatypes in its sources). */
enum nft_type {
	NFT_T_END = 0,
	NFT_T_IPV4 = 7,     /* ipv4_addr */
	NFT_T_IPV6 = 8,     /* ipv6_addr */
	NFT_T_ETHER = 9,    /* ether_addr */
	NFT_T_PROTO = 12,   /* inet_proto */
	NFT_T_SERVICE = 13, /* inet_service */
	NFT_T_MARK = 19,    /* mark */
	NFT_T_IFNAME = 41,  /* ifname */
	/*
	 * Parts of neighbour discovery (RFC 4861) for which nft 1.0.6 has no type: the target
	 * address, and the MAC in the first option.  nft prints them as "typeof @th,64,128" and
	 * "typeof @th,208,48", and their values as numbers.
	 */
	NFT_T_ND_TARGET = 4 | 1 << 8,
	NFT_T_ND_MAC = 4 | 1 << 9,
	NFT_T_VERDICT = -1, /* the data of a verdict map */
};

/* An element: to add, look up or delete. */
struct nft_elem {
	struct nft_key key;
	struct nft_key key_end; /* len 0 = a single value; else the range from key to key_end */
	struct nft_key data;    /* of a map; len 0 = none */
	const char *chain;      /* target of goto in a verdict map; NULL = none */
	const char *comment;    /* NULL = none; cut to NFT_COMMENT_MAX bytes */
	const uint8_t *private; /* our own bytes, which nft does not print; NULL = none */
	unsigned private_len;   /* at most NFT_PRIVATE_MAX */
	bool found;             /* result of nft_find_elems() */
};

/* ---- a change-set ---- */
/* A change-set for a table, in the arena.  family: NFPROTO_INET, NFPROTO_BRIDGE, … */
struct nft *nft_new(struct mem *mem, uint8_t family, const char *table);

void nft_table(struct nft *n, const char *comment); /* "add table": it may exist */
void nft_table_active(struct nft *n); /* the same; one that exists is not dormant any more */
void nft_chain(struct nft *n, const char *chain); /* "add chain": regular; it may exist */
/*
 * "add chain": a base chain; one that exists gets policy accept.  type: "nat", "filter" or "route";
 * hook: NF_INET_* or NF_BR_* (linux/netfilter.h).
 */
void nft_base_chain(struct nft *n, const char *chain, const char *type, uint32_t hook,
		    int32_t priority);
/* The same in the table of another program: one that exists keeps its policy. */
void nft_base_chain_of_others(struct nft *n, const char *chain, const char *type, uint32_t hook,
			      int32_t priority);
void nft_flush_chain(struct nft *n, const char *chain);
void nft_fresh_chain(struct nft *n, const char *chain); /* adds and flushes a regular chain */
void nft_del_chain(struct nft *n, const char *chain);
void nft_del_rule(struct nft *n, const char *chain, uint64_t handle);
void nft_del_set(struct nft *n, const char *set);
void nft_del_table(struct nft *n);

/*
 * "add set" / "add map"; it may exist.  key and data: the types of the parts, ended by NFT_T_END.
 * data is NULL for a set, and {NFT_T_VERDICT, NFT_T_END} for a verdict map.  interval: elements may
 * be ranges.
 */
void nft_set(struct nft *n, const char *set, const enum nft_type *key, const enum nft_type *data,
	     bool interval);
/* The same with a comment, for a set whose name does not explain it. */
void nft_set_commented(struct nft *n, const char *set, const enum nft_type *key,
		       const enum nft_type *data, bool interval, const char *comment);

/*
 * excl: fail with -EEXIST if the key exists (or a range overlaps).  Without excl, an existing
 * element with the same data stays and keeps its comment, but one with other data is -EEXIST, too.
 * Elements that are ranges need both ends.  Deleting a missing element is -ENOENT.
 */
void nft_add_elem(struct nft *n, const char *set, const struct nft_elem *e, bool excl);
void nft_del_elem(struct nft *n, const char *set, const struct nft_elem *e);

/* ---- a rule: begin, expressions, end ---- */
void nft_rule(struct nft *n, const char *chain);
void nft_rule_end(struct nft *n, const char *comment);

/* What nft_load() can load. */
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
	NFT_IP6_LENGTH,
	NFT_ICMP6_TYPE,
	/* Raw, because nft 1.0.6 has no names; offsets in bits of the transport header. */
	NFT_ND_TARGET,     /* @th,64,128 */
	NFT_ND_OPTION,     /* @th,192,16: type and length of the first option */
	NFT_ND_OPTION_MAC, /* @th,208,48 */
	NFT_RS_OPTION,     /* @th,64,16: likewise, of a router solicitation */
	NFT_RS_OPTION_MAC, /* @th,80,48 */
	NFT_CT_STATUS,
	NFT_CT_STATE,
	NFT_CT_MARK,
	NFT_CT_IS_REPLY,  /* ct direction: 1 byte, 0 or 1 */
	NFT_CT_CLIENT6,   /* ct original ip6 saddr */
	NFT_CT_REPLY_TO6, /* ct reply ip6 daddr */
};
void nft_load(struct nft *n, enum nft_field field);

/* Compare the loaded value: equal (or not) to len bytes, or to value after the mask. */
void nft_match(struct nft *n, bool equal, const void *value, unsigned len);
void nft_match_masked(struct nft *n, bool equal, const void *mask, const void *value, unsigned len);
/* Common matches, including the load. */
void nft_match_nfproto(struct nft *n, uint8_t nfproto); /* meta nfproto ipv4 */
void nft_match_l4proto(struct nft *n, bool equal, uint8_t proto);
void nft_match_cidr(struct nft *n, bool source, bool equal,
		    struct cidr c); /* after nft_match_nfproto() */
void nft_match_ifname(struct nft *n, bool input, bool equal, const char *name); /* "x*" = prefix */
void nft_match_mark(struct nft *n, bool equal, uint32_t value, uint32_t mask);
void nft_match_port(struct nft *n, bool source, bool equal, uint16_t first, uint16_t last);
void nft_match_ct_state(struct nft *n, bool equal, uint32_t bits); /* any bit (or none) */
void nft_match_ct_invalid(struct nft *n);                          /* ct state invalid */
void nft_match_ct_dnat(struct nft *n);                             /* ct status dnat */
void nft_match_fib_local(struct nft *n);                           /* fib daddr type local */

/* Look the loaded value up.  Set: match (or not).  Map: put its data into the registers. */
void nft_lookup(struct nft *n, const char *set, bool inverted);
void nft_lookup_map(struct nft *n, const char *map);

/* Statements. */
void nft_accept(struct nft *n);
void nft_drop(struct nft *n);
void nft_return(struct nft *n);
void nft_jump(struct nft *n, const char *chain);
void nft_goto(struct nft *n, const char *chain);
void nft_masquerade(struct nft *n);
/*
 * dnat to the result of the preceding nft_lookup_map().  family: NFPROTO_IPV4 or _IPV6; with_port:
 * address .  port.
 */
void nft_dnat(struct nft *n, uint8_t family, bool with_port);
/* ip6 daddr set …: the loaded address, or ip.  Updates the checksum of TCP and UDP. */
void nft_set_ip6_daddr(struct nft *n);
void nft_set_ip6_daddr_to(struct nft *n, struct ip ip);
void nft_mark_or(struct nft *n, uint32_t bits); /* meta mark set meta mark | bits */
void nft_counter(struct nft *n);

/* ---- committing ---- */
/*
 * Commits the change-set in one batch and reads all acknowledgements.  Returns 0, or -errno of the
 * first message that the kernel refused; then nl->why names its object, and has the kernel's
 * message, if there is one: "add element to masq4".  genid: fail with -ERESTART if the ruleset's
 * generation is another by now; 0 = do not check.  The batch is sent with one sendmsg(), whatever
 * its size.  A change-set can be committed again, for instance after -ERESTART or -ENOENT.
 */
int nft_try(struct nfnl *nl, struct nft *n, uint32_t genid) CHECKED;

/*
 * The same.  Calls each(family, handle, arg) for every new rule whose message asks for an answer
 * (NLM_F_ECHO), in their order.
 */
typedef void nft_handle_fn(uint8_t family, uint64_t handle, void *arg);
int nft_try_handles(struct nfnl *nl, struct nft *n, uint32_t genid, nft_handle_fn *each,
		    void *arg) CHECKED;

/* The same, and records the failure: "host: <fmt>: <strerror> (<nl->why>)". */
int nft_commit(struct tx *tx, struct nfnl *nl, struct nft *n, uint32_t genid, const char *fmt, ...)
	PRINTF(5, 6) CHECKED;
bool nft_is_empty(const struct nft *n);

/* ---- queries ---- */
/* The generation id of the ruleset (NFTA_GEN_ID).  Returns 0 or -errno. */
int nft_genid(struct nfnl *nl, uint32_t *ret) CHECKED;

/*
 * Looks up n elements of a set by key, 64 in one datagram.  If e[i].found, e[i].data, chain,
 * comment and private are filled in (in the arena).  In a set of ranges, the range that contains
 * the key is found, and e[i].key and key_end become its ends.  If the table or the set is missing,
 * nothing is found.  Returns 0 or -errno.
 */
int nft_find_elems(struct mem *mem, struct nfnl *nl, struct nft_ref set, struct nft_elem *e,
		   unsigned n) CHECKED;

/*
 * Calls each(e, arg) for every element of a set.  each() returns 0 to continue, 1 to stop, or
 * -errno; e->comment and e->private are valid during the call only.  A dump that was interrupted by
 * a change of the ruleset is repeated, after each(NULL, arg).  A missing table or set is empty.
 */
typedef int nft_elem_fn(const struct nft_elem *e, void *arg);
int nft_each_elem(struct nfnl *nl, struct nft_ref set, nft_elem_fn *each, void *arg) CHECKED;

/*
 * The kernel's reference count of a chain (NFTA_CHAIN_USE): its own rules, and the rules and
 * elements that lead to it.  -ENOENT if the chain is missing.
 */
int nft_chain_use(struct nfnl *nl, struct nft_ref chain, unsigned *ret_use) CHECKED;

/*
 * Which of n chains are there?  All are asked for in one datagram, so n is at most 64.  Returns 0
 * or -errno.
 */
int nft_find_chains(struct mem *mem, struct nfnl *nl, const struct nft_ref *refs, unsigned n,
		    bool *ret) CHECKED;

/* What a rule looks up and where it leads.  The pointers are valid during each() only. */
struct nft_rule_info {
	uint64_t handle;
	const char *set, *chain; /* NULL = none */
	const char *comment;     /* of nft, or of -m comment of iptables-nft; NULL = none */
	const struct nlattr *exprs;
};

/* Do the expressions of a rule contain the address? */
bool nft_rule_has_ip(const struct nft_rule_info *w, struct ip ip);

/* Calls each(w, arg) for every rule of a chain, like nft_each_elem().  A missing chain is empty. */
typedef int nft_rule_fn(const struct nft_rule_info *w, void *arg);
int nft_each_rule(struct nfnl *nl, struct nft_ref chain, nft_rule_fn *each, void *arg) CHECKED;

/*
 * For CHECK: compares a change-set with the kernel's state: the table, its chains with their hooks,
 * its sets with their types, and the rules of these chains.  A chain that the change-set flushes
 * must have exactly its rules; any other may have more.  Elements are not compared.  Notes every
 * difference (differ.h).
 */
int nft_compare(struct tx *tx, struct nfnl *nl, struct nft *n) CHECKED;

/*
 * Calls each(name, use, arg) for every chain of a table; each(NULL, 0, arg) before a repetition, as
 * above.
 */
typedef int nft_chain_fn(const char *chain, unsigned use, void *arg);
int nft_each_chain(struct nfnl *nl, struct nft_ref table, nft_chain_fn *each, void *arg) CHECKED;

/*
 * Calls each(name, arg) for every set and map of a table; each(NULL, arg) before a repetition, as
 * above.
 */
typedef int nft_set_fn(const char *set, void *arg);
int nft_each_set(struct nfnl *nl, struct nft_ref table, nft_set_fn *each, void *arg) CHECKED;

/* Can nf_tables be used?  0, -EPROTONOSUPPORT if the kernel does not have it, or another -errno. */
int nft_usable(struct nfnl *nl) CHECKED;

#endif
