// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * give_back.c - a device comes back to the host, and gets everything that it had there (restore.c)
 *
 * When a namespace dies, the kernel moves its devices to the host (net/core/dev.c,
 * default_device_exit_net()): down, with the container's name or as "devN", and with everything
 * else that the container set.  Links of a kind die with the namespace.
 */
#include <linux/rtnetlink.h>
#include <stdio.h>

#include "base/log.h"
#include "cni/prev.h"
#include "netlink/link_move.h"
#include "plugins/host-device/host_device.h"
#include "value/name.h"

enum { RETURN_TIMEOUT_MS = 2000 };

/* ---- back from the container -------------------------------------------- */

/* Those that it made between the first look and the move: by now the device is on the host. */
static int delete_late_uppers(struct tx *tx, struct rt *host, struct rt *cont, const struct link *l)
{
	int nsid;

	TRY(link_nsid(tx, cont, host->ns, &nsid));
	if (nsid < 0)
		return 0;
	return link_del_uppers(tx, cont, l->index, nsid);
}

/*
 * 1, or 0 if another link has come: until the request that moves it, the container can put one with
 * its ifindex in its place.  That one does not stay; a device of the host cannot be deleted, and is
 * found there by its own attachment.
 */
static int bring_home(struct tx *tx, struct rt *host, struct rt *cont, const char *alias,
		      const struct link_saved *s, struct link *l)
{
	struct link_move m = { .to = host, .alias = alias, .index = s->index, .for_good = true };
	int before = tx->err, r = link_del_uppers(tx, cont, l->index, -1), is;

	/* What the container made on top of it would stay on the host's wire. */
	r = tx_excuse(tx, before, r, "interfaces of the container stay on top of the device");
	TRY(r);
	TRY(link_drop_altnames(tx, cont, l, s));
	TRY(hostdev_choose_name(tx, host, s->name, 0, &m.name));
	TRY(link_move(tx, cont, l, &m, l));
	TRY(is = link_is_saved(tx, host, host, l, s, NULL));
	if (!is) {
		log_warn("host: the container had another link in the place of %s", s->name);
		return tx_excuse(tx, before, link_del(tx, host, l), "it stays on the host");
	}
	r = delete_late_uppers(tx, host, cont, l);
	r = tx_excuse(tx, before, r, "interfaces of the container stay on top of the device");
	return r < 0 ? r : 1;
}

/* ---- one attachment ----------------------------------------------------- */

/* Looks in the container (NULL: there is none), then on the host: 1 if the device is back. */
static int give_back(struct tx *tx, struct rt *host, struct rt *cont, const struct hostdev_owner *o,
		     const struct hostdev_record *r)
{
	struct hostdev_place p = { .rt = cont, .host = host, .owner = o, .saved = &r->link };
	struct link l;
	int there = 0;

	p.name = o->ifname;
	if (cont)
		TRY(there = hostdev_find_again(tx, &p, &l));
	if (there)
		TRY(there = bring_home(tx, host, cont, o->mark.s, &r->link, &l));
	if (!there) {
		p.rt = host;
		p.name = NULL;
		TRY(there = hostdev_find_again(tx, &p, &l));
	}
	if (there)
		TRY(hostdev_restore(tx, host, &l, r));
	return there;
}

/* The kernel deletes a namespace some time after its last user left. */
static int await_return(struct tx *tx, struct rt *host, const struct hostdev_owner *o,
			const struct hostdev_record *r)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int64_t deadline = rt_deadline(RETURN_TIMEOUT_MS);
	int there, err;

	if (!*r->link.hardware)
		return 0;
	TRY(rt_subscribe(tx, host, RTNLGRP_LINK, &events));
	for (;;) {
		TRY(there = give_back(tx, host, NULL, o, r));
		if (there)
			return 1;
		err = rt_wait(tx, &events, deadline, rt_any_event, NULL);
		if (err == -ETIMEDOUT)
			return 0;
		TRY(err);
	}
}

/*
 * May another namespace have the device, to which the container moved it?  A veth is there as long
 * as its other end.  Of a link with a parent that is not known: as long as the container's
 * namespace lives, with which it would have died.
 */
static int is_elsewhere(struct tx *tx, struct rt *host, const struct link_saved *s, bool alive)
{
	struct link other;
	int there;

	if (hostdev_is_plugged(&tx->mem, s))
		return 1;
	if (!s->parent || !s->parent_here)
		return 0;
	TRY(there = link_find_index(tx, host, s->parent, &other));
	if (!there)
		return 0;
	if (str_eq(s->kind, "veth"))
		return str_eq(other.kind, "veth");
	return alive;
}

/* Removes the record, unless the device may still come back. */
static int forget(struct tx *tx, struct rt *host, const struct hostdev_owner *o,
		  const struct hostdev_record *r, bool is_back, bool alive)
{
	int elsewhere = 0;

	if (!is_back)
		TRY(elsewhere = is_elsewhere(tx, host, &r->link, alive));
	if (elsewhere) {
		log_warn("host: %s is not back yet: a namespace that still lives has it (the next "
			 "GC or ADD looks again)",
			 r->link.name);
		return 0;
	}
	return state_drop(tx, &o->file);
}

/*
 * May the reference's ADD have moved it?  A device, which the container cannot make, or a link
 * whose other end or parent is on the host.  Not what another attachment has, by a record or by the
 * mark there.
 */
