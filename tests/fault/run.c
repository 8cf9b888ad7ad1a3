// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * run.c - one call of a plugin with a fault
 *
 * System calls are counted with ptrace(2) from the first one of main(), because the plugin
 * cannot handle errors of the dynamic loader.  main() begins with poll() of three descriptors,
 * which nothing else calls; a call in which it was not seen ends the test.
 */
#include <elf.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "fault.h"

/*
 * A call hangs if it lasts LIMIT_S and is asleep then, and a second later: no fault may make it
 * wait for an answer or a lock until its own timeout, 10 seconds.  On a busy machine it waits for a
 * processor or a mutex of the kernel instead.
 */
enum { LIMIT_S = 8, LOOKS_MAX = 60, ALLOC_FD = 198 };

const char *run_alloc_so;

static volatile sig_atomic_t child, too_late, looks, asleep;
static char child_stat[32];

/* Is the child in an interruptible sleep?  (proc_pid_stat(5)) */
static bool is_asleep(void)
{
	char text[128] = "";
	const char *end;
	int fd = open(child_stat, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return true;
	(void)!read(fd, text, sizeof(text) - 1);
	close(fd);
	end = strrchr(text, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

static void on_alarm(int sig UNUSED)
{
	int saved = errno;

	if (child > 0) {
		asleep = is_asleep() ? asleep + 1 : 0;
		if (asleep > 1 || ++looks > LOOKS_MAX) {
			too_late = 1;
			kill(child, SIGKILL);
		}
	}
	errno = saved;
}

static int memory(const char *text)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	if (fd < 0 || (text && write(fd, text, strlen(text)) != (ssize_t)strlen(text)) ||
	    lseek(fd, 0, SEEK_SET) < 0)
		die("memfd: %s", strerror(errno));
	return fd;
}

static void text_of(int fd, char *to, size_t room)
{
	ssize_t n = pread(fd, to, room - 1, 0);

	to[n < 0 ? 0 : n] = '\0';
	close(fd);
}

static void variable(char **env, unsigned *n, const char *name, const char *value)
{
	if (value && asprintf(&env[(*n)++], "%s=%s", name, value) < 0)
		die("no memory");
}

/* Executes the plugin in the child. */
static void __attribute__((noreturn)) become(const struct run *r, const int fd[3], int fired)
{
	char *env[16] = { NULL }, *argv[] = { (char *)(uintptr_t)r->type, NULL }, *path, at[32];
	unsigned n = 0;

	for (int i = 0; i < 3; i++)
		dup2(fd[i], i);
	variable(env, &n, "PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
	variable(env, &n, "CNI_COMMAND", r->command);
	variable(env, &n, "CNI_CONTAINERID", r->id);
	variable(env, &n, "CNI_NETNS", r->netns);
	variable(env, &n, "CNI_IFNAME", r->ifname);
	variable(env, &n, "CNI_PATH", r->bin);
	if (r->fault >= FAULT_ALLOC) {
		snprintf(at, sizeof(at), "%u%s", r->n, r->fault == FAULT_ALLOC_EVER ? "+" : "");
		variable(env, &n, "LD_PRELOAD", run_alloc_so);
		variable(env, &n, "FAULT_ALLOC_AT", at);
		dup2(fired, ALLOC_FD);
	}
	if (asprintf(&path, "%s/%s", r->bin, r->type) < 0)
		_exit(127);
	if (r->fault == FAULT_ERROR || r->fault == FAULT_KILL)
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	execve(path, argv, env);
	_exit(127);
}

/* exit and sigreturn cannot fail; brk() returns the old break instead of an error. */
static bool is_spared(const struct run *r, unsigned long long nr)
{
	return nr == SYS_exit_group || nr == SYS_exit || nr == SYS_rt_sigreturn ||
	       (nr == SYS_brk && r->fault == FAULT_ERROR);
}

/* At the entry of a system call: makes the kernel skip it. */
static void skip_call(pid_t pid)
{
#if defined(__x86_64__)
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, orig_rax), -1L);
#elif defined(__aarch64__)
	int none = -1;
	struct iovec v = { &none, sizeof(none) };

	ptrace(PTRACE_SETREGSET, pid, NT_ARM_SYSTEM_CALL, &v);
#endif
}

/* At the exit of a system call: sets its return value. */
static void set_answer(pid_t pid, long value)
{
#if defined(__x86_64__)
	ptrace(PTRACE_POKEUSER, pid, offsetof(struct user_regs_struct, rax), value);
#elif defined(__aarch64__)
	struct user_regs_struct regs;
	struct iovec v = { &regs, sizeof(regs) };

	ptrace(PTRACE_GETREGSET, pid, NT_PRSTATUS, &v);
	regs.regs[0] = (unsigned long long)value;
	ptrace(PTRACE_SETREGSET, pid, NT_PRSTATUS, &v);
#endif
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) < 0)
		if (errno != EINTR)
			die("waitpid: %s", strerror(errno));
	return status;
}

