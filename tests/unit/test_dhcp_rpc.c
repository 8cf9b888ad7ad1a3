// SPDX-License-Identifier: GPL-2.0-or-later
/* test_dhcp_rpc.c - messages between dhcp and its daemon: as the reference sends them, and ours */
#include <stdio.h>

#include "ipam/dhcp/rpc_impl.h"
#include "unit.h"

/* What the reference's daemon (1.1.1) sends after Allocate, its plugin to call Release. */
static const char go_answer[] =
	"3aff8103010108526573706f6e736501ff82000103010d536572766963654d6574686f64010c0001"
	"0353657101060001054572726f72010c00000012ff82010d444843502e416c6c6f636174650051ff"
	"8303010106526573756c7401ff84000105010a434e4956657273696f6e010c00010a496e74657266"
	"6163657301ff8800010349507301ff8e000106526f7574657301ff92000103444e5301ff94000000"
	"24ff87020101155b5d2a74797065733130302e496e7465726661636501ff880001ff86000029ff85"
	"030102ff8600010301044e616d65010c0001034d6163010c00010753616e64626f78010c00000023"
	"ff8d020101145b5d2a74797065733130302e4950436f6e66696701ff8e0001ff8a000033ff890301"
	"02ff8a0001030109496e7465726661636501040001074164647265737301ff8c0001074761746577"
	"6179010a00000023ff8b0301010549504e657401ff8c00010201024950010a0001044d61736b010a"
	"0000001dff910201010e5b5d2a74797065732e526f75746501ff920001ff9000001cff8f030102ff"
	"90000102010344737401ff8c0001024757010a00000046ff9303010103444e5301ff94000104010b"
	"4e616d657365727665727301ff96000106446f6d61696e010c00010653656172636801ff96000107"
	"4f7074696f6e7301ff9600000016ff95020101085b5d737472696e6701ff9600010c000033ff8403"
	"010201040a0500630104ffffff000001040a05000100010101010400000000010400000000000104"
	"0a05000100010000";

static const char go_call[] =
	"2fff81030101075265717565737401ff82000102010d536572766963654d6574686f64010c000103"
	"536571010600000011ff82010c444843502e52656c65617365005aff8303010107436d6441726773"
	"01ff84000106010b436f6e7461696e65724944010c0001054e65746e73010c00010649664e616d65"
	"010c00010441726773010c00010450617468010c000109537464696e44617461010a000000ffc9ff"
	"8401026331010d2f72756e2f6e65746e732f6331010465746830012149676e6f7265556e6b6e6f77"
	"6e3d313b4b38535f504f445f4e414d453d706f6431011d2f746d702f772f64686370642f6275696c"
	"642f7374617469632f62696e01697b22636e6956657273696f6e223a22312e302e30222c226e616d"
	"65223a226e657431222c2274797065223a226d6163766c616e222c226d6173746572223a22627230"
	"222c226970616d223a7b2274797065223a2264686370222c227072696f72697479223a377d7d0a00";

static uint8_t bytes[4096];
static struct tx tx;

static size_t from_hex(const char *hex)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned b;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &b), 1);
		bytes[i] = (uint8_t)b;
	}
	return n;
}

static int begin(void **state UNUSED)
{
	tx_begin(&tx);
	return 0;
}

static int end(void **state UNUSED)
{
	tx_end(&tx);
	return 0;
}

