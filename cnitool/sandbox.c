// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sandbox.c - new namespaces with an init, for a command: the caller's part
 *
 * One clone() creates all namespaces and init.  A socket pair joins the caller and init: the
 * caller sends the contents of files in /etc, init sends the command's status, and each sees the
 * other's end as the end of the stream.  If the caller is killed, so is init (PR_SET_PDEATHSIG)
 * and with it all processes of its PID namespace.
 *
 * Caller and command stay in the process group and session in which the caller was started, so a
 * terminal works as without cnitool.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/log.h"
#include "cnitool/sandbox.h"

struct clone_args {
	struct tool *t;
	const struct sandbox_plan *plan;
	int control[2];
	pid_t pid;
};

static int clone_init(struct tx *tx, void *arg)
{
	static const char remedy[] = " (be root, or root of a user namespace: unshare -Urnm)";
	struct clone_args *b = arg;
	unsigned long flags = SIGCHLD | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID |
			      CLONE_NEWCGROUP;

	if (b->plan->new_net)
		flags |= CLONE_NEWNET;
	if (b->plan->user)
		flags |= CLONE_NEWUSER;
	b->pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
	if (b->pid == 0) {
		fd_close(&b->control[0]);
		init_main(b->t, b->plan, b->control[1]);
	}
	if (b->pid < 0)
		return tx_fail(tx, -errno, "cannot make namespaces: %s%s", strerror(errno),
			       errno == EPERM ? remedy : "");
	return 0;
}

static int write_proc(struct tx *tx, pid_t pid, const char *name, const char *text)
{
	const char *path = mem_printf(&tx->mem, "/proc/%d/%s", pid, name);
	auto_(fd_close) int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return tx_fail(tx, -errno, "cannot write %s: %s", path, strerror(errno));
	return 0;
}

/* The caller becomes root of the user namespace; no other id is mapped (user_namespaces(7)). */
static int map_ids(struct tx *tx, pid_t pid)
{
	TRY(write_proc(tx, pid, "setgroups", "deny"));
	TRY(write_proc(tx, pid, "uid_map", mem_printf(&tx->mem, "0 %u 1", geteuid())));
	return write_proc(tx, pid, "gid_map", mem_printf(&tx->mem, "0 %u 1", getegid()));
}

int sandbox_open(struct tool *t, const struct sandbox_plan *plan, struct sandbox *ret)
{
	struct clone_args b = { .t = t, .plan = plan };
	int r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, b.control) < 0)
		return tx_fail(t->tx, -errno, "socketpair: %s", strerror(errno));
	if (plan->join_net)
		r = netns_run(t->tx, plan->join_net, clone_init, &b);
	else
		r = clone_init(t->tx, &b);
	fd_close(&b.control[1]);
	if (r < 0) {
		fd_close(&b.control[0]);
		return r;
	}
	*ret = (struct sandbox){ .init = b.pid, .control = b.control[0] };
	r = plan->user ? map_ids(t->tx, b.pid) : 0;
	if (r < 0)
		sandbox_close(ret);
	return r;
}

/* ---- while the command runs ---- */

void sandbox_signals(sigset_t *ret)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2 };

	sigemptyset(ret);
	for (unsigned i = 0; i < ARRAY_LEN(signals); i++)
		sigaddset(ret, signals[i]);
}

static uint32_t size_of(const char *s)
{
	return s ? (uint32_t)strlen(s) : 0;
}

static int send_text(int fd, const void *text, size_t size)
{
	for (const char *p = text; size;) {
		ssize_t n = send(fd, p, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

static int send_files(struct tx *tx, int fd, const struct sandbox_files *f)
{
	struct sandbox_message m = { size_of(f->hosts), size_of(f->resolv_conf),
				     size_of(f->hostname) };
	int r = send_text(fd, &m, sizeof(m));

	r = also(r, send_text(fd, f->hosts, m.hosts));
	r = also(r, send_text(fd, f->resolv_conf, m.resolv_conf));
	r = also(r, send_text(fd, f->hostname, m.hostname));
	if (r < 0)
		return tx_fail(tx, r, "the container's init is gone: %s", strerror(-r));
	return 0;
}

/* Not from the terminal (si_code > 0), which has signalled the command itself. */
static void forward_signal(int signals, pid_t init)
{
	struct signalfd_siginfo si;

	if (read(signals, &si, sizeof(si)) == sizeof(si) && si.ssi_code <= 0)
		kill(init, (int)si.ssi_signo);
}

/* Waits until init sends the status or ends. */
static int wait_for_status(const struct sandbox *s, int signals)
{
	struct pollfd p[2] = { { .fd = s->control, .events = POLLIN },
			       { .fd = signals, .events = POLLIN } };
	int32_t status;

	for (;;) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			forward_signal(signals, s->init);
		if (p[0].revents)
			break;
	}
	if (recv(s->control, &status, sizeof(status), MSG_WAITALL) != sizeof(status))
		return 128 + SIGKILL;
	return status;
}

/* Makes our process group the terminal's foreground again, if a shell of the command took it. */
static void take_terminal_back(pid_t foreground)
{
	sigset_t ttou, old;

	if (foreground != getpgrp())
		return;
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	sigprocmask(SIG_BLOCK, &ttou, &old);
	if (tcsetpgrp(STDIN_FILENO, foreground) < 0)
		log_step("tcsetpgrp: %s", strerror(errno));
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int sandbox_run(struct tool *t, struct sandbox *s, const struct sandbox_files *files,
		int *ret_status)
{
	auto_(fd_close) int signals = -1;
	pid_t foreground = tcgetpgrp(STDIN_FILENO);
	sigset_t set, old;
	int r;

	sandbox_signals(&set);
	sigprocmask(SIG_BLOCK, &set, &old);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	r = tx_interrupted(t->tx); /* signals that came before the signalfd */
	if (r == 0)
		r = send_files(t->tx, s->control, files);
	if (r == 0) {
		*ret_status = wait_for_status(s, signals);
		take_terminal_back(foreground);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r;
}

void sandbox_close(struct sandbox *s)
{
	if (s->init <= 0)
		return;
	fd_close(&s->control);
	kill(s->init, SIGKILL);
	while (waitpid(s->init, NULL, 0) < 0 && errno == EINTR)
		;
	s->init = 0;
}
