// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_file.c - reading, replacing and locking files, each test in its own folder
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "sys/file.h" // NOLINT(readability-duplicate-include): <sys/file.h> is another
#include "cni/resolv.h"
#include "unit.h"

static char dir[PATH_MAX];
static int at = -1;

static int begin(void **state)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%s/cplug-file.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(dir))
		return -1;
	at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return unit_begin(state);
}

static int end(void **state)
{
	char command[PATH_MAX + 16];

	fd_close(&at);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	if (system(command) != 0) /* NOLINT(cert-env33-c): a test's own directory */
		return -1;
	return unit_end(state);
}

static const char *in_dir(const char *name)
{
	return mem_printf(&unit_tx.mem, "%s/%s", dir, name);
}

static void expect(const char *name, const char *want)
{
	struct file_text text = { NULL, 0 };
	int r = file_read(&unit_tx.mem, at, name, 1 << 20, &text);

	CHECK(r == 0, "%s: %s", name, strerror(-r));
	assert_int_equal(text.size, strlen(want));
	assert_string_equal(text.s, want);
}

static int put_in(int dirfd, const char *name, const char *text, mode_t mode, bool sync)
{
	const struct file_new f = { .dirfd = dirfd,
				    .path = name,
				    .data = text,
				    .size = strlen(text),
				    .mode = mode,
				    .sync = sync };

	return file_replace(&unit_tx, &f);
}

static int put(const char *name, const char *text)
{
	return put_in(at, name, text, 0644, false);
}

static unsigned entries(void)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));)
		n += e->d_name[strspn(e->d_name, ".")] != '\0';
	closedir(d);
	return n;
}

static void reads_whole_files(void **state)
{
	struct file_text text;

	(void)state;
	assert_int_equal(put("a", "hello\n"), 0);
	expect("a", "hello\n");
	assert_int_equal(put("empty", ""), 0);
	expect("empty", "");
	assert_int_equal(file_read(&unit_tx.mem, at, "a", 6, &text), 0);
	assert_int_equal(file_read(&unit_tx.mem, at, "a", 5, &text), -EFBIG);
	assert_int_equal(file_read(&unit_tx.mem, at, "none", 5, &text), -ENOENT);
	assert_int_equal(file_read(&unit_tx.mem, at, ".", 5, &text), -EISDIR);
	assert_int_equal(mkfifoat(at, "fifo", 0600), 0);
	assert_int_equal(file_read(&unit_tx.mem, at, "fifo", 5, &text), -EINVAL);
	/* Files in /proc have size 0. */
	assert_int_equal(file_read(&unit_tx.mem, AT_FDCWD, "/proc/self/maps", 1 << 20, &text), 0);
	assert_true(text.size > 1024 && text.size == strlen(text.s));
	assert_int_equal(file_read(&unit_tx.mem, AT_FDCWD, "/proc/self/maps", 100, &text), -EFBIG);
	assert_int_equal(unit_tx.err, 0); /* reading does not record failures */
}

