// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * steps.c - what an attachment has beside its interface: one description, all verbs
 *
 * ADD makes and CHECK compares from the same description, so they cannot drift apart.
 */
#include "cni/steps.h"

#include <stdlib.h>

#include "base/differ.h"
#include "cni/prev.h"
#include "cni/resolv.h"
#include "netlink/addr.h"
#include "netlink/route.h"
#include "sys/sysctl.h"

/* ADD makes it, a repair if the comparison just made noted a difference. */
static bool is_to_make(struct tx *tx, const struct call *c)
{
	bool repair = c->command == CNI_REPAIR && tx->n_differences;

	if (c->command == CNI_REPAIR)
		differ_forget(tx);
	return c->command == CNI_ADD || repair;
}

/* ---- the reference plugins ---------------------------------------------- */

int step_reference_remove(struct tx *tx, struct call *c, unsigned parts)
{
	struct reference r = { .network = c->network, .id = c->id, .ifname = c->ifname };
	struct nfnl *nl;

	if (c->prev)
		r.ips = prev_all_ips(&tx->mem, c, &r.n_ips);
	TRY(call_nf(tx, c, &nl));
	return reference_del(tx, nl, &r, parts);
}

/* A repair has put ours in place of what the reference made. */
static int take_over(struct tx *tx, struct call *c, unsigned parts)
{
	if (c->command != CNI_REPAIR)
		return 0;
	return step_reference_remove(tx, c, parts);
}

/* Is one of the attachments that the reference's rules are of valid? */
static bool is_reference_valid(const struct call *c, const struct reference *r)
{
	for (unsigned i = 0; i < c->n_valid; i++)
		if (str_eq(c->valid[i].id, r->id) &&
		    (!r->ifname || str_eq(c->valid[i].ifname, r->ifname)))
			return true;
	return false;
}

int step_reference_gc(struct tx *tx, struct call *c)
{
	struct reference *v = NULL;
	struct nfnl *nl;
	unsigned n;
	int r;

	TRY(call_nf(tx, c, &nl));
	r = reference_survey(tx, nl, &v, &n);
	for (unsigned i = 0; i < n; i++) {
		if (!str_eq(v[i].network, c->network) || is_reference_valid(c, &v[i]))
			continue;
		v[i].dead = true;
		r = also(r, reference_del(tx, nl, &v[i], REFERENCE_ALL));
	}
	return r;
}

/* ---- nftables ----------------------------------------------------------- */

int step_nat(struct tx *tx, struct call *c, struct nat *n)
{
	bool any = n->n_masq || n->ports;
	struct nfnl *nl;
	int r;

	if (!any && c->command == CNI_ADD)
		return 0;
	n->owner = call_owner(tx, c);
	n->repair = c->command == CNI_REPAIR;
	TRY(call_nf(tx, c, &nl));
	if (c->command != CNI_ADD)
		TRY(nat_check(tx, nl, &c->host, n));
	if (!is_to_make(tx, c))
		return 0;
	if (!any) {
		r = nat_del(tx, nl, &c->host, n->owner, n->kind, n->dev);
		return r < 0 ? r : 0;
	}
	TRY(nat_add(tx, nl, &c->host, n));
	if (n->n_masq)
		TRY(take_over(tx, c, REFERENCE_MASQ));
	if (n->ports)
		TRY(take_over(tx, c, REFERENCE_PORTS));
	return 0;
}

int step_close(struct tx *tx, struct call *c, const char *dev)
{
	struct nfnl *nl;
	int before = tx->err, r;

	if (!nat_is_open(dev))
		return 0;
	TRY(call_nf(tx, c, &nl));
	if (c->command == CNI_CHECK)
		return nat_close_check(tx, nl, dev);
	r = nat_close(tx, nl, &c->host, dev);
	return tx_excuse(tx, before, r, "containers may reach the host's loopback");
}

static int need_no_own_address(struct tx *tx, const struct call *c, struct rt *host, struct ip ip)
{
	int own;

	TRY(own = addr_is_own(tx, host, ip));
	if (!own)
		return 0;
	if (c->command == CNI_CHECK) {
		differ(tx, mem_printf(&tx->mem, "masqueraded address %s", IP_S(ip)),
		       "an address of the container", "an address of the host, too");
		return 0;
	}
	return tx_fail_as(tx, CPLUG_E_TAKEN, -EADDRINUSE,
			  "%s: %s is an address of the host itself, so it is not masqueraded for a "
			  "container (choose another address)",
			  host->where, IP_S(ip));
}

