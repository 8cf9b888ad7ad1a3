// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * host_local.c - host-local: allocate addresses from a pool of this host
 *
 * ADD allocates one address of every range set: the requested one, or the next free.  DEL and
 * GC find leases by container, not by range set, so they work after the configuration changed.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/differ.h"
#include "plugins/list.h"
#include "cni/conf.h"
#include "cni/iface.h"
#include "ipam/host-local/local.h"
#include "cni/resolv.h"
#include "ipam/host-local/store.h"

/* ---- ADD ---- */

/* Shows later whether the container still exists. */
static struct lease_life life_of(struct call *c)
{
	struct lease_life l = { .boot = index_boot_id(), .time = (uint64_t)time(NULL) };

	if (c->cont_ns.fd >= 0) {
		l.ino = c->cont_ns.ino;
		l.cookie = call_cookie(c);
	}
	return l;
}

/* Assigns each requested address to a set of its own, before anything is changed. */
static int check_requests(struct tx *tx, const struct local_conf *cf, struct request **by_set)
{
	struct mem_text left = { .mem = &tx->mem };

	for (unsigned s = 0; s < cf->pool.n; s++)
		for (unsigned i = 0; i < cf->n_requests && !by_set[s]; i++)
			if (!cf->requests[i].granted &&
			    pool_find(&cf->pool.sets[s], cf->requests[i].ip)) {
				cf->requests[i].granted = true;
				by_set[s] = &cf->requests[i];
			}
	for (unsigned i = 0; i < cf->n_requests; i++)
		if (!cf->requests[i].granted)
			mem_text_add(&left, "%s%s", mem_text_comma(&left, ", "),
				     IP_S(cf->requests[i].ip));
	if (!left.len)
		return 0;
	for (unsigned s = 0; s < cf->pool.n; s++)
		tx_detail(tx, "range set %u: %s", s, pool_text(&tx->mem, &cf->pool.sets[s]));
	return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRNOTAVAIL,
			  "failed to allocate all requested IPs: %s (each must lie in a range set, "
			  "which gives one address only)",
			  mem_text_end(&left));
}

/* Claims a requested address of range set s. */
static int claim_request(struct tx *tx, struct store *st, const struct store_want *w,
			 const struct pool_set *s, struct ip ip)
{
	const char *holder = "its file cannot be read";
	const struct pool_range *range = pool_find(s, ip);
	struct lease l;
	int r;

	if (!range)
		return tx_fail_as(tx, CNI_E_AGAIN, -EAGAIN,
				  "failed to allocate for range %u: the block of %s was given back "
				  "at this moment; try again",
				  w->set, IP_S(ip));
	if (ip_eq(ip, range->gateway))
		return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRNOTAVAIL,
				  "failed to allocate for range %u: requested ip %s is subnet's "
				  "gateway",
				  w->set, IP_S(ip));
	r = store_claim(tx, st, w, ip);
	if (r != -EEXIST)
		return r;
	r = lease_read(&tx->mem, st->dir, ip, &l);
	if (r == -EILSEQ)
		holder = mem_printf(&tx->mem, "%s/%s/%s is another program's file, not a lease",
				    st->data_dir, st->network, IP_S(ip));
	if (r == 0)
		holder = mem_printf(&tx->mem, "%s has it", lessee_text(&tx->mem, &l.lessee));
	return tx_fail_as(tx, CPLUG_E_ADDRESS, -EADDRINUSE,
			  "failed to allocate for range %u: requested IP address %s is not "
			  "available in range set %s: %s",
			  w->set, IP_S(ip), pool_text(&tx->mem, s), holder);
}

static bool is_of(const struct lease *l, const struct lessee *o)
{
	return str_eq(l->lessee.id, o->id) &&
	       (!l->lessee.ifname || str_eq(l->lessee.ifname, o->ifname));
}

/* Releases a lease that the attachment has in s, if its container is dead; else fails. */
static int release_former(struct tx *tx, struct store *st, const struct store_want *w,
			  const struct pool_set *s)
{
	struct lease *leases;
	unsigned n;

	TRY(store_find(tx, st, w->lessee.id, &leases, &n));
	for (unsigned i = 0; i < n; i++) {
		if (!is_of(&leases[i], &w->lessee) || !pool_find(s, leases[i].ip))
			continue;
		if (!store_is_dead(tx, st, &leases[i]))
			return tx_fail_as(tx, CPLUG_E_ADDRESS, -EEXIST,
					  "failed to allocate for range %u: %s has been allocated "
					  "to %s, duplicate allocation is not allowed (DEL frees "
					  "it)",
					  w->set, IP_S(leases[i].ip), w->lessee.id);
		TRY(store_release(tx, st, &leases[i]));
	}
	return 0;
}

