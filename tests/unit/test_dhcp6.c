// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dhcp6.c - the DHCPv6 client and its messages against simulated servers, in virtual time
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "ipam/dhcp/client6.h"
#include "unit.h"

enum { SERVER_A = 'a', SERVER_B = 'b' };

static struct {
	struct dhcp6_client c;
	struct dhcp_todo todo;
	int64_t now;
	uint64_t seed;
} s;

struct msg {
	uint8_t b[2000];
	size_t n;
};

static struct msg last; /* the packet that was sent last */

static void note_packet(void)
{
	if (!s.todo.send)
		return;
	memcpy(last.b, s.todo.packet, s.todo.size);
	last.n = s.todo.size;
}

static struct dhcp_at at(void)
{
	uint64_t z = s.seed += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (struct dhcp_at){ .now = s.now, .random = z ^ z >> 31 };
}

/* Lets time pass until a packet is sent or something happens, at most ms.  Did it? */
static bool wait_for(int64_t ms)
{
	int64_t until = s.now + ms;

	while (s.todo.wake <= until) {
		if (s.todo.wake > s.now)
			s.now = s.todo.wake;
		dhcp6_timer(&s.c, at(), &s.todo);
		note_packet();
		if (s.todo.send || s.todo.event)
			return true;
	}
	s.now = until;
	return false;
}

static uint8_t sends(void)
{
	if (!s.todo.send)
		return 0;
	return s.todo.packet[0];
}

/* The codes of the options that are sent, as text. */
static const char *codes(void)
{
	static char text[200];
	struct dhcp6_bytes in = { last.b + 4, last.n - 4 }, o;
	size_t used = 0, i = 0;
	unsigned code;

	text[0] = '\0';
	while (dhcp6_each(in, &i, &code, &o))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%u ", code);
	assert_int_equal(i, in.size);
	return text;
}

static struct dhcp6_bytes sent_option(unsigned wanted)
{
	struct dhcp6_bytes in = { last.b + 4, last.n - 4 }, o;
	size_t i = 0;
	unsigned code;

	while (dhcp6_each(in, &i, &code, &o))
		if (code == wanted)
			return o;
	return (struct dhcp6_bytes){ NULL, 0 };
}

static void msg_opt(struct msg *m, unsigned code, const void *data, size_t size)
{
	uint8_t head[] = { (uint8_t)(code >> 8), (uint8_t)code, (uint8_t)(size >> 8),
			   (uint8_t)size };

	memcpy(m->b + m->n, head, 4);
	if (size)
		memcpy(m->b + m->n + 4, data, size);
	m->n += 4 + size;
}

static void msg_status(struct msg *m, unsigned status)
{
	uint8_t b[] = { 0, (uint8_t)status, 'n', 'o' };

	msg_opt(m, DHCP6_OPT_STATUS, b, sizeof(b));
}

/* A server's answer to the last packet: transaction, client id, server id. */
static struct msg msg_begin(uint8_t type, char server)
{
	struct msg m = { .n = 4 };
	uint8_t duid[] = { 0, 3, 0, 1, (uint8_t)server };
	struct dhcp6_bytes id = sent_option(DHCP6_OPT_CLIENT_ID);

	memcpy(m.b, last.b, 4);
	m.b[0] = type;
	msg_opt(&m, DHCP6_OPT_CLIENT_ID, id.p, id.size);
	msg_opt(&m, DHCP6_OPT_SERVER_ID, duid, sizeof(duid));
	return m;
}

static void put32(uint8_t *p, uint32_t n)
{
	n = htonl(n);
	memcpy(p, &n, 4);
}

struct times {
	uint32_t t1, t2, preferred, valid;
};

