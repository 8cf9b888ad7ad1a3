// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * burst.c - many pieces of work at a time
 *
 * Each process takes the next number from shared memory.  Without children, because there is no
 * memory for example, this process does it all.
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

enum { CHILDREN = 15 };

/* How a child ended. */
struct outcome {
	int err, status;
	enum cni_code code;
	char msg[sizeof((struct tx *)0)->msg];
	char details[sizeof((struct tx *)0)->details];
};

struct burst {
	atomic_uint next;
	struct outcome children[CHILDREN];
};

struct job {
	unsigned n;
	burst_fn *fn;
	void *arg;
};

static int work(struct tool *t, struct burst *b, const struct job *j)
{
	unsigned i;
	int r = 0;

	while ((i = atomic_fetch_add(&b->next, 1)) < j->n) {
		TRY(tx_interrupted(t->tx));
		r = also(r, j->fn(t, i, j->arg));
	}
	return r;
}

static void child(struct tool *t, pid_t parent, struct burst *b, const struct job *j,
		  struct outcome *o)
{
	struct tx *tx = t->tx;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	t->status = 0;
	o->err = work(t, b, j);
	o->status = t->status;
	o->code = tx->code;
	memcpy(o->msg, tx->msg, sizeof(o->msg));
	memcpy(o->details, tx->details, sizeof(o->details));
	fflush(NULL);
	_exit(0);
}

/*
 * stop: a signal ends all, and this process has said so.  A child that was killed has left its
 * piece; that is for the caller's next run.
 */
static int collect(struct tool *t, pid_t pid, bool stop, const struct outcome *o)
{
	int status = 0;

	if (stop)
		kill(pid, SIGTERM);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		if (tx_interrupted(t->tx) < 0)
			kill(pid, SIGTERM);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return tx_fail(t->tx, -ECHILD, "a process of cnitool was killed");
	if (o->status)
		t->status = o->status;
	if (o->err < 0 && !stop) {
		tx_fail_as(t->tx, o->code, o->err, "%s", o->msg);
		if (*o->details)
			tx_detail(t->tx, "%s", o->details);
	}
	return o->err;
}

int burst_run(struct tool *t, unsigned n, burst_fn *fn, void *arg)
{
	const struct job j = { n, fn, arg };
	struct burst alone = { .next = 0 }, *b;
	pid_t pids[CHILDREN], self = getpid();
	unsigned children = 0;
	int r;

	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		return work(t, &alone, &j);
	fflush(NULL);
	while (children < CHILDREN && children + 1 < n) {
		pids[children] = fork();
		if (pids[children] < 0)
			break;
		if (pids[children] == 0)
			child(t, self, b, &j, &b->children[children]);
		children++;
	}
	r = work(t, b, &j);
	for (unsigned i = 0; i < children; i++)
		r = also(r, collect(t, pids[i], r == -EINTR, &b->children[i]));
	munmap(b, sizeof(*b));
	return r;
}
