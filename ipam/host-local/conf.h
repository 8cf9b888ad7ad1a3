/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - the configuration of host-local
 */
#ifndef CPLUG_HOST_LOCAL_CONF_H
#define CPLUG_HOST_LOCAL_CONF_H

#include "cni/call.h"
#include "ipam/host-local/pool.h"

struct wish {
	struct ip ip;
	bool granted;
};

struct local_conf {
	const char *data_dir, *resolv_conf;
	struct pool pool;
	struct wish *wishes; /* addresses asked for, each once */
	unsigned n_wishes;
};

/* ipam.dataDir, for verbs that need nothing else; cj_ok() tells whether it is usable. */
const char *local_conf_data_dir(const struct call *c);

/* What every verb but DEL and GC needs.  Fails with CNI_E_CONFIG. */
int local_conf_read(struct tx *tx, const struct call *c, struct local_conf *ret) CHECKED;

/*
 * Adds the addresses asked for: CNI_ARGS IP, args.cni.ips, runtimeConfig.ips, in this
 * order.  Fails with CNI_E_ENV or CNI_E_CONFIG.
 */
int local_conf_read_wishes(struct tx *tx, const struct call *c, struct local_conf *cf) CHECKED;

#endif
