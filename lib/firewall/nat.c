// SPDX-License-Identifier: GPL-2.0-or-later
/* nat.c - masquerade and port mappings: one description of the elements, and the verbs */
#include <netinet/in.h>

#include <linux/netfilter.h>

#include "nft/ct.h"
#include "base/differ.h"
#include "base/log.h"
#include "firewall/nat_impl.h"

/* ---- the elements ------------------------------------------------------- */

/*
 * How many elements there are at most.  An array that grows would leave as much memory behind, and
 * a repair of 20,000 ports comes near the ceiling.
 */
static size_t count_elems(const struct nat *n)
{
	size_t each = 2 + 2; /* return path and loopback route, IPv4 and IPv6 */

	for (unsigned i = 0; n->ports && i < n->ports->n; i++) {
		const struct port_mapping *m = &n->ports->maps[i];

		each += port_mapping_is_range(m) ? 2 : 2 * (1U + m->host_end - m->host);
	}
	return n->n_masq + each;
}

static struct owned_elem *append_elem(struct owned_change *c)
{
	c->elems[c->n].conflict = OWNED_HELD;
	return &c->elems[c->n++];
}

static void add_verdict(struct mem *mem, struct owned_change *c, enum nat_set four, struct ip ip,
			const char *chain, const char *what)
{
	struct owned_elem *e = append_elem(c);

	e->set = ip.family == AF_INET6 ? four + 1 : four;
	nft_key_ip(&e->e.key, ip);
	e->e.chain = chain;
	e->what = mem_printf(mem, "%s of %s", what, IP_S(ip));
}

struct nft_key nat_port_key(const struct port_mapping *m, unsigned port)
{
	struct nft_key k = { .len = 0 };

	if (ip_set(m->host_ip))
		nft_key_ip(&k, m->host_ip);
	nft_key_u8(&k, m->proto);
	nft_key_port(&k, (uint16_t)port);
	return k;
}

static void add_port(struct mem *mem, struct owned_change *c, const struct hostports *p,
		     const struct port_mapping *m, unsigned offset, struct ip to)
{
	struct owned_elem *e = append_elem(c);
	struct port_mapping one = *m;

	one.host = one.host_end = (uint16_t)(m->host + offset);
	e->set = ip_set(m->host_ip) ? HOSTPORTS4 : PORTS4;
	e->set += to.family == AF_INET6;
	e->e.key = nat_port_key(m, one.host);
	nft_key_ip(&e->e.data, to);
	nft_key_port(&e->e.data, (uint16_t)(m->container + offset));
	e->conflict = p->on_conflict;
	e->what = mem_printf(mem, "host port %s", hostports_text(mem, &one));
}

static void add_range(struct mem *mem, struct owned_change *c, const struct hostports *p,
		      const struct port_mapping *m, struct ip to)
{
	struct owned_elem *e = append_elem(c);

	e->set = ip_set(m->host_ip) ? HOSTRANGES4 : RANGES4;
	e->set += to.family == AF_INET6;
	e->e.key = nat_port_key(m, m->host);
	e->e.key_end = nat_port_key(m, m->host_end);
	nft_key_ip(&e->e.data, to);
	e->conflict = p->on_conflict;
	e->what = mem_printf(mem, "host ports %s", hostports_text(mem, m));
}

static void add_route(struct mem *mem, struct owned_change *c, int family, const char *dev)
{
	struct owned_elem *e = append_elem(c);

	e->set = family == AF_INET6 ? LOCALNET6 : LOCALNET4;
	nft_key_ifname(&e->e.key, dev);
	e->what = mem_printf(mem, "loopback route of %s", dev);
}

static void add_return_path(struct mem *mem, struct owned_change *c, const struct nat *n,
			    struct cidr to)
{
	const struct nat_skeleton *s = c->arg;

	add_verdict(mem, c, PUBLISHED4, to.ip, nat_snat_chain(mem, n, to, s->reach), "return path");
	if (nat_has_own_route(n, s->reach))
		add_route(mem, c, to.ip.family, s->reach.dev);
}

