// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_pool.c - range sets: configuration, error messages, and the search for an address
 */
#include "ipam/host-local/pool.h"
#include "unit.h"

#define IPAM(fields) "{\"ipam\": {" fields "}}"
#define RANGES(sets) IPAM("\"ranges\": [" sets "]")
#define NET(rest) "{\"subnet\": \"10.1.0.0/24\"" rest "}"

static struct pool read_pool(const char *text, const char *version, int *ret)
{
	struct pool p;
	struct cj c;

	CHECK(cj_parse(&unit_tx, text, strlen(text), "configuration", &c) == 0, "%s: %s", text,
	      unit_tx.msg);
	pool_read(&unit_tx.mem, &c, version, &p);
	*ret = cj_ok(&unit_tx, &c);
	cj_free(&c);
	return p;
}

static const struct {
	const char *conf, *sets[3], *gateway;
} good[] = {
	{ RANGES("[" NET() "]"), { "10.1.0.1-10.1.0.254" }, "10.1.0.1" },
	{ RANGES("[" NET(", \"rangeStart\": \"10.1.0.0\", \"rangeEnd\": \"10.1.0.255\"") "]"),
	  { "10.1.0.0-10.1.0.255" },
	  "10.1.0.1" },
	{ RANGES("[" NET(", \"rangeStart\": \"10.1.0.9\", \"rangeEnd\": \"10.1.0.9\"") "]"),
	  { "10.1.0.9-10.1.0.9" },
	  "10.1.0.1" },
	{ RANGES("[" NET(", \"rangeStart\": \"\", \"gateway\": \"192.0.2.1\"") "]"),
	  { "10.1.0.1-10.1.0.254" },
	  "192.0.2.1" },
	{ RANGES("[{\"subnet\": \"fd00:5::/64\"}]"),
	  { "fd00:5::1-fd00:5::ffff:ffff:ffff:ffff" },
	  "fd00:5::1" },
	{ RANGES("[{\"subnet\": \"10.1.0.0/30\"}, {\"subnet\": \"10.2.0.0/30\"}]"),
	  { "10.1.0.1-10.1.0.2,10.2.0.1-10.2.0.2" },
	  "10.1.0.1" },
	{ RANGES("[{\"SUBNET\": \"10.1.0.0/30\"}], [{\"subnet\": \"fd01::/126\"}]"),
	  { "10.1.0.1-10.1.0.2", "fd01::1-fd01::3" },
	  "10.1.0.1" },
	{ IPAM("\"subnet\": \"10.3.0.0/24\", \"rangeEnd\": \"10.3.0.20\""),
	  { "10.3.0.1-10.3.0.20" },
	  "10.3.0.1" },
	/* The order: ipRanges of the runtime, the single range, the list. */
	{ "{\"runtimeConfig\": {\"ipRanges\": [[{\"subnet\": \"10.9.0.0/30\"}]]},"
	  " \"ipam\": {\"subnet\": \"10.3.0.0/30\","
	  " \"ranges\": [[{\"subnet\": \"10.4.0.0/30\"}]]}}",
	  { "10.9.0.1-10.9.0.2", "10.3.0.1-10.3.0.2", "10.4.0.1-10.4.0.2" },
	  "10.9.0.1" },
	{ "{\"runtimeConfig\": {\"ipRanges\": [[{\"subnet\": \"10.9.0.0/30\"}]]},"
	  " \"ipam\": {}}",
	  { "10.9.0.1-10.9.0.2" },
	  "10.9.0.1" },
	{ IPAM("\"subnet\": \"\", \"ranges\": [[{\"subnet\": \"10.1.0.0/30\"}]]"),
	  { "10.1.0.1-10.1.0.2" },
	  "10.1.0.1" },
	{ RANGES("[{\"subnet\": \"0.0.0.0/0\"}]"), { "0.0.0.1-255.255.255.254" }, "0.0.0.1" },
};

