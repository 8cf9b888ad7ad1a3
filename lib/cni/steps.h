/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steps.h - what an attachment has beside its interface: one description, all verbs
 *
 * step_NAME() does what the call's command says: ADD makes it (with undo), CHECK notes what
 * differs, a repair compares and makes anew what differs.  step_NAME_remove() is DEL's and
 * step_NAME_gc() GC's; both need no more than (network, id, ifname).
 */
#ifndef CPLUG_STEPS_H
#define CPLUG_STEPS_H

#include "cni/call.h"
#include "cni/conf.h"
#include "firewall/nat.h"
#include "firewall/reference.h"
#include "firewall/spoof.h"
#include "netlink/link.h"

/*
 * Masquerade and published ports.  If n names neither, ADD has nothing to do, CHECK notes what is
 * there, and a repair deletes it.  The owner and repair are filled in.
 */
int step_nat(struct tx *tx, struct call *c, struct nat *n) CHECKED;

/* The network address translation of a main plugin. */
struct translation {
	const struct conf_masq *masq;
	const struct hostports *ports;
	int link;        /* ifindex of the attachment's link on the host */
	const char *dev; /* the link through which the host reaches the container */
	bool own_dev;    /* it is the attachment's own: no other container is behind it */
	bool routed;     /* ADD has looked at addresses with a gateway: gateway_check_route() */
};

/*
 * step_nat() for the addresses of a result, after step_close() if there is nothing.  An address of
 * the host itself is not masqueraded, because the rule would change the source of the host's own
 * packets: ADD and a repair fail with CPLUG_E_TAKEN, CHECK notes it.
 */
int step_translate(struct tx *tx, struct call *c, const struct translation *t,
		   const struct result *res) CHECKED;

/*
 * For an attachment that has neither: after "nft flush ruleset" the host's loopback may be open to
 * the containers behind dev.  ADD and a repair close it (nat_close()), CHECK notes it.
 */
int step_close(struct tx *tx, struct call *c, const char *dev) CHECKED;

/* The spoof guard of a bridge port; owner and repair are filled in. */
int step_spoof(struct tx *tx, struct call *c, struct spoof *s) CHECKED;

/*
 * Takes away everything that the attachment has in nftables, whichever plugin made it.  dev: the
 * link through which the host reached the container.
 */
int step_nft_remove(struct tx *tx, struct call *c, const char *dev) CHECKED;

/*
 * Takes away what the reference plugins made (enum reference_part), for an attachment of which ours
 * have nothing; GC: of the network's attachments that are not valid.
 */
int step_reference_remove(struct tx *tx, struct call *c, unsigned parts) CHECKED;
int step_reference_gc(struct tx *tx, struct call *c) CHECKED;

/* The container's resolv.conf; mode: conf_resolv().  Nothing to do if dns is empty. */
int step_resolv(struct tx *tx, struct call *c, const char *mode,
		const struct result_dns *dns) CHECKED;
int step_resolv_remove(struct tx *tx, struct call *c, const char *mode) CHECKED;
int step_resolv_gc(struct tx *tx, struct call *c) CHECKED;

/*
 * A link on the host that must not configure itself from a container's router
 * advertisements (sysctls accept_ra and autoconf are 0).  No undo: goes with the link.
 */
int step_quiet(struct tx *tx, struct call *c, const struct rt *rt, const struct link *l) CHECKED;

/*
 * GC: deletes the links of a kind ("" = all) on the host whose alias is a mark of the network and
 * no valid attachment's. A link whose ADD was killed before it got its alias is left to DEL and to
 * cnitool's gc, because a device group does not tell the network.
 */
int step_links_gc(struct tx *tx, struct call *c, const char *kind) CHECKED;

#endif
