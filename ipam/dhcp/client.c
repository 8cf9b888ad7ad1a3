// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * client.c - the DHCPv4 client of one lease as a state machine without I/O (RFC 2131)
 */
#include "ipam/dhcp/client.h"
#include "ipam/dhcp/lease.h"
#include "ipam/dhcp/packet.h"

enum {
	TRIES = 3,             /* transmissions of an exchange */
	FAST_ROUNDS = 4,       /* exchanges after a short pause */
	PAUSE = 2000,          /* ms */
	PAUSE_LONG = 4000,     /* ms, after the fast rounds; doubled each time */
	PAUSE_JITTER = 1000,   /* ms */
	DECLINE_PAUSE = 10000, /* ms; RFC 2131, 3.1 step 5 */
	LEASE_DEFAULT = 3600,  /* s, as the reference, if the server does not say */
	RETRY_MIN = 1000,
	RETRY_MAX = 60000,   /* ms; RFC 2131, 4.4.5 */
	REBOOT_DELAY = 1000, /* ms; so that many leases do not ask at once */
	TIMEOUT_MIN = 100,   /* ms */
	ID_SIZE = 254,       /* of the client identifier's text, as the reference */
	FLAG_BROADCAST = 0x8000,
};

/* What a message carries beside its type. */
enum {
	WITH_OPTIONS = 1, /* those of the configuration; else only the client identifier */
	WITH_ADDRESS = 2, /* option 50 */
	WITH_SERVER = 4,  /* option 54 */
	WITH_CIADDR = 8,  /* the leased address in ciaddr */
};

/* ---- configuration --------------------------------------------------------- */

static int put_conf(struct dhcp_conf *conf, uint8_t code, const void *data, size_t size)
{
	size_t used = conf->n_options;

	TRY(dhcp_put(conf->options, &used, sizeof(conf->options), code, data, (uint8_t)size));
	conf->n_options = (uint16_t)used;
	return 0;
}

void dhcp_conf_begin(struct dhcp_conf *conf, const char *id, const uint8_t mac[6])
{
	static const uint8_t max_size[2] = { DHCP_PACKET >> 8, DHCP_PACKET & 0xff };
	static const uint8_t request[] = { DHCP_OPT_ROUTER, DHCP_OPT_MASK };
	size_t n = strnlen(id, ID_SIZE);
	uint8_t text[1 + ID_SIZE] = { 0 };

	*conf = (struct dhcp_conf){
		.timeout = 10000,
		.resend_max = 62000,
		.resend_timeout = 208000,
	};
	memcpy(conf->mac, mac, sizeof(conf->mac));
	memcpy(text + 1, id, n);
	/* These fit into the empty list. */
	(void)put_conf(conf, DHCP_OPT_REQUEST, request, sizeof(request));
	(void)put_conf(conf, DHCP_OPT_MAX_SIZE, max_size, sizeof(max_size));
	(void)put_conf(conf, DHCP_OPT_CLIENT_ID, text, 1 + n);
}

/* Does the protocol set this option itself? */
static bool is_reserved(unsigned code)
{
	return code == DHCP_OPT_PAD || code == DHCP_OPT_ADDRESS ||
	       (code >= DHCP_OPT_OVERLOAD && code <= DHCP_OPT_SERVER) || code >= DHCP_OPT_END;
}

int dhcp_conf_provide(struct dhcp_conf *conf, unsigned code, const void *data, size_t size)
{
	if (size > UINT8_MAX)
		return -E2BIG;
	if (is_reserved(code) || (code == DHCP_OPT_CLIENT_ID && !size))
		return -EINVAL;
	if (code == DHCP_OPT_MAX_SIZE &&
	    (size != 2 || get16(data) < 576 || get16(data) > DHCP_PACKET))
		return -EINVAL;
	return put_conf(conf, (uint8_t)code, data, size);
}

