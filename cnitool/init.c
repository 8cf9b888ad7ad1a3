// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * init.c - the container's init
 *
 * The first process of the PID namespace.  It waits until the networks are attached, mounts
 * what the container needs, starts the command, forwards signals to it, and reaps orphans.  When
 * the command ends, init kills all other processes, sends the status, and waits until the control
 * socket is closed, because the path of the network namespace is valid only while init lives.
 */
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "cnitool/sandbox.h"
#include "sys/netns.h"

static bool receive_bytes(int fd, void *at, size_t size)
{
	for (char *p = at; size;) {
		ssize_t n = recv(fd, p, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		size -= (size_t)n;
	}
	return true;
}

static bool receive_text(struct mem *m, int fd, uint32_t size, const char **ret)
{
	char *text = size ? mem_alloc(m, (size_t)size + 1) : NULL;

	*ret = text;
	return receive_bytes(fd, text, size);
}

/* Waits for the message of sandbox_run(); false if the parent is gone. */
static bool wait_for_start(struct mem *m, int control, struct sandbox_files *f)
{
	struct sandbox_message msg;

	return receive_bytes(control, &msg, sizeof(msg)) &&
	       receive_text(m, control, msg.hosts, &f->hosts) &&
	       receive_text(m, control, msg.resolv_conf, &f->resolv_conf) &&
	       receive_text(m, control, msg.hostname, &f->hostname);
}

/* ---- the command ---- */

static void reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };

	for (int sig = 1; sig < 32; sig++)
		sigaction(sig, &dfl, NULL);
}

static void apply_environment(const struct words *env)
{
	for (unsigned i = 0; i < env->n; i++)
		if (strchr(env->v[i], '='))
			putenv(strdup(env->v[i]));
		else
			unsetenv(env->v[i]);
}

static void exec_command(const struct sandbox_plan *plan, const sigset_t *mask)
{
	char *const *command = plan->command;
	int err;

	apply_environment(plan->env);
	if (plan->workdir && chdir(plan->workdir) < 0) {
		fprintf(stderr, "%s--workdir %s: %s\n", tool_prefix(), plan->workdir,
			strerror(errno));
		_exit(EXIT_OURS);
	}
	if (plan->nohup)
		signal(SIGHUP, SIG_IGN);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(command[0], command);
	err = errno;
	fprintf(stderr, "%scannot run %s: %s\n", tool_prefix(), command[0], strerror(err));
	_exit(err == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_RUNNABLE);
}

/* Waits for the command; forwards signals to it and reaps orphans. */
static int32_t supervise(pid_t command, const sigset_t *set)
{
	int status;

	for (;;) {
		siginfo_t si;
		pid_t pid;

		if (sigwaitinfo(set, &si) < 0)
			continue;
		if (si.si_signo != SIGCHLD) {
			if (si.si_code <= 0) /* not from the terminal */
				kill(command, si.si_signo);
			continue;
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
			if (pid == command)
				return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
							   : WEXITSTATUS(status);
	}
}

/* Kills all processes of the PID namespace but this one. */
static void kill_all(void)
{
	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

static int32_t run_command(const struct sandbox_plan *plan)
{
	sigset_t set, old;
	int32_t status;
	pid_t pid;

	sandbox_signals(&set);
	sigaddset(&set, SIGCHLD);
	reset_signals();
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid == 0)
		exec_command(plan, &old);
	if (pid < 0) {
		fprintf(stderr, "%sfork: %s\n", tool_prefix(), strerror(errno));
		return EXIT_OURS;
	}
	status = supervise(pid, &set);
	kill_all();
	return status;
}

/* ---- init ---- */

/* A reader of the command's output must see its end when the command ends. */
static void close_output(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
}

/* The parent writes the id maps of the user namespace before it sends the message. */
static int become_root(struct tx *tx)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return tx_fail(tx, -errno, "cannot become root of the user namespace: %s",
			       strerror(errno));
	return 0;
}

/* r: whether the mounts are private (mounts_make_private()); if not, nothing is mounted. */
static int32_t serve_container(struct tool *t, const struct sandbox_plan *plan, int control, int r)
{
	struct sandbox_files files = { .hosts = NULL };

	if (!wait_for_start(&t->tx->mem, control, &files))
		_exit(EXIT_OURS);
	if (r == 0 && plan->user)
		r = become_root(t->tx);
	/* The kernel clears it when credentials change (prctl(2)). */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (r == 0)
		r = mounts_make(t->tx, plan, &files);
	if (r < 0) {
		tool_print_failure(t);
		return EXIT_OURS;
	}
	return run_command(plan);
}

void init_main(struct tool *t, const struct sandbox_plan *plan, int control)
{
	int32_t status;
	char end;
	int r;

	/* If the parent has died before this, the control socket is at its end. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reset_signals();
	r = mounts_make_private(t->tx);
	control = dup2(control, 3);
	if (control < 0)
		_exit(EXIT_OURS);
	fcntl(control, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, 4, ~0U, 0);
	netns_forget_home();
	status = serve_container(t, plan, control, r);
	close_output();
	send(control, &status, sizeof(status), MSG_NOSIGNAL);
	while (recv(control, &end, 1, 0) < 0 && errno == EINTR)
		;
	_exit(0);
}
