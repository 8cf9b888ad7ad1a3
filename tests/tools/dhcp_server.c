// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dhcp_server.c - a DHCPv4 server that does what a script says, for tests
 *
 * dhcp_server IFACE SCRIPT answers on IFACE.  SCRIPT is a file of words KEY=VALUE, which is read
 * again for each message, so that a test can change the server while it runs:
 *
 *	mode=ack		nak: answers every REQUEST so; silent: answers nothing; rogue:
 *				answers no DISCOVER, and NAK also to a REQUEST for another server
 *	server=10.5.0.1		server identifier
 *	first=10.5.0.50		the first client's address; the next one's is one more, and one
 *				more after each DECLINE.  A REQUEST for another address gets a NAK
 *	ack=0.0.0.0		the address of every ACK; 0.0.0.0: the one that was asked for
 *	mask=255.255.255.0
 *	router=10.5.0.1
 *	dns=0.0.0.0		0.0.0.0: not sent
 *	lease=5			in seconds
 *	t1=0, t2=0		in seconds; 0: not sent
 *	mtu=0
 *	twice=0			1: each answer comes twice
 *	lose=0			N: each N-th message is lost
 *	forge=0			1: answers have another transaction id, as a rogue server's that
 *				guesses
 *
 * Each message is a line on stdout: milliseconds since the start, its type, "from" source, "for"
 * the address it asks for (0.0.0.0: none), and the type of the answer, or "-".
 */
#include <arpa/inet.h>
#include <err.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "script.h"

enum { DISCOVER = 1, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM, TYPES };
enum { OPTIONS = 240, CLIENTS = 256 };

static const char *const type_names[TYPES] = { "?",   "DISCOVER", "OFFER",   "REQUEST", "DECLINE",
					       "ACK", "NAK",      "RELEASE", "INFORM" };

struct message {
	unsigned char b[1500];
	size_t n;
};

static unsigned char clients[CLIENTS][6];
static unsigned n_clients, n_messages, n_declined;

/* ---- the script ---------------------------------------------------------------- */

static unsigned address(const char *key, const char *otherwise)
{
	struct in_addr a;

	if (inet_pton(AF_INET, word(key, otherwise), &a) != 1)
		errx(1, "%s is not an address", key);
	return a.s_addr;
}

/* ---- messages -------------------------------------------------------------------- */

static void put(struct message *m, unsigned char code, const void *data, size_t size)
{
	m->b[m->n++] = code;
	m->b[m->n++] = (unsigned char)size;
	memcpy(m->b + m->n, data, size);
	m->n += size;
}

/* An option of four bytes in network order, if it is not 0. */
static void put4(struct message *m, unsigned char code, unsigned value)
{
	if (value)
		put(m, code, &value, 4);
}

static const unsigned char *get(const struct message *m, unsigned char code, size_t size)
{
	for (size_t i = OPTIONS; i + 1 < m->n && m->b[i] != 255;) {
		if (m->b[i] == 0) {
			i++;
			continue;
		}
		if (i + 2 + m->b[i + 1] > m->n)
			break;
		if (m->b[i] == code && m->b[i + 1] == size)
			return m->b + i + 2;
		i += 2u + m->b[i + 1];
	}
	return NULL;
}

static unsigned get4(const struct message *m, unsigned char code, unsigned otherwise)
{
	const unsigned char *p = get(m, code, 4);
	unsigned value = otherwise;

	if (p)
		memcpy(&value, p, 4);
	return value;
}

/* The address of a client: by its MAC, in the order in which they came. */
static unsigned address_of(const struct message *m)
{
	unsigned i;

	for (i = 0; i < n_clients && memcmp(clients[i], m->b + 28, 6) != 0; i++)
		;
	if (i == n_clients && n_clients < CLIENTS)
		memcpy(clients[n_clients++], m->b + 28, 6);
	return htonl(ntohl(address("first", "10.5.0.50")) + i + n_declined);
}

