// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - the packets of a lease, in the container's namespace
 *
 * A socket keeps its namespace alive, so it is open only while an answer is expected.  A packet
 * socket (packet(7)) carries what is sent without an address, and receives what comes to an
 * address that the container does not have yet; its filter passes datagrams to port 68 alone.
 * Renewals go through an ordinary UDP socket at the leased address.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <linux/ip.h>
#include <linux/net_tstamp.h>
#include <linux/rtnetlink.h>
#include <linux/udp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "ipam/dhcp/hold.h"
#include "ipam/dhcp/packet.h"
#include "netlink/link.h"

enum { CLIENT_PORT = 68, SERVER_PORT = 67, HEADERS = 28, FRAGMENT = 0x1fff };

/* How long an answer may take: after this the sockets are closed until the next packet. */
enum { LISTEN_MS = 15000 };

/* ---- inside the namespace ----------------------------------------------- */

/* No function here allocates from the arena (netns_run()). */

ssize_t wire_ask(struct nlmsghdr *request, struct nlmsghdr *answer, size_t room)
{
	const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	auto_(fd_close) int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	uint32_t seq;
	ssize_t n;

	if (fd < 0 || connect(fd, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0 ||
	    getrandom(&seq, sizeof(seq), GRND_NONBLOCK) < 0)
		return -errno;
	request->nlmsg_seq = seq;
	if (send(fd, request, request->nlmsg_len, 0) < 0)
		return -errno;
	do {
		n = recv(fd, answer, room, MSG_DONTWAIT);
		if (n < 0)
			return -errno;
	} while (n < (ssize_t)sizeof(*answer) || answer->nlmsg_seq != seq);
	return n;
}

/* By index, because the container can rename it, and a name could load a module (priv.h). */
static int set_up(int index)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} q = { .h = { .nlmsg_len = sizeof(q),
		       .nlmsg_type = RTM_NEWLINK,
		       .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.i = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP } };
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char more[512];
	} answer = { .h = { .nlmsg_type = NLMSG_NOOP } };
	ssize_t n = wire_ask(&q.h, &answer.h, sizeof(answer));

	if (n < 0)
		return (int)n;
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(answer.e)) || answer.h.nlmsg_type != NLMSG_ERROR)
		return -EBADMSG;
	return answer.e.error;
}

static int fail_look(struct tx *tx, const struct wire_job *j)
{
	int index = link_here_try(j->ifname);

	if (index > 0)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "container: %s is no Ethernet interface, which DHCP needs",
				  j->ifname);
	if (index == 0)
		index = -ENODEV;
	return tx_fail(tx, index, "container: find %s: %s", j->ifname, strerror(-index));
}

static int look_here(struct tx *tx, void *arg)
{
	struct wire_job *j = arg;
	struct link l;
	int r = 0;

	if (!link_glance_here(j->ifname, &l))
		return fail_look(tx, j);
	j->index = l.index;
	memcpy(j->mac, l.mac.b, sizeof(j->mac));
	if (!(l.flags & IFF_UP))
		r = set_up(l.index);
	if (r < 0)
		return tx_fail(tx, r, "container: set %s up: %s", j->ifname, strerror(-r));
	if (!j->open)
		return 0;
	return j->open(tx, j);
}

