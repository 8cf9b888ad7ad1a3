// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dhcp_client.c - the DHCPv4 client against simulated servers, in virtual time
 */
#include <stdio.h>

#include "dhcp_sim.h"

static struct sim s;

static uint32_t xid(void)
{
	uint32_t n;

	memcpy(&n, s.todo.packet + 4, 4);
	return n;
}

/* The codes of the options that are sent, as text. */
static const char *codes(void)
{
	static char text[200];
	size_t used = 0;

	for (size_t i = 240; i < s.todo.size && s.todo.packet[i] != 255;
	     i += 2u + s.todo.packet[i + 1])
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u ", s.todo.packet[i]);
	return text;
}

static void check_option(uint8_t code, const void *value, uint8_t size)
{
	uint8_t n;
	const uint8_t *p = sim_option(&s, code, &n);

	CHECK(p && n == size && memcmp(p, value, size) == 0, "option %u", code);
}

/* ---- what is sent -------------------------------------------------------------- */

/* The packets of the reference for the same configuration. */
static void packets_are_those_of_the_reference(void **state UNUSED)
{
	static const uint8_t fixed[] = { 1, 1, 6, 0 };
	static const unsigned request[] = { 121 };
	uint32_t first;

	sim_begin(&s, 1);
	assert_int_equal(dhcp_conf_provide(&s.c.conf, 60, "vend", 4), 0);
	assert_int_equal(dhcp_conf_provide(&s.c.conf, 12, "pod1", 4), 0);
	assert_int_equal(dhcp_conf_request(&s.c.conf, request, 1, false), 0);
	sim_start(&s);
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
	assert_int_equal(s.todo.size, 300);
	assert_memory_equal(s.todo.packet, fixed, sizeof(fixed));
	for (size_t i = 8; i < 236; i++)
		CHECK(!s.todo.packet[i] || (i >= 28 && i < 34), "byte %zu", i);
	assert_memory_equal(s.todo.packet + 28, sim_mac, 6);
	assert_string_equal(codes(), "12 53 55 57 60 61 ");
	check_option(12, "pod1", 4);
	check_option(55, "\x79\x03\x01", 3);
	check_option(57, "\x05\xdc", 2);
	check_option(60, "vend", 4);
	check_option(61, "\0c1/net1/eth0", 13);
	first = xid();

	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 5));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
	assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
	assert_true(xid() == first);
	assert_string_equal(codes(), "12 50 53 54 55 57 60 61 ");
	check_option(50, "\x0a\x05\x00\x09", 4);
	check_option(54, "\x0a\x05\x00\x01", 4);
	assert_memory_equal(s.todo.packet + 12, "\0\0\0\0", 4);

	sim_receive(&s, msg_lease(s.todo.packet, DHCP_ACK, 5));
	assert_int_equal(s.todo.event, DHCP_BOUND);
	assert_true(sim_wait(&s, 2500));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
	assert_string_equal(codes(), "12 53 55 57 60 61 ");
	assert_memory_equal(s.todo.packet + 12, "\x0a\x05\x00\x09", 4);
	assert_true(xid() != first);

	dhcp_release(&s.c, sim_at(&s), &s.todo);
	assert_int_equal(sim_sends(&s), DHCP_RELEASE);
	assert_string_equal(codes(), "53 54 61 ");
	check_option(54, "\x0a\x05\x00\x01", 4);
	assert_memory_equal(s.todo.packet + 12, "\x0a\x05\x00\x09", 4);
	assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
	assert_string_equal(IP_S(s.todo.from), "10.5.0.9");
	assert_string_equal(IP_S(s.todo.to), "10.5.0.1");
	assert_true(s.todo.wake == DHCP_NEVER);
}

