// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * gc.c - GC and STATUS of the bridge plugin
 *
 * What is ours carries our mark (comments of elements, ifalias of links, the first line
 * of resolv.conf), so whatever a killed ADD or a DEL that never came left behind is
 * found by it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "plugins/bridge/work.h"
#include "firewall/foreign_fw.h"
#include "cni/ipam.h"
#include "firewall/nat.h"
#include "cni/resolv.h"
#include "firewall/spoof.h"

struct marks {
	struct mem *mem;
	const char **valid; /* sorted aliases */
	unsigned n;
	const char *prefix; /* "cplug NETWORK/" */
	struct link *stale;
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
	m->stale[m->n_stale++] = *l;
	return 0;
}

static int gc_links(struct tx *tx, struct call *c)
{
	struct marks m = { .mem = &tx->mem,
			   .valid = mem_alloc(&tx->mem, (c->n_valid + 1) * sizeof(*m.valid)),
			   .prefix = mem_printf(&tx->mem, "cplug %s/", c->network) };

	for (; m.n < c->n_valid; m.n++)
		m.valid[m.n] = bridge_alias(tx, c, c->valid[m.n].id, c->valid[m.n].ifname);
	qsort(m.valid, m.n, sizeof(*m.valid), by_text);
	TRY(link_each(tx, &c->host, "veth", note_stale, &m));
	return link_del_all(tx, &c->host, m.stale, m.n_stale);
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
		TRY(used = bridge_port_any(tx, &c->host, br.index));
		if (!used)
			TRY(link_del(tx, &c->host, br.name));
	}
	return also(spoof_prune(tx, nl), nat_prune(tx, nl));
}

int bridge_gc(struct tx *tx, struct call *c)
{
	struct owned_valid valid = call_valid_keys(tx, c);
	struct attachments all = { &tx->mem, c };
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
	r = also(r, resolv_gc(tx, c->network, resolv_valid, &all));
	r = also(r, gc_shared(tx, c, nl, name));
	return also(r, ipam_gc(tx, c));
}

/* Which families a network gives addresses of, as far as its configuration tells. */
static void note_family(const struct cj *v, const char *key, bool *four, bool *six)
{
	const char *text = cj_str(v, key, "");

	*six |= strchr(text, ':') != NULL;
	*four |= strchr(text, '.') != NULL;
}

static void note_families(const struct cj *sets, bool *four, bool *six)
{
	for (unsigned i = 0; i < cj_len(sets); i++) {
		struct cj set = cj_at(sets, i);

		for (unsigned k = 0; k < cj_len(&set); k++) {
			struct cj range = cj_at(&set, k);

			note_family(&range, "subnet", four, six);
		}
	}
}

static void families(const struct cj *conf, bool *four, bool *six)
{
	struct cj ipam = cj_obj(conf, "ipam"), runtime = cj_obj(conf, "runtimeConfig");
	struct cj sets = cj_list(&ipam, "ranges"), more = cj_list(&runtime, "ipRanges");
	struct cj addresses = cj_list(&ipam, "addresses");

	*four = *six = false;
	note_family(&ipam, "subnet", four, six);
	note_families(&sets, four, six);
	note_families(&more, four, six);
	for (unsigned i = 0; i < cj_len(&addresses); i++) {
		struct cj a = cj_at(&addresses, i);

		note_family(&a, "address", four, six);
	}
	*four |= !*six;
}

/* Does another's firewall let the bridge pass?  Running containers suffer as well. */
static int check_forwarding(struct tx *tx, struct call *c, const struct bridge_conf *cf,
			    struct link *br)
{
	bool four, six;
	const char *who;
	struct nfnl *nl;

	if (!br->index) /* there will be one */
		snprintf(br->name, sizeof(br->name), "%s", cf->bridge);
	families(&c->conf, &four, &six);
	TRY(call_nf(tx, c, &nl));
	if (nft_usable(nl) < 0)
		return 0;
	TRY(foreign_fw_check(tx, nl, br, four && cf->is_gateway, six && cf->is_gateway, &who));
	return who ? tx_fail_as(tx, CNI_E_DEGRADED, -EACCES, "host: %s", who) : 0;
}

int bridge_status(struct tx *tx, struct call *c)
{
	struct bridge_conf cf;
	struct nfnl *nl;
	struct link br = { .index = 0 };
	int there, r;

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
	r = ipam_status(tx, c);
	return r < 0 ? r : check_forwarding(tx, c, &cf, &br);
}
