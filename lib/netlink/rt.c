// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rt.c - rtnetlink: requests out, answers in
 *
 * The kernel handles a request inside sendmsg(), so its answer is there when send returns: only
 * rt_wait() blocks.  Refusals carry the kernel's own words (NETLINK_EXT_ACK); dumps are filtered by
 * the kernel (NETLINK_GET_STRICT_CHK, 4.20) and repeated when something changed (NLM_F_DUMP_INTR).
 *
 * A socket in a container's namespace can be written to by the container's root.  It is
 * connected to the kernel, which then refuses all other senders; multicast has no such
 * check, so rt_wait() (rt_events.c) looks at the sender.  The container also chooses how long
 * answers are (260 alternative names make one of 35 KB), so an object that does not fit is passed
 * over, and no call waits for an answer that does not come.
 */
#include <limits.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/socket.h>

#include "base/log.h"
#include "netlink/rt.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif

enum { RECEIVE_TRIES = 4, DUMP_TRIES = 50, CONT_DUMP_TRIES = 10 };

enum { LONG_MS = 3 }; /* a new veth pair, the longest request, takes half of one but for RTNL */
static bool waited;

/* How many datagrams collect() reads after each() has seen enough: the next may be the last. */
enum { A_LITTLE = 1, ALL_OF_IT = INT_MAX };
enum { LITTLE_SIZE = 8192 }; /* the kernel fills a dump's next datagram, as large, in advance */

/*
 * A block of a dump is up to 32 KiB; a single link can be longer, because each of its nests may
 * have 64 KiB.  Pages that are not used cost nothing.
 */
static char answers[262144] __attribute__((aligned(NLMSG_ALIGNTO)));

/* Unpredictable, and different for each socket of the process. */
static unsigned first_seq(void)
{
	const char *random = (const char *)getauxval(AT_RANDOM); /* 16 bytes, not aligned */
	static unsigned sockets;
	unsigned base = 0;

	if (random)
		memcpy(&base, random + sizeof(base), sizeof(base));
	return base + (sockets++ << 20);
}

/*
 * Forgets what is there to be read: the rest of an answer that was cut, or what a container sent
 * before the socket was connected.  The next request must not meet it, nor lose its answer for want
 * of room.
 */
static void drain(int fd)
{
	while (recv(fd, answers, sizeof(answers), MSG_DONTWAIT) >= 0 || errno == ENOBUFS)
		;
}

static int open_here(struct tx *tx, void *arg)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct rt *rt = arg;
	int on = 1, fd, err;

	rt->sk = nl_socket_alloc();
	if (!rt->sk)
		return tx_fail(tx, -ENOMEM, "%s: open rtnetlink: no memory", rt->where);
	err = nl_connect(rt->sk, NETLINK_ROUTE);
	if (err == 0)
		err = connect(nl_socket_get_fd(rt->sk), (const struct sockaddr *)&kernel,
			      sizeof(kernel));
	if (err < 0) {
		err = -errno;
		rt_close(rt);
		return tx_fail(tx, err, "%s: open rtnetlink: %s", rt->where, strerror(-err));
	}
	fd = nl_socket_get_fd(rt->sk);
	drain(fd);
	/* Best effort: only error texts and filters depend on these options. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	rt->seq = first_seq();
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

uint64_t rt_cookie(const struct rt *rt)
{
	return netns_cookie_of_socket(nl_socket_get_fd(rt->sk));
}

/* ---- calling ------------------------------------------------------------ */

int64_t rt_deadline(int timeout_ms)
{
	return clock_ms() + timeout_ms;
}

bool rt_waited(void)
{
	return waited;
}

static int send_request(struct rt *rt, struct rt_msg *m)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int64_t begun = clock_ms();
	ssize_t n;

	rt->why[0] = '\0';
	if (m->overflow)
		return -EMSGSIZE;
	m->h.nlmsg_seq = ++rt->seq;
	do {
		n = sendto(nl_socket_get_fd(rt->sk), m, m->h.nlmsg_len, 0,
			   (struct sockaddr *)&kernel, sizeof(kernel));
	} while (n < 0 && errno == EINTR);
	waited = waited || clock_ms() - begun > LONG_MS;
	return n < 0 ? -errno : 0;
}

/*
 * An answer that cannot be received (no memory for a moment) is still there, and received
 * again: a request must not count as refused when it was done.  -EAGAIN: there is none.  More than
 * size: it was cut.
 */
static ssize_t receive(struct rt *rt, size_t size)
{
	int err = -EAGAIN, fd = nl_socket_get_fd(rt->sk);

	for (int tries = 0; tries < RECEIVE_TRIES;) {
		ssize_t n = recv(fd, answers, size, MSG_DONTWAIT | MSG_TRUNC);

		if (n >= 0)
			return n;
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return err;
		if (err == -EAGAIN)
			err = -errno;
		tries++;
	}
	return err;
}

/* NLMSG_DONE carries the error that ended a dump (linux/netlink.h); 0 = none. */
static int dump_error(struct nlmsghdr *h)
{
	int err = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(err))
		memcpy(&err, nlmsg_data(h), sizeof(err));
	return err < 0 && err >= -ERRNO_MAX ? err : 0;
}

/*
 * Of an IPv6 address or route, on an interface without IPv6.  "Permission denied" misleads, and for
 * addresses old kernels have no words.
 */
static void explain_no_ipv6(struct rt *rt)
{
	if (!*rt->why || strstr(rt->why, "IPv6 is disabled"))
		snprintf(rt->why, sizeof(rt->why),
			 "IPv6 is switched off there: sysctl -w net.ipv6.conf.all.disable_ipv6=0, "
			 "or leave IPv6 addresses out");
}

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
	if (e->error == -EACCES)
		explain_no_ipv6(rt);
	return e->error;
}

