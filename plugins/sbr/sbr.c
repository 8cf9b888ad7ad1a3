// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sbr.c - source based routing: replies leave by the interface whose address they come from
 *
 * Chained.  Each address of the attachment gets a policy rule, "from ADDRESS lookup TABLE", and a
 * table of its own with the routes of the interface, which leave table main.  All is in the
 * container; the tables go with the interface, the rules do not.
 */
#include <fcntl.h>

#include <linux/rtnetlink.h>

#include "base/differ.h"
#include "netlink/addr.h"
#include "netlink/rule.h"
#include "plugins/list.h"
#include "plugins/sbr/routes.h"
#include "sys/file.h"

enum { LOCK_TIMEOUT_MS = 10000, FIRST_TABLE = 100 };

static int read_conf(struct tx *tx, const struct call *c, struct sbr *ret)
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
		*to = gw;
	}
	*ret = s;
	return cj_ok(tx, &c->conf);
}

static struct rule rule_of(const struct sbr *s, struct ip ip)
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
static int add_address(struct tx *tx, struct call *c, const struct sbr *s, struct sbr_table *t,
		       uint32_t *next)
{
	struct rule r = rule_of(s, t->ip->addr.ip);
	struct route_list list;
	int there = 0;

	t->number = 0;
	if (c->command == CNI_REPAIR)
		TRY(there = find_table(tx, c, &r, t));
	if (!s->table && !t->number)
		TRY(route_free_table(tx, &c->cont, *next, &t->number));
	if (!s->table) {
		*next = t->number >= *next ? t->number + 1 : *next;
		r.table = t->number;
		list = sbr_table_routes(tx, c, s, t);
		TRY(route_add_all(tx, &c->cont, &list));
	}
	if (there)
		return 0;
	return rule_add(tx, &c->cont, &r);
}

/* The routes leave main; with hints, those that stay name the source address. */
static int clear_main(struct tx *tx, struct call *c, const struct sbr *s, const struct link *l,
		      const struct route_list *main)
{
	struct route_list hints = { .n = 0 }, gone = { .n = 0 };

	for (unsigned i = 0; s->hints && i < c->prev->n_ips; i++)
		if (prev_is_ours(c, &c->prev->ips[i]))
			sbr_list_add(tx, &hints,
				     sbr_connected(l, c->prev->ips[i].addr, RT_TABLE_MAIN));
	for (unsigned i = 0; i < main->n; i++)
		if (!sbr_stays(s, &main->r[i]))
			sbr_list_add(tx, &gone, main->r[i]);
	/* First, because an IPv6 route to the same subnet with that metric would take the hint. */
	TRY(route_del_all(tx, &c->cont, &gone));
	return route_add_all(tx, &c->cont, &hints);
}

/* The caller holds the lock, so a table that is free now is free until a rule names it. */
static int add_all(struct tx *tx, struct call *c, const struct sbr *s, const struct link *l)
{
	struct route_list main = { .n = 0 };
	struct sbr_table t = { .link = l, .main = &main };
	uint32_t next = FIRST_TABLE;
	unsigned n = 0;

	if (!s->table)
		TRY(sbr_main_routes(tx, c, l, &main));
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		if (!prev_is_ours(c, &c->prev->ips[i]))
			continue;
		t.ip = &c->prev->ips[i];
		t.have = (struct route_list){ .n = 0 };
		TRY(add_address(tx, c, s, &t, &next));
		n++;
	}
	if (!n)
		return tx_fail_as(tx, CPLUG_E_PREV, -EINVAL,
				  "prevResult: it has no address of %s (sbr needs one)", l->name);
	if (s->table)
		return 0;
	return clear_main(tx, c, s, l, &main);
}

static int sbr_add(struct tx *tx, struct call *c, struct result *res UNUSED)
{
	auto_(fd_close) int lock = -1;
	struct link l;
	struct sbr s;

	TRY(read_conf(tx, c, &s));
	TRY(link_need(tx, &c->cont, c->ifname, &l));
	TRY(file_mkdirs(tx, "/run/cni/cplug", 0700));
	TRY(file_lock(tx, AT_FDCWD, "/run/cni/cplug/sbr.lock", LOCK_TIMEOUT_MS, &lock));
	return add_all(tx, c, &s, &l);
}

static int sbr_repair(struct tx *tx, struct call *c)
{
	return sbr_add(tx, c, NULL);
}

/* ---- CHECK -------------------------------------------------------------- */

