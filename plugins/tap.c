// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tap.c - a tap device in the container, for a virtual machine (linux/if_tun.h; kind "tun")
 *
 * The device is persistent: it stays without a program that has it open.  It becomes so only after
 * it has its mark, so that a killed ADD leaves nothing that DEL does not find.
 */
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <unistd.h>

#include "base/differ.h"
#include "base/log.h"
#include "cni/leg.h"
#include "plugins/list.h"
#include "sys/file.h"
#include "sys/tun.h"

/* ---- ADD ---------------------------------------------------------------- */

static int make_tap(struct tx *tx, struct call *c, const struct leg *leg, struct link *ret)
{
	struct tun_new dev = *(const struct tun_new *)leg->link.data;
	auto_(fd_close) int fd = -1;
	/* No undo: the device goes with fd. */
	struct link_want want = {
		.mtu = leg->link.mtu,
		.mac = leg->link.mac,
		.mark = leg->link.mark,
		.master = leg->link.master,
		.shared = true,
	};

	dev.name = leg->link.name;
	TRY(tun_open(tx, &c->cont_ns, &dev, &fd));
	TRY(link_need(tx, &c->cont, dev.name, ret));
	TRY(link_ensure(tx, &c->cont, ret, &want));
	return tun_keep(tx, &c->cont_ns, &dev, fd);
}

/* ---- CHECK -------------------------------------------------------------- */

/* have UINT32_MAX: none. */
static void compare(struct tx *tx, const char *what, int64_t want, int64_t have)
{
	if (want != have)
		differ(tx, what, mem_printf(&tx->mem, "%lld", (long long)want),
		       have == UINT32_MAX ? NULL : mem_printf(&tx->mem, "%lld", (long long)have));
}

static void check_tap(struct tx *tx, const struct leg *leg, const struct link *have)
{
	const struct tun_new *t = leg->link.data;
	struct mem *mem = &tx->mem;

	if (link_data_number(have, IFLA_TUN_TYPE, IFF_TAP) != IFF_TAP)
		differ(tx, mem_printf(mem, "interface %s", have->name), "a tap device",
		       "a tun device");
	compare(tx, mem_printf(mem, "multiQueue of %s", have->name), t->multi_queue,
		link_data_number(have, IFLA_TUN_MULTI_QUEUE, 0));
	if (t->owner >= 0)
		compare(tx, mem_printf(mem, "owner of %s", have->name), t->owner,
			link_data_number(have, IFLA_TUN_OWNER, UINT32_MAX));
	if (t->group >= 0)
		compare(tx, mem_printf(mem, "group of %s", have->name), t->group,
			link_data_number(have, IFLA_TUN_GROUP, UINT32_MAX));
}

/* ---- configuration ------------------------------------------------------ */

/* Where SELinux is not in use, the reference ignores the key as well. */
static void read_selinux_context(const struct cj *c)
{
	const char *context = cj_str(c, "selinuxContext", "");

	if (!*context)
		return;
	if (access("/sys/fs/selinux/enforce", F_OK) == 0)
		cj_wrong(c, "selinuxContext",
			 "not supported on a host with SELinux (leave it out: the device gets the "
			 "context of the runtime)");
	else
		log_info("selinuxContext: SELinux is not in use on this host");
}

static int tap_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct tun_new *t = mem_alloc(&tx->mem, sizeof(*t));
	const struct cj *j = &c->conf;

	leg->link.kind = "tun";
	leg->link.data = t;
	leg->make = make_tap;
	leg->check = check_tap;
	leg->has_mac = true;
	leg->bridge = conf_ifname(j, "bridge");
	leg->promisc = cj_bool(j, "promisc", false) ? LINK_ON : LINK_LEAVE;
	*t = (struct tun_new){
		.multi_queue = cj_bool(j, "multiQueue", false),
		.owner = cj_int(j, "owner", -1, 0, UINT32_MAX - 1),
		.group = cj_int(j, "group", -1, 0, UINT32_MAX - 1),
	};
	/* The reference sets IFF_VNET_HDR if both are given. */
	t->vnet_hdr = cj_bool(j, "vnetHdr", t->owner >= 0 && t->group >= 0);
	read_selinux_context(j);
	return leg_read(tx, c, leg);
}

static const char *const args[] = { "MAC", NULL };

const struct plugin tap_plugin = {
	.name = "tap",
	.about = "a tap device in the container, for a virtual machine",
	.flags = CNI_USES_CONT,
	.args = args,
	.leg = tap_leg,
	LEG_VERBS,
};
