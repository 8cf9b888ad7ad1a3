// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * client6.c - the DHCPv6 client of one address as a state machine without I/O (RFC 8415)
 */
#include "ipam/dhcp/client6.h"
#include "ipam/dhcp/lease.h"
#include "value/name.h"

enum {
	DUID_UUID = 4,
	UUID_SIZE = 16,
	PREFERENCE_MAX = 255,  /* an ADVERTISE that is taken at once */
	DECLINE_PAUSE = 10000, /* ms */
	SEARCH_PAUSE = 2000,   /* ms, after a server had no address */
	CONFIRM_DELAY = 1000,  /* ms; CNF_MAX_DELAY */
	CONFIRM_TIME = 10000,  /* ms; CNF_MAX_RD */
	RENEW_MIN = 1000,
	RENEW_MAX = 10000, /* ms; first retransmission of RENEW and REBIND */
	SOL_MAX_RT = 3600, /* s */
};

/* What an exchange sends, and when again (RFC 8415, 7.6 and 15); times in ms, 0: no limit. */
static const struct exchange {
	uint8_t type, tries;
	bool to_server, ask; /* with server id; with the options we would like */
	uint32_t first, most;
} exchanges[] = {
	[DHCP6_IS_SOLICITING] = { DHCP6_SOLICIT, 0, false, true, 1000, 0 },
	[DHCP6_IS_REQUESTING] = { DHCP6_REQUEST, 10, true, true, 1000, 30000 },
	[DHCP6_IS_RENEWING] = { DHCP6_RENEW, 0, true, true, RENEW_MAX, 600000 },
	[DHCP6_IS_REBINDING] = { DHCP6_REBIND, 0, false, true, RENEW_MAX, 600000 },
	[DHCP6_IS_CONFIRMING] = { DHCP6_CONFIRM, 0, false, false, 1000, 4000 },
	[DHCP6_IS_RELEASING] = { DHCP6_RELEASE, 4, true, false, 1000, 0 },
	[DHCP6_IS_DECLINING] = { DHCP6_DECLINE, 5, true, false, 1000, 0 },
};

/* ---- configuration --------------------------------------------------------- */

void dhcp6_conf_begin(struct dhcp6_conf *conf, const char *id)
{
	uint8_t hash[SHA512_SIZE], *uuid = conf->duid + 2;

	*conf = (struct dhcp6_conf){
		.resend_timeout = 208000,
		.rapid_commit = true,
		.n_duid = 2 + UUID_SIZE,
	};
	sha512(id, strlen(id), hash);
	put16(conf->duid, DUID_UUID);
	memcpy(uuid, hash, UUID_SIZE);
	uuid[6] = (uint8_t)(0x80 | (uuid[6] & 0x0f)); /* version 8 */
	uuid[8] = (uint8_t)(0x80 | (uuid[8] & 0x3f)); /* variant of RFC 9562 */
	conf->iaid = get32(hash + UUID_SIZE);
}

bool dhcp6_conf_valid(const struct dhcp6_conf *conf)
{
	return conf->n_duid > 2 && conf->n_duid <= sizeof(conf->duid);
}

/* ---- sending --------------------------------------------------------------- */

static int put_ia(const struct dhcp6_client *c, uint8_t *p, size_t *used)
{
	uint8_t ia[12 + 4 + 24] = { 0 };
	size_t size = 12;

	put32(ia, c->conf.iaid);
	if (!IN6_IS_ADDR_UNSPECIFIED(&c->address)) {
		put16(ia + 12, DHCP6_OPT_IAADDR);
		put16(ia + 14, 24);
		memcpy(ia + 16, &c->address, 16);
		size = sizeof(ia);
	}
	return dhcp6_put(p, used, DHCP6_OPT_IA_NA, ia, size);
}

