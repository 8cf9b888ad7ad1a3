// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_flows.c - old conntrack flows of published ports
 *
 * A flow keeps the DNAT result of its first packet.  So ADD deletes flows that began before it, and
 * DEL those that led to the container; of the mappings' ports only.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "nft/ct.h"
#include "base/log.h"
#include "firewall/nat_impl.h"

/* ---- ADD ----------------------------------------------------------------- */

static int flush_flows(struct tx *tx, struct nfnl *nl, struct rt *host,
		       const struct ct_flows *which)
{
	unsigned gone = 0;
	int r = 0;

	if (which->n)
		r = ct_flush(nl, host, which, &gone);
	if (r < 0)
		log_warn("conntrack: cannot forget old flows: %s", strerror(-r));
	else if (gone)
		log_step("conntrack: %u old flows forgotten", gone);
	return tx_interrupted(tx);
}

/*
 * Datagrams to an unpublished port create a flow to the host itself, which lasts as long as they
 * arrive.  TCP connections do not: conntrack forgets a packet that the host's firewall drops, and a
 * connection that the host refuses.  So a TCP flow can exist only if the port was published before,
 * and no DEL has deleted it.
 */
static bool may_have_flows(const struct port_mapping *m, bool inherits)
{
	return inherits || m->proto != IPPROTO_TCP;
}

int nat_flush_for_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
		      bool inherits)
{
	struct ip to[] = { n->to4.ip, n->to6.ip };

	for (unsigned f = 0; n->ports && n->ports->n && f < ARRAY_LEN(to); f++) {
		struct ct_filter *filters = mem_alloc(&tx->mem, n->ports->n * sizeof(*filters));
		struct ct_flows which = { to[f].family, filters, 0, to[f] };

		for (unsigned i = 0; ip_set(to[f]) && i < n->ports->n; i++) {
			const struct port_mapping *m = &n->ports->maps[i];

			if (!port_mapping_on(m, to[f].family) || !may_have_flows(m, inherits))
				continue;
			filters[which.n++] = (struct ct_filter){
				.proto = m->proto,
				.port_first = m->host,
				.port_last = m->host_end,
				.dst = m->host_ip,
			};
		}
		TRY(flush_flows(tx, nl, host, &which));
	}
	return 0;
}

/* ---- DEL ----------------------------------------------------------------- */

static const int families[2] = { AF_INET, AF_INET6 }; /* of flows[] */

static uint16_t port_at(const struct nft_key *k, unsigned at)
{
	return (uint16_t)(k->b[at] << 8 | k->b[at + 1]);
}

static bool is_port(const struct owned_elem *e)
{
	return e->set >= HOSTPORTS4 && e->set <= RANGES6;
}

static void note_port(struct nat_after_del *a, const struct owned_elem *o)
{
	const struct nft_elem *e = &o->there;
	bool six = (o->set - HOSTPORTS4) % 2, host = nat_table.sets[o->set].key_len > 8;
	unsigned ip_len = six ? 16 : 4;
	unsigned at = host ? ip_len : 0;
	struct ct_filter f = { .proto = e->key.b[at] };

	f.port_first = port_at(&e->key, at + 4);
	f.port_last = e->key_end.len ? port_at(&e->key_end, at + 4) : f.port_first;
	if (e->data.len) { /* if not, it was gone before: match any target */
		f.reply_src.family = six ? AF_INET6 : AF_INET;
		memcpy(f.reply_src.b, e->data.b, ip_len);
	}
	if (host) {
		f.dst.family = six ? AF_INET6 : AF_INET;
		memcpy(f.dst.b, e->key.b, ip_len);
	}
	a->flows[six] = mem_grow(a->mem, a->flows[six], a->n_flows[six], sizeof(f));
	a->flows[six][a->n_flows[six]++] = f;
}

static void note_user(struct nat_after_del *a, const struct owned_elem *e)
{
	struct nat_loopback_route l;

	if (!nat_localnet_of_elem(e->set, &e->there, &l))
		return;
	a->users = mem_grow(a->mem, a->users, a->n_users, sizeof(*a->users));
	a->users[a->n_users++] = l;
}

void nat_after_del_note(const struct owned_elem *e, void *arg)
{
	struct nat_after_del *a = arg;

	a->any = a->any || e->there.found;
	if (is_port(e))
		note_port(a, e);
	else
		note_user(a, e);
}

bool nat_after_del_needed(const struct owned_elem *elems, unsigned n, void *arg)
{
	const struct nat_after_del *to = arg;
	struct nat_after_del a = { .mem = to->mem };
	bool seen = false;

	for (unsigned i = 0; i < n; i++)
		if (is_port(&elems[i]))
			note_port(&a, &elems[i]);
	for (unsigned f = 0; f < 2 && !seen; f++) {
		struct ct_flows which = { families[f], a.flows[f], a.n_flows[f], { 0 } };

		seen = ct_seen(to->nl, &which);
	}
	return seen;
}

int nat_after_del_finish(struct tx *tx, struct nfnl *nl, struct rt *host, struct nat_after_del *a)
{
	int r = 0;

	for (unsigned f = 0; f < 2; f++) {
		struct ct_flows which = { families[f], a->flows[f], a->n_flows[f], { 0 } };

		r = also(r, flush_flows(tx, nl, host, &which));
	}
	for (unsigned i = 0; i < a->n_users; i++)
		r = also(r, nat_localnet_release(tx, nl, host, &a->users[i]));
	if (a->any)
		return r;
	/* A previous DEL may have been killed before it closed its loopback routes. */
	r = also(r, nat_localnet_sweep(tx, nl, host));
	/* Or the ruleset was flushed. */
	return also(r, nat_close(tx, nl, host, a->dev));
}
