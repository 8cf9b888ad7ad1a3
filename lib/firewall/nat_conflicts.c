// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nat_conflicts.c - host ports that are in use, other than by elements with the same key
 *
 * The kernel refuses an element whose key exists (owned.c).  There are two other conflicts: sockets
 * of the host that listen on a port, and elements in the map of the other kind: a range that
 * contains our port, or a single port in our range.  Both are found with a few requests, whatever
 * the number of ports: a range of 60000 is one request.
 */
#include <netinet/in.h>
#include <stdlib.h>

#include "nft/ct.h"
#include "nft/diag.h"
#include "base/log.h"
#include "firewall/nat_impl.h"
#include "sys/hostconf.h"
#include "sys/sysctl.h"

/* ---- sockets of the host ------------------------------------------------- */

enum { WARNINGS = 8 };

/* A look at the sockets on the ports of an attachment. */
struct look {
	const struct nat *n;
	const struct nat_after_del *had;
	unsigned long free_from; /* free_from() */
	unsigned warned;
};

static bool mapping_needs(const struct nat *n, const struct port_mapping *m,
			  const struct diag_listener *l)
{
	const struct cidr to[] = { n->to4, n->to6 };

	if (m->proto != l->proto || l->port < m->host || l->port > m->host_end)
		return false;
	for (unsigned f = 0; f < ARRAY_LEN(to); f++)
		if (ip_set(to[f].ip) && port_mapping_on(m, to[f].ip.family) &&
		    diag_serves(l, to[f].ip.family, m->host_ip))
			return true;
	return false;
}

/*
 * A socket of an unprivileged user must not keep a container from starting.  So a socket counts if
 * it is root's, at a port that needs a privilege, or at the very address of the mapping.
 */
static bool socket_counts(const struct look *k, const struct diag_listener *l)
{
	const struct hostports *p = k->n->ports;

	if (l->uid == 0 || l->port < k->free_from)
		return true;
	for (unsigned i = 0; i < p->n; i++)
		if (mapping_needs(k->n, &p->maps[i], l) && ip_eq(p->maps[i].host_ip, l->addr))
			return true;
	return false;
}

/* By port, then by user. */
static int by_port(const void *a, const void *b)
{
	const struct diag_listener *x = a, *y = b;

	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x->uid < y->uid ? -1 : x->uid > y->uid;
}

static bool any_mapping_needs(const struct nat *n, const struct diag_listener *l)
{
	for (unsigned i = 0; i < n->ports->n; i++)
		if (mapping_needs(n, &n->ports->maps[i], l))
			return true;
	return false;
}

/*
 * Keeps the listeners that mappings are in the way of, sorted by port: all of root's, because one
 * that holds a port for a container must not hide a service, and of each other user one for each
 * port, which counts if any does.
 */
static unsigned keep_conflicting(const struct look *k, struct diag_listener *l,
				 unsigned n_listeners)
{
	unsigned kept = 0;

	if (n_listeners)
		qsort(l, n_listeners, sizeof(*l), by_port);
	for (unsigned i = 0; i < n_listeners; i++) {
		if (!any_mapping_needs(k->n, &l[i]))
			continue;
		if (l[i].uid == 0 || !kept || by_port(&l[kept - 1], &l[i]) != 0)
			l[kept++] = l[i];
		else if (!socket_counts(k, &l[kept - 1]))
			l[kept - 1] = l[i];
	}
	return kept;
}

/*
 * Drops the listeners of programs that hold the ports on behalf of the runtime: podman binds the
 * ports it publishes, and passes the sockets to conmon after the network is there.
 */
static unsigned drop_reserved(struct tx *tx, struct diag_listener *l, unsigned n_listeners)
{
	static const char *const holders[] = { "conmon", "kubelet", "podman", "rootlessport",
					       NULL };
	unsigned kept = 0;

	diag_find_holders(&tx->mem, l, n_listeners, holders);
	for (unsigned i = 0; i < n_listeners; i++)
		if (!l[i].held)
			l[kept++] = l[i];
	return kept;
}

