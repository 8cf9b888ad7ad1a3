/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * foreign_fw_impl.h - what the files of the foreign_fw module share (nobody else includes this)
 *
 * foreign_fw.c walks through chains, foreign_fw_rule.c reads one rule; foreign_fw_legacy.c does
 * both with the table of iptables-legacy.
 */
#ifndef CPLUG_FOREIGN_FW_IMPL_H
#define CPLUG_FOREIGN_FW_IMPL_H

#include <netinet/in.h> /* before the kernel's own */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <libmnl/libmnl.h>

#include "firewall/foreign_fw.h"

/* A packet that begins a connection, and where it is. */
struct foreign_fw_packet {
	struct mem *mem;
	struct nfnl *nl;
	const struct link *bridge; /* where it came in */
	uint8_t nfproto; /* NFPROTO_IPV4 or _IPV6; NFPROTO_BRIDGE: a frame between ports */
	uint8_t family;  /* of the table it is in */
	const char *table;
};

enum foreign_fw_answer { FOREIGN_FW_NO, FOREIGN_FW_MAYBE, FOREIGN_FW_YES };

/* What a rule does with it, if it matches. */
struct foreign_fw_verdict {
	enum foreign_fw_answer match;
	int code;          /* NF_DROP, NF_ACCEPT, NFT_JUMP …; NFT_CONTINUE = nothing */
	const char *chain; /* of NFT_JUMP and NFT_GOTO */
};

/* Reads the expressions of a rule (NFTA_RULE_EXPRESSIONS).  0 or -errno, unrecorded. */
int foreign_fw_rule(const struct foreign_fw_packet *p, const struct nlattr *exprs,
		    struct foreign_fw_verdict *ret) CHECKED;

/*
 * The same of iptables-legacy (ip6tables-legacy if six): *ret is set if somebody drops.
 * 0 or -errno, unrecorded.
 */
int foreign_fw_legacy(struct mem *mem, const struct link *bridge, bool six,
		      const char **ret) CHECKED;

/* A question about table and one more name (NULL = none) in buf. */
struct nlmsghdr *foreign_fw_ask(char *buf, int type, uint8_t family, const char *table,
				uint16_t name_attr, const char *name);

enum { FOREIGN_FW_ASK_ROOM = 768 };

#endif
