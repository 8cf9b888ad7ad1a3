// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_survey.c - leftovers of table inet cplug and of its loopback routes, for cnitool gc
 *
 * After "nft flush ruleset" the table no longer names the links whose loopback routes cplug
 * opened, and the chain `guard` is gone.  Therefore the links of the host are examined, too.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "firewall/nat_impl.h"

int nat_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n)
{
	return owned_survey(tx, nl, &nat_table, ret, ret_n);
}

int nat_sweep(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_seen *s)
{
	int r = owned_sweep(tx, nl, &nat_table, s);

	return also(r, nat_localnet_sweep(tx, nl, host));
}

/* ---- loopback routes ---- */

struct devices {
	struct mem *mem;
	const char **v;
	unsigned n;
};

static void note_device(struct devices *d, const char *name)
{
	for (unsigned i = 0; i < d->n; i++)
		if (str_eq(d->v[i], name))
			return;
	d->v = mem_grow(d->mem, d->v, d->n, sizeof(*d->v));
	d->v[d->n++] = mem_str(d->mem, name);
}

static int note_chain_device(const char *chain, unsigned use UNUSED, void *arg)
{
	struct nat_loopback_route l;

	if (nat_localnet_of(chain, &l))
		note_device(arg, l.dev);
	return 0;
}

/* Is it a container's own link (ptp), which may have a route to ::1 that a killed DEL left? */
static bool is_own(const struct link *l)
{
	return mark_is_any(l->alias) && !mark_is_network(l->alias) && !l->master;
}

/*
 * Links behind which containers may be.  The mark of a VLAN gateway is on its port of the bridge,
 * and names the gateway.
 */
static int note_candidate(const struct link *l, void *arg)
{
	if (!l)
		return 0;
	if (str_eq(l->kind, "bridge") || is_own(l) || nat_is_open(l->name))
		note_device(arg, l->name);
	else if (mark_is_network(l->alias))
		note_device(arg, l->alias + strlen("cplug "));
	return 0;
}

/* Is the route open, and unused?  1, 0, or a recorded failure. */
static int is_leftover(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *l)
{
	int open;
	bool used;

	TRY(open = nat_localnet_is_open(tx, host, l));
	if (!open)
		return 0;
	TRY(nat_localnet_used(tx, nl, l, &used));
	return !used;
}

int nat_loopback_survey(struct tx *tx, struct nfnl *nl, struct rt *host,
			struct nat_loopback_route **ret, unsigned *ret_n)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct devices d = { .mem = &tx->mem };
	int r;

	*ret_n = 0;
	*ret = NULL;
	r = nft_each_chain(nl, nat_table_ref, note_chain_device, &d);
	if (r < 0)
		return tx_fail(tx, r, "host: list chains of table %s: %s", nat_table.name,
			       strerror(-r));
	TRY(link_each(tx, host, "", note_candidate, &d));
	for (unsigned i = 0; i < d.n * ARRAY_LEN(families); i++) {
		const char *dev = d.v[i / ARRAY_LEN(families)];
		struct nat_loopback_route l = { .family = families[i % ARRAY_LEN(families)] };

		memcpy(l.dev, dev, strnlen(dev, sizeof(l.dev) - 1));
		TRY(r = is_leftover(tx, nl, host, &l));
		if (!r)
			continue;
		*ret = mem_grow(&tx->mem, *ret, *ret_n, sizeof(**ret));
		(*ret)[(*ret_n)++] = l;
	}
	return 0;
}

int nat_loopback_close(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *l)
{
	return nat_localnet_release(tx, nl, host, l);
}

int nat_loopback_sweep(struct tx *tx, struct nfnl *nl, struct rt *host)
{
	struct nat_loopback_route *routes;
	unsigned n;
	int r = 0, open;

	TRY(nat_loopback_survey(tx, nl, host, &routes, &n));
	for (unsigned i = 0; i < n; i++)
		r = also(r, nat_loopback_close(tx, nl, host, &routes[i]));
	TRY(open = nat_localnet_any_open(tx, nl));
	if (open)
		r = also(r, nat_guard_ensure(tx, nl));
	return r;
}
