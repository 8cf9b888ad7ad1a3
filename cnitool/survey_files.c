// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_files.c - resolv.conf files and state documents without a living owner
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>

#include "cni/resolv.h"
#include "cnitool/errctx.h"
#include "cnitool/survey.h"
#include "sys/file.h"
#include "sys/state.h"
#include "value/mark.h"

/* ---- resolv.conf ---- */

struct resolv_file {
	const char *path, *owner;
};

static int remove_resolv(struct survey *s, const void *data)
{
	const struct resolv_file *f = data;

	return resolv_remove(s->t->tx, f->path, f->owner);
}

/* Is there no namespace of that name (ip-netns(8))? */
static bool is_netns_gone(struct mem *m, const char *netns)
{
	return file_is_gone(mem_printf(m, "/run/netns/%s", netns)) &&
	       file_is_gone(mem_printf(m, "/var/run/netns/%s", netns));
}

static void note_resolv(const char *path, const char *netns, const char *owner, void *arg)
{
	struct survey *s = arg;
	struct mem *m = &s->t->tx->mem;
	struct resolv_file *f;
	struct survey_verdict v;
	struct mark_owner o;

	if (!survey_wants(s, owner) || !mark_parse_owner(m, owner, &o) || !o.id)
		return;
	v = survey_judge(s, name_owner(o.network, o.id, o.ifname).s, o.network);
	if (!v.why && is_netns_gone(m, netns))
		v.why = mem_printf(m, "there is no namespace named %s", netns);
	if (v.stays || !v.why)
		return;
	f = mem_alloc(m, sizeof(*f));
	*f = (struct resolv_file){ mem_str(m, path), mem_str(m, owner) };
	survey_add(s, &v,
		   (struct survey_finding){
			   .kind = "file",
			   .object = f->path,
			   .owner = f->owner,
			   .remove = remove_resolv,
			   .data = f,
		   });
}

/* ---- state documents (sys/state.h) ---- */

static int remove_state(struct survey *s, const void *data)
{
	return file_remove(s->t->tx, AT_FDCWD, data);
}

/* A plugin's GC comes first, and undoes what the document describes. */
static void judge_state(struct survey *s, const struct state_entry *e)
{
	struct mem *m = &s->t->tx->mem;
	struct survey_verdict v;
	const char *path;

	if (!e->network || !survey_wants(s, e->network))
		return;
	v = survey_judge(s, name_owner(e->network, e->id, e->ifname).s, e->network);
	if (v.stays || !v.why)
		return;
	path = mem_printf(m, "%s/%s", e->file.dir, e->file.name);
	survey_add(s, &v,
		   (struct survey_finding){
			   .kind = "file",
			   .object = path,
			   .owner = mem_printf(m, "%s/%s/%s", e->network, e->id, e->ifname),
			   .remove = remove_state,
			   .data = path,
		   });
}

typedef void state_fn(struct survey *s, const struct state_entry *e);

/* One folder a plugin. */
static int each_state(struct survey *s, state_fn *fn)
{
	struct tx *tx = s->t->tx;
	auto_(file_close_dir) DIR *d = opendir(STATE_ROOT);
	struct state_list list;
	int r = 0;

	for (struct dirent *e; d && (e = readdir(d));) {
		const char *dir = mem_printf(&tx->mem, STATE_ROOT "/%s", e->d_name);
		int one;

		if (*e->d_name == '.' || (e->d_type != DT_DIR && e->d_type != DT_UNKNOWN))
			continue;
		one = state_list(tx, dir, &list);
		for (unsigned i = 0; one == 0 && i < list.n; i++)
			fn(s, &list.e[i]);
		r = also(r, one);
	}
	return r;
}

/* Of DHCP's document (ipam/dhcp/record.c), or as call_open_noted() reads it. */
static uint64_t number_in(const json_t *document, const char *key, const char *other)
{
	const json_t *v = json_object_get(document, key);

	if (json_is_string(v))
		return strtoull(json_string_value(v), NULL, 10);
	return (uint64_t)json_integer_value(json_object_get(document, other));
}

/* One that is wrong is no witness. */
static void note_state(struct survey *s, const struct state_entry *e)
{
	struct tx *tx = s->t->tx;
	struct errctx m = errctx_mark(tx);
	json_t *document;
	char *text;
	int r;

	if (!e->network || survey_lives(s, name_owner(e->network, e->id, e->ifname).s))
		return;
	r = state_load(tx, &e->file, &text);
	if (r < 0)
		errctx_take(tx, m);
	if (r <= 0)
		return;
	document = json_loads(text, 0, NULL);
	if (survey_netns_may_live(s, (ino_t)number_in(document, "netnsInode", "ino"),
				  number_in(document, "netnsCookie", "cookie")))
		survey_note_owner(s, e->network, e->id, e->ifname);
	json_decref(document);
}

/* The file is of use as long as a namespace has its name. */
static void note_resolv_owner(const char *path UNUSED, const char *netns, const char *owner,
			      void *arg)
{
	struct survey *s = arg;
	struct mem *m = &s->t->tx->mem;
	struct mark_owner o;

	if (!is_netns_gone(m, netns) && mark_parse_owner(m, owner, &o) && o.id &&
	    !survey_knows(s, name_owner(o.network, o.id, o.ifname).s))
		survey_note_owner(s, o.network, o.id, o.ifname);
}

int survey_note_files(struct survey *s)
{
	struct state_list list = { .n = 0 };
	int r = each_state(s, note_state);

	r = also(r, state_list(s->t->tx, STATE_DHCP, &list));
	for (unsigned i = 0; i < list.n; i++)
		note_state(s, &list.e[i]);
	resolv_each(s->t->tx, note_resolv_owner, s);
	return r;
}

int survey_files(struct survey *s)
{
	resolv_each(s->t->tx, note_resolv, s);
	return each_state(s, judge_state);
}
