// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_elem.c - sets and maps, their keys and elements
 *
 * A set is built with libnftnl.  Elements are the bulk of what is sent, so they are written without
 * objects of libnftnl, and elements of one set share a message, up to the size of an attribute (64
 * KiB).
 *
 * In a set of concatenations, a range is one element with two keys; in a set of single values, it
 * is two elements (linux/netfilter/nf_tables.h).
 */
#include <arpa/inet.h>
#include <stdio.h>

#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/udata.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

enum {
	ELEM_ROOM = 1024,  /* of one element: keys, data, a chain's name and userdata */
	ELEMS_MAX = 60000, /* of one message: the length of a nest has 16 bits */
	SET_ROOM = 2048,
	PARTS_MAX = 5, /* of a concatenation: more do not fit into the 32 bits of its type */
	PART_BITS = 6, /* of a part in the type of a concatenation (nft's TYPE_BITS) */
	VERDICT_TYPE = (int)NFT_DATA_VERDICT,
};

/* ---- sets ---- */

static uint8_t type_len(enum nft_type t)
{
	switch (t) {
	case NFT_T_IPV4:
	case NFT_T_MARK:
		return 4;
	case NFT_T_IPV6:
	case NFT_T_IFNAME:
	case NFT_T_ND_TARGET:
		return 16;
	case NFT_T_ETHER:
	case NFT_T_ND_MAC:
		return 6;
	case NFT_T_PROTO:
		return 1;
	case NFT_T_SERVICE:
		return 2;
	case NFT_T_END:
	case NFT_T_VERDICT:
		break;
	}
	return 0;
}

/* A key or data as the kernel and nft describe it. */
struct shape {
	uint32_t type, len, parts;
	uint32_t order;           /* nft's enum byteorder: 1 = host, 2 = network, 0 = mixed */
	uint8_t field[16];        /* lengths of the parts, in bytes */
	const enum nft_type *raw; /* the types, if nft has no type of one of them; NULL = none */
};

static struct shape shape_of(struct nft *n, const enum nft_type *types)
{
	const enum nft_type *t = types;
	struct shape s = { 0 };

	if (t[0] == NFT_T_VERDICT)
		return (struct shape){ .type = (uint32_t)VERDICT_TYPE };
	for (; *t != NFT_T_END; t++) {
		if (s.parts == PARTS_MAX) {
			nft_wrong(n, -E2BIG, "a concatenation of more than five parts");
			break;
		}
		s.field[s.parts] = type_len(*t);
		s.len += (uint32_t)nfnl_align(s.field[s.parts++]);
		s.type = s.type << PART_BITS | ((uint32_t)*t & ((1u << PART_BITS) - 1));
		s.order = *t == NFT_T_MARK || *t == NFT_T_IFNAME ? 1 : 2;
		if (*t > 1 << PART_BITS)
			s.raw = types;
	}
	if (s.parts == 1)
		s.len = s.field[0];
	else
		s.order = 0;
	return s;
}

/*
 * "typeof iifname" or "typeof @th,OFFSET,LENGTH", as nft stores it in the userdata of a set
 * (expr_ops.build_udata in its sources; numbers in host order).
 */
static void put_typeof_part(struct nftnl_udata_buf *u, enum nft_type t)
{
	enum { EXPR_PAYLOAD = 7, EXPR_META = 9, TRANSPORT_HEADER = 3 };
	enum { META_KEY = 0, DESC = 0, TYPE, BASE, OFFSET, LEN };
	struct nftnl_udata *data;

	nftnl_udata_put_u32(u, NFTNL_UDATA_SET_TYPEOF_EXPR,
			    t == NFT_T_IFNAME ? EXPR_META : EXPR_PAYLOAD);
	data = nftnl_udata_nest_start(u, NFTNL_UDATA_SET_TYPEOF_DATA);
	if (t == NFT_T_IFNAME) {
		nftnl_udata_put_u32(u, META_KEY, KERNEL_META_IIFNAME);
	} else {
		nftnl_udata_put_u32(u, DESC, 0);
		nftnl_udata_put_u32(u, TYPE, 0);
		nftnl_udata_put_u32(u, BASE, TRANSPORT_HEADER);
		nftnl_udata_put_u32(u, OFFSET, t == NFT_T_ND_TARGET ? 64 : 208);
		nftnl_udata_put_u32(u, LEN, 8u * type_len(t));
	}
	nftnl_udata_nest_end(u, data);
}

