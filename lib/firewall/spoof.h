/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spoof.h - frames leave a container with its own addresses only: table bridge cplug
 *
 * macspoofchk true guards the source MAC; "strict" the source addresses and ARP too.
 */
#ifndef CPLUG_SPOOF_H
#define CPLUG_SPOOF_H

#include "netlink/link.h"
#include "firewall/owned.h"

struct spoof {
	const struct owner *owner;
	const struct link *port; /* the host end; its name and index */
	struct mac mac;          /* of the container's interface */
	bool strict;
	const struct cidr *ips; /* of the container, for strict */
	unsigned n_ips;
	bool repair; /* as in struct nat */
};

int spoof_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct spoof *s) CHECKED;
int spoof_del(struct tx *tx, struct nfnl *nl, const struct owner *o) CHECKED;
int spoof_check(struct tx *tx, struct nfnl *nl, const struct spoof *s) CHECKED;
int spoof_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid) CHECKED;

/* Deletes the table if nothing is left in it but the skeleton. */
int spoof_prune(struct tx *tx, struct nfnl *nl) CHECKED;

/* What owners have in the table, and spoof_del() of what no index lists (owned.h). */
int spoof_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n) CHECKED;
int spoof_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s) CHECKED;

#endif
