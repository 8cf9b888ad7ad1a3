// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * peak.c - prints the peak of a program's memory
 *
 * peak PROGRAM [ARGUMENT...] runs the program, with its standard output discarded, and prints VmHWM
 * of /proc/PID/status in KiB, read while the program exits.  (ru_maxrss would include the parent,
 * which the kernel counts until exec.)  Addresses are not random, because the pages that the kernel
 * maps around a fault depend on them.  The exit status is the program's.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void start(char **argv)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || dup2(null, STDOUT_FILENO) < 0 || ptrace(PTRACE_TRACEME, 0, 0, 0) < 0)
		_exit(126);
	personality(ADDR_NO_RANDOMIZE);
	raise(SIGSTOP); /* until the parent has set its options */
	execvp(argv[0], argv);
	_exit(127);
}

static void print_peak(pid_t pid)
{
	char path[32], line[128];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmHWM:", 6) == 0)
			printf("%ld\n", strtol(line + 6, NULL, 10));
	if (f)
		fclose(f);
}

int main(int argc, char **argv)
{
	int status, signal;
	pid_t pid;

	if (argc < 2)
		return 2;
	pid = fork();
	if (pid == 0)
		start(argv + 1);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL) < 0) {
		perror("peak");
		return 2;
	}
	for (signal = 0; ptrace(PTRACE_CONT, pid, 0, signal) == 0;) {
		if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
			break;
		signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8))
			print_peak(pid);
	}
	if (!WIFEXITED(status))
		return 2;
	return WEXITSTATUS(status);
}