int dhcp_conf_request(struct dhcp_conf *conf, const unsigned *codes, size_t n, bool skip_default)
{
	static const unsigned defaults[] = { DHCP_OPT_ROUTER, DHCP_OPT_MASK };
	static const uint8_t instead[] = { DHCP_OPT_MASK, DHCP_OPT_ROUTER, DHCP_OPT_DOMAIN,
					   DHCP_OPT_DNS };
	size_t all = n + (skip_default ? 0 : ARRAY_LEN(defaults));
	uint8_t list[UINT8_MAX] = { 0 };
	size_t used = 0;

	for (size_t i = 0; i < all; i++) {
		unsigned code = i < n ? codes[i] : defaults[i - n];

		if (code == DHCP_OPT_PAD || code >= DHCP_OPT_END)
			return -EINVAL;
		if (!memchr(list, (int)code, used))
			list[used++] = (uint8_t)code;
	}
	if (!used)
		return put_conf(conf, DHCP_OPT_REQUEST, instead, sizeof(instead));
	return put_conf(conf, DHCP_OPT_REQUEST, list, used);
}

bool dhcp_conf_valid(const struct dhcp_conf *conf)
{
	unsigned before = 0;
	bool has_id = false;
	size_t at = 0;

	if (conf->n_options > sizeof(conf->options))
		return false;
	while (at + 2 <= conf->n_options) {
		unsigned code = conf->options[at];

		if (code <= before || is_reserved(code))
			return false;
		before = code;
		has_id = has_id || (code == DHCP_OPT_CLIENT_ID && conf->options[at + 1]);
		at += 2u + conf->options[at + 1];
	}
	return at == conf->n_options && has_id;
}

/* The client identifier: its first byte is the length. */
static const uint8_t *client_id(const struct dhcp_conf *conf)
{
	const uint8_t *p = conf->options;

	while (*p != DHCP_OPT_CLIENT_ID)
		p += 2 + p[1];
	return p + 1;
}

/* ---- sending --------------------------------------------------------------- */

static struct ip ip_of(struct in_addr a)
{
	return (struct ip){ .family = AF_INET, .v4 = a };
}

static void send_message(struct dhcp_client *c, enum dhcp_type type, unsigned with,
			 struct dhcp_at at, struct dhcp_todo *todo)
{
	const uint8_t *id = client_id(&c->conf);
	uint8_t *p = todo->packet, *list = p + DHCP_AT_OPTIONS, code = (uint8_t)type;
	size_t cap = DHCP_PACKET - DHCP_AT_OPTIONS - 1, used = 0;
	int64_t secs = (at.now - c->x.begun) / 1000;
	int r = 0;

	dhcp_begin(p, c->conf.mac);
	put32(p + DHCP_AT_XID, c->x.xid);
	put16(p + DHCP_AT_SECS, (unsigned)time_min(secs, UINT16_MAX));
	if (c->conf.broadcast && with & WITH_OPTIONS)
		put16(p + DHCP_AT_FLAGS, FLAG_BROADCAST);
	if (with & WITH_CIADDR)
		memcpy(p + DHCP_AT_CIADDR, &c->address, 4);
	if (with & WITH_OPTIONS) {
		memcpy(list, c->conf.options, c->conf.n_options);
		used = c->conf.n_options;
	}
	r = dhcp_put(list, &used, cap, DHCP_OPT_CLIENT_ID, id + 1, id[0]);
	r = also(r, dhcp_put(list, &used, cap, DHCP_OPT_TYPE, &code, 1));
	if (with & WITH_ADDRESS)
		r = also(r, dhcp_put(list, &used, cap, DHCP_OPT_ADDRESS, &c->address, 4));
	if (with & WITH_SERVER)
		r = also(r, dhcp_put(list, &used, cap, DHCP_OPT_SERVER, &c->server, 4));
	if (r < 0)
		return; /* cannot be: DHCP_OPTIONS leaves room */
	todo->size = dhcp_end(p, DHCP_AT_OPTIONS + used);
	todo->send = DHCP_SEND_BROADCAST;
}

/* Makes a message of send_message() go to the server, from the leased address. */
static void send_to_server(const struct dhcp_client *c, struct dhcp_todo *todo)
{
	todo->send = DHCP_SEND_UNICAST;
	todo->from = ip_of(c->address);
	todo->to = ip_of(c->server);
}

/* Counts a transmission, and wakes for the next one. */
static void set_retry(struct dhcp_client *c, struct dhcp_at at)
{
	int64_t wait = (int64_t)c->conf.timeout << c->x.tries++;

	if (wait < TIMEOUT_MIN)
		wait = TIMEOUT_MIN;
	exchange_wake(&c->x, at.now + exchange_spread(at, wait));
}

/* Goes to a state in which questions are asked, with a new transaction. */
static void enter(struct dhcp_client *c, enum dhcp_state state, struct dhcp_at at)
{
	c->state = state;
	exchange_begin(&c->x, at);
}

