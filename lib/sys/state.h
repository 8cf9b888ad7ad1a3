/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * state.h - a small JSON document for an attachment, below /run
 *
 * Names and owners are derived (rule R10), but some values cannot be: the MTU that an
 * interface had before tuning changed it, the name that a device had on the host.  Such a
 * document is written before the change that it describes, and removed by DEL or GC.
 *
 * The folder has mode 0700, files have 0600.  A file appears whole or not at all.  Symbolic
 * links, and anything but a regular file, are refused.
 */
#ifndef CPLUG_STATE_H
#define CPLUG_STATE_H

#include "base/tx.h"

enum { STATE_MAX = 65536 }; /* bytes of a document */

#define STATE_ROOT "/run/cni/cplug"

/* The DHCP daemon's documents (ipam/dhcp/record.c), unless it has a -hostprefix. */
#define STATE_DHCP "/run/cni/dhcp"

/* Where a document is.  Both strings must live as long as the transaction. */
struct state_file {
	const char *dir;  /* absolute; made if something is saved */
	const char *name; /* one part of a path, not beginning with "." */
};

/*
 * The usual place: /run/cni/cplug/PLUGIN/NETWORK:ID:IFNAME.json, in the arena.  Fails with
 * CNI_E_ENV if a part is not what the CNI specification allows.  A plugin whose files must be
 * compatible with another's fills in struct state_file itself.
 */
int state_of(struct tx *tx, const char *plugin, const char *network, const char *id,
	     const char *ifname, struct state_file *ret) CHECKED;

/* For STATUS: fails with CNI_E_UNAVAILABLE if no document can be saved in dir. */
int state_ready(struct tx *tx, const char *dir) CHECKED;

/*
 * Writes a document of at most STATE_MAX bytes, in place of what is there, which need not be
 * readable.  Undo: removes it, or writes what was there before, if that could be read.  Failures:
 * CPLUG_E_FILE.
 */
int state_save(struct tx *tx, const struct state_file *f, const char *json) CHECKED;

/*
 * Reads a document into the arena.  Returns 1 and the text, 0 if there is none, or a recorded
 * failure (CPLUG_E_FILE), also for one that is longer than STATE_MAX.
 */
int state_load(struct tx *tx, const struct state_file *f, char **ret_json) CHECKED;

/*
 * Removes a document; none is success.  Undo: writes it again (unless it could not be read:
 * then it is removed all the same).
 */
int state_forget(struct tx *tx, const struct state_file *f) CHECKED;

/* The same without undo: for GC, which removes more documents than an undo stack holds. */
int state_drop(struct tx *tx, const struct state_file *f) CHECKED;

/* A file found in a folder; network, id and ifname are NULL unless state_of() named it. */
struct state_entry {
	struct state_file file;
	const char *network, *id, *ifname;
};

struct state_list {
	struct state_entry *e;
	unsigned n;
};

/* The documents in a folder, for GC, in the arena.  No folder: none. */
int state_list(struct tx *tx, const char *dir, struct state_list *ret) CHECKED;

#endif
