/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewall.h - shared by the files of the firewall plugin only
 *
 * firewall.c has the verbs, conf.c the configuration, backend.c the rules in chains of other
 * programs, status.c STATUS.
 */
#ifndef CPLUG_FIREWALL_H
#define CPLUG_FIREWALL_H

#include "cni/call.h"
#include "firewall/accept.h"
#include "netlink/link.h"

struct firewall {
	struct accept accept;
	bool automatic;    /* the backend is chosen by what the forward hook has */
	struct link *link; /* of the attachment on the host; index 0 = none */
};

/* The keys of the configuration; the rest of *ret is empty. */
int firewall_read_conf(struct tx *tx, struct call *c, struct firewall *ret) CHECKED;

/*
 * Fills in f->accept.elsewhere: as configured, as ADD has recorded it (CHECK), or by the program
 * that drops the attachment's traffic.
 */
int backend_choose(struct tx *tx, struct call *c, struct firewall *f) CHECKED;
int backend_add(struct tx *tx, struct call *c, const struct firewall *f) CHECKED;
int backend_check(struct tx *tx, struct call *c, const struct firewall *f) CHECKED;

/* STATUS: fails with 50 if the backend cannot be used, with 51 if others drop the traffic. */
int firewall_status(struct tx *tx, struct call *c) CHECKED;

#endif
