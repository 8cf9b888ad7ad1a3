// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_exec.c - other plugins: search, execution, result
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/exec.h"
#include "unit.h"

static char dir[] = "/tmp/test_exec.XXXXXX";

static const char *path_of(const char *name)
{
	return mem_printf(&unit_tx.mem, "%s/%s", dir, name);
}

/* Creates a plugin that is a shell script. */
static void plugin(const char *name, const char *script)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_true(fprintf(f, "#!/bin/sh\n%s\n", script) > 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(name), 0755), 0);
}

static int make_dir(void **state)
{
	unit_begin(state);
	return !mkdtemp(dir);
}

static int remove_dir(void **state)
{
	const char *command = mem_printf(&unit_tx.mem, "rm -r %s", dir);
	int r = system(command); /* NOLINT(bugprone-command-processor,cert-env33-c) */

	memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
	return unit_end(state) || r;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void plugins_are_found(void **state)
{
	struct {
		const char *path, *type, *words; /* NULL: found */
	} cases[] = {
		{ dir, "there", NULL },
		{ mem_printf(&unit_tx.mem, "/nowhere::%s", dir), "there", NULL },
		{ dir, "link", NULL },
		{ "/nowhere:/proc", "there",
		  "failed to find plugin \"there\" in path [/nowhere /proc]" },
		{ dir, "folder", "failed to find plugin \"folder\"" },
		{ dir, "", "no plugin name provided" },
		{ dir, "a/b", "invalid plugin name: a/b" },
		{ dir, "..", "invalid plugin name: .." },
		{ "", "there", "no paths provided" },
		{ ":", "there", "failed to find plugin" },
	};
	const char *found;
	bool self;

	(void)state;
	plugin("there", "");
	assert_int_equal(symlink("there", path_of("link")), 0);
	assert_int_equal(mkdir(path_of("folder"), 0755), 0);
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		int r = exec_find(&unit_tx, cases[i].path, cases[i].type, &found, &self);

		CHECK((r == 0) == !cases[i].words, "case %u: %s", i, unit_tx.msg);
		if (!cases[i].words) {
			CHECK(!self, "case %u: it is not us", i);
			continue;
		}
		CHECK(unit_tx.code == CPLUG_E_DELEGATE, "case %u: code", i);
		CHECK(strstr(unit_tx.msg, cases[i].words), "case %u: %s", i, unit_tx.msg);
		unit_tx.err = 0;
		unit_tx.details[0] = '\0';
	}
	assert_int_equal(symlink("/proc/self/exe", path_of("self")), 0);
	assert_int_equal(exec_find(&unit_tx, dir, "self", &found, &self), 0);
	assert_true(self);
}

/* Runs a plugin, and asserts that it fails. */
static int run_failing(const char *name, int timeout_ms)
{
	struct exec_request q = { .path = path_of(name), .in = "", .timeout_ms = timeout_ms };
	struct exec_answer a;

	return exec_run(&unit_tx, &q, &a);
}

static struct exec_answer run(const char *name, const char *in)
{
	static const char *const env[] = { "CNI_COMMAND=ADD", "CNI_NETNS=", NULL };
	struct exec_request q = { .path = path_of(name), .env = env, .in = in, .size = strlen(in) };
	struct exec_answer a = { .status = -1 };

	assert_int_equal(exec_run(&unit_tx, &q, &a), 0);
	return a;
}