static void send_message(const struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	static const uint8_t request[] = { 0, DHCP6_OPT_DNS, 0, DHCP6_OPT_SEARCH,
					   0, DHCP6_OPT_NTP, 0, DHCP6_OPT_SOL_MAX_RT };
	const struct exchange *e = &exchanges[c->state];
	uint8_t *p = todo->packet, elapsed[2];
	size_t used = DHCP6_HEADER;
	int r = 0;

	put32(p, c->x.xid);
	p[0] = e->type;
	put16(elapsed, (unsigned)time_min((at.now - c->x.begun) / 10, UINT16_MAX));
	r = dhcp6_put(p, &used, DHCP6_OPT_CLIENT_ID, c->conf.duid, c->conf.n_duid);
	if (e->to_server)
		r = also(r, dhcp6_put(p, &used, DHCP6_OPT_SERVER_ID, c->server, c->n_server));
	r = also(r, dhcp6_put(p, &used, DHCP6_OPT_ELAPSED, elapsed, sizeof(elapsed)));
	r = also(r, put_ia(c, p, &used));
	if (e->ask)
		r = also(r, dhcp6_put(p, &used, DHCP6_OPT_REQUEST, request, sizeof(request)));
	if (e->type == DHCP6_SOLICIT && c->conf.rapid_commit)
		r = also(r, dhcp6_put(p, &used, DHCP6_OPT_RAPID_COMMIT, NULL, 0));
	if (r < 0)
		return; /* cannot be: all of it is shorter than 500 bytes */
	todo->size = used;
	todo->send = DHCP_SEND_MULTICAST;
}

/* When the exchange has to be over, or DHCP_NEVER. */
static int64_t deadline(const struct dhcp6_client *c)
{
	if (c->state == DHCP6_IS_RENEWING)
		return c->x.lease.t2;
	if (c->state == DHCP6_IS_CONFIRMING)
		return time_min(c->x.begun + CONFIRM_TIME, c->x.lease.t1);
	return c->state == DHCP6_IS_REBINDING ? c->x.lease.end : DHCP_NEVER;
}

/* The first retransmission time: that of the RFC, or sooner if there is less time. */
static int64_t first_rt(const struct dhcp6_client *c)
{
	int64_t rt = exchanges[c->state].first, quarter;

	if (c->state != DHCP6_IS_RENEWING && c->state != DHCP6_IS_REBINDING)
		return rt;
	quarter = (deadline(c) - c->x.begun) / 4;
	if (quarter < RENEW_MIN)
		return RENEW_MIN;
	return time_min(rt, quarter);
}

/* Sends the exchange's message, the first time or again (RFC 8415, section 15). */
static void transmit(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	bool solicit = c->state == DHCP6_IS_SOLICITING;
	int64_t rt, most = solicit ? (int64_t)c->sol_max_rt * 1000 : exchanges[c->state].most;

	rt = c->x.tries ? (int64_t)c->rt * 2 : first_rt(c);
	if (most && rt > most)
		rt = most;
	/* The first time after a SOLICIT is not shorter, so that all servers can answer. */
	if (solicit && !c->x.tries)
		rt += jitter(at, rt / 10);
	else
		rt = exchange_spread(at, rt);
	c->rt = (uint32_t)rt;
	if (c->x.tries < UINT8_MAX)
		c->x.tries++;
	c->x.sent = at.now;
	send_message(c, at, todo);
	exchange_wake(&c->x, time_min(at.now + rt, deadline(c)));
}

static void begin(struct dhcp6_client *c, enum dhcp6_state state, struct dhcp_at at)
{
	c->state = state;
	exchange_begin(&c->x, at);
	c->x.xid &= 0xffffff;
}

/* Waits, and then sends the first SOLICIT. */
static void search(struct dhcp6_client *c, int64_t when)
{
	if (c->state == DHCP6_IS_DECLINING) {
		c->address = in6addr_any;
		/* The caller of the first search waits for an address that can be used. */
		c->x.had_lease = c->x.sent >= c->x.give_up;
	}
	c->state = DHCP6_IS_INIT;
	c->n_server = 0;
	c->preference = 0;
	exchange_wake(&c->x, when);
}

