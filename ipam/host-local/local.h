/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * local.h - the verbs of host-local, for an IPAM plugin that has other range sets
 *
 * Each does what host-local's verb does, with the range sets of cf (conf.h).  Failures are
 * recorded, with the codes of host-local (docs/config/host-local.md).
 */
#ifndef CPLUG_HOST_LOCAL_LOCAL_H
#define CPLUG_HOST_LOCAL_LOCAL_H

#include "ipam/host-local/conf.h"

/* cf has the requested addresses, too (local_conf_read_requests()). */
int local_add_from(struct tx *tx, struct call *c, struct local_conf *cf,
		   struct result *ret) CHECKED;
int local_check_in(struct tx *tx, struct call *c, const struct local_conf *cf) CHECKED;
int local_repair_in(struct tx *tx, struct call *c, struct local_conf *cf) CHECKED;

/* They need no range set: leases are found by container. */
int local_del(struct tx *tx, struct call *c) CHECKED;
int local_gc(struct tx *tx, struct call *c) CHECKED;
int local_list(struct tx *tx, struct call *c, struct result *ret) CHECKED;

#endif
