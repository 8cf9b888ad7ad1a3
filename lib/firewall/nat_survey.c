// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_survey.c - what is left over of table inet cplug, for who looks over the whole machine
 *
 * After nft flush ruleset nothing tells any more that the ways from the host's loopback were
 * opened by us, and the chain that guards them is gone, too.  A bridge that cplug made says
 * so itself, so its ways are looked at in any case.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "firewall/nat_impl.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

int nat_survey(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n)
{
	return owned_survey(tx, nl, &nat_table, ret, ret_n);
}

int nat_sweep(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owned_seen *s)
{
	int r = owned_sweep(tx, nl, &nat_table, s);

	return also(r, nat_localnet_sweep(tx, nl, host));
}

/* ---- ways from the loopback ---- */

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
	struct nat_localnet l;

	if (nat_localnet_of(chain, &l) && !str_eq(l.dev, "none"))
		note_device(arg, l.dev);
	return 0;
}

static int note_bridge(const struct link *l, void *arg)
{
	if (str_starts(l->alias, "cplug ") && !strchr(l->alias, '/'))
		note_device(arg, l->name);
	return 0;
}

/* 1 = open, 0 = closed or the link is gone. */
static int is_open(struct tx *tx, struct rt *host, int family, const char *dev)
{
	struct sysctl s = sysctl_conf(AF_INET, dev, "route_localnet", "1");
	char now[8] = "";
	struct ip loopback;
	struct link l;
	int there;

	if (family == AF_INET)
		return sysctl_read_try(NULL, s.name, now, sizeof(now)) == 0 && str_eq(now, "1");
	ip_parse("::1", &loopback);
	TRY(there = link_find(tx, host, dev, &l));
	return there ? route_local_find(tx, host, &l, loopback) : 0;
}

int nat_loopback_survey(struct tx *tx, struct nfnl *nl, struct rt *host,
			struct nat_loopback_route **ret, unsigned *ret_n)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct devices d = { .mem = &tx->mem };
	int r;

	*ret_n = 0;
	*ret = NULL;
	r = nft_each_chain(nl, NFPROTO_INET, nat_table.name, note_chain_device, &d);
	if (r < 0)
		return tx_fail(tx, r, "host: list chains of table %s: %s", nat_table.name,
			       strerror(-r));
	TRY(link_each(tx, host, "bridge", note_bridge, &d));
	for (unsigned i = 0; i < d.n * ARRAY_LEN(families); i++) {
		struct nat_loopback_route w = { families[i % ARRAY_LEN(families)],
						d.v[i / ARRAY_LEN(families)] };
		struct nat_localnet l = { .family = w.family };
		bool used;

		memcpy(l.dev, w.dev, strlen(w.dev) + 1);
		TRY(r = is_open(tx, host, w.family, w.dev));
		if (r)
			TRY(nat_localnet_used(tx, nl, &l, &used));
		if (!r || used)
			continue;
		*ret = mem_grow(&tx->mem, *ret, *ret_n, sizeof(**ret));
		(*ret)[(*ret_n)++] = w;
	}
	return 0;
}

int nat_loopback_close(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct nat_loopback_route *w)
{
	struct nat_localnet l = { .family = w->family };

	memcpy(l.dev, w->dev, strnlen(w->dev, sizeof(l.dev) - 1));
	return nat_localnet_release(tx, nl, host, &l);
}
