// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec.c - run another plugin
 *
 * The child reads its request from a sealed memfd, so nothing has to be fed to it, and no
 * SIGPIPE can occur.  Its stdout and stderr are pipes.  A pidfd reports its end, because a
 * grandchild may keep the pipes open.  One ppoll() waits for all three.
 *
 * The child shares our memory until execve(), while we wait (CLONE_VM, CLONE_VFORK): no page
 * tables are copied, and it reports the errno of execve() in a variable.  Its stack is in the
 * arena.  Signals are blocked from before clone() until the child has ended, except inside
 * ppoll(), so none of our handlers runs in the child, and no signal is missed between
 * tx_interrupted() and the sleep.
 *
 * Between clone() and the return, an exhausted arena must not leave by longjmp (mem.h): the child
 * would run on without an undo.  So memory is allocated before, or with mem_try_alloc().
 *
 * If we are interrupted, or the child takes too long or writes too much, it gets SIGTERM, so
 * that it can roll back, and SIGKILL after GRACE_MS.
 */
#include <fcntl.h>
#include <jansson.h>
#include <linux/memfd.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "sys/exec.h"
#include "base/log.h"
#include "sys/priv.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8U
#endif

enum {
	OUT_MAX = 16 << 20,
	OUT_FIRST = 4096,
	ERR_KEPT = 4096,
	BUSY_TRIES = 50, /* ETXTBSY: the plugin's file is open for writing */
	BUSY_WAIT_MS = 20,
	GRACE_MS = 10000, /* from SIGTERM to SIGKILL */
	CHILD_STACK = 32 << 10,
};

struct job {
	const char *path;
	int in;             /* the request */
	int out[2], err[2]; /* pipes */
	int pidfd;
	int kept; /* exec_request.kept */
	pid_t pid;
	int timeout_ms, grace_ms;
	int64_t deadline; /* in ms of CLOCK_MONOTONIC; 0: none */
	bool stopping;    /* SIGTERM was sent */
	int failed;       /* the recorded failure for which it was stopped */
	sigset_t mask;    /* ours, to be restored */
	struct sigaction chld;
	char *text; /* its stdout so far, NUL-terminated */
	size_t size, room;
	char *tail; /* the end of its stderr */
	size_t tail_size;
};

/* ---- before the start ---- */

static void job_close(struct job *j)
{
	fd_close(&j->in);
	fd_close(&j->out[0]);
	fd_close(&j->out[1]);
	fd_close(&j->err[0]);
	fd_close(&j->err[1]);
	fd_close(&j->pidfd);
}

static bool env_named(const char *const *env, const char *entry)
{
	size_t n = strcspn(entry, "=") + 1;

	for (; env && *env; env++)
		if (strncmp(*env, entry, n) == 0)
			return true;
	return false;
}

/* Our environment, with the changes. */
static char **env_build(struct mem *mem, const char *const *env)
{
	char **list = NULL;
	size_t n = 0;

	for (char **e = environ; e && *e; e++)
		if (!env_named(env, *e)) {
			list = mem_grow(mem, list, n, sizeof(*list));
			list[n++] = *e;
		}
	for (; env && *env; env++) {
		list = mem_grow(mem, list, n, sizeof(*list));
		list[n++] = mem_str(mem, *env);
	}
	list = mem_grow(mem, list, n, sizeof(*list));
	list[n] = NULL;
	return list;
}

static int fail_to_run(struct tx *tx, const struct job *j, const char *what)
{
	return tx_fail_as(tx, CPLUG_E_DELEGATE, -errno, "cannot run %s: %s: %s", j->path, what,
			  strerror(errno));
}

