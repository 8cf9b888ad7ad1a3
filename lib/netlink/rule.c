// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rule.c - policy routing rules
 *
 * The kernel deletes the first rule that has what a request names, even if that rule has more
 * selectors.  So a deletion lists the rules, chooses, and names everything, with the priority.
 *
 * A rule that is added without a priority gets one from the kernel; NLM_F_ECHO returns it.
 */
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "netlink/rule.h"

enum { FIRST_BIG_TABLE = 256 }; /* the header has eight bits for the table */

struct rule_text rule_text(const struct rule *r)
{
	struct rule_text t;
	char from[64] = "from all", to[64] = "", mark[32] = "";
	const char *iif = *r->iif ? " iif " : "";
	const char *oif = *r->oif ? " oif " : "";

	if (ip_set(r->src.ip))
		snprintf(from, sizeof(from), "from %s", CIDR_S(r->src));
	if (ip_set(r->dst.ip))
		snprintf(to, sizeof(to), " to %s", CIDR_S(r->dst));
	if (r->fwmark || r->fwmask)
		snprintf(mark, sizeof(mark), " fwmark 0x%x/0x%x", r->fwmark, r->fwmask);
	snprintf(t.s, sizeof(t.s), "%s%s%s%s%s%s%s lookup %u", from, to, mark, iif, r->iif, oif,
		 r->oif, r->table);
	return t;
}

/* ---- reading ------------------------------------------------------------ */

static bool get_prefix(struct nlattr *a, int family, unsigned len, struct cidr *ret)
{
	struct cidr c = { .ip.family = family, .len = len };

	if (!a)
		return len == 0;
	if ((unsigned)nla_len(a) != ip_bytes(c.ip) || len > ip_bits(c.ip))
		return false;
	memcpy(c.ip.b, nla_data(a), ip_bytes(c.ip));
	*ret = c;
	return true;
}

/* Attributes that are shorter than their type count as absent. */
static uint32_t get_u32(struct nlattr *const *tb, int attr, uint32_t def)
{
	if (tb[attr] && nla_len(tb[attr]) >= 4)
		return nla_get_u32(tb[attr]);
	return def;
}

/* Attributes that struct rule has fields for, or that say nothing. */
static bool is_described(int attr, struct nlattr *a)
{
	switch (attr) {
	case FRA_DST:
	case FRA_SRC:
	case FRA_IIFNAME:
	case FRA_OIFNAME:
	case FRA_PRIORITY:
	case FRA_FWMARK:
	case FRA_FWMASK:
	case FRA_TABLE:
	case FRA_PROTOCOL:
	case FRA_PAD:
		return true;
	case FRA_SUPPRESS_PREFIXLEN:
	case FRA_SUPPRESS_IFGROUP:
		return nla_len(a) >= 4 && nla_get_u32(a) == UINT32_MAX;
	default:
		return false;
	}
}

static bool is_special(const struct fib_rule_hdr *h, const struct nlmsghdr *m)
{
	struct nlmsghdr *msg = (struct nlmsghdr *)(uintptr_t)m; /* libnl reads through non-const */
	struct nlattr *a;
	int left, size = nlmsg_attrlen(msg, sizeof(*h));

	if (h->action != FR_ACT_TO_TBL || h->tos || h->flags & FIB_RULE_INVERT)
		return true;
	nla_for_each_attr (a, nlmsg_attrdata(msg, sizeof(*h)), size, left)
		if (!is_described(nla_type(a), a))
			return true;
	return false;
}

/* A rule of a message; false if it is none, or of no family that we know. */
static bool read_rule(const struct nlmsghdr *m, struct rule *ret)
{
	struct nlmsghdr *msg = (struct nlmsghdr *)(uintptr_t)m;
	struct fib_rule_hdr *h = nlmsg_data(msg);
	struct nlattr *tb[FRA_MAX + 1];
	struct rule r;

	if (m->nlmsg_type != RTM_NEWRULE || nlmsg_parse(msg, sizeof(*h), tb, FRA_MAX, NULL) < 0 ||
	    (h->family != AF_INET && h->family != AF_INET6))
		return false;
	r = (struct rule){
		.family = h->family,
		.fwmark = get_u32(tb, FRA_FWMARK, 0),
		.fwmask = get_u32(tb, FRA_FWMASK, 0),
		.priority = get_u32(tb, FRA_PRIORITY, 0),
		.table = get_u32(tb, FRA_TABLE, h->table),
		.special = is_special(h, m),
	};
	if (tb[FRA_PROTOCOL] && nla_len(tb[FRA_PROTOCOL]))
		r.protocol = nla_get_u8(tb[FRA_PROTOCOL]);
	if (tb[FRA_IIFNAME])
		nla_strlcpy(r.iif, tb[FRA_IIFNAME], sizeof(r.iif));
	if (tb[FRA_OIFNAME])
		nla_strlcpy(r.oif, tb[FRA_OIFNAME], sizeof(r.oif));
	if (!get_prefix(tb[FRA_SRC], h->family, h->src_len, &r.src) ||
	    !get_prefix(tb[FRA_DST], h->family, h->dst_len, &r.dst))
		return false;
	*ret = r;
	return true;
}