/* Returns 0, -EADDRNOTAVAIL (not recorded) if every address is leased, or a recorded failure. */
static int claim_any(struct tx *tx, struct store *st, const struct store_want *w,
		     const struct pool_set *s, struct ip *ret)
{
	unsigned n;
	int r;

	TRY(release_former(tx, st, w, s));
	r = store_claim_next(tx, st, w, s, ret);
	if (r == -EADDRNOTAVAIL) {
		TRY(store_reclaim(tx, st, &n));
		if (n)
			r = store_claim_next(tx, st, w, s, ret);
	}
	return r;
}

static int open_leases(struct tx *tx, struct call *c, struct local_conf *cf, struct store *st)
{
	TRY(store_open(tx, cf->data_dir, c->network, STORE_CREATE, st));
	if (cf->source)
		return cf->source->load(tx, c, cf);
	return 0;
}

/* Claims any address of a range set, which grows if its source can make it grow. */
static int claim_growing(struct tx *tx, struct call *c, struct local_conf *cf, struct store *st,
			 const struct store_want *w, struct ip *ret)
{
	enum { GROWS_MAX = 8 };
	int r = claim_any(tx, st, w, &cf->pool.sets[w->set], ret);

	for (unsigned i = 0; r == -EADDRNOTAVAIL && cf->source && i < GROWS_MAX; i++) {
		store_close(st);
		*st = STORE_CLOSED;
		TRY(cf->source->grow(tx, c, cf, w->set));
		TRY(open_leases(tx, c, cf, st));
		r = claim_any(tx, st, w, &cf->pool.sets[w->set], ret);
	}
	if (r != -EADDRNOTAVAIL)
		return r;
	tx_detail(tx,
		  "every address is leased: widen the range, or free the leases of containers "
		  "that are gone (%s/%s; GC does it)",
		  st->data_dir, st->network);
	return tx_fail_as(tx, CPLUG_E_EXHAUSTED, r,
			  "failed to allocate for range %u: no IP addresses available in range "
			  "set: %s",
			  w->set, pool_text(&tx->mem, &cf->pool.sets[w->set]));
}

/*
 * Adds a route to a network of the cluster, as the plugin flannel does, unless the configuration
 * has it.  No route to the node's own subnet, or of a family that the node has no subnet of.
 */
static void add_network(const struct podcidr *p, struct cidr network, struct result *ret)
{
	struct result_route route = result_route(network, (struct ip){ .family = 0 });
	bool wanted = false;

	for (unsigned i = 0; i < p->n_subnets; i++) {
		wanted |= p->subnets[i].ip.family == network.ip.family;
		if (cidr_eq(p->subnets[i], network))
			return;
	}
	for (unsigned i = 0; i < ret->n_routes; i++)
		if (cidr_eq(ret->routes[i].dst, network))
			return;
	route.mtu = p->mtu;
	if (wanted)
		result_add_route(ret, route);
}

/* Adds what the configuration contains: routes, and DNS of resolvConf. */
static int add_static(struct tx *tx, const struct call *c, const struct local_conf *cf,
		      struct result *ret)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), routes = cj_list(&ipam, "routes");

	result_read_routes(ret, &routes);
	TRY(cj_ok(tx, &c->conf));
	for (unsigned i = 0; i < cf->podcidr.n_networks; i++)
		add_network(&cf->podcidr, cf->podcidr.networks[i], ret);
	if (*cf->resolv_conf)
		TRY(resolv_read(tx, cf->resolv_conf, &ret->dns));
	return 0;
}

static int local_validate(struct tx *tx, struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");
	struct local_conf cf;

	conf_check_routes(&tx->mem, &ipam);
	TRY(local_conf_read(tx, c, &cf));
	return local_conf_read_requests(tx, c, &cf);
}

