// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lease.c - what leases of DHCPv4 and DHCPv6 have in common: times, lists of servers and names
 */
#include "ipam/dhcp/lease.h"

void dhcp_lease_times(struct dhcp_lease *l, int64_t ms, const int64_t sent[2],
		      const int64_t instead[2])
{
	int64_t t1 = sent[0], t2 = sent[1];

	if (!t2 || t2 >= ms)
		t2 = instead[1];
	if (t1 < DHCP_T1_MIN || t1 >= t2) {
		t1 = instead[0];
		if (t1 >= t2)
			t2 = instead[1];
	}
	l->t1 = t1 == DHCP_NEVER ? DHCP_NEVER : l->start + t1;
	l->t2 = t2 == DHCP_NEVER ? DHCP_NEVER : l->start + t2;
	l->end = ms == DHCP_NEVER ? DHCP_NEVER : l->start + ms;
}

bool dhcp_lease_valid(const struct dhcp_lease *l, int64_t now)
{
	return l->size && l->size <= DHCP_PACKET && l->start <= now && l->start <= l->t1 &&
	       l->t1 <= l->t2 && l->t2 <= l->end;
}

void dhcp_read_addresses(const uint8_t *p, size_t size, unsigned bytes, struct ip *list,
			 unsigned *n)
{
	for (size_t at = 0; at + bytes <= size && *n < DHCP_SERVERS; at += bytes) {
		struct ip ip = { .family = bytes == 4 ? AF_INET : AF_INET6 };

		memcpy(ip.b, p + at, bytes);
		if (!ip_is_any(ip) && !ip_is_multicast(ip))
			list[(*n)++] = ip;
	}
}

bool dhcp_is_name_char(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_';
}

/* Appends a label and a dot.  A label with other characters makes the name empty, for ever. */
static bool add_label(const uint8_t *p, size_t n, char *out, size_t *used, bool *bad)
{
	if (*used + n + 1 >= DHCP_NAME)
		return false;
	for (size_t i = 0; i < n; i++) {
		*bad = *bad || !dhcp_is_name_char(p[i]);
		out[(*used)++] = (char)p[i];
	}
	out[(*used)++] = '.';
	return true;
}

/*
 * Reads the name at *at, and moves *at behind it; false if it is malformed.  It ends: a pointer
 * leads before everything that was read of this name, and labels add up to at most 255 bytes.
 */
static bool read_name(const uint8_t *p, size_t size, size_t *at, struct dhcp_name *ret)
{
	size_t here = *at, first = here, used = 0;
	bool jumped = false, bad = false;

	while (here < size) {
		uint8_t n = p[here++];

		if (n == 0) {
			*at = jumped ? *at : here;
			ret->s[used && !bad ? used - 1 : 0] = '\0';
			return true;
		}
		if (n < 64) {
			if (n > size - here || !add_label(p + here, n, ret->s, &used, &bad))
				return false;
			here += n;
			continue;
		}
		if (n < 192 || here >= size)
			return false;
		*at = jumped ? *at : here + 1;
		jumped = true;
		here = (size_t)(n & 63) << 8 | p[here];
		if (here >= first)
			return false;
		first = here;
	}
	return false;
}

void dhcp_read_search(const uint8_t *p, size_t size, struct dhcp_facts *facts)
{
	unsigned n = 0;

	for (size_t at = 0; at < size && n < DHCP_NAMES;) {
		if (!read_name(p, size, &at, &facts->search[n])) {
			facts->n_search = 0;
			return;
		}
		if (facts->search[n].s[0])
			n++;
	}
	facts->n_search = n;
}
