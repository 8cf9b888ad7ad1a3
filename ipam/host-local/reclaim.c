// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * reclaim.c - release leases of containers that died without DEL
 *
 * The index has the life of a lease, which our ADD wrote.  The reference may have made the
 * lease again since then, for the same container: then the file is newer than the life, which
 * does not apply.  In doubt a lease is kept.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "ipam/host-local/store.h"

/* A call may wait for the lock between reading the time and making the file. */
enum { MADE_WITHIN_S = 15 };

/* Was this file made by the call that wrote this life? */
static bool is_of_life(const struct store *st, const struct lease *l, const struct lease_life *life)
{
	struct stat file;
	int64_t age;

	if (fstatat(st->dir, IP_S(l->ip), &file, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	age = file.st_mtim.tv_sec - (int64_t)life->time;
	return age >= -1 && age <= MADE_WITHIN_S;
}

const char *store_death_reason(struct tx *tx, struct store *st, const struct lease *l)
{
	uint64_t boot = index_boot_id();
	struct lease_life life;

	if (!index_life(&st->index, l->ip, l->lessee.id, &life) || !life.boot || !boot ||
	    !is_of_life(st, l, &life))
		return NULL;
	if (life.boot != boot)
		return "it was made before the machine booted";
	if (!life.ino)
		return NULL;
	if (!st->alive)
		st->alive = mem_alloc(&tx->mem, sizeof(*st->alive));
	if (alive_is_gone(tx, st->alive, (ino_t)life.ino, life.cookie))
		return "its network namespace is gone";
	return NULL;
}

bool store_is_dead(struct tx *tx, struct store *st, const struct lease *l)
{
	return store_death_reason(tx, st, l) != NULL;
}

struct reclaim {
	struct store *st;
	unsigned n;
};

static int reclaim_one(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct reclaim *c = arg;
	const char *why = r == 0 ? store_death_reason(tx, c->st, l) : NULL;

	if (!why)
		return 0;
	TRY(store_release(tx, c->st, l));
	log_warn("reclaimed %s of %s: %s", IP_S(l->ip), lessee_text(&tx->mem, &l->lessee), why);
	c->n++;
	return 0;
}

int store_reclaim(struct tx *tx, struct store *st, unsigned *ret_n)
{
	struct reclaim c = { .st = st };
	int r = lease_scan(tx, st->dir, reclaim_one, &c);

	*ret_n = c.n;
	return r;
}

struct dead_in {
	struct store *st;
	const struct pool_set *set;
	bool found;
};

static int find_dead(struct tx *tx, const struct lease *l, int r, void *arg)
{
	struct dead_in *d = arg;

	if (!d->found && r == 0 && pool_find(d->set, l->ip))
		d->found = store_is_dead(tx, d->st, l);
	return 0;
}

/* A store that was opened to read has no index yet. */
static void look_at_lives(struct tx *tx, struct store *st)
{
	const char *name = mem_printf(&tx->mem, "%s.index", st->network);

	if (st->folder >= 0)
		return;
	st->folder = openat(st->root, ".cplug", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (st->folder >= 0)
		index_look(&st->index, &tx->mem, st->folder, name, st->dir);
}

int store_has_room(struct tx *tx, struct store *st, const struct pool_set *s, unsigned set,
		   bool *ret)
{
	struct dead_in d = { .st = st, .set = s };

	*ret = store_has_free(&tx->mem, st, s, set);
	if (*ret)
		return 0;
	look_at_lives(tx, st);
	TRY(lease_scan(tx, st->dir, find_dead, &d));
	*ret = d.found;
	return 0;
}
