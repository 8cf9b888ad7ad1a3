/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * packet.h - messages of DHCPv4: RFC 2131, options of RFC 2132
 *
 * A message is the payload of a UDP datagram.  The reader trusts nothing: lengths are checked
 * against the message, also those of long options (RFC 3396) and in the fields file and sname
 * (option 52); names with compression have bounds.
 */
#ifndef CPLUG_DHCP_PACKET_H
#define CPLUG_DHCP_PACKET_H

#include "ipam/dhcp/event.h"

enum dhcp_option {
	DHCP_OPT_PAD = 0,
	DHCP_OPT_MASK = 1,
	DHCP_OPT_ROUTER = 3,
	DHCP_OPT_DNS = 6,
	DHCP_OPT_HOST_NAME = 12,
	DHCP_OPT_DOMAIN = 15,
	DHCP_OPT_MTU = 26,
	DHCP_OPT_STATIC_ROUTE = 33,
	DHCP_OPT_NTP = 42,
	DHCP_OPT_ADDRESS = 50,
	DHCP_OPT_LEASE_TIME = 51,
	DHCP_OPT_OVERLOAD = 52,
	DHCP_OPT_TYPE = 53,
	DHCP_OPT_SERVER = 54,
	DHCP_OPT_REQUEST = 55,
	DHCP_OPT_MESSAGE = 56,
	DHCP_OPT_MAX_SIZE = 57,
	DHCP_OPT_T1 = 58,
	DHCP_OPT_T2 = 59,
	DHCP_OPT_CLIENT_ID = 61,
	DHCP_OPT_SEARCH = 119,          /* RFC 3397 */
	DHCP_OPT_CLASSLESS_ROUTE = 121, /* RFC 3442 */
	DHCP_OPT_END = 255,
};

enum dhcp_type {
	DHCP_DISCOVER = 1,
	DHCP_OFFER = 2,
	DHCP_REQUEST = 3,
	DHCP_DECLINE = 4,
	DHCP_ACK = 5,
	DHCP_NAK = 6,
	DHCP_RELEASE = 7,
};

/* Offsets in a message (RFC 2131, figure 1). */
enum {
	DHCP_AT_HTYPE = 1,
	DHCP_AT_HLEN = 2,
	DHCP_AT_XID = 4,
	DHCP_AT_SECS = 8,
	DHCP_AT_FLAGS = 10,
	DHCP_AT_CIADDR = 12,
	DHCP_AT_YIADDR = 16,
	DHCP_AT_CHADDR = 28,
	DHCP_AT_SNAME = 44,
	DHCP_AT_FILE = 108,
	DHCP_AT_COOKIE = 236,
	DHCP_AT_OPTIONS = 240,
};

/* A server's message that dhcp_parse() found well-formed; the bytes are borrowed. */
struct dhcp_message {
	const uint8_t *data;
	size_t size;
	uint8_t type; /* enum dhcp_type */
	uint8_t overload;
	uint32_t xid;
	struct ip yiaddr;
	struct ip server; /* option 54; no address if it is missing */
};

/*
 * Is it a BOOTREPLY for Ethernet, with DHCP's cookie and a message type, whose options all end
 * inside?  (An end option may be missing, as other clients allow, too.)
 */
bool dhcp_parse(const void *data, size_t size, struct dhcp_message *ret);

/*
 * Copies an option into out[cap], all its parts joined (RFC 3396, section 7).  Returns its
 * length, which may be 0, or -1 if it is not there or longer than cap.
 */
int dhcp_option(const struct dhcp_message *m, uint8_t code, void *out, size_t cap);
/* An option of exactly four bytes as number in host order; false if it is not there. */
bool dhcp_option_u32(const struct dhcp_message *m, uint8_t code, uint32_t *ret);

/* Can a host have this IPv4 address?  (Not of 0/8, 127/8, nor multicast, nor above.) */
bool dhcp_usable(struct ip ip);
/* The same of an offered address, which is neither the network's nor its broadcast address. */
bool dhcp_offer_usable(const struct dhcp_message *m);

/*
 * Decodes the values of an OFFER or ACK.  Returns NULL, or a constant text that says why the
 * message cannot be a lease: "DHCP option Subnet Mask not found in DHCPACK" (as the reference
 * says).
 */
const char *dhcp_facts(const void *data, size_t size, struct dhcp_facts *ret);
/* Would both messages be applied in the same way?  Times and transaction ids do not count. */
bool dhcp_same_facts(const struct dhcp_message *a, const struct dhcp_message *b);

/*
 * Writes the fixed part of a BOOTREQUEST for Ethernet, all zero but op, htype, hlen, chaddr and
 * cookie, and returns its size, DHCP_AT_OPTIONS.  out has DHCP_PACKET bytes.
 */
size_t dhcp_begin(uint8_t *out, const uint8_t mac[6]);
/*
 * Inserts an option into list[*used], which has cap bytes and is sorted by code, in place of an
 * option of this code.  Returns 0, or -ENOSPC.
 */
CHECKED int dhcp_put(uint8_t *list, size_t *used, size_t cap, uint8_t code, const void *data,
		     uint8_t size);
/* Ends the options and pads to 300 bytes, as relays of BOOTP want (RFC 1542, 2.1). */
size_t dhcp_end(uint8_t *out, size_t size);

#endif
