// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_ask.c - queries to nf_tables
 *
 * Elements are looked up by key, many in one datagram; each answer is assigned by its sequence
 * number.  Whole sets, and the rules of one chain, are dumped only where a list is needed (GC,
 * CHECK, and the dispatch rules of a new network).
 *
 * linux/netfilter/nf_tables.h.
 */
#include <endian.h>
#include <stdio.h>
#include <sys/uio.h>

#include <libnftnl/common.h>
#include <libnftnl/udata.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

#include <linux/netfilter/nf_tables_compat.h>

enum {
	ASK_ROOM = 768, /* of a query: two names of 255 bytes and a key */
	ASK_MANY = 64,  /* answers at a time: the receive buffer must hold them all */
};

/* NULL if there is none, or an empty one. */
static const char *get_str(const struct nlattr *a)
{
	const char *s = nfnl_text(a);

	return *s ? s : NULL;
}

/* Zeroed, because libmnl before 1.0.5 does not initialize padding, which is sent to the kernel. */
static struct nlmsghdr *question(char buf[ASK_ROOM], int type, uint8_t family, int flags)
{
	return nftnl_nlmsg_build_hdr(memset(buf, 0, ASK_ROOM), (uint16_t)type, family,
				     (uint16_t)flags, 0);
}

/* A query for an object of a table.  NULL if the name is too long to exist. */
static struct nlmsghdr *question_about(char *buf, int type, int flags, struct nft_ref ref,
				       uint16_t name_attr)
{
	struct nlmsghdr *h = question(buf, type, ref.family, flags);

	if (strlen(ref.table) >= NFT_NAME_MAXLEN || strlen(ref.name) >= NFT_NAME_MAXLEN)
		return NULL;
	mnl_attr_put_strz(h, NFT_TABLE_ATTR, ref.table);
	mnl_attr_put_strz(h, name_attr, ref.name);
	return h;
}

/* ---- generation ---- */

static int genid_each(const struct nlmsghdr *h, void *arg)
{
	uint32_t *ret = arg;

	*ret = nfnl_be32(nfnl_attr(h, NFTA_GEN_ID));
	return 0;
}

int nft_genid(struct nfnl *nl, uint32_t *ret)
{
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	uint32_t genid = 0;

	TRY(nfnl_ask(nl, question(buf, NFT_MSG_GETGEN, AF_UNSPEC, 0), genid_each, &genid));
	*ret = genid;
	return 0;
}

int nft_usable(struct nfnl *nl)
{
	uint32_t genid;
	int r = nft_genid(nl, &genid);

	/* netfilter's error for a missing subsystem */
	return r == -EINVAL || r == -EOPNOTSUPP ? -EPROTONOSUPPORT : r;
}

/* ---- elements ---- */

static void get_key(const struct nlattr *nest, struct nft_key *k)
{
	const struct nlattr *a = nfnl_attr_in(nest, NFTA_DATA_VALUE);
	unsigned len = a ? mnl_attr_get_payload_len(a) : 0;

	if (!len || len > NFT_KEY_MAX)
		return;
	memcpy(k->b, mnl_attr_get_payload(a), len);
	k->len = len;
}

static void get_userdata(const struct nlattr *a, struct nft_elem *e)
{
	const uint8_t *u = a ? mnl_attr_get_payload(a) : NULL;
	unsigned left = a ? mnl_attr_get_payload_len(a) : 0;

	while (left >= 2 && left >= 2u + u[1]) {
		if (u[0] == NFTNL_UDATA_SET_ELEM_COMMENT && u[1] && !u[1 + u[1]])
			e->comment = (const char *)u + 2;
		if (u[0] == NFT_UDATA_PRIVATE) {
			e->private = u + 2;
			e->private_len = u[1];
		}
		left -= 2u + u[1];
		u += 2 + u[1];
	}
}

static const char *verdict_chain(const struct nlattr *data)
{
	return get_str(nfnl_attr_in(nfnl_attr_in(data, NFTA_DATA_VERDICT), NFTA_VERDICT_CHAIN));
}

