// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dhcp_packet.c - messages of DHCPv4: every option, and every option cut at every byte
 */
#include "dhcp_sim.h"

static const uint8_t request[240] = { 1, 1, 6, 0, 7, 7, 7, 7, [28] = 2, 0, 0, 0, 0, 5 };
static struct dhcp_facts facts;

static const char *decode(struct msg m)
{
	m.b[m.n++] = 255;
	return dhcp_facts(m.b, m.n, &facts);
}

static struct msg ack(void)
{
	return msg_lease(request, DHCP_ACK, 3600);
}

static void check_route(unsigned i, const char *dst, const char *gw)
{
	assert_true(i < facts.n_routes);
	assert_string_equal(CIDR_S(facts.routes[i].dst), dst);
	assert_string_equal(IP_S(facts.routes[i].gw), gw);
}

static void values_are_decoded(void **state UNUSED)
{
	struct msg m = ack();

	msg_ip(&m, 6, "10.5.0.2");
	msg_ip(&m, 6, "10.5.0.3"); /* RFC 3396: parts are joined */
	msg_opt(&m, 12, "pod1", 4);
	msg_opt(&m, 15, "example.org\0", 12);
	msg_opt(&m, 26, "\x05\x78", 2);
	msg_ip(&m, 42, "10.5.0.4");
	assert_null(decode(m));
	assert_string_equal(CIDR_S(facts.address), "10.5.0.9/24");
	assert_string_equal(IP_S(facts.gateway), "10.5.0.1");
	assert_string_equal(IP_S(facts.server), "10.5.0.1");
	assert_int_equal(facts.n_dns, 2);
	assert_string_equal(IP_S(facts.dns[1]), "10.5.0.3");
	assert_int_equal(facts.n_ntp, 1);
	assert_string_equal(IP_S(facts.ntp[0]), "10.5.0.4");
	assert_string_equal(facts.domain.s, "example.org");
	assert_string_equal(facts.host_name.s, "pod1");
	assert_int_equal(facts.mtu, 1400);
	assert_int_equal(facts.n_routes, 1);
	check_route(0, "0.0.0.0/0", "10.5.0.1");
}

static void static_routes_have_the_length_of_their_class(void **state UNUSED)
{
	struct msg m = ack();

	msg_opt(&m, 33,
		"\x0a\x09\x08\x07\x0a\x05\x00\x02"
		"\xac\x10\x00\x00\x0a\x05\x00\x02"
		"\xc0\xa8\x07\x01\x0a\x05\x00\x03"
		"\x00\x00\x00\x00\x0a\x05\x00\x03"
		"\xe0\x00\x00\x01\x0a\x05\x00\x03",
		40);
	assert_null(decode(m));
	assert_int_equal(facts.n_routes, 4);
	check_route(0, "10.0.0.0/8", "10.5.0.2");
	check_route(1, "172.16.0.0/16", "10.5.0.2");
	check_route(2, "192.168.7.0/24", "10.5.0.3");
	check_route(3, "0.0.0.0/0", "10.5.0.1");
}

/* RFC 3442: with option 121 routers and option 33 do not count. */
static void classless_routes_are_exclusive(void **state UNUSED)
{
	struct msg m = ack();

	msg_ip(&m, 33, "172.16.0.0");
	msg_opt(&m, 121, "\x00\x0a\x05\x00\xfe\x18\x0a\x11\x12\x00\x00\x00\x00", 13);
	msg_opt(&m, 121, "\x20\x01\x02\x03\x04\x0a\x05\x00\x03", 9);
	assert_null(decode(m));
	assert_int_equal(facts.n_routes, 3);
	check_route(0, "0.0.0.0/0", "10.5.0.254");
	check_route(1, "10.17.18.0/24", "0.0.0.0");
	check_route(2, "1.2.3.4/32", "10.5.0.3");
	assert_string_equal(IP_S(facts.gateway), "10.5.0.1");

	/* Host bits are cleared. */
	m = ack();
	msg_opt(&m, 121, "\x09\x0a\xff\x0a\x05\x00\x03", 7);
	assert_null(decode(m));
	check_route(0, "10.128.0.0/9", "10.5.0.3");
	/* A malformed option is as none. */
	m = ack();
	msg_opt(&m, 121, "\x00\x0a\x05\x00\xfe\x21\x01\x02\x03\x04\x05\x0a\x05\x00\x03", 15);
	assert_null(decode(m));
	assert_int_equal(facts.n_routes, 1);
	check_route(0, "0.0.0.0/0", "10.5.0.1");
}

