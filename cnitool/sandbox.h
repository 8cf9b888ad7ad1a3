/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sandbox.h - new namespaces with an init, for a command (cnitool run)
 *
 * sandbox_open() creates the namespaces and an init that waits.  After the caller has attached the
 * networks, sandbox_run() makes init mount what a container needs and start the command.  When
 * the command ends, init kills all other processes and sends the status.  Init and its network
 * namespace remain until sandbox_close().
 */
#ifndef CPLUG_CNITOOL_SANDBOX_H
#define CPLUG_CNITOOL_SANDBOX_H

#include <signal.h>
#include <sys/types.h>

#include "cnitool/cnitool.h"
#include "sys/netns.h"

struct sandbox_plan {
	bool new_net;                 /* a new network namespace */
	const struct netns *join_net; /* or this one; NULL = the caller's */
	bool nohup;                   /* the command ignores SIGHUP */
	bool user;                    /* a new user namespace, with the caller as its root */
	const char *hostname;         /* NULL = the caller's */
	const char *rootfs;           /* path of the root directory; NULL = the caller's */
	const char *workdir;          /* NULL = the caller's, or / in a rootfs */
	const struct words *env;      /* NAME=VALUE sets, NAME unsets a variable */
	char *const *command;         /* NULL-terminated */
};

/* Contents that init mounts over files in /etc; NULL = the file stays. */
struct sandbox_files {
	const char *hosts, *resolv_conf, *hostname;
};

struct sandbox {
	pid_t init;  /* in the caller's PID namespace; 0 = none */
	int control; /* socket to init */
};

#define SANDBOX_NONE ((struct sandbox){ .control = -1 })

/*
 * Creates the namespaces and init.  Needs CAP_SYS_ADMIN, or plan->user.  On failure nothing is
 * left.
 */
int sandbox_open(struct tool *t, const struct sandbox_plan *plan, struct sandbox *ret) CHECKED;

/*
 * Starts the command and waits until it ends.  *ret_status: its exit status; 128+N if signal N
 * killed it; EXIT_* if it did not start.  Forwards SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1 and
 * SIGUSR2, except from the terminal, which signals the command itself.
 */
int sandbox_run(struct tool *t, struct sandbox *s, const struct sandbox_files *files,
		int *ret_status) CHECKED;

/* Kills init, and with it all processes of its PID namespace. */
void sandbox_close(struct sandbox *s);

/* ---- within the sandbox (init.c, mounts.c) ---- */

/* The first message to init; the contents of the files follow. */
struct sandbox_message {
	uint32_t hosts, resolv_conf, hostname; /* bytes; 0 = no file */
};

/* The main function of init.  control: its socket. */
void init_main(struct tool *t, const struct sandbox_plan *plan, int control)
	__attribute__((noreturn));

/*
 * Makes all mounts of the process's new mount namespace slaves, as ip-netns(8) does: none appears
 * on the host, but those of the host appear here, such as the names of namespaces in /run/netns.
 * Fails, with no mount made, where that cannot be done.
 */
int mounts_make_private(struct tx *tx) CHECKED;

/* Mounts what the container needs, and sets its hostname. */
int mounts_make(struct tx *tx, const struct sandbox_plan *plan,
		const struct sandbox_files *files) CHECKED;

/* The signals that are forwarded to the command. */
void sandbox_signals(sigset_t *ret);

#endif
