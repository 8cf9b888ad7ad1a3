/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * differences.h - what a network's configuration does not do as with the reference plugins
 */
#ifndef CPLUG_CNITOOL_DIFFERENCES_H
#define CPLUG_CNITOOL_DIFFERENCES_H

#include "cnitool/netconf.h"

struct difference {
	const char *network, *path; /* "plugins[0].mtu" */
	bool note;                  /* nothing to do, and no container sees it */
	const char *text;
};

/* Where they are collected. */
struct differences {
	struct tx *tx;
	const struct plugin *const *plugins; /* the suite's, NULL-terminated */
	int default_mtu;                     /* bytes, of the host's default routes; 0 = none */
	struct difference *v;
	unsigned n, n_notes; /* n: with the notes */
};

/* Adds those of a network: values that cplug refuses, and what docs/config tells of its keys. */
void differences_find(struct differences *d, const struct netconf *n);

/* Adds one that concerns the host: path "". */
void differences_add(struct differences *d, const struct difference *one);

#endif
