// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link.c - network interfaces, read
 *
 * A lookup asks for one link by name or index; only link_each() dumps.
 */
#include "netlink/link.h"

#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "sys/priv.h"

/* Attributes that are shorter than their type count as absent. */
static uint32_t get_u32(struct nlattr *const *tb, int attr, uint32_t def)
{
	if (tb[attr] && nla_len(tb[attr]) >= 4)
		return nla_get_u32(tb[attr]);
	return def;
}

static int get_u8(struct nlattr *const *tb, int attr, int def)
{
	if (tb[attr] && nla_len(tb[attr]) >= 1)
		return nla_get_u8(tb[attr]);
	return def;
}

static void get_str(struct nlattr *const *tb, int attr, char *ret, size_t size)
{
	if (tb[attr])
		nla_strlcpy(ret, tb[attr], size);
}

static void read_bridge(struct nlattr *data, struct link_bridge *b)
{
	struct nlattr *tb[IFLA_BR_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BR_MAX, data, NULL) < 0)
		return;
	b->vlan_filtering = get_u8(tb, IFLA_BR_VLAN_FILTERING, -1);
	if (tb[IFLA_BR_VLAN_DEFAULT_PVID] && nla_len(tb[IFLA_BR_VLAN_DEFAULT_PVID]) >= 2)
		b->default_pvid = nla_get_u16(tb[IFLA_BR_VLAN_DEFAULT_PVID]);
}

static void read_port(struct nlattr *data, struct link_port *p)
{
	struct nlattr *tb[IFLA_BRPORT_MAX + 1];

	if (nla_parse_nested(tb, IFLA_BRPORT_MAX, data, NULL) < 0)
		return;
	*p = (struct link_port){
		.state = get_u8(tb, IFLA_BRPORT_STATE, -1),
		.hairpin = get_u8(tb, IFLA_BRPORT_MODE, 0),
		.isolated = get_u8(tb, IFLA_BRPORT_ISOLATED, 0),
		.learning = get_u8(tb, IFLA_BRPORT_LEARNING, 1),
		.flood = get_u8(tb, IFLA_BRPORT_UNICAST_FLOOD, 1),
		.locked = get_u8(tb, IFLA_BRPORT_LOCKED, 0),
	};
}

static void read_info(struct nlattr *info, struct link *l)
{
	struct nlattr *tb[IFLA_INFO_MAX + 1], *data;
	char slave[sizeof(l->kind)] = "";

	if (nla_parse_nested(tb, IFLA_INFO_MAX, info, NULL) < 0)
		return;
	get_str(tb, IFLA_INFO_KIND, l->kind, sizeof(l->kind));
	get_str(tb, IFLA_INFO_SLAVE_KIND, slave, sizeof(slave));
	data = tb[IFLA_INFO_DATA];
	if (data && str_eq(l->kind, "bridge"))
		read_bridge(data, &l->bridge);
	else if (data)
		l->data = (struct link_data){ nla_data(data), (unsigned)nla_len(data) };
	if (tb[IFLA_INFO_SLAVE_DATA] && str_eq(slave, "bridge"))
		read_port(tb[IFLA_INFO_SLAVE_DATA], &l->port);
}

const struct nlattr *link_data_attr(const struct link *l, int attr)
{
	return nla_find(l->data.attrs, (int)l->data.len, attr);
}

uint32_t link_data_number(const struct link *l, int attr, uint32_t def)
{
	const struct nlattr *a = link_data_attr(l, attr);

	if (!a)
		return def;
	switch (nla_len(a)) {
	case 1:
		return nla_get_u8(a);
	case 2:
		return nla_get_u16(a);
	case 4:
		return nla_get_u32(a);
	default:
		return def;
	}
}

/* l->data points into the message. */
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
		.txqlen = get_u32(tb, IFLA_TXQLEN, 0),
		.master = (int)get_u32(tb, IFLA_MASTER, 0),
		.parent = (int)get_u32(tb, IFLA_LINK, 0),
		.parent_nsid = (int)get_u32(tb, IFLA_LINK_NETNSID, (uint32_t)-1),
		.group = get_u32(tb, IFLA_GROUP, 0),
		.promiscuity = get_u32(tb, IFLA_PROMISCUITY, 0),
		.bridge = { .vlan_filtering = -1, .default_pvid = 1 },
		.port = { .state = -1 },
	};
	l->is_cut_off = tb[IFLA_LINK_NETNSID] && l->parent_nsid < 0;
	get_str(tb, IFLA_IFNAME, l->name, sizeof(l->name));
	get_str(tb, IFLA_IFALIAS, l->alias, sizeof(l->alias));
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

struct found {
	struct mem *mem;
	struct link l;
};

