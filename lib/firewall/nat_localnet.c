// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_localnet.c - routes from the host's loopback to published ports
 *
 * A connection to 127.0.0.1:8080 is redirected to the container with source address 127.0.0.1,
 * and masqueraded in postrouting.  The kernel must permit this on the link to the container:
 *
 * - IPv4: it routes packets from 127/8 through a link only if route_localnet of that link is 1.
 *   The chain `guard` then drops packets to and from 127/8 that come from outside.  It is there
 *   before a route is opened, and as long as one is open.  cplug writes 127, because the kernel
 *   takes any value but 0 for "on": only a route with this value is closed again, so that DEL and
 *   GC leave alone what another program switched on, whatever a configuration names.
 * - IPv6: it routes packets from ::1, but accepts the reply, translated back to ::1, only on a
 *   link with a local route to ::1.  So the link gets one, behind that of lo.  The kernel drops
 *   packets of ::1 from the wire, so the route opens nothing to other hosts.  With
 *   bridge-nf-call-ip6tables=1, the reply is translated before the bridge receives it; then the
 *   chains `loopback6` hide ::1 from that check.
 *
 * A route stays while a container behind the link publishes ports.  Behind a bridge, the kernel
 * counts these containers: each has a map element that refers to one of the chains snat4/DEV/... or
 * snat6/DEV/....  A chain's reference count (NFTA_CHAIN_USE, linux/netfilter/nf_tables.h) also
 * includes its own rules and the rule of the chain `published` that leads to it.
 *
 * A container that has a link of its own (ptp) has an element in the set localnet4 or localnet6
 * instead, whose key is the link.  A chain for each such link would cost each ADD, and each packet
 * to a published port, time in proportion to the number of containers.
 *
 * DEL removes a route after it has deleted the elements.  If a DEL is killed in between, the next
 * DEL that finds no elements of its own removes all unused routes.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <stdio.h>

#include "base/differ.h"
#include "base/log.h"
#include "firewall/nat_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

/* The reference count of an snat chain without elements. */
enum { USE_WITHOUT_ELEMENTS = SNAT_RULES + 1 };

static const char no_dev[] = "none";
static const char opened[] = "127"; /* route_localnet as cplug switches it on */

/* A link that is looked up is the attachment's own if it is the one that prevResult lists. */
int nat_find_reach(struct tx *tx, struct rt *host, const struct nat *n, struct nat_reach *ret)
{
	enum { LO = 1 }; /* in every namespace (LOOPBACK_IFINDEX, net/flow.h of the kernel) */
	struct ip to = ip_set(n->to4.ip) ? n->to4.ip : n->to6.ip;
	char name[IFNAMSIZ];
	int index = 0, r;

	*ret = (struct nat_reach){ .dev = n->dev ? n->dev : no_dev, .own = n->dev && n->own_dev };
	if (n->dev || !n->ports || !ip_set(to))
		return 0;
	TRY(route_to(tx, host, to, &index));
	r = index && index != LO ? link_name_try(host, index, name) : 0;
	if (r < 0)
		return tx_fail(tx, r, "host: look up the name of interface #%d: %s", index,
			       strerror(-r));
	if (r)
		*ret = (struct nat_reach){ mem_str(&tx->mem, name), index == n->link };
	return 0;
}

bool nat_has_own_route(const struct nat *n, struct nat_reach reach)
{
	return reach.own && n->ports && n->ports->snat;
}

bool nat_localnet_of(const char *chain, struct nat_loopback_route *ret)
{
	size_t n;

	if (!chain || (!str_starts(chain, "snat4/") && !str_starts(chain, "snat6/")))
		return false;
	n = strcspn(chain + 6, "/");
	if (!n || n >= sizeof(ret->dev))
		return false;
	*ret = (struct nat_loopback_route){ .family = chain[4] == '6' ? AF_INET6 : AF_INET };
	memcpy(ret->dev, chain + 6, n);
	return !str_eq(ret->dev, no_dev);
}

