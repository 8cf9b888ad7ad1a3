// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - network interfaces
 *
 * Lookups ask for one link by name or index and never dump.  MACs are always
 * given, for a link whose MAC the kernel made up (NET_ADDR_RANDOM) is one that
 * udev feels free to change; and a bridge that has a MAC of its own does not
 * follow its ports'.
 *
 * A veth pair is asked for with one queue at each end: more cost kernel memory
 * and time for every processor of the machine, and shapers give them up anyway.
 */
#include "netlink/link.h"

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "base/log.h"
#include "sys/sysctl.h"

static uint32_t get_u32(struct nlattr *const *tb, int attr, uint32_t def)
{
	return tb[attr] ? nla_get_u32(tb[attr]) : def;
}

static int get_u8(struct nlattr *const *tb, int attr, int def)
{
	return tb[attr] ? nla_get_u8(tb[attr]) : def;
}

static void read_bridge(struct nlattr *data, struct link *l)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BR_MAX, data, NULL) < 0)
		return;
	l->vlan_filtering = get_u8(tb, IFLA_BR_VLAN_FILTERING, -1);
	if (tb[IFLA_BR_VLAN_DEFAULT_PVID])
		l->default_pvid = nla_get_u16(tb[IFLA_BR_VLAN_DEFAULT_PVID]);
}

static void read_port(struct nlattr *data, struct link *l)
{
	struct nlattr *tb[IFLA_BRPORT_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BRPORT_MAX, data, NULL) < 0)
		return;
	l->port_state = get_u8(tb, IFLA_BRPORT_STATE, -1);
	l->hairpin = get_u8(tb, IFLA_BRPORT_MODE, 0);
	l->isolated = get_u8(tb, IFLA_BRPORT_ISOLATED, 0);
	l->learning = get_u8(tb, IFLA_BRPORT_LEARNING, 1);
	l->flood = get_u8(tb, IFLA_BRPORT_UNICAST_FLOOD, 1);
	l->locked = get_u8(tb, IFLA_BRPORT_LOCKED, 0);
}

static void read_info(struct nlattr *info, struct link *l)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1];

	if (nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL) < 0)
		return;
	if (tb[IFLA_INFO_KIND])
		nla_strlcpy(l->kind, tb[IFLA_INFO_KIND], sizeof(l->kind));
	if (tb[IFLA_INFO_DATA] && str_eq(l->kind, "bridge"))
		read_bridge(tb[IFLA_INFO_DATA], l);
	if (tb[IFLA_INFO_SLAVE_KIND] && tb[IFLA_INFO_SLAVE_DATA] &&
	    str_eq(nla_get_string(tb[IFLA_INFO_SLAVE_KIND]), "bridge"))
		read_port(tb[IFLA_INFO_SLAVE_DATA], l);
}

static int read_link(const struct nlmsghdr *h, struct link *l)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct ifinfomsg *i = nlmsg_data(m);
	struct nlattr *tb[IFLA_MAX + 1];

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(m, sizeof(*i), tb, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	*l = (struct link){
		.index = i->ifi_index,
		.flags = i->ifi_flags,
		.mtu = (int)get_u32(tb, IFLA_MTU, 0),
		.master = (int)get_u32(tb, IFLA_MASTER, 0),
		.peer = (int)get_u32(tb, IFLA_LINK, 0),
		.promiscuity = get_u32(tb, IFLA_PROMISCUITY, 0),
		.operstate = (uint8_t)get_u8(tb, IFLA_OPERSTATE, 0),
		.vlan_filtering = -1,
		.default_pvid = 1,
		.port_state = -1,
	};
	if (tb[IFLA_IFNAME])
		nla_strlcpy(l->name, tb[IFLA_IFNAME], sizeof(l->name));
	if (tb[IFLA_IFALIAS])
		nla_strlcpy(l->alias, tb[IFLA_IFALIAS], sizeof(l->alias));
	if (tb[IFLA_ADDRESS] && nla_len(tb[IFLA_ADDRESS]) <= (int)sizeof(l->mac.b)) {
		l->mac.len = (unsigned)nla_len(tb[IFLA_ADDRESS]);
		memcpy(l->mac.b, nla_data(tb[IFLA_ADDRESS]), l->mac.len);
	}
	if (tb[IFLA_LINKINFO])
		read_info(tb[IFLA_LINKINFO], l);
	return 0;
}

