// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_dhcp.c - DHCPv4 and DHCPv6: hostile servers, and clocks that jump
 *
 * The input is a sequence of steps: a byte that says what happens, and for a message a length of
 * two bytes and the message.  The first byte chooses the protocol.  Messages get the transaction
 * id, MAC, client id and server id that the client expects, unless a bit of the step says
 * otherwise, so that they reach the state machine.
 */
#include <stdlib.h>

#include "ipam/dhcp/client.h"
#include "ipam/dhcp/client6.h"
#include "ipam/dhcp/packet.h"
#include "fuzz.h"

enum { RAW = 0x40, STEPS_MAX = 200 };

/* What a step does: its lower three bits. */
enum { MESSAGE, WAKE, JUMP, RELEASE, DECLINE, RESTART, START, MESSAGE_TOO };

struct input {
	const uint8_t *p;
	size_t left;
};

static union {
	struct dhcp_client v4;
	struct dhcp6_client v6;
} c;
static struct dhcp_todo todo;
static int64_t now;

static unsigned take(struct input *in, size_t bytes)
{
	unsigned n = 0;

	for (; bytes && in->left; bytes--, in->left--)
		n = n << 8 | *in->p++;
	return n;
}

static struct dhcp_at at(struct input *in)
{
	uint64_t n = take(in, 1);

	return (struct dhcp_at){ .now = now, .random = n << 32 | n };
}

static void expect(bool what)
{
	if (!what)
		__builtin_trap();
}

/* What holds after every call. */
static void check_todo(const struct dhcp_lease *l, int64_t wake)
{
	struct dhcp_facts facts;

	expect(todo.size <= DHCP_PACKET && (todo.size > 0) == (todo.send != DHCP_SEND_NOTHING));
	expect(todo.wake == wake && l->size <= DHCP_PACKET);
	expect((todo.event == DHCP_BOUND || todo.event == DHCP_RENEWED) <= (l->size > 0));
	expect((todo.event == DHCP_EXPIRED || todo.event == DHCP_REFUSED ||
		todo.event == DHCP_GIVEN_UP) <= (todo.reason && !l->size));
	if (!l->size)
		return;
	expect(l->start <= l->t1 && l->t1 <= l->t2 && l->t2 <= l->end);
	expect(l->end - l->start >= 5000 && wake <= l->end);
	expect(l->raw[0] == DHCP6_REPLY || !dhcp_facts(l->raw, l->size, &facts));
}

/* A message in memory of exactly its size. */
static uint8_t *take_message(struct input *in, size_t *size)
{
	uint8_t *p;

	*size = take(in, 2) % 1600;
	if (*size > in->left)
		*size = in->left;
	p = malloc(*size + 1);
	expect(p);
	memcpy(p, in->p, *size);
	in->p += *size;
	in->left -= *size;
	return p;
}

static void receive4(struct input *in, unsigned step)
{
	size_t size;
	uint8_t *p = take_message(in, &size);

	if (!(step & RAW) && size >= DHCP_AT_OPTIONS) {
		size_t used = DHCP_AT_OPTIONS;

		dhcp_begin(p, c.v4.conf.mac);
		p[0] = 2;
		for (int i = 0; i < 4; i++)
			p[DHCP_AT_XID + i] = (uint8_t)(c.v4.x.xid >> (24 - 8 * i));
		memcpy(p + DHCP_AT_YIADDR, "\x0a\x05\x00", 3);
		p[DHCP_AT_YIADDR + 3] = (uint8_t)step;
		if (size >= used + 12) {
			static const uint8_t types[] = { 2, 5, 5, 6 };

			p[used++] = 53;
			p[used++] = 1;
			p[used++] = types[step >> 4 & 3];
			memcpy(p + used, "\x36\x04\x0a\x05\x00\x01", 6);
		}
	}
	dhcp_input(&c.v4, p, size, at(in), &todo);
	free(p);
}

static void receive6(struct input *in, unsigned step)
{
	size_t size;
	uint8_t *p = take_message(in, &size);

	if (!(step & RAW) && size >= DHCP6_HEADER + 4 + 18) {
		uint8_t *id = p + DHCP6_HEADER;

		p[0] = step & 0x10 ? DHCP6_ADVERTISE : DHCP6_REPLY;
		for (int i = 0; i < 3; i++)
			p[1 + i] = (uint8_t)(c.v6.x.xid >> (16 - 8 * i));
		memcpy(id, "\0\1\0\x12", 4);
		memcpy(id + 4, c.v6.conf.duid, 18);
	}
	dhcp6_input(&c.v6, p, size, at(in), &todo);
	free(p);
}

