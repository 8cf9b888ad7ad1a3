// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_assign.c - gives an attachment that lives more addresses, and takes them back
 *
 * The result of the ADD gets the address, and the plugins repair what differs from it: host-local
 * claims the lease, the interface and the rules get the address.  The cache is written last, so it
 * has only what a command completed: after a kill in between the same command may be repeated, and
 * DEL frees everything, because leases and rules are found by their owner.
 */
#include <jansson.h>

#include "cnitool/attach.h"
#include "cnitool/cnitool.h"
#include "cnitool/target.h"
#include "ipam/host-local/conf.h"
#include "ipam/host-local/store.h"
#include "ipam/static/static.h"
#include "netlink/addr.h"
#include "netlink/link.h"
#include "netlink/rule.h"
#include "value/jw.h"

/* An attachment whose addresses change. */
struct change {
	struct tool *t;
	struct netconf net;
	struct attachment a;
	struct cached c;
	struct result res; /* of the ADD, with the changes */
	int iface;         /* index in res of the container's interface */
	bool is_local;     /* IPAM is host-local; else static */
	struct local_conf local;
};

/* ---- what is there ---- */

static int fail_ipam(struct change *h, const char *type)
{
	const char *has = "no IPAM";

	if (*type)
		has = mem_printf(&h->t->tx->mem, "IPAM %s", type);
	return tx_fail_as(h->t->tx, CNI_E_CONFIG, -EOPNOTSUPP,
			  "%s: network \"%s\" has %s: only addresses of host-local and static can "
			  "change while the container lives",
			  h->t->verb->name, h->net.name, has);
}

static int read_ipam(struct change *h, const struct cj *conf)
{
	struct tx *tx = h->t->tx;
	struct cj ipam = cj_any(conf, "ipam");
	const char *type = cj_is_object(&ipam) ? cj_str(&ipam, "type", "") : "";
	struct call call = { .conf = *conf, .version = h->net.version };

	h->is_local = str_eq(type, "host-local");
	if (!h->is_local && !str_eq(type, "static"))
		return fail_ipam(h, type);
	if (!h->is_local)
		return 0;
	TRY(local_conf_read(tx, &call, &h->local));
	TRY(local_conf_load_podcidr(tx, &call, CNI_E_AGAIN, &h->local));
	h->local.data_dir = mem_str(&tx->mem, h->local.data_dir);
	return 0;
}

/* The list's first plugin made the interface. */
static int read_main_plugin(struct change *h)
{
	struct tool *t = h->t;
	const struct netconf_extra extra = { .capability_args = h->c.capability_args,
					     .data_dir = attach_data_dir(t) };
	const char *text = netconf_request(&t->tx->mem, &h->net, 0, &extra);
	struct cj conf;
	int r;

	if (!attach_plugin_is_ours(t, &h->net, 0))
		return tx_fail_as(t->tx, CPLUG_E_DELEGATE, -EOPNOTSUPP,
				  "the %s plugin of network \"%s\" is not cplug's, or of another "
				  "version: it cannot change addresses",
				  h->net.plugins[0].type, h->net.name);
	TRY(cj_parse(t->tx, text, strlen(text), "configuration", &conf));
	r = read_ipam(h, &conf);
	cj_free(&conf);
	return r;
}

static int find_attachment(struct change *h)
{
	struct tool *t = h->t;
	const char *wrong;

	TRY(cmd_find_live(t, &h->net, &h->a, &h->c));
	wrong = cache_read_result(t->tx, h->c.result, &h->res);
	if (wrong)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENOENT, "%s on network \"%s\": %s",
				  h->a.ifname, h->net.name, wrong);
	h->iface = result_find_if(&h->res, h->a.ifname, true);
	if (h->iface < 0)
		return tx_fail_as(t->tx, CNI_E_CONTAINER, -ENODEV,
				  "the result of the ADD names no interface %s in the container",
				  h->a.ifname);
	return read_main_plugin(h);
}

/* The entry of the result; -1: there is none. */
static int index_of(const struct change *h, struct ip ip)
{
	for (unsigned i = 0; i < h->res.n_ips; i++)
		if (ip_eq(h->res.ips[i].addr.ip, ip))
			return (int)i;
	return -1;
}

