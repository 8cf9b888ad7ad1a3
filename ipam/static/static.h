/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * static.h - conf.c reads, static.c has the verbs; cnitool assign takes the same addresses
 */
#ifndef CPLUG_STATIC_H
#define CPLUG_STATIC_H

#include "cni/call.h"

struct static_address {
	struct cidr addr;
	struct ip gateway; /* family 0: none */
	bool configured;   /* from ipam.addresses */
	const char *from;  /* the key, for a message */
};

struct static_conf {
	struct static_address *all; /* from every source */
	unsigned n_all;
	unsigned first; /* all[first … n_all - 1] are the container's */
};

/* Why no container can have the address: "is …", with a remedy; NULL: it can. */
const char *static_why_unusable(struct cidr a);

/* Reads addresses and gateways, and fails with all mistakes at once.  None is no failure. */
int static_read_conf(struct tx *tx, const struct call *c, struct static_conf *cf) CHECKED;

#endif
