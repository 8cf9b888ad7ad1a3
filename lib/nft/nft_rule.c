// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_rule.c - expressions of a rule
 *
 * The kernel has sixteen registers of 32 bits (NFT_REG32_00 …).  A load fills the next free ones,
 * so that several loads are adjacent, like the key of a concatenation.  A match or a lookup starts
 * at the first register and frees all of them.  A map lookup writes its data there, too: dnat takes
 * the address from there, and the port after it.
 *
 * The expressions are those that nft generates (nft --debug=netlink), so that `nft list` prints the
 * rules as intended.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <stdio.h>

#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

enum {
	EXPRS_MAX = 32,
	REGS_MAX = 16,
	RULE_ROOM = 16384,    /* 32 expressions, some with a name of 255 bytes */
	DNAT_BIT = 1 << 5,    /* IPS_DST_NAT, linux/netfilter/nf_conntrack_common.h */
	INVALID_BIT = 1 << 0, /* NF_CT_STATE_INVALID_BIT, same file */
	ORIGINAL = 1,         /* 1 + IP_CT_DIR_ORIGINAL, … */
	REPLY = 2,            /* … 1 + IP_CT_DIR_REPLY, enum ip_conntrack_dir */
};

void nft_rule(struct nft *n, const char *chain)
{
	if (n->rule)
		return nft_wrong(n, -EINVAL, "a rule within a rule");
	n->exprs = n->regs = 0;
	n->rule = nftnl_rule_alloc();
	if (!n->rule)
		return nft_wrong(n, -ENOMEM, NULL);
	if (strlen(chain) >= NFT_NAME_MAXLEN)
		nft_wrong(n, -ENAMETOOLONG, "a chain's name of more than 255 bytes");
	if (nftnl_rule_set_str(n->rule, NFTNL_RULE_TABLE, n->table) < 0 ||
	    nftnl_rule_set_str(n->rule, NFTNL_RULE_CHAIN, chain) < 0)
		nft_wrong(n, -ENOMEM, NULL);
}

static void put_rule_comment(struct nft *n, const char *comment)
{
	uint8_t u[2 + NFT_COMMENT_MAX + 1] = { NFTNL_UDATA_RULE_COMMENT };
	size_t len = strnlen(comment, NFT_COMMENT_MAX);

	u[1] = (uint8_t)(len + 1);
	memcpy(u + 2, comment, len);
	if (nftnl_rule_set_data(n->rule, NFTNL_RULE_USERDATA, u, (uint32_t)(2 + len + 1)) < 0)
		nft_wrong(n, -ENOMEM, NULL);
}

void nft_rule_end(struct nft *n, const char *comment)
{
	struct nlmsghdr *h;

	if (!n->rule)
		return nft_wrong(n, -EINVAL, "the end of a rule that was not begun");
	if (comment)
		put_rule_comment(n, comment);
	if (!n->err) {
		h = nft_msg(n, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, RULE_ROOM);
		nftnl_rule_nlmsg_build_payload(h, n->rule);
		nft_msg_end(n, h);
	}
	nftnl_rule_free(n->rule);
	n->rule = NULL;
}

struct nftnl_expr *nft_new_expr(struct nft *n, const char *name)
{
	struct nftnl_expr *e;

	if (!n->rule)
		nft_wrong(n, -EINVAL, "a word outside of a rule");
	else if (n->exprs++ == EXPRS_MAX)
		nft_wrong(n, -E2BIG, "a rule of too many words");
	if (n->err)
		return NULL;
	e = nftnl_expr_alloc(name);
	if (e)
		nftnl_rule_add_expr(n->rule, e);
	else
		nft_wrong(n, -ENOMEM, NULL);
	return e;
}

void nft_set_bytes(struct nft *n, struct nftnl_expr *e, uint16_t attr, const void *data,
		   unsigned len)
{
	if (nftnl_expr_set(e, attr, data, len) < 0)
		nft_wrong(n, -ENOMEM, NULL);
}

static void set_name(struct nft *n, struct nftnl_expr *e, uint16_t attr, const char *name)
{
	if (strlen(name) >= NFT_NAME_MAXLEN)
		nft_wrong(n, -ENAMETOOLONG, "a name of more than 255 bytes");
	else if (nftnl_expr_set_str(e, attr, name) < 0)
		nft_wrong(n, -ENOMEM, NULL);
}

/* ---- loading ---- */

