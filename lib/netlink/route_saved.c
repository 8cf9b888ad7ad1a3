// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * route_saved.c - the routes of a device, to be added again later
 */
#include "netlink/route_impl.h"
#include "value/base64.h"

int route_list_own(struct tx *tx, struct rt *rt, const struct link *l, struct route_list *ret)
{
	struct route_filter f = { .link = l->index };
	struct route_list list;
	unsigned n = 0;

	TRY(route_list(tx, rt, &f, &list));
	for (unsigned i = 0; i < list.n; i++)
		if (list.r[i].table != RT_TABLE_LOCAL && list.r[i].protocol != RTPROT_RA)
			list.r[n++] = list.r[i];
	list.n = n;
	*ret = list;
	return 0;
}

/* Those with a gateway, or those without. */
static int restore_some(struct tx *tx, struct rt *rt, const struct link *l,
			const struct route_list *list, bool via)
{
	int failed = 0;

	for (unsigned i = 0; i < list->n; i++) {
		struct route r = list->r[i];
		struct rt_msg m;
		int err;

		if (ip_set(r.gw) != via)
			continue;
		r.link = l->index;
		route_compose(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &r);
		err = rt_try(rt, &m);
		if (err < 0 && err != -EEXIST)
			failed = also(failed, rt_refused(tx, rt, err, "add route %s", ROUTE_S(&r)));
	}
	return failed;
}

int route_restore(struct tx *tx, struct rt *rt, const struct link *l, const struct route_list *list)
{
	int r = restore_some(tx, rt, l, list, false);

	return also(r, restore_some(tx, rt, l, list, true));
}

const char *route_encode(struct mem *mem, const struct route *r)
{
	struct rt_msg m;

	route_compose(&m, RTM_NEWROUTE, 0, r);
	return base64_encode(mem, m.room, m.h.nlmsg_len);
}

bool route_decode(struct mem *mem, const char *text, struct route_list *list)
{
	const struct nlmsghdr *h;
	struct route r;
	size_t size;

	h = (const void *)base64_decode(mem, text, &size);
	if (!h || size < sizeof(*h) || h->nlmsg_len != size || !route_read_whole(mem, h, &r))
		return false;
	list->r = mem_grow(mem, list->r, list->n, sizeof(r));
	list->r[list->n++] = r;
	return true;
}