static void test_reference_answer(void **state UNUSED)
{
	struct rpc_reply reply = { .in = { .data = bytes, .size = from_hex(go_answer) } };
	struct rpc_request header;
	struct gob_message m;
	struct result r;

	assert_int_equal(gob_next(&reply.in, &m), 1);
	assert_int_equal(rpc_read_request(&reply.in, &m, &header), 0);
	assert_string_equal(header.method, "DHCP.Allocate");
	assert_int_equal(gob_next(&reply.in, &reply.body), 1);
	result_init(&r, &tx.mem);
	assert_int_equal(rpc_read_result(&tx, &reply, &r), 0);
	assert_int_equal(r.n_ips, 1);
	assert_string_equal(CIDR_S(r.ips[0].addr), "10.5.0.99/24");
	assert_string_equal(IP_S(r.ips[0].gateway), "10.5.0.1");
	assert_int_equal(r.n_routes, 1);
	assert_string_equal(CIDR_S(r.routes[0].dst), "0.0.0.0/0");
	assert_string_equal(IP_S(r.routes[0].gw), "10.5.0.1");
	assert_true(r.routes[0].has_dst);
	assert_true(result_dns_empty(&r.dns));
	assert_int_equal(gob_next(&reply.in, &m), 0);
}

static void test_reference_call(void **state UNUSED)
{
	struct gob_in in = { .data = bytes, .size = from_hex(go_call) };
	struct rpc_request header;
	struct rpc_args args;
	struct gob_message m;

	assert_int_equal(gob_next(&in, &m), 1);
	assert_int_equal(rpc_read_request(&in, &m, &header), 0);
	assert_string_equal(header.method, "DHCP.Release");
	assert_int_equal(header.seq, 0);
	assert_int_equal(gob_next(&in, &m), 1);
	assert_int_equal(rpc_read_args(&tx.mem, &in, &m, &args), 0);
	assert_string_equal(args.id, "c1");
	assert_string_equal(args.netns, "/run/netns/c1");
	assert_string_equal(args.ifname, "eth0");
	assert_string_equal(args.args, "IgnoreUnknown=1;K8S_POD_NAME=pod1");
	assert_int_equal(strlen(args.conf), args.size);
	assert_true(str_starts(args.conf, "{\"cniVersion\":\"1.0.0\""));
}

/* Each beginning of a stream is incomplete, and no byte of it may be anything else. */
static void test_incomplete_and_wrong(void **state UNUSED)
{
	size_t size = from_hex(go_answer);

	for (size_t n = 0; n < size; n++) {
		struct gob_in in = { .data = bytes, .size = n };
		struct gob_message m;
		int r = gob_next(&in, &m);

		if (r == 1)
			r = gob_next(&in, &m);
		assert_int_equal(r, 0);
	}
	for (size_t i = 0; i < size; i++)
		for (unsigned flip = 1; flip < 256; flip <<= 1) {
			struct gob_in in = { .data = bytes, .size = size };
			struct rpc_reply reply;
			struct result r;

			bytes[i] ^= (uint8_t)flip;
			result_init(&r, &tx.mem);
			while (gob_next(&in, &reply.body) == 1) {
				reply.in = in;
				if (rpc_read_result(&tx, &reply, &r) < 0)
					break;
			}
			bytes[i] ^= (uint8_t)flip;
		}
}

static struct result some_result(void)
{
	struct result r;
	const char *names[] = { "10.5.0.1", "fd00::1" };

	result_init(&r, &tx.mem);
	result_add_ip(&r, (struct result_ip){ .iface = -1 });
	assert_true(cidr_parse("10.5.0.9/20", &r.ips[0].addr));
	assert_true(ip_parse("10.5.0.1", &r.ips[0].gateway));
	result_add_ip(&r, (struct result_ip){ .iface = -1 });
	assert_true(cidr_parse("fd00::9/128", &r.ips[1].addr));
	for (unsigned i = 0; i < 300; i++) {
		struct result_route route = result_route(r.ips[0].addr, r.ips[0].gateway);

		route.mtu = i;
		route.priority = 1000 * i;
		route.scope = i % 2 ? 253 : -1;
		result_add_route(&r, route);
	}
	r.dns.nameservers = mem_dup(&tx.mem, names, sizeof(names));
	r.dns.n_nameservers = 2;
	r.dns.domain = "example.test";
	return r;
}

