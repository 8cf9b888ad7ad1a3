/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - who listens on a port of this host?  (linux/inet_diag.h)
 */
#ifndef CPLUG_DIAG_H
#define CPLUG_DIAG_H

#include "value/ip.h"
#include "base/mem.h"

/* A socket that waits for whoever comes: a TCP listener, or a UDP socket bound but not connected */
struct diag_listener {
	uint8_t proto;
	bool v6only;    /* only where addr is IPv6 */
	struct ip addr; /* what it is bound to; as IPv4 if it can serve nothing else */
	uint16_t port;
	uint32_t uid, inode;
	char process[48]; /* "77 (nginx)" after diag_find_processes(), "" = not known */
};

/*
 * All such sockets of this namespace on the ports first … last, of both families:
 * two questions however many ports.  *ret lives in the arena.  A kernel without
 * inet_diag knows none, and so does a protocol other than TCP and UDP.  Returns 0 or
 * -errno, unrecorded.
 */
int diag_find_listeners(struct mem *mem, uint8_t proto, uint16_t first, uint16_t last,
			struct diag_listener **ret, unsigned *ret_n) CHECKED;

/*
 * Would it serve addr (no address: any address of family)?  A socket bound to the
 * wildcard serves every address.
 */
bool diag_serves(const struct diag_listener *l, int family, struct ip addr);

/*
 * Looks for the processes that have the sockets open: once through /proc for all of
 * them, so only for whom the answer matters.  With an end to the effort.
 */
void diag_find_processes(struct mem *mem, struct diag_listener *l, unsigned n);

/* "tcp 127.0.0.1:8080, inode 1234, uid 0, process 77 (nginx)" as far as it is known. */
const char *diag_str(struct mem *mem, const struct diag_listener *l);

#endif
