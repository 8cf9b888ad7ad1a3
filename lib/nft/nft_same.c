// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nft_same.c - compares two rules
 *
 * Rules are compared expression by expression and attribute by attribute.  The kernel returns the
 * attributes that it was given, but numbers registers differently, and adds attributes that were
 * omitted: with value zero, or, for nat, the upper ends of ranges.  If nft printed a ruleset and
 * loaded it again, the matches of a rule may be in another order, which is no difference.
 */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>

#include "nft/nft_impl.h"
#include "nft/nft.h"

enum { EXPRS_MAX = 64 };

/* ---- expressions ---- */

static bool all_zero(const struct nlattr *a)
{
	const char *p = mnl_attr_get_payload(a);

	for (unsigned i = 0; i < mnl_attr_get_payload_len(a); i++)
		if (p[i])
			return false;
	return true;
}

/* Which attributes of which expressions are registers? */
static bool is_register(const char *expr, uint16_t attr)
{
	static const struct {
		const char *expr;
		uint16_t first, last;
	} known[] = {
		{ "payload", NFTA_PAYLOAD_DREG, NFTA_PAYLOAD_DREG },
		{ "payload", NFTA_PAYLOAD_SREG, NFTA_PAYLOAD_SREG },
		{ "meta", NFTA_META_DREG, NFTA_META_DREG },
		{ "meta", NFTA_META_SREG, NFTA_META_SREG },
		{ "ct", NFTA_CT_DREG, NFTA_CT_DREG },
		{ "ct", NFTA_CT_SREG, NFTA_CT_SREG },
		{ "cmp", NFTA_CMP_SREG, NFTA_CMP_SREG },
		{ "range", NFTA_RANGE_SREG, NFTA_RANGE_SREG },
		{ "bitwise", NFTA_BITWISE_SREG, NFTA_BITWISE_DREG },
		{ "lookup", NFTA_LOOKUP_SREG, NFTA_LOOKUP_DREG },
		{ "immediate", NFTA_IMMEDIATE_DREG, NFTA_IMMEDIATE_DREG },
		{ "nat", NFTA_NAT_REG_ADDR_MIN, NFTA_NAT_REG_PROTO_MAX },
		{ "masq", NFTA_MASQ_REG_PROTO_MIN, NFTA_MASQ_REG_PROTO_MAX },
		{ "fib", NFTA_FIB_DREG, NFTA_FIB_DREG },
		{ "rt", NFTA_RT_DREG, NFTA_RT_DREG },
	};

	for (unsigned i = 0; i < ARRAY_LEN(known); i++)
		if (str_eq(known[i].expr, expr) && attr >= known[i].first && attr <= known[i].last)
			return true;
	return false;
}

/*
 * The offset of a register, in units of 4 bytes.  (Registers of 16 bytes have numbers of their
 * own.)
 */
static uint32_t register_offset(const struct nlattr *a)
{
	uint32_t reg = nfnl_be32(a);

	return reg >= NFT_REG32_00 ? reg - NFT_REG32_00 + 4 : reg * 4;
}

/*
 * Does the kernel add this attribute to nat: upper ends of ranges, or the flags that there are
 * addresses and ports?
 */
static bool is_added(const char *expr, const struct nlattr *have, const struct nlattr *all)
{
	uint16_t type = mnl_attr_get_type(have);

	if (!str_eq(expr, "nat"))
		return false;
	if (type == NFTA_NAT_FLAGS)
		return !(nfnl_be32(have) &
			 ~(uint32_t)(NF_NAT_RANGE_MAP_IPS | NF_NAT_RANGE_PROTO_SPECIFIED));
	if (type == NFTA_NAT_REG_ADDR_MAX || type == NFTA_NAT_REG_PROTO_MAX)
		return register_offset(have) ==
		       register_offset(nfnl_attr_in(all, (uint16_t)(type - 1)));
	return false;
}

