// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * churn.c - creates and deletes links
 *
 *	churn RATE	RATE links a second (0: as many as possible) until SIGTERM
 *
 * Creates veth pairs one by one and deletes them in one request, by their link group: a deletion
 * waits for an RCU grace period, so single deletions reach only some dozens a second.  At the end
 * it prints "LINKS devices in SECONDS s".
 */
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAIRS = 25, GROUP = 0x6368, ROOM = 1024 };

static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	stop = sig;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_until(double when)
{
	double left = when - now();
	struct timespec t = { .tv_sec = (time_t)left };

	t.tv_nsec = (long)((left - (double)t.tv_sec) * 1e9);
	if (left > 0)
		nanosleep(&t, NULL);
}

/* Sends a request and receives the acknowledgement; exits on failure. */
static void call(struct mnl_socket *s, struct nlmsghdr *h, const char *what)
{
	static unsigned seq;
	char answer[8192];
	ssize_t n;

	h->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = ++seq;
	if (mnl_socket_sendto(s, h, h->nlmsg_len) >= 0)
		do {
			n = mnl_socket_recvfrom(s, answer, sizeof(answer));
			n = n < 0 ? n : mnl_cb_run(answer, (size_t)n, seq, 0, NULL, NULL);
		} while (n > 0 || (n < 0 && errno == EINTR));
	else
		n = -1;
	if (n < 0) {
		fprintf(stderr, "churn: %s: %s\n", what, strerror(errno));
		exit(1);
	}
}

static struct nlmsghdr *start(char room[ROOM], uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(room);

	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	mnl_attr_put_u32(h, IFLA_GROUP, GROUP);
	return h;
}

static void make_pair(struct mnl_socket *s, unsigned n)
{
	char room[ROOM], name[IFNAMSIZ];
	struct nlmsghdr *h = start(room, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct nlattr *info, *data, *peer;

	snprintf(name, sizeof(name), "churn%u", n);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	snprintf(name, sizeof(name), "churn%up", n);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_GROUP, GROUP);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	call(s, h, "make a pair");
}

static void delete_all(struct mnl_socket *s)
{
	char room[ROOM];

	call(s, start(room, RTM_DELLINK, 0), "delete the pairs");
}

int main(int argc, char **argv)
{
	double rate = argc > 1 ? strtod(argv[1], NULL) : 0, began = now();
	struct mnl_socket *s = mnl_socket_open(NETLINK_ROUTE);
	struct sigaction act = { .sa_handler = on_term };
	unsigned long made = 0;

	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		fprintf(stderr, "churn: netlink: %s\n", strerror(errno));
		return 1;
	}
	sigaction(SIGTERM, &act, NULL);
	while (!stop) {
		for (unsigned i = 0; i < PAIRS; i++)
			make_pair(s, i);
		delete_all(s);
		made += 2UL * PAIRS;
		if (rate > 0)
			pause_until(began + (double)made / rate);
	}
	printf("%lu devices in %.1f s\n", made, now() - began);
	mnl_socket_close(s);
	return 0;
}
