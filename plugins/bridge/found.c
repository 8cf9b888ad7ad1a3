// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * found.c - a bridge that was there: a failed ADD leaves it as it was found
 *
 * Another network's containers live on it, or an administrator uses it.  What the ADD changed stays
 * if another ADD may build on it, and that is if a port has come to the bridge since.
 *
 * Parallel ADDs: each lists the ports before it reads what the bridge has, and reads that once more
 * when its own port is there (bridge_link_look_again()).  So one that finds what is taken back here
 * has its port by the second look, and gets it back; one whose port comes later sees that it is
 * gone.
 */
#include "plugins/bridge/bridge.h"

struct found {
	struct rt *host;
	const struct bridge *b;
	struct link was;
	struct link_want want;
	int *ports; /* ifindexes */
	unsigned n_ports;
};

struct ports {
	struct mem *mem;
	int bridge;
	int *list;
	unsigned n;
};

static int note_port(const struct link *l, void *arg)
{
	struct ports *p = arg;

	if (!l) {
		p->n = 0;
		p->list = NULL;
	} else if (l->master == p->bridge) {
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

/* Has a port come to the bridge, beside the call's own one? */
static int has_new_port(struct tx *tx, const struct found *f)
{
	struct ports p = { .mem = &tx->mem, .bridge = f->was.index };

	TRY(link_each_port(tx, f->host, f->was.index, note_port, &p));
	for (unsigned i = 0; i < p.n; i++)
		if (p.list[i] != f->b->veth.host.index &&
		    !is_listed(f->ports, f->n_ports, p.list[i]))
			return 1;
	return 0;
}

static int undo_found(struct tx *tx, void *arg)
{
	struct found *f = *(struct found **)arg;
	int there, built_on, r;
	struct link now;

	TRY(there = link_find_index(tx, f->host, f->was.index, &now));
	if (!there)
		return 0;
	TRY(built_on = has_new_port(tx, f));
	if (built_on)
		return 0;
	/* One of cplug's is meant to be up; its maker may not have marked it before. */
	f->want.up = !mark_is_any(now.alias);
	r = link_put_back(tx, f->host, &f->was, &f->want);
	TRY(there = link_find_index(tx, f->host, f->was.index, &now));
	if (!there)
		return r;
	TRY(built_on = has_new_port(tx, f));
	f->want.up = built_on || mark_is_any(now.alias);
	if (!built_on)
		f->want = (struct link_want){ .up = f->want.up, .shared = true };
	return also(r, link_ensure(tx, f->host, &now, &f->want));
}

int bridge_found_ensure(struct tx *tx, struct call *c, struct bridge *b,
			const struct link_want *want)
{
	struct ports p = { .mem = &tx->mem, .bridge = b->br.index };
	struct found *f;

	if (!link_differs(&b->br, want))
		return 0;
	if (c->command != CNI_ADD)
		return link_ensure(tx, &c->host, &b->br, want);
	f = mem_alloc(&tx->mem, sizeof(*f));
	*f = (struct found){ .host = &c->host, .b = b, .want = *want };
	TRY(link_each_port(tx, &c->host, b->br.index, note_port, &p));
	f->ports = p.list;
	f->n_ports = p.n;
	TRY(link_need(tx, &c->host, b->br.name, &f->was));
	if (f->was.bridge.vlan_filtering == 1)
		f->want.put = NULL;
	TRY(link_ensure(tx, &c->host, &b->br, want));
	return tx_undo(tx, undo_found, "change bridge", &f);
}
