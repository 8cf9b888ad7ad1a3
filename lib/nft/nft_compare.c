// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_compare.c - CHECK: compares a change-set with the kernel's state
 *
 * Each message of the change-set is compared with the kernel's answer about the same object: first
 * all tables, chains and sets, 64 in one datagram, then the rules of the table, in one dump
 * (nft_same.c).  The cost depends on the change-set and on the number of networks, not on the
 * number of elements.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <stdio.h>

#include <libnftnl/common.h>

#include "base/differ.h"
#include "nft/nft_impl.h"
#include "nft/nft.h"

enum { ASK_ROOM = 600, ASK_MANY = 64, LOOK_AHEAD = 16 };

/* The rules of a chain. */
struct rules {
	const struct nlattr **rule;
	unsigned n;
};

struct object {
	const struct nlmsghdr *want, *have; /* have: NULL = missing */
	struct rules rules;                 /* the kernel's rules in this chain */
};

struct compare {
	struct tx *tx;
	struct nfnl *nl;
	struct nft *n;
	struct object *objects;
	unsigned n_objects;
	uint32_t first;
	unsigned left;
};

static const char *family_name(uint8_t family)
{
	if (family == NFPROTO_BRIDGE)
		return "bridge";
	return family == NFPROTO_INET ? "inet" : "";
}

static int msg_type(const struct nlmsghdr *h)
{
	return h->nlmsg_type & 0xff;
}

/* ---- tables, chains and sets as text ---- */

static char *describe_table(struct mem *mem, const struct nlmsghdr *h)
{
	bool dormant = nfnl_be32(nfnl_attr(h, NFTA_TABLE_FLAGS)) & NFT_TABLE_F_DORMANT;

	return mem_str(mem, dormant ? "dormant" : "active");
}

static char *describe_chain(struct mem *mem, const struct nlmsghdr *h)
{
	static const char *const hooks[] = { "prerouting", "input", "forward", "output",
					     "postrouting" };
	const struct nlattr *hook = nfnl_attr(h, NFTA_CHAIN_HOOK);
	const struct nlattr *policy = nfnl_attr(h, NFTA_CHAIN_POLICY);
	uint32_t number = nfnl_be32(nfnl_attr_in(hook, NFTA_HOOK_HOOKNUM));
	const char *name = number < ARRAY_LEN(hooks) ? hooks[number] : "?";
	bool drops = policy && nfnl_be32(policy) == NF_DROP;

	if (!hook)
		return mem_str(mem, "a regular chain");
	return mem_printf(mem, "type %s hook %s priority %d policy %s",
			  nfnl_text(nfnl_attr(h, NFTA_CHAIN_TYPE)), name,
			  (int)nfnl_be32(nfnl_attr_in(hook, NFTA_HOOK_PRIORITY)),
			  drops ? "drop" : "accept");
}

static char *describe_set(struct mem *mem, const struct nlmsghdr *h)
{
	uint32_t flags = nfnl_be32(nfnl_attr(h, NFTA_SET_FLAGS));
	uint32_t data = nfnl_be32(nfnl_attr(h, NFTA_SET_DATA_TYPE));
	const char *key = mem_printf(mem, "of type 0x%x (%u bytes)%s",
				     nfnl_be32(nfnl_attr(h, NFTA_SET_KEY_TYPE)),
				     nfnl_be32(nfnl_attr(h, NFTA_SET_KEY_LEN)),
				     flags & NFT_SET_INTERVAL ? ", intervals" : "");

	if (!(flags & NFT_SET_MAP))
		return mem_printf(mem, "set %s", key);
	if (data == NFT_DATA_VERDICT)
		return mem_printf(mem, "map %s to verdicts", key);
	return mem_printf(mem, "map %s to type 0x%x (%u bytes)", key, data,
			  nfnl_be32(nfnl_attr(h, NFTA_SET_DATA_LEN)));
}

