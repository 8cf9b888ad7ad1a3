// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dhcp6_server.c - a DHCPv6 server that does what a script says, for tests
 *
 * dhcp6_server IFACE SCRIPT answers on IFACE.  SCRIPT is a file of words KEY=VALUE, which is read
 * again for each message, so that a test can change the server while it runs:
 *
 *	mode=reply|silent	(reply)
 *	server=1		last byte of the server's DUID; a message to another one is not
 *answered first=fd00:5::50	the first client's address, the next one's is one more valid=5
 *preferred=5 t1=0 t2=0	in seconds dns=::			(::: not sent)
 *	rapid=0			1: a SOLICIT with rapid commit gets a REPLY
 *	preference=0		of ADVERTISE
 *	status=0		status code of all answers
 *	ia=0 renew=0 confirm=0	status code in the IA_NA of answers to REQUEST; RENEW and REBIND; of
 *				answers to CONFIRM
 *	withdraw=0		1: RENEW and REBIND get lifetimes of 0
 *	twice=0			1: each answer comes twice
 *	lose=0			N: each N-th message is lost
 *	forge=0			1: another transaction id; 2: another client identifier; 3: an
 *option that is longer than the message
 *
 * Each message is a line on stdout: milliseconds since the start, its type, "for" the address it
 * names (::: none), "by" the hash of its client identifier, and the type of the answer, or "-".
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

enum { SOLICIT = 1, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY, RELEASE, DECLINE, TYPES };
enum { CLIENT_ID = 1, SERVER_ID, IA_NA, IAADDR = 5, PREFERENCE = 7, STATUS = 13, RAPID, DNS = 23 };
enum { CLIENTS = 256 };

static const char *const type_names[TYPES] = { "?",       "SOLICIT", "ADVERTISE", "REQUEST",
					       "CONFIRM", "RENEW",   "REBIND",    "REPLY",
					       "RELEASE", "DECLINE" };

struct message {
	unsigned char b[1500];
	size_t n;
};

struct option {
	const unsigned char *p; /* NULL: not there */
	size_t n;
};

static unsigned clients[CLIENTS];
static unsigned n_clients, n_messages;

/* ---- the script ---------------------------------------------------------------- */

static struct in6_addr address(const char *key, const char *otherwise)
{
	struct in6_addr a;

	if (inet_pton(AF_INET6, word(key, otherwise), &a) != 1)
		errx(1, "%s is not an address", key);
	return a;
}

/* ---- messages -------------------------------------------------------------------- */

static void put16(struct message *m, unsigned value)
{
	m->b[m->n++] = (unsigned char)(value >> 8);
	m->b[m->n++] = (unsigned char)value;
}

static void put32(struct message *m, unsigned value)
{
	put16(m, value >> 16);
	put16(m, value & 0xffff);
}

static void put(struct message *m, unsigned code, const void *data, size_t size)
{
	put16(m, code);
	put16(m, (unsigned)size);
	if (size)
		memcpy(m->b + m->n, data, size);
	m->n += size;
}

static void put_status(struct message *m, unsigned status)
{
	const unsigned char code[2] = { 0, (unsigned char)status };

	if (status)
		put(m, STATUS, code, 2);
}

static struct option get(const unsigned char *p, size_t n, unsigned code)
{
	for (size_t i = 0; i + 4 <= n;) {
		size_t size = (size_t)p[i + 2] << 8 | p[i + 3];

		if (size > n - i - 4)
			break;
		if ((unsigned)(p[i] << 8 | p[i + 1]) == code)
			return (struct option){ p + i + 4, size };
		i += 4 + size;
	}
	return (struct option){ NULL, 0 };
}

static struct option find(const struct message *m, unsigned code)
{
	return get(m->b + 4, m->n - 4, code);
}

static unsigned hash(struct option o)
{
	unsigned h = 5381;

	for (size_t i = 0; i < o.n; i++)
		h = h * 33 + o.p[i];
	return h;
}

/* The address of a client: by its identifier, in the order in which they came. */
static struct in6_addr address_of(const struct message *m)
{
	struct in6_addr a = address("first", "fd00:5::50");
	unsigned id = hash(find(m, CLIENT_ID)), i;

	for (i = 0; i < n_clients && clients[i] != id; i++)
		;
	if (i == n_clients && n_clients < CLIENTS)
		clients[n_clients++] = id;
	a.s6_addr[15] = (unsigned char)(a.s6_addr[15] + i);
	return a;
}

static struct in6_addr wanted_of(const struct message *m)
{
	struct option ia = find(m, IA_NA), o = { NULL, 0 };
	struct in6_addr a = in6addr_any;

	if (ia.n >= 12)
		o = get(ia.p + 12, ia.n - 12, IAADDR);
	if (o.n >= 16)
		memcpy(&a, o.p, 16);
	return a;
}

/* DUID-LL of a MAC whose last byte is the word "server". */
static void server_id(unsigned char duid[10])
{
	memcpy(duid, "\0\3\0\1\2\0\0\0\0", 9);
	duid[9] = (unsigned char)number("server", 1);
}

