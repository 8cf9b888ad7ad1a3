/* SPDX-License-Identifier: GPL-2.0-or-later */
/* diag.h - listening sockets of this host, and their processes (linux/inet_diag.h) */
#ifndef CPLUG_DIAG_H
#define CPLUG_DIAG_H

#include "value/ip.h"
#include "base/mem.h"

/* A socket that serves anybody: a TCP listener, or a UDP socket that is bound but not connected. */
struct diag_listener {
	uint8_t proto;
	bool v6only;    /* IPV6_V6ONLY; only if addr is IPv6 */
	struct ip addr; /* bound to; IPv4 if it serves only that */
	uint16_t port;
	uint32_t uid, inode;
	char process[48]; /* "77 (nginx)", set by diag_find_processes(); "" = unknown */
};

/*
 * All such sockets of this namespace on ports first to last, of both families, in the arena.  Two
 * requests, whatever the number of ports.  *ret_n is 0 for protocols other than TCP and UDP, and if
 * the kernel has no inet_diag.  Returns 0 or -errno.
 */
int diag_find_listeners(struct mem *mem, uint8_t proto, uint16_t first, uint16_t last,
			struct diag_listener **ret, unsigned *ret_n) CHECKED;

/*
 * Does the socket serve addr (no address: some address of family)?  A socket bound to the wildcard
 * address serves every address.
 */
bool diag_serves(const struct diag_listener *l, int family, struct ip addr);

/*
 * Finds the processes that have n sockets open, in one pass through /proc.  Call it only for
 * sockets that are going to be reported.  It stops after 50000 descriptors.
 */
void diag_find_processes(struct mem *mem, struct diag_listener *l, unsigned n);

/* "tcp 127.0.0.1:8080, inode 1234, uid 0, process 77 (nginx)"; without the process if unknown. */
const char *diag_str(struct mem *mem, const struct diag_listener *l);

#endif
