// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * owned_index.c - the index of owned elements
 *
 * The private bytes of one index element describe about a dozen port mappings; more are in elements
 * with higher numbers ("chunks").  Bytes of each field in parentheses:
 *
 *	number 0: version (1), chunks (2), network (6), link (4), group (12), ino (4), cookie (8),
 *		  records…
 *	number n: records…
 *	record:   set (1; | RANGE), key, [end of the range]
 *
 * chunks is the number of elements, in network order; network is the start of the SHA-512 of the
 * network's name; link is an ifindex in host order; ino and cookie are those of the container's
 * network namespace, 0 if not known.  Version 1 had neither.
 */
#include "firewall/owned_impl.h"

enum {
	INDEX_VERSION = 2,
	HEADER_1 = 25, /* private bytes of chunk 0 before its records: of version 1 */
	HEADER = 37,
	RANGE = 0x80,
	LOST_CHUNKS = 64,
};

const char owned_index_set[] = "attachments";
const enum nft_type owned_index_key[] = { NFT_T_IFNAME, NFT_T_MARK, NFT_T_END };

/*
 * Conflicts arise in the tables of family inet, whose elements are those of the NAT kinds and of
 * the firewall plugin.  The index of spoof protection is in table bridge cplug, so it proves
 * nothing there.
 */
const struct owned_kind_info owned_kinds[] = {
	{ OWNED_MAIN_NAT, .proves_life = true },  { OWNED_PORTMAP_NAT, .proves_life = true },
	{ OWNED_SPOOF, .proves_life = false },    { OWNED_FIREWALL, .proves_life = true },
	{ OWNED_UNLISTED, .proves_life = false },
};

struct nft_ref owned_index_ref(const struct owned_table *t)
{
	return (struct nft_ref){ t->family, t->name, owned_index_set };
}

static void network_hash(const char *network, uint8_t ret[OWNED_NETWORK_HASH])
{
	uint8_t hash[SHA512_SIZE];

	sha512(network, strlen(network), hash);
	memcpy(ret, hash, OWNED_NETWORK_HASH);
}

static struct nft_key chunk_key(const char *key, enum owned_kind kind, unsigned number)
{
	struct nft_key k = { .len = 0 };

	nft_key_ifname(&k, key);
	nft_key_u32(&k, (uint32_t)kind << 24 | number);
	return k;
}

static unsigned record_size(const struct owned_elem *e)
{
	return 1 + e->e.key.len + e->e.key_end.len;
}

static unsigned put_record(uint8_t *p, const struct owned_elem *e)
{
	*p++ = (uint8_t)(e->set | (e->e.key_end.len ? RANGE : 0));
	memcpy(p, e->e.key.b, e->e.key.len);
	memcpy(p + e->e.key.len, e->e.key_end.b, e->e.key_end.len);
	return record_size(e);
}

static void put_header(uint8_t *p, const struct owned_change *c, unsigned chunks)
{
	uint32_t link = (uint32_t)c->link;

	p[0] = INDEX_VERSION;
	p[1] = (uint8_t)(chunks >> 8);
	p[2] = (uint8_t)chunks;
	network_hash(c->owner->network, p + 3);
	memcpy(p + 9, &link, sizeof(link));
	memcpy(p + 13, c->in.group, strnlen(c->in.group, OWNED_GROUP_MAX));
	memcpy(p + 25, &c->owner->ino, sizeof(c->owner->ino));
	memcpy(p + 29, &c->owner->cookie, sizeof(c->owner->cookie));
}

static uint8_t *new_chunk(struct mem *mem, const struct owned_change *c, struct nft_elem **chunks,
			  unsigned *n)
{
	uint8_t *bytes = mem_alloc(mem, NFT_PRIVATE_MAX);

	*chunks = mem_grow(mem, *chunks, *n, sizeof(**chunks));
	(*chunks)[*n] = (struct nft_elem){
		.key = chunk_key(c->owner->key.s, c->kind, *n),
		.comment = c->owner->comment,
		.private = bytes,
	};
	++*n;
	return bytes;
}

/* Chunks that are being filled. */
struct packing {
	struct mem *mem;
	const struct owned_change *c;
	struct nft_elem *chunks;
	unsigned n;
	uint8_t *bytes; /* of the last one */
	unsigned at;
};

static void pack_record(struct packing *p, const struct owned_elem *e)
{
	if (p->at + record_size(e) > NFT_PRIVATE_MAX) {
		p->chunks[p->n - 1].private_len = p->at;
		p->bytes = new_chunk(p->mem, p->c, &p->chunks, &p->n);
		p->at = 0;
	}
	p->at += put_record(p->bytes + p->at, e);
}

struct nft_elem *owned_pack(struct mem *mem, const struct owned_change *c,
			    const struct owned_elem *more, unsigned n_more, unsigned *ret_n)
{
	struct packing p = { .mem = mem, .c = c, .at = HEADER };
	uint8_t *first = p.bytes = new_chunk(mem, c, &p.chunks, &p.n);

	for (unsigned i = 0; i < c->n; i++)
		if (!c->elems[i].skipped)
			pack_record(&p, &c->elems[i]);
	for (unsigned i = 0; i < n_more; i++)
		pack_record(&p, &more[i]);
	p.chunks[p.n - 1].private_len = p.at;
	put_header(first, c, p.n);
	*ret_n = p.n;
	return p.chunks;
}

bool owned_same_keys(const struct owned_elem *a, const struct owned_elem *b)
{
	return a->set == b->set && nft_key_eq(&a->e.key, &b->e.key) &&
	       nft_key_eq(&a->e.key_end, &b->e.key_end);
}