static const struct {
	uint8_t add, ask;
	uint16_t name; /* attribute; 0 = the table itself */
	const char *what;
	char *(*describe)(struct mem *mem, const struct nlmsghdr *h);
	uint16_t described[6]; /* the attributes that describe() prints */
} kinds[] = {
	{ NFT_MSG_NEWTABLE, NFT_MSG_GETTABLE, 0, "", describe_table, { NFTA_TABLE_FLAGS } },
	{ NFT_MSG_NEWCHAIN,
	  NFT_MSG_GETCHAIN,
	  NFTA_CHAIN_NAME,
	  "chain ",
	  describe_chain,
	  { NFTA_CHAIN_TYPE, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY } },
	{ NFT_MSG_NEWSET,
	  NFT_MSG_GETSET,
	  NFTA_SET_NAME,
	  "set ",
	  describe_set,
	  { NFTA_SET_FLAGS, NFTA_SET_KEY_TYPE, NFTA_SET_KEY_LEN, NFTA_SET_DATA_TYPE,
	    NFTA_SET_DATA_LEN } },
};

static int kind_index(const struct nlmsghdr *h)
{
	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].add == msg_type(h))
			return (int)i;
	return -1;
}

static const char *name_of(const struct nlmsghdr *h)
{
	int k = kind_index(h);

	if (k <= 0)
		return "";
	return nfnl_text(nfnl_attr(h, kinds[k].name));
}

/* "chain ports of nftables table inet cplug" */
static char *describe_object(const struct compare *c, const struct nlmsghdr *h)
{
	int k = kind_index(h);
	const char *of = k ? " of " : "";

	return mem_printf(&c->tx->mem, "%s%s%snftables table %s %s", kinds[k].what, name_of(h), of,
			  family_name(c->n->family), c->n->table);
}

/* Lists the objects of the change-set, each once. */
static void list_objects(struct compare *c)
{
	const struct nlmsghdr *h;

	for (size_t at = 0; at < c->n->used; at += nfnl_align(h->nlmsg_len)) {
		bool seen = false;

		h = nft_at(c->n, at);
		if (kind_index(h) < 0)
			continue;
		for (unsigned i = 0; i < c->n_objects && !seen; i++)
			seen = msg_type(c->objects[i].want) == msg_type(h) &&
			       str_eq(name_of(c->objects[i].want), name_of(h));
		if (seen)
			continue;
		c->objects = mem_grow(&c->tx->mem, c->objects, c->n_objects, sizeof(*c->objects));
		c->objects[c->n_objects++] = (struct object){ .want = h };
	}
}

static int object_each(const struct nlmsghdr *h, void *arg)
{
	struct compare *c = arg;
	struct object *o = &c->objects[h->nlmsg_seq - c->first];

	if (nfnl_is_end(h)) {
		int r = nfnl_error(c->nl, h);

		if (r < 0 && r != -ENOENT)
			return r;
	} else if (kind_index(h) == kind_index(o->want)) {
		o->have = mem_dup(&c->tx->mem, h, h->nlmsg_len);
	}
	return --c->left == 0;
}

static size_t ask_object(const struct compare *c, char *buf, const struct object *o, uint32_t seq)
{
	int k = kind_index(o->want);
	struct nlmsghdr *h = nftnl_nlmsg_build_hdr(buf, kinds[k].ask, c->n->family, 0, seq);

	mnl_attr_put_strz(h, NFT_TABLE_ATTR, c->n->table);
	if (k)
		mnl_attr_put_strz(h, kinds[k].name, name_of(o->want));
	return nfnl_align(h->nlmsg_len);
}