/* Without it, nft would print a type "integer", which it does not load again. */
static void put_typeof(struct nftnl_udata_buf *u, const enum nft_type *types)
{
	enum { EXPR_CONCAT = 13 };
	struct nftnl_udata *all = nftnl_udata_nest_start(u, NFTNL_UDATA_SET_KEY_TYPEOF);
	struct nftnl_udata *parts, *part;

	nftnl_udata_put_u32(u, NFTNL_UDATA_SET_TYPEOF_EXPR, EXPR_CONCAT);
	parts = nftnl_udata_nest_start(u, NFTNL_UDATA_SET_TYPEOF_DATA);
	for (unsigned i = 0; types[i] != NFT_T_END; i++) {
		part = nftnl_udata_nest_start(u, (uint8_t)i);
		put_typeof_part(u, types[i]);
		nftnl_udata_nest_end(u, part);
	}
	nftnl_udata_nest_end(u, parts);
	nftnl_udata_nest_end(u, all);
}

/* Userdata that nft stores for itself, to print values in the right byte order. */
static void put_set_userdata(struct nft *n, struct nftnl_set *s, const struct shape *key,
			     const struct shape *data, const char *comment)
{
	char cut[NFT_COMMENT_MAX + 1];

	struct nftnl_udata_buf *u = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!u)
		return nft_wrong(n, -ENOMEM, NULL);
	nftnl_udata_put_u32(u, NFTNL_UDATA_SET_KEYBYTEORDER, key->order);
	if (data)
		nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATABYTEORDER, data->order);
	if (key->raw)
		put_typeof(u, key->raw);
	nftnl_udata_put_u32(u, NFTNL_UDATA_SET_MERGE_ELEMENTS, 0);
	if (data)
		nftnl_udata_put_u32(u, NFTNL_UDATA_SET_DATA_INTERVAL, 0);
	if (comment) {
		snprintf(cut, sizeof(cut), "%s", comment);
		nftnl_udata_put_strz(u, NFTNL_UDATA_SET_COMMENT, cut);
	}
	if (nftnl_set_set_data(s, NFTNL_SET_USERDATA, nftnl_udata_buf_data(u),
			       nftnl_udata_buf_len(u)) < 0)
		nft_wrong(n, -ENOMEM, NULL);
	nftnl_udata_buf_free(u);
}

void nft_set(struct nft *n, const char *set, const enum nft_type *key, const enum nft_type *data,
	     bool interval)
{
	nft_set_commented(n, set, key, data, interval, NULL);
}

void nft_set_commented(struct nft *n, const char *set, const enum nft_type *key,
		       const enum nft_type *data, bool interval, const char *comment)
{
	struct shape k = shape_of(n, key), d = { 0 };
	struct nlmsghdr *h = nft_msg(n, NFT_MSG_NEWSET, NLM_F_CREATE, SET_ROOM);
	struct nftnl_set *s = nftnl_set_alloc();
	uint32_t flags = data ? NFT_SET_MAP : 0;

	if (!s)
		return nft_wrong(n, -ENOMEM, NULL);
	if (strlen(set) >= NFT_NAME_MAXLEN)
		nft_wrong(n, -ENAMETOOLONG, "a set's name of more than 255 bytes");
	if (nftnl_set_set_str(s, NFTNL_SET_TABLE, n->table) < 0 ||
	    nftnl_set_set_str(s, NFTNL_SET_NAME, set) < 0)
		nft_wrong(n, -ENOMEM, NULL);
	nftnl_set_set_u32(s, NFTNL_SET_ID, ++n->sets);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, k.type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, k.len);
	if (data) {
		d = shape_of(n, data);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, d.type);
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, d.len);
	}
	if (interval)
		flags |= NFT_SET_INTERVAL;
	if (interval && k.parts > 1) {
		flags |= NFT_SET_CONCAT;
		if (nftnl_set_set_data(s, NFTNL_SET_DESC_CONCAT, k.field, k.parts) < 0)
			nft_wrong(n, -ENOMEM, NULL);
	}
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, flags);
	put_set_userdata(n, s, &k, data ? &d : NULL, comment);
	nftnl_set_nlmsg_build_payload(h, s);
	nftnl_set_free(s);
	nft_msg_end(n, h);
}

/* ---- keys ---- */

static void key_append(struct nft_key *k, const void *data, size_t size)
{
	if (k->parts)
		k->len = (unsigned)nfnl_align(k->len);
	if (k->len + nfnl_align(size) > NFT_KEY_MAX)
		return; /* more than shape_of() permits, which has stored the error */
	memcpy(k->b + k->len, data, size);
	k->len += k->parts ? (unsigned)nfnl_align(size) : (unsigned)size;
	k->parts++;
}

void nft_key_ip(struct nft_key *k, struct ip ip)
{
	key_append(k, ip.b, ip_bytes(ip));
}

void nft_key_u8(struct nft_key *k, uint8_t v)
{
	key_append(k, &v, sizeof(v));
}

void nft_key_port(struct nft_key *k, uint16_t port)
{
	uint16_t v = htons(port);

	key_append(k, &v, sizeof(v));
}

void nft_key_u32(struct nft_key *k, uint32_t v)
{
	key_append(k, &v, sizeof(v));
}

void nft_key_ifname(struct nft_key *k, const char *name)
{
	char v[16] = { 0 };

	memcpy(v, name, strnlen(name, sizeof(v) - 1));
	key_append(k, v, sizeof(v));
}