/* Bound when the filter is there: nothing else is received. */
int wire_packet_socket(struct tx *tx, struct wire_job *j, int protocol,
		       const struct sock_fprog *filter)
{
	const struct sockaddr_ll a = { .sll_family = AF_PACKET,
				       .sll_protocol = htons((uint16_t)protocol),
				       .sll_ifindex = j->index };

	j->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (j->fd >= 0 &&
	    setsockopt(j->fd, SOL_SOCKET, SO_ATTACH_FILTER, filter, sizeof(*filter)) == 0 &&
	    bind(j->fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return 0;
	tx_fail(tx, -errno, "container: open a packet socket on %s: %s", j->ifname,
		strerror(errno));
	fd_close(&j->fd);
	return tx->err;
}

/* UDP, not a fragment behind the first, to port 68. */
static int packet_here(struct tx *tx, void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FRAGMENT, 4, 0),
		BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CLIENT_PORT, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog program = { .len = ARRAY_LEN(code), .filter = code };

	return wire_packet_socket(tx, arg, ETH_P_IP, &program);
}

static int udp_here(struct tx *tx, void *arg)
{
	struct wire_job *j = arg;
	const int on = 1;
	const struct sockaddr_in from = { .sin_family = AF_INET,
					  .sin_port = htons(CLIENT_PORT),
					  .sin_addr = j->from };

	j->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (j->fd >= 0 && setsockopt(j->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    setsockopt(j->fd, SOL_SOCKET, SO_BINDTODEVICE, j->ifname,
		       (socklen_t)strlen(j->ifname) + 1) == 0 &&
	    bind(j->fd, (const struct sockaddr *)&from, sizeof(from)) == 0)
		return 0;
	tx_fail(tx, -errno, "container: open a UDP socket on %s: %s", j->ifname, strerror(errno));
	fd_close(&j->fd);
	return tx->err;
}

/* ---- the namespace ------------------------------------------------------ */

int wire_enter(struct daemon *d, struct hold *l, struct netns *ret)
{
	const char *prefix = d->opt.prefix ? d->opt.prefix : "";
	const char *path = mem_printf(&d->tx.mem, "%s%s", prefix, l->netns);
	int r = netns_open(&d->tx, path, ret);
	uint64_t cookie;

	if (r == -ENOENT)
		return tx_fail_as(&d->tx, CNI_E_NETNS, r, "%s: the namespace is gone", path);
	TRY(r);
	cookie = netns_cookie(ret);
	if (!l->ino) {
		l->dev = ret->dev;
		l->ino = ret->ino;
		l->cookie = cookie;
	}
	if (l->dev == ret->dev && l->ino == ret->ino && l->cookie == cookie)
		return 0;
	netns_close(ret);
	return tx_fail_as(&d->tx, CNI_E_NETNS, -ESTALE, "%s: another namespace is there now", path);
}

int wire_run(struct daemon *d, struct hold *l, int (*fn)(struct tx *tx, void *arg),
	     struct wire_job *j)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;

	j->fd = -1;
	snprintf(j->ifname, sizeof(j->ifname), "%s", l->ifname);
	TRY(wire_enter(d, l, &ns));
	return netns_run(&d->tx, &ns, fn, j);
}

int wire_wait(struct daemon *d, struct source *s, int fd)
{
	s->fd = fd;
	if (daemon_watch(d, s, EPOLLIN) < 0)
		return tx_fail(&d->tx, -ENOMEM, "out of descriptors");
	return 0;
}

int wire_look(struct daemon *d, struct hold *l, uint8_t ret_mac[6])
{
	struct wire_job j = { .open = NULL };

	TRY(wire_run(d, l, look_here, &j));
	l->index = j.index;
	memcpy(ret_mac, j.mac, sizeof(j.mac));
	return 0;
}

int wire_open(struct daemon *d, struct hold *l, int (*fn)(struct tx *tx, void *arg),
	      struct in_addr from, struct source *s)
{
	struct wire_job j = { .open = fn, .from = from };

	if (s->fd >= 0)
		return 0;
	TRY(wire_run(d, l, look_here, &j));
	l->index = j.index;
	return wire_wait(d, s, j.fd);
}

/* ---- the link's state --------------------------------------------------- */

static int keep_carrier(const struct nlmsghdr *h, void *arg)
{
	struct nlattr *a = NULL;

	if (h)
		a = nlmsg_find_attr((struct nlmsghdr *)(uintptr_t)h, sizeof(struct ifinfomsg),
				    IFLA_CARRIER_CHANGES);
	if (a && nla_len(a) >= 4)
		*(int64_t *)arg = nla_get_u32(a);
	return 0;
}

int wire_carrier(struct daemon *d, struct hold *l, int64_t *ret)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct rt_msg m;
	int r;

	*ret = -1;
	TRY(wire_enter(d, l, &ns));
	TRY(rt_open(&d->tx, &rt, "container", &ns));
	link_question(&m, 0);
	rt_put_str(&m, IFLA_IFNAME, l->ifname);
	r = rt_ask(&rt, &m, keep_carrier, ret);
	if (r < 0)
		return rt_refused(&d->tx, &rt, r, "look up interface %s", l->ifname);
	return 0;
}

