/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - how to reach etcd: /etc/cplug/cluster.conf
 *
 * Only the host's administrator says where etcd is and who we are there: the file must be root's,
 * and no other user may write it.  A network configuration, which with Multus a user of the cluster
 * may write, names neither.
 */
#ifndef CPLUG_CLUSTER_HELPER_CONF_H
#define CPLUG_CLUSTER_HELPER_CONF_H

#include "base/tx.h"
#include "value/cj.h"

#define CLUSTER_CONF "/etc/cplug/cluster.conf"

struct cluster_conf {
	const char **endpoints; /* "https://10.0.0.1:2379", without a slash at the end */
	unsigned n_endpoints;
	const char *prefix;          /* of all keys, "/cplug/v1" */
	const char *node;            /* our name */
	const char *ca, *cert, *key; /* paths of PEM files; NULL: none */
	const char *user, *password; /* NULL: none */
	int timeout_ms;              /* of one request */
	struct cj networks;          /* {NETWORK or "*": [SUBNET]}; no object: any */
};

/*
 * May this network have blocks in the subnet?  The file's "networks" says so, with the key "*" for
 * any network; without it any, and ranges_value() looks at new ranges.
 */
bool cluster_conf_allows(const struct cluster_conf *cf, const char *network, struct cidr subnet);

/*
 * Reads the file.  Fails with CNI_E_UNAVAILABLE if there is none, and with CNI_E_CONFIG for all its
 * mistakes.
 */
int cluster_conf_read(struct tx *tx, struct cluster_conf *ret) CHECKED;

#endif
