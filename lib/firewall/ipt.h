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

struct ipt {
	const struct ip *ips;
	unsigned n_ips;
	const char *admin; /* the administrator's chain */
	bool careful;      /* there may be rules of these addresses: add what is missing */
};

/*
 * Adds the rules of both families in one transaction, and the chains and jumps that are missing.
 * The cost does not depend on the number of rules in CNI-FORWARD, unless careful.
 * Undo: deletes the rules of the addresses.
 */
int ipt_add(struct tx *tx, struct nfnl *nl, const struct ipt *i) CHECKED;
/* Notes what is missing (differ.h). */
int ipt_check(struct tx *tx, struct nfnl *nl, const struct ipt *i) CHECKED;
/* Deletes the rules of the addresses, whichever plugin added them; none is success. */
int ipt_del(struct tx *tx, struct nfnl *nl, const struct ip *ips, unsigned n) CHECKED;

#endif
