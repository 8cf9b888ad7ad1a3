// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pool.c - range sets: the addresses of a network
 *
 * Reading continues after a mistake, so that all mistakes are reported at once; later checks
 * leave a wrong range out.
 */
#include <stdio.h>

#include "ipam/host-local/pool.h"
#include "value/result.h"

const struct pool_range *pool_find(const struct pool_set *s, struct ip ip)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct pool_range *r = &s->ranges[i];

		if (ip.family == r->first.family && ip_cmp(ip, r->first) >= 0 &&
		    ip_cmp(ip, r->last) <= 0)
			return r;
	}
	return NULL;
}

const char *pool_text(struct mem *mem, const struct pool_set *s)
{
	struct mem_text text = { .mem = mem };

	for (unsigned i = 0; i < s->n; i++)
		mem_text_add(&text, "%s%s-%s", mem_text_comma(&text, ","), IP_S(s->ranges[i].first),
			     IP_S(s->ranges[i].last));
	return mem_text_end(&text);
}

/* ---- reading ---- */

/*
 * SETS_MAX for each of two lists: a range set gives an address, which needs an undo slot of
 * TX_UNDO_MAX.  RANGES_MAX: ranges are compared with each other.
 */
enum { SETS_MAX = 24, RANGES_MAX = 256 };

/* IPv4: the address before the broadcast address.  IPv6 has no broadcast. */
static struct ip last_usable(struct cidr subnet)
{
	struct ip last = cidr_last(subnet);

	if (last.family == AF_INET)
		return ip_add(last, -1);
	return last;
}

struct pool_range pool_whole(struct cidr subnet)
{
	return (struct pool_range){
		.subnet = subnet,
		.first = ip_add(subnet.ip, 1),
		.last = last_usable(subnet),
		.gateway = ip_add(subnet.ip, 1),
	};
}

/* Is there a value, even a wrong one?  "" counts as absent. */
static bool is_given(const struct cj *c, const char *key)
{
	struct cj k = cj_any(c, key);

	return cj_present(&k) && !str_eq(cj_text(&k), "");
}

static bool read_subnet(const struct cj *c, unsigned set, struct cidr *ret)
{
	struct cidr s = cj_cidr(c, "subnet");

	if (!ip_set(s.ip)) {
		if (!is_given(c, "subnet")) /* else: there is a complaint already */
			cj_wrong(c, "subnet",
				 "invalid range set %u: a subnet is needed, like 10.1.0.0/24", set);
		return false;
	}
	if (s.len > ip_bits(s.ip) - 2) {
		cj_wrong(c, "subnet",
			 "invalid range set %u: Network %s too small to allocate from; it can be "
			 "a /%u at the least",
			 set, CIDR_S(s), ip_bits(s.ip) - 2);
		return false;
	}
	if (!cidr_eq(s, cidr_masked(s))) {
		cj_wrong(c, "subnet",
			 "invalid range set %u: Network has host bits set. For a subnet mask of "
			 "length %u the network address is %s",
			 set, s.len, IP_S(cidr_network(s)));
		return false;
	}
	*ret = s;
	return true;
}

static bool read_range(const struct cj *c, unsigned set, struct pool_range *ret)
{
	struct ip first = cj_ip(c, "rangeStart"), last = cj_ip(c, "rangeEnd");
	struct ip gateway = cj_ip(c, "gateway");
	struct pool_range r;
	struct cidr subnet;
	bool good = true;

	if (!read_subnet(c, set, &subnet))
		return false;
	r = pool_whole(subnet);
	if (ip_set(gateway))
		r.gateway = gateway;
	if (ip_set(first))
		r.first = first;
	if (ip_set(last))
		r.last = last;
	if (!cidr_contains(r.subnet, r.first)) {
		cj_wrong(c, "rangeStart", "invalid range set %u: RangeStart %s not in network %s",
			 set, IP_S(r.first), CIDR_S(r.subnet));
		good = false;
	}
	if (!cidr_contains(r.subnet, r.last)) {
		cj_wrong(c, "rangeEnd", "invalid range set %u: RangeEnd %s not in network %s", set,
			 IP_S(r.last), CIDR_S(r.subnet));
		good = false;
	}
	if (good && ip_cmp(r.first, r.last) > 0) {
		cj_wrong(c, "rangeStart",
			 "invalid range set %u: RangeStart %s not in network %s: it is after "
			 "RangeEnd %s",
			 set, IP_S(r.first), CIDR_S(r.subnet), IP_S(r.last));
		good = false;
	}
	*ret = r;
	return good;
}