int wire_find_parent(struct daemon *d, struct hold *l)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	auto_(rt_close) struct rt rt = { .sk = NULL };
	struct link link;
	int there, nsid;

	TRY(wire_enter(d, l, &ns));
	TRY(rt_open(&d->tx, &rt, "container", &ns));
	TRY(there = link_find_index(&d->tx, &rt, l->index, &link));
	if (!there || !link.parent || link_is_end(&link))
		return 0;
	l->parent[0] = '\0';
	if (link.parent_nsid < 0)
		return 0;
	TRY(link_nsid(&d->tx, &rt, NULL, &nsid));
	if (nsid != link.parent_nsid || !if_indextoname((unsigned)link.parent, l->parent))
		l->parent[0] = '\0';
	return 0;
}

/* ---- sending ------------------------------------------------------------ */

static uint32_t sum_of(const void *data, size_t size)
{
	const uint8_t *b = data;
	uint32_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum += i % 2 ? b[i] : (uint32_t)b[i] << 8;
	return sum;
}

/* RFC 1071. */
static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

struct frame {
	struct iphdr ip;
	struct udphdr udp;
	uint8_t data[DHCP_PACKET];
};

static size_t compose(struct frame *f, const struct dhcp_todo *todo, struct in_addr from,
		      struct in_addr to)
{
	size_t udp = sizeof(f->udp) + todo->size;
	uint32_t sum;

	*f = (struct frame){
		.ip = { .version = 4,
			.ihl = 5,
			.tot_len = htons((uint16_t)(sizeof(f->ip) + udp)),
			.ttl = 64,
			.protocol = IPPROTO_UDP,
			.saddr = from.s_addr,
			.daddr = to.s_addr },
		.udp = { .source = htons(CLIENT_PORT),
			 .dest = htons(SERVER_PORT),
			 .len = htons((uint16_t)udp) },
	};
	memcpy(f->data, todo->packet, todo->size);
	f->ip.check = checksum(sum_of(&f->ip, sizeof(f->ip)));
	sum = sum_of(&f->ip.saddr, 8) + IPPROTO_UDP + (uint32_t)udp + sum_of(&f->udp, udp);
	f->udp.check = checksum(sum);
	if (!f->udp.check)
		f->udp.check = 0xffff;
	return sizeof(f->ip) + udp;
}