static void a_configuration_has_bounds(void **state UNUSED)
{
	static const unsigned reserved[] = { 0, 50, 52, 53, 54, 255, 256, 1000 };
	static const unsigned twice[] = { 6, 3, 6 }, bad[] = { 255 };
	struct dhcp_conf conf;
	char big[300];

	memset(big, 'x', sizeof(big) - 1);
	big[299] = '\0';
	dhcp_conf_begin(&conf, big, sim_mac);
	assert_true(dhcp_conf_valid(&conf));
	/* 00 and 254 bytes of the name. */
	assert_int_equal(conf.options[conf.n_options - 256], 255);
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++)
		assert_int_equal(dhcp_conf_provide(&conf, reserved[i], "a", 1), -EINVAL);
	assert_int_equal(dhcp_conf_provide(&conf, 12, big, 256), -E2BIG);
	assert_int_equal(dhcp_conf_provide(&conf, 57, "\x05\xdd", 2), -EINVAL);
	assert_int_equal(dhcp_conf_provide(&conf, 57, "\x02\x40", 2), 0);
	assert_int_equal(dhcp_conf_provide(&conf, 61, "", 0), -EINVAL);
	assert_int_equal(dhcp_conf_provide(&conf, 61, "\0other", 6), 0);
	assert_int_equal(dhcp_conf_request(&conf, bad, 1, false), -EINVAL);
	assert_int_equal(dhcp_conf_request(&conf, twice, 3, false), 0);
	assert_memory_equal(conf.options, "\x37\x03\x06\x03\x01", 5);
	assert_int_equal(dhcp_conf_request(&conf, twice, 1, true), 0);
	assert_memory_equal(conf.options, "\x37\x01\x06", 3);
	assert_int_equal(dhcp_conf_request(&conf, NULL, 0, true), 0);
	assert_memory_equal(conf.options, "\x37\x04\x01\x03\x0f\x06", 6);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(dhcp_conf_provide(&conf, 200 + i, big, 255), 0);
	assert_int_equal(dhcp_conf_provide(&conf, 204, big, 255), -ENOSPC);
	/* The largest configuration still gives messages. */
	s.c.conf = conf;
	assert_int_equal(dhcp_conf_provide(&s.c.conf, 12, big, DHCP_OPTIONS - 2u - conf.n_options),
			 0);
	assert_int_equal(s.c.conf.n_options, DHCP_OPTIONS);
	sim_start(&s);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 5));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
}

static void stored_configurations_are_checked(void **state UNUSED)
{
	struct dhcp_conf good, conf;

	dhcp_conf_begin(&good, "c1/net1/eth0", sim_mac);
	for (unsigned cut = 0; cut < good.n_options; cut++) {
		conf = good;
		conf.n_options = (uint16_t)cut;
		assert_false(dhcp_conf_valid(&conf));
	}
	conf = good;
	conf.n_options = DHCP_OPTIONS + 1;
	assert_false(dhcp_conf_valid(&conf));
	conf = good;
	conf.options[0] = 53;
	assert_false(dhcp_conf_valid(&conf));
	conf = good;
	conf.options[0] = 99;
	assert_false(dhcp_conf_valid(&conf));
}

static void the_broadcast_flag_is_asked_for(void **state UNUSED)
{
	sim_begin(&s, 1);
	s.c.conf.broadcast = true;
	sim_start(&s);
	assert_int_equal(s.todo.packet[10], 0x80);
}

/* ---- the life of a lease --------------------------------------------------------- */

static void a_lease_is_renewed_rebound_and_lost(void **state UNUSED)
{
	int64_t start;

	sim_bind(&s, 1000);
	start = s.c.x.lease.start;
	assert_true(sim_wait(&s, 2000000));
	/* T1 is half of the lease, and up to 1/32 of that earlier. */
	assert_true(s.now <= start + 500000 && s.now >= start + 484000);
	assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
	assert_int_equal(s.c.state, DHCP_IS_RENEWING);
	while (s.c.state == DHCP_IS_RENEWING) {
		assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
		assert_true(s.now < start + 875000);
		assert_true(sim_wait(&s, 2000000));
	}
	assert_int_equal(s.c.state, DHCP_IS_REBINDING);
	assert_true(s.now == start + 875000);
	while (!s.todo.event) {
		assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
		assert_memory_equal(s.todo.packet + 12, "\x0a\x05\x00\x09", 4);
		assert_string_equal(codes(), "53 55 57 61 ");
		assert_true(s.now < start + 1000000);
		assert_true(sim_wait(&s, 2000000));
	}
	assert_int_equal(s.todo.event, DHCP_EXPIRED);
	assert_string_equal(s.todo.reason, "the lease expired");
	assert_true(s.now == start + 1000000);
	assert_false(dhcp_has_lease(&s.c));
	/* A few packets, not hundreds. */
	assert_in_range(s.sent, 6, 16);
	/* The search asks for the address that it had. */
	assert_true(sim_wait(&s, 100));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	check_option(50, "\x0a\x05\x00\x09", 4);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 1000));
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_ACK, 1000));
	assert_int_equal(s.todo.event, DHCP_BOUND);
}

