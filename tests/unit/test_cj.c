// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cj.c - the config cursor
 *
 * Error messages are in files: the example plugin below reads config-errors/NAME.json, and must
 * fail with the message in config-errors/NAME.expected.  `make check` runs the test in the top
 * folder.
 */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "value/cj.h"
#include "base/log.h"
#include "unit.h"

#define FOLDER "tests/unit/config-errors"

static struct cj parse(const char *text)
{
	struct cj c = { .doc = NULL };

	CHECK(cj_parse(&unit_tx, text, strlen(text), "network configuration", &c) == 0, "%s: %s",
	      text, unit_tx.msg);
	return c;
}

/* Asserts the complaints; NULL = none. */
static void expect(const struct cj *c, const char *sentence)
{
	int r = cj_ok(&unit_tx, c);

	if (!sentence) {
		CHECK(r == 0, "%s", unit_tx.msg);
		return;
	}
	assert_int_equal(r, -EINVAL);
	assert_int_equal(unit_tx.code, CNI_E_CONFIG);
	assert_string_equal(unit_tx.msg, sentence);
	unit_tx.err = 0;
	assert_int_equal(cj_ok(&unit_tx, c), 0); /* reported once */
}

/* ---- an example plugin ---- */

static void read_ranges(const struct cj *ipam)
{
	struct cj sets = cj_list(ipam, "ranges");

	for (unsigned i = 0; i < cj_len(&sets); i++) {
		struct cj set = cj_at(&sets, i);

		for (unsigned k = 0; k < cj_len(&set); k++) {
			struct cj range = cj_at(&set, k);

			cj_cidr(&range, "subnet");
			cj_ip(&range, "gateway");
		}
	}
}

static int read_conf(struct tx *tx, const struct cj *c)
{
	static const char *const modes[] = { "bridge", "private", "vepa", "passthru" };
	struct cj ipam = cj_obj(c, "ipam"), ports = cj_list(c, "portMappings");
	struct cj dns = cj_obj(c, "dns"), search = cj_list(&dns, "search");
	bool hairpin = cj_bool(c, "hairpinMode", false);

	cj_str(c, "bridge", "cni0");
	cj_int(c, "mtu", 0, 0, 65535);
	cj_int(c, "priority", 0, 0, INT64_MAX);
	cj_mac(c, "mac");
	cj_enum(c, "mode", 0, modes, ARRAY_LEN(modes));
	read_ranges(&ipam);
	for (unsigned i = 0; i < cj_len(&ports); i++) {
		struct cj port = cj_at(&ports, i);

		cj_int(&port, "hostPort", 0, 1, 65535);
	}
	for (unsigned i = 0; i < cj_len(&search); i++) {
		struct cj domain = cj_at(&search, i);

		cj_as_str(&domain);
	}
	if (hairpin && cj_bool(c, "promiscMode", false))
		cj_wrong(c, "promiscMode", "cannot be combined with hairpinMode");
	return cj_ok(tx, c);
}

