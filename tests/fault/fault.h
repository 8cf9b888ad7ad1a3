/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fault.h - calls of plugins in which one thing goes wrong, and what they leave
 *
 * run_call() runs a plugin once, and makes its n-th system call (or allocation) fail, or
 * kills it there.  world_read() tells in text what there is: links, addresses, routes, rules,
 * nftables, files: the quick sister of tests/tools/snapshot.
 */
#ifndef CPLUG_FAULT_H
#define CPLUG_FAULT_H

#include <stddef.h>

#include "base/util.h"

enum fault {
	FAULT_NONE,
	FAULT_ERROR,      /* the n-th system call is not made, and fails with err */
	FAULT_KILL,       /* SIGKILL instead of it */
	FAULT_ALLOC,      /* the n-th allocation fails */
	FAULT_ALLOC_EVER, /* and every later one */
};

struct run {
	/* What is to be run */
	const char *bin, *type; /* folder and name */
	const char *command, *id, *netns, *ifname;
	char *in; /* its standard input */
	enum fault fault;
	unsigned n; /* from 1, counted from the start of main() */
	int err;

	/* What came of it */
	bool fired; /* there was an n-th */
	bool hung;
	bool on_stdout; /* it was the answer that could not be written */
	int status;     /* exit status; 128 + n: killed by signal n */
	long nr;        /* which system call it was, and its first arguments */
	unsigned long long args[3];
	char out[1 << 16], errors[4096];
};

/* The interposer to be preloaded for FAULT_ALLOC. */
extern const char *run_alloc_so;

void run_call(struct run *r);

/* "sendto(3, …)": where the fault struck. */
const char *run_where(const struct run *r);

/* ---- the world ---- */

/* Opens sockets here and in n namespaces (of /run/netns). */
void world_open(const char *const *names, unsigned n);

/* Text, one thing a line, sorted; to be freed. */
char *world_read(void);

/* Puts the lines that differ on stdout, each behind "# - " or "# + ". */
void world_diff(const char *before, const char *now);

void die(const char *fmt, ...) PRINTF(1, 2) __attribute__((noreturn));

#endif
