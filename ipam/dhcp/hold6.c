// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold6.c - the life of a DHCPv6 lease: what the state machine of client6.c wants is done here
 *
 * The first message needs a link-local address that is not tentative, and a new address may turn
 * out to be a duplicate: for both the daemon waits for events of the kernel, with a deadline.  The
 * plugin's ADD gives the first address to the interface, without a lifetime, because a result has
 * none; the daemon adds the lifetimes when it sees the address there.
 */
#include <stdlib.h>

#include "ipam/dhcp/conf.h"
#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/lease.h"

enum {
	START_MS = 5000,   /* the link-local address must be usable by then */
	SETTLE_MS = 10000, /* for so long a new address is watched */
	LOOKS_MAX = 200,   /* events of a phase that are looked at */
};

/* ---- making and freeing --------------------------------------------------- */

static void udp_ready(struct daemon *d, struct source *s, unsigned events);
static void events_ready(struct daemon *d, struct source *s, unsigned events);

struct hold6 *hold6_new(struct hold *l)
{
	struct hold6 *six = calloc(1, sizeof(*six));

	if (!six)
		return NULL;
	six->udp = (struct source){ .fd = -1, .ready = udp_ready };
	six->events = (struct source){ .fd = -1, .ready = events_ready };
	six->hold = l;
	six->phase = HOLD6_RUNS;
	six->wake = six->c.x.wake = DHCP_NEVER;
	l->six = six;
	return six;
}

void hold6_free(struct daemon *d, struct hold *l)
{
	daemon_unwatch(d, &l->six->udp);
	daemon_unwatch(d, &l->six->events);
	free(l->six);
	l->six = NULL;
}

/* ---- phases --------------------------------------------------------------- */

static void set_wake(struct hold *l)
{
	struct hold6 *six = l->six;

	six->wake = six->c.x.wake;
	if (six->udp.fd >= 0)
		six->wake = time_min(six->wake, six->listen);
	if (six->phase != HOLD6_RUNS)
		six->wake = time_min(six->wake, six->watch);
	hold_set_wake(l);
}

static void run(struct daemon *d, struct hold *l)
{
	l->six->phase = HOLD6_RUNS;
	daemon_unwatch(d, &l->six->events);
}

/* Waits for events of addresses.  Without them a look at the deadline has to be enough. */
static void wait_in(struct daemon *d, struct hold *l, enum hold6_phase phase, int64_t ms)
{
	struct hold6 *six = l->six;

	six->phase = phase;
	six->looks = 0;
	six->watch = daemon_at().now + ms;
	if (wire6_watch(d, l) < 0) {
		daemon_say(l, "%s", d->tx.msg);
		d->tx.err = 0;
	}
}

static void apply(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		  const struct dhcp_lease *after)
{
	const struct apply_want want = { .before = before, .after = after, .six = true };

	apply_change(d, l, &want);
}

/* ---- what the state machine wants ------------------------------------------ */

/* The lease is new, or has new values. */
static void take(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		 const struct dhcp_todo *todo)
{
	bool is_new = todo->event == DHCP_BOUND || todo->changed;

	hold_save(d, l, true, is_new && !l->asker ? before : NULL);
	if (hold_answer(d, l))
		return;
	apply(d, l, before, &l->six->c.x.lease);
	if (is_new)
		wait_in(d, l, HOLD6_SETTLES, SETTLE_MS);
}

/* Returns false if the lease is freed. */
static bool handle(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		   const struct dhcp_todo *todo)
{
	switch (todo->event) {
	case DHCP_BOUND:
		daemon_say(l, "DHCPv6: lease acquired");
		take(d, l, before, todo);
		break;
	case DHCP_RENEWED:
		take(d, l, before, todo);
		break;
	case DHCP_EXPIRED:
	case DHCP_REFUSED:
		daemon_say(l, "DHCPv6: %s", todo->reason);
		if (!before->size)
			break;
		hold_save(d, l, true, l->asker ? NULL : before);
		if (!l->asker)
			apply(d, l, before, &l->six->c.x.lease);
		break;
	case DHCP_GIVEN_UP:
		tx_fail_as(&d->tx, CNI_E_AGAIN, -ETIMEDOUT,
			   "no DHCPv6 server gave an address to %s within %u seconds: %s",
			   l->ifname, d->opt.resend_timeout / 1000, todo->reason);
		hold_fail(d, l);
		return false;
	default:
		break;
	}
	return true;
}