static void resume(struct dhcp6_client *c)
{
	c->state = DHCP6_IS_BOUND;
	exchange_wake(&c->x, c->x.lease.t1);
}

static void stop(struct dhcp6_client *c, struct dhcp_todo *todo, enum dhcp_event event,
		 const char *reason)
{
	c->state = DHCP6_IS_STOPPED;
	exchange_stop(&c->x, todo, event, reason);
}

/* Ends the lease.  The next search asks for its address again, unless a server refused it. */
static void lose(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo,
		 enum dhcp_event event, const char *reason)
{
	exchange_lose(&c->x, todo, event, reason);
	if (event != DHCP_EXPIRED)
		c->address = in6addr_any;
	search(c, at.now);
}

/* ---- answers ------------------------------------------------------------------- */

static void take_server(struct dhcp6_client *c, const struct dhcp6_message *m)
{
	memcpy(c->server, m->server_id.p, m->server_id.size);
	c->n_server = (uint8_t)m->server_id.size;
	c->address = m->address.v6;
}

/* Seconds as ms; the infinite ones as DHCP_NEVER. */
static int64_t lifetime(uint32_t seconds)
{
	return seconds == DHCP_INFINITE ? DHCP_NEVER : (int64_t)seconds * 1000;
}

static void take_lease(struct dhcp6_client *c, const struct dhcp6_message *m, const void *data,
		       size_t size, struct dhcp_todo *todo)
{
	int64_t valid = lifetime(m->valid), base = lifetime(m->preferred);
	int64_t sent[2] = { lifetime(m->t1), lifetime(m->t2) };
	int64_t instead[2] = { DHCP_NEVER, DHCP_NEVER };
	struct dhcp6_message old;

	todo->event = dhcp6_has_lease(c) ? DHCP_RENEWED : DHCP_BOUND;
	if (dhcp6_has_lease(c) && dhcp6_parse(c->x.lease.raw, c->x.lease.size, c->conf.iaid, &old))
		todo->changed = !dhcp6_same_facts(&old, m);
	take_server(c, m);
	memcpy(c->x.lease.raw, data, size);
	c->x.lease.size = (uint16_t)size;
	c->x.lease.start = c->x.sent;
	valid = valid < DHCP_LEASE_MIN ? DHCP_LEASE_MIN : valid;
	base = base < DHCP_LEASE_MIN ? DHCP_LEASE_MIN : base;
	if (base != DHCP_NEVER) {
		instead[0] = base / 2;
		instead[1] = base / 5 * 4; /* RFC 8415, 21.4 */
	}
	dhcp_lease_times(&c->x.lease, valid, sent, instead);
	c->x.had_lease = true;
	resume(c);
}

static void take_advertise(struct dhcp6_client *c, const struct dhcp6_message *m, struct dhcp_at at,
			   struct dhcp_todo *todo)
{
	if (c->state != DHCP6_IS_SOLICITING || m->status || !m->has_ia || m->ia_status ||
	    !ip_set(m->address))
		return;
	if (c->n_server && m->preference <= c->preference)
		return;
	take_server(c, m);
	c->preference = (uint8_t)m->preference;
	/* After the first retransmission time the first ADVERTISE is as good as a later one. */
	if (c->preference == PREFERENCE_MAX || c->x.tries > 1) {
		begin(c, DHCP6_IS_REQUESTING, at);
		transmit(c, at, todo);
	}
}

/* A REPLY to RENEW or REBIND without a usable address, or to a REQUEST. */
static void take_failure(struct dhcp6_client *c, const struct dhcp6_message *m, struct dhcp_at at,
			 struct dhcp_todo *todo)
{
	static const char reason[] = "the server withdrew the address";
	bool nothing = m->status == DHCP6_NOT_ON_LINK || m->ia_status == DHCP6_NOT_ON_LINK ||
		       m->status == DHCP6_NO_ADDRS_AVAIL || m->ia_status == DHCP6_NO_ADDRS_AVAIL;

