/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * client.h - the DHCPv4 client of one lease as a state machine without I/O (RFC 2131)
 *
 *	dhcp_conf_begin(&c.conf, "id/net/eth0", mac);       the configuration
 *	dhcp_conf_provide(&c.conf, 12, "pod1", 4);
 *	dhcp_conf_request(&c.conf, codes, n, false);
 *	dhcp_start(&c, at, &todo);                          the first DISCOVER is in todo
 *	dhcp_input(&c, data, size, at, &todo);              for each datagram to port 68
 *	dhcp_timer(&c, at, &todo);                          at todo.wake, or at any other time
 *
 * After each call the caller does what todo says (event.h).  While a lease is held,
 * c->x.lease has it, and the caller stores {conf, lease} before it answers others; after a restart
 *it loads them into a zeroed client and calls dhcp_reboot().
 *
 * Times as the reference's: an exchange sends up to three times, after timeout, and twice the
 * timeout, and fails after four times the timeout more, each ± a tenth.  The next exchange begins
 * after 2 s ± 1 s, from the fifth on after 4 s, 8 s, … up to resend_max, ± 1 s.
 * Without a lease the client gives up after resend_timeout; a client that has had
 * one goes on for ever.
 */
#ifndef CPLUG_DHCP_CLIENT_H
#define CPLUG_DHCP_CLIENT_H

#include "ipam/dhcp/exchange.h"

enum { DHCP_OPTIONS = 1200 };

/* The configuration; a plain structure to be stored. */
struct dhcp_conf {
	uint8_t mac[6];
	bool broadcast; /* ask servers to answer by broadcast (flags 0x8000) */
	/* In milliseconds; dhcp_conf_begin() sets 10 s, 62 s and 208 s. */
	uint32_t timeout, resend_max, resend_timeout;
	uint16_t n_options;
	uint8_t options[DHCP_OPTIONS]; /* as on the wire, sorted by code */
};

enum dhcp_state {
	DHCP_IS_STOPPED,
	DHCP_IS_INIT, /* waits before a DISCOVER */
	DHCP_IS_SELECTING,
	DHCP_IS_REQUESTING,
	DHCP_IS_BOUND,
	DHCP_IS_RENEWING,
	DHCP_IS_REBINDING,
	DHCP_IS_REBOOTING, /* asks whether the stored lease is still good, and may use it meanwhile
			    */
};

struct dhcp_client {
	struct dhcp_conf conf;
	struct dhcp_exchange x;
	enum dhcp_state state;
	uint8_t rounds;         /* exchanges that failed */
	struct in_addr server;  /* whose offer was taken, or whose lease this is */
	struct in_addr address; /* to ask for in DISCOVER or REQUEST; 0: none */
};

/* ---- configuration --------------------------------------------------------- */

/*
 * The defaults: client identifier 00 and id, cut to 254 bytes; the largest message 1500; requested
 * are 3 and 1.
 */
void dhcp_conf_begin(struct dhcp_conf *conf, const char *id, const uint8_t mac[6]);

/*
 * Sends an option in DISCOVER and REQUEST; a client identifier (61) in all messages.  Returns 0;
 * -EINVAL for a code that the protocol sets itself (0, 50, 52 to 54, 255) or a maximum size (57)
 * that is not 576 to 1500; -E2BIG for more than 255 bytes; -ENOSPC if all options together do not
 * fit.
 */
CHECKED int dhcp_conf_provide(struct dhcp_conf *conf, unsigned code, const void *data, size_t size);

/*
 * The parameter request list: codes, and then 3 and 1 unless skip_default.  With an empty list
 * 1, 3, 15 and 6 are requested.  A code that is there twice counts once.  Returns 0, -EINVAL for a
 * code that is not 1 to 254, or -ENOSPC.
 */
CHECKED int dhcp_conf_request(struct dhcp_conf *conf, const unsigned *codes, size_t n,
			      bool skip_default);

/* Is a stored configuration one that these functions can have made? */
bool dhcp_conf_valid(const struct dhcp_conf *conf);

/* ---- the life of a lease ----------------------------------------------------- */

/* Begins to look for a lease.  c->conf is set; everything else is initialised. */
void dhcp_start(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * Goes on with c->x.lease: after a restart of the daemon (c->conf and c->x.lease are set, the rest
 * is zero), or at any time when the link may have come to another network.  Within a second the
 * client asks by broadcast whether the lease is still good (INIT-REBOOT); its values may be used
 * meanwhile.  Events: DHCP_RENEWED; DHCP_REFUSED; none if no server answers, the lease then goes
 * on as it was; DHCP_EXPIRED at once if it is over.  Returns false, and does nothing, if conf or
 * lease are invalid: call dhcp_start().
 */
bool dhcp_reboot(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * Looks at a datagram that came to port 68 in the namespace of the link.  What is not an answer to
 * this client's last question (transaction id, MAC, client identifier, server) changes nothing.
 * At most DHCP_PACKET bytes are accepted.
 */
void dhcp_input(struct dhcp_client *c, const void *data, size_t size, struct dhcp_at at,
		struct dhcp_todo *todo);

/* Does what is due; nothing before todo->wake.  May be called too late, after a suspend. */
void dhcp_timer(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * Returns the lease: DHCPRELEASE by unicast from the leased address, so the caller sends it before
 * it removes the address.  There is no answer; the client is stopped.  Without lease, nothing is
 * sent.
 */
void dhcp_release(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/*
 * Another host uses the address (the caller's ARP probe of RFC 5227 was answered): DHCPDECLINE,
 * and a new search after ten seconds.  Call it after DHCP_BOUND; the lease is gone, and no event
 * says so.
 */
void dhcp_decline(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo);

/* Is there a lease that may be used? */
static inline bool dhcp_has_lease(const struct dhcp_client *c)
{
	return exchange_has_lease(&c->x);
}

#endif
