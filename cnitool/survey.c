// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey.c - everything of ours without a living owner: verdicts, and nftables, links, files
 */
#include <stdio.h>

#include "cnitool/errctx.h"
#include "netlink/link.h"
#include "firewall/nat.h"
#include "netlink/bridge_port.h"
#include "cni/resolv.h"
#include "firewall/spoof.h"
#include "cnitool/survey.h"

/* ---- who lives ---- */

static const struct survey_network *network_of(const struct survey *s, const char *name)
{
	for (unsigned i = 0; name && i < s->n_nets; i++)
		if (str_eq(s->nets[i].name, name))
			return &s->nets[i];
	return NULL;
}

bool survey_knows(const struct survey *s, const char *key)
{
	for (unsigned i = 0; i < s->n_known; i++)
		if (str_eq(s->known[i].key.s, key))
			return true;
	return false;
}

struct survey_verdict survey_judge(const struct survey *s, const char *key, const char *network)
{
	const struct survey_network *n = network_of(s, network);

	if (n && n->disabled)
		return (struct survey_verdict){ .stays = true };
	for (unsigned i = 0; i < s->n_known; i++)
		if (str_eq(s->known[i].key.s, key))
			return (struct survey_verdict){ .stays = !s->known[i].dead,
							.why = s->known[i].dead,
							.told = !s->known[i].deleting };
	if (n && n->collecting)
		return (struct survey_verdict){ .why = "no runtime remembers its attachment",
						.told = true };
	return (struct survey_verdict){ .told = true };
}

bool survey_wants(const struct survey *s, const char *owner)
{
	size_t n = s->only ? strlen(s->only) : 0;

	return !s->only || (strncmp(owner, s->only, n) == 0 && (!owner[n] || owner[n] == '/'));
}

void survey_add(struct survey *s, struct survey_finding f)
{
	s->v = mem_grow(&s->t->tx->mem, s->v, s->n, sizeof(*s->v));
	s->v[s->n++] = f;
}

/* The network of "NETWORK/ID/IFNAME", or NULL if it was cut before its end. */
static const char *network_in(struct mem *m, const char *owner)
{
	const char *slash = strchr(owner, '/');

	return slash ? mem_printf(m, "%.*s", (int)(slash - owner), owner) : NULL;
}

/* ---- nftables elements ---- */

struct elements {
	struct owned_seen seen;
	bool bridge; /* of table bridge cplug, else inet */
};

static int remove_elements(struct survey *s, const struct survey_finding *f)
{
	const struct elements *e = f->data;
	struct owner o = { .comment = e->seen.comment };

	memcpy(o.key.s, e->seen.key, sizeof(o.key.s));
	if (e->bridge)
		return e->seen.kind ? spoof_del(s->t->tx, &s->nf, &o)
				    : spoof_sweep(s->t->tx, &s->nf, &e->seen);
	return e->seen.kind ? nat_del(s->t->tx, &s->nf, &s->host, &o, e->seen.kind)
			    : nat_sweep(s->t->tx, &s->nf, &s->host, &e->seen);
}

/* Why its elements tell themselves that the owner is dead; NULL if they do not. */
static int element_death_reason(struct survey *s, const struct owned_seen *e, const char **ret)
{
	int there;

	*ret = e->kind ? NULL : "no index lists them";
	if (!e->kind || !e->link)
		return 0;
	TRY(there = link_find_index(s->t->tx, &s->host, (int)e->link, NULL));
	if (!there)
		*ret = "the link of their attachment is gone";
	return 0;
}

static int judge_elements(struct survey *s, const struct owned_seen *e, bool bridge)
{
	struct mem *m = &s->t->tx->mem;
	const char *owner = strlen(e->comment) > sizeof(e->key) ? e->comment + sizeof(e->key) : "";
	const char *network = network_in(m, owner);
	struct survey_verdict v = survey_judge(s, e->key, network);
	struct elements *copy;

	if (!survey_wants(s, owner) || v.stays)
		return 0;
	if (!v.why)
		TRY(element_death_reason(s, e, &v.why));
	if (!v.why)
		return 0;
	copy = mem_alloc(m, sizeof(*copy));
	*copy = (struct elements){ *e, bridge };
	survey_add(s, (struct survey_finding){
			      .kind = "nftables",
			      .object = mem_printf(m, "elements%s of table %s cplug",
						   e->kind == OWNED_PORTMAP_NAT ? " (portmap)"
						   : e->kind                    ? ""
										: " (stray)",
						   bridge ? "bridge" : "inet"),
			      .owner = owner,
			      .why = v.why,
			      .told = v.told,
			      .remove = remove_elements,
			      .data = copy,
		      });
	return 0;
}

