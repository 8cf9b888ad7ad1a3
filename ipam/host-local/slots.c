// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * slots.c - a hash table of addresses in a file
 *
 * Every loop ends, whatever the file and the folder of leases contain: after as many turns as the
 * table has slots, and where it is done for each lease, after SLOTS_RUN.
 */
#include "ipam/host-local/slots.h"

_Static_assert(sizeof(struct slot) * SLOTS_PER_PAGE == SLOTS_PAGE, "64 slots make a page");

uint64_t slots_hash(const void *data, size_t size)
{
	const unsigned char *p = data;
	uint64_t h = 0xcbf29ce484222325; /* FNV-1a (RFC 9923), and a final mix */

	for (size_t i = 0; i < size; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	h ^= h >> 32;
	h *= 0x9e3779b97f4a7c15;
	h ^= h >> 29;
	return h ? h : 1;
}

bool slots_in_file(struct slots *t, int fd, off_t at, uint32_t cap, uint32_t used)
{
	t->cap = cap;
	t->used = used;
	t->fd = fd;
	t->at = at;
	t->image = NULL;
	t->broken = false;
	t->page_at = -1;
	return cap >= SLOTS_MIN && cap <= SLOTS_MAX && (cap & (cap - 1)) == 0 && used < cap;
}

void slots_in_memory(struct slots *t, struct mem *mem)
{
	slots_in_file(t, -1, 0, SLOTS_MIN, 0);
	t->image = mem_alloc(mem, (size_t)slots_size(t));
}

off_t slots_size(const struct slots *t)
{
	return (off_t)t->cap * (off_t)sizeof(struct slot);
}

const struct slot *slots_get(struct slots *t, uint32_t i)
{
	static const struct slot empty;
	int64_t page = i / SLOTS_PER_PAGE;

	if (t->broken)
		return &empty;
	if (t->image)
		return &t->image[i];
	if (page != t->page_at) {
		t->page_at = -1;
		if (pread(t->fd, t->page, sizeof(t->page), t->at + page * SLOTS_PAGE) !=
		    (ssize_t)sizeof(t->page)) {
			t->broken = true;
			return &empty;
		}
		t->page_at = page;
	}
	return &t->page[i % SLOTS_PER_PAGE];
}

bool slots_write(int fd, const void *data, size_t size, off_t at)
{
	const char *p = data;

	while (size) {
		ssize_t n = pwrite(fd, p, size, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return true;
}

void slots_put(struct slots *t, uint32_t i, const struct slot *s)
{
	if (t->image) {
		t->image[i] = *s;
		return;
	}
	if (t->page_at == i / SLOTS_PER_PAGE) {
		struct slot *known = &t->page[i % SLOTS_PER_PAGE];

		if (memcmp(known, s, sizeof(*s)) == 0)
			return;
		*known = *s;
	}
	if (!t->broken)
		t->broken =
			!slots_write(t->fd, s, sizeof(*s), t->at + (off_t)i * (off_t)sizeof(*s));
}

static bool is_of(const struct slot *s, uint64_t key, struct ip ip)
{
	return s->key == key && s->family == (uint32_t)ip.family &&
	       memcmp(s->addr, ip.b, ip_bytes(ip)) == 0;
}

struct slot slots_new(uint64_t key, struct ip ip)
{
	struct slot s = { .key = key, .family = (uint32_t)ip.family };

	memcpy(s.addr, ip.b, ip_bytes(ip));
	return s;
}

bool slots_find(struct slots *t, uint64_t key, struct ip ip, uint32_t *ret)
{
	uint32_t i = (uint32_t)key & (t->cap - 1);

	for (uint32_t n = 0; n < t->cap && n < SLOTS_RUN; n++, i = (i + 1) & (t->cap - 1)) {
		const struct slot *s = slots_get(t, i);

		*ret = i;
		if (!s->key)
			return false;
		if (is_of(s, key, ip))
			return true;
	}
	t->broken = true;
	return false;
}

void slots_remove(struct slots *t, uint32_t i)
{
	static const struct slot empty;
	uint32_t mask = t->cap - 1, hole = i;

	for (uint32_t n = 1; n < t->cap; n++) {
		uint32_t at = (i + n) & mask;
		struct slot s = *slots_get(t, at);

		if (!s.key)
			break;
		if (n == SLOTS_RUN) {
			t->broken = true;
			return;
		}
		if (((at - (uint32_t)s.key) & mask) < ((at - hole) & mask))
			continue; /* its own place is after the hole */
		slots_put(t, hole, &s);
		hole = at;
	}
	slots_put(t, hole, &empty);
	if (t->used)
		t->used--;
}

bool slots_full(const struct slots *t)
{
	return ((uint64_t)t->used + 1) * 4 >= (uint64_t)t->cap * 3;
}

void slots_rehash(struct slots *t, struct mem *mem, bool (*keep)(const struct slot *s))
{
	uint32_t cap = SLOTS_MIN, live = 0, i;
	struct slot *image;

	for (i = 0; i < t->cap; i++) {
		const struct slot *s = slots_get(t, i);

		live += s->key && (!keep || keep(s));
	}
	while (cap < live * 2 + 2)
		cap *= 2;
	image = mem_alloc(mem, cap * sizeof(*image));
	for (i = 0; i < t->cap; i++) {
		const struct slot *s = slots_get(t, i);
		uint32_t to = (uint32_t)s->key & (cap - 1), run = 0;

		if (!s->key || (keep && !keep(s)))
			continue;
		for (; image[to].key && run < SLOTS_RUN; run++)
			to = (to + 1) & (cap - 1);
		if (run == SLOTS_RUN) {
			t->broken = true;
			break;
		}
		image[to] = *s;
	}
	t->cap = cap;
	t->used = live;
	t->image = image;
}
