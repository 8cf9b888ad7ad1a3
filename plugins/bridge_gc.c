// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bridge_gc.c - GC and STATUS of the bridge plugin
 *
 * What is ours carries our mark (comments of elements, ifalias of links, the first line
 * of resolv.conf), so whatever a killed ADD or a DEL that never came left behind is
 * found by it.
 */
#include <stdlib.h>

#include "bridge_work.h"
#include "ipam.h"
#include "nat.h"
#include "resolv.h"
#include "spoof.h"

struct marks {
	struct mem *mem;
	const char **valid; /* sorted aliases */
	unsigned n;
	const char *prefix; /* "cplug NETWORK/" */
	const char **stale;
	unsigned n_stale;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int note_stale(const struct link *l, void *arg)
{
	struct marks *m = arg;
	const char *text = l->alias;

	if (!str_starts(text, m->prefix) ||
	    (m->n && bsearch(&text, m->valid, m->n, sizeof(*m->valid), by_text)))
		return 0;
	m->stale = mem_grow(m->mem, m->stale, m->n_stale, sizeof(*m->stale));
	m->stale[m->n_stale++] = mem_str(m->mem, l->name);
	return 0;
}

static int gc_links(struct tx *tx, struct call *c)
{
	struct marks m = { .mem = &tx->mem,
			   .valid = mem_alloc(&tx->mem, (c->n_valid + 1) * sizeof(*m.valid)),
			   .prefix = mem_printf(&tx->mem, "cplug %s/", c->network) };
	int r = 0;

	for (; m.n < c->n_valid; m.n++)
		m.valid[m.n] = bridge_alias(tx, c, c->valid[m.n].id, c->valid[m.n].ifname);
	qsort(m.valid, m.n, sizeof(*m.valid), by_text);
	TRY(link_each(tx, &c->host, "veth", note_stale, &m));
	for (unsigned i = 0; i < m.n_stale; i++)
		r = also(r, link_del(tx, &c->host, m.stale[i]));
	return r;
}

static bool resolv_valid(const char *owner, const void *arg)
{
	const struct call *c = arg;
	const char *rest = owner + strlen(c->network) + 1;

	for (unsigned i = 0; i < c->n_valid; i++) {
		size_t n = strlen(c->valid[i].id);

		if (strncmp(rest, c->valid[i].id, n) == 0 && rest[n] == '/' &&
		    str_eq(rest + n + 1, c->valid[i].ifname))
			return true;
	}
	return false;
}

/* A bridge of ours that nobody uses any more, and the table when it is empty. */
static int gc_shared(struct tx *tx, struct call *c, struct nfnl *nl, const char *name)
{
	struct link br;
	int there, used;

	if (c->n_valid)
		return 0;
	TRY(there = link_find(tx, &c->host, *name ? name : "cni0", &br));
	if (there && str_eq(br.kind, "bridge") &&
	    str_eq(br.alias, bridge_alias(tx, c, NULL, NULL))) {
		TRY(used = port_any(tx, &c->host, br.index));
		if (!used)
			TRY(link_del(tx, &c->host, br.name));
	}
	return also(spoof_prune(tx, nl), nat_prune(tx, nl));
}

int bridge_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	const char *name = cj_str(&c->conf, "bridge", "cni0");
	struct nfnl *nl;
	int r;

	TRY(bridge_excuse_options(tx, c));
	if (!c->valid_known)
		return ipam_gc(tx, c);
	TRY(call_nf(tx, c, &nl));
	r = nat_gc(tx, nl, &c->host, c->network, NAT_OF_BRIDGE, &valid);
	r = also(r, spoof_gc(tx, nl, c->network, &valid));
	r = also(r, gc_links(tx, c));
	r = also(r, resolv_gc(tx, c->network, resolv_valid, c));
	r = also(r, gc_shared(tx, c, nl, name));
	return also(r, ipam_gc(tx, c));
}

int bridge_status(struct tx *tx, struct call *c)
{
	struct bridge_conf cf;
	struct nfnl *nl;
	struct link br;
	int there;

	TRY(bridge_read_conf(tx, c, &cf));
	TRY(there = link_find(tx, &c->host, cf.bridge, &br));
	if (there && !str_eq(br.kind, "bridge"))
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, -EEXIST,
				  "host: bridge %s: the name belongs to an interface that is not a "
				  "bridge%s%s",
				  cf.bridge, *br.kind ? " but a " : "", br.kind);
	if (cf.masq4 || cf.masq6 || cf.spoof != SPOOF_OFF) {
		TRY(call_nf(tx, c, &nl));
		TRY(nat_status(tx, nl));
	}
	return ipam_status(tx, c);
}
