/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run_registry.h - which containers of `cnitool run` live
 *
 * A running container has a file <cache>/runs/ID with the path of its named
 * namespace, locked by the cnitool that runs it.  A file without a lock is what is
 * left of one that was killed: gc removes it, with its namespace.
 */
#ifndef CPLUG_CNITOOL_RUN_REGISTRY_H
#define CPLUG_CNITOOL_RUN_REGISTRY_H

#include "cnitool/cache.h"

struct tool;

struct run_claim {
	const char *id, *path;
	const char *netns; /* the name we made for the namespace; NULL = none */
	int fd;
};

/*
 * Claims an id.  Fails with -EEXIST if a container of that id is running; what one
 * that was killed left behind is removed.
 */
int run_registry_claim(struct tool *t, const char *id, struct run_claim *ret) CHECKED;

/*
 * Names the namespace of a process /run/netns/NAME, as `ip netns` does, and notes it.
 * *ret_path: that, or /proc/PID/ns/net where names cannot be made.
 */
int run_registry_name_netns(struct tx *tx, struct run_claim *c, int pid,
			    const char **ret_path) CHECKED;

/* Removes the name and the file. */
void run_registry_release(struct run_claim *c);

/* Was the container of that id run by a cnitool that was killed? */
bool run_registry_is_dead(struct tool *t, const char *id);

/* Removes what is left of dead ones that have no attachments any more. */
int run_registry_sweep(struct tool *t) CHECKED;

#endif