static void streams_and_environment_are_its_own(void **state)
{
	struct exec_answer a;
	int extra = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

	(void)state;
	assert_true(extra >= 0);
	setenv("CNI_COMMAND", "DEL", 1);
	setenv("CNI_TEST_EXEC", "kept", 1);
	plugin("echo", "cat; printf ' %s %s [%s]' $CNI_COMMAND $CNI_TEST_EXEC \"$CNI_NETNS\"; cat");
	a = run("echo", "{\"a\":1}");
	assert_int_equal(a.status, 0);
	assert_string_equal(a.out, "{\"a\":1} ADD kept []");
	assert_int_equal(a.out_size, strlen(a.out));
	assert_string_equal(a.err, "");
	plugin("fds",
	       "for i in 3 4 5 6 7 8 9; do [ -e /proc/$$/fd/$i ] && readlink /proc/$$/fd/$i; "
	       "done; exit 0");
	a = run("fds", "");
	CHECK(!strstr(a.out, "null") && !strstr(a.out, "pipe"), "inherited: %s", a.out);
	close(extra);
	plugin("lines", "echo one >&2; i=0; while [ $i -lt 3000 ]; do echo x; i=$((i + 1)); done; "
			"echo two >&2; exit 7");
	a = run("lines", "");
	assert_int_equal(WEXITSTATUS(a.status), 7);
	assert_int_equal(a.out_size, 6000);
	assert_string_equal(a.err, "one\ntwo\n");
}

static void a_grandchild_does_not_block_the_caller(void **state)
{
	int64_t begin = now_ms();
	struct exec_answer a;

	(void)state;
	plugin("daemon", "sleep 20 & echo done");
	a = run("daemon", "");
	assert_string_equal(a.out, "done\n");
	assert_true(now_ms() - begin < 10000);
}