static int keep_link(const struct nlmsghdr *h, void *arg)
{
	struct found *f = arg;

	if (!h)
		return 0;
	TRY(read_link(h, &f->l));
	if (f->l.data.len)
		f->l.data.attrs = mem_dup(f->mem, f->l.data.attrs, f->l.data.len);
	return 0;
}

static int ask_one(struct tx *tx, struct rt *rt, struct rt_msg *m, const char *what,
		   struct link *ret)
{
	struct found f = { .mem = &tx->mem };
	int r = rt_ask(rt, m, keep_link, &f);

	if (r == -ENODEV || r == -ENXIO)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "look up interface %s", what);
	if (ret)
		*ret = f.l;
	return 1;
}

int link_make_try(struct mem *mem, struct rt *rt, struct rt_msg *m, struct link *ret)
{
	struct found f = { .mem = mem };
	int r = rt_try_seen(rt, m, keep_link, &f);

	*ret = f.l;
	return r;
}

int link_find(struct tx *tx, struct rt *rt, const char *name, struct link *ret)
{
	struct rt_msg m;

	if (strlen(name) >= IFNAMSIZ)
		return 0;
	link_question(&m, 0);
	rt_put_str(&m, IFLA_IFNAME, name);
	return ask_one(tx, rt, &m, name, ret);
}

int link_find_index(struct tx *tx, struct rt *rt, int index, struct link *ret)
{
	struct rt_msg m;
	struct ifinfomsg *i = link_question(&m, 0);
	char what[16];

	i->ifi_index = index;
	snprintf(what, sizeof(what), "#%d", index);
	return ask_one(tx, rt, &m, what, ret);
}

int link_need(struct tx *tx, struct rt *rt, const char *name, struct link *ret)
{
	int there;

	TRY(there = link_find(tx, rt, name, ret));
	if (!there)
		return tx_fail(tx, -ENODEV, "%s: there is no interface %s", rt->where, name);
	return 0;
}

static int find_name(int fd, int index, char name[IFNAMSIZ])
{
	struct ifreq q = { .ifr_ifindex = index };

	if (ioctl(fd, SIOCGIFNAME, &q) < 0)
		return errno == ENODEV ? 0 : -errno;
	snprintf(name, IFNAMSIZ, "%s", q.ifr_name);
	return 1;
}

int link_name_try(struct rt *rt, int index, char name[IFNAMSIZ])
{
	return find_name(nl_socket_get_fd(rt->sk), index, name);
}

static int find_index(int fd, const char *name)
{
	struct ifreq q = { .ifr_ifindex = 0 };

	if (strlen(name) >= IFNAMSIZ)
		return 0;
	memcpy(q.ifr_name, name, strlen(name));
	if (ioctl(fd, SIOCGIFINDEX, &q) < 0)
		return errno == ENODEV ? 0 : -errno;
	return q.ifr_ifindex;
}

static int find_index_only(int fd, const char *name)
{
	int r;

	if (!priv_hide_loaders())
		return -EPERM;
	r = find_index(fd, name);
	priv_show_loaders();
	return r;
}

int link_index_try(struct rt *rt, const char *name)
{
	return find_index_only(nl_socket_get_fd(rt->sk), name);
}

