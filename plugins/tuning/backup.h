/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backup.h - the values before, of what the tuning plugin has changed
 *
 * They are in <dataDir>/<id>_<ifname>.json, where the reference has them and in its form, with
 * additions that it ignores: sysctls, and whose they are.  So each restores what the other saved.
 */
#ifndef CPLUG_TUNING_BACKUP_H
#define CPLUG_TUNING_BACKUP_H

#include "netlink/layer3.h"
#include "plugins/tuning/conf.h"
#include "sys/state.h"

struct sysctl_values {
	struct sysctl_value *v;
	unsigned n;
};

void sysctl_values_add(struct tx *tx, struct sysctl_values *to, const char *name,
		       const char *value);

/* What the kernel drops of an interface with a change: disable_ipv6, a small MTU, a MAC. */
struct dropped {
	const char *ifname;
	bool up; /* it is set down for the change */
	struct layer3 layer3;
};

/* Strings that the document does not have, as the reference's has not, are NULL. */
struct backup {
	struct link_want link;        /* as it was */
	struct sysctl_values sysctls; /* as they were */
	struct sysctl_values shown;   /* as the kernel prints what was written, if it differs */
	struct dropped *dropped;
	unsigned n_dropped;
	const char *network, *id, *ifname;
	const char *netns;          /* its path */
	const char *inode, *cookie; /* netns_identify() */
};

/* Is there nothing to restore? */
bool backup_is_empty(const struct backup *b);

struct state_file backup_file(struct tx *tx, const char *dir, const char *id, const char *ifname);

/*
 * The values of the link l, and of the sysctls as they were just read, that cf will change; and
 * what the kernel will drop.
 */
int backup_of(struct tx *tx, struct call *c, const struct tuning_conf *cf, const struct link *l,
	      struct backup *ret) CHECKED;

/*
 * dropped.c.  Adds what the kernel drops of interfaces in rt's namespace; of one that is there
 * already, the older is kept.
 */
int backup_find_dropped(struct tx *tx, struct rt *rt, const struct tuning_conf *cf,
			const struct link *l, struct backup *b) CHECKED;
void backup_add_dropped(struct tx *tx, struct backup *b, const struct dropped *d);

/* Notes how the kernel prints a value that was written; and: does it print it so? */
void backup_note_shown(struct tx *tx, struct backup *b, const struct sysctl_value *v);
bool backup_is_shown(const struct backup *b, const struct sysctl_value *v);

/* document.c.  Reads a document: 1; 0 if there is none; or a recorded failure. */
int backup_load(struct tx *tx, const struct state_file *f, struct backup *ret) CHECKED;
int backup_write(struct tx *tx, const struct state_file *f, const struct backup *b) CHECKED;

/*
 * Saves b for the attachment, over what is there: of a value that is saved already, for the same
 * namespace, the older one is kept.
 */
int backup_save(struct tx *tx, const struct call *c, const char *dir,
		const struct backup *b) CHECKED;

/*
 * Writes the values of b back; a link or a sysctl that is gone is success.  What the kernel refuses
 * is a warning, unless the transaction is rolled back; an error that may pass is a failure.  Goes
 * on after a failure.  No undo.
 */
int backup_restore(struct tx *tx, struct rt *rt, const char *ifname,
		   const struct backup *b) CHECKED;

#endif
