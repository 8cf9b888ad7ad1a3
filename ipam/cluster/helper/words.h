/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * words.h - the command line of the administrator's actions
 */
#ifndef CPLUG_CLUSTER_HELPER_WORDS_H
#define CPLUG_CLUSTER_HELPER_WORDS_H

#include "base/tx.h"
#include "ipam/cluster/helper/wire_link.h"

/* list, reclaim, forget, join or leave, and what follows. */
struct words {
	const char *word;
	const char *arg;     /* the node of reclaim, else a network; NULL: none */
	bool force;          /* of reclaim */
	struct wire_node me; /* of join: local, addresses, vni and port */
};

extern const char words_usage[];

/* Reads argv[1] and what follows.  Fails with CNI_E_FIELD, and says which word is wrong. */
int words_read(struct tx *tx, int argc, char **argv, struct words *ret) CHECKED;

#endif
