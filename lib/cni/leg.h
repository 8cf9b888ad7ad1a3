/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * leg.h - a main plugin that gives a container one interface, made in place
 *
 * Such a plugin only describes its interface: the kind of link, its own attributes, the
 * parent, how it is configured.  All verbs come from the description.
 *
 *	static int read_leg(struct tx *tx, struct call *c, struct leg *leg) { … }
 *
 *	const struct plugin dummy_plugin = {
 *		.name = "dummy",
 *		.flags = CNI_USES_CONT,
 *		.leg = read_leg,
 *		LEG_VERBS,
 *	};
 *
 * ADD		validate the IPAM, find the parent, make the link in the container, lease
 *		addresses, configure, write resolv.conf, announce
 * CHECK	compare each of these with prevResult and the configuration; the parent only if
 *		the configuration names it, because the default route may have moved since
 * repair	the steps of ADD for what differs; a link that is gone is made again
 * DEL		delete the link, resolv.conf and the leases, with or without the namespace
 * GC		resolv.conf and leases; links go with their namespaces
 * STATUS	the IPAM plugin's, and the parent is there and up
 */
#ifndef CPLUG_LEG_H
#define CPLUG_LEG_H

#include "cni/call.h"
#include "cni/conf.h"
#include "cni/plugin.h"
#include "netlink/link.h"

struct leg {
	/*
	 * Kind, put and data, MTU, MAC and hint of the link; leg.c fills in name, place, parent
	 * and mark. kind must be set also if the configuration is wrong: DEL goes on with it.
	 */
	struct link_new link;
	bool has_mac;         /* the kind has a MAC of its own: link.mac, or a random one */
	bool starts_with_mac; /* the kernel gives it its parent's, which stays without link.mac */

	bool has_parent;
	struct conf_parent parent;
	/* The kernel makes the link of a parent of the same kind on that one's own parent. */
	bool skips_own_kind;
	/* Without ipam: the addresses, routes and DNS of an earlier plugin of the list. */
	bool takes_prev;

	const char *bridge; /* in the container: the link becomes its port; NULL = none */
	enum link_switch promisc;

	bool needs_ipam; /* an interface without addresses makes no sense */
	bool dad;        /* IPv6: wait for duplicate address detection */
	struct result_dns dns;
	const char *resolv_conf; /* conf_resolv() */

	/* Makes the link c->ifname in the container, with its mark; NULL = link_add() does. */
	int (*make)(struct tx *tx, struct call *c, const struct leg *leg, struct link *ret);

	/* CHECK: notes how the link differs in the kind's own attributes; NULL = in nothing. */
	void (*check)(struct tx *tx, const struct leg *leg, const struct link *have);
};

/*
 * Reads the keys that all legs have into *leg: mtu, mac (with has_mac set), master and
 * linkInContainer (with has_parent), dad, dns, resolvConf.  Fails with all mistakes of the
 * document at once, so call it last.
 */
int leg_read(struct tx *tx, struct call *c, struct leg *leg) CHECKED;

/* The interface as c->plugin describes it.  Fails with all mistakes of the configuration. */
int leg_describe(struct tx *tx, struct call *c, struct leg *leg) CHECKED;

/* The verbs; c->plugin->leg describes the interface. */
int leg_validate(struct tx *tx, struct call *c) CHECKED;
int leg_add(struct tx *tx, struct call *c, struct result *res) CHECKED;
int leg_del(struct tx *tx, struct call *c) CHECKED;
int leg_check(struct tx *tx, struct call *c) CHECKED;
int leg_repair(struct tx *tx, struct call *c) CHECKED;
int leg_gc(struct tx *tx, struct call *c) CHECKED;
int leg_status(struct tx *tx, struct call *c) CHECKED;

#define LEG_VERBS                                                                                  \
	.validate = leg_validate, .add = leg_add, .del = leg_del, .check = leg_check,              \
	.repair = leg_repair, .gc = leg_gc, .status = leg_status

#endif
