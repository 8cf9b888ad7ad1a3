// SPDX-License-Identifier: GPL-2.0-or-later
/* test_state.c - documents of attachments: saved, loaded, forgotten and put back */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "net_state.h"
#include "sys/file.h"
#include "sys/state.h"

static char tmp[PATH_MAX];
static char show[PATH_MAX + 128];
static struct state_file doc;

static const char *in_tmp(const char *name)
{
	static char path[PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s/%s", tmp, name);
	return path;
}

static int begin(void **state)
{
	const char *root = getenv("TMPDIR");

	snprintf(tmp, sizeof(tmp), "%s/cplug-state.XXXXXX", root ? root : "/tmp");
	if (!mkdtemp(tmp))
		return -1;
	/* The folder itself stays after an undo. */
	snprintf(show, sizeof(show), "cd '%s' && find . -type f -printf '%%p %%m ' -exec cat {} +",
		 tmp);
	unit_begin(state);
	doc = (struct state_file){ strdup(in_tmp("cni/tuning")), "c1_eth0.json" };
	return 0;
}

static int end(void **state)
{
	char command[PATH_MAX + 16];

	free((char *)(uintptr_t)doc.dir);
	snprintf(command, sizeof(command), "rm -rf '%s'", tmp);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a test's own directory */
		return -1;
	return unit_end(state);
}

static int save(struct tx *tx)
{
	return state_save(tx, &doc, "{\"mtu\": 1400}");
}

static int save_twice(struct tx *tx)
{
	TRY(save(tx));
	return state_save(tx, &doc, "{\"mtu\": 9000}");
}

static int forget(struct tx *tx)
{
	return state_forget(tx, &doc);
}

static int replace(struct tx *tx)
{
	TRY(forget(tx));
	return save(tx);
}

static void expect(const char *want)
{
	char *text = NULL;

	CHECK(state_load(&unit_tx, &doc, &text) == 1, "%s", unit_tx.msg);
	assert_string_equal(text, want);
}

static void saves_loads_forgets(void **state)
{
	char *text = NULL;
	struct stat st;

	(void)state;
	assert_int_equal(state_load(&unit_tx, &doc, &text), 0);
	assert_int_equal(forget(&unit_tx), 0);
	umask(0);
	assert_int_equal(save(&unit_tx), 0);
	expect("{\"mtu\": 1400}");
	assert_int_equal(stat(in_tmp("cni/tuning"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(stat(in_tmp("cni"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(stat(in_tmp("cni/tuning/c1_eth0.json"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(save_twice(&unit_tx), 0);
	expect("{\"mtu\": 9000}");
	assert_int_equal(forget(&unit_tx), 0);
	assert_int_equal(forget(&unit_tx), 0);
	assert_int_equal(state_load(&unit_tx, &doc, &text), 0);
}

static void undoes(void **state)
{
	(void)state;
	net_undoes(save, show);
	net_undoes(save_twice, show);
	assert_int_equal(state_save(&unit_tx, &doc, "{\"mtu\": 1}"), 0);
	net_undoes(save, show);
	net_undoes(save_twice, show);
	net_undoes(forget, show);
	net_undoes(replace, show);
	expect("{\"mtu\": 1}");
}

static void names_are_checked(void **state)
{
	static const struct {
		const char *plugin, *network, *id, *ifname;
	} bad[] = {
		{ "", "net", "c1", "eth0" },       { "..", "net", "c1", "eth0" },
		{ "a/b", "net", "c1", "eth0" },    { "tuning", "", "c1", "eth0" },
		{ "tuning", "a:b", "c1", "eth0" }, { "tuning", "net", "../c1", "eth0" },
		{ "tuning", "net", "", "eth0" },   { "tuning", "net", "c1", "e/th0" },
		{ "tuning", "net", "c1", "" },
	};
	static const char *const names[] = { "", ".", "..", ".hidden", "a/b", "../x" };
	struct state_file f;
	char *text;

	(void)state;
	assert_int_equal(state_of(&unit_tx, "tuning", "net.1", "c_1", "eth0+@", &f), 0);
	assert_string_equal(f.dir, "/run/cni/cplug/tuning");
	assert_string_equal(f.name, "net.1:c_1:eth0+@.json");
	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		CHECK(state_of(&unit_tx, bad[i].plugin, bad[i].network, bad[i].id, bad[i].ifname,
			       &f) < 0,
		      "case %u", i);
		assert_int_equal(unit_tx.code, CNI_E_ENV);
		unit_again();
	}
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		f = (struct state_file){ tmp, names[i] };
		CHECK(state_save(&unit_tx, &f, "{}") < 0, "\"%s\" was saved", names[i]);
		unit_again();
		CHECK(state_load(&unit_tx, &f, &text) < 0, "\"%s\" was loaded", names[i]);
		unit_again();
		CHECK(state_forget(&unit_tx, &f) < 0, "\"%s\" was forgotten", names[i]);
		unit_again();
	}
	f = (struct state_file){ "relative", "x.json" };
	assert_true(state_save(&unit_tx, &f, "{}") < 0);
}

/* Whatever stands in the place of a document is neither read nor written through, but replaced. */
static void replaces_what_is_no_file(void **state)
{
	static const char *const commands[] = {
		"ln -s /etc/passwd cni/tuning/c1_eth0.json",
		"ln -s gone cni/tuning/c1_eth0.json",
		"mkfifo cni/tuning/c1_eth0.json",
		"head -c 65537 /dev/zero >cni/tuning/c1_eth0.json",
	};
	char command[PATH_MAX + 128], *text = NULL;
	struct stat st, before, after;

	(void)state;
	assert_int_equal(stat("/etc/passwd", &before), 0);
	for (unsigned i = 0; i < ARRAY_LEN(commands); i++) {
		snprintf(command, sizeof(command),
			 "cd '%s' && mkdir -p cni/tuning && rm -rf cni/tuning/* && %s", tmp,
			 commands[i]);
		assert_int_equal(system(command), 0); /* NOLINT(cert-env33-c) */
		CHECK(state_load(&unit_tx, &doc, &text) < 0, "loaded: %s", commands[i]);
		assert_int_equal(unit_tx.code, CPLUG_E_FILE);
		unit_again();
		CHECK(save(&unit_tx) == 0, "%s: %s", commands[i], unit_tx.msg);
		CHECK(state_load(&unit_tx, &doc, &text) == 1, "%s: %s", commands[i], unit_tx.msg);
		assert_int_equal(lstat(in_tmp("cni/tuning/c1_eth0.json"), &st), 0);
		assert_true(S_ISREG(st.st_mode) && access(in_tmp("cni/tuning/gone"), F_OK) < 0);
		CHECK(forget(&unit_tx) == 0, "%s: %s", commands[i], unit_tx.msg);
		assert_true(lstat(in_tmp("cni/tuning/c1_eth0.json"), &st) < 0);
	}
	assert_int_equal(stat("/etc/passwd", &after), 0);
	assert_true(after.st_size == before.st_size && after.st_mtime == before.st_mtime);
}

/* An IPAM plugin has made it, because the author of a configuration chose it as dataDir. */
static void a_folder_is_no_document(void **state)
{
	char *text = NULL;

	(void)state;
	assert_int_equal(file_mkdirs(&unit_tx, in_tmp("cni/tuning/c1_eth0.json"), 0700), 0);
	assert_int_equal(state_load(&unit_tx, &doc, &text), 0);
	assert_int_equal(forget(&unit_tx), 0);
	assert_int_equal(save(&unit_tx), 0);
	assert_int_equal(state_load(&unit_tx, &doc, &text), 1);
}

static void a_large_document_is_refused(void **state)
{
	char *large = mem_alloc(&unit_tx.mem, STATE_MAX + 2);

	(void)state;
	memset(large, ' ', STATE_MAX);
	assert_int_equal(state_save(&unit_tx, &doc, large), 0);
	expect(large);
	large[STATE_MAX] = ' ';
	assert_true(state_save(&unit_tx, &doc, large) < 0);
	assert_non_null(strstr(unit_tx.msg, "c1_eth0.json: File too large"));
}

static void lists_for_gc(void **state)
{
	struct state_list list = { .n = 99 };
	struct state_file f = { doc.dir, "net:c1:eth0.json" };
	unsigned ours = 0;

	(void)state;
	assert_int_equal(state_list(&unit_tx, doc.dir, &list), 0);
	assert_int_equal(list.n, 0);
	assert_int_equal(save(&unit_tx), 0);
	assert_int_equal(state_save(&unit_tx, &f, "{}"), 0);
	f.name = "net:c1.json";
	assert_int_equal(state_save(&unit_tx, &f, "{}"), 0);
	f.name = "n/t:c1:eth0.txt";
	assert_true(state_save(&unit_tx, &f, "{}") < 0);
	unit_again();
	assert_int_equal(state_list(&unit_tx, doc.dir, &list), 0);
	assert_int_equal(list.n, 3);
	for (unsigned i = 0; i < list.n; i++) {
		const struct state_entry *e = &list.e[i];
		char *text;

		assert_int_equal(state_load(&unit_tx, &e->file, &text), 1);
		if (!e->network)
			continue;
		ours++;
		assert_string_equal(e->network, "net");
		assert_string_equal(e->id, "c1");
		assert_string_equal(e->ifname, "eth0");
	}
	assert_int_equal(ours, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(saves_loads_forgets),
		TEST(undoes),
		TEST(names_are_checked),
		TEST(replaces_what_is_no_file),
		TEST(a_folder_is_no_document),
		TEST(a_large_document_is_refused),
		TEST(lists_for_gc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
