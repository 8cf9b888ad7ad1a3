// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_links.c - links on the host without a living owner
 */
#include <stdlib.h>

#include "cnitool/survey.h"
#include "netlink/bridge.h"
#include "netlink/link.h"

struct link_survey {
	struct survey *s;
	const struct mark *marks; /* of s->known, in that order */
	struct link *v;           /* links that may be cplug's */
	unsigned n;
};

static int note_link(const struct link *l, void *arg)
{
	struct link_survey *x = arg;

	if (!l) {
		x->v = NULL;
		x->n = 0;
		return 0;
	}
	if (*l->alias ? !mark_is_any(l->alias) : !l->group)
		return 0;
	x->v = mem_grow(&x->s->t->tx->mem, x->v, x->n, sizeof(*x->v));
	x->v[x->n++] = *l;
	return 0;
}

/* By ifindex, because the name may belong to another link by now. */
static int remove_link(struct survey *s, const void *data)
{
	const struct link *l = data;
	struct link now;
	int there;

	TRY(there = link_find_index(s->t->tx, &s->host, l->index, &now));
	if (!there || !str_eq(now.alias, l->alias) || now.group != l->group)
		return 0;
	/* An attachment may have been added in the meantime. */
	if (str_eq(now.kind, "bridge"))
		return bridge_drop(s->t->tx, &s->host, &now);
	return link_del(s->t->tx, &s->host, &now);
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
			   .remove = remove_link,
			   .data = mem_dup(m, l, sizeof(*l)),
		   });
}

/* ---- of an attachment ---- */

/*
 * The attachment that a link belongs to: by its alias; or as one of the known attachments, if the
 * alias is a shortened mark, or if an ADD was killed before the link got its alias (mark.h).
 */
static bool find_owner(const struct link_survey *x, const struct link *l, struct mark_owner *ret)
{
	const struct survey *s = x->s;

	if (mark_parse(&s->t->tx->mem, l->alias, ret))
		return ret->id != NULL;
	for (unsigned i = 0; i < s->n_known; i++) {
		const struct survey_known *k = &s->known[i];

		if (!link_is_marked(l, &x->marks[i]))
			continue;
		*ret = (struct mark_owner){ k->network, k->id, k->ifname };
		return true;
	}
	return false;
}

/*
 * Not a device, which cannot be deleted; nor an interface that an attachment gave to this
 * namespace, because the host may itself be a container of another one.
 */
static bool is_host_end(const struct link *l, const struct mark_owner *o)
{
	return *l->kind && !str_eq(l->name, o->ifname);
}

static void judge_link(struct link_survey *x, const struct link *l)
{
	struct survey *s = x->s;
	struct survey_verdict v;
	struct mark_owner o;

	if (!find_owner(x, l, &o) || !is_host_end(l, &o) || !survey_wants(s, o.network))
		return;
	v = survey_judge(s, name_owner(o.network, o.id, o.ifname).s, o.network);
	if (!v.stays && v.why)
		add_link(s, &v, l,
			 mem_printf(&s->t->tx->mem, "%s/%s/%s", o.network, o.id, o.ifname));
}

int survey_note_links(struct survey *s)
{
	struct link_survey x = { .s = s };
	struct mark_owner o;

	TRY(link_each(s->t->tx, &s->host, "", note_link, &x));
	for (unsigned i = 0; i < x.n; i++)
		if (x.v[i].parent_nsid >= 0 && link_is_end(&x.v[i]) &&
		    mark_parse(&s->t->tx->mem, x.v[i].alias, &o) && o.id &&
		    is_host_end(&x.v[i], &o) &&
		    /* The kernel may be destroying the namespace of one that is dead. */
		    !survey_knows(s, name_owner(o.network, o.id, o.ifname).s))
			survey_note_owner(s, o.network, o.id, o.ifname);
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

/* A bridge that cplug made for a network which is not configured any more. */
static int judge_bridge(struct survey *s, const struct link *l)
{
	const struct survey_verdict unused = {
		.why = "its network is not configured, and it has no ports",
		.reported = true,
	};
	struct mark_owner o;
	int used;

	if (!str_eq(l->kind, "bridge") || !mark_parse(&s->t->tx->mem, l->alias, &o) || o.id ||
	    !survey_wants(s, o.network) || survey_find_network(s, o.network) ||
	    has_living(s, o.network))
		return 0;
	TRY(used = bridge_used(s->t->tx, &s->host, l->index, 0));
	if (!used)
		add_link(s, &unused, l, o.network);
	return 0;
}

/* ---- all ---- */

static int by_index(const void *a, const void *b)
{
	return ((const struct link *)a)->index - ((const struct link *)b)->index;
}

int survey_links(struct survey *s)
{
	struct mark *marks = mem_alloc(&s->t->tx->mem, (s->n_known + 1) * sizeof(*marks));
	struct link_survey x = { .s = s, .marks = marks };
	int r = 0;

	for (unsigned i = 0; i < s->n_known; i++)
		marks[i] = mark_of(s->known[i].network, s->known[i].id, s->known[i].ifname);
	TRY(link_each(s->t->tx, &s->host, "", note_link, &x));
	/* Old kernels list links in the order of a hash table. */
	if (x.n)
		qsort(x.v, x.n, sizeof(*x.v), by_index);
	for (unsigned i = 0; i < x.n; i++) {
		judge_link(&x, &x.v[i]);
		r = also(r, judge_bridge(s, &x.v[i]));
	}
	return r;
}
