// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_nft.c - nftables elements and rules without a living owner, and loopback routes without a
 * user
 */
#include "cnitool/survey.h"
#include "firewall/accept.h"
#include "firewall/nat.h"
#include "firewall/reference.h"
#include "firewall/spoof.h"

/* ---- elements ---- */

/* A table of cplug that holds elements of attachments. */
struct element_table {
	const char *name;
	int (*survey)(struct tx *tx, struct nfnl *nl, struct owned_seen **ret, unsigned *ret_n);
	/* Deletes what the index lists of an owner, for one kind. */
	int (*del)(struct survey *s, const struct owner *o, enum owned_kind kind);
	/* Deletes elements that no index lists. */
	int (*sweep)(struct survey *s, const struct owned_seen *e);
	int (*prune)(struct survey *s);
};

static int del_nat(struct survey *s, const struct owner *o, enum owned_kind kind)
{
	int r = nat_del(s->t->tx, &s->nf, &s->host, o, kind, NULL);

	return r < 0 ? r : 0;
}

static int sweep_nat(struct survey *s, const struct owned_seen *e)
{
	return nat_sweep(s->t->tx, &s->nf, &s->host, e);
}

static int del_spoof(struct survey *s, const struct owner *o, enum owned_kind kind UNUSED)
{
	return spoof_del(s->t->tx, &s->nf, o);
}

static int sweep_spoof(struct survey *s, const struct owned_seen *e)
{
	return spoof_sweep(s->t->tx, &s->nf, e);
}

static int prune_nat(struct survey *s)
{
	return nat_prune(s->t->tx, &s->nf, &s->host);
}

static int prune_spoof(struct survey *s)
{
	return spoof_prune(s->t->tx, &s->nf);
}

static int del_accept(struct survey *s, const struct owner *o, enum owned_kind kind UNUSED)
{
	return accept_del(s->t->tx, &s->nf, o, NULL, 0);
}

static int sweep_accept(struct survey *s, const struct owned_seen *e)
{
	return accept_sweep(s->t->tx, &s->nf, e);
}

static int prune_accept(struct survey *s)
{
	return accept_prune(s->t->tx, &s->nf);
}

static int del_frames(struct survey *s, const struct owner *o, enum owned_kind kind UNUSED)
{
	return accept_frames_del(s->t->tx, &s->nf, o);
}

static int sweep_frames(struct survey *s, const struct owned_seen *e)
{
	return accept_frames_sweep(s->t->tx, &s->nf, e);
}

static int prune_frames(struct survey *s)
{
	return accept_frames_prune(s->t->tx, &s->nf);
}

static const struct element_table tables[] = {
	{ "inet cplug", nat_survey, del_nat, sweep_nat, prune_nat },
	{ "bridge cplug", spoof_survey, del_spoof, sweep_spoof, prune_spoof },
	{ "inet cplug-firewall", accept_survey, del_accept, sweep_accept, prune_accept },
	{ "bridge cplug-firewall", accept_frames_survey, del_frames, sweep_frames, prune_frames },
};

struct elements {
	struct owned_seen seen;
	const struct element_table *table;
};

static int remove_elements(struct survey *s, const void *data)
{
	const struct elements *e = data;
	struct owner o = { .comment = e->seen.comment };

	if (e->seen.kind == OWNED_UNLISTED)
		return e->table->sweep(s, &e->seen);
	memcpy(o.key.s, e->seen.key, sizeof(o.key.s));
	return e->table->del(s, &o, e->seen.kind);
}

/* Why the elements themselves show that their owner is dead; NULL if they do not. */
static int element_death_reason(struct survey *s, const struct owned_seen *e, const char **ret)
{
	int there;

	*ret = NULL;
	if (e->kind == OWNED_UNLISTED) {
		*ret = "no index lists them";
		return 0;
	}
	if (e->link) {
		TRY(there = link_find_index(s->t->tx, &s->host, (int)e->link, NULL));
		if (!there)
			*ret = "the link of their attachment is gone";
	}
	if (!*ret && e->ino && alive_is_gone(s->t->tx, &s->alive, (ino_t)e->ino, e->cookie))
		*ret = "the network namespace of their attachment is gone";
	return 0;
}

/* The network of "NETWORK/ID/IFNAME"; NULL if the text was cut within it. */
static const char *network_of_owner(struct mem *m, const char *owner)
{
	const char *slash = strchr(owner, '/');

	if (!slash)
		return NULL;
	return mem_printf(m, "%.*s", (int)(slash - owner), owner);
}

/* "NETWORK/ID/IFNAME", which may be cut. */
static const char *owner_text(const struct owned_seen *e)
{
	if (strlen(e->comment) <= sizeof(e->key))
		return "";
	return e->comment + sizeof(e->key);
}

static const char *kind_label(enum owned_kind kind)
{
	switch (kind) {
	case OWNED_UNLISTED:
		return " (stray)";
	case OWNED_PORTMAP_NAT:
		return " (portmap)";
	default:
		return "";
	}
}

