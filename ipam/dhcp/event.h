/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * event.h - what the DHCP state machines take and give, for DHCPv4 and DHCPv6
 *
 * client.c and client6.c make no system call and allocate nothing: the caller passes time and
 * randomness in, and gets back what it has to do.  A client is a plain structure without
 * pointers: it may be copied, stored and loaded.
 */
#ifndef CPLUG_DHCP_EVENT_H
#define CPLUG_DHCP_EVENT_H

#include "value/ip.h"

enum { DHCP_PACKET = 1500 }; /* bytes of the largest message, without UDP and IP header */

/* No time: a wake-up or an end of a lease that never comes. */
#define DHCP_NEVER INT64_MAX

/* The moment of a call. */
struct dhcp_at {
	int64_t now; /* CLOCK_BOOTTIME in milliseconds, because leases expire during a suspend */
	uint64_t random; /* fresh random bits, from getrandom(2) */
};

enum dhcp_event {
	DHCP_NOTHING,
	DHCP_BOUND,   /* there is a new lease: apply it */
	DHCP_RENEWED, /* the lease goes on; todo->changed: apply its new values */
	DHCP_EXPIRED, /* the lease is over: remove its address and routes; the client starts over */
	DHCP_REFUSED, /* a server refused: as DHCP_EXPIRED if a lease was applied */
	DHCP_GIVEN_UP, /* no lease after conf.resend_timeout, or none that is usable; it stopped */
	DHCP_STOPPED,  /* a release of DHCPv6 is over, with or without an answer */
};

enum dhcp_send {
	DHCP_SEND_NOTHING,
	/*
	 * DHCPv4: a frame to ff:ff:ff:ff:ff:ff, from 0.0.0.0 port 68 to 255.255.255.255 port 67.
	 * The answer may come to the offered address in a unicast frame: receive with a packet
	 * socket.
	 */
	DHCP_SEND_BROADCAST,
	/*
	 * DHCPv4: an ordinary datagram from todo->from port 68 to todo->to port 67, which the
	 * kernel routes.  If it cannot be sent, the next attempt or a broadcast follows by itself.
	 */
	DHCP_SEND_UNICAST,
	/* DHCPv6: a datagram to ff02::1:2 port 547 from the link-local address, port 546. */
	DHCP_SEND_MULTICAST,
};

/*
 * What a call has to be followed by: first handle the event, then send the packet, then call
 * dhcp_timer() at the wake-up time, even if a packet comes before.  Each call fills in all
 * members except the bytes behind size.
 */
struct dhcp_todo {
	enum dhcp_event event;
	bool changed;       /* DHCP_RENEWED: the values differ from those before */
	const char *reason; /* a constant text for DHCP_EXPIRED, REFUSED, GIVEN_UP; else NULL */
	enum dhcp_send send;
	struct ip from, to; /* DHCP_SEND_UNICAST */
	int64_t wake;       /* in ms of CLOCK_BOOTTIME; may be past; DHCP_NEVER: no timer */
	size_t size;        /* bytes in packet */
	uint8_t packet[DHCP_PACKET];
};

/*
 * An accepted lease.  Its values stand in the server's message, which dhcp_facts() or
 * dhcp6_facts() decodes.  To go on after a restart, store it with the configuration.  The times are
 * only valid until the host boots again.
 */
struct dhcp_lease {
	int64_t start;  /* when it was requested; ms of CLOCK_BOOTTIME */
	int64_t t1, t2; /* when to renew and to rebind, or DHCP_NEVER */
	int64_t end;    /* when it expires, or DHCP_NEVER */
	uint16_t size;  /* 0: there is no lease */
	uint8_t raw[DHCP_PACKET];
};

enum { DHCP_ROUTES = 256, DHCP_SERVERS = 16, DHCP_NAMES = 16, DHCP_NAME = 256 };

struct dhcp_route {
	struct cidr dst; /* host bits are cleared */
	struct ip gw;    /* 0.0.0.0: dst is on the link */
};

/* A domain name: letters, digits, '-', '_' and '.', without the last dot; "" for none. */
struct dhcp_name {
	char s[DHCP_NAME];
};

/*
 * The values of a lease (18 kB).  What the server did not send, or sent malformed, is empty.
 * Lists that are longer than the arrays are cut.
 */
struct dhcp_facts {
	struct cidr address; /* with the length of the subnet mask; DHCPv6: 128 */
	struct ip gateway;   /* the first router (option 3), also if there are classless routes */
	struct ip server;    /* DHCPv4: option 54 */
	unsigned mtu;        /* 0: none; else 68 to 65535 */
	unsigned n_routes;
	struct dhcp_route routes[DHCP_ROUTES]; /* those of 121, or of 33 and the default by 3 */
	unsigned n_dns, n_ntp, n_search;
	struct ip dns[DHCP_SERVERS], ntp[DHCP_SERVERS];
	struct dhcp_name domain, host_name;
	struct dhcp_name search[DHCP_NAMES];
};

#endif
