/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - namespaces with a process in them
 *
 * sandbox_open() makes the namespaces and an init in them that waits; the caller
 * plugs the network; sandbox_run() tells init to furnish the place and to run
 * the command.  When the command ends, init kills what is left, tells the status,
 * and stays - and with it the namespace - until sandbox_close().
 */
#ifndef CPLUG_CNITOOL_SANDBOX_H
#define CPLUG_CNITOOL_SANDBOX_H

#include <signal.h>
#include <sys/types.h>

#include "cnitool/cnitool.h"
#include "sys/netns.h"

struct sandbox_plan {
	bool new_net;                 /* a network namespace of its own */
	const struct netns *join_net; /* or that one; NULL: ours */
	bool nohup;                   /* the command ignores SIGHUP */
	bool user;                    /* a user namespace: we are its root */
	const char *hostname;         /* NULL: ours */
	const char *rootfs;           /* NULL: our own root directory */
	const char *workdir;          /* NULL: as it is, or / in a rootfs */
	const struct words *env;      /* NAME=VALUE sets, NAME unsets */
	char *const *command;         /* NULL-terminated */
};

/* What init binds over the files in /etc; NULL: they stay. */
struct sandbox_files {
	const char *hosts, *resolv_conf, *hostname;
};

struct sandbox {
	pid_t init; /* as we see it; 0 = none */
	int control;
};

#define SANDBOX_NONE ((struct sandbox){ .control = -1 })

int sandbox_open(struct tool *t, const struct sandbox_plan *plan, struct sandbox *ret) CHECKED;

/*
 * Starts the command and waits for its end; *ret_status is what we are to exit with.
 * SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 are passed on, unless
 * they came from the terminal, which tells the command itself.
 */
int sandbox_run(struct tool *t, struct sandbox *s, const struct sandbox_files *files,
		int *ret_status) CHECKED;

/* Ends whatever is left in it. */
void sandbox_close(struct sandbox *s);

/* ---- the other side (init.c) ---- */

/* What init is told, before the texts. */
struct sandbox_message {
	uint32_t hosts, resolv_conf, hostname; /* sizes; 0 = none */
};

/* Becomes init.  Does not return. */
void init_main(struct tool *t, const struct sandbox_plan *plan, int control)
	__attribute__((noreturn));

/* Makes the place: mounts, files, hostname (mounts.c). */
int mounts_make(struct tx *tx, const struct sandbox_plan *plan,
		const struct sandbox_files *files) CHECKED;

/* The signals that are passed on to the command. */
void sandbox_signals(sigset_t *ret);

#endif