static char *slurp(const char *folder, const char *name, const char *suffix, size_t *ret_size)
{
	char *text = mem_alloc(&unit_tx.mem, 1 << 17);
	char path[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s%s", folder, name, suffix);
	auto_(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0, "cannot open %s", path);
	n = read(fd, text, (1 << 17) - 1);
	CHECK(n >= 0, "cannot read %s", path);
	*ret_size = (size_t)n;
	return text;
}

static void one_error(const char *name)
{
	size_t size, n;
	char *text = slurp(FOLDER, name, ".json", &size);
	char *expected = slurp(FOLDER, name, ".expected", &n);
	struct cj c = { .doc = NULL };
	int r = cj_parse(&unit_tx, text, size, "network configuration", &c);
	enum cni_code code = r < 0 ? CNI_E_DECODE : CNI_E_CONFIG;

	while (n && expected[n - 1] == '\n')
		expected[--n] = '\0';
	if (r == 0)
		r = read_conf(&unit_tx, &c);
	CHECK(r == -EINVAL, "%s is accepted", name);
	CHECK(str_eq(unit_tx.msg, expected), "%s:\nexpected %s\ngot      %s", name, expected,
	      unit_tx.msg);
	assert_int_equal(unit_tx.code, code);
	cj_free(&c);
	unit_again();
}

static void errors_are_sentences(void **state)
{
	DIR *d = opendir(FOLDER);
	unsigned n = 0;

	(void)state;
	CHECK(d, "no folder %s here", FOLDER);
	for (struct dirent *e; (e = readdir(d));) {
		char name[NAME_MAX + 1];
		char *dot;

		snprintf(name, sizeof(name), "%s", e->d_name);
		dot = strrchr(name, '.');
		if (!str_eq(dot, ".json"))
			continue;
		*dot = '\0';
		one_error(name);
		n++;
	}
	closedir(d);
	assert_true(n >= 20);
}

/* ---- reading ---- */

static void values_and_defaults(void **state)
{
	static const char *const modes[] = { "bridge", "vepa" };
	struct cj c =
		parse("{\"s\":\"x\",\"e\":\"\",\"t\":true,\"f\":false,\"i\":-7,\"z\":null,"
		      "\"ip\":\"FD00::1\",\"cidr\":\"10.1.0.5/24\",\"mac\":\"02-00-00-00-00-03\","
		      "\"mode\":\"vepa\"}");

	(void)state;
	assert_string_equal(cj_str(&c, "s", "def"), "x");
	assert_string_equal(cj_str(&c, "e", "def"), "");
	assert_string_equal(cj_str(&c, "no", "def"), "def");
	assert_string_equal(cj_str(&c, "z", "def"), "def");
	assert_null(cj_str(&c, "no", NULL));
	assert_true(cj_bool(&c, "t", false));
	assert_false(cj_bool(&c, "f", true));
	assert_true(cj_bool(&c, "z", true));
	assert_int_equal(cj_int(&c, "i", 1, INT64_MIN, INT64_MAX), -7);
	assert_int_equal(cj_int(&c, "i", 1, -7, -7), -7);
	assert_int_equal(cj_int(&c, "no", -1, 0, 9), -1); /* bounds do not apply to the default */
	assert_string_equal(IP_S(cj_ip(&c, "ip")), "fd00::1");
	assert_false(ip_set(cj_ip(&c, "e")));
	assert_false(ip_set(cj_ip(&c, "z")));
	assert_string_equal(CIDR_S(cj_cidr(&c, "cidr")), "10.1.0.5/24");
	assert_false(ip_set(cj_cidr(&c, "e").ip));
	assert_string_equal(MAC_S(cj_mac(&c, "mac")), "02:00:00:00:00:03");
	assert_int_equal(cj_mac(&c, "e").len, 0);
	assert_int_equal(cj_enum(&c, "mode", 0, modes, 2), 1);
	assert_int_equal(cj_enum(&c, "e", 7, modes, 2), 7);
	assert_int_equal(cj_enum(&c, "no", -1, modes, 2), -1);
	expect(&c, NULL);
	cj_free(&c);
}

static void keys_match_in_any_case(void **state)
{
	static const struct {
		const char *json;
		int64_t mtu;
	} cases[] = {
		{ "{\"mtu\":1}", 1 },
		{ "{\"MTU\":2}", 2 },
		{ "{\"MTU\":2,\"mtu\":1}", 1 },    /* the exact key wins */
		{ "{\"mtu\":1,\"Mtu\":2}", 1 },    /* in any order */
		{ "{\"MTU\":2,\"Mtu\":3}", 3 },    /* otherwise the last key */
		{ "{\"mtu\":1,\"mtu\":2}", 2 },    /* also of equal keys */
		{ "{\"mtu\":null,\"MTU\":2}", 2 }, /* null counts as absent */
		{ "{\"MTU\":2,\"Mtu\":null}", 2 }, /* in any order */
		{ "{\"mtu\":null}", 9 },
		{ "{\"mtux\":1,\"mt\":2,\"\":3}", 9 },
		{ "{}", 9 },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct cj c = parse(cases[i].json);

		CHECK(cj_int(&c, "mtu", 9, 0, 65535) == cases[i].mtu, "%s", cases[i].json);
		CHECK(cj_has(&c, "mtu") == (cases[i].mtu != 9), "%s", cases[i].json);
		expect(&c, NULL);
		cj_free(&c);
	}
}

static void numbers_have_bounds(void **state)
{
	static const struct {
		const char *json;
		int64_t min, max;
		const char *sentence;
	} cases[] = {
		{ "{\"n\":0}", 0, 65535, NULL },
		{ "{\"n\":65535}", 0, 65535, NULL },
		{ "{\"n\":9223372036854775807}", 0, INT64_MAX, NULL },
		{ "{\"n\":65536}", 0, 65535,
		  "n: expected a whole number from 0 to 65535, got 65536" },
		{ "{\"n\":-1}", 0, 65535, "n: expected a whole number from 0 to 65535, got -1" },
		{ "{\"n\":-1}", 0, INT64_MAX, "n: expected a whole number of 0 or more, got -1" },
		{ "{\"n\":1}", INT64_MIN, 0, "n: expected a whole number of 0 or less, got 1" },
		{ "{\"n\":1.0}", INT64_MIN, INT64_MAX, "n: expected a whole number, got 1.0" },
		{ "{\"n\":1e3}", 0, 65535,
		  "n: expected a whole number from 0 to 65535, got 1000.0" },
		{ "{\"n\":true}", 0, 9, "n: expected a whole number from 0 to 9, got true" },
		{ "{\"n\":\"1\"}", 0, 9, "n: expected a whole number from 0 to 9, got \"1\"" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct cj c = parse(cases[i].json);
		int64_t n = cj_int(&c, "n", 4711, cases[i].min, cases[i].max);

		assert_true((n == 4711) == !!cases[i].sentence);
		expect(&c, cases[i].sentence);
		cj_free(&c);
		unit_again();
	}
}

static void cursors_move(void **state)
{
	struct cj c =
		parse("{\"list\":[1,\"two\",null,{\"k\":[true]},false],\"o\":{\"b\":1,\"a\":null,"
		      "\"c\":\"x\"},\"z\":null}");
	struct cj list = cj_list(&c, "list"), e[6];
	struct cj o = cj_obj(&c, "o"), none = cj_obj(&c, "none"), deep = cj_obj(&none, "deeper");
	char names[16] = "";
	size_t n = 0;

	(void)state;
	assert_int_equal(cj_len(&list), 5);
	for (unsigned i = 0; i < 6; i++)
		e[i] = cj_at(&list, i);
	assert_int_equal(cj_as_int(&e[0], 0, 0, 9), 1);
	assert_true(cj_is_int(&e[0]) && cj_is_str(&e[1]) && cj_is_object(&e[3]));
	assert_true(cj_is_bool(&e[4]) && cj_is_array(&list) && !cj_is_array(&e[3]));
	assert_string_equal(cj_as_str(&e[1]), "two");
	assert_false(cj_present(&e[2])); /* null */
	assert_null(cj_as_str(&e[2]));
	assert_true(cj_as_bool(&e[2], true));
	assert_false(cj_as_bool(&e[4], true));
	assert_false(cj_present(&e[5])); /* beyond the end */
	assert_false(cj_has(&e[2], "k"));
	assert_string_equal(cj_path(&e[3], "k"), "list[3].k");
	for (struct cj it = cj_first(&o); it.json; it = cj_next(&it))
		n += (size_t)snprintf(names + n, sizeof(names) - n, "%s", it.key);
	assert_string_equal(names, "bac"); /* in the order of the document */
	assert_int_equal(cj_len(&o), 3);
	assert_false(cj_present(&deep));
	assert_int_equal(cj_len(&deep), 0);
	assert_null(cj_first(&deep).json);
	assert_string_equal(cj_str(&deep, "x", "def"), "def");
	assert_string_equal(cj_path(&deep, "x"), "none.deeper.x");
	assert_false(cj_has(&c, "z"));
	assert_null(cj_any(&c, "z").json);
	expect(&c, NULL);
	cj_free(&c);
}

static void nothing_is_assumed_to_be_an_object(void **state)
{
	struct cj c = parse("{\"list\":[5],\"n\":5}");
	struct cj list = cj_list(&c, "list"), e = cj_at(&list, 0), n = cj_any(&c, "n");

	(void)state;
	cj_str(&e, "a", "");
	cj_int(&e, "b", 0, 0, 1);
	assert_int_equal(cj_len(&n), 0);
	expect(&c, "list[0]: expected an object, got 5; n: expected a list, got 5");
	cj_free(&c);
}

static void the_empty_document_has_nothing(void **state)
{
	struct cj c;

	(void)state;
	cj_empty(&unit_tx.mem, &c);
	assert_false(cj_present(&c));
	assert_false(cj_has(&c, "a"));
	assert_string_equal(cj_str(&c, "a", "def"), "def");
	assert_null(cj_dump(&unit_tx.mem, &c));
	cj_wrong(&c, "ipam.type", "is missing");
	expect(&c, "ipam.type: is missing");
	cj_report_unknown(&c);
	cj_free(&c);
	cj_free(&c);
}

static void excess_complaints_are_counted(void **state)
{
	struct cj c = parse("{}");
	size_t n;

	(void)state;
	for (int i = 0; i < 1000; i++)
		cj_wrong(&c, NULL, "complaint %d of many, many, many, many, many", i);
	assert_int_equal(cj_ok_as(&unit_tx, &c, CPLUG_E_PREV), -EINVAL);
	assert_int_equal(unit_tx.code, CPLUG_E_PREV);
	n = strlen(unit_tx.msg);
	assert_true(n > 500 && n < sizeof(unit_tx.msg) - 1);
	assert_memory_equal(unit_tx.msg, "network configuration: complaint 0 of many", 42);
	assert_non_null(strstr(unit_tx.msg, "; and 9"));
	assert_string_equal(unit_tx.msg + n - 5, " more");
	cj_free(&c);
}

static void values_are_dumped(void **state)
{
	struct cj c = parse("{ \"b\" : [ 1 , null ], \"a\" : \"\u00e9/\" }");
	struct cj b = cj_any(&c, "b");
	struct cj null = cj_at(&b, 1);

	(void)state;
	assert_string_equal(cj_dump(&unit_tx.mem, &c), "{\"a\":\"\u00e9/\",\"b\":[1,null]}");
	assert_string_equal(cj_dump(&unit_tx.mem, &b), "[1,null]");
	assert_null(cj_dump(&unit_tx.mem, &null));
	cj_free(&c);
}

/* ---- unread keys ---- */

static void unread_keys_are_reported(void **state)
{
	char file[] = "/tmp/cplug-test-cj-XXXXXX", *text;
	struct cj c, ipam, list, element, sysctl;
	unsigned lines = 0;
	size_t size;
	int fd = mkstemp(file);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(log_to(file, LOG_DEBUG), 0);
	c = parse(
		"{\"Type\":\"x\",\"odd one\":1,\"t1\":true,\"t2\":true,\"runtimeConfig\":{\"a\":1},"
		"\"args\":{\"cni\":{}},\"cni.dev/x\":[{\"q\":1}],\"prevResult\":{\"ips\":[]},"
		"\"ipam\":{\"type\":\"theirs\",\"subnet\":5},\"sysctl\":{\"a.b\":\"1\"},"
		"\"list\":[{\"k\":1,\"u\":[]}]}");
	cj_str(&c, "type", NULL);
	cj_bool(&c, "t1", false); /* but not t2: jansson shares the value true */
	ipam = cj_obj(&c, "ipam");
	cj_str(&ipam, "type", NULL);
	sysctl = cj_obj(&c, "sysctl");
	for (struct cj it = cj_first(&sysctl); it.json; it = cj_next(&it))
		cj_as_str(&it);
	list = cj_list(&c, "list");
	element = cj_at(&list, 0);
	cj_int(&element, "k", 0, 0, 1);
	cj_report_unknown(&c);
	text = slurp("", file, "", &size);
	unlink(file);
	assert_non_null(strstr(text, "[\"odd one\"]: unknown key, ignored\n"));
	assert_non_null(strstr(text, " t2: unknown"));
	assert_non_null(strstr(text, " list[0].u: unknown"));
	assert_null(strstr(text, "t1"));
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	assert_int_equal(lines, 3);
	cj_free(&c);
}

static void the_list_of_read_keys_grows(void **state)
{
	char *text = mem_alloc(&unit_tx.mem, 100000), key[16];
	size_t n = (size_t)sprintf(text, "{\"k\":0");
	struct cj c;

	(void)state; /* the log still goes to the file of the previous test */
	assert_true(log_on(LOG_DEBUG));
	for (int i = 0; i < 2000; i++)
		n += (size_t)sprintf(text + n, ",\"k%d\":%d", i, i);
	text[n] = '}';
	c = parse(text);
	for (int i = 0; i < 2000; i++) {
		sprintf(key, "k%d", i);
		assert_int_equal(cj_int(&c, key, -1, 0, 2000), i);
	}
	cj_report_unknown(&c);
	expect(&c, NULL);
	cj_free(&c);
}

static void deep_and_large_documents_are_handled(void **state)
{
	enum { DEEP = 100000 };
	char *text = mem_alloc(&unit_tx.mem, 2 * DEEP + 16);
	struct cj c;

	(void)state;
	memcpy(text, "{\"a\":", 5);
	memset(text + 5, '[', DEEP);
	memset(text + 5 + DEEP, ']', DEEP);
	text[5 + 2 * DEEP] = '}';
	assert_int_equal(cj_parse(&unit_tx, text, 2 * DEEP + 6, "x", &c), -EINVAL);
	assert_int_equal(unit_tx.code, CNI_E_DECODE);
	memset(text, ' ', 2 * DEEP);
	unit_tx.err = 0;
	assert_int_equal(cj_parse(&unit_tx, text, 2 * DEEP, "x", &c), -EINVAL);
	assert_int_equal(cj_parse(&unit_tx, "{}\0", 3, "x", &c),
			 -EINVAL); /* a NUL in the document */
	assert_int_equal(cj_parse(&unit_tx, NULL, 0, "x", &c), -EINVAL);
}

static jmp_buf way_out;
static unsigned allocations_left;

static void __attribute__((noreturn)) leave(void *arg)
{
	(void)arg;
	longjmp(way_out, 1);
}

static void *scarce_malloc(size_t size)
{
	if (!allocations_left)
		return NULL;
	allocations_left--;
	return malloc(size);
}

/*
 * If jansson runs out of memory, at any allocation, there is no wrong result and no leak.  It
 * reports some of these failures as syntax errors.
 */
static void out_of_memory_leaves_through_the_arena(void **state)
{
	static const char text[] = "{\"a\":[1,2.5,\"x\",{\"b\":true}],\"c\":\"d\"}";
	static volatile unsigned n, left;
	static struct cj c;

	(void)state;
	unit_tx.mem.exhausted = leave;
	for (n = 0; n < 1000; n++) {
		json_set_alloc_funcs(scarce_malloc, free);
		allocations_left = n;
		if (setjmp(way_out) == 0) {
			if (cj_parse(&unit_tx, text, strlen(text), "x", &c) == 0)
				break;
			assert_int_equal(unit_tx.code, CNI_E_DECODE);
			continue;
		}
		left++;
	}
	assert_true(n > 10 && n < 1000);
	assert_true(2 * left > n);
	for (n = 0; n < 1000; n++) {
		allocations_left = n;
		if (setjmp(way_out) == 0) {
			assert_string_equal(cj_dump(&unit_tx.mem, &c), text);
			break;
		}
	}
	assert_true(n && n < 1000);
	json_set_alloc_funcs(malloc, free);
	cj_free(&c);
}

static void keys_that_are_there_twice_are_found(void **state)
{
	static const char *const keys[] = { "k", "a", "\"" };
	static const struct {
		const char *text, *key; /* NULL: none */
	} cases[] = {
		{ "{}", NULL },
		{ "{\"a\":1,\"k\":2}", NULL },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "a" },
		{ "{\"x\":1,\"x\":2}", NULL },
		{ "{\"x\":1,\"x\":2,\"o\":{\"k\":1,\"a\":[],\"k\":2}}", "k" },
		/* one in each of two objects */
		{ "{\"a\":{\"a\":{\"a\":1}},\"l\":[{\"a\":1},{\"a\":2},\"a\"]}", NULL },
		{ "{\"l\":[[{\"b\":{\"a\":1},\"a\" \t\r\n: 2,\"a\":3}]]}", "a" },
		{ "{\"a\":1,\"o\":{\"a\":1},\"a\":1}", "a" },
		/* escapes */
		{ "{\"a\":1,\"\\u0061\":2}", "a" },
		{ "{\"\\u0061\":1,\"\\u0061\":2}", "a" },
		{ "{\"\\\"\":1,\"\\u0022\":2}", "\"" },
		{ "{\"\\\\a\":1,\"a\":2,\"\\\\\":3}", NULL },
		/* values that look like keys, or close an object */
		{ "{\"x\":\"\\\"a\\\":1\",\"a\":\"}\",\"y\":\"a\"}", NULL },
		{ "{\"x\":\"{\",\"a\":\"]\",\"y\":\"\\\\\",\"a\":1}", "a" },
		{ "{\"aa\":1,\"a\":2,\"\":3}", NULL },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct cj c = parse(cases[i].text);
		const char *found = cj_find_twice(&unit_tx.mem, cases[i].text,
						  strlen(cases[i].text), keys, ARRAY_LEN(keys));

		CHECK(str_eq(found, cases[i].key) || found == cases[i].key, "%s", cases[i].text);
		cj_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(errors_are_sentences),
		WITH_TX(values_and_defaults),
		WITH_TX(keys_match_in_any_case),
		WITH_TX(numbers_have_bounds),
		WITH_TX(cursors_move),
		WITH_TX(nothing_is_assumed_to_be_an_object),
		WITH_TX(the_empty_document_has_nothing),
		WITH_TX(excess_complaints_are_counted),
		WITH_TX(values_are_dumped),
		WITH_TX(unread_keys_are_reported),
		WITH_TX(the_list_of_read_keys_grows),
		WITH_TX(deep_and_large_documents_are_handled),
		WITH_TX(keys_that_are_there_twice_are_found),
		WITH_TX(out_of_memory_leaves_through_the_arena),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
