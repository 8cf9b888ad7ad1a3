/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * accept.h - forwarded traffic of an attachment: accepted addresses and ingress policy
 *
 * Table inet cplug-firewall has the accepted addresses as set elements, and the links between which
 * an ingress policy forbids traffic; table bridge cplug-firewall has the bridge ports between which
 * no frame passes.  docs/nft.md shows both.  What an attachment has is an element (owned.h), so the
 * number of rules is constant.
 *
 * An accept ends only its own base chain.  Where another program drops forwarded packets, the
 * attachment has accept rules in the chains of that program as well; the table records that, so
 * that DEL finds them by (network, id, ifname).
 *
 * Functions return 0 or a recorded failure.
 */
#ifndef CPLUG_ACCEPT_H
#define CPLUG_ACCEPT_H

#include "firewall/ipt.h"
#include "firewall/owned.h"

/* ingressPolicy (the reference plugin firewall). */
enum accept_policy {
	ACCEPT_OPEN,
	ACCEPT_SAME_BRIDGE, /* not from links of other networks that have a policy */
	ACCEPT_ISOLATED,    /* in addition, not from other containers on the bridge */
};

/* Where else than in cplug's table an attachment is accepted: bits. */
enum accept_elsewhere_bit {
	ACCEPT_IPTABLES = 1,  /* in the table filter of iptables-nft */
	ACCEPT_FIREWALLD = 2, /* in a zone of firewalld */
};

enum { ACCEPT_ZONE_MAX = 17, ACCEPT_CHAIN_MAX = 28 };

struct accept {
	const struct owner *owner;
	int link;             /* ifindex of the attachment's link on the host; 0 = unknown */
	const struct ip *ips; /* the container's addresses, each once */
	unsigned n_ips;
	const char *admin; /* the administrator's chain: at most ACCEPT_CHAIN_MAX bytes */
	enum accept_policy policy;
	const char *dev;  /* with a policy: the link through which the host reaches the container */
	const char *port; /* isolated: its bridge port; NULL = it has none */
	unsigned elsewhere; /* enum accept_elsewhere_bit */
	const char *zone;   /* of firewalld: at most ACCEPT_ZONE_MAX bytes */
	bool repair;        /* parts of it exist: put all in place again */
	/* Result of accept_add(): rules of these addresses may exist elsewhere. */
	bool inherits;
};

/* Is it the name of a zone of firewalld: letters, digits, '_', '-', '/'? */
bool accept_valid_zone(const char *name);

/* Is the name free for an administrator's chain (iptablesAdminChainName)? */
bool accept_valid_chain(const char *name);

int accept_add(struct tx *tx, struct nfnl *nl, struct rt *host, struct accept *a) CHECKED;
/* Notes every difference (differ.h). */
int accept_check(struct tx *tx, struct nfnl *nl, const struct accept *a) CHECKED;

/*
 * Where ADD accepted the attachment, as the table records it.  Returns 1, 0 if the table does not
 * know the attachment, or a recorded failure.
 */
int accept_find_elsewhere(struct tx *tx, struct nfnl *nl, const struct owner *o,
			  unsigned *ret) CHECKED;

/*
 * Keeps the record of the rules of iptables for DEL and CHECK, which work without it, too, but read
 * all rules: so a failure is none.
 */
void accept_keep_record(struct tx *tx, struct nfnl *nl, const struct owner *o,
			struct ipt_record record);
/* What was kept; bytes NULL: nothing. */
struct ipt_record accept_find_record(struct tx *tx, struct nfnl *nl, const struct owner *o);

/*
 * Deletes what an attachment has, also elsewhere, and the policy of a link whose last attachment it
 * was.  The index is deleted last, so a call that was killed is finished by the next one.  prev:
 * the addresses of prevResult, for an attachment that the table does not know because another suite
 * has added it; those that an attachment has are left alone.
 */
int accept_del(struct tx *tx, struct nfnl *nl, const struct owner *o, const struct ip *prev,
	       unsigned n_prev) CHECKED;
/* The same for all attachments of the network that are not in valid. */
int accept_gc(struct tx *tx, struct nfnl *nl, const struct owned_valid *valid) CHECKED;
/* Deletes policies of links without attachments, after a DEL that was killed. */
int accept_sweep_policies(struct tx *tx, struct nfnl *nl) CHECKED;

/* Deletes both tables if they have no element and no rule of an administrator. */
int accept_prune(struct tx *tx, struct nfnl *nl) CHECKED;

/* ---- inspection of the whole host (cnitool gc): owned.h; frames: table bridge cplug-firewall ----
 */
int accept_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n) CHECKED;
int accept_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s) CHECKED;
int accept_frames_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret,
			 unsigned *ret_n) CHECKED;
int accept_frames_del(struct tx *tx, struct nfnl *nl, const struct owner *o) CHECKED;
int accept_frames_sweep(struct tx *tx, struct nfnl *nl, const struct owned_seen *s) CHECKED;
int accept_frames_prune(struct tx *tx, struct nfnl *nl) CHECKED;

#endif
