// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * step.c - step LIST [kill|term N] COMMAND [ARGUMENT...]
 *
 * Runs a command, and writes to the file LIST each of its system calls that changed the world,
 * one per line.  After the N-th of them the command gets SIGKILL or SIGTERM, before it executes
 * another instruction.  Exits with the command's status, or 128 + n if signal n killed it.
 *
 * The changes are counted with ptrace(2), and so do not depend on what the command says about
 * itself.  A change is
 *
 *   netlink	a datagram with a message that creates, sets or deletes (rtnetlink(7): the types are
 *		in groups of four, NEW, DEL, GET, SET; linux/netfilter/nf_tables.h,
 *		linux/netfilter/nfnetlink_conntrack.h), whether the kernel accepts it or not
 *	files	create, link, rename, remove, truncate, write, and change of mode or owner
 *	sysctls	write
 *	others	mount, umount, and ioctl() of tap devices
 *
 * Standard streams, memory and files without name are not counted.
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "base/util.h"

enum { PROCS_MAX = 32, FDS_MAX = 256, NO_PROTOCOL = -1, DATA_MAX = 1 << 18 };

/* A traced process. */
struct proc {
	/* The system call in which the process is. */
	struct __ptrace_syscall_info call;
	pid_t pid;
	bool begun; /* its first stop was seen */
	bool changes;
	signed char netlink[FDS_MAX]; /* protocol of a netlink socket, or NO_PROTOCOL */
	char text[512];
};

static struct proc procs[PROCS_MAX];
static FILE *list;
static unsigned count, strike_at;
static int strike_signal;
static pid_t command_pid;

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- memory and paths of a process -------------------------------------- */

/* Returns the number of bytes read; a part if not all are mapped. */
static size_t peek(pid_t pid, uint64_t at, void *to, size_t n)
{
	struct iovec here = { to, n }, there = { (void *)(uintptr_t)at, n };
	ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);

	return got < 0 ? 0 : (size_t)got;
}

static void peek_text(pid_t pid, uint64_t at, char *to, size_t room)
{
	size_t n = 0;

	while (n + 1 < room && peek(pid, at + n, to + n, 1) == 1 && to[n])
		n++;
	to[n] = '\0';
}

/* Prints the path of a descriptor; an empty string for other files than those with names. */
static void path_of(pid_t pid, uint64_t fd, char *to, size_t room)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", pid, (int)fd);
	n = readlink(link, to, room - 1);
	to[n < 0 || *to != '/' ? 0 : n] = '\0';
}

/* Is the file that a call names there?  dirfd and path are the call's arguments. */
static bool is_there(pid_t pid, uint64_t dirfd, const char *path)
{
	char whole[1024];
	struct stat st;

	if (*path == '/')
		snprintf(whole, sizeof(whole), "/proc/%d/root%s", pid, path);
	else if ((int)dirfd == AT_FDCWD)
		snprintf(whole, sizeof(whole), "/proc/%d/cwd/%s", pid, path);
	else
		snprintf(whole, sizeof(whole), "/proc/%d/fd/%d/%s", pid, (int)dirfd, path);
	return lstat(whole, &st) == 0;
}

/* ---- netlink ------------------------------------------------------------ */

static bool rtnl_changes(unsigned type, char *text, size_t room)
{
	static const char *const verbs[] = { "NEW", "DEL", "GET", "SET" };
	static const char *const objects[] = { "LINK", "ADDR",  "ROUTE",  "NEIGH",
					       "RULE", "QDISC", "TCLASS", "TFILTER" };
	unsigned verb = (type - RTM_BASE) & 3, object = (type - RTM_BASE) >> 2;

	if (type < RTM_BASE || verb == 2)
		return false;
	if (object < ARRAY_LEN(objects))
		snprintf(text, room, "rtnetlink RTM_%s%s", verbs[verb], objects[object]);
	else
		snprintf(text, room, "rtnetlink message %u", type);
	return true;
}

