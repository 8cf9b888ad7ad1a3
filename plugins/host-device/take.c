// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * take.c - a device goes to the container
 *
 * The record of what it was is written before it leaves.  On its way it gets the attachment's mark
 * as alias.
 */
#include "base/differ.h"
#include "netlink/link_device.h"
#include "netlink/link_move.h"
#include "plugins/host-device/host_device.h"
#include "value/name.h"

/* ---- which device ------------------------------------------------------- */

static bool is_selected(const struct hostdev_conf *d, const struct link_saved *s)
{
	const char *name;

	if (d->device)
		return str_eq(d->device, s->name);
	if (d->hwaddr.len)
		return mac_eq(d->hwaddr, s->mac);
	name = strrchr(d->path, '/');
	return name && strstr(s->hardware, name + 1);
}

struct holder {
	const struct hostdev_conf *d;
	const char *text;
};

static int note_holder(struct tx *tx, const struct hostdev_owner *o, const struct hostdev_record *r,
		       void *arg)
{
	struct holder *h = arg;

	if (!is_selected(h->d, &r->link))
		return 0;
	h->text = mem_printf(&tx->mem, "container %s has it as %s, network %s", o->id, o->ifname,
			     o->network);
	return 1;
}

/* Which attachment has the device; *ret NULL = none. */
static int find_holder(struct tx *tx, const struct hostdev_conf *d, const char **ret)
{
	struct holder h = { .d = d };

	TRY(hostdev_each(tx, NULL, note_holder, &h));
	*ret = h.text;
	return 0;
}

static int fail_without(struct tx *tx, const struct hostdev_conf *d)
{
	const char *holder, *driver = NULL, *why = "no interface of the host is selected by it";

	TRY(find_holder(tx, d, &holder));
	if (holder)
		return tx_fail_as(tx, CPLUG_E_TAKEN, -EBUSY, "host: %s: %s", d->what, holder);
	if (d->path)
		driver = link_device_driver(&tx->mem, d->path);
	if (driver)
		why = mem_printf(&tx->mem, "%s (its driver is %s)", why, driver);
	return tx_fail_as(tx, CNI_E_CONFIG, -ENODEV,
			  "host: %s: %s (ip -d link shows those of this network namespace)",
			  d->what, why);
}

/* The gateway of a bridge's VLAN is the unmarked end of a pair, whose other end is a marked port.
 */
static int find_marked_peer(struct tx *tx, struct rt *rt, const struct link *l, struct link *ret)
{
	int there;

	if (!str_eq(l->kind, "veth") || !l->parent || l->parent_nsid >= 0)
		return 0;
	TRY(there = link_find_index(tx, rt, l->parent, ret));
	return there && ret->parent == l->index && mark_is_any(ret->alias);
}

static int refuse(struct tx *tx, enum cni_code code, const struct hostdev_conf *d,
		  const struct link *l, const char *why)
{
	return tx_fail_as(tx, code, -EBUSY, "host: %s: %s %s (select another device)", d->what,
			  l->name, why);
}

/* The host's own, and what belongs to an attachment or a network of cplug, is not to be had. */
static int fail_if_reserved(struct tx *tx, struct call *c, const struct hostdev_conf *d,
			    const struct link *l)
{
	const char *because = "", *alias = l->alias;
	struct link peer;
	int marked = mark_is_any(l->alias) || mark_is_group(l->group);

	if (l->flags & IFF_LOOPBACK)
		return refuse(tx, CNI_E_CONFIG, d, l, "is the host's loopback interface");
	if (!marked && str_eq(l->name, NAME_OF_WIRE))
		return refuse(tx, CPLUG_E_TAKEN, d, l,
			      "is the wire between the nodes of cplug's cluster");
	if (!marked) {
		TRY(marked = find_marked_peer(tx, &c->host, l, &peer));
		if (!marked)
			return 0;
		because = mem_printf(&tx->mem, " because its other end, %s, has the", peer.name);
		alias = peer.alias;
	}
	return refuse(tx, CPLUG_E_TAKEN, d, l,
		      mem_printf(&tx->mem,
				 "belongs to another attachment or network,%s alias \"%s\"",
				 because, alias));
}

