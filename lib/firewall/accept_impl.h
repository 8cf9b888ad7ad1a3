/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accept_impl.h - shared by the files of the accept module only
 *
 * accept.c has the verbs, accept_table.c table inet cplug-firewall, accept_policy.c the links with
 * an ingress policy, accept_frames.c table bridge cplug-firewall.
 */
#ifndef CPLUG_ACCEPT_IMPL_H
#define CPLUG_ACCEPT_IMPL_H

#include "firewall/accept.h"

enum accept_set {
	ACCEPTED4,
	ACCEPTED6,
	ISOLATED4, /* of attachments with ingressPolicy "isolated" */
	ISOLATED6,
	SELF4, /* likewise: (address . the same address) */
	SELF6,
	USES,      /* (key . number) leads to a chain that the attachment needs: enum accept_use */
	ELSEWHERE, /* (key . bit of enum accept_elsewhere_bit), the zone in private bytes */
	N_ACCEPT_SETS
};

/* Numbers in keys of USES. */
enum accept_use { USES_ADMIN, USES_POLICY, USES_ISOLATION };

/* What skeleton() and survey() of one change need. */
struct accept_skeleton {
	struct mem *mem;
	const struct accept *a;
	bool surveyed;   /* accept_survey_admin() has filled in what follows */
	bool dispatched; /* the chain `admin` leads to the own chain */
	struct accept_stale {
		const char *chain;
		uint64_t handle;
	} * stale; /* dispatch rules that nothing uses */
	unsigned n_stale;
};

extern const struct owned_table accept_table;
/* A chain or set of table inet cplug-firewall. */
struct nft_ref accept_ref(const char *name);

/* "admin/NAME": leads to the administrator's chain. */
const char *accept_admin_chain(struct mem *mem, const char *name);
int accept_survey_admin(struct tx *tx, struct nfnl *nl, void *arg) CHECKED;

/* ---- accept_policy.c ---- */

/*
 * The sets of the links with a policy.  Their elements belong to a link, not to an attachment.  The
 * kernel counts the attachments: each has an element in USES that leads to the chain
 * same-bridge/DEV, or isolated/DEV, which has no rule.
 */
const char *accept_policy_chain(struct mem *mem, enum accept_use use, const char *dev);
void accept_put_policy_sets(struct nft *n);
/* Puts the chains and elements of a's link; and the rules that look the sets up. */
void accept_put_policy(struct nft *n, struct mem *mem, const struct accept *a);
void accept_put_policy_rules(struct nft *n);
/* Notes elements that are missing (differ.h). */
int accept_check_policy(struct tx *tx, struct nfnl *nl, const struct accept *a) CHECKED;
/* Deletes chain and elements if no attachment leads to the chain. */
int accept_release_policy(struct tx *tx, struct nfnl *nl, const char *chain) CHECKED;
bool accept_is_policy_chain(const char *chain);

/* ---- accept_frames.c ---- */

int accept_frames_add(struct tx *tx, struct nfnl *nl, struct rt *host,
		      const struct accept *a) CHECKED;
int accept_frames_check(struct tx *tx, struct nfnl *nl, const struct accept *a) CHECKED;
int accept_frames_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid) CHECKED;

#endif
