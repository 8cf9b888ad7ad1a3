// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mark.c - the mark on links that cplug leaves
 */
#include "value/mark.h"

#include <stdio.h>

#include "value/name.h"

enum {
	LONGEST = MARK_SIZE - 1,
	TAIL = IFNAMSIZ, /* "#" and the owner's key */
};

/* Groups of new links have both bits, those of doomed ones bit 30 alone. */
static const uint32_t group_bits = 3u << 29, doomed_bit = 1u << 30;

static const char prefix[] = "cplug ";

/* FNV-1a (RFC 9923).  It has to tell links apart that are being made at the same time. */
static uint32_t group_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return (hash & ((1u << 29) - 1)) | group_bits;
}

struct mark mark_of(const char *network, const char *id, const char *ifname)
{
	struct mark m;
	int n = snprintf(m.s, sizeof(m.s), "%s%s/%s/%s", prefix, network, id, ifname);

	if (n > LONGEST)
		snprintf(m.s + LONGEST - TAIL, TAIL + 1, "#%s", name_owner(network, id, ifname).s);
	m.group = group_of(m.s);
	return m;
}

struct mark mark_of_network(const char *network)
{
	struct mark m;

	snprintf(m.s, sizeof(m.s), "%s%s", prefix, network);
	m.group = group_of(m.s);
	return m;
}

bool mark_is_group(uint32_t group)
{
	return (group & group_bits) == group_bits;
}

uint32_t mark_doomed_group(uint32_t number)
{
	return (number & ~(group_bits | 1u << 31)) | doomed_bit;
}

bool mark_is_doomed(uint32_t group)
{
	return (group & (group_bits | 1u << 31)) == doomed_bit;
}

bool mark_parse_owner(struct mem *m, const char *owner, struct mark_owner *ret)
{
	struct mark_owner o = { .network = NULL };
	char *network = mem_str(m, owner);
	char *id = strchr(network, '/');
	char *ifname = id ? strchr(id + 1, '/') : NULL;

	if (id && !ifname)
		return false;
	o.network = network;
	if (id) {
		*id++ = *ifname++ = '\0';
		o.id = id;
		o.ifname = ifname;
	}
	*ret = o;
	return true;
}

bool mark_parse(struct mem *m, const char *alias, struct mark_owner *ret)
{
	if (!mark_is_any(alias) || strlen(alias) >= LONGEST)
		return false;
	return mark_parse_owner(m, alias + strlen(prefix), ret);
}
