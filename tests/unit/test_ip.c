// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_ip.c - addresses, prefixes, MAC addresses.  The lexical cases are what the reference plugins
 * accept, reject and print, as tried out.
 */
#include "value/ip.h"
#include "unit.h"

static struct ip ip(const char *s)
{
	struct ip a = { .family = 0 };

	CHECK(!*s || ip_parse(s, &a), "%s does not parse", s);
	return a;
}

static struct cidr cidr(const char *s)
{
	struct cidr c = { .len = 0 };

	CHECK(cidr_parse(s, &c), "%s does not parse", s);
	return c;
}

static void addresses_parse_and_print(void **state)
{
	static const struct {
		const char *in, *out; /* NULL = rejected */
	} cases[] = {
		{ "10.1.0.5", "10.1.0.5" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "9.10.99.100", "9.10.99.100" },
		{ "0.101.110.200", "0.101.110.200" },
		{ "1:12:123:1234:a:ab:abc:abcd", "1:12:123:1234:a:ab:abc:abcd" },
		{ "1000:100:10:0:f000:f00:f0:f", "1000:100:10:0:f000:f00:f0:f" },
		{ "010.1.1.1", NULL },
		{ "10.1.1", NULL },
		{ "10.1.1.1.", NULL },
		{ "10.1.1.256", NULL },
		{ " 10.1.1.1", NULL },
		{ "10.1.1.1 ", NULL },
		{ "", NULL },
		{ "eth0", NULL },
		{ "::", "::" },
		{ "::1", "::1" },
		{ "1::", "1::" },
		{ "FD00:0:0::1", "fd00::1" },
		{ "fd00:0:0:0:1:0:0:0", "fd00::1:0:0:0" },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
		{ "2001:db8::1:0:0:1", "2001:db8::1:0:0:1" },
		{ "1:0:2:0:3:0:4:0", "1:0:2:0:3:0:4:0" },
		{ "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0" },
		{ "0:0:1::", "0:0:1::" },
		{ "::1.2.3.4", "::102:304" },
		{ "::ffff:10.1.1.1", "10.1.1.1" },
		{ "::FFFF:0A01:0101", "10.1.1.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "fe80::1%eth0", NULL },
		{ "1::2::3", NULL },
		{ "12345::", NULL },
		{ "[::1]", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip a = { .family = -1 };

		if (!cases[i].out) {
			CHECK(!ip_parse(cases[i].in, &a), "\"%s\" is accepted", cases[i].in);
			assert_int_equal(a.family, -1); /* unchanged */
			continue;
		}
		assert_string_equal(IP_S(ip(cases[i].in)), cases[i].out);
	}
	assert_false(ip_parse(NULL, &(struct ip){ .family = 0 }));
	assert_string_equal(IP_S((struct ip){ .family = 0 }), "");
	assert_string_equal(CIDR_S((struct cidr){ .len = 7 }), "");
	/* The kernel may return an IPv4-mapped address; it is not treated as IPv4. */
	assert_string_equal(
		IP_S(((struct ip){ .family = AF_INET6, .b = { [10] = 255, 255, 10, 0, 0, 1 } })),
		"::ffff:10.0.0.1");
}

static void prefixes_parse_and_print(void **state)
{
	static const struct {
		const char *in, *out, *network, *last;
	} cases[] = {
		{ "10.1.0.5/24", "10.1.0.5/24", "10.1.0.0", "10.1.0.255" },
		{ "10.1.0.5/0", "10.1.0.5/0", "0.0.0.0", "255.255.255.255" },
		{ "10.1.0.5/32", "10.1.0.5/32", "10.1.0.5", "10.1.0.5" },
		{ "10.1.255.5/9", "10.1.255.5/9", "10.0.0.0", "10.127.255.255" },
		{ "10.1.0.5/024", "10.1.0.5/24", "10.1.0.0", "10.1.0.255" },
		{ "FD00:0:0::1/64", "fd00::1/64", "fd00::", "fd00::ffff:ffff:ffff:ffff" },
		{ "fd00::1/128", "fd00::1/128", "fd00::1", "fd00::1" },
		{ "fd00::1/121", "fd00::1/121", "fd00::", "fd00::7f" },
		{ "::ffff:10.1.1.1/120", "10.1.1.1/24", "10.1.1.0", "10.1.1.255" },
		{ "::ffff:10.1.1.1/96", "10.1.1.1/0", "0.0.0.0", "255.255.255.255" },
		{ .in = "::ffff:10.1.1.1/95" },
		{ .in = "10.1.1.1" },
		{ .in = "10.1.1.1/" },
		{ .in = "10.1.1.1/33" },
		{ .in = "10.1.1.1/-1" },
		{ .in = "10.1.1.1/+1" },
		{ .in = "10.1.1.1/24 " },
		{ .in = "10.1.1.1/24/24" },
		{ .in = "10.1.1.1/255.255.255.0" },
		{ .in = "10.1.1.1/4294967320" },
		{ .in = "010.1.1.1/24" },
		{ .in = "fd00::/129" },
		{ .in = "/24" },
		{ .in = "" },
		{ .in = "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct cidr c = { .len = 77 };

		if (!cases[i].out) {
			CHECK(!cidr_parse(cases[i].in, &c), "\"%s\" is accepted", cases[i].in);
			assert_int_equal(c.len, 77);
			continue;
		}
		c = cidr(cases[i].in);
		assert_string_equal(CIDR_S(c), cases[i].out);
		assert_string_equal(IP_S(cidr_network(c)), cases[i].network);
		assert_string_equal(IP_S(cidr_masked(c).ip), cases[i].network);
		assert_int_equal(cidr_masked(c).len, c.len);
		assert_string_equal(IP_S(cidr_last(c)), cases[i].last);
	}
	assert_false(cidr_parse(NULL, &(struct cidr){ .len = 0 }));
}

static void macs_parse_and_print(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "02:AA:00:00:00:01", "02:aa:00:00:00:01" },
		{ "02aa.0000.0002", "02:aa:00:00:00:02" },
		{ "02-00-00-00-00-03", "02:00:00:00:00:03" },
		{ "02:00:00:00:00:00:00:01", "02:00:00:00:00:00:00:01" },
		{ "0200.0000.0000.0001", "02:00:00:00:00:00:00:01" },
		{ "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13",
		  "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13" },
		{ "2:0:0:0:0:3", NULL },
		{ "02:00:00:00:00", NULL },
		{ "02:00:00:00:00:03:", NULL },
		{ "02:00:00:00:00:03:04", NULL },
		{ "02:00-00:00:00:03", NULL },
		{ "02:00:00:00:00:0g", NULL },
		{ "02:00:00:00:00:0", NULL },
		{ "02aa.0000.00", NULL },
		{ "02aa.0000.000", NULL },
		{ "02aa:0000:0002", NULL },
		{ "0200000000000001", NULL },
		{ "00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13:14", NULL },
		{ "\xff\xff:00:00:00:00:01", NULL },
		{ "", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct mac m = { .len = 3 };
		bool ok = mac_parse(cases[i].in, &m);

		CHECK(ok == !!cases[i].out, "\"%s\": %d", cases[i].in, ok);
		if (ok)
			assert_string_equal(MAC_S(m), cases[i].out);
		else
			assert_int_equal(m.len, 3);
	}
	assert_false(mac_parse(NULL, &(struct mac){ .len = 0 }));
	assert_string_equal(MAC_S((struct mac){ .len = 0 }), "");
	assert_true(
		mac_eq((struct mac){ .b = { 1 }, .len = 6 }, (struct mac){ .b = { 1 }, .len = 6 }));
	assert_false(
		mac_eq((struct mac){ .b = { 1 }, .len = 6 }, (struct mac){ .b = { 1 }, .len = 8 }));
	assert_false(
		mac_eq((struct mac){ .b = { 1 }, .len = 6 }, (struct mac){ .b = { 2 }, .len = 6 }));
}

static void addresses_are_added_and_counted(void **state)
{
	static const struct {
		const char *from;
		int64_t n;
		const char *to;
	} cases[] = {
		{ "10.0.0.1", 0, "10.0.0.1" },
		{ "10.0.0.255", 1, "10.0.1.0" },
		{ "10.0.1.0", -1, "10.0.0.255" },
		{ "10.255.255.255", 1, "11.0.0.0" },
		{ "255.255.255.255", 1, "0.0.0.0" },
		{ "0.0.0.0", -1, "255.255.255.255" },
		{ "10.0.0.0", 1LL << 32, "10.0.0.0" },
		{ "fd00::ffff:ffff:ffff:ffff", 1, "fd00:0:0:1::" },
		{ "fd00:0:0:1::", -1, "fd00::ffff:ffff:ffff:ffff" },
		{ "::", -1, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1, "::" },
		{ "::", INT64_MAX, "::7fff:ffff:ffff:ffff" },
		{ "::1:0:0:0:0", INT64_MIN, "::8000:0:0:0" },
		{ "", 1, "" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(IP_S(ip_add(ip(cases[i].from), cases[i].n)), cases[i].to);
}

static void addresses_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int sign;
	} cases[] = {
		{ "10.0.0.1", "10.0.0.1", 0 },
		{ "10.0.0.1", "10.0.0.2", -1 },
		{ "10.0.1.0", "10.0.0.2", 1 },
		{ "255.0.0.0", "::", -1 },
		{ "::", "255.0.0.0", 1 },
		{ "fd00::1", "fd00::2", -1 },
		{ "fd00::1", "fd00::1", 0 },
		{ "", "0.0.0.0", -1 },
		{ "", "", 0 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		int r = ip_cmp(ip(cases[i].a), ip(cases[i].b));

		CHECK((r > 0) - (r < 0) == cases[i].sign, "%s, %s: %d", cases[i].a, cases[i].b, r);
		assert_true(ip_eq(ip(cases[i].a), ip(cases[i].b)) == (r == 0));
	}
}

static void addresses_are_classified(void **state)
{
	static const struct {
		const char *ip;
		bool any, loopback, multicast, linklocal;
		unsigned bits;
	} cases[] = {
		{ "", false, false, false, false, 0 },
		{ "0.0.0.0", true, false, false, false, 32 },
		{ "::", true, false, false, false, 128 },
		{ "0.0.0.1", false, false, false, false, 32 },
		{ "127.9.9.9", false, true, false, false, 32 },
		{ "128.0.0.1", false, false, false, false, 32 },
		{ "::1", false, true, false, false, 128 },
		{ "::2", false, false, false, false, 128 },
		{ "224.0.0.1", false, false, true, false, 32 },
		{ "239.255.255.255", false, false, true, false, 32 },
		{ "240.0.0.0", false, false, false, false, 32 },
		{ "ff02::1", false, false, true, false, 128 },
		{ "169.254.1.1", false, false, false, true, 32 },
		{ "169.253.1.1", false, false, false, false, 32 },
		{ "fe80::1", false, false, false, true, 128 },
		{ "febf::1", false, false, false, true, 128 },
		{ "fec0::1", false, false, false, false, 128 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct ip a = ip(cases[i].ip);

		CHECK(ip_is_any(a) == cases[i].any, "any: %s", cases[i].ip);
		CHECK(ip_is_loopback(a) == cases[i].loopback, "loopback: %s", cases[i].ip);
		CHECK(ip_is_multicast(a) == cases[i].multicast, "multicast: %s", cases[i].ip);
		CHECK(ip_is_linklocal(a) == cases[i].linklocal, "link-local: %s", cases[i].ip);
		if (cases[i].any || cases[i].loopback || cases[i].multicast || !*cases[i].ip)
			CHECK(!ip_is_of_host(a), "of a host: %s", cases[i].ip);
		assert_int_equal(ip_bits(a), cases[i].bits);
		assert_int_equal(ip_bytes(a) * 8, cases[i].bits);
		assert_true(ip_set(a) == (cases[i].bits > 0));
		assert_int_equal(cidr_host(a).len, cases[i].bits);
	}
	assert_false(ip_is_of_host(ip("0.0.0.1")));
	assert_false(ip_is_of_host(ip("255.255.255.255")));
	assert_true(ip_is_of_host(ip("255.255.255.254")));
	assert_true(ip_is_of_host(ip("169.254.1.1")));
	assert_true(ip_is_of_host(ip("fe80::1")));
	assert_true(ip_is_of_host(ip("::2")));
}

static void derives_linklocal(void **state UNUSED)
{
	struct mac mac;

	assert_true(mac_parse("6a:aa:4a:39:05:53", &mac));
	assert_string_equal(IP_S(ip_linklocal(mac)), "fe80::68aa:4aff:fe39:553");
}

static void prefixes_contain_and_overlap(void **state)
{
	static const struct {
		const char *cidr, *ip;
		bool contains;
	} in[] = {
		{ "10.1.0.9/24", "10.1.0.255", true },   { "10.1.0.9/24", "10.1.1.0", false },
		{ "10.1.0.9/32", "10.1.0.9", true },     { "10.1.0.9/32", "10.1.0.8", false },
		{ "0.0.0.0/0", "255.1.1.1", true },      { "0.0.0.0/0", "::1", false },
		{ "::/0", "10.1.1.1", false },           { "fd00::/63", "fd00:0:0:1::1", true },
		{ "fd00::/64", "fd00:0:0:1::1", false },
	};
	static const struct {
		const char *a, *b;
		bool overlaps;
	} both[] = {
		{ "10.1.0.0/24", "10.1.0.128/25", true },
		{ "10.1.0.128/25", "10.1.0.0/24", true },
		{ "10.1.0.0/25", "10.1.0.128/25", false },
		{ "0.0.0.0/0", "10.0.0.0/8", true },
		{ "0.0.0.0/0", "::/0", false },
		{ "fd00::/8", "fd12::/16", true },
		{ "fd00::/16", "fd12::/16", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(in); i++)
		CHECK(cidr_contains(cidr(in[i].cidr), ip(in[i].ip)) == in[i].contains, "%s, %s",
		      in[i].cidr, in[i].ip);
	for (unsigned i = 0; i < ARRAY_LEN(both); i++)
		CHECK(cidr_overlaps(cidr(both[i].a), cidr(both[i].b)) == both[i].overlaps, "%s, %s",
		      both[i].a, both[i].b);
	assert_false(cidr_contains((struct cidr){ .len = 0 }, (struct ip){ .family = 0 }));
	assert_true(cidr_eq(cidr("10.1.0.0/24"), cidr("10.1.0.0/24")));
	assert_false(cidr_eq(cidr("10.1.0.0/24"), cidr("10.1.0.0/25")));
	assert_false(cidr_eq(cidr("10.1.0.0/24"), cidr("10.1.0.1/24")));
	assert_true(cidr_is_default(cidr("0.0.0.0/0")));
	assert_true(cidr_is_default(cidr("::/0")));
	assert_false(cidr_is_default(cidr("0.0.0.0/1")));
	assert_false(cidr_is_default(cidr("10.0.0.0/0")));
	assert_false(cidr_is_default((struct cidr){ .len = 0 }));
	assert_true(cidr_is_anycast(cidr("fd00::/64")));
	assert_true(cidr_is_anycast(cidr("fd00::10/124")));
	assert_false(cidr_is_anycast(cidr("fd00::10/64")));
	assert_false(cidr_is_anycast(cidr("fd00::4/127")));
	assert_false(cidr_is_anycast(cidr("fd00::/128")));
	assert_false(cidr_is_anycast(cidr("10.1.0.0/24")));
}

static void reserved_prefixes(void **state)
{
	static const struct {
		const char *c, *by; /* NULL: not reserved */
	} reserved[] = {
		{ "0.0.0.0/0", "0.0.0.0/8" },
		{ "0.0.0.0/1", "0.0.0.0/8" },
		{ "96.0.0.0/3", "127.0.0.0/8" },
		{ "127.9.0.0/16", "127.0.0.0/8" },
		{ "169.254.7.0/24", "169.254.0.0/16" },
		{ "168.0.0.0/7", "169.254.0.0/16" },
		{ "224.0.0.0/4", "224.0.0.0/4" },
		{ "239.1.0.0/16", "224.0.0.0/4" },
		{ "255.255.255.0/24", "255.255.255.255/32" },
		{ "::/0", "::1/128" },
		{ "::/64", "::1/128" },
		{ "fe80::/64", "fe80::/10" },
		{ "ff02::/16", "ff00::/8" },
		{ "10.0.0.0/8", NULL },
		{ "100.64.0.0/10", NULL },
		{ "240.1.0.0/16", NULL },
		{ "fd00::/8", NULL },
		{ "2000::/3", NULL },
		{ "fec0::/10", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(reserved); i++) {
		struct cidr found = { .len = 0 };
		bool is = cidr_is_reserved(cidr(reserved[i].c), &found);

		CHECK(is == (reserved[i].by != NULL), "%s", reserved[i].c);
		CHECK(!is || cidr_eq(found, cidr(reserved[i].by)), "%s: %s", reserved[i].c,
		      CIDR_S(found));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_parse_and_print),
		cmocka_unit_test(prefixes_parse_and_print),
		cmocka_unit_test(macs_parse_and_print),
		cmocka_unit_test(addresses_are_added_and_counted),
		cmocka_unit_test(addresses_compare),
		cmocka_unit_test(addresses_are_classified),
		cmocka_unit_test(derives_linklocal),
		cmocka_unit_test(prefixes_contain_and_overlap),
		cmocka_unit_test(reserved_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
