/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sysctls.h - the sysctls that the tuning plugin reads, sets and compares
 *
 * Values are those of the container's namespace; the names are checked before (conf.h).
 */
#ifndef CPLUG_TUNING_SYSCTLS_H
#define CPLUG_TUNING_SYSCTLS_H

#include "plugins/tuning/backup.h"

/* Fails with this code if no sysctl can be read here, or (to_set) set. */
int tuning_need_sysctls(struct tx *tx, const struct tuning_conf *cf, enum cni_code code,
			bool to_set) CHECKED;

/* Reads the values that cf names; fails with CNI_E_CONFIG if the kernel has no such sysctl. */
int tuning_read_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf) CHECKED;

/* Writes those that differ from what was read.  No undo: the backup is. */
int tuning_write_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf) CHECKED;

/*
 * The kernel prints some values in another form (8080,8081 as 8080-8081): saves those in the
 * backup, for CHECK.
 */
int tuning_note_shown(struct tx *tx, struct call *c, struct tuning_conf *cf,
		      struct backup *b) CHECKED;

/* Notes every difference (differ.h). */
int tuning_check_sysctls(struct tx *tx, struct call *c, struct tuning_conf *cf) CHECKED;

#endif