static const struct {
	enum nat_set set;
	int family;
} own_routes[] = { { LOCALNET4, AF_INET }, { LOCALNET6, AF_INET6 } };

bool nat_localnet_of_elem(unsigned set, const struct nft_elem *e, struct nat_loopback_route *ret)
{
	for (unsigned i = 0; i < ARRAY_LEN(own_routes); i++) {
		if (own_routes[i].set != set)
			continue;
		*ret = (struct nat_loopback_route){ .family = own_routes[i].family };
		memcpy(ret->dev, e->key.b, sizeof(ret->dev) - 1);
		return true;
	}
	if (!nat_localnet_of(e->chain, ret))
		return false;
	ret->shared = true;
	return true;
}

/* The routes of a change: at most one of each family, because it has one address of each. */
struct routes {
	struct nfnl *nl;
	struct rt *host;
	struct nat_loopback_route v[2];
	unsigned n;
};

static struct routes routes_of(const struct owned_change *c)
{
	struct routes r = { .n = 0 };

	for (unsigned i = 0; i < c->n && r.n < ARRAY_LEN(r.v); i++)
		r.n += nat_localnet_of_elem(c->elems[i].set, &c->elems[i].e, &r.v[r.n]);
	return r;
}

/* ---- one route ---- */

/* The sysctl of an IPv4 route. */
static struct sysctl route_localnet(const char *dev, bool on)
{
	return sysctl_conf(AF_INET, dev, "route_localnet", on ? opened : "0");
}

/* Who switched an IPv4 route on? */
enum state { CLOSED, OPENED_BY_OTHERS, OPENED };

static enum state read_state(const struct sysctl *s)
{
	char now[16];

	if (sysctl_read_try(NULL, s->name, now, sizeof(now)) < 0 || str_eq(now, "0"))
		return CLOSED;
	return str_eq(now, opened) ? OPENED : OPENED_BY_OTHERS;
}

static enum state state_of(const char *dev)
{
	struct sysctl s = route_localnet(dev, true);

	return read_state(&s);
}

/* An IPv6 route: its address and its link.  1, 0 if the link is gone, or a recorded failure. */
static int find_link6(struct tx *tx, struct rt *host, const struct nat_loopback_route *l,
		      struct ip *ret_ip, struct link *ret)
{
	ip_parse("::1", ret_ip);
	return link_find(tx, host, l->dev, ret);
}

/* IPv4: opens it if it is closed, closes it if cplug opened it. */
static int set_route(struct tx *tx, struct rt *host, const struct nat_loopback_route *l, bool on)
{
	struct sysctl s = route_localnet(l->dev, on);
	struct ip loopback;
	struct link link;
	int there;

	if (l->family == AF_INET) {
		if (read_state(&s) != (on ? CLOSED : OPENED))
			return 0;
		return sysctl_ensure_new(tx, NULL, &s, 1);
	}
	TRY(there = find_link6(tx, host, l, &loopback, &link));
	if (!there)
		return 0;
	return route_local(tx, host, &link, loopback, on);
}

static void differ_no_guard(struct tx *tx, const char *dev)
{
	differ(tx, mem_printf(&tx->mem, "chain guard of nftables table %s", nat_table.name),
	       mem_printf(&tx->mem, "present, because route_localnet of %s is 1", dev), NULL);
}

/* Notes that an IPv4 route is closed, or is open without the guard. */
static int check_route4(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l)
{
	struct sysctl s = route_localnet(l->dev, true);
	int there;

	if (state_of(l->dev) == CLOSED)
		return sysctl_check(tx, NULL, &s, 1);
	TRY(there = nat_guard_find(tx, nl));
	if (!there)
		differ_no_guard(tx, l->dev);
	return 0;
}

static int check_route(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *l)
{
	struct ip loopback;
	struct link link;
	int there;

	if (l->family == AF_INET)
		return check_route4(tx, nl, l);
	TRY(there = find_link6(tx, host, l, &loopback, &link));
	if (!there)
		return 0;
	TRY(there = route_local_find(tx, host, &link, loopback));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "local route ::1 on %s", l->dev), "present", NULL);
	return 0;
}