/* Notes a route that is missing; any gateway, if gw is none. */
static void check_route(struct tx *tx, const struct route_list *list, struct cidr dst, struct ip gw,
			uint32_t table)
{
	for (unsigned i = 0; i < list->n; i++)
		if (cidr_eq(list->r[i].dst, dst) && (!ip_set(gw) || ip_eq(list->r[i].gw, gw)))
			return;
	differ(tx, mem_printf(&tx->mem, "route %s in table %u", CIDR_S(dst), table),
	       ip_set(gw) ? mem_printf(&tx->mem, "via %s", IP_S(gw)) : "present", NULL);
}

static int check_address(struct tx *tx, struct call *c, const struct sbr *s, const struct link *l,
			 const struct result_ip *ip)
{
	struct rule want = rule_of(s, ip->addr.ip), have;
	struct ip gw = sbr_gateway(s, ip);
	struct route_filter f = { .family = want.family, .link = l->index };
	struct route_list list;
	int there;

	TRY(there = rule_find(tx, &c->cont, &want, &have));
	if (!there)
		differ(tx, mem_printf(&tx->mem, "policy rule from %s", IP_S(ip->addr.ip)),
		       s->table ? mem_printf(&tx->mem, "lookup %u", s->table) : "present", NULL);
	if (!there || s->table)
		return 0;
	f.table = have.table;
	TRY(route_list(tx, &c->cont, &f, &list));
	if (ip->addr.len < ip_bits(ip->addr.ip))
		check_route(tx, &list, cidr_masked(ip->addr), (struct ip){ .family = 0 }, f.table);
	if (ip_set(gw) && (gw.family == AF_INET6 ? ip_set(s->gw6) : ip_set(s->gw4)))
		check_route(tx, &list, (struct cidr){ .ip.family = gw.family }, gw, f.table);
	else if (ip_set(gw))
		check_route(tx, &list, (struct cidr){ .ip.family = gw.family },
			    (struct ip){ .family = 0 }, f.table);
	return 0;
}

static int sbr_check(struct tx *tx, struct call *c)
{
	struct route_list main = { .n = 0 };
	struct link l;
	struct sbr s;
	int there;

	TRY(read_conf(tx, c, &s));
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (!there) {
		differ(tx, mem_printf(&tx->mem, "interface %s", c->ifname), "present", NULL);
		return 0;
	}
	for (unsigned i = 0; i < c->prev->n_ips; i++)
		if (prev_is_ours(c, &c->prev->ips[i]))
			TRY(check_address(tx, c, &s, &l, &c->prev->ips[i]));
	if (!s.table)
		TRY(sbr_main_routes(tx, c, &l, &main));
	for (unsigned i = 0; i < main.n; i++)
		if (!sbr_stays(&s, &main.r[i]))
			differ(tx,
			       mem_printf(&tx->mem, "route %s on %s in table main",
					  ROUTE_S(&main.r[i]), l.name),
			       "absent", "present");
	return 0;
}

/* ---- DEL ---------------------------------------------------------------- */

static int delete_rules(struct tx *tx, struct call *c, const struct sbr *s, struct ip ip)
{
	struct rule want = rule_of(s, ip);

	return rule_del(tx, &c->cont, &want);
}

/* The addresses are those of prevResult, and those that the interface has. */
static int sbr_del(struct tx *tx, struct call *c)
{
	struct addr_list addrs = { .n = 0 };
	int before = tx->err, there, r;
	struct sbr s;
	struct link l;

	if (!rt_is_open(&c->cont))
		return 0;
	r = read_conf(tx, c, &s);
	TRY(tx_excuse(tx, before, r, "rules of any table are deleted"));
	TRY(there = link_find(tx, &c->cont, c->ifname, &l));
	if (there)
		TRY(addr_list(tx, &c->cont, &l, AF_UNSPEC, &addrs));
	r = 0;
	for (unsigned i = 0; i < addrs.n; i++)
		if (!ip_is_linklocal(addrs.a[i].ip))
			r = also(r, delete_rules(tx, c, &s, addrs.a[i].ip));
	for (unsigned i = 0; c->prev && i < c->prev->n_ips; i++)
		if (prev_is_ours(c, &c->prev->ips[i]) && !addr_listed(&addrs, c->prev->ips[i].addr))
			r = also(r, delete_rules(tx, c, &s, c->prev->ips[i].addr.ip));
	return r;
}

const struct plugin sbr_plugin = {
	.name = "sbr",
	.about = "routes what comes from an address of the container's interface through it",
	.flags = CNI_USES_CONT | CNI_NEEDS_PREV | CNI_PASSES_PREV | CNI_RESTORES_CONT,
	.add = sbr_add,
	.del = sbr_del,
	.check = sbr_check,
	.repair = sbr_repair,
};
