// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * store.c - the leases of one network: find, claim, release
 *
 * The lease files are authoritative.  Three rules keep them consistent, wherever we are killed:
 *
 *  - A lease is made by link(), complete or not at all, by one process only (lease.c).  So no
 *    address is allocated twice, even if the lock or the index fail.
 *  - A lease is removed only under the lock, after its content was read and is the lessee's.
 *  - A torn file is not a lease.  The reference creates the file and then writes it, so a crash or
 *    a power failure can leave one.  The reference holds the lock between the two steps; we hold
 *    it now, so no process is about to write the file, and it is removed when its address is
 *    claimed.  Another program's file, which only has the name of an address, is neither
 *    replaced nor removed, and its address is not allocated.
 *
 * The index is only a hint.  A free address from it is claimed by link(); if that fails, the
 * index is corrected and the search continues.  A lease from it is read; if it does not exist,
 * the folder is read, once, and the question is asked again.  The folder is also read before
 * "no free address" is reported.  What a good index (index.c) does not have does not exist.
 * Without an index (it cannot be made, or STORE_READ), addresses are probed one by one, and the
 * leases of a container are found by reading the folder, as the reference does.
 */
#include <fcntl.h>
#include <stdlib.h>

#include "sys/file.h"
#include "sys/hostconf.h"
#include "base/log.h"
#include "ipam/host-local/store.h"

enum { LOCK_TIMEOUT_MS = 10000 };

static int fail_in_folder(struct tx *tx, const struct store *st, int err, const char *verb,
			  const char *name)
{
	const char *slash = *name ? "/" : "";

	return tx_fail_as(tx, CPLUG_E_FILE, err, "%s %s/%s%s%s: %s", verb, st->data_dir,
			  st->network, slash, name, strerror(-err));
}

/* ---- the index ---- */

static int index_lease(struct tx *tx UNUSED, const struct lease *l, int r, void *arg)
{
	struct store *st = arg;

	if (r == 0)
		index_add(&st->index, l->ip, l->lessee.id, NULL);
	else if (r != -EBADMSG)
		index_block(&st->index, l->ip);
	return 0;
}

/* Builds the index from the folder. */
static int rescan(struct tx *tx, struct store *st)
{
	st->rescanned = true;
	if (!index_exists(&st->index))
		return 0;
	log_step("reading all leases of %s/%s", st->data_dir, st->network);
	index_renew(&st->index);
	return lease_scan(tx, st->dir, index_lease, st);
}

/* ---- opening ---- */

/*
 * The descriptor of the lock that we hold.  A call that runs out of memory closes nothing
 * (mem.h), and its rollback must not wait for its own lock.
 */
static int lock_held = -1;

static int open_dir(int at, const char *name, int flags)
{
	int fd = openat(at, name, O_DIRECTORY | O_CLOEXEC | flags);

	return fd < 0 ? -errno : fd;
}

/* Opens a subdirectory, not a symbolic link; makes it if create. */
static int open_subdir(int at, const char *name, mode_t mode, bool create)
{
	int fd = open_dir(at, name, O_RDONLY | O_NOFOLLOW);

	if (fd != -ENOENT || !create)
		return fd;
	if (mkdirat(at, name, mode) < 0 && errno != EEXIST)
		return -errno;
	return open_dir(at, name, O_RDONLY | O_NOFOLLOW);
}

int store_may_make(struct tx *tx, const char *data_dir, const char *network)
{
	const char *path = mem_printf(&tx->mem, "%s/%s", data_dir, network);
	const char *folder = hostconf_guards(&tx->mem, path);

	if (!folder)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EPERM,
			  "ipam.dataDir: no folder is made below %s, \"%.100s\" (use one below "
			  "/var/lib/cni/networks, or make %.100s)",
			  folder, data_dir, path);
}

/*
 * Leases, or a lock, among the files of cplug and of runtimes would be taken for those; so there
 * are none.  What is below /etc is there because the administrator made it.  Asked about a folder
 * without a lock, because it looks at all parts of many paths.
 */
static int need_own_folder(struct tx *tx, const struct store *st, bool create)
{
	const char *path = mem_printf(&tx->mem, "%s/%s", st->data_dir, st->network);
	const char *folder = hostconf_guards(&tx->mem, path);

	if (!folder || str_eq(folder, "/etc"))
		return 0;
	if (!create)
		return -ENOENT;
	return tx_fail_as(tx, CNI_E_CONFIG, -EPERM,
			  "ipam.dataDir: no lease is written below %s, \"%.100s\" (use a folder "
			  "below /var/lib/cni/networks)",
			  folder, st->data_dir);
}

