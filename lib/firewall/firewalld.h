/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * firewalld.h - accepted addresses as sources of a zone of firewalld
 *
 * As the reference plugin firewall does: the address is added to a zone, usually "trusted", over
 * D-Bus (org.fedoraproject.FirewallD1.zone, man firewalld.dbus).  Functions return 0 or a recorded
 * failure.
 */
#ifndef CPLUG_FIREWALLD_H
#define CPLUG_FIREWALLD_H

#include "base/tx.h"
#include "value/ip.h"

/* Is firewalld running?  No bus is no firewalld. */
bool firewalld_is_running(struct mem *mem);

/* Adds the addresses to the zone.  One that the zone has already is success.  Undo: removes them.
 */
int firewalld_add(struct tx *tx, const char *zone, const struct ip *ips, unsigned n) CHECKED;
/* Notes addresses that the zone does not have (differ.h). */
int firewalld_check(struct tx *tx, const char *zone, const struct ip *ips, unsigned n) CHECKED;
/*
 * Removes them.  One that the zone does not have, or no firewalld, is success.  zone "": whichever
 * zone has them.
 */
int firewalld_del(struct tx *tx, const char *zone, const struct ip *ips, unsigned n) CHECKED;

#endif