static bool same_attrs(const char *expr, const struct nlattr *want, const struct nlattr *have);

static bool same_attr(const char *expr, const struct nlattr *want, const struct nlattr *have)
{
	if (!have)
		return all_zero(want);
	if (nfnl_same(want, have))
		return true;
	if (want->nla_type & NLA_F_NESTED)
		return same_attrs("", want, have); /* registers are not nested */
	return is_register(expr, mnl_attr_get_type(want)) &&
	       register_offset(want) == register_offset(have);
}

static bool same_attrs(const char *expr, const struct nlattr *want, const struct nlattr *have)
{
	const struct nlattr *a = NULL;

	while ((a = nfnl_attr_next(want, a)))
		if (!same_attr(expr, a, nfnl_attr_in(have, mnl_attr_get_type(a))))
			return false;
	while ((a = nfnl_attr_next(have, a)))
		if (!nfnl_attr_in(want, mnl_attr_get_type(a)) && !all_zero(a) &&
		    !is_added(expr, a, have))
			return false;
	return true;
}

/* ---- rules ---- */

static bool same_expr(const struct nlattr *want, const struct nlattr *have)
{
	const char *name;

	if (nfnl_same(want, have))
		return true;
	name = nfnl_text(nfnl_attr_in(want, NFTA_EXPR_NAME));
	return str_eq(name, nfnl_text(nfnl_attr_in(have, NFTA_EXPR_NAME))) &&
	       (str_eq(name, "counter") || /* its values change */
		same_attrs(name, nfnl_attr_in(want, NFTA_EXPR_DATA),
			   nfnl_attr_in(have, NFTA_EXPR_DATA)));
}

/* nft adds a byteorder expression also for values of one byte, where it does nothing. */
static bool is_idle(const struct nlattr *expr)
{
	const struct nlattr *data = nfnl_attr_in(expr, NFTA_EXPR_DATA);

	return str_eq(nfnl_text(nfnl_attr_in(expr, NFTA_EXPR_NAME)), "byteorder") &&
	       nfnl_be32(nfnl_attr_in(data, NFTA_BYTEORDER_LEN)) <
		       nfnl_be32(nfnl_attr_in(data, NFTA_BYTEORDER_SIZE));
}

/* Does this expression end a match: compares loaded values, and keeps none? */
static bool ends_match(const struct nlattr *expr)
{
	const char *name = nfnl_text(nfnl_attr_in(expr, NFTA_EXPR_NAME));
	const struct nlattr *data = nfnl_attr_in(expr, NFTA_EXPR_DATA);

	return str_eq(name, "cmp") || str_eq(name, "range") ||
	       (str_eq(name, "lookup") && !nfnl_attr_in(data, NFTA_LOOKUP_DREG));
}

/*
 * The expressions of a rule, and the end of each match; the expressions after the last match are
 * statements.
 */
struct parts {
	const struct nlattr *expr[EXPRS_MAX];
	unsigned n, end[EXPRS_MAX], n_matches;
};

static bool take_apart(const struct nlattr *rule, struct parts *p)
{
	p->n = p->n_matches = 0;
	for (const struct nlattr *e = nfnl_attr_next(rule, NULL); e; e = nfnl_attr_next(rule, e)) {
		if (is_idle(e))
			continue;
		if (p->n == EXPRS_MAX)
			return false;
		p->expr[p->n++] = e;
		if (ends_match(e))
			p->end[p->n_matches++] = p->n;
	}
	return true;
}

static unsigned begin_of(const struct parts *p, unsigned match)
{
	if (!match)
		return 0;
	return p->end[match - 1];
}

static bool same_run(const struct parts *want, unsigned w, unsigned w_end, const struct parts *have,
		     unsigned h, unsigned h_end)
{
	if (w_end - w != h_end - h)
		return false;
	for (; w < w_end; w++, h++)
		if (!same_expr(want->expr[w], have->expr[h]))
			return false;
	return true;
}

