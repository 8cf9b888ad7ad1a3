/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * conf.h - the configuration of the tuning plugin (docs/config/tuning.md)
 */
#ifndef CPLUG_TUNING_CONF_H
#define CPLUG_TUNING_CONF_H

#include "cni/conf.h"
#include "sys/sysctl.h"

struct tuning_conf {
	struct link_want link; /* MAC, MTU, promiscuous and all-multicast mode, queue length */
	struct sysctl_value *sysctls;
	const char **keys; /* of the sysctls, as written */
	unsigned n;
	const char *dir; /* where the values before are saved */
};

/* Does it ask for a change of the link? */
static inline bool tuning_wants_link(const struct tuning_conf *cf)
{
	const struct link_want *w = &cf->link;

	return w->mac.len || w->mtu || w->promisc || w->allmulti || w->txqlen;
}

/* "dataDir" alone, for DEL and GC; complaints go to the configuration. */
const char *tuning_read_dir(struct tx *tx, const struct call *c);

/* Reads all keys, and fails with all mistakes at once. */
int tuning_read_conf(struct tx *tx, const struct call *c, struct tuning_conf *ret) CHECKED;

/*
 * Fails (with code) unless the host's /etc/cni/tuning/allowlist.conf allows all sysctls.  Without
 * that file all are allowed.
 */
int tuning_check_allowed(struct tx *tx, const struct tuning_conf *cf, enum cni_code code) CHECKED;

#endif
