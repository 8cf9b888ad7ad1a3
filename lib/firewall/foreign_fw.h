/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign_fw.h - does somebody else's firewall drop what containers say to the world?
 *
 * In nftables all base chains of a hook are passed, and what one drops is dropped, so a
 * bridge depends on everybody's forward chains.  They are read as far as a new
 * connection that comes in by the bridge would get: interfaces, connection states,
 * families and protocols are understood, and whatever else a rule asks for is taken to
 * be true if it accepts, and false if it drops.  So nobody is accused who lets some of it
 * pass.
 */
#ifndef CPLUG_FOREIGN_FW_H
#define CPLUG_FOREIGN_FW_H

#include "netlink/link.h"
#include "nft/nfnl.h"

/*
 * Who drops all new connections of a family (four, six) that come in by bridge, or all
 * frames between its ports?  *ret is a sentence with table, chain and remedy; NULL =
 * nobody.
 */
int foreign_fw_check(struct tx *tx, struct nfnl *nl, const struct link *bridge, bool four, bool six,
		     const char **ret) CHECKED;

#endif
