// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cache.c - the result cache: reading and writing libcni's format
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "value/base64.h"
#include "cnitool/cache.h"
#include "cnitool/target.h"
#include "unit.h"

static void base64_is_encoded_and_decoded(void **state)
{
	static const struct {
		const char *data, *text;
	} cases[] = {
		/* RFC 4648, section 10 */
		{ "", "" },
		{ "f", "Zg==" },
		{ "fo", "Zm8=" },
		{ "foo", "Zm9v" },
		{ "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" },
		{ "foobar", "Zm9vYmFy" },
		{ "\xff\xfe\xfd", "//79" },
	};
	static const char *const bad[] = { "Z", "Zg", "Zg=", "Zg==Zg==", "Z===", "Z*==", "=Zg=" };
	size_t n;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *back = base64_decode(&unit_tx.mem, cases[i].text, &n);

		assert_string_equal(
			base64_encode(&unit_tx.mem, cases[i].data, strlen(cases[i].data)),
			cases[i].text);
		assert_non_null(back);
		assert_int_equal(n, strlen(cases[i].data));
		assert_string_equal(back, cases[i].data);
	}
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!base64_decode(&unit_tx.mem, bad[i], &n), "accepted: %s", bad[i]);
}

static const struct cached full = {
	.network = "net1",
	.id = "cnitool-a145bc1ace582bff43bd",
	.ifname = "eth0",
	.netns = "/run/netns/a",
	.nsid = { "b7a1e9b0-7d5b-4f2e-9c2f-2f8f0a3c1d11", 4026532281, 17 },
	.args = "K=V;A=<b>",
	.capability_args = "{\"mac\":\"02:00\",\"ips\":[\"1\"]}",
	.result = "{\"ips\":[],\"cniVersion\":\"1.0.0\"}",
	.config = "{}\n",
	.config_size = 3,
};

static const struct cache_key full_key = { "net1", "cnitool-a145bc1ace582bff43bd", "eth0" };

static const char full_text[] =
	"{\"kind\":\"cniCacheV1\",\"containerId\":\"cnitool-a145bc1ace582bff43bd\",\"config\":"
	"\"e30K\",\"ifName\":\"eth0\",\"networkName\":\"net1\",\"netns\":\"/run/netns/a\","
	"\"cniArgs\":[[\"K\",\"V\"],[\"A\",\"\\u003cb\\u003e\"]],\"capabilityArgs\":{\"ips\":"
	"[\"1\"],\"mac\":\"02:00\"},\"result\":{\"cniVersion\":\"1.0.0\",\"ips\":[]},\"cplug\":{"
	"\"boot\":"
	"\"b7a1e9b0-7d5b-4f2e-9c2f-2f8f0a3c1d11\",\"netnsInode\":4026532281,\"netnsCookie\":17}}";

static void the_text_is_the_same_as_libcnis(void **state)
{
	static const struct cached bare = { .network = "n", .id = "i", .ifname = "e" };

	(void)state;
	assert_string_equal(cache_text(&unit_tx.mem, &full), full_text);
	assert_string_equal(cache_text(&unit_tx.mem, &bare),
			    "{\"kind\":\"cniCacheV1\",\"containerId\":\"i\",\"config\":\"\","
			    "\"ifName\":\"e\",\"networkName\":\"n\"}");
}

static void libcnis_text_is_parsed(void **state)
{
	static const char *const bad[] = { "", "{", "[]", "{}", "{\"kind\":\"cniCacheV2\"}" };
	struct cached c;

	(void)state;
	assert_true(cache_parse(&unit_tx.mem, full_text, strlen(full_text), &c));
	assert_string_equal(c.network, full.network);
	assert_string_equal(c.id, full.id);
	assert_string_equal(c.ifname, full.ifname);
	assert_string_equal(c.netns, full.netns);
	assert_string_equal(c.nsid.boot, full.nsid.boot);
	assert_int_equal(c.nsid.ino, full.nsid.ino);
	assert_int_equal(c.nsid.cookie, full.nsid.cookie);
	assert_string_equal(c.args, full.args);
	assert_string_equal(c.capability_args, "{\"ips\":[\"1\"],\"mac\":\"02:00\"}");
	assert_string_equal(c.result, "{\"cniVersion\":\"1.0.0\",\"ips\":[]}");
	assert_int_equal(c.config_size, full.config_size);
	assert_string_equal(c.config, full.config);
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
		CHECK(!cache_parse(&unit_tx.mem, bad[i], strlen(bad[i]), &c), "accepted: %s",
		      bad[i]);
}