/* The size of the header in chunk 0; 0 if there is none, or one of an unknown version. */
static unsigned header_size(const struct nft_elem *e)
{
	if (e->private_len >= HEADER && e->private[0] == INDEX_VERSION)
		return HEADER;
	if (e->private_len >= HEADER_1 && e->private[0] == 1)
		return HEADER_1;
	return 0;
}

static bool unpack_header(struct owned_index *x)
{
	const struct nft_elem *e = &x->chunks[0];
	unsigned size = header_size(e);

	if (!size)
		return false;
	x->n = (unsigned)e->private[1] << 8 | e->private[2];
	memcpy(x->network, e->private + 3, OWNED_NETWORK_HASH);
	memcpy(&x->link, e->private + 9, sizeof(x->link));
	memcpy(x->group, e->private + 13, OWNED_GROUP_MAX);
	if (size == HEADER) {
		memcpy(&x->ino, e->private + 25, sizeof(x->ino));
		memcpy(&x->cookie, e->private + 29, sizeof(x->cookie));
	}
	return x->n > 0;
}

/* Reads x->n chunks; after a lost header as many as there are.  1, 0 if there are none, or -errno.
 */
static int read_chunks(struct mem *mem, struct nfnl *nl, const struct owned_table *t,
		       const char *key, enum owned_kind kind, struct owned_index *x)
{
	unsigned n = 0;

	x->chunks = mem_alloc(mem, x->n * sizeof(*x->chunks));
	for (unsigned i = 0; i < x->n; i++)
		x->chunks[i].key = chunk_key(key, kind, i);
	TRY(nft_find_elems(mem, nl, owned_index_ref(t), x->chunks, x->n));
	while (n < x->n && x->chunks[n].found)
		n++;
	x->n = n;
	return n > 0;
}

int owned_read_index(struct mem *mem, struct nfnl *nl, const struct owned_table *t, const char *key,
		     enum owned_kind kind, struct owned_index *x)
{
	struct nft_elem first = { .key = chunk_key(key, kind, 0) };

	*x = (struct owned_index){ .chunks = &first, .n = 1 };
	TRY(nft_find_elems(mem, nl, owned_index_ref(t), &first, 1));
	if (!first.found)
		return 0;
	x->lost = !unpack_header(x);
	if (x->lost)
		x->n = LOST_CHUNKS;
	return read_chunks(mem, nl, t, key, kind, x);
}

/* Reads the record at p, of at most len bytes.  Returns its size, 0 if there is none. */
static unsigned read_record(const struct owned_table *t, const uint8_t *p, unsigned len,
			    struct owned_elem *ret)
{
	unsigned set = *p & ~(unsigned)RANGE, at = 1;
	unsigned key_len = set < t->n_sets ? t->sets[set].key_len : 0;
	bool range = *p & RANGE;

	if (!key_len || at + key_len * (range ? 2 : 1) > len)
		return 0;
	*ret = (struct owned_elem){ .set = set };
	memcpy(ret->e.key.b, p + at, ret->e.key.len = key_len);
	at += key_len;
	if (range) {
		memcpy(ret->e.key_end.b, p + at, ret->e.key_end.len = key_len);
		at += key_len;
	}
	return at;
}

/* Reads the records into elems; NULL: only counts them. */
static unsigned read_records(const struct owned_table *t, const struct owned_index *x,
			     struct owned_elem *elems)
{
	struct owned_elem e;
	unsigned n = 0;

	for (unsigned i = 0; i < x->n; i++) {
		const uint8_t *p = x->chunks[i].private;
		unsigned len = x->chunks[i].private_len, at = i ? 0 : header_size(&x->chunks[0]);
		unsigned size = 1;

		for (; p && at < len; at += size) {
			size = read_record(t, p + at, len - at, &e);
			if (!size)
				break;
			if (elems)
				elems[n] = e;
			n++;
		}
	}
	return n;
}

/* Counted before, because an array that grows leaves as much memory behind. */
void owned_unpack(struct mem *mem, const struct owned_table *t, const struct owned_index *x,
		  struct owned_elem **elems, unsigned *n)
{
	unsigned more = read_records(t, x, NULL);
	struct owned_elem *all;

	if (!more)
		return;
	all = mem_alloc(mem, (*n + more) * sizeof(*all));
	if (*n)
		memcpy(all, *elems, *n * sizeof(*all));
	read_records(t, x, all + *n);
	*elems = all;
	*n += more;
}

unsigned owned_chunk_of(const struct nft_elem *e, char ret_key[IFNAMSIZ], enum owned_kind *ret_kind)
{
	uint32_t mark = 0;

	memcpy(ret_key, e->key.b, IFNAMSIZ);
	ret_key[IFNAMSIZ - 1] = '\0';
	memcpy(&mark, e->key.b + IFNAMSIZ, sizeof(mark));
	*ret_kind = (enum owned_kind)(mark >> 24);
	return mark & 0xffffff;
}

bool owned_index_names(const struct nft_elem *e, enum owned_kind kind, const char *network,
		       char ret_key[IFNAMSIZ])
{
	uint8_t hash[OWNED_NETWORK_HASH];
	size_t n = strlen(network);
	struct nft_key first;

	memcpy(ret_key, e->key.b, IFNAMSIZ);
	ret_key[IFNAMSIZ - 1] = '\0';
	first = chunk_key(ret_key, kind, 0);
	if (memcmp(first.b, e->key.b, first.len) != 0)
		return false;
	network_hash(network, hash);
	if (header_size(e))
		return memcmp(e->private + 3, hash, OWNED_NETWORK_HASH) == 0;
	/* Without private bytes: the comment "KEY NETWORK/…" has the network, too. */
	return e->comment && strlen(e->comment) > IFNAMSIZ &&
	       strncmp(e->comment + IFNAMSIZ, network, n) == 0 && e->comment[IFNAMSIZ + n] == '/';
}