/* An answer as it is being read. */
struct answer {
	bool dump;        /* it ends with NLMSG_DONE */
	bool interrupted; /* the dump has to be repeated */
	bool done;
	bool seen;  /* each() has been called */
	int result; /* each()'s, or the kernel's refusal */
};

static int pass_over(const struct rt *rt)
{
	log_warn("%s: an object too long to be read is passed over", rt->where);
	return -ENODEV;
}

/*
 * The bytes to read of an answer that was cut, or a failure.  A container's dump goes on behind the
 * object that was too long, and the host's does not, because what it lacks would be forgotten.
 */
static ssize_t after_cut(struct rt *rt, bool dump, size_t size)
{
	if (dump && rt->ns && rt->large) {
		pass_over(rt);
		return (ssize_t)size;
	}
	drain(nl_socket_get_fd(rt->sk));
	if (dump)
		return -EMSGSIZE;
	return pass_over(rt);
}

static void read_message(struct rt *rt, struct nlmsghdr *h, struct answer *a, rt_each_fn *each,
			 void *arg)
{
	int err = 0;

	if (h->nlmsg_seq != rt->seq)
		return; /* of a request whose answer was not read to its end */
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;
	if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		a->done = true;
		rt->unread = false;
		err = h->nlmsg_type == NLMSG_ERROR ? refusal(rt, h) : dump_error(h);
		if (a->result >= 0 && err < 0)
			a->result = err;
		return;
	}
	/* The length of a longer nest has wrapped: what seems to follow may be its content. */
	if (h->nlmsg_len > UINT16_MAX) {
		err = pass_over(rt);
		a->result = a->dump ? a->result : err;
	} else if (each && a->result == 0) {
		a->seen = true;
		a->result = each(h, arg);
	}
	a->done = !a->dump && !(h->nlmsg_flags & NLM_F_MULTI);
}

/*
 * Reads until the request's acknowledgement, or the end of its answer; when each() has seen
 * enough, at most `more` datagrams beyond: rt->unread tells whether there are others.
 * Returns 1 if a dump was interrupted and has to be repeated.
 */
static int collect(struct rt *rt, bool dump, unsigned more, rt_each_fn *each, void *arg)
{
	struct answer a = { .dump = dump };
	size_t size;

	rt->large = rt->large || more == ALL_OF_IT;
	size = rt->large ? sizeof(answers) : LITTLE_SIZE;
	rt->unread = true;
	while (!a.done && (!a.result || more--)) {
		ssize_t n = receive(rt, size);
		struct nlmsghdr *h = (struct nlmsghdr *)answers;
		int left;

		if (n == -EAGAIN)
			return -EIO;
		if (n > (ssize_t)size)
			n = after_cut(rt, dump, size);
		if (n < 0)
			return (int)n;
		left = (int)n;
		for (; !a.done && nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			read_message(rt, h, &a, each, arg);
	}
	if (a.result < 0)
		return a.result;
	if (each && !dump && !a.seen)
		return -EBADMSG;
	return a.done && a.interrupted;
}

int rt_try(struct rt *rt, struct rt_msg *m)
{
	m->h.nlmsg_flags |= NLM_F_ACK;
	TRY(send_request(rt, m));
	return collect(rt, true, ALL_OF_IT, NULL, NULL);
}

struct seen {
	rt_each_fn *each;
	void *arg;
};

static int see(const struct nlmsghdr *h, void *arg)
{
	struct seen *s = arg;

	s->each(h, s->arg);
	return 0;
}

int rt_try_seen(struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg)
{
	struct seen s = { each, arg };

	m->h.nlmsg_flags |= NLM_F_ACK | NLM_F_ECHO;
	TRY(send_request(rt, m));
	return collect(rt, true, ALL_OF_IT, see, &s);
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
	if (err == -EPERM)
		return tx_fail(tx, err, "%s: %s: %s (CAP_NET_ADMIN is needed)", rt->where, what,
			       strerror(-err));
	return tx_fail(tx, err, "%s: %s: %s", rt->where, what, strerror(-err));
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
	int most = rt->ns ? CONT_DUMP_TRIES : DUMP_TRIES, r = 1;

	for (int tries = 0; r == 1 && tries < most; tries++) {
		TRY(send_request(rt, m));
		if (dump)
			TRY(each(NULL, arg));
		r = collect(rt, dump, ALL_OF_IT, each, arg);
	}
	if (r == 1)
		return rt->ns ? 0 : -EAGAIN;
	return r;
}

int rt_excuse_crowd(struct tx *tx, int before, int r, const char *why)
{
	if (r != -E2BIG && r != -EMSGSIZE && r != -EAGAIN)
		return r;
	return tx_excuse(tx, before, r, why);
}

static int reopen(struct tx *tx, struct rt *rt)
{
	struct rt another;

	TRY(rt_open(tx, &another, rt->where, rt->ns));
	rt_close(rt);
	*rt = another;
	return 0;
}

static int peek(struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg)
{
	bool large = rt->large;
	int r;

	TRY(send_request(rt, m));
	TRY(each(NULL, arg));
	r = collect(rt, true, A_LITTLE, each, arg);
	if (r != -EMSGSIZE || large)
		return r;
	rt->large = true;
	return peek(rt, m, each, arg);
}

int rt_peek(struct tx *tx, struct rt *rt, struct rt_msg *m, rt_each_fn *each, void *arg,
	    const char *what)
{
	int r = peek(rt, m, each, arg);

	if (r > 0 || r == -ENOENT)
		r = 0;
	if (r < 0)
		rt_refused(tx, rt, r, "%s", what);
	if (rt->unread)
		r = also(r, reopen(tx, rt));
	return r;
}
