/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nat.h - masquerade and published ports: the table inet cplug
 *
 * docs/nft.md shows the table as an administrator sees it.  What belongs to an
 * attachment are elements (owned.h); chains are skeleton: constant, or named after
 * what they do (network, subnet, device), so that their content never changes.
 */
#ifndef CPLUG_NAT_H
#define CPLUG_NAT_H

#include "netlink/link.h"
#include "firewall/owned.h"
#include "firewall/hostports.h"
#include "netlink/rt.h"

struct nat {
	const struct owner *owner;
	enum owned_kind kind; /* OWNED_BRIDGE_NAT or OWNED_PORTMAP_NAT */
	int link;             /* ifindex of the attachment's link on the host, 0 = unknown */

	const struct cidr *masq; /* container addresses to masquerade, with prefix */
	unsigned n_masq;
	const struct cidr *except; /* destinations not masqueraded beside the own subnet */
	unsigned n_except;
	bool pass_invalid; /* let out what belongs to no connection, with its own address */

	const struct hostports *ports; /* NULL = none */
	struct cidr to4, to6; /* the container's addresses, with prefix; none = no address */
	const char *dev;      /* the link through which the host reaches to4; NULL = look it up */
	bool repair;          /* it was all there once: what is left of it is put in place anew */
};

/* Everything in one transaction, then forgets old flows of the ports. */
int nat_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n) CHECKED;

/* Takes it away again; nothing there is success. */
int nat_del(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o,
	    enum owned_kind kind) CHECKED;

/* The same of every kind, for the plugin that comes last: also what another could not do. */
int nat_del_all(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o) CHECKED;

/* Tells every difference: elements, rules of the chains, route_localnet. */
int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n) CHECKED;

/* Takes away what belongs to attachments of the network that are not valid. */
int nat_gc(struct tx *tx, struct nfnl *nl, struct rt *host, enum owned_kind kind,
	   const struct owned_valid *valid) CHECKED;

/* Deletes the table if nothing is left in it but the skeleton (GC without attachments). */
int nat_prune(struct tx *tx, struct nfnl *nl) CHECKED;

/* STATUS: CNI_E_UNAVAILABLE if nf_tables cannot be used. */
int nat_status(struct tx *tx, struct nfnl *nl) CHECKED;

/* ---- for who looks over the whole machine ---- */

/* What owners have in the table, and nat_del() of what no index lists (owned.h). */
int nat_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n) CHECKED;
int nat_sweep(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_seen *s) CHECKED;

/*
 * A loopback route: it lets connections to 127.0.0.1 or [::1] of the host reach published ports of
 * containers behind a link.
 */
struct nat_loopback_route {
	int family; /* AF_INET: route_localnet of dev is 1; AF_INET6: a local route to ::1 on dev */
	char dev[IFNAMSIZ];
};

/*
 * The loopback routes that are open although no container behind them publishes ports: of the
 * links that the table names, and of bridges that cplug made.  In the arena.
 */
int nat_loopback_survey(struct tx *tx, struct nfnl *nl, struct rt *host,
			struct nat_loopback_route **ret, unsigned *ret_n) CHECKED;
/* Closes one, unless it is in use by now. */
int nat_loopback_close(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *l) CHECKED;

#endif
