// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nl.c - the part of libnl-3 that a static cplug needs
 *
 * lib/rt.c reads and writes netlink messages with libnl-3's functions for messages and
 * attributes.  In its archive they stand beside object caches, address and protocol
 * names, and with those comes the name service of libc: a quarter of the executable,
 * none of it ever run.  So `make static` links these instead, written afresh to the
 * declarations of libnl-3's own headers; the other builds use the library.
 *
 * linux/netlink.h, RFC 3549.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

/* The headers' macros for these are signed. */
static const size_t attr_header = sizeof(struct nlattr);

static size_t align(size_t n)
{
	return (n + 3) & ~(size_t)3;
}

/* ---- attributes --------------------------------------------------------- */

int nla_type(const struct nlattr *a)
{
	return a->nla_type & NLA_TYPE_MASK;
}

int nla_len(const struct nlattr *a)
{
	return (int)(a->nla_len - attr_header);
}

void *nla_data(const struct nlattr *a)
{
	return (char *)(uintptr_t)a + attr_header;
}

int nla_ok(const struct nlattr *a, int left)
{
	return left >= (int)attr_header && a->nla_len >= attr_header && a->nla_len <= left;
}

struct nlattr *nla_next(const struct nlattr *a, int *left)
{
	size_t size = align(a->nla_len);

	*left -= (int)size;
	return (struct nlattr *)((char *)(uintptr_t)a + size);
}

struct nlattr *nla_find(const struct nlattr *head, int len, int type)
{
	const struct nlattr *a;
	int left;

	nla_for_each_attr (a, head, len, left)
		if (nla_type(a) == type)
			return (void *)(uintptr_t)a;
	return NULL;
}

/* The smallest an attribute may be, for the policies' types that lib/ uses: none. */
int nla_parse(struct nlattr *tb[], int maxtype, struct nlattr *head, int len,
	      const struct nla_policy *policy)
{
	struct nlattr *a;
	int left;

	(void)policy;
	memset(tb, 0, sizeof(*tb) * ((size_t)maxtype + 1));
	nla_for_each_attr (a, head, len, left)
		if (nla_type(a) <= maxtype)
			tb[nla_type(a)] = a;
	return 0;
}

int nla_parse_nested(struct nlattr *tb[], int maxtype, struct nlattr *nest,
		     const struct nla_policy *policy)
{
	return nla_parse(tb, maxtype, nla_data(nest), nla_len(nest), policy);
}

static uint64_t number(const struct nlattr *a, size_t size)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
	} v = { .u32 = 0 };

	if (nla_len(a) >= (int)size)
		memcpy(&v, nla_data(a), size);
	return size == 1 ? v.u8 : size == 2 ? v.u16 : v.u32;
}

uint8_t nla_get_u8(const struct nlattr *a)
{
	return (uint8_t)number(a, 1);
}

uint16_t nla_get_u16(const struct nlattr *a)
{
	return (uint16_t)number(a, 2);
}

uint32_t nla_get_u32(const struct nlattr *a)
{
	return (uint32_t)number(a, 4);
}

char *nla_get_string(const struct nlattr *a)
{
	return nla_data(a);
}

size_t nla_strlcpy(char *to, const struct nlattr *a, size_t size)
{
	size_t n = strnlen(nla_data(a), (size_t)nla_len(a));
	size_t fits = n < size ? n : size ? size - 1 : 0;

	if (size) {
		memset(to, 0, size);
		memcpy(to, nla_data(a), fits);
	}
	return n;
}

/* ---- messages ----------------------------------------------------------- */

void *nlmsg_data(const struct nlmsghdr *h)
{
	return (char *)(uintptr_t)h + sizeof(*h);
}

int nlmsg_ok(const struct nlmsghdr *h, int left)
{
	return left >= (int)sizeof(*h) && h->nlmsg_len >= sizeof(*h) &&
	       h->nlmsg_len <= (uint32_t)left;
}

struct nlmsghdr *nlmsg_next(struct nlmsghdr *h, int *left)
{
	size_t size = align(h->nlmsg_len);

	*left -= (int)size;
	return (struct nlmsghdr *)((char *)h + size);
}

/* Where the attributes begin behind a header of that size, and how long they are. */
static struct nlattr *attributes(struct nlmsghdr *h, int header, int *len)
{
	size_t at = sizeof(*h) + align((size_t)header);

	*len = h->nlmsg_len < at ? -1 : (int)(h->nlmsg_len - at);
	return (struct nlattr *)((char *)h + at);
}

int nlmsg_parse(struct nlmsghdr *h, int header, struct nlattr *tb[], int maxtype,
		const struct nla_policy *policy)
{
	int len;
	struct nlattr *head = attributes(h, header, &len);

	return len < 0 ? -NLE_MSG_TOOSHORT : nla_parse(tb, maxtype, head, len, policy);
}

struct nlattr *nlmsg_find_attr(struct nlmsghdr *h, int header, int type)
{
	int len;
	struct nlattr *head = attributes(h, header, &len);

	return len < 0 ? NULL : nla_find(head, len, type);
}

/* ---- sockets ------------------------------------------------------------ */

struct nl_sock {
	int fd;
};

struct nl_sock *nl_socket_alloc(void)
{
	struct nl_sock *sk = malloc(sizeof(*sk));

	if (sk)
		sk->fd = -1;
	return sk;
}

void nl_socket_free(struct nl_sock *sk)
{
	if (sk && sk->fd >= 0)
		close(sk->fd);
	free(sk);
}

int nl_socket_get_fd(const struct nl_sock *sk)
{
	return sk->fd;
}

/* The kernel gives the address; errno tells why it did not. */
int nl_connect(struct nl_sock *sk, int protocol)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };

	sk->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
	if (sk->fd < 0 || bind(sk->fd, (struct sockaddr *)&any, sizeof(any)) < 0)
		return -NLE_FAILURE;
	return 0;
}

int nl_socket_add_membership(struct nl_sock *sk, int group)
{
	return setsockopt(sk->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0
		       ? -NLE_FAILURE
		       : 0;
}