static void search_lists_may_be_compressed(void **state UNUSED)
{
	static const char list[] = "\3eng\5apple\3com\0\11marketing\xc0\x04";
	struct msg m = ack();

	msg_opt(&m, 119, list, 20);
	msg_opt(&m, 119, list + 20, sizeof(list) - 1 - 20);
	assert_null(decode(m));
	assert_int_equal(facts.n_search, 2);
	assert_string_equal(facts.search[0].s, "eng.apple.com");
	assert_string_equal(facts.search[1].s, "marketing.apple.com");
}

static void malformed_search_lists_are_ignored(void **state UNUSED)
{
	static const struct {
		const char *bytes;
		size_t size;
	} cases[] = {
		{ "\xc0\x00", 2 },              /* points to itself */
		{ "\3foo\xc0\x00", 6 },         /* a circle */
		{ "\3foo\xc0\x06\0", 7 },       /* points forward */
		{ "\3foo", 4 },                 /* no end */
		{ "\3fo", 3 },                  /* cut */
		{ "\3foo\xc0", 5 },             /* a cut pointer */
		{ "\x43oo\0", 4 },              /* a reserved kind of label */
		{ "\3foo\0\xc0\x05\3bar", 11 }, /* the second is a circle, the first is good */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg m = ack();

		msg_opt(&m, 119, cases[i].bytes, cases[i].size);
		CHECK(!decode(m), "case %zu is no lease", i);
		CHECK(facts.n_search == 0, "case %zu has names", i);
	}
}

/* A name that could write other lines into resolv.conf is left out. */
static void names_have_harmless_characters(void **state UNUSED)
{
	static const char *const bad[] = { "a b", "a\nnameserver 1.2.3.4", "a/b", "\xc3\xa4",
					   "a\0b" };
	struct msg m;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		m = ack();
		msg_opt(&m, 15, bad[i], i == 4 ? 3 : strlen(bad[i]));
		msg_opt(&m, 12, bad[i], i == 4 ? 3 : strlen(bad[i]));
		assert_null(decode(m));
		CHECK(!facts.domain.s[0] && !facts.host_name.s[0], "case %zu", i);
	}
	m = ack();
	msg_opt(&m, 119, "\3a b\0\3foo\0", 10);
	assert_null(decode(m));
	assert_int_equal(facts.n_search, 1);
	assert_string_equal(facts.search[0].s, "foo");
}

/* 20 labels of 12 characters are 260 bytes; by pointers a short option gives long names. */
static void names_have_a_bound(void **state UNUSED)
{
	uint8_t list[255];
	size_t n = 0;
	struct msg m = ack();

	for (int i = 0; i < 19; i++) {
		list[n++] = 12;
		memset(list + n, 'a', 12);
		n += 12;
	}
	list[n++] = 0;
	msg_opt(&m, 119, list, n);
	assert_null(decode(m));
	assert_int_equal(facts.n_search, 1);
	assert_int_equal(strlen(facts.search[0].s), 19 * 13 - 1);

	m = ack();
	msg_opt(&m, 119, list, n);
	msg_opt(&m, 119,
		"\x0c"
		"abcdefghijkl\xc0\x00",
		15);
	assert_null(decode(m));
	assert_int_equal(facts.n_search, 0);
}

static void option_overload_adds_fields(void **state UNUSED)
{
	struct msg m = msg_begin(request, DHCP_ACK, "10.5.0.9", "10.5.0.1");

	/* 52 = 3: file has the mask, sname the router. */
	memcpy(m.b + 108, "\x01\x04\xff\xff\x00\x00\xff", 7);
	memcpy(m.b + 44, "\x03\x04\x0a\x05\x00\x01\xff", 7);
	assert_non_null(decode(m));
	msg_opt(&m, 52, "\x03", 1);
	assert_null(decode(m));
	assert_string_equal(CIDR_S(facts.address), "10.5.0.9/16");
	assert_string_equal(IP_S(facts.gateway), "10.5.0.1");
	/* A length that leaves the field makes the message malformed. */
	m.b[108 + 126] = 12;
	m.b[108 + 127] = 1;
	memset(m.b + 108 + 6, 0, 120);
	assert_non_null(decode(m));
	m.b[108 + 126] = 0;
	m.b[108 + 127] = 0;
	assert_null(decode(m));
	/* Option 52 inside of a field adds nothing. */
	m = msg_begin(request, DHCP_ACK, "10.5.0.9", "10.5.0.1");
	msg_opt(&m, 52, "\x01", 1);
	memcpy(m.b + 108, "\x34\x01\x03\xff", 4);
	memcpy(m.b + 44, "\x01\x04\xff\xff\x00\x00\xff", 7);
	assert_non_null(decode(m));
}

