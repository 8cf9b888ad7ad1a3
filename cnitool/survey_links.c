// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_links.c - links on the host without a living owner
 */
#include "cnitool/survey.h"
#include "netlink/bridge_port.h"
#include "netlink/link.h"

struct link_survey {
	struct survey *s;
	struct link *bridges; /* of networks that are not known */
	unsigned n_bridges;
};

/* By ifindex, because the name may belong to another link by now. */
static int remove_link(struct survey *s, const void *data)
{
	const struct link *l = data;
	struct link now;
	int there;

	TRY(there = link_find_index(s->t->tx, &s->host, l->index, &now));
	if (!there || !str_eq(now.alias, l->alias))
		return 0;
	return link_del(s->t->tx, &s->host, now.name);
}

/* An attachment may have been added in the meantime. */
static int remove_bridge(struct survey *s, const void *data)
{
	const struct link *l = data;
	int used;

	TRY(used = bridge_port_any(s->t->tx, &s->host, l->index));
	if (used)
		return 0;
	return remove_link(s, data);
}

static void add_link(struct survey *s, const struct survey_verdict *v, const struct link *l,
		     const char *owner)
{
	struct mem *m = &s->t->tx->mem;

	survey_add(s, v,
		   (struct survey_finding){
			   .kind = "link",
			   .object = mem_printf(m, "%s %s", l->kind, l->name),
			   .owner = mem_str(m, owner),
			   .remove = str_eq(l->kind, "bridge") ? remove_bridge : remove_link,
			   .data = mem_dup(m, l, sizeof(*l)),
		   });
}

/* ---- of an attachment ---- */

static int note_veth(const struct link *l, void *arg)
{
	struct link_survey *x = arg;
	struct survey *s = x->s;
	struct mem *m = &s->t->tx->mem;
	struct survey_verdict v;
	struct mark_owner o;

	if (!mark_parse(m, l->alias, &o) || !o.id || !survey_wants(s, o.network))
		return 0;
	v = survey_judge(s, name_owner(o.network, o.id, o.ifname).s, o.network);
	if (!v.stays && v.why)
		add_link(s, &v, l, mem_printf(m, "%s/%s/%s", o.network, o.id, o.ifname));
	return 0;
}

/* ---- of a network ---- */

static bool has_living(const struct survey *s, const char *network)
{
	for (unsigned i = 0; i < s->n_known; i++)
		if (!s->known[i].dead && str_eq(s->known[i].network, network))
			return true;
	return false;
}

static int note_bridge(const struct link *l, void *arg)
{
	struct link_survey *x = arg;
	struct survey *s = x->s;
	struct mark_owner o;

	if (!mark_parse(&s->t->tx->mem, l->alias, &o) || o.id || !survey_wants(s, o.network) ||
	    survey_find_network(s, o.network) || has_living(s, o.network))
		return 0;
	x->bridges = mem_grow(&s->t->tx->mem, x->bridges, x->n_bridges, sizeof(*x->bridges));
	x->bridges[x->n_bridges++] = *l;
	return 0;
}

static int judge_bridge(struct survey *s, const struct link *l)
{
	const struct survey_verdict unused = {
		.why = "its network is not configured, and it has no ports",
		.reported = true,
	};
	struct mark_owner o;
	int used;

	TRY(used = bridge_port_any(s->t->tx, &s->host, l->index));
	if (!used && mark_parse(&s->t->tx->mem, l->alias, &o))
		add_link(s, &unused, l, o.network);
	return 0;
}

int survey_links(struct survey *s)
{
	struct link_survey x = { .s = s };

	TRY(link_each(s->t->tx, &s->host, "veth", note_veth, &x));
	TRY(link_each(s->t->tx, &s->host, "bridge", note_bridge, &x));
	for (unsigned i = 0; i < x.n_bridges; i++)
		TRY(judge_bridge(s, &x.bridges[i]));
	return 0;
}
