/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign_fw.h - does another program's firewall drop forwarded traffic of a bridge?
 *
 * A packet passes the base chains of all tables at a hook, and a drop in one of them is final.  So
 * a bridge depends on the forward chains of all programs.  This module reads them for a new
 * connection that comes in by the bridge.  It understands interfaces, connection states, families
 * and protocols.  It assumes that any other match is true in a rule that accepts and false in a
 * rule that drops, so a firewall that lets part of the traffic pass is not reported.
 */
#ifndef CPLUG_FOREIGN_FW_H
#define CPLUG_FOREIGN_FW_H

#include "netlink/link.h"
#include "nft/nfnl.h"

/*
 * Finds a chain that drops all new connections of a family (four, six) that come in by bridge, or
 * all frames between its ports.  A bridge whose name is "" is not known: any match of a link may be
 * true.  *ret is a sentence with table, chain and remedy; NULL = there is
 * none.  Returns 0 or a recorded failure.
 */
int foreign_fw_check(struct tx *tx, struct nfnl *nl, const struct link *bridge, bool four, bool six,
		     const char **ret) CHECKED;

/* Whose chain drops. */
enum foreign_fw_by {
	FOREIGN_FW_IPTABLES,  /* FORWARD of iptables-nft */
	FOREIGN_FW_LEGACY,    /* FORWARD of iptables-legacy */
	FOREIGN_FW_FIREWALLD, /* a chain of table inet firewalld */
	FOREIGN_FW_OTHER,
	FOREIGN_FW_BY,
};

/* New connections of a container. */
struct foreign_fw_flow {
	const struct link *bridge; /* that they come in by */
	struct ip from4, from6; /* the container's addresses; a family without is not looked at */
	bool any;               /* look at IPv4, whatever the address */
};

/*
 * The same for all chains: ret[by] is the sentence about the first chain of each kind, or NULL. For
 * a new attachment of the firewall plugin: its chain CNI-FORWARD is taken as if it were empty.
 */
int foreign_fw_survey(struct tx *tx, struct nfnl *nl, const struct foreign_fw_flow *flow,
		      const char *ret[FOREIGN_FW_BY]) CHECKED;

#endif
