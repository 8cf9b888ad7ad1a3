// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_netconf.c - network lists: search, reading, requests
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "cnitool/caps.h"
#include "cnitool/cnitool.h"
#include "cnitool/netconf.h"
#include "unit.h"

#define PLUGIN "{\"type\":\"p\"}"

static int read_list(const char *text, struct netconf *ret)
{
	const struct netconf_source source = { NULL, "x.conflist", text, strlen(text) };

	return netconf_read(&unit_tx, &source, ret);
}

static void the_highest_supported_version_is_chosen(void **state)
{
	static const struct {
		const char *keys, *version; /* NULL: an error */
	} cases[] = {
		{ "", "" },
		{ "\"cniVersion\":\"0.4.0\",", "0.4.0" },
		{ "\"cniVersion\":\"9.0.0\",", "9.0.0" },
		{ "\"cniVersion\":\"nonsense\",", "nonsense" }, /* the plugins reject it */
		{ "\"cniVersions\":[],", "" },
		{ "\"cniVersions\":[\"0.3.1\",\"1.0.0\",\"0.4.0\"],", "1.0.0" },
		{ "\"cniVersions\":[\"1.0\"],", "1.0.0" },
		{ "\"cniVersion\":\"0.4.0\",\"cniVersions\":[\"0.3.1\"],", "0.4.0" },
		{ "\"cniVersion\":\"0.3.0\",\"cniVersions\":[\"1.1.0\",\"1.2.0\"],", "1.1.0" },
		{ "\"cniVersion\":\"2.0.0\",\"cniVersions\":[\"1.0.0\"],", "1.0.0" },
		{ "\"cniVersion\":\"2.0.0\",\"cniVersions\":[\"3.0.0\"],", "2.0.0" },
		{ "\"cniVersions\":null,", "" },
		{ "\"cniVersions\":[1],", NULL },
		{ "\"cniVersions\":[\"x\"],", NULL },
		{ "\"cniVersions\":\"1.0.0\",", NULL },
		{ "\"cniVersion\":\"x\",\"cniVersions\":[\"1.0.0\"],", NULL },
		{ "\"cniVersion\":1,", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct netconf n = { .name = NULL };
		int r = read_list(mem_printf(&unit_tx.mem,
					     "{%s\"name\":\"n\",\"plugins\":[" PLUGIN "]}",
					     cases[i].keys),
				  &n);

		CHECK((r == 0) == (cases[i].version != NULL), "%s: %d", cases[i].keys, r);
		CHECK(r < 0 || str_eq(n.version, cases[i].version), "%s: got %s", cases[i].keys,
		      n.version);
		netconf_free(&n);
		unit_again();
	}
}

static void flags_are_booleans_or_words(void **state)
{
	static const struct {
		const char *value;
		int flag; /* -1: an error */
	} cases[] = {
		{ "true", 1 },     { "false", 0 },     { "\"true\"", 1 },
		{ "\"TRUE\"", 1 }, { "\"False\"", 0 }, { "null", 0 },
		{ "\"yes\"", -1 }, { "1", -1 },        { "\"\"", -1 },
	};
	static const char *const keys[] = { "disableCheck", "disableGC", "loadOnlyInlinedPlugins" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		for (unsigned k = 0; k < ARRAY_LEN(keys); k++) {
			struct netconf n = { .name = NULL };
			int r = read_list(mem_printf(&unit_tx.mem,
						     "{\"%s\":%s,\"name\":\"n\",\"plugins\":"
						     "[" PLUGIN "]}",
						     keys[k], cases[i].value),
					  &n);

			CHECK((r < 0) == (cases[i].flag < 0), "%s: %s", keys[k], cases[i].value);
			if (r == 0 && k == 0)
				assert_int_equal(n.disable_check, cases[i].flag);
			if (r == 0 && k == 1)
				assert_int_equal(n.disable_gc, cases[i].flag);
			CHECK(r == 0 || strstr(unit_tx.msg, keys[k]), "not named: %s", unit_tx.msg);
			netconf_free(&n);
			unit_again();
		}
}

static void invalid_lists_are_reported(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
		{ "", "x.conflist: " },
		{ "{bad", "line 1" },
		{ "[]", "expected an object" },
		{ "{\"plugins\":[" PLUGIN "]}", "name: missing" },
		{ "{\"name\":\"../x\",\"plugins\":[" PLUGIN "]}", "no network name" },
		{ "{\"name\":\"n\"}", "no plugin configs found" },
		{ "{\"name\":\"n\",\"plugins\":[]}", "empty" },
		{ "{\"name\":\"n\",\"plugins\":{}}", "plugins: expected a list" },
		{ "{\"name\":\"n\",\"plugins\":[1]}", "plugins[0]" },
		{ "{\"name\":\"n\",\"plugins\":[{}]}", "plugins[0].type: missing" },
		{ "{\"name\":\"n\",\"plugins\":[{\"type\":\"a/b\"}]}", "invalid plugin name" },
		{ "{\"name\":\"n\",\"loadOnlyInlinedPlugins\":true}", "plugins: missing" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct netconf n;

		CHECK(read_list(cases[i].text, &n) < 0, "accepted: %s", cases[i].text);
		CHECK(strstr(unit_tx.msg, cases[i].words), "%s: %s", cases[i].text, unit_tx.msg);
		unit_again();
	}
}

static void requests_are_derived(void **state)
{
	static const char list[] =
		"{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"plugins\":[{\"type\":\"a\",\"name\":"
		"\"own\",\"z\":1.5,\"big\":9007199254740993,\"capabilities\":{\"mac\":true,\"ips\":"
		"false}},{\"type\":\"b\",\"runtimeConfig\":{\"x\":1}}]}";
	static const struct {
		unsigned plugin;
		struct netconf_extra extra;
		const char *request;
	} cases[] = {
		{ 0,
		  { .prev_result = NULL },
		  "{\"big\":9007199254740993,\"capabilities\":{\"ips\":false,\"mac\":true},"
		  "\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"type\":\"a\",\"z\":1.5}" },
		{ 0,
		  { .prev_result = "{\"ips\":[]}",
		    .capability_args = "{\"mac\":\"02::\",\"ips\":[\"1\"],\"dns\":{}}" },
		  "{\"big\":9007199254740993,\"capabilities\":{\"ips\":false,\"mac\":true},"
		  "\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"prevResult\":{\"ips\":[]},"
		  "\"runtimeConfig\":{\"mac\":\"02::\"},\"type\":\"a\",\"z\":1.5}" },
		{ 1,
		  { .capability_args = "{\"mac\":\"02::\"}" },
		  "{\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"runtimeConfig\":{\"x\":1},"
		  "\"type\":\"b\"}" },
		{ 1,
		  { .valid = "[{\"containerID\":\"c\",\"ifname\":\"e\"}]" },
		  "{\"cni.dev/attachments\":[{\"containerID\":\"c\",\"ifname\":\"e\"}],"
		  "\"cni.dev/valid-attachments\":[{\"containerID\":\"c\",\"ifname\":\"e\"}],"
		  "\"cniVersion\":\"1.0.0\",\"name\":\"net\",\"runtimeConfig\":{\"x\":1},"
		  "\"type\":\"b\"}" },
	};
	struct netconf n;

	(void)state;
	assert_int_equal(read_list(list, &n), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(
			netconf_request(&unit_tx.mem, &n, cases[i].plugin, &cases[i].extra),
			cases[i].request);
	assert_true(netconf_declares(&n, "mac"));
	assert_false(netconf_declares(&n, "ips"));
	assert_false(netconf_declares(&n, "MAC"));
	assert_true(netconf_speaks(&n, "0.4.0"));
	assert_false(netconf_speaks(&n, "1.1.0"));
	netconf_free(&n);
}

/* ---- directories ---- */

static char dir[] = "/tmp/test_netconf.XXXXXX";

static void put(const char *name, const char *text)
{
	FILE *f = fopen(mem_printf(&unit_tx.mem, "%s/%s", dir, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int make_dir(void **state)
{
	unit_begin(state);
	if (!mkdtemp(dir))
		return -1;
	mkdir(mem_printf(&unit_tx.mem, "%s/f", dir), 0755);
	mkdir(mem_printf(&unit_tx.mem, "%s/dir.conflist", dir), 0755);
	put("10-b.conflist", "{\"name\":\"b\",\"plugins\":[{\"type\":\"first\"}]}");
	put("20-b.conflist", "{\"name\":\"b\",\"plugins\":[{\"type\":\"second\"}]}");
	put("05-broken.conflist", "{broken");
	put("00-b.conf", "{\"name\":\"b\",\"type\":\"single\"}");
	put("x.conf", "{\"name\":\"x\",\"cniVersion\":\"0.4.0\",\"type\":\"single\",\"k\":[1]}");
	put("w.json", "{\"name\":\"w\",\"type\":\"json\"}");
	put("l.conf", "{\"name\":\"l\",\"plugins\":[{\"type\":\"list\"}]}");
	put("f.conflist", "{\"name\":\"f\"}");
	put("f/20.conf", "{\"type\":\"two\"}");
	put("f/10.conf", "{\"type\":\"one\",\"name\":\"other\"}");
	put("f/30.json", "{\"type\":\"three\"}");
	return 0;
}

static int remove_dir(void **state)
{
	const char *command = mem_printf(&unit_tx.mem, "rm -r %s", dir);
	int r = system(command); /* NOLINT(bugprone-command-processor,cert-env33-c) */

	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return unit_end(state) || r;
}

static void networks_are_found(void **state)
{
	static const struct {
		const char *name, *types; /* NULL: there is none */
	} cases[] = {
		{ "b", "first" }, { "x", "single" },  { "w", "json" },
		{ "l", NULL },    { "f", "one two" }, { "nothing", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct netconf n = { .name = NULL };
		int r = netconf_find(&unit_tx, dir, cases[i].name, &n);
		const char *types = "";

		CHECK(r == (cases[i].types ? 0 : -ENOENT), "%s: %d", cases[i].name, r);
		for (unsigned k = 0; k < n.n_plugins; k++)
			types = mem_printf(&unit_tx.mem, "%s%s%s", types, k ? " " : "",
					   n.plugins[k].type);
		CHECK(r < 0 || str_eq(types, cases[i].types), "%s: %s", cases[i].name, types);
		netconf_free(&n);
		unit_again();
	}
}

static void a_single_plugin_becomes_a_list(void **state)
{
	static const char text[] =
		"{\"cniVersion\":\"0.4.0\",\"name\":\"x\",\"plugins\":[{\"cniVersion\":\"0.4.0\","
		"\"k\":[1],\"name\":\"x\",\"type\":\"single\"}]}";
	struct netconf n;

	(void)state;
	assert_int_equal(netconf_find(&unit_tx, dir, "x", &n), 0);
	assert_int_equal(n.size, strlen(text));
	assert_string_equal(n.text, text);
	netconf_free(&n);
}

static void missing_networks_are_reported(void **state)
{
	struct netconf n;

	(void)state;
	assert_int_equal(netconf_find(&unit_tx, dir, "nothing", &n), -ENOENT);
	assert_non_null(strstr(unit_tx.msg, "no net configuration with name \"nothing\" in"));
	assert_non_null(strstr(unit_tx.msg, "05-broken.conflist"));
	unit_again();
	assert_int_equal(netconf_find(&unit_tx, "/nonexistent", "x", &n), -ENOENT);
	assert_non_null(strstr(unit_tx.msg, "no net configurations found in /nonexistent"));
}

static void all_networks_are_listed_once(void **state)
{
	struct netconf *all;
	const char *names = "";
	unsigned n;

	(void)state;
	assert_int_equal(netconf_all(&unit_tx, dir, &all, &n), 0);
	for (unsigned i = 0; i < n; i++) {
		names = mem_printf(&unit_tx.mem, "%s%s ", names, all[i].name);
		netconf_free(&all[i]);
	}
	assert_string_equal(names, "b f w x ");
}

/* ---- capability arguments ---- */

static void options_become_capability_arguments(void **state)
{
	static const struct {
		const char *publish, *ip, *mac, *cap_args, *caps; /* NULL caps: an error */
	} cases[] = {
		{ "8080:80", NULL, NULL, NULL,
		  "{\"portMappings\":[{\"containerPort\":80,\"hostPort\":8080,\"protocol\":\"tcp\"}"
		  "]}" },
		{ "127.0.0.1:53:5353/udp", NULL, NULL, NULL,
		  "{\"portMappings\":[{\"containerPort\":5353,\"hostIP\":\"127.0.0.1\","
		  "\"hostPort\":53,"
		  "\"protocol\":\"udp\"}]}" },
		{ "[::1]:80-81:90-91/sctp", NULL, NULL, NULL,
		  "{\"portMappings\":[{\"containerPort\":90,\"hostIP\":\"::1\",\"hostPort\":80,"
		  "\"protocol\":\"sctp\"},{\"containerPort\":91,\"hostIP\":\"::1\",\"hostPort\":81,"
		  "\"protocol\":\"sctp\"}]}" },
		{ "n=1:2", "n=10.0.0.1", "n=02-00-00-00-00-0A", NULL,
		  "{\"ips\":[\"10.0.0.1\"],\"mac\":\"02:00:00:00:00:0a\",\"portMappings\":"
		  "[{\"containerPort\":2,\"hostPort\":1,\"protocol\":\"tcp\"}]}" },
		{ NULL, "fd00::5/64", NULL, "{\"ips\":[\"x\"],\"other\":1}",
		  "{\"ips\":[\"x\",\"fd00::5/64\"],\"other\":1}" },
		{ NULL, NULL, NULL, "{}", "" },
		{ NULL, NULL, NULL, "[]", NULL },
		{ NULL, NULL, NULL, "{", NULL },
		{ "80", NULL, NULL, NULL, NULL },
		{ "0:80", NULL, NULL, NULL, NULL },
		{ "65536:80", NULL, NULL, NULL, NULL },
		{ "80:80/icmp", NULL, NULL, NULL, NULL },
		{ "80:80tcp", NULL, NULL, NULL, NULL },
		{ "81-80:81-80", NULL, NULL, NULL, NULL },
		{ "80-82:80-81", NULL, NULL, NULL, NULL },
		{ "1.2.3:80:80", NULL, NULL, NULL, NULL },
		{ "[::1:80:80", NULL, NULL, NULL, NULL },
		{ "other=80:80", NULL, NULL, NULL, NULL },
		{ NULL, "10.0.0.256", NULL, NULL, NULL },
		{ NULL, NULL, "02:00", NULL, NULL },
	};
	static const char list[] = "{\"name\":\"n\",\"plugins\":[{\"type\":\"a\",\"capabilities\":"
				   "{\"portMappings\":true,\"ips\":true,\"mac\":true}}]}";

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *p = cases[i].publish, *ip = cases[i].ip, *mac = cases[i].mac;
		struct options o = { .publish = { &p, p != NULL },
				     .ips = { &ip, ip != NULL },
				     .macs = { &mac, mac != NULL },
				     .cap_args = cases[i].cap_args };
		const char *caps = NULL;
		struct netconf n;
		int r;

		assert_int_equal(read_list(list, &n), 0);
		r = caps_build(&unit_tx, &o, &n, 1, &caps);
		CHECK((r == 0) == (cases[i].caps != NULL), "case %u: %s", i, unit_tx.msg);
		CHECK(r < 0 || str_eq(caps ? caps : "", cases[i].caps), "case %u: %s", i, caps);
		netconf_free(&n);
		unit_again();
	}
}

static void options_without_capability_are_rejected(void **state)
{
	static const char *const wish = "80:80";
	struct options o = { .publish = { (const char *[]){ wish }, 1 } };
	struct netconf n;
	const char *caps;

	(void)state;
	assert_int_equal(read_list("{\"name\":\"n\",\"plugins\":[" PLUGIN "]}", &n), 0);
	assert_true(caps_build(&unit_tx, &o, &n, 1, &caps) < 0);
	assert_non_null(strstr(unit_tx.msg, "no plugin of network \"n\" declares the capability "
					    "portMappings"));
	netconf_free(&n);
}

static void args_are_pairs(void **state)
{
	static const struct {
		const char *args;
		bool ok;
	} cases[] = {
		{ NULL, true },    { "", true },      { "A=B", true },       { "A=B;C=D", true },
		{ "A", false },    { "A=", false },   { "=B", false },       { "A=B=C", false },
		{ "A=B;", false }, { ";A=B", false }, { "A=B;;C=D", false }, { ";", false },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		CHECK((caps_check_args(&unit_tx, cases[i].args) == 0) == cases[i].ok, "%s",
		      cases[i].args);
		unit_again();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(the_highest_supported_version_is_chosen),
		WITH_TX(flags_are_booleans_or_words),
		WITH_TX(invalid_lists_are_reported),
		WITH_TX(requests_are_derived),
		cmocka_unit_test_setup_teardown(networks_are_found, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_single_plugin_becomes_a_list, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(missing_networks_are_reported, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(all_networks_are_listed_once, make_dir, remove_dir),
		WITH_TX(options_become_capability_arguments),
		WITH_TX(options_without_capability_are_rejected),
		WITH_TX(args_are_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
