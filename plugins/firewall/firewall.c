// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * firewall.c - accepts a container's forwarded traffic, behind any main plugin
 *
 * The addresses come from prevResult.  A backend says in whose chains they are accepted; an ingress
 * policy, from where the container's network accepts traffic.
 */
#include "base/log.h"
#include "cni/prev.h"
#include "firewall/accept.h"
#include "netlink/route.h"
#include "plugins/firewall/firewall.h"
#include "plugins/list.h"

/* ---- the attachment ------------------------------------------------------ */

/* Is the link one of the host's in prevResult? */
static bool is_listed(const struct call *c, const char *name)
{
	return result_find_if(c->prev, name, false) >= 0;
}

/* The links that main plugins make for containers, and that bridges and their VLANs are. */
static bool is_for_containers(const struct link *l)
{
	return link_is_end(l) || str_eq(l->kind, "bridge") || str_eq(l->kind, "vlan");
}

/*
 * The author of a configuration can write prevResult.  A policy of the host's uplink would drop
 * what every network with a policy sends to the world.
 */
static int fail_if_uplink(struct tx *tx, struct call *c, const struct link *dev,
			  const struct link *link)
{
	bool ours = link->index && link_is_marked(link, call_mark(tx, c));
	int up = 1;

	if (ours && (dev->index == link->index || dev->index == link->master))
		return 0;
	if (is_for_containers(dev))
		TRY(up = route_is_uplink(tx, &c->host, dev->index));
	if (!up)
		return 0;
	return tx_fail_as(tx, CPLUG_E_PREV, -EPERM,
			  "ingressPolicy: prevResult lists %s, which leads to the world and not to "
			  "containers (use it behind bridge or ptp)",
			  dev->name);
}

/*
 * The link through which the host reaches the container: that of the route to it (a bridge, its
 * VLAN gateway, the host's end of a ptp pair), if prevResult lists it; or the bridge that has its
 * port.
 */
static int find_dev(struct tx *tx, struct call *c, struct accept *a, const struct link *link)
{
	struct link dev = { .index = 0 };
	int index = 0;

	if (a->n_ips)
		TRY(route_to(tx, &c->host, a->ips[0], &index));
	if (index)
		TRY(link_find_index(tx, &c->host, index, &dev));
	if (link->index && (!dev.index || !is_listed(c, dev.name))) {
		dev = *link;
		if (link->master)
			TRY(link_find_index(tx, &c->host, link->master, &dev));
	}
	if (!dev.index || (!link->index && !is_listed(c, dev.name)))
		return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
				  "ingressPolicy: prevResult lists no link of the host that leads "
				  "to %s (use it behind bridge or ptp, or set it to \"open\")",
				  c->ifname);
	a->dev = mem_str(&tx->mem, dev.name);
	return fail_if_uplink(tx, c, &dev, link);
}

static int read_attachment(struct tx *tx, struct call *c, struct firewall **ret)
{
	struct firewall *f = mem_alloc(&tx->mem, sizeof(*f));
	struct link *link = mem_alloc(&tx->mem, sizeof(*link));
	struct accept *a = &f->accept;

	TRY(firewall_read_conf(tx, c, f));
	TRY(prev_host_link(tx, c, link));
	f->link = link;
	a->owner = call_owner(tx, c);
	a->link = link->index;
	a->ips = prev_all_ips(&tx->mem, c, &a->n_ips);
	a->repair = c->command == CNI_REPAIR;
	if (link->master)
		a->port = link->name;
	if (a->n_ips > PREV_IPS_MAX)
		return tx_fail_as(tx, CPLUG_E_PREV, -E2BIG,
				  "prevResult: it has more than %d addresses (firewall accepts so "
				  "many for one attachment)",
				  PREV_IPS_MAX);
	if (!a->n_ips)
		log_warn("prevResult has no address of %s, so none is accepted", c->ifname);
	if (a->policy != ACCEPT_OPEN)
		TRY(find_dev(tx, c, a, link));
	*ret = f;
	return 0;
}

/* ---- the verbs ----------------------------------------------------------- */

static int firewall_validate(struct tx *tx, struct call *c)
{
	struct firewall f;

	return firewall_read_conf(tx, c, &f);
}

static int add_or_repair(struct tx *tx, struct call *c)
{
	struct firewall *f;
	struct nfnl *nl;

	TRY(read_attachment(tx, c, &f));
	TRY(call_nf(tx, c, &nl));
	TRY(backend_choose(tx, c, f));
	TRY(accept_add(tx, nl, &c->host, &f->accept));
	return backend_add(tx, c, f);
}

static int firewall_add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	return add_or_repair(tx, c);
}

static int firewall_check(struct tx *tx, struct call *c)
{
	struct firewall *f;
	struct nfnl *nl;

	TRY(read_attachment(tx, c, &f));
	TRY(call_nf(tx, c, &nl));
	TRY(backend_choose(tx, c, f));
	TRY(accept_check(tx, nl, &f->accept));
	return backend_check(tx, c, f);
}

static int firewall_del(struct tx *tx, struct call *c)
{
	struct ip *ips = NULL;
	unsigned n = 0;
	struct nfnl *nl;

	if (c->prev)
		ips = prev_all_ips(&tx->mem, c, &n);
	TRY(call_nf(tx, c, &nl));
	return accept_del(tx, nl, call_owner(tx, c), ips, n);
}

static int firewall_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct nfnl *nl;
	int r;

	if (!c->valid_known)
		return 0;
	TRY(call_nf(tx, c, &nl));
	r = accept_gc(tx, nl, &valid);
	if (c->n_valid)
		return r;
	r = also(r, accept_prune(tx, nl));
	return also(r, accept_frames_prune(tx, nl));
}

const struct plugin firewall_plugin = {
	.name = "firewall",
	.about = "accepts a container's forwarded traffic, behind another plugin",
	.flags = CNI_USES_HOST | CNI_NEEDS_PREV | CNI_PASSES_PREV,
	.validate = firewall_validate,
	.add = firewall_add,
	.del = firewall_del,
	.check = firewall_check,
	.repair = add_or_repair,
	.gc = firewall_gc,
	.status = firewall_status,
};
