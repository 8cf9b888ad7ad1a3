/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewall.h - shared by the files of the firewall plugin only
 *
 * firewall.c has the verbs, conf.c the configuration, status.c STATUS.
 */
#ifndef CPLUG_FIREWALL_H
#define CPLUG_FIREWALL_H

#include "cni/call.h"
#include "firewall/accept.h"

/* The keys of the configuration; the rest of *ret is empty. */
int firewall_read_conf(struct tx *tx, struct call *c, struct accept *ret) CHECKED;

/* STATUS: fails with 50 if the backend cannot be used, with 51 if others drop the traffic. */
int firewall_status(struct tx *tx, struct call *c) CHECKED;

#endif
