// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ct.c - delete flows whose port mapping is gone or new; count those of an address
 *
 * First the kernel tells how many flows it tracks in this namespace: on a fresh host none, which
 * ends the search.  A dump takes and releases a lock for each of the table's 65536 to 262144
 * buckets: 3 to 10 ms even for three flows.  Reading /proc/net/nf_conntrack skips empty buckets in
 * 0.3 ms and costs about 3 us per flow.  So if there are few flows, that file (where it exists)
 * tells whether one has a port in question; usually none has, which ends the search.
 *
 * Otherwise the table is dumped once.  The kernel filters by what all filters have in common
 * (CTA_FILTER, Linux 5.8; older kernels ignore it), so that it returns only the flows of the port,
 * even if it tracks a million.  Each returned flow is compared again, and deleted by its original
 * tuple and its id, so that a flow that began meanwhile stays.
 *
 * A mapping without a host address concerns addresses of this host only.  Flows that pass through
 * this host to the same port of another host must stay, and so must connections to a service that
 * another program maps.
 *
 * linux/netfilter/nfnetlink_conntrack.h; the bits of CTA_FILTER_ORIG_FLAGS are those of
 * libnetfilter_conntrack (net/netfilter/nf_internals.h of the kernel).
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include "netlink/addr.h"
#include "nft/ct.h"

enum {
	FILTER_IP_SRC = 1 << 0,
	FILTER_IP_DST = 1 << 1,
	FILTER_PROTO = 1 << 3,
	FILTER_DPORT = 1 << 5,
	DELETE_ROOM = 512, /* of a request */
	FEW = 2000,        /* flows: reading so many as text is faster than a dump */
	DELETE_MANY = 64,  /* answers at a time: the receive buffer must hold them all */
};

struct flow {
	uint8_t proto;
	uint16_t dport;
	struct ip dst, reply_src;
	uint32_t status;
};

struct flush {
	struct nfnl *nl;
	struct rt *host;
	const struct ct_flows *which;

	char *buf; /* delete requests */
	size_t used, room;
	unsigned count, gone;

	struct ip local; /* the last argument of is_local(), and its result */
	bool is_local;
};

static struct nlmsghdr *ct_request(void *buf, int type, int family, int flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = (uint8_t)family;
	g->version = NFNETLINK_V0;
	return h;
}

/* ---- number of flows ---- */

static int entries_each(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a = nfnl_attr(h, CTA_STATS_GLOBAL_ENTRIES);

	if (a && mnl_attr_get_payload_len(a) >= 4)
		*(uint32_t *)arg = ntohl(mnl_attr_get_u32(a));
	return 0;
}

/* The number of flows tracked in this namespace, or -errno. */
static int64_t count_entries(struct nfnl *nl)
{
	_Alignas(struct nlmsghdr) char buf[64] = { 0 };
	uint32_t n = UINT32_MAX; /* no answer: assume many */

	TRY(nfnl_ask(nl, ct_request(buf, IPCTNL_MSG_CT_GET_STATS, AF_UNSPEC, 0), entries_each, &n));
	return n;
}

/* ---- quick search ---- */

/* "ipv4     2 udp      17 29 src=127.0.0.1 dst=127.0.0.1 sport=48445 dport=53 …" */
static bool line_matches(const struct flush *c, const char *line)
{
	const char *at = strstr(line, " dport=");
	unsigned family, proto, port;

	if (!at || sscanf(line, "%*s %u %*s %u", &family, &proto) != 2 ||
	    sscanf(at, " dport=%u", &port) != 1 || family != (unsigned)c->which->family)
		return false;
	for (unsigned i = 0; i < c->which->n; i++)
		if (proto == c->which->f[i].proto && port >= c->which->f[i].port_first &&
		    port <= c->which->f[i].port_last)
			return true;
	return false;
}

/* May a tracked flow match?  true also if the file cannot be read. */
static bool any_seen(const struct flush *c)
{
	FILE *f = fopen("/proc/self/net/nf_conntrack", "re");
	bool seen = false;
	char *line = NULL;
	size_t size = 0;

	if (!f)
		return true;
	while (!seen && getline(&line, &size, f) > 0)
		seen = line_matches(c, line);
	seen = seen || ferror(f);
	free(line);
	fclose(f);
	return seen;
}

