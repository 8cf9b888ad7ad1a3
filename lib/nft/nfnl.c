// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nfnl.c - sending to netfilter, and reading its answers
 *
 * The kernel handles a request inside sendmsg(), so the answers are there when that returns.  Every
 * request gets sequence numbers of its own; answers to an older request (whose caller gave up) are
 * skipped.  The kernel acknowledges only messages that ask for it, but always reports refusals,
 * with its message (NETLINK_EXT_ACK) and without a copy of the request (NETLINK_CAP_ACK).
 *
 * Closing is the expensive part.  nf_tables frees deleted objects after an RCU grace period, 5 to
 * 20 ms.  A process that closes a netfilter socket in this namespace meanwhile waits for that, and
 * holds the mutex of all commits there (nft_rcv_nl_event() in net/netfilter/nf_tables_api.c).  So
 * each of several closes in a row costs a grace period: 64 concurrent DELs took 0.9 s, and
 * concurrent ADDs waited, too.  Therefore:
 *
 * - If the kernel's garbage collector of AF_UNIX sockets runs in the background (Linux 6.9, stable
 *   6.1 and 6.6), the collector closes our socket: we leave it in the receive queue of a socket
 *   that only this queue refers to.  The collector closes many sockets in one grace period, and
 *   only a kernel worker waits.  A DEL takes 0.4 ms instead of 13, and 16 concurrent workers attach
 *   and detach 7 to 19 times as often.  This costs 0.1 ms, so it is done only if a wait is likely:
 *   after deletions of our own, or if creating a link had to wait (which takes the same mutex,
 *   nf_tables_netdev_event(), and so shows that others delete at the same time).
 * - Otherwise, after a deletion we wait before the close, without the mutex: membarrier(2) takes
 *   one grace period, which concurrent callers share.  64 DELs take 0.1 s.
 *
 * linux/netlink.h, linux/netfilter/nfnetlink.h.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>

#include <libmnl/libmnl.h>
#include <linux/membarrier.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "nft/nfnl.h"
#include "netlink/rt.h"

/* The kernel fills datagrams of a dump up to 32 KiB, if the buffer of the reader is that large. */
enum { READ_SIZE = 32768, READ_TIMEOUT = 10, DUMP_TRIES = 100, RECEIVE_TRIES = 4 };

int nfnl_socket(struct nfnl *nl, int protocol)
{
	struct timeval patience = { .tv_sec = READ_TIMEOUT };
	int on = 1, fd, err;

	*nl = (struct nfnl){ .sk = mnl_socket_open2(protocol, SOCK_CLOEXEC),
			     .netfilter = protocol == NETLINK_NETFILTER };
	if (!nl->sk)
		return -errno;
	if (mnl_socket_bind(nl->sk, 0, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		nfnl_close(nl);
		return err;
	}
	fd = mnl_socket_get_fd(nl->sk);
	/* Best effort: only error texts depend on these options. */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	return 0;
}

static int open_here(struct tx *tx, void *arg)
{
	int r = nfnl_socket(arg, NETLINK_NETFILTER);

	if (r < 0)
		return tx_fail(tx, r, "open a netfilter socket: %s", strerror(-r));
	return 0;
}

int nfnl_open(struct tx *tx, struct nfnl *nl, const struct netns *ns)
{
	*nl = (struct nfnl){ 0 };
	if (!ns)
		return open_here(tx, nl);
	return netns_run(tx, ns, open_here, nl);
}

/* Does the kernel collect unreachable AF_UNIX sockets in the background? */
static bool collects_later(void)
{
	unsigned major, minor;
	struct utsname u;

	if (uname(&u) < 0 || sscanf(u.release, "%u.%u", &major, &minor) != 2)
		return false;
	return major > 6 || (major == 6 && (minor >= 9 || minor == 1 || minor == 6));
}

/*
 * Sends fd and the receiving socket to the receiving socket.  When the caller has closed fd, both
 * are unreachable.  Returns the sending socket; closing it wakes the collector.
 */
static int leave_to_collector(int fd)
{
	union {
		struct cmsghdr h;
		char room[CMSG_SPACE(2 * sizeof(int))];
	} c = { .h = { .cmsg_level = SOL_SOCKET,
		       .cmsg_type = SCM_RIGHTS,
		       .cmsg_len = CMSG_LEN(2 * sizeof(int)) } };
	char byte = 0;
	struct iovec io = { &byte, sizeof(byte) };
	struct msghdr m = {
		.msg_iov = &io, .msg_iovlen = 1, .msg_control = &c, .msg_controllen = sizeof(c)
	};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	memcpy(CMSG_DATA(&c.h), (int[]){ fd, pair[1] }, 2 * sizeof(int));
	(void)!sendmsg(pair[0], &m, MSG_NOSIGNAL); /* on failure, fd is closed as usual */
	close(pair[1]);
	return pair[0];
}

void nfnl_close(struct nfnl *nl)
{
	int collector = -1;

	if (!nl->sk)
		return;
	if (nl->netfilter && (nl->deleted || rt_waited()) && collects_later())
		collector = leave_to_collector(mnl_socket_get_fd(nl->sk));
	else if (nl->deleted)
		syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	mnl_socket_close(nl->sk);
	fd_close(&collector);
	nl->sk = NULL;
}

uint32_t nfnl_seq(struct nfnl *nl, unsigned n)
{
	uint32_t first = nl->seq + 1;

	nl->seq += n;
	return first;
}

/* The socket accepts datagrams up to the size of its send buffer, usually 208 KiB. */
static bool enlarge(int fd, size_t size)
{
	int want = (int)(size < INT32_MAX / 4 ? size + 4096 : INT32_MAX / 4), have = 0;
	socklen_t len = sizeof(have);

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &want, sizeof(want)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &want, sizeof(want)) < 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &have, &len) < 0)
		return false;
	return (size_t)have > size + 32;
}