	if (c->state == DHCP6_IS_REQUESTING && nothing) {
		c->address = in6addr_any;
		if (dhcp6_has_lease(c))
			lose(c, at, todo, DHCP_REFUSED, reason);
		else
			search(c, at.now + SEARCH_PAUSE + jitter(at, SEARCH_PAUSE));
	} else if (c->state != DHCP6_IS_RENEWING && c->state != DHCP6_IS_REBINDING) {
		return;
	} else if (m->ia_status == DHCP6_NO_BINDING) {
		/* The server lost its leases: ask for the same address (RFC 8415, 18.2.10.1). */
		memcpy(c->server, m->server_id.p, m->server_id.size);
		c->n_server = (uint8_t)m->server_id.size;
		begin(c, DHCP6_IS_REQUESTING, at);
		transmit(c, at, todo);
	} else if (!m->status && !m->ia_status && m->withdrawn) {
		lose(c, at, todo, DHCP_REFUSED, reason);
	}
}

/* The REPLY to a CONFIRM: it only says whether the address fits to the link. */
static void take_confirm(struct dhcp6_client *c, const struct dhcp6_message *m, struct dhcp_at at,
			 struct dhcp_todo *todo)
{
	if (m->status == DHCP6_NOT_ON_LINK) {
		lose(c, at, todo, DHCP_REFUSED, "the address does not belong to this link");
	} else if (m->status == DHCP6_SUCCESS) {
		todo->event = DHCP_RENEWED;
		resume(c);
	}
}

static void take_reply(struct dhcp6_client *c, const struct dhcp6_message *m, const void *data,
		       size_t size, struct dhcp_at at, struct dhcp_todo *todo)
{
	bool good = !m->status && m->has_ia && !m->ia_status && ip_set(m->address);

	if (exchanges[c->state].to_server && (m->server_id.size != c->n_server ||
					      memcmp(m->server_id.p, c->server, c->n_server) != 0))
		return;
	if (c->state == DHCP6_IS_CONFIRMING)
		take_confirm(c, m, at, todo);
	else if (c->state == DHCP6_IS_RELEASING)
		stop(c, todo, DHCP_STOPPED, NULL);
	else if (c->state == DHCP6_IS_DECLINING)
		search(c, c->x.begun + DECLINE_PAUSE);
	else if (c->state == DHCP6_IS_SOLICITING && !(m->rapid_commit && c->conf.rapid_commit))
		return;
	else if (good)
		take_lease(c, m, data, size, todo);
	else
		take_failure(c, m, at, todo);
}

void dhcp6_input(struct dhcp6_client *c, const void *data, size_t size, struct dhcp_at at,
		 struct dhcp_todo *todo)
{
	struct dhcp6_message m;

	exchange_todo(&c->x, todo);
	/* A state without message asks nothing. */
	if (!exchanges[c->state].type || !c->x.tries ||
	    !dhcp6_parse(data, size, c->conf.iaid, &m) || m.xid != c->x.xid)
		return;
	if (!m.server_id.p || m.client_id.size != c->conf.n_duid ||
	    memcmp(m.client_id.p, c->conf.duid, c->conf.n_duid) != 0)
		return;
	if (m.sol_max_rt)
		c->sol_max_rt = m.sol_max_rt;
	if (m.type == DHCP6_ADVERTISE)
		take_advertise(c, &m, at, todo);
	else
		take_reply(c, &m, data, size, at, todo);
	todo->wake = c->x.wake;
}

/* ---- timers -------------------------------------------------------------------- */

/* Goes on with the lease: renews from T1 on, rebinds from T2 on. */
static void keep(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	enum dhcp6_state next = at.now >= c->x.lease.t2 ? DHCP6_IS_REBINDING : DHCP6_IS_RENEWING;

	if (at.now < c->x.lease.t1) {
		resume(c);
		return;
	}
	if (c->state != next)
		begin(c, next, at);
	transmit(c, at, todo);
}

