// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_flows.c - what has to follow the table: old flows, and route_localnet
 *
 * A flow's DNAT verdict is cached, so flows from before an ADD and after a DEL are
 * forgotten; only those of the mapping.  route_localnet of a bridge is on while any
 * container behind it is published: the chains `snat-DEV-…` are its reference count,
 * for every published container's map element refers to one of them.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "ct.h"
#include "log.h"
#include "nat_impl.h"
#include "route.h"
#include "sysctl.h"

/* ---- route_localnet ----------------------------------------------------- */

int nat_reach_dev(struct tx *tx, struct rt *host, const struct nat *n, const char **ret)
{
	struct ip to = ip_set(n->to4.ip) ? n->to4.ip : n->to6.ip;
	struct link l;
	int index = 0, r;

	*ret = n->dev ? n->dev : "none";
	if (n->dev || !n->ports || !ip_set(to))
		return 0;
	TRY(route_to(tx, host, to, &index));
	TRY(r = index ? link_find_index(tx, host, index, &l) : 0);
	if (r && !(l.flags & IFF_LOOPBACK))
		*ret = mem_str(&tx->mem, l.name);
	return 0;
}

bool nat_wants_localnet(const struct nat *n, const char *dev)
{
	return n->ports && n->ports->n && n->ports->snat && ip_set(n->to4.ip) &&
	       !str_eq(dev, "none");
}

int nat_set_localnet(struct tx *tx, const char *dev, const char *value)
{
	struct sysctl s = sysctl_conf(AF_INET, dev, "route_localnet", value);

	return sysctl_ensure(tx, NULL, &s, 1, NULL);
}

struct users {
	const char *prefix;
	bool any;
};

static int count_users(const char *chain, unsigned use, void *arg)
{
	struct users *u = arg;

	if (!chain)
		u->any = false;
	else if (str_starts(chain, u->prefix) && use > SNAT_RULES)
		u->any = true;
	return 0;
}

static int localnet_used(struct tx *tx, struct nfnl *nl, const char *dev, bool *ret)
{
	struct users u = { .prefix = mem_printf(&tx->mem, "snat-%s-", dev) };
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
static int release_localnet(struct tx *tx, struct nfnl *nl, const char *dev)
{
	bool used;

	TRY(localnet_used(tx, nl, dev, &used));
	if (used)
		return 0;
	TRY(nat_set_localnet(tx, dev, "0"));
	TRY(localnet_used(tx, nl, dev, &used));
	return used ? nat_set_localnet(tx, dev, "1") : 0;
}

/* ---- old flows ---------------------------------------------------------- */

static int flush_flows(struct tx *tx, struct nfnl *nl, int family, const struct ct_filter *f,
		       unsigned n, struct ip keep)
{
	unsigned gone = 0;
	int r = n ? ct_flush(nl, family, f, n, keep, &gone) : 0;

	if (r < 0)
		log_warn("conntrack: cannot forget old flows: %s", strerror(-r));
	else if (gone)
		log_step("conntrack: %u old flows forgotten", gone);
	return tx_interrupted(tx);
}

int nat_flush_for_add(struct tx *tx, struct nfnl *nl, const struct nat *n)
{
	struct ip to[] = { n->to4.ip, n->to6.ip };

	for (unsigned f = 0; n->ports && n->ports->n && f < ARRAY_LEN(to); f++) {
		struct ct_filter *filters = mem_alloc(&tx->mem, n->ports->n * sizeof(*filters));
		unsigned k = 0;

		for (unsigned i = 0; ip_set(to[f]) && i < n->ports->n; i++) {
			const struct port_mapping *m = &n->ports->maps[i];

			if (ip_set(m->host_ip) && m->host_ip.family != to[f].family)
				continue;
			filters[k++] = (struct ct_filter){
				.proto = m->proto,
				.port_first = m->host,
				.port_last = m->host_end,
				.dst = m->host_ip,
			};
		}
		TRY(flush_flows(tx, nl, to[f].family, filters, k, to[f]));
	}
	return 0;
}

/* ---- after a DEL -------------------------------------------------------- */

static uint16_t port_at(const struct nft_key *k, unsigned at)
{
	return (uint16_t)(k->b[at] << 8 | k->b[at + 1]);
}

static void note_port(struct nat_aftermath *a, const struct nft_elem *e, enum nat_set set)
{
	bool six = (set - HOSTPORTS4) % 2, host = nat_table.sets[set].key_len > 8;
	unsigned ip_len = six ? 16 : 4, at = host ? ip_len : 0;
	struct ct_filter f = { .proto = e->key.b[at] };

	f.port_first = port_at(&e->key, at + 4);
	f.port_last = e->key_end.len ? port_at(&e->key_end, at + 4) : f.port_first;
	f.reply_src.family = six ? AF_INET6 : AF_INET;
	memcpy(f.reply_src.b, e->data.b, ip_len);
	if (host) {
		f.dst.family = f.reply_src.family;
		memcpy(f.dst.b, e->key.b, ip_len);
	}
	a->flows[six] = mem_grow(&a->tx->mem, a->flows[six], a->n_flows[six], sizeof(f));
	a->flows[six][a->n_flows[six]++] = f;
}

/* snat-DEV-SUBNET…: DEV may hold dashes, SUBNET begins with a digit, or is "all". */
static void note_dev(struct nat_aftermath *a, const char *chain)
{
	char *dev, *end;

	if (!chain || !str_starts(chain, "snat-"))
		return;
	dev = mem_str(&a->tx->mem, chain + 5);
	end = strchr(dev, '/');
	end = end ? end : strstr(dev, "-all");
	if (!end)
		return;
	if (*end == '/')
		while (end > dev && *end != '-')
			end--;
	*end = '\0';
	a->devs = mem_grow(&a->tx->mem, a->devs, a->n_devs, sizeof(*a->devs));
	a->devs[a->n_devs++] = dev;
}

void nat_note(const struct nft_elem *e, unsigned set, void *arg)
{
	struct nat_aftermath *a = arg;

	if (set == PUBLISHED4)
		note_dev(a, e->chain);
	else if (set >= HOSTPORTS4)
		note_port(a, e, set);
}

int nat_settle(struct tx *tx, struct nfnl *nl, struct nat_aftermath *a)
{
	struct ip none = { .family = 0 };
	int r = 0;

	for (unsigned f = 0; f < 2; f++)
		r = also(r, flush_flows(tx, nl, f ? AF_INET6 : AF_INET, a->flows[f], a->n_flows[f],
					none));
	for (unsigned i = 0; i < a->n_devs; i++)
		r = also(r, release_localnet(tx, nl, a->devs[i]));
	return r;
}