static void good_configurations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(good); i++) {
		const char *conf = good[i].conf;
		int r;
		struct pool p = read_pool(conf, "1.0.0", &r);
		unsigned n = 0;

		CHECK(r == 0, "%s: %s", conf, unit_tx.msg);
		while (n < 3 && good[i].sets[n])
			n++;
		CHECK(p.n == n, "%s: %u sets", conf, p.n);
		for (unsigned k = 0; k < n; k++)
			assert_string_equal(pool_text(&unit_tx.mem, &p.sets[k]), good[i].sets[k]);
		assert_string_equal(IP_S(p.sets[0].ranges[0].gateway), good[i].gateway);
		unit_again();
	}
}

static const struct {
	const char *conf, *says;
} bad[] = {
	{ "{}", "ipam: IPAM config missing 'ipam' key" },
	{ "{\"ipam\": null}", "ipam: IPAM config missing 'ipam' key" },
	{ IPAM(""), "ipam.ranges: no IP ranges specified; write [[{\"subnet\": "
		    "\"10.1.0.0/24\"}]]" },
	{ RANGES(""), "ipam.ranges: no IP ranges specified; write [[{\"subnet\": "
		      "\"10.1.0.0/24\"}]]" },
	{ RANGES("[]"), "ipam.ranges[0]: invalid range set 0: empty range set" },
	{ RANGES("null"), "ipam.ranges[0]: invalid range set 0: empty range set" },
	{ RANGES("{\"subnet\": \"10.1.0.0/24\"}"),
	  "ipam.ranges[0]: expected a list of ranges, like [{\"subnet\": \"…\"}]" },
	{ RANGES("[\"10.1.0.0/24\"]"), "ipam.ranges[0][0]: expected a range, like "
				       "{\"subnet\": \"10.1.0.0/24\"}" },
	{ RANGES("[{}]"), "ipam.ranges[0][0].subnet: invalid range set 0: a subnet is "
			  "needed, like 10.1.0.0/24" },
	{ RANGES("[{\"subnet\": \"\"}]"),
	  "ipam.ranges[0][0].subnet: invalid range set 0: a subnet is "
	  "needed, like 10.1.0.0/24" },
	{ RANGES("[{\"subnet\": 5}]"),
	  "ipam.ranges[0][0].subnet: expected an address with prefix length, like "
	  "10.1.0.0/24, got 5" },
	{ RANGES("[{\"subnet\": \"10.1.0.0/31\"}]"),
	  "ipam.ranges[0][0].subnet: invalid range set 0: Network 10.1.0.0/31 too small to "
	  "allocate from; it can be a /30 at the least" },
	{ RANGES("[" NET() "], [{\"subnet\": \"fd00::/127\"}]"),
	  "ipam.ranges[1][0].subnet: invalid range set 1: Network fd00::/127 too small to "
	  "allocate from; it can be a /126 at the least" },
	{ RANGES("[{\"subnet\": \"10.1.0.5/24\"}]"),
	  "ipam.ranges[0][0].subnet: invalid range set 0: Network has host bits set. For a "
	  "subnet mask of length 24 the network address is 10.1.0.0" },
	{ RANGES("[" NET(", \"rangeStart\": \"10.2.0.1\"") "]"),
	  "ipam.ranges[0][0].rangeStart: invalid range set 0: RangeStart 10.2.0.1 not in "
	  "network 10.1.0.0/24" },
	{ RANGES("[" NET(", \"rangeStart\": \"fd00::1\"") "]"),
	  "ipam.ranges[0][0].rangeStart: invalid range set 0: RangeStart fd00::1 not in "
	  "network 10.1.0.0/24" },
	{ RANGES("[" NET(", \"rangeEnd\": \"10.2.0.1\"") "]"),
	  "ipam.ranges[0][0].rangeEnd: invalid range set 0: RangeEnd 10.2.0.1 not in "
	  "network 10.1.0.0/24" },
	{ RANGES("[" NET(", \"rangeStart\": \"10.1.0.9\", \"rangeEnd\": \"10.1.0.8\"") "]"),
	  "ipam.ranges[0][0].rangeStart: invalid range set 0: RangeStart 10.1.0.9 not in "
	  "network 10.1.0.0/24: it is after RangeEnd 10.1.0.8" },
	{ RANGES("[" NET() ", {\"subnet\": \"fd00::/64\"}]"),
	  "ipam.ranges[0][1]: invalid range set 0: mixed address families" },
	{ RANGES("[" NET() ", {\"subnet\": \"10.1.0.0/25\"}]"),
	  "ipam.ranges[0][1]: invalid range set 0: subnets 10.1.0.1-10.1.0.254 and "
	  "10.1.0.1-10.1.0.126 overlap" },
	{ RANGES("[" NET() "], [" NET() "]"), "ipam.ranges: range set 0 overlaps with 1" },
	{ IPAM("\"subnet\": \"10.1.0.0/24\", \"ranges\": [[" NET() "]]"),
	  "ipam.ranges: range set 0 overlaps with 1" },
	{ IPAM("\"subnet\": \"10.1.0.5/24\""),
	  "ipam.subnet: invalid range set 0: Network has host bits set. For a "
	  "subnet mask of length 24 the network address is 10.1.0.0" },
	{ IPAM("\"ranges\": 7"), "ipam.ranges: expected a list, got 7" },
	/* All mistakes are reported. */
	{ RANGES("[{\"subnet\": \"10.1.0.0/31\"}, {}]"),
	  "ipam.ranges[0][0].subnet: invalid range set 0: Network 10.1.0.0/31 too small to "
	  "allocate from; it can be a /30 at the least; ipam.ranges[0][1].subnet: invalid "
	  "range set 0: a subnet is needed, like 10.1.0.0/24" },
};