static void rebinding_takes_another_server(void **state UNUSED)
{
	struct msg m;

	sim_bind(&s, 100);
	while (s.c.state != DHCP_IS_REBINDING)
		assert_true(sim_wait(&s, 100000));
	m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.9", "10.5.0.77");
	msg_u32(&m, 51, 100);
	msg_ip(&m, 1, "255.255.255.0");
	sim_receive(&s, m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_true(s.todo.changed); /* it has no router */
	assert_true(sim_wait(&s, 100000));
	assert_string_equal(IP_S(s.todo.to), "10.5.0.77");
}

static void a_nak_starts_over(void **state UNUSED)
{
	/* The first word of the server after a REQUEST. */
	sim_begin(&s, 1);
	sim_start(&s);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 100));
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_NAK, "0.0.0.0", "10.5.0.1"));
	assert_int_equal(s.todo.event, DHCP_REFUSED);
	assert_true(s.todo.wake >= s.now + 1000 && s.todo.wake <= s.now + 3000);
	assert_true(sim_wait(&s, 3000));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	assert_string_equal(codes(), "53 55 57 61 ");

	/* While a lease is renewed: it is gone at once. */
	sim_bind(&s, 100);
	assert_true(sim_wait(&s, 100000));
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_NAK, "0.0.0.0", "10.5.0.66"));
	assert_int_equal(s.todo.event, DHCP_NOTHING); /* another server */
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_NAK, "0.0.0.0", "10.5.0.1"));
	assert_int_equal(s.todo.event, DHCP_REFUSED);
	assert_non_null(s.todo.reason);
	assert_false(dhcp_has_lease(&s.c));
	assert_true(sim_wait(&s, 100));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	assert_string_equal(codes(), "53 55 57 61 ");
}

/* An ACK of an address that was neither offered nor leased. */
static void receive_another_address(void)
{
	struct msg m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.8", "10.5.0.1");

	msg_u32(&m, 51, 100);
	msg_ip(&m, 1, "255.255.255.0");
	sim_receive(&s, m);
}

/* An address that was not offered has not been probed. */
static void an_ack_with_another_address_is_no_lease(void **state UNUSED)
{
	sim_begin(&s, 1);
	sim_start(&s);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 100));
	receive_another_address();
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	assert_false(dhcp_has_lease(&s.c));
	assert_int_equal(s.c.state, DHCP_IS_REQUESTING);
	/* Nor does one without mask end the search. */
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.8", "10.5.0.1"));
	assert_int_equal(s.todo.event, DHCP_NOTHING);

	/* A renewal: the search begins, and offers are probed. */
	sim_bind(&s, 100);
	assert_true(sim_wait(&s, 100000));
	receive_another_address();
	assert_int_equal(s.todo.event, DHCP_REFUSED);
	assert_false(dhcp_has_lease(&s.c));
	assert_true(sim_wait(&s, 100));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	assert_string_equal(codes(), "53 55 57 61 ");
}

/* A RELEASE may go there from the host. */
static void a_server_has_an_address_of_a_host(void **state UNUSED)
{
	static const char *const servers[] = { "0.0.0.0", "0.0.0.1", "127.0.0.1", "224.0.0.1",
					       "255.255.255.255" };

	sim_begin(&s, 1);
	sim_start(&s);
	for (size_t i = 0; i < ARRAY_LEN(servers); i++) {
		struct msg m = msg_begin(s.todo.packet, DHCP_OFFER, "10.5.0.9", servers[i]);
		uint8_t question[DHCP_PACKET];

		memcpy(question, s.todo.packet, sizeof(question));
		msg_u32(&m, 51, 100);
		msg_ip(&m, 1, "255.255.255.0");
		sim_receive(&s, m);
		assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
		assert_int_equal(s.c.state, DHCP_IS_SELECTING);
		memcpy(s.todo.packet, question, sizeof(question));
	}
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 100));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
}

