// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * veth.c - the veth pair, and its end on the host as a port of the bridge
 *
 * The host end is found from the host alone, by its name and mark.  What the container's
 * namespace says about it is a hint, because the container can choose ifindexes and names there;
 * the peer relation is verified from the host's side (link_is_pair()).
 */
#include "base/differ.h"
#include "cni/iface.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "netlink/bridge_port.h"
#include "plugins/bridge/bridge.h"
#include "value/name.h"

enum { FORWARDING_TIMEOUT_MS = 5000 };

/* ---- description -------------------------------------------------------- */

/* The host end's name: as configured, or derived. */
static const char *host_name(struct tx *tx, struct call *c, const char *configured)
{
	if (configured)
		return configured;
	return call_owner(tx, c)->key.s;
}

static struct bridge_port port_of(struct tx *tx, struct call *c, const struct bridge *b)
{
	return (struct bridge_port){
		.mark = call_mark(tx, c),
		.hairpin = b->cf.hairpin,
		.isolated = b->cf.isolated,
	};
}

static struct bridge_port_vlans vlans_of(const struct bridge *b)
{
	return (struct bridge_port_vlans){
		.pvid = b->cf.vlan,
		.trunk = b->cf.trunk,
		.n_trunk = b->cf.n_trunk,
		.keep_default = b->cf.keep_default_vlan,
		.default_pvid = (unsigned)b->br.bridge.default_pvid,
	};
}

/* ---- ADD ---------------------------------------------------------------- */

static struct mac or_random(struct mac mac)
{
	if (mac.len)
		return mac;
	return link_random_mac();
}

static int make_pair(struct tx *tx, struct call *c, struct bridge *b)
{
	struct link_new cont = {
		.name = c->ifname,
		.in = &c->cont,
		.mtu = b->cf.mtu,
		.mac = or_random(b->cf.mac),
		.queues = 1,
	};
	/*
	 * One queue at each end: more cost kernel memory and time for every processor, and
	 * traffic shapers do not use them.
	 */
	struct link_new host = {
		.kind = "veth",
		.name = host_name(tx, c, b->cf.host_ifname),
		.mtu = b->cf.mtu,
		.mac = or_random(b->host_mac),
		.master = b->br.index,
		.mark = call_mark(tx, c),
		.queues = 1,
		.peer = &cont,
	};

	TRY(link_add(tx, &c->host, &host, &b->host));
	if (link_peer(&host, &b->host, &b->eth))
		return 0;
	return link_need(tx, &c->cont, c->ifname, &b->eth);
}

/* Everything that the port needs before it comes up, and up. */
int bridge_veth_add(struct tx *tx, struct call *c, struct bridge *b)
{
	struct bridge_port p = port_of(tx, c, b);
	struct bridge_port_vlans vlans;

	TRY(make_pair(tx, c, b));
	vlans = vlans_of(b);
	p.up = true;
	TRY(step_quiet(tx, c, &c->host, &b->host));
	TRY(bridge_port_set_vlans(tx, &c->host, &b->host, &vlans));
	return bridge_port_configure(tx, &c->host, &b->host, &p);
}

int bridge_veth_announce(struct tx *tx, struct call *c, struct bridge *b)
{
	if (b->cf.no_interface)
		return 0;
	TRY(bridge_port_wait_forwarding(tx, &c->host, &b->host, FORWARDING_TIMEOUT_MS));
	return link_announce(tx, &c->cont, &b->eth);
}

