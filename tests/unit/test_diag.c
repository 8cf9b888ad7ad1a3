// SPDX-License-Identifier: GPL-2.0-or-later
/* test_diag.c - listening sockets, and the addresses that they serve */
#include "nft/diag.h"
#include "private_net.h"
#include "unit.h"

static const struct ip any;

/* Returns the number of listeners that serve addr; writes the text of the first one, unless text
 * is NULL. */
static unsigned found(uint8_t proto, int family, struct ip addr, uint16_t first, uint16_t last,
		      char *text, size_t size)
{
	struct diag_listener *l = NULL;
	unsigned n = 0, k = 0;

	assert_int_equal(diag_find_listeners(&unit_tx.mem, proto, first, last, &l, &n), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(l[i].proto, proto);
		assert_true(l[i].port >= first && l[i].port <= last);
		if (diag_serves(&l[i], family, addr) && k++ == 0 && text) {
			diag_find_processes(&unit_tx.mem, &l[i], 1);
			snprintf(text, size, "%s", diag_str(&unit_tx.mem, &l[i]));
		}
	}
	return k;
}

static int begin(void **state)
{
	static int yes;

	*state = private_net() ? &yes : NULL;
	return unit_begin(state);
}

static const struct {
	int type;
	bool v6only;
	const char *bound;
	const char *asked; /* "" = any address of family */
	int family;
	int expected;
} cases[] = {
	{ SOCK_STREAM, false, "127.0.0.1", "", AF_INET, 1 },
	{ SOCK_STREAM, false, "127.0.0.1", "127.0.0.1", AF_INET, 1 },
	{ SOCK_STREAM, false, "127.0.0.1", "127.0.0.2", AF_INET, 0 },
	{ SOCK_STREAM, false, "127.0.0.1", "", AF_INET6, 0 },
	{ SOCK_STREAM, false, "0.0.0.0", "127.0.0.2", AF_INET, 1 },
	{ SOCK_STREAM, false, "0.0.0.0", "::1", AF_INET6, 0 },
	{ SOCK_STREAM, false, "::", "127.0.0.2", AF_INET, 1 },
	{ SOCK_STREAM, false, "::", "", AF_INET, 1 },
	{ SOCK_STREAM, true, "::", "127.0.0.2", AF_INET, 0 },
	{ SOCK_STREAM, true, "::", "", AF_INET, 0 },
	{ SOCK_STREAM, true, "::", "::1", AF_INET6, 1 },
	{ SOCK_STREAM, false, "::1", "", AF_INET6, 1 },
	{ SOCK_STREAM, false, "::1", "", AF_INET, 0 },
	{ SOCK_DGRAM, false, "127.0.0.1", "", AF_INET, 1 },
	{ SOCK_DGRAM, false, "127.0.0.1", "127.0.0.2", AF_INET, 0 },
	{ SOCK_DGRAM, false, "::", "127.0.0.2", AF_INET, 1 },
	{ SOCK_DGRAM, true, "::", "127.0.0.2", AF_INET, 0 },
	{ SOCK_DGRAM, false, "::1", "::1", AF_INET6, 1 },
};

static void test_listeners(void **state)
{
	if (!*state)
		skip();
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		auto_(fd_close) int fd =
			serve(cases[i].type, cases[i].bound, 8080, cases[i].v6only);
		uint8_t proto = cases[i].type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
		uint8_t other = cases[i].type == SOCK_STREAM ? IPPROTO_UDP : IPPROTO_TCP;
		struct ip asked = *cases[i].asked ? ip_of(cases[i].asked) : any;
		char text[128] = "";
		int r;

		if (fd < 0) /* IPv6 is disabled */
			continue;
		r = (int)found(proto, cases[i].family, asked, 8080, 8080, text, sizeof(text));
		CHECK(r == cases[i].expected, "case %u: got %d (%s), expected %d", i, r, text,
		      cases[i].expected);
		CHECK(found(other, cases[i].family, asked, 8080, 8080, NULL, 0) == 0,
		      "case %u: the other protocol", i);
		CHECK(found(proto, cases[i].family, asked, 8081, 65535, NULL, 0) == 0,
		      "case %u: the next ports", i);
		CHECK(found(proto, cases[i].family, asked, 1, 8079, NULL, 0) == 0,
		      "case %u: the ports before", i);
		CHECK(found(proto, cases[i].family, asked, 1, 65535, NULL, 0) ==
			      (unsigned)cases[i].expected,
		      "case %u: all ports", i);
	}
}

static void test_mapped(void **state)
{
	auto_(fd_close) int fd = -1;
	union address a = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(8080) } };

	if (!*state)
		skip();
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	inet_pton(AF_INET6, "::ffff:127.0.0.3", &a.v6.sin6_addr);
	if (fd < 0 || bind(fd, &a.any, sizeof(a.v6)) < 0)
		skip();
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(found(IPPROTO_TCP, AF_INET, ip_of("127.0.0.3"), 8080, 8080, NULL, 0), 1);
	assert_int_equal(found(IPPROTO_TCP, AF_INET, ip_of("127.0.0.1"), 8080, 8080, NULL, 0), 0);
	assert_int_equal(found(IPPROTO_TCP, AF_INET6, any, 8080, 8080, NULL, 0), 0);
}

/* Connected sockets are not listed. */
static void test_not_listening(void **state)
{
	auto_(fd_close) int server = -1, client = -1, udp = -1;
	struct sockaddr_in local = { 0 };
	socklen_t len = sizeof(local);

	if (!*state)
		skip();
	server = serve(SOCK_STREAM, "127.0.0.1", 8080, false);
	client = reach(SOCK_STREAM, "127.0.0.1", 8080);
	assert_true(server >= 0 && client >= 0);
	assert_int_equal(getsockname(client, (struct sockaddr *)&local, &len), 0);
	assert_int_equal(found(IPPROTO_TCP, AF_INET, any, 8081, 65535, NULL, 0), 0);
	udp = reach(SOCK_DGRAM, "127.0.0.1", 53);
	len = sizeof(local);
	assert_int_equal(getsockname(udp, (struct sockaddr *)&local, &len), 0);
	assert_int_equal(found(IPPROTO_UDP, AF_INET, any, 54, 65535, NULL, 0), 0);
	assert_int_equal(found(IPPROTO_SCTP, AF_INET, any, 8080, 8080, NULL, 0), 0);
}

static void test_text(void **state)
{
	auto_(fd_close) int fd = -1, six = -1;
	char text[160], expected[160];

	if (!*state)
		skip();
	fd = serve(SOCK_STREAM, "127.0.0.1", 8080, false);
	assert_true(fd >= 0);
	assert_int_equal(found(IPPROTO_TCP, AF_INET, any, 8080, 8080, text, sizeof(text)), 1);
	assert_memory_equal(text, "tcp 127.0.0.1:8080, inode ", 26);
	snprintf(expected, sizeof(expected), ", uid %u, process %d (test_diag)", 0, (int)getpid());
	CHECK(strstr(text, expected), "%s", text);
	six = serve(SOCK_DGRAM, "::1", 53, false);
	if (six < 0)
		return;
	assert_int_equal(found(IPPROTO_UDP, AF_INET6, any, 53, 53, text, sizeof(text)), 1);
	assert_memory_equal(text, "udp [::1]:53, inode ", 20);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, unit_end)
	const struct CMUnitTest tests[] = {
		TEST(test_listeners),
		TEST(test_mapped),
		TEST(test_not_listening),
		TEST(test_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
