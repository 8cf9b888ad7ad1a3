// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check.c - CHECK of the sbr plugin: rules, their tables, and what main must not have
 */
#include "base/differ.h"
#include "plugins/sbr/sbr.h"

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
	struct rule want = sbr_rule_of(s, ip->addr.ip), have;
	struct ip gw = sbr_gateway(s, ip), none = { .family = 0 };
	bool given = ip_set(want.family == AF_INET6 ? s->gw6 : s->gw4);
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
		check_route(tx, &list, cidr_masked(ip->addr), none, f.table);
	/* A gateway of prevResult may be of the other family. */
	if (ip_set(gw))
		check_route(tx, &list, (struct cidr){ .ip.family = want.family }, given ? gw : none,
			    f.table);
	return 0;
}

int sbr_check(struct tx *tx, struct call *c)
{
	struct route_list main = { .n = 0 };
	struct link l;
	struct sbr s;
	int there;

	TRY(sbr_read_conf(tx, c, &s));
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
