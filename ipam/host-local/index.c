// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * index.c - an index of a folder of leases
 *
 * The file has a head of one page and two tables (slots.h).  The owner table maps the hash of
 * a container id to an address; an id has one slot for each lease.  The block table maps an
 * aligned block of 256 addresses to one bit for each.  Neither depends on range sets, so the
 * configuration may change between calls.  An index of 65,000 leases takes 8 MiB, of which a
 * call reads and writes a few pages.
 *
 * Detecting changes of the folder.  index_close() sets the folder's modification time to the
 * current nanosecond, and stores it in the head with the inode and the change time.  The
 * kernel takes time-stamps from its coarse clock, so a later change, even in the same tick,
 * leaves another time, and the index is no longer good.  If the file system's time-stamps are
 * too coarse, or we may not set them, the index is never good, and every call reads the folder.
 *
 * Being killed.  The head is marked unclean before the first slot is written, and clean after
 * the last; the writes of a killed process stay in the page cache in order.  After a power
 * failure they may not, so the head has the id of its boot, and an index of another boot is
 * not good.
 *
 * The life of leases cannot be read from the folder.  So it is written before the lease is
 * made (index_intend()), and tables that were built in memory replace the file by rename():
 * whenever a call is killed, the file has the life of every lease that exists.  A slot without
 * a lease disappears when the folder is read next.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

#include "ipam/host-local/index.h"

enum { VERSION = 1 };

struct stamp {
	uint64_t dev, ino;
	int64_t mtime, mtime_ns, ctime, ctime_ns;
};

struct head {
	char magic[8];
	uint32_t version, clean;
	uint64_t boot;
	struct stamp stamp;
	uint32_t owner_cap, owner_used, block_cap, block_used;
};

static const char magic[8] = { 'c', 'p', 'l', 'u', 'g', 'i', 'd', 'x' };
_Static_assert(sizeof(struct head) <= SLOTS_PAGE, "the head fits its page");

uint64_t index_boot_id(void)
{
	auto_(fd_close) int fd = -1;
	static uint64_t known;
	char text[36];

	if (known)
		return known;
	fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read(fd, text, sizeof(text)) == (ssize_t)sizeof(text))
		known = slots_hash(text, sizeof(text));
	return known;
}

static uint64_t owner_key(const char *id)
{
	return slots_hash(id, strlen(id));
}

/* ---- the stamp ---- */

static bool stamp_of(int dirfd, struct stamp *ret)
{
	struct stat st;

	if (fstat(dirfd, &st) < 0)
		return false;
	*ret = (struct stamp){
		.dev = st.st_dev,
		.ino = st.st_ino,
		.mtime = st.st_mtim.tv_sec,
		.mtime_ns = st.st_mtim.tv_nsec,
		.ctime = st.st_ctim.tv_sec,
		.ctime_ns = st.st_ctim.tv_nsec,
	};
	return true;
}

/* Sets a unique modification time; false if the folder did not keep it. */
static bool stamp_set(int dirfd, struct stamp *ret)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT } };

	clock_gettime(CLOCK_REALTIME, &t[1]);
	t[1].tv_nsec |= 1; /* never a multiple of the unit of a coarser clock */
	return futimens(dirfd, t) == 0 && stamp_of(dirfd, ret) && ret->mtime == t[1].tv_sec &&
	       ret->mtime_ns == t[1].tv_nsec;
}

/* ---- the file ---- */

bool index_exists(const struct index *ix)
{
	return ix->fd >= 0 && !ix->look && !ix->owner.broken && !ix->block.broken;
}

/* Can the life of leases be read? */
static bool has_lives(const struct index *ix)
{
	if (ix->look)
		return ix->readable && !ix->owner.broken;
	return index_exists(ix) && ix->good;
}

