/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nft_xt.h - rules of iptables-nft
 *
 * iptables-nft keeps its chains in nf_tables (table filter of the families ip and ip6), as rules of
 * a form of its own: native expressions for addresses, counters and verdicts, and xtables matches
 * (linux/netfilter/nf_tables_compat.h) for the rest.  Rules built here are those that
 * iptables 1.8.9 writes, attribute by attribute, so that iptables lists, compares and deletes them.
 */
#ifndef CPLUG_NFT_XT_H
#define CPLUG_NFT_XT_H

#include "nft/nft.h"

/* What -m conntrack --ctstate matches; 0 = no such match. */
enum nft_xt_state { NFT_XT_ANY, NFT_XT_RELATED_ESTABLISHED, NFT_XT_DNAT };

/* A rule: [-s|-d IP] [-m conntrack --ctstate …] [-m comment --comment …] -j ACCEPT|CHAIN */
struct nft_xt_rule {
	const char *chain;
	bool first;   /* -I CHAIN 1, else -A CHAIN */
	struct ip ip; /* no address = any */
	bool source;  /* -s, else -d */
	enum nft_xt_state state;
	const char *comment; /* at most 255 bytes; NULL = none */
	const char *jump;    /* NULL = ACCEPT */
	bool answer;         /* for nft_try_handles() */
};

/* Appends the rule to a change-set of family NFPROTO_IPV4 or _IPV6. */
void nft_xt_put_rule(struct nft *n, const struct nft_xt_rule *r);

/* What follows in the change-set belongs to another table. */
void nft_switch_table(struct nft *n, uint8_t family, const char *table);

/*
 * Reads the rules of a chain and compares each with the n wanted ones.  ret_handles[i] becomes the
 * handle of the first rule that is like want[i], or 0.  each: NULL, or called for every rule that
 * is like a wanted one.  most: stop after so many rules; 0 = read all.  Returns 0 or -errno; a
 * missing chain is empty.
 */
typedef void nft_xt_fn(unsigned want, uint64_t handle, void *arg);
int nft_xt_find_rules(struct mem *mem, struct nfnl *nl, struct nft_ref chain,
		      const struct nft_xt_rule *want, unsigned n, unsigned most, nft_xt_fn *each,
		      void *arg) CHECKED;

/*
 * Asks for a rule of a chain by its handle.  1 if it is like *want, 0 if it is another, or there is
 * none, or -errno.
 */
int nft_xt_is_rule(struct mem *mem, struct nfnl *nl, struct nft_ref chain, uint64_t handle,
		   const struct nft_xt_rule *want) CHECKED;

#endif