static void a_conflict_declines(void **state UNUSED)
{
	int64_t then;

	sim_bind(&s, 100);
	dhcp_decline(&s.c, sim_at(&s), &s.todo);
	assert_int_equal(sim_sends(&s), DHCP_DECLINE);
	assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
	assert_string_equal(codes(), "50 53 54 61 ");
	check_option(50, "\x0a\x05\x00\x09", 4);
	assert_memory_equal(s.todo.packet + 12, "\0\0\0\0", 4);
	assert_false(dhcp_has_lease(&s.c));
	then = s.now;
	assert_true(sim_wait(&s, 60000));
	assert_true(s.now == then + 10000);
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	assert_string_equal(codes(), "53 55 57 61 ");
	/* The first search still has its end. */
	while (s.todo.event == DHCP_NOTHING)
		assert_true(sim_wait(&s, 300000));
	assert_int_equal(s.todo.event, DHCP_GIVEN_UP);
	dhcp_decline(&s.c, sim_at(&s), &s.todo);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	dhcp_release(&s.c, sim_at(&s), &s.todo);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
}

static void renewed_values_are_noticed(void **state UNUSED)
{
	struct dhcp_facts facts;
	struct msg m;

	sim_bind(&s, 100);
	assert_true(sim_wait(&s, 100000));
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_ACK, 200));
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);
	assert_true(s.c.x.lease.end == s.c.x.lease.start + 200000);
	assert_true(sim_wait(&s, 100000));
	m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.9", "10.5.0.1");
	msg_u32(&m, 51, 100);
	msg_ip(&m, 1, "255.255.255.0");
	msg_ip(&m, 3, "10.5.0.254");
	sim_receive(&s, m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_true(s.todo.changed);
	assert_null(dhcp_facts(s.c.x.lease.raw, s.c.x.lease.size, &facts));
	assert_string_equal(IP_S(facts.gateway), "10.5.0.254");
}

/* The times of an ACK that lacks the mask count; its values do not. */
static void a_poor_ack_prolongs(void **state UNUSED)
{
	struct dhcp_facts facts;
	struct msg m;
	int64_t end;

	sim_bind(&s, 100);
	end = s.c.x.lease.end;
	assert_true(sim_wait(&s, 100000));
	m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.8", "10.5.0.1");
	sim_receive(&s, m);
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.9", "10.5.0.1");
	msg_u32(&m, 51, 500);
	sim_receive(&s, m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);
	assert_true(s.c.x.lease.end > end + 300000);
	assert_null(dhcp_facts(s.c.x.lease.raw, s.c.x.lease.size, &facts));
	assert_string_equal(IP_S(facts.gateway), "10.5.0.1");

	/* For the first lease it is an error. */
	sim_begin(&s, 1);
	sim_start(&s);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 100));
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.9", "10.5.0.1"));
	assert_int_equal(s.todo.event, DHCP_GIVEN_UP);
	assert_string_equal(s.todo.reason, "DHCP option Subnet Mask not found in DHCPACK");
	assert_true(s.todo.wake == DHCP_NEVER);
}