/* ---- asking ------------------------------------------------------------- */

struct ifinfomsg *link_question(struct rt_msg *m, int flags)
{
	struct ifinfomsg *i = rt_new(m, RTM_GETLINK, flags, sizeof(*i));

	rt_put_u32(m, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	return i;
}

static int keep_link(const struct nlmsghdr *h, void *arg)
{
	return h ? read_link(h, arg) : 0;
}

static int find(struct tx *tx, struct rt *rt, struct rt_msg *m, const char *what, struct link *ret)
{
	struct link l;
	int r = rt_ask(rt, m, keep_link, &l);

	if (r == -ENODEV || r == -ENXIO)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "look up interface %s", what);
	if (ret)
		*ret = l;
	return 1;
}

int link_find(struct tx *tx, struct rt *rt, const char *name, struct link *ret)
{
	struct rt_msg m;

	if (strlen(name) >= IFNAMSIZ)
		return 0;
	link_question(&m, 0);
	rt_put_str(&m, IFLA_IFNAME, name);
	return find(tx, rt, &m, name, ret);
}

int link_find_index(struct tx *tx, struct rt *rt, int index, struct link *ret)
{
	struct rt_msg m;
	struct ifinfomsg *i = link_question(&m, 0);
	char what[16];

	i->ifi_index = index;
	snprintf(what, sizeof(what), "#%d", index);
	return find(tx, rt, &m, what, ret);
}

int link_name(struct rt *rt, int index, char name[IFNAMSIZ])
{
	struct ifreq q = { .ifr_ifindex = index };

	if (ioctl(nl_socket_get_fd(rt->sk), SIOCGIFNAME, &q) < 0)
		return errno == ENODEV ? 0 : -errno;
	snprintf(name, IFNAMSIZ, "%s", q.ifr_name);
	return 1;
}

struct walk {
	int (*each)(const struct link *l, void *arg);
	void *arg;
	const char *kind;
};

static int walk_link(const struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	struct link l;

	if (!h)
		return 0;
	TRY(read_link(h, &l));
	/* An old kernel ignores the filter. */
	return *w->kind && !str_eq(l.kind, w->kind) ? 0 : w->each(&l, w->arg);
}

int link_each(struct tx *tx, struct rt *rt, const char *kind,
	      int (*each)(const struct link *l, void *arg), void *arg)
{
	struct walk w = { each, arg, kind };
	struct rt_msg m;
	int r;

	link_question(&m, NLM_F_DUMP);
	if (*kind) {
		struct nlattr *info = rt_nest(&m, IFLA_LINKINFO);

		rt_put_str(&m, IFLA_INFO_KIND, kind);
		rt_nest_end(&m, info);
	}
	r = rt_ask(rt, &m, walk_link, &w);
	return r < 0 ? rt_refused(tx, rt, r, "list interfaces") : 0;
}

/* ---- veth --------------------------------------------------------------- */

struct mac link_random_mac(void)
{
	struct mac m = { .len = 6 };

	if (getrandom(m.b, 6, 0) != 6)
		return (struct mac){ .len = 0 }; /* the kernel makes one up, then */
	m.b[0] = (uint8_t)((m.b[0] & 0xfc) | 0x02);
	return m;
}

static void put_end(struct rt_msg *m, const char *name, int mtu, struct mac mac)
{
	rt_put_str(m, IFLA_IFNAME, name);
	if (mtu > 0)
		rt_put_u32(m, IFLA_MTU, (uint32_t)mtu);
	if (mac.len)
		rt_put_mac(m, IFLA_ADDRESS, mac);
	rt_put_u32(m, IFLA_NUM_TX_QUEUES, 1);
	rt_put_u32(m, IFLA_NUM_RX_QUEUES, 1);
}

