// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * found.c - a bridge or VRF that was there: a failed ADD leaves it as it was found
 *
 * Another network's containers live on it, or an administrator uses it.  What the ADD changed stays
 * if another ADD may build on it, and that is if a port has come to it since.
 *
 * Parallel ADDs of bridge: each lists the ports before it reads what the bridge has, and reads that
 * once more when its own port is there (bridge_link_look_again()).  So one that finds what is taken
 * back here has its port by the second look, and gets it back; one whose port comes later sees that
 * it is gone.  Those of vrf hold the container's lock until the interface has joined.
 */
#include "cni/found.h"

#include "netlink/addr.h"

struct found {
	struct rt *rt;
	const struct link *own; /* the call's port */
	struct link was;
	struct link_want want;
	int *ports; /* ifindexes */
	unsigned n_ports;
	struct addr_list had; /* of a link that was down */
};

struct ports {
	struct mem *mem;
	int master;
	int *list;
	unsigned n;
};

static int note_port(const struct link *l, void *arg)
{
	struct ports *p = arg;

	if (!l) {
		p->n = 0;
		p->list = NULL;
	} else if (l->master == p->master) {
		p->list = mem_grow(p->mem, p->list, p->n, sizeof(*p->list));
		p->list[p->n++] = l->index;
	}
	return 0;
}

static bool is_listed(const int *list, unsigned n, int index)
{
	for (unsigned i = 0; i < n; i++)
		if (list[i] == index)
			return true;
	return false;
}

/* Has a port come to the link, beside the call's own one? */
static int has_new_port(struct tx *tx, const struct found *f)
{
	struct ports p = { .mem = &tx->mem, .master = f->was.index };

	TRY(link_each_port(tx, f->rt, f->was.index, note_port, &p));
	for (unsigned i = 0; i < p.n; i++)
		if (p.list[i] != f->own->index && !is_listed(f->ports, f->n_ports, p.list[i]))
			return 1;
	return 0;
}

/*
 * Does the administrator need it up for this address?  The kernel drops IPv6 addresses of a link
 * that goes down; and a new address is a sign that it is in use by now.  A new link-local one can
 * be the kernel's.
 */
static bool needs_up(const struct found *f, struct cidr a)
{
	bool had = addr_listed(&f->had, a);

	if (a.ip.family != AF_INET6)
		return !had;
	return had || !ip_is_linklocal(a.ip);
}

static int may_be_down(struct tx *tx, const struct found *f, const struct link *now)
{
	struct addr_saved have;

	/* One of cplug's is meant to be up; its maker may not have marked it before. */
	if ((f->was.flags & IFF_UP) || mark_is_any(now->alias))
		return 0;
	TRY(addr_save(tx, f->rt, now, AF_UNSPEC, &have));
	for (unsigned i = 0; i < have.n; i++)
		if (needs_up(f, have.a[i].addr))
			return 0;
	return 1;
}

static int undo_found(struct tx *tx, void *arg)
{
	struct found *f = *(struct found **)arg;
	int there, built_on, down, r;
	struct link now;

	TRY(there = link_find_index(tx, f->rt, f->was.index, &now));
	if (!there)
		return 0;
	TRY(built_on = has_new_port(tx, f));
	if (built_on)
		return 0;
	TRY(down = may_be_down(tx, f, &now));
	f->want.up = down;
	r = link_put_back(tx, f->rt, &f->was, &f->want);
	TRY(there = link_find_index(tx, f->rt, f->was.index, &now));
	if (!there)
		return r;
	TRY(built_on = has_new_port(tx, f));
	f->want.up = built_on || mark_is_any(now.alias);
	if (!built_on)
		f->want = (struct link_want){ .up = f->want.up, .shared = true };
	return also(r, link_ensure(tx, f->rt, &now, &f->want));
}

int found_ensure(struct tx *tx, const struct call *c, struct rt *rt, struct link *l,
		 const struct link_want *want, const struct link *own)
{
	struct ports p = { .mem = &tx->mem, .master = l->index };
	struct found *f;

	if (c->command != CNI_ADD)
		return link_ensure(tx, rt, l, want);
	if (!link_differs(l, want))
		return 0;
	f = mem_alloc(&tx->mem, sizeof(*f));
	*f = (struct found){ .rt = rt, .own = own, .want = *want };
	TRY(link_each_port(tx, rt, l->index, note_port, &p));
	f->ports = p.list;
	f->n_ports = p.n;
	TRY(link_need(tx, rt, l->name, &f->was));
	if (f->was.bridge.vlan_filtering == 1)
		f->want.put = NULL;
	if (!(f->was.flags & IFF_UP))
		TRY(addr_list(tx, rt, &f->was, AF_UNSPEC, &f->had));
	TRY(link_ensure(tx, rt, l, want));
	return tx_undo(tx, undo_found, "change link", &f);
}