/* At the entry of the n-th system call: kills the process, or makes the call fail. */
static void strike(struct run *r, pid_t pid, const struct __ptrace_syscall_info *info)
{
	r->fired = true;
	r->nr = (long)info->entry.nr;
	for (unsigned i = 0; i < ARRAY_LEN(r->args); i++)
		r->args[i] = info->entry.args[i];
	r->on_stdout = r->nr == SYS_write && r->args[0] == 1;
	if (r->fault == FAULT_KILL) {
		kill(pid, SIGKILL);
		return;
	}
	skip_call(pid);
	ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
	if (WIFSTOPPED(wait_for(pid)))
		set_answer(pid, -r->err);
}

/* poll(2) of descriptors 0 to 2, which the C library may call ppoll. */
static bool begins_main(const struct __ptrace_syscall_info *info)
{
	bool polls = info->entry.nr == SYS_ppoll;

#ifdef SYS_poll
	polls |= info->entry.nr == SYS_poll;
#endif
	return polls && info->entry.args[1] == 3;
}

/* Follows the process to its n-th system call, and to its end. */
static void trace(struct run *r, pid_t pid)
{
	struct __ptrace_syscall_info info = { .op = 0 };
	unsigned count = 0;
	bool started = false;
	int status = wait_for(pid);

	ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
	while (WIFSTOPPED(status)) {
		int sig = WSTOPSIG(status);

		if (sig == (SIGTRAP | 0x80)) {
			ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info);
			if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
				started |= begins_main(&info);
				if (started && !is_spared(r, info.entry.nr) && ++count == r->n) {
					strike(r, pid, &info);
					ptrace(PTRACE_DETACH, pid, NULL, NULL);
					break;
				}
			}
		}
		ptrace(PTRACE_SYSCALL, pid, NULL, sig & 0x80 || sig == SIGTRAP ? 0L : (long)sig);
		status = wait_for(pid);
	}
	if (!started)
		die("the first system call of main() was not seen: no fault was injected");
	if (!WIFSTOPPED(status)) {
		r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		return;
	}
	status = wait_for(pid);
	r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void run_call(struct run *r)
{
	struct itimerval limit = { .it_value.tv_sec = LIMIT_S, .it_interval.tv_sec = 1 };
	struct itimerval none = { .it_value.tv_sec = 0 };
	int fd[3] = { memory(r->in), memory(NULL), memory(NULL) }, fired = memory(NULL), status;
	struct sigaction sa = { .sa_handler = on_alarm };

	sigaction(SIGALRM, &sa, NULL);
	r->fired = r->hung = r->on_stdout = false;
	r->nr = -1;
	too_late = looks = asleep = 0;
	fflush(NULL);
	child = fork();
	if (child < 0)
		die("fork: %s", strerror(errno));
	if (child == 0)
		become(r, fd, fired);
	snprintf(child_stat, sizeof(child_stat), "/proc/%d/stat", (int)child);
	setitimer(ITIMER_REAL, &limit, NULL);
	if (r->fault == FAULT_ERROR || r->fault == FAULT_KILL) {
		trace(r, child);
	} else {
		status = wait_for(child);
		r->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		r->fired = lseek(fired, 0, SEEK_END) > 0;
	}
	setitimer(ITIMER_REAL, &none, NULL);
	child = 0;
	r->hung = too_late;
	close(fd[0]);
	close(fired);
	text_of(fd[1], r->out, sizeof(r->out));
	text_of(fd[2], r->errors, sizeof(r->errors));
}

const char *run_where(const struct run *r)
{
	const char *what = r->fault == FAULT_KILL ? "killed" : strerror(r->err);
	static char text[128];

	if (r->fault >= FAULT_ALLOC)
		snprintf(text, sizeof(text), "allocation %u%s", r->n,
			 r->fault == FAULT_ALLOC_EVER ? " and all later" : "");
	else
		snprintf(text, sizeof(text), "system call %u (number %ld: %llx, %llx, %llx): %s",
			 r->n, r->nr, r->args[0], r->args[1], r->args[2], what);
	return text;
}
