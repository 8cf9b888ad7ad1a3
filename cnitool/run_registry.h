/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * run_registry.h - which containers of `cnitool run` live
 *
 * A running container has a file CACHE/runs/ID, which holds the path of its named namespace and
 * is locked by its cnitool.  A file without a lock is left of a cnitool that was killed; gc
 * removes the file and the name.
 */
#ifndef CPLUG_CNITOOL_RUN_REGISTRY_H
#define CPLUG_CNITOOL_RUN_REGISTRY_H

#include "cnitool/cache.h"

struct tool;

struct run_claim {
	const char *id, *path;
	const char *netns; /* path of the name that was made; NULL = none */
	int fd;
};

/*
 * Claims an id; removes what is left of a killed container of the id.  Fails with -EEXIST
 * (CPLUG_E_TAKEN) if such a container is running, with CNI_E_ENV if the id is not valid.
 */
int run_registry_claim(struct tool *t, const char *id, struct run_claim *ret) CHECKED;

/*
 * Makes /run/netns as ip-netns(8) does: a shared mount, so that names appear in mount namespaces
 * that are made later.  Returns 0 or -errno.
 */
int run_registry_make_netns_dir(void) CHECKED;

/*
 * Names the network namespace of a process /run/netns/NAME, as ip-netns(8) does, and notes the
 * path.  *ret_path: this path, or /proc/PID/ns/net where no name can be made.  Fails with -EEXIST
 * (CPLUG_E_TAKEN) if the name is taken.
 */
int run_registry_name_netns(struct tx *tx, struct run_claim *c, int pid,
			    const char **ret_path) CHECKED;

/*
 * Names the namespace at source /run/netns/NAME, the path netns; and removes such a name, with or
 * without a namespace.  add returns 0 or -errno (-EEXIST: the name is taken), remove warns.
 */
int run_registry_add_name(const char *netns, const char *source) CHECKED;
void run_registry_remove_name(const char *netns);

/* Removes the name and the file.  Warns about failures. */
void run_registry_release(struct run_claim *c);

/* Was the cnitool that ran the container killed? */
bool run_registry_is_dead(struct tool *t, const char *id);

/* Removes what is left of killed containers that have no cached attachments any more. */
int run_registry_sweep(struct tool *t) CHECKED;

#endif
