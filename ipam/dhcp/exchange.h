/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exchange.h - what the clients of DHCPv4 and DHCPv6 have in common: the lease, and the exchange
 * of messages that goes on
 *
 * A client begins an exchange, transmits until an answer comes, and wakes at x.wake; it stops, or
 * has a lease.  client.c and client6.c have the states and messages of their protocol.
 */
#ifndef CPLUG_DHCP_EXCHANGE_H
#define CPLUG_DHCP_EXCHANGE_H

#include "ipam/dhcp/event.h"

struct dhcp_exchange {
	struct dhcp_lease lease;
	bool had_lease;  /* never gives up */
	uint8_t tries;   /* transmissions of this exchange */
	uint32_t xid;    /* DHCPv6: 24 bits */
	int64_t begun;   /* when the present exchange began */
	int64_t sent;    /* when its last question was sent */
	int64_t give_up; /* when the first search fails */
	int64_t wake;    /* when the timer has something to do */
};

/* Is there a lease that may be used? */
static inline bool exchange_has_lease(const struct dhcp_exchange *x)
{
	return x->lease.size > 0;
}

/* Initialises what a call is followed by: nothing but the wake-up. */
void exchange_todo(const struct dhcp_exchange *x, struct dhcp_todo *todo);

/* A new transaction. */
void exchange_begin(struct dhcp_exchange *x, struct dhcp_at at);

/* Wakes at a time, but not after the end of the lease, or of the first search. */
void exchange_wake(struct dhcp_exchange *x, int64_t when);

/* A time in ms ± a tenth, so that many clients do not transmit together. */
int64_t exchange_spread(struct dhcp_at at, int64_t ms);

/* Stops for ever, without a lease.  reason is a constant text, or NULL. */
void exchange_stop(struct dhcp_exchange *x, struct dhcp_todo *todo, enum dhcp_event event,
		   const char *reason);

/* Ends the lease; the caller searches. */
void exchange_lose(struct dhcp_exchange *x, struct dhcp_todo *todo, enum dhcp_event event,
		   const char *reason);

/* What a timer has to do. */
enum exchange_due {
	EXCHANGE_LATER,   /* nothing yet */
	EXCHANGE_NOW,     /* the next step */
	EXCHANGE_EXPIRED, /* the lease is over: call exchange_lose() with exchange_expired */
	EXCHANGE_FAILED,  /* so is the first search; the exchange is stopped, and todo says so */
};
enum exchange_due exchange_due(struct dhcp_exchange *x, struct dhcp_at at, struct dhcp_todo *todo);

extern const char exchange_expired[];

#endif