static void compose_veth(struct rt_msg *m, const struct link_veth *v)
{
	struct nlattr *info, *data, *peer;

	rt_new(m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	put_end(m, v->host_name, v->mtu, v->host_mac);
	if (v->master)
		rt_put_u32(m, IFLA_MASTER, (uint32_t)v->master);
	info = rt_nest(m, IFLA_LINKINFO);
	rt_put_str(m, IFLA_INFO_KIND, "veth");
	data = rt_nest(m, IFLA_INFO_DATA);
	peer = rt_nest(m, VETH_INFO_PEER);
	rt_put_header(m, sizeof(struct ifinfomsg));
	put_end(m, v->cont_name, v->mtu, v->cont_mac);
	rt_put_u32(m, IFLA_NET_NS_FD, (uint32_t)v->peer_ns->fd);
	rt_nest_end(m, peer);
	rt_nest_end(m, data);
	rt_nest_end(m, info);
}

struct undo_link {
	struct rt *rt;
	char name[IFNAMSIZ];
};

static int undo_link(struct tx *tx, void *arg)
{
	struct undo_link *u = arg;

	return link_del(tx, u->rt, u->name);
}

/* The kernel says EEXIST for either end: find out which. */
static int who_is_there(struct tx *tx, struct rt *host, struct rt *cont, const struct link_veth *v)
{
	struct link l = { .index = 0 };
	int there;

	TRY(there = link_find(tx, cont, v->cont_name, &l));
	if (there)
		return tx_fail_as(
			tx, CPLUG_E_EXISTS, -EEXIST,
			"container: add interface %s: it exists already%s%s (DEL it first, "
			"or set CNI_IFNAME to another name)",
			v->cont_name, *l.kind ? ", kind " : "", l.kind);
	TRY(there = link_find(tx, host, v->host_name, &l));
	if (there && str_starts(l.alias, "cplug "))
		return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
				  "host: add interface %s: the name is in use by %s (DEL that "
				  "attachment first)",
				  v->host_name, l.alias);
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EEXIST,
			  "host: add interface %s: the name is in use%s%s%s%s (remove that "
			  "interface, or choose another hostIfName)",
			  v->host_name, there && *l.kind ? ", kind " : "", there ? l.kind : "",
			  there && *l.alias ? ", alias " : "", there ? l.alias : "");
}

int link_veth_add(struct tx *tx, struct rt *host, struct rt *cont, const struct link_veth *v)
{
	struct undo_link u = { .rt = host };
	struct rt_msg m;
	int r;

	TRY(tx_interrupted(tx));
	compose_veth(&m, v);
	r = rt_try(host, &m);
	if (r == -EEXIST && v->shared)
		return 0;
	if (r == -EEXIST)
		return who_is_there(tx, host, cont, v);
	if (r < 0)
		return rt_refused(tx, host, r, "add veth pair %s and (container) %s", v->host_name,
				  v->cont_name);
	snprintf(u.name, sizeof(u.name), "%s", v->host_name);
	log_step("host: add veth pair %s and (container) %s", v->host_name, v->cont_name);
	return v->shared ? 0 : tx_undo(tx, undo_link, "add veth pair", &u);
}

bool link_veth_peer(const struct link_veth *v, const struct link *host, struct link *ret)
{
	if (!host->peer || !v->cont_mac.len)
		return false;
	*ret = (struct link){
		.index = host->peer, .mtu = host->mtu, .mac = v->cont_mac, .kind = "veth"
	};
	snprintf(ret->name, sizeof(ret->name), "%s", v->cont_name);
	return true;
}

/* ---- changing ----------------------------------------------------------- */

static struct ifinfomsg *change(struct rt_msg *m, const struct link *l)
{
	struct ifinfomsg *i = rt_new(m, RTM_NEWLINK, 0, sizeof(*i));

	i->ifi_index = l->index;
	return i;
}

int link_set_up(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;
	struct ifinfomsg *i = change(&m, l);

	i->ifi_flags = i->ifi_change = IFF_UP;
	return rt_call(tx, rt, &m, "set %s up", l->name);
}

int link_set_up_notify(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;
	struct ifinfomsg *i = change(&m, l);
	struct nlattr *spec, *inet, *conf;

	i->ifi_flags = i->ifi_change = IFF_UP;
	spec = rt_nest(&m, IFLA_AF_SPEC);
	inet = rt_nest(&m, AF_INET);
	conf = rt_nest(&m, IFLA_INET_CONF);
	rt_put_u32(&m, IPV4_DEVCONF_ARP_NOTIFY, 1);
	rt_nest_end(&m, conf);
	rt_nest_end(&m, inet);
	rt_nest_end(&m, spec);
	return rt_call(tx, rt, &m, "set %s up", l->name);
}

int link_announce(struct tx *tx, struct rt *rt, const struct link *l)
{
	struct rt_msg m;

	change(&m, l);
	rt_put_mac(&m, IFLA_ADDRESS, l->mac);
	return rt_call(tx, rt, &m, "announce the addresses of %s", l->name);
}