/* An IA_NA with one address, and in it a status code if that is not 0. */
static void msg_ia(struct msg *m, const char *address, struct times t, unsigned status)
{
	struct msg ia = { .n = 12 };
	uint8_t addr[24];

	put32(ia.b, s.c.conf.iaid);
	put32(ia.b + 4, t.t1);
	put32(ia.b + 8, t.t2);
	if (address) {
		assert_int_equal(inet_pton(AF_INET6, address, addr), 1);
		put32(addr + 16, t.preferred);
		put32(addr + 20, t.valid);
		msg_opt(&ia, DHCP6_OPT_IAADDR, addr, sizeof(addr));
	}
	if (status)
		msg_status(&ia, status);
	msg_opt(m, DHCP6_OPT_IA_NA, ia.b, ia.n);
}

static const struct times usual = { 0, 0, 100, 200 };

static struct msg msg_lease(uint8_t type, char server)
{
	struct msg m = msg_begin(type, server);

	msg_ia(&m, "fd00::9", usual, 0);
	return m;
}

static void receive(struct msg m)
{
	dhcp6_input(&s.c, m.b, m.n, at(), &s.todo);
	note_packet();
}

static void begin(uint64_t seed)
{
	memset(&s, 0, sizeof(s));
	s.now = 1000000;
	s.seed = seed;
	dhcp6_conf_begin(&s.c.conf, "c1/net1/eth0");
	dhcp6_start(&s.c, at(), &s.todo);
	note_packet();
	assert_int_equal(sends(), DHCP6_SOLICIT);
}

/* SOLICIT, ADVERTISE, REQUEST, REPLY. */
static void get_lease(void)
{
	begin(1);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_true(wait_for(1200));
	assert_int_equal(sends(), DHCP6_REQUEST);
	receive(msg_lease(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_BOUND);
	assert_int_equal(s.c.state, DHCP6_IS_BOUND);
}

/* ---- messages -------------------------------------------------------------- */

static void ids_outlive_the_daemon_and_differ(void **state UNUSED)
{
	struct dhcp6_conf a, b, c;
	char big[301];

	memset(big, 'x', 300);
	big[300] = '\0';
	memset(&a, 1, sizeof(a));
	dhcp6_conf_begin(&a, "c1/net1/eth0");
	dhcp6_conf_begin(&b, "c1/net1/eth0");
	assert_memory_equal(a.duid, b.duid, sizeof(a.duid));
	assert_int_equal(a.n_duid, 18);
	assert_int_equal(a.duid[1], 4); /* DUID-UUID */
	assert_int_equal(a.duid[2 + 6] >> 4, 8);
	assert_int_equal(a.duid[2 + 8] >> 6, 2);
	dhcp6_conf_begin(&b, big);
	big[299] = 'y';
	dhcp6_conf_begin(&c, big);
	assert_memory_not_equal(b.duid, c.duid, 18);
	assert_true(b.iaid != c.iaid && a.iaid != b.iaid);
	assert_true(dhcp6_conf_valid(&a));
	a.n_duid = DHCP6_DUID + 1;
	assert_false(dhcp6_conf_valid(&a));
	a.n_duid = 2;
	assert_false(dhcp6_conf_valid(&a));
}

static void values_are_decoded(void **state UNUSED)
{
	static const uint8_t dns[32] = { 0xfd, [15] = 0x53, 0xfd, [31] = 0x54 };
	static const uint8_t ntp[] = { 0, 1, 0, 16, 0xfd, [19] = 0x7b, 0, 3, 0, 1, 0 };
	struct dhcp_facts f;
	struct msg m;

	begin(1);
	m = msg_lease(DHCP6_REPLY, SERVER_A);
	msg_opt(&m, DHCP6_OPT_DNS, dns, sizeof(dns));
	msg_opt(&m, DHCP6_OPT_SEARCH, "\7example\3org\0\3lan\0", 18);
	msg_opt(&m, DHCP6_OPT_NTP, ntp, sizeof(ntp));
	assert_null(dhcp6_facts(m.b, m.n, s.c.conf.iaid, &f));
	assert_string_equal(CIDR_S(f.address), "fd00::9/128");
	assert_int_equal(f.n_dns, 2);
	assert_string_equal(IP_S(f.dns[0]), "fd00::53");
	assert_string_equal(IP_S(f.dns[1]), "fd00::54");
	assert_int_equal(f.n_search, 2);
	assert_string_equal(f.search[0].s, "example.org");
	assert_string_equal(f.search[1].s, "lan");
	assert_int_equal(f.n_ntp, 1);
	assert_string_equal(IP_S(f.ntp[0]), "fd00::7b");
	assert_int_equal(f.n_routes, 0);
	assert_non_null(dhcp6_facts(m.b, m.n, s.c.conf.iaid + 1, &f));
}

static void addresses_that_cannot_be_used_are_left_out(void **state UNUSED)
{
	static const struct {
		const char *address;
		struct times times;
	} cases[] = {
		{ "::", { 0, 0, 100, 200 } },
		{ "::1", { 0, 0, 100, 200 } },
		{ "ff02::1", { 0, 0, 100, 200 } },
		{ "fe80::1", { 0, 0, 100, 200 } },
		{ "::ffff:10.0.0.1", { 0, 0, 100, 200 } },
		{ "fd00::8", { 0, 0, 100, 0 } },
		{ "fd00::8", { 0, 0, 201, 200 } },
	};

	begin(1);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg m = msg_begin(DHCP6_REPLY, SERVER_A);
		struct dhcp6_message view;

		msg_ia(&m, cases[i].address, cases[i].times, 0);
		assert_true(dhcp6_parse(m.b, m.n, s.c.conf.iaid, &view));
		CHECK(view.has_ia && !ip_set(view.address), "case %zu", i);
		assert_int_equal(view.withdrawn, cases[i].times.valid == 0);
	}
}