int nfnl_send(struct nfnl *nl, const struct iovec *piece, unsigned n)
{
	int fd = mnl_socket_get_fd(nl->sk);
	bool enlarged = false;
	size_t size = 0;

	for (unsigned i = 0; i < n; i++)
		size += piece[i].iov_len;
	for (;;) {
		if (writev(fd, piece, (int)n) >= 0)
			return 0;
		if (errno == EINTR)
			continue;
		if (errno != EMSGSIZE || enlarged)
			return -errno;
		if (!enlarge(fd, size)) {
			snprintf(nl->why, sizeof(nl->why),
				 "%zu bytes in one change-set; net.core.wmem_max is too small",
				 size);
			return -EMSGSIZE;
		}
		enlarged = true;
	}
}

/*
 * Retries a failed recv() (the kernel was short of memory), because the answer stays in the queue:
 * otherwise a committed change-set would be reported as refused.
 */
static ssize_t receive_datagram(struct nfnl *nl, void *buf, size_t size, int flags)
{
	ssize_t n;
	int tries = 0;

	do
		n = recv(mnl_socket_get_fd(nl->sk), buf, size, flags | MSG_TRUNC);
	while (n < 0 && (errno == EINTR ||
			 (errno != EAGAIN && errno != ENOBUFS && ++tries < RECEIVE_TRIES)));
	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return (size_t)n > size ? -EMSGSIZE : n;
}

int nfnl_read(struct nfnl *nl, uint32_t first, uint32_t last, nfnl_each_fn *each, void *arg)
{
	_Alignas(struct nlmsghdr) char buf[READ_SIZE];
	bool lost = false;

	for (;;) {
		ssize_t n = receive_datagram(nl, buf, sizeof(buf), lost ? MSG_DONTWAIT : 0);
		int left = (int)n;

		if (n == -ENOBUFS && !lost) { /* answers are queued: read those first */
			lost = true;
			continue;
		}
		if (n < 0)
			return lost ? -ENOBUFS : (int)n;
		for (const struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			int r;

			if (h->nlmsg_seq - first > last - first)
				continue;
			r = each(h, arg);
			if (r)
				return r < 0 ? r : 0;
		}
	}
}

bool nfnl_is_end(const struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE;
}

/* The first attribute of a type (-1 = any) in size bytes at data. */
static const struct nlattr *first_attr(const void *data, size_t size, int type)
{
	const char *end = (const char *)data + size;
	const struct nlattr *a = data;

	while (mnl_attr_ok(a, (int)(end - (const char *)a))) {
		if (type < 0 || mnl_attr_get_type(a) == type)
			return a;
		a = mnl_attr_next(a);
	}
	return NULL;
}

const struct nlattr *nfnl_attr_behind(const struct nlmsghdr *h, size_t skip, uint16_t type)
{
	size_t size = mnl_nlmsg_get_payload_len(h);

	skip = nfnl_align(skip);
	if (size < skip)
		return NULL;
	return first_attr(mnl_nlmsg_get_payload_offset(h, skip), size - skip, type);
}

const struct nlattr *nfnl_attr(const struct nlmsghdr *h, uint16_t type)
{
	return nfnl_attr_behind(h, sizeof(struct nfgenmsg), type);
}

const struct nlattr *nfnl_attr_in(const struct nlattr *nest, uint16_t type)
{
	if (!nest)
		return NULL;
	return first_attr(mnl_attr_get_payload(nest), mnl_attr_get_payload_len(nest), type);
}

