// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * diag.c - listening sockets of this host, and their processes
 *
 * A dump of the kernel's sockets (sock_diag) is restricted to one state, and by a bytecode program
 * in the request to a range of ports.  So the kernel returns a few sockets even if it has a million
 * connections, and a range of 60000 ports is one request.  No netlink message names the process of
 * a socket; it is searched for in /proc, only if the socket is in the way.
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

#include "nft/diag.h"
#include "nft/nfnl.h"

/*
 * Descriptors of other processes that are examined, for a report: about 100 ms; and of those that
 * may hold a port.
 */
enum { LINKS_MAX = 50000, LINKS_OF_HOLDERS = 20 * LINKS_MAX };

/*
 * An IPv6 socket that serves IPv4 only is bound to ::ffff:a.b.c.d; without v6only, :: serves both.
 */
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

struct listeners {
	struct mem *mem;
	struct diag_listener *l;
	unsigned n, before; /* before: number of sockets of the previous requests */
	uint8_t proto;
};

static int listener_each(const struct nlmsghdr *h, void *arg)
{
	const struct inet_diag_msg *m;
	struct listeners *f = arg;

	if (!h)
		f->n = f->before;
	if (!h || mnl_nlmsg_get_payload_len(h) < sizeof(*m))
		return 0;
	m = mnl_nlmsg_get_payload(h);
	f->l = mem_grow(f->mem, f->l, f->n, sizeof(*f->l));
	f->l[f->n++] = (struct diag_listener){
		.proto = f->proto,
		.v6only = is_v6only(h),
		.addr = address_of(m),
		.port = ntohs(m->id.idiag_sport),
		.uid = m->idiag_uid,
		.inode = m->idiag_inode,
	};
	return 0;
}

/* The program: continue if the port is at least first, then if it is at most last. */
static void put_ports(struct nlmsghdr *h, uint16_t first, uint16_t last)
{
	enum { OP = sizeof(struct inet_diag_bc_op), TEST = 2 * OP, BEYOND = OP };
	const struct inet_diag_bc_op program[] = {
		{ INET_DIAG_BC_S_GE, TEST, 2 * TEST + BEYOND },
		{ .no = first },
		{ INET_DIAG_BC_S_LE, TEST, TEST + BEYOND },
		{ .no = last },
	};

	mnl_attr_put(h, INET_DIAG_REQ_BYTECODE, sizeof(program), program);
}

/* UDP has no listening state: a bound, unconnected socket is in TCP_CLOSE. */
static uint32_t states_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? 1u << TCP_LISTEN : 1u << TCP_CLOSE;
}

static int send_request(struct nfnl *nl, struct nlmsghdr *h, int type, uint16_t first,
			uint16_t last, struct listeners *f)
{
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	put_ports(h, first, last);
	f->before = f->n;
	return nfnl_ask(nl, h, listener_each, f);
}

/*
 * Appends the listening TCP sockets of both families.  The older request knows no family, so the
 * kernel goes once through its table of listeners, which may have 65,536 buckets.
 */
static int ask_tcp(struct nfnl *nl, uint16_t first, uint16_t last, struct listeners *f)
{
	_Alignas(struct nlmsghdr) char buf[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));

	req->idiag_states = states_of(IPPROTO_TCP);
	return send_request(nl, h, TCPDIAG_GETSOCK, first, last, f);
}

/* Appends the listening sockets of a family. */
static int ask_family(struct nfnl *nl, int family, uint16_t first, uint16_t last,
		      struct listeners *f)
{
	_Alignas(struct nlmsghdr) char buf[128];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct inet_diag_req_v2 *req = mnl_nlmsg_put_extra_header(h, sizeof(*req));

	req->sdiag_family = (uint8_t)family;
	req->sdiag_protocol = f->proto;
	req->idiag_states = states_of(f->proto);
	return send_request(nl, h, SOCK_DIAG_BY_FAMILY, first, last, f);
}

