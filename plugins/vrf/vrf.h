/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vrf.h - shared by the files of the plugin vrf only */
#ifndef CPLUG_VRF_H
#define CPLUG_VRF_H

#include "netlink/rt.h"

/* A table (RT_TABLE_*) that no rule, route or VRF of the namespace has. */
int vrf_free_table(struct tx *tx, struct rt *rt, uint32_t *ret) CHECKED;

#endif
