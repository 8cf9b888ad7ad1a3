// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold_result.c - leases as the result that ADD gives
 */
#include <linux/rtnetlink.h>

#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/packet.h"

/* Both families often have the same names. */
static void add_names(struct mem *mem, const char ***list, unsigned *n, const char *s)
{
	for (unsigned i = 0; i < *n; i++)
		if (str_eq((*list)[i], s))
			return;
	*list = mem_grow(mem, *list, *n, sizeof(**list));
	(*list)[(*n)++] = mem_str(mem, s);
}

static void put_dns(struct mem *mem, const struct dhcp_facts *f, struct result_dns *dns)
{
	for (unsigned i = 0; i < f->n_dns; i++)
		add_names(mem, &dns->nameservers, &dns->n_nameservers, IP_S(f->dns[i]));
	for (unsigned i = 0; i < f->n_search; i++)
		add_names(mem, &dns->search, &dns->n_search, f->search[i].s);
	if (f->domain.s[0])
		dns->domain = mem_str(mem, f->domain.s);
}

/* A router 0.0.0.0 means, as in the reference's results, that the destination is on the link. */
void hold_result(const struct hold *l, struct mem *mem, const struct dhcp_lease *of,
		 struct result *ret)
{
	struct dhcp_facts *f = mem_alloc(mem, sizeof(*f));

	result_init(ret, mem);
	if (!of->size || dhcp_facts(of->raw, of->size, f))
		return;
	result_add_ip(ret,
		      (struct result_ip){ .addr = f->address, .gateway = f->gateway, .iface = -1 });
	for (unsigned i = 0; i < f->n_routes; i++) {
		struct result_route route = result_route(f->routes[i].dst, f->routes[i].gw);

		route.priority = l->priority;
		if (l->server_mtu)
			route.mtu = f->mtu;
		if (ip_is_any(route.gw))
			route.scope = RT_SCOPE_LINK;
		result_add_route(ret, route);
	}
	put_dns(mem, f, &ret->dns);
}

void hold6_result(const struct hold6 *six, struct mem *mem, const struct dhcp_lease *of,
		  struct result *ret)
{
	struct dhcp_facts *f = mem_alloc(mem, sizeof(*f));

	if (!of->size || dhcp6_facts(of->raw, of->size, six->c.conf.iaid, f))
		return;
	result_add_ip(ret, (struct result_ip){ .addr = f->address, .iface = -1 });
	put_dns(mem, f, &ret->dns);
}

void hold_results(const struct hold *l, struct mem *mem, struct result *ret)
{
	hold_result(l, mem, &l->v4.x.lease, ret);
	if (l->six)
		hold6_result(l->six, mem, &l->six->c.x.lease, ret);
}

static void list_address(const struct hold *l, struct mem *mem, bool six,
			 const struct dhcp_lease *of, struct result *ret)
{
	result_init(ret, mem);
	if (!six)
		hold_result(l, mem, of, ret);
	else if (l->six)
		hold6_result(l->six, mem, of, ret);
}

static void drop_left(struct hold *l, struct ip ip)
{
	unsigned k = 0;

	for (unsigned i = 0; i < DAEMON_LEFT_MAX; i++)
		if (!ip_eq(l->left[i], ip))
			l->left[k++] = l->left[i];
	while (k < DAEMON_LEFT_MAX)
		l->left[k++] = (struct ip){ .family = 0 };
}

void hold_note_left(struct hold *l, struct mem *mem, bool six, const struct dhcp_lease *before)
{
	const struct dhcp_lease *after = six ? &l->six->c.x.lease : &l->v4.x.lease;
	struct result was, now;

	list_address(l, mem, six, before, &was);
	list_address(l, mem, six, after, &now);
	if (was.n_ips) {
		drop_left(l, was.ips[0].addr.ip);
		memmove(&l->left[1], l->left, sizeof(l->left) - sizeof(l->left[0]));
		l->left[0] = was.ips[0].addr.ip;
	}
	if (now.n_ips)
		drop_left(l, now.ips[0].addr.ip);
}