/* ---- matching ---- */

static struct ip get_ip(const struct nlattr *tuple, uint16_t v4, uint16_t v6)
{
	const struct nlattr *nest = nfnl_attr_in(tuple, CTA_TUPLE_IP);
	const struct nlattr *a = nfnl_attr_in(nest, v4);
	struct ip ip = { .family = AF_INET };
	size_t len = 4;

	if (!a) {
		a = nfnl_attr_in(nest, v6);
		ip.family = AF_INET6;
		len = 16;
	}
	if (!a || mnl_attr_get_payload_len(a) != len)
		return (struct ip){ 0 };
	memcpy(ip.b, mnl_attr_get_payload(a), len);
	return ip;
}

static struct flow get_flow(const struct nlmsghdr *h)
{
	const struct nlattr *orig = nfnl_attr(h, CTA_TUPLE_ORIG);
	const struct nlattr *proto = nfnl_attr_in(orig, CTA_TUPLE_PROTO);
	const struct nlattr *num = nfnl_attr_in(proto, CTA_PROTO_NUM);
	const struct nlattr *port = nfnl_attr_in(proto, CTA_PROTO_DST_PORT);
	struct flow w = {
		.dst = get_ip(orig, CTA_IP_V4_DST, CTA_IP_V6_DST),
		.reply_src = get_ip(nfnl_attr(h, CTA_TUPLE_REPLY), CTA_IP_V4_SRC, CTA_IP_V6_SRC),
		.status = nfnl_be32(nfnl_attr(h, CTA_STATUS)),
	};

	if (num)
		w.proto = mnl_attr_get_u8(num);
	if (port)
		w.dport = ntohs(mnl_attr_get_u16(port));
	return w;
}

/*
 * Is ip an address of this host?  A connected socket does not tell: its source address is that of
 * the route, which for a secondary address is the primary one.
 */
static bool is_local(struct flush *c, struct ip ip)
{
	if (!ip_eq(c->local, ip)) {
		c->local = ip;
		c->is_local = ip_is_loopback(ip) || addr_is_own_try(c->host, ip) > 0;
	}
	return c->is_local;
}

static bool flow_matches(struct flush *c, const struct ct_filter *f, const struct flow *w)
{
	if (w->proto != f->proto || w->dport < f->port_first || w->dport > f->port_last)
		return false;
	if (ip_set(f->dst) && !ip_eq(f->dst, w->dst))
		return false;
	if (ip_set(f->reply_src))
		return ip_eq(f->reply_src, w->reply_src);
	if (ip_set(c->which->keep) && ip_eq(c->which->keep, w->reply_src))
		return false;
	/* An established connection with the host itself stays. */
	if (ip_eq(w->dst, w->reply_src) && w->proto != IPPROTO_UDP && w->status & IPS_ASSURED)
		return false;
	return ip_set(f->dst) || is_local(c, w->dst);
}

/* ---- deleting ---- */

static void copy_attr(struct nlmsghdr *h, const struct nlattr *a)
{
	if (a)
		mnl_attr_put(h, a->nla_type, mnl_attr_get_payload_len(a), mnl_attr_get_payload(a));
}

static int delete_later(struct flush *c, const struct nlmsghdr *flow)
{
	const struct nlattr *tuple = nfnl_attr(flow, CTA_TUPLE_ORIG);
	struct nlmsghdr *h;

	if (!tuple || mnl_attr_get_payload_len(tuple) > DELETE_ROOM / 2)
		return 0;
	if (c->room - c->used < DELETE_ROOM) {
		size_t room = c->room ? c->room * 2 : (size_t)DELETE_ROOM * 8;
		char *bigger = realloc(c->buf, room);

		if (!bigger)
			return -ENOMEM;
		c->buf = bigger;
		c->room = room;
	}
	h = ct_request(c->buf + c->used, IPCTNL_MSG_CT_DELETE, c->which->family, NLM_F_ACK);
	copy_attr(h, tuple);
	copy_attr(h, nfnl_attr(flow, CTA_ZONE));
	copy_attr(h, nfnl_attr(flow, CTA_ID));
	c->used += nfnl_align(h->nlmsg_len);
	c->count++;
	return 0;
}