/* Does what a step of the state machine wants.  The lease may be freed. */
static void follow(struct daemon *d, struct hold *l, const struct dhcp_lease *before,
		   const struct dhcp_todo *todo)
{
	enum dhcp6_state state;
	int r = 0;

	if (!handle(d, l, before, todo))
		return;
	if (todo->send != DHCP_SEND_NOTHING)
		r = wire6_send(d, l, todo);
	if (hold_is_gone(r)) {
		hold_forget(d, l);
		return;
	}
	if (r < 0) {
		daemon_say(l, "%s", d->tx.msg);
		d->tx.err = 0; /* a packet that is not sent is no failure of ADD */
	}
	state = l->six->c.state;
	if (state == DHCP6_IS_BOUND || state == DHCP6_IS_INIT || state == DHCP6_IS_STOPPED)
		daemon_unwatch(d, &l->six->udp);
	set_wake(l);
}

/* Another host has the address. */
static void decline(struct daemon *d, struct hold *l)
{
	const struct dhcp_lease before = l->six->c.x.lease;
	struct dhcp_todo todo;

	daemon_say(l, "DHCPv6: another host has the address (duplicate address detection)");
	run(d, l);
	l->six->c.x.give_up = 0; /* ADD is over: the search never ends */
	dhcp6_decline(&l->six->c, daemon_at(), &todo);
	hold_save(d, l, true, &before);
	apply(d, l, &before, &l->six->c.x.lease);
	follow(d, l, &before, &todo);
}

void hold6_prepared(struct daemon *d, struct hold *l)
{
	if (l->six->solicit && wire6_solicit(d, l) < 0) {
		daemon_say(l, "%s", d->tx.msg);
		d->tx.err = 0;
	}
	l->six->solicit = false;
}

static void start(struct daemon *d, struct hold *l)
{
	const struct dhcp_lease none = { .size = 0 };
	struct dhcp_todo todo;

	run(d, l);
	hold6_prepared(d, l);
	dhcp6_start(&l->six->c, daemon_at(), &todo);
	follow(d, l, &none, &todo);
}

/* ---- events of addresses ---------------------------------------------------- */

/* A failure in the phase of ADD. */
static void fail_start(struct daemon *d, struct hold *l, int r)
{
	if (hold_is_gone(r))
		hold_forget(d, l);
	else
		hold_fail(d, l);
}

static void look_at_start(struct daemon *d, struct hold *l)
{
	bool late = daemon_at().now >= l->six->watch;
	enum wire6_state state;
	int r = wire6_look(d, l, NULL, &state);

	if (r == 0 && state == WIRE6_USABLE) {
		start(d, l);
		return;
	}
	if (r == 0 && state == WIRE6_DUPLICATE)
		r = tx_fail_as(&d->tx, CPLUG_E_ADDRESS, -EADDRINUSE,
			       "container: another host has the link-local address of %s "
			       "(duplicate address detection; set another MAC)",
			       l->ifname);
	else if (r == 0 && late)
		r = tx_fail_as(
			&d->tx, CNI_E_AGAIN, -ETIMEDOUT,
			"container: %s has no usable link-local address after %d seconds, "
			"which DHCPv6 needs (is IPv6 off, or the interface without carrier?)",
			l->ifname, START_MS / 1000);
	if (r < 0)
		fail_start(d, l, r);
	else
		set_wake(l);
}

static void look_at_settling(struct daemon *d, struct hold *l)
{
	struct hold6 *six = l->six;
	enum wire6_state state = WIRE6_ABSENT;
	int r = 0;

	if (hold6_has_lease(six))
		r = wire6_look(d, l, &six->c.address, &state);
	if (r < 0) {
		daemon_say(l, "%s", d->tx.msg);
		d->tx.err = 0;
	}
	if (state == WIRE6_DUPLICATE) {
		decline(d, l);
		return;
	}
	if (state == WIRE6_USABLE)
		apply(d, l, &six->c.x.lease, &six->c.x.lease);
	if (state == WIRE6_USABLE || r < 0 || !hold6_has_lease(six) ||
	    daemon_at().now >= six->watch)
		run(d, l);
	set_wake(l);
}

void hold6_answered(struct daemon *d, struct hold *l)
{
	wait_in(d, l, HOLD6_SETTLES, SETTLE_MS);
	/* The plugin may have been faster with the address. */
	look_at_settling(d, l);
}

static void look(struct daemon *d, struct hold *l)
{
	if (l->six->phase == HOLD6_STARTS)
		look_at_start(d, l);
	else if (l->six->phase == HOLD6_SETTLES)
		look_at_settling(d, l);
}

