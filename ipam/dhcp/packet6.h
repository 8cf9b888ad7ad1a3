/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet6.h - messages of DHCPv6: RFC 8415, options of RFC 3646 and 5908
 *
 * A message is the payload of a UDP datagram.  Only what a client of one address (IA_NA) needs is
 * read; lengths are checked at each level.
 */
#ifndef CPLUG_DHCP_PACKET6_H
#define CPLUG_DHCP_PACKET6_H

#include "ipam/dhcp/event.h"

enum dhcp6_option {
	DHCP6_OPT_CLIENT_ID = 1,
	DHCP6_OPT_SERVER_ID = 2,
	DHCP6_OPT_IA_NA = 3,
	DHCP6_OPT_IAADDR = 5,
	DHCP6_OPT_REQUEST = 6,
	DHCP6_OPT_PREFERENCE = 7,
	DHCP6_OPT_ELAPSED = 8,
	DHCP6_OPT_STATUS = 13,
	DHCP6_OPT_RAPID_COMMIT = 14,
	DHCP6_OPT_DNS = 23,
	DHCP6_OPT_SEARCH = 24,
	DHCP6_OPT_NTP = 56,
	DHCP6_OPT_SOL_MAX_RT = 82,
};

enum dhcp6_type {
	DHCP6_SOLICIT = 1,
	DHCP6_ADVERTISE = 2,
	DHCP6_REQUEST = 3,
	DHCP6_CONFIRM = 4,
	DHCP6_RENEW = 5,
	DHCP6_REBIND = 6,
	DHCP6_REPLY = 7,
	DHCP6_RELEASE = 8,
	DHCP6_DECLINE = 9,
};

/* RFC 8415, 21.13 */
enum dhcp6_status {
	DHCP6_SUCCESS = 0,
	DHCP6_UNSPEC_FAIL = 1,
	DHCP6_NO_ADDRS_AVAIL = 2,
	DHCP6_NO_BINDING = 3,
	DHCP6_NOT_ON_LINK = 4,
	DHCP6_USE_MULTICAST = 5,
};

enum { DHCP6_HEADER = 4, DHCP6_DUID = 130 }; /* bytes of type and id; of the largest DUID */

/* Options of a message or of another option; the bytes are borrowed. */
struct dhcp6_bytes {
	const uint8_t *p;
	size_t size;
};

/* A server's message that dhcp6_parse() found well-formed. */
struct dhcp6_message {
	uint8_t type;                                     /* DHCP6_ADVERTISE or DHCP6_REPLY */
	uint32_t xid;                                     /* 24 bits */
	struct dhcp6_bytes options, client_id, server_id; /* p NULL: the option is not there */
	unsigned status;                                  /* of the message; enum dhcp6_status */
	unsigned preference;
	uint32_t sol_max_rt; /* in seconds; 0: not there, or out of range */
	bool rapid_commit;
	/* The first IA_NA with the id asked for; has_ia false: there is none. */
	bool has_ia;
	unsigned ia_status;
	uint32_t t1, t2; /* as the server sent them, in seconds */
	/* Its first usable address; no address if there is none. */
	struct ip address;
	uint32_t preferred, valid; /* in seconds */
	bool withdrawn;            /* it has an address with a valid lifetime of 0 */
};

/* Reads an ADVERTISE or REPLY with the IA_NA of this iaid. */
bool dhcp6_parse(const void *data, size_t size, uint32_t iaid, struct dhcp6_message *ret);

/* The next option from *at on, which begins with 0; false at the end. */
bool dhcp6_each(struct dhcp6_bytes in, size_t *at, unsigned *code, struct dhcp6_bytes *ret);

/*
 * Decodes the values of a REPLY.  Returns NULL, or a constant text that says why the message
 * cannot be a lease.
 */
const char *dhcp6_facts(const void *data, size_t size, uint32_t iaid, struct dhcp_facts *ret);
/* Would both messages be applied in the same way?  Times and transaction ids do not count. */
bool dhcp6_same_facts(const struct dhcp6_message *a, const struct dhcp6_message *b);

/* Appends an option to out[*used], which has DHCP_PACKET bytes.  Returns 0, or -ENOSPC. */
CHECKED int dhcp6_put(uint8_t *out, size_t *used, unsigned code, const void *data, size_t size);

#endif
