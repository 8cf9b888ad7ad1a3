// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * addr_own.c - is an address one of this namespace's own?
 *
 * The route to the address does not tell, because a policy rule before the local table (ip-rule(8))
 * hides it.  Nor does bind(2), because net.ipv4.ip_nonlocal_bind lets it succeed.  The list of all
 * addresses would tell, but it grows with the host.
 */
#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include "netlink/addr_impl.h"
#include "netlink/link.h"
#include "netlink/route_impl.h"

/* The link of a route or an address. */
static int keep_link(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct route r;

	if (h && h->nlmsg_type == RTM_NEWADDR)
		*(int *)arg = (int)((const struct ifaddrmsg *)nlmsg_data(h))->ifa_index;
	else if (h && route_read(h, tb, &r))
		*(int *)arg = r.link;
	return 0;
}

/*
 * The kernel sends a broadcast from any address of the namespace through the link that has it, and
 * looks at no rule and no route for it; it refuses other sources (ip_route_output_key_hash_rcu()).
 * It finds the address by a hash, or else by the local route that covers it.
 */
static int find_link4(struct rt *rt, struct ip ip, int *ret)
{
	static const struct ip all = { .family = AF_INET, .b = { 255, 255, 255, 255 } };
	struct rt_msg m;
	struct rtmsg *h = rt_new(&m, RTM_GETROUTE, 0, sizeof(*h));

	h->rtm_family = AF_INET;
	h->rtm_dst_len = h->rtm_src_len = (uint8_t)ip_bits(ip);
	rt_put_ip(&m, RTA_DST, all);
	rt_put_ip(&m, RTA_SRC, ip);
	return rt_ask(rt, &m, keep_link, ret);
}

/* An IPv6 address can be asked for by itself; a hash finds it. */
static int find_link6(struct rt *rt, struct ip ip, int *ret)
{
	struct rt_msg m;
	struct ifaddrmsg *h = rt_new(&m, RTM_GETADDR, 0, sizeof(*h));

	h->ifa_family = AF_INET6;
	rt_put_ip(&m, IFA_ADDRESS, ip);
	return rt_ask(rt, &m, keep_link, ret);
}

/* How the kernel says that no link has the address, or that it has no IPv6. */
static bool says_no(int r)
{
	return r == -EINVAL || r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EADDRNOTAVAIL ||
	       r == -EACCES || r == -ENOENT || r == -EAFNOSUPPORT || r == -EOPNOTSUPP;
}

/* ---- VRFs ---------------------------------------------------------------- */

static bool is_vrf(struct nlattr *kind)
{
	return kind && nla_strcmp(kind, "vrf") == 0;
}

static int note_vrf(const struct nlmsghdr *h, void *arg)
{
	struct nlmsghdr *m = (struct nlmsghdr *)(uintptr_t)h; /* libnl reads through non-const */
	struct nlattr *tb[IFLA_MAX + 1], *info[IFLA_INFO_MAX + 1];

	if (!h || nlmsg_parse(m, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0 ||
	    !tb[IFLA_LINKINFO] ||
	    nla_parse_nested(info, IFLA_INFO_MAX, tb[IFLA_LINKINFO], NULL) < 0)
		return 0;
	*(bool *)arg = is_vrf(info[IFLA_INFO_KIND]) || is_vrf(info[IFLA_INFO_SLAVE_KIND]);
	return 0;
}

struct local {
	struct ip ip;
	bool found;
};

static int match_local(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct local *s = arg;
	struct route r;

	if (!h)
		s->found = false;
	else if (route_read(h, tb, &r) && r.table == RT_TABLE_LOCAL && r.type == RTN_LOCAL)
		s->found |= cidr_contains(r.dst, s->ip);
	return 0;
}

/*
 * A VRF has its local routes in a table of its own, so an address in the table `local` is one of
 * the namespace's outside of VRFs.
 */
static int is_outside_vrfs(struct rt *rt, struct ip ip, int index)
{
	struct local s = { .ip = ip };
	bool in_vrf = false;
	struct rt_msg m;

	link_question(&m, 0)->ifi_index = index;
	TRY(rt_ask(rt, &m, note_vrf, &in_vrf));
	if (!in_vrf)
		return 1;
	route_ask_all(&m, ip.family, RT_TABLE_LOCAL, 0);
	TRY(rt_ask(rt, &m, match_local, &s));
	return s.found;
}

/* ---- what others call ----------------------------------------------------- */

static int keep_type(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *tb[RTA_MAX + 1];
	struct route r;

	if (h && route_read(h, tb, &r))
		*(uint8_t *)arg = r.type;
	return 0;
}

/* An IPv6 address that no link has, but a local route covers. */
static int is_routed_here(struct rt *rt, struct ip ip)
{
	uint8_t type = RTN_UNSPEC;
	struct rt_msg m;
	int r;

	route_ask_one(&m, ip);
	r = rt_ask(rt, &m, keep_type, &type);
	if (says_no(r))
		return 0;
	TRY(r);
	return type == RTN_LOCAL;
}

int addr_is_own_try(struct rt *rt, struct ip ip)
{
	int index = 0, r;

	if (ip.family == AF_INET)
		r = find_link4(rt, ip, &index);
	else
		r = find_link6(rt, ip, &index);
	if (r == 0 && index)
		return is_outside_vrfs(rt, ip, index);
	if (r < 0 && !says_no(r))
		return r;
	if (ip.family == AF_INET)
		return 0;
	return is_routed_here(rt, ip);
}

int addr_is_own(struct tx *tx, struct rt *rt, struct ip ip)
{
	int r = addr_is_own_try(rt, ip);

	if (r < 0)
		return rt_refused(tx, rt, r, "look for the address %s", IP_S(ip));
	return r;
}