static bool nft_changes(unsigned message)
{
	static const unsigned char reads[] = {
		NFT_MSG_GETTABLE, NFT_MSG_GETCHAIN,     NFT_MSG_GETRULE,
		NFT_MSG_GETSET,   NFT_MSG_GETSETELEM,   NFT_MSG_GETGEN,
		NFT_MSG_GETOBJ,   NFT_MSG_GETOBJ_RESET, NFT_MSG_GETFLOWTABLE,
	};

	for (unsigned i = 0; i < ARRAY_LEN(reads); i++)
		if (reads[i] == message)
			return false;
	return true;
}

static bool netfilter_changes(unsigned type, char *text, size_t room)
{
	unsigned subsystem = NFNL_SUBSYS_ID(type), message = NFNL_MSG_TYPE(type);

	if (type < NLMSG_MIN_TYPE || type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		return false;
	if (subsystem == NFNL_SUBSYS_NFTABLES) {
		snprintf(text, room, "nf_tables message %u", message);
		return nft_changes(message);
	}
	if (subsystem == NFNL_SUBSYS_CTNETLINK) {
		snprintf(text, room, "conntrack message %u", message);
		return message == IPCTNL_MSG_CT_NEW || message == IPCTNL_MSG_CT_DELETE;
	}
	return false;
}

static bool datagram_changes(int protocol, const char *data, size_t n, char *text, size_t room)
{
	struct nlmsghdr h;

	for (size_t at = 0; at + sizeof(h) <= n; at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, data + at, sizeof(h));
		if (h.nlmsg_len < sizeof(h))
			break;
		if (protocol == NETLINK_ROUTE && rtnl_changes(h.nlmsg_type, text, room))
			return true;
		if (protocol == NETLINK_NETFILTER && netfilter_changes(h.nlmsg_type, text, room))
			return true;
	}
	return false;
}

/* Reads the buffers of an iovec; returns their length, cut to DATA_MAX. */
static size_t gather(pid_t pid, uint64_t iov, uint64_t n, char *to)
{
	size_t have = 0;
	struct iovec v;

	for (uint64_t i = 0; i < n && have < DATA_MAX; i++) {
		if (peek(pid, iov + i * sizeof(v), &v, sizeof(v)) != sizeof(v))
			break;
		have += peek(pid, (uintptr_t)v.iov_base, to + have,
			     least(v.iov_len, DATA_MAX - have));
	}
	return have;
}

static bool send_changes(struct proc *p)
{
	const uint64_t *a = p->call.entry.args;
	static char data[DATA_MAX];
	struct msghdr m;
	size_t n = 0;

	if (a[0] >= FDS_MAX || p->netlink[a[0]] == NO_PROTOCOL)
		return false;
	switch (p->call.entry.nr) {
	case SYS_sendto:
	case SYS_write:
		n = peek(p->pid, a[1], data, least(a[2], DATA_MAX));
		break;
	case SYS_writev:
		n = gather(p->pid, a[1], a[2], data);
		break;
	case SYS_sendmsg:
		if (peek(p->pid, a[1], &m, sizeof(m)) == sizeof(m))
			n = gather(p->pid, (uintptr_t)m.msg_iov, m.msg_iovlen, data);
		break;
	}
	return datagram_changes(p->netlink[a[0]], data, n, p->text, sizeof(p->text));
}

/* ---- files -------------------------------------------------------------- */

/* A write to a sysctl or to a regular file with a name. */
static bool write_changes(struct proc *p)
{
	uint64_t fd = p->call.entry.args[0];
	char path[400], link[64];
	struct stat st;

	path_of(p->pid, fd, path, sizeof(path));
	snprintf(link, sizeof(link), "/proc/%d/fd/%d", p->pid, (int)fd);
	if (fd <= STDERR_FILENO || !*path || stat(link, &st) < 0 || !S_ISREG(st.st_mode) ||
	    !st.st_nlink || (str_starts(path, "/proc/") && !str_starts(path, "/proc/sys/")))
		return false;
	snprintf(p->text, sizeof(p->text), "write %s", path);
	return true;
}