struct listing {
	struct mem *mem;
	struct rule_list *list;
	unsigned before; /* rules in the list when this dump began */
};

static int list_rule(const struct nlmsghdr *h, void *arg)
{
	struct listing *l = arg;
	struct rule r;

	if (!h) {
		l->list->n = l->before;
		return 0;
	}
	if (!read_rule(h, &r))
		return 0;
	if (l->list->n == RT_LIST_MAX)
		return -E2BIG;
	l->list->r = mem_grow(l->mem, l->list->r, l->list->n, sizeof(r));
	l->list->r[l->list->n++] = r;
	return 0;
}

static int list_family(struct tx *tx, struct rt *rt, int family, struct rule_list *list)
{
	struct listing l = { .mem = &tx->mem, .list = list, .before = list->n };
	struct rt_msg m;
	struct fib_rule_hdr *h = rt_new(&m, RTM_GETRULE, NLM_F_DUMP, sizeof(*h));
	int r;

	h->family = (uint8_t)family;
	r = rt_ask(rt, &m, list_rule, &l);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0; /* no IPv6, or a kernel without policy routing */
	if (r < 0)
		return rt_refused(tx, rt, r, "list policy rules");
	return 0;
}

int rule_list(struct tx *tx, struct rt *rt, int family, struct rule_list *ret)
{
	struct rule_list list = { .n = 0 };

	if (family != AF_INET6)
		TRY(list_family(tx, rt, AF_INET, &list));
	if (family != AF_INET)
		TRY(list_family(tx, rt, AF_INET6, &list));
	*ret = list;
	return 0;
}

static int note_other(const struct nlmsghdr *h, void *arg)
{
	enum { MAIN = 32766, DEFAULT = 32767 };
	bool *other = arg;
	struct rule r;

	if (!h)
		*other = false;
	else if (read_rule(h, &r) && r.priority && r.priority != MAIN && r.priority != DEFAULT)
		*other = true;
	return *other;
}

bool rule_has_others(struct rt *rt)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	bool other = false;

	for (unsigned i = 0; i < ARRAY_LEN(families) && !other; i++) {
		struct rt_msg m;
		struct fib_rule_hdr *h = rt_new(&m, RTM_GETRULE, NLM_F_DUMP, sizeof(*h));
		int r;

		h->family = families[i];
		r = rt_ask(rt, &m, note_other, &other);
		if (r < 0 && r != -EAFNOSUPPORT && r != -EOPNOTSUPP)
			return true;
	}
	return other;
}

static bool same_prefix(struct cidr have, struct cidr want)
{
	return !ip_set(want.ip) || cidr_eq(have, cidr_masked(want));
}

static bool same_name(const char *have, const char *want)
{
	return !*want || str_eq(have, want);
}

static bool same_number(uint32_t have, uint32_t want)
{
	return !want || have == want;
}

bool rule_matches(const struct rule *r, const struct rule *want)
{
	return !r->special && same_number((uint32_t)r->family, (uint32_t)want->family) &&
	       same_prefix(r->src, want->src) && same_prefix(r->dst, want->dst) &&
	       same_name(r->iif, want->iif) && same_name(r->oif, want->oif) &&
	       same_number(r->fwmark, want->fwmark) && same_number(r->fwmask, want->fwmask) &&
	       same_number(r->priority, want->priority) && same_number(r->table, want->table) &&
	       same_number(r->protocol, want->protocol);
}

int rule_find(struct tx *tx, struct rt *rt, const struct rule *want, struct rule *ret)
{
	struct rule_list list;

	TRY(rule_list(tx, rt, want->family, &list));
	for (unsigned i = 0; i < list.n; i++) {
		if (!rule_matches(&list.r[i], want))
			continue;
		if (ret)
			*ret = list.r[i];
		return 1;
	}
	return 0;
}

/* ---- adding and deleting ------------------------------------------------ */

static void put_prefix(struct rt_msg *m, int attr, struct cidr c, uint8_t *ret_len)
{
	if (!ip_set(c.ip) || !c.len)
		return;
	*ret_len = (uint8_t)c.len;
	rt_put_ip(m, attr, cidr_network(c));
}

static void compose(struct rt_msg *m, int type, int flags, const struct rule *r)
{
	struct fib_rule_hdr *h = rt_new(m, type, flags, sizeof(*h));

	h->family = (uint8_t)r->family;
	h->action = FR_ACT_TO_TBL;
	h->table = r->table < FIRST_BIG_TABLE ? (uint8_t)r->table : RT_TABLE_UNSPEC;
	put_prefix(m, FRA_SRC, r->src, &h->src_len);
	put_prefix(m, FRA_DST, r->dst, &h->dst_len);
	if (*r->iif)
		rt_put_str(m, FRA_IIFNAME, r->iif);
	if (*r->oif)
		rt_put_str(m, FRA_OIFNAME, r->oif);
	if (r->fwmark || r->fwmask)
		rt_put_u32(m, FRA_FWMARK, r->fwmark);
	if (r->fwmask)
		rt_put_u32(m, FRA_FWMASK, r->fwmask);
	if (r->priority)
		rt_put_u32(m, FRA_PRIORITY, r->priority);
	rt_put_u32(m, FRA_TABLE, r->table);
	if (r->protocol)
		rt_put_u8(m, FRA_PROTOCOL, r->protocol);
}