/* Each option, in a message that is cut at every byte, in memory of exactly this size. */
static void messages_are_cut_at_every_byte(void **state UNUSED)
{
	static const unsigned options[] = { 1, 2, 3, 5, 7, 13, 14, 23, 24, 56, 82 };
	struct dhcp_facts f;

	begin(1);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		for (size_t len = 0; len < 20; len++) {
			struct msg m = msg_lease(DHCP6_REPLY, SERVER_A);
			size_t before = m.n, inner = 0;

			msg_opt(&m, options[i], "\0\1\0\2\0\0\0\0\0\1\0\0\0\5\0\1\0\0\0\0", len);
			for (size_t cut = 0; cut <= m.n; cut++) {
				uint8_t *p = test_malloc(cut + 1);
				struct dhcp6_message view;

				memcpy(p, m.b, cut);
				(void)dhcp6_facts(p, cut, s.c.conf.iaid, &f);
				inner += dhcp6_parse(p, cut, s.c.conf.iaid, &view) && cut > before;
				test_free(p);
			}
			CHECK(inner <= 1, "option %u cut inside is accepted", options[i]);
		}
	}
}

static void malformed_messages_are_refused(void **state UNUSED)
{
	struct dhcp6_message view;
	struct msg m, whole;

	begin(1);
	whole = msg_lease(DHCP6_REPLY, SERVER_A);
	assert_true(dhcp6_parse(whole.b, whole.n, s.c.conf.iaid, &view));
	m = whole;
	m.b[0] = DHCP6_SOLICIT;
	assert_false(dhcp6_parse(m.b, m.n, s.c.conf.iaid, &view));
	m = whole;
	msg_opt(&m, DHCP6_OPT_SERVER_ID, "second", 6);
	assert_false(dhcp6_parse(m.b, m.n, s.c.conf.iaid, &view));
	m = whole;
	msg_opt(&m, DHCP6_OPT_STATUS, "x", 1);
	assert_false(dhcp6_parse(m.b, m.n, s.c.conf.iaid, &view));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	m.b[4 + 3] = 131; /* a DUID that is too long */
	m.n = sizeof(m.b);
	assert_false(dhcp6_parse(m.b, 400, s.c.conf.iaid, &view));
	/* The IA_NA has 12 bytes and an IAADDR: its last byte is missing. */
	m = whole;
	m.b[m.n - 40 - 1] = 39;
	m.n--;
	assert_false(dhcp6_parse(m.b, m.n, s.c.conf.iaid, &view));
	assert_false(dhcp6_parse(whole.b, DHCP_PACKET + 1, s.c.conf.iaid, &view));
}