static void test_own_answer(void **state UNUSED)
{
	const struct rpc_request to = { "DHCP.Allocate", 7 };
	struct result r = some_result(), got;
	const struct rpc_answer answer = { .to = &to, .result = &r };
	struct gob_out out = { .mem = &tx.mem };
	struct rpc_reply reply = { .in.size = 0 };
	unsigned defined = 0;
	struct gob_message m;

	/* The second answer of a stream defines nothing again. */
	rpc_put_answer(&out, &defined, &answer);
	rpc_put_answer(&out, &defined, &answer);
	reply.in.data = out.data;
	reply.in.size = out.size;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(gob_next(&reply.in, &m), 1);
		assert_int_equal(gob_next(&reply.in, &reply.body), 1);
		result_init(&got, &tx.mem);
		assert_int_equal(rpc_read_result(&tx, &reply, &got), 0);
		assert_int_equal(got.n_ips, 2);
		assert_string_equal(CIDR_S(got.ips[0].addr), "10.5.0.9/20");
		assert_string_equal(CIDR_S(got.ips[1].addr), "fd00::9/128");
		assert_false(ip_set(got.ips[1].gateway));
		assert_int_equal(got.n_routes, 300);
		assert_int_equal(got.routes[299].mtu, 299);
		assert_int_equal(got.routes[299].priority, 299000);
		assert_int_equal(got.routes[299].scope, 253);
		assert_int_equal(got.routes[298].scope, -1);
		assert_int_equal(got.dns.n_nameservers, 2);
		assert_string_equal(got.dns.nameservers[1], "fd00::1");
		assert_string_equal(got.dns.domain, "example.test");
	}
	assert_int_equal(gob_next(&reply.in, &m), 0);
	assert_int_equal(reply.in.n_types, 9);
}

static void test_own_call(void **state UNUSED)
{
	const struct rpc_args sent = { "c1", "/run/netns/c1", "eth0", "A=1", "/bin", "{}", 2 };
	struct gob_out out = { .mem = &tx.mem };
	struct rpc_request header;
	struct rpc_args args;
	struct gob_message m;
	struct gob_in in = { .size = 0 };

	rpc_put_call(&out, "DHCP.Check", &sent);
	in.data = out.data;
	in.size = out.size;
	assert_int_equal(gob_next(&in, &m), 1);
	assert_int_equal(rpc_read_request(&in, &m, &header), 0);
	assert_string_equal(header.method, "DHCP.Check");
	assert_int_equal(gob_next(&in, &m), 1);
	assert_int_equal(rpc_read_args(&tx.mem, &in, &m, &args), 0);
	assert_string_equal(args.path, "/bin");
	assert_string_equal(args.conf, "{}");
}

static int ignore(void *arg UNUSED, const struct gob_value *v UNUSED)
{
	return 0;
}

/* A type that contains itself ends at a depth, and a list at the end of its message. */
static void test_bounds(void **state UNUSED)
{
	static const uint8_t deep[] = { 10, 0xff, 0x81, 2, 1, 2, 0xff, 0x82, 0, 1, 0xff, 0x82, 0,
					12, 0xff, 0x82, 0, 1, 1, 1,    1,    1, 1, 1,    1,    1 };
	static const uint8_t many[] = { 8, 0xff, 0x82, 0, 0xf8, 0xff, 0xff, 0xff, 0xff };
	struct gob_in in = { .data = deep, .size = sizeof(deep) };
	struct gob_message m = { .type = 0 };

	assert_true(gob_next(&in, &m) != 1 || gob_walk(&in, &m, ignore, NULL) == -EBADMSG);
	in = (struct gob_in){ .data = many, .size = sizeof(many) };
	assert_true(gob_next(&in, &m) != 1 || gob_walk(&in, &m, ignore, NULL) == -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reference_answer),
		cmocka_unit_test(test_reference_call),
		cmocka_unit_test(test_incomplete_and_wrong),
		cmocka_unit_test(test_own_answer),
		cmocka_unit_test(test_own_call),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
