// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_leases.c - leases of host-local without a living owner
 *
 * They are searched for in the default data directory and in those that any configuration names,
 * current or cached.  A folder is opened for writing only if it has files that are leases, and a
 * lock: without a lock it is not host-local's.
 */
#include <fcntl.h>

#include "ipam/host-local/store.h"
#include "cnitool/errctx.h"
#include "cnitool/survey.h"
#include "sys/file.h"

struct leases {
	struct survey *s;
	struct store *st;
	const char *path; /* DATA_DIR/NETWORK */
};

static int count_lease(struct tx *tx UNUSED, const struct lease *l UNUSED, int r, void *arg)
{
	unsigned *n = arg;

	*n += r == 0;
	return 0;
}

struct stale_lease {
	const char *data_dir, *network;
	struct lease lease;
};

/* Compares again under the lock, because another container may have the address by now. */
static int remove_lease(struct survey *s, const void *data)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	const struct stale_lease *f = data;
	const struct lease *was = &f->lease;
	struct lease now;
	int r = store_open(s->t->tx, f->data_dir, f->network, STORE_CHANGE, &st);

	if (r == -ENOENT)
		return 0;
	TRY(r);
	if (lease_read(&s->t->tx->mem, st.dir, was->ip, &now) < 0 ||
	    !str_eq(now.lessee.id, was->lessee.id) ||
	    (now.lessee.ifname && !str_eq(now.lessee.ifname, was->lessee.ifname)))
		return 0;
	return store_release(s->t->tx, &st, &now);
}

static struct stale_lease *copy_lease(struct mem *m, const struct store *st, const struct lease *l)
{
	struct stale_lease *copy = mem_alloc(m, sizeof(*copy));

	*copy = (struct stale_lease){
		.data_dir = st->data_dir,
		.network = st->network,
		.lease = { .ip = l->ip,
			   .lessee = { .id = mem_str(m, l->lessee.id),
				       .ifname = mem_str(m, l->lessee.ifname) } },
	};
	return copy;
}

/* A damaged lease (r < 0) stays: an ADD takes it over, or reports it.  So do others' files. */
static int judge_lease(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct leases *x = arg;
	const char *network = x->st->network, *ifname = l->lessee.ifname;
	struct survey_verdict v;
	const char *owner;

	if (r < 0 || l->lessee.odd)
		return 0;
	owner = mem_printf(&tx->mem, "%s/%s", network, l->lessee.id);
	if (ifname)
		owner = mem_printf(&tx->mem, "%s/%s", owner, ifname);
	/* A lease of an old format names no interface, so no key can be known. */
	v = survey_judge(x->s, name_owner(network, l->lessee.id, ifname ? ifname : "").s, network);
	if (!v.stays && (!v.why || !ifname))
		v.why = store_death_reason(tx, x->st, l);
	if (v.stays || !v.why)
		return 0;
	survey_add(x->s, &v,
		   (struct survey_finding){
			   .kind = "lease",
			   .object = mem_printf(&tx->mem, "%s in %s", IP_S(l->ip), x->path),
			   .owner = owner,
			   .remove = remove_lease,
			   .data = copy_lease(&tx->mem, x->st, l),
		   });
	return 0;
}