static void replaces(void **state)
{
	struct stat st;
	int old;

	(void)state;
	umask(077);
	assert_int_equal(put("a", "one"), 0);
	umask(022);
	assert_int_equal(fstatat(at, "a", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	old = openat(at, "a", O_RDONLY | O_CLOEXEC);
	assert_int_equal(put("a", "another"), 0);
	assert_int_equal(put_in(AT_FDCWD, in_dir("a"), "third", 0600, true), 0);
	expect("a", "third");
	assert_int_equal(fstat(old, &st), 0);
	assert_int_equal(st.st_size, 3); /* an open descriptor still refers to the old file */
	fd_close(&old);
	/* A symlink is replaced, not followed. */
	assert_int_equal(symlinkat("a", at, "link"), 0);
	assert_int_equal(put("link", "not a"), 0);
	expect("a", "third");
	expect("link", "not a");
	assert_int_equal(entries(), 2);
}

static void replaces_leftovers_of_a_killed_process(void **state)
{
	(void)state;
	assert_int_equal(put("a", "one"), 0);
	assert_int_equal(put(".a.cplug-new", "half of tw"), 0);
	assert_int_equal(put("a", "two"), 0);
	expect("a", "two");
	assert_int_equal(entries(), 1);
	assert_int_equal(put(".a.cplug-new", "half"), 0);
	assert_int_equal(file_remove(&unit_tx, at, "a"), 0);
	assert_int_equal(file_remove(&unit_tx, at, "a"), 0);
	assert_int_equal(entries(), 0);
}

/* With many writers, readers always see a complete file. */
static void writers_do_not_mix(void **state)
{
	enum { WRITERS = 4, ROUNDS = 300, SIZE = 20000 };
	static char text[SIZE];
	const struct file_new f = {
		.dirfd = at, .path = "a", .data = text, .size = sizeof(text), .mode = 0600
	};
	pid_t pids[WRITERS];

	(void)state;
	for (int w = 0; w < WRITERS; w++) {
		pids[w] = fork();
		if (pids[w] == 0) {
			memset(text, 'a' + w, sizeof(text));
			for (int i = 0; i < ROUNDS; i++)
				if (file_replace(&unit_tx, &f) < 0)
					_exit(1);
			_exit(0);
		}
	}
	for (int i = 0; i < ROUNDS; i++) {
		struct file_text got;
		int r = file_read(&unit_tx.mem, at, "a", 1 << 20, &got);

		if (r == -ENOENT)
			continue;
		assert_int_equal(r, 0);
		assert_int_equal(got.size, SIZE);
		assert_int_equal(got.s[0], got.s[SIZE - 1]);
		assert_int_equal(strspn(got.s, (char[]){ got.s[0], '\0' }), SIZE);
		unit_again();
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;

		waitpid(pids[w], &status, 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(entries(), 1);
}

static void reports_what_it_cannot_write(void **state)
{
	(void)state;
	assert_int_equal(put_in(at, "no/a", "", 0600, false), -ENOENT);
	assert_int_equal(unit_tx.code, CPLUG_E_FILE);
	assert_string_equal(
		unit_tx.msg,
		mem_printf(&unit_tx.mem, "write %s/no/a: No such file or directory", dir));
	unit_again();
	assert_int_equal(mkdirat(at, "d", 0700), 0);
	assert_int_equal(put_in(at, "d", "", 0600, false), -EISDIR);
	unit_again();
	/* It is no file, and stays. */
	assert_int_equal(file_remove(&unit_tx, at, "d"), 0);
	assert_int_equal(entries(), 1);
}

/* A folder in the place of a file of cplug's, or of the temporary name of any file. */
static void moves_folders_away(void **state)
{
	const struct file_new own = {
		.dirfd = at, .path = "d", .data = "x", .size = 1, .own = true
	};

	(void)state;
	assert_int_equal(mkdirat(at, "d", 0700), 0);
	assert_int_equal(mkdirat(at, ".d.cplug-new", 0700), 0);
	assert_int_equal(file_replace(&unit_tx, &own), 0);
	assert_int_equal(entries(), 3);
	assert_int_equal(mkdirat(at, ".a.cplug-new", 0700), 0);
	assert_int_equal(put_in(at, "a", "x", 0600, false), 0);
	assert_int_equal(put_in(at, "a", "y", 0600, false), 0);
}

static void makes_directories(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(file_mkdirs(&unit_tx, in_dir("a/b//c/"), 0755), 0);
	assert_int_equal(file_mkdirs(&unit_tx, in_dir("a/b/c"), 0755), 0);
	assert_int_equal(fstatat(at, "a/b/c", &st, 0), 0);
	assert_int_equal(symlinkat("a", at, "link"), 0);
	assert_int_equal(file_mkdirs(&unit_tx, in_dir("link/d"), 0700), 0);
	assert_int_equal(fstatat(at, "a/d", &st, 0), 0);
	assert_int_equal(put("file", ""), 0);
	assert_int_equal(file_mkdirs(&unit_tx, in_dir("file"), 0700), -ENOTDIR);
	unit_again();
	assert_int_equal(file_mkdirs(&unit_tx, in_dir("file/x"), 0700), -ENOTDIR);
	assert_int_equal(unit_tx.code, CPLUG_E_FILE);
}

/* ---- locks ---- */

/* Starts a child that holds the lock until it gets a byte, or is killed. */
static pid_t holder(int *ret_tell)
{
	int pipes[2][2];
	pid_t pid;
	char c;

	assert_int_equal(pipe2(pipes[0], O_CLOEXEC), 0);
	assert_int_equal(pipe2(pipes[1], O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		int fd = openat(at, "lock", O_RDONLY | O_CREAT, 0600);

		if (flock(fd, LOCK_EX) < 0 || write(pipes[0][1], "", 1) != 1)
			_exit(1);
		close(pipes[1][1]);
		_exit((int)read(pipes[1][0], &c, 1));
	}
	assert_int_equal(read(pipes[0][0], &c, 1), 1);
	close(pipes[0][0]);
	close(pipes[0][1]);
	close(pipes[1][0]);
	*ret_tell = pipes[1][1];
	return pid;
}

static void locks(void **state)
{
	auto_(fd_close) int fd = -1;
	struct stat st;

	(void)state;
	assert_int_equal(file_lock(&unit_tx, at, "lock", 1000, &fd), 0);
	assert_int_equal(fstatat(at, "lock", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fd_close(&fd);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 0, &fd), 0);
}

static void names_the_holder(void **state)
{
	auto_(fd_close) int fd = -1;
	char self[16]; /* as the kernel names it: an emulator has its own name */
	const char *want;
	pid_t pid;
	int tell;

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, self), 0);
	pid = holder(&tell);
	want = mem_printf(&unit_tx.mem,
			  "lock %s/lock: held by process %d (%s) for 0.12 seconds "
			  "(end that process if it hangs, and repeat the call)",
			  dir, (int)pid, self);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 120, &fd), -ETIMEDOUT);
	assert_int_equal(unit_tx.code, CNI_E_AGAIN);
	assert_string_equal(unit_tx.msg, want);
	unit_again();
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 10, &fd), -ETIMEDOUT);
	want = mem_printf(&unit_tx.mem, "(%s, stopped)", self);
	CHECK(strstr(unit_tx.msg, want), "%s", unit_tx.msg);
	unit_again();
	kill(pid, SIGKILL);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 5000, &fd), 0);
	waitpid(pid, NULL, 0);
	close(tell);
}