/* ---- looking for a lease ----------------------------------------------------- */

/* Waits, and then sends the first DISCOVER of an exchange. */
static void search(struct dhcp_client *c, struct dhcp_at at, int64_t pause)
{
	c->state = DHCP_IS_INIT;
	exchange_wake(&c->x, at.now + pause);
}

static void search_later(struct dhcp_client *c, struct dhcp_at at)
{
	int64_t pause = PAUSE;

	if (c->rounds >= FAST_ROUNDS)
		pause = (int64_t)PAUSE_LONG << (c->rounds - FAST_ROUNDS);
	if (c->rounds < FAST_ROUNDS + 16)
		c->rounds++;
	if (c->rounds > FAST_ROUNDS)
		pause = time_min(pause, c->conf.resend_max);
	pause += jitter(at, 2 * PAUSE_JITTER) - PAUSE_JITTER;
	search(c, at, pause > PAUSE_JITTER ? pause : PAUSE_JITTER);
}

static void stop(struct dhcp_client *c, struct dhcp_todo *todo, const char *reason)
{
	c->state = DHCP_IS_STOPPED;
	exchange_stop(&c->x, todo, reason ? DHCP_GIVEN_UP : DHCP_NOTHING, reason);
}

static void send_discover(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	unsigned hint = c->address.s_addr ? WITH_ADDRESS : 0;

	send_message(c, DHCP_DISCOVER, WITH_OPTIONS | hint, at, todo);
	set_retry(c, at);
}

/* Asks for an offered address, or after a reboot whether the address is still good. */
static void send_request(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	unsigned server = c->state == DHCP_IS_REQUESTING ? WITH_SERVER : 0;

	send_message(c, DHCP_REQUEST, WITH_OPTIONS | WITH_ADDRESS | server, at, todo);
	c->x.sent = at.now;
	set_retry(c, at);
}

/* ---- keeping it ---------------------------------------------------------------- */

/* Half of the time that is left, but not too soon (RFC 2131, 4.4.5). */
static void send_renewal(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	bool renewing = c->state == DHCP_IS_RENEWING;
	int64_t until = renewing ? c->x.lease.t2 : c->x.lease.end;
	int64_t least = (c->x.lease.end - c->x.lease.start) / 20, wait = (until - at.now) / 2;

	send_message(c, DHCP_REQUEST, WITH_OPTIONS | WITH_CIADDR, at, todo);
	if (renewing)
		send_to_server(c, todo);
	c->x.sent = at.now;
	c->x.tries = 1;
	least = time_min(least > RETRY_MIN ? least : RETRY_MIN, RETRY_MAX);
	exchange_wake(&c->x, time_min(at.now + (wait > least ? wait : least), until));
}

static void resume(struct dhcp_client *c)
{
	c->state = DHCP_IS_BOUND;
	exchange_wake(&c->x, c->x.lease.t1);
}

/* Ends the lease.  The next search asks for its address again, unless a server refused it. */
static void lose(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo,
		 enum dhcp_event event, const char *reason)
{
	exchange_lose(&c->x, todo, event, reason);
	if (event != DHCP_EXPIRED)
		c->address.s_addr = 0;
	search(c, at, 0);
}

/* Reads the times of an ACK; they count from the REQUEST on. */
static void set_times(struct dhcp_client *c, const struct dhcp_message *m, struct dhcp_at at)
{
	uint32_t seconds = LEASE_DEFAULT, t1 = 0, t2 = 0;
	int64_t ms, sent[2] = { 0, 0 }, instead[2] = { DHCP_NEVER, DHCP_NEVER };

	(void)dhcp_option_u32(m, DHCP_OPT_LEASE_TIME, &seconds);
	(void)dhcp_option_u32(m, DHCP_OPT_T1, &t1);
	(void)dhcp_option_u32(m, DHCP_OPT_T2, &t2);
	c->x.lease.start = c->x.sent;
	ms = (int64_t)seconds * 1000;
	if (seconds == DHCP_INFINITE) {
		ms = DHCP_NEVER;
	} else {
		ms = ms < DHCP_LEASE_MIN ? DHCP_LEASE_MIN : ms;
		sent[0] = (int64_t)t1 * 1000;
		sent[1] = (int64_t)t2 * 1000;
		instead[0] = ms / 2;
		instead[1] = ms / 8 * 7;
	}
	dhcp_lease_times(&c->x.lease, ms, sent, instead);
	/* So that leases that began together are not renewed together (RFC 2131, 4.4.5). */
	if (c->x.lease.t1 != DHCP_NEVER)
		c->x.lease.t1 -= jitter(at, (c->x.lease.t1 - c->x.lease.start) / 32);
}

