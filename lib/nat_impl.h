/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat_impl.h - what the files of the nat module share (nobody else includes this)
 *
 * nat_table.c says the table; nat_flows.c deals with what else has to follow it, old
 * flows and route_localnet; nat_check.c compares; nat.c does the verbs.
 */
#ifndef CPLUG_NAT_IMPL_H
#define CPLUG_NAT_IMPL_H

#include "nat.h"

enum nat_set {
	MASQ4,
	MASQ6,
	PUBLISHED4,
	PUBLISHED6,
	HOSTPORTS4,
	HOSTPORTS6,
	PORTS4,
	PORTS6,
	HOSTRANGES4,
	HOSTRANGES6,
	RANGES4,
	RANGES6,
	N_SETS
};

enum { POSTROUTING_RULES = 4, GUARD_RULES = 1, HOOK_RULES = 1, PORTS_RULES = 8, SNAT_RULES = 2 };

/* What the skeleton of one change needs beside the constant part. */
struct nat_skeleton {
	struct tx *tx;
	const struct nat *n;
	const char *dev;
};

/* "cplug", and its sets. */
extern const struct owned_table nat_table;

/* The chain that masquerades what leaves a subnet of the network. */
const char *nat_masq_chain(struct tx *tx, const struct nat *n, struct cidr subnet);

/* The chain that masquerades what was redirected to a container, reached through dev. */
const char *nat_snat_chain(struct tx *tx, const struct nat *n, struct cidr subnet, const char *dev);

/* All elements of an attachment. */
struct owned_change nat_compose(struct tx *tx, const struct nat *n, struct nat_skeleton *s);

/* The link through which the host reaches the container; "none" if it does not. */
int nat_reach_dev(struct tx *tx, struct rt *host, const struct nat *n, const char **ret) CHECKED;

/* Must the host's loopback be routed to the container? */
bool nat_wants_localnet(const struct nat *n, const char *dev);
int nat_set_localnet(struct tx *tx, const char *dev, const char *value) CHECKED;

/* Forgets the flows that began before the ports were ours. */
int nat_flush_for_add(struct tx *tx, struct nfnl *nl, const struct nat *n) CHECKED;

/* What a DEL learns from the elements it deletes, and does when they are gone. */
struct nat_aftermath {
	struct tx *tx;
	struct ct_filter *flows[2];
	unsigned n_flows[2];
	const char **devs;
	unsigned n_devs;
};
void nat_note(const struct nft_elem *e, unsigned set, void *aftermath);
int nat_settle(struct tx *tx, struct nfnl *nl, struct nat_aftermath *a) CHECKED;

#endif