int bridge_veth_join_vlan(struct tx *tx, struct call *c, const struct bridge *b,
			  const struct link *l, const struct mark *mark)
{
	struct bridge_port_vlans vlans = {
		.pvid = b->cf.vlan,
		.keep_default = b->cf.keep_default_vlan,
		.default_pvid = (unsigned)b->br.bridge.default_pvid,
	};
	struct bridge_port p = { .mark = mark, .up = true };

	TRY(bridge_port_set_vlans(tx, &c->host, l, &vlans));
	return bridge_port_configure(tx, &c->host, l, &p);
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

static int find_named_pair(struct tx *tx, struct call *c, const struct bridge *b, const char *name,
			   struct link *ret)
{
	int there;

	if (!name)
		return 0;
	TRY(there = link_find(tx, &c->host, name, ret));
	if (!there)
		return 0;
	return link_is_pair(tx, &c->host, ret, &c->cont, &b->eth);
}

/* If the host end was renamed, the container's end tells where to look, and our mark decides. */
static int find_renamed_pair(struct tx *tx, struct call *c, const struct bridge *b,
			     struct link *ret)
{
	int there;

	if (!b->eth.parent)
		return 0;
	TRY(there = link_find_index(tx, &c->host, b->eth.parent, ret));
	if (!there || !str_eq(ret->alias, call_mark(tx, c)->s))
		return 0;
	return link_is_pair(tx, &c->host, ret, &c->cont, &b->eth);
}

/*
 * The host end of b->eth: the other end of it, under the name that ADD gave it, or under
 * the one that prevResult lists (the reference's is random).  1, 0, or a recorded failure.
 */
static int find_pair(struct tx *tx, struct call *c, const struct bridge *b, struct link *ret)
{
	int there;

	TRY(there = find_named_pair(tx, c, b, host_name(tx, c, b->cf.host_ifname), ret));
	if (!there)
		TRY(there = find_named_pair(tx, c, b, listed_name(c, b->cf.bridge), ret));
	if (!there)
		TRY(there = find_renamed_pair(tx, c, b, ret));
	return there;
}

/* The host end by its name and mark, whether or not there is a container end. */
static int find_marked(struct tx *tx, struct call *c, const char *host_ifname, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, &c->host, host_name(tx, c, host_ifname), ret));
	return there && str_eq(ret->kind, "veth") && link_is_marked(ret, call_mark(tx, c));
}

/* ---- CHECK -------------------------------------------------------------- */

static int compare_host_end(struct tx *tx, struct call *c, const struct bridge *b)
{
	const struct link *l = &b->host;
	const struct mark *mark = call_mark(tx, c);
	int i = result_find_if(c->prev, l->name, false);
	int64_t mtu = b->cf.mtu;

	if (!(l->flags & IFF_UP))
		differ(tx, mem_printf(&tx->mem, "interface %s", l->name), "up", "down");
	if (i >= 0) {
		iface_check_mac(tx, l, c->prev->ifs[i].mac);
		if (c->prev->ifs[i].mtu > 0)
			mtu = c->prev->ifs[i].mtu;
	}
	iface_check_mtu(tx, l, mtu);
	/* The reference gives its host end another name, no alias and other sysctls. */
	if (!str_eq(l->name, host_name(tx, c, b->cf.host_ifname)))
		return 0;
	if (!str_eq(l->alias, mark->s))
		differ(tx, mem_printf(&tx->mem, "alias of %s", l->name), mark->s, l->alias);
	if (!b->cf.no_interface)
		TRY(iface_check_sysctls(tx, c, &b->eth));
	return step_quiet(tx, c, &c->host, l);
}

int bridge_veth_check(struct tx *tx, struct call *c, struct bridge *b)
{
	struct bridge_port_vlans vlans = vlans_of(b);
	struct bridge_port p = port_of(tx, c, b);
	bool all_up;
	int there;

	if (!b->eth.index)
		return 0;
	TRY(there = find_pair(tx, c, b, &b->host));
	if (!there) {
		differ(tx, mem_printf(&tx->mem, "host end of %s", c->ifname), "present", NULL);
		b->host.index = 0;
		return 0;
	}
	all_up = b->host.flags & b->eth.flags & b->br.flags & IFF_UP;
	if (b->host.master == b->br.index)
		bridge_port_check(tx, &b->host, &p, all_up);
	else
		differ(tx, mem_printf(&tx->mem, "master of %s", b->host.name), b->cf.bridge,
		       b->host.master ? "another" : NULL);
	TRY(compare_host_end(tx, c, b));
	return bridge_port_check_vlans(tx, &c->host, &b->host, &vlans);
}