static bool open_changes(struct proc *p, uint64_t dirfd, unsigned path_at)
{
	const uint64_t *a = p->call.entry.args;
	char path[400];
	bool there;

	peek_text(p->pid, a[path_at], path, sizeof(path));
	snprintf(p->text, sizeof(p->text), "create %s", path);
	if ((a[path_at + 1] & O_TMPFILE) == O_TMPFILE)
		return false;
	there = is_there(p->pid, dirfd, path);
	return (a[path_at + 1] & (uint64_t)(there ? O_TRUNC : O_CREAT)) != 0;
}

/* The calls that change a file whenever they succeed.  path: which argument, or none (a fd). */
static const struct {
	long nr;
	const char *name;
	int path;
} file_calls[] = {
#ifdef SYS_rename
	{ SYS_rename, "rename", 1 },        { SYS_link, "link", 1 },
	{ SYS_symlink, "symlink", 1 },      { SYS_unlink, "unlink", 0 },
	{ SYS_mkdir, "mkdir", 0 },          { SYS_rmdir, "rmdir", 0 },
	{ SYS_mknod, "mknod", 0 },          { SYS_chmod, "chmod", 0 },
	{ SYS_chown, "chown", 0 },          { SYS_creat, "creat", 0 },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, "rename", 3 },
#endif
	{ SYS_renameat2, "rename", 3 },     { SYS_linkat, "link", 3 },
	{ SYS_symlinkat, "symlink", 2 },    { SYS_unlinkat, "unlink", 1 },
	{ SYS_mkdirat, "mkdir", 1 },        { SYS_mknodat, "mknod", 1 },
	{ SYS_fchmodat, "chmod", 1 },       { SYS_fchownat, "chown", 1 },
	{ SYS_truncate, "truncate", 0 },    { SYS_umount2, "umount", 0 },
	{ SYS_mount, "mount", 1 },          { SYS_ftruncate, "truncate", -1 },
	{ SYS_fallocate, "fallocate", -1 }, { SYS_fchmod, "chmod", -1 },
	{ SYS_fchown, "chown", -1 },
};

static bool file_changes(struct proc *p)
{
	char path[400];

	for (unsigned i = 0; i < ARRAY_LEN(file_calls); i++) {
		if ((long)p->call.entry.nr != file_calls[i].nr)
			continue;
		if (file_calls[i].path < 0)
			path_of(p->pid, p->call.entry.args[0], path, sizeof(path));
		else
			peek_text(p->pid, p->call.entry.args[file_calls[i].path], path,
				  sizeof(path));
		snprintf(p->text, sizeof(p->text), "%s %s", file_calls[i].name, path);
		return *path;
	}
	return false;
}

/* ---- one system call ---------------------------------------------------- */

static bool ioctl_changes(struct proc *p)
{
	snprintf(p->text, sizeof(p->text), "ioctl of a tap device");
	return p->call.entry.args[1] == TUNSETIFF || p->call.entry.args[1] == TUNSETPERSIST;
}

/* At the entry: would this call change something? */
static bool would_change(struct proc *p)
{
	switch (p->call.entry.nr) {
	case SYS_sendto:
	case SYS_sendmsg:
		return send_changes(p);
	case SYS_write:
	case SYS_writev:
		return send_changes(p) || write_changes(p);
	case SYS_pwrite64:
		return write_changes(p);
#ifdef SYS_open
	case SYS_open:
		return open_changes(p, (uint64_t)AT_FDCWD, 0);
#endif
	case SYS_openat:
		return open_changes(p, p->call.entry.args[0], 1);
	case SYS_ioctl:
		return ioctl_changes(p);
	default:
		return file_changes(p);
	}
}

/* At the exit: remembers which descriptors are netlink sockets. */
static void watch_sockets(struct proc *p, long long value)
{
	const uint64_t *a = p->call.entry.args;

	switch (p->call.entry.nr) {
	case SYS_socket:
		if (value >= 0 && value < FDS_MAX)
			p->netlink[value] = a[0] == AF_NETLINK ? (signed char)a[2] : NO_PROTOCOL;
		else if (value >= FDS_MAX && a[0] == AF_NETLINK)
			errx(2, "descriptor %lld: too many for step", value);
		break;
	case SYS_close:
		if (a[0] < FDS_MAX)
			p->netlink[a[0]] = NO_PROTOCOL;
		break;
	}
}

