// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * known.c - what etcd has of this node
 */
#include <stdlib.h>

#include "ipam/cluster/helper/keys.h"
#include "ipam/cluster/helper/known.h"
#include "ipam/cluster/helper/ranges.h"

enum { OWN_MAX = 4 * CLUSTER_BLOCKS_MAX }; /* blocks of this node that are looked at */

int known_read(struct blocks *b, struct known *ret)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	json_array_append_new(t.yes, etcd_get(mem, ranges_key(b)));
	json_array_append_new(t.yes, etcd_get(mem, keys_node(b)));
	json_array_append_new(t.yes,
			      etcd_get_below(mem, mem_printf(mem, "%s/", keys_node(b)), false));
	TRY(etcd_commit(b->tx, b->etcd, &t, &answers));
	ret->config = etcd_found_value(mem, answers, 0);
	ret->node = etcd_found_value(mem, answers, 1);
	ret->own = etcd_found(mem, answers, 2);
	if (ret->own.n > OWN_MAX)
		return tx_fail_as(
			b->tx, CNI_E_UNAVAILABLE, -E2BIG,
			"etcd has %u blocks of this node below %s, of which a node can use "
			"%d: take them back with cnitool cluster reclaim %s when none of its "
			"containers runs",
			ret->own.n, keys_node(b), CLUSTER_BLOCKS_MAX, b->node);
	if (ret->own.n)
		qsort(ret->own.kv, ret->own.n, sizeof(*ret->own.kv), etcd_kv_cmp);
	ret->revision = b->etcd->revision;
	return 0;
}

int known_begin(struct blocks *b, struct known *ret)
{
	b->here = b->gone = (struct routes_blocks){ .n = 0 };
	b->lost = false;
	return known_read(b, ret);
}

bool known_is_ours(const struct blocks *b, const struct known *k)
{
	return k->node && str_eq(keys_member(k->node, "instance"), b->q->instance);
}

void known_put(struct blocks *b, struct routes_blocks *l, struct cidr c)
{
	/* Whatever etcd says, others are not announced. */
	if (!ranges_is_special(c) && cluster_conf_allows(b->etcd->conf, b->q->network, c))
		routes_put(&b->tx->mem, l, c);
}

int known_drop(struct blocks *b, const char *network, const struct etcd_kv *own)
{
	struct mem *mem = &b->tx->mem;
	struct cidr c = keys_parse(mem, own);
	const char *key = keys_block(b, network, c);
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	json_array_append_new(t.compare, etcd_equals(mem, key, own->value));
	json_array_append_new(t.yes, etcd_delete(mem, key));
	json_array_append_new(t.yes, etcd_delete(mem, own->key));
	json_array_append_new(t.no, etcd_delete(mem, own->key));
	return etcd_commit(b->tx, b->etcd, &t, &answers);
}
