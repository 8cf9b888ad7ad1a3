/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * etc_files.h - what a container's /etc says of its network
 */
#ifndef CPLUG_CNITOOL_ETC_FILES_H
#define CPLUG_CNITOOL_ETC_FILES_H

#include "value/result.h"

/* /etc/hosts: localhost, and the hostname at each of n addresses (else 127.0.1.1). */
const char *etc_files_hosts(struct mem *m, const char *hostname, const struct result_ip *ips,
			    unsigned n);

/* /etc/resolv.conf; NULL if dns says nothing. */
const char *etc_files_resolv_conf(struct mem *m, const struct result_dns *dns);

/* Adds what b says to a; the first domain stays. */
void etc_files_merge_dns(struct mem *m, struct result_dns *a, const struct result_dns *b);

#endif