/* ---- a lease -------------------------------------------------------------------- */

static void four_messages_give_a_lease(void **state UNUSED)
{
	static const uint8_t oro[] = { 0, 23, 0, 24, 0, 56, 0, 82 };
	struct dhcp6_bytes o;
	int64_t start;

	begin(1);
	start = s.now;
	assert_int_equal(s.todo.send, DHCP_SEND_MULTICAST);
	assert_string_equal(codes(), "1 8 3 6 14 ");
	o = sent_option(DHCP6_OPT_REQUEST);
	assert_int_equal(o.size, sizeof(oro));
	assert_memory_equal(o.p, oro, sizeof(oro));
	assert_memory_equal(sent_option(DHCP6_OPT_ELAPSED).p, "\0\0", 2);
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 12);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	/* Other servers have time until the first SOLICIT would be repeated: 1 to 1.1 s. */
	assert_true(wait_for(5000));
	assert_true(s.now >= start + 1000 && s.now <= start + 1100);
	assert_int_equal(sends(), DHCP6_REQUEST);
	assert_string_equal(codes(), "1 2 8 3 6 ");
	assert_memory_equal(sent_option(DHCP6_OPT_SERVER_ID).p, "\0\3\0\1a", 5);
	o = sent_option(DHCP6_OPT_IA_NA);
	assert_int_equal(o.size, 40);
	assert_memory_equal(o.p + 12, "\0\5\0\x18\xfd\0", 6);
	receive(msg_lease(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_BOUND);
	assert_true(s.c.x.lease.t1 == s.c.x.lease.start + 50000);
	assert_true(s.c.x.lease.t2 == s.c.x.lease.start + 80000);
	assert_true(s.c.x.lease.end == s.c.x.lease.start + 200000);
	assert_true(s.todo.wake == s.c.x.lease.t1);
}

static void the_best_server_wins(void **state UNUSED)
{
	struct msg m;

	begin(1);
	m = msg_begin(DHCP6_ADVERTISE, SERVER_A);
	msg_ia(&m, NULL, usual, DHCP6_NO_ADDRS_AVAIL);
	msg_opt(&m, DHCP6_OPT_PREFERENCE, "\xff", 1);
	receive(m);
	m = msg_begin(DHCP6_ADVERTISE, SERVER_A);
	msg_status(&m, DHCP6_NO_ADDRS_AVAIL);
	receive(m);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	m = msg_lease(DHCP6_ADVERTISE, SERVER_B);
	msg_opt(&m, DHCP6_OPT_PREFERENCE, "\x07", 1);
	receive(m);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_true(wait_for(2000));
	assert_memory_equal(sent_option(DHCP6_OPT_SERVER_ID).p, "\0\3\0\1b", 5);
	/* The other server cannot answer for it. */
	receive(msg_lease(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	receive(msg_lease(DHCP6_REPLY, SERVER_B));
	assert_int_equal(s.todo.event, DHCP_BOUND);

	/* Preference 255 is taken at once, and after the first second every one. */
	begin(1);
	m = msg_lease(DHCP6_ADVERTISE, SERVER_A);
	msg_opt(&m, DHCP6_OPT_PREFERENCE, "\xff", 1);
	receive(m);
	assert_int_equal(sends(), DHCP6_REQUEST);
	begin(1);
	assert_true(wait_for(2000));
	assert_int_equal(sends(), DHCP6_SOLICIT);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_int_equal(sends(), DHCP6_REQUEST);
}

static void rapid_commit_takes_two_messages(void **state UNUSED)
{
	struct msg m;

	begin(1);
	m = msg_lease(DHCP6_REPLY, SERVER_A);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_NOTHING); /* without the option it is none */
	msg_opt(&m, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_BOUND);
	/* Its server is the one that renews. */
	assert_true(wait_for(60000));
	assert_int_equal(sends(), DHCP6_RENEW);
	assert_memory_equal(sent_option(DHCP6_OPT_SERVER_ID).p, "\0\3\0\1a", 5);
}

static void a_lease_is_renewed_rebound_and_lost(void **state UNUSED)
{
	int64_t start;
	unsigned n = 0;

	get_lease();
	start = s.c.x.lease.start;
	assert_true(wait_for(60000));
	assert_true(s.now == start + 50000);
	assert_int_equal(sends(), DHCP6_RENEW);
	assert_string_equal(codes(), "1 2 8 3 6 ");
	receive(msg_lease(DHCP6_REPLY, SERVER_B));
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	assert_true(wait_for(60000));
	receive(msg_lease(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);
	start = s.c.x.lease.start;
	while (s.todo.event != DHCP_EXPIRED) {
		assert_true(wait_for(100000));
		if (s.todo.event)
			break;
		assert_int_equal(sends(), s.now < start + 80000 ? DHCP6_RENEW : DHCP6_REBIND);
		n++;
	}
	assert_in_range(n, 4, 12);
	assert_true(s.now == start + 200000);
	assert_true(wait_for(100));
	assert_int_equal(sends(), DHCP6_SOLICIT);
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 40); /* asks for the same address */
	/* It searches for ever. */
	for (int i = 0; i < 100; i++) {
		assert_true(wait_for(4000000));
		assert_int_equal(sends(), DHCP6_SOLICIT);
	}
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_B));
	assert_int_equal(sends(), DHCP6_REQUEST);
}