/* ---- answers ------------------------------------------------------------------- */

static void take_offer(struct dhcp_client *c, const struct dhcp_message *m, struct dhcp_at at,
		       struct dhcp_todo *todo)
{
	if (c->state != DHCP_IS_SELECTING || !dhcp_offer_usable(m))
		return;
	c->address = m->yiaddr.v4;
	c->server = m->server.v4;
	c->state = DHCP_IS_REQUESTING;
	c->x.tries = 0;
	send_request(c, at, todo);
}

static void take_ack(struct dhcp_client *c, const struct dhcp_message *m, struct dhcp_at at,
		     struct dhcp_todo *todo)
{
	bool had = dhcp_has_lease(c), same = ip_eq(m->yiaddr, ip_of(c->address));
	struct dhcp_message old;
	struct dhcp_facts facts;
	const char *reason = dhcp_facts(m->data, m->size, &facts);

	/* Only what was asked for has been probed: another address begins as an offer. */
	if (!same) {
		if (had && !reason)
			lose(c, at, todo, DHCP_REFUSED,
			     "the server renewed another address than the lease's");
		return;
	}
	if (reason && !had && c->x.had_lease) {
		search_later(c, at);
		return;
	}
	if (reason && !had) {
		stop(c, todo, reason);
		return;
	}
	/* An ACK that lacks values prolongs a lease that has them. */
	todo->event = had ? DHCP_RENEWED : DHCP_BOUND;
	todo->changed = had && !reason;
	if (todo->changed && dhcp_parse(c->x.lease.raw, c->x.lease.size, &old))
		todo->changed = !dhcp_same_facts(&old, m);
	if (!reason) {
		memcpy(c->x.lease.raw, m->data, m->size);
		c->x.lease.size = (uint16_t)m->size;
	}
	c->server = m->server.v4;
	c->x.had_lease = true;
	c->rounds = 0;
	set_times(c, m, at);
	resume(c);
}

static void take_nak(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	static const char reason[] = "the server refused the address (DHCPNAK)";

	if (dhcp_has_lease(c)) {
		lose(c, at, todo, DHCP_REFUSED, reason);
		return;
	}
	todo->event = DHCP_REFUSED;
	todo->reason = reason;
	c->address.s_addr = 0;
	search_later(c, at);
}

/* Does the answer belong to the last question, and to us? */
static bool is_for_us(const struct dhcp_client *c, const struct dhcp_message *m)
{
	const uint8_t *id = client_id(&c->conf);
	uint8_t echo[DHCP_PACKET];
	int n = dhcp_option(m, DHCP_OPT_CLIENT_ID, echo, sizeof(echo));

	if (c->state < DHCP_IS_SELECTING || c->state == DHCP_IS_BOUND || !c->x.tries)
		return false;
	if (m->xid != c->x.xid || !dhcp_usable(m->server) ||
	    memcmp(m->data + DHCP_AT_CHADDR, c->conf.mac, sizeof(c->conf.mac)) != 0)
		return false;
	return n < 0 || (n == id[0] && memcmp(echo, id + 1, (size_t)n) == 0); /* RFC 6842 */
}

void dhcp_input(struct dhcp_client *c, const void *data, size_t size, struct dhcp_at at,
		struct dhcp_todo *todo)
{
	struct dhcp_message m;
	bool one = c->state == DHCP_IS_REQUESTING || c->state == DHCP_IS_RENEWING;

	exchange_todo(&c->x, todo);
	if (!dhcp_parse(data, size, &m) || !is_for_us(c, &m))
		return;
	if (m.type == DHCP_OFFER)
		take_offer(c, &m, at, todo);
	/* Only the server that was asked counts, if one was. */
	else if (c->state == DHCP_IS_SELECTING || (one && !ip_eq(m.server, ip_of(c->server))))
		return;
	else if (m.type == DHCP_ACK)
		take_ack(c, &m, at, todo);
	else if (m.type == DHCP_NAK)
		take_nak(c, at, todo);
	todo->wake = c->x.wake;
}