static void add_ports(struct mem *mem, struct owned_change *c, const struct hostports *p,
		      struct ip to)
{
	for (unsigned i = 0; ip_set(to) && i < p->n; i++) {
		const struct port_mapping *m = &p->maps[i];

		if (!port_mapping_on(m, to.family))
			continue;
		if (port_mapping_is_range(m))
			add_range(mem, c, p, m, to);
		else
			for (unsigned k = 0; k <= (unsigned)(m->host_end - m->host); k++)
				add_port(mem, c, p, m, k, to);
	}
}

/* Networks with equal conditions share a group. */
static const char *group_of(struct mem *mem, const struct hostports *p)
{
	const char *v4, *v6;
	char *hash;

	if (!p || (!p->v4.n && !p->v6.n))
		return "";
	v4 = p->v4.text ? p->v4.text : "";
	v6 = p->v6.text ? p->v6.text : "";
	hash = mem_alloc(mem, 13);
	name_hash(hash, 12, "", mem_printf(mem, "%s|%s", v4, v6));
	return hash;
}

static struct owned_change compose_nat(struct mem *mem, const struct nat *n, struct nat_skeleton *s)
{
	struct owned_change c = {
		.in = { &nat_table, group_of(mem, n->ports) },
		.owner = n->owner,
		.kind = n->kind,
		.link = n->link,
		.arg = s,
		.repair = n->repair,
		.elems = mem_alloc(mem, count_elems(n) * sizeof(*c.elems)),
	};
	const struct cidr to[] = { n->to4, n->to6 };

	for (unsigned i = 0; i < n->n_masq; i++)
		add_verdict(mem, &c, MASQ4, n->masq[i].ip, nat_masq_chain(mem, n, n->masq[i]),
			    "masquerade");
	for (unsigned i = 0; n->ports && i < ARRAY_LEN(to); i++) {
		if (n->ports->snat && ip_set(to[i].ip))
			add_return_path(mem, &c, n, to[i]);
		add_ports(mem, &c, n->ports, to[i].ip);
	}
	return c;
}

/* ---- verbs -------------------------------------------------------------- */

/*
 * A port that leads to 127.0.0.1 or ::1 would lead to the host's own services: the chain `guard`
 * sees packets before they are redirected.
 */
static int need_address(struct tx *tx, struct cidr a)
{
	if (!ip_set(a.ip) || ip_is_of_host(a.ip))
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EADDRNOTAVAIL,
			  "%s is no address that a container can have: nothing is published or "
			  "masqueraded for it",
			  CIDR_S(a));
}

static int need_addresses(struct tx *tx, const struct nat *n)
{
	for (unsigned i = 0; i < n->n_masq; i++)
		TRY(need_address(tx, n->masq[i]));
	TRY(need_address(tx, n->to4));
	return need_address(tx, n->to6);
}

static int need_mark_chain(struct tx *tx, struct nfnl *nl, const struct nat *n)
{
	struct nft_ref ref = nat_table_ref;
	unsigned use;
	int r;

	if (!n->ports || !n->ports->mark_chain)
		return 0;
	ref.name = n->ports->mark_chain;
	r = nft_chain_use(nl, ref, &use);
	if (r == -ENOENT)
		return tx_fail_as(
			tx, CNI_E_CONFIG, r,
			"externalSetMarkChain: there is no chain %s in nftables table inet "
			"%s (make it: nft add table inet %s; nft add chain inet %s %s)",
			n->ports->mark_chain, nat_table.name, nat_table.name, nat_table.name,
			n->ports->mark_chain);
	if (r < 0)
		return tx_fail(tx, r, "host: look up chain %s: %s", n->ports->mark_chain,
			       strerror(-r));
	return 0;
}

/* Each condition concerns one family.  A user who sets one may believe that it restricts both. */
static void warn_of_other_family(const struct nat *n)
{
	const struct hostports *p = n->ports;
	bool open[2] = { false, false };

	if (!p || !p->v4.n == !p->v6.n)
		return;
	for (unsigned i = 0; i < p->n; i++) {
		open[0] |= ip_set(n->to4.ip) && !p->v4.n && port_mapping_on(&p->maps[i], AF_INET);
		open[1] |= ip_set(n->to6.ip) && !p->v6.n && port_mapping_on(&p->maps[i], AF_INET6);
	}
	if (open[0])
		log_warn("conditionsV6 say nothing of IPv4: there the ports are open to everybody "
			 "(set conditionsV4, too)");
	if (open[1])
		log_warn("conditionsV4 say nothing of IPv6: there the ports are open to everybody "
			 "(set conditionsV6, too)");
}

