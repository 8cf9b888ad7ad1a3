// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * layer3.c - the addresses and routes of a link, which the kernel drops with some changes
 */
#include "netlink/layer3.h"

int layer3_save(struct tx *tx, struct rt *rt, const struct link *l, int family, struct layer3 *ret)
{
	struct layer3 s;
	unsigned n = 0;

	TRY(addr_save(tx, rt, l, family, &s.addrs));
	TRY(route_list_own(tx, rt, l, &s.routes));
	for (unsigned i = 0; i < s.routes.n; i++)
		if (family == AF_UNSPEC || s.routes.r[i].dst.ip.family == family)
			s.routes.r[n++] = s.routes.r[i];
	s.routes.n = n;
	*ret = s;
	return 0;
}

int layer3_restore(struct tx *tx, struct rt *rt, const struct link *l, const struct layer3 *s)
{
	/* They were there, so they are no duplicates. */
	int r = addr_restore(tx, rt, l, &s->addrs, true);

	return also(r, route_restore(tx, rt, l, &s->routes));
}

/* ---- as text ------------------------------------------------------------ */

static void put_message(struct jw *w, const char *key, const char *text, const char *message)
{
	jw_open(w, NULL, '{');
	jw_str(w, key, text);
	jw_str(w, "message", message);
	jw_close(w, '}');
}

void layer3_write(struct mem *mem, struct jw *w, const struct layer3 *s)
{
	jw_open(w, "addresses", '[');
	for (unsigned i = 0; i < s->addrs.n; i++)
		if (s->addrs.a[i].lasting)
			put_message(w, "address", CIDR_S(s->addrs.a[i].addr),
				    addr_encode(mem, &s->addrs.a[i]));
	jw_close(w, ']');
	jw_open(w, "routes", '[');
	for (unsigned i = 0; i < s->routes.n; i++)
		put_message(w, "route", ROUTE_S(&s->routes.r[i]),
			    route_encode(mem, &s->routes.r[i]));
	jw_close(w, ']');
}

void layer3_read(struct mem *mem, const struct cj *j, struct layer3 *ret)
{
	struct cj addrs = cj_list(j, "addresses"), routes = cj_list(j, "routes");

	*ret = (struct layer3){ .addrs.n = 0 };
	for (unsigned i = 0; i < cj_len(&addrs); i++) {
		struct cj a = cj_at(&addrs, i);

		if (!addr_decode(mem, cj_str(&a, "message", ""), &ret->addrs))
			cj_wrong(&a, "message", "not an address");
	}
	for (unsigned i = 0; i < cj_len(&routes); i++) {
		struct cj a = cj_at(&routes, i);

		if (!route_decode(mem, cj_str(&a, "message", ""), &ret->routes))
			cj_wrong(&a, "message", "not a route");
	}
}

/* ---- down, and up again ------------------------------------------------- */

struct undo_down {
	struct rt *rt;
	struct link was;
	struct layer3 kept;
};

static int undo_down(struct tx *tx, void *arg)
{
	struct undo_down *u = *(struct undo_down **)arg;
	struct link_want up = { .up = true, .shared = true };
	struct link now = u->was;
	int r;

	now.flags &= ~(unsigned)IFF_UP;
	r = link_ensure(tx, u->rt, &now, &up);
	return also(r, layer3_restore(tx, u->rt, &now, &u->kept));
}

static int set_down(struct tx *tx, struct undo_down *u)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = u->was.index;
	i->ifi_change = IFF_UP;
	TRY(rt_call(tx, u->rt, &m, "set %s down", u->was.name));
	return tx_undo(tx, undo_down, "set link down", &u);
}

static bool has_to_go_down(int err, const struct link *l, const struct link_want *want)
{
	return err == -EBUSY && l->flags & IFF_UP && want->mac.len && !mac_eq(want->mac, l->mac);
}

int layer3_ensure_link(struct tx *tx, struct rt *rt, struct link *l, const struct link_want *want,
		       layer3_note_fn *note, void *arg)
{
	int before = tx->err, r = link_ensure(tx, rt, l, want);
	struct link_want also_up = *want;
	struct undo_down *u;

	if (!has_to_go_down(r, l, want))
		return r;
	TRY(tx_excuse(tx, before, r, "the interface is set down for this"));
	u = mem_alloc(&tx->mem, sizeof(*u));
	*u = (struct undo_down){ .rt = rt, .was = *l };
	TRY(layer3_save(tx, rt, l, AF_UNSPEC, &u->kept));
	if (note)
		TRY(note(tx, l, &u->kept, arg));
	TRY(set_down(tx, u));
	l->flags &= ~(unsigned)IFF_UP;
	also_up.up = true;
	TRY(link_ensure(tx, rt, l, &also_up));
	return layer3_restore(tx, rt, l, &u->kept);
}