static void odd_times_are_made_sane(void **state UNUSED)
{
	enum { NONE = 1000000001, FOREVER = -1 };
	static const struct {
		uint32_t lease, t1, t2;   /* as sent; NONE: not */
		int64_t is, is_t1, is_t2; /* in ms; -1: never */
	} cases[] = {
		{ NONE, NONE, NONE, 3600000, 1800000, 3150000 },
		{ 0, NONE, NONE, 5000, 2500, 4375 },
		{ 4, 1, 2, 5000, 2500, 4375 },
		{ 1000, 200, 300, 1000000, 200000, 300000 },
		{ 1000, 0, 0, 1000000, 500000, 875000 },
		{ 1000, 1, 300, 1000000, 500000, 875000 },
		{ 1000, 900, 300, 1000000, 500000, 875000 },
		{ 1000, 300, 300, 1000000, 500000, 875000 },
		{ 1000, 300, 1000, 1000000, 300000, 875000 },
		{ 1000, 900, NONE, 1000000, 500000, 875000 },
		{ 1000, UINT32_MAX, UINT32_MAX, 1000000, 500000, 875000 },
		{ UINT32_MAX, 20, 30, FOREVER, FOREVER, FOREVER },
		{ UINT32_MAX - 1, NONE, NONE, 4294967294000, 2147483647000, 3758096382250 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg m;
		const struct dhcp_lease *l = &s.c.x.lease;

		sim_begin(&s, i);
		sim_start(&s);
		sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 5));
		m = msg_begin(s.todo.packet, DHCP_ACK, "10.5.0.9", "10.5.0.1");
		msg_ip(&m, 1, "255.255.255.0");
		if (cases[i].lease != NONE)
			msg_u32(&m, 51, cases[i].lease);
		if (cases[i].t1 != NONE)
			msg_u32(&m, 58, cases[i].t1);
		if (cases[i].t2 != NONE)
			msg_u32(&m, 59, cases[i].t2);
		sim_receive(&s, m);
		assert_int_equal(s.todo.event, DHCP_BOUND);
		if (cases[i].is == FOREVER) {
			CHECK(l->end == DHCP_NEVER && l->t1 == DHCP_NEVER && l->t2 == DHCP_NEVER,
			      "case %zu", i);
			assert_true(s.todo.wake == DHCP_NEVER);
			continue;
		}
		CHECK(l->end - l->start == cases[i].is, "case %zu: end", i);
		CHECK(l->t2 - l->start <= cases[i].is_t2 && l->t2 - l->start >= cases[i].is_t2 - 7,
		      "case %zu: T2", i);
		CHECK(l->t1 - l->start <= cases[i].is_t1 &&
			      l->t1 - l->start >= cases[i].is_t1 - cases[i].is_t1 / 32,
		      "case %zu: T1 is %lld", i, (long long)(l->t1 - l->start));
		CHECK(s.todo.wake == l->t1, "case %zu: wake-up", i);
	}
}

/* ---- silence, noise ---------------------------------------------------------------- */

static void silence_ends_after_the_timeout(void **state UNUSED)
{
	int64_t start, before, pause;
	unsigned exchanges = 1;
	uint32_t last;

	sim_begin(&s, 7);
	start = before = s.now;
	sim_start(&s);
	last = xid();
	for (unsigned tries = 1; sim_wait(&s, 300000) && !s.todo.event; before = s.now) {
		pause = s.now - before;
		assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
		if (xid() != last) {
			/* 40 s for the third transmission, and then 1 to 3 s. */
			assert_int_equal(tries, 3);
			assert_true(pause >= 36000 + 1000 && pause <= 44000 + 3000);
			last = xid();
			exchanges++;
			tries = 1;
			continue;
		}
		assert_true(pause >= 9000 << (tries - 1) && pause <= 11000 << (tries - 1));
		tries++;
	}
	assert_int_equal(exchanges, 3);
	assert_int_equal(s.todo.event, DHCP_GIVEN_UP);
	assert_string_equal(s.todo.reason, "no more tries");
	assert_true(s.now == start + 208000);
	assert_true(s.todo.wake == DHCP_NEVER);
	assert_false(sim_wait(&s, 1000000));
}

/* A client that had a lease searches for ever, at most each resend_max and an exchange. */
static void a_lost_lease_is_searched_for_ever(void **state UNUSED)
{
	unsigned before;

	sim_bind(&s, 100);
	before = s.sent;
	for (int64_t until = s.now + 10 * 86400 * 1000ll; s.now < until;)
		if (sim_wait(&s, 86400000))
			assert_true(s.todo.event == DHCP_NOTHING || s.todo.event == DHCP_EXPIRED);
	assert_in_range(s.sent - before, 10 * 86400 * 3 / 140, 10 * 86400 * 3 / 120);
	assert_true(sim_wait(&s, 200000));
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_OFFER, 100));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
}