/* ---- timers -------------------------------------------------------------------- */

static void ask_again(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	if (c->x.tries >= TRIES)
		search_later(c, at);
	else if (c->state == DHCP_IS_SELECTING)
		send_discover(c, at, todo);
	else
		send_request(c, at, todo);
}

static void check_reboot(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	if (c->x.tries >= TRIES || at.now >= c->x.lease.t1) {
		resume(c);
		return;
	}
	send_request(c, at, todo);
	exchange_wake(&c->x, time_min(c->x.wake, c->x.lease.t1));
}

/* Renews from T1 on, rebinds from T2 on; returns without a packet before. */
static void keep(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	enum dhcp_state next = at.now >= c->x.lease.t2 ? DHCP_IS_REBINDING : DHCP_IS_RENEWING;

	if (at.now < c->x.lease.t1) {
		resume(c);
		return;
	}
	if (c->state != next)
		enter(c, next, at);
	send_renewal(c, at, todo);
}

static void do_due(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	switch (c->state) {
	case DHCP_IS_STOPPED:
		break;
	case DHCP_IS_INIT:
		enter(c, DHCP_IS_SELECTING, at);
		send_discover(c, at, todo);
		break;
	case DHCP_IS_SELECTING:
	case DHCP_IS_REQUESTING:
		ask_again(c, at, todo);
		break;
	case DHCP_IS_REBOOTING:
		check_reboot(c, at, todo);
		break;
	case DHCP_IS_BOUND:
	case DHCP_IS_RENEWING:
	case DHCP_IS_REBINDING:
		keep(c, at, todo);
		break;
	}
}

void dhcp_timer(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	enum exchange_due due = exchange_due(&c->x, at, todo);

	if (due == EXCHANGE_EXPIRED)
		lose(c, at, todo, DHCP_EXPIRED, exchange_expired);
	else if (due == EXCHANGE_FAILED)
		c->state = DHCP_IS_STOPPED;
	else if (due == EXCHANGE_NOW)
		do_due(c, at, todo);
	todo->wake = c->x.wake;
}

/* ---- begin and end --------------------------------------------------------------- */

void dhcp_start(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	struct dhcp_conf conf = c->conf;

	*c = (struct dhcp_client){ .conf = conf, .x.give_up = at.now + conf.resend_timeout };
	search(c, at, 0);
	dhcp_timer(c, at, todo);
}

bool dhcp_reboot(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	struct dhcp_message m;
	bool good = dhcp_conf_valid(&c->conf) && dhcp_lease_valid(&c->x.lease, at.now) &&
		    dhcp_parse(c->x.lease.raw, c->x.lease.size, &m) && m.type == DHCP_ACK &&
		    dhcp_usable(m.yiaddr);

	exchange_todo(&c->x, todo);
	if (!good)
		return false;
	c->x.had_lease = true;
	c->rounds = 0;
	c->address = m.yiaddr.v4;
	c->server = m.server.v4;
	enter(c, DHCP_IS_REBOOTING, at);
	exchange_wake(&c->x, at.now + jitter(at, REBOOT_DELAY));
	if (at.now >= c->x.lease.end)
		lose(c, at, todo, DHCP_EXPIRED, exchange_expired);
	todo->wake = c->x.wake;
	return true;
}

void dhcp_release(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	exchange_todo(&c->x, todo);
	if (dhcp_has_lease(c)) {
		enter(c, DHCP_IS_STOPPED, at);
		send_message(c, DHCP_RELEASE, WITH_SERVER | WITH_CIADDR, at, todo);
		send_to_server(c, todo);
	}
	stop(c, todo, NULL);
	todo->wake = c->x.wake;
}

void dhcp_decline(struct dhcp_client *c, struct dhcp_at at, struct dhcp_todo *todo)
{
	exchange_todo(&c->x, todo);
	if (!dhcp_has_lease(c))
		return;
	enter(c, DHCP_IS_INIT, at);
	send_message(c, DHCP_DECLINE, WITH_ADDRESS | WITH_SERVER, at, todo);
	c->x.lease.size = 0;
	c->address.s_addr = 0;
	/* The caller of the first search waits for an address that can be used. */
	c->x.had_lease = at.now >= c->x.give_up;
	search(c, at, DECLINE_PAUSE);
	todo->wake = c->x.wake;
}
