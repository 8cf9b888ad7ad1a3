// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * foreign_fw_rule.c - does a rule match a new connection from the bridge?
 *
 * Some expressions of a rule load a value into registers, others compare.  For each register we
 * store what was loaded, and its value if it is known for our packet.  Each comparison is answered
 * with no, maybe or yes.  iptables-nft has matches of its own (xtables); of these, connection
 * states, comments and ICMP are understood.
 */
#include <netinet/in.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_state.h>

#include "firewall/foreign_fw_impl.h"

enum what { UNKNOWN, IN_NAME, IN_INDEX, OUT_NAME, NAME_OF_PORT, L4PROTO, NUMBER };

/* What a register contains; value: of a NUMBER. */
struct loaded {
	enum what what;
	uint8_t value[16];
	uint8_t len; /* bytes of the value */
};

struct reading {
	const struct foreign_fw_packet *p;
	struct loaded reg[20];
	struct foreign_fw_verdict *v;
};

static const struct loaded unknown = { .what = UNKNOWN };

static const uint32_t new_state = NF_CT_STATE_BIT(IP_CT_NEW);

static struct loaded *reg_at(struct reading *r, const struct nlattr *a)
{
	uint32_t n = nfnl_be32(a);

	n = n >= NFT_REG32_00 ? n - NFT_REG32_00 + 4 : n * 4;
	return &r->reg[n < ARRAY_LEN(r->reg) ? n : 0];
}

static struct loaded loaded_number(const void *value, size_t size)
{
	struct loaded l = { .what = NUMBER, .len = (uint8_t)size };

	memcpy(l.value, value, size);
	return l;
}

static void restrict_to(struct reading *r, enum foreign_fw_answer a)
{
	if (a < r->v->match)
		r->v->match = a;
}

static enum foreign_fw_answer invert_answer(enum foreign_fw_answer a, bool inverted)
{
	if (!inverted || a == FOREIGN_FW_MAYBE)
		return a;
	return a == FOREIGN_FW_YES ? FOREIGN_FW_NO : FOREIGN_FW_YES;
}

/* ---- loading ---- */

static struct loaded load_meta(const struct foreign_fw_packet *p, uint32_t key)
{
	bool frame = p->nfproto == NFPROTO_BRIDGE;
	uint32_t index = (uint32_t)p->bridge->index;

	if (!*p->bridge->name && key != NFT_META_NFPROTO && key != NFT_META_L4PROTO)
		return unknown;
	switch (key) {
	case NFT_META_IIFNAME:
		return (struct loaded){ .what = frame ? NAME_OF_PORT : IN_NAME };
	case NFT_META_OIFNAME:
		return (struct loaded){ .what = frame ? NAME_OF_PORT : OUT_NAME };
	case NFT_META_BRI_IIFNAME:
	case NFT_META_BRI_OIFNAME:
		return (struct loaded){ .what = frame ? IN_NAME : UNKNOWN };
	case NFT_META_IIF:
		if (frame)
			return unknown;
		return loaded_number(&index, sizeof(index));
	case NFT_META_NFPROTO:
		if (frame)
			return unknown;
		return loaded_number(&p->nfproto, 1);
	case NFT_META_L4PROTO:
		return (struct loaded){ .what = L4PROTO };
	default:
		return unknown;
	}
}

static struct loaded load_ct(uint32_t key)
{
	static const uint32_t none;

	if (key == NFT_CT_STATE)
		return loaded_number(&new_state, sizeof(new_state));
	if (key == NFT_CT_STATUS)
		return loaded_number(&none, sizeof(none));
	return unknown;
}

/* The source address, or the first bytes of it. */
static struct loaded load_payload(const struct foreign_fw_packet *p, const struct nlattr *data)
{
	struct ip from = p->nfproto == NFPROTO_IPV6 ? p->from6 : p->from4;
	uint32_t offset = nfnl_be32(nfnl_attr_in(data, NFTA_PAYLOAD_OFFSET));
	uint32_t len = nfnl_be32(nfnl_attr_in(data, NFTA_PAYLOAD_LEN));
	uint32_t saddr = p->nfproto == NFPROTO_IPV6 ? 8 : 12;

