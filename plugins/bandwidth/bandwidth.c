// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bandwidth.c - limits the rates of a container's interface, behind any main plugin
 *
 * Chained.  The limits are on the host's end of a veth pair, where the container cannot lift them;
 * for an interface without such an end they are in the container.  The end is found from the host's
 * side: prevResult and the container only tell where to look.
 */
#include "cni/iface.h"
#include "cni/pair.h"
#include "cni/prev.h"
#include "cni/steps.h"
#include "netlink/rule.h"
#include "plugins/bandwidth/bandwidth.h"
#include "plugins/list.h"
#include "value/name.h"

/* ---- the link ----------------------------------------------------------- */

/* Another plugin's: the container's end names the ifindex, and the host's must name that end. */
static int find_peer(struct tx *tx, struct call *c, const struct link *eth, struct link *ret)
{
	int there;

	if (!link_is_end(eth) || eth->parent <= 0)
		return 0;
	TRY(there = link_find_index(tx, &c->host, eth->parent, ret));
	if (!there)
		return 0;
	return link_is_pair(tx, &c->host, ret, &c->cont, eth);
}

/* 1, 0 if the attachment has no link any more, or a recorded failure. */
static int find_place(struct tx *tx, struct call *c, struct place *ret)
{
	struct place p = { .rt = &c->host };
	struct link eth;
	int there, open = 0;

	*ret = p;
	TRY(there = pair_find_marked(tx, c, NULL, &p.link));
	if (!there)
		TRY(open = call_cont(tx, c));
	if (open) {
		TRY(there = link_find(tx, &c->cont, c->ifname, &eth));
		if (!there)
			return 0;
		TRY(there = find_peer(tx, c, &eth, &p.link));
		if (!there)
			p = (struct place){ .rt = &c->cont, .link = eth, .inside = true };
		there = 1;
	}
	if (there)
		*ret = p;
	return there;
}

static int need_place(struct tx *tx, struct call *c, struct place *ret)
{
	int there;

	TRY(there = find_place(tx, c, ret));
	if (!there)
		return tx_fail(tx, -ENODEV, "container: there is no interface %s", c->ifname);
	return 0;
}

/* ---- verbs -------------------------------------------------------------- */

static int bandwidth_validate(struct tx *tx, struct call *c)
{
	struct bandwidth_conf conf;

	TRY(bandwidth_read_conf(tx, c, &conf));
	if (!conf.limit[INGRESS].rate && !conf.limit[EGRESS].rate &&
	    !bandwidth_says_rate(&c->conf) && !conf_declares(&c->conf, "bandwidth"))
		cj_wrong(&c->conf, "ingressRate",
			 "missing: nothing is limited (set ingressRate or egressRate, or "
			 "capabilities.bandwidth to true, so that the runtime passes rates)");
	return cj_ok(tx, &c->conf);
}

static int bandwidth_add(struct tx *tx, struct call *c, struct result *res)
{
	struct bandwidth_conf conf;
	struct place place;

	TRY(bandwidth_read_conf(tx, c, &conf));
	if (!conf.limit[INGRESS].rate && !conf.limit[EGRESS].rate)
		return 0;
	TRY(need_place(tx, c, &place));
	bandwidth_warn_small(&conf, &place.link);
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct shaper s = shaper_of(tx, c, &place, &conf, d);
		struct link ifb;

		TRY(shaper_add(tx, &s, &ifb));
		if (ifb.index)
			iface_list(tx, c, &ifb, place.inside ? c->netns_path : NULL, res);
	}
	return 0;
}

static int bandwidth_check(struct tx *tx, struct call *c)
{
	struct bandwidth_conf conf;
	struct place place;

	TRY(bandwidth_read_conf(tx, c, &conf));
	TRY(need_place(tx, c, &place));
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct shaper s = shaper_of(tx, c, &place, &conf, d);

		TRY(shaper_check(tx, c, &s));
	}
	return 0;
}

/*
 * The reference's ifb, whose name knows no interface, has no mark.  Only one that prevResult
 * lists, because other networks and containers may have the same name together.
 */
static int del_foreign_ifb(struct tx *tx, struct call *c)
{
	char name[IFNAMSIZ];
	struct link l;
	int i, there;

	name_hash(name, sizeof(name) - 1, "bwp", mem_printf(&tx->mem, "%s%s", c->network, c->id));
	i = c->prev ? result_find_if(c->prev, name, false) : -1;
	if (i < 0)
		return 0;
	TRY(there = link_find(tx, &c->host, name, &l));
	if (!there || !str_eq(l.kind, "ifb") || *l.alias || !mac_eq(l.mac, prev_mac(c, i)))
		return 0;
	return link_del(tx, &c->host, &l);
}