int survey_elements(struct survey *s)
{
	struct tx *tx = s->t->tx;

	for (int bridge = 0; bridge < 2; bridge++) {
		struct owned_seen *e;
		unsigned n;

		TRY(bridge ? spoof_survey(tx, &s->nf, &e, &n) : nat_survey(tx, &s->nf, &e, &n));
		for (unsigned i = 0; i < n; i++)
			TRY(judge_elements(s, &e[i], bridge));
	}
	return 0;
}

/* ---- links ---- */

/* It may have been deleted, and its name given to another. */
static int remove_link(struct survey *s, const struct survey_finding *f)
{
	struct link l;
	int there;

	TRY(there = link_find(s->t->tx, &s->host, f->text, &l));
	return there && str_eq(l.alias, f->data) ? link_del(s->t->tx, &s->host, l.name) : 0;
}

static void add_link(struct survey *s, const struct link *l, const char *what, const char *why,
		     bool told)
{
	struct mem *m = &s->t->tx->mem;

	survey_add(s, (struct survey_finding){
			      .kind = "link",
			      .object = mem_printf(m, "%s %s", what, l->name),
			      .owner = mem_str(m, l->alias + strlen("cplug ")),
			      .why = why,
			      .told = told,
			      .remove = remove_link,
			      .text = mem_str(m, l->name),
			      .data = mem_str(m, l->alias),
		      });
}

/* "NETWORK/ID/IFNAME" as a key; false if the text was cut. */
static bool key_of(struct mem *m, const char *owner, struct name_owner *ret)
{
	char *network = mem_str(m, owner), *id = strchr(network, '/');
	char *ifname = id ? strchr(id + 1, '/') : NULL;

	if (!ifname || strlen(owner) + strlen("cplug ") >= 255)
		return false;
	*id++ = *ifname++ = '\0';
	*ret = name_owner(network, id, ifname);
	return true;
}

static int note_veth(const struct link *l, void *arg)
{
	struct survey *s = arg;
	struct mem *m = &s->t->tx->mem;
	const char *owner = l->alias + strlen("cplug ");
	struct survey_verdict v;
	struct name_owner key;

	if (!str_starts(l->alias, "cplug ") || !survey_wants(s, owner) || !key_of(m, owner, &key))
		return 0;
	v = survey_judge(s, key.s, network_in(m, owner));
	if (!v.stays && v.why)
		add_link(s, l, "veth", v.why, v.told);
	return 0;
}

struct bridges {
	struct survey *s;
	struct link *v;
	unsigned n;
};

/* A bridge that cplug made for a network that is not configured any more. */
static int note_bridge(const struct link *l, void *arg)
{
	struct bridges *b = arg;
	const char *network = l->alias + strlen("cplug ");

	if (!str_starts(l->alias, "cplug ") || strchr(network, '/') ||
	    !survey_wants(b->s, network) || network_of(b->s, network))
		return 0;
	for (unsigned i = 0; i < b->s->n_known; i++)
		if (!b->s->known[i].dead && str_eq(b->s->known[i].network, network))
			return 0;
	b->v = mem_grow(&b->s->t->tx->mem, b->v, b->n, sizeof(*b->v));
	b->v[b->n++] = *l;
	return 0;
}

/* Somebody may have been plugged in meanwhile. */
static int remove_bridge(struct survey *s, const struct survey_finding *f)
{
	struct link l;
	int there, used;

	TRY(there = link_find(s->t->tx, &s->host, f->text, &l));
	TRY(used = there ? bridge_port_any(s->t->tx, &s->host, l.index) : 0);
	return used ? 0 : remove_link(s, f);
}

