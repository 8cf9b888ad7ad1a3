// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * apply.c - what a renewal, an expiry or a new lease changes in the container
 *
 * A child process does it: its memory ends with it, and a container that makes netlink slow does
 * not stop the other leases.  The plugin's ADD gave the interface the first address.
 */
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/lease.h"
#include "netlink/addr.h"
#include "netlink/route.h"

enum { LIMIT = 20 /* seconds */ };

static bool has_route(const struct result *r, const struct result_route *w)
{
	for (unsigned i = 0; i < r->n_routes; i++)
		if (cidr_eq(r->routes[i].dst, w->dst) && ip_eq(r->routes[i].gw, w->gw) &&
		    r->routes[i].mtu == w->mtu)
			return true;
	return false;
}

/* 0.0.0.0 is how a result says that the destination is on the link. */
static struct result_route on_link(struct result_route r)
{
	if (ip_is_any(r.gw))
		r.gw = (struct ip){ .family = 0 };
	return r;
}

/* Both results have at most one address.  IPv6: with duplicate address detection, if it is on. */
static int change(struct tx *tx, struct rt *rt, const struct link *l, const struct result *old,
		  const struct result *new)
{
	bool same = old->n_ips && new->n_ips &&cidr_eq(old->ips[0].addr, new->ips[0].addr);
	int r = 0;

	for (unsigned i = 0; i < old->n_routes; i++) {
		struct result_route route = on_link(old->routes[i]);

		if (!same || !has_route(new, &old->routes[i]))
			r = also(r, route_del(tx, rt, l, &route));
	}
	if (old->n_ips && !same)
		r = also(r, addr_del(tx, rt, l, old->ips[0].addr));
	if (new->n_ips && !same)
		r = also(r, addr_ensure(tx, rt, l, new->ips[0].addr, ADDR_DAD));
	for (unsigned i = 0; i < new->n_routes; i++) {
		struct result_route route = on_link(new->routes[i]);

		if (!same || !has_route(old, &new->routes[i]))
			r = also(r, route_set(tx, rt, l, &route));
	}
	return r;
}

static uint32_t seconds_until(int64_t end, int64_t now)
{
	int64_t s = (end - now) / 1000;

	if (end == DHCP_NEVER || s >= DHCP_INFINITE)
		return DHCP_INFINITE;
	return s > 0 ? (uint32_t)s : 0;
}

static int set_lifetimes(struct tx *tx, struct rt *rt, const struct link *l,
			 const struct dhcp_lease *lease, uint32_t iaid)
{
	int64_t now = daemon_at().now, preferred = DHCP_NEVER;
	uint32_t valid = seconds_until(lease->end, now);
	struct dhcp6_message m;

	if (!dhcp6_parse(lease->raw, lease->size, iaid, &m) || !valid)
		return 0;
	if (m.preferred != DHCP_INFINITE)
		preferred = lease->start + (int64_t)m.preferred * 1000;
	preferred = time_min(preferred, lease->end);
	return addr_set_lifetimes(tx, rt, l, cidr_host(m.address), seconds_until(preferred, now),
				  valid);
}

static void results(const struct hold *l, struct mem *mem, const struct apply_want *want,
		    struct result *old, struct result *new)
{
	if (!want->six) {
		hold_result(l, mem, want->before, old);
		hold_result(l, mem, want->after, new);
		return;
	}
	result_init(old, mem);
	result_init(new, mem);
	hold6_result(l->six, mem, want->before, old);
	hold6_result(l->six, mem, want->after, new);
}

/* kept: the lease had a file when the daemon wanted the change. */
static int change_there(struct daemon *d, struct hold *l, const struct apply_want *want, bool kept)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct tx *tx = &d->tx;
	struct result old, new;
	struct link link;
	int there;

	TRY(wire_enter(d, l, &ns));
	results(l, &tx->mem, want, &old, &new);
	TRY(rt_open(tx, &rt, "container", &ns));
	TRY(there = link_find(tx, &rt, l->ifname, &link));
	if (!there)
		return tx_fail(tx, -ENODEV, "there is no interface %s", l->ifname);
	TRY(change(tx, &rt, &link, &old, &new));
	if (want->six && new.n_ips)
		TRY(set_lifetimes(tx, &rt, &link, want->after, l->six->c.conf.iaid));
	/*
	 * The kernel adds an address that is gone instead of changing it.  A release removes first
	 * the file and then the address.
	 */
	if (kept && new.n_ips && !record_is_kept(d, l))
		TRY(addr_del(tx, &rt, &link, new.ips[0].addr));
	tx_commit(tx);
	return 0;
}

/*
 * The child waits for the one before, or the container might end up with older values.  Each has
 * the write end of a pipe, which ends with it: the next child, and the daemon, see that.
 */
static void __attribute__((noreturn))
be_child(struct daemon *d, struct hold *l, const struct apply_want *want, bool kept)
{
	char byte;
	int r;

	/* The next daemon must not take us for one that lives. */
	fd_close(&d->listener.fd);
	netns_forget_home();
	alarm(LIMIT);
	if (l->changer.fd >= 0)
		(void)!read(l->changer.fd, &byte, 1);
	tx_begin(&d->tx);
	r = change_there(d, l, want, kept);
	/* The daemon says of a container that is gone that its lease is forgotten. */
	if (r < 0 && !hold_is_gone(r))
		daemon_say(l, "the interface is not changed as the server wants: %s", d->tx.msg);
	_exit(0);
}

void apply_change(struct daemon *d, struct hold *l, const struct apply_want *want)
{
	bool kept = want->six && record_is_kept(d, l);
	int pipe[2] = { -1, -1 };
	pid_t child = -1;

	if (pipe2(pipe, O_CLOEXEC) == 0)
		child = fork();
	if (child == 0)
		be_child(d, l, want, kept);
	fd_close(&pipe[1]);
	if (child < 0) {
		daemon_say(l, "the interface is not changed: %s", strerror(errno));
		fd_close(&pipe[0]);
		return;
	}
	daemon_unwatch(d, &l->changer);
	l->changer.fd = pipe[0];
	if (daemon_watch(d, &l->changer, EPOLLIN) < 0)
		daemon_say(l, "out of descriptors");
}