/* The kernel has no sock_diag, or not for this request, protocol or family. */
static bool is_unknown(int r)
{
	return r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP || r == -EPROTONOSUPPORT;
}

static int ask_listeners(struct nfnl *nl, uint16_t first, uint16_t last, struct listeners *f)
{
	static const int families[] = { AF_INET, AF_INET6 };
	int r = -EOPNOTSUPP;

	if (f->proto == IPPROTO_TCP)
		r = ask_tcp(nl, first, last, f);
	if (!is_unknown(r))
		return r;
	for (unsigned i = 0; i < ARRAY_LEN(families); i++) {
		r = ask_family(nl, families[i], first, last, f);
		if (r < 0 && !is_unknown(r))
			return r;
	}
	return 0;
}

/* IPv4 first, because the kernel tells no order. */
static int by_family(const void *a, const void *b)
{
	const struct diag_listener *x = a, *y = b;

	if (x->addr.family != y->addr.family)
		return x->addr.family == AF_INET ? -1 : 1;
	if (x->port != y->port)
		return x->port < y->port ? -1 : 1;
	return x->inode < y->inode ? -1 : x->inode > y->inode;
}

int diag_find_listeners(struct mem *mem, uint8_t proto, uint16_t first, uint16_t last,
			struct diag_listener **ret, unsigned *ret_n)
{
	struct listeners f = { .mem = mem, .proto = proto };
	struct nfnl nl;
	int r = 0;

	if (proto == IPPROTO_TCP || proto == IPPROTO_UDP) {
		r = nfnl_socket(&nl, NETLINK_SOCK_DIAG);
		if (r == 0)
			r = ask_listeners(&nl, first, last, &f);
		nfnl_close(&nl);
	}
	if (r < 0 && r != -EPROTONOSUPPORT)
		return r;
	if (f.n)
		qsort(f.l, f.n, sizeof(*f.l), by_family);
	*ret = f.l;
	*ret_n = f.n;
	return 0;
}

bool diag_serves(const struct diag_listener *l, int family, struct ip addr)
{
	if (l->addr.family == family)
		return !ip_set(addr) || ip_is_any(l->addr) || ip_eq(l->addr, addr);
	/* An IPv6 socket on :: also serves IPv4. */
	return family == AF_INET && ip_is_any(l->addr) && !l->v6only;
}

/* ---- the processes ---- */

static int by_inode(const void *a, const void *b)
{
	uint32_t x = (*(const struct diag_listener *const *)a)->inode;
	uint32_t y = (*(const struct diag_listener *const *)b)->inode;

	return x < y ? -1 : x > y;
}

struct search {
	struct diag_listener **l; /* sorted by inode */
	unsigned n, left;
	unsigned links;           /* descriptors that may still be examined */
	const char *const *names; /* of the processes to look at, all of them root's; NULL = all */
	int proc;
};

