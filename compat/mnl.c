// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mnl.c - the part of libmnl that a static cplug needs, for systems without libmnl.a
 *
 * libnftnl composes its messages with libmnl, which most distributions ship only as a shared
 * library.  libmnl is a thin layer over struct nlmsghdr and struct nlattr (linux/netlink.h,
 * RFC 3549), so this file implements the functions that libnftnl and lib/nft/nfnl.c call, with
 * the declarations of libmnl's header.  Only `make static` links it, if the compiler finds no
 * libmnl.a.
 *
 * Callers own all buffers.  As in libmnl, putting an attribute does not check for room.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>

/* Unsigned, unlike the macros of the header. */
enum { NLMSG_HEADER = 16, ATTR_HEADER = 4 };
_Static_assert(sizeof(struct nlmsghdr) == NLMSG_HEADER, "size of struct nlmsghdr");
_Static_assert(sizeof(struct nlattr) == ATTR_HEADER, "size of struct nlattr");

static uint32_t align(size_t n)
{
	return ((uint32_t)n + 3) & ~3u;
}

/* Without const, because messages are read and written through the same functions. */
static void *at(const void *base, size_t offset)
{
	return (char *)(uintptr_t)base + offset;
}

/* ---- messages ----------------------------------------------------------- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *nlh = buf;

	memset(nlh, 0, NLMSG_HEADER);
	nlh->nlmsg_len = NLMSG_HEADER;
	return nlh;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *p = at(nlh, nlh->nlmsg_len);
	uint32_t room = align(size);

	memset(p, 0, room);
	nlh->nlmsg_len += room;
	return p;
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - NLMSG_HEADER;
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return at(nlh, NLMSG_HEADER);
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return at(nlh, NLMSG_HEADER + align(offset));
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (unsigned)len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	*len -= (int)align(nlh->nlmsg_len);
	return at(nlh, align(nlh->nlmsg_len));
}

/* ---- reading attributes ------------------------------------------------- */

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_type & NLA_TYPE_MASK);
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - ATTR_HEADER);
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return at(attr, ATTR_HEADER);
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	uint16_t v;

	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return v;
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	uint32_t v;

	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return v;
}

/* Attributes are aligned to four bytes, so they must be copied. */
uint64_t mnl_attr_get_u64(const struct nlattr *attr)
{
	uint64_t v;

	memcpy(&v, mnl_attr_get_payload(attr), sizeof(v));
	return v;
}

const char *mnl_attr_get_str(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) && attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return at(attr, align(attr->nla_len));
}

/* Ends when the callback returns an error or stop.  A truncated attribute is ignored. */
static int parse(const char *p, const char *end, mnl_attr_cb_t cb, void *data)
{
	const struct nlattr *attr = at(p, 0);
	int r = MNL_CB_OK;

	while (r > MNL_CB_STOP && mnl_attr_ok(attr, (int)(end - (const char *)attr))) {
		r = cb(attr, data);
		attr = mnl_attr_next(attr);
	}
	return r;
}

int mnl_attr_parse(const struct nlmsghdr *nlh, unsigned int offset, mnl_attr_cb_t cb, void *data)
{
	return parse(mnl_nlmsg_get_payload_offset(nlh, offset), at(nlh, nlh->nlmsg_len), cb, data);
}

int mnl_attr_parse_nested(const struct nlattr *attr, mnl_attr_cb_t cb, void *data)
{
	return parse(mnl_attr_get_payload(attr), at(attr, attr->nla_len), cb, data);
}

int mnl_attr_type_valid(const struct nlattr *attr, uint16_t maxtype)
{
	if (mnl_attr_get_type(attr) <= maxtype)
		return 1;
	errno = EOPNOTSUPP;
	return -1;
}

static int bad(int error)
{
	errno = error;
	return -1;
}

/* Checks the payload's size for the type. */
int mnl_attr_validate(const struct nlattr *attr, enum mnl_attr_data_type type)
{
	static const unsigned char size[MNL_TYPE_MAX] = {
		[MNL_TYPE_U8] = 1,  [MNL_TYPE_U16] = 2,   [MNL_TYPE_U32] = 4,
		[MNL_TYPE_U64] = 8, [MNL_TYPE_MSECS] = 8,
	};
	uint16_t len = mnl_attr_get_payload_len(attr);

	if ((unsigned)type >= MNL_TYPE_MAX)
		return bad(EINVAL);
	if (type == MNL_TYPE_NUL_STRING && len && mnl_attr_get_str(attr)[len - 1])
		return bad(EINVAL);
	if ((size[type] && len != size[type]) || (type == MNL_TYPE_FLAG && len) ||
	    (type == MNL_TYPE_STRING && !len) || (type == MNL_TYPE_NUL_STRING && !len) ||
	    (type == MNL_TYPE_NESTED && len && len < ATTR_HEADER))
		return bad(ERANGE);
	return 0;
}

/* ---- writing attributes ------------------------------------------------- */

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len, const void *data)
{
	struct nlattr *attr = at(nlh, align(nlh->nlmsg_len));
	char *payload = mnl_attr_get_payload(attr);

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(ATTR_HEADER + len);
	if (len)
		memcpy(payload, data, len);
	/* Clear the padding, because it is sent to the kernel, too. */
	memset(payload + len, 0, align(len) - len);
	nlh->nlmsg_len = align(nlh->nlmsg_len) + align(attr->nla_len);
}