int link_del(struct tx *tx, struct rt *rt, const char *name)
{
	struct rt_msg m;
	int r;

	rt_new(&m, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
	rt_put_str(&m, IFLA_IFNAME, name);
	r = rt_try(rt, &m);
	if (r == -ENODEV || r == -ENXIO)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "delete interface %s", name);
	log_step("%s: delete interface %s", rt->where, name);
	return 0;
}

/* ---- bridge ------------------------------------------------------------- */

static int bridge_add(struct tx *tx, struct rt *rt, const struct link_bridge *b)
{
	struct rt_msg m;
	struct nlattr *info, *data;
	struct mac mac = b->mac.len ? b->mac : link_random_mac();
	int r;

	rt_new(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
	rt_put_str(&m, IFLA_IFNAME, b->name);
	if (b->mtu > 0)
		rt_put_u32(&m, IFLA_MTU, (uint32_t)b->mtu);
	if (mac.len)
		rt_put_mac(&m, IFLA_ADDRESS, mac);
	info = rt_nest(&m, IFLA_LINKINFO);
	rt_put_str(&m, IFLA_INFO_KIND, "bridge");
	data = rt_nest(&m, IFLA_INFO_DATA);
	if (b->vlan_filtering)
		rt_put_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
	rt_nest_end(&m, data);
	rt_nest_end(&m, info);
	r = rt_try(rt, &m);
	if (r == -EEXIST) /* another ADD was first */
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "add bridge %s%s", b->name,
				  r == -EOPNOTSUPP && b->vlan_filtering ? " with VLAN filtering"
									: "");
	log_step("%s: add bridge %s", rt->where, b->name);
	return 0;
}

/* What a bridge that is there already lacks: one request, or none. */
static int bridge_converge(struct tx *tx, struct rt *rt, const struct link_bridge *b,
			   const struct link *l, bool ours)
{
	bool filter = b->vlan_filtering && l->vlan_filtering != 1;
	unsigned want = IFF_UP | (b->promisc ? IFF_PROMISC : 0);
	struct rt_msg m;
	struct ifinfomsg *i;

	if (!filter && !ours && (l->flags & want) == want)
		return 0;
	i = change(&m, l);
	i->ifi_flags = i->ifi_change = want;
	if (ours && b->alias)
		rt_put_str(&m, IFLA_IFALIAS, b->alias);
	if (filter) {
		struct nlattr *info = rt_nest(&m, IFLA_LINKINFO), *data;

		rt_put_str(&m, IFLA_INFO_KIND, "bridge");
		data = rt_nest(&m, IFLA_INFO_DATA);
		rt_put_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
		rt_nest_end(&m, data);
		rt_nest_end(&m, info);
	}
	return rt_call(tx, rt, &m, "set bridge %s up%s%s", l->name,
		       b->promisc ? ", promiscuous" : "", filter ? ", with VLAN filtering" : "");
}

int link_set_no_dad(struct tx *tx, const struct link *l)
{
	struct sysctl s = sysctl_conf(AF_INET6, l->name, "accept_dad", "0");

	return sysctl_ensure_new(tx, NULL, &s, 1);
}

int link_bridge_ensure(struct tx *tx, struct rt *rt, const struct link_bridge *b, struct link *ret)
{
	struct sysctl deaf = sysctl_conf(AF_INET6, b->name, "accept_ra", "0");
	bool ours = false;
	int there;

	TRY(there = link_find(tx, rt, b->name, ret));
	if (!there) {
		ours = true;
		TRY(bridge_add(tx, rt, b));
		TRY(sysctl_ensure_new(tx, NULL, &deaf, 1));
		TRY(there = link_find(tx, rt, b->name, ret));
	}
	if (!there)
		return tx_fail(tx, -ENODEV, "%s: bridge %s vanished while it was set up", rt->where,
			       b->name);
	if (!str_eq(ret->kind, "bridge"))
		return tx_fail_as(
			tx, CPLUG_E_TAKEN, -EEXIST,
			"%s: bridge %s: the name belongs to an interface that is not a "
			"bridge%s%s (choose another \"bridge\", or rename that interface)",
			rt->where, b->name, *ret->kind ? " but a " : "", ret->kind);
	if (ours)
		TRY(link_set_no_dad(tx, ret));
	TRY(bridge_converge(tx, rt, b, ret, ours));
	ret->flags |= IFF_UP;
	return 0;
}
