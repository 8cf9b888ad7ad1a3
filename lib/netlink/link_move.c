// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_move.c - links moved to another namespace, and renamed
 *
 * One request moves and renames (linux/rtnetlink.h: RTM_NEWLINK with IFLA_NET_NS_FD and
 * IFLA_IFNAME).  The kernel moves first: if it then refuses the name, the link stays in the
 * other namespace with its old name, so a failed request is always followed by a search.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"
#include "netlink/link_move.h"
#include "netlink/link_saved.h"
#include "value/name.h"

/* IFLA_NEW_IFINDEX is not in headers before Linux 5.13; older kernels ignore it. */
enum { NEW_IFINDEX = 49 };

/* What a link becomes.  0 and NULL: as it is. */
struct target {
	struct rt *rt;
	char name[IFNAMSIZ];
	const char *alias;
	int index, master;
	bool up;
};

static int set_down(struct rt *rt, int index)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = index;
	i->ifi_change = IFF_UP;
	return rt_try(rt, &m);
}

static int rename_in_place(struct rt *rt, int index, const char *name)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = index;
	rt_put_str(&m, IFLA_IFNAME, name);
	return rt_try(rt, &m);
}

/* The kernel resolves the master in the namespace where the link has arrived. */
static int relocate(struct rt *rt, int index, const struct target *t, int ns_fd)
{
	struct rt_msg m;
	struct ifinfomsg *i = rt_new(&m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = index;
	rt_put_u32(&m, IFLA_NET_NS_FD, (uint32_t)ns_fd);
	rt_put_str(&m, IFLA_IFNAME, t->name);
	if (t->alias)
		rt_put_str(&m, IFLA_IFALIAS, t->alias);
	if (t->index)
		rt_put_u32(&m, NEW_IFINDEX, (uint32_t)t->index);
	if (t->master)
		rt_put_u32(&m, IFLA_MASTER, (uint32_t)t->master);
	if (t->up)
		i->ifi_flags = i->ifi_change = IFF_UP;
	return rt_try(rt, &m);
}

/*
 * Moves a link out of rt's namespace: 0, -errno with the kernel's words in rt->why, or a
 * recorded failure.
 */
static int move_out(struct tx *tx, struct rt *rt, const struct link *l, const struct target *t)
{
	struct netns self = NETNS_NONE;
	int fd, r;

	/* udev renames links of the host only, so in a container two requests may give the name. */
	if (rt->ns && !str_eq(l->name, t->name)) {
		if (l->flags & IFF_UP)
			TRY(set_down(rt, l->index));
		r = rename_in_place(rt, l->index, t->name);
		/* A name that is in use here may be free there. */
		if (r < 0 && r != -EEXIST)
			return r;
	}
	if (!t->rt->ns)
		TRY(netns_open_self(tx, &self));
	fd = t->rt->ns ? t->rt->ns->fd : self.fd;
	r = relocate(rt, l->index, t, fd);
	netns_close(&self);
	return r;
}

/* ---- the way back ------------------------------------------------------- */

struct undo_move {
	struct rt *there;    /* where the link is now … */
	char name[IFNAMSIZ]; /* … under this name, or under that of before */
	int index;           /* in the namespace of before */
	struct mac mac;
	const struct link_saved *saved;
	struct target before;
};

/* Is it still, or again, in the namespace of before, with either name? */
static int is_at_home(struct tx *tx, const struct undo_move *u, struct link *ret)
{
	int there;

	TRY(there = link_find_index(tx, u->before.rt, u->index, ret));
	return there && (str_eq(ret->name, u->before.name) || str_eq(ret->name, u->name));
}

/* The name may belong to another link by now, and the kernel have refused it to ours. */
static int find_there(struct tx *tx, const struct undo_move *u, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, u->there, u->name, ret));
	if (!there || !mac_eq(ret->mac, u->mac))
		TRY(there = link_find(tx, u->there, u->before.name, ret));
	return there && mac_eq(ret->mac, u->mac);
}

/* It was not moved, but may have been set down and renamed. */
static int put_right(struct tx *tx, const struct undo_move *u, const struct link *l)
{
	struct rt *rt = u->before.rt;
	struct link_want up = { .up = true, .shared = true };
	struct link now = *l;
	int r = 0;

	if (!str_eq(l->name, u->before.name))
		r = rename_in_place(rt, l->index, u->before.name);
	if (r < 0)
		return rt_refused(tx, rt, r, "rename %s back to %s", l->name, u->before.name);
	if (u->before.up)
		return link_ensure(tx, rt, &now, &up);
	return 0;
}

/* move_out(), with an ifindex of the kernel's choice if another link has the one of the target. */
static int move_to_index(struct tx *tx, struct rt *rt, const struct link *l, struct target *t)
{
	int r = move_out(tx, rt, l, t);

	if (r != -EBUSY || !t->index)
		return r;
	t->index = 0;
	return move_out(tx, rt, l, t);
}

