// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dummy.c - an interface in the container that leads nowhere (linux/if_link.h, kind "dummy")
 *
 * For addresses that must exist in the container but that no wire carries: service
 * addresses, router ids.
 */
#include "cni/leg.h"
#include "plugins/list.h"

static int dummy_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	leg->link.kind = "dummy";
	leg->has_mac = true;
	leg->needs_ipam = true;
	return leg_read(tx, c, leg);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin dummy_plugin = {
	.name = "dummy",
	.about = "an interface in the container that leads nowhere",
	.flags = CNI_USES_CONT,
	.args = args,
	.leg = dummy_leg,
	LEG_VERBS,
};
