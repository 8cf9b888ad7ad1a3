/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rule.h - policy routing rules  (linux/fib_rules.h, ip-rule(8))
 *
 * A rule belongs to the namespace, not to a link: it stays when the link goes, so DEL has to
 * delete it.
 */
#ifndef CPLUG_RULE_H
#define CPLUG_RULE_H

#include <net/if.h>

#include "netlink/rt.h"

/* A rule that looks a table up.  In a description, 0, "" and no address mean any. */
struct rule {
	int family;           /* AF_INET, AF_INET6 */
	struct cidr src, dst; /* "from" and "to" */
	char iif[IFNAMSIZ], oif[IFNAMSIZ];
	uint32_t fwmark, fwmask;
	uint32_t priority; /* of a rule to be added: 0 = the kernel chooses */
	uint32_t table;    /* RT_TABLE_* */
	uint8_t protocol;  /* who added it: RTPROT_* */
	/*
	 * A rule that the fields do not describe: another action than the lookup of a table, or
	 * more selectors (ports, users, TOS, not).  Nothing here deletes or matches it.
	 */
	bool special;
};

struct rule_list {
	struct rule *r;
	unsigned n;
};

/* "from 10.1.0.2/32 iif eth0 lookup 100", for messages. */
struct rule_text {
	char s[224];
};
struct rule_text rule_text(const struct rule *r);
#define RULE_S(r) (rule_text(r).s)

/* All rules of a family (AF_UNSPEC: both, IPv4 first), in the kernel's order, in the arena. */
int rule_list(struct tx *tx, struct rt *rt, int family, struct rule_list *ret) CHECKED;

/*
 * Has the namespace other rules than the kernel's own?  Also true if that cannot be told.  Stops at
 * the first one, because a container may have as many as it likes.
 */
bool rule_has_others(struct rt *rt);

/*
 * Does a rule match a description?  A field that the description leaves 0, "" or without an
 * address may have any value.
 */
bool rule_matches(const struct rule *r, const struct rule *want);

/* The first rule that matches (ret may be NULL): 1, 0 if none does, or a recorded failure. */
int rule_find(struct tx *tx, struct rt *rt, const struct rule *want, struct rule *ret) CHECKED;

/*
 * Adds a rule.  The same rule with that priority must not be there (-EEXIST, recorded); without
 * a priority the kernel adds a second one.  Undo: deletes the rule with the priority that it
 * got.
 */
int rule_add(struct tx *tx, struct rt *rt, const struct rule *r) CHECKED;

/* Ensures that a rule matches, or adds this one.  No undo: for rules that are shared. */
int rule_ensure(struct tx *tx, struct rt *rt, const struct rule *r) CHECKED;

/*
 * Deletes the rules "from IP" of each address, whatever else they match (table 0 = any).  Sorts the
 * addresses.  Of rules that a container added, up to 4096; the memory does not depend on their
 * number. No undo: for DEL.
 */
int rule_del_from(struct tx *tx, struct rt *rt, struct ip *ips, unsigned n, uint32_t table) CHECKED;

#endif
