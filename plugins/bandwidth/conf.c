// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * conf.c - the limits of an attachment
 *
 * Rates and bursts are bits in the configuration, and bytes here and in the kernel.
 */
#include "base/log.h"
#include "cni/conf.h"
#include "plugins/bandwidth/bandwidth.h"

enum { BITS = 8, SUBNETS_MAX = 64 };

static const char *const keys[DIRECTIONS][2] = {
	[INGRESS] = { "ingressRate", "ingressBurst" },
	[EGRESS] = { "egressRate", "egressBurst" },
};

static uint64_t bytes(int64_t bits)
{
	uint64_t n = (uint64_t)bits / BITS;

	return bits && !n ? 1 : n;
}

/* The reference accepts such a rate, which is probably meant in a larger unit. */
static void warn_tiny(const struct call *c, const struct cj *at, const char *key)
{
	int64_t rate = cj_int(at, key, 0, 0, INT64_MAX);

	if (c->command == CNI_ADD && rate > 0 && rate < BITS)
		log_warn("%s: %lld bits per second are less than a byte, so the limit is 8: rates "
			 "are bits per second, and 1 Mbit/s is 1000000",
			 key, (long long)rate);
}

static struct bandwidth_limit read_limit(const struct cj *c, enum direction d)
{
	const char *rate_key = keys[d][0], *burst_key = keys[d][1];
	struct bandwidth_limit l = {
		.rate = bytes(cj_int(c, rate_key, 0, 0, INT64_MAX)),
		.burst = bytes(cj_int(c, burst_key, 0, 0, INT64_MAX)),
	};

	if (l.burst >= UINT32_MAX)
		cj_wrong(c, burst_key, "a burst cannot be more than 4 GB (34359738359 bits)");
	if (l.burst && !l.rate)
		cj_wrong(c, burst_key, "if burst is set, rate must also be set (%s)", rate_key);
	return l;
}

static bool has_limit(const struct cj *c)
{
	for (enum direction d = 0; d < DIRECTIONS; d++)
		if (cj_has(c, keys[d][0]) || cj_has(c, keys[d][1]))
			return true;
	return false;
}

/* Appends the subnets of a key; returns whether there are any. */
static bool read_subnets(struct mem *mem, const struct cj *c, const char *key,
			 struct bandwidth_conf *ret)
{
	struct cj list = cj_list(c, key);
	unsigned n = cj_len_max(&list, SUBNETS_MAX);

	if (!n)
		return false;
	ret->subnets = mem_alloc(mem, n * sizeof(*ret->subnets));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct cidr subnet = cj_as_cidr(&e);

		if (ip_set(subnet.ip))
			ret->subnets[ret->n_subnets++] = subnet;
	}
	return true;
}

/* Any key at the top level makes runtimeConfig not count at all, as in the reference. */
int bandwidth_read_conf(struct tx *tx, const struct call *c, struct bandwidth_conf *ret)
{
	struct cj runtime = cj_obj(&c->conf, "runtimeConfig");
	struct cj at = cj_obj(&runtime, "bandwidth");
	bool shaped;

	if (has_limit(&c->conf))
		at = c->conf;
	*ret = (struct bandwidth_conf){ .n_subnets = 0 };
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		ret->limit[d] = read_limit(&at, d);
		warn_tiny(c, &at, keys[d][0]);
	}
	shaped = read_subnets(&tx->mem, &c->conf, "shapedSubnets", ret);
	if (shaped && cj_has(&c->conf, "unshapedSubnets"))
		cj_wrong(&c->conf, "unshapedSubnets",
			 "cannot be used together with shapedSubnets: all other traffic is "
			 "unshaped already");
	else
		ret->except = read_subnets(&tx->mem, &c->conf, "unshapedSubnets", ret);
	return cj_ok(tx, &c->conf);
}

/* ---- in the kernel's terms ---------------------------------------------- */

bool bandwidth_says_rate(const struct cj *conf)
{
	return conf_says(conf, "ingressRate") || conf_says(conf, "egressRate");
}

static uint64_t max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint32_t saturated(uint64_t n)
{
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX - 1;
}

/*
 * Without a burst: what is sent in 1 ms, which is longer than timers are late, and at least two
 * packets.  The queue holds 3 ms, so that a round trip takes less than 5 with those delays.  Twice
 * a packet that the burst admits must fit into it (up to 64 KiB, because segments of one connection
 * are joined), and ten packets of the wire, with which TCP recovers from a loss.
 */
struct tc_tbf bandwidth_tbf(const struct bandwidth_limit *limit, int mtu)
{
	enum { PER_MS = 1000, QUEUE_MS = 3, HEADER = 18, JOINED = 65536 };
	uint64_t packet = (uint64_t)mtu + HEADER;
	uint64_t burst = limit->burst, joined, queue;

	if (!burst)
		burst = max(limit->rate / PER_MS, 2 * packet);
	joined = burst < JOINED ? burst : JOINED;
	queue = max(limit->rate / PER_MS * QUEUE_MS, 10 * packet);
	return (struct tc_tbf){
		.rate = limit->rate,
		.burst = saturated(burst),
		.queue = saturated(max(queue, 2 * joined)),
	};
}

void bandwidth_warn_small(const struct bandwidth_conf *conf, const struct link *l)
{
	for (enum direction d = 0; d < DIRECTIONS; d++) {
		struct bandwidth_limit limit = conf->limit[d];

		if (limit.burst && limit.burst < (uint64_t)l->mtu)
			log_warn("%sBurst: %llu bytes are less than the MTU of %s (%d): larger "
				 "packets are dropped",
				 d == INGRESS ? "ingress" : "egress",
				 (unsigned long long)limit.burst, l->name, l->mtu);
	}
}
