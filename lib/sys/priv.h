/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * priv.h - drop the capabilities that a call does not need
 *
 * A runtime starts plugins as root with all capabilities.  A call keeps
 *
 *	NET_ADMIN		netlink, nf_tables, sysctls of a network namespace
 *	SYS_ADMIN		setns() into the container's namespace
 *	DAC_OVERRIDE		data directories of another owner
 *	DAC_READ_SEARCH		the same; linkat() of an unnamed file;
 *				open_by_handle_at() of a namespace (alive.c)
 *	SYS_PTRACE		/proc/PID of other processes: sockets and namespaces
 *
 * as far as it has them, and drops the others irrevocably.  A plugin that needs more lists them
 * in its struct plugin (NET_RAW for DHCP).
 */
#ifndef CPLUG_PRIV_H
#define CPLUG_PRIV_H

#include "base/util.h"

/*
 * Drops all other capabilities, and the right to gain any by execve() (PR_SET_NO_NEW_PRIVS).
 * more: one bit for each capability that the plugin also needs (1 << CAP_NET_RAW).  Not for a
 * call that executes another program, which may need more.  If the kernel or a seccomp filter
 * refuses, the capabilities stay as they are.  capabilities(7)
 */
void priv_drop(uint64_t more);

/* Is SYS_PTRACE effective? */
bool priv_can_inspect(void);

/*
 * Takes the capabilities with which an ioctl(2) that names a link loads a module of that name
 * (netdevice(7); CAP_NET_ADMIN: "netdev-NAME", CAP_SYS_MODULE: any) out of the effective set, until
 * priv_show_loaders().  False, and nothing to put back, if the kernel or a filter refuses.  Nothing
 * that needs one of them, and nothing that may fail with longjmp(), in between.
 */
bool priv_hide_loaders(void) CHECKED;
void priv_show_loaders(void);

/* Of a call, in bytes: a net under TX_MEM_MAX, for what the libraries allocate. */
enum { ADDRESS_SPACE_MAX = 512 << 20 };

/*
 * Lowers the soft limit of the address space (RLIMIT_AS, setrlimit(2)) to size bytes, unless it is
 * lower.  Does nothing in a build with AddressSanitizer, which reserves terabytes.
 */
void priv_limit_memory(uint64_t size);

/*
 * For a child that executes another program: sets the limit to what it was.  Makes only system
 * calls.
 */
void priv_restore_memory(void);

#endif