static int need_no_own_addresses(struct tx *tx, struct call *c, const struct translation *t,
				 const struct result *res)
{
	for (unsigned i = 0; i < res->n_ips; i++) {
		const struct result_ip *a = &res->ips[i];
		bool masq = a->addr.ip.family == AF_INET6 ? t->masq->v6 : t->masq->v4;
		/* gateway_check_route() has asked already. */
		bool asked = c->command == CNI_ADD && t->routed && ip_set(a->gateway);

		if (masq && !asked)
			TRY(need_no_own_address(tx, c, &c->host, a->addr.ip));
	}
	return 0;
}

int step_translate(struct tx *tx, struct call *c, const struct translation *t,
		   const struct result *res)
{
	struct cidr *masq = mem_alloc(&tx->mem, (res->n_ips + 1) * sizeof(*masq));
	struct nat *n = mem_alloc(&tx->mem, sizeof(*n));

	*n = (struct nat){
		.kind = OWNED_MAIN_NAT,
		.link = t->link,
		.masq = masq,
		.except = t->masq->except,
		.n_except = t->masq->n_except,
		.pass_invalid = t->masq->pass_invalid,
		.ports = t->ports->n ? t->ports : NULL,
		.dev = t->dev,
		.own_dev = t->own_dev,
	};
	for (unsigned i = 0; i < res->n_ips; i++) {
		struct cidr a = res->ips[i].addr;
		bool six = a.ip.family == AF_INET6;
		struct cidr *to = six ? &n->to6 : &n->to4;
		bool is_masq = six ? t->masq->v6 : t->masq->v4;

		/* A plugin behind may have listed it twice: there is one element for it. */
		if (is_masq && !cidr_list_has(masq, n->n_masq, a.ip))
			masq[n->n_masq++] = a;
		if (!ip_set(to->ip))
			*to = a;
	}
	if (!n->n_masq && !n->ports)
		TRY(step_close(tx, c, t->dev));
	TRY(need_no_own_addresses(tx, c, t, res));
	return step_nat(tx, c, n);
}

int step_spoof(struct tx *tx, struct call *c, struct spoof *s)
{
	struct nfnl *nl;

	s->owner = call_owner(tx, c);
	s->repair = c->command == CNI_REPAIR;
	TRY(call_nf(tx, c, &nl));
	if (c->command != CNI_ADD)
		TRY(spoof_check(tx, nl, s));
	if (!is_to_make(tx, c))
		return 0;
	TRY(spoof_add(tx, nl, &c->host, s));
	return take_over(tx, c, REFERENCE_SPOOF);
}

int step_nft_remove(struct tx *tx, struct call *c, const char *dev)
{
	const struct owner *o = call_owner(tx, c);
	struct nfnl *nl;
	int r, there;

	TRY(call_nf(tx, c, &nl));
	there = nat_del_all(tx, nl, &c->host, o, dev);
	r = also(there, spoof_del(tx, nl, o));
	if (there)
		return r;
	return also(r, step_reference_remove(tx, c, REFERENCE_MASQ | REFERENCE_SPOOF));
}

/* ---- resolv.conf -------------------------------------------------------- */

/* "NETWORK/ID/IFNAME", the first line of the file. */
static const char *file_owner(struct tx *tx, const struct call *c)
{
	return mem_printf(&tx->mem, "%s/%s/%s", c->network, c->id, c->ifname);
}

int step_resolv(struct tx *tx, struct call *c, const char *mode, const struct result_dns *dns)
{
	const char *path = resolv_target(&tx->mem, mode, c->netns_path);
	const char *owner = file_owner(tx, c);

	if (!path || result_dns_empty(dns))
		return 0;
	if (c->command != CNI_ADD && !resolv_matches(tx, path, owner, dns))
		differ(tx, path, "the DNS of the result", "another content");
	if (!is_to_make(tx, c))
		return 0;
	return resolv_write(tx, path, owner, dns, *mode == '/' ? &c->cont_ns : NULL);
}