static bool ranges_overlap(const struct pool_range *a, const struct pool_range *b)
{
	return a->first.family == b->first.family && ip_cmp(a->first, b->last) <= 0 &&
	       ip_cmp(b->first, a->last) <= 0;
}

/* Adds a range to a set, unless it has another family or overlaps. */
static void add_range(struct mem *mem, struct pool_set *s, const struct pool_range *r,
		      const struct cj *c, unsigned set)
{
	for (unsigned i = 0; i < s->n; i++) {
		const struct pool_range *other = &s->ranges[i];

		if (other->first.family != r->first.family) {
			cj_wrong(c, NULL, "invalid range set %u: mixed address families", set);
			return;
		}
		if (ranges_overlap(other, r)) {
			cj_wrong(c, NULL, "invalid range set %u: subnets %s-%s and %s-%s overlap",
				 set, IP_S(other->first), IP_S(other->last), IP_S(r->first),
				 IP_S(r->last));
			return;
		}
	}
	s->ranges = mem_grow(mem, s->ranges, s->n, sizeof(*s->ranges));
	s->ranges[s->n++] = *r;
}

static void add_set(struct mem *mem, struct pool *p, struct pool_set s)
{
	p->sets = mem_grow(mem, p->sets, p->n, sizeof(*p->sets));
	p->sets[p->n++] = s;
}

static struct pool_set read_set(struct mem *mem, const struct cj *list, unsigned set)
{
	struct pool_set s = { 0 };
	struct pool_range r;

	if (cj_present(list) && !cj_is_array(list))
		cj_wrong(list, NULL, "expected a list of ranges, like [{\"subnet\": \"…\"}]");
	else if (!cj_len(list))
		cj_wrong(list, NULL, "invalid range set %u: empty range set", set);
	else
		for (unsigned i = 0, n = cj_len_max(list, RANGES_MAX); i < n; i++) {
			struct cj c = cj_at(list, i);

			if (!cj_is_object(&c))
				cj_wrong(&c, NULL,
					 "expected a range, like {\"subnet\": \"10.1.0.0/24\"}");
			else if (read_range(&c, set, &r))
				add_range(mem, &s, &r, &c, set);
		}
	return s;
}

static void read_sets(struct mem *mem, const struct cj *c, const char *key, struct pool *p)
{
	struct cj list = cj_list(c, key);

	for (unsigned i = 0, n = cj_len_max(&list, SETS_MAX); i < n; i++) {
		struct cj set = cj_at(&list, i);

		add_set(mem, p, read_set(mem, &set, p->n));
	}
}

/* The range in ipam itself, which exists if ipam has a subnet. */
static void read_legacy(struct mem *mem, const struct cj *ipam, struct pool *p)
{
	struct pool_set s = { 0 };
	struct pool_range r;

	if (!is_given(ipam, "subnet"))
		return;
	if (read_range(ipam, p->n, &r))
		add_range(mem, &s, &r, ipam, p->n);
	add_set(mem, p, s);
}

static bool sets_overlap(const struct pool_set *a, const struct pool_set *b)
{
	for (unsigned i = 0; i < a->n; i++)
		for (unsigned j = 0; j < b->n; j++)
			if (ranges_overlap(&a->ranges[i], &b->ranges[j]))
				return true;
	return false;
}

/* Does an attachment get more addresses of a family than the version can print? */
static bool has_too_many(const struct pool *p, const char *version)
{
	unsigned v4 = 0, v6 = 0;

	for (unsigned i = 0; i < p->n; i++)
		if (p->sets[i].n && p->sets[i].ranges[0].first.family == AF_INET)
			v4++;
		else if (p->sets[i].n)
			v6++;
	return (v4 > 1 || v6 > 1) && result_version_number(version) < 3000;
}

static void check_sets(const struct cj *ipam, const char *version, const struct pool *p)
{
	for (unsigned i = 0; i < p->n; i++)
		for (unsigned j = i + 1; j < p->n; j++)
			if (sets_overlap(&p->sets[i], &p->sets[j]))
				cj_wrong(ipam, "ranges", "range set %u overlaps with %u", i, j);
	if (has_too_many(p, version))
		cj_wrong(ipam, "ranges",
			 "CNI version %s does not support more than 1 address per family", version);
}

