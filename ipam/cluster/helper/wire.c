// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - a wire of VXLAN between nodes that do not share a link: what etcd has of it
 */
#include "ipam/cluster/helper/wire.h"
#include "base/log.h"
#include "value/json_make.h"

enum { TRIES = 8 };

static const char *wire_prefix(const struct blocks *b)
{
	return mem_printf(&b->tx->mem, "%s/wire/", b->prefix);
}

static const char *wire_key(const struct blocks *b, struct cidr a)
{
	return mem_printf(&b->tx->mem, "%s%s", wire_prefix(b), IP_S(a.ip));
}

static const char *value_of(const struct wire_node *w)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < w->n; i++)
		json_array_append_new(list, json_string(CIDR_S(w->addresses[i])));
	return json_dumps(json_make("version", json_integer(1), "node", json_string(w->node),
				    "local", json_string(IP_S(w->local)), "mac",
				    json_string(MAC_S(w->mac)), "vni",
				    json_integer((json_int_t)w->vni), "port",
				    json_integer((json_int_t)w->port), "addresses", list),
			  JSON_COMPACT | JSON_PRESERVE_ORDER);
}

static bool parse_value(struct mem *mem, const char *text, struct wire_node *ret)
{
	json_t *v = json_loads(text, 0, NULL), *list = json_object_get(v, "addresses");
	const char *local = json_string_value(json_object_get(v, "local"));
	const char *mac = json_string_value(json_object_get(v, "mac"));

	*ret = (struct wire_node){
		.node = mem_str(mem, json_string_value(json_object_get(v, "node"))),
		.vni = (unsigned)json_integer_value(json_object_get(v, "vni")),
		.port = (unsigned)json_integer_value(json_object_get(v, "port")),
	};
	if (!ret->node || !local || !ip_parse(local, &ret->local) || !mac ||
	    !mac_parse(mac, &ret->mac) || ret->mac.len != 6 || ret->mac.b[0] & 1)
		return false;
	for (size_t i = 0; i < json_array_size(list) && ret->n < WIRE_ADDRESSES_MAX; i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (!s || !cidr_parse(s, &ret->addresses[ret->n++]))
			return false;
	}
	return ret->n > 0;
}

/* What etcd has: each node once. */
struct wire {
	struct etcd_kvs kvs;
	struct wire_node *nodes;
	unsigned n;
};

static int read_wire(struct blocks *b, struct wire *ret)
{
	struct mem *mem = &b->tx->mem;

	*ret = (struct wire){ .n = 0 };
	TRY(blocks_read_below(b, wire_prefix(b), &ret->kvs));
	for (unsigned i = 0; i < ret->kvs.n; i++) {
		struct wire_node w;
		bool known = false;

		if (!parse_value(mem, ret->kvs.kv[i].value, &w)) {
			log_warn("etcd: the value of %.200s is none of cplug's",
				 ret->kvs.kv[i].key);
			continue;
		}
		for (unsigned k = 0; k < ret->n; k++)
			known |= str_eq(ret->nodes[k].node, w.node);
		if (known)
			continue;
		ret->nodes = mem_grow(mem, ret->nodes, ret->n, sizeof(*ret->nodes));
		ret->nodes[ret->n++] = w;
	}
	return 0;
}

static const char *find_value(const struct wire *w, const char *key)
{
	for (unsigned i = 0; i < w->kvs.n; i++)
		if (str_eq(w->kvs.kv[i].key, key))
			return w->kvs.kv[i].value;
	return NULL;
}

static bool has_address(const struct wire_node *w, struct ip ip)
{
	for (unsigned i = 0; i < w->n; i++)
		if (ip_eq(w->addresses[i].ip, ip))
			return true;
	return false;
}

/*
 * Is one of the addresses another node's?  The MAC that etcd has of us stays, because the others
 * know it.
 */
