// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipvlan.c - an interface on the host's wire that shares its parent's MAC (kind "ipvlan")
 *
 * Mode and flag belong to the parent: the kernel gives all ipvlan links of a parent those of the
 * newest one.
 */
#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/leg.h"
#include "plugins/list.h"

static const char *const modes[] = {
	[IPVLAN_MODE_L2] = "l2",
	[IPVLAN_MODE_L3] = "l3",
	[IPVLAN_MODE_L3S] = "l3s",
};

/* The index is the value of IFLA_IPVLAN_FLAGS: IPVLAN_F_PRIVATE and IPVLAN_F_VEPA are bits. */
static const char *const flags[] = {
	[0] = "bridge",
	[IPVLAN_F_PRIVATE] = "private",
	[IPVLAN_F_VEPA] = "vepa",
};

struct ipvlan {
	uint16_t mode; /* IPVLAN_MODE_* */
	uint16_t flag; /* 0 or IPVLAN_F_* */
};

static void put_ipvlan(struct rt_msg *m, const void *data)
{
	const struct ipvlan *v = data;

	rt_put_u16(m, IFLA_IPVLAN_MODE, v->mode);
	rt_put_u16(m, IFLA_IPVLAN_FLAGS, v->flag);
}

static const char *name_at(const char *const *names, unsigned n, uint32_t i)
{
	if (i < n)
		return names[i];
	return "another";
}

static void check_ipvlan(struct tx *tx, const struct leg *leg, const struct link *have)
{
	const struct ipvlan *v = leg->link.data;
	uint32_t mode = link_data_number(have, IFLA_IPVLAN_MODE, IPVLAN_MODE_MAX);
	uint32_t flag = link_data_number(have, IFLA_IPVLAN_FLAGS, 0);

	if (mode != v->mode)
		differ(tx, mem_printf(&tx->mem, "mode of %s", have->name), modes[v->mode],
		       name_at(modes, ARRAY_LEN(modes), mode));
	if (flag != v->flag)
		differ(tx, mem_printf(&tx->mem, "flag of %s", have->name), flags[v->flag],
		       name_at(flags, ARRAY_LEN(flags), flag));
}

static int ipvlan_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct ipvlan *v = mem_alloc(&tx->mem, sizeof(*v));

	leg->link.kind = "ipvlan";
	leg->link.put = put_ipvlan;
	leg->link.data = v;
	leg->check = check_ipvlan;
	leg->has_parent = true;
	leg->skips_own_kind = true;
	leg->takes_prev = true;
	v->mode = (uint16_t)cj_word(&c->conf, "mode", "ipvlan mode", modes, ARRAY_LEN(modes));
	v->flag = (uint16_t)cj_word(&c->conf, "flag", "ipvlan flag", flags, ARRAY_LEN(flags));
	return leg_read(tx, c, leg);
}

const struct plugin ipvlan_plugin = {
	.name = "ipvlan",
	.about = "an interface on the host's wire that shares its parent's MAC",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.leg = ipvlan_leg,
	LEG_VERBS,
};