void mnl_attr_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_str(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data), data);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *start = at(nlh, align(nlh->nlmsg_len));

	start->nla_type = (uint16_t)(NLA_F_NESTED | type);
	nlh->nlmsg_len = align(nlh->nlmsg_len) + ATTR_HEADER;
	return start;
}

void mnl_attr_nest_end(struct nlmsghdr *nlh, struct nlattr *start)
{
	start->nla_len = (uint16_t)((char *)at(nlh, nlh->nlmsg_len) - (char *)start);
}

/* ---- batches: consecutive messages in a buffer -------------------------- */

struct mnl_nlmsg_batch {
	char *buf;
	size_t limit, used;
};

struct mnl_nlmsg_batch *mnl_nlmsg_batch_start(void *buf, size_t bufsiz)
{
	struct mnl_nlmsg_batch *b = malloc(sizeof(*b));

	if (b)
		*b = (struct mnl_nlmsg_batch){ .buf = buf, .limit = bufsiz };
	return b;
}

void mnl_nlmsg_batch_stop(struct mnl_nlmsg_batch *b)
{
	free(b);
}

/* Adds the current message to the batch; false if it exceeds the limit. */
bool mnl_nlmsg_batch_next(struct mnl_nlmsg_batch *b)
{
	const struct nlmsghdr *nlh = mnl_nlmsg_batch_current(b);

	if (b->used + nlh->nlmsg_len > b->limit)
		return false;
	b->used += align(nlh->nlmsg_len);
	return true;
}

size_t mnl_nlmsg_batch_size(struct mnl_nlmsg_batch *b)
{
	return b->used;
}

void *mnl_nlmsg_batch_head(struct mnl_nlmsg_batch *b)
{
	return b->buf;
}

void *mnl_nlmsg_batch_current(struct mnl_nlmsg_batch *b)
{
	return b->buf + b->used;
}

bool mnl_nlmsg_batch_is_empty(struct mnl_nlmsg_batch *b)
{
	return b->used == 0;
}

/* ---- sockets ------------------------------------------------------------ */

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *nl = calloc(1, sizeof(*nl));

	if (!nl)
		return NULL;
	nl->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
	if (nl->fd < 0) {
		free(nl);
		return NULL;
	}
	return nl;
}

struct mnl_socket *mnl_socket_open(int bus)
{
	return mnl_socket_open2(bus, 0);
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	socklen_t size = sizeof(nl->addr);

	nl->addr = (struct sockaddr_nl){ .nl_family = AF_NETLINK,
					 .nl_groups = groups,
					 .nl_pid = (uint32_t)pid };
	if (bind(nl->fd, (struct sockaddr *)&nl->addr, size) < 0)
		return -1;
	/* The kernel chose the port id. */
	return getsockname(nl->fd, (struct sockaddr *)&nl->addr, &size);
}

int mnl_socket_close(struct mnl_socket *nl)
{
	int r = close(nl->fd);

	free(nl);
	return r;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return nl->addr.nl_pid;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req, size_t siz)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	return sendto(nl->fd, req, siz, 0, (const struct sockaddr *)&kernel, sizeof(kernel));
}

/* A datagram that is truncated, or not from the kernel's netlink, is an error. */
ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t siz)
{
	struct sockaddr_nl from;
	struct iovec iov = { .iov_base = buf, .iov_len = siz };
	struct msghdr msg = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &iov, .msg_iovlen = 1
	};
	ssize_t n = recvmsg(nl->fd, &msg, 0);

	if (n < 0)
		return n;
	if (msg.msg_flags & MSG_TRUNC)
		return bad(ENOSPC);
	if (msg.msg_namelen != sizeof(from))
		return bad(EINVAL);
	return n;
}

/* ---- receiving ---------------------------------------------------------- */

/* An acknowledgement returns stop, an error sets errno. */
static int judge(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_len < NLMSG_HEADER + sizeof(*err))
		return bad(EBADMSG);
	if (!err->error)
		return MNL_CB_STOP;
	return bad(err->error < 0 ? -err->error : err->error);
}

static int deliver(const struct nlmsghdr *nlh, unsigned int seq, unsigned int portid, mnl_cb_t cb,
		   void *data)
{
	if (portid && nlh->nlmsg_pid && nlh->nlmsg_pid != portid)
		return bad(ESRCH);
	if (seq && nlh->nlmsg_seq && nlh->nlmsg_seq != seq)
		return bad(EPROTO);
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		return bad(EINTR);
	if (nlh->nlmsg_type >= NLMSG_MIN_TYPE && cb)
		return cb(nlh, data);
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return judge(nlh);
	return nlh->nlmsg_type == NLMSG_DONE ? MNL_CB_STOP : MNL_CB_OK;
}

int mnl_cb_run(const void *buf, size_t numbytes, unsigned int seq, unsigned int portid,
	       mnl_cb_t cb_data, void *data)
{
	const struct nlmsghdr *nlh = at(buf, 0);
	int len = (int)numbytes, r = MNL_CB_OK;

	while (r > MNL_CB_STOP && mnl_nlmsg_ok(nlh, len)) {
		r = deliver(nlh, seq, portid, cb_data, data);
		nlh = mnl_nlmsg_next(nlh, &len);
	}
	return r;
}
