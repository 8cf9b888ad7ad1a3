/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spoof.h - spoof protection: frames leave a container only with its own addresses
 *
 * macspoofchk true checks the source MAC; "strict" also checks source IP addresses, ARP and
 * neighbour discovery.  Table bridge cplug, docs/nft.md.  Functions return 0 or a recorded failure,
 * like those of nat.h.
 */
#ifndef CPLUG_SPOOF_H
#define CPLUG_SPOOF_H

#include "netlink/link.h"
#include "firewall/owned.h"

struct spoof {
	const struct owner *owner;
	const struct link *port; /* the host end of the veth pair */
	struct mac mac;          /* MAC of the container's interface */
	bool strict;
	const struct cidr *ips; /* addresses of the container, for strict */
	unsigned n_ips;
	bool repair; /* parts of it exist: put all in place again */
};

int spoof_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct spoof *s) CHECKED;
int spoof_del(struct tx *tx, struct nfnl *nl, const struct owner *o) CHECKED;
int spoof_check(struct tx *tx, struct nfnl *nl, const struct spoof *s) CHECKED;
int spoof_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid) CHECKED;

/* Deletes the table if it has no element and no foreign chain. */
int spoof_prune(struct tx *tx, struct nfnl *nl) CHECKED;

/* All owners in the table; and the deletion of unlisted elements (owned.h). */
int spoof_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n) CHECKED;
int spoof_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s) CHECKED;

#endif