uint32_t nft_take_regs(struct nft *n, unsigned len)
{
	unsigned first = n->regs;

	n->regs += (len + 3) / 4;
	if (n->regs > REGS_MAX) {
		nft_wrong(n, -E2BIG, "more than 64 bytes loaded at once");
		first = n->regs = 0;
	}
	return NFT_REG32_00 + first;
}

static void load_payload(struct nft *n, uint32_t base, uint32_t offset, uint32_t len)
{
	struct nftnl_expr *e = nft_new_expr(n, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, nft_take_regs(n, len));
}

static void load_meta(struct nft *n, uint32_t key, uint32_t len)
{
	struct nftnl_expr *e = nft_new_expr(n, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, nft_take_regs(n, len));
}

/* tuple: 0, or ORIGINAL or REPLY, for a key of one direction's tuple. */
static void load_ct(struct nft *n, uint32_t key, uint8_t tuple, uint32_t len)
{
	struct nftnl_expr *e = nft_new_expr(n, "ct");

	if (!e)
		return;
	if (tuple)
		nftnl_expr_set_u8(e, NFTNL_EXPR_CT_DIR, tuple - ORIGINAL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, nft_take_regs(n, len));
}

struct field {
	void (*load)(struct nft *n, const struct field *f);
	uint8_t base;     /* of payload; of ct: 0, ORIGINAL or REPLY */
	uint8_t key, len; /* key: of meta or ct; the offset in the header for payload */
};

static void load_payload_field(struct nft *n, const struct field *f)
{
	load_payload(n, f->base, f->key, f->len);
}

static void load_meta_field(struct nft *n, const struct field *f)
{
	load_meta(n, f->key, f->len);
}

static void load_ct_field(struct nft *n, const struct field *f)
{
	load_ct(n, f->key, f->base, f->len);
}

#define LINK load_payload_field, NFT_PAYLOAD_LL_HEADER
#define NETWORK load_payload_field, NFT_PAYLOAD_NETWORK_HEADER
#define TRANSPORT load_payload_field, NFT_PAYLOAD_TRANSPORT_HEADER
static const struct field fields[] = {
	[NFT_IP_SADDR] = { NETWORK, 12, 4 },
	[NFT_IP_DADDR] = { NETWORK, 16, 4 },
	[NFT_IP6_SADDR] = { NETWORK, 8, 16 },
	[NFT_IP6_DADDR] = { NETWORK, 24, 16 },
	[NFT_TH_SPORT] = { TRANSPORT, 0, 2 },
	[NFT_TH_DPORT] = { TRANSPORT, 2, 2 },
	[NFT_META_L4PROTO] = { load_meta_field, 0, KERNEL_META_L4PROTO, 1 },
	[NFT_META_NFPROTO] = { load_meta_field, 0, KERNEL_META_NFPROTO, 1 },
	[NFT_META_PROTOCOL] = { load_meta_field, 0, KERNEL_META_PROTOCOL, 2 },
	[NFT_META_MARK] = { load_meta_field, 0, KERNEL_META_MARK, 4 },
	[NFT_META_IIFNAME] = { load_meta_field, 0, KERNEL_META_IIFNAME, 16 },
	[NFT_META_OIFNAME] = { load_meta_field, 0, KERNEL_META_OIFNAME, 16 },
	[NFT_META_IIFTYPE] = { load_meta_field, 0, NFT_META_IFTYPE, 2 },
	[NFT_ETHER_SADDR] = { LINK, 6, 6 },
	[NFT_ETHER_TYPE] = { LINK, 12, 2 },
	[NFT_ARP_SADDR_IP] = { NETWORK, 14, 4 },
	[NFT_ARP_SADDR_ETHER] = { NETWORK, 8, 6 },
	[NFT_IP6_LENGTH] = { NETWORK, 4, 2 },
	[NFT_ICMP6_TYPE] = { TRANSPORT, 0, 1 },
	[NFT_ND_TARGET] = { TRANSPORT, 8, 16 },
	[NFT_ND_OPTION] = { TRANSPORT, 24, 2 },
	[NFT_ND_OPTION_MAC] = { TRANSPORT, 26, 6 },
	[NFT_RS_OPTION] = { TRANSPORT, 8, 2 },
	[NFT_RS_OPTION_MAC] = { TRANSPORT, 10, 6 },
	[NFT_CT_STATUS] = { load_ct_field, 0, KERNEL_CT_STATUS, 4 },
	[NFT_CT_STATE] = { load_ct_field, 0, KERNEL_CT_STATE, 4 },
	[NFT_CT_MARK] = { load_ct_field, 0, KERNEL_CT_MARK, 4 },
	[NFT_CT_IS_REPLY] = { load_ct_field, 0, NFT_CT_DIRECTION, 1 },
	[NFT_CT_CLIENT6] = { load_ct_field, ORIGINAL, NFT_CT_SRC_IP6, 16 },
	[NFT_CT_REPLY_TO6] = { load_ct_field, REPLY, NFT_CT_DST_IP6, 16 },
};
#undef LINK
#undef NETWORK
#undef TRANSPORT