static void rebinding_takes_another_server(void **state UNUSED)
{
	struct msg m;

	get_lease();
	while (sends() != DHCP6_REBIND)
		assert_true(wait_for(60000));
	assert_string_equal(codes(), "1 8 3 6 ");
	m = msg_lease(DHCP6_REPLY, SERVER_B);
	msg_opt(&m, DHCP6_OPT_SEARCH, "\3lan\0", 5);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_true(s.todo.changed);
	assert_true(wait_for(60000));
	assert_memory_equal(sent_option(DHCP6_OPT_SERVER_ID).p, "\0\3\0\1b", 5);
}

static void a_server_may_withdraw_or_forget(void **state UNUSED)
{
	struct msg m;

	/* A valid lifetime of 0: the address must not be used any more. */
	get_lease();
	assert_true(wait_for(60000));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	msg_ia(&m, "fd00::9", (struct times){ 0, 0, 0, 0 }, 0);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_REFUSED);
	assert_false(dhcp6_has_lease(&s.c));
	assert_true(wait_for(100));
	assert_int_equal(sends(), DHCP6_SOLICIT);
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 12);

	/* The same with another address beside it: a renewal with a change. */
	get_lease();
	assert_true(wait_for(60000));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	msg_ia(&m, "fd00::10", usual, 0);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_true(s.todo.changed);

	/* NoBinding: it asks again, and holds the address meanwhile. */
	get_lease();
	assert_true(wait_for(60000));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	msg_ia(&m, NULL, usual, DHCP6_NO_BINDING);
	receive(m);
	assert_int_equal(sends(), DHCP6_REQUEST);
	assert_true(dhcp6_has_lease(&s.c));
	receive(msg_lease(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);

	/* No usable word: the next attempt follows. */
	assert_true(wait_for(60000));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	msg_status(&m, DHCP6_UNSPEC_FAIL);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	assert_true(dhcp6_has_lease(&s.c));
	assert_true(wait_for(60000));
	assert_int_equal(sends(), DHCP6_RENEW);
}