static void bad_configurations(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		int r;

		read_pool(bad[i].conf, "1.0.0", &r);
		CHECK(r < 0, "accepted: %s", bad[i].conf);
		assert_int_equal(unit_tx.code, CNI_E_CONFIG);
		assert_string_equal(unit_tx.msg, bad[i].says);
		unit_again();
	}
}

static void old_versions_have_one_address_per_family(void **state)
{
	static const char two[] = RANGES("[" NET() "], [{\"subnet\": \"10.2.0.0/24\"}]");
	static const char dual[] = RANGES("[" NET() "], [{\"subnet\": \"fd00::/64\"}]");
	int r;

	(void)state;
	read_pool(dual, "0.1.0", &r);
	assert_int_equal(r, 0);
	read_pool(two, "0.3.0", &r);
	assert_int_equal(r, 0);
	read_pool(two, "0.2.0", &r);
	assert_int_equal(r, -EINVAL);
	assert_string_equal(unit_tx.msg,
			    "ipam.ranges: CNI version 0.2.0 does not support more than "
			    "1 address per family");
}

/* ---- searching ---- */

struct taken {
	const char *const *ips;
	unsigned n;
};

static bool is_taken(const struct taken *t, struct ip ip)
{
	for (unsigned i = 0; i < t->n && t->ips[i]; i++)
		if (str_eq(t->ips[i], IP_S(ip)))
			return true;
	return false;
}

static bool is_free(void *arg, struct ip from, struct ip to, struct ip *ret)
{
	assert_true(ip_cmp(from, to) <= 0);
	for (;; from = ip_add(from, 1)) {
		if (!is_taken(arg, from)) {
			*ret = from;
			return true;
		}
		if (ip_eq(from, to))
			return false;
	}
}

