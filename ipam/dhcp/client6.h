/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client6.h - the DHCPv6 client of one address as a state machine without I/O (RFC 8415)
 *
 * Used as the client of client.h: dhcp6_conf_begin(), dhcp6_start(), and what todo says.  All
 * packets go by multicast (DHCP_SEND_MULTICAST) from the link-local address, which has to be
 * usable (not tentative) before.  The lease has one address, of /128: the on-link prefix and
 * routes come from router advertisements.  After DHCP_BOUND and DHCP_RENEWED with a change the
 * caller waits for the result of duplicate address detection, and calls dhcp6_decline() if there
 * is a duplicate.
 *
 * Retransmission as RFC 8415, section 15 and 7.6: SOLICIT after 1 s, doubled up to SOL_MAX_RT (3600
 * s, or what the server says), REQUEST up to 30 s and 10 times, CONFIRM for 10 s, RENEW and REBIND
 * after 10 s up to 600 s (sooner for leases that are shorter).  As with DHCPv4, the client gives up
 * after conf.resend_timeout without a lease, and never once it has had one.
 */
#ifndef CPLUG_DHCP_CLIENT6_H
#define CPLUG_DHCP_CLIENT6_H

#include "ipam/dhcp/exchange.h"
#include "ipam/dhcp/packet6.h"

/* The configuration; a plain structure to be stored. */
struct dhcp6_conf {
	uint32_t resend_timeout; /* in milliseconds */
	uint32_t iaid;           /* identifies the IA_NA */
	bool rapid_commit;       /* SOLICIT asks for a REPLY at once */
	uint8_t n_duid;
	uint8_t duid[DHCP6_DUID];
};

enum dhcp6_state {
	DHCP6_IS_STOPPED,
	DHCP6_IS_INIT, /* waits before a SOLICIT */
	DHCP6_IS_SOLICITING,
	DHCP6_IS_REQUESTING,
	DHCP6_IS_BOUND,
	DHCP6_IS_RENEWING,
	DHCP6_IS_REBINDING,
	DHCP6_IS_CONFIRMING, /* asks whether the stored lease is still good; may use it meanwhile */
	DHCP6_IS_RELEASING,
	DHCP6_IS_DECLINING,
};

struct dhcp6_client {
	struct dhcp6_conf conf;
	struct dhcp_exchange x;
	enum dhcp6_state state;
	uint8_t preference;      /* of the best ADVERTISE */
	uint8_t n_server;        /* bytes of server; 0: none chosen */
	uint32_t rt;             /* the last retransmission time in ms */
	uint32_t sol_max_rt;     /* in seconds */
	struct in6_addr address; /* to ask for, to hold, or to give back; ::: none */
	uint8_t server[DHCP6_DUID];
};

/*
 * The DUID is a DUID-UUID (type 4, RFC 6355) whose UUID (version 8 of RFC 9562) and the IAID are
 * made of the SHA-512 of id, "<container id>/<network>/<ifname>".  So they outlive daemon and
 * state, differ for each attachment even when MACs are used again, and need neither a clock
 * (DUID-LLT), nor the enterprise number (DUID-EN) that cplug does not have; id itself may be longer
 * than the 128 bytes of a DUID.
 */
void dhcp6_conf_begin(struct dhcp6_conf *conf, const char *id);
/* Is a stored configuration possible? */
bool dhcp6_conf_valid(const struct dhcp6_conf *conf);

/* These are as those of client.h with the same names. */
void dhcp6_start(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo);
bool dhcp6_reboot(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo);
void dhcp6_input(struct dhcp6_client *c, const void *data, size_t size, struct dhcp_at at,
		 struct dhcp_todo *todo);
void dhcp6_timer(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * RELEASE is repeated up to four times until the server answers; then comes DHCP_STOPPED.  A
 * caller without time may send the first packet and forget the client.  RFC 8415, 18.2.7: remove
 * the address before RELEASE is sent.
 */
void dhcp6_release(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * Duplicate address detection failed: DECLINE, up to five times until the server answers, and then
 * a new search, after ten seconds altogether or later.  No event says that the lease is gone.
 */
void dhcp6_decline(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/* Is there a lease that may be used? */
static inline bool dhcp6_has_lease(const struct dhcp6_client *c)
{
	return exchange_has_lease(&c->x);
}

#endif
