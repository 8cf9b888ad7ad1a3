// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_netns.c - entering a namespace and returning from it, sysctls in another namespace
 *
 * Two private namespaces: "home", where the test runs, and "away".
 */
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/differ.h"
#include "private_net.h"
#include "sys/netns.h"
#include "sys/sysctl.h"
#include "unit.h"

/* The sanitizer must let malloc() fail here, as it does in production. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static const char knob[] = "net/ipv4/ip_default_ttl";
static struct netns away = { .fd = -1 };
static ino_t home_ino;
static jmp_buf out_of_memory;

static ino_t where(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) < 0 ? 0 : st.st_ino;
}

static int make_namespaces(void **state)
{
	(void)state;
	tx_begin(&unit_tx);
	if (!private_net())
		return 0; /* each test skips itself */
	if (netns_open(&unit_tx, "/proc/self/ns/net", &away) < 0 || !private_net())
		return -1;
	home_ino = where();
	return home_ino == away.ino;
}

/* state: for cmocka's signature. */
static void need_namespaces(void **state)
{
	(void)state;
	if (away.fd < 0)
		skip();
}

static int record_place(struct tx *tx, void *arg)
{
	(void)tx;
	*(ino_t *)arg = where();
	return 0;
}

static int record_place_try(void *arg)
{
	return record_place(NULL, arg);
}

static int fail_inside(struct tx *tx, void *arg)
{
	(void)arg;
	return tx_fail(tx, -ENODEV, "inside");
}

static int fail_inside_try(void *arg)
{
	(void)arg;
	return -ENODEV;
}

static void a_function_runs_inside_and_the_process_returns(void **state)
{
	struct netns none = NETNS_NONE;
	ino_t inside = 0;

	need_namespaces(state);
	assert_int_equal(netns_run(&unit_tx, &away, record_place, &inside), 0);
	assert_int_equal(inside, away.ino);
	assert_int_equal(where(), home_ino);
	inside = 0;
	assert_int_equal(netns_run_try(&away, record_place_try, &inside), 0);
	assert_int_equal(inside, away.ino);
	assert_int_equal(where(), home_ino);
	assert_int_equal(netns_run_try(&away, fail_inside_try, NULL), -ENODEV);
	assert_int_equal(netns_run_try(&none, fail_inside_try, NULL), -EBADF);
	assert_int_equal(unit_tx.err, 0);
	assert_int_equal(netns_run(&unit_tx, &away, fail_inside, NULL), -ENODEV);
	assert_string_equal(unit_tx.msg, "inside");
	assert_int_equal(where(), home_ino);
	unit_again();
	assert_int_equal(netns_run(&unit_tx, &none, fail_inside, NULL), -EBADF);
	assert_int_equal(unit_tx.code, CNI_E_NETNS);
}

static int ask_socket(void *arg)
{
	auto_(fd_close) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*(uint64_t *)arg = netns_cookie_of_socket(fd);
	return 0;
}

static void a_cookie_identifies_a_namespace(void **state)
{
	struct netns self = NETNS_NONE;
	uint64_t cookie = netns_cookie(&away), of_socket;

	need_namespaces(state);
	(void)tx_fail(&unit_tx, -ENODEV, "an earlier failure");
	assert_int_equal(netns_open_self(&unit_tx, &self), 0);
	assert_int_equal(self.ino, home_ino);
	if (cookie)
		assert_true(netns_cookie(&self) != cookie);
	/* The id in a file handle, where the kernel has one, is what a socket tells. */
	assert_int_equal(netns_run_try(&away, ask_socket, &of_socket), 0);
	assert_int_equal(of_socket, cookie);
	netns_close(&self);
	assert_int_equal(netns_cookie(&self), 0);
	assert_string_equal(unit_tx.msg, "an earlier failure");
}

static void __attribute__((noreturn)) leave(void *arg)
{
	(void)arg;
	longjmp(out_of_memory, 1);
}