static int judge_elements(struct survey *s, const struct owned_seen *e,
			  const struct element_table *table)
{
	struct mem *m = &s->t->tx->mem;
	const char *owner = owner_text(e);
	struct survey_verdict v = survey_judge(s, e->key, network_of_owner(m, owner));
	struct elements *copy;

	if (v.stays || !survey_wants(s, owner))
		return 0;
	if (!v.why)
		TRY(element_death_reason(s, e, &v.why));
	if (!v.why)
		return 0;
	copy = mem_alloc(m, sizeof(*copy));
	*copy = (struct elements){ *e, table };
	survey_add(s, &v,
		   (struct survey_finding){
			   .kind = "nftables",
			   .object = mem_printf(m, "elements%s of table %s", kind_label(e->kind),
						table->name),
			   .owner = owner,
			   .remove = remove_elements,
			   .data = copy,
		   });
	return 0;
}

typedef int element_fn(struct survey *s, const struct owned_seen *e,
		       const struct element_table *table);

static int each_element(struct survey *s, element_fn *fn)
{
	int r = 0;

	for (unsigned k = 0; k < ARRAY_LEN(tables); k++) {
		struct owned_seen *e;
		unsigned n = 0;

		r = also(r, tables[k].survey(s->t->tx, &s->nf, &e, &n));
		for (unsigned i = 0; i < n; i++)
			r = also(r, fn(s, &e[i], &tables[k]));
	}
	return r;
}

int survey_elements(struct survey *s)
{
	return each_element(s, judge_elements);
}

/* A comment that was cut names another key. */
static int note_owner(struct survey *s, const struct owned_seen *e,
		      const struct element_table *table UNUSED)
{
	struct mark_owner o;
	const char *why;

	if (!e->kind || !e->ino || survey_lives(s, e->key) ||
	    !mark_parse_owner(&s->t->tx->mem, owner_text(e), &o) || !o.id ||
	    !str_eq(name_owner(o.network, o.id, o.ifname).s, e->key))
		return 0;
	TRY(element_death_reason(s, e, &why));
	if (!why)
		survey_note_owner(s, o.network, o.id, o.ifname);
	return 0;
}

int survey_note_elements(struct survey *s)
{
	return each_element(s, note_owner);
}

int survey_prune_tables(struct survey *s)
{
	int r = 0;

	for (unsigned k = ARRAY_LEN(tables); k-- > 0;)
		r = also(r, tables[k].prune(s));
	return r;
}

/* ---- rules of the reference plugins ---- */

static int remove_reference(struct survey *s, const void *data)
{
	return reference_del(s->t->tx, &s->nf, data, REFERENCE_ALL);
}

/* Rules of iptables-nft do not name the interface: one that lives keeps the container's. */
static struct survey_verdict judge_reference(const struct survey *s, const struct reference *r)
{
	const struct survey_network *n = survey_find_network(s, r->network);
	struct survey_verdict v = survey_judge(s, "", r->network);

	if (n && n->disabled)
		return v;
	for (unsigned i = 0; i < s->n_known; i++) {
		const struct survey_known *k = &s->known[i];

		if (!str_eq(k->network, r->network) || !str_eq(k->id, r->id))
			continue;
		if (!k->dead)
			return (struct survey_verdict){ .stays = true };
		v.why = k->dead;
		v.reported = !k->gets_del;
	}
	return v;
}

int survey_reference(struct survey *s)
{
	struct mem *m = &s->t->tx->mem;
	struct reference *v = NULL;
	unsigned n = 0;

	TRY(reference_survey(s->t->tx, &s->nf, &v, &n));
	for (unsigned i = 0; i < n; i++) {
		const char *owner = mem_printf(m, "%s/%s/%s", v[i].network, v[i].id,
					       v[i].ifname ? v[i].ifname : "");
		struct survey_verdict verdict = judge_reference(s, &v[i]);

		if (verdict.stays || !verdict.why || !survey_wants(s, owner))
			continue;
		v[i].dead = true;
		survey_add(s, &verdict,
			   (struct survey_finding){
				   .kind = "nftables",
				   .object = "rules of the reference plugins",
				   .owner = owner,
				   .remove = remove_reference,
				   .data = &v[i],
			   });
	}
	return 0;
}

/* ---- loopback routes ---- */

static int remove_loopback_route(struct survey *s, const void *data)
{
	return nat_loopback_close(s->t->tx, &s->nf, &s->host, data);
}

int survey_loopback_routes(struct survey *s)
{
	const struct survey_verdict unused = { .why = "no container behind it has published ports",
					       .reported = true };
	struct mem *m = &s->t->tx->mem;
	struct nat_loopback_route *routes;
	unsigned n;

	/* They belong to a device, not to a network. */
	if (s->only)
		return 0;
	TRY(nat_loopback_survey(s->t->tx, &s->nf, &s->host, &routes, &n));
	for (unsigned i = 0; i < n; i++)
		survey_add(s, &unused,
			   (struct survey_finding){
				   .kind = "sysctl",
				   .object = mem_printf(m,
							routes[i].family == AF_INET6
								? "local route ::1 on %s"
								: "route_localnet of %s",
							routes[i].dev),
				   .remove = remove_loopback_route,
				   .data = &routes[i],
			   });
	return 0;
}