/* The namespace's path as it was at ADD, or as given. */
static const char *sandbox(const struct call *c)
{
	int i = c->prev ? prev_interface(c) : -1;

	if (i < 0)
		return c->netns_path;
	return c->prev->ifs[i].sandbox;
}

int step_resolv_remove(struct tx *tx, struct call *c, const char *mode)
{
	const char *owner = file_owner(tx, c), *netns = sandbox(c);
	const char *path = resolv_target(&tx->mem, mode, netns);

	if (path)
		return resolv_remove(tx, path, owner);
	/* DEL may name the namespace by another path than ADD, or not at all. */
	if (!str_eq(mode, "off"))
		return resolv_forget(tx, c->network, owner);
	return 0;
}

struct attachments {
	struct mem *mem;
	const struct call *c;
};

/* owner: NETWORK/ID/IFNAME; neither id nor ifname has a slash in it. */
static bool resolv_valid(const char *owner, const void *arg)
{
	const struct attachments *a = arg;
	char *id = mem_str(a->mem, owner + strlen(a->c->network) + 1), *slash = strchr(id, '/');

	if (!slash)
		return false;
	*slash = '\0';
	return call_is_valid(a->c, id, slash + 1);
}

int step_resolv_gc(struct tx *tx, struct call *c)
{
	struct attachments all = { &tx->mem, c };

	return resolv_gc(tx, c->network, resolv_valid, &all);
}

/* ---- links on the host -------------------------------------------------- */

int step_quiet(struct tx *tx, struct call *c, const struct rt *rt, const struct link *l)
{
	struct sysctl list[] = {
		sysctl_conf(AF_INET6, l->name, "accept_ra", "0"),
		sysctl_conf(AF_INET6, l->name, "autoconf", "0"),
	};

	switch (c->command) {
	case CNI_ADD:
		return sysctl_ensure_new(tx, rt->ns, list, ARRAY_LEN(list));
	case CNI_CHECK:
		return sysctl_check(tx, rt->ns, list, ARRAY_LEN(list));
	default:
		return sysctl_ensure(tx, rt->ns, list, ARRAY_LEN(list), NULL);
	}
}

struct marks {
	struct mem *mem;
	const struct mark *valid; /* sorted */
	unsigned n;
	const char *prefix; /* "cplug NETWORK/" */
	struct link *stale;
	unsigned n_stale;
};

static int by_text(const void *a, const void *b)
{
	const struct mark *x = a, *y = b;

	return strcmp(x->s, y->s);
}

/*
 * An interface that an attachment gave to this namespace is not GC's, because the host may itself
 * be a container of a network of that name.  Nor is a device, which cannot be deleted: it came back
 * from a container that died, and host-device has to find it.
 */
static int note_stale(const struct link *l, void *arg)
{
	struct marks *m = arg;
	struct mark key = { .group = 0 };
	struct mark_owner o;

	if (!l) {
		m->stale = NULL;
		m->n_stale = 0;
		return 0;
	}
	if (!*l->kind || !str_starts(l->alias, m->prefix))
		return 0;
	if (mark_parse(m->mem, l->alias, &o) && str_eq(l->name, o.ifname))
		return 0;
	memcpy(key.s, l->alias, sizeof(key.s));
	if (m->n && bsearch(&key, m->valid, m->n, sizeof(key), by_text))
		return 0;
	m->stale = mem_grow(m->mem, m->stale, m->n_stale, sizeof(*m->stale));
	m->stale[m->n_stale++] = *l;
	return 0;
}

int step_links_gc(struct tx *tx, struct call *c, const char *kind)
{
	struct mark *valid = mem_alloc(&tx->mem, (c->n_valid + 1) * sizeof(*valid));
	struct marks m = { .mem = &tx->mem,
			   .valid = valid,
			   .n = c->n_valid,
			   .prefix = mem_printf(&tx->mem, "cplug %s/", c->network) };

	for (unsigned i = 0; i < m.n; i++)
		valid[i] = mark_of(c->network, c->valid[i].id, c->valid[i].ifname);
	qsort(valid, m.n, sizeof(*valid), by_text);
	TRY(link_each(tx, &c->host, kind, note_stale, &m));
	return link_del_all(tx, &c->host, m.stale, m.n_stale);
}
