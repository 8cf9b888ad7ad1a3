/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat.h - masquerade and port mappings: table inet cplug
 *
 * docs/nft.md shows the table as an administrator sees it.  What belongs to an attachment is an
 * element (owned.h).  Chains are the skeleton: constant, or named after what they do (network,
 * subnet, device), so that the content of a chain never changes.
 *
 * Functions return 0 or a recorded failure.
 */
#ifndef CPLUG_NAT_H
#define CPLUG_NAT_H

#include "netlink/link.h"
#include "firewall/owned.h"
#include "firewall/hostports.h"
#include "netlink/rt.h"

struct nat {
	const struct owner *owner;
	enum owned_kind kind; /* OWNED_MAIN_NAT or OWNED_PORTMAP_NAT */
	int link;             /* ifindex of the attachment's link on the host, 0 = unknown */

	const struct cidr *masq; /* container addresses to masquerade, with their prefix length */
	unsigned n_masq;
	const struct cidr *except; /* destinations not masqueraded, beside the own subnet */
	unsigned n_except;
	bool pass_invalid; /* do not drop packets of ct state invalid */

	const struct hostports *ports; /* NULL = none */
	struct cidr to4, to6; /* the container's addresses, with prefix length; no address = none */
	const char *dev;      /* the link of the host to the container; NULL = look it up */
	bool own_dev;         /* dev is the attachment's own: no other container is behind it */
	bool repair;          /* parts of it exist: put all in place again */
};

/*
 * Adds everything in one transaction, then deletes old conntrack flows of the ports.  Fails with
 * CPLUG_E_PORT if a port is in use and onConflict is "fail", with CNI_E_CONFIG if the chain
 * externalSetMarkChain is missing.  Undo: deletes it again.
 */
int nat_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n) CHECKED;

/*
 * Deletes the elements of one kind, and flows and loopback routes that depended on them.  Nothing
 * to delete is success; then the ruleset may have been flushed, and nat_close() is done to dev,
 * the link of the host through which the container is reached (NULL = unknown).  Returns 1 if there
 * was an element, 0 if not, or a recorded failure.
 */
int nat_del(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o,
	    enum owned_kind kind, const char *dev) CHECKED;

/*
 * The same for all kinds.  The main plugin's DEL comes last and also deletes what a chained plugin
 * could not delete.
 */
int nat_del_all(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o,
		const char *dev) CHECKED;

/* Notes every difference (differ.h): elements, chains and rules, loopback routes. */
int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n) CHECKED;

/*
 * nat_del() of all attachments of the network that are not in valid, and nat_loopback_sweep();
 * nat_prune() if none is valid.
 */
int nat_gc(struct tx *tx, struct nfnl *nl, struct rt *host, enum owned_kind kind,
	   const struct owned_valid *valid) CHECKED;

/*
 * Deletes the table if it has no element and no foreign chain, for a GC without attachments. Closes
 * the host's loopback first (nat_loopback_sweep()); the table stays if a route cannot be closed.
 */
int nat_prune(struct tx *tx, struct nfnl *nl, struct rt *host) CHECKED;

/* STATUS: fails with CNI_E_UNAVAILABLE if nf_tables cannot be used. */
int nat_status(struct tx *tx, struct nfnl *nl) CHECKED;

/* ---- the host's loopback after a flushed ruleset ---- */

/*
 * "nft flush ruleset" leaves route_localnet on and takes the chain `guard` away (docs/nft.md), so
 * containers behind a link could reach services on 127.0.0.1.
 *
 * nat_close() closes route_localnet of dev if the guard is missing, or ensures the guard if
 * elements in the table need the route.  nat_close_check() notes that the guard is missing
 * (differ.h).  Both do nothing if nat_is_open() is false, or if the guard is there.
 *
 * nat_is_open(): is route_localnet of dev on, and did cplug switch it on?  (A file of /proc, so
 * that a caller does not open sockets in vain.)  dev may be NULL.
 */
int nat_close(struct tx *tx, struct nfnl *nl, struct rt *host, const char *dev) CHECKED;
int nat_close_check(struct tx *tx, struct nfnl *nl, const char *dev) CHECKED;
bool nat_is_open(const char *dev);

/* ---- inspection of the whole host (cnitool gc) ---- */

/*
 * All owners in the table; and the deletion of unlisted elements, with the loopback routes
 * (owned.h).
 */
int nat_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n) CHECKED;
int nat_sweep(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_seen *s) CHECKED;

/*
 * A loopback route: it lets connections to 127.0.0.1 or [::1] of the host reach published ports of
 * containers behind a link.
 */
struct nat_loopback_route {
	int family; /* AF_INET: route_localnet of dev is on; AF_INET6: a local route to ::1 on dev
		     */
	char dev[IFNAMSIZ];
	bool shared; /* known to be a bridge's: sets localnet4 and localnet6 do not have it */
};

/*
 * The loopback routes that cplug opened and no container behind them needs, because none publishes
 * ports.  In the arena.
 */
int nat_loopback_survey(struct tx *tx, struct nfnl *nl, struct rt *host,
			struct nat_loopback_route **ret, unsigned *ret_n) CHECKED;
/* Closes all of them, and ensures the chain `guard` if one stays open. */
int nat_loopback_sweep(struct tx *tx, struct nfnl *nl, struct rt *host) CHECKED;
/* Closes one, unless it is in use by now. */
int nat_loopback_close(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *l) CHECKED;

#endif