/* To all on the link of a packet socket. */
static int send_on(struct tx *tx, int fd, int index, const char *where, const char *ifname,
		   const struct frame *f, size_t size)
{
	struct sockaddr_ll a = { .sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = index,
				 .sll_halen = ETH_ALEN };

	memset(a.sll_addr, 0xff, ETH_ALEN);
	if (sendto(fd, f, size, 0, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return tx_fail(tx, -errno, "%s: send on %s: %s", where, ifname, strerror(errno));
	return 0;
}

static int send_frame(struct daemon *d, struct hold *l, const struct dhcp_todo *todo,
		      struct in_addr from, struct in_addr to)
{
	struct frame f;
	size_t size = compose(&f, todo, from, to);

	TRY(wire_open(d, l, packet_here, from, &l->packet));
	return send_on(&d->tx, l->packet.fd, l->index, "container", l->ifname, &f, size);
}

static int send_datagram(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(SERVER_PORT),
					.sin_addr = todo->to.v4 };

	TRY(wire_open(d, l, udp_here, todo->from.v4, &l->udp));
	if (sendto(l->udp.fd, todo->packet, todo->size, 0, (const struct sockaddr *)&to,
		   sizeof(to)) < 0)
		return tx_fail(&d->tx, -errno, "container: send on %s: %s", l->ifname,
			       strerror(errno));
	return 0;
}

int wire_send(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	l->listen = daemon_at().now + LISTEN_MS;
	if (todo->send == DHCP_SEND_UNICAST)
		return send_datagram(d, l, todo);
	return send_frame(d, l, todo, (struct in_addr){ INADDR_ANY },
			  (struct in_addr){ htonl(INADDR_BROADCAST) });
}

/* ---- RELEASE ------------------------------------------------------------ */

int wire_release_frame(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	return send_frame(d, l, todo, todo->from.v4, todo->to.v4);
}

/*
 * The kernel routes the datagram, so that a server behind a relay hears it.  The interface
 * must not be removed before it has gone out, which a time stamp reports (timestamping.rst).
 */
int wire_release(struct daemon *d, struct hold *l, const struct dhcp_todo *todo)
{
	const int stamps = SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_OPT_TSONLY;
	struct pollfd p = { .fd = -1 };

	TRY(wire_open(d, l, udp_here, todo->from.v4, &l->udp));
	p.fd = l->udp.fd;
	(void)setsockopt(p.fd, SOL_SOCKET, SO_TIMESTAMPING, &stamps, sizeof(stamps));
	TRY(send_datagram(d, l, todo));
	return poll(&p, 1, 0) <= 0 || !(p.revents & POLLERR);
}

/* The index of a link that is gone is 0, which the kernel refuses. */
static int release_on_parent(struct daemon *d, const struct hold *l, const struct dhcp_todo *todo)
{
	auto_(fd_close) int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int index = link_here_try(l->parent);
	struct frame f;
	size_t size = compose(&f, todo, todo->from.v4, todo->to.v4);

	return send_on(&d->tx, fd, index, "host", l->parent, &f, size);
}

static int release_routed(struct daemon *d, const struct dhcp_todo *todo)
{
	const struct sockaddr_in to = { .sin_family = AF_INET,
					.sin_port = htons(SERVER_PORT),
					.sin_addr = todo->to.v4 };
	auto_(fd_close) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 &&
	    sendto(fd, todo->packet, todo->size, 0, (const struct sockaddr *)&to, sizeof(to)) >= 0)
		return 0;
	return tx_fail(&d->tx, -errno, "host: send to the server %s: %s", IP_S(todo->to),
		       strerror(errno));
}

int wire_release_from_host(struct daemon *d, const struct hold *l, const struct dhcp_todo *todo)
{
	int r = release_routed(d, todo);

	if (!*l->parent || release_on_parent(d, l, todo) < 0)
		return r;
	d->tx.err = 0;
	return 0;
}

/* ---- receiving ---------------------------------------------------------- */

/*
 * The UDP checksum is not looked at: a veth passes datagrams without a computed one.
 * The client compares transaction id, MAC and server.
 */
size_t wire_receive(const struct hold *l, const struct source *s, uint8_t *data)
{
	uint8_t buf[HEADERS + 40 + DHCP_PACKET];
	ssize_t n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
	size_t head, size, udp;

	if (n <= 0)
		return 0;
	size = (size_t)n;
	if (s == &l->udp) {
		size = size < DHCP_PACKET ? size : DHCP_PACKET;
		memcpy(data, buf, size);
		return size;
	}
	head = (buf[0] & 0xfu) * 4;
	if (size < HEADERS || buf[0] >> 4 != 4 || head < 20 || size < head + 8)
		return 0;
	udp = (size_t)buf[head + 4] << 8 | buf[head + 5];
	if (udp < 8 || udp > size - head || udp - 8 > DHCP_PACKET)
		return 0;
	memcpy(data, buf + head + 8, udp - 8);
	return udp - 8;
}

void wire_close(struct daemon *d, struct hold *l)
{
	daemon_unwatch(d, &l->packet);
	daemon_unwatch(d, &l->udp);
	daemon_unwatch(d, &l->arp);
}