#define SIX "{\"subnet\": \"10.2.2.0/29\"}"
/* As the reference plugin chooses it (its allocator.go). */
static const struct {
	const char *set, *last, *next;
	const char *taken[8];
} searches[] = {
	{ SIX, "", "10.2.2.2", { NULL } }, /* the gateway is skipped */
	{ SIX, "10.2.2.2", "10.2.2.3", { "10.2.2.2" } },
	{ SIX, "10.2.2.6", "10.2.2.2", { "10.2.2.6" } }, /* wraps around */
	{ SIX, "10.2.2.5", "10.2.2.6", { "10.2.2.2", "10.2.2.3", "10.2.2.5" } },
	{ SIX, "10.2.2.4", "10.2.2.4", { "10.2.2.2", "10.2.2.3", "10.2.2.5", "10.2.2.6" } },
	{ SIX, "10.2.2.3", NULL, { "10.2.2.2", "10.2.2.3", "10.2.2.4", "10.2.2.5", "10.2.2.6" } },
	{ SIX, "10.99.0.1", "10.2.2.2", { NULL } }, /* last is in another range */
	{ SIX, "fd00::1", "10.2.2.2", { NULL } },
	{ "{\"subnet\": \"10.2.2.0/29\", \"gateway\": \"1.1.1.1\"}", "", "10.2.2.1", { NULL } },
	{ "{\"subnet\": \"10.2.2.0/29\", \"rangeStart\": \"10.2.2.1\","
	  " \"rangeEnd\": \"10.2.2.2\", \"gateway\": \"10.2.2.2\"}",
	  "",
	  "10.2.2.1",
	  { NULL } },
	{ "{\"subnet\": \"10.2.2.0/29\", \"rangeEnd\": \"10.2.2.2\","
	  " \"gateway\": \"10.2.2.2\"}",
	  "10.2.2.1",
	  NULL,
	  { "10.2.2.1" } },
	{ "{\"subnet\": \"10.2.2.0/29\", \"rangeStart\": \"10.2.2.1\","
	  " \"rangeEnd\": \"10.2.2.1\"}",
	  "",
	  NULL,
	  { NULL } }, /* the only address is the gateway's */
	{ "{\"subnet\": \"10.1.0.0/30\"}, {\"subnet\": \"10.2.0.0/30\"}",
	  "10.1.0.2",
	  "10.2.0.2",
	  { "10.1.0.2" } },
	{ "{\"subnet\": \"10.1.0.0/30\"}, {\"subnet\": \"10.2.0.0/30\"}",
	  "10.2.0.2",
	  "10.1.0.2",
	  { "10.2.0.2" } },
	{ "{\"subnet\": \"10.1.0.0/30\"}, {\"subnet\": \"10.2.0.0/30\"}",
	  "10.2.0.2",
	  NULL,
	  { "10.1.0.2", "10.2.0.2" } },
	/* The gateway of another range is an ordinary address. */
	{ "{\"subnet\": \"10.1.0.0/30\", \"gateway\": \"10.2.0.2\"}, "
	  "{\"subnet\": \"10.2.0.0/30\"}",
	  "10.1.0.2",
	  "10.2.0.2",
	  { "10.1.0.1", "10.1.0.2" } },
	{ "{\"subnet\": \"fd00:5::/64\"}", "", "fd00:5::2", { NULL } },
	{ "{\"subnet\": \"fd00:5::/126\"}", "fd00:5::3", "fd00:5::2", { "fd00:5::3" } },
	/* Routers have the subnet's first address. */
	{ "{\"subnet\": \"fd00:5::/126\", \"rangeStart\": \"fd00:5::\"}",
	  "",
	  "fd00:5::2",
	  { NULL } },
	{ "{\"subnet\": \"fd00:5::/126\", \"rangeStart\": \"fd00:5::\"}",
	  "fd00:5::3",
	  NULL,
	  { "fd00:5::2", "fd00:5::3" } },
	{ "{\"subnet\": \"fd00:5::/64\", \"rangeStart\": \"fd00:5::\","
	  " \"rangeEnd\": \"fd00:5::\"}",
	  "",
	  "fd00:5::",
	  { NULL } },
	{ "{\"subnet\": \"10.1.0.0/30\", \"rangeStart\": \"10.1.0.0\"}", "", "10.1.0.0", { NULL } },
	{ "{\"subnet\": \"255.255.255.252/30\", \"rangeEnd\": \"255.255.255.255\"}",
	  "255.255.255.255",
	  "255.255.255.254",
	  { "255.255.255.255" } },
};

static void the_next_address(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(searches); i++) {
		const char *conf = mem_printf(&unit_tx.mem, RANGES("[%s]"), searches[i].set);
		struct taken t = { searches[i].taken, ARRAY_LEN(searches[i].taken) };
		struct ip last = { .family = 0 }, ip;
		struct pool p;
		int r;

		p = read_pool(conf, "1.0.0", &r);
		CHECK(r == 0, "%s: %s", conf, unit_tx.msg);
		ip_parse(searches[i].last, &last);
		if (pool_next(&p.sets[0], last, is_free, &t, &ip))
			CHECK(str_eq(IP_S(ip), searches[i].next), "case %u: %s", i, IP_S(ip));
		else
			CHECK(!searches[i].next, "case %u: none", i);
		unit_again();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(good_configurations),
		WITH_TX(bad_configurations),
		WITH_TX(old_versions_have_one_address_per_family),
		WITH_TX(the_next_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
