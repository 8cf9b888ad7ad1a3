/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ipam.h - the IPAM delegate's verbs (CNI spec, section 4 "Plugin Delegation")
 *
 * The delegate is named by ipam.type and found on CNI_PATH.  If that is this very
 * program, it is called in process, in the same transaction; any other file is
 * executed with the complete, unchanged configuration, its stderr passed on and
 * its error object passed through.
 */
#ifndef CPLUG_IPAM_H
#define CPLUG_IPAM_H

#include "cni/call.h"
#include "cni/plugin.h"

/* Is there an ipam.type? */
bool ipam_wanted(const struct call *c);

/* Is it the IPAM plugin of this type? */
bool ipam_is(const struct call *c, const char *type);

/*
 * Is the delegate another program, which will be executed?  false also if there is none: the verbs
 * report that.
 */
bool ipam_is_foreign(struct tx *tx, struct call *c);

/*
 * ADD: *ret gets ips, routes and dns.  Undo: the delegate's DEL (in process: the
 * delegate's own undo records).  No address at all is an error.
 */
int ipam_add(struct tx *tx, struct call *c, struct result *ret) CHECKED;

/*
 * Checks the delegate before anything is changed: it exists, and (in process) its configuration is
 * valid.  Success if there is no ipam.type.
 */
int ipam_validate(struct tx *tx, struct call *c) CHECKED;

/*
 * The other verbs.  Each succeeds if there is no ipam.type; DEL also if the type is invalid,
 * because a retry would not help.
 */
int ipam_del(struct tx *tx, struct call *c) CHECKED;
int ipam_check(struct tx *tx, struct call *c) CHECKED;
int ipam_repair(struct tx *tx, struct call *c) CHECKED; /* in process only */
int ipam_gc(struct tx *tx, struct call *c) CHECKED;
int ipam_status(struct tx *tx, struct call *c) CHECKED;

/*
 * Does the delegate talk through the container's interface (dhcp)?  Then the interface must be up
 * before ADD (iface_prepare()), and still there at DEL.
 */
bool ipam_needs_link(const struct call *c);

/*
 * Does it lease IPv6 addresses (dhcp with family 6 or 46)?  DHCPv6 gives no routes: those come with
 * router advertisements, which the interface has to accept.
 */
bool ipam_needs_advertisements(const struct call *c);

/* Its DEL and GC, before interfaces are removed; ipam_del() and ipam_gc() do nothing afterwards. */
int ipam_del_first(struct tx *tx, struct call *c) CHECKED;
int ipam_gc_first(struct tx *tx, struct call *c) CHECKED;

/*
 * The addresses that the delegate has allocated to the attachment, in ret->ips; none if that is not
 * known, because the delegate is another program or does not record addresses.
 */
int ipam_list(struct tx *tx, struct call *c, struct result *ret) CHECKED;

#endif