/* Reads the file of a process as a string; an empty one if it cannot be read. */
static void read_of(const struct search *s, const char *pid, const char *file, char *buf,
		    size_t size)
{
	auto_(fd_close) int fd = -1;
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/%s", pid, file);
	fd = openat(s->proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? 0 : read(fd, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
}

/* The name of a process: proc_pid_comm(5). */
static void read_comm(const struct search *s, const char *pid, char *name, size_t size)
{
	size_t n;

	read_of(s, pid, "comm", name, size);
	n = strlen(name);
	if (n && name[n - 1] == '\n')
		name[n - 1] = '\0';
}

/* Root's, and in this network namespace: root of a container may have the same number. */
static bool is_root(const struct search *s, const char *pid)
{
	char status[512]; /* Uid is the ninth line, and the name in the first one has no newline */
	char path[40], its[32] = "", ours[32] = "";

	snprintf(path, sizeof(path), "%.20s/ns/net", pid);
	if (readlinkat(s->proc, path, its, sizeof(its) - 1) < 0 ||
	    readlinkat(s->proc, "self/ns/net", ours, sizeof(ours) - 1) < 0 || !str_eq(its, ours))
		return false;
	read_of(s, pid, "status", status, sizeof(status));
	return strstr(status, "\nUid:\t0\t0\t0\t0\n");
}

static bool is_wanted(const struct search *s, const char *pid)
{
	char name[24];

	if (!s->names)
		return true;
	read_comm(s, pid, name, sizeof(name));
	for (const char *const *wanted = s->names; *wanted; wanted++)
		if (str_eq(name, *wanted))
			return is_root(s, pid);
	return false;
}

/* "PID (NAME)" */
static void name_process(const struct search *s, const char *pid, struct diag_listener *l)
{
	char name[24];

	read_comm(s, pid, name, sizeof(name));
	snprintf(l->process, sizeof(l->process), "%.20s (%s)", pid, name);
}

/* Is this descriptor of a process one of the sockets? */
static void match_socket(struct search *s, const char *pid, const char *link)
{
	struct diag_listener key = { .inode = 0 }, *wanted = &key, **l;

	if (sscanf(link, "socket:[%u]", &key.inode) != 1)
		return;
	l = bsearch(&wanted, s->l, s->n, sizeof(struct diag_listener *), by_inode);
	if (!l || (*l)->held || *(*l)->process)
		return;
	if (s->names)
		(*l)->held = true;
	else
		name_process(s, pid, *l);
	s->left--;
}

static void scan_process(struct search *s, const char *pid)
{
	char path[64], link[64];
	struct dirent *d;
	DIR *dir;
	int fd;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	fd = openat(s->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	while (s->left && s->links && (d = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), d->d_name, link, sizeof(link) - 1);

		s->links--;
		link[n > 0 ? n : 0] = '\0';
		match_socket(s, pid, link);
	}
	closedir(dir);
}

/* Looks for the n sockets of s->l in the processes that are wanted. */
static void scan(struct search *s)
{
	DIR *proc = s->n ? opendir("/proc") : NULL;
	struct dirent *d;

	if (!proc)
		return;
	qsort(s->l, s->n, sizeof(struct diag_listener *), by_inode);
	s->left = s->n;
	s->proc = dirfd(proc);
	while (s->left && s->links && (d = readdir(proc)))
		if (*d->d_name >= '1' && *d->d_name <= '9' && is_wanted(s, d->d_name))
			scan_process(s, d->d_name);
	closedir(proc);
}

void diag_find_holders(struct mem *mem, struct diag_listener *l, unsigned n,
		       const char *const *names)
{
	struct search s = { .names = names, .links = LINKS_OF_HOLDERS };

	s.l = mem_alloc(mem, (n + 1) * sizeof(*s.l));
	for (unsigned i = 0; i < n; i++)
		if (l[i].inode && l[i].uid == 0)
			s.l[s.n++] = &l[i];
	scan(&s);
}

void diag_find_processes(struct mem *mem, struct diag_listener *l, unsigned n)
{
	struct search s = { .links = LINKS_MAX };

	s.l = mem_alloc(mem, (n + 1) * sizeof(*s.l));
	for (unsigned i = 0; i < n; i++)
		if (l[i].inode)
			s.l[s.n++] = &l[i];
	scan(&s);
}

const char *diag_str(struct mem *mem, const struct diag_listener *l)
{
	const char *proto = l->proto == IPPROTO_TCP ? "tcp" : "udp", *process = "";
	struct ip_text ip = ip_text(l->addr);
	const char *addr = ip.s;

	if (l->addr.family == AF_INET6)
		addr = mem_printf(mem, "[%s]", ip.s);
	if (*l->process)
		process = mem_printf(mem, ", process %s", l->process);
	return mem_printf(mem, "%s %s:%u, inode %u, uid %u%s", proto, addr, l->port, l->inode,
			  l->uid, process);
}