/* Makes the missing folders of data_dir. */
static int make_root(struct tx *tx, const struct store *st)
{
	if (strstr(st->data_dir, "/../"))
		return tx_fail_as(
			tx, CNI_E_CONFIG, -EINVAL,
			"ipam.dataDir: \"%.100s\" does not exist, and is not made, because "
			"of \"..\"",
			st->data_dir);
	TRY(store_may_make(tx, st->data_dir, st->network));
	if (*st->data_dir != '/')
		log_warn("ipam.dataDir: \"%.100s\" is made below the working directory of the "
			 "runtime, and only calls from there find the leases (write an absolute "
			 "path)",
			 st->data_dir);
	return file_mkdirs(tx, st->data_dir, 0755);
}

static int open_dirs(struct tx *tx, struct store *st, bool create)
{
	st->root = open_dir(AT_FDCWD, st->data_dir, O_PATH);
	if (st->root == -ENOENT && create) {
		TRY(make_root(tx, st));
		st->root = open_dir(AT_FDCWD, st->data_dir, O_PATH);
	}
	if (st->root == -ENOENT && !create)
		return -ENOENT;
	if (st->root < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, st->root, "open %s: %s", st->data_dir,
				  strerror(-st->root));
	st->dir = open_subdir(st->root, st->network, 0755, false);
	if (st->dir == -ENOENT && create) {
		TRY(store_may_make(tx, st->data_dir, st->network));
		st->dir = open_subdir(st->root, st->network, 0755, true);
	}
	/* A name that is too long for a file name cannot exist. */
	if ((st->dir == -ENOENT || st->dir == -ENAMETOOLONG) && !create)
		return -ENOENT;
	if (st->dir < 0)
		return fail_in_folder(tx, st, st->dir, "open", "");
	return 0;
}

static int open_index(struct tx *tx, struct store *st, bool create)
{
	const char *name = mem_printf(&tx->mem, "%s.index", st->network);

	st->folder = open_subdir(st->root, ".cplug", 0700, create);
	if (st->folder < 0) {
		if (st->folder != -ENOENT)
			log_warn("open %s/.cplug: %s (going without an index)", st->data_dir,
				 strerror(-st->folder));
		return 0;
	}
	index_open(&st->index, &tx->mem, st->folder, name, st->dir);
	if (index_exists(&st->index) && !st->index.good)
		return rescan(tx, st);
	return 0;
}

int store_open(struct tx *tx, const char *data_dir, const char *network, enum store_mode mode,
	       struct store *ret)
{
	int wait = file_lock_timeout(mode == STORE_TRY ? 0 : LOCK_TIMEOUT_MS), r;

	ret->data_dir = data_dir;
	ret->network = network;
	TRY(open_dirs(tx, ret, mode == STORE_CREATE));
	if (mode == STORE_READ)
		return 0;
	fd_close(&lock_held);
	r = file_lock_there(tx, ret->dir, "lock", wait, &ret->lock);
	if (r == -ENOENT) {
		TRY(need_own_folder(tx, ret, mode == STORE_CREATE));
		r = file_lock(tx, ret->dir, "lock", wait, &ret->lock);
	}
	TRY(r);
	lock_held = ret->lock;
	return open_index(tx, ret, mode == STORE_CREATE);
}

void store_close(struct store *st)
{
	index_close(&st->index);
	fd_close(&st->cursor.fd);
	fd_close(&st->folder);
	fd_close(&st->dir);
	fd_close(&st->root);
	if (st->lock >= 0)
		lock_held = -1;
	fd_close(&st->lock);
}

int store_writable(struct tx *tx, const char *data_dir, const char *network)
{
	const char *dir = mem_printf(&tx->mem, "%s/%s", data_dir, network);
	int r = file_dir_writable(&tx->mem, dir, &dir);

	if (r < 0)
		return tx_fail_as(tx, CNI_E_UNAVAILABLE, r, "no lease can be written in %s: %s",
				  dir, strerror(-r));
	return 0;
}

/* ---- finding ---- */

struct found {
	int dir;
	const char *id;
	struct lease *leases;
	unsigned n;
};

static void keep_lease(struct mem *mem, struct found *f, const struct lease *l)
{
	f->leases = mem_grow(mem, f->leases, f->n, sizeof(*f->leases));
	f->leases[f->n++] = (struct lease){
		.ip = l->ip, .lessee = { .id = f->id, .ifname = mem_str(mem, l->lessee.ifname) }
	};
}

