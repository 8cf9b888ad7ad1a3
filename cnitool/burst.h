/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * burst.h - many pieces of work at a time
 *
 * DELs that run at the same time share the kernel's grace periods (netlink/link_doomed.c), so 30
 * take little longer than one.
 */
#ifndef CPLUG_CNITOOL_BURST_H
#define CPLUG_CNITOOL_BURST_H

struct tool;

/* Does the i-th piece.  It may run in a child process: what it notes in memory is lost. */
typedef int burst_fn(struct tool *t, unsigned i, void *arg);

/*
 * Calls fn for 0 to n - 1, in this process and in children, up to 16 pieces at a time.  Goes on
 * after failures: returns the first one of this process, else that of a child, and records both,
 * with its text.  t->status becomes 1 if a child's did.  A signal ends all; the pieces that were
 * begun fail. If this process is killed, its children get SIGTERM.
 */
int burst_run(struct tool *t, unsigned n, burst_fn *fn, void *arg);

#endif
