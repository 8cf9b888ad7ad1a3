// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * survey_leases.c - leases of host-local without a living owner
 *
 * They are searched for in the default data directory and in those that any configuration names,
 * current or cached.  A folder is opened for writing only if it has files that are leases, and a
 * lock: without a lock it is not host-local's.
 *
 * What only a cached configuration names may be a container's volume, whose root makes folders,
 * leases and locks as it likes.  So there, only the network's own folder is looked at, for a
 * limited number of leases, no second lock is waited for, and nothing follows for other
 * attachments.
 */
#include <fcntl.h>

#include "ipam/host-local/store.h"
#include "base/log.h"
#include "cnitool/errctx.h"
#include "cnitool/survey.h"
#include "sys/file.h"

/* Of all folders that only cached configurations name. */
enum { FOREIGN_MAX = 16384 };

/* A network's leases in one folder. */
struct leases {
	struct survey *s;
	const char *data_dir, *network;
	bool foreign;     /* only a cached configuration names the folder */
	const char *path; /* DATA_DIR/NETWORK */
	struct store *st;
	unsigned n, n_files; /* leases, and files that are named like one */
};

static struct leases leases_of(struct survey *s, const char *data_dir, const char *network,
			       bool foreign)
{
	return (struct leases){
		.s = s,
		.data_dir = data_dir,
		.network = network,
		.foreign = foreign,
		.path = mem_printf(&s->t->tx->mem, "%s/%s", data_dir, network),
	};
}

void survey_note_folder(struct survey *s, struct mem *m, const char *data_dir, const char *network)
{
	for (unsigned i = 0; i < s->data_dirs.n; i++)
		if (str_eq(s->data_dirs.v[i], data_dir))
			return;
	for (unsigned i = 0; i < s->n_folders; i++)
		if (str_eq(s->folders[i].data_dir, data_dir) &&
		    str_eq(s->folders[i].network, network))
			return;
	s->folders = mem_grow(m, s->folders, s->n_folders, sizeof(*s->folders));
	s->folders[s->n_folders++] =
		(struct survey_folder){ mem_str(m, data_dir), mem_str(m, network) };
}

static int open_to_change(const struct leases *x, struct store *ret)
{
	struct survey *s = x->s;
	enum store_mode mode = s->hurried ? STORE_TRY : STORE_CHANGE;
	int r = store_open(s->t->tx, x->data_dir, x->network, mode, ret);

	s->hurried |= r == -ETIMEDOUT;
	return r;
}

static int count_lease(struct tx *tx, const struct lease *l UNUSED, int r, void *arg)
{
	struct leases *x = arg;

	x->n += r == 0;
	x->n_files++;
	if (!x->foreign || x->s->n_foreign + x->n_files <= FOREIGN_MAX)
		return 0;
	return tx_fail(tx, -E2BIG,
		       "%s: folders that only cached configurations name have more than %d leases",
		       x->path, FOREIGN_MAX);
}

struct stale_lease {
	struct leases of;
	struct lease lease;
};

/* Compares again under the lock, because another container may have the address by now. */
static int remove_lease(struct survey *s, const void *data)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	const struct stale_lease *f = data;
	const struct lease *was = &f->lease;
	struct lease now;
	int r = open_to_change(&f->of, &st);

	if (r == -ENOENT)
		return 0;
	TRY(r);
	if (lease_read(&s->t->tx->mem, st.dir, was->ip, &now) < 0 ||
	    !str_eq(now.lessee.id, was->lessee.id) ||
	    (now.lessee.ifname && !str_eq(now.lessee.ifname, was->lessee.ifname)))
		return 0;
	return store_release(s->t->tx, &st, &now);
}

static struct stale_lease *copy_lease(struct mem *m, const struct leases *x, const struct lease *l)
{
	struct stale_lease *copy = mem_alloc(m, sizeof(*copy));

	*copy = (struct stale_lease){
		.of = *x,
		.lease = { .ip = l->ip,
			   .lessee = { .id = mem_str(m, l->lessee.id),
				       .ifname = mem_str(m, l->lessee.ifname) } },
	};
	copy->of.st = NULL; /* the removal opens its own */
	return copy;
}

/* A damaged lease (r < 0) stays: an ADD takes it over, or reports it.  So do others' files. */
static int judge_lease(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct leases *x = arg;
	const char *network = x->network, *ifname = l->lessee.ifname;
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
			   .data = copy_lease(&tx->mem, x, l),
		   });
	return 0;
}