static void waits_for_its_turn(void **state)
{
	auto_(fd_close) int fd = -1;
	pid_t pid, closer;
	int tell;

	(void)state;
	pid = holder(&tell);
	closer = fork();
	if (closer == 0) {
		usleep(80000);
		_exit(0);
	}
	close(tell); /* only the closer still has it open */
	assert_int_equal(file_lock(&unit_tx, at, "lock", 10000, &fd), 0);
	waitpid(pid, NULL, 0);
	waitpid(closer, NULL, 0);
}

/* If the lock file is deleted and created again while we wait, the new one is locked. */
static void follows_the_name(void **state)
{
	auto_(fd_close) int fd = -1;
	struct stat mine, named;
	pid_t pid, remover;
	int tell;

	(void)state;
	pid = holder(&tell);
	remover = fork();
	if (remover == 0) {
		usleep(50000);
		unlinkat(at, "lock", 0);
		close(openat(at, "lock", O_RDONLY | O_CREAT, 0600));
		_exit(0);
	}
	close(tell);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 10000, &fd), 0);
	assert_int_equal(fstat(fd, &mine), 0);
	assert_int_equal(fstatat(at, "lock", &named, 0), 0);
	assert_int_equal(mine.st_ino, named.st_ino);
	waitpid(pid, NULL, 0);
	waitpid(remover, NULL, 0);
}