/* Each of these answers, and nothing changes. */
static void rogue_answers_are_ignored(void **state UNUSED)
{
	static const struct {
		size_t at;
		uint8_t value;
	} wrong[] = { { 0, 1 }, { 4, 0x55 }, { 7, 0x55 }, { 28, 0x55 }, { 33, 0x55 } };
	uint8_t question[DHCP_PACKET];
	struct dhcp_client before;
	struct msg m;

	sim_begin(&s, 3);
	sim_start(&s);
	for (int round = 0; round < 3; round++) {
		uint8_t type = round ? DHCP_ACK : DHCP_OFFER;

		if (round == 2)
			assert_true(sim_wait(&s, 100000));
		memcpy(question, s.todo.packet, s.todo.size);
		before = s.c;
		for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
			m = msg_lease(question, type, 100);
			m.b[wrong[i].at] = (uint8_t)(m.b[wrong[i].at] ^ wrong[i].value);
			sim_receive(&s, m);
			assert_memory_equal(&s.c, &before, sizeof(before));
		}
		m = msg_lease(question, type, 100);
		msg_opt(&m, 61, "\0c2/net1/eth0", 13);
		sim_receive(&s, m);
		m = msg_begin(question, type, "10.5.0.9", NULL);
		msg_ip(&m, 1, "255.255.255.0");
		sim_receive(&s, m);
		if (round) {
			sim_receive(&s, msg_begin(question, type, "10.5.0.9", "10.5.0.66"));
			sim_receive(&s, msg_begin(question, DHCP_NAK, "0.0.0.0", "10.5.0.66"));
			sim_receive(&s, msg_begin(question, DHCP_NAK, "0.0.0.0", NULL));
			sim_receive(&s, msg_lease(question, DHCP_OFFER, 100));
		} else {
			sim_receive(&s, msg_lease(question, DHCP_ACK, 100));
			sim_receive(&s, msg_begin(question, DHCP_NAK, "0.0.0.0", "10.5.0.1"));
			sim_receive(&s, msg_begin(question, DHCP_OFFER, "0.0.0.0", "10.5.0.1"));
		}
		sim_receive(&s, msg_lease(question, DHCP_DISCOVER, 100));
		assert_memory_equal(&s.c, &before, sizeof(before));
		assert_int_equal(s.todo.event, DHCP_NOTHING);
		assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
		assert_true(s.todo.wake == s.c.x.wake);
		m = msg_lease(question, type, 100);
		msg_opt(&m, 61, "\0c1/net1/eth0", 13);
		sim_receive(&s, m);
		assert_true(s.todo.send || s.todo.event);
	}
	/* Bound: also a good answer comes too late. */
	before = s.c;
	sim_receive(&s, msg_lease(question, DHCP_ACK, 100));
	sim_receive(&s, msg_begin(question, DHCP_NAK, "0.0.0.0", "10.5.0.1"));
	assert_memory_equal(&s.c, &before, sizeof(before));
}

/* Answers come twice, late, and in another order; the first offer wins. */
static void duplicates_and_reordering(void **state UNUSED)
{
	struct msg offer, other, ack;

	sim_begin(&s, 5);
	sim_start(&s);
	offer = msg_lease(s.todo.packet, DHCP_OFFER, 100);
	other = msg_begin(s.todo.packet, DHCP_OFFER, "10.6.0.9", "10.6.0.1");
	/* The answer comes after the question was repeated. */
	assert_true(sim_wait(&s, 12000));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
	sim_receive(&s, offer);
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
	ack = msg_lease(s.todo.packet, DHCP_ACK, 100);
	sim_receive(&s, other);
	sim_receive(&s, offer);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	sim_receive(&s, ack);
	assert_int_equal(s.todo.event, DHCP_BOUND);
	sim_receive(&s, ack);
	sim_receive(&s, other);
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	assert_int_equal(s.c.state, DHCP_IS_BOUND);
}

/* ---- time ---------------------------------------------------------------------- */

static void after_a_suspend(void **state UNUSED)
{
	static const struct {
		int64_t asleep;
		uint8_t sends;
		enum dhcp_send how;
		enum dhcp_event event;
	} cases[] = {
		{ 600000, DHCP_REQUEST, DHCP_SEND_UNICAST, DHCP_NOTHING },
		{ 900000, DHCP_REQUEST, DHCP_SEND_BROADCAST, DHCP_NOTHING },
		{ 1000000, 0, DHCP_SEND_NOTHING, DHCP_EXPIRED },
		{ 90000000000, 0, DHCP_SEND_NOTHING, DHCP_EXPIRED },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		sim_bind(&s, 1000);
		s.now += cases[i].asleep;
		dhcp_timer(&s.c, sim_at(&s), &s.todo);
		assert_int_equal(s.todo.event, cases[i].event);
		assert_int_equal(sim_sends(&s), cases[i].sends);
		assert_int_equal(s.todo.send, cases[i].how);
		/* A timer that comes too early does nothing. */
		s.now -= 2000;
		dhcp_timer(&s.c, sim_at(&s), &s.todo);
		assert_int_equal(s.todo.event, DHCP_NOTHING);
		assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	}
}

