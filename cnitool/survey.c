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

/* Where the key is, or would be: each of thousands of objects is looked up in each turn. */
static unsigned place_of(const struct survey *s, const char *key)
{
	unsigned low = 0, high = s->n_known;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (strcmp(s->known[middle].key.s, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct survey *s, unsigned i, const char *key)
{
	return i < s->n_known && str_eq(s->known[i].key.s, key);
}

static const struct survey_known *find_known(const struct survey *s, const char *key)
{
	unsigned i = place_of(s, key);

	if (!is_at(s, i, key))
		return NULL;
	return &s->known[i];
}

bool survey_knows(const struct survey *s, const char *key)
{
	return find_known(s, key) != NULL;
}

bool survey_lives(const struct survey *s, const char *key)
{
	const struct survey_known *k = find_known(s, key);

	return k && !k->dead;
}

void survey_note(struct survey *s, const struct survey_known *k)
{
	unsigned i = place_of(s, k->key.s);

	if (is_at(s, i, k->key.s)) {
		if (s->known[i].replaceable && !k->dead)
			s->known[i].dead = NULL;
		return;
	}
	s->known = mem_grow(&s->t->tx->mem, s->known, s->n_known, sizeof(*s->known));
	memmove(&s->known[i + 1], &s->known[i], (s->n_known++ - i) * sizeof(*s->known));
	s->known[i] = *k;
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

static const char forgotten[] = "no runtime remembers its attachment";

struct survey_verdict survey_judge(const struct survey *s, const char *key, const char *network)
{
	const struct survey_network *n = survey_find_network(s, network);
	const struct survey_known *k = find_known(s, key);
	struct survey_verdict v = { .reported = true, .network = network };

	snprintf(v.key.s, sizeof(v.key.s), "%s", key);
	if (n && n->disabled) {
		v.stays = true;
	} else if (k) {
		v.stays = !k->dead;
		v.why = k->dead;
		v.reported = !k->gets_del;
	} else if (n && n->collecting) {
		v.why = forgotten;
	}
	return v;
}

/* Has its owner been found to live since it was judged? */
static bool stays_now(const struct survey *s, const struct survey_finding *f)
{
	const struct survey_network *n = survey_find_network(s, f->network);

	return survey_lives(s, f->key.s) || (f->why == forgotten && n && !n->collecting);
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
	f.key = v->key;
	f.network = v->network;
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
	int r = survey_note_files(s);

	if (s->host.sk)
		r = also(r, survey_note_links(s));
	if (s->nf.sk)
		r = also(r, survey_note_elements(s));
	if (r < 0 || !s->host.sk || !s->nf.sk)
		survey_mark_unsure(s, NULL);
	return also(r, survey_note_leases(s));
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

		if (stays_now(s, f))
			continue;
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