static void step4(struct input *in, unsigned step)
{
	struct dhcp_client saved = { .conf = c.v4.conf, .x.lease = c.v4.x.lease };

	switch (step & 7) {
	case RELEASE:
		dhcp_release(&c.v4, at(in), &todo);
		break;
	case DECLINE:
		dhcp_decline(&c.v4, at(in), &todo);
		break;
	case RESTART:
		if (dhcp_reboot(&saved, at(in), &todo))
			c.v4 = saved;
		todo.wake = c.v4.x.wake;
		break;
	case START:
		dhcp_start(&c.v4, at(in), &todo);
		break;
	case JUMP:
	case WAKE:
		dhcp_timer(&c.v4, at(in), &todo);
		break;
	default:
		receive4(in, step);
	}
	check_todo(&c.v4.x.lease, c.v4.x.wake);
	expect(todo.wake > now || todo.send || todo.event || c.v4.state != DHCP_IS_INIT ||
	       (step & 7) != WAKE);
}

/* What the daemon reads of a lease, besides: the result, and whether a renewal changes it. */
static void read_lease6(const struct dhcp6_client *v6)
{
	struct dhcp6_message m;
	struct dhcp_facts facts;

	if (!v6->x.lease.size)
		return;
	expect(!dhcp6_facts(v6->x.lease.raw, v6->x.lease.size, v6->conf.iaid, &facts));
	expect(facts.n_dns <= DHCP_SERVERS && facts.n_ntp <= DHCP_SERVERS &&
	       facts.n_search <= DHCP_NAMES);
	expect(dhcp6_parse(v6->x.lease.raw, v6->x.lease.size, v6->conf.iaid, &m));
	expect(dhcp6_same_facts(&m, &m) && m.preferred <= m.valid);
	expect(ip_eq(m.address, facts.address.ip) && v6->n_server <= DHCP6_DUID);
}

static void step6(struct input *in, unsigned step)
{
	struct dhcp6_client saved = { .conf = c.v6.conf, .x.lease = c.v6.x.lease };

	switch (step & 7) {
	case RELEASE:
		dhcp6_release(&c.v6, at(in), &todo);
		break;
	case DECLINE:
		dhcp6_decline(&c.v6, at(in), &todo);
		break;
	case RESTART:
		if (dhcp6_reboot(&saved, at(in), &todo))
			c.v6 = saved;
		todo.wake = c.v6.x.wake;
		break;
	case START:
		dhcp6_start(&c.v6, at(in), &todo);
		break;
	case JUMP:
	case WAKE:
		dhcp6_timer(&c.v6, at(in), &todo);
		break;
	default:
		receive6(in, step);
	}
	check_todo(&c.v6.x.lease, c.v6.x.wake);
	read_lease6(&c.v6);
}

void fuzz_one(struct tx *tx UNUSED, char *data, size_t size)
{
	struct input in = { (const uint8_t *)data, size };
	unsigned first = take(&in, 1);
	bool six = first & 1;

	memset(&c, 0, sizeof(c));
	now = 1000000;
	if (six) {
		dhcp6_conf_begin(&c.v6.conf, "c1/net1/eth0");
		c.v6.conf.rapid_commit = !(first & 2);
		dhcp6_start(&c.v6, at(&in), &todo);
	} else {
		dhcp_conf_begin(&c.v4.conf, "c1/net1/eth0", (const uint8_t[6]){ 2, 0, 0, 0, 0, 5 });
		dhcp_start(&c.v4, at(&in), &todo);
	}
	for (int i = 0; i < STEPS_MAX && in.left; i++) {
		unsigned step = take(&in, 1);

		if ((step & 7) == WAKE && todo.wake != DHCP_NEVER && todo.wake > now)
			now = todo.wake;
		else if ((step & 7) == JUMP)
			now += (int64_t)take(&in, 2) * 1000;
		if (six)
			step6(&in, step);
		else
			step4(&in, step);
	}
}