/* What a repair deletes because it is not in the description any more; and what depended on it. */
struct repair {
	struct nat_after_del after;
	struct owned_cleanup cleanup;
};

/*
 * Once more, after the flows of deleted elements are gone: then the index does not list them.  On a
 * copy, because the undo of the first change needs what that has found.
 */
static int finish_repair(struct tx *tx, struct nfnl *nl, struct rt *host,
			 const struct owned_change *c, struct repair *r)
{
	struct owned_change *again = mem_dup(&tx->mem, c, sizeof(*c));

	TRY(nat_after_del_finish(tx, nl, host, &r->after));
	if (!r->cleanup.unfinished)
		return 0;
	again->cleanup = NULL;
	again->elems = mem_dup(&tx->mem, c->elems, c->n * sizeof(*c->elems));
	return owned_add(tx, nl, host, again);
}

/* The ports that the attachment has by its index; *ret NULL if there is none. */
static int find_own_ports(struct tx *tx, struct nfnl *nl, const struct nat *n,
			  const struct nat_after_del **ret)
{
	struct nat_after_del *had = mem_alloc(&tx->mem, sizeof(*had));
	struct owned_elem *elems;
	unsigned k;
	int there;

	*ret = NULL;
	if (!n->repair || !n->ports)
		return 0;
	*had = (struct nat_after_del){ .mem = &tx->mem, .nl = nl };
	TRY(there = owned_list(tx, nl, &nat_table, n->owner, n->kind, &elems, &k));
	for (unsigned i = 0; there && i < k; i++)
		nat_after_del_note(&elems[i], had);
	if (there)
		*ret = had;
	return 0;
}

int nat_add(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n)
{
	struct nat_skeleton *s = mem_alloc(&tx->mem, sizeof(*s));
	struct owned_change *c = mem_alloc(&tx->mem, sizeof(*c));
	struct repair *r = mem_alloc(&tx->mem, sizeof(*r));
	const struct nat_after_del *had;

	*s = (struct nat_skeleton){ .mem = &tx->mem, .n = n };
	*r = (struct repair){
		.after = { .mem = &tx->mem, .nl = nl, .dev = n->dev, .any = true },
		.cleanup = { nat_after_del_note, nat_after_del_needed, &r->after, false },
	};
	warn_of_other_family(n);
	TRY(need_addresses(tx, n));
	TRY(need_mark_chain(tx, nl, n));
	TRY(find_own_ports(tx, nl, n, &had));
	TRY(nat_find_listeners(tx, n, had));
	TRY(nat_find_reach(tx, host, n, &s->reach));
	*c = compose_nat(&tx->mem, n, s);
	s->change = c;
	if (!c->n)
		return 0;
	if (n->repair)
		c->cleanup = &r->cleanup;
	TRY(nat_find_conflicts(tx, nl, host, n, c));
	TRY(nat_localnet_prepare(tx, nl, host, c));
	TRY(owned_add(tx, nl, host, c));
	TRY(nat_localnet_add(tx, nl, host, c));
	TRY(nat_flush_for_add(tx, nl, host, n, c->inherits));
	if (!n->repair)
		return 0;
	return finish_repair(tx, nl, host, c, r);
}

struct comparison {
	struct nfnl *nl;
	struct rt *host;
	const struct nat *n;
};

static int compare_nat(struct tx *tx, void *arg)
{
	const struct comparison *w = arg;
	struct nat_skeleton s = { .mem = &tx->mem, .n = w->n };
	struct owned_change c;

	TRY(nat_find_reach(tx, w->host, w->n, &s.reach));
	c = compose_nat(&tx->mem, w->n, &s);
	s.change = &c;
	TRY(owned_check(tx, w->nl, &c));
	if (!c.n)
		return 0;
	return nat_localnet_check(tx, w->nl, w->host, &c);
}

