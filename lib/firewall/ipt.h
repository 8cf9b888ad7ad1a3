/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipt.h - accepted addresses in the table filter of iptables-nft
 *
 * Where iptables drops forwarded packets (Docker, ufw, kube-proxy, iptables -P FORWARD DROP), only
 * an accept in that table helps.  The rules are those of the reference plugin firewall, in the
 * chains CNI-FORWARD and CNI-ADMIN (or another name), so each of the two can delete what the other
 * has added:
 *
 *	-A FORWARD -m comment --comment "CNI firewall plugin rules" -j CNI-FORWARD
 *	-A CNI-FORWARD -m comment --comment "CNI firewall plugin admin overrides" -j CNI-ADMIN
 *	-A CNI-FORWARD -d IP -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
 *	-A CNI-FORWARD -s IP -j ACCEPT
 *
 * and one more, for ports that are published: -d IP -m conntrack --ctstate DNAT -j ACCEPT.
 *
 * iptables itself is not executed (nft_xt.h).  Functions return 0 or a recorded failure.
 */
#ifndef CPLUG_IPT_H
#define CPLUG_IPT_H

#include "nft/nft.h"

/*
 * The handles of an attachment's rules, as bytes that the caller keeps for DEL and CHECK, which
 * then need not read the rules of other attachments.  A handle counts only if its rule is the
 * attachment's, so an old record does no harm.
 */
struct ipt_record {
	const uint8_t *bytes; /* NULL = unknown */
	unsigned len;         /* at most NFT_PRIVATE_MAX */
};

/* The administrator's chain that configurations have unless they name one. */
#define IPT_ADMIN "CNI-ADMIN"

struct ipt {
	const struct ip *ips;
	unsigned n_ips;
	const char *admin;        /* the administrator's chain */
	bool careful;             /* there may be rules of these addresses: add what is missing */
	struct ipt_record record; /* result of ipt_add(); for ipt_check() */
};

/*
 * Adds the rules of both families in one transaction, and the chains and jumps that are missing.
 * The cost does not depend on the number of rules in CNI-FORWARD, unless careful.
 * Fails with CNI_E_CONFIG if there are too many jumps to administrators' chains for one more.
 * Undo: deletes the rules of the addresses.
 */
int ipt_add(struct tx *tx, struct nfnl *nl, struct ipt *i) CHECKED;
/* Notes what is missing (differ.h). */
int ipt_check(struct tx *tx, struct nfnl *nl, const struct ipt *i) CHECKED;
/*
 * Deletes the rules of the addresses: those of the record, or, if one of them is not there, all
 * that are alike, whichever plugin added them; none is success.
 */
int ipt_del(struct tx *tx, struct nfnl *nl, const struct ip *ips, unsigned n,
	    struct ipt_record record) CHECKED;

#endif
