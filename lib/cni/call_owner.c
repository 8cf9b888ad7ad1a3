// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call_owner.c - the attachment of a call as owner of nftables elements, and of links
 */
#include <stdlib.h>

#include "cni/call.h"

static int by_key(const void *a, const void *b)
{
	const struct name_owner *x = a, *y = b;

	return strcmp(x->s, y->s);
}

/* The socket in the container saves entering the namespace. */
static uint64_t read_cookie(const struct call *c)
{
	if (rt_is_open(&c->cont))
		return rt_cookie(&c->cont);
	return netns_cookie(&c->cont_ns);
}

uint64_t call_cookie(struct call *c)
{
	if (c->cont_ns.fd >= 0 && !c->cookie_read) {
		c->cookie = read_cookie(c);
		c->cookie_read = true;
	}
	return c->cookie;
}

/* Not only of an ADD: a CHECK may become a repair. */
static void add_life(struct call *c, struct owner *o)
{
	if (c->command == CNI_DEL || c->cont_ns.fd < 0)
		return;
	o->ino = (uint32_t)c->cont_ns.ino;
	o->cookie = call_cookie(c);
}

const struct owner *call_owner(struct tx *tx, struct call *c)
{
	if (!c->owner) {
		struct owner o = owner_of(&tx->mem, c->network, c->id, c->ifname);

		add_life(c, &o);
		c->owner = mem_dup(&tx->mem, &o, sizeof(o));
	}
	return c->owner;
}

const struct mark *call_mark(struct tx *tx, struct call *c)
{
	if (!c->mark) {
		struct mark m = mark_of(c->network, c->id, c->ifname);

		c->mark = mem_dup(&tx->mem, &m, sizeof(m));
	}
	return c->mark;
}

struct owned_valid call_valid_keys(struct tx *tx, const struct call *c)
{
	struct name_owner *keys = mem_alloc(&tx->mem, (c->n_valid + 1) * sizeof(*keys));

	for (unsigned i = 0; i < c->n_valid; i++)
		keys[i] = name_owner(c->network, c->valid[i].id, c->valid[i].ifname);
	qsort(keys, c->n_valid, sizeof(*keys), by_key);
	return (struct owned_valid){ c->network, keys, c->n_valid };
}