static bool write_head(const struct index *ix, int fd, bool clean, const struct stamp *stamp)
{
	struct head h = {
		.version = VERSION,
		.clean = clean,
		.boot = ix->boot,
		.stamp = stamp ? *stamp : (struct stamp){ 0 },
		.owner_cap = ix->owner.cap,
		.owner_used = ix->owner.used,
		.block_cap = ix->block.cap,
		.block_used = ix->block.used,
	};

	memcpy(h.magic, magic, sizeof(magic));
	return slots_write(fd, &h, sizeof(h), 0);
}

static void mark(struct index *ix, bool clean, const struct stamp *stamp)
{
	if (!write_head(ix, ix->fd, clean, stamp))
		ix->owner.broken = true;
}

/* The tables change: until index_close() the file is not good. */
static void unclean(struct index *ix)
{
	if (!ix->unsaved && ix->good)
		mark(ix, false, NULL);
	ix->unsaved = true;
}

/*
 * Reads the head, and the first page of each table if the tables are as small as they can be: all
 * that a call needs of a small index.  size: of the file.  true: the tables can be read.
 */
static bool read_head(struct index *ix, struct head *h, off_t size)
{
	char rest[SLOTS_PAGE - sizeof(*h)];
	const struct iovec parts[] = {
		{ h, sizeof(*h) },
		{ rest, sizeof(rest) },
		{ ix->owner.page, sizeof(ix->owner.page) },
		{ ix->block.page, sizeof(ix->block.page) },
	};
	ssize_t n = preadv(ix->fd, parts, ARRAY_LEN(parts), 0);

	if (n < (ssize_t)sizeof(*h) || memcmp(h->magic, magic, sizeof(magic)) != 0 ||
	    h->version != VERSION ||
	    !slots_in_file(&ix->owner, ix->fd, SLOTS_PAGE, h->owner_cap, h->owner_used) ||
	    !slots_in_file(&ix->block, ix->fd, SLOTS_PAGE + slots_size(&ix->owner), h->block_cap,
			   h->block_used) ||
	    size < ix->block.at + slots_size(&ix->block))
		return false;
	if (n >= 2 * SLOTS_PAGE)
		ix->owner.page_at = 0;
	if (n == 3 * SLOTS_PAGE && ix->block.at == 2 * SLOTS_PAGE)
		ix->block.page_at = 0;
	return true;
}

