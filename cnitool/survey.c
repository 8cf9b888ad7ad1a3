// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey.c - decide which objects have no living owner, and remove them
 */
#include "cnitool/survey.h"

#include "cnitool/errctx.h"

const struct survey_network *survey_find_network(const struct survey *s, const char *name)
{
	for (unsigned i = 0; name && i < s->n_nets; i++)
		if (str_eq(s->nets[i].name, name))
			return &s->nets[i];
	return NULL;
}

static const struct survey_known *find_known(const struct survey *s, const char *key)
{
	for (unsigned i = 0; i < s->n_known; i++)
		if (str_eq(s->known[i].key.s, key))
			return &s->known[i];
	return NULL;
}

bool survey_knows(const struct survey *s, const char *key)
{
	return find_known(s, key) != NULL;
}

void survey_note(struct survey *s, const struct survey_known *k)
{
	if (survey_knows(s, k->key.s))
		return;
	s->known = mem_grow(&s->t->tx->mem, s->known, s->n_known, sizeof(*s->known));
	s->known[s->n_known++] = *k;
}

void survey_note_owner(struct survey *s, const char *network, const char *id, const char *ifname)
{
	const struct survey_known k = {
		.key = name_owner(network, id, ifname),
		.network = network,
		.id = id,
		.ifname = ifname,
	};

	survey_note(s, &k);
}

void survey_mark_unsure(struct survey *s, const char *network)
{
	for (unsigned i = 0; i < s->n_nets; i++)
		if (!network || str_eq(s->nets[i].name, network)) {
			s->nets[i].unsure = true;
			s->nets[i].collecting = false;
		}
}

struct survey_verdict survey_judge(const struct survey *s, const char *key, const char *network)
{
	const struct survey_network *n = survey_find_network(s, network);
	const struct survey_known *k = find_known(s, key);

	if (n && n->disabled)
		return (struct survey_verdict){ .stays = true };
	if (k)
		return (struct survey_verdict){ .stays = !k->dead,
						.why = k->dead,
						.reported = !k->gets_del };
	if (n && n->collecting)
		return (struct survey_verdict){ .why = "no runtime remembers its attachment",
						.reported = true };
	return (struct survey_verdict){ .reported = true };
}

bool survey_wants(const struct survey *s, const char *owner)
{
	size_t n = s->only ? strlen(s->only) : 0;

	return !s->only || (strncmp(owner, s->only, n) == 0 && (!owner[n] || owner[n] == '/'));
}

void survey_add(struct survey *s, const struct survey_verdict *v, struct survey_finding f)
{
	f.why = v->why;
	f.reported = v->reported;
	s->v = mem_grow(&s->t->tx->mem, s->v, s->n, sizeof(*s->v));
	s->v[s->n++] = f;
}

int survey_open(struct survey *s)
{
	int r = rt_open(s->t->tx, &s->host, "host", NULL);

	return also(r, nfnl_open(s->t->tx, &s->nf, NULL));
}

int survey_note_living(struct survey *s)
{
	int r = survey_note_leases(s);

	r = also(r, survey_note_files(s));
	if (s->host.sk)
		r = also(r, survey_note_links(s));
	if (s->nf.sk)
		r = also(r, survey_note_elements(s));
	if (r < 0 || !s->host.sk || !s->nf.sk)
		survey_mark_unsure(s, NULL);
	return r;
}

int survey_look(struct survey *s)
{
	int r = survey_leases(s);

	r = also(r, survey_files(s));
	if (s->host.sk)
		r = also(r, survey_links(s));
	if (!s->host.sk || !s->nf.sk)
		return r;
	r = also(r, survey_elements(s));
	r = also(r, survey_reference(s));
	return also(r, survey_loopback_routes(s));
}

int survey_sweep(struct survey *s)
{
	struct errctx m;
	int r;

	for (unsigned i = 0; i < s->n; i++) {
		struct survey_finding *f = &s->v[i];

		m = errctx_mark(s->t->tx);
		r = f->remove(s, f->data);
		f->removed = r == 0;
		r = errctx_prefix(s->t->tx, m, r, "%s: ", f->object);
		if (r == -EINTR)
			return r;
		if (r < 0)
			tool_report(s->t, m);
	}
	if (!s->nf.sk || s->only)
		return 0;
	m = errctx_mark(s->t->tx);
	r = survey_prune_tables(s);
	if (r < 0 && r != -EINTR)
		tool_report(s->t, m);
	return r == -EINTR ? r : 0;
}

void survey_close(struct survey *s)
{
	nfnl_close(&s->nf);
	rt_close(&s->host);
}