const struct nlattr *nfnl_attr_next(const struct nlattr *nest, const struct nlattr *a)
{
	const char *begin, *end;

	if (!nest)
		return NULL;
	begin = mnl_attr_get_payload(nest);
	end = begin + mnl_attr_get_payload_len(nest);
	if (a)
		begin = (const char *)mnl_attr_next(a);
	if (begin >= end)
		return NULL;
	return first_attr(begin, (size_t)(end - begin), -1);
}

uint32_t nfnl_be32(const struct nlattr *a)
{
	if (!a || mnl_attr_get_payload_len(a) < 4)
		return 0;
	return ntohl(mnl_attr_get_u32(a));
}

const char *nfnl_text(const struct nlattr *a)
{
	unsigned len = a ? mnl_attr_get_payload_len(a) : 0;

	if (!len || mnl_attr_get_str(a)[len - 1])
		return "";
	return mnl_attr_get_str(a);
}

bool nfnl_same(const struct nlattr *a, const struct nlattr *b)
{
	if (!a || !b)
		return a == b;
	return a->nla_len == b->nla_len && memcmp(mnl_attr_get_payload(a), mnl_attr_get_payload(b),
						  mnl_attr_get_payload_len(a)) == 0;
}

static void keep_message(struct nfnl *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t skip = sizeof(*e);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len > sizeof(e->msg))
		skip += nfnl_align(e->msg.nlmsg_len - sizeof(e->msg));
	a = nfnl_attr_behind(h, skip, NLMSGERR_ATTR_MSG);
	if (a)
		snprintf(nl->why, sizeof(nl->why), "%.*s", (int)mnl_attr_get_payload_len(a),
			 mnl_attr_get_str(a));
}

int nfnl_error(struct nfnl *nl, const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t size = mnl_nlmsg_get_payload_len(h);

	if (size >= sizeof(int) && e->error < -ERRNO_MAX)
		return -EBADMSG;
	if (h->nlmsg_type == NLMSG_DONE)
		return size >= sizeof(int) && e->error < 0 ? e->error : 0;
	if (size < sizeof(*e))
		return -EBADMSG;
	if (e->error >= 0)
		return 0;
	keep_message(nl, h);
	return e->error;
}

const char *nfnl_why(struct mem *mem, const struct nfnl *nl)
{
	if (!*nl->why)
		return "";
	return mem_printf(mem, " (%s)", nl->why);
}

struct ask {
	struct nfnl *nl;
	nfnl_each_fn *each;
	void *arg;
	int r; /* last result of each() */
	bool dump;
	bool interrupted; /* a change of the ruleset interrupted the dump */
};

static int ask_each(const struct nlmsghdr *h, void *arg)
{
	struct ask *a = arg;
	int r;

	if (a->dump && h->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;
	if (nfnl_is_end(h)) {
		r = nfnl_error(a->nl, h);
		if (r != -EINTR || !a->dump)
			return r < 0 ? r : 1;
		a->interrupted = true;
		return 1;
	}
	/* Read to the end even if each() needs no more: the rest would precede the next answer. */
	if (a->r == 0 && !a->interrupted)
		a->r = a->each(h, a->arg);
	return 0;
}

int nfnl_ask(struct nfnl *nl, struct nlmsghdr *request, nfnl_each_fn *each, void *arg)
{
	bool dump = (request->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;

	request->nlmsg_flags |= (uint16_t)(NLM_F_REQUEST | (dump ? 0 : NLM_F_ACK));
	nl->why[0] = '\0';
	for (unsigned i = 0; i < DUMP_TRIES; i++) {
		struct iovec piece = { request, request->nlmsg_len };
		struct ask a = { .nl = nl, .each = each, .arg = arg, .dump = dump };

		if (i)
			TRY(each(NULL, arg));
		request->nlmsg_seq = nfnl_seq(nl, 1);
		TRY(nfnl_send(nl, &piece, 1));
		TRY(nfnl_read(nl, request->nlmsg_seq, request->nlmsg_seq, ask_each, &a));
		if (a.r < 0)
			return a.r;
		if (a.r > 0 || !a.interrupted)
			return 0;
	}
	return -EINTR;
}

int nfnl_peek(struct nfnl *nl, struct nlmsghdr *request, nfnl_each_fn *each, void *arg)
{
	struct iovec piece = { request, request->nlmsg_len };
	struct nfnl once;
	int r;

	request->nlmsg_flags |= NLM_F_REQUEST;
	nl->why[0] = '\0';
	TRY(nfnl_socket(&once, NETLINK_NETFILTER));
	request->nlmsg_seq = nfnl_seq(&once, 1);
	r = nfnl_send(&once, &piece, 1);
	if (r == 0)
		r = nfnl_read(&once, request->nlmsg_seq, request->nlmsg_seq, each, arg);
	nfnl_close(&once);
	return r;
}