	if (nfnl_be32(nfnl_attr_in(data, NFTA_PAYLOAD_BASE)) != NFT_PAYLOAD_NETWORK_HEADER ||
	    p->nfproto == NFPROTO_BRIDGE || !ip_set(from) || offset != saddr ||
	    len > ip_bytes(from))
		return unknown;
	return loaded_number(from.b, len);
}

static void load_bitwise(struct reading *r, const struct nlattr *data)
{
	const struct nlattr *m =
		nfnl_attr_in(nfnl_attr_in(data, NFTA_BITWISE_MASK), NFTA_DATA_VALUE);
	const struct nlattr *x =
		nfnl_attr_in(nfnl_attr_in(data, NFTA_BITWISE_XOR), NFTA_DATA_VALUE);
	struct loaded l = *reg_at(r, nfnl_attr_in(data, NFTA_BITWISE_SREG));

	if (l.what == NUMBER && m && x && mnl_attr_get_payload_len(m) <= sizeof(l.value) &&
	    mnl_attr_get_payload_len(m) == mnl_attr_get_payload_len(x))
		for (unsigned i = 0; i < mnl_attr_get_payload_len(m); i++)
			l.value[i] = (uint8_t)((l.value[i] &
						((const uint8_t *)mnl_attr_get_payload(m))[i]) ^
					       ((const uint8_t *)mnl_attr_get_payload(x))[i]);
	else
		l.what = UNKNOWN;
	*reg_at(r, nfnl_attr_in(data, NFTA_BITWISE_DREG)) = l;
}

/* ---- comparing ---- */

/* Is the loaded value equal to size bytes?  (Of a name, to its first size bytes: "eth*".) */
static enum foreign_fw_answer compare_loaded(const struct reading *r, const struct loaded *l,
					     const uint8_t *bytes, size_t size)
{
	char name[IFNAMSIZ] = "";
	bool ours;

	memcpy(name, r->p->bridge->name, strnlen(r->p->bridge->name, IFNAMSIZ - 1));
	ours = size <= sizeof(name) && memcmp(name, bytes, size) == 0;
	switch (l->what) {
	case IN_NAME:
		return ours ? FOREIGN_FW_YES : FOREIGN_FW_NO;
	case OUT_NAME: /* the packet leaves by another link */
		return ours && size == sizeof(name) ? FOREIGN_FW_NO : FOREIGN_FW_MAYBE;
	case L4PROTO:
		return size && (*bytes == IPPROTO_ICMP || *bytes == IPPROTO_ICMPV6)
			       ? FOREIGN_FW_NO
			       : FOREIGN_FW_MAYBE;
	case NUMBER:
		if (size != l->len) /* part of a concatenation */
			return FOREIGN_FW_MAYBE;
		return memcmp(l->value, bytes, size) == 0 ? FOREIGN_FW_YES : FOREIGN_FW_NO;
	default:
		return FOREIGN_FW_MAYBE;
	}
}

static void match_cmp(struct reading *r, const struct nlattr *data)
{
	const struct nlattr *value =
		nfnl_attr_in(nfnl_attr_in(data, NFTA_CMP_DATA), NFTA_DATA_VALUE);
	const struct loaded *l = reg_at(r, nfnl_attr_in(data, NFTA_CMP_SREG));
	uint32_t op = nfnl_be32(nfnl_attr_in(data, NFTA_CMP_OP));

	if (!value || (op != NFT_CMP_EQ && op != NFT_CMP_NEQ))
		restrict_to(r, FOREIGN_FW_MAYBE);
	else
		restrict_to(r, invert_answer(compare_loaded(r, l, mnl_attr_get_payload(value),
							    mnl_attr_get_payload_len(value)),
					     op == NFT_CMP_NEQ));
}

/* ---- sets and verdict maps ---- */

struct search {
	const struct reading *r;
	struct loaded l;
	enum foreign_fw_answer answer;
	struct foreign_fw_verdict v; /* of the element, in a verdict map */
};