static void a_request_can_fail(void **state UNUSED)
{
	struct msg m;
	unsigned n = 1;

	begin(1);
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_true(wait_for(2000));
	m = msg_begin(DHCP6_REPLY, SERVER_A);
	msg_ia(&m, NULL, usual, DHCP6_NO_ADDRS_AVAIL);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_NOTHING);
	assert_true(s.todo.wake >= s.now + 1000);
	assert_true(wait_for(5000));
	assert_int_equal(sends(), DHCP6_SOLICIT);

	/* Silence: ten times, and then again from the start. */
	receive(msg_lease(DHCP6_ADVERTISE, SERVER_A));
	assert_true(wait_for(2000));
	while (sends() == DHCP6_REQUEST && wait_for(40000))
		n += sends() == DHCP6_REQUEST;
	assert_true(s.todo.event == DHCP_GIVEN_UP || sends() == DHCP6_SOLICIT);
	assert_in_range(n, 9, 10);
	while (!s.todo.event)
		assert_true(wait_for(300000));
	assert_int_equal(s.todo.event, DHCP_GIVEN_UP);
	assert_true(s.now == 1000000 + 208000);
	assert_true(s.todo.wake == DHCP_NEVER);
}

static void sol_max_rt_is_obeyed_in_bounds(void **state UNUSED)
{
	static const struct {
		uint32_t sent, is;
	} cases[] = { { 59, 3600 }, { 60, 60 }, { 86400, 86400 }, { 86401, 3600 } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg m;
		uint8_t b[4];

		begin(1);
		m = msg_begin(DHCP6_ADVERTISE, SERVER_A);
		msg_status(&m, DHCP6_NO_ADDRS_AVAIL);
		put32(b, cases[i].sent);
		msg_opt(&m, DHCP6_OPT_SOL_MAX_RT, b, 4);
		receive(m);
		assert_int_equal(s.c.sol_max_rt, cases[i].is);
	}
	begin(1);
	s.c.conf.resend_timeout = 0;
	s.c.x.had_lease = true;
	s.c.sol_max_rt = 60;
	for (int i = 0; i < 20; i++) {
		int64_t before = s.now;

		assert_true(wait_for(100000));
		assert_in_range(s.now - before, 1000, 66000);
		assert_true(i < 7 || s.now - before >= 54000);
	}
}

static void release_and_decline_are_repeated(void **state UNUSED)
{
	unsigned n = 1;

	get_lease();
	dhcp6_release(&s.c, at(), &s.todo);
	note_packet();
	assert_int_equal(sends(), DHCP6_RELEASE);
	assert_false(dhcp6_has_lease(&s.c));
	while (wait_for(20000) && !s.todo.event) {
		assert_string_equal(codes(), "1 2 8 3 ");
		assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 40);
		n++;
	}
	assert_int_equal(n, 4);
	assert_int_equal(s.todo.event, DHCP_STOPPED);
	assert_true(s.todo.wake == DHCP_NEVER);
	get_lease();
	dhcp6_release(&s.c, at(), &s.todo);
	note_packet();
	receive(msg_begin(DHCP6_REPLY, SERVER_A));
	assert_int_equal(s.todo.event, DHCP_STOPPED);
	dhcp6_release(&s.c, at(), &s.todo);
	assert_int_equal(s.todo.event, DHCP_STOPPED);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);

	get_lease();
	dhcp6_decline(&s.c, at(), &s.todo);
	note_packet();
	assert_int_equal(sends(), DHCP6_DECLINE);
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 40);
	receive(msg_begin(DHCP6_REPLY, SERVER_A));
	assert_false(wait_for(9000));
	assert_true(wait_for(2000));
	assert_int_equal(sends(), DHCP6_SOLICIT);
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 12);
	get_lease();
	dhcp6_decline(&s.c, at(), &s.todo);
	note_packet();
	for (n = 1; wait_for(40000) && sends() == DHCP6_DECLINE; n++)
		assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 40);
	assert_int_equal(n, 5);
	assert_int_equal(sends(), DHCP6_SOLICIT);
	/* The first search still has its end. */
	while (!s.todo.event)
		assert_true(wait_for(300000));
	assert_int_equal(s.todo.event, DHCP_GIVEN_UP);
}

