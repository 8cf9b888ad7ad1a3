// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pair.c - the veth pair of an attachment
 */
#include "cni/pair.h"
#include "base/differ.h"
#include "cni/iface.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "sys/sysctl.h"
#include "value/name.h"

const char *pair_host_name(struct tx *tx, struct call *c, const char *configured)
{
	if (configured)
		return configured;
	return call_owner(tx, c)->key.s;
}

/* ---- ADD ---------------------------------------------------------------- */

static struct mac or_random(struct mac mac)
{
	if (mac.len)
		return mac;
	return link_random_mac();
}

static bool has_mac(const struct pair_want *w)
{
	return !str_eq(w->kind, "netkit");
}

int pair_add(struct tx *tx, struct call *c, const struct pair_want *w, struct pair *ret)
{
	struct link_new cont = {
		.name = c->ifname,
		.in = &c->cont,
		.mtu = w->mtu,
		.queues = 1,
	};
	/*
	 * One queue at each end: more cost kernel memory and time for every processor, and
	 * traffic shapers do not use them.
	 */
	struct link_new host = {
		.kind = w->kind ? w->kind : "veth",
		.name = pair_host_name(tx, c, w->host_name),
		.mtu = pair_host_mtu(w),
		.master = w->master,
		.mark = call_mark(tx, c),
		.queues = 1,
		.peer = &cont,
		.hint = "the kernel has no such links (set linkType to \"veth\", or use a kernel "
			"from 6.7 on with CONFIG_NETKIT)",
		.hint_for = -EOPNOTSUPP,
	};

	if (has_mac(w)) {
		cont.mac = or_random(w->mac);
		host.mac = or_random(w->host_mac);
	}
	TRY(link_add(tx, &c->host, &host, &ret->host));
	if (link_peer(&host, &ret->host, &ret->eth))
		return 0;
	return link_need(tx, &c->cont, c->ifname, &ret->eth);
}

/* ---- finding the host end ------------------------------------------------- */

/* The host end's name as prevResult lists it; NULL if it does not. */
static const char *listed_name(const struct call *c, const char *bridge)
{
	int i = c->prev ? prev_host_interface(c, bridge) : -1;

	if (i < 0 || name_invalid_ifname(c->prev->ifs[i].name))
		return NULL;
	return c->prev->ifs[i].name;
}

static int find_named_pair(struct tx *tx, struct call *c, const struct pair *p, const char *name,
			   struct link *ret)
{
	int there;

	if (!name)
		return 0;
	TRY(there = link_find(tx, &c->host, name, ret));
	if (!there)
		return 0;
	return link_is_pair(tx, &c->host, ret, &c->cont, &p->eth);
}

/* If the host end was renamed, the container's end tells where to look, and our mark decides. */
static int find_renamed_pair(struct tx *tx, struct call *c, const struct pair *p, struct link *ret)
{
	int there;

	if (!p->eth.parent)
		return 0;
	TRY(there = link_find_index(tx, &c->host, p->eth.parent, ret));
	if (!there || !str_eq(ret->alias, call_mark(tx, c)->s))
		return 0;
	return link_is_pair(tx, &c->host, ret, &c->cont, &p->eth);
}

int pair_find(struct tx *tx, struct call *c, const char *host_name, const char *bridge,
	      struct pair *p)
{
	int there;

	TRY(there = find_named_pair(tx, c, p, pair_host_name(tx, c, host_name), &p->host));
	if (!there)
		TRY(there = find_named_pair(tx, c, p, listed_name(c, bridge), &p->host));
	if (!there)
		TRY(there = find_renamed_pair(tx, c, p, &p->host));
	return there;
}

int pair_find_marked(struct tx *tx, struct call *c, const char *host_name, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, &c->host, pair_host_name(tx, c, host_name), ret));
	return there && link_is_end(ret) && link_is_marked(ret, call_mark(tx, c));
}

/* For a link that link_set_no_ipv6() had: the kernel makes the address at the write (EUI-64). */
static int give_again(struct tx *tx, struct call *c, const struct link *host)
{
	struct sysctl kernels = sysctl_conf(AF_INET6, host->name, "addr_gen_mode", "0");
	char now[8];

	if (sysctl_read_try(c->host.ns, kernels.name, now, sizeof(now)) < 0 || !str_eq(now, "1"))
		return 0;
	return sysctl_ensure(tx, c->host.ns, &kernels, 1, NULL);
}

int pair_give_ipv6(struct tx *tx, struct call *c, struct link *host, const struct result *res)
{
	if (result_has_family(res, AF_INET6)) {
		if (c->command != CNI_ADD)
			TRY(give_again(tx, c, host));
		return link_set_no_dad(tx, &c->host, host);
	}
	if (host->flags & IFF_UP)
		return 0;
	return link_set_no_ipv6(tx, &c->host, host, call_mark(tx, c));
}

/* ---- CHECK, repair ------------------------------------------------------ */

