// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vlan.c - a VLAN of a parent's wire, as the container's interface (kind "vlan")
 *
 * A parent has one link for each pair of VLAN id and protocol, so each VLAN is one container's.
 */
#include <arpa/inet.h>

#include <linux/if_ether.h>
#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/leg.h"
#include "plugins/list.h"

static const char *const protocols[] = { "802.1Q", "802.1ad" };
static const uint16_t types[] = { ETH_P_8021Q, ETH_P_8021AD }; /* EtherType of the tag */

struct vlan {
	uint16_t id;
	uint16_t protocol; /* EtherType */
};

static void put_vlan(struct rt_msg *m, const void *data)
{
	const struct vlan *v = data;

	rt_put_u16(m, IFLA_VLAN_ID, v->id);
	rt_put_u16(m, IFLA_VLAN_PROTOCOL, htons(v->protocol));
}

static const char *protocol_name(uint16_t type)
{
	for (unsigned i = 0; i < ARRAY_LEN(protocols); i++)
		if (types[i] == type)
			return protocols[i];
	return "another";
}

static void check_vlan(struct tx *tx, const struct leg *leg, const struct link *have)
{
	const struct vlan *v = leg->link.data;
	uint32_t id = link_data_number(have, IFLA_VLAN_ID, 0);
	uint16_t type = ntohs((uint16_t)link_data_number(have, IFLA_VLAN_PROTOCOL, 0));

	differ_number(tx, mem_printf(&tx->mem, "VLAN id of %s", have->name), v->id, id);
	if (type != v->protocol)
		differ(tx, mem_printf(&tx->mem, "VLAN protocol of %s", have->name),
		       protocol_name(v->protocol), protocol_name(type));
}

static int vlan_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct vlan *v = mem_alloc(&tx->mem, sizeof(*v));

	leg->link.kind = "vlan";
	leg->link.put = put_vlan;
	leg->link.data = v;
	leg->link.hint = "a parent has each VLAN id once: another interface, of the host or of a "
			 "container, is this VLAN already (choose another vlanId or parent, or "
			 "make that interface on the host the master of macvlan)";
	leg->link.hint_for = -EEXIST;
	leg->check = check_vlan;
	leg->has_mac = true;
	leg->starts_with_mac = true;
	leg->has_parent = true;
	v->id = (uint16_t)cj_int(&c->conf, "vlanId", 0, 0, 4094);
	v->protocol = types[cj_word(&c->conf, "protocol", "VLAN protocol", protocols,
				    ARRAY_LEN(protocols))];
	return leg_read(tx, c, leg);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin vlan_plugin = {
	.name = "vlan",
	.about = "a VLAN of the host's wire",
	.flags = CNI_USES_HOST | CNI_USES_CONT,
	.args = args,
	.leg = vlan_leg,
	LEG_VERBS,
};