static void events_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	struct hold6 *six = (struct hold6 *)((char *)s - offsetof(struct hold6, events));

	wire6_drain(s);
	/* The deadline comes all the same. */
	if (six->looks++ >= LOOKS_MAX)
		daemon_unwatch(d, s);
	else
		look(d, six->hold);
}

/* ---- timers and packets ------------------------------------------------------ */

void hold6_timer(struct daemon *d, struct hold *l)
{
	struct hold6 *six = l->six;
	const struct dhcp_lease before = six->c.x.lease;
	struct dhcp_at at = daemon_at();
	struct dhcp_todo todo;

	if (six->listen <= at.now)
		daemon_unwatch(d, &six->udp);
	if (six->phase != HOLD6_RUNS && six->watch <= at.now) {
		look(d, l);
		return;
	}
	dhcp6_timer(&six->c, at, &todo);
	follow(d, l, &before, &todo);
}

/* Returns after one datagram: the lease may be gone, or its socket closed. */
static void udp_ready(struct daemon *d, struct source *s, unsigned events UNUSED)
{
	struct hold6 *six = (struct hold6 *)s;
	const struct dhcp_lease before = six->c.x.lease;
	uint8_t data[DHCP_PACKET + 1];
	ssize_t n = recv(s->fd, data, sizeof(data), MSG_DONTWAIT);
	struct dhcp_todo todo;

	if (n <= 0 || n > DHCP_PACKET)
		return;
	dhcp6_input(&six->c, data, (size_t)n, daemon_at(), &todo);
	follow(d, six->hold, &before, &todo);
}

/* ---- begin and end ----------------------------------------------------------- */

int hold6_configure(struct daemon *d, struct hold *l, const struct dhcp_ipam *cf)
{
	struct hold6 *six = hold6_new(l);

	if (!six)
		return tx_fail(&d->tx, -ENOMEM, "the DHCP daemon has no memory for a lease");
	dhcp6_conf_begin(&six->c.conf,
			 mem_printf(&d->tx.mem, "%s/%s/%s", l->id, l->network, l->ifname));
	six->c.conf.resend_timeout = d->opt.resend_timeout;
	six->c.conf.rapid_commit = cf->rapid_commit;
	return wire6_prepare(d, l);
}

void hold6_begin(struct daemon *d, struct hold *l)
{
	wait_in(d, l, HOLD6_STARTS, START_MS);
	look(d, l);
}

/* Asks whether the lease is still good: the link may have changed while no daemon ran. */
void hold6_resume(struct daemon *d, struct hold *l)
{
	struct hold6 *six = l->six;
	const struct dhcp_lease before = six->c.x.lease, none = { .size = 0 };
	const struct dhcp_lease *replaced = l->replaced[1] ? l->replaced[1] : &none;
	struct dhcp_todo todo;

	if (!before.size || !dhcp6_reboot(&six->c, daemon_at(), &todo)) {
		dhcp6_start(&six->c, daemon_at(), &todo);
		six->c.x.had_lease = true;
	}
	/* The daemon may have been killed before it gave the address to the interface. */
	if (replaced->size || todo.event == DHCP_NOTHING)
		apply(d, l, replaced, &six->c.x.lease);
	follow(d, l, &before, &todo);
}

void hold6_restore(struct hold6 *six)
{
	struct dhcp_todo todo;

	if (six->c.state == DHCP6_IS_STOPPED && !dhcp6_reboot(&six->c, daemon_at(), &todo))
		six->c.x.lease.size = 0;
}

/* The interface may be gone with the next step of DEL: one message has to be enough. */
void hold6_give_back(struct daemon *d, struct hold *l)
{
	struct dhcp6_client *c = &l->six->c;
	const struct in6_addr address = c->address;
	enum wire6_state state = WIRE6_ABSENT;
	struct dhcp_todo todo;
	int r;

	if (!dhcp6_has_lease(c))
		return;
	if (wire6_look(d, l, &address, &state) == 0 && state == WIRE6_DUPLICATE)
		dhcp6_decline(c, daemon_at(), &todo);
	else
		dhcp6_release(c, daemon_at(), &todo);
	d->tx.err = 0;
	r = wire6_send_last(d, l, &todo, &address);
	if (hold_is_gone(r) && *l->parent) {
		d->tx.err = 0;
		r = wire6_send_from_host(d, l, &todo);
	}
	if (r < 0)
		daemon_say(l, "DHCPv6: " DHCP_NOT_RELEASED "%s", d->tx.msg);
	d->tx.err = 0;
}
