/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * podcidr.h - the subnets of this node, in a file that a cluster's controller writes
 *
 * Each line is KEY=value, as flannel writes /run/flannel/subnet.env:
 *
 *	FLANNEL_NETWORK=10.244.0.0/16		of the cluster: routes, with FLANNEL_MTU
 *	FLANNEL_SUBNET=10.244.1.1/24		of this node: range sets
 *	FLANNEL_IPV6_NETWORK=fd00:244::/48
 *	FLANNEL_IPV6_SUBNET=fd00:244:0:1::1/64
 *	FLANNEL_MTU=1450
 *	POD_CIDRS=10.244.1.0/24 fd00:244:0:1::/64	Kubernetes' spec.podCIDRs
 *
 * Lists are separated by commas or blanks.  Other keys are ignored.
 */
#ifndef CPLUG_HOST_LOCAL_PODCIDR_H
#define CPLUG_HOST_LOCAL_PODCIDR_H

#include "base/tx.h"
#include "value/cj.h"
#include "value/ip.h"

enum { PODCIDR_SUBNETS_MAX = 2, PODCIDR_NETWORKS_MAX = 64 };

struct podcidr {
	struct cidr subnets[PODCIDR_SUBNETS_MAX]; /* masked; at most one of each family */
	struct cidr networks[PODCIDR_NETWORKS_MAX];
	unsigned n_subnets, n_networks;
	int64_t mtu; /* in bytes, of the networks' routes; 0: none */
};

/*
 * "subnetFile" of ipam: the path that is read, with wanted (ranges is "podCIDR"); else NULL, and
 * the key is a complaint.
 */
const char *podcidr_conf(struct tx *tx, const struct cj *ipam, bool wanted);

/*
 * Reads the file, which the host must allow (HOSTCONF_SUBNET).  Fails with the code absent if it
 * is missing, incomplete or names no subnet, because the controller has not written it yet; and
 * with CPLUG_E_FILE if it cannot be read, is not root's, or has a wrong value.
 */
int podcidr_read(struct tx *tx, const char *path, enum cni_code absent,
		 struct podcidr *ret) CHECKED;

#endif