void nft_load(struct nft *n, enum nft_field field)
{
	fields[field].load(n, &fields[field]);
}

/* ---- matching ---- */

uint32_t nft_consume_regs(struct nft *n)
{
	if (n->regs == 0)
		nft_wrong(n, -EINVAL, "a match or lookup of nothing");
	n->regs = 0;
	return NFT_REG32_00;
}

void nft_match(struct nft *n, bool equal, const void *value, unsigned len)
{
	uint32_t reg = nft_consume_regs(n);
	struct nftnl_expr *e = nft_new_expr(n, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, reg);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, equal ? NFT_CMP_EQ : NFT_CMP_NEQ);
	nft_set_bytes(n, e, NFTNL_EXPR_CMP_DATA, value, len);
}

/* First registers: (value & mask) ^ xor. */
static void put_bitwise(struct nft *n, const void *mask, const void * xor, unsigned len)
{
	struct nftnl_expr *e = nft_new_expr(n, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG32_00);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG32_00);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nft_set_bytes(n, e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nft_set_bytes(n, e, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

void nft_match_masked(struct nft *n, bool equal, const void *mask, const void *value, unsigned len)
{
	static const uint8_t nothing[NFT_KEY_MAX];

	if (len > NFT_KEY_MAX)
		return nft_wrong(n, -E2BIG, "a mask of more than 64 bytes");
	put_bitwise(n, mask, nothing, len);
	nft_match(n, equal, value, len);
}

void nft_match_nfproto(struct nft *n, uint8_t nfproto)
{
	nft_load(n, NFT_META_NFPROTO);
	nft_match(n, true, &nfproto, sizeof(nfproto));
}

void nft_match_l4proto(struct nft *n, bool equal, uint8_t proto)
{
	nft_load(n, NFT_META_L4PROTO);
	nft_match(n, equal, &proto, sizeof(proto));
}

static enum nft_field address_field(int family, bool source)
{
	if (family == AF_INET6)
		return source ? NFT_IP6_SADDR : NFT_IP6_DADDR;
	return source ? NFT_IP_SADDR : NFT_IP_DADDR;
}

void nft_match_cidr(struct nft *n, bool source, bool equal, struct cidr c)
{
	const struct field *f = &fields[address_field(c.ip.family, source)];
	struct ip network = cidr_network(c);
	uint8_t mask[16] = { 0 };
	unsigned bytes = ip_bytes(c.ip);

	if (c.len % 8 == 0 && c.len > 0) { /* load only the bytes of the prefix */
		load_payload(n, f->base, f->key, c.len / 8);
		nft_match(n, equal, network.b, c.len / 8);
		return;
	}
	for (unsigned i = 0; i < c.len; i++)
		mask[i / 8] |= (uint8_t)(0x80 >> i % 8);
	load_payload(n, f->base, f->key, bytes);
	nft_match_masked(n, equal, mask, network.b, bytes);
}

void nft_match_ifname(struct nft *n, bool input, bool equal, const char *name)
{
	size_t len = strnlen(name, 16);
	char padded[16] = { 0 };

	if (len == 16)
		return nft_wrong(n, -EINVAL, "an interface name of more than 15 bytes");
	memcpy(padded, name, len);
	nft_load(n, input ? NFT_META_IIFNAME : NFT_META_OIFNAME);
	if (len > 1 && name[len - 1] == '*')
		nft_match(n, equal, padded, (unsigned)len - 1);
	else
		nft_match(n, equal, padded, sizeof(padded));
}

void nft_match_mark(struct nft *n, bool equal, uint32_t value, uint32_t mask)
{
	nft_load(n, NFT_META_MARK);
	if (mask == UINT32_MAX)
		nft_match(n, equal, &value, sizeof(value));
	else
		nft_match_masked(n, equal, &mask, &value, sizeof(value));
}

void nft_match_port(struct nft *n, bool source, bool equal, uint16_t first, uint16_t last)
{
	uint16_t from = htons(first), to = htons(last);
	struct nftnl_expr *e;

	nft_load(n, source ? NFT_TH_SPORT : NFT_TH_DPORT);
	if (first == last)
		return nft_match(n, equal, &from, sizeof(from));
	e = nft_new_expr(n, "range");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_SREG, nft_consume_regs(n));
	nftnl_expr_set_u32(e, NFTNL_EXPR_RANGE_OP, equal ? NFT_RANGE_EQ : NFT_RANGE_NEQ);
	nft_set_bytes(n, e, NFTNL_EXPR_RANGE_FROM_DATA, &from, sizeof(from));
	nft_set_bytes(n, e, NFTNL_EXPR_RANGE_TO_DATA, &to, sizeof(to));
}

/* Is one of the bits set in the loaded value (or none, if !any)? */
static void match_bits(struct nft *n, bool any, uint32_t bits)
{
	static const uint32_t zero;

	nft_match_masked(n, !any, &bits, &zero, sizeof(bits));
}

void nft_match_ct_state(struct nft *n, bool equal, uint32_t bits)
{
	nft_load(n, NFT_CT_STATE);
	match_bits(n, equal, bits);
}

void nft_match_ct_invalid(struct nft *n)
{
	nft_match_ct_state(n, true, INVALID_BIT);
}

void nft_match_ct_dnat(struct nft *n)
{
	nft_load(n, NFT_CT_STATUS);
	match_bits(n, true, DNAT_BIT);
}

void nft_match_fib_local(struct nft *n)
{
	uint32_t local = RTN_LOCAL;
	struct nftnl_expr *e = nft_new_expr(n, "fib");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS, NFTA_FIB_F_DADDR);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, nft_take_regs(n, sizeof(local)));
	nft_match(n, true, &local, sizeof(local));
}