const char *pool_add(struct mem *mem, struct pool *p, struct cidr subnet, const char *version)
{
	struct pool_set s = { .n = 0 };

	if (subnet.len > ip_bits(subnet.ip) - 2)
		return mem_printf(mem, "%s is too small; it can be a /%u at the least",
				  CIDR_S(subnet), ip_bits(subnet.ip) - 2);
	s.ranges = mem_grow(mem, NULL, 0, sizeof(*s.ranges));
	s.ranges[s.n++] = pool_whole(subnet);
	for (unsigned i = 0; i < p->n; i++)
		if (sets_overlap(&p->sets[i], &s))
			return mem_printf(mem, "%s overlaps range set %u: %s", CIDR_S(subnet), i,
					  pool_text(mem, &p->sets[i]));
	add_set(mem, p, s);
	if (has_too_many(p, version))
		return mem_printf(mem,
				  "CNI version %s does not support more than 1 address per family",
				  version);
	return NULL;
}

/* ipam.ranges: a list, or the word "podCIDR". */
static void read_ranges(struct mem *mem, const struct cj *ipam, struct pool *p)
{
	struct cj ranges = cj_any(ipam, "ranges");

	p->podcidr = cj_is_word(&ranges, "podCIDR");
	if (cj_text(&ranges) && !p->podcidr)
		cj_wrong(&ranges, NULL,
			 "expected a list of range sets, or \"podCIDR\", got \"%.40s\"",
			 cj_text(&ranges));
	else if (!p->podcidr)
		read_sets(mem, ipam, "ranges", p);
}

void pool_read(struct mem *mem, const struct cj *conf, const char *version, struct pool *ret)
{
	struct cj runtime = cj_obj(conf, "runtimeConfig");
	struct cj ipam = cj_obj(conf, "ipam");
	struct cj ranges = cj_any(&ipam, "ranges");

	*ret = (struct pool){ 0 };
	read_sets(mem, &runtime, "ipRanges", ret);
	read_legacy(mem, &ipam, ret);
	read_ranges(mem, &ipam, ret);
	if (!cj_has(conf, "ipam"))
		cj_wrong(conf, "ipam", "IPAM config missing 'ipam' key");
	else if (!ret->n && (!cj_present(&ranges) || cj_is_array(&ranges)))
		cj_wrong(&ipam, "ranges",
			 "no IP ranges specified; write [[{\"subnet\": \"10.1.0.0/24\"}]]");
	check_sets(&ipam, version, ret);
}

/* ---- searching ---- */

/* Part of a range, both ends inclusive. */
struct span {
	struct ip from, to;
	const struct pool_range *range;
};

/*
 * The gateway; and the address that the router has besides, unless the range is just that one:
 * behind bridge its container does not work.
 */
static bool is_never_given(const struct pool_range *r, struct ip ip)
{
	if (ip_eq(ip, r->gateway))
		return true;
	return cidr_is_anycast((struct cidr){ ip, r->subnet.len }) && !ip_eq(r->first, r->last);
}

static bool next_within(struct span s, pool_free_fn *is_free, void *arg, struct ip *ret)
{
	struct ip ip;

	while (ip_cmp(s.from, s.to) <= 0 && is_free(arg, s.from, s.to, &ip)) {
		if (!is_never_given(s.range, ip)) {
			*ret = ip;
			return true;
		}
		if (ip_eq(ip, s.to))
			break; /* the next address may wrap around */
		s.from = ip_add(ip, 1);
	}
	return false;
}

bool pool_next(const struct pool_set *s, struct ip last, pool_free_fn *is_free, void *arg,
	       struct ip *ret)
{
	const struct pool_range *r = pool_find(s, last);
	unsigned k = r ? (unsigned)(r - s->ranges) : 0;

	if (r && !ip_eq(last, r->last) &&
	    next_within((struct span){ ip_add(last, 1), r->last, r }, is_free, arg, ret))
		return true;
	for (unsigned i = r ? 1 : 0; i < s->n; i++) {
		const struct pool_range *o = &s->ranges[(k + i) % s->n];

		if (next_within((struct span){ o->first, o->last, o }, is_free, arg, ret))
			return true;
	}
	return r && next_within((struct span){ r->first, last, r }, is_free, arg, ret);
}
