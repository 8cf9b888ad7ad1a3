// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_add.c - links, made in place
 *
 * One request makes a link of any kind, with its final name, MTU, MAC, master and namespace
 * (linux/rtnetlink.h, RTM_NEWLINK).  The kernel resolves parent and master in the namespace
 * of the socket, and makes the link in that of IFLA_NET_NS_FD.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/log.h"
#include "netlink/link.h"
#include "value/name.h"

struct mac link_random_mac(void)
{
	struct mac m = { .len = 6 };

	if (getrandom(m.b, 6, 0) != 6)
		return (struct mac){ .len = 0 };
	m.b[0] = (uint8_t)((m.b[0] & 0xfc) | 0x02);
	return m;
}

static struct rt *where(struct rt *rt, const struct link_new *n)
{
	return n->in ? n->in : rt;
}

/* What both ends of a pair have; rt is the request's socket. */
static void put_end(struct rt_msg *m, const struct rt *rt, const struct link_new *n)
{
	rt_put_str(m, IFLA_IFNAME, n->name);
	if (n->mtu > 0)
		rt_put_u32(m, IFLA_MTU, (uint32_t)n->mtu);
	if (n->mac.len)
		rt_put_mac(m, IFLA_ADDRESS, n->mac);
	if (n->parent)
		rt_put_u32(m, IFLA_LINK, (uint32_t)n->parent);
	if (n->master)
		rt_put_u32(m, IFLA_MASTER, (uint32_t)n->master);
	if (n->mark)
		rt_put_u32(m, IFLA_GROUP, n->mark->group);
	if (n->queues) {
		rt_put_u32(m, IFLA_NUM_TX_QUEUES, (uint32_t)n->queues);
		rt_put_u32(m, IFLA_NUM_RX_QUEUES, (uint32_t)n->queues);
	}
	if (n->in && n->in->ns != rt->ns)
		rt_put_u32(m, IFLA_NET_NS_FD, (uint32_t)n->in->ns->fd);
}

/* IFLA_NETKIT_PEER_INFO has the same number. */
static void put_peer(struct rt_msg *m, const struct rt *rt, const struct link_new *peer)
{
	struct nlattr *nest = rt_nest(m, VETH_INFO_PEER);

	rt_put_header(m, sizeof(struct ifinfomsg));
	put_end(m, rt, peer);
	rt_nest_end(m, nest);
}

/* index: the ifindex that the link gets; 0 = the kernel chooses. */
static void compose(struct rt_msg *m, const struct rt *rt, const struct link_new *n, int index)
{
	struct ifinfomsg *i = rt_new(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(*i));
	struct nlattr *info, *data;

	i->ifi_index = index;
	put_end(m, rt, n);
	info = rt_nest(m, IFLA_LINKINFO);
	rt_put_str(m, IFLA_INFO_KIND, n->kind);
	data = rt_nest(m, IFLA_INFO_DATA);
	if (n->peer)
		put_peer(m, rt, n->peer);
	else if (n->put)
		n->put(m, n->data);
	rt_nest_end(m, data);
	rt_nest_end(m, info);
}

static const char *description(struct tx *tx, const struct rt *rt, const struct link_new *n)
{
	const struct link_new *peer = n->peer;
	const char *place = peer && peer->in && peer->in != rt ? "(container) " : "";

	if (!peer)
		return mem_printf(&tx->mem, "%s %s", n->kind, n->name);
	return mem_printf(&tx->mem, "%s pair %s and %s%s", n->kind, n->name, place, peer->name);
}

struct undo_link {
	struct rt *rt;
	char name[IFNAMSIZ];
};

static int undo_link(struct tx *tx, void *arg)
{
	struct undo_link *u = arg;
	struct link l;
	int there;

	TRY(there = link_find(tx, u->rt, u->name, &l));
	if (!there)
		return 0;
	return link_del(tx, u->rt, &l);
}

/* 0 if the name is free in rt's namespace, else a failure that names what has it. */
static int name_taken(struct tx *tx, struct rt *rt, const char *name)
{
	struct link l;
	const char *kind, *alias;
	int there;

	TRY(there = link_find(tx, rt, name, &l));
	if (!there)
		return 0;
	kind = *l.kind ? mem_printf(&tx->mem, ", kind %s", l.kind) : "";
	alias = *l.alias ? mem_printf(&tx->mem, ", alias %s", l.alias) : "";
	if (rt->ns)
		return tx_fail_as(tx, CPLUG_E_EXISTS, -EEXIST,
				  "%s: add interface %s: it exists already%s (DEL it first, "
				  "or set CNI_IFNAME to another name)",
				  rt->where, name, kind);
	if (mark_is_any(l.alias) && !mark_is_network(l.alias))
		return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
				  "%s: add interface %s: the name is in use by %s (DEL that "
				  "attachment first)",
				  rt->where, name, l.alias);
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
			  "%s: add interface %s: the name is in use%s%s (remove that "
			  "interface, or choose another hostIfName)",
			  rt->where, name, kind, alias);
}