static void answers_to_others_are_ignored(void **state UNUSED)
{
	struct dhcp6_client before;
	struct msg m;

	begin(1);
	before = s.c;
	m = msg_lease(DHCP6_ADVERTISE, SERVER_A);
	m.b[3] ^= 1; /* transaction */
	receive(m);
	m.b[3] ^= 1;
	m.b[4 + 4 + 5] ^= 1; /* client id */
	receive(m);
	m.b[4 + 4 + 5] ^= 1;
	m.b[0] = 13; /* a relay's message */
	receive(m);
	m = (struct msg){ .b = { DHCP6_ADVERTISE }, .n = 4 };
	memcpy(m.b + 1, last.b + 1, 3);
	receive(m);
	assert_memory_equal(&s.c, &before, sizeof(before));
	assert_true(s.todo.wake == s.c.x.wake);
}

static void odd_times_are_made_sane(void **state UNUSED)
{
	enum { FOREVER = -1 };
	static const struct {
		struct times sent;
		int64_t t1, t2, end; /* in ms; -1: never */
	} cases[] = {
		{ { 0, 0, 100, 200 }, 50000, 80000, 200000 },
		{ { 30, 60, 100, 200 }, 30000, 60000, 200000 },
		{ { 60, 30, 100, 200 }, 50000, 80000, 200000 },
		{ { 1, 30, 100, 200 }, 50000, 80000, 200000 },
		{ { 30, 300, 100, 200 }, 30000, 80000, 200000 },
		{ { UINT32_MAX, UINT32_MAX, 100, 200 }, 50000, 80000, 200000 },
		{ { 0, 0, 0, 1 }, 2500, 4000, 5000 },
		{ { 0, 0, 0, 200 }, 2500, 4000, 200000 },
		{ { 0, 0, 100, UINT32_MAX }, 50000, 80000, FOREVER },
		{ { 0, 0, UINT32_MAX, UINT32_MAX }, FOREVER, FOREVER, FOREVER },
		{ { 30, 60, UINT32_MAX, UINT32_MAX }, 30000, 60000, FOREVER },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct dhcp_lease *l = &s.c.x.lease;
		struct msg m;

		begin(1);
		m = msg_begin(DHCP6_REPLY, SERVER_A);
		msg_ia(&m, "fd00::9", cases[i].sent, 0);
		msg_opt(&m, DHCP6_OPT_RAPID_COMMIT, NULL, 0);
		receive(m);
		assert_int_equal(s.todo.event, DHCP_BOUND);
		CHECK(cases[i].t1 == FOREVER ? l->t1 == DHCP_NEVER
					     : l->t1 - l->start == cases[i].t1,
		      "case %zu: T1", i);
		CHECK(cases[i].t2 == FOREVER ? l->t2 == DHCP_NEVER
					     : l->t2 - l->start == cases[i].t2,
		      "case %zu: T2", i);
		CHECK(cases[i].end == FOREVER ? l->end == DHCP_NEVER
					      : l->end - l->start == cases[i].end,
		      "case %zu: end", i);
	}
}

/* ---- after a restart --------------------------------------------------------------- */

static void restart(int64_t away)
{
	struct dhcp6_client c = { .conf = s.c.conf, .x.lease = s.c.x.lease };

	s.c = c;
	s.now += away;
	assert_true(dhcp6_reboot(&s.c, at(), &s.todo));
}