static void a_hundred_thousand_renewals(void **state UNUSED)
{
	sim_bind(&s, 5);
	for (int i = 0; i < 100000; i++) {
		int64_t end = s.c.x.lease.end;

		assert_true(sim_wait(&s, 5000));
		assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
		sim_receive(&s, msg_lease(s.todo.packet, DHCP_ACK, 5));
		assert_int_equal(s.todo.event, DHCP_RENEWED);
		assert_false(s.todo.changed);
		assert_true(s.c.x.lease.end > end);
	}
	assert_int_equal(s.sent, 2 + 100000);
}

/* ---- after a restart --------------------------------------------------------------- */

/* The daemon stores configuration and lease, and loads them into a zeroed client. */
static void restart(int64_t away)
{
	struct dhcp_client c = { .conf = s.c.conf, .x.lease = s.c.x.lease };

	s.c = c;
	s.now += away;
	assert_true(dhcp_reboot(&s.c, sim_at(&s), &s.todo));
}

static void a_restart_asks_whether_the_lease_is_good(void **state UNUSED)
{
	sim_bind(&s, 1000);
	restart(100000);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	assert_true(s.todo.wake >= s.now && s.todo.wake <= s.now + 1000);
	assert_true(dhcp_has_lease(&s.c));
	assert_true(sim_wait(&s, 1000));
	assert_int_equal(sim_sends(&s), DHCP_REQUEST);
	assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
	assert_string_equal(codes(), "50 53 55 57 61 ");
	check_option(50, "\x0a\x05\x00\x09", 4);
	assert_memory_equal(s.todo.packet + 12, "\0\0\0\0", 4);
	sim_receive(&s, msg_lease(s.todo.packet, DHCP_ACK, 1000));
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);
	assert_int_equal(s.c.state, DHCP_IS_BOUND);

	/* Any server may refuse. */
	restart(100000);
	assert_true(sim_wait(&s, 1000));
	sim_receive(&s, msg_begin(s.todo.packet, DHCP_NAK, "0.0.0.0", "10.5.0.77"));
	assert_int_equal(s.todo.event, DHCP_REFUSED);
	assert_true(sim_wait(&s, 100));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
}

static void a_restart_without_server_keeps_the_lease(void **state UNUSED)
{
	int64_t end;

	sim_bind(&s, 1000);
	end = s.c.x.lease.end;
	restart(100000);
	for (int i = 0; i < 3; i++) {
		assert_true(sim_wait(&s, 45000));
		assert_int_equal(sim_sends(&s), DHCP_REQUEST);
		assert_int_equal(s.todo.send, DHCP_SEND_BROADCAST);
	}
	/* Then it goes on at T1, as if nothing had been. */
	assert_true(sim_wait(&s, 1000000));
	assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
	assert_true(s.c.x.lease.end == end);

	/* Past T1 it renews, past T2 it rebinds. */
	sim_bind(&s, 1000);
	restart(600000);
	assert_true(sim_wait(&s, 1000));
	assert_int_equal(s.todo.send, DHCP_SEND_UNICAST);
	sim_bind(&s, 1000);
	restart(900000);
	assert_true(sim_wait(&s, 1000));
	assert_int_equal(s.c.state, DHCP_IS_REBINDING);

	sim_bind(&s, 1000);
	restart(1000000);
	assert_int_equal(s.todo.event, DHCP_EXPIRED);
	assert_true(sim_wait(&s, 100));
	assert_int_equal(sim_sends(&s), DHCP_DISCOVER);
}