static int ask_objects(struct compare *c)
{
	char *buf = mem_alloc(&c->tx->mem, (size_t)ASK_MANY * ASK_ROOM);
	struct object *all = c->objects;
	int r = 0;

	for (unsigned done = 0; done < c->n_objects && r == 0; done += ASK_MANY) {
		unsigned some = c->n_objects - done < ASK_MANY ? c->n_objects - done : ASK_MANY;
		size_t used = 0;

		c->objects = all + done;
		c->left = some;
		c->first = nfnl_seq(c->nl, some);
		for (unsigned i = 0; i < some; i++)
			used += ask_object(c, buf + used, &c->objects[i], c->first + i);
		r = nfnl_send(c->nl, &(struct iovec){ buf, used }, 1);
		if (r == 0)
			r = nfnl_read(c->nl, c->first, c->first + some - 1, object_each, c);
	}
	c->objects = all;
	return r;
}

/* ---- the rules of a chain ---- */

static void keep_rule(struct mem *mem, struct rules *s, const struct nlmsghdr *h)
{
	const struct nlattr *a = nfnl_attr(h, NFTA_RULE_EXPRESSIONS);

	s->rule = mem_grow(mem, s->rule, s->n, sizeof(*s->rule));
	s->rule[s->n++] = a ? mem_dup(mem, a, a->nla_len) : NULL;
}

static int rules_each(const struct nlmsghdr *h, void *arg)
{
	const char *chain = h ? nfnl_text(nfnl_attr(h, NFTA_RULE_CHAIN)) : NULL;
	struct compare *c = arg;

	for (unsigned i = 0; i < c->n_objects; i++) {
		struct object *o = &c->objects[i];

		if (!h)
			o->rules.n = 0;
		else if (msg_type(o->want) == NFT_MSG_NEWCHAIN && str_eq(name_of(o->want), chain)) {
			keep_rule(&c->tx->mem, &o->rules, h);
			break;
		}
	}
	return 0;
}

/*
 * One dump for the whole table, because a dump for each chain costs more: a table has about a dozen
 * rules for each network.
 */
static int ask_rules(struct compare *c)
{
	_Alignas(struct nlmsghdr) char buf[ASK_ROOM] = { 0 }; /* padding is sent, too */
	struct nlmsghdr *h =
		nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, c->n->family, NLM_F_DUMP, 0);
	int r;

	mnl_attr_put_strz(h, NFT_TABLE_ATTR, c->n->table);
	r = nfnl_ask(c->nl, h, rules_each, c);
	return r == -ENOENT ? 0 : r;
}

/*
 * The distance of a rule like want from the one at from, at most LOOK_AHEAD.  have: the list has
 * the kernel's rules.
 */
static unsigned rule_distance(const struct nlattr *want, const struct rules *in, unsigned from,
			      bool have)
{
	unsigned i = 0;

	for (; from + i < in->n && i < LOOK_AHEAD; i++)
		if (have ? nft_same_rule(want, in->rule[from + i])
			 : nft_same_rule(in->rule[from + i], want))
			return i;
	return LOOK_AHEAD;
}

static void rule_differs(const struct compare *c, const struct object *chain, unsigned number,
			 const struct nlattr *want, const struct nlattr *have)
{
	struct mem *mem = &c->tx->mem;
	const char *wanted = want ? nft_describe_rule(mem, want) : "no such rule";
	const char *found = have ? nft_describe_rule(mem, have) : NULL;

	if (str_eq(wanted, found))
		found = mem_printf(mem, "%s, with other values", found);
	differ(c->tx, mem_printf(mem, "rule %u of %s", number, describe_object(c, chain->want)),
	       wanted, found);
}

/*
 * Walks along both lists.  A rule that is missing or too much is one difference; the rules after it
 * are compared as usual.
 */
static void compare_rules(const struct compare *c, const struct object *chain,
			  const struct rules *want, const struct rules *have)
{
	unsigned w = 0, h = 0;

	while (w < want->n || h < have->n) {
		unsigned extra, missing;

		if (w < want->n && h < have->n && nft_same_rule(want->rule[w], have->rule[h])) {
			w++, h++;
			continue;
		}
		extra = w < want->n ? rule_distance(want->rule[w], have, h, true) : 0;
		missing = h < have->n ? rule_distance(have->rule[h], want, w, false) : 0;
		if (w == want->n || (h < have->n && extra < LOOK_AHEAD)) {
			rule_differs(c, chain, h + 1, NULL, have->rule[h]);
			h++;
		} else if (h == have->n || missing < LOOK_AHEAD) {
			rule_differs(c, chain, w + 1, want->rule[w], NULL);
			w++;
		} else {
			rule_differs(c, chain, w + 1, want->rule[w], have->rule[h]);
			w++, h++;
		}
	}
}

