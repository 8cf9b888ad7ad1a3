// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dropped.c - the addresses and routes that the kernel drops with what tuning changes
 */
#include <stdlib.h>

#include "base/log.h"
#include "plugins/tuning/backup.h"

static struct dropped *find_dropped(const struct backup *b, const char *ifname)
{
	for (unsigned i = 0; i < b->n_dropped; i++)
		if (str_eq(b->dropped[i].ifname, ifname))
			return &b->dropped[i];
	return NULL;
}

void backup_add_dropped(struct tx *tx, struct backup *b, const struct dropped *d)
{
	struct dropped *there = find_dropped(b, d->ifname);

	if (there) {
		there->up |= d->up;
		return;
	}
	b->dropped = mem_grow(&tx->mem, b->dropped, b->n_dropped, sizeof(*d));
	b->dropped[b->n_dropped++] = *d;
}

static int save_ipv6(struct tx *tx, struct rt *rt, struct backup *b, const struct link *l,
		     const char *key)
{
	struct dropped d = { .ifname = mem_str(&tx->mem, l->name) };

	if (find_dropped(b, l->name))
		return 0;
	TRY(layer3_save(tx, rt, l, AF_INET6, &d.layer3));
	if (d.layer3.addrs.n)
		log_warn("%s: %s loses its IPv6 addresses (an mtu of at least 1280, and "
			 "disable_ipv6 0, keep them)",
			 key, l->name);
	if (d.layer3.addrs.n || d.layer3.routes.n)
		backup_add_dropped(tx, b, &d);
	return 0;
}

/* A container may have any number of interfaces, and each is asked for addresses and routes. */
enum { LINKS_MAX = 1024 };

struct links {
	struct link *l; /* room for LINKS_MAX */
	unsigned n;
	bool more;
};

static int note_link(const struct link *l, void *arg)
{
	struct links *all = arg;

	if (!l) {
		all->n = 0;
		return 0;
	}
	all->more = all->n == LINKS_MAX;
	if (!all->more)
		all->l[all->n++] = *l;
	return all->more;
}

static int save_all_ipv6(struct tx *tx, struct rt *rt, struct backup *b, const char *key)
{
	struct links all = { .n = 0 };

	all.l = mem_alloc(&tx->mem, LINKS_MAX * sizeof(*all.l));
	TRY(link_each(tx, rt, "", note_link, &all));
	if (all.more)
		return tx_fail(
			tx, -E2BIG,
			"sysctl net/ipv6/conf/all/disable_ipv6: the container has more than %d "
			"interfaces, whose addresses would have to be saved (set it for each "
			"interface)",
			LINKS_MAX);
	for (unsigned i = 0; i < all.n; i++)
		TRY(save_ipv6(tx, rt, b, &all.l[i], key));
	return 0;
}

/* The interface whose IPv6 the change of a sysctl ends ("all": each one's); "" = none. */
static const char *ends_ipv6(struct tx *tx, const struct sysctl_value *v)
{
	static const char start[] = "net/ipv6/conf/", end[] = "/disable_ipv6";
	const char *name = v->s.name + sizeof(start) - 1, *slash = strrchr(v->s.name, '/');

	if (!str_starts(v->s.name, start) || slash < name || !str_eq(slash, end) || !v->now ||
	    strtol(v->now, NULL, 0) || !strtol(v->s.value, NULL, 0))
		return "";
	return mem_printf(&tx->mem, "%.*s", (int)(slash - name), name);
}

int backup_find_dropped(struct tx *tx, struct rt *rt, const struct tuning_conf *cf,
			const struct link *l, struct backup *b)
{
	if (cf->link.mtu && cf->link.mtu < LAYER3_MTU6 && l->mtu >= LAYER3_MTU6)
		TRY(save_ipv6(tx, rt, b, l, "mtu"));
	for (unsigned i = 0; i < cf->n; i++) {
		const char *key = cf->keys[i], *name = ends_ipv6(tx, &cf->sysctls[i]);
		struct link other;
		int there = 0;

		if (str_eq(name, "all"))
			TRY(save_all_ipv6(tx, rt, b, key));
		else if (*name)
			TRY(there = link_find(tx, rt, name, &other));
		if (there)
			TRY(save_ipv6(tx, rt, b, &other, key));
	}
	return 0;
}