static void changed(struct proc *p)
{
	fprintf(list, "%s\n", p->text);
	fflush(list);
	if (++count != strike_at)
		return;
	kill(command_pid, strike_signal);
	if (strike_signal == SIGKILL && p->pid != command_pid)
		kill(p->pid, SIGKILL);
}

static void at_system_call(struct proc *p)
{
	struct __ptrace_syscall_info info = { .op = 0 };

	ptrace(PTRACE_GET_SYSCALL_INFO, p->pid, sizeof(info), &info);
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY) {
		p->call = info;
		p->changes = would_change(p);
	} else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
		watch_sockets(p, info.exit.rval);
		if (p->changes && !info.exit.is_error)
			changed(p);
		p->changes = false;
	}
}

/* ---- processes ---------------------------------------------------------- */

/* Finds a process, or takes a free entry for it. */
static struct proc *proc_of(pid_t pid)
{
	struct proc *p = NULL;

	for (unsigned i = 0; i < PROCS_MAX; i++) {
		if (procs[i].pid == pid)
			return &procs[i];
		if (!procs[i].pid && !p)
			p = &procs[i];
	}
	if (!p)
		errx(2, "too many processes");
	memset(p, 0, sizeof(*p));
	memset(p->netlink, NO_PROTOCOL, sizeof(p->netlink));
	p->pid = pid;
	return p;
}

/* A child has its parent's descriptors. */
static void at_fork(const struct proc *parent)
{
	unsigned long pid = 0;

	ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid);
	memcpy(proc_of((pid_t)pid)->netlink, parent->netlink, sizeof(parent->netlink));
}

/* Handles a stop, and lets the process go on. */
static void at_stop(pid_t pid, int status)
{
	struct proc *p = proc_of(pid);
	int sig = WSTOPSIG(status), event = status >> 16, pass = 0;

	if (sig == (SIGTRAP | 0x80))
		at_system_call(p);
	else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK ||
		 event == PTRACE_EVENT_CLONE)
		at_fork(p);
	else if (sig != SIGTRAP && !(sig == SIGSTOP && !p->begun))
		pass = sig;
	p->begun = true;
	ptrace(PTRACE_SYSCALL, pid, NULL, (long)pass);
}

static int status_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

/* Follows all processes to their ends; returns the command's exit status. */
static int trace(void)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	int status, result = 2;
	pid_t pid;

	if (waitpid(command_pid, &status, 0) < 0 || !WIFSTOPPED(status))
		errx(2, "the command did not start");
	proc_of(command_pid)->begun = true;
	if (ptrace(PTRACE_SETOPTIONS, command_pid, NULL, options) < 0)
		err(2, "ptrace");
	ptrace(PTRACE_SYSCALL, command_pid, NULL, NULL);
	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid < 0)
			continue;
		if (WIFSTOPPED(status)) {
			at_stop(pid, status);
			continue;
		}
		proc_of(pid)->pid = 0;
		if (pid == command_pid)
			result = status_of(status);
	}
	return result;
}

int main(int argc, char **argv)
{
	int at = 2;

	if (argc > 4 && (str_eq(argv[2], "kill") || str_eq(argv[2], "term"))) {
		strike_signal = str_eq(argv[2], "kill") ? SIGKILL : SIGTERM;
		strike_at = (unsigned)strtoul(argv[3], NULL, 10);
		at = 4;
	}
	if (argc <= at)
		errx(2, "usage: step LIST [kill|term N] COMMAND [ARGUMENT...]");
	list = fopen(argv[1], "we");
	if (!list)
		err(2, "%s", argv[1]);
	command_pid = fork();
	if (command_pid < 0)
		err(2, "fork");
	if (command_pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0)
			execv(argv[at], argv + at);
		_exit(127);
	}
	return trace();
}