/* In a repair: was the port ours, so that the listener has started while rules were missing? */
static bool was_ours(const struct nat_after_del *had, const struct diag_listener *l)
{
	for (unsigned f = 0; had && f < ARRAY_LEN(had->flows); f++)
		for (unsigned i = 0; i < had->n_flows[f]; i++) {
			const struct ct_filter *p = &had->flows[f][i];

			if (p->proto == l->proto && p->port_first <= l->port &&
			    l->port <= p->port_last)
				return true;
		}
	return !had;
}

/* May the mapping take the port from a service of the host? */
static bool may_take(struct tx *tx, const struct look *k, const struct diag_listener *l)
{
	if (!socket_counts(k, l) || (k->n->repair && was_ours(k->had, l)))
		return true;
	return k->n->ports->on_conflict != OWNED_FAIL && hostconf_replaces_across_networks(tx);
}

/* Users can have sockets at every port of a range: the first few are warned of. */
static int judge_listener(struct tx *tx, struct look *k, const struct diag_listener *l)
{
	if (may_take(tx, k, l)) {
		if (k->warned++ < WARNINGS)
			log_warn("host port %u/%s: %s will not be reachable from outside any more",
				 l->port, hostports_proto(l->proto), diag_str(&tx->mem, l));
		return 0;
	}
	return tx_fail_as(
		tx, CPLUG_E_PORT, -EADDRINUSE,
		"host: publish host port %u/%s: the host listens there: %s (choose another port, "
		"or set onConflict to \"replace\" and replaceAcrossNetworks in "
		"/etc/cplug/cplug.conf)",
		l->port, hostports_proto(l->proto), diag_str(&tx->mem, l));
}

/* The first port for which a user needs no privilege; 0 if the kernel does not tell. */
static unsigned long free_from(void)
{
	char text[16];

	if (sysctl_read_try(NULL, "net/ipv4/ip_unprivileged_port_start", text, sizeof(text)) < 0)
		return 0;
	return strtoul(text, NULL, 10);
}

static int find_listeners_on(struct tx *tx, struct look *k, uint8_t proto)
{
	const struct hostports *p = k->n->ports;
	uint16_t first = UINT16_MAX, last = 0;
	struct diag_listener *l = NULL;
	unsigned n = 0;
	int r;

	for (unsigned i = 0; i < p->n; i++) {
		const struct port_mapping *m = &p->maps[i];

		if (m->proto != proto)
			continue;
		first = m->host < first ? m->host : first;
		last = m->host_end > last ? m->host_end : last;
	}
	if (first > last)
		return 0;
	r = diag_find_listeners(&tx->mem, proto, first, last, &l, &n);
	if (r < 0)
		return tx_fail(tx, r, "host: look for services on host ports: %s", strerror(-r));
	k->free_from = n ? free_from() : 0;
	n = keep_conflicting(k, l, n);
	n = drop_reserved(tx, l, n);
	diag_find_processes(&tx->mem, l, n);
	for (unsigned i = 0; i < n; i++)
		TRY(judge_listener(tx, k, &l[i]));
	return 0;
}

int nat_find_listeners(struct tx *tx, const struct nat *n, const struct nat_after_del *had)
{
	struct look k = { .n = n, .had = had };

	if (!n->ports)
		return 0;
	TRY(find_listeners_on(tx, &k, IPPROTO_TCP));
	TRY(find_listeners_on(tx, &k, IPPROTO_UDP));
	if (k.warned > WARNINGS)
		log_warn("host ports: %u more sockets will not be reachable from outside any more",
			 k.warned - WARNINGS);
	return 0;
}

/* ---- single ports against ranges ---------------------------------------- */

enum { FEW_PORTS = 1024 }; /* if a range has more, the map is dumped */
enum { AT_ONCE = 2048 };   /* keys that are compared at once: 20,000 would take much memory */

