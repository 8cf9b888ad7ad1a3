// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * prev.c - what prevResult says about this attachment
 */
#include "cni/prev.h"

int prev_interface(const struct call *c)
{
	return result_find_if(c->prev, c->ifname, true);
}

int prev_host_interface(const struct call *c, const char *bridge)
{
	size_t n = strlen(bridge);

	for (unsigned i = 0; i < c->prev->n_ifs; i++) {
		const char *name = c->prev->ifs[i].name;

		if (!str_empty(c->prev->ifs[i].sandbox) || str_empty(name))
			continue;
		if (!str_starts(name, bridge) || (name[n] && name[n] != '.'))
			return (int)i;
	}
	return -1;
}

struct mac prev_mac(const struct call *c, int i)
{
	struct mac mac = { .len = 0 };

	if (i < 0 || !c->prev->ifs[i].mac || !mac_parse(c->prev->ifs[i].mac, &mac))
		return (struct mac){ .len = 0 };
	return mac;
}

int prev_mtu(const struct call *c, int i)
{
	int64_t mtu = i >= 0 ? c->prev->ifs[i].mtu : 0;

	return mtu > 0 && mtu <= UINT16_MAX ? (int)mtu : 0;
}

/*
 * The interface that addresses of the attachment belong to: CNI_IFNAME in a sandbox; or without
 * one, because some plugins leave the sandbox empty.  -1 = prevResult does not list it.
 */
static int address_interface(const struct call *c)
{
	int i = prev_interface(c);

	if (i >= 0)
		return i;
	return result_find_if(c->prev, c->ifname, false);
}

bool prev_is_ours(const struct call *c, const struct result_ip *ip)
{
	bool listed = ip->iface >= 0 && (unsigned)ip->iface < c->prev->n_ifs;

	return !listed || ip->iface == address_interface(c);
}

void prev_addresses(const struct call *c, struct cidr *ret4, struct cidr *ret6)
{
	*ret4 = *ret6 = (struct cidr){ .len = 0 };
	for (unsigned i = 0; i < c->prev->n_ips; i++) {
		const struct result_ip *ip = &c->prev->ips[i];
		struct cidr *to = ip->addr.ip.family == AF_INET6 ? ret6 : ret4;

		if (prev_is_ours(c, ip) && !ip_set(to->ip))
			*to = ip->addr;
	}
}

static bool ip_is_in(const struct ip *list, unsigned n, struct ip ip)
{
	for (unsigned i = 0; i < n; i++)
		if (ip_eq(list[i], ip))
			return true;
	return false;
}

struct ip *prev_all_ips(struct mem *mem, const struct call *c, unsigned *ret_n)
{
	struct ip *ips = mem_alloc(mem, (c->prev->n_ips + 1) * sizeof(*ips));
	unsigned n = 0;

	for (unsigned i = 0; i < c->prev->n_ips && n <= PREV_IPS_MAX; i++) {
		struct ip ip = c->prev->ips[i].addr.ip;

		if (ip_is_of_host(ip) && !ip_is_in(ips, n, ip))
			ips[n++] = ip;
	}
	*ret_n = n;
	return ips;
}

/* Is the other end of a pair in the container's namespace?  Its ifindex there says nothing. */
static int leads_inside(struct tx *tx, struct call *c, const struct link *l)
{
	int nsid = -1;

	if (c->cont_ns.fd < 0)
		return 0;
	if (l->parent_nsid < 0)
		return netns_eq(&c->host_ns, &c->cont_ns);
	TRY(link_nsid(tx, &c->host, &c->cont_ns, &nsid));
	return nsid == l->parent_nsid;
}

/* Our mark tells; a link of another suite has none, and the kernel must tell. */
static int is_host_end(struct tx *tx, struct call *c, const struct link *l)
{
	bool marked = mark_is_any(l->alias) || link_is_unfinished(l);

	if (!link_is_end(l))
		return 0;
	if (marked)
		return link_is_marked(l, call_mark(tx, c));
	return leads_inside(tx, c, l);
}

int prev_host_link(struct tx *tx, struct call *c, struct link *ret)
{
	*ret = (struct link){ .index = 0 };
	for (unsigned i = c->prev->n_ifs; i-- && !ret->master;) {
		const struct result_if *f = &c->prev->ifs[i];
		struct link l;
		int there;

		if (!str_empty(f->sandbox) || str_empty(f->name))
			continue;
		TRY(there = link_find(tx, &c->host, f->name, &l));
		if (there)
			TRY(there = is_host_end(tx, c, &l));
		if (!there)
			continue;
		if (l.master || !ret->index)
			*ret = l;
	}
	return 0;
}