/* The exchange got no answer, as often as it was tried. */
static void fail(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	if (c->state == DHCP6_IS_RELEASING)
		stop(c, todo, DHCP_STOPPED, NULL);
	else if (dhcp6_has_lease(c))
		keep(c, at, todo);
	else
		search(c, at.now);
}

static void do_due(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	unsigned tries = exchanges[c->state].tries;

	switch (c->state) {
	case DHCP6_IS_STOPPED:
		break;
	case DHCP6_IS_INIT:
		begin(c, DHCP6_IS_SOLICITING, at);
		transmit(c, at, todo);
		break;
	case DHCP6_IS_SOLICITING:
		if (c->n_server)
			begin(c, DHCP6_IS_REQUESTING, at);
		transmit(c, at, todo);
		break;
	case DHCP6_IS_REQUESTING:
	case DHCP6_IS_RELEASING:
	case DHCP6_IS_DECLINING:
		if (c->x.tries >= tries)
			fail(c, at, todo);
		else
			transmit(c, at, todo);
		break;
	case DHCP6_IS_CONFIRMING:
		if (at.now >= deadline(c))
			resume(c);
		else
			transmit(c, at, todo);
		break;
	case DHCP6_IS_BOUND:
	case DHCP6_IS_RENEWING:
	case DHCP6_IS_REBINDING:
		keep(c, at, todo);
		break;
	}
}

void dhcp6_timer(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	enum exchange_due due = exchange_due(&c->x, at, todo);

	if (due == EXCHANGE_EXPIRED)
		lose(c, at, todo, DHCP_EXPIRED, exchange_expired);
	else if (due == EXCHANGE_FAILED)
		c->state = DHCP6_IS_STOPPED;
	else if (due == EXCHANGE_NOW)
		do_due(c, at, todo);
	todo->wake = c->x.wake;
}

/* ---- begin and end --------------------------------------------------------------- */

void dhcp6_start(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	struct dhcp6_conf conf = c->conf;

	*c = (struct dhcp6_client){
		.conf = conf,
		.x.give_up = at.now + conf.resend_timeout,
		.sol_max_rt = SOL_MAX_RT,
	};
	search(c, at.now);
	dhcp6_timer(c, at, todo);
}

bool dhcp6_reboot(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	struct dhcp6_message m;
	bool good = dhcp6_conf_valid(&c->conf) && dhcp_lease_valid(&c->x.lease, at.now) &&
		    dhcp6_parse(c->x.lease.raw, c->x.lease.size, c->conf.iaid, &m) &&
		    m.type == DHCP6_REPLY && ip_set(m.address) && m.server_id.p;

	exchange_todo(&c->x, todo);
	if (!good)
		return false;
	c->x.had_lease = true;
	c->sol_max_rt = SOL_MAX_RT;
	take_server(c, &m);
	begin(c, DHCP6_IS_CONFIRMING, at);
	exchange_wake(&c->x, at.now + jitter(at, CONFIRM_DELAY));
	if (at.now >= c->x.lease.end)
		lose(c, at, todo, DHCP_EXPIRED, exchange_expired);
	todo->wake = c->x.wake;
	return true;
}

/* Sends RELEASE or DECLINE for the address. */
static void give_back(struct dhcp6_client *c, enum dhcp6_state state, struct dhcp_at at,
		      struct dhcp_todo *todo)
{
	begin(c, state, at);
	c->x.lease.size = 0;
	c->x.had_lease = true; /* no deadline of a search during this exchange */
	transmit(c, at, todo);
}

void dhcp6_release(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	exchange_todo(&c->x, todo);
	if (dhcp6_has_lease(c))
		give_back(c, DHCP6_IS_RELEASING, at, todo);
	else
		stop(c, todo, DHCP_STOPPED, NULL);
	todo->wake = c->x.wake;
}

void dhcp6_decline(struct dhcp6_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	exchange_todo(&c->x, todo);
	if (!dhcp6_has_lease(c))
		return;
	give_back(c, DHCP6_IS_DECLINING, at, todo);
	todo->wake = c->x.wake;
}