int nat_localnet_is_open(struct tx *tx, struct rt *host, const struct nat_loopback_route *l)
{
	struct ip loopback;
	struct link link;
	int there;

	if (l->family == AF_INET)
		return state_of(l->dev) == OPENED;
	TRY(there = find_link6(tx, host, l, &loopback, &link));
	if (!there)
		return 0;
	return route_local_find(tx, host, &link, loopback);
}

/* ---- the routes of a change ---- */

static int close_routes(struct tx *tx, void *arg)
{
	const struct routes *w = arg;
	int r = 0;

	for (unsigned i = 0; i < w->n; i++)
		r = also(r, nat_localnet_release(tx, w->nl, w->host, &w->v[i]));
	return r;
}

int nat_localnet_prepare(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct owned_change *c)
{
	struct routes w = routes_of(c);

	w.nl = nl;
	w.host = host;
	if (!w.n)
		return 0;
	return tx_undo(tx, close_routes, "let the host's loopback reach published ports", &w);
}

/*
 * The guard is part of the skeleton, which an ADD does not look at if its elements fit.  So each
 * user of a route looks whether the guard is still there.
 */
int nat_localnet_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_change *c)
{
	struct routes w = routes_of(c);

	if (w.n)
		TRY(nat_guard_ensure(tx, nl));
	for (unsigned i = 0; i < w.n; i++)
		TRY(set_route(tx, host, &w.v[i], true));
	return 0;
}

int nat_localnet_check(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct owned_change *c)
{
	struct routes w = routes_of(c);

	for (unsigned i = 0; i < w.n; i++)
		TRY(check_route(tx, nl, host, &w.v[i]));
	return 0;
}

/* ---- users of a route ---- */

struct users {
	const struct nat_loopback_route *of;
	bool any;
};

static int find_user(const char *chain, unsigned use, void *arg)
{
	struct users *u = arg;
	struct nat_loopback_route l;

	if (!chain)
		u->any = false;
	else if (use > USE_WITHOUT_ELEMENTS && nat_localnet_of(chain, &l) &&
		 l.family == u->of->family && str_eq(l.dev, u->of->dev))
		u->any = true;
	return 0;
}

/* Calls each(chain, use, arg) for every chain of the table, as nft_each_chain(). */
static int each_chain(struct tx *tx, struct nfnl *nl, nft_chain_fn *each, void *arg)
{
	int r = nft_each_chain(nl, nat_table_ref, each, arg);

	if (r < 0)
		return tx_fail(tx, r, "host: list chains of table %s: %s", nat_table.name,
			       strerror(-r));
	return 0;
}

static struct nft_ref own_routes_ref(unsigned i)
{
	struct nft_ref ref = nat_table_ref;

	ref.name = nat_table.sets[own_routes[i].set].name;
	return ref;
}

static int fail_list_routes(struct tx *tx, struct nft_ref set, int r)
{
	return tx_fail(tx, r, "host: look at set %s of table %s: %s", set.name, nat_table.name,
		       strerror(-r));
}

/* Has the link an element in localnet4 or localnet6?  1, 0, or a recorded failure. */
static int has_own_route(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l)
{
	struct nft_ref set = own_routes_ref(l->family == AF_INET6);
	struct nft_elem e = { .found = false };
	int r;

	nft_key_ifname(&e.key, l->dev);
	r = nft_find_elems(&tx->mem, nl, set, &e, 1);
	if (r < 0)
		return fail_list_routes(tx, set, r);
	return e.found;
}

/* own_too: also look at a shared link's element, which only a forged prevResult leads to. */
static int find_users(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l,
		      bool own_too, bool *ret)
{
	struct users u = { .of = l };
	int own = 0;

	if (!l->shared)
		TRY(own = has_own_route(tx, nl, l));
	if (!own)
		TRY(each_chain(tx, nl, find_user, &u));
	if (l->shared && own_too && !u.any)
		TRY(own = has_own_route(tx, nl, l));
	*ret = own || u.any;
	return 0;
}