int pair_check(struct tx *tx, struct call *c, const struct pair_want *w, const struct pair *p)
{
	const struct link *l = &p->host;
	const struct mark *mark = call_mark(tx, c);
	int i = result_find_if(c->prev, l->name, false);
	int64_t mtu = w->mtu;

	if (!(l->flags & IFF_UP))
		differ(tx, mem_printf(&tx->mem, "interface %s", l->name), "up", "down");
	if (mark_is_doomed(l->group))
		differ(tx, mem_printf(&tx->mem, "interface %s", l->name), "present",
		       "half deleted, by a DEL that was killed");
	if (i >= 0) {
		iface_check_mac(tx, l, c->prev->ifs[i].mac);
		if (c->prev->ifs[i].mtu > 0)
			mtu = c->prev->ifs[i].mtu;
	}
	iface_check_mtu(tx, l, mtu);
	/* The reference gives its host end another name, no alias and other sysctls. */
	if (!str_eq(l->name, pair_host_name(tx, c, w->host_name)))
		return 0;
	if (!str_eq(l->alias, mark->s))
		differ(tx, mem_printf(&tx->mem, "alias of %s", l->name), mark->s, l->alias);
	if (p->eth.flags & IFF_UP)
		TRY(iface_check_sysctls(tx, c, &p->eth));
	return step_quiet(tx, c, &c->host, l);
}

int pair_recall(struct tx *tx, const struct call *c, const char *bridge, struct pair_want *w)
{
	int host = prev_host_interface(c, bridge), eth = prev_interface(c);
	const char *name = host >= 0 ? c->prev->ifs[host].name : NULL;
	const char *reason = name ? name_invalid_ifname(name) : NULL;

	w->host_mac = prev_mac(c, host);
	w->host_mtu = prev_mtu(c, host);
	if (prev_mac(c, eth).len)
		w->mac = prev_mac(c, eth);
	if (prev_mtu(c, eth))
		w->mtu = prev_mtu(c, eth);
	if (reason)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: interfaces[%d].name: %s: \"%.40s\"", host, reason,
				  name);
	if (name)
		w->host_name = name;
	return 0;
}

/* The container has an interface of that name, but not the one that ADD made. */
static int another_interface(struct tx *tx, const struct call *c, const struct link *eth)
{
	const char *kind = *eth->kind ? mem_printf(&tx->mem, " but a %s", eth->kind) : "";

	if (!link_is_end(eth))
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s is not a pair's end any more%s "
				  "(remove it, and repair again)",
				  c->ifname, kind);
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s: its other end is not on this host (remove it, "
			  "and repair again)",
			  c->ifname);
}

int pair_recover(struct tx *tx, struct call *c, const struct pair_want *w, const char *bridge,
		 struct pair *p)
{
	struct link_want want = { .mac = w->mac };
	int there, found = 0;

	TRY(there = link_find(tx, &c->cont, c->ifname, &p->eth));
	if (there)
		TRY(found = pair_find(tx, c, w->host_name, bridge, p));
	if (found) {
		/* Before a spoof guard, which takes the MAC from the link. */
		TRY(link_ensure(tx, &c->cont, &p->eth, &want));
		return 1;
	}
	if (there)
		return another_interface(tx, c, &p->eth);
	TRY(there = pair_find_marked(tx, c, w->host_name, &p->host));
	if (there)
		return tx_fail_as(
			tx, CPLUG_E_EXISTS, -EEXIST,
			"container: there is no interface %s, but its other end %s is there: "
			"it was renamed, or moved away (rename it back, or DEL and ADD)",
			c->ifname, p->host.name);
	return 0;
}

/* ---- DEL ---------------------------------------------------------------- */

/*
 * An interface without our mark: the reference made it, or it made our ADD fail and must stay.
 * prevResult names the MAC of the former.  Without prevResult the host end tells: it is a port of
 * the configured bridge and has no mark.
 */
static int is_reference(struct tx *tx, struct call *c, const struct link *eth,
			const struct link *host, const char *bridge)
{
	struct link br;
	int there;

	if (host->index && mark_is_any(host->alias))
		return link_is_marked(host, call_mark(tx, c));
	if (c->prev) {
		struct mac mac = prev_mac(c, prev_interface(c));

		return mac.len && mac_eq(mac, eth->mac);
	}
	if (!bridge)
		return 0;
	TRY(there = link_find(tx, &c->host, bridge, &br));
	return there && host->index && host->master == br.index;
}

/* The reference gives the host end a random name, so its pair is found from the container. */
static int remove_container_end(struct tx *tx, struct call *c, const char *bridge)
{
	struct link eth, host;
	int there, pair = 0, ours;

	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &eth));
	/* CNI_IFNAME may be an alternative name of another link. */
	if (!there || !str_eq(eth.name, c->ifname) || !link_is_end(&eth))
		return 0;
	TRY(there = link_find_index(tx, &c->host, eth.parent, &host));
	if (there)
		TRY(pair = link_is_pair(tx, &c->host, &host, &c->cont, &eth));
	if (!pair)
		host = (struct link){ .index = 0 };
	TRY(ours = is_reference(tx, c, &eth, &host, bridge));
	if (!ours)
		return 0;
	return link_del(tx, &c->cont, &eth);
}

int pair_remove(struct tx *tx, struct call *c, const char *host_name, const char *bridge)
{
	struct link l;
	int there;

	TRY(there = pair_find_marked(tx, c, host_name, &l));
	if (there)
		return link_del_jointly(tx, &c->host, &l, 1);
	return remove_container_end(tx, c, bridge);
}
