/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h - dhcp as a program: the daemon that keeps leases, and its client
 */
#ifndef CPLUG_DHCP_DAEMON_H
#define CPLUG_DHCP_DAEMON_H

/*
 * dhcp daemon [OPTION…], dhcp list [--json]: what the arguments say.  Returns the exit status.
 */
int dhcp_main(int argc, char **argv);

#endif