/* The device may be back from a namespace that died, under a name of the container's. */
static int find_free(struct tx *tx, struct call *c, const struct hostdev_conf *d, struct link *ret)
{
	int there;

	TRY(there = hostdev_find(tx, c, d, ret));
	if (!there || mark_is_any(ret->alias)) {
		TRY(hostdev_reclaim(tx, c));
		TRY(there = hostdev_find(tx, c, d, ret));
	}
	if (!there)
		return fail_without(tx, d);
	return fail_if_reserved(tx, c, d, ret);
}

/* They have to fit into the record (sys/state.h, STATE_MAX; cj.h, CJ_LIST_MAX). */
static int fail_if_too_many(struct tx *tx, const struct link *l, const struct hostdev_record *r)
{
	enum { MOST = 256 };
	unsigned n = r->addrs.n + r->routes.n;

	if (n <= MOST)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -E2BIG,
			  "host: %s has %u addresses and routes, and at most %d can be remembered "
			  "until DEL (remove some first)",
			  l->name, n, MOST);
}

/* ---- ADD ---------------------------------------------------------------- */

int hostdev_take(struct tx *tx, struct call *c, const struct hostdev_conf *d,
		 struct hostdev_record *ret_record, struct link *ret)
{
	struct link_move m = { .to = &c->cont, .name = c->ifname };
	struct link_want want = { .mtu = d->mtu, .mac = d->mac };
	struct hostdev_record r = { .netns = c->netns_path };
	struct netns_id id = netns_identify(&c->cont_ns);
	struct hostdev_owner o;
	struct link l;

	r.inode = mem_str(&tx->mem, id.inode);
	r.cookie = mem_str(&tx->mem, id.cookie);
	TRY(find_free(tx, c, d, &l));
	TRY(hostdev_owner(tx, c->network, c->id, c->ifname, &o));
	TRY(link_save(tx, &c->host, &l, &r.link));
	TRY(addr_save(tx, &c->host, &l, AF_UNSPEC, &r.addrs));
	TRY(route_list_own(tx, &c->host, &l, &r.routes));
	TRY(fail_if_too_many(tx, &l, &r));
	TRY(hostdev_record_save(tx, &o, &r));
	/* In this order undone: the link, addresses, routes. */
	TRY(route_keep_all(tx, &c->host, &r.routes));
	if (r.addrs.n)
		TRY(addr_keep_all(tx, &c->host, &l, &r.addrs));
	m.alias = o.mark.s;
	m.saved = &r.link;
	TRY(link_move(tx, &c->host, &l, &m, ret));
	*ret_record = r;
	return link_ensure(tx, &c->cont, ret, &want);
}

/* ---- CHECK, STATUS ------------------------------------------------------ */

/* Without a record, the reference's ADD moved it. */
int hostdev_check(struct tx *tx, struct call *c, const struct link *l)
{
	struct hostdev_record r;
	struct hostdev_owner o;
	int there, same;

	TRY(hostdev_owner(tx, c->network, c->id, c->ifname, &o));
	TRY(there = hostdev_record_load(tx, &o, &r));
	if (!there)
		return 0;
	TRY(same = link_is_saved(tx, &c->cont, &c->host, l, &r.link, NULL));
	if (!same)
		differ(tx, mem_printf(&tx->mem, "device of %s", l->name), r.link.name,
		       "another interface");
	return 0;
}

int hostdev_status(struct tx *tx, struct call *c, const struct hostdev_conf *d)
{
	const char *holder;
	struct link l;
	int there;

	TRY(find_holder(tx, d, &holder));
	if (holder)
		return 0;
	TRY(there = hostdev_find(tx, c, d, &l));
	if (!there)
		return fail_without(tx, d);
	return fail_if_reserved(tx, c, d, &l);
}
