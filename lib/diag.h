/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diag.h - who listens on a port of this host?  (linux/inet_diag.h)
 */
#ifndef CPLUG_DIAG_H
#define CPLUG_DIAG_H

#include "ip.h"
#include "tx.h"

/*
 * Is there a TCP listener, or a UDP socket bound but not connected, on port in
 * this namespace that would serve addr (no address: any address of family)?  A
 * socket bound to the wildcard serves every address.  A port found is
 * described in text ("tcp 127.0.0.1:8080, inode 1234, uid 0, process 77 (nginx)" as
 * far as it can be known).  Returns 1 if so, 0 if not, -errno unrecorded; a kernel
 * without inet_diag answers 0.  Protocols other than TCP and UDP: 0.
 */
int diag_listener(uint8_t proto, int family, struct ip addr, uint16_t port, char *text,
		  size_t size) CHECKED;

#endif