static int keep_lease_of_id(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct found *f = arg;

	if (r == 0 && str_eq(l->lessee.id, f->id))
		keep_lease(&tx->mem, f, l);
	return 0;
}

/* Finds by index, and reads each lease; false if the index is wrong or missing. */
static bool find_by_index(struct mem *mem, struct store *st, struct found *f)
{
	struct ip *ips;
	unsigned n;

	if (!index_exists(&st->index))
		return false;
	f->n = 0;
	f->leases = NULL;
	n = index_find(&st->index, f->id, &ips);
	for (unsigned i = 0; i < n; i++) {
		struct lease l;

		if (lease_read(mem, st->dir, ips[i], &l) < 0 || !str_eq(l.lessee.id, f->id))
			return false;
		keep_lease(mem, f, &l);
	}
	return index_exists(&st->index);
}

int store_find(struct tx *tx, struct store *st, const char *id, struct lease **ret, unsigned *ret_n)
{
	struct found f = { .id = id };
	bool done = find_by_index(&tx->mem, st, &f);

	if (!done && index_exists(&st->index) && !st->rescanned) {
		TRY(rescan(tx, st));
		done = find_by_index(&tx->mem, st, &f);
	}
	if (!done) {
		f = (struct found){ .id = id };
		TRY(lease_scan(tx, st->dir, keep_lease_of_id, &f));
	}
	*ret = f.leases;
	*ret_n = f.n;
	return 0;
}

/* ---- releasing ---- */

int store_release(struct tx *tx, struct store *st, const struct lease *l)
{
	int r = 0;

	index_begin(&st->index);
	if (unlinkat(st->dir, IP_S(l->ip), 0) < 0 && errno != ENOENT)
		r = fail_in_folder(tx, st, -errno, "remove", IP_S(l->ip));
	else
		index_remove(&st->index, l->ip, l->lessee.id);
	index_end(&st->index);
	if (r < 0)
		return r;
	log_step("released %s of %s", IP_S(l->ip), lessee_text(&tx->mem, &l->lessee));
	return 0;
}

struct purge {
	struct store *st;
	store_keep_fn *keep;
	const void *arg;
};

static int purge_one(struct tx *tx, const struct lease *l, int r, void *arg)
{
	const struct purge *p = arg;

	if (r == 0 && p->keep(&l->lessee, p->arg))
		return 0;
	if (r == -EILSEQ || l->lessee.odd) {
		log_warn("%s/%s/%s: left alone, it is not a lease", p->st->data_dir, p->st->network,
			 IP_S(l->ip));
		return 0;
	}
	if (r < 0 && r != -EBADMSG)
		return fail_in_folder(tx, p->st, r, "read", IP_S(l->ip));
	return store_release(tx, p->st, l);
}

int store_purge(struct tx *tx, struct store *st, store_keep_fn *keep, const void *arg)
{
	struct purge p = { st, keep, arg };

	return lease_scan(tx, st->dir, purge_one, &p);
}

/* ---- claiming ---- */

struct claim {
	const char *data_dir, *network;
	struct lessee lessee;
	struct ip ip, last; /* last: last_reserved_ip before the claim */
	unsigned set;
};

/* Releases the claim if it is still ours, and restores last_reserved_ip. */
static int undo_claim(struct tx *tx, void *arg)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	const struct claim *c = arg;
	struct lease l;
	int r = store_open(tx, c->data_dir, c->network, STORE_CHANGE, &st);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if (lease_read(&tx->mem, st.dir, c->ip, &l) == 0 && str_eq(l.lessee.id, c->lessee.id) &&
	    str_eq(l.lessee.ifname, c->lessee.ifname))
		r = store_release(tx, &st, &l);
	if (ip_eq(lease_last(st.dir, c->set), c->ip)) {
		index_begin(&st.index);
		r = also(r, lease_set_last(st.dir, c->set, c->last));
		index_end(&st.index);
	}
	return r;
}

/* Links a lease to its address: 0, -EEXIST (the index was corrected), or -errno. */
static int link_or_learn(struct mem *mem, struct store *st, int fd, const struct claim *c)
{
	const struct ip_text name = ip_text(c->ip);
	struct ip ip = c->ip;

	for (;;) {
		int r = lease_link(mem, st->dir, fd, ip, c->lessee);
		struct lease l;

		if (r != -EEXIST)
			return r;
		r = lease_read(mem, st->dir, ip, &l);
		if (r == -EBADMSG) {
			log_warn("%s/%s/%s is empty or damaged (a crash left it): taking it over",
				 st->data_dir, st->network, name.s);
			if (unlinkat(st->dir, name.s, 0) < 0 && errno != ENOENT)
				return -errno;
		} else if (r == 0) {
			index_add(&st->index, ip, l.lessee.id, NULL);
			return -EEXIST;
		} else if (r != -ENOENT) {
			index_block(&st->index, ip);
			return -EEXIST;
		}
	}
}