/* Other networks have rules in this chain, too, but of the same form as ours. */
static void compare_shared(const struct compare *c, const struct object *chain,
			   const struct rules *want, const struct rules *have)
{
	for (unsigned h = 0; want->n && h < have->n; h++)
		if (!nft_alike(want->rule[0], have->rule[h]))
			rule_differs(c, chain, h + 1, NULL, have->rule[h]);
	for (unsigned w = 0; w < want->n; w++) {
		unsigned h = 0;

		while (h < have->n && !nft_same_rule(want->rule[w], have->rule[h]))
			h++;
		if (h == have->n)
			rule_differs(c, chain, w + 1, want->rule[w], NULL);
	}
}

static void compare_chain(const struct compare *c, const struct object *chain)
{
	const char *name = name_of(chain->want);
	struct rules want = { .n = 0 };
	const struct nlmsghdr *h;
	bool emptied = false;

	for (size_t at = 0; at < c->n->used; at += nfnl_align(h->nlmsg_len)) {
		h = nft_at(c->n, at);
		if ((msg_type(h) != NFT_MSG_NEWRULE && msg_type(h) != NFT_MSG_DELRULE) ||
		    !str_eq(nfnl_text(nfnl_attr(h, NFTA_RULE_CHAIN)), name))
			continue;
		if (msg_type(h) == NFT_MSG_NEWRULE) {
			keep_rule(&c->tx->mem, &want, h);
			continue;
		}
		/* The change-set flushes the chain. */
		want.n = 0;
		emptied = true;
	}
	if (emptied)
		compare_rules(c, chain, &want, &chain->rules);
	else
		compare_shared(c, chain, &want, &chain->rules);
}

/* Objects that differ in bytes may still have the same description. */
static void compare_object(const struct compare *c, const struct object *o)
{
	const char *want, *have = NULL;
	int k = kind_index(o->want);
	bool same = o->have;

	for (unsigned i = 0; same && kinds[k].described[i]; i++)
		same = nfnl_same(nfnl_attr(o->want, kinds[k].described[i]),
				 nfnl_attr(o->have, kinds[k].described[i]));
	if (same)
		return;
	want = kinds[k].describe(&c->tx->mem, o->want);
	if (o->have)
		have = kinds[k].describe(&c->tx->mem, o->have);
	if (!str_eq(want, have))
		differ(c->tx, describe_object(c, o->want), want, have);
}

static int compare_all(struct compare *c)
{
	TRY(ask_objects(c));
	TRY(ask_rules(c));
	for (unsigned i = 0; i < c->n_objects; i++) {
		const struct object *o = &c->objects[i];

		compare_object(c, o);
		/*
		 * If the table is missing, everything is; if a chain is missing, so are its rules.
		 */
		if (!o->have && msg_type(o->want) == NFT_MSG_NEWTABLE)
			return 0;
		if (o->have && msg_type(o->want) == NFT_MSG_NEWCHAIN)
			compare_chain(c, o);
	}
	return 0;
}

int nft_compare(struct tx *tx, struct nfnl *nl, struct nft *n)
{
	struct compare c = { .tx = tx, .nl = nl, .n = n };
	int r = n->err;

	nft_close_elems(n);
	list_objects(&c);
	if (r == 0)
		r = compare_all(&c);
	if (r < 0)
		return tx_fail(tx, r, "host: compare nftables table %s: %s", n->table,
			       strerror(-r));
	return 0;
}