static void look_at(struct search *s, const struct nlattr *elem)
{
	const struct nlattr *key =
		nfnl_attr_in(nfnl_attr_in(elem, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	const struct nlattr *verdict =
		nfnl_attr_in(nfnl_attr_in(elem, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT);
	bool range = nfnl_attr_in(elem, NFTA_SET_ELEM_FLAGS) ||
		     nfnl_attr_in(elem, NFTA_SET_ELEM_KEY_END);
	enum foreign_fw_answer a;

	if (!key)
		return;
	a = range ? FOREIGN_FW_MAYBE
		  : compare_loaded(s->r, &s->l, mnl_attr_get_payload(key),
				   mnl_attr_get_payload_len(key));
	if (a <= s->answer)
		return;
	s->answer = a;
	s->v.code = (int)nfnl_be32(nfnl_attr_in(verdict, NFTA_VERDICT_CODE));
	s->v.chain = mem_str(s->r->p->mem, nfnl_text(nfnl_attr_in(verdict, NFTA_VERDICT_CHAIN)));
}

static int elems_each(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *list, *a = NULL;
	struct search *s = arg;

	if (!h) {
		s->answer = FOREIGN_FW_NO;
		return 0;
	}
	list = nfnl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS);
	while ((a = nfnl_attr_next(list, a)))
		look_at(s, a);
	return 0;
}

static int look_up(struct reading *r, const struct nlattr *data)
{
	_Alignas(struct nlmsghdr) char buf[FOREIGN_FW_ASK_ROOM];
	const char *set = nfnl_text(nfnl_attr_in(data, NFTA_LOOKUP_SET));
	const struct nlattr *dreg = nfnl_attr_in(data, NFTA_LOOKUP_DREG);
	bool inverted = nfnl_be32(nfnl_attr_in(data, NFTA_LOOKUP_FLAGS)) & NFT_LOOKUP_F_INV;
	struct search s = { .r = r, .l = *reg_at(r, nfnl_attr_in(data, NFTA_LOOKUP_SREG)) };
	struct nlmsghdr *h;

	if (dreg && nfnl_be32(dreg) != NFT_REG_VERDICT) {
		reg_at(r, dreg)->what = UNKNOWN;
		restrict_to(r, FOREIGN_FW_MAYBE);
		return 0;
	}
	h = foreign_fw_ask(buf, NFT_MSG_GETSETELEM, r->p->family, r->p->table,
			   NFTA_SET_ELEM_LIST_SET, set);
	TRY(nfnl_ask(r->p->nl, h, elems_each, &s));
	restrict_to(r, invert_answer(s.answer, inverted));
	if (!dreg)
		return 0;
	/* If the answer is maybe, several elements may match: in doubt the packet passes. */
	r->v->code = s.answer == FOREIGN_FW_YES ? s.v.code : NF_ACCEPT;
	r->v->chain = s.v.chain;
	return 0;
}

/* ---- xtables matches of iptables-nft ---- */

/* The connection states of "conntrack" (three revisions) and "state". */
static enum foreign_fw_answer match_state(const char *name, uint32_t revision, const uint8_t *info,
					  size_t size)
{
	struct xt_conntrack_mtinfo3 three;
	struct xt_conntrack_mtinfo1 one;
	struct xt_state_info state;
	bool asks, inverted;
	unsigned states;

	if (str_eq(name, "state")) {
		if (size < sizeof(state))
			return FOREIGN_FW_MAYBE;
		memcpy(&state, info, sizeof(state));
		return state.statemask & XT_STATE_BIT(IP_CT_NEW) ? FOREIGN_FW_YES : FOREIGN_FW_NO;
	}
	if (revision >= 2 && size >= sizeof(three)) {
		memcpy(&three, info, sizeof(three));
		asks = three.match_flags & XT_CONNTRACK_STATE;
		inverted = three.invert_flags & XT_CONNTRACK_STATE;
		states = three.state_mask;
	} else if (revision == 1 && size >= sizeof(one)) {
		memcpy(&one, info, sizeof(one));
		asks = one.match_flags & XT_CONNTRACK_STATE;
		inverted = one.invert_flags & XT_CONNTRACK_STATE;
		states = one.state_mask;
	} else {
		return FOREIGN_FW_MAYBE;
	}
	/* Other conditions of the match (--ctorigdst …) are unknown, but a wrong state is a no. */
	if (!asks)
		return FOREIGN_FW_MAYBE;
	return !(states & XT_CONNTRACK_STATE_BIT(IP_CT_NEW)) != inverted ? FOREIGN_FW_NO
									 : FOREIGN_FW_MAYBE;
}

static enum foreign_fw_answer match_xt(const struct nlattr *data)
{
	const char *name = nfnl_text(nfnl_attr_in(data, NFTA_MATCH_NAME));
	const struct nlattr *info = nfnl_attr_in(data, NFTA_MATCH_INFO);

	if (str_eq(name, "comment"))
		return FOREIGN_FW_YES;
	if (str_eq(name, "icmp") || str_eq(name, "icmp6"))
		return FOREIGN_FW_NO;
	if (info && (str_eq(name, "conntrack") || str_eq(name, "state")))
		return match_state(name, nfnl_be32(nfnl_attr_in(data, NFTA_MATCH_REV)),
				   mnl_attr_get_payload(info), mnl_attr_get_payload_len(info));
	return FOREIGN_FW_MAYBE;
}

/* ---- the rule ---- */

static void set_verdict(struct reading *r, const struct nlattr *data)
{
	const struct nlattr *verdict =
		nfnl_attr_in(nfnl_attr_in(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);

	if (!verdict) {
		reg_at(r, nfnl_attr_in(data, NFTA_IMMEDIATE_DREG))->what = UNKNOWN;
		return;
	}
	r->v->code = (int)nfnl_be32(nfnl_attr_in(verdict, NFTA_VERDICT_CODE));
	r->v->chain = nfnl_text(nfnl_attr_in(verdict, NFTA_VERDICT_CHAIN));
}

/* Expressions that neither compare nor decide. */
static bool is_idle(const char *name, const struct nlattr *data)
{
	static const char *const idle[] = { "counter", "log",    "notrack", "flow_offload",
					    "dup",     "objref", "last" };

	if (str_eq(name, "meta") && nfnl_attr_in(data, NFTA_META_SREG))
		return true;
	if (str_eq(name, "ct") && nfnl_attr_in(data, NFTA_CT_SREG))
		return true;
	for (unsigned i = 0; i < ARRAY_LEN(idle); i++)
		if (str_eq(name, idle[i]))
			return true;
	return false;
}

static int read_expr(struct reading *r, const char *name, const struct nlattr *data)
{
	if (is_idle(name, data))
		return 0;
	if (str_eq(name, "meta"))
		*reg_at(r, nfnl_attr_in(data, NFTA_META_DREG)) =
			load_meta(r->p, nfnl_be32(nfnl_attr_in(data, NFTA_META_KEY)));
	else if (str_eq(name, "ct"))
		*reg_at(r, nfnl_attr_in(data, NFTA_CT_DREG)) =
			load_ct(nfnl_be32(nfnl_attr_in(data, NFTA_CT_KEY)));
	else if (str_eq(name, "payload"))
		*reg_at(r, nfnl_attr_in(data, NFTA_PAYLOAD_DREG)) = load_payload(r->p, data);
	else if (str_eq(name, "bitwise"))
		load_bitwise(r, data);
	else if (str_eq(name, "cmp"))
		match_cmp(r, data);
	else if (str_eq(name, "lookup"))
		return look_up(r, data);
	else if (str_eq(name, "immediate"))
		set_verdict(r, data);
	else if (str_eq(name, "match"))
		restrict_to(r, match_xt(data));
	else if (str_eq(name, "reject") ||
		 (str_eq(name, "target") &&
		  str_eq(nfnl_text(nfnl_attr_in(data, NFTA_TARGET_NAME)), "REJECT")))
		r->v->code = NF_DROP;
	else if (str_eq(name, "queue"))
		r->v->code = NF_ACCEPT;
	else if (!str_eq(name, "target")) /* LOG, MARK …: the rule continues */
		restrict_to(r, FOREIGN_FW_MAYBE);
	return 0;
}

int foreign_fw_rule(const struct foreign_fw_packet *p, const struct nlattr *exprs,
		    struct foreign_fw_verdict *ret)
{
	struct reading r = { .p = p, .v = ret };

	*ret = (struct foreign_fw_verdict){ .match = FOREIGN_FW_YES, .code = NFT_CONTINUE };
	for (const struct nlattr *e = nfnl_attr_next(exprs, NULL); e && ret->match != FOREIGN_FW_NO;
	     e = nfnl_attr_next(exprs, e))
		TRY(read_expr(&r, nfnl_text(nfnl_attr_in(e, NFTA_EXPR_NAME)),
			      nfnl_attr_in(e, NFTA_EXPR_DATA)));
	return 0;
}
