/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hostconf.h - what the administrator of the host allows: /etc/cplug/cplug.conf, cplug.conf(5)
 *
 * With Multus the users of a cluster write network configurations.  So a path in a configuration is
 * not trusted: it must lie below a folder that this file allows (or a default), and no symbolic
 * link is followed below that folder.  The file is read when a call first asks.  If root does not
 * own it, if others can write it, or if it is invalid, it is ignored with a warning.
 */
#ifndef CPLUG_HOSTCONF_H
#define CPLUG_HOSTCONF_H

#include "base/tx.h"

enum hostconf_folders {
	HOSTCONF_LOG,    /* "logFolders", default /var/log/cplug */
	HOSTCONF_RESOLV, /* "resolvConfFolders", default /etc/netns (always allowed), /run/cplug */
	HOSTCONF_DATA,   /* "dataFolders", default /run/cni, /var/run/cni, /var/lib/cni */
	HOSTCONF_SUBNET, /* "subnetFolders", default /run/flannel, /run/cplug */
};

/*
 * A sentence that says why path is refused, in the arena; NULL if it is allowed: absolute, below an
 * allowed folder, without ".." and without control characters.
 */
const char *hostconf_refuses(struct tx *tx, enum hostconf_folders which, const char *path);

/*
 * The folder below which no configuration has folders made, if path is there or leads there by
 * symbolic links: /etc, and the folders that have files of cplug or of other runtimes.  NULL: none.
 */
const char *hostconf_guards(struct mem *mem, const char *path);

/*
 * Opens the folder of path, without following symbolic links below the allowed folder; create:
 * makes missing folders (mode 0755).  *ret_name is the last part of path.  Returns 0, -EPERM if the
 * path is refused, or another -errno (-ENOENT, -ENOTDIR: a part is missing, or is no folder or a
 * symbolic link).  Records nothing.
 */
int hostconf_open_try(struct tx *tx, enum hostconf_folders which, const char *path, bool create,
		      int *ret_dir, const char **ret_name) CHECKED;

/*
 * Opens a log file for appending, and makes it (mode 0600) if it is missing.  Returns a descriptor,
 * or -errno as above (-EINVAL: not a regular file; -ELOOP: a symbolic link).  Records nothing.
 */
int hostconf_log_open_try(struct tx *tx, const char *path) CHECKED;

/* May onConflict "replace" take ports of another network?  "replaceAcrossNetworks", default false.
 */
bool hostconf_replaces_across_networks(struct tx *tx);

#endif
