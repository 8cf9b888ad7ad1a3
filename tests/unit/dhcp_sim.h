/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dhcp_sim.h - virtual time, and the messages of a simulated DHCPv4 server
 *
 * The server's messages are written byte by byte, not with the functions that are tested.
 */
#ifndef CPLUG_DHCP_SIM_H
#define CPLUG_DHCP_SIM_H

#include <arpa/inet.h>

#include "ipam/dhcp/client.h"
#include "ipam/dhcp/packet.h"
#include "unit.h"

/* A link with one client: its time, what it sent last, and what happened last. */
struct sim {
	struct dhcp_client c;
	struct dhcp_todo todo;
	int64_t now;
	uint64_t seed;
	unsigned sent; /* packets so far */
};

struct msg {
	uint8_t b[2000];
	size_t n;
};

static const uint8_t sim_mac[6] = { 2, 0, 0, 0, 0, 5 };

static inline struct dhcp_at sim_at(struct sim *s)
{
	/* splitmix64 */
	uint64_t z = s->seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (struct dhcp_at){ .now = s->now, .random = z ^ z >> 31 };
}

/* Calls the timer at its wake-up time, or at until if that is earlier.  Did it wake? */
static inline bool sim_step(struct sim *s, int64_t until)
{
	if (s->todo.wake > until) {
		s->now = until;
		return false;
	}
	if (s->todo.wake > s->now)
		s->now = s->todo.wake;
	dhcp_timer(&s->c, sim_at(s), &s->todo);
	s->sent += s->todo.send != DHCP_SEND_NOTHING;
	return true;
}

/* Lets time pass until a packet is sent or something happens, at most ms.  Did it? */
static inline bool sim_wait(struct sim *s, int64_t ms)
{
	int64_t until = s->now + ms;

	while (sim_step(s, until)) {
		if (s->todo.send || s->todo.event)
			return true;
	}
	return false;
}

static inline uint8_t sim_type(const uint8_t *p, size_t n)
{
	for (size_t i = 240; i + 2 < n && p[i] != 255; i += p[i] ? 2u + p[i + 1] : 1)
		if (p[i] == 53)
			return p[i + 2];
	return 0;
}

/* The type of the packet that is to be sent; 0: none. */
static inline uint8_t sim_sends(const struct sim *s)
{
	if (!s->todo.send)
		return 0;
	return sim_type(s->todo.packet, s->todo.size);
}

/* The value of an option of the packet that is to be sent; NULL: not there. */
static inline const uint8_t *sim_option(const struct sim *s, uint8_t code, uint8_t *size)
{
	const uint8_t *p = s->todo.packet;

	for (size_t i = 240; i + 2 <= s->todo.size && p[i] != 255; i += 2u + p[i + 1]) {
		if (p[i] == code) {
			*size = p[i + 1];
			return p + i + 2;
		}
	}
	*size = 0;
	return NULL;
}

static inline void msg_opt(struct msg *m, uint8_t code, const void *data, size_t size)
{
	m->b[m->n++] = code;
	m->b[m->n++] = (uint8_t)size;
	if (size)
		memcpy(m->b + m->n, data, size);
	m->n += size;
}

static inline void msg_u32(struct msg *m, uint8_t code, uint32_t n)
{
	n = htonl(n);
	msg_opt(m, code, &n, 4);
}

static inline void msg_ip(struct msg *m, uint8_t code, const char *ip)
{
	struct in_addr a;

	assert_int_equal(inet_pton(AF_INET, ip, &a), 1);
	msg_opt(m, code, &a, 4);
}

/* A server's answer to request, without end; server NULL: without option 54. */
static inline struct msg msg_begin(const uint8_t *request, uint8_t type, const char *yiaddr,
				   const char *server)
{
	struct msg m = { .n = 240 };

	m.b[0] = 2;
	m.b[1] = 1;
	m.b[2] = 6;
	memcpy(m.b + 4, request + 4, 4);
	memcpy(m.b + 28, request + 28, 6);
	memcpy(m.b + 236, "\x63\x82\x53\x63", 4);
	inet_pton(AF_INET, yiaddr, m.b + 16);
	msg_opt(&m, 53, &type, 1);
	if (server)
		msg_ip(&m, 54, server);
	return m;
}

/* The usual answer: a /24 with the router 10.5.0.1, for lease seconds. */
static inline struct msg msg_lease(const uint8_t *request, uint8_t type, uint32_t lease)
{
	struct msg m = msg_begin(request, type, "10.5.0.9", "10.5.0.1");

	msg_u32(&m, 51, lease);
	msg_ip(&m, 1, "255.255.255.0");
	msg_ip(&m, 3, "10.5.0.1");
	return m;
}

/* Ends the message and hands it to the client. */
static inline void sim_receive(struct sim *s, struct msg m)
{
	m.b[m.n++] = 255;
	dhcp_input(&s->c, m.b, m.n, sim_at(s), &s->todo);
	s->sent += s->todo.send != DHCP_SEND_NOTHING;
}

static inline void sim_begin(struct sim *s, uint64_t seed)
{
	*s = (struct sim){ .now = 1000000, .seed = seed };
	dhcp_conf_begin(&s->c.conf, "c1/net1/eth0", sim_mac);
}

static inline void sim_start(struct sim *s)
{
	dhcp_start(&s->c, sim_at(s), &s->todo);
	s->sent += s->todo.send != DHCP_SEND_NOTHING;
}

/* DISCOVER to ACK with a lease of some seconds. */
static inline void sim_bind(struct sim *s, uint32_t lease)
{
	sim_begin(s, 1);
	sim_start(s);
	assert_int_equal(sim_sends(s), DHCP_DISCOVER);
	sim_receive(s, msg_lease(s->todo.packet, DHCP_OFFER, lease));
	assert_int_equal(sim_sends(s), DHCP_REQUEST);
	sim_receive(s, msg_lease(s->todo.packet, DHCP_ACK, lease));
	assert_int_equal(s->todo.event, DHCP_BOUND);
	assert_int_equal(s->c.state, DHCP_IS_BOUND);
}

#endif