/* Pointers in *e point into the message. */
static void get_elem(const struct nlattr *nest, struct nft_elem *e)
{
	const struct nlattr *data = nfnl_attr_in(nest, NFTA_SET_ELEM_DATA);

	*e = (struct nft_elem){ 0 };
	get_key(nfnl_attr_in(nest, NFTA_SET_ELEM_KEY), &e->key);
	get_key(nfnl_attr_in(nest, NFTA_SET_ELEM_KEY_END), &e->key_end);
	get_key(data, &e->data);
	e->chain = verdict_chain(data);
	get_userdata(nfnl_attr_in(nest, NFTA_SET_ELEM_USERDATA), e);
}

struct elem_lookup {
	struct mem *mem;
	struct nfnl *nl;
	struct nft_ref set;
	struct nft_elem *e;
	uint32_t first;
	unsigned left;
};

static void keep_answer(struct mem *mem, const struct nft_elem *answer, struct nft_elem *e)
{
	if (answer->key_end.len) { /* the range that contains the key */
		unsigned parts = e->key.parts;

		e->key = answer->key;
		e->key_end = answer->key_end;
		e->key.parts = e->key_end.parts = parts;
	}
	e->data = answer->data;
	e->chain = mem_str(mem, answer->chain);
	e->comment = mem_str(mem, answer->comment);
	e->private = answer->private ? mem_dup(mem, answer->private, answer->private_len) : NULL;
	e->private_len = answer->private_len;
}

static int elem_lookup_each(const struct nlmsghdr *h, void *arg)
{
	struct elem_lookup *f = arg;
	uint32_t i = h->nlmsg_seq - f->first;
	const struct nlattr *nest;
	struct nft_elem answer;

	if (nfnl_is_end(h)) {
		int r = nfnl_error(f->nl, h);

		if (r < 0 && r != -ENOENT)
			return r;
		return --f->left == 0;
	}
	nest = nfnl_attr_in(nfnl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), NFTA_LIST_ELEM);
	if (nest) {
		get_elem(nest, &answer);
		keep_answer(f->mem, &answer, &f->e[i]);
		f->e[i].found = true;
	}
	return --f->left == 0;
}