static int flow_each(const struct nlmsghdr *h, void *arg)
{
	struct flush *c = arg;
	struct flow w;

	if (!h) { /* the dump starts again */
		c->used = c->count = 0;
		return 0;
	}
	w = get_flow(h);
	for (unsigned i = 0; i < c->which->n; i++)
		if (flow_matches(c, &c->which->f[i], &w))
			return delete_later(c, h);
	return 0;
}

struct acks {
	struct flush *c;
	uint32_t last;
	int err;
};

static int ack_each(const struct nlmsghdr *h, void *arg)
{
	struct acks *a = arg;
	int r = nfnl_error(a->c->nl, h);

	if (r == 0)
		a->c->gone++;
	else if (r != -ENOENT) /* the flow has ended */
		a->err = also(a->err, r);
	return h->nlmsg_seq == a->last;
}

/* Sends the delete requests, DELETE_MANY at a time. */
static int delete_all(struct flush *c)
{
	size_t o = 0;
	int r = 0;

	while (c->count) {
		unsigned some = c->count < DELETE_MANY ? c->count : DELETE_MANY;
		uint32_t seq = nfnl_seq(c->nl, some);
		struct acks a = { .c = c, .last = seq + some - 1 };
		size_t from = o;

		for (unsigned i = 0; i < some; i++) {
			struct nlmsghdr *h = (void *)(c->buf + o);

			h->nlmsg_seq = seq + i;
			o += nfnl_align(h->nlmsg_len);
		}
		TRY(nfnl_send(c->nl, &(struct iovec){ c->buf + from, o - from }, 1));
		TRY(nfnl_read(c->nl, seq, a.last, ack_each, &a));
		r = also(r, a.err);
		c->count -= some;
	}
	return r;
}

/* ---- filtering by the kernel ---- */

static void put_ip(struct nlmsghdr *h, struct ip ip, uint16_t v4, uint16_t v6)
{
	struct nlattr *nest = mnl_attr_nest_start(h, CTA_TUPLE_IP);

	mnl_attr_put(h, ip.family == AF_INET ? v4 : v6, ip_bytes(ip), ip.b);
	mnl_attr_nest_end(h, nest);
}

/*
 * What all filters have in common.  Not IPv6 addresses: there the kernel returns the flows that
 * differ (ctnetlink_filter_match_tuple() uses the result of ipv6_addr_cmp() as a truth value; seen
 * in 6.18).
 */
static uint32_t common_filter(const struct flush *c, bool *reply)
{
	const struct ct_filter *f = c->which->f;
	uint32_t flags = FILTER_PROTO;

	*reply = f->reply_src.family == AF_INET;
	if (f->dst.family == AF_INET)
		flags |= FILTER_IP_DST;
	if (f->port_first == f->port_last)
		flags |= FILTER_DPORT;
	for (unsigned i = 1; i < c->which->n; i++) {
		if (f[i].proto != f->proto)
			flags &= ~(uint32_t)(FILTER_PROTO | FILTER_DPORT);
		if (f[i].port_first != f->port_first || f[i].port_last != f->port_first)
			flags &= ~(uint32_t)FILTER_DPORT;
		if (!ip_eq(f[i].dst, f->dst))
			flags &= ~(uint32_t)FILTER_IP_DST;
		if (!ip_eq(f[i].reply_src, f->reply_src))
			*reply = false;
	}
	return flags;
}