/* Makes the file of a lease, and registers its undo. */
static int claim_file(struct tx *tx, struct store *st, const struct claim *c)
{
	/* Beside the folder if possible: the reference reads every file in it. */
	struct lease_spare spare = {
		.dir = st->folder < 0 ? st->dir : st->folder,
		.name = mem_printf(&tx->mem, "%s.new", st->network),
	};
	auto_(fd_close) int fd = lease_new(&tx->mem, st->dir, &spare, c->lessee);
	int r;

	if (fd < 0)
		return fail_in_folder(tx, st, fd, "write a lease in", "");
	r = link_or_learn(&tx->mem, st, fd, c);
	if (r == 0)
		r = tx_undo(tx, undo_claim, "lease an address", c);
	else if (r != -EEXIST)
		r = fail_in_folder(tx, st, r, "write", IP_S(c->ip));
	if (spare.used)
		unlinkat(spare.dir, spare.name, 0);
	return r;
}

static int claim_lease(struct tx *tx, struct store *st, const struct claim *c,
		       const struct lease_life *life)
{
	bool intended;
	int r;

	index_begin(&st->index);
	intended = index_intend(&st->index, c->ip, c->lessee.id, life);
	r = claim_file(tx, st, c);
	if (r == -EEXIST) {
		if (intended)
			index_forget(&st->index, c->ip, c->lessee.id);
		index_end(&st->index);
	}
	TRY(r);
	index_add(&st->index, c->ip, c->lessee.id, life);
	r = lease_last_write(st->dir, c->set, &st->cursor, c->ip);
	index_end(&st->index);
	if (r < 0)
		log_warn("write %s/%s/last_reserved_ip.%u: %s (the next search starts anew)",
			 st->data_dir, st->network, c->set, strerror(-r));
	log_step("leased %s to %s", IP_S(c->ip), lessee_text(&tx->mem, &c->lessee));
	return 0;
}

static struct claim claim_of(struct store *st, const struct store_want *w)
{
	fd_close(&st->cursor.fd);
	return (struct claim){
		.data_dir = st->data_dir,
		.network = st->network,
		.lessee = w->lessee,
		.last = lease_last_open(st->dir, w->set, &st->cursor),
		.set = w->set,
	};
}

int store_claim(struct tx *tx, struct store *st, const struct store_want *w, struct ip ip)
{
	struct claim c = claim_of(st, w);

	c.ip = ip;
	return claim_lease(tx, st, &c, &w->life);
}

struct search {
	struct mem *mem;
	struct store *st;
};

/* Finds a free address without an index. */
static bool probe_free(struct mem *mem, struct store *st, struct ip from, struct ip to,
		       struct ip *ret)
{
	for (;; from = ip_add(from, 1)) {
		struct lease l;
		int r = lease_read(mem, st->dir, from, &l);

		if (r == -ENOENT || r == -EBADMSG) {
			*ret = from;
			return true;
		}
		if (ip_eq(from, to))
			return false;
	}
}

static bool is_free(void *arg, struct ip from, struct ip to, struct ip *ret)
{
	struct search *s = arg;

	if (index_exists(&s->st->index))
		return index_free(&s->st->index, from, to, ret);
	return probe_free(s->mem, s->st, from, to, ret);
}

bool store_has_free(struct mem *mem, struct store *st, const struct pool_set *s, unsigned set)
{
	struct search search = { mem, st };
	struct ip ip;

	return pool_next(s, lease_last(st->dir, set), is_free, &search, &ip);
}

int store_claim_next(struct tx *tx, struct store *st, const struct store_want *w,
		     const struct pool_set *s, struct ip *ret)
{
	struct claim c = claim_of(st, w);
	struct search search = { &tx->mem, st };
	int r;

	for (;;) {
		if (pool_next(s, c.last, is_free, &search, &c.ip)) {
			r = claim_lease(tx, st, &c, &w->life);
			if (r == 0)
				*ret = c.ip;
			if (r != -EEXIST)
				return r;
		} else if (st->rescanned || !index_exists(&st->index)) {
			return -EADDRNOTAVAIL;
		} else {
			TRY(rescan(tx, st));
		}
	}
}
