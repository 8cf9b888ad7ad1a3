/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * reference.h - what the reference plugins have made in nf_tables for an attachment
 *
 * DEL of an attachment that the reference has added frees what it left there, by its names and
 * comments: the chains of iptables-nft, and the rules of its nftables backend (v1.6 and later).
 *
 *	nat      CNI-HASH, to which POSTROUTING jumps from the container's address (ipMasq)
 *	nat      CNI-DN-HASH, to which CNI-HOSTPORT-DNAT jumps (portmap)
 *	bridge   table nat, cni-br-iface-ID-IFNAME, to which PREROUTING jumps (macspoofchk)
 *	inet     table cni_plugins_masquerade, rules of chain masq_checks (ipMasq)
 *	ip, ip6  table cni_hostport, rules of three chains (portmap)
 *
 * HASH is of network and container id, so two interfaces of a container on one network share the
 * chains: only the jumps of the attachment's addresses are deleted, and a chain with its last jump.
 * The rules of the reference plugin firewall are in ipt.h.  Rules of iptables-legacy are not in
 * nf_tables, and stay.
 *
 * Functions return 0 or a recorded failure.
 */
#ifndef CPLUG_REFERENCE_H
#define CPLUG_REFERENCE_H

#include "nft/nft.h"

enum reference_part {
	REFERENCE_MASQ = 1,
	REFERENCE_SPOOF = 2,
	REFERENCE_PORTS = 4,
	REFERENCE_ALL = 7,
};

struct reference {
	const char *network, *id;
	const char *ifname;   /* NULL: a finding that concerns all interfaces of the container */
	const struct ip *ips; /* the attachment's addresses, if they are known */
	unsigned n_ips;
	bool dead; /* the container has no other attachment on this network */
};

/*
 * Deletes some parts (enum reference_part).  Nothing to delete is success, and costs one datagram.
 * If the addresses are not known, and there are several jumps of a family, these stay, unless dead.
 */
int reference_del(struct tx *tx, struct nfnl *nl, const struct reference *r,
		  unsigned parts) CHECKED;

/* Owners of masquerade and ports, each once, in the arena: for GC.  dead and ips are not set. */
int reference_survey(struct tx *tx, struct nfnl *nl, struct reference **ret,
		     unsigned *ret_n) CHECKED;

#endif