static void put_filter(struct nlmsghdr *h, const struct flush *c)
{
	struct nlattr *tuple, *nest;
	bool reply;
	uint32_t flags = common_filter(c, &reply);

	tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
	if (flags & FILTER_IP_DST)
		put_ip(h, c->which->f->dst, CTA_IP_V4_DST, CTA_IP_V6_DST);
	nest = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, c->which->f->proto);
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(c->which->f->port_first));
	mnl_attr_nest_end(h, nest);
	mnl_attr_nest_end(h, tuple);
	if (reply) {
		tuple = mnl_attr_nest_start(h, CTA_TUPLE_REPLY);
		put_ip(h, c->which->f->reply_src, CTA_IP_V4_SRC, CTA_IP_V6_SRC);
		mnl_attr_nest_end(h, tuple);
	}
	nest = mnl_attr_nest_start(h, CTA_FILTER);
	mnl_attr_put_u32(h, CTA_FILTER_ORIG_FLAGS, flags);
	mnl_attr_put_u32(h, CTA_FILTER_REPLY_FLAGS, reply ? FILTER_IP_SRC : 0);
	mnl_attr_nest_end(h, nest);
}

static int collect_flows(struct flush *c)
{
	_Alignas(struct nlmsghdr) char buf[512] = { 0 }; /* padding is sent, too */
	struct nlmsghdr *h = ct_request(buf, IPCTNL_MSG_CT_GET, c->which->family, NLM_F_DUMP);
	int r;

	put_filter(h, c);
	r = nfnl_ask(c->nl, h, flow_each, c);
	if (r != -EINVAL && r != -EOPNOTSUPP)
		return r;
	c->used = c->count = 0; /* the kernel rejects the filter: dump without it */
	return nfnl_ask(c->nl, ct_request(buf, IPCTNL_MSG_CT_GET, c->which->family, NLM_F_DUMP),
			flow_each, c);
}

static void free_buf(struct flush *c)
{
	free(c->buf);
}

/* As count_entries(); 0 without conntrack. */
static int64_t tracked_now(struct nfnl *nl)
{
	int64_t n = count_entries(nl);

	return n == -EINVAL || n == -EOPNOTSUPP ? 0 : n;
}

bool ct_seen(struct nfnl *nl, const struct ct_flows *which)
{
	const struct flush c = { .nl = nl, .which = which };
	int64_t tracked = which->n ? tracked_now(nl) : 0;

	return tracked < 0 || tracked > FEW || (tracked > 0 && any_seen(&c));
}

int ct_flush(struct nfnl *nl, struct rt *host, const struct ct_flows *which, unsigned *ret_deleted)
{
	auto_(free_buf) struct flush c = { .nl = nl, .host = host, .which = which };
	int64_t tracked = which->n ? tracked_now(nl) : 0;
	int r = 0;

	if (tracked < 0)
		return (int)tracked;
	if (tracked > FEW || (tracked > 0 && any_seen(&c))) {
		r = collect_flows(&c);
		if (r == 0)
			r = delete_all(&c);
	}
	if (ret_deleted)
		*ret_deleted = c.gone;
	return r;
}

/* ---- counting ---- */

struct count {
	const struct ip *ips;
	unsigned n, found;
};

static int count_each(const struct nlmsghdr *h, void *arg)
{
	struct count *c = arg;
	struct ip ends[3];

	if (!h) {
		c->found = 0;
		return 0;
	}
	ends[0] = get_ip(nfnl_attr(h, CTA_TUPLE_ORIG), CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	ends[1] = get_ip(nfnl_attr(h, CTA_TUPLE_ORIG), CTA_IP_V4_DST, CTA_IP_V6_DST);
	ends[2] = get_ip(nfnl_attr(h, CTA_TUPLE_REPLY), CTA_IP_V4_SRC, CTA_IP_V6_SRC);
	for (unsigned i = 0; i < c->n * ARRAY_LEN(ends); i++)
		if (ip_eq(c->ips[i / ARRAY_LEN(ends)], ends[i % ARRAY_LEN(ends)])) {
			c->found++;
			break;
		}
	return 0;
}

int ct_count(struct nfnl *nl, const struct ip *ips, unsigned n, unsigned *ret)
{
	_Alignas(struct nlmsghdr) char buf[64] = { 0 };
	struct count c = { .ips = ips, .n = n };

	TRY(nfnl_ask(nl, ct_request(buf, IPCTNL_MSG_CT_GET, AF_UNSPEC, NLM_F_DUMP), count_each,
		     &c));
	*ret = c.found;
	return 0;
}