/*
 * Older kernels (6.1) also look for the name in the namespace of the socket, so a host's eth0
 * would forbid an eth0 in the container.  They look for the ifindex instead if the request
 * has one.  It must be free in both namespaces: the kernel counts from 1, so a large random
 * number is.
 */
static int add_with_index(struct rt *rt, const struct link_new *n)
{
	int r = -EEXIST;

	for (int tries = 0; tries < 4 && (r == -EEXIST || r == -EBUSY); tries++) {
		uint32_t index;
		struct rt_msg m;

		if (getrandom(&index, sizeof(index), 0) != sizeof(index))
			return -EEXIST;
		compose(&m, rt, n, (int)(index >> 2 | 1u << 24));
		r = rt_try(rt, &m);
	}
	return r;
}

/* On a busy machine the kernel destroys a namespace seconds after its last user has gone. */
enum { DYING_TIMEOUT_MS = 5000 };

/* Is it the host's end of an attachment's pair whose container died without DEL? */
static int is_orphan(struct tx *tx, struct rt *rt, const struct link *l)
{
	bool ours = link_is_unfinished(l) || (mark_is_any(l->alias) && !mark_is_network(l->alias));

	if (!ours || !link_is_end(l))
		return 0;
	return link_has_lost_peer(tx, rt, l);
}

/*
 * Waits for a link with the same mark, or for an orphan, to go.  The same attachment had a
 * namespace before, or the name another one, and the kernel destroys a namespace, and with it the
 * other end, some time after its last user has gone.  1 = it is gone, 0 = there is none, or it
 * stays.
 */
static int wait_for_leftover(struct tx *tx, struct rt *rt, const struct link_new *n)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int64_t deadline = rt_deadline(DYING_TIMEOUT_MS);
	struct link l;
	int there, r = 0;

	if (!n->mark || !n->peer)
		return 0;
	TRY(there = link_find(tx, rt, n->name, &l));
	if (there && !link_is_marked(&l, n->mark))
		TRY(there = is_orphan(tx, rt, &l));
	if (!there)
		return 0;
	TRY(rt_subscribe(tx, rt, RTNLGRP_LINK, &events));
	while (r != -ETIMEDOUT) {
		TRY(there = link_find_index(tx, rt, l.index, NULL));
		if (!there)
			return 1;
		r = rt_wait(tx, &events, deadline, rt_any_event, NULL);
		if (r < 0 && r != -ETIMEDOUT)
			return r;
	}
	return 0;
}

/*
 * May a former link on the parent be the reason?  A parent has one for each VLAN id, or one macvlan
 * in mode passthru, which makes it promiscuous.
 */
static int may_have_former(struct tx *tx, struct rt *rt, int err, const struct link_new *n)
{
	struct link parent;
	int there;

	if (!n->parent || (err == -EINVAL && !str_eq(n->kind, "macvlan")))
		return 0;
	if (err != -EINVAL)
		return err == -EEXIST;
	TRY(there = link_find_index(tx, rt, n->parent, &parent));
	return there && parent.promiscuity;
}

static int is_about(const struct nlmsghdr *h, void *arg)
{
	const int *index = arg;

	return !h || ((const struct ifinfomsg *)nlmsg_data(h))->ifi_index == *index;
}

/*
 * The former link may be in a namespace that the kernel is destroying.  Its events are not seen
 * here, and whose it is cannot be asked, but that it leaves its parent is an event of the parent.
 * The request is repeated then.  *r is what the kernel says to it.
 */
static int add_after_former(struct tx *tx, struct rt *rt, const struct link_new *n, int *r)
{
	auto_(rt_close) struct rt events = { .sk = NULL };
	int64_t deadline = rt_deadline(DYING_TIMEOUT_MS);
	int parent = n->parent, refusal = *r, waited = 0;

	TRY(rt_subscribe(tx, rt, RTNLGRP_LINK, &events));
	while (waited == 0) {
		*r = add_with_index(rt, n);
		if (*r != refusal)
			return 0;
		waited = rt_wait(tx, &events, deadline, is_about, &parent);
	}
	return waited == -ETIMEDOUT ? 0 : waited;
}

int link_need_no_master(struct tx *tx, struct rt *rt, const struct link *parent, const char *what)
{
	struct link master;
	int there;

	if (!parent->master)
		return 0;
	TRY(there = link_find_index(tx, rt, parent->master, &master));
	if (!there || str_eq(master.kind, "vrf"))
		return 0;
	return tx_fail(tx, -EBUSY,
		       "%s: add %s on %s, a port of %s %s: %s (ip link set %s nomaster, or name "
		       "another parent)",
		       rt->where, what, parent->name, master.kind, master.name, strerror(EBUSY),
		       parent->name);
}

static const char *reserved(const struct link_new *n)
{
	const char *why = name_reserved_ifname(n->name);

	if (!why && n->peer)
		why = name_reserved_ifname(n->peer->name);
	return why;
}