/* ---- files ---- */

static char dir[] = "/tmp/test_cache.XXXXXX";
static struct cache cache;

static int make_dir(void **state)
{
	unit_begin(state);
	return !mkdtemp(dir) || cache_open(&unit_tx, dir, &cache) < 0;
}

static int remove_dir(void **state)
{
	const char *command = mem_printf(&unit_tx.mem, "rm -r %s", dir);
	int r = system(command); /* NOLINT(bugprone-command-processor,cert-env33-c) */

	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return unit_end(state) || r;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(mem_printf(&unit_tx.mem, "%s/results/%s", dir, name), "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void written_files_are_read(void **state)
{
	struct stat st;
	struct cached c;

	(void)state;
	assert_int_equal(cache_read(&unit_tx, &cache, &full_key, &c), 0);
	assert_int_equal(cache_write(&unit_tx, &cache, &full), 0);
	assert_int_equal(cache_read(&unit_tx, &cache, &full_key, &c), 1);
	assert_string_equal(c.netns, full.netns);
	assert_int_equal(stat(mem_printf(&unit_tx.mem,
					 "%s/results/net1-cnitool-a145bc1ace582bff43bd-eth0", dir),
			      &st),
			 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(mem_printf(&unit_tx.mem, "%s/results", dir), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(cache_remove(&unit_tx, &cache, &full_key), 0);
	assert_int_equal(cache_remove(&unit_tx, &cache, &full_key), 0);
	assert_int_equal(cache_read(&unit_tx, &cache, &full_key, &c), 0);
}

static void a_file_with_only_a_result_is_read(void **state)
{
	static const struct cache_key whole = { "n", "i", "eth0" }, broken = { "n", "i", "eth1" };
	struct cached c;

	(void)state;
	assert_int_equal(cache_lock(&unit_tx, &cache, true), 0);
	cache_unlock(&cache);
	put("n-i-eth0", "{\"cniVersion\":\"0.4.0\"}");
	put("n-i-eth1", "nonsense");
	assert_int_equal(cache_read(&unit_tx, &cache, &whole, &c), 1);
	assert_string_equal(c.result, "{\"cniVersion\":\"0.4.0\"}");
	assert_true(cache_read(&unit_tx, &cache, &broken, &c) < 0);
	assert_non_null(strstr(unit_tx.msg, "n-i-eth1"));
}

static void files_are_listed_in_order(void **state)
{
	struct cached a = full, *all;
	unsigned n;

	(void)state;
	assert_int_equal(cache_all(&unit_tx, &cache, NULL, &all, &n), 0);
	assert_int_equal(n, 0);
	a.network = "net2";
	assert_int_equal(cache_write(&unit_tx, &cache, &a), 0);
	assert_int_equal(cache_write(&unit_tx, &cache, &full), 0);
	put("junk", "nonsense");
	put("nameless", "{\"kind\":\"cniCacheV1\",\"containerId\":\"i\"}");
	assert_int_equal(cache_all(&unit_tx, &cache, NULL, &all, &n), 0);
	assert_int_equal(n, 2);
	assert_string_equal(all[0].network, "net1");
	assert_string_equal(all[1].network, "net2");
	assert_int_equal(cache_all(&unit_tx, &cache, "net2", &all, &n), 0);
	assert_int_equal(n, 1);
}

/* A file's text with n arguments "aaaaaaaaK=V". */
static const char *text_with_args(unsigned n)
{
	struct mem_text t = { .mem = &unit_tx.mem };
	struct cached a = full;

	for (unsigned i = 0; i < n; i++)
		mem_text_add(&t, "%saaaaaaaa%u=%u", mem_text_comma(&t, ";"), i, i);
	a.args = mem_text_end(&t);
	return cache_text(&unit_tx.mem, &a);
}

static void many_arguments_take_memory_like_their_text(void **state)
{
	const char *text = text_with_args(20000);
	struct mem own = { .blocks = NULL };
	struct cached c;

	(void)state;
	assert_true(cache_parse(&own, text, strlen(text), &c));
	CHECK(mem_used(&own) < 3 * strlen(text), "%zu bytes for %zu", mem_used(&own), strlen(text));
	mem_free(&own);
}

static void texts_of_long_files_are_read_when_needed(void **state)
{
	struct cached *all, c;
	unsigned n;

	(void)state;
	assert_int_equal(cache_lock(&unit_tx, &cache, true), 0);
	cache_unlock(&cache);
	put("net1-cnitool-a145bc1ace582bff43bd-eth0", text_with_args(20000));
	assert_int_equal(cache_all(&unit_tx, &cache, NULL, &all, &n), 0);
	assert_int_equal(n, 1);
	assert_true(all[0].partial && all[0].has_result);
	assert_null(all[0].args);
	assert_null(all[0].config);
	assert_string_equal(all[0].nsid.boot, full.nsid.boot);
	assert_int_equal(cache_load(&unit_tx, &all[0], &c), 0);
	assert_string_equal(c.config, full.config);
	assert_true(strlen(c.args) > 20000);
	assert_int_equal(cache_remove(&unit_tx, &cache, &full_key), 0);
	assert_int_equal(cache_load(&unit_tx, &all[0], &c), -EIO);
}

static void a_file_beyond_the_limit_is_neither_written_nor_read(void **state)
{
	char *config = mem_alloc(&unit_tx.mem, CACHE_FILE_MAX);
	struct cached a = full, *all, c;
	unsigned n;

	(void)state;
	memset(config, ' ', CACHE_FILE_MAX);
	a.config = config;
	a.config_size = CACHE_FILE_MAX;
	assert_int_equal(cache_write(&unit_tx, &cache, &a), -EFBIG);
	assert_non_null(strstr(unit_tx.msg, "more than"));
	assert_int_equal(cache_lock(&unit_tx, &cache, true), 0);
	cache_unlock(&cache);
	put("net1-cnitool-a145bc1ace582bff43bd-eth0", cache_text(&unit_tx.mem, &a));
	assert_true(cache_read(&unit_tx, &cache, &full_key, &c) < 0);
	assert_int_equal(cache_all(&unit_tx, &cache, NULL, &all, &n), 0);
	assert_int_equal(n, 0);
}

static void names_stay_in_the_folder(void **state)
{
	static const struct cache_key cases[] = {
		{ "../x", "i", "e" }, { "n", "../../i", "e" }, { "n", "i", "../e" },
		{ "", "i", "e" },     { "n", "", "e" },        { "n", "i", "" },
		{ "n", "i\n", "e" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		const char *path;

		CHECK(cache_path(&unit_tx, &cache, &cases[i], &path) < 0, "case %u", i);
		unit_again();
	}
}

/* ---- targets ---- */

static void targets_are_paths(void **state)
{
	static const struct {
		const char *arg, *path;
	} cases[] = {
		{ "/run/netns/a", "/run/netns/a" },
		{ "/run//netns/./b/../a/", "/run/netns/a" },
		{ "/../a", "/a" },
		{ "/", "/" },
		{ "no-such-namespace", "/run/netns/no-such-namespace" },
		{ "4194399", "/proc/4194399/ns/net" },
		{ "/proc/1/ns/net", "/proc/1/ns/net" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(target_path(&unit_tx.mem, cases[i].arg), cases[i].path);
	assert_int_equal(chdir("/tmp"), 0);
	assert_string_equal(target_path(&unit_tx.mem, "./ns"), "/tmp/ns");
	assert_string_equal(target_path(&unit_tx.mem, "../run/x"), "/run/x");
}

static void ids_are_the_references(void **state)
{
	(void)state;
	assert_string_equal(target_id(&unit_tx.mem, "/run/netns/a"),
			    "cnitool-a145bc1ace582bff43bd");
	assert_string_equal(target_id(&unit_tx.mem, "/var/run/netns/testing"),
			    "cnitool-77383ca0a0715733ca6f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(base64_is_encoded_and_decoded),
		WITH_TX(the_text_is_the_same_as_libcnis),
		WITH_TX(libcnis_text_is_parsed),
		cmocka_unit_test_setup_teardown(written_files_are_read, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(a_file_with_only_a_result_is_read, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(files_are_listed_in_order, make_dir, remove_dir),
		WITH_TX(many_arguments_take_memory_like_their_text),
		cmocka_unit_test_setup_teardown(texts_of_long_files_are_read_when_needed, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_file_beyond_the_limit_is_neither_written_nor_read,
						make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(names_stay_in_the_folder, make_dir, remove_dir),
		WITH_TX(targets_are_paths),
		WITH_TX(ids_are_the_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
