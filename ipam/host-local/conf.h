/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - the configuration of host-local
 */
#ifndef CPLUG_HOST_LOCAL_CONF_H
#define CPLUG_HOST_LOCAL_CONF_H

#include "cni/call.h"
#include "ipam/host-local/podcidr.h"
#include "ipam/host-local/pool.h"

struct request {
	struct ip ip;
	bool granted;
};

struct local_conf;

/* Range sets that change while a call runs: those of another IPAM plugin that leases as host-local.
 */
struct local_source {
	/* Reads the range sets; the caller holds the lock of the leases. */
	int (*load)(struct tx *tx, struct call *c, struct local_conf *cf);
	/* Every address of a set is leased: gets more.  The caller holds no lock. */
	int (*grow)(struct tx *tx, struct call *c, struct local_conf *cf, unsigned set);
};

struct local_conf {
	const char *data_dir, *resolv_conf;
	const char *subnet_file;           /* NULL: ipam.ranges is not "podCIDR" */
	struct podcidr podcidr;            /* of local_conf_load_podcidr() */
	const struct local_source *source; /* NULL: the range sets are those of the configuration */
	void *arg;                         /* of the source */
	struct pool pool;
	struct request *requests; /* requested addresses, each once */
	unsigned n_requests;
};

/* ipam.dataDir, for verbs that need nothing else; complaints go to the configuration. */
const char *local_conf_data_dir(const struct call *c);

/* Reads what every verb except DEL and GC needs.  Fails with CNI_E_CONFIG. */
int local_conf_read(struct tx *tx, const struct call *c, struct local_conf *ret) CHECKED;

/*
 * With ipam.ranges "podCIDR": reads the subnets of this node, and adds them to the range sets.
 * Fails as podcidr_read() does, and with CPLUG_E_FILE for a subnet that does not fit.
 */
int local_conf_load_podcidr(struct tx *tx, const struct call *c, enum cni_code absent,
			    struct local_conf *cf) CHECKED;

/*
 * Adds the requested addresses: IP of CNI_ARGS, args.cni.ips, runtimeConfig.ips, in this
 * order.  Fails with CNI_E_ENV or CNI_E_CONFIG.
 */
int local_conf_read_requests(struct tx *tx, const struct call *c, struct local_conf *cf) CHECKED;

#endif
