// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * diag.c - who listens on a port of this host
 *
 * The kernel's socket lists (sock_diag) are asked for one state and one port, so a
 * host of a million connections answers with the few sockets in question.  Which
 * process has such a socket is in no netlink message: it is looked for in /proc,
 * and only when the caller is going to complain, with an end to the effort.
 *
 * linux/inet_diag.h, sock_diag(7).
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>

#include "diag.h"
#include "nfnl.h"

enum { LINKS_MAX = 50000 }; /* descriptors of other processes to look at: some 100 ms */

struct listener {
	struct ip wanted; /* the address that a socket in the way would serve */
	int family;       /* of the address */
	bool found;
	struct ip addr;
	uint32_t uid, inode;
};

/* IPv4 through an IPv6 socket: as ::ffff:a.b.c.d, or, if it is not v6only, as :: */
static struct ip address_of(const struct inet_diag_msg *m)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct ip ip = { .family = m->idiag_family };

	memcpy(ip.b, m->id.idiag_src, ip_bytes(ip));
	if (ip.family == AF_INET6 && memcmp(ip.b, mapped, sizeof(mapped)) == 0) {
		ip.family = AF_INET;
		memmove(ip.b, ip.b + sizeof(mapped), 4);
		memset(ip.b + 4, 0, sizeof(ip.b) - 4);
	}
	return ip;
}

static bool is_v6only(const struct nlmsghdr *h)
{
	const struct nlattr *a =
		nfnl_attr_behind(h, sizeof(struct inet_diag_msg), INET_DIAG_SKV6ONLY);

	return a && mnl_attr_get_u8(a);
}

static bool serves(const struct listener *l, struct ip addr, bool v6only)
{
	bool crosses = addr.family == AF_INET6 && l->family == AF_INET;

	if (addr.family != l->family && !crosses)
		return false;
	if (crosses)
		return ip_is_any(addr) && !v6only;
	return !ip_set(l->wanted) || ip_is_any(addr) || ip_eq(addr, l->wanted);
}

static int each(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m;
	struct listener *l = arg;
	struct ip addr;

	if (!h || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return 0;
	m = mnl_nlmsg_get_payload(h);
	addr = address_of(m);
	if (!serves(l, addr, is_v6only(h)))
		return 0;
	l->found = true;
	l->addr = addr;
	l->uid = m->idiag_uid;
	l->inode = m->idiag_inode;
	return 1;
}

/* Sockets of a family on a port that wait for whoever comes. */
static int ask(struct nfnl *nl, uint8_t proto, int family, uint16_t port, struct listener *l)
{
	_Alignas(struct nlmsghdr) char buf[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req;

	h->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	req = mnl_nlmsg_put_extra_header(h, sizeof(*req));
	req->sdiag_family = (uint8_t)family;
	req->sdiag_protocol = proto;
	/* UDP has no state for it: bound and not connected is "closed" */
	req->idiag_states = proto == IPPROTO_TCP ? 1u << TCP_LISTEN : 1u << TCP_CLOSE;
	req->id.idiag_sport = htons(port);
	return nfnl_ask(nl, h, each, l);
}

/* ---- the process ---- */

/* Does a process have the socket open?  Counts what it looked at. */
static bool has_socket(int proc, const char *pid, const char *target, unsigned *looked)
{
	char path[64], link[64];
	struct dirent *d;
	DIR *dir;
	int fd;
	bool found = false;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return false;
	}
	while (!found && (d = readdir(dir)) && ++*looked < LINKS_MAX) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);

		if (n <= 0)
			continue;
		link[n] = '\0';
		found = str_eq(link, target);
	}
	closedir(dir);
	return found;
}

static void process_name(int proc, const char *pid, char *name, size_t size)
{
	auto_(fd_close) int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/comm", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, name, size - 1);
	if (n > 0 && name[n - 1] == '\n')
		n--;
	name[n > 0 ? n : 0] = '\0';
}

static void add_process(uint32_t inode, char *text, size_t size)
{
	char target[32], name[64];
	size_t used = strlen(text);
	DIR *proc = opendir("/proc");
	unsigned looked = 0;
	struct dirent *d;

	if (!proc)
		return;
	snprintf(target, sizeof(target), "socket:[%u]", inode);
	while (looked < LINKS_MAX && (d = readdir(proc))) {
		if (*d->d_name < '1' || *d->d_name > '9' ||
		    !has_socket(dirfd(proc), d->d_name, target, &looked))
			continue;
		process_name(dirfd(proc), d->d_name, name, sizeof(name));
		snprintf(text + used, size - used, ", process %.20s (%s)", d->d_name, name);
		break;
	}
	closedir(proc);
}

static void describe(const struct listener *l, uint8_t proto, uint16_t port, char *text,
		     size_t size)
{
	bool v6 = l->addr.family == AF_INET6;

	if (!size)
		return;
	snprintf(text, size, "%s %s%s%s:%u, inode %u, uid %u", proto == IPPROTO_TCP ? "tcp" : "udp",
		 v6 ? "[" : "", IP_S(l->addr), v6 ? "]" : "", port, l->inode, l->uid);
	if (l->inode)
		add_process(l->inode, text, size);
}

int diag_listener(uint8_t proto, int family, struct ip addr, uint16_t port, char *text, size_t size)
{
	struct listener l = { .wanted = addr, .family = family };
	struct nfnl nl;
	int r;

	if (proto != IPPROTO_TCP && proto != IPPROTO_UDP)
		return 0;
	r = nfnl_socket(&nl, NETLINK_SOCK_DIAG);
	if (r == 0)
		r = ask(&nl, proto, family, port, &l);
	if (r == 0 && !l.found && family == AF_INET)
		r = ask(&nl, proto, AF_INET6, port, &l);
	nfnl_close(&nl);
	if (l.found) {
		describe(&l, proto, port, text, size);
		return 1;
	}
	/* A kernel without sock_diag, or without one for this protocol or family. */
	if (r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT)
		return 0;
	return r;
}
