/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tap.h - shared by the files of the plugin tap only */
#ifndef CPLUG_TAP_H
#define CPLUG_TAP_H

#include "cni/leg.h"

/* Reads the configuration; makes the device, which is down; CHECK of its own attributes. */
int tap_leg(struct tx *tx, struct call *c, struct leg *leg) CHECKED;
int tap_make(struct tx *tx, struct call *c, const struct leg *leg, struct link *ret) CHECKED;
void tap_compare(struct tx *tx, const struct leg *leg, const struct link *have);

/*
 * "redirect": true.  The verbs of an attachment whose tap is joined to the interface of an earlier
 * plugin: what arrives at one leaves by the other.  redirect_remove() takes the filters away, and
 * leaves the tap to leg_del().
 */
int redirect_add(struct tx *tx, struct call *c, struct result *res) CHECKED;
int redirect_check(struct tx *tx, struct call *c) CHECKED;
int redirect_repair(struct tx *tx, struct call *c) CHECKED;
int redirect_remove(struct tx *tx, struct call *c) CHECKED;

/* ---- names.c ---- */

/* The tap's name: for ADD; and the one that ADD chose, by the result. */
int redirect_choose_name(struct tx *tx, struct call *c, const char **ret) CHECKED;
const char *redirect_listed_name(struct tx *tx, const struct call *c);

/*
 * The interface that a tap of this name joins: CNI_IFNAME, or else the only one in the container
 * beside the tap.
 */
int redirect_find_joined(struct tx *tx, const struct call *c, const char *tap,
			 const char **ret) CHECKED;

#endif
