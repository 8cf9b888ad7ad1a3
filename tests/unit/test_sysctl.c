// SPDX-License-Identifier: GPL-2.0-or-later
/* test_sysctl.c - sysctls that a configuration names: paths, values, lists */
#include "private_net.h"
#include "sys/sysctl.h"
#include "unit.h"

static void paths(void **state UNUSED)
{
	static const struct {
		const char *key, *ifname, *path; /* NULL: refused */
	} cases[] = {
		{ "net.ipv4.ip_forward", "eth0", "net/ipv4/ip_forward" },
		{ "net/ipv4/ip_forward", "eth0", "net/ipv4/ip_forward" },
		{ "/net/ipv4/ip_forward", "eth0", "net/ipv4/ip_forward" },
		{ "net.ipv4.conf.IFNAME.arp_filter", "eth0", "net/ipv4/conf/eth0/arp_filter" },
		{ "net.ipv4.conf.IFNAME.arp_filter", "eth0.100",
		  "net/ipv4/conf/eth0.100/arp_filter" },
		{ "net/ipv4/conf/IFNAME/arp_filter", "a.b", "net/ipv4/conf/a.b/arp_filter" },
		{ "net/ipv4/conf/eth0.100/arp_filter", "", "net/ipv4/conf/eth0.100/arp_filter" },
		{ "net.ipv4.conf.eth0/100.arp_filter", "", "net/ipv4/conf/eth0.100/arp_filter" },
		{ "net.ipv4.conf.IFNAME.IFNAME", "x", "net/ipv4/conf/x/IFNAME" },
		{ "net", "eth0", NULL },
		{ "net.", "eth0", NULL },
		{ "", "eth0", NULL },
		{ "netx.y", "eth0", NULL },
		{ "kernel.hostname", "eth0", NULL },
		{ "IFNAME.ipv4", "net", "net/ipv4" },
		{ "net/../kernel/hostname", "eth0", NULL },
		{ "net/ipv4/../../kernel/hostname", "eth0", NULL },
		{ "net//ipv4", "eth0", NULL },
		{ "net/./ipv4", "eth0", NULL },
		{ "net/ipv4/conf/IFNAME/x", "..", NULL },
		{ "net.ipv4.//.//.kernel.x", "eth0", NULL },
		{ "net/ipv4/"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aa"
		  "aaaaaaa",
		  "eth0", NULL },
		{ "net/ipv4/conf/IFNAME/"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		  "abcdefghijklmno", NULL },
	};
	char path[96];

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		bool ok = sysctl_path(cases[i].key, cases[i].ifname, path);

		CHECK(ok == (cases[i].path != NULL), "%s on %s: %d", cases[i].key, cases[i].ifname,
		      ok);
		if (ok)
			assert_string_equal(path, cases[i].path);
	}
}

static void names_of_links(void **state UNUSED)
{
	char longest[200];
	struct sysctl s;

	assert_string_equal(sysctl_conf(AF_INET, "eth0", "arp_filter", "1").name,
			    "net/ipv4/conf/eth0/arp_filter");
	assert_string_equal(sysctl_conf(AF_INET6, "eth0.100", "accept_ra", "0").name,
			    "net/ipv6/conf/eth0.100/accept_ra");
	/* It is cut, and no byte behind it is written. */
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	s = sysctl_conf(AF_INET6, longest, "accept_ra", "0");
	assert_int_equal(strlen(s.name), sizeof(s.name) - 1);
	assert_string_equal(s.value, "0");
}

static void values(void **state UNUSED)
{
	static const struct {
		const char *a, *b;
		bool same;
	} cases[] = {
		{ "1", "1", true },
		{ "1", "0", false },
		{ "", "", true },
		{ "1024\t60999", "1024 60999", true },
		{ " 1 2 ", "1\t2\n", true },
		{ "1 2", "12", false },
		{ "1 2", "1", false },
		{ "1", "1 2", false },
		{ "cubic", "cubi", false },
	};

	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		CHECK(sysctl_same(cases[i].a, cases[i].b) == cases[i].same, "\"%s\" and \"%s\"",
		      cases[i].a, cases[i].b);
}

static void lists(void **state UNUSED)
{
	struct sysctl_value v[] = {
		{ .s = { "net/ipv4/ip_forward", "1" } },
		{ .s = { "net/ipv4/nosuch", "1" } },
		{ .s = { "net/ipv4/ip_local_port_range", "2000 3000" } },
		{ .s = { "net/ipv4/ip_default_ttl", NULL } },
	};

	if (!private_net())
		skip();
	assert_int_equal(sysctl_write_list(&unit_tx, NULL, v, 4), 0);
	assert_int_equal(v[0].err, 0);
	assert_int_equal(v[1].err, -ENOENT);
	assert_int_equal(v[2].err, 0);
	assert_int_equal(sysctl_read_list(&unit_tx, NULL, v, 4), 0);
	assert_string_equal(v[0].now, "1");
	assert_null(v[1].now);
	assert_int_equal(v[1].err, -ENOENT);
	assert_string_equal(v[2].now, "2000\t3000");
	assert_string_equal(v[3].now, "64");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(paths),
					    cmocka_unit_test(names_of_links),
					    cmocka_unit_test(values), WITH_TX(lists) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
