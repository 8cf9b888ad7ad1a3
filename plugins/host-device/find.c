// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * find.c - finds an attachment's device again, in the container or on the host
 *
 * The container can rename the device, change its alias, and make links that look like it.
 */
#include "plugins/host-device/host_device.h"

struct claim {
	const struct hostdev_place *p;
	const struct link *l;
};

static int is_claimed(struct tx *tx, const struct hostdev_owner *o, const struct hostdev_record *r,
		      void *arg)
{
	const struct claim *x = arg;
	bool sure;
	int is;

	TRY(is = link_is_saved(tx, x->p->rt, x->p->host, x->l, &r->link, &sure));
	if (x->p->owner)
		sure = link_is_marked(x->l, &o->mark);
	return is && sure;
}

int hostdev_has_owner(struct tx *tx, const struct hostdev_place *p, const struct link *l)
{
	struct claim x = { p, l };

	return hostdev_each(tx, NULL, is_claimed, &x);
}

/* 1, 0, or a recorded failure. */
static int is_it(struct tx *tx, const struct hostdev_place *p, const struct link *l)
{
	bool sure;
	int is, other = 0;

	TRY(is = link_is_saved(tx, p->rt, p->host, l, p->saved, &sure));
	if (!is)
		return 0;
	if (link_is_marked(l, &p->owner->mark))
		return 1;
	if (p->rt == p->host && mark_is_any(l->alias))
		TRY(other = hostdev_has_owner(tx, p, l));
	if (other)
		return 0;
	return sure || (p->name && str_eq(l->name, p->name));
}

/* The container may make any number of links of a kind. */
enum { CANDIDATES_MAX = 1024 };

struct candidates {
	const struct hostdev_place *p;
	struct link *l; /* room for CANDIDATES_MAX */
	unsigned n;
};

static int note_candidate(const struct link *l, void *arg)
{
	struct candidates *x = arg;
	const struct link_saved *s = x->p->saved;

	if (!l) {
		x->n = 0;
		return 0;
	}
	if (!str_eq(l->kind, s->kind) || (l->flags & IFF_LOOPBACK))
		return 0;
	if (*l->kind && l->parent != s->parent)
		return 0;
	x->l[x->n++] = *l;
	return x->n == CANDIDATES_MAX;
}

int hostdev_find_again(struct tx *tx, const struct hostdev_place *p, struct link *ret)
{
	struct candidates x = { .p = p };
	int there = 0;

	if (p->name)
		TRY(there = link_find(tx, p->rt, p->name, ret));
	if (there)
		TRY(there = is_it(tx, p, ret));
	if (there)
		return 1;
	x.l = mem_alloc(&tx->mem, CANDIDATES_MAX * sizeof(*x.l));
	TRY(link_each(tx, p->rt, p->saved->kind, note_candidate, &x));
	for (unsigned i = 0; i < x.n; i++) {
		TRY(there = is_it(tx, p, &x.l[i]));
		if (!there)
			continue;
		*ret = x.l[i];
		return 1;
	}
	return 0;
}

bool hostdev_is_plugged(struct mem *mem, const struct link_saved *s)
{
	char *bus = mem_str(mem, s->hardware), *name = strchr(bus, ' '), *end;

	if (!name || *bus == '-')
		return false;
	*name++ = '\0';
	end = strchr(name, ' ');
	if (end)
		*end = '\0';
	return access(mem_printf(mem, "/sys/bus/%s/devices/%s", bus, name), F_OK) == 0;
}
