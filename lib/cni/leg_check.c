// SPDX-License-Identifier: GPL-2.0-or-later
/* leg_check.c - CHECK of a plugin that gives a container one interface */
#include "base/differ.h"
#include "cni/iface.h"
#include "cni/ipam.h"
#include "cni/leg_impl.h"
#include "cni/steps.h"

int leg_is_on_parent(struct tx *tx, struct call *c, const struct leg *leg, const struct leg_site *s,
		     const struct link *have)
{
	int index = s->parent.index, nsid = -1;
	bool skipped = leg->skips_own_kind && str_eq(s->parent.kind, leg->link.kind);

	if (skipped) {
		index = s->parent.parent;
		nsid = s->parent.parent_nsid;
	}
	if (have->parent != index)
		return 0;
	if (s->rt == &c->cont)
		return have->parent_nsid == nsid;
	/* Its id in the container's namespace is not known. */
	if (nsid >= 0)
		return 1;
	TRY(link_nsid(tx, &c->cont, s->rt->ns, &nsid));
	return have->parent_nsid == nsid;
}

/* What the link is made on, for a message. */
static int name_parent(struct tx *tx, struct call *c, const struct link *l, const char **ret)
{
	bool at_cont = l->parent_nsid < 0;
	const char *where = at_cont ? " (container)" : "";
	struct link parent;
	int there = 0, nsid;

	*ret = mem_printf(&tx->mem, "interface #%d of another namespace", l->parent);
	TRY(link_nsid(tx, &c->cont, c->host.ns, &nsid));
	if (at_cont)
		TRY(there = link_find_index(tx, &c->cont, l->parent, &parent));
	else if (l->parent_nsid == nsid)
		TRY(there = link_find_index(tx, &c->host, l->parent, &parent));
	if (there)
		*ret = mem_printf(&tx->mem, "%s%s", parent.name, where);
	return 0;
}

static int check_parent(struct tx *tx, struct call *c, const struct leg *leg,
			const struct link *have)
{
	const char *name;
	struct leg_site s;
	int on;

	if (!leg->has_parent || !leg->parent.master)
		return 0;
	TRY(on = conf_look_for_parent(tx, c, &leg->parent, &s.rt, &s.parent));
	name = mem_printf(&tx->mem, "master %s", leg->parent.master);
	if (!on) {
		differ(tx, name, "present", NULL);
		return 0;
	}
	if (!(s.parent.flags & IFF_UP))
		differ(tx, name, "up", "down");
	TRY(on = leg_is_on_parent(tx, c, leg, &s, have));
	if (on)
		return 0;
	TRY(name_parent(tx, c, have, &name));
	differ(tx, mem_printf(&tx->mem, "master of %s", have->name), s.parent.name, name);
	return 0;
}

static int check_bridge(struct tx *tx, struct call *c, const struct leg *leg,
			const struct link *have)
{
	struct link l;
	int there = 0;

	if (leg->promisc && !(have->flags & IFF_PROMISC))
		differ(tx, mem_printf(&tx->mem, "interface %s", have->name), "promiscuous",
		       "not promiscuous");
	if (!leg->bridge)
		return 0;
	if (have->master)
		TRY(there = link_find_index(tx, &c->cont, have->master, &l));
	if (!there || !str_eq(l.name, leg->bridge))
		differ(tx, mem_printf(&tx->mem, "bridge of %s", have->name), leg->bridge,
		       there ? l.name : NULL);
	return 0;
}

int leg_check(struct tx *tx, struct call *c)
{
	struct iface_want want = { .up = true };
	struct leg leg;
	struct link l;

	TRY(leg_describe(tx, c, &leg));
	want.kind = leg.link.kind;
	want.mtu = leg.link.mtu;
	TRY(call_need_prev(tx, c));
	TRY(ipam_check(tx, c));
	TRY(iface_check(tx, c, &want, &l));
	if (l.index && str_eq(l.kind, leg.link.kind)) {
		TRY(check_parent(tx, c, &leg, &l));
		TRY(check_bridge(tx, c, &leg, &l));
		if (leg.check)
			leg.check(tx, &leg, &l);
		/* The reference's ADD sets other sysctls. */
		if (link_is_marked(&l, call_mark(tx, c)))
			TRY(iface_check_sysctls(tx, c, &l));
	}
	return step_resolv(tx, c, leg.resolv_conf, &c->prev->dns);
}
