// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exchange.c - what the clients of DHCPv4 and DHCPv6 have in common
 */
#include "ipam/dhcp/exchange.h"
#include "ipam/dhcp/lease.h"

const char exchange_expired[] = "the lease expired";

void exchange_todo(const struct dhcp_exchange *x, struct dhcp_todo *todo)
{
	memset(todo, 0, offsetof(struct dhcp_todo, packet));
	todo->wake = x->wake;
}

void exchange_begin(struct dhcp_exchange *x, struct dhcp_at at)
{
	x->tries = 0;
	x->begun = at.now;
	x->xid = (uint32_t)at.random;
}

void exchange_wake(struct dhcp_exchange *x, int64_t when)
{
	if (exchange_has_lease(x))
		when = time_min(when, x->lease.end);
	else if (!x->had_lease)
		when = time_min(when, x->give_up);
	x->wake = when;
}

int64_t exchange_spread(struct dhcp_at at, int64_t ms)
{
	return ms - ms / 10 + jitter(at, ms / 5);
}

void exchange_stop(struct dhcp_exchange *x, struct dhcp_todo *todo, enum dhcp_event event,
		   const char *reason)
{
	exchange_lose(x, todo, event, reason);
	x->wake = DHCP_NEVER;
}

void exchange_lose(struct dhcp_exchange *x, struct dhcp_todo *todo, enum dhcp_event event,
		   const char *reason)
{
	x->lease.size = 0;
	todo->event = event;
	todo->reason = reason;
}

enum exchange_due exchange_due(struct dhcp_exchange *x, struct dhcp_at at, struct dhcp_todo *todo)
{
	exchange_todo(x, todo);
	if (at.now < x->wake)
		return EXCHANGE_LATER;
	if (exchange_has_lease(x) && at.now >= x->lease.end)
		return EXCHANGE_EXPIRED;
	if (exchange_has_lease(x) || x->had_lease || at.now < x->give_up)
		return EXCHANGE_NOW;
	exchange_stop(x, todo, DHCP_GIVEN_UP, "no more tries");
	return EXCHANGE_FAILED;
}
