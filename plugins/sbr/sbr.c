// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sbr.c - source based routing: replies leave by the interface whose address they come from
 *
 * Chained.  Each address of the attachment gets a policy rule, "from ADDRESS lookup TABLE", and a
 * table of its own with the routes of the interface, which leave table main.  All is in the
 * container.  ADD plans first, because a record of the routes is written before one is changed: DEL
 * puts them back (record.c).
 */
#include <linux/rtnetlink.h>

#include "netlink/addr.h"
#include "plugins/list.h"
#include "plugins/sbr/sbr.h"

/* Each address gets a rule, which needs an undo slot; some are for the other changes. */
enum { FIRST_TABLE = 100, ADDRESSES_MAX = TX_UNDO_MAX - 8 };

int sbr_read_conf(struct tx *tx, const struct call *c, struct sbr *ret)
{
	struct cj list = cj_list(&c->conf, "gateways");
	struct sbr s = { .hints = cj_bool(&c->conf, "addSourceHints", false) };

	if (cj_has(&c->conf, "table"))
		s.table = (uint32_t)cj_int(&c->conf, "table", 1, 1, UINT32_MAX);
	for (unsigned i = 0; i < cj_len(&list); i++) {
		struct cj e = cj_at(&list, i);
		struct ip gw = cj_as_ip(&e), *to = gw.family == AF_INET6 ? &s.gw6 : &s.gw4;

		if (ip_set(*to))
			cj_wrong(&e, NULL, "only one gateway of each family can be given");
		else if (ip_set(gw) && !ip_is_of_host(gw))
			cj_wrong(&e, NULL, "%s is no host's address (name a router)", IP_S(gw));
		*to = gw;
	}
	*ret = s;
	return cj_ok(tx, &c->conf);
}

struct rule sbr_rule_of(const struct sbr *s, struct ip ip)
{
	return (struct rule){ .family = ip.family, .src = cidr_host(ip), .table = s->table };
}

/* ---- ADD ---------------------------------------------------------------- */

static bool is_named(const struct rule_list *rules, uint32_t table)
{
	for (unsigned i = 0; i < rules->n; i++)
		if (rules->r[i].table == table)
			return true;
	return table >= RT_TABLE_DEFAULT && table <= RT_TABLE_LOCAL;
}

/* The table whose rule was lost: no rule names it, and it has a route to the address's subnet. */
static int find_orphan(struct tx *tx, struct call *c, const struct sbr_table *t, uint32_t *ret)
{
	struct cidr subnet = cidr_masked(t->ip->addr);
	struct route_filter f = { .family = subnet.ip.family, .link = t->link->index };
	struct rule_list rules;
	struct route_list all;

	TRY(rule_list(tx, &c->cont, f.family, &rules));
	TRY(route_list(tx, &c->cont, &f, &all));
	for (unsigned i = 0; i < all.n; i++) {
		*ret = all.r[i].table;
		if (*ret >= FIRST_TABLE && !is_named(&rules, *ret) && cidr_eq(all.r[i].dst, subnet))
			return 1;
	}
	return 0;
}

/*
 * A repair keeps the table that an address has, and the routes there.  Returns 1 if there is a
 * rule.
 */
static int find_table(struct tx *tx, struct call *c, const struct rule *r, struct sbr_table *t)
{
	struct route_filter f = { .family = r->family, .link = t->link->index };
	struct rule have;
	int there, orphan = 0;

	TRY(there = rule_find(tx, &c->cont, r, &have));
	if (there)
		t->number = have.table;
	else if (!r->table)
		TRY(orphan = find_orphan(tx, c, t, &t->number));
	if (!there && !orphan) {
		t->number = 0;
		return 0;
	}
	f.table = t->number;
	TRY(route_list(tx, &c->cont, &f, &t->have));
	return there;
}

/* The rule of an address, and its table. */
static int plan_address(struct tx *tx, struct call *c, const struct sbr *s, struct sbr_table *t,
			struct sbr_plan *p)
{
	struct rule r = sbr_rule_of(s, t->ip->addr.ip);
	struct route_list list = { .n = 0 };
	int there = 0;

	t->number = 0;
	if (c->command == CNI_REPAIR)
		TRY(there = find_table(tx, c, &r, t));
	if (!s->table && !t->number)
		TRY(route_free_table(tx, &c->cont, p->next, &t->number));
	if (!s->table) {
		p->next = t->number >= p->next ? t->number + 1 : p->next;
		r.table = t->number;
		list = sbr_table_routes(tx, c, s, t);
	}
	for (unsigned i = 0; i < list.n; i++)
		sbr_list_add(tx, &p->tables, list.r[i]);
	if (there)
		return 0;
	p->rules.r = mem_grow(&tx->mem, p->rules.r, p->rules.n, sizeof(r));
	p->rules.r[p->rules.n++] = r;
	return 0;
}

static bool is_there(const struct route_list *list, const struct route *r)
{
	for (unsigned i = 0; i < list->n; i++)
		if (cidr_eq(list->r[i].dst, r->dst) && ip_eq(list->r[i].src, r->src) &&
		    list->r[i].priority == r->priority)
			return true;
	return false;
}

/*
 * The routes leave main; with hints, those that stay name the source address.  A hint that is there
 * is not ADD's, and DEL leaves it.
 */
