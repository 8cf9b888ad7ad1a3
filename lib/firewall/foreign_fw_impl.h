/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign_fw_impl.h - shared by the files of the foreign_fw module only
 *
 * foreign_fw.c walks through chains, foreign_fw_rule.c evaluates a rule; foreign_fw_legacy.c does
 * both for iptables-legacy.
 */
#ifndef CPLUG_FOREIGN_FW_IMPL_H
#define CPLUG_FOREIGN_FW_IMPL_H

#include <netinet/in.h> /* before the kernel's headers */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "firewall/foreign_fw.h"

/* The bridge's name in a message. */
static inline const char *foreign_fw_bridge(const struct link *bridge)
{
	return *bridge->name ? bridge->name : "BRIDGE";
}

/* The first packet of a connection, and the table that it is in. */
struct foreign_fw_packet {
	struct mem *mem;
	struct nfnl *nl;
	const struct link *bridge; /* where the packet came in */
	struct ip from4, from6;    /* its source; no address = unknown */
	uint8_t nfproto; /* NFPROTO_IPV4 or _IPV6; NFPROTO_BRIDGE: a frame between ports */
	uint8_t family;  /* of the table */
	const char *table;
};

enum foreign_fw_answer { FOREIGN_FW_NO, FOREIGN_FW_MAYBE, FOREIGN_FW_YES };

/* What a rule does with the packet, if it matches. */
struct foreign_fw_verdict {
	enum foreign_fw_answer match;
	int code;          /* NF_DROP, NF_ACCEPT, NFT_JUMP …; NFT_CONTINUE = no verdict */
	const char *chain; /* target of NFT_JUMP and NFT_GOTO */
};

/* Evaluates the expressions of a rule (NFTA_RULE_EXPRESSIONS).  Returns 0 or -errno. */
int foreign_fw_rule(const struct foreign_fw_packet *p, const struct nlattr *exprs,
		    struct foreign_fw_verdict *ret) CHECKED;

/*
 * The same as foreign_fw_check() for iptables-legacy, or ip6tables-legacy if six.  Returns 0 or
 * -errno.
 */
int foreign_fw_legacy(struct mem *mem, const struct link *bridge, bool six,
		      const char **ret) CHECKED;

/*
 * Composes a dump request in buf (FOREIGN_FW_ASK_ROOM bytes) for a table (NULL = all) and one more
 * name (NULL = none).
 */
struct nlmsghdr *foreign_fw_ask(char *buf, int type, uint8_t family, const char *table,
				uint16_t name_attr, const char *name);

enum { FOREIGN_FW_ASK_ROOM = 768 };

#endif