/* The type of the answer; 0: none. */
static unsigned char decide(const struct message *m, unsigned char type, unsigned wanted)
{
	bool rogue = strcmp(word("mode", "ack"), "rogue") == 0;
	bool nak = rogue || strcmp(word("mode", "ack"), "nak") == 0;
	unsigned me = address("server", "10.5.0.1"), lose = number("lose", 0);

	n_messages++;
	n_declined += type == DECLINE;
	if (strcmp(word("mode", "ack"), "silent") == 0 || (lose && n_messages % lose == 0))
		return 0;
	if (type == DISCOVER)
		return rogue ? 0 : OFFER;
	/* A REQUEST for another server is not for us. */
	if (type != REQUEST || (!rogue && get4(m, 54, me) != me))
		return 0;
	if (nak || wanted != address_of(m))
		return NAK;
	return ACK;
}

static struct message compose(const struct message *m, unsigned char type)
{
	struct message out = { .n = OPTIONS };
	unsigned yiaddr = type == NAK ? 0 : address_of(m);
	unsigned lease = htonl(number("lease", 5));
	unsigned short mtu = htons((unsigned short)number("mtu", 0));

	if (type == ACK && address("ack", "0.0.0.0"))
		yiaddr = address("ack", "0.0.0.0");
	out.b[0] = 2;
	memcpy(out.b + 1, m->b + 1, 2);
	memcpy(out.b + 4, m->b + 4, 4);
	out.b[4] = (unsigned char)(out.b[4] ^ number("forge", 0));
	memcpy(out.b + 10, m->b + 10, 2);
	memcpy(out.b + 16, &yiaddr, 4);
	memcpy(out.b + 28, m->b + 28, 16);
	memcpy(out.b + 236, m->b + 236, 4);
	put(&out, 53, &type, 1);
	put4(&out, 54, address("server", "10.5.0.1"));
	if (type != NAK) {
		put(&out, 51, &lease, 4);
		put4(&out, 58, htonl(number("t1", 0)));
		put4(&out, 59, htonl(number("t2", 0)));
		put4(&out, 1, address("mask", "255.255.255.0"));
		put4(&out, 3, address("router", "10.5.0.1"));
		put4(&out, 6, address("dns", "0.0.0.0"));
		if (mtu)
			put(&out, 26, &mtu, 2);
	}
	out.b[out.n++] = 255;
	if (out.n < 300)
		out.n = 300;
	return out;
}

/* ---- the server -------------------------------------------------------------------- */

static int open_socket(const char *iface)
{
	const struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(67) };
	const int on = 1;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface, (socklen_t)strlen(iface)) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		err(1, "%s", iface);
	return fd;
}

static void answer(int fd, const struct message *m, struct sockaddr_in from)
{
	const unsigned char *p = get(m, 53, 1);
	unsigned char type = p && *p < TYPES ? *p : 0, reply;
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(68),
				  .sin_addr.s_addr = INADDR_BROADCAST };
	struct in_addr wanted;
	struct message out;
	char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN];

	memcpy(&wanted.s_addr, m->b + 12, 4);
	wanted.s_addr = get4(m, 50, wanted.s_addr);
	reply = decide(m, type, wanted.s_addr);
	inet_ntop(AF_INET, &from.sin_addr, a, sizeof(a));
	inet_ntop(AF_INET, &wanted, b, sizeof(b));
	printf("%ld %s from %s for %s %s\n", milliseconds(), type_names[type], a, b,
	       reply ? type_names[reply] : "-");
	fflush(stdout);
	if (!reply)
		return;
	out = compose(m, reply);
	/* As RFC 2131, 4.1: to the client's address if it has one and is not refused. */
	if (reply == ACK && from.sin_addr.s_addr)
		to.sin_addr = from.sin_addr;
	for (unsigned i = 0; i <= number("twice", 0); i++)
		(void)sendto(fd, out.b, out.n, 0, (struct sockaddr *)&to, sizeof(to));
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		errx(2, "usage: dhcp_server IFACE SCRIPT");
	fd = open_socket(argv[1]);
	(void)milliseconds();
	for (;;) {
		struct message m;
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, m.b, sizeof(m.b), 0, (struct sockaddr *)&from, &size);

		if (n < OPTIONS || m.b[0] != 1)
			continue;
		m.n = (size_t)n;
		read_script(argv[2]);
		answer(fd, &m, from);
	}
}