/* A byte is locked by another process, in which it is the object `what`. */
static void bytes_are_locked_one_by_one(void **state)
{
	struct file_byte one = { in_dir("bytes"), UINT32_MAX, "object one", false };
	struct file_byte two = { in_dir("bytes"), UINT32_MAX - 1, "object two", false };
	auto_(fd_close) int fd = -1;
	char self[16];
	const char *want;
	struct stat st;
	int ready[2];
	pid_t pid;
	char c;

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, self), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (file_lock_byte(&unit_tx, &one, 0, &fd) < 0 || write(ready[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(fstatat(at, "bytes", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(file_lock_byte(&unit_tx, &two, 0, &fd), 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	fd_close(&fd);
	want = mem_printf(&unit_tx.mem,
			  "lock %s/bytes of object one: held by process %d (%s) for 0.12 "
			  "seconds (end that process if it hangs, and repeat the call)",
			  dir, (int)pid, self);
	assert_int_equal(file_lock_byte(&unit_tx, &one, 120, &fd), -ETIMEDOUT);
	assert_int_equal(unit_tx.code, CNI_E_AGAIN);
	assert_string_equal(unit_tx.msg, want);
	unit_again();
	kill(pid, SIGKILL);
	assert_int_equal(file_lock_byte(&unit_tx, &one, 5000, &fd), 0);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	close(ready[1]);
}

/* A child that keeps the descriptor holds the lock when its parent has closed it. */
static void a_lock_is_inherited(void **state)
{
	struct file_byte one = { in_dir("bytes"), 1, "object one", true };
	auto_(fd_close) int fd = -1;
	auto_(fd_close) int other = -1;
	pid_t pid;

	(void)state;
	assert_int_equal(file_lock_byte(&unit_tx, &one, 0, &fd), 0);
	pid = fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	fd_close(&fd);
	assert_int_equal(file_lock_byte(&unit_tx, &one, 120, &other), -ETIMEDOUT);
	assert_non_null(strstr(unit_tx.msg, "object one: held by another process"));
	unit_again();
	kill(pid, SIGKILL);
	assert_int_equal(file_lock_byte(&unit_tx, &one, 5000, &other), 0);
	waitpid(pid, NULL, 0);
}

static void an_invalid_lock_file_is_rejected(void **state)
{
	auto_(fd_close) int fd = -1;

	(void)state;
	assert_int_equal(symlinkat("elsewhere", at, "lock"), 0);
	assert_int_equal(file_lock(&unit_tx, at, "lock", 100, &fd), -ELOOP);
	assert_int_equal(unit_tx.code, CPLUG_E_FILE);
	assert_int_equal(entries(), 1);
}

/* ---- resolv.conf ---- */

static const char *joined(const char *const *words, unsigned n)
{
	const char *s = "";

	for (unsigned i = 0; i < n; i++)
		s = mem_printf(&unit_tx.mem, "%s%s%s", s, i ? "," : "", words[i]);
	return s;
}

static void reads_resolv_conf(void **state)
{
	static const struct {
		const char *text, *nameservers, *domain, *search, *options;
	} cases[] = {
		{ "", "", NULL, "", "" },
		{ "nameserver 10.0.0.1\nnameserver\tfd00::1 more\n", "10.0.0.1,fd00::1", NULL, "",
		  "" },
		{ "domain a.example\r\nsearch b c\nsearch d\noptions ndots:2 edns0\n", "",
		  "a.example", "b,c,d", "ndots:2,edns0" },
		{ "# nameserver 1\n ; search x\n#\n\nnameserver\nsearch\nsortlist 1\n  nameserver "
		  "2",
		  "2", NULL, "", "" },
		{ "domain a\ndomain b", "", "b", "", "" },
		{ "nameserver#1\nNAMESERVER 2", "", NULL, "", "" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		struct result_dns d = { 0 };

		assert_int_equal(put("resolv.conf", cases[i].text), 0);
		assert_int_equal(resolv_read(&unit_tx, in_dir("resolv.conf"), &d), 0);
		assert_string_equal(joined(d.nameservers, d.n_nameservers), cases[i].nameservers);
		assert_string_equal(joined(d.search, d.n_search), cases[i].search);
		assert_string_equal(joined(d.options, d.n_options), cases[i].options);
		if (cases[i].domain)
			assert_string_equal(d.domain, cases[i].domain);
		else
			assert_null(d.domain);
	}
	assert_int_equal(resolv_read(&unit_tx, in_dir("none"), &(struct result_dns){ 0 }), -ENOENT);
	assert_int_equal(unit_tx.code, CPLUG_E_FILE);
}

#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(reads_whole_files),
		IN_DIR(replaces),
		IN_DIR(replaces_leftovers_of_a_killed_process),
		IN_DIR(writers_do_not_mix),
		IN_DIR(reports_what_it_cannot_write),
		IN_DIR(moves_folders_away),
		IN_DIR(makes_directories),
		IN_DIR(locks),
		IN_DIR(names_the_holder),
		IN_DIR(waits_for_its_turn),
		IN_DIR(follows_the_name),
		IN_DIR(bytes_are_locked_one_by_one),
		IN_DIR(a_lock_is_inherited),
		IN_DIR(an_invalid_lock_file_is_rejected),
		IN_DIR(reads_resolv_conf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
