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
#include "cni/ipam.h"
#include "plugins/list.h"
#include "plugins/tap/tap.h"
#include "sys/file.h"
#include "sys/tun.h"

/* ---- ADD ---------------------------------------------------------------- */

int tap_make(struct tx *tx, struct call *c, const struct leg *leg, struct link *ret)
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

void tap_compare(struct tx *tx, const struct leg *leg, const struct link *have)
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

/* The addresses and the place on the wire are those of the interface that it joins. */
static void forbid_with_redirect(const struct call *c)
{
	if (ipam_wanted(c))
		cj_wrong(&c->conf, "ipam",
			 "not possible with redirect: the addresses are those of the interface "
			 "that the tap joins (leave one of both out)");
	if (cj_has(&c->conf, "bridge"))
		cj_wrong(&c->conf, "bridge",
			 "not possible with redirect: the tap joins an interface instead (leave "
			 "one of both out)");
}

int tap_leg(struct tx *tx, struct call *c, struct leg *leg)
{
	struct tun_new *t = mem_alloc(&tx->mem, sizeof(*t));
	const struct cj *j = &c->conf;

	leg->link.kind = "tun";
	leg->link.data = t;
	leg->make = tap_make;
	leg->check = tap_compare;
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
	if (cj_bool(j, "redirect", false))
		forbid_with_redirect(c);
	return leg_read(tx, c, leg);
}

/* ---- verbs -------------------------------------------------------------- */

static bool redirects(const struct call *c)
{
	struct cj redirect = cj_any(&c->conf, "redirect");

	return cj_is_bool(&redirect) && cj_as_bool(&redirect, false);
}

static int tap_add(struct tx *tx, struct call *c, struct result *res)
{
	if (redirects(c))
		return redirect_add(tx, c, res);
	return leg_add(tx, c, res);
}

static int tap_check(struct tx *tx, struct call *c)
{
	if (redirects(c))
		return redirect_check(tx, c);
	return leg_check(tx, c);
}

static int tap_repair(struct tx *tx, struct call *c)
{
	if (redirects(c))
		return redirect_repair(tx, c);
	return leg_repair(tx, c);
}

/* leg_del() finds the device by its mark, whatever its name. */
static int tap_del(struct tx *tx, struct call *c)
{
	int before = tx->err, r = 0;

	if (cj_has(&c->conf, "redirect"))
		r = redirect_remove(tx, c);
	r = rt_excuse_crowd(tx, before, r, "filters stay in the container");
	return also(r, leg_del(tx, c));
}

static const char *const args[] = { "MAC", NULL };

const struct plugin tap_plugin = {
	.name = "tap",
	.about = "a tap device in the container, for a virtual machine",
	.flags = CNI_USES_CONT,
	.args = args,
	.leg = tap_leg,
	.validate = leg_validate,
	.add = tap_add,
	.del = tap_del,
	.check = tap_check,
	.repair = tap_repair,
	.gc = leg_gc,
	.status = leg_status,
};