static int bandwidth_repair(struct tx *tx, struct call *c)
{
	struct bandwidth_conf conf;
	struct place place;

	TRY(bandwidth_read_conf(tx, c, &conf));
	TRY(need_place(tx, c, &place));
	/* Its filter comes before ours, until it leads nowhere and is replaced. */
	TRY(del_foreign_ifb(tx, c));
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct shaper s = shaper_of(tx, c, &place, &conf, d);

		TRY(shaper_repair(tx, &s));
	}
	return 0;
}

/* The configuration does not matter: what any would have made is removed. */
static int del_at(struct tx *tx, struct call *c, const struct place *p)
{
	static const struct bandwidth_conf none = { .n_subnets = 0 };
	int r = 0;

	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct shaper s = shaper_of(tx, c, p, &none, d);
		int before = tx->err, one = shaper_del(tx, &s);

		if (p->inside)
			one = rt_excuse_crowd(tx, before, one, "filters stay in the container");
		r = also(r, one);
	}
	return r;
}

static bool has_alias(struct tx *tx, struct call *c, const struct link *l)
{
	return str_eq(l->alias, call_mark(tx, c)->s);
}

/* Is it the DEL of a whole list?  Then prevResult is the list's result, and has the ifb. */
static bool lists_ifb(const struct call *c, const struct link *ifb)
{
	int i = c->prev ? result_find_if(c->prev, ifb->name, false) : -1;

	return i >= 0 && mac_eq(ifb->mac, prev_mac(c, i));
}

/*
 * May DEL of another plugin of the list need the interface?  That of the reference's vrf and of its
 * sbr fail without it.  Also if the container does not let us know.
 */
static int is_needed(struct tx *tx, struct call *c)
{
	int before = tx->err, there;
	struct link eth;

	TRY(there = call_cont(tx, c));
	if (!there)
		return 1;
	there = link_find(tx, &c->cont, c->ifname, &eth);
	if (there < 0)
		TRY(tx_excuse(tx, before, there, "the interface is deleted later"));
	return there != 1 || eth.master || rule_has_others(&c->cont);
}

/*
 * The kernel waits 10 ms and more for each request that deletes links, and the next plugins delete
 * the pair.  So the pair, if it is cplug's, goes in one request with the ifbs, and its main plugin
 * finds it gone.  A link without alias would lose its mark, which is a group.  1 if they are gone,
 * 0, or a recorded failure.
 */
static int del_with_pair(struct tx *tx, struct call *c, const struct place *p)
{
	static const struct bandwidth_conf none = { .n_subnets = 0 };
	struct link links[DIRECTIONS + 1] = { p->link };
	bool listed = false;
	unsigned n = 1;
	int r;

	if (!p->link.index || p->inside || !has_alias(tx, c, &p->link))
		return 0;
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct shaper s = shaper_of(tx, c, p, &none, d);

		TRY(r = shaper_find_ifb(tx, &s, &links[n]));
		if (r && !has_alias(tx, c, &links[n]))
			return 0;
		listed |= r && lists_ifb(c, &links[n]);
		n += (unsigned)r;
	}
	if (!listed)
		return 0;
	TRY(r = is_needed(tx, c));
	if (r)
		return 0;
	TRY(link_del_jointly(tx, &c->host, links, n));
	return 1;
}

/* If the link is gone, its ifb may be on either side. */
static int bandwidth_del(struct tx *tx, struct call *c)
{
	struct place inside = { .rt = &c->cont, .inside = true }, place;
	int r = find_place(tx, c, &place);

	if (r >= 0) {
		r = del_with_pair(tx, c, &place);
		if (r == 1)
			return del_foreign_ifb(tx, c);
		r = also(r, del_at(tx, c, &place));
	}
	if (!place.link.index && rt_is_open(&c->cont))
		r = also(r, del_at(tx, c, &inside));
	return also(r, del_foreign_ifb(tx, c));
}

static int bandwidth_gc(struct tx *tx, struct call *c)
{
	if (!c->valid_known)
		return 0;
	return step_links_gc(tx, c, "ifb");
}

static int bandwidth_status(struct tx *tx, struct call *c)
{
	struct bandwidth_conf conf;
	const char *module;

	TRY(bandwidth_read_conf(tx, c, &conf));
	module = tc_missing_module(&c->host);
	if (!module)
		return 0;
	return tx_fail_as(tx, CNI_E_UNAVAILABLE, -EOPNOTSUPP,
			  "the kernel cannot limit rates: it has no %s (load that module, or use a "
			  "kernel that has it)",
			  module);
}

const struct plugin bandwidth_plugin = {
	.name = "bandwidth",
	.about = "limits the rates of a container's interface, behind another plugin",
	.flags = CNI_USES_HOST | CNI_USES_CONT | CNI_CONT_LATER | CNI_NEEDS_PREV | CNI_PASSES_PREV,
	.validate = bandwidth_validate,
	.add = bandwidth_add,
	.del = bandwidth_del,
	.check = bandwidth_check,
	.repair = bandwidth_repair,
	.gc = bandwidth_gc,
	.status = bandwidth_status,
};