static int move_back(struct tx *tx, const struct undo_move *u)
{
	struct target t = u->before;
	struct link l;
	int home, there, r;

	TRY(home = is_at_home(tx, u, &l));
	if (home)
		return put_right(tx, u, &l);
	TRY(there = find_there(tx, u, &l));
	if (there) {
		r = move_to_index(tx, u->there, &l, &t);
		if (r < 0)
			return rt_refused(tx, u->there, r, "move %s back, as %s", l.name, t.name);
	}
	/* Until that request, a container can put another link with the ifindex in its place. */
	if (there && u->saved) {
		TRY(link_need(tx, t.rt, t.name, &l));
		TRY(there = link_is_saved(tx, t.rt, t.rt, &l, u->saved, NULL));
		if (!there)
			TRY(link_del(tx, t.rt, &l));
	}
	if (!there)
		return tx_fail(tx, -ENODEV, "%s: move %s back: it is gone", u->there->where,
			       u->name);
	return 0;
}

static int undo_move(struct tx *tx, void *arg)
{
	return move_back(tx, *(struct undo_move **)arg);
}

static struct undo_move *undo_of(struct tx *tx, struct rt *rt, const struct link *l,
				 const struct target *t, const struct link_saved *saved)
{
	struct undo_move u = {
		.there = t->rt,
		.index = l->index,
		.mac = l->mac,
		.saved = saved ? mem_dup(&tx->mem, saved, sizeof(*saved)) : NULL,
		.before = {
			.rt = rt,
			.alias = mem_str(&tx->mem, l->alias),
			.index = l->index,
			.master = l->master,
			.up = l->flags & IFF_UP,
		},
	};

	memcpy(u.name, t->name, sizeof(u.name));
	memcpy(u.before.name, l->name, sizeof(u.before.name));
	return mem_dup(&tx->mem, &u, sizeof(u));
}

/* ---- moving ------------------------------------------------------------- */

/* Checked before, because the kernel checks it after the move. */
static int name_taken(struct tx *tx, struct rt *rt, const char *name)
{
	enum cni_code code = rt->ns ? CPLUG_E_EXISTS : CPLUG_E_TAKEN;
	const char *kind = "", *alias = "";
	struct link l;
	int there;

	TRY(there = link_find(tx, rt, name, &l));
	if (!there)
		return 0;
	if (*l.kind)
		kind = mem_printf(&tx->mem, ", kind %s", l.kind);
	if (*l.alias)
		alias = mem_printf(&tx->mem, ", alias %s", l.alias);
	return tx_fail_as(tx, code, -EEXIST,
			  "%s: move an interface here as %s: the name is in use%s%s", rt->where,
			  name, kind, alias);
}

/* The kernel has one error for all; NULL = nothing is known, or the name says it. */
static const char *usual_cause(int r, const char *name)
{
	const char *reserved = name_reserved_ifname(name);

	if (r != -EINVAL || name_invalid_ifname(name))
		return NULL;
	if (reserved)
		return reserved;
	return "the kernel lets no bridge, VRF or tunnel, for example, leave its namespace (select "
	       "another device)";
}

int link_move(struct tx *tx, struct rt *rt, const struct link *l, const struct link_move *m,
	      struct link *ret)
{
	struct target t = { .rt = m->to, .alias = m->alias, .index = m->index };
	struct undo_move *u;
	const char *cause;
	int r;

	TRY(tx_interrupted(tx));
	snprintf(t.name, sizeof(t.name), "%s", m->name ? m->name : l->name);
	TRY(name_taken(tx, m->to, t.name));
	u = undo_of(tx, rt, l, &t, m->saved);
	r = move_to_index(tx, rt, l, &t);
	if (r < 0) {
		cause = usual_cause(r, t.name);
		r = rt_refused(tx, rt, r, "move %s to the %s, as %s", l->name, m->to->where,
			       t.name);
		if (cause)
			tx_detail(tx, "%s", cause);
		return also(r, move_back(tx, u));
	}
	log_step("%s: move %s to the %s, as %s", rt->where, l->name, m->to->where, t.name);
	if (!m->for_good)
		TRY(tx_undo(tx, undo_move, "move link", &u));
	return link_need(tx, m->to, t.name, ret);
}

/* ---- renaming ----------------------------------------------------------- */

struct undo_rename {
	struct rt *rt;
	int index;
	char name[IFNAMSIZ];
};

static int undo_rename(struct tx *tx, void *arg)
{
	struct undo_rename *u = arg;
	int r = rename_in_place(u->rt, u->index, u->name);

	if (r == -ENODEV)
		return 0;
	if (r < 0)
		return rt_refused(tx, u->rt, r, "rename an interface back to %s", u->name);
	return 0;
}

int link_rename(struct tx *tx, struct rt *rt, struct link *l, const char *name)
{
	struct undo_rename u = { .rt = rt, .index = l->index };
	int r;

	if (str_eq(l->name, name))
		return 0;
	TRY(tx_interrupted(tx));
	r = rename_in_place(rt, l->index, name);
	if (r < 0)
		return rt_refused(tx, rt, r, "rename %s to %s", l->name, name);
	log_step("%s: rename %s to %s", rt->where, l->name, name);
	memcpy(u.name, l->name, sizeof(u.name));
	snprintf(l->name, sizeof(l->name), "%s", name);
	return tx_undo(tx, undo_rename, "rename link", &u);
}
