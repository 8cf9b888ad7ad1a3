/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - calls of plugins with one fault, and the state that they leave
 *
 * run_call() runs a plugin once and makes its n-th system call or allocation fail, or kills it
 * there.  world_read() returns links, addresses, routes, rules, nftables and files as text; it
 * is a fast form of tests/tools/snapshot.
 */
#ifndef CPLUG_FAULT_H
#define CPLUG_FAULT_H

#include <stddef.h>

#include "base/util.h"

enum fault {
	FAULT_NONE,
	FAULT_ERROR,      /* the n-th system call is skipped, and fails with err */
	FAULT_KILL,       /* SIGKILL instead of the n-th system call */
	FAULT_ALLOC,      /* the n-th allocation fails */
	FAULT_ALLOC_EVER, /* the n-th and all later allocations fail */
};

struct run {
	/* Set by the caller. */
	const char *bin, *type; /* folder and name */
	const char *command, *id, *netns, *ifname;
	char *in; /* standard input */
	enum fault fault;
	unsigned n; /* from 1, counted from the start of main() */
	int err;

	/* Set by run_call(). */
	bool fired; /* there was an n-th call or allocation */
	bool hung;
	bool on_stdout; /* the fault hit a write to stdout */
	int status;     /* exit status; 128 + n: killed by signal n */
	long nr;        /* number of the system call, and its first arguments */
	unsigned long long args[3];
	char out[1 << 16], errors[4096];
};

/* Path of alloc.so, which is preloaded for FAULT_ALLOC. */
extern const char *run_alloc_so;

void run_call(struct run *r);

/* Describes the system call or allocation that failed; a static buffer. */
const char *run_where(const struct run *r);

/* ---- state ---- */

/* Opens sockets in the current namespace and in n namespaces of /run/netns. */
void world_open(const char *const *names, unsigned n);

/* Returns text: one object per line, sorted.  The caller frees it. */
char *world_read(void);

/* Prints the lines that differ, with "# - " or "# + " before them. */
void world_diff(const char *before, const char *now);

void die(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#endif