struct conflicts {
	struct tx *tx;
	struct owned_change c; /* its elements: the keys that would conflict */
	unsigned room;         /* of the array of elements, which is used again */
	unsigned before;       /* number of keys of the previous mappings */
	const struct hostports *p;
	const struct port_mapping *m;
	enum nat_set set; /* the map of the other kind */
};

static void add_conflict_key(struct conflicts *cf, const struct nft_key *key, unsigned port)
{
	const struct port_mapping *m = cf->m;
	struct owned_elem *e;

	if (cf->c.n == cf->room)
		cf->c.elems = mem_grow(&cf->tx->mem, cf->c.elems, cf->room++, sizeof(*e));
	e = &cf->c.elems[cf->c.n++];
	*e = (struct owned_elem){
		.set = cf->set,
		.e.key = *key,
		.conflict = cf->p->on_conflict,
		.what = mem_printf(&cf->tx->mem, "host port %u/%s", port,
				   hostports_proto(m->proto)),
	};
	/* In a map of ranges, any port of a range finds it; key_end asks for that. */
	if (!port_mapping_is_range(m))
		e->e.key_end = *key;
}

/* Is a published single port in the range?  The port is the last part of its key. */
static int note_port(const struct nft_elem *e, void *arg)
{
	struct conflicts *cf = arg;
	const struct nft_key *k = e ? &e->key : NULL;
	struct nft_key ours;
	unsigned port;

	if (!e) {
		cf->c.n = cf->before;
		return 0;
	}
	if (k->len < 4)
		return 0;
	port = (unsigned)k->b[k->len - 4] << 8 | k->b[k->len - 3];
	ours = nat_port_key(cf->m, port);
	if (port >= cf->m->host && port <= cf->m->host_end && nft_key_eq(k, &ours))
		add_conflict_key(cf, &ours, port);
	return 0;
}

static int add_conflicts(struct conflicts *cf, struct nfnl *nl, int family)
{
	const struct port_mapping *m = cf->m;
	bool range = port_mapping_is_range(m);
	int r;

	cf->set = range ? PORTS4 : RANGES4;
	if (ip_set(m->host_ip))
		cf->set -= PORTS4 - HOSTPORTS4;
	cf->set += family == AF_INET6;
	cf->before = cf->c.n;
	if (range && m->host_end - m->host >= FEW_PORTS) {
		r = nft_each_elem(nl, owned_set_ref(&cf->tx->mem, cf->c.in, cf->set), note_port,
				  cf);
		if (r < 0)
			return tx_fail(cf->tx, r, "host: look for published ports: %s",
				       strerror(-r));
		return 0;
	}
	for (unsigned port = m->host; port <= m->host_end; port++) {
		struct nft_key key = nat_port_key(m, port);

		add_conflict_key(cf, &key, port);
	}
	return 0;
}

static int resolve_conflicts(struct conflicts *cf, struct nfnl *nl, struct rt *host)
{
	if (cf->c.n)
		TRY(owned_clash(cf->tx, nl, host, &cf->c));
	cf->c.n = 0;
	return 0;
}

int nat_find_conflicts(struct tx *tx, struct nfnl *nl, struct rt *host, const struct nat *n,
		       struct owned_change *of)
{
	struct conflicts cf = { .tx = tx, .c = *of, .p = n->ports };
	const struct cidr to[] = { n->to4, n->to6 };

	cf.c.elems = NULL;
	cf.c.n = 0;
	for (unsigned f = 0; n->ports && f < ARRAY_LEN(to); f++)
		for (unsigned i = 0; ip_set(to[f].ip) && i < n->ports->n; i++) {
			cf.m = &n->ports->maps[i];
			if (port_mapping_on(cf.m, to[f].ip.family))
				TRY(add_conflicts(&cf, nl, to[f].ip.family));
			if (cf.c.n >= AT_ONCE)
				TRY(resolve_conflicts(&cf, nl, host));
		}
	TRY(resolve_conflicts(&cf, nl, host));
	of->inherits = cf.c.inherits;
	return 0;
}
