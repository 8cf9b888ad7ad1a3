// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_files.c - resolv.conf files without a living owner
 */
#include "cni/resolv.h"
#include "cnitool/survey.h"
#include "value/mark.h"

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
	return access(mem_printf(m, "/run/netns/%s", netns), F_OK) < 0 && errno == ENOENT &&
	       access(mem_printf(m, "/var/run/netns/%s", netns), F_OK) < 0 && errno == ENOENT;
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

int survey_files(struct survey *s)
{
	resolv_each(s->t->tx, note_resolv, s);
	return 0;
}
