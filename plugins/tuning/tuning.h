/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tuning.h - the tuning plugin: changes sysctls and attributes of the container's interface
 */
#ifndef CPLUG_TUNING_TUNING_H
#define CPLUG_TUNING_TUNING_H

#include "plugins/tuning/backup.h"

/* Verbs (cni/plugin.h). */
int tuning_del(struct tx *tx, struct call *c) CHECKED;
int tuning_gc(struct tx *tx, struct call *c) CHECKED;

#endif
