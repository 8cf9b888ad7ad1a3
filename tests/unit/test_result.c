// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_result.c - results in all protocol versions
 *
 * results/NAME-VERSION.json are results of the reference plugins.  Reading and printing must not
 * change a byte.  Printed in another version, a result must be the same as the file of the same
 * attachment in that version.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/result.h"
#include "unit.h"

#define FOLDER "tests/unit/results"

static char *slurp(const char *name)
{
	char *text = mem_alloc(&unit_tx.mem, 8192), path[256];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s.json", FOLDER, name);
	auto_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, "cannot open %s", path);
	n = read(fd, text, 8191);
	CHECK(n > 0, "cannot read %s", path);
	return text;
}

/* Reads a text as a result, and frees the document, as for an IPAM plugin's answer. */
static int read_text(const char *text, const char *def, const char *group, struct result *ret)
{
	struct result_rules rules = { .def_version = def, .group = group, .code = CNI_E_DECODE };
	struct cj c = { .doc = NULL };
	int r;

	CHECK(cj_parse(&unit_tx, text, strlen(text), "result", &c) == 0, "%s", unit_tx.msg);
	r = result_read(&unit_tx, &c, &rules, ret);
	cj_free(&c);
	return r;
}

static const char *convert(const char *text, const char *def, const char *version, bool compact)
{
	struct result r;
	char *out;

	if (read_text(text, def, NULL, &r) < 0 ||
	    result_print(&unit_tx, &r, version, compact, &out) < 0)
		return unit_tx.msg;
	return out;
}