int link_here_try(const char *name)
{
	auto_(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	return find_index_only(fd, name);
}

static bool glance(int fd, const char *name, const char *kind, struct link *ret)
{
	struct link l = { .parent_nsid = -1, .bridge.vlan_filtering = -1, .port.state = -1 };
	struct ifreq flags = { .ifr_flags = 0 }, mtu, mac;
	int index = find_index(fd, name);

	if (index <= 0 || find_name(fd, index, l.name) <= 0)
		return false;
	memcpy(flags.ifr_name, l.name, sizeof(flags.ifr_name));
	mtu = mac = flags;
	/* At last: do all answers belong to one link?  A name can lead to another one meanwhile. */
	if (ioctl(fd, SIOCGIFFLAGS, &flags) < 0 || ioctl(fd, SIOCGIFMTU, &mtu) < 0 ||
	    ioctl(fd, SIOCGIFHWADDR, &mac) < 0 || mac.ifr_hwaddr.sa_family != ARPHRD_ETHER ||
	    find_index(fd, l.name) != index)
		return false;
	l.index = index;
	l.flags = (uint16_t)flags.ifr_flags;
	l.mtu = mtu.ifr_mtu;
	l.mac.len = ETH_ALEN;
	memcpy(l.mac.b, mac.ifr_hwaddr.sa_data, ETH_ALEN);
	snprintf(l.kind, sizeof(l.kind), "%s", kind);
	*ret = l;
	return true;
}

static bool glance_only(int fd, const char *name, const char *kind, struct link *ret)
{
	bool seen;

	if (!priv_hide_loaders())
		return false;
	seen = glance(fd, name, kind, ret);
	priv_show_loaders();
	return seen;
}

bool link_glance(struct rt *rt, const char *name, const char *kind, struct link *ret)
{
	return glance_only(nl_socket_get_fd(rt->sk), name, kind, ret);
}

bool link_glance_here(const char *name, struct link *ret)
{
	auto_(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && glance_only(fd, name, "", ret);
}

struct walk {
	link_each_fn *each;
	void *arg;
	const char *kind;
};

static int walk_link(const struct nlmsghdr *h, void *arg)
{
	struct walk *w = arg;
	struct link l;

	if (!h)
		return w->each(NULL, w->arg);
	TRY(read_link(h, &l));
	l.data = (struct link_data){ .len = 0 };
	/* An old kernel ignores the filter. */
	if (*w->kind && !str_eq(l.kind, w->kind))
		return 0;
	return w->each(&l, w->arg);
}

static int walk(struct tx *tx, struct rt *rt, struct rt_msg *m, struct walk *w)
{
	int r = rt_ask(rt, m, walk_link, w);

	if (r < 0)
		return rt_refused(tx, rt, r, "list interfaces");
	return 0;
}

int link_each(struct tx *tx, struct rt *rt, const char *kind, link_each_fn *each, void *arg)
{
	struct walk w = { each, arg, kind };
	struct rt_msg m;

	link_question(&m, NLM_F_DUMP);
	if (*kind) {
		struct nlattr *info = rt_nest(&m, IFLA_LINKINFO);

		rt_put_str(&m, IFLA_INFO_KIND, kind);
		rt_nest_end(&m, info);
	}
	return walk(tx, rt, &m, &w);
}

int link_each_port(struct tx *tx, struct rt *rt, int master, link_each_fn *each, void *arg)
{
	struct walk w = { each, arg, "" };
	struct rt_msg m;

	link_question(&m, NLM_F_DUMP);
	rt_put_u32(&m, IFLA_MASTER, (uint32_t)master);
	return rt_peek(tx, rt, &m, walk_link, &w, "list the links of a master");
}

/* ---- pairs -------------------------------------------------------------- */

static int keep_nsid(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h;
	struct nlattr *a;
	int *nsid = arg;

	if (!h || h->nlmsg_type != RTM_NEWNSID)
		return 0;
	a = nlmsg_find_attr(m, sizeof(struct rtgenmsg), NETNSA_NSID);
	if (a && nla_len(a) >= 4)
		*nsid = (int)nla_get_u32(a);
	return 0;
}

int link_nsid(struct tx *tx, struct rt *rt, const struct netns *ns, int *ret)
{
	struct rtgenmsg *g;
	struct rt_msg m;
	int nsid = -1, r;

	g = rt_new(&m, RTM_GETNSID, 0, sizeof(*g));
	g->rtgen_family = AF_UNSPEC;
	if (ns)
		rt_put_u32(&m, NETNSA_FD, (uint32_t)ns->fd);
	else
		rt_put_u32(&m, NETNSA_PID, (uint32_t)getpid());
	r = rt_ask(rt, &m, keep_nsid, &nsid);
	if (r < 0)
		return rt_refused(tx, rt, r, "look up the id of a namespace");
	*ret = nsid;
	return 0;
}

int link_has_lost_peer(struct tx *tx, struct rt *rt, const struct link *l)
{
	int nsid = l->parent_nsid, r;
	struct rtgenmsg *g;
	struct rt_msg m;

	if (nsid < 0)
		return l->is_cut_off;
	g = rt_new(&m, RTM_GETNSID, 0, sizeof(*g));
	g->rtgen_family = AF_UNSPEC;
	rt_put_u32(&m, NETNSA_NSID, (uint32_t)nsid);
	r = rt_ask(rt, &m, keep_nsid, &nsid);
	if (r < 0 && r != -ENOENT)
		return rt_refused(tx, rt, r, "look up namespace %d", l->parent_nsid);
	return r < 0;
}

int link_is_pair(struct tx *tx, struct rt *host, const struct link *at_host, const struct rt *cont,
		 const struct link *at_cont)
{
	int nsid = -1;

	if (!link_is_end(at_host) || at_host->parent != at_cont->index || at_host->parent_nsid < 0)
		return 0;
	TRY(link_nsid(tx, host, cont->ns, &nsid));
	return nsid == at_host->parent_nsid;
}

struct marked {
	const struct mark *mark;
	struct link *ret;
	bool found;
};

static int note_marked(const struct link *l, void *arg)
{
	struct marked *m = arg;

	if (!l || !link_is_marked(l, m->mark))
		return 0;
	*m->ret = *l;
	m->found = true;
	return 1;
}

int link_find_marked(struct tx *tx, struct rt *rt, const char *kind, const struct mark *mark,
		     struct link *ret)
{
	struct marked m = { .mark = mark, .ret = ret };

	TRY(link_each(tx, rt, kind, note_marked, &m));
	return m.found;
}