/* Has the network leases in a data directory?  1, 0, or a recorded failure. */
static int has_leases(struct tx *tx, const char *data_dir, const char *network)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	unsigned n = 0;
	int r = store_open(tx, data_dir, network, STORE_READ, &st);

	if (r == -ENOENT)
		return 0;
	TRY(r);
	if (faccessat(st.dir, "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		TRY(lease_scan(tx, st.dir, count_lease, &n));
	return n > 0;
}

static int each_lease_of(struct survey *s, const char *data_dir, const char *network,
			 lease_each_fn *each)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct tx *tx = s->t->tx;
	struct leases x = { s, &st, mem_printf(&tx->mem, "%s/%s", data_dir, network) };
	int r;

	TRY(r = has_leases(tx, data_dir, network));
	if (!r)
		return 0;
	r = store_open(tx, data_dir, network, STORE_CHANGE, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	return lease_scan(tx, st.dir, each, &x);
}

/* Its living attachments cannot all be known, so nothing is removed for not being known. */
static void mark_unsure(struct survey *s, const char *network)
{
	for (unsigned i = 0; i < s->n_nets; i++)
		if (str_eq(s->nets[i].name, network)) {
			s->nets[i].unsure = true;
			s->nets[i].collecting = false;
		}
}

static int each_lease_in(struct survey *s, const char *data_dir, lease_each_fn *each)
{
	auto_(file_close_dir) DIR *d = opendir(data_dir);
	struct dirent *e;
	int r = 0;

	while (d && (e = readdir(d)))
		if (name_valid_id(e->d_name) && survey_wants(s, e->d_name)) {
			const char *network = mem_str(&s->t->tx->mem, e->d_name);
			int one = each_lease_of(s, data_dir, network, each);

			if (one < 0)
				mark_unsure(s, network);
			r = also(r, one);
		}
	return r;
}

int survey_leases(struct survey *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->data_dirs.n; i++)
		r = also(r, each_lease_in(s, s->data_dirs.v[i], judge_lease));
	return r;
}

/* ---- living attachments ---- */

static bool exists(struct survey *s, ino_t ino, uint64_t cookie)
{
	if (!ino || alive_is_gone(s->t->tx, &s->alive, ino, cookie))
		return false;
	/* It is not gone, and was seen: the kernel was asked, or all were listed. */
	return (s->alive.askable && cookie) || s->alive.complete;
}

bool survey_netns_lives(struct survey *s, const struct nsid *id)
{
	return nsid_is_of_this_boot(&s->t->tx->mem, id) && exists(s, (ino_t)id->ino, id->cookie);
}

static bool lease_lives(struct survey *s, struct store *st, const struct lease *l,
			const char *ifname)
{
	struct lease_life life;

	return str_eq(l->lessee.ifname, ifname) &&
	       index_life(&st->index, l->ip, l->lessee.id, &life) && life.boot == index_boot_id() &&
	       exists(s, (ino_t)life.ino, life.cookie);
}

bool survey_lease_lives(struct survey *s, const char *network, const char *id, const char *ifname)
{
	struct tx *tx = s->t->tx;
	struct lease *leases;
	bool any = false;
	unsigned n;

	for (unsigned i = 0; i < s->data_dirs.n && !any; i++) {
		auto_(store_close) struct store st = STORE_CLOSED;
		struct errctx m = errctx_mark(tx);
		int r = has_leases(tx, s->data_dirs.v[i], network);

		if (r == 0)
			continue;
		if (r > 0)
			r = store_open(tx, s->data_dirs.v[i], network, STORE_CHANGE, &st);
		if (r == 0)
			r = store_find(tx, &st, id, &leases, &n);
		for (unsigned k = 0; r == 0 && k < n; k++)
			any |= lease_lives(s, &st, &leases[k], ifname);
		if (r < 0 && r != -ENOENT)
			errctx_take(tx, m);
	}
	return any;
}

static int note_living(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct leases *x = arg;
	const char *network = x->st->network, *ifname = l->lessee.ifname;
	struct survey *s = x->s;
	struct name_owner key;

	if (r < 0 || !ifname)
		return 0;
	key = name_owner(network, l->lessee.id, ifname);
	if (survey_knows(s, key.s) || !lease_lives(s, x->st, l, ifname))
		return 0;
	s->known = mem_grow(&tx->mem, s->known, s->n_known, sizeof(*s->known));
	s->known[s->n_known++] = (struct survey_known){
		.key = key,
		.network = network,
		.id = mem_str(&tx->mem, l->lessee.id),
		.ifname = mem_str(&tx->mem, ifname),
	};
	return 0;
}

int survey_note_living(struct survey *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->data_dirs.n; i++)
		r = also(r, each_lease_in(s, s->data_dirs.v[i], note_living));
	return r;
}
