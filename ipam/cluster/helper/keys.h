/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * keys.h - the keys of blocks in etcd, and their values  (blocks.h)
 */
#ifndef CPLUG_CLUSTER_HELPER_KEYS_H
#define CPLUG_CLUSTER_HELPER_KEYS_H

#include "ipam/cluster/helper/request.h"

/* The key of a block: who has it. */
const char *keys_block(const struct blocks *b, const char *network, struct cidr c);
/* The key of this node in the request's network; and of one of its blocks there. */
const char *keys_node(const struct blocks *b);
const char *keys_own(const struct blocks *b, struct cidr c);
/* The block of a key; no address, and a warning: it is none of a block. */
struct cidr keys_parse(struct mem *mem, const struct etcd_kv *kv);

/* The values of these keys. */
const char *keys_node_value(const struct blocks *b);
const char *keys_block_value(const struct blocks *b, struct cidr c);
/* A text in a value; "?": there is none. */
const char *keys_member(const char *value, const char *key);
/* The seconds since the time in "claimed"; -1: it is none. */
int64_t keys_age(const char *claimed);

#endif