/* What an error means for each kind of link; NULL = nothing is known. */
static const char *usual_cause(int r, const struct link_new *n)
{
	if (r == -EINVAL && reserved(n))
		return reserved(n);
	if (r == -EOPNOTSUPP)
		return "the kernel has no interfaces of this kind, or not with these options "
		       "(modprobe its module: 8021q for vlan, else its name; VLANs of a bridge "
		       "need CONFIG_BRIDGE_VLAN_FILTERING)";
	if (r == -EBUSY && n->parent)
		return "a parent has either ipvlan or macvlan interfaces, or it is the port of a "
		       "bridge or bond (name another)";
	return NULL;
}

/* Names the parent. */
static int refused(struct tx *tx, struct rt *rt, int r, const struct link_new *n)
{
	const char *what = description(tx, rt, n);
	bool hinted = n->hint && r == (n->hint_for ? n->hint_for : -EINVAL);
	const char *cause = usual_cause(r, n);
	struct link parent;
	int there = 0;

	if (n->parent)
		TRY(there = link_find_index(tx, rt, n->parent, &parent));
	if (!n->parent && hinted)
		return tx_fail(tx, r, "%s: add %s: %s", rt->where, what, n->hint);
	if (there && r == -EBUSY)
		TRY(link_need_no_master(tx, rt, &parent, what));
	if (there)
		r = rt_refused(tx, rt, r, "add %s on %s", what, parent.name);
	else
		r = rt_refused(tx, rt, r, "add %s", what);
	if (cause)
		tx_detail(tx, "%s", cause);
	else if (hinted)
		tx_detail(tx, "%s", n->hint);
	return r;
}

/*
 * Asks for the link that was made, unless the kernel has told it.  Then the master, which a link
 * gets after the notification, is as requested, and the port as a bridge makes it.
 */
static int made(struct tx *tx, struct rt *rt, const struct link_new *n, const struct link *told,
		struct link *ret)
{
	if (!told->index || !str_eq(told->name, n->name))
		return link_need(tx, rt, n->name, ret);
	*ret = *told;
	ret->master = n->master;
	if (n->master)
		ret->port = (struct link_port){ .learning = 1, .flood = 1 };
	return 0;
}

int link_add(struct tx *tx, struct rt *rt, const struct link_new *n, struct link *ret)
{
	struct undo_link u = { .rt = where(rt, n) };
	struct link told = { .index = 0 };
	struct rt_msg m;
	int r, gone, former;

	TRY(tx_interrupted(tx));
	compose(&m, rt, n, 0);
	if (ret && u.rt == rt)
		r = link_make_try(&tx->mem, rt, &m, &told);
	else
		r = rt_try(rt, &m);
	/* Of a pair either name may be taken. */
	if (r == -EEXIST) {
		if (n->peer)
			TRY(name_taken(tx, where(rt, n->peer), n->peer->name));
		TRY(gone = wait_for_leftover(tx, where(rt, n), n));
		if (gone)
			r = rt_try(rt, &m);
	}
	if (r == -EEXIST) {
		TRY(name_taken(tx, where(rt, n), n->name));
		r = add_with_index(rt, n);
	}
	TRY(former = may_have_former(tx, rt, r, n));
	if (former)
		TRY(add_after_former(tx, rt, n, &r));
	if (r < 0)
		return refused(tx, rt, r, n);
	snprintf(u.name, sizeof(u.name), "%s", n->name);
	if (log_on(LOG_DEBUG))
		log_step("%s: add %s", rt->where, description(tx, rt, n));
	TRY(tx_undo(tx, undo_link, "add link", &u));
	if (ret)
		return made(tx, u.rt, n, &told, ret);
	return 0;
}

int link_add_shared(struct tx *tx, struct rt *rt, const struct link_new *n, struct link *ret,
		    bool *ret_made)
{
	struct rt_msg m;
	int r, there;

	*ret_made = false;
	TRY(there = link_find(tx, where(rt, n), n->name, ret));
	if (there)
		return 0;
	TRY(tx_interrupted(tx));
	compose(&m, rt, n, 0);
	r = rt_try(rt, &m);
	/* Another ADD has just made it. */
	if (r < 0 && r != -EEXIST)
		return refused(tx, rt, r, n);
	if (r == 0 && log_on(LOG_DEBUG))
		log_step("%s: add %s", rt->where, description(tx, rt, n));
	*ret_made = r == 0;
	return link_need(tx, where(rt, n), n->name, ret);
}

bool link_peer(const struct link_new *n, const struct link *near, struct link *ret)
{
	if (!near->parent || !n->peer->mac.len)
		return false;
	*ret = (struct link){
		.index = near->parent,
		.mtu = near->mtu,
		.mac = n->peer->mac,
		.bridge.vlan_filtering = -1,
		.port.state = -1,
	};
	snprintf(ret->kind, sizeof(ret->kind), "%s", n->kind);
	snprintf(ret->name, sizeof(ret->name), "%s", n->peer->name);
	return true;
}