static int compare_nodes(struct blocks *b, const struct wire *w, struct wire_node *me)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct wire_node *o = &w->nodes[i];

		if (str_eq(o->node, me->node)) {
			me->mac = o->mac;
			continue;
		}
		for (unsigned k = 0; k < me->n; k++)
			if (has_address(o, me->addresses[k].ip))
				return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EADDRINUSE,
						  "%s is the address of node %s on the wire: take "
						  "another one for --address",
						  IP_S(me->addresses[k].ip), o->node);
		if (ip_eq(o->local, me->local))
			return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EADDRINUSE,
					  "%s is the address of node %s: take an address of this "
					  "node for --local",
					  IP_S(me->local), o->node);
		if (o->vni != me->vni || o->port != me->port)
			return tx_fail_as(b->tx, CNI_E_CONFIG, -EINVAL,
					  "node %s has joined with --vni %u --port %u: all nodes "
					  "need the same",
					  o->node, o->vni, o->port);
	}
	return 0;
}

/* Is the key that of one of the node's addresses? */
static bool is_key_of(const struct blocks *b, const struct wire_node *w, const char *key)
{
	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(key, wire_key(b, w->addresses[i])))
			return true;
	return false;
}

/* Writes our keys, and removes those of our former addresses.  1, or 0 if etcd has changed. */
static int write_keys(struct blocks *b, const struct wire *w, const struct wire_node *me)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	for (unsigned i = 0; i < w->kvs.n; i++) {
		const struct etcd_kv *kv = &w->kvs.kv[i];
		struct wire_node o;

		if (!parse_value(mem, kv->value, &o) || !str_eq(o.node, me->node))
			continue;
		json_array_append_new(t.compare, etcd_equals(mem, kv->key, kv->value));
		if (!is_key_of(b, me, kv->key))
			json_array_append_new(t.yes, etcd_delete(mem, kv->key));
	}
	for (unsigned i = 0; i < me->n; i++) {
		const char *key = wire_key(b, me->addresses[i]);

		if (!find_value(w, key))
			json_array_append_new(t.compare, etcd_absent(mem, key));
		json_array_append_new(t.yes, etcd_put(mem, key, value_of(me)));
	}
	if (!json_array_size(t.yes))
		return 1;
	return etcd_commit(b->tx, b->etcd, &t, &answers);
}

static int fail_unsettled(struct blocks *b)
{
	return tx_fail_as(b->tx, CNI_E_AGAIN, -EAGAIN,
			  "other nodes changed the wire at this moment; try again");
}

int wire_join(struct blocks *b, struct wire_node *me, json_t *ret_peers)
{
	struct wire w = { .n = 0 };
	int done = 0;

	me->node = b->node;
	TRY(wire_link_check(b->tx, me));
	for (unsigned i = 0; i < TRIES && !done; i++) {
		TRY(read_wire(b, &w));
		TRY(compare_nodes(b, &w, me));
		if (!me->mac.len)
			me->mac = link_random_mac();
		done = write_keys(b, &w, me);
		TRY(done);
	}
	if (!done)
		return fail_unsettled(b);
	TRY(wire_link_make(b->tx, me, w.nodes, w.n));
	for (unsigned i = 0; i < w.n; i++)
		if (!str_eq(w.nodes[i].node, me->node))
			json_array_append_new(ret_peers,
					      json_loads(value_of(&w.nodes[i]), 0, NULL));
	return 0;
}

int wire_forget(struct blocks *b, const char *node)
{
	const struct wire_node gone = { .node = node };
	struct wire w;
	int done = 0;

	for (unsigned i = 0; i < TRIES && !done; i++) {
		TRY(read_wire(b, &w));
		done = write_keys(b, &w, &gone);
		TRY(done);
	}
	if (!done)
		return fail_unsettled(b);
	return 0;
}

int wire_leave(struct blocks *b)
{
	TRY(wire_link_remove(b->tx));
	return wire_forget(b, b->node);
}