/* A runtime that ignores SIGCHLD: the kernel would reap the plugin, and its status be lost. */
static void the_status_is_known_although_sigchld_is_ignored(void **state)
{
	unsigned long long ignored;
	struct sigaction now;
	struct exec_answer a;

	(void)state;
	plugin("seven", "grep SigIgn /proc/$$/status; exit 7");
	assert_true(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	a = run("seven", "");
	assert_int_equal(sigaction(SIGCHLD, NULL, &now), 0);
	assert_true(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
	assert_true(now.sa_handler == SIG_IGN);
	assert_true(WIFEXITED(a.status));
	assert_int_equal(WEXITSTATUS(a.status), 7);
	/*
	 * The plugin itself runs with the defaults.  The C library keeps 32 to 34 to itself, which
	 * make 4.4 ignores.
	 */
	assert_true(str_starts(a.out, "SigIgn:\t"));
	ignored = strtoull(a.out + strlen("SigIgn:\t"), NULL, 16);
	assert_true((ignored & ~(7ULL << 31)) == 0);
}

/* Waits up to ten seconds for a file with a number. */
static int number_in(const char *path)
{
	const struct timespec moment = { .tv_nsec = 20000000 };

	for (unsigned i = 0; i < 500; i++) {
		FILE *f = fopen(path, "r");
		int n = 0;

		if (f && fscanf(f, "%d", &n) != 1)
			n = 0;
		if (f)
			fclose(f);
		if (n)
			return n;
		nanosleep(&moment, NULL);
	}
	return 0;
}

static void the_plugin_ends_with_its_killed_parent(void **state)
{
	int status = 0, caller_pid, plugin_pid;

	(void)state;
	plugin("endless", mem_printf(&unit_tx.mem, "echo $$ >%s/pid; exec sleep 1000", dir));
	/* The plugin becomes our child when its parent is gone, and can be awaited. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
	caller_pid = fork();
	assert_true(caller_pid >= 0);
	if (caller_pid == 0) {
		run("endless", "");
		_exit(0);
	}
	plugin_pid = number_in(path_of("pid"));
	assert_true(plugin_pid > 0);
	kill(caller_pid, SIGKILL);
	assert_int_equal(waitpid(caller_pid, &status, 0), caller_pid);
	alarm(60); /* the plugin must not live as long as it wants */
	assert_int_equal(waitpid(plugin_pid, &status, 0), plugin_pid);
	alarm(0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
}

static void failures_to_execute_are_reported(void **state)
{
	FILE *f;

	(void)state;
	assert_true(run_failing("missing", 0) < 0);
	assert_non_null(strstr(unit_tx.msg, "cannot run "));
	assert_int_equal(unit_tx.code, CPLUG_E_DELEGATE);
	unit_again();
	f = fopen(path_of("text"), "w");
	assert_non_null(f);
	fputs("no program", f);
	fclose(f);
	chmod(path_of("text"), 0755);
	assert_true(run_failing("text", 0) < 0);
	assert_non_null(strstr(unit_tx.msg, strerror(ENOEXEC)));
}

static void a_timeout_kills_the_plugin(void **state)
{
	int64_t begin = now_ms();

	(void)state;
	plugin("slow", "exec sleep 20");
	assert_int_equal(run_failing("slow", 50), -ETIMEDOUT);
	assert_int_equal(unit_tx.code, CNI_E_AGAIN);
	assert_true(now_ms() - begin < 9000);
}

static void too_much_output_is_rejected(void **state)
{
	(void)state;
	plugin("flood", "exec yes");
	assert_int_equal(run_failing("flood", 0), -EFBIG);
}

static size_t address_space(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	size_t pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%zu", &pages), 1);
	fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static bool signals_are_open(void)
{
	sigset_t mask;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	return !sigismember(&mask, SIGTERM) && !sigismember(&mask, SIGCHLD);
}

/* In a child process, because its memory is limited. */
static int flood_with_little_memory(void)
{
	struct rlimit limit = { address_space() + (1 << 20), RLIM_INFINITY };
	bool no_child;
	int r;

	setrlimit(RLIMIT_AS, &limit);
	r = run_failing("flood", 0);
	no_child = waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
	if (r != -ENOMEM || unit_tx.code != CPLUG_E_MEMORY)
		return 1;
	if (!strstr(unit_tx.msg, "flood: out of memory for its output"))
		return 2;
	return no_child && signals_are_open() ? 0 : 3;
}

static void the_plugin_is_killed_when_memory_runs_out(void **state)
{
	int status = -1;
	pid_t pid;

	(void)state;
	if (SANITIZED)
		skip();
	plugin("flood", "exec yes");
	pid = fork();
	if (pid == 0)
		_exit(flood_with_little_memory());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void failures_are_passed_through(void **state)
{
	static const struct {
		const char *script, *msg, *details;
		int code;
	} cases[] = {
		{ "exit 0", NULL, NULL, 0 },
		{ "echo '{\"code\":11,\"msg\":\"busy\",\"details\":\"by x\"}'; exit 1", "busy",
		  "by x", 11 },
		{ "echo '{\"cniVersion\":\"1.0.0\",\"code\":999,\"msg\":\"m\"}'; exit 1", "m", "",
		  999 },
		{ "echo boom >&2; exit 3",
		  "failed with exit status 3 and gave no error object: boom", "",
		  CPLUG_E_DELEGATE },
		{ "echo nonsense; exit 3",
		  "failed with exit status 3 and gave no readable error object", "",
		  CPLUG_E_DELEGATE },
		{ "kill -9 $$", "was killed by signal 9 (Killed) and gave no error object", "",
		  CPLUG_E_DELEGATE },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct exec_answer a;
		int r;

		plugin("case", cases[i].script);
		a = run("case", "{}");
		r = exec_judge(&unit_tx, "case", &a);
		CHECK((r == 0) == !cases[i].msg, "case %u: %d", i, r);
		if (!cases[i].msg)
			continue;
		CHECK(strstr(unit_tx.msg, cases[i].msg), "case %u: %s", i, unit_tx.msg);
		assert_string_equal(unit_tx.details, cases[i].details);
		assert_int_equal((int)unit_tx.code, cases[i].code);
		unit_again();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(plugins_are_found, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(streams_and_environment_are_its_own, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_grandchild_does_not_block_the_caller, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(the_status_is_known_although_sigchld_is_ignored,
						make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_plugin_ends_with_its_killed_parent, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(failures_to_execute_are_reported, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(a_timeout_kills_the_plugin, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(too_much_output_is_rejected, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(the_plugin_is_killed_when_memory_runs_out, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(failures_are_passed_through, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