/* The type of the answer; 0: none. */
static unsigned char decide(const struct message *m)
{
	struct option to = find(m, SERVER_ID);
	unsigned lose = number("lose", 0);
	unsigned char type = m->b[0], me[10];

	n_messages++;
	server_id(me);
	if (strcmp(word("mode", "reply"), "silent") == 0 || (lose && n_messages % lose == 0))
		return 0;
	if (to.p && (to.n != sizeof(me) || memcmp(to.p, me, sizeof(me)) != 0))
		return 0;
	if (type == SOLICIT)
		return number("rapid", 0) && find(m, RAPID).p ? REPLY : ADVERTISE;
	return REPLY;
}

static void put_ia(struct message *out, const struct message *m)
{
	struct option ia = find(m, IA_NA);
	struct in6_addr a = address_of(m);
	unsigned char type = m->b[0];
	bool again = type == RENEW || type == REBIND;
	unsigned status = number(again ? "renew" : "ia", 0);
	bool withdraw = again && number("withdraw", 0);
	size_t at = out->n;

	if (ia.n < 4 || (type != SOLICIT && type != REQUEST && !again))
		return;
	if (type == SOLICIT)
		status = 0;
	put16(out, IA_NA);
	put16(out, 0);
	memcpy(out->b + out->n, ia.p, 4);
	out->n += 4;
	put32(out, number("t1", 0));
	put32(out, number("t2", 0));
	put_status(out, status);
	if (!status) {
		put16(out, IAADDR);
		put16(out, 24);
		memcpy(out->b + out->n, &a, 16);
		out->n += 16;
		put32(out, withdraw ? 0 : number("preferred", number("valid", 5)));
		put32(out, withdraw ? 0 : number("valid", 5));
	}
	out->b[at + 3] = (unsigned char)(out->n - at - 4);
}

static struct message compose(const struct message *m, unsigned char type)
{
	struct option client = find(m, CLIENT_ID);
	struct in6_addr dns = address("dns", "::");
	unsigned char me[10], preference = (unsigned char)number("preference", 0);
	unsigned forge = number("forge", 0);
	struct message out = { .n = 4 };

	server_id(me);
	memcpy(out.b, m->b, 4);
	out.b[0] = type;
	if (forge == 1)
		out.b[3] ^= 1;
	put(&out, CLIENT_ID, client.p, client.n);
	if (forge == 2 && client.n)
		out.b[out.n - 1] ^= 1;
	put(&out, SERVER_ID, me, sizeof(me));
	put_status(&out, number("status", 0));
	if (m->b[0] == CONFIRM)
		put_status(&out, number("confirm", 0));
	if (type == ADVERTISE)
		put(&out, PREFERENCE, &preference, 1);
	else if (m->b[0] == SOLICIT)
		put(&out, RAPID, NULL, 0);
	put_ia(&out, m);
	if (!IN6_IS_ADDR_UNSPECIFIED(&dns))
		put(&out, DNS, &dns, 16);
	if (forge == 3) {
		put16(&out, DNS);
		put16(&out, 0xffff);
	}
	return out;
}

/* ---- the server -------------------------------------------------------------------- */

static int open_socket(const char *iface)
{
	const struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons(547) };
	struct ipv6_mreq group = { .ipv6mr_interface = if_nametoindex(iface) };
	const int on = 1;
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET6, "ff02::1:2", &group.ipv6mr_multiaddr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface, (socklen_t)strlen(iface)) < 0 ||
	    setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &group, sizeof(group)) < 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		err(1, "%s", iface);
	return fd;
}

static void answer(int fd, const struct message *m, const struct sockaddr_in6 *from)
{
	unsigned char type = m->b[0] < TYPES ? m->b[0] : 0, reply = decide(m);
	struct in6_addr wanted = wanted_of(m);
	char text[INET6_ADDRSTRLEN];
	struct message out;

	inet_ntop(AF_INET6, &wanted, text, sizeof(text));
	printf("%ld %s for %s by %08x %s\n", milliseconds(), type_names[type], text,
	       hash(find(m, CLIENT_ID)), reply ? type_names[reply] : "-");
	fflush(stdout);
	if (!reply)
		return;
	out = compose(m, reply);
	for (unsigned i = 0; i <= number("twice", 0); i++)
		(void)sendto(fd, out.b, out.n, 0, (const struct sockaddr *)from, sizeof(*from));
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		errx(2, "usage: dhcp6_server IFACE SCRIPT");
	fd = open_socket(argv[1]);
	(void)milliseconds();
	for (;;) {
		struct message m;
		struct sockaddr_in6 from;
		socklen_t size = sizeof(from);
		ssize_t n = recvfrom(fd, m.b, sizeof(m.b), 0, (struct sockaddr *)&from, &size);

		if (n < 4)
			continue;
		m.n = (size_t)n;
		read_script(argv[2]);
		answer(fd, &m, &from);
	}
}
