// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udp_server.c - answers UDP datagrams
 *
 * udp_server PORT TEXT answers each datagram to PORT, over IPv4 and IPv6, with "TEXT from
 * ADDRESS": ADDRESS is the client's, in the form of socat's SOCAT_PEERADDR.  (socat 1.8.1 answers
 * only the first client of UDP4-RECVFROM,fork.)
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int serve(int family, uint16_t port)
{
	const int on = 1;
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union address a;

	memset(&a, 0, sizeof(a));
	a.any.sa_family = (sa_family_t)family;
	if (family == AF_INET)
		a.v4.sin_port = htons(port);
	else
		a.v6.sin6_port = htons(port);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    (family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
	    bind(fd, &a.any, sizeof(a)) < 0) {
		perror("udp_server");
		exit(1);
	}
	return fd;
}

static void print_address(const union address *a, char *text, size_t size)
{
	const unsigned char *b = a->v6.sin6_addr.s6_addr;

	if (a->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &a->v4.sin_addr, text, (socklen_t)size);
	else
		snprintf(
			text, size,
			"[%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x:%02x%02x]",
			b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
			b[12], b[13], b[14], b[15]);
}

static void answer(int fd, const char *words)
{
	char question[2048], address[64], text[2048];
	union address from;
	socklen_t size = sizeof(from);
	int n;

	if (recvfrom(fd, question, sizeof(question), 0, &from.any, &size) < 0)
		return;
	print_address(&from, address, sizeof(address));
	n = snprintf(text, sizeof(text), "%s from %s\n", words, address);
	if (n > 0 && (size_t)n < sizeof(text) &&
	    sendto(fd, text, (size_t)n, 0, &from.any, size) < 0)
		perror("udp_server");
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	uint16_t port;

	if (argc != 3)
		return 2;
	port = (uint16_t)strtoul(argv[1], NULL, 10);
	fds[0].fd = serve(AF_INET, port);
	fds[1].fd = serve(AF_INET6, port);
	while (poll(fds, 2, -1) > 0)
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				answer(fds[i].fd, argv[2]);
	return 1;
}
