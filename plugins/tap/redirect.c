// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * redirect.c - tap with "redirect": a virtual machine takes the container's place on the wire
 *
 * Chained.  Two filters (tc.h) join the tap to the interface of an earlier plugin: all that arrives
 * at the interface is sent to the program that has the tap open, and all that the program writes
 * leaves by the interface.  The container's own network stack sees neither.
 * names.c chooses the tap's name, and finds the interface.  DEL finds the tap by its mark.
 */
#include <linux/if_link.h>

#include "base/differ.h"
#include "cni/iface.h"
#include "cni/prev.h"
#include "netlink/tc.h"
#include "plugins/tap/tap.h"
#include "sys/sysctl.h"

/* ---- ADD ---------------------------------------------------------------- */

/* The container's own stack sends nothing to the machine. */
static struct sysctl no_ipv6(const char *tap)
{
	return sysctl_conf(AF_INET6, tap, "disable_ipv6", "1");
}

static int make_tap(struct tx *tx, struct call *c, struct leg *leg, struct link *ret)
{
	struct sysctl quiet = no_ipv6(leg->link.name);

	if (!leg->link.mac.len)
		leg->link.mac = link_random_mac();
	leg->link.in = &c->cont;
	leg->link.mark = call_mark(tx, c);
	TRY(tap_make(tx, c, leg, ret));
	return sysctl_ensure_new(tx, &c->cont_ns, &quiet, 1);
}

/*
 * The filter of the tap comes first: by it DEL finds the interface.  A filter to a tap that was
 * deleted, which would swallow everything, goes.
 */
static int join(struct tx *tx, struct call *c, const struct link *tap, const struct link *to)
{
	struct tc_redirect out = { .to = to }, in = { .to = tap };

	TRY(tc_redirect_ensure(tx, &c->cont, tap, &out));
	return tc_redirect_ensure(tx, &c->cont, to, &in);
}

/* Where another filter sends all that arrives, ours would see nothing, and the machine neither. */
static int need_unredirected(struct tx *tx, struct call *c, const struct link *l)
{
	const char *target = "another interface";
	struct link other;
	int there, to = 0;

	TRY(there = tc_redirect_rival(tx, &c->cont, l, 0, &to));
	if (!there)
		return 0;
	TRY(there = link_find_index(tx, &c->cont, to, &other));
	if (there)
		target = other.name;
	return tx_fail_as(
		tx, CPLUG_E_TAKEN, -EEXIST,
		"redirect: what arrives at %s goes to %s already, so the machine would get "
		"nothing (leave ingressRate of bandwidth out, or make the interface with "
		"bridge or ptp, which are limited on the host)",
		l->name, target);
}

int redirect_add(struct tx *tx, struct call *c, struct result *res)
{
	struct link_want want = { .up = true, .shared = true /* goes with the tap */ };
	struct link tap, joined;
	struct leg leg = { .resolv_conf = "auto" };
	const char *name;

	TRY(tap_leg(tx, c, &leg));
	if (!c->prev)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "redirect: tap is the first plugin of the list (put it behind "
				  "the plugin whose interface it joins)");
	*res = *c->prev;
	TRY(redirect_choose_name(tx, c, &leg.link.name));
	TRY(redirect_find_joined(tx, c, leg.link.name, &name));
	TRY(link_need(tx, &c->cont, name, &joined));
	TRY(need_unredirected(tx, c, &joined));
	if (!leg.link.mtu)
		leg.link.mtu = joined.mtu;
	TRY(make_tap(tx, c, &leg, &tap));
	want.promisc = leg.promisc;
	TRY(link_ensure(tx, &c->cont, &tap, &want));
	TRY(join(tx, c, &tap, &joined));
	iface_list(tx, c, &tap, c->netns_path, res);
	return 0;
}

/* ---- CHECK -------------------------------------------------------------- */

static void differ_interface(struct tx *tx, const char *name, const char *want, const char *have)
{
	differ(tx, mem_printf(&tx->mem, "interface %s", name), want, have);
}