int local_add_from(struct tx *tx, struct call *c, struct local_conf *cf, struct result *ret)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct store_want want = { .lessee = { .id = c->id, .ifname = c->ifname },
				   .life = life_of(c) };
	struct request **by_set = mem_alloc(&tx->mem, cf->pool.n * sizeof(struct request *));

	TRY(add_static(tx, c, cf, ret));
	TRY(check_requests(tx, cf, by_set));
	TRY(open_leases(tx, c, cf, &st));
	for (unsigned i = 0; i < cf->pool.n; i++) {
		const struct pool_range *r;
		struct ip ip = { .family = 0 };

		want.set = i;
		if (by_set[i]) {
			ip = by_set[i]->ip;
			TRY(claim_request(tx, &st, &want, &cf->pool.sets[i], ip));
		} else {
			TRY(claim_growing(tx, c, cf, &st, &want, &ip));
		}
		r = pool_find(&cf->pool.sets[i], ip);
		result_add_ip(ret, (struct result_ip){ .addr = { ip, r->subnet.len },
						       .gateway = r->gateway,
						       .iface = -1 });
	}
	return 0;
}

static int local_add(struct tx *tx, struct call *c, struct result *ret)
{
	struct local_conf cf;

	TRY(local_conf_read(tx, c, &cf));
	TRY(local_conf_read_requests(tx, c, &cf));
	TRY(local_conf_load_podcidr(tx, c, CNI_E_AGAIN, &cf));
	return local_add_from(tx, c, &cf, ret);
}

/* ---- DEL and GC ---- */

/*
 * Is there no place for a lease, because a name is too long, links of the path are a loop, or a
 * folder of it is something else?  A symbolic link instead of the network's folder may lead to
 * leases of another program.
 */
static bool has_no_place(const struct store *st, int r)
{
	struct stat s;

	if (r != -ENOTDIR && r != -ELOOP)
		return r == -ENAMETOOLONG;
	return st->root < 0 || (fstatat(st->root, st->network, &s, AT_SYMLINK_NOFOLLOW) == 0 &&
				!S_ISDIR(s.st_mode) && !S_ISLNK(s.st_mode));
}

/* As store_open(), and -ENOENT where no lease can be: the DEL would fail for ever. */
static int open_if_any(struct tx *tx, const struct call *c, enum store_mode mode, struct store *st)
{
	int before = tx->err, r = store_open(tx, local_conf_data_dir(c), c->network, mode, st);

	if (!has_no_place(st, r))
		return r;
	TRY(tx_excuse(tx, before, r, "so there are no leases"));
	return -ENOENT;
}

/*
 * On a read-only file system there is no lock, and nothing changes: whether there is something to
 * release can be read all the same.
 */
static int open_to_release(struct tx *tx, const struct call *c, struct store *st)
{
	int before = tx->err, r = open_if_any(tx, c, STORE_CHANGE, st);

	if (r != -EROFS)
		return r;
	TRY(tx_excuse(tx, before, r, "leases are only read"));
	store_close(st);
	*st = STORE_CLOSED;
	return open_if_any(tx, c, STORE_READ, st);
}

int local_del(struct tx *tx, struct call *c)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct lease *leases;
	const char *ifname = NULL; /* of the leases to release; NULL: those without one */
	unsigned n;
	int r;

	TRY(cj_ok(tx, &c->conf));
	r = open_to_release(tx, c, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	TRY(store_find(tx, &st, c->id, &leases, &n));
	/* Old leases, without an interface, are released only if no other matches. */
	for (unsigned i = 0; i < n; i++)
		if (str_eq(leases[i].lessee.ifname, c->ifname))
			ifname = c->ifname;
	for (unsigned i = 0; i < n; i++) {
		const char *of = leases[i].lessee.ifname;

		if (ifname ? str_eq(of, ifname) : !of)
			r = also(r, store_release(tx, &st, &leases[i]));
	}
	return r;
}

int local_list(struct tx *tx, struct call *c, struct result *ret)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	const struct lessee lessee = { .id = c->id, .ifname = c->ifname };
	struct lease *leases;
	unsigned n;
	int r;

	r = open_if_any(tx, c, STORE_READ, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	TRY(store_find(tx, &st, c->id, &leases, &n));
	for (unsigned i = 0; i < n; i++)
		if (is_of(&leases[i], &lessee))
			result_add_ip(ret,
				      (struct result_ip){ .addr.ip = leases[i].ip, .iface = -1 });
	return 0;
}