/* Has the network leases in a data directory?  1, 0, or a recorded failure. */
static int has_leases(struct leases *x)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct tx *tx = x->s->t->tx;
	int r = store_open(tx, x->data_dir, x->network, STORE_READ, &st);

	x->n = x->n_files = 0;
	if (r == -ENOENT)
		return 0;
	TRY(r);
	if (faccessat(st.dir, "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		TRY(lease_scan(tx, st.dir, count_lease, x));
	return x->n > 0;
}

static int each_lease_of(struct leases *x, lease_each_fn *each)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct leases locked;
	int r;

	TRY(r = has_leases(x));
	if (!r)
		return 0;
	r = open_to_change(x, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	locked = *x;
	locked.st = &st;
	return lease_scan(x->s->t->tx, st.dir, each, &locked);
}

static bool is_file(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static int each_lease_in(struct survey *s, const char *data_dir, lease_each_fn *each)
{
	auto_(file_close_dir) DIR *d = opendir(data_dir);
	struct dirent *e;
	int r = 0;

	while (r != -EINTR && d && (e = readdir(d)))
		if (name_valid_id(e->d_name) && survey_wants(s, e->d_name) &&
		    !is_file(dirfd(d), e->d_name)) {
			const char *network = mem_str(&s->t->tx->mem, e->d_name);
			struct leases x = leases_of(s, data_dir, network, false);
			int one = each_lease_of(&x, each);

			if (one < 0)
				survey_mark_unsure(s, network);
			r = also(r, one);
		}
	return r;
}

/* A failure is a warning: which attachments of this host's networks live does not depend on it. */
static int judge_folder(struct survey *s, const struct survey_folder *f)
{
	struct leases x = leases_of(s, f->data_dir, f->network, true);
	struct errctx m = errctx_mark(s->t->tx);
	int r;

	if (!survey_wants(s, f->network))
		return 0;
	r = each_lease_of(&x, judge_lease);
	s->n_foreign += x.n_files;
	if (r >= 0 || r == -EINTR)
		return r;
	log_warn("leases of network %s in %s are left alone: %s", f->network, f->data_dir,
		 errctx_take(s->t->tx, m));
	return 0;
}

int survey_leases(struct survey *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->data_dirs.n; i++)
		r = also(r, each_lease_in(s, s->data_dirs.v[i], judge_lease));
	for (unsigned i = 0; r != -EINTR && i < s->n_folders; i++)
		r = also(r, judge_folder(s, &s->folders[i]));
	return r;
}

/* ---- living attachments ---- */

bool survey_netns_may_live(struct survey *s, ino_t ino, uint64_t cookie)
{
	return ino && !alive_is_gone(s->t->tx, &s->alive, ino, cookie);
}

static bool exists(struct survey *s, ino_t ino, uint64_t cookie)
{
	if (!survey_netns_may_live(s, ino, cookie))
		return false;
	/* It is not gone, and was seen: the kernel was asked, or all were listed. */
	return (s->alive.askable && cookie) || s->alive.complete;
}

bool survey_netns_lives(struct survey *s, const struct nsid *id)
{
	return nsid_is_of_this_boot(&s->t->tx->mem, id) && exists(s, (ino_t)id->ino, id->cookie);
}

typedef bool exists_fn(struct survey *s, ino_t ino, uint64_t cookie);

static bool lease_lives(struct survey *s, struct store *st, const struct lease *l,
			const char *ifname, exists_fn *lives)
{
	struct lease_life life;

	return str_eq(l->lessee.ifname, ifname) &&
	       index_life(&st->index, l->ip, l->lessee.id, &life) && life.boot == index_boot_id() &&
	       lives(s, (ino_t)life.ino, life.cookie);
}

/* Does a lease in the folder show that? */
static bool lives_in(struct leases *x, const char *id, const char *ifname)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct tx *tx = x->s->t->tx;
	struct errctx m = errctx_mark(tx);
	struct lease *leases;
	bool any = false;
	unsigned n;
	int r = has_leases(x);

	if (r == 0)
		return false;
	if (r > 0)
		r = open_to_change(x, &st);
	if (r == 0)
		r = store_find(tx, &st, id, &leases, &n);
	for (unsigned k = 0; r == 0 && k < n; k++)
		any |= lease_lives(x->s, &st, &leases[k], ifname, exists);
	if (r < 0 && r != -ENOENT)
		errctx_take(tx, m);
	return any;
}

bool survey_lease_lives(struct survey *s, const char *network, const char *id, const char *ifname)
{
	bool any = false;

	for (unsigned i = 0; i < s->data_dirs.n && !any; i++) {
		struct leases x = leases_of(s, s->data_dirs.v[i], network, false);

		any = lives_in(&x, id, ifname);
	}
	for (unsigned i = 0; i < s->n_folders && !any; i++) {
		struct leases x = leases_of(s, s->folders[i].data_dir, network, true);

		if (str_eq(s->folders[i].network, network))
			any = lives_in(&x, id, ifname);
	}
	return any;
}

static int note_living(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct leases *x = arg;
	const char *id = l->lessee.id, *ifname = l->lessee.ifname;

	if (r < 0 || !ifname || survey_lives(x->s, name_owner(x->network, id, ifname).s) ||
	    !lease_lives(x->s, x->st, l, ifname, survey_netns_may_live))
		return 0;
	survey_note_owner(x->s, x->network, mem_str(&tx->mem, id), mem_str(&tx->mem, ifname));
	return 0;
}

int survey_note_leases(struct survey *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->data_dirs.n; i++)
		r = also(r, each_lease_in(s, s->data_dirs.v[i], note_living));
	return r;
}