void nft_key_mac(struct nft_key *k, struct mac mac)
{
	key_append(k, mac.b, 6);
}

bool nft_key_eq(const struct nft_key *a, const struct nft_key *b)
{
	return a->len == b->len && memcmp(a->b, b->b, a->len) == 0;
}

/* ---- elements ---- */

static void put_value(struct nlmsghdr *h, uint16_t attr, const struct nft_key *k)
{
	struct nlattr *nest = mnl_attr_nest_start(h, attr);

	mnl_attr_put(h, NFTA_DATA_VALUE, k->len, k->b);
	mnl_attr_nest_end(h, nest);
}

static void put_goto(struct nft *n, struct nlmsghdr *h, const char *chain)
{
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_SET_ELEM_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);

	mnl_attr_put_u32(h, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
	nft_put_name(n, h, NFTA_VERDICT_CHAIN, chain);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
}

/* The comment, which nft prints, and our own bytes, which it skips.  Each: type, length, value. */
static void put_userdata(struct nft *n, struct nlmsghdr *h, const struct nft_elem *e)
{
	uint8_t u[NFT_USERDATA_MAXLEN] = { 0 };
	size_t used = 0;

	_Static_assert(2 + NFT_COMMENT_MAX + 1 + 2 + NFT_PRIVATE_MAX <= sizeof(u), "too small");
	if (e->comment) {
		size_t len = strnlen(e->comment, NFT_COMMENT_MAX);

		u[0] = NFTNL_UDATA_SET_ELEM_COMMENT;
		u[1] = (uint8_t)(len + 1);
		memcpy(u + 2, e->comment, len);
		used = 2 + len + 1;
	}
	if (e->private && e->private_len > NFT_PRIVATE_MAX)
		return nft_wrong(n, -E2BIG, "an element with more than 120 private bytes");
	if (e->private) {
		u[used] = NFT_UDATA_PRIVATE;
		u[used + 1] = (uint8_t)e->private_len;
		memcpy(u + used + 2, e->private, e->private_len);
		used += 2 + e->private_len;
	}
	if (used)
		mnl_attr_put(h, NFTA_SET_ELEM_USERDATA, used, u);
}

static void open_elems(struct nft *n, int type, int flags, const char *set)
{
	struct nlmsghdr *h;

	if (n->elems.set && n->elems.type == type && n->elems.flags == flags &&
	    str_eq(n->elems.set, set) && nft_at(n, n->used)->nlmsg_len < ELEMS_MAX)
		return;
	h = nft_named(n, type, flags, NFTA_SET_ELEM_LIST_SET, set);
	n->elems.nest =
		(size_t)((char *)mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS) - n->buf);
	n->elems.set = mem_str(n->mem, set);
	n->elems.type = type;
	n->elems.flags = flags;
}

/*
 * In a set of single values, the end of a range is an element of its own: the first value after it,
 * with a flag.  A range up to the last value has none.
 */
static void put_range_end(struct nlmsghdr *h, const struct nft_key *last)
{
	struct nft_key end = *last;
	struct nlattr *nest;
	unsigned i = end.len;

	while (i > 0 && ++end.b[i - 1] == 0)
		i--;
	if (i == 0)
		return;
	nest = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, &end);
	mnl_attr_put_u32(h, NFTA_SET_ELEM_FLAGS, htonl(NFT_SET_ELEM_INTERVAL_END));
	mnl_attr_nest_end(h, nest);
}

static void put_elem(struct nft *n, int type, int flags, const char *set, const struct nft_elem *e)
{
	struct nlmsghdr *h;
	struct nlattr *nest;

	open_elems(n, type, flags, set);
	nft_reserve(n, ELEM_ROOM);
	h = nft_at(n, n->used);
	nest = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	put_value(h, NFTA_SET_ELEM_KEY, &e->key);
	if (e->key_end.len && e->key.parts != 1)
		put_value(h, NFTA_SET_ELEM_KEY_END, &e->key_end);
	if (type == NFT_MSG_NEWSETELEM) {
		if (e->data.len)
			put_value(h, NFTA_SET_ELEM_DATA, &e->data);
		if (e->chain)
			put_goto(n, h, e->chain);
		put_userdata(n, h, e);
	}
	mnl_attr_nest_end(h, nest);
	if (e->key_end.len && e->key.parts == 1)
		put_range_end(h, &e->key_end);
}

void nft_add_elem(struct nft *n, const char *set, const struct nft_elem *e, bool excl)
{
	put_elem(n, NFT_MSG_NEWSETELEM, NLM_F_CREATE | (excl ? NLM_F_EXCL : 0), set, e);
}

void nft_del_elem(struct nft *n, const char *set, const struct nft_elem *e)
{
	put_elem(n, NFT_MSG_DELSETELEM, 0, set, e);
}