/* ---- looking up ---- */

static struct nftnl_expr *put_lookup(struct nft *n, const char *set)
{
	uint32_t reg = nft_consume_regs(n);
	struct nftnl_expr *e = nft_new_expr(n, "lookup");

	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, reg);
	set_name(n, e, NFTNL_EXPR_LOOKUP_SET, set);
	return e;
}

void nft_lookup(struct nft *n, const char *set, bool inverted)
{
	struct nftnl_expr *e = put_lookup(n, set);

	if (e && inverted)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
}

void nft_lookup_map(struct nft *n, const char *map)
{
	struct nftnl_expr *e = put_lookup(n, map);

	if (e)
		nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_DREG, NFT_REG32_00);
}

/* ---- statements ---- */

static void put_verdict(struct nft *n, int code, const char *chain)
{
	struct nftnl_expr *e = nft_new_expr(n, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		set_name(n, e, NFTNL_EXPR_IMM_CHAIN, chain);
}

void nft_accept(struct nft *n)
{
	put_verdict(n, NF_ACCEPT, NULL);
}

void nft_drop(struct nft *n)
{
	put_verdict(n, NF_DROP, NULL);
}

void nft_return(struct nft *n)
{
	put_verdict(n, NFT_RETURN, NULL);
}

void nft_jump(struct nft *n, const char *chain)
{
	put_verdict(n, NFT_JUMP, chain);
}

void nft_goto(struct nft *n, const char *chain)
{
	put_verdict(n, NFT_GOTO, chain);
}

void nft_masquerade(struct nft *n)
{
	nft_new_expr(n, "masq");
}

void nft_dnat(struct nft *n, uint8_t family, bool with_port)
{
	struct nftnl_expr *e = nft_new_expr(n, "nat");
	unsigned address_regs = family == NFPROTO_IPV6 ? 4 : 1;

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY, family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG32_00);
	if (with_port)
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, NFT_REG32_00 + address_regs);
}

void nft_mark_or(struct nft *n, uint32_t bits)
{
	uint32_t others = ~bits;
	struct nftnl_expr *e;

	nft_load(n, NFT_META_MARK);
	put_bitwise(n, &others, &bits, sizeof(bits));
	e = nft_new_expr(n, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, KERNEL_META_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, nft_consume_regs(n));
}

void nft_counter(struct nft *n)
{
	nft_new_expr(n, "counter");
}
