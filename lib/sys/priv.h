/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * priv.h - giving away what a call does not need
 *
 * A runtime starts plugins as root with every capability there is.  A call keeps
 *
 *	NET_ADMIN		netlink, nf_tables, sysctls of a network namespace
 *	SYS_ADMIN		setns() into the container's
 *	DAC_OVERRIDE		data directories of another owner
 *	DAC_READ_SEARCH		the same; linkat() of a file without a name; and
 *				open_by_handle_at() of a namespace (alive.c)
 *	SYS_PTRACE		/proc/PID of others: who listens on a port, which namespaces live
 *
 * of those it has, and gives the others back for good.  A plugin that needs more names them in
 * its struct plugin (NET_RAW for DHCP, say).
 */
#ifndef CPLUG_PRIV_H
#define CPLUG_PRIV_H

#include "base/util.h"

/*
 * more: a bit for each capability that this plugin needs beside those (1 << CAP_NET_RAW).
 * Gives the others back, and the right to gain any by execve() (PR_SET_NO_NEW_PRIVS).  Only for
 * who executes nobody: a foreign delegate may need what we do not.  Where the kernel, or a
 * filter of system calls, refuses, everything stays as it is.  capabilities(7)
 */
void priv_drop(uint64_t more);

#endif
