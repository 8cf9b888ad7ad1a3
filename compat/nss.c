// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * nss.c - a static cplug does not resolve names of hosts and protocols
 *
 * Functions of libnl-3 that cplug does not call (nl_addr_parse() and others) look up names of
 * hosts and protocols in the C library.  That would link a resolver and a loader of NSS modules:
 * 300 KB, which in a static executable only work with the libc it was built with.  The functions
 * here replace them, and return that the name does not exist.
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
