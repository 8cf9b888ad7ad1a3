// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * burst.c - many pieces of work at a time
 *
 * Each process takes the next number from shared memory, and notes there what it has done.  What
 * fails is done again at the end, by this process alone: there may be too few processes or too
 * little memory for many pieces at a time, and a child may be killed.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cnitool/burst.h"
#include "cnitool/cnitool.h"
#include "cnitool/errctx.h"

enum { CHILDREN = 15 };

struct burst {
	atomic_uint next;
	bool done[];
};

struct job {
	unsigned n;
	burst_fn *fn;
	void *arg;
};

/* Nothing is reported but a signal. */
static int work(struct tool *t, struct burst *b, const struct job *j)
{
	unsigned i;

	while ((i = atomic_fetch_add(&b->next, 1)) < j->n) {
		struct errctx m = errctx_mark(t->tx);
		int r;

		TRY(tx_interrupted(t->tx));
		r = j->fn(t, i, false, j->arg);
		if (r == -EINTR)
			return r;
		if (r < 0)
			errctx_take(t->tx, m);
		b->done[i] = r >= 0;
	}
	return 0;
}

static void child(struct tool *t, pid_t parent, struct burst *b, const struct job *j)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() == parent)
		(void)work(t, b, j);
	_exit(0);
}

/* stop: a signal ends all. */
static void collect(struct tool *t, pid_t pid, bool stop)
{
	if (stop)
		kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		if (tx_interrupted(t->tx) < 0)
			kill(pid, SIGTERM);
}

static int run_many(struct tool *t, struct burst *b, const struct job *j)
{
	pid_t pids[CHILDREN], self = getpid();
	unsigned children = 0;
	int r;

	fflush(NULL);
	while (children < CHILDREN && children + 1 < j->n) {
		pids[children] = fork();
		if (pids[children] < 0)
			break;
		if (pids[children] == 0)
			child(t, self, b, j);
		children++;
	}
	r = work(t, b, j);
	for (unsigned i = 0; i < children; i++)
		collect(t, pids[i], r < 0);
	return r;
}

int burst_run(struct tool *t, unsigned n, burst_fn *fn, void *arg)
{
	const struct job j = { n, fn, arg };
	size_t size = sizeof(struct burst) + n;
	struct burst *b = MAP_FAILED;
	int r = 0;

	if (n > 1)
		/* cppcheck-suppress invalidFunctionArg ; (-1: no file) */
		b = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b != MAP_FAILED)
		r = run_many(t, b, &j);
	for (unsigned i = 0; i < n && r == 0; i++) {
		if (b != MAP_FAILED && b->done[i])
			continue;
		r = tx_interrupted(t->tx);
		if (r == 0)
			r = fn(t, i, true, arg);
		if (r > 0)
			r = 0;
	}
	if (b != MAP_FAILED)
		munmap(b, size);
	return r;
}