/* Deletes exactly this one; gone is success. */
static int del_one(struct tx *tx, struct rt *rt, const struct rule *r)
{
	struct rt_msg m;
	int err;

	compose(&m, RTM_DELRULE, 0, r);
	err = rt_try(rt, &m);
	if (err == -ENOENT)
		return 0;
	if (err < 0)
		return rt_refused(tx, rt, err, "delete policy rule %s", RULE_S(r));
	log_step("%s: delete policy rule %s", rt->where, RULE_S(r));
	return 0;
}

struct undo_rule {
	struct rt *rt;
	struct rule r;
};

static int undo_add(struct tx *tx, void *arg)
{
	struct undo_rule *u = arg;

	return del_one(tx, u->rt, &u->r);
}

/* The rule as it was added, or, without an echo, the acknowledgement. */
static int keep_echo(const struct nlmsghdr *h, void *arg)
{
	if (h)
		read_rule(h, arg);
	return 0;
}

/* r->priority becomes what the kernel chose. */
static int add(struct rt *rt, struct rule *r)
{
	struct rt_msg m;
	int err;

	compose(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ECHO | NLM_F_ACK, r);
	err = rt_ask(rt, &m, keep_echo, r);
	if (err == -EBADMSG) /* acknowledged, but the kernel had no memory for the echo */
		return 0;
	return err;
}

int rule_add(struct tx *tx, struct rt *rt, const struct rule *r)
{
	struct undo_rule u = { .rt = rt, .r = *r };
	int err;

	TRY(tx_interrupted(tx));
	err = add(rt, &u.r);
	if (err < 0)
		return rt_refused(tx, rt, err, "add policy rule %s", RULE_S(r));
	log_step("%s: add policy rule %s", rt->where, RULE_S(r));
	return tx_undo(tx, undo_add, "add policy rule", &u);
}

int rule_ensure(struct tx *tx, struct rt *rt, const struct rule *r)
{
	struct rule added = *r;
	int there, err;

	TRY(there = rule_find(tx, rt, r, NULL));
	if (there)
		return 0;
	err = add(rt, &added);
	if (err < 0 && err != -EEXIST) /* another call was first */
		return rt_refused(tx, rt, err, "add policy rule %s", RULE_S(r));
	return 0;
}

/* ---- deleting by source ------------------------------------------------- */

enum { FOUND_MAX = 1024, ROUNDS = 4 };

struct from {
	const struct ip *ips; /* sorted */
	unsigned n_ips;
	uint32_t table;
	struct rule *r; /* room for FOUND_MAX */
	unsigned n;
};

static int by_number(const void *a, const void *b)
{
	return ip_cmp(*(const struct ip *)a, *(const struct ip *)b);
}

static int note_from(const struct nlmsghdr *h, void *arg)
{
	struct from *f = arg;
	struct rule r;

	if (!h) {
		f->n = 0;
		return 0;
	}
	if (f->n == FOUND_MAX || !read_rule(h, &r) || r.special || r.src.len != ip_bits(r.src.ip) ||
	    !ip_set(r.src.ip) || !same_number(r.table, f->table))
		return 0;
	if (bsearch(&r.src.ip, f->ips, f->n_ips, sizeof(*f->ips), by_number))
		f->r[f->n++] = r;
	return 0;
}

static int del_round(struct tx *tx, struct rt *rt, int family, struct from *f)
{
	struct rt_msg m;
	struct fib_rule_hdr *h = rt_new(&m, RTM_GETRULE, NLM_F_DUMP, sizeof(*h));
	int r;

	h->family = (uint8_t)family;
	f->n = 0;
	r = rt_ask(rt, &m, note_from, f);
	if (r == -EAFNOSUPPORT || r == -EOPNOTSUPP)
		return 0;
	if (r < 0)
		return rt_refused(tx, rt, r, "list policy rules");
	for (unsigned i = 0; i < f->n; i++)
		r = also(r, del_one(tx, rt, &f->r[i]));
	return r;
}

static int del_family(struct tx *tx, struct rt *rt, int family, struct from *f)
{
	int r = 0;

	f->n = FOUND_MAX;
	for (unsigned i = 0; i < ROUNDS && r == 0 && f->n == FOUND_MAX; i++) {
		TRY(tx_interrupted(tx));
		r = del_round(tx, rt, family, f);
	}
	return r;
}

int rule_del_from(struct tx *tx, struct rt *rt, struct ip *ips, unsigned n, uint32_t table)
{
	struct from f = { .ips = ips, .n_ips = n, .table = table };
	int r;

	if (!n)
		return 0;
	qsort(ips, n, sizeof(*ips), by_number);
	f.r = mem_alloc(&tx->mem, FOUND_MAX * sizeof(*f.r));
	r = del_family(tx, rt, AF_INET, &f);
	return also(r, del_family(tx, rt, AF_INET6, &f));
}