static void open_file(struct index *ix, int flags)
{
	struct stamp now;
	struct stat st;
	struct head h;

	ix->good = ix->behind = ix->unsaved = ix->readable = false;
	ix->owner.broken = ix->block.broken = false;
	ix->old.cap = 0;
	ix->fd = openat(ix->folder, ix->name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (ix->fd < 0)
		return;
	if (fstat(ix->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		fd_close(&ix->fd);
		return;
	}
	ix->boot = index_boot_id();
	ix->readable = read_head(ix, &h, st.st_size);
	ix->good = ix->readable && h.clean == 1 && ix->boot && h.boot == ix->boot &&
		   stamp_of(ix->leases, &now) && memcmp(&now, &h.stamp, sizeof(now)) == 0;
}

static void prepare(struct index *ix, struct mem *mem, int folder, const char *name, int leases)
{
	ix->mem = mem;
	ix->folder = folder;
	ix->name = name;
	ix->leases = leases;
}

void index_open(struct index *ix, struct mem *mem, int folder, const char *name, int leases)
{
	prepare(ix, mem, folder, name, leases);
	ix->look = false;
	open_file(ix, O_RDWR | O_CREAT);
}

void index_look(struct index *ix, struct mem *mem, int folder, const char *name, int leases)
{
	prepare(ix, mem, folder, name, leases);
	ix->look = true;
	open_file(ix, O_RDONLY);
}

void index_renew(struct index *ix)
{
	if (!index_exists(ix))
		return;
	unclean(ix);
	/* keep the old table: the folder does not have the life of leases */
	if (ix->readable)
		ix->old = ix->owner;
	slots_in_memory(&ix->owner, ix->mem);
	slots_in_memory(&ix->block, ix->mem);
	ix->good = true;
	ix->behind = false;
}

void index_begin(struct index *ix)
{
	if (!index_exists(ix))
		return;
	unclean(ix);
	ix->behind = true;
}

void index_end(struct index *ix)
{
	ix->behind = false;
}

static bool write_images(struct index *ix, int fd)
{
	off_t owners = slots_size(&ix->owner), blocks = slots_size(&ix->block);

	return write_head(ix, fd, false, NULL) &&
	       slots_write(fd, ix->owner.image, (size_t)owners, SLOTS_PAGE) &&
	       slots_write(fd, ix->block.image, (size_t)blocks, SLOTS_PAGE + owners);
}

/* Writes tables that are in memory to the file; if that fails, the old file stays, unclean. */
static bool save_images(struct index *ix)
{
	const char *temp = mem_printf(ix->mem, "%s.new", ix->name);
	int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	auto_(fd_close) int fd = openat(ix->folder, temp, flags, 0600);

	if (fd < 0)
		return false;
	if (!write_images(ix, fd) || renameat(ix->folder, temp, ix->folder, ix->name) < 0) {
		unlinkat(ix->folder, temp, 0);
		return false;
	}
	fd_close(&ix->fd);
	ix->fd = fd_steal(&fd);
	slots_in_file(&ix->owner, ix->fd, SLOTS_PAGE, ix->owner.cap, ix->owner.used);
	slots_in_file(&ix->block, ix->fd, SLOTS_PAGE + slots_size(&ix->owner), ix->block.cap,
		      ix->block.used);
	ix->old.cap = 0;
	return true;
}

void index_close(struct index *ix)
{
	struct stamp stamp;

	if (index_exists(ix) && ix->good && ix->unsaved && !ix->behind) {
		if ((!ix->owner.image || save_images(ix)) && stamp_set(ix->leases, &stamp))
			mark(ix, true, &stamp);
	}
	if (ix->fd >= 0 && !index_exists(ix) && !ix->look)
		unlinkat(ix->folder, ix->name, 0);
	fd_close(&ix->fd);
}

/* ---- blocks: which addresses are taken ---- */

static bool block_in_use(const struct slot *s)
{
	return s->taken[0] | s->taken[1] | s->taken[2] | s->taken[3];
}

/* Makes room for one more slot in t.  Afterwards both tables are in memory, or neither. */
static void make_room(struct index *ix, struct slots *t)
{
	if (!slots_full(t))
		return;
	if (t == &ix->owner || !ix->owner.image)
		slots_rehash(&ix->owner, ix->mem, NULL);
	if (t == &ix->block || !ix->block.image)
		slots_rehash(&ix->block, ix->mem, block_in_use);
}

static unsigned last_byte(struct ip ip)
{
	return ip.b[ip_bytes(ip) - 1];
}

static struct ip block_of(struct ip ip)
{
	ip.b[ip_bytes(ip) - 1] = 0;
	return ip;
}

static uint64_t block_key(struct ip block)
{
	return slots_hash(block.b, ip_bytes(block));
}

static void block_set(struct index *ix, struct ip ip, bool taken)
{
	uint64_t bit = (uint64_t)1 << (last_byte(ip) % 64);
	struct ip block = block_of(ip);
	uint64_t key = block_key(block);
	struct slot s;
	uint32_t i;

	if (taken)
		make_room(ix, &ix->block);
	if (slots_find(&ix->block, key, block, &i)) {
		s = *slots_get(&ix->block, i);
	} else if (taken) {
		s = slots_new(key, block);
		ix->block.used++;
	} else {
		return;
	}
	if (taken)
		s.taken[last_byte(ip) / 64] |= bit;
	else
		s.taken[last_byte(ip) / 64] &= ~bit;
	slots_put(&ix->block, i, &s);
}

bool index_free(struct index *ix, struct ip from, struct ip to, struct ip *ret)
{
	for (;;) {
		struct ip block = block_of(from);
		bool last = ip_eq(block, block_of(to));
		unsigned n = last_byte(from), end = last ? last_byte(to) : 255;
		const struct slot *s;
		uint32_t i;

		if (!slots_find(&ix->block, block_key(block), block, &i)) {
			*ret = from;
			return true;
		}
		s = slots_get(&ix->block, i);
		while (n <= end && (s->taken[n / 64] >> (n % 64) & 1))
			n++;
		if (n <= end) {
			*ret = block;
			ret->b[ip_bytes(block) - 1] = (uint8_t)n;
			return true;
		}
		if (last)
			return false;
		from = ip_add(block, 256);
	}
}

void index_block(struct index *ix, struct ip ip)
{
	if (!index_exists(ix))
		return;
	unclean(ix);
	block_set(ix, ip, true);
}

/* ---- owners: which addresses a container has ---- */

static void owner_put(struct index *ix, const struct slot *s, struct ip ip)
{
	uint32_t i;

	unclean(ix);
	make_room(ix, &ix->owner);
	if (!slots_find(&ix->owner, s->key, ip, &i))
		ix->owner.used++;
	slots_put(&ix->owner, i, s);
}

void index_add(struct index *ix, struct ip ip, const char *id, const struct lease_life *life)
{
	struct slot s = slots_new(owner_key(id), ip);
	uint32_t i;

	if (!index_exists(ix))
		return;
	if (life)
		s.life = *life;
	else if (slots_find(&ix->owner, s.key, ip, &i))
		s.life = slots_get(&ix->owner, i)->life;
	else if (ix->old.cap && slots_find(&ix->old, s.key, ip, &i))
		s.life = slots_get(&ix->old, i)->life;
	owner_put(ix, &s, ip);
	block_set(ix, ip, true);
}

bool index_intend(struct index *ix, struct ip ip, const char *id, const struct lease_life *life)
{
	struct slot s = slots_new(owner_key(id), ip);
	uint32_t i;

	if (!index_exists(ix) || slots_find(&ix->owner, s.key, ip, &i))
		return false;
	s.life = *life;
	owner_put(ix, &s, ip);
	if (ix->owner.image && ix->block.image)
		(void)save_images(ix); /* if it fails: when it is closed */
	return true;
}

void index_forget(struct index *ix, struct ip ip, const char *id)
{
	uint32_t i;

	if (!index_exists(ix))
		return;
	unclean(ix);
	if (slots_find(&ix->owner, owner_key(id), ip, &i))
		slots_remove(&ix->owner, i);
}

void index_remove(struct index *ix, struct ip ip, const char *id)
{
	index_forget(ix, ip, id);
	if (index_exists(ix))
		block_set(ix, ip, false);
}

unsigned index_find(struct index *ix, const char *id, struct ip **ret)
{
	uint32_t mask = ix->owner.cap - 1, n = 0;
	uint64_t key = owner_key(id);

	*ret = NULL;
	for (uint32_t i = 0; i <= mask; i++) {
		const struct slot *s = slots_get(&ix->owner, ((uint32_t)key + i) & mask);
		struct ip ip = { .family = (int)s->family };

		if (!s->key)
			break;
		ix->owner.broken |= i == SLOTS_RUN;
		if (s->key != key || !ip_bytes(ip))
			continue;
		memcpy(ip.b, s->addr, ip_bytes(ip));
		*ret = mem_grow(ix->mem, *ret, n, sizeof(**ret));
		(*ret)[n++] = ip;
	}
	return n;
}

bool index_life(struct index *ix, struct ip ip, const char *id, struct lease_life *ret)
{
	uint32_t i;

	if (!has_lives(ix) || !slots_find(&ix->owner, owner_key(id), ip, &i))
		return false;
	*ret = slots_get(&ix->owner, i)->life;
	return true;
}