int survey_links(struct survey *s)
{
	struct bridges b = { .s = s };
	struct tx *tx = s->t->tx;
	int used;

	TRY(link_each(tx, &s->host, "veth", note_veth, s));
	TRY(link_each(tx, &s->host, "bridge", note_bridge, &b));
	for (unsigned i = 0; i < b.n; i++) {
		TRY(used = bridge_port_any(tx, &s->host, b.v[i].index));
		if (used)
			continue;
		add_link(s, &b.v[i], "bridge", "its network is not configured, and it has no ports",
			 true);
		s->v[s->n - 1].remove = remove_bridge;
	}
	return 0;
}

/* ---- resolv.conf files ---- */

static int remove_file(struct survey *s, const struct survey_finding *f)
{
	return resolv_remove(s->t->tx, f->text, f->owner);
}

static bool is_netns_gone(struct mem *m, const char *netns)
{
	return access(mem_printf(m, "/run/netns/%s", netns), F_OK) < 0 && errno == ENOENT &&
	       access(mem_printf(m, "/var/run/netns/%s", netns), F_OK) < 0 && errno == ENOENT;
}

static void note_file(const char *path, const char *netns, const char *owner, void *arg)
{
	struct survey *s = arg;
	struct mem *m = &s->t->tx->mem;
	struct survey_verdict v;
	struct name_owner key;

	if (!survey_wants(s, owner) || !key_of(m, owner, &key))
		return;
	v = survey_judge(s, key.s, network_in(m, owner));
	if (!v.stays && !v.why && is_netns_gone(m, netns))
		v.why = mem_printf(m, "there is no namespace named %s", netns);
	if (v.stays || !v.why)
		return;
	survey_add(s, (struct survey_finding){
			      .kind = "file",
			      .object = mem_str(m, path),
			      .owner = mem_str(m, owner),
			      .why = v.why,
			      .told = v.told,
			      .remove = remove_file,
			      .text = mem_str(m, path),
		      });
}

int survey_files(struct survey *s)
{
	resolv_each(s->t->tx, note_file, s);
	return 0;
}

/* ---- routes from the host's loopback ---- */

static int remove_loopback_route(struct survey *s, const struct survey_finding *f)
{
	return nat_loopback_close(s->t->tx, &s->nf, &s->host, f->data);
}

int survey_loopback_routes(struct survey *s)
{
	struct mem *m = &s->t->tx->mem;
	struct nat_loopback_route *routes;
	unsigned n;

	/* They belong to a device, not to a network. */
	if (s->only)
		return 0;
	TRY(nat_loopback_survey(s->t->tx, &s->nf, &s->host, &routes, &n));
	for (unsigned i = 0; i < n; i++)
		survey_add(s, (struct survey_finding){
				      .kind = "sysctl",
				      .object = mem_printf(m,
							   routes[i].family == AF_INET6
								   ? "local route ::1 on %s"
								   : "route_localnet of %s",
							   routes[i].dev),
				      .why = "nobody behind it has published ports",
				      .told = true,
				      .remove = remove_loopback_route,
				      .data = &routes[i],
			      });
	return 0;
}

/* ---- all of it ---- */

int survey_look(struct survey *s)
{
	int r = rt_open(s->t->tx, &s->host, "host", NULL);

	r = also(r, nfnl_open(s->t->tx, &s->nf, NULL));
	r = also(r, survey_leases(s));
	r = also(r, survey_files(s));
	if (s->host.sk)
		r = also(r, survey_links(s));
	if (!s->host.sk || !s->nf.sk)
		return r;
	r = also(r, survey_elements(s));
	return also(r, survey_loopback_routes(s));
}

int survey_sweep(struct survey *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->n; i++) {
		struct errctx m = errctx_mark(s->t->tx);
		int one = s->v[i].remove(s, &s->v[i]);

		s->v[i].removed = one == 0;
		r = also(r, errctx_prefix(s->t->tx, m, one, "%s: ", s->v[i].object));
	}
	/* The tables, if that was all. */
	if (!s->nf.sk || s->only)
		return r;
	r = also(r, spoof_prune(s->t->tx, &s->nf));
	return also(r, nat_prune(s->t->tx, &s->nf));
}

void survey_close(struct survey *s)
{
	nfnl_close(&s->nf);
	rt_close(&s->host);
}
