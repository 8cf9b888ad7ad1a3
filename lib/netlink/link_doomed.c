// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_doomed.c - group commit: one request deletes the links of many DELs
 *
 * The kernel waits for RCU grace periods in each request that deletes links, for some of them under
 * the RTNL lock, so that DELs of many attachments wait for each other.  One request can delete a
 * device group (IFLA_GROUP), and takes little longer for 30 links than for one.  So a DEL that has
 * to wait first puts its links into the doomed group.  Either the next request of another DEL
 * deletes them, or this DEL gets its turn and deletes the whole group (docs/performance.md has a
 * picture).
 *
 * The turn (turn.h) is a lock on a file, which has the number of the group.  The number is secret
 * and random, because a container can choose the group of a device that host-device gives back.
 * The links of a DEL that was killed stay in the group until the next DEL, its own retry, GC, or a
 * repair, which takes them out again.
 *
 * A DEL that need not wait does not use the group for a single link, because the kernel looks for a
 * group's members in the list of all links.
 */
#include "base/log.h"
#include "netlink/link_del_impl.h"
#include "sys/turn.h"

/* DELs that waited so recently tell that the next ones will have to. */
enum { CROWD_MS = 50 };

/* The content of the file. */
struct doomed {
	uint32_t group;
	uint32_t unused;
	int64_t waited_ms; /* CLOCK_MONOTONIC when a DEL waited last */
};

static bool read_file(int fd, struct doomed *ret)
{
	return pread(fd, ret, sizeof(*ret), 0) == sizeof(*ret) && mark_is_doomed(ret->group);
}

static void note_wait(int fd)
{
	int64_t now = clock_ms();

	(void)!pwrite(fd, &now, sizeof(now), offsetof(struct doomed, waited_ms));
}

/* For the holder of the lock: a file that is new or damaged gets a number. */
static bool need_group(int fd, struct doomed *d)
{
	if (read_file(fd, d))
		return true;
	*d = (struct doomed){ .group = link_random_group() };
	return d->group && pwrite(fd, d, sizeof(*d), 0) == sizeof(*d);
}

/* The links of this call. */
struct doomed_links {
	struct rt *rt;
	const struct link *l;
	unsigned n;
};

/* A link is gone for all others before the request that deletes it has ended. */
static bool are_gone(void *arg)
{
	struct doomed_links *d = arg;
	char name[IFNAMSIZ];

	for (unsigned i = 0; i < d->n; i++)
		if (link_name_try(d->rt, d->l[i].index, name) != 0)
			return false;
	return true;
}

/* Does every link keep its mark in another group?  An alias is one; a group is not. */
static bool have_alias(const struct link *links, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!*links[i].alias)
			return false;
	return true;
}

static int put_into_group(const struct doomed_links *d, uint32_t group)
{
	int r = 0;

	for (unsigned i = 0; i < d->n && r == 0; i++)
		r = link_put_into_group(d->rt, &d->l[i], group);
	return r;
}

/* Returns 1 if the links are gone, 0 if not, or -EINTR. */
static int delete_in_turn(struct tx *tx, struct doomed_links *d, int fd)
{
	bool waits = !turn_try(fd);
	struct doomed f;
	int r;

	if (!(waits ? read_file(fd, &f) : need_group(fd, &f)))
		return 0;
	if (!waits && d->n == 1 && clock_ms() - f.waited_ms > CROWD_MS) {
		TRY(link_del(tx, d->rt, d->l));
		return 1;
	}
	if (put_into_group(d, f.group) < 0)
		return 0;
	if (waits) {
		TRY(r = turn_wait(tx, fd, are_gone, d));
		if (are_gone(d))
			return 1;
		if (r)
			note_wait(fd);
	}
	if (link_del_group(d->rt, f.group) < 0)
		return 0;
	log_step("%s: delete the doomed group, with %u interfaces of this call", d->rt->where,
		 d->n);
	return are_gone(d);
}

int link_del_jointly(struct tx *tx, struct rt *rt, const struct link *links, unsigned n)
{
	struct doomed_links d = { rt, links, n };
	auto_(fd_close) int fd = have_alias(links, n) ? turn_open(TURN_DOOMED) : -1;
	int gone = 0;

	if (fd >= 0)
		TRY(gone = delete_in_turn(tx, &d, fd));
	if (gone)
		return 0;
	return link_del_all(tx, rt, links, n);
}
