// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * macvlan.c - an interface on the host's wire, with a MAC of its own (kind "macvlan")
 *
 * The link is made in the container, on top of a parent of the host (or of the container, with
 * linkInContainer).  By design the host and its macvlan containers do not reach each other.
 */
#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/leg.h"
#include "plugins/list.h"

static const struct {
	const char *name;
	uint32_t mode;
} modes[] = {
	{ "bridge", MACVLAN_MODE_BRIDGE },
	{ "private", MACVLAN_MODE_PRIVATE },
	{ "vepa", MACVLAN_MODE_VEPA },
	{ "passthru", MACVLAN_MODE_PASSTHRU },
};

struct macvlan {
	uint32_t mode;      /* MACVLAN_MODE_* */
	uint32_t queue_len; /* IFLA_MACVLAN_BC_QUEUE_LEN, packets; 0 = the kernel's default */
};

static void put_macvlan(struct rt_msg *m, const void *data)
{
	const struct macvlan *v = data;

	rt_put_u32(m, IFLA_MACVLAN_MODE, v->mode);
	if (v->queue_len)
		rt_put_u32(m, IFLA_MACVLAN_BC_QUEUE_LEN, v->queue_len);
}

static const char *mode_name(uint32_t mode)
{
	for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].mode == mode)
			return modes[i].name;
	return "another";
}

static void check_macvlan(struct tx *tx, const struct leg *leg, const struct link *have)
{
	const struct macvlan *v = leg->link.data;
	uint32_t mode = link_data_number(have, IFLA_MACVLAN_MODE, 0);
	uint32_t queue_len = link_data_number(have, IFLA_MACVLAN_BC_QUEUE_LEN, v->queue_len);

	if (mode != v->mode)
		differ(tx, mem_printf(&tx->mem, "mode of %s", have->name), mode_name(v->mode),
		       mode_name(mode));
	if (v->queue_len && queue_len != v->queue_len)
		differ(tx, mem_printf(&tx->mem, "bcqueuelen of %s", have->name),
		       mem_printf(&tx->mem, "%u", v->queue_len),
		       mem_printf(&tx->mem, "%u", queue_len));
}

static uint32_t read_mode(const struct cj *c)
{
	const char *name = cj_str(c, "mode", "");

	for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
		if (str_eq(modes[i].name, *name ? name : "bridge"))
			return modes[i].mode;
	cj_wrong(c, "mode",
		 "unknown macvlan mode: \"%.40s\" (expected bridge, private, vepa or passthru)",
		 name);
	return 0;
}

static int macvlan_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct macvlan *v = mem_alloc(&tx->mem, sizeof(*v));

	leg->link.kind = "macvlan";
	leg->link.put = put_macvlan;
	leg->link.data = v;
	leg->link.hint = "the parent must be an Ethernet interface, and in mode passthru a macvlan "
			 "interface is the only one on its parent";
	leg->check = check_macvlan;
	leg->has_mac = true;
	leg->has_parent = true;
	leg->skips_own_kind = true;
	v->mode = read_mode(&c->conf);
	v->queue_len = (uint32_t)cj_int(&c->conf, "bcqueuelen", 0, 0, UINT32_MAX);
	return leg_read(tx, c, leg);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin macvlan_plugin = {
	.name = "macvlan",
	.about = "an interface on the host's wire, with a MAC of its own",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.args = args,
	.leg = macvlan_leg,
	LEG_VERBS,
};
