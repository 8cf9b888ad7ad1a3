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
	bool held;        /* set by diag_find_holders() */
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
 * Marks those of n sockets as held that belong to root and that a process of root has open whose
 * name (proc_pid_comm(5)) is in names, which ends with NULL.  A name alone proves nothing, because
 * every user can choose it: all four user IDs of the process are 0 (proc_pid_status(5)), and it is
 * in the network namespace of the call, which a container's root is not.  It opens the descriptors
 * of such processes only, so that no other's number of descriptors makes it slow or blind, and at
 * most a million of them.
 */
void diag_find_holders(struct mem *mem, struct diag_listener *l, unsigned n,
		       const char *const *names);

/*
 * Finds the processes that have n sockets open, in one pass through /proc, for a report only: it
 * stops after 50000 descriptors, which a user's processes can have.
 */
void diag_find_processes(struct mem *mem, struct diag_listener *l, unsigned n);

/* "tcp 127.0.0.1:8080, inode 1234, uid 0, process 77 (nginx)"; without the process if unknown. */
const char *diag_str(struct mem *mem, const struct diag_listener *l);

#endif