static bool is_valid(const struct lessee *o, const void *arg)
{
	const struct call *c = arg;

	return call_is_valid(c, o->id, o->ifname); /* an old lease has no interface */
}

int local_gc(struct tx *tx, struct call *c)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	int r;

	TRY(cj_ok(tx, &c->conf));
	if (!c->valid_known)
		return 0; /* without the list of valid attachments nothing is removed */
	r = open_to_release(tx, c, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	return store_purge(tx, &st, is_valid, c);
}

/* ---- CHECK ---- */

static const char *file_trouble(int r)
{
	if (r == -EBADMSG)
		return "empty or damaged";
	if (r == -EILSEQ)
		return "it is not a lease";
	return strerror(-r);
}

/* A sentence that says what is wrong with a lease; NULL: it belongs to o. */
static const char *lease_trouble(struct mem *mem, struct store *st, const struct lessee *o,
				 struct ip ip, const char **ret_have)
{
	const char *want = lessee_text(mem, o);
	struct lease l;
	int r = lease_read(mem, st->dir, ip, &l);

	if (r == 0 && is_of(&l, o))
		return NULL;
	if (r == 0) {
		*ret_have = lessee_text(mem, &l.lessee);
		return mem_printf(mem, "%s is leased to %s, not to %s", IP_S(ip), *ret_have, want);
	}
	*ret_have = mem_printf(mem, "%s/%s/%s: %s", st->data_dir, st->network, IP_S(ip),
			       file_trouble(r));
	return mem_printf(mem, "%s is not leased to %s: %s", IP_S(ip), want, *ret_have);
}

static void check_address(struct tx *tx, struct store *st, const struct lessee *o, struct ip ip)
{
	const char *have, *trouble = lease_trouble(&tx->mem, st, o, ip, &have);

	if (trouble)
		differ_as(tx, trouble, mem_printf(&tx->mem, "lease of %s", IP_S(ip)),
			  lessee_text(&tx->mem, o), have);
}

static void differ_no_lease(struct tx *tx, const struct lessee *o, const char *data_dir,
			    const char *network)
{
	const char *of = lessee_text(&tx->mem, o);

	differ_as(tx,
		  mem_printf(&tx->mem, "Failed to find address added by %s: no lease in %s/%s", of,
			     data_dir, network),
		  "lease", of, NULL);
}

/* Without a prevResult any lease of the attachment is sufficient. */
static int check_any(struct tx *tx, struct store *st, const struct lessee *o)
{
	struct lease *leases;
	unsigned n;

	TRY(store_find(tx, st, o->id, &leases, &n));
	for (unsigned i = 0; i < n; i++)
		if (is_of(&leases[i], o))
			return 0;
	differ_no_lease(tx, o, st->data_dir, st->network);
	return 0;
}

int local_check_in(struct tx *tx, struct call *c, const struct local_conf *cf)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	const struct lessee lessee = { .id = c->id, .ifname = c->ifname };
	unsigned ours = 0;
	int r;

	r = store_open(tx, cf->data_dir, c->network, STORE_READ, &st);
	if (r == -ENOENT) {
		differ_no_lease(tx, &lessee, cf->data_dir, c->network);
		return 0;
	}
	TRY(r);
	if (!c->prev)
		return check_any(tx, &st, &lessee);
	for (unsigned i = 0; i < c->prev->n_ips; i++)
		for (unsigned s = 0; s < cf->pool.n; s++) {
			struct ip ip = c->prev->ips[i].addr.ip;

			if (!pool_find(&cf->pool.sets[s], ip))
				continue;
			ours++;
			check_address(tx, &st, &lessee, ip);
		}
	/* The node has got another subnet since: the lease stays valid. */
	if (!ours && cf->subnet_file)
		return check_any(tx, &st, &lessee);
	if (!ours)
		differ_as(tx,
			  mem_printf(&tx->mem,
				     "%s: no address of prevResult lies in a range of this network",
				     lessee_text(&tx->mem, &lessee)),
			  "addresses of prevResult", "one in a range of this network", NULL);
	return 0;
}

/* Without the file of the node's subnets, the leases are found by container. */
static int load_if_there(struct tx *tx, struct call *c, struct local_conf *cf)
{
	int before = tx->err, r = local_conf_load_podcidr(tx, c, CNI_E_AGAIN, cf);

	return tx_excuse(tx, before, r, "leases are looked up by container");
}