static void plan_main(struct tx *tx, struct call *c, const struct sbr *s, const struct link *l,
		      const struct route_list *main, struct sbr_plan *p)
{
	bool hints = s->hints && !l->master; /* in a VRF, main cannot name the address */

	for (unsigned i = 0; hints && i < c->prev->n_ips; i++) {
		struct cidr a = c->prev->ips[i].addr;
		struct route hint = sbr_connected(l, a, RT_TABLE_MAIN);

		if (prev_is_ours(c, &c->prev->ips[i]) && !is_there(main, &hint))
			sbr_list_add(tx, &p->hints, hint);
	}
	for (unsigned i = 0; i < main->n; i++)
		if (!sbr_stays(s, &main->r[i]))
			sbr_list_add(tx, &p->moved, main->r[i]);
}

/* The caller holds the lock, so a table that is free now is free until a rule names it. */
static int plan_all(struct tx *tx, struct call *c, const struct sbr *s, const struct link *l,
		    struct sbr_plan *p)
{
	struct route_list main = { .n = 0 };
	struct sbr_table t = { .link = l, .main = &main };
	unsigned n = 0;

	if (!s->table)
		TRY(sbr_main_routes(tx, c, l, &main));
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		if (!prev_is_ours(c, &c->prev->ips[i]))
			continue;
		if (n == ADDRESSES_MAX)
			return tx_fail_as(tx, CPLUG_E_PREV, -E2BIG,
					  "prevResult: it has more than %d addresses of %s, and "
					  "sbr makes a rule for each (give the interface fewer)",
					  ADDRESSES_MAX, l->name);
		t.ip = &c->prev->ips[i];
		t.have = (struct route_list){ .n = 0 };
		TRY(plan_address(tx, c, s, &t, p));
		n++;
	}
	if (!n)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: it has no address of %s (sbr needs one)", l->name);
	if (!s->table)
		plan_main(tx, c, s, l, &main, p);
	return 0;
}

static int carry_out(struct tx *tx, struct call *c, const struct sbr *s, const struct sbr_plan *p)
{
	int r = route_add_all(tx, &c->cont, &p->tables);

	/* The kernel's words name no key. */
	if (route_is_unreachable(r) && (ip_set(s->gw4) || ip_set(s->gw6)))
		tx_detail(tx, "gateways: each must be in the subnet of an address of %s",
			  c->ifname);
	TRY(r);
	for (unsigned i = 0; i < p->rules.n; i++)
		TRY(rule_add(tx, &c->cont, &p->rules.r[i]));
	/* First, because an IPv6 route to the same subnet with that metric would take the hint. */
	TRY(route_del_all(tx, &c->cont, &p->moved));
	return route_add_all(tx, &c->cont, &p->hints);
}

static int sbr_validate(struct tx *tx, struct call *c)
{
	struct sbr s;

	return sbr_read_conf(tx, c, &s);
}

static int sbr_add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	auto_(fd_close) int lock = -1;
	struct sbr_plan p = { .next = FIRST_TABLE };
	struct link l;
	struct sbr s;

	TRY(sbr_read_conf(tx, c, &s));
	TRY(link_need(tx, &c->cont, c->ifname, &l));
	TRY(call_lock_cont(tx, c, &lock));
	TRY(plan_all(tx, c, &s, &l, &p));
	if (!s.table)
		TRY(sbr_record_save(tx, c, &p));
	return carry_out(tx, c, &s, &p);
}

static int sbr_repair(struct tx *tx, struct call *c)
{
	return sbr_add(tx, c, NULL);
}

/* ---- DEL ---------------------------------------------------------------- */

/* The addresses of prevResult, and those that the interface has. */
static struct ip *all_ips(struct tx *tx, const struct call *c, const struct addr_list *have,
			  unsigned *ret_n)
{
	unsigned most = have->n + (c->prev ? c->prev->n_ips : 0), n = 0;
	struct ip *ips = mem_alloc(&tx->mem, (most + 1) * sizeof(*ips));

	for (unsigned i = 0; i < have->n; i++)
		if (!ip_is_linklocal(have->a[i].ip))
			ips[n++] = have->a[i].ip;
	for (unsigned i = 0; c->prev && i < c->prev->n_ips; i++)
		if (prev_is_ours(c, &c->prev->ips[i]))
			ips[n++] = c->prev->ips[i].addr.ip;
	*ret_n = n;
	return ips;
}

int sbr_del(struct tx *tx, struct call *c)
{
	struct addr_list addrs = { .n = 0 };
	int before = tx->err, there, r;
	struct ip *ips;
	unsigned n;
	struct sbr s;
	struct link l;

	TRY(there = sbr_record_open(tx, c));
	if (!there)
		return sbr_record_undo(tx, c, NULL);
	r = sbr_read_conf(tx, c, &s);
	TRY(tx_excuse(tx, before, r, "DEL deletes rules of any table"));
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	r = 0;
	if (there)
		r = addr_list(tx, &c->cont, &l, AF_UNSPEC, &addrs);
	TRY(rt_excuse_crowd(tx, before, r, "only prevResult tells the addresses"));
	ips = all_ips(tx, c, &addrs, &n);
	r = rule_del_from(tx, &c->cont, ips, n, s.table);
	return also(r, sbr_record_undo(tx, c, there ? &l : NULL));
}

static int sbr_status(struct tx *tx, struct call *c)
{
	struct sbr s;

	TRY(sbr_read_conf(tx, c, &s));
	return state_ready(tx, SBR_RECORDS);
}

const struct plugin sbr_plugin = {
	.name = "sbr",
	.about = "routes what comes from an address of the container's interface through it",
	.flags = CNI_USES_CONT | CNI_NEEDS_PREV | CNI_PASSES_PREV | CNI_RESTORES_CONT,
	.validate = sbr_validate,
	.add = sbr_add,
	.del = sbr_del,
	.check = sbr_check,
	.repair = sbr_repair,
	.gc = sbr_gc,
	.status = sbr_status,
};
