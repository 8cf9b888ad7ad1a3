// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rt.c - rtnetlink: requests out, answers in
 *
 * The kernel handles a request inside sendmsg(), so an answer is there when
 * send returns: nothing here waits but rt_wait().  Refusals carry the kernel's
 * own words (NETLINK_EXT_ACK); dumps are filtered by the kernel
 * (NETLINK_GET_STRICT_CHK, 4.20) and repeated when something changed meanwhile
 * (NLM_F_DUMP_INTR).
 */
#include <limits.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"
#include "netlink/rt.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

/* NLA_HDRLEN, without its sign trouble. */
static const size_t attr_header = sizeof(struct nlattr); /* aligned as it is */

enum { RECEIVE_TRIES = 4 };

/* The longest request, a new pair, takes half a millisecond, unless it has to wait. */
enum { LONG_MS = 3 };

static bool waited;

/* What is still read of a dump whose end is not wanted: it may be the next datagram. */
enum { A_LITTLE = 1, ALL_OF_IT = INT_MAX };

/* One answer can be 32 KiB (a dump's block); the kernel cuts none larger. */
static char answers[32768] __attribute__((aligned(NLMSG_ALIGNTO)));

static int open_here(struct tx *tx, void *arg)
{
	struct rt *rt = arg;
	int on = 1, fd, err;

	rt->sk = nl_socket_alloc();
	if (!rt->sk)
		return tx_fail(tx, -ENOMEM, "%s: open rtnetlink: no memory", rt->where);
	err = nl_connect(rt->sk, NETLINK_ROUTE);
	if (err < 0) {
		err = -errno;
		rt_close(rt);
		return tx_fail(tx, err, "%s: open rtnetlink: %s", rt->where, strerror(-err));
	}
	fd = nl_socket_get_fd(rt->sk);
	/* Conveniences: what an old kernel lacks costs words and filters only. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	rt->seq = (unsigned)time(NULL);
	return 0;
}

int rt_open(struct tx *tx, struct rt *rt, const char *where, const struct netns *ns)
{
	*rt = (struct rt){ .where = where, .ns = ns };
	if (ns)
		return netns_run(tx, ns, open_here, rt);
	return open_here(tx, rt);
}

void rt_close(struct rt *rt)
{
	if (rt->sk)
		nl_socket_free(rt->sk);
	rt->sk = NULL;
}

/* ---- composing ---------------------------------------------------------- */

/* Room for size more bytes, zeroed; NULL, and remembered, if there is none. */
static void *take(struct rt_msg *m, size_t size)
{
	size_t at = NLMSG_ALIGN(m->h.nlmsg_len);
	void *p = (char *)m + at;

	if (m->overflow || at + NLMSG_ALIGN(size) > sizeof(m->room)) {
		m->overflow = true;
		return NULL;
	}
	memset(p, 0, NLMSG_ALIGN(size));
	m->h.nlmsg_len = (uint32_t)(at + NLMSG_ALIGN(size));
	return p;
}

void *rt_new(struct rt_msg *m, int type, int flags, size_t header)
{
	m->overflow = false;
	m->h = (struct nlmsghdr){
		.nlmsg_len = NLMSG_HDRLEN,
		.nlmsg_type = (uint16_t)type,
		.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags),
	};
	return take(m, header);
}

void rt_put(struct rt_msg *m, int attr, const void *data, size_t size)
{
	struct nlattr *a = take(m, attr_header + size);

	if (!a)
		return;
	a->nla_type = (uint16_t)attr;
	a->nla_len = (uint16_t)(attr_header + size);
	if (size)
		memcpy((char *)a + attr_header, data, size);
}

