// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_xt.c - rules of iptables-nft
 *
 * Built without libnftnl's objects, which take over the memory of a match in some versions and copy
 * it in others.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <stdio.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>

#include <libnftnl/common.h>

#include "nft/nft_impl.h"
#include "nft/nft_xt.h"

#include <linux/netfilter/nf_tables_compat.h>

enum {
	RULE_ROOM = 2048,
	IP_SADDR = 12,
	IP6_SADDR = 8,
	XT_ALIGNMENT = 8,
	CONNTRACK_REVISION = 3,
};

void nft_switch_table(struct nft *n, uint8_t family, const char *table)
{
	nft_close_elems(n);
	n->family = family;
	n->table = mem_str(n->mem, table);
}

/* ---- expressions ---- */

struct expr {
	struct nlmsghdr *h;
	struct nlattr *outer, *inner;
};

static struct expr begin_expr(struct nlmsghdr *h, const char *name)
{
	struct expr e = { .h = h, .outer = mnl_attr_nest_start(h, NFTA_LIST_ELEM) };

	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	e.inner = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void end_expr(struct expr e)
{
	mnl_attr_nest_end(e.h, e.inner);
	mnl_attr_nest_end(e.h, e.outer);
}

static void put_be32(struct nlmsghdr *h, uint16_t attr, uint32_t v)
{
	mnl_attr_put_u32(h, attr, htonl(v));
}

static void put_address(struct nlmsghdr *h, const struct nft_xt_rule *r)
{
	struct expr e = begin_expr(h, "payload");
	unsigned len = ip_bytes(r->ip);
	uint32_t offset = r->ip.family == AF_INET6 ? IP6_SADDR : IP_SADDR;
	struct nlattr *data;

	put_be32(h, NFTA_PAYLOAD_DREG, NFT_REG_1);
	put_be32(h, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
	put_be32(h, NFTA_PAYLOAD_OFFSET, r->source ? offset : offset + len);
	put_be32(h, NFTA_PAYLOAD_LEN, len);
	end_expr(e);
	e = begin_expr(h, "cmp");
	put_be32(h, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(h, NFTA_CMP_OP, NFT_CMP_EQ);
	data = mnl_attr_nest_start(h, NFTA_CMP_DATA);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, r->ip.b);
	mnl_attr_nest_end(h, data);
	end_expr(e);
}

static void put_match(struct nlmsghdr *h, const char *name, uint32_t revision, const void *info,
		      size_t size)
{
	struct expr e = begin_expr(h, "match");

	mnl_attr_put_strz(h, NFTA_MATCH_NAME, name);
	put_be32(h, NFTA_MATCH_REV, revision);
	mnl_attr_put(h, NFTA_MATCH_INFO, size, info);
	end_expr(e);
}

static void put_state(struct nlmsghdr *h, enum nft_xt_state state)
{
	union {
		struct xt_conntrack_mtinfo3 info;
		char room[(sizeof(struct xt_conntrack_mtinfo3) + XT_ALIGNMENT - 1) / XT_ALIGNMENT *
			  XT_ALIGNMENT];
	} u = { .room = { 0 } };

	u.info.match_flags = XT_CONNTRACK_STATE;
	if (state == NFT_XT_DNAT)
		u.info.state_mask = XT_CONNTRACK_STATE_DNAT;
	else
		u.info.state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED) |
				    XT_CONNTRACK_STATE_BIT(IP_CT_RELATED);
	put_match(h, "conntrack", CONNTRACK_REVISION, u.room, sizeof(u.room));
}

static void put_comment(struct nlmsghdr *h, const char *comment)
{
	struct xt_comment_info info = { .comment = "" };

	snprintf(info.comment, sizeof(info.comment), "%s", comment);
	put_match(h, "comment", 0, &info, sizeof(info));
}

static void put_counter(struct nlmsghdr *h)
{
	struct expr e = begin_expr(h, "counter");

	mnl_attr_put_u64(h, NFTA_COUNTER_BYTES, 0);
	mnl_attr_put_u64(h, NFTA_COUNTER_PACKETS, 0);
	end_expr(e);
}

static void put_verdict(struct nft *n, struct nlmsghdr *h, const char *jump)
{
	struct expr e = begin_expr(h, "immediate");
	struct nlattr *data, *verdict;

	put_be32(h, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	data = mnl_attr_nest_start(h, NFTA_IMMEDIATE_DATA);
	verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	put_be32(h, NFTA_VERDICT_CODE, jump ? (uint32_t)NFT_JUMP : NF_ACCEPT);
	if (jump)
		nft_put_name(n, h, NFTA_VERDICT_CHAIN, jump);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
	end_expr(e);
}

void nft_xt_put_rule(struct nft *n, const struct nft_xt_rule *r)
{
	int place = r->first ? 0 : NLM_F_APPEND;
	int answer = r->answer ? NLM_F_ECHO : 0;
	struct nlmsghdr *h = nft_msg(n, NFT_MSG_NEWRULE, NLM_F_CREATE | place | answer, RULE_ROOM);
	struct nlattr *nest;

	nft_put_name(n, h, NFTA_RULE_TABLE, n->table);
	nft_put_name(n, h, NFTA_RULE_CHAIN, r->chain);
	nest = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	if (ip_set(r->ip))
		put_address(h, r);
	if (r->state)
		put_state(h, r->state);
	if (r->comment)
		put_comment(h, r->comment);
	put_counter(h);
	put_verdict(n, h, r->jump);
	mnl_attr_nest_end(h, nest);
	nest = mnl_attr_nest_start(h, NFTA_RULE_COMPAT);
	put_be32(h, NFTA_RULE_COMPAT_PROTO, 0);
	put_be32(h, NFTA_RULE_COMPAT_FLAGS, 0);
	mnl_attr_nest_end(h, nest);
	nft_msg_end(n, h);
}

/* ---- finding ---- */

struct search {
	struct nfnl *nl;
	const char *chain;
	const struct nft_xt_rule *rules;
	const struct nlattr **want; /* their expressions */
	unsigned n, read, most;
	nft_xt_fn *each;
	void *arg;
};

/* Most rules of a long chain are of other addresses: a quick look before the comparison. */
static bool has_address(const struct nlattr *have, struct ip ip)
{
	return !ip_set(ip) || memmem(mnl_attr_get_payload(have), mnl_attr_get_payload_len(have),
				     ip.b, ip_bytes(ip));
}

static int compare_rule(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *have, *handle;
	struct search *s = arg;

	have = nfnl_attr(h, NFTA_RULE_EXPRESSIONS);
	handle = nfnl_attr(h, NFTA_RULE_HANDLE);
	if (!have || !handle || mnl_attr_get_payload_len(handle) < 8 ||
	    !str_eq(nfnl_text(nfnl_attr(h, NFTA_RULE_CHAIN)), s->chain))
		return 0;
	for (unsigned i = 0; i < s->n; i++)
		if (has_address(have, s->rules[i].ip) && nft_same_rule(s->want[i], have))
			s->each(i, be64toh(mnl_attr_get_u64(handle)), s->arg);
	return s->most && ++s->read >= s->most;
}

static int compare_listed(const struct nlmsghdr *h, void *arg)
{
	struct search *s = arg;
	int r;

	if (!nfnl_is_end(h))
		return compare_rule(h, arg);
	r = nfnl_error(s->nl, h);
	return r < 0 && r != -ENOENT ? r : 1;
}

/* Composes the wanted rules. */
static void want_rules(struct mem *mem, struct search *s, struct nft_ref chain)
{
	struct nft *forms = nft_new(mem, chain.family, chain.table);
	size_t at = 0;

	s->want = mem_alloc(mem, (s->n + 1) * sizeof(*s->want));
	for (unsigned i = 0; i < s->n; i++)
		nft_xt_put_rule(forms, &s->rules[i]);
	for (unsigned i = 0; i < s->n; i++) {
		const struct nlmsghdr *h = nft_at(forms, at);

		s->want[i] = nfnl_attr(h, NFTA_RULE_EXPRESSIONS);
		at += nfnl_align(h->nlmsg_len);
	}
}

static struct nlmsghdr *ask_rules(char *buf, struct nft_ref chain, int flags)
{
	struct nlmsghdr *h =
		nftnl_nlmsg_build_hdr(buf, NFT_MSG_GETRULE, chain.family, (uint16_t)flags, 0);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, chain.table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain.name);
	return h;
}

/*
 * On a socket of its own, because a dump that is not read to its end leaves answers behind.  A
 * dump that was interrupted is complete enough: the caller's change is bound to the generation.
 */
int nft_xt_find_rules(struct mem *mem, struct nfnl *nl, struct nft_ref chain,
		      const struct nft_xt_rule *want, unsigned n, unsigned most, nft_xt_fn *each,
		      void *arg)
{
	_Alignas(struct nlmsghdr) char buf[768] = { 0 };
	struct search s = { .nl = nl,
			    .chain = chain.name,
			    .rules = want,
			    .n = n,
			    .most = most,
			    .each = each,
			    .arg = arg };

	want_rules(mem, &s, chain);
	return nfnl_peek(nl, ask_rules(buf, chain, NLM_F_DUMP), compare_listed, &s);
}

static void note_same(unsigned want UNUSED, uint64_t handle UNUSED, void *arg)
{
	bool *same = arg;

	*same = true;
}

int nft_xt_is_rule(struct mem *mem, struct nfnl *nl, struct nft_ref chain, uint64_t handle,
		   const struct nft_xt_rule *want)
{
	_Alignas(struct nlmsghdr) char buf[768] = { 0 };
	struct nlmsghdr *h = ask_rules(buf, chain, 0);
	bool same = false;
	struct search s = { .nl = nl,
			    .chain = chain.name,
			    .rules = want,
			    .n = 1,
			    .each = note_same,
			    .arg = &same };
	int r;

	mnl_attr_put_u64(h, NFTA_RULE_HANDLE, htobe64(handle));
	want_rules(mem, &s, chain);
	r = nfnl_ask(nl, h, compare_rule, &s);
	if (r < 0 && r != -ENOENT)
		return r;
	return same;
}