/* Appends a query at buf; returns its size, or 0 if the set cannot exist. */
static size_t put_elem_question(char *buf, struct nft_ref set, const struct nft_key *k,
				uint32_t seq)
{
	struct nlmsghdr *h =
		question_about(buf, NFT_MSG_GETSETELEM, 0, set, NFTA_SET_ELEM_LIST_SET);
	struct nlattr *list, *elem, *key;

	if (!h)
		return 0;
	h->nlmsg_seq = seq;
	list = mnl_attr_nest_start(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	key = mnl_attr_nest_start(h, NFTA_SET_ELEM_KEY);
	mnl_attr_put(h, NFTA_DATA_VALUE, k->len, k->b);
	mnl_attr_nest_end(h, key);
	mnl_attr_nest_end(h, elem);
	mnl_attr_nest_end(h, list);
	return nfnl_align(h->nlmsg_len);
}

static int find_batch(struct elem_lookup *f, char *buf, unsigned n)
{
	size_t used = 0;

	f->left = n;
	f->first = nfnl_seq(f->nl, n);
	for (unsigned i = 0; i < n; i++)
		used += put_elem_question(buf + used, f->set, &f->e[i].key, f->first + i);
	if (!used)
		return 0;
	TRY(nfnl_send(f->nl, &(struct iovec){ buf, used }, 1));
	return nfnl_read(f->nl, f->first, f->first + n - 1, elem_lookup_each, f);
}

int nft_find_elems(struct mem *mem, struct nfnl *nl, struct nft_ref set, struct nft_elem *e,
		   unsigned n)
{
	struct elem_lookup f = { .mem = mem, .nl = nl, .set = set, .e = e };
	char *buf = mem_alloc(mem, (size_t)(n < ASK_MANY ? n : ASK_MANY) * ASK_ROOM);

	nl->why[0] = '\0';
	for (unsigned i = 0; i < n; i++)
		e[i].found = false;
	while (n) {
		unsigned some = n < ASK_MANY ? n : ASK_MANY;

		TRY(find_batch(&f, buf, some));
		f.e += some;
		n -= some;
	}
	return 0;
}

struct elem_reader {
	nft_elem_fn *each;
	void *arg;
};

static int elem_each(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *list, *a = NULL;
	struct elem_reader *c = arg;
	struct nft_elem e;
	int r = 0;

	if (!h)
		return c->each(NULL, c->arg);
	list = nfnl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	while (r == 0 && (a = nfnl_attr_next(list, a))) {
		/* The end of a range in a set of single values is not an element of its own. */
		if (nfnl_be32(nfnl_attr_in(a, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END)
			continue;
		get_elem(a, &e);
		r = c->each(&e, c->arg);
	}
	return r;
}

static int gone_is_empty(int r)
{
	return r == -ENOENT ? 0 : r;
}

int nft_each_elem(struct nfnl *nl, struct nft_ref set, nft_elem_fn *each, void *arg)
{
	struct elem_reader c = { each, arg };
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	struct nlmsghdr *h =
		question_about(buf, NFT_MSG_GETSETELEM, NLM_F_DUMP, set, NFTA_SET_ELEM_LIST_SET);

	if (!h)
		return 0;
	return gone_is_empty(nfnl_ask(nl, h, elem_each, &c));
}

/* ---- chains and rules ---- */

static int use_each(const struct nlmsghdr *h, void *arg)
{
	unsigned *use = arg;

	*use = nfnl_be32(nfnl_attr(h, NFTA_CHAIN_USE));
	return 0;
}

int nft_chain_use(struct nfnl *nl, struct nft_ref chain, unsigned *ret_use)
{
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	struct nlmsghdr *h = question_about(buf, NFT_MSG_GETCHAIN, 0, chain, NFTA_CHAIN_NAME);
	unsigned use = 0;

	if (!h)
		return -ENOENT;
	TRY(nfnl_ask(nl, h, use_each, &use));
	*ret_use = use;
	return 0;
}

struct chains_lookup {
	struct nfnl *nl;
	bool *ret;
	uint32_t first;
	unsigned left;
};

static int chains_lookup_each(const struct nlmsghdr *h, void *arg)
{
	struct chains_lookup *l = arg;
	int r = 0;

	if (nfnl_is_end(h))
		r = nfnl_error(l->nl, h);
	else
		l->ret[h->nlmsg_seq - l->first] = true;
	if (r < 0 && r != -ENOENT)
		return r;
	return --l->left == 0;
}

int nft_find_chains(struct mem *mem, struct nfnl *nl, const struct nft_ref *refs, unsigned n,
		    bool *ret)
{
	struct chains_lookup l = { nl, ret, nfnl_seq(nl, n), 0 };
	char *buf = mem_alloc(mem, (size_t)n * ASK_ROOM);
	size_t used = 0;

	for (unsigned i = 0; i < n; i++) {
		struct nlmsghdr *h =
			question_about(buf + used, NFT_MSG_GETCHAIN, 0, refs[i], NFTA_CHAIN_NAME);

		ret[i] = false;
		if (!h)
			continue;
		h->nlmsg_seq = l.first + i;
		used += nfnl_align(h->nlmsg_len);
		l.left++;
	}
	if (!used)
		return 0;
	TRY(nfnl_send(nl, &(struct iovec){ buf, used }, 1));
	return nfnl_read(nl, l.first, l.first + n - 1, chains_lookup_each, &l);
}

/* The text of -m comment (linux/netfilter/xt_comment.h). */
static const char *xt_comment(const struct nlattr *match)
{
	if (!str_eq(get_str(nfnl_attr_in(match, NFTA_MATCH_NAME)), "comment"))
		return NULL;
	return get_str(nfnl_attr_in(match, NFTA_MATCH_INFO));
}

bool nft_rule_has_ip(const struct nft_rule_info *w, struct ip ip)
{
	return w->exprs && memmem(mnl_attr_get_payload(w->exprs),
				  mnl_attr_get_payload_len(w->exprs), ip.b, ip_bytes(ip));
}

struct rule_reader {
	const char *chain;
	nft_rule_fn *each;
	void *arg;
};

static int rule_each(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *handle, *list, *a = NULL, *data;
	struct nft_rule_info w = { 0 };
	struct rule_reader *c = arg;
	struct nft_elem about = { .comment = NULL };

	if (!h)
		return c->each(NULL, c->arg);
	handle = nfnl_attr(h, NFTA_RULE_HANDLE);
	if (!handle || mnl_attr_get_payload_len(handle) < 8 ||
	    !str_eq(get_str(nfnl_attr(h, NFTA_RULE_CHAIN)), c->chain))
		return 0;
	w.handle = be64toh(mnl_attr_get_u64(handle));
	/* NFTNL_UDATA_RULE_COMMENT is the number of an element's comment, too. */
	get_userdata(nfnl_attr(h, NFTA_RULE_USERDATA), &about);
	w.comment = about.comment;
	w.exprs = list = nfnl_attr(h, NFTA_RULE_EXPRESSIONS);
	while ((a = nfnl_attr_next(list, a))) {
		const char *name = get_str(nfnl_attr_in(a, NFTA_EXPR_NAME));

		data = nfnl_attr_in(a, NFTA_EXPR_DATA);
		if (str_eq(name, "lookup"))
			w.set = get_str(nfnl_attr_in(data, NFTA_LOOKUP_SET));
		if (str_eq(name, "immediate"))
			w.chain = verdict_chain(nfnl_attr_in(data, NFTA_IMMEDIATE_DATA));
		if (str_eq(name, "match") && !w.comment)
			w.comment = xt_comment(data);
	}
	return c->each(&w, c->arg);
}

int nft_each_rule(struct nfnl *nl, struct nft_ref chain, nft_rule_fn *each, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	struct nlmsghdr *h =
		question_about(buf, NFT_MSG_GETRULE, NLM_F_DUMP, chain, NFTA_RULE_CHAIN);
	struct rule_reader c = { chain.name, each, arg };

	if (!h)
		return 0;
	return gone_is_empty(nfnl_ask(nl, h, rule_each, &c));
}

struct chain_reader {
	const char *table;
	nft_chain_fn *each;
	void *arg;
};

static int chain_each(const struct nlmsghdr *h, void *arg)
{
	struct chain_reader *c = arg;
	const char *name;

	if (!h)
		return c->each(NULL, 0, c->arg);
	name = get_str(nfnl_attr(h, NFTA_CHAIN_NAME));
	if (!name || !str_eq(get_str(nfnl_attr(h, NFTA_CHAIN_TABLE)), c->table))
		return 0;
	return c->each(name, nfnl_be32(nfnl_attr(h, NFTA_CHAIN_USE)), c->arg);
}

int nft_each_chain(struct nfnl *nl, struct nft_ref table, nft_chain_fn *each, void *arg)
{
	struct chain_reader c = { table.table, each, arg };
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	struct nlmsghdr *h = question(buf, NFT_MSG_GETCHAIN, table.family, NLM_F_DUMP);

	/* The kernel filters this dump by family only. */
	return gone_is_empty(nfnl_ask(nl, h, chain_each, &c));
}

struct set_reader {
	nft_set_fn *each;
	void *arg;
};

static int set_each(const struct nlmsghdr *h, void *arg)
{
	const char *name = h ? get_str(nfnl_attr(h, NFTA_SET_NAME)) : NULL;
	struct set_reader *c = arg;

	if (h && !name)
		return 0;
	return c->each(name, c->arg);
}

int nft_each_set(struct nfnl *nl, struct nft_ref table, nft_set_fn *each, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM];
	struct nlmsghdr *h = question(buf, NFT_MSG_GETSET, table.family, NLM_F_DUMP);
	struct set_reader c = { each, arg };

	if (strlen(table.table) >= NFT_NAME_MAXLEN)
		return 0;
	mnl_attr_put_strz(h, NFT_TABLE_ATTR, table.table);
	return gone_is_empty(nfnl_ask(nl, h, set_each, &c));
}