static int is_from_host(struct tx *tx, struct call *c, const struct link *l, struct link_saved *s)
{
	const struct hostdev_place p = { .rt = &c->cont, .host = &c->host };
	struct link parent;
	int yes, there;

	s->parent_here = true;
	TRY(yes = link_is_saved(tx, &c->cont, &c->host, l, s, NULL));
	if (yes && *l->kind) {
		TRY(there = link_find_index(tx, &c->host, l->parent, &parent));
		yes = there && !mark_is_any(parent.alias);
	}
	if (!yes)
		return 0;
	TRY(yes = hostdev_has_owner(tx, &p, l));
	return !yes;
}

/*
 * A device without a record: the reference's ADD moved it, with its name as alias, unless a DEL of
 * ours has brought it home already.  The container can make links and aliases, but no device; one
 * of a kind is taken only if the configuration and prevResult name it, too.  Its MAC address says
 * nothing: the container can set any, and tuning's DEL has given the device its former one, which
 * prevResult does not have.
 */
static int give_back_foreign(struct tx *tx, struct call *c, const struct hostdev_conf *d)
{
	struct link_saved s;
	struct link l;
	int there;

	if (!rt_is_open(&c->cont))
		return 0;
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (!there || !str_eq(l.name, c->ifname) || mark_is_any(l.alias) ||
	    name_invalid_ifname(l.alias) || (l.flags & IFF_LOOPBACK))
		return 0;
	if (d->device && !str_eq(d->device, l.alias))
		return 0;
	if (*l.kind && (!d->device || !c->prev || prev_interface(c) < 0))
		return 0;
	TRY(link_save(tx, &c->cont, &l, &s));
	TRY(there = is_from_host(tx, c, &l, &s));
	if (!there)
		return 0;
	snprintf(s.name, sizeof(s.name), "%.15s", l.alias);
	s.index = 0;
	/* Those that it has may be of the container's choice. */
	s.n_altnames = 0;
	s.group = 0;
	TRY(there = bring_home(tx, &c->host, &c->cont, "", &s, &l));
	if (!there)
		return 0;
	return link_restore_settings(tx, &c->host, &l, &s);
}

/* The namespace that ADD noted, if it lives: CNI_NETNS may lead to none, or to another one. */
static int open_netns(struct tx *tx, const struct call *c, const struct hostdev_record *record,
		      struct netns *ns, struct rt *ret)
{
	int before = tx->err, r = netns_open(tx, record->netns, ns);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && !netns_eq(ns, &c->host_ns) && netns_is(ns, record->inode, record->cookie))
		r = rt_open(tx, ret, "container", ns);
	/* The device may be in it. */
	if (err_is_passing(r))
		return r;
	return tx_excuse(tx, before, r, "the device is looked for on the host");
}

/* From the namespace that ADD gave it to; *ret_alive tells whether that lives. */
static int give_back_from(struct tx *tx, struct call *c, const struct hostdev_owner *o,
			  const struct hostdev_record *r, bool *ret_alive)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt noted = { .sk = NULL };
	struct rt *cont = NULL;

	if (rt_is_open(&c->cont) && netns_is(&c->cont_ns, r->inode, r->cookie))
		cont = &c->cont;
	else
		TRY(open_netns(tx, c, r, &ns, &noted));
	if (rt_is_open(&noted))
		cont = &noted;
	*ret_alive = cont;
	return give_back(tx, &c->host, cont, o, r);
}

int hostdev_give_back(struct tx *tx, struct call *c, const struct hostdev_conf *d)
{
	struct hostdev_record r;
	struct hostdev_owner o;
	bool alive;
	int there;

	TRY(hostdev_owner(tx, c->network, c->id, c->ifname, &o));
	TRY(there = hostdev_record_load(tx, &o, &r));
	if (!there) {
		TRY(give_back_foreign(tx, c, d));
		return state_drop(tx, &o.file);
	}
	TRY(there = give_back_from(tx, c, &o, &r, &alive));
	if (!there && !alive)
		TRY(there = await_return(tx, &c->host, &o, &r));
	return forget(tx, &c->host, &o, &r, there, alive);
}

/* ---- many --------------------------------------------------------------- */

static int give_back_one(struct tx *tx, const struct hostdev_owner *o,
			 const struct hostdev_record *r, void *arg)
{
	struct call *c = arg;
	bool alive;
	int there;

	if (call_is_valid(c, o->id, o->ifname))
		return 0;
	TRY(there = give_back_from(tx, c, o, r, &alive));
	return forget(tx, &c->host, o, r, there, alive);
}

int hostdev_give_back_stale(struct tx *tx, struct call *c)
{
	return hostdev_each(tx, c->network, give_back_one, c);
}

/*
 * A record is written before the device leaves, so a device without the mark may be one that
 * another ADD is about to move.
 */
static int reclaim_one(struct tx *tx, const struct hostdev_owner *o, const struct hostdev_record *r,
		       void *arg)
{
	struct call *c = arg;
	struct hostdev_place p = {
		.rt = &c->host, .host = &c->host, .owner = o, .saved = &r->link
	};
	struct link l;
	int there;

	TRY(there = hostdev_find_again(tx, &p, &l));
	if (!there || (!mark_is_any(l.alias) && str_eq(l.name, r->link.name)))
		return 0;
	TRY(hostdev_restore(tx, &c->host, &l, r));
	return state_drop(tx, &o->file);
}

int hostdev_reclaim(struct tx *tx, struct call *c)
{
	return hostdev_each(tx, NULL, reclaim_one, c);
}
