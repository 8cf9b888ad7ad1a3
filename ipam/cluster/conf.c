// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the configuration of cluster
 *
 *	ipam: { "ranges": [ {"subnet": "10.40.0.0/16", "block": 26}, {"subnet": "fd00:40::/64"} ] }
 */
#include "ipam/cluster/cluster.h"

/* A block has at least four addresses, a range at most 2^62 blocks. */
enum { BLOCK_BITS = 6, BLOCK_BITS_MIN = 2, BLOCKS_BITS_MAX = 62 };

/* The longest prefix of a block: of bits less than the address has. */
static unsigned longest(struct cidr subnet, unsigned bits)
{
	unsigned all = ip_bits(subnet.ip), most = all > bits ? all - bits : 0;

	return most < subnet.len + BLOCKS_BITS_MAX ? most : subnet.len + BLOCKS_BITS_MAX;
}

static bool check_range(const struct cj *c, const struct cluster_range *r)
{
	unsigned most = longest(r->subnet, BLOCK_BITS_MIN);
	struct cidr reserved;

	if (!ip_set(r->subnet.ip)) {
		if (!cj_has(c, "subnet")) /* else: there is a complaint already */
			cj_wrong(c, "subnet", "a subnet is needed, like 10.40.0.0/16");
		return false;
	}
	if (!cidr_eq(r->subnet, cidr_masked(r->subnet))) {
		cj_wrong(c, "subnet", "host bits are set; the network address is %s",
			 IP_S(cidr_network(r->subnet)));
		return false;
	}
	if (cidr_is_reserved(r->subnet, &reserved)) {
		cj_wrong(c, "subnet",
			 "%s has addresses of %s, which containers of a cluster cannot have",
			 CIDR_S(r->subnet), CIDR_S(reserved));
		return false;
	}
	if (r->block < r->subnet.len || r->block > most) {
		cj_wrong(c, "block", "the prefix of a block of %s has a length of %u to %u, not %u",
			 CIDR_S(r->subnet), r->subnet.len, most, r->block);
		return false;
	}
	return true;
}

static void read_range(const struct cj *c, struct cluster *cl)
{
	struct cluster_range r = { .subnet = cj_cidr(c, "subnet") };
	unsigned def = longest(r.subnet, BLOCK_BITS);

	r.block = (unsigned)cj_int(c, "block", def, 0, 128);
	if (!check_range(c, &r))
		return;
	for (unsigned i = 0; i < cl->n; i++)
		if (cidr_overlaps(cl->ranges[i].subnet, r.subnet)) {
			cj_wrong(c, "subnet", "%s overlaps %s", CIDR_S(r.subnet),
				 CIDR_S(cl->ranges[i].subnet));
			return;
		}
	cl->ranges[cl->n++] = r;
}

int cluster_conf_of(struct tx *tx, struct call *c, struct cluster *ret)
{
	struct cj ipam = cj_obj(&c->conf, "ipam"), list = cj_list(&ipam, "ranges");
	unsigned n = cj_len_max(&list, CLUSTER_RANGES_MAX);

	ret->local.data_dir = local_conf_data_dir(c);
	ret->local.resolv_conf = cj_str(&ipam, "resolvConf", "");
	cj_any(&ipam, "type"); /* read by the caller: not an unknown key */
	ret->n = 0;
	if (*ret->local.data_dir != '/')
		cj_wrong(&ipam, "dataDir", "expected an absolute path, got \"%.60s\"",
			 ret->local.data_dir);
	if (!n && (cj_is_array(&list) || !cj_has(&ipam, "ranges")))
		cj_wrong(&ipam, "ranges",
			 "name the cluster's ranges, like [{\"subnet\": \"10.40.0.0/16\"}]");
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);

		if (cj_is_object(&e))
			read_range(&e, ret);
		else
			cj_wrong(&e, NULL, "expected a range, like {\"subnet\": \"10.40.0.0/16\"}");
	}
	TRY(cj_ok(tx, &c->conf));
	ret->local.pool.n = ret->n;
	ret->local.pool.sets = mem_alloc(&tx->mem, ret->n * sizeof(struct pool_set));
	return 0;
}

const struct cluster_range *cluster_range_of(const struct cluster *cl, struct ip ip)
{
	for (unsigned i = 0; i < cl->n; i++)
		if (cidr_contains(cl->ranges[i].subnet, ip))
			return &cl->ranges[i];
	return NULL;
}

struct cidr cluster_block_of(const struct cluster_range *r, struct ip ip)
{
	return cidr_masked((struct cidr){ ip, r->block });
}
