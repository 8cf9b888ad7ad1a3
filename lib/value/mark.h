/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * mark.h - the mark on links that cplug leaves: which attachment or network owns them
 *
 * The mark is the link's ifalias (linux/if_link.h, IFLA_IFALIAS): "cplug NETWORK/ID/IFNAME" of a
 * link that belongs to one attachment, "cplug NETWORK" of a link that the attachments of a
 * network share.  DEL, GC and cnitool find links by it.
 *
 * The kernel takes no alias in the request that creates a link, but it takes a device group
 * (IFLA_GROUP).  So a new link starts in a group that is computed from its mark, and the
 * request that sets it up replaces the group with the alias.  A link whose ADD was killed in
 * between is recognised by the group.
 */
#ifndef CPLUG_MARK_H
#define CPLUG_MARK_H

#include "base/mem.h"

enum { MARK_SIZE = 256 }; /* IFALIASZ: the longest alias, with its NUL */

struct mark {
	char s[MARK_SIZE];
	uint32_t group; /* of a link that has no alias yet; never 0, the kernel's default */
};

/*
 * The mark of an attachment.  A text that is longer than an alias ends in a hash of the whole:
 * it is still unique, but mark_parse() cannot read it.
 */
struct mark mark_of(const char *network, const char *id, const char *ifname);

/* The mark of what the attachments of a network share. */
struct mark mark_of_network(const char *network);

/* Is the alias a mark of cplug's, whatever it says? */
static inline bool mark_is_any(const char *alias)
{
	return str_starts(alias, "cplug ");
}

/* Is it the mark of what the attachments of a network share? */
static inline bool mark_is_network(const char *alias)
{
	return mark_is_any(alias) && !strchr(alias, '/');
}

/* Is it a device group of links that will get a mark? */
bool mark_is_group(uint32_t group);

/* Makes one of 2^29 device groups of links that are about to be deleted. */
uint32_t mark_doomed_group(uint32_t number);

/* Is it such a group? */
bool mark_is_doomed(uint32_t group);

/* Does a link with this alias and device group carry the mark? */
static inline bool mark_matches(const struct mark *m, const char *alias, uint32_t group)
{
	if (*alias)
		return str_eq(alias, m->s);
	return group == m->group;
}

struct mark_owner {
	const char *network;
	const char *id, *ifname; /* NULL: the mark is a network's */
};

/* Splits an alias; the strings are in the arena.  false: no mark, or a shortened one. */
bool mark_parse(struct mem *m, const char *alias, struct mark_owner *ret);

/* Splits an owner without the prefix: "NETWORK/ID/IFNAME" or "NETWORK", of any length. */
bool mark_parse_owner(struct mem *m, const char *owner, struct mark_owner *ret);

#endif
