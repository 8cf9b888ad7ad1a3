/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lease.h - what the DHCPv4 and DHCPv6 files share: numbers in network order, jitter
 */
#ifndef CPLUG_DHCP_LEASE_H
#define CPLUG_DHCP_LEASE_H

#include "ipam/dhcp/event.h"

/* A time in seconds that stands for ever, in both protocols. */
#define DHCP_INFINITE UINT32_MAX

enum {
	DHCP_LEASE_MIN = 5000, /* ms: shorter leases count as this long */
	DHCP_T1_MIN = 2000,    /* ms: an earlier renewal is not believed */
};

static inline uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void put16(uint8_t *p, unsigned n)
{
	p[0] = (uint8_t)(n >> 8);
	p[1] = (uint8_t)n;
}

static inline void put32(uint8_t *p, uint32_t n)
{
	put16(p, n >> 16);
	put16(p + 2, n & 0xffff);
}

static inline int64_t time_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* A number from 0 to most, of the random bits that are not used for transaction ids. */
static inline int64_t jitter(struct dhcp_at at, int64_t most)
{
	return (int64_t)((at.random >> 32) % ((uint64_t)most + 1));
}

/*
 * The times of a lease that was requested at start: ms that it lasts, and t1 and t2 as the server
 * sent them (0: it did not), with default_t1 and default_t2 in place of what makes no sense.
 */
void dhcp_lease_times(struct dhcp_lease *l, int64_t ms, const int64_t sent[2],
		      const int64_t instead[2]);
/* Are the times of a stored lease possible, and did it begin before now? */
bool dhcp_lease_valid(const struct dhcp_lease *l, int64_t now);

/* May c be in a name?  A dot separates names; they end up in resolv.conf. */
bool dhcp_is_name_char(uint8_t c);
/* Appends addresses of bytes each (4 or 16) to list, which has DHCP_SERVERS. */
void dhcp_read_addresses(const uint8_t *p, size_t size, unsigned bytes, struct ip *list,
			 unsigned *n);
/* Reads domain names (RFC 1035, 3.1 and 4.1.4) into facts->search; none if they are malformed. */
void dhcp_read_search(const uint8_t *p, size_t size, struct dhcp_facts *facts);

#endif
