/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * etc_files.h - contents of a container's /etc/hosts and /etc/resolv.conf
 */
#ifndef CPLUG_CNITOOL_ETC_FILES_H
#define CPLUG_CNITOOL_ETC_FILES_H

#include "value/result.h"

/* hosts(5): localhost, and hostname with each of n addresses; with 127.0.1.1 if n is 0. */
const char *etc_files_hosts(struct mem *m, const char *hostname, const struct result_ip *ips,
			    unsigned n);

/* resolv.conf(5); NULL if dns is empty. */
const char *etc_files_resolv_conf(struct mem *m, const struct result_dns *dns);

/* Adds the values of b that a does not have.  a keeps its domain. */
void etc_files_merge_dns(struct mem *m, struct result_dns *a, const struct result_dns *b);

#endif