static void a_restart_confirms(void **state UNUSED)
{
	struct dhcp6_client damaged;
	struct msg m;

	get_lease();
	restart(20000);
	assert_true(dhcp6_has_lease(&s.c));
	assert_true(wait_for(1000));
	assert_int_equal(sends(), DHCP6_CONFIRM);
	assert_string_equal(codes(), "1 8 3 ");
	assert_int_equal(sent_option(DHCP6_OPT_IA_NA).size, 40);
	m = msg_begin(DHCP6_REPLY, SERVER_B);
	msg_status(&m, DHCP6_SUCCESS);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_RENEWED);
	assert_false(s.todo.changed);
	assert_true(s.todo.wake == s.c.x.lease.t1);

	restart(10);
	assert_true(wait_for(1000));
	m = msg_begin(DHCP6_REPLY, SERVER_B);
	msg_status(&m, DHCP6_NOT_ON_LINK);
	receive(m);
	assert_int_equal(s.todo.event, DHCP_REFUSED);

	/* Silence: the lease goes on. */
	get_lease();
	restart(10);
	while (s.c.state == DHCP6_IS_CONFIRMING)
		(void)wait_for(1000);
	assert_int_equal(s.c.state, DHCP6_IS_BOUND);
	assert_true(wait_for(60000));
	assert_int_equal(sends(), DHCP6_RENEW);

	/* Past T1, T2, the end. */
	get_lease();
	restart(60000);
	assert_true(wait_for(1100));
	assert_int_equal(sends(), DHCP6_RENEW);
	get_lease();
	restart(90000);
	assert_true(wait_for(1100));
	assert_int_equal(sends(), DHCP6_REBIND);
	get_lease();
	restart(200000);
	assert_int_equal(s.todo.event, DHCP_EXPIRED);

	get_lease();
	damaged = (struct dhcp6_client){ .conf = s.c.conf, .x.lease = s.c.x.lease };
	damaged.x.lease.raw[0] = DHCP6_ADVERTISE;
	assert_false(dhcp6_reboot(&damaged, at(), &s.todo));
	damaged = (struct dhcp6_client){ .conf = s.c.conf, .x.lease = s.c.x.lease };
	damaged.conf.iaid++;
	assert_false(dhcp6_reboot(&damaged, at(), &s.todo));
}

static void after_a_suspend(void **state UNUSED)
{
	get_lease();
	s.now += 90000000;
	dhcp6_timer(&s.c, at(), &s.todo);
	assert_int_equal(s.todo.event, DHCP_EXPIRED);
	get_lease();
	s.now += 100000;
	dhcp6_timer(&s.c, at(), &s.todo);
	assert_int_equal(sends(), DHCP6_REBIND);
	s.now -= 2000;
	dhcp6_timer(&s.c, at(), &s.todo);
	assert_int_equal(s.todo.send, DHCP_SEND_NOTHING);
}

static void a_hundred_thousand_renewals(void **state UNUSED)
{
	get_lease();
	for (int i = 0; i < 100000; i++) {
		int64_t end = s.c.x.lease.end;

		assert_true(wait_for(60000));
		assert_int_equal(sends(), DHCP6_RENEW);
		receive(msg_lease(DHCP6_REPLY, SERVER_A));
		assert_int_equal(s.todo.event, DHCP_RENEWED);
		assert_true(s.c.x.lease.end > end);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_outlive_the_daemon_and_differ),
		cmocka_unit_test(values_are_decoded),
		cmocka_unit_test(addresses_that_cannot_be_used_are_left_out),
		cmocka_unit_test(messages_are_cut_at_every_byte),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(four_messages_give_a_lease),
		cmocka_unit_test(the_best_server_wins),
		cmocka_unit_test(rapid_commit_takes_two_messages),
		cmocka_unit_test(a_lease_is_renewed_rebound_and_lost),
		cmocka_unit_test(rebinding_takes_another_server),
		cmocka_unit_test(a_server_may_withdraw_or_forget),
		cmocka_unit_test(a_request_can_fail),
		cmocka_unit_test(sol_max_rt_is_obeyed_in_bounds),
		cmocka_unit_test(release_and_decline_are_repeated),
		cmocka_unit_test(answers_to_others_are_ignored),
		cmocka_unit_test(odd_times_are_made_sane),
		cmocka_unit_test(a_restart_confirms),
		cmocka_unit_test(after_a_suspend),
		cmocka_unit_test(a_hundred_thousand_renewals),
	};

	return cmocka_run_group_tests_name("dhcp6", tests, NULL, NULL);
}