static void what_cannot_be_a_lease_says_why(void **state UNUSED)
{
	static const char *const masks[] = { "0.0.0.0", "255.0.255.0", "0.0.0.255" };
	static const char *const addresses[] = { "0.0.0.0", "127.0.0.1", "224.0.0.1",
						 "255.255.255.255", "0.1.2.3" };
	static const struct {
		const char *address, *mask;
		bool good;
	} edges[] = {
		{ "10.5.0.0", "255.255.255.0", false },   { "10.5.0.255", "255.255.255.0", false },
		{ "10.5.0.255", "255.255.0.0", true },    { "10.5.255.255", "255.255.0.0", false },
		{ "10.5.0.4", "255.255.255.252", false }, { "10.5.0.5", "255.255.255.252", true },
		{ "10.5.0.4", "255.255.255.254", true },  { "10.5.0.0", "255.255.255.255", true },
	};
	struct msg m = msg_begin(request, DHCP_ACK, "10.5.0.9", "10.5.0.1");

	assert_string_equal(decode(m), "DHCP option Subnet Mask not found in DHCPACK");
	for (size_t i = 0; i < ARRAY_LEN(masks); i++) {
		m = msg_begin(request, DHCP_ACK, "10.5.0.9", "10.5.0.1");
		msg_ip(&m, 1, masks[i]);
		assert_string_equal(decode(m), "DHCP option Subnet Mask in DHCPACK is not a mask");
	}
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		m = ack();
		inet_pton(AF_INET, addresses[i], m.b + 16);
		CHECK(decode(m), "%s", addresses[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		m = msg_begin(request, DHCP_ACK, edges[i].address, "10.5.0.1");
		msg_ip(&m, 1, edges[i].mask);
		CHECK(!decode(m) == edges[i].good, "%s %s", edges[i].address, edges[i].mask);
	}
	m = msg_begin(request, DHCP_ACK, "10.5.0.9", "10.5.0.1");
	msg_ip(&m, 1, "255.255.255.255");
	assert_null(decode(m));
	assert_int_equal(facts.address.len, 32);
}

static void other_protocols_are_refused(void **state UNUSED)
{
	static const struct {
		size_t at;
		uint8_t value;
	} cases[] = {
		{ 0, 1 }, { 1, 6 }, { 2, 8 }, { 236, 0 }, { 239, 98 }, { 240, 61 }, { 241, 2 }
	};
	struct dhcp_message m;
	struct msg good = ack();

	good.b[good.n++] = 255;
	assert_true(dhcp_parse(good.b, good.n, &m));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct msg bad = good;

		bad.b[cases[i].at] = cases[i].value;
		CHECK(!dhcp_parse(bad.b, bad.n, &m), "byte %zu", cases[i].at);
	}
	memset(good.b + good.n, 0, sizeof(good.b) - good.n);
	assert_true(dhcp_parse(good.b, DHCP_PACKET, &m));
	assert_false(dhcp_parse(good.b, DHCP_PACKET + 1, &m));
}

/*
 * Every option with every length from 0 to 9 in a message that is cut at every byte, in memory of
 * exactly this size: the sanitizers and valgrind see a read behind it.
 */
static void messages_are_cut_at_every_byte(void **state UNUSED)
{
	static const uint8_t codes[] = { 1,  3,  6,  12, 15, 26, 33,  42,  51,
					 52, 53, 54, 58, 59, 61, 119, 121, 255 };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		for (unsigned len = 0; len < 10; len++) {
			struct msg m = ack();
			size_t whole;

			msg_opt(&m, codes[i], "\3foo\0\3\3\3\3", len);
			whole = m.n;
			m.b[m.n++] = 255;
			for (size_t cut = 0; cut <= m.n; cut++) {
				uint8_t *p = test_malloc(cut + 1);
				struct dhcp_message view;

				memcpy(p, m.b, cut);
				(void)dhcp_facts(p, cut, &facts);
				/* A cut option makes the message malformed. */
				if (dhcp_parse(p, cut, &view) && codes[i] != 255)
					CHECK(cut == whole || cut == m.n || cut <= whole - 2 - len,
					      "option %u of %u bytes cut at %zu", codes[i], len,
					      cut);
				test_free(p);
			}
		}
	}
}