/* ---- repair ------------------------------------------------------------- */

/* Names, MACs and MTU as they were, for what must be made again. */
static int recall(struct tx *tx, const struct call *c, struct bridge *b)
{
	int host = prev_host_interface(c, b->cf.bridge), eth = prev_interface(c);
	const char *name = host >= 0 ? c->prev->ifs[host].name : NULL;
	const char *reason = name ? name_invalid_ifname(name) : NULL;

	b->host_mac = prev_mac(c, host);
	if (prev_mac(c, eth).len)
		b->cf.mac = prev_mac(c, eth);
	if (prev_mtu(c, eth))
		b->cf.mtu = prev_mtu(c, eth);
	if (reason)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: interfaces[%d].name: %s: \"%.40s\"", host, reason,
				  name);
	if (name)
		b->cf.host_ifname = name;
	return 0;
}

/* VLANs that are right again stay if a later step fails: they are the port's own. */
static int put_right(struct tx *tx, struct call *c, struct bridge *b)
{
	struct link_want want = {
		.master = b->br.index,
		.up = true,
		.mac = b->host_mac,
		.mtu = prev_mtu(c, prev_host_interface(c, b->cf.bridge)),
	};
	struct bridge_port p = port_of(tx, c, b);
	struct bridge_port_vlans vlans = vlans_of(b);
	bool moved = b->host.master != b->br.index;

	/* A portmap behind this plugin may have switched it on. */
	p.hairpin |= b->host.port.hairpin > 0;
	TRY(link_ensure(tx, &c->host, &b->host, &want));
	/* The kernel gives a port that moves to a bridge the options of a new one. */
	if (moved)
		b->host.port.hairpin = b->host.port.isolated = 0;
	TRY(bridge_port_ensure(tx, &c->host, &b->host, &p));
	TRY(step_quiet(tx, c, &c->host, &b->host));
	return bridge_port_ensure_vlans(tx, &c->host, &b->host, &vlans);
}

/* The container has an interface of that name, but not the one that ADD made. */
static int another_interface(struct tx *tx, const struct call *c, const struct link *eth)
{
	const char *kind = *eth->kind ? mem_printf(&tx->mem, " but a %s", eth->kind) : "";

	if (!str_eq(eth->kind, "veth"))
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "container: interface %s is not a veth pair's end any more%s "
				  "(remove it, and repair again)",
				  c->ifname, kind);
	return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
			  "container: interface %s: its other end is not on this host (remove it, "
			  "and repair again)",
			  c->ifname);
}

int bridge_veth_repair(struct tx *tx, struct call *c, struct bridge *b)
{
	struct link_want want = { .up = false };
	int there, pair = 0;

	TRY(recall(tx, c, b));
	TRY(there = link_find(tx, &c->cont, c->ifname, &b->eth));
	if (there)
		TRY(pair = find_pair(tx, c, b, &b->host));
	if (pair) {
		/* Before the spoof guard, which takes the MAC from the link. */
		want.mac = b->cf.mac;
		TRY(link_ensure(tx, &c->cont, &b->eth, &want));
		return put_right(tx, c, b);
	}
	if (there)
		return another_interface(tx, c, &b->eth);
	TRY(there = find_marked(tx, c, b->cf.host_ifname, &b->host));
	if (there)
		return tx_fail_as(
			tx, CPLUG_E_EXISTS, -EEXIST,
			"container: there is no interface %s, but its other end %s is there: "
			"it was renamed, or moved away (rename it back, or DEL and ADD)",
			c->ifname, b->host.name);
	return bridge_veth_add(tx, c, b);
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
	if (!there || !str_eq(eth.name, c->ifname) || !str_eq(eth.kind, "veth"))
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

int bridge_veth_remove(struct tx *tx, struct call *c, const char *host_ifname, const char *bridge)
{
	struct link l;
	int there;

	TRY(there = find_marked(tx, c, host_ifname, &l));
	if (there)
		return link_del(tx, &c->host, &l);
	return remove_container_end(tx, c, bridge);
}