/* ---- operands ---- */

/* ADDRESS[/LENGTH]; len 0: not given. */
static int read_operand(struct change *h, const char *text, struct cidr *ret)
{
	*ret = (struct cidr){ .len = 0 };
	if (!ip_parse(text, &ret->ip) && (!cidr_parse(text, ret) || !ret->len))
		return tool_wrong_operand(h->t, text,
					  "expected an address, like 10.1.0.9 or 10.1.0.9/24");
	if (!ip_is_of_host(ret->ip))
		return tool_wrong_operand(h->t, text, "no interface can have this address");
	return 0;
}

/* Without a length, that of an address in the same subnet counts. */
static const char *why_unusable(const struct change *h, struct cidr a)
{
	for (unsigned i = 0; !a.len && i < h->res.n_ips; i++)
		if (cidr_contains(h->res.ips[i].addr, a.ip))
			a.len = h->res.ips[i].addr.len;
	if (!a.len)
		return NULL;
	return static_why_unusable(a);
}

/* host-local gives length and gateway; else those of an address in the same subnet count. */
static int complete(struct change *h, const char *text, struct result_ip *ret)
{
	const char *why = why_unusable(h, ret->addr);
	const struct pool_range *r = NULL;

	if (why)
		return tool_wrong_operand(h->t, text, mem_printf(&h->t->tx->mem, "it %s", why));
	for (unsigned i = 0; h->is_local && i < h->local.pool.n && !r; i++)
		r = pool_find(&h->local.pool.sets[i], ret->addr.ip);
	if (h->is_local && !r)
		return tool_wrong_operand(h->t, text, "it lies in no range of the network");
	if (r && ret->addr.len && ret->addr.len != r->subnet.len)
		return tool_wrong_operand(
			h->t, text,
			mem_printf(&h->t->tx->mem, "its subnet is %s", CIDR_S(r->subnet)));
	if (r) {
		ret->addr.len = r->subnet.len;
		ret->gateway = r->gateway;
	}
	for (unsigned i = 0; !r && i < h->res.n_ips; i++) {
		const struct result_ip *e = &h->res.ips[i];

		if (!cidr_contains(e->addr, ret->addr.ip))
			continue;
		if (!ret->addr.len)
			ret->addr.len = e->addr.len;
		ret->gateway = e->gateway;
	}
	if (!ret->addr.len)
		return tool_wrong_operand(h->t, text, "name its prefix length, like /24");
	if (ip_eq(ret->addr.ip, ret->gateway))
		return tool_wrong_operand(h->t, text, "it is the gateway");
	return 0;
}

/* ---- the change ---- */

static int release_lease(struct change *h, struct ip ip)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct tx *tx = h->t->tx;
	struct lease *leases;
	unsigned n;
	int r;

	if (!h->is_local)
		return 0;
	r = store_open(tx, h->local.data_dir, h->net.name, STORE_CHANGE, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	TRY(store_find(tx, &st, h->a.id, &leases, &n));
	for (unsigned i = 0; i < n; i++)
		if (ip_eq(leases[i].ip, ip) && str_eq(leases[i].lessee.ifname, h->a.ifname))
			TRY(store_release(tx, &st, &leases[i]));
	return 0;
}

/* With the policy rules that name it (sbr), because the plugins do not know it any more. */
static int remove_from_interface(struct change *h, struct cidr addr)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct tx *tx = h->t->tx;
	struct link l;
	int there;

	TRY(target_open_same(tx, h->a.netns, &h->c.nsid, &ns));
	TRY(rt_open(tx, &rt, "container", &ns));
	TRY(there = link_find(tx, &rt, h->a.ifname, &l));
	if (!there)
		return 0;
	TRY(addr_del(tx, &rt, &l, addr));
	return rule_del_from(tx, &rt, &addr.ip, 1, 0);
}

/* The plugins make what the result has, and remove the rules of what it does not have any more. */
static int repair(struct change *h)
{
	struct repairs done = { .n = 0 };
	struct cached c = h->c;
	char *text;

	TRY(result_print(h->t->tx, &h->res, h->net.version, true, &text));
	c.result = text;
	TRY(attach_repair(h->t, &h->a, &c, false, &done));
	h->c.result = text;
	return 0;
}

