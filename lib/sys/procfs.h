/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * procfs.h - a proc filesystem of this process's own, where /proc has become slow
 *
 * The kernel keeps a directory entry "ipv6" of /proc/sys/net for each network namespace in which
 * a file below it was opened, all of them in one list, and walks this list at each later open
 * (proc_sys_compare()), in all processes of the host: with 2,000 containers an ADD took 30 times as
 * long.  The entries of an instance of this process's own go with it, and /proc has no more of
 * them.  To make it and to take it down costs 0.1 ms, so a short list is used.
 */
#ifndef CPLUG_PROCFS_H
#define CPLUG_PROCFS_H

#include <stdbool.h>

/* Is there /proc/sys/net?  Not if /proc is mounted with subset=pid. */
bool procfs_has_sysctls(void);

/* Is /proc/sys/net read-only for this process?  A container's runtime can be so. */
bool procfs_is_readonly(void);

/*
 * For sysctls of another namespace: returns the descriptor of the root folder of this process's
 * own proc filesystem, valid until the next call, or -1: /proc is to be used.  That is so while
 * the list is short, if the kernel refuses an instance (no CAP_SYS_ADMIN over the PID namespace),
 * and where /proc/sys/net is read-only, because the administrator wants that.  fsopen(2),
 * fsmount(2): Linux 5.2.
 */
int procfs_own(void);

#endif
