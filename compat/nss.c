// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nss.c - no names of hosts and protocols in a static cplug
 *
 * Functions of libnl-3 that nobody calls here (nl_addr_parse() and such) ask the C
 * library for names of hosts and protocols, and with that come a resolver and a loader
 * of plugins: 300 KB, which in a static executable work only beside the very libc it
 * was built with.  These stand in their places; each answers that there is no such name.
 * POSIX.1-2017 getaddrinfo, getnameinfo, getprotoent.
 */
#include <netdb.h>
#include <stddef.h>

int getaddrinfo(const char *restrict name, const char *restrict service,
		const struct addrinfo *restrict req, struct addrinfo **restrict pai)
{
	(void)name;
	(void)service;
	(void)req;
	*pai = NULL;
	return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *ai)
{
	(void)ai;
}

int getnameinfo(const struct sockaddr *restrict sa, socklen_t salen, char *restrict host,
		socklen_t hostlen, char *restrict serv, socklen_t servlen, int flags)
{
	(void)sa;
	(void)salen;
	(void)host;
	(void)hostlen;
	(void)serv;
	(void)servlen;
	(void)flags;
	return EAI_NONAME;
}

struct protoent *getprotobyname(const char *name)
{
	(void)name;
	return NULL;
}

struct protoent *getprotobynumber(int proto)
{
	(void)proto;
	return NULL;
}
