/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cmd_restore.h - attachments put right
 */
#ifndef CPLUG_CNITOOL_CMD_RESTORE_H
#define CPLUG_CNITOOL_CMD_RESTORE_H

#include "cnitool/attach.h"

/* check --repair: puts one right, tells what was, and checks it again. */
int restore_one(struct tool *t, const struct attachment *a) CHECKED;

#endif