static int local_check(struct tx *tx, struct call *c)
{
	struct local_conf cf;

	TRY(local_conf_read(tx, c, &cf));
	TRY(load_if_there(tx, c, &cf));
	return local_check_in(tx, c, &cf);
}

/*
 * Claims a lost lease again, if its address is still free.  Fails if the lease was made for
 * another namespace, because then prevResult belongs to another container.
 */
static int repair_address(struct tx *tx, struct store *st, const struct store_want *w, struct ip ip)
{
	const struct lease_life *life = &w->life;
	const struct lessee *o = &w->lessee;
	const char *trouble, *have;
	struct lease_life known;
	struct lease l;
	int r = lease_read(&tx->mem, st->dir, ip, &l);

	if (r == 0 && is_of(&l, o) && index_life(&st->index, ip, o->id, &known) &&
	    known.boot == life->boot && known.cookie && life->cookie &&
	    known.cookie != life->cookie)
		return tx_fail_as(tx, CPLUG_E_CHECK, -ESTALE,
				  "%s is leased to %s in another network namespace: this one was "
				  "made anew (DEL, then ADD)",
				  IP_S(ip), lessee_text(&tx->mem, o));
	if (r == -ENOENT || r == -EBADMSG) {
		r = store_claim(tx, st, w, ip);
		if (r != -EEXIST)
			return r;
	}
	trouble = lease_trouble(&tx->mem, st, o, ip, &have);
	if (trouble)
		return tx_fail_as(tx, CPLUG_E_CHECK, -ESTALE, "%s", trouble);
	return 0;
}

int local_repair_in(struct tx *tx, struct call *c, struct local_conf *cf)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct store_want want = { .lessee = { .id = c->id, .ifname = c->ifname },
				   .life = life_of(c) };

	if (!c->prev)
		return 0;
	TRY(open_leases(tx, c, cf, &st));
	for (unsigned i = 0; i < c->prev->n_ips; i++)
		for (unsigned s = 0; s < cf->pool.n; s++) {
			struct ip ip = c->prev->ips[i].addr.ip;

			want.set = s;
			if (pool_find(&cf->pool.sets[s], ip))
				TRY(repair_address(tx, &st, &want, ip));
		}
	return 0;
}

static int local_repair(struct tx *tx, struct call *c)
{
	struct local_conf cf;

	TRY(local_conf_read(tx, c, &cf));
	TRY(load_if_there(tx, c, &cf));
	return local_repair_in(tx, c, &cf);
}

/* ---- STATUS ---- */

static int local_status(struct tx *tx, struct call *c)
{
	auto_(store_close) struct store st = STORE_CLOSED;
	struct cj ipam = cj_obj(&c->conf, "ipam");
	struct local_conf cf;
	int r;

	conf_check_routes(&tx->mem, &ipam);
	TRY(local_conf_read(tx, c, &cf));
	TRY(local_conf_load_podcidr(tx, c, CNI_E_UNAVAILABLE, &cf));
	TRY(store_writable(tx, cf.data_dir, c->network));
	r = store_open(tx, cf.data_dir, c->network, STORE_READ, &st);
	if (r == -ENOENT)
		return 0;
	TRY(r);
	for (unsigned i = 0; i < cf.pool.n; i++) {
		bool room;

		TRY(store_has_room(tx, &st, &cf.pool.sets[i], i, &room));
		if (!room)
			r = also(r, tx_fail_as(tx, CNI_E_UNAVAILABLE, -EADDRNOTAVAIL,
					       "no IP addresses available in range set: %s "
					       "(widen it; GC frees the leases of containers that "
					       "are gone)",
					       pool_text(&tx->mem, &cf.pool.sets[i])));
	}
	return r;
}

static const char *const args[] = { "IP", "GATEWAY", NULL };

const struct plugin host_local_plugin = {
	.args = args,
	.name = "host-local",
	.flags = CNI_IS_IPAM,
	.about = "addresses from this host's own pool (IPAM)",
	.validate = local_validate,
	.add = local_add,
	.del = local_del,
	.check = local_check,
	.repair = local_repair,
	.gc = local_gc,
	.status = local_status,
	.list = local_list,
};