int nat_check(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n)
{
	return differ_apart(tx, compare_nat, &(struct comparison){ nl, host, n });
}

/* kinds: the letters of at most two kinds. */
static int del_kinds(struct tx *tx, struct nat_after_del *a, struct rt *host, const struct owner *o,
		     const char *kinds)
{
	struct owned_cleanup cleanup[2];
	int r = 0;

	for (unsigned i = 0; i < ARRAY_LEN(cleanup) && kinds[i]; i++) {
		cleanup[i] = (struct owned_cleanup){ nat_after_del_note, nat_after_del_needed, a,
						     false };
		r = also(r, owned_del(tx, a->nl, &nat_table, o, (enum owned_kind)kinds[i],
				      &cleanup[i]));
	}
	r = also(r, nat_after_del_finish(tx, a->nl, host, a));
	for (unsigned i = 0; i < ARRAY_LEN(cleanup) && kinds[i]; i++)
		if (cleanup[i].unfinished)
			r = also(r, owned_del(tx, a->nl, &nat_table, o, (enum owned_kind)kinds[i],
					      NULL));
	return also(r, a->any);
}

int nat_del(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o,
	    enum owned_kind kind, const char *dev)
{
	struct nat_after_del a = { .mem = &tx->mem, .nl = nl, .dev = dev };
	const char kinds[] = { (char)kind, '\0' };

	return del_kinds(tx, &a, host, o, kinds);
}

int nat_del_all(struct tx *tx, struct nfnl *nl, struct rt *host, const struct owner *o,
		const char *dev)
{
	struct nat_after_del a = { .mem = &tx->mem, .nl = nl, .dev = dev };
	static const char kinds[] = { OWNED_MAIN_NAT, OWNED_PORTMAP_NAT, '\0' };

	return del_kinds(tx, &a, host, o, kinds);
}

int nat_gc(struct tx *tx, struct nfnl *nl, struct rt *host, enum owned_kind kind,
	   const struct owned_valid *valid)
{
	struct nat_after_del a = { .mem = &tx->mem, .nl = nl };
	struct owned_cleanup cleanup = { nat_after_del_note, nat_after_del_needed, &a, false };
	int r = owned_gc(tx, nl, &nat_table, kind, valid, &cleanup);

	r = also(r, nat_after_del_finish(tx, nl, host, &a));
	if (cleanup.unfinished)
		r = also(r, owned_gc(tx, nl, &nat_table, kind, valid, NULL));
	if (valid->n)
		return also(r, nat_loopback_sweep(tx, nl, host));
	return also(r, nat_prune(tx, nl, host));
}

/* ---- the table itself --------------------------------------------------- */

static bool chain_is_ours(const char *chain, unsigned use UNUSED)
{
	static const char *const names[] = { "postrouting", "forward",        "guard",
					     "ports",       "prerouting",     "output",
					     "loopback6",   "loopback6-input" };
	static const char *const prefixes[] = { "ports-", "prerouting-", "output-" };

	for (unsigned i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(chain, names[i]))
			return true;
	for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
		if (str_starts(chain, prefixes[i]))
			return true;
	return nat_dispatch_owns(chain);
}

int nat_prune(struct tx *tx, struct nfnl *nl, struct rt *host)
{
	int open;

	/* The guard is part of the table. */
	TRY(nat_loopback_sweep(tx, nl, host));
	TRY(open = nat_localnet_any_open(tx, nl));
	if (open)
		return 0;
	return owned_prune(tx, nl, &nat_table, chain_is_ours);
}

int nat_status(struct tx *tx, struct nfnl *nl)
{
	int r = nft_usable(nl);

	if (r == 0)
		return 0;
	return tx_fail_as(tx, CNI_E_UNAVAILABLE, r,
			  "nftables cannot be used: %s%s (load the kernel module nf_tables; "
			  "CAP_NET_ADMIN is needed)",
			  strerror(-r), r == -EPROTONOSUPPORT ? ", the kernel lacks it" : "");
}