static bool has_match(const struct parts *want, unsigned m, const struct parts *have, bool *used)
{
	for (unsigned i = 0; i < have->n_matches; i++)
		if (!used[i] && same_run(want, begin_of(want, m), want->end[m], have,
					 begin_of(have, i), have->end[i])) {
			used[i] = true;
			return true;
		}
	return false;
}

bool nft_same_rule(const struct nlattr *want, const struct nlattr *have)
{
	bool used[EXPRS_MAX] = { false };
	struct parts w, h;

	if (!take_apart(want, &w) || !take_apart(have, &h) || w.n_matches != h.n_matches)
		return false;
	for (unsigned i = 0; i < w.n_matches; i++)
		if (!has_match(&w, i, &h, used))
			return false;
	return same_run(&w, begin_of(&w, w.n_matches), w.n, &h, begin_of(&h, h.n_matches), h.n);
}

static uint32_t verdict_code(const struct nlattr *expr)
{
	const struct nlattr *data = nfnl_attr_in(expr, NFTA_EXPR_DATA);
	const struct nlattr *value = nfnl_attr_in(data, NFTA_IMMEDIATE_DATA);

	return nfnl_be32(nfnl_attr_in(nfnl_attr_in(value, NFTA_DATA_VERDICT), NFTA_VERDICT_CODE));
}

bool nft_alike(const struct nlattr *a, const struct nlattr *b)
{
	struct parts x, y;

	if (!take_apart(a, &x) || !take_apart(b, &y) || x.n != y.n)
		return false;
	for (unsigned i = 0; i < x.n; i++) {
		const char *name = nfnl_text(nfnl_attr_in(x.expr[i], NFTA_EXPR_NAME));

		if (!str_eq(name, nfnl_text(nfnl_attr_in(y.expr[i], NFTA_EXPR_NAME))) ||
		    (str_eq(name, "immediate") &&
		     verdict_code(x.expr[i]) != verdict_code(y.expr[i])))
			return false;
	}
	return true;
}

/* ---- rules as text: lookups, verdicts and statements ---- */

static const char *describe_verdict(struct mem *mem, const struct nlattr *data)
{
	const struct nlattr *verdict =
		nfnl_attr_in(nfnl_attr_in(data, NFTA_IMMEDIATE_DATA), NFTA_DATA_VERDICT);
	const char *chain = nfnl_text(nfnl_attr_in(verdict, NFTA_VERDICT_CHAIN));

	if (!verdict)
		return "immediate";
	switch ((int)nfnl_be32(nfnl_attr_in(verdict, NFTA_VERDICT_CODE))) {
	case NF_DROP:
		return "drop";
	case NF_ACCEPT:
		return "accept";
	case NFT_RETURN:
		return "return";
	case NFT_JUMP:
		return mem_printf(mem, "jump %s", chain);
	case NFT_GOTO:
		return mem_printf(mem, "goto %s", chain);
	default:
		return "verdict";
	}
}

const char *nft_describe_rule(struct mem *mem, const struct nlattr *rule)
{
	static const char silent[] = "meta cmp payload bitwise byteorder ct fib immediate";
	struct mem_text words = { .mem = mem };

	for (const struct nlattr *e = nfnl_attr_next(rule, NULL); e; e = nfnl_attr_next(rule, e)) {
		const struct nlattr *data = nfnl_attr_in(e, NFTA_EXPR_DATA);
		const char *name = nfnl_text(nfnl_attr_in(e, NFTA_EXPR_NAME));

		if (str_eq(name, "immediate"))
			name = describe_verdict(mem, data);
		else if (str_eq(name, "lookup"))
			name = mem_printf(mem, "@%s",
					  nfnl_text(nfnl_attr_in(data, NFTA_LOOKUP_SET)));
		if (!strstr(silent, name))
			mem_text_add(&words, "%s%s", mem_text_comma(&words, " "), name);
	}
	return words.len ? words.s : "a rule without lookup or verdict";
}