int nat_localnet_used(struct tx *tx, struct nfnl *nl, const struct nat_loopback_route *l, bool *ret)
{
	return find_users(tx, nl, l, true, ret);
}

/*
 * Closes the route with its last user.  A concurrent ADD commits its element and then opens the
 * route; we close it and then look again.  So the last of the two sees the change of the other.
 * The second look also finds another attachment's element of a link that a prevResult named.
 */
int nat_localnet_release(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct nat_loopback_route *l)
{
	bool used;

	TRY(find_users(tx, nl, l, false, &used));
	if (used)
		return 0;
	TRY(set_route(tx, host, l, false));
	TRY(find_users(tx, nl, l, true, &used));
	if (!used)
		return 0;
	return set_route(tx, host, l, true);
}

struct unused {
	struct mem *mem;
	struct nat_loopback_route *v;
	unsigned n;
};

static int note_unused(const char *chain, unsigned use, void *arg)
{
	struct nat_loopback_route l;
	struct unused *u = arg;

	if (!chain)
		u->n = 0;
	if (!nat_localnet_of(chain, &l) || use > USE_WITHOUT_ELEMENTS)
		return 0;
	u->v = mem_grow(u->mem, u->v, u->n, sizeof(*u->v));
	u->v[u->n++] = l;
	return 0;
}

int nat_localnet_sweep(struct tx *tx, struct nfnl *nl, struct rt *host)
{
	struct unused u = { .mem = &tx->mem };
	int r = each_chain(tx, nl, note_unused, &u);

	for (unsigned i = 0; i < u.n; i++)
		r = also(r, nat_localnet_release(tx, nl, host, &u.v[i]));
	return r;
}

bool nat_localnet_is_on(const char *chain)
{
	struct nat_loopback_route l;

	return nat_localnet_of(chain, &l) && l.family == AF_INET && state_of(l.dev) == OPENED;
}

static int note_open(const char *chain, unsigned use UNUSED, void *arg)
{
	bool *any = arg;

	*any = chain && (*any || nat_localnet_is_on(chain));
	return 0;
}

static int note_open_own(const struct nft_elem *e, void *arg)
{
	struct nat_loopback_route l;
	bool *any = arg;

	*any = e && (*any || (nat_localnet_of_elem(LOCALNET4, e, &l) && nat_is_open(l.dev)));
	return 0;
}

int nat_localnet_any_open(struct tx *tx, struct nfnl *nl)
{
	struct nft_ref own = own_routes_ref(0);
	bool any = false;
	int r;

	TRY(each_chain(tx, nl, note_open, &any));
	if (any)
		return 1;
	r = nft_each_elem(nl, own, note_open_own, &any);
	if (r < 0)
		return fail_list_routes(tx, own, r);
	return any;
}

/* ---- after a flushed ruleset ---- */

bool nat_is_open(const char *dev)
{
	return dev && state_of(dev) == OPENED;
}

/* Is the host's loopback open to containers behind dev?  1, 0, or a recorded failure. */
static int is_exposed(struct tx *tx, struct nfnl *nl, const char *dev)
{
	int there;

	if (!nat_is_open(dev))
		return 0;
	TRY(there = nat_guard_find(tx, nl));
	return !there;
}

int nat_close(struct tx *tx, struct nfnl *nl, struct rt *host, const char *dev)
{
	struct nat_loopback_route l = { .family = AF_INET };
	int exposed;

	TRY(exposed = is_exposed(tx, nl, dev));
	if (!exposed)
		return 0;
	memcpy(l.dev, dev, strnlen(dev, sizeof(l.dev) - 1));
	TRY(nat_localnet_release(tx, nl, host, &l));
	if (!nat_is_open(dev))
		return 0;
	return nat_guard_ensure(tx, nl);
}

int nat_close_check(struct tx *tx, struct nfnl *nl, const char *dev)
{
	int exposed;

	TRY(exposed = is_exposed(tx, nl, dev));
	if (exposed)
		differ_no_guard(tx, dev);
	return 0;
}