static void a_damaged_lease_is_not_resumed(void **state UNUSED)
{
	struct dhcp_client good, c;

	sim_bind(&s, 1000);
	good = (struct dhcp_client){ .conf = s.c.conf, .x.lease = s.c.x.lease };
	for (int i = 0; i < 8; i++) {
		c = good;
		switch (i) {
		case 0:
			c.x.lease.size = 0;
			break;
		case 1:
			c.x.lease.size = DHCP_PACKET + 1;
			break;
		case 2:
			c.x.lease.size = 200;
			break;
		case 3:
			c.x.lease.raw[236] = 0;
			break;
		case 4:
			c.x.lease.raw[242] = DHCP_OFFER;
			break;
		case 5:
			c.x.lease.t1 = c.x.lease.t2 + 1;
			break;
		case 6:
			c.x.lease.start = s.now + 1; /* of another boot */
			break;
		default:
			c.conf.n_options = 0;
		}
		CHECK(!dhcp_reboot(&c, sim_at(&s), &s.todo), "case %d", i);
	}
	assert_true(dhcp_reboot(&good, sim_at(&s), &s.todo));
}

/* ---- weather ------------------------------------------------------------------- */

/*
 * An hour with a server that loses a third of all packets, sometimes answers twice, refuses, or
 * is away for minutes.  The client never uses a lease beyond its end, never wakes in a
 * circle, and always gets a lease again.
 */
static void an_hour_of_bad_weather(void **state UNUSED)
{
	for (uint64_t seed = 1; seed <= 200; seed++) {
		int64_t end = 0;
		unsigned bound = 0, steps = 0;

		sim_begin(&s, seed);
		s.c.conf.timeout = 2000;
		sim_start(&s);
		end = s.now + 3600000;
		while (s.now < end) {
			uint64_t luck = sim_at(&s).random;
			bool away = s.now / 300000 % 4 == 3;
			uint8_t type = sim_sends(&s);
			struct msg m;

			steps++;
			bound += s.todo.event == DHCP_BOUND;
			if (dhcp_has_lease(&s.c))
				CHECK(s.now <= s.c.x.lease.end, "seed %u", (unsigned)seed);
			CHECK(s.todo.event != DHCP_GIVEN_UP || !bound, "seed %u", (unsigned)seed);
			if (s.todo.event == DHCP_GIVEN_UP)
				sim_start(&s);
			if (!type || away || luck % 3 == 0) {
				sim_wait(&s, end - s.now);
				continue;
			}
			m = msg_lease(s.todo.packet, type == DHCP_DISCOVER ? DHCP_OFFER : DHCP_ACK,
				      60 + (uint32_t)(luck % 7));
			if (type != DHCP_DISCOVER && luck % 11 == 1)
				m = msg_begin(s.todo.packet, DHCP_NAK, "0.0.0.0", "10.5.0.1");
			s.now += (int64_t)(luck % 50);
			sim_receive(&s, m);
			if (luck % 5 == 1 && !s.todo.send && !s.todo.event)
				sim_receive(&s, m);
		}
		CHECK(bound > 1, "seed %u: %u leases", (unsigned)seed, bound);
		CHECK(steps < 1000, "seed %u: %u steps", (unsigned)seed, steps);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_are_those_of_the_reference),
		cmocka_unit_test(a_configuration_has_bounds),
		cmocka_unit_test(stored_configurations_are_checked),
		cmocka_unit_test(the_broadcast_flag_is_asked_for),
		cmocka_unit_test(a_lease_is_renewed_rebound_and_lost),
		cmocka_unit_test(rebinding_takes_another_server),
		cmocka_unit_test(a_nak_starts_over),
		cmocka_unit_test(an_ack_with_another_address_is_no_lease),
		cmocka_unit_test(a_server_has_an_address_of_a_host),
		cmocka_unit_test(a_conflict_declines),
		cmocka_unit_test(renewed_values_are_noticed),
		cmocka_unit_test(a_poor_ack_prolongs),
		cmocka_unit_test(odd_times_are_made_sane),
		cmocka_unit_test(silence_ends_after_the_timeout),
		cmocka_unit_test(a_lost_lease_is_searched_for_ever),
		cmocka_unit_test(rogue_answers_are_ignored),
		cmocka_unit_test(duplicates_and_reordering),
		cmocka_unit_test(after_a_suspend),
		cmocka_unit_test(a_hundred_thousand_renewals),
		cmocka_unit_test(a_restart_asks_whether_the_lease_is_good),
		cmocka_unit_test(a_restart_without_server_keeps_the_lease),
		cmocka_unit_test(a_damaged_lease_is_not_resumed),
		cmocka_unit_test(an_hour_of_bad_weather),
	};

	return cmocka_run_group_tests_name("dhcp client", tests, NULL, NULL);
}