static void long_lists_are_cut(void **state UNUSED)
{
	struct msg m = ack();
	uint8_t b[255];

	for (int i = 0; i < 63; i++)
		memcpy(b + 4 * i, "\x0a\x05\x00\x01", 4);
	msg_opt(&m, 6, b, 252);
	memset(b, 0, sizeof(b));
	for (int i = 0; i < 51; i++)
		memcpy(b + 5 * i, "\x00\x0a\x05\x00\x01", 5);
	for (int i = 0; i < 3; i++)
		msg_opt(&m, 121, b, 255);
	assert_null(decode(m));
	assert_int_equal(facts.n_dns, DHCP_SERVERS);
	assert_int_equal(facts.n_routes, 153);
}

static void differences_are_noticed(void **state UNUSED)
{
	struct msg a = ack(), b = ack();
	struct dhcp_message x, y;

	msg_ip(&a, 6, "10.5.0.2");
	msg_ip(&b, 6, "10.5.0.2");
	b.b[4] = 9; /* xid */
	msg_u32(&b, 58, 100);
	assert_true(dhcp_parse(a.b, a.n, &x) && dhcp_parse(b.b, b.n, &y));
	assert_true(dhcp_same_facts(&x, &y));
	b = ack();
	msg_ip(&b, 6, "10.5.0.3");
	assert_true(dhcp_parse(b.b, b.n, &y));
	assert_false(dhcp_same_facts(&x, &y));
	b = ack();
	assert_true(dhcp_parse(b.b, b.n, &y));
	assert_false(dhcp_same_facts(&x, &y));
	a = ack();
	b.b[19] = 10; /* yiaddr */
	assert_true(dhcp_parse(a.b, a.n, &x) && dhcp_parse(b.b, b.n, &y));
	assert_false(dhcp_same_facts(&x, &y));
}

static void options_are_put_in_order(void **state UNUSED)
{
	uint8_t list[16];
	size_t used = 0;

	assert_int_equal(dhcp_put(list, &used, sizeof(list), 61, "abc", 3), 0);
	assert_int_equal(dhcp_put(list, &used, sizeof(list), 12, "x", 1), 0);
	assert_int_equal(dhcp_put(list, &used, sizeof(list), 53, "", 0), 0);
	assert_int_equal(used, 10);
	assert_memory_equal(list,
			    "\x0c\x01x\x35\x00\x3d\x03"
			    "abc",
			    10);
	assert_int_equal(dhcp_put(list, &used, sizeof(list), 12, "yz", 2), 0);
	assert_memory_equal(list,
			    "\x0c\x02yz\x35\x00\x3d\x03"
			    "abc",
			    11);
	assert_int_equal(dhcp_put(list, &used, sizeof(list), 77, "abcdef", 6), -ENOSPC);
	assert_int_equal(used, 11);
	assert_int_equal(dhcp_put(list, &used, sizeof(list), 77, "abc", 3), 0);
	assert_int_equal(used, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_decoded),
		cmocka_unit_test(static_routes_have_the_length_of_their_class),
		cmocka_unit_test(classless_routes_are_exclusive),
		cmocka_unit_test(search_lists_may_be_compressed),
		cmocka_unit_test(malformed_search_lists_are_ignored),
		cmocka_unit_test(names_have_harmless_characters),
		cmocka_unit_test(names_have_a_bound),
		cmocka_unit_test(option_overload_adds_fields),
		cmocka_unit_test(what_cannot_be_a_lease_says_why),
		cmocka_unit_test(other_protocols_are_refused),
		cmocka_unit_test(messages_are_cut_at_every_byte),
		cmocka_unit_test(long_lists_are_cut),
		cmocka_unit_test(differences_are_noticed),
		cmocka_unit_test(options_are_put_in_order),
	};

	return cmocka_run_group_tests_name("dhcp packet", tests, NULL, NULL);
}
