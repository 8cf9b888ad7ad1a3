// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_localnet.c - the host's loopback reaches published ports, while there are any
 *
 * A connection to 127.0.0.1:8080 is redirected to the container with the source
 * 127.0.0.1, and masqueraded on its way out.  For IPv4 the kernel routes such packets
 * only with route_localnet on the bridge.  For IPv6 it routes them out anyway, but takes
 * the answer, turned back to ::1, only on a link that has a local route to ::1: so the
 * bridge gets one, behind lo's own.  (Not with bridge-nf-call-ip6tables: there the answer
 * is turned back before the bridge receives it, and the kernel drops ::1 from a wire.
 * That is also why this opens nothing to the outside; for IPv4 the chain `guard` sees
 * to that.)
 *
 * Either is on while any container behind the link is published.  The chains
 * snat4/DEV/… and snat6/DEV/… are the reference count: every published container's map
 * element refers to one of them, beside their own rules and one of the chain `published`.
 *
 * So the way must be closed after the elements are gone; and should nobody come to do
 * it (a DEL that is killed, or fails, in between), the next DEL that finds nothing of
 * its own closes what nobody uses.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <stdio.h>

#include "base/log.h"
#include "firewall/nat_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

/* A chain's count of users without any. */
enum { NOBODY = SNAT_RULES + 1 };

int nat_reach_dev(struct tx *tx, struct rt *host, const struct nat *n, const char **ret)
{
	enum { LO = 1 }; /* everywhere (LOOPBACK_IFINDEX of the kernel's net/flow.h) */
	struct ip to = ip_set(n->to4.ip) ? n->to4.ip : n->to6.ip;
	char name[IFNAMSIZ];
	int index = 0, r;

	*ret = n->dev ? n->dev : "none";
	if (n->dev || !n->ports || !ip_set(to))
		return 0;
	TRY(route_to(tx, host, to, &index));
	r = index && index != LO ? link_name_try(host, index, name) : 0;
	if (r < 0)
		return tx_fail(tx, r, "host: look up the name of interface #%d: %s", index,
			       strerror(-r));
	if (r)
		*ret = mem_str(&tx->mem, name);
	return 0;
}

bool nat_localnet_of(const char *chain, struct nat_localnet *ret)
{
	size_t n;

	if (!chain || (!str_starts(chain, "snat4/") && !str_starts(chain, "snat6/")))
		return false;
	n = strcspn(chain + 6, "/");
	if (!n || n >= sizeof(ret->dev))
		return false;
	ret->family = chain[4] == '6' ? AF_INET6 : AF_INET;
	snprintf(ret->dev, sizeof(ret->dev), "%.*s", (int)n, chain + 6);
	return true;
}

static int set_localnet6(struct tx *tx, struct rt *host, const char *dev, bool on)
{
	struct ip loopback;
	struct link l;
	int there;

	ip_parse("::1", &loopback);
	TRY(there = link_find(tx, host, dev, &l));
	return there ? route_local(tx, host, &l, loopback, on) : 0;
}

static int set_localnet(struct tx *tx, struct rt *host, const struct nat_localnet *l, bool on)
{
	struct sysctl s = sysctl_conf(AF_INET, l->dev, "route_localnet", on ? "1" : "0");

	return l->family == AF_INET6 ? set_localnet6(tx, host, l->dev, on)
				     : sysctl_ensure(tx, NULL, &s, 1, NULL);
}

/* The ways that a change opens, each once: there are no more than one for each family. */
struct loopback_routes {
	struct nfnl *nl;
	struct rt *host;
	struct nat_localnet route[2];
};

static int close_loopback_routes(struct tx *tx, void *arg)
{
	const struct loopback_routes *w = arg;
	int r = 0;

	for (unsigned i = 0; i < ARRAY_LEN(w->route); i++)
		if (w->route[i].family)
			r = also(r, nat_localnet_release(tx, w->nl, w->host, &w->route[i]));
	return r;
}

int nat_localnet_plan(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_change *c)
{
	struct loopback_routes w = { .nl = nl, .host = host };
	bool any = false;

	for (unsigned i = 0; i < c->n; i++) {
		struct nat_localnet l;

		if (!nat_localnet_of(c->elems[i].e.chain, &l) || str_eq(l.dev, "none"))
			continue;
		w.route[l.family == AF_INET6] = l;
		any = true;
	}
	return any ? tx_undo(tx, close_loopback_routes,
			     "let the host's loopback reach published ports", &w)
		   : 0;
}

int nat_localnet_add(struct tx *tx, struct rt *host, const struct owned_change *c)
{
	for (unsigned i = 0; i < c->n; i++) {
		struct nat_localnet l;

		if (nat_localnet_of(c->elems[i].e.chain, &l) && !str_eq(l.dev, "none"))
			TRY(set_localnet(tx, host, &l, true));
	}
	return 0;
}

struct users {
	const struct nat_localnet *of;
	bool any;
};

static int count_users(const char *chain, unsigned use, void *arg)
{
	struct users *u = arg;
	struct nat_localnet l;

	if (!chain)
		u->any = false;
	else if (use > NOBODY && nat_localnet_of(chain, &l) && l.family == u->of->family &&
		 str_eq(l.dev, u->of->dev))
		u->any = true;
	return 0;
}

int nat_localnet_used(struct tx *tx, struct nfnl *nl, const struct nat_localnet *l, bool *ret)
{
	struct users u = { .of = l };
	int r = nft_each_chain(nl, NFPROTO_INET, nat_table.name, count_users, &u);

	*ret = u.any;
	return r < 0 ? tx_fail(tx, r, "host: list chains of table %s: %s", nat_table.name,
			       strerror(-r))
		     : 0;
}

/*
 * Off with the last user.  A concurrent ADD commits its element and then switches on;
 * we switch off and then look again: whoever comes last sees the other.
 */
int nat_localnet_release(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct nat_localnet *l)
{
	bool any;

	TRY(nat_localnet_used(tx, nl, l, &any));
	if (any)
		return 0;
	TRY(set_localnet(tx, host, l, false));
	TRY(nat_localnet_used(tx, nl, l, &any));
	return any ? set_localnet(tx, host, l, true) : 0;
}

struct idle {
	struct mem *mem;
	struct nat_localnet *routes;
	unsigned n;
};

static int note_idle(const char *chain, unsigned use, void *arg)
{
	struct idle *i = arg;
	struct nat_localnet l;

	if (!chain)
		i->n = 0;
	if (!nat_localnet_of(chain, &l) || use > NOBODY || str_eq(l.dev, "none"))
		return 0;
	i->routes = mem_grow(i->mem, i->routes, i->n, sizeof(*i->routes));
	i->routes[i->n++] = l;
	return 0;
}

int nat_localnet_sweep(struct tx *tx, struct nfnl *nl, struct rt *host)
{
	struct idle idle = { .mem = &tx->mem };
	int r = nft_each_chain(nl, NFPROTO_INET, nat_table.name, note_idle, &idle);

	if (r < 0)
		r = tx_fail(tx, r, "host: list chains of table %s: %s", nat_table.name,
			    strerror(-r));
	for (unsigned i = 0; i < idle.n; i++)
		r = also(r, nat_localnet_release(tx, nl, host, &idle.routes[i]));
	return r;
}