static int allocate_too_much(struct tx *tx, void *arg)
{
	(void)arg;
	mem_alloc(&tx->mem, SIZE_MAX / 4);
	return 0;
}

static int undo_tells_the_place(struct tx *tx, void *arg)
{
	return record_place(tx, *(ino_t **)arg);
}

/* The dispatcher's sequence: longjmp, netns_go_home(), rollback. */
static void an_exhausted_arena_is_rolled_back_at_home(void **state)
{
	static ino_t undone;
	ino_t *to = &undone;

	need_namespaces(state);
	unit_tx.mem.exhausted = leave;
	assert_int_equal(tx_undo(&unit_tx, undo_tells_the_place, "test", &to), 0);
	if (setjmp(out_of_memory) == 0) {
		(void)!netns_run(&unit_tx, &away, allocate_too_much, NULL);
		fail_msg("half the address space was available");
	}
	assert_int_equal(where(), away.ino); /* else this test proves nothing */
	netns_go_home();
	assert_int_equal(where(), home_ino);
	tx_rollback(&unit_tx);
	assert_int_equal(undone, home_ino);
	netns_go_home(); /* at home it does nothing */
	assert_int_equal(where(), home_ino);
}

/* A child that was forked inside stays there: it has no other home. */
static int fork_inside(struct tx *tx, void *arg)
{
	pid_t pid = fork();
	int status = -1;

	(void)tx;
	if (pid == 0) {
		netns_go_home();
		_exit(where() == away.ino ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	*(int *)arg = status;
	return 0;
}

static void a_child_keeps_the_namespace_it_was_forked_in(void **state)
{
	int status = -1;

	need_namespaces(state);
	assert_int_equal(netns_run(&unit_tx, &away, fork_inside, &status), 0);
	assert_int_equal(status, 0);
}

static void a_sysctl_is_set_and_restored_in_its_namespace(void **state)
{
	char now[16];

	need_namespaces(state);
	assert_int_equal(sysctl_read_try(&away, knob, now, sizeof(now)), 0);
	assert_string_equal(now, "64");
	assert_int_equal(sysctl_set(&unit_tx, &away, knob, "65"), 0);
	assert_int_equal(sysctl_set(&unit_tx, &away, knob, "65"), 0); /* no second undo */
	assert_int_equal(unit_tx.depth, 1);
	assert_int_equal(sysctl_read_try(&away, knob, now, sizeof(now)), 0);
	assert_string_equal(now, "65");
	assert_int_equal(sysctl_read_try(NULL, knob, now, sizeof(now)), 0);
	assert_string_equal(now, "64");
	tx_rollback(&unit_tx);
	assert_int_equal(sysctl_read_try(&away, knob, now, sizeof(now)), 0);
	assert_string_equal(now, "64");
}

/* What is recorded does not depend on an earlier failure. */
static void a_failure_of_a_sysctl_is_recorded(void **state)
{
	struct netns none = NETNS_NONE;
	char now[16];

	need_namespaces(state);
	assert_int_equal(sysctl_read_try(NULL, "net/ipv4/none", now, sizeof(now)), -ENOENT);
	assert_int_equal(sysctl_set(&unit_tx, &away, "net/ipv4/none", "1"), -ENOENT);
	assert_int_equal(unit_tx.err, 0);
	assert_int_equal(sysctl_set(&unit_tx, &none, knob, "1"), -EBADF);
	assert_int_equal(unit_tx.code, CNI_E_NETNS);
	assert_string_equal(unit_tx.details, "");
	assert_int_equal(sysctl_set(&unit_tx, &away, "net/ipv4", "1"), -EISDIR);
	assert_string_equal(unit_tx.details, "read sysctl net/ipv4: Is a directory");
	unit_again();
	assert_int_equal(sysctl_set(&unit_tx, &away, knob, "no number"), -EINVAL);
	assert_string_equal(unit_tx.msg,
			    "set sysctl net/ipv4/ip_default_ttl to no number: Invalid argument");
}

static const struct sysctl wanted[] = {
	{ "net/ipv4/ip_default_ttl", "64" },
	{ "net/ipv4/ip_forward", "7" },
	{ "net/ipv4/none", "1" },
};

static void differences_are_noted(void **state)
{
	need_namespaces(state);
	assert_int_equal(sysctl_check(&unit_tx, &away, wanted, ARRAY_LEN(wanted)), 0);
	assert_int_equal(unit_tx.n_differences, 1);
	assert_string_equal(unit_tx.differences[0].object, "sysctl net/ipv4/ip_forward");
	assert_string_equal(unit_tx.differences[0].want, "7");
}

static ino_t exhausted_in;

static void __attribute__((noreturn)) note_place(void *arg)
{
	(void)arg;
	exhausted_in = where();
	longjmp(out_of_memory, 1);
}

/* The check itself allocates before it enters, or after it has returned. */
static void a_check_does_not_allocate_inside(void **state)
{
	const struct rlimit nothing = { 0, 0 };
	static struct sysctl many[512];
	int status = -1;
	pid_t pid;

	need_namespaces(state);
	if (SANITIZED)
		skip(); /* the sanitizer needs memory itself */
	for (unsigned i = 0; i < ARRAY_LEN(many); i++)
		many[i] = wanted[1];
	pid = fork();
	if (pid == 0) {
		unit_tx.mem.exhausted = note_place;
		mem_alloc(&unit_tx.mem, 1); /* one block is there, and is used up below */
		setrlimit(RLIMIT_AS, &nothing);
		setrlimit(RLIMIT_DATA, &nothing);
		if (setjmp(out_of_memory) == 0)
			for (;;)
				(void)!sysctl_check(&unit_tx, &away, many, ARRAY_LEN(many));
		_exit(exhausted_in == home_ino && unit_tx.n_differences ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* As the init of cnitool run: process 1, as its parent is if cnitool runs in a container. */
static int be_init(void *arg)
{
	struct netns ns = NETNS_NONE;
	struct stat st;

	(void)arg;
	for (int fd = 3; fd < 64; fd++)
		dup2(open("/dev/null", O_RDONLY), fd); /* these numbers are other files' now */
	netns_forget_home();
	if (netns_open_self(&unit_tx, &ns) < 0 || stat("/proc/self/ns/net", &st) < 0)
		return 1;
	return ns.ino == st.st_ino && ns.dev == st.st_dev ? 0 : 2;
}

static int be_parent(void *arg)
{
	struct netns ns = NETNS_NONE;
	int status = -1;
	pid_t pid;

	if (netns_open_self(&unit_tx, &ns) < 0 || unshare(CLONE_NEWPID) < 0)
		return 3;
	pid = fork();
	if (pid == 0)
		_exit(be_init(arg));
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 4;
	return WEXITSTATUS(status);
}

static void a_child_with_the_same_pid_forgets_the_home_of_its_parent(void **state)
{
	int status = -1;
	pid_t pid, middle;

	need_namespaces(state);
	middle = fork();
	if (middle == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(77);
		pid = fork();
		if (pid == 0)
			_exit(be_parent(NULL));
		if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
			_exit(5);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(middle, &status, 0), middle);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_TX(a_function_runs_inside_and_the_process_returns),
		WITH_TX(a_cookie_identifies_a_namespace),
		WITH_TX(an_exhausted_arena_is_rolled_back_at_home),
		WITH_TX(a_child_keeps_the_namespace_it_was_forked_in),
		WITH_TX(a_child_with_the_same_pid_forgets_the_home_of_its_parent),
		WITH_TX(a_sysctl_is_set_and_restored_in_its_namespace),
		WITH_TX(a_failure_of_a_sysctl_is_recorded),
		WITH_TX(differences_are_noted),
		WITH_TX(a_check_does_not_allocate_inside),
	};

	return cmocka_run_group_tests(tests, make_namespaces, NULL);
}