static int take_back(struct change *h, struct cidr addr)
{
	TRY(remove_from_interface(h, addr));
	TRY(repair(h));
	return release_lease(h, addr.ip);
}

/* After a failure: the first n_ips entries were there before. */
static int undo_assign(struct change *h, unsigned n_ips, int r)
{
	bool was = h->t->tx->unwinding;
	unsigned n = h->res.n_ips;

	h->t->tx->unwinding = true;
	h->res.n_ips = n_ips;
	for (unsigned i = n_ips; i < n; i++)
		r = also(r, take_back(h, h->res.ips[i].addr));
	h->t->tx->unwinding = was;
	return r;
}

static int unassign(struct change *h, unsigned k)
{
	const struct result_ip old = h->res.ips[k];
	struct result_ip *at = &h->res.ips[k];
	size_t behind = (--h->res.n_ips - k) * sizeof(*at);
	struct tx *tx = h->t->tx;
	int r;

	memmove(at, at + 1, behind);
	r = take_back(h, old.addr);
	if (r == 0)
		r = cache_write(tx, &h->t->cache, &h->c);
	if (r == 0)
		return 0;
	tx->unwinding = true;
	memmove(at + 1, at, behind);
	*at = old;
	h->res.n_ips++;
	r = also(r, repair(h));
	tx->unwinding = false;
	return r;
}

static int print_addresses(struct change *h)
{
	struct cache_key name = attachment_key(&h->a);
	struct jw w;

	if (!h->t->opt.json)
		return 0;
	tool_open_json(h->t, &w);
	tool_put_attachment(&w, &name, h->a.netns);
	jw_open(&w, "ips", '[');
	for (unsigned i = 0; i < h->res.n_ips; i++)
		jw_str(&w, NULL, CIDR_S(h->res.ips[i].addr));
	jw_close(&w, ']');
	return tool_print_json(h->t, &w);
}

int cmd_assign(struct tool *t)
{
	struct change h = { .t = t };
	unsigned before;
	int r;

	TRY(find_attachment(&h));
	before = h.res.n_ips;
	for (unsigned i = 2; i < t->args.n; i++) {
		struct result_ip new = { .iface = h.iface };

		TRY(read_operand(&h, t->args.v[i], &new.addr));
		if (index_of(&h, new.addr.ip) >= 0)
			continue;
		TRY(complete(&h, t->args.v[i], &new));
		result_add_ip(&h.res, new);
	}
	r = repair(&h);
	if (r == 0)
		r = cache_write(t->tx, &t->cache, &h.c);
	if (r < 0)
		return undo_assign(&h, before, r);
	return print_addresses(&h);
}

/* The kernel deletes all addresses of a subnet with the first, and the routes through its gateway.
 */
static int need_no_others(struct change *h, const char *text, unsigned i)
{
	const struct cidr addr = h->res.ips[i].addr;

	if (h->res.n_ips == 1)
		return tool_wrong_operand(h->t, text,
					  "it is the only address (cnitool del detaches it)");
	for (unsigned k = 0; k < i; k++)
		if (cidr_contains(addr, h->res.ips[k].addr.ip))
			return 0;
	for (unsigned k = i + 1; k < h->res.n_ips; k++)
		if (cidr_contains(addr, h->res.ips[k].addr.ip))
			return tool_wrong_operand(
				h->t, text,
				mem_printf(&h->t->tx->mem,
					   "it is the first of its subnet, and %s would "
					   "go with it (unassign that first)",
					   IP_S(h->res.ips[k].addr.ip)));
	return 0;
}

int cmd_unassign(struct tool *t)
{
	struct change h = { .t = t };

	TRY(find_attachment(&h));
	for (unsigned i = 2; i < t->args.n; i++) {
		struct cidr addr;
		int k;

		TRY(read_operand(&h, t->args.v[i], &addr));
		k = index_of(&h, addr.ip);
		if (k < 0)
			return tool_wrong_operand(
				t, t->args.v[i],
				"the interface has no such address (cnitool inspect "
				"tells which)");
		TRY(need_no_others(&h, t->args.v[i], (unsigned)k));
		TRY(unassign(&h, (unsigned)k));
	}
	return print_addresses(&h);
}
