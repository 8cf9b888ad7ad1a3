/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * burst.h - many pieces of work at a time
 *
 * DELs that run at the same time share the kernel's grace periods (netlink/link_doomed.c), so 30
 * take little longer than one.
 */
#ifndef CPLUG_CNITOOL_BURST_H
#define CPLUG_CNITOOL_BURST_H

#include <stdbool.h>

struct tool;

/*
 * Does the i-th piece; < 0 is a failure.  Without alone it may run in a child process, so what it
 * notes in memory is lost, and the text of a failure is dropped; with alone it may be the second
 * time, after a failure or a kill at any moment.
 */
typedef int burst_fn(struct tool *t, unsigned i, bool alone, void *arg);

/*
 * Calls fn for 0 to n - 1, in this process and in children, up to 16 pieces at a time; then for
 * those that failed once more, alone, until one fails again: returns that failure, recorded, else
 * 0.  A signal ends all; the pieces that were begun fail.  If this process is killed, its children
 * get SIGTERM.
 */
int burst_run(struct tool *t, unsigned n, burst_fn *fn, void *arg);

#endif