/* What the kernel has of the tap; *ret has index 0 if it is no tap. */
static int check_tap(struct tx *tx, struct call *c, const struct leg *leg, struct link *ret)
{
	const char *name = leg->link.name;
	int i = result_find_if(c->prev, name, true), there;
	struct sysctl quiet = no_ipv6(name);

	*ret = (struct link){ .index = 0 };
	TRY(there = link_find(tx, &c->cont, name, ret));
	if (!there) {
		differ_interface(tx, name, "present", NULL);
		return 0;
	}
	if (!str_eq(ret->kind, "tun")) {
		differ_interface(tx, name, "a tap device", ret->kind);
		ret->index = 0;
		return 0;
	}
	if (!(ret->flags & IFF_UP))
		differ_interface(tx, name, "up", "down");
	if (leg->promisc && !(ret->flags & IFF_PROMISC))
		differ_interface(tx, name, "promiscuous", "not promiscuous");
	if (!str_eq(ret->alias, call_mark(tx, c)->s))
		differ(tx, mem_printf(&tx->mem, "alias of %s", name), call_mark(tx, c)->s,
		       ret->alias);
	iface_check_mtu(tx, ret, prev_mtu(c, i) ? prev_mtu(c, i) : leg->link.mtu);
	iface_check_mac(tx, ret, i >= 0 ? c->prev->ifs[i].mac : NULL);
	tap_compare(tx, leg, ret);
	return sysctl_check(tx, &c->cont_ns, &quiet, 1);
}

static int check_filter(struct tx *tx, struct call *c, const struct link *from,
			const struct link *to)
{
	struct tc_redirect all = { .to = to };
	int there;

	TRY(there = tc_redirect_find(tx, &c->cont, from, &all));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "redirect of %s", from->name),
		       mem_printf(&tx->mem, "to %s", to->name), NULL);
	return 0;
}

static int describe(struct tx *tx, struct call *c, struct leg *leg)
{
	*leg = (struct leg){ .resolv_conf = "auto" };
	TRY(tap_leg(tx, c, leg));
	TRY(call_need_prev(tx, c));
	leg->link.name = redirect_listed_name(tx, c);
	return 0;
}

int redirect_check(struct tx *tx, struct call *c)
{
	struct link tap, joined;
	const char *name;
	struct leg leg;
	int there;

	TRY(describe(tx, c, &leg));
	TRY(redirect_find_joined(tx, c, leg.link.name, &name));
	TRY(check_tap(tx, c, &leg, &tap));
	TRY(there = link_find(tx, &c->cont, name, &joined));
	if (!there)
		differ_interface(tx, name, "present", NULL);
	if (!there || !tap.index)
		return 0;
	TRY(check_filter(tx, c, &tap, &joined));
	return check_filter(tx, c, &joined, &tap);
}

/* ---- repair ------------------------------------------------------------- */

static int make_again(struct tx *tx, struct call *c, struct leg *leg, struct link *ret)
{
	int there;

	TRY(there = link_find_marked(tx, &c->cont, "tun", call_mark(tx, c), ret));
	if (there)
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s was renamed to %s (rename it back, or "
				  "DEL and ADD)",
				  leg->link.name, ret->name);
	return make_tap(tx, c, leg, ret);
}

int redirect_repair(struct tx *tx, struct call *c)
{
	struct link_want want = { .up = true, .mark = call_mark(tx, c) };
	struct link tap, joined;
	struct sysctl quiet;
	const char *name;
	struct leg leg;
	int i, there;

	TRY(describe(tx, c, &leg));
	TRY(redirect_find_joined(tx, c, leg.link.name, &name));
	TRY(link_need(tx, &c->cont, name, &joined));
	i = result_find_if(c->prev, leg.link.name, true);
	if (prev_mac(c, i).len)
		leg.link.mac = prev_mac(c, i);
	if (prev_mtu(c, i))
		leg.link.mtu = prev_mtu(c, i);
	TRY(there = link_find(tx, &c->cont, leg.link.name, &tap));
	if (there && !str_eq(tap.kind, "tun"))
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s is another one than ADD made (remove "
				  "it, and repair again)",
				  tap.name);
	if (!there)
		TRY(make_again(tx, c, &leg, &tap));
	quiet = no_ipv6(leg.link.name);
	TRY(sysctl_ensure(tx, &c->cont_ns, &quiet, 1, NULL));
	want.mtu = leg.link.mtu;
	want.mac = leg.link.mac;
	want.promisc = leg.promisc;
	TRY(link_ensure(tx, &c->cont, &tap, &want));
	return join(tx, c, &tap, &joined);
}

/* ---- DEL ---------------------------------------------------------------- */

/* The interface is the one that the tap's filter names; without it, CNI_IFNAME. */
int redirect_remove(struct tx *tx, struct call *c)
{
	struct link tap = { .index = 0 }, joined;
	int there, index = 0;

	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find_marked(tx, &c->cont, "tun", call_mark(tx, c), &tap));
	if (there)
		TRY(there = tc_redirect_target(tx, &c->cont, &tap, &index));
	else
		tap.index = 0;
	if (there && index)
		TRY(there = link_find_index(tx, &c->cont, index, &joined));
	else
		TRY(there = link_find(tx, &c->cont, c->ifname, &joined));
	if (!there)
		return 0;
	return tc_redirect_del(tx, &c->cont, &joined, &tap, false);
}