static void results_are_printed_as_the_reference_does(void **state)
{
	static const struct {
		const char *from, *version, *to;
	} cases[] = {
		{ "bridge-1.1.0", "1.1.0", "bridge-1.1.0" },
		{ "bridge-1.1.0", "1.0.0", "bridge-1.0.0" },
		{ "bridge-1.1.0", "0.4.0", "bridge-0.4.0" },
		{ "bridge-1.1.0", "0.3.1", "bridge-0.3.1" },
		{ "bridge-1.1.0", "0.3.0", "bridge-0.3.0" },
		{ "bridge-1.1.0", "0.2.0", "bridge-0.2.0" },
		{ "bridge-1.1.0", "0.1.0", "bridge-0.1.0" },
		{ "bridge-1.1.0", "", "bridge-0.1.0" },
		{ "bridge-1.0.0", "1.1.0", "bridge-1.1.0" },
		{ "bridge-0.4.0", "1.1.0", "bridge-1.1.0" },
		{ "bridge-0.4.0", "0.4.0", "bridge-0.4.0" },
		{ "bridge-0.4.0", "0.3.0", "bridge-0.3.0" },
		{ "bridge-0.3.1", "1.0.0", "bridge-1.0.0" },
		{ "bridge-0.3.0", "0.2.0", "bridge-0.2.0" },
		{ "bridge-0.2.0", "0.2.0", "bridge-0.2.0" },
		{ "bridge-0.2.0", "0.1.0", "bridge-0.1.0" },
		{ "bridge-0.1.0", "0.2.0", "bridge-0.2.0" },
		{ "bridge-0.2.0", "0.4.0", "bridge-once-0.2.0-0.4.0" },
		{ "bridge-0.1.0", "1.0.0", "bridge-once-0.2.0-1.0.0" },
		{ "full-1.1.0", "1.1.0", "full-1.1.0" },
		{ "full-1.1.0", "0.4.0", "full-0.4.0" },
		{ "full-1.1.0", "0.2.0", "full-0.2.0" },
		{ "full-0.4.0", "0.4.0", "full-0.4.0" },
		{ "full-0.4.0", "0.2.0", "full-0.2.0" },
		{ "full-0.2.0", "0.2.0", "full-0.2.0" },
		{ "v4-1.0.0", "1.0.0", "v4-1.0.0" },
		{ "v4-1.0.0", "0.1.0", "v4-0.1.0" },
		{ "v6-1.0.0", "0.2.0", "v6-0.2.0" },
		{ "empty-1.1.0", "1.1.0", "empty-1.1.0" },
		{ "empty-1.1.0", "0.3.1", "empty-0.3.1" },
		{ "empty-0.3.1", "0.3.1", "empty-0.3.1" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *is = convert(slurp(cases[i].from), NULL, cases[i].version, false);
		const char *should = slurp(cases[i].to);

		CHECK(str_eq(is, should), "%s as %s: expected\n%s\ngot\n%s", cases[i].from,
		      cases[i].version, should, is);
	}
}

static void odd_results_are_read(void **state)
{
	static const struct {
		const char *in, *def, *version, *out;
	} cases[] = {
		{ "{}", NULL, "1.0.0", "{\"cniVersion\":\"1.0.0\"}" },
		{ "{\"ips\":null,\"interfaces\":null,\"routes\":null,\"dns\":null}", "1.0.0",
		  "1.1.0", "{\"cniVersion\":\"1.1.0\"}" },
		/* Without cniVersion it has the configuration's. */
		{ "{\"ips\":[{\"address\":\"10.1.0.5/24\"}]}", "1.0.0", "1.0.0",
		  "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.5/24\"}]}" },
		{ "{\"cniVersion\":\"\",\"ip4\":{\"ip\":\"10.1.0.5/24\"}}", "", "1.0.0",
		  "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.1.0.5/24\"}]}" },
		{ "{\"CNIVERSION\":\"0.2.0\",\"IP4\":{\"Ip\":\"10.1.0.5/24\"}}", "1.0.0", "0.2.0",
		  "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.1.0.5/24\"},\"dns\":{}}" },
		/* An older format lacks keys of a newer one. */
		{ "{\"interfaces\":[{\"name\":\"a\",\"mtu\":5}],\"ip4\":{\"ip\":\"1.1.1.1/8\"}}",
		  "0.4.0", "1.1.0",
		  "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"a\"}]}" },
		/* The reference's loopback writes the old cniVersion in the new format. */
		{ "{\"ips\":[{\"address\":\"::1/128\",\"interface\":0}]}", "0.3.1", "0.3.1",
		  "{\"cniVersion\":\"0.3.1\",\"ips\":[{\"version\":\"6\",\"interface\":0,"
		  "\"address\":\"::1/128\"}],\"dns\":{}}" },
		{ "{\"interfaces\":[{}],\"ips\":[{\"address\":\"::ffff:10.1.1.1/120\",\"gateway\":"
		  "\"\",\"interface\":-7}],\"dns\":{\"search\":[null,\"\"],\"domain\":\"\"}}",
		  "1.0.0", "1.0.0",
		  "{\"cniVersion\":\"1.0.0\",\"dns\":{\"search\":[\"\"]},\"interfaces\":[{\"name\":"
		  "\"\"}],"
		  "\"ips\":[{\"address\":\"10.1.1.1/24\",\"interface\":-7}]}" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(convert(cases[i].in, cases[i].def, cases[i].version, true),
				    cases[i].out);
}

static void invalid_results_are_rejected(void **state)
{
	static const struct {
		const char *in, *version, *msg;
	} cases[] = {
		{ "{\"cniVersion\":\"2.0.0\"}", "1.0.0",
		  "unsupported CNI result version \"2.0.0\"" },
		{ "{\"cniVersion\":\"1.0\"}", "1.0.0", "unsupported CNI result version \"1.0\"" },
		{ "{\"cniVersion\":1}", "1.0.0", "cniVersion: expected a string, got 1" },
		{ "{\"ips\":{}}", "1.0.0", "ips: expected a list, got {}" },
		{ "{\"ips\":[{}]}", "1.0.0",
		  "ips[0].address: expected an address with prefix length, like 10.1.0.5/24, got "
		  "nothing" },
		{ "{\"ips\":[{\"address\":\"\"}]}", "1.0.0",
		  "ips[0].address: expected an address with prefix length, like 10.1.0.5/24, got "
		  "nothing" },
		{ "{\"ips\":[{\"address\":5}]}", "1.0.0",
		  "ips[0].address: expected an address with prefix length, like 10.1.0.0/24, got "
		  "5" },
		{ "{\"ips\":[null]}", "1.0.0", "ips[0]: expected an object, got null" },
		{ "{\"interfaces\":[5]}", "1.0.0", "interfaces[0]: expected an object, got 5" },
		{ "{\"routes\":[{\"dst\":\"x\",\"mtu\":-1}]}", "1.0.0",
		  "routes[0].dst: expected an address with prefix length, like 10.1.0.0/24, got "
		  "\"x\"; routes[0].mtu: expected a whole number from 0 to 4294967295, got -1" },
		{ "{\"dns\":{\"search\":[5]}}", "1.0.0",
		  "dns.search[0]: expected a string, got 5" },
		{ "{}", "1.2.0", "no converter for CNI result version 1.1.0 to 1.2.0" },
		{ "{}", "1.0", "no converter for CNI result version 1.1.0 to 1.0" },
		{ "{}", "0.2.0", "cannot convert: no valid IP addresses" },
		{ "{\"interfaces\":[{\"name\":\"eth0\"}]}", "0.1.0",
		  "cannot convert: no valid IP addresses" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		assert_string_equal(convert(cases[i].in, "1.1.0", cases[i].version, true),
				    cases[i].msg);
		unit_again();
	}
}

static void prev_results_belong_to_the_configs_group(void **state)
{
#define REFUSED(set, version)                                                                      \
	"could not parse prevResult: result type supports [" set                                   \
	"] but unmarshalled CNIVersion is \"" version "\""
	static const struct {
		const char *version, *group, *msg; /* NULL = accepted */
	} cases[] = {
		{ "0.1.0", "0.2.0", NULL },
		{ "0.2.0", "", NULL },
		{ "", "0.1.0", NULL },
		{ "", "1.1.0", NULL }, /* has the configuration's */
		{ "0.3.0", "0.4.0", NULL },
		{ "0.4.0", "0.3.1", NULL },
		{ "1.0.0", "1.1.0", NULL },
		{ "1.1.0", "1.0.0", NULL },
		{ "0.4.0", "1.0.0", REFUSED("1.0.0 1.1.0", "0.4.0") },
		{ "1.0.0", "0.4.0", REFUSED("0.3.0 0.3.1 0.4.0", "1.0.0") },
		{ "0.2.0", "0.3.0", REFUSED("0.3.0 0.3.1 0.4.0", "0.2.0") },
		{ "0.3.0", "0.2.0", REFUSED("0.1.0 0.2.0", "0.3.0") },
		{ "9.9.9", "1.0.0", REFUSED("1.0.0 1.1.0", "9.9.9") },
		{ "9.9.9", "9.9.9", "unsupported CNI result version \"9.9.9\"" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		char text[64];
		struct result r;
		int err;

		snprintf(text, sizeof(text), "{\"cniVersion\":\"%s\"}", cases[i].version);
		err = read_text(text, cases[i].group, cases[i].group, &r);
		CHECK((err == 0) == !cases[i].msg, "%s in %s: %s", cases[i].version, cases[i].group,
		      unit_tx.msg);
		if (cases[i].msg) {
			assert_string_equal(unit_tx.msg, cases[i].msg);
			assert_int_equal(unit_tx.code, CNI_E_DECODE);
		}
		unit_again();
	}
}

static void no_result_is_an_empty_one(void **state)
{
	static const char text[] = "{\"prevResult\":null,\"wrong\":5}";
	struct result_rules rules = { .def_version = "9", .group = "1.0.0", .code = CPLUG_E_PREV };
	struct cj c = { .doc = NULL }, k;
	struct result r;

	(void)state;
	assert_int_equal(cj_parse(&unit_tx, text, strlen(text), "x", &c), 0);
	k = cj_any(&c, "prevResult");
	assert_int_equal(result_read(&unit_tx, &k, &rules, &r), 0);
	assert_int_equal(r.n_ifs + r.n_ips + r.n_routes, 0);
	assert_ptr_equal(r.mem, &unit_tx.mem);
	rules = (struct result_rules){ .def_version = "1.0.0", .code = CPLUG_E_PREV };
	k = cj_any(&c, "wrong");
	r.n_ifs = 77;
	assert_int_equal(result_read(&unit_tx, &k, &rules, &r), -EINVAL);
	assert_int_equal(unit_tx.code, CPLUG_E_PREV);
	assert_string_equal(unit_tx.msg, "wrong: expected an object, got 5");
	assert_int_equal(r.n_ifs, 77); /* unchanged */
	cj_free(&c);
}

static void results_are_built(void **state)
{
	struct cidr dst = { .ip = { .family = AF_INET } };
	struct result r;

	(void)state;
	result_init(&r, &unit_tx.mem);
	assert_int_equal(result_find_if(&r, "eth0", true), -1);
	result_add_if(&r, (struct result_if){ .name = "eth0" });
	result_add_if(&r, (struct result_if){ .name = "eth0", .sandbox = "" });
	assert_int_equal(
		result_add_if(&r, (struct result_if){ .name = "eth0", .sandbox = "/run/netns/a" }),
		2);
	assert_int_equal(result_find_if(&r, "eth0", true), 2);
	assert_int_equal(result_find_if(&r, "eth0", false), 0);
	assert_int_equal(result_find_if(&r, "eth1", false), -1);
	assert_int_equal(result_find_if(&r, NULL, false), -1);
	assert_int_equal(result_add_ip(&r, (struct result_ip){ .iface = -1 }), 0);
	assert_int_equal(result_add_route(&r, result_route(dst, (struct ip){ .family = 0 })), 0);
	assert_true(r.routes[0].has_dst);
	assert_int_equal(r.routes[0].table, -1);
	assert_int_equal(r.routes[0].scope, -1);
	assert_true(result_dns_empty(&r.dns));
	r.dns.domain = "";
	assert_true(result_dns_empty(&r.dns));
	r.dns.domain = "x";
	assert_false(result_dns_empty(&r.dns));
}

static void ten_thousand_addresses_work(void **state)
{
	enum { MANY = 10000 };
	struct ip first = { .family = AF_INET, .b = { 10 } };
	struct result r, again;
	char *text, *once_more;

	(void)state;
	result_init(&r, &unit_tx.mem);
	for (int i = 0; i < MANY; i++) {
		struct cidr c = { .ip = ip_add(first, i), .len = 8 };

		result_add_ip(&r, (struct result_ip){ .addr = c, .gateway = first, .iface = i });
		result_add_route(&r, result_route(cidr_host(c.ip), first));
	}
	assert_int_equal(result_print(&unit_tx, &r, "1.1.0", false, &text), 0);
	assert_int_equal(read_text(text, NULL, NULL, &again), 0);
	assert_int_equal(again.n_ips, MANY);
	assert_int_equal(again.n_routes, MANY);
	assert_string_equal(IP_S(again.ips[MANY - 1].addr.ip), "10.0.39.15");
	assert_int_equal(result_print(&unit_tx, &again, "1.1.0", false, &once_more), 0);
	assert_string_equal(text, once_more);
	assert_int_equal(result_print(&unit_tx, &again, "0.2.0", true, &once_more), 0);
	assert_memory_equal(once_more, "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.0.0.0/8\"",
			    46);
}

static void versions_are_numbers(void **state)
{
	static const struct {
		const char *version;
		int number;
		enum result_form form;
	} cases[] = {
		{ "", 1000, RESULT_UNKNOWN },        { NULL, 1000, RESULT_UNKNOWN },
		{ "0.1.0", 1000, RESULT_BLOCKS },    { "0.2.0", 2000, RESULT_BLOCKS },
		{ "0.3.0", 3000, RESULT_LISTS },     { "0.4.0", 4000, RESULT_LISTS },
		{ "1.0.0", 1000000, RESULT_MODERN }, { "1.1.0", 1001000, RESULT_MODERN },
		{ "1", 1000000, RESULT_UNKNOWN },    { "1.0", 1000000, RESULT_UNKNOWN },
		{ "0.3", 3000, RESULT_UNKNOWN },     { "999.999.999", 999999999, RESULT_UNKNOWN },
		{ "1.0.0.0", -1, RESULT_UNKNOWN },   { "1.0.", -1, RESULT_UNKNOWN },
		{ "1..0", -1, RESULT_UNKNOWN },      { ".1", -1, RESULT_UNKNOWN },
		{ "1.0.0-rc1", -1, RESULT_UNKNOWN }, { "v1.0.0", -1, RESULT_UNKNOWN },
		{ "1000.0.0", -1, RESULT_UNKNOWN },  { "1.0.0 ", -1, RESULT_UNKNOWN },
		{ "-1.0.0", -1, RESULT_UNKNOWN },    { "1.99999999999.0", -1, RESULT_UNKNOWN },
	};
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK(result_version_number(cases[i].version) == cases[i].number, "%s",
		      cases[i].version);
		CHECK(result_form(cases[i].version) == cases[i].form, "%s", cases[i].version);
	}
	while (result_versions[n])
		n++;
	assert_int_equal(n, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(results_are_printed_as_the_reference_does),
		WITH_TX(odd_results_are_read),
		WITH_TX(invalid_results_are_rejected),
		WITH_TX(prev_results_belong_to_the_configs_group),
		WITH_TX(no_result_is_an_empty_one),
		WITH_TX(results_are_built),
		WITH_TX(ten_thousand_addresses_work),
		WITH_TX(versions_are_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
