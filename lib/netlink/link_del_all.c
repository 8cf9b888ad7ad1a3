// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_del_all.c - deleting many links at once
 *
 * The kernel waits for an RCU grace period for each request that deletes links, and one request
 * can delete a device group (IFLA_GROUP).  So the links are put into a group of their own, and
 * the group is deleted.  The administrator may use groups (ip link set … group …), so the
 * number is random, of 2^29; mark.c uses others.  Before many links are deleted, a list of all
 * links tells that none has the number.  For a few links the list would cost more than it is worth,
 * because it grows with the host: a link that has the number by chance is one that another call is
 * deleting.
 */
#include <linux/rtnetlink.h>
#include <sys/random.h>

#include "netlink/link_del_impl.h"
#include "base/log.h"

enum { FEW = 4 };

struct group {
	uint32_t number;
	bool taken;
};

static int note_group(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct group *g = arg;
	struct nlattr *a;

	if (!h || h->nlmsg_type != RTM_NEWLINK)
		return 0;
	a = nlmsg_find_attr(m, sizeof(struct ifinfomsg), IFLA_GROUP);
	g->taken |= a && nla_get_u32(a) == g->number;
	return 0;
}

uint32_t link_random_group(void)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return 0;
	return mark_doomed_group(number);
}

/* A number that no link has for its group; 0 = none could be found. */
static uint32_t free_group(struct rt *rt)
{
	struct group g = { .number = link_random_group() };
	struct rt_msg m;

	if (!g.number)
		return 0;
	link_question(&m, NLM_F_DUMP);
	return rt_ask(rt, &m, note_group, &g) < 0 || g.taken ? 0 : g.number;
}

/* Address by ifindex; indices are not reused quickly. */
int link_put_into_group(struct rt *rt, const struct link *l, uint32_t group)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_SETLINK, 0, sizeof(*i));
	int r;

	i->ifi_index = l->index;
	rt_put_u32(&m, IFLA_GROUP, group);
	r = rt_try(rt, &m);
	return r == -ENODEV || r == -ENXIO ? 0 : r;
}

/* Links that are gone are not in the group, and an empty group does not exist. */
int link_del_group(struct rt *rt, uint32_t group)
{
	struct rt_msg m;
	int r;

	rt_new(&m, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	rt_put_u32(&m, IFLA_GROUP, group);
	r = rt_try(rt, &m);
	return r == -ENODEV ? 0 : r;
}

/* false: refused, and they are all there */
static bool del_together(struct rt *rt, const struct link *links, unsigned n)
{
	uint32_t group = n > FEW ? free_group(rt) : link_random_group();
	int r = group ? 0 : -ENOENT;

	for (unsigned i = 0; i < n && r == 0; i++)
		r = link_put_into_group(rt, &links[i], group);
	r = r < 0 ? r : link_del_group(rt, group);
	if (r == 0)
		log_step("%s: delete %u interfaces, as group %u", rt->where, n, group);
	return r == 0;
}

int link_del_all(struct tx *tx, struct rt *rt, const struct link *links, unsigned n)
{
	int r = 0;

	if (n > 1 && del_together(rt, links, n))
		return 0;
	for (unsigned i = 0; i < n; i++)
		r = also(r, link_del(tx, rt, &links[i]));
	return r;
}

/* ---- links on top of one ------------------------------------------------ */

enum { UPPERS_MAX = 1024, UPPERS_ROUNDS = 64 };

struct uppers {
	int index, nsid;
	struct link *l; /* room for UPPERS_MAX */
	unsigned n;
};

static bool is_stacked(const char *kind)
{
	static const char *const kinds[] = { "macvlan", "macvtap", "ipvlan",
					     "ipvtap",  "vlan",    "macsec" };

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (str_eq(kind, kinds[i]))
			return true;
	return false;
}

static int note_upper(const struct link *l, void *arg)
{
	struct uppers *u = arg;

	if (!l) {
		u->n = 0;
		return 0;
	}
	if (l->parent != u->index || l->parent_nsid != u->nsid || !is_stacked(l->kind))
		return 0;
	u->l[u->n++] = *l;
	return u->n == UPPERS_MAX;
}

/* In rounds, because a container may have any number of them. */
int link_del_uppers(struct tx *tx, struct rt *rt, int index, int nsid)
{
	struct uppers u = { .index = index, .nsid = nsid };

	u.l = mem_alloc(&tx->mem, UPPERS_MAX * sizeof(*u.l));
	for (unsigned i = 0; i < UPPERS_ROUNDS; i++) {
		TRY(tx_interrupted(tx));
		TRY(link_each(tx, rt, "", note_upper, &u));
		TRY(link_del_all(tx, rt, u.l, u.n));
		if (u.n < UPPERS_MAX)
			return 0;
	}
	log_warn("%s: it has more interfaces on top of #%d than are deleted", rt->where, index);
	return 0;
}
