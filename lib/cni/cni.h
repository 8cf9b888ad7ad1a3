/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cni.h - the contract: the dispatcher that runs a plugin
 *
 * It reads the request, opens the namespaces, begins the transaction, calls the
 * verb, prints the one JSON document, and then commits, or rolls back.
 */
#ifndef CPLUG_CNI_H
#define CPLUG_CNI_H

#include "cni/plugin.h"

/*
 * Runs plugin p as the CNI contract says; returns the exit status.  all: every plugin of
 * this program, NULL-terminated, of which a delegate may be one.
 */
int cni_main(const struct plugin *const *all, const struct plugin *p);

#endif