void rt_put_u8(struct rt_msg *m, int attr, uint8_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_u16(struct rt_msg *m, int attr, uint16_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_u32(struct rt_msg *m, int attr, uint32_t v)
{
	rt_put(m, attr, &v, sizeof(v));
}

void rt_put_str(struct rt_msg *m, int attr, const char *s)
{
	rt_put(m, attr, s, strlen(s) + 1);
}

void rt_put_ip(struct rt_msg *m, int attr, struct ip ip)
{
	rt_put(m, attr, ip.b, ip_bytes(ip));
}

void rt_put_mac(struct rt_msg *m, int attr, struct mac mac)
{
	rt_put(m, attr, mac.b, mac.len);
}

struct nlattr *rt_nest(struct rt_msg *m, int attr)
{
	struct nlattr *a = take(m, attr_header);

	if (a)
		a->nla_type = (uint16_t)(attr | NLA_F_NESTED);
	return a;
}

void *rt_put_header(struct rt_msg *m, size_t size)
{
	return take(m, size);
}

void rt_nest_end(struct rt_msg *m, struct nlattr *nest)
{
	if (nest && !m->overflow)
		nest->nla_len = (uint16_t)(m->room + m->h.nlmsg_len - (char *)nest);
}

/* ---- calling ------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec t = { .tv_sec = 0 };

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool rt_waited(void)
{
	return waited;
}

static int send_request(struct rt *rt, struct rt_msg *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int64_t begun = now_ms();
	ssize_t n;

	rt->why[0] = '\0';
	if (m->overflow)
		return -EMSGSIZE;
	m->h.nlmsg_seq = ++rt->seq;
	do {
		n = sendto(nl_socket_get_fd(rt->sk), m, m->h.nlmsg_len, 0,
			   (struct sockaddr *)&kernel, sizeof(kernel));
	} while (n < 0 && errno == EINTR);
	waited = waited || now_ms() - begun > LONG_MS;
	return n < 0 ? -errno : 0;
}

/*
 * An answer that cannot be received (no memory for a moment) is still there, and asked for
 * again: a request must not count as refused when it was done.
 */
static ssize_t receive(struct rt *rt, int flags)
{
	int err = 0;

	for (int tries = 0; tries < RECEIVE_TRIES;) {
		ssize_t n = recv(nl_socket_get_fd(rt->sk), answers, sizeof(answers),
				 err ? flags | MSG_DONTWAIT : flags);

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return err ? err : -EAGAIN;
		err = err ? err : -errno;
		tries++;
	}
	return err;
}

/* Keeps the kernel's own words about a refusal. */
static int refusal(struct rt *rt, struct nlmsghdr *h)
{
	struct nlmsgerr *e = nlmsg_data(h);
	struct nlattr *words;
	size_t size = h->nlmsg_len - NLMSG_HDRLEN, skip = sizeof(*e);

	if (size < skip || e->error > 0 || e->error < -ERRNO_MAX)
		return -EBADMSG;
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		skip += e->msg.nlmsg_len - NLMSG_HDRLEN;
	if (e->error && (h->nlmsg_flags & NLM_F_ACK_TLVS) && skip <= size) {
		words = nlmsg_find_attr(h, (int)skip, NLMSGERR_ATTR_MSG);
		if (words)
			snprintf(rt->why, sizeof(rt->why), "%.*s", nla_len(words),
				 (const char *)nla_data(words));
	}
	return e->error;
}

/*
 * Reads until the request's acknowledgement (acked) or the end of its answer; when each()
 * has seen enough, at most some datagrams more: rt->unread tells whether there are others.
 * Returns 1 if a dump was interrupted and has to be repeated.
 */
static int collect(struct rt *rt, bool dump, unsigned more, rt_each_fn *each, void *arg)
{
	bool interrupted = false;
	int answer = 0;

	rt->unread = true;
	while (!answer || more--) {
		ssize_t n = receive(rt, 0);
		struct nlmsghdr *h = (struct nlmsghdr *)answers;
		int left = (int)n;

		if (n < 0)
			return (int)n;
		for (; nlmsg_ok(h, left); h = nlmsg_next(h, &left)) {
			if (h->nlmsg_seq != rt->seq)
				continue; /* of a call given up before */
			if (h->nlmsg_flags & NLM_F_DUMP_INTR)
				interrupted = true;
			if (h->nlmsg_type == NLMSG_ERROR) {
				int err = refusal(rt, h);

				rt->unread = false;
				return err < 0 ? err : answer < 0 ? answer : 0;
			}
			if (h->nlmsg_type == NLMSG_DONE) {
				rt->unread = false;
				return interrupted ? 1 : answer < 0 ? answer : 0;
			}
			if (each && answer == 0)
				answer = each(h, arg);
			if (!dump && !(h->nlmsg_flags & NLM_F_MULTI))
				return answer < 0 ? answer : 0;
		}
	}
	return answer < 0 ? answer : 0;
}

int rt_try(struct rt *rt, struct rt_msg *m)
{
	m->h.nlmsg_flags |= NLM_F_ACK;
	TRY(send_request(rt, m));
	return collect(rt, true, ALL_OF_IT, NULL, NULL);
}

static int refused(struct tx *tx, struct rt *rt, int err, const char *fmt, va_list ap)
	__attribute__((__format__(__printf__, 4, 0)));

static int refused(struct tx *tx, struct rt *rt, int err, const char *fmt, va_list ap)
{
	char what[400];

	vsnprintf(what, sizeof(what), fmt, ap);
	if (rt->why[0])
		return tx_fail(tx, err, "%s: %s: %s (%s)", rt->where, what, strerror(-err),
			       rt->why);
	return tx_fail(tx, err, "%s: %s: %s%s", rt->where, what, strerror(-err),
		       err == -EPERM ? " (CAP_NET_ADMIN is needed)" : "");
}

int rt_refused(struct tx *tx, struct rt *rt, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err = refused(tx, rt, err, fmt, ap);
	va_end(ap);
	return err;
}

int rt_call(struct tx *tx, struct rt *rt, struct rt_msg *m, const char *fmt, ...)
{
	va_list ap;
	int r;

	TRY(tx_interrupted(tx));
	r = rt_try(rt, m);
	va_start(ap, fmt);
	if (r < 0) {
		r = refused(tx, rt, r, fmt, ap);
	} else if (log_on(LOG_DEBUG)) {
		char what[400];

		vsnprintf(what, sizeof(what), fmt, ap);
		log_step("%s: %s", rt->where, what);
	}
	va_end(ap);
	return r;
}

int rt_ask(struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg)
{
	bool dump = m->h.nlmsg_flags & NLM_F_DUMP;
	int r;

	do {
		TRY(send_request(rt, m));
		if (dump)
			TRY(each(NULL, arg));
		r = collect(rt, dump, ALL_OF_IT, each, arg);
	} while (r == 1);
	return r;
}

int rt_peek(struct tx *tx, struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg)
{
	struct rt another;
	int r;

	TRY(send_request(rt, m));
	TRY(each(NULL, arg));
	r = collect(rt, true, A_LITTLE, each, arg);
	if (rt->unread) {
		TRY(rt_open(tx, &another, rt->where, rt->ns));
		rt_close(rt);
		*rt = another;
	}
	return r == 1 ? 0 : r;
}

/* ---- events ------------------------------------------------------------- */

struct subscription {
	struct rt *rt;
	unsigned group;
};

static int subscribe_here(struct tx *tx, void *arg)
{
	struct subscription *s = arg;

	TRY(open_here(tx, s->rt));
	if (nl_socket_add_membership(s->rt->sk, (int)s->group) < 0) {
		rt_close(s->rt);
		return tx_fail(tx, -EIO, "%s: subscribe to rtnetlink group %u", s->rt->where,
			       s->group);
	}
	return 0;
}

int rt_subscribe(struct tx *tx, const struct rt *rt, unsigned group, struct rt *ret)
{
	struct subscription s = { ret, group };

	*ret = (struct rt){ .where = rt->where, .ns = rt->ns };
	if (rt->ns)
		return netns_run(tx, rt->ns, subscribe_here, &s);
	return subscribe_here(tx, &s);
}

static int give_events(ssize_t n, rt_each_fn *each, void *arg)
{
	struct nlmsghdr *h = (struct nlmsghdr *)answers;
	int left = (int)n, r = 0;

	for (; r == 0 && nlmsg_ok(h, left); h = nlmsg_next(h, &left))
		r = each(h, arg);
	return r;
}

int rt_wait(struct tx *tx, struct rt *events, int timeout_ms, rt_each_fn *each, void *arg)
{
	int64_t deadline = now_ms() + timeout_ms;

	for (;;) {
		struct pollfd p = { .fd = nl_socket_get_fd(events->sk), .events = POLLIN };
		int64_t left = deadline - now_ms();
		ssize_t n;
		int r;

		TRY(tx_interrupted(tx));
		if (left <= 0)
			return -ETIMEDOUT;
		if (poll(&p, 1, (int)left) <= 0)
			continue;
		n = receive(events, MSG_DONTWAIT);
		if (n == -EAGAIN)
			continue;
		r = n < 0 ? each(NULL, arg) : give_events(n, each, arg);
		if (r)
			return r < 0 ? r : 0;
	}
}