/* Writes the request into a memfd that can no longer be changed. */
static int input_open(struct tx *tx, struct job *j, const void *in, size_t size)
{
	j->in = (int)syscall(SYS_memfd_create, "cni-request",
			     MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (j->in < 0 && errno == EINVAL) /* before Linux 6.3 */
		j->in = (int)syscall(SYS_memfd_create, "cni-request",
				     MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (j->in < 0)
		return fail_to_run(tx, j, "memfd_create");
	if (fd_write(j->in, in, size) < 0)
		return fail_to_run(tx, j, "write its request");
	lseek(j->in, 0, SEEK_SET);
	fcntl(j->in, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	return 0;
}

/* Blocks all signals; SIGCHLD must not be ignored, or the child could not be awaited. */
static void signals_hold(struct job *j)
{
	struct sigaction chld = { .sa_handler = SIG_DFL };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &j->mask);
	sigaction(SIGCHLD, &chld, &j->chld);
}

static void signals_restore(struct job *j)
{
	sigaction(SIGCHLD, &j->chld, NULL);
	sigprocmask(SIG_SETMASK, &j->mask, NULL);
}

/* ---- the child ---- */

struct birth {
	const struct job *job;
	char *const *argv, *const *envp;
	char *stack_end;
	pid_t parent;
	int err; /* errno, if it could not execute the plugin */
};

/* The child, in our memory: makes only system calls.  Returns only if it failed. */
static int child(void *arg)
{
	struct birth *b = arg;
	const struct job *j = b->job;
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	int in, out, err, kept = -1, first = 3;

	for (int sig = 1; sig < 32; sig++)
		sigaction(sig, &dfl, NULL); /* fails for SIGKILL and SIGSTOP */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	priv_restore_memory();
	if (getppid() != b->parent)
		return 127;
	/* The descriptors may be 0, 1 or 2, if we were started without those. */
	in = fcntl(j->in, F_DUPFD_CLOEXEC, 3);
	out = fcntl(j->out[1], F_DUPFD_CLOEXEC, 3);
	err = fcntl(j->err[1], F_DUPFD_CLOEXEC, 3);
	if (j->kept)
		kept = fcntl(j->kept, F_DUPFD_CLOEXEC, 4);
	if (dup2(in, 0) >= 0 && dup2(out, 1) >= 0 && dup2(err, 2) >= 0) {
		if (kept >= 0 && dup2(kept, 3) == 3)
			first = 4;
		syscall(SYS_close_range, first, ~0U, 0); /* before Linux 5.9: ours are O_CLOEXEC */
		sigprocmask(SIG_SETMASK, &j->mask, NULL);
		execve(j->path, b->argv, b->envp);
	}
	b->err = errno;
	return 127;
}

/* Returns 0 or the -errno of execve(). */
static int spawn(struct job *j, struct birth *b)
{
	pid_t pid;

	b->err = 0;
	pid = clone(child, b->stack_end, CLONE_VM | CLONE_VFORK | SIGCHLD, b);
	if (pid < 0)
		return -errno;
	if (b->err) {
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		return -b->err;
	}
	j->pid = pid;
	return 0;
}

static int start(struct tx *tx, struct job *j, struct birth *b)
{
	int r = spawn(j, b);

	for (int i = 0; r == -ETXTBSY && i < BUSY_TRIES; i++) {
		TRY(tx_interrupted(tx));
		ppoll(NULL, 0, &(struct timespec){ .tv_nsec = BUSY_WAIT_MS * 1000000L }, &j->mask);
		r = spawn(j, b);
	}
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_DELEGATE, r, "cannot run %s: %s", j->path,
				  strerror(-r));
	j->pidfd = (int)syscall(SYS_pidfd_open, j->pid, 0); /* -1: wait for the ends of the pipes */
	fd_close(&j->out[1]);
	fd_close(&j->err[1]);
	return 0;
}

/* ---- while it runs ---- */

/* Sends SIGTERM the first time, then SIGKILL. */
static void stop(struct job *j)
{
	kill(j->pid, j->stopping ? SIGKILL : SIGTERM);
	j->deadline = j->stopping ? 0 : clock_ms() + j->grace_ms;
	j->stopping = true;
}

/* Stops it because of the recorded failure r, unless it was stopped before. */
static void give_up(struct job *j, int r)
{
	if (!j->failed)
		j->failed = r;
	if (!j->stopping)
		stop(j);
}

/* Room for size more bytes and a NUL; false if there is no memory. */
static bool grow_out(struct mem *mem, struct job *j, size_t size)
{
	size_t room = j->room * 2 + size;
	char *bigger;

	if (j->size + size < j->room)
		return true;
	bigger = mem_try_alloc(mem, room);
	if (!bigger)
		return false;
	memcpy(bigger, j->text, j->size);
	j->text = bigger;
	j->room = room;
	return true;
}

static void keep_out(struct tx *tx, struct job *j, const char *data, size_t size)
{
	if (j->failed)
		return;
	if (j->size + size > OUT_MAX) {
		give_up(j, tx_fail_as(tx, CPLUG_E_DELEGATE, -EFBIG, "%s: wrote more than %d MiB",
				      j->path, OUT_MAX >> 20));
		return;
	}
	if (!grow_out(&tx->mem, j, size)) {
		give_up(j, tx_fail(tx, -ENOMEM, "%s: out of memory for its output", j->path));
		return;
	}
	memcpy(j->text + j->size, data, size);
	j->size += size;
	j->text[j->size] = '\0';
}

/* Passes stderr on, and keeps its end; size <= ERR_KEPT. */
static void keep_err(struct job *j, const char *data, size_t size)
{
	size_t over = j->tail_size + size > ERR_KEPT ? j->tail_size + size - ERR_KEPT : 0;

	if (write(STDERR_FILENO, data, size) < 0)
		errno = 0; /* there is no other place to report it */
	memmove(j->tail, j->tail + over, j->tail_size - over);
	memcpy(j->tail + j->tail_size - over, data, size);
	j->tail_size += size - over;
	j->tail[j->tail_size] = '\0';
}

/* Reads once; closes *fd at its end.  Returns true if there was data. */
static bool drain(struct tx *tx, struct job *j, int *fd)
{
	char chunk[ERR_KEPT];
	ssize_t n;

	if (*fd < 0)
		return false;
	n = read(*fd, chunk, sizeof(chunk));
	if (n > 0 && fd == &j->out[0])
		keep_out(tx, j, chunk, (size_t)n);
	else if (n > 0)
		keep_err(j, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		fd_close(fd);
	return n > 0;
}

/* Sleeps until the child wrote or ended, a signal came, or the time is up. */
static void nap(struct tx *tx, struct job *j, struct pollfd p[3])
{
	int64_t left = j->deadline ? j->deadline - clock_ms() : 0;
	struct timespec t = { .tv_sec = (time_t)(left / 1000),
			      .tv_nsec = (long)(left % 1000) * 1000000 };

	if (j->deadline && left <= 0) {
		if (!j->stopping)
			j->failed = tx_fail(tx, -ETIMEDOUT, "%s: no answer within %g s", j->path,
					    j->timeout_ms / 1000.0);
		stop(j);
		return;
	}
	if (!j->failed && (j->failed = tx_interrupted(tx)) < 0)
		stop(j);
	if (ppoll(p, 3, j->deadline ? &t : NULL, &j->mask) < 0)
		p[0].revents = p[1].revents = p[2].revents = 0;
}

static int attend(struct tx *tx, struct job *j)
{
	int status = 0;

	while (j->out[0] >= 0 || j->err[0] >= 0 || j->pidfd >= 0) {
		struct pollfd p[3] = { { .fd = j->out[0], .events = POLLIN },
				       { .fd = j->err[0], .events = POLLIN },
				       { .fd = j->pidfd, .events = POLLIN } };

		nap(tx, j, p);
		if (p[0].revents)
			drain(tx, j, &j->out[0]);
		if (p[1].revents)
			drain(tx, j, &j->err[0]);
		if (p[2].revents) { /* it has ended: read the rest of the pipes */
			while (drain(tx, j, &j->out[0]) || drain(tx, j, &j->err[0]))
				;
			break;
		}
	}
	while (waitpid(j->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static int pipes_open(struct tx *tx, struct job *j)
{
	if (pipe2(j->out, O_CLOEXEC | O_NONBLOCK) < 0 || pipe2(j->err, O_CLOEXEC | O_NONBLOCK) < 0)
		return fail_to_run(tx, j, "pipe");
	/* The child's ends are other open file descriptions: without O_NONBLOCK. */
	fcntl(j->out[1], F_SETFL, 0);
	fcntl(j->err[1], F_SETFL, 0);
	return 0;
}

int exec_run(struct tx *tx, const struct exec_request *q, struct exec_answer *ret)
{
	char *argv[] = { mem_str(&tx->mem, q->path), mem_str(&tx->mem, q->arg), NULL };
	auto_(job_close) struct job j = {
		.path = q->path, .in = -1, .out = { -1, -1 }, .err = { -1, -1 }, .pidfd = -1
	};
	struct birth b = { .job = &j, .argv = argv, .parent = getpid() };
	int r;

	j.text = mem_alloc(&tx->mem, OUT_FIRST);
	j.room = OUT_FIRST;
	j.tail = mem_alloc(&tx->mem, ERR_KEPT + 1);
	b.envp = env_build(&tx->mem, q->env);
	b.stack_end = (char *)mem_alloc(&tx->mem, CHILD_STACK) + CHILD_STACK;
	TRY(tx_interrupted(tx));
	TRY(input_open(tx, &j, q->in, q->size));
	TRY(pipes_open(tx, &j));
	j.timeout_ms = q->timeout_ms;
	j.kept = q->kept;
	j.grace_ms = q->grace_ms ? q->grace_ms : GRACE_MS;
	j.deadline = q->timeout_ms > 0 ? clock_ms() + q->timeout_ms : 0;
	signals_hold(&j);
	r = start(tx, &j, &b);
	if (r == 0)
		ret->status = attend(tx, &j);
	signals_restore(&j);
	TRY(r);
	log_step("ran %s: status %d, %zu bytes", q->path, ret->status, j.size);
	ret->out = j.text;
	ret->out_size = j.size;
	ret->err = j.tail;
	if (j.failed)
		return j.failed;
	return tx_interrupted(tx);
}

/* ---- afterwards ---- */

static void json_release(json_t **json)
{
	json_decref(*json);
}

/* Records the child's error object; false if there is none. */
static bool pass_error(struct tx *tx, const struct exec_answer *a)
{
	auto_(json_release) json_t *e = json_loadb(a->out, a->out_size, 0, NULL);
	json_t *code = json_object_get(e, "code");
	const char *msg = json_string_value(json_object_get(e, "msg"));
	const char *details = json_string_value(json_object_get(e, "details"));

	if (!json_is_integer(code) && !msg)
		return false;
	tx_fail_as(tx, (enum cni_code)json_integer_value(code), -EREMOTEIO, "%s", msg ? msg : "");
	if (!str_empty(details))
		tx_detail(tx, "%s", details);
	return true;
}

int exec_judge(struct tx *tx, const char *path, const struct exec_answer *a)
{
	size_t n = a->err ? strlen(a->err) : 0;
	const char *colon, *what;
	char how[64];

	if (WIFEXITED(a->status) && WEXITSTATUS(a->status) == 0)
		return 0;
	if (pass_error(tx, a))
		return -EREMOTEIO;
	while (n && strchr(" \t\r\n", a->err[n - 1]))
		n--;
	if (WIFSIGNALED(a->status))
		snprintf(how, sizeof(how), "was killed by signal %d (%s)", WTERMSIG(a->status),
			 strsignal(WTERMSIG(a->status)));
	else
		snprintf(how, sizeof(how), "failed with exit status %d", WEXITSTATUS(a->status));
	what = a->out_size ? "gave no readable error object" : "gave no error object";
	colon = n ? ": " : "";
	return tx_fail_as(tx, CPLUG_E_DELEGATE, -EREMOTEIO, "%s: %s and %s%s%.*s", path, how, what,
			  colon, (int)n, a->err);
}
