// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * wire.c - a wire of VXLAN between nodes that do not share a link: what etcd has of it
 */
#include <fcntl.h>
#include <stdlib.h>

#include "base/log.h"
#include "ipam/cluster/helper/wire.h"
#include "sys/file.h"
#include "value/json_make.h"
#include "value/name.h"

enum {
	TRIES = 8,
	KEYS_MAX = 50,     /* that one transaction removes: etcd takes 128 operations */
	NODES_MAX = 16384, /* that are believed */
	INSTANCE_LEN = 32,
	MACHINE_ID_MAX = 256,
};

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
	json_t *list = json_array(), *v;

	for (unsigned i = 0; i < w->n; i++)
		json_array_append_new(list, json_string(CIDR_S(w->addresses[i])));
	v = json_make("version", json_integer(1), "node", json_string(w->node), "local",
		      json_string(IP_S(w->local)), "mac", json_string(MAC_S(w->mac)), "vni",
		      json_integer((json_int_t)w->vni), "port", json_integer((json_int_t)w->port),
		      "addresses", list);
	if (!str_empty(w->instance))
		json_object_set_new(v, "instance", json_string(w->instance));
	return etcd_text(v);
}

/*
 * A hash of this machine's ID (machine-id(5)), which itself is not shown to others; "" on a
 * machine that has none.
 */
static const char *machine_instance(struct mem *mem)
{
	struct file_text text;
	char *hash = mem_alloc(mem, INSTANCE_LEN + 1);

	if (file_read(mem, AT_FDCWD, "/etc/machine-id", MACHINE_ID_MAX, &text) < 0)
		return "";
	text.s[strcspn(text.s, "\r\n")] = '\0';
	if (strlen(text.s) < INSTANCE_LEN) /* "uninitialized", or empty */
		return "";
	name_hash(hash, INSTANCE_LEN, "", mem_printf(mem, "cplug wire %s", text.s));
	return hash;
}

/* ---- what etcd has, which need not be true ---- */

struct wire {
	struct etcd_kvs kvs; /* sorted by key */
	struct wire_node *nodes;
	unsigned n;
};

static const char *find_value(const struct wire *w, const char *key)
{
	const struct etcd_kv want = { .key = key }, *found = NULL;

	if (w->kvs.n)
		found = bsearch(&want, w->kvs.kv, w->kvs.n, sizeof(want), etcd_kv_cmp);
	if (!found)
		return NULL;
	return found->value;
}

static const char *member(const json_t *v, const char *key)
{
	const char *s = json_string_value(json_object_get(v, key));

	return s ? s : "";
}

/* Which node wrote a value; "": none of cplug. */
static const char *node_of(const char *value)
{
	const char *node = member(json_loads(value, 0, NULL), "node");

	return name_valid_id(node) ? node : "";
}

/* NULL, or why a value is not believed. */
static const char *parse_value(struct mem *mem, const char *text, struct wire_node *ret)
{
	json_t *v = json_loads(text, 0, NULL), *list = json_object_get(v, "addresses");
	json_int_t vni = json_integer_value(json_object_get(v, "vni"));
	json_int_t port = json_integer_value(json_object_get(v, "port"));
	static const struct mac none = { .len = 6 };

	*ret = (struct wire_node){ .node = mem_str(mem, node_of(text)),
				   .instance = mem_str(mem, member(v, "instance")) };
	if (!*ret->node)
		return "it is none of cplug's";
	if (!ip_parse(member(v, "local"), &ret->local) || !ip_is_of_host(ret->local) ||
	    ip_is_linklocal(ret->local))
		return "\"local\" is no address of another host";
	if (!mac_parse(member(v, "mac"), &ret->mac) || ret->mac.len != 6 || ret->mac.b[0] & 1 ||
	    mac_eq(ret->mac, none))
		return "\"mac\" is no MAC of a host";
	if (vni < 1 || vni >= 1 << 24 || port < 1 || port > 65535)
		return "\"vni\" or \"port\" is out of range";
	ret->vni = (unsigned)vni;
	ret->port = (unsigned)port;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *s = json_string_value(json_array_get(list, i));

		if (ret->n == WIRE_ADDRESSES_MAX || !s || !cidr_parse(s, &ret->addresses[ret->n]) ||
		    !ip_is_of_host(ret->addresses[ret->n++].ip))
			return "\"addresses\" are none of hosts";
	}
	return ret->n ? NULL : "it has no address";
}

/* Each address of a node is a key, so that it is one node's only. */
static bool has_keys(const struct blocks *b, const struct wire *w, const struct wire_node *o,
		     const struct etcd_kv *kv)
{
	bool own = false;

	for (unsigned i = 0; i < o->n; i++) {
		const char *key = wire_key(b, o->addresses[i]);

		if (!str_eq(find_value(w, key), kv->value))
			return false;
		own |= str_eq(key, kv->key);
	}
	return own;
}

static const char *name_of(struct mem *mem UNUSED, const struct wire_node *w)
{
	return w->node;
}

static const char *local_of(struct mem *mem, const struct wire_node *w)
{
	return mem_str(mem, IP_S(w->local));
}

static const char *mac_of(struct mem *mem, const struct wire_node *w)
{
	return mem_str(mem, MAC_S(w->mac));
}

/* By key, the oldest first. */
static int by_key(const void *a, const void *b)
{
	const struct wire_node *x = a, *y = b;
	int r = strcmp(x->key, y->key);

	if (r)
		return r;
	if (x->since != y->since)
		return x->since < y->since ? -1 : 1;
	return strcmp(x->node, y->node);
}

static void skip(const char *node, const char *why)
{
	log_warn("etcd: node %.100s of the wire is left out: %s", node, why);
}

/* Of nodes that have the same thing the one that was there first stays. */
static void drop_twins(struct mem *mem, struct wire *w,
		       const char *(*key_of)(struct mem *, const struct wire_node *),
		       const char *why)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++)
		w->nodes[i].key = key_of(mem, &w->nodes[i]);
	if (w->n)
		qsort(w->nodes, w->n, sizeof(*w->nodes), by_key);
	for (unsigned i = 0; i < w->n; i++) {
		const struct wire_node *o = &w->nodes[i];

		if (!n || !str_eq(w->nodes[n - 1].key, o->key))
			w->nodes[n++] = *o;
		else if (!str_eq(value_of(&w->nodes[n - 1]), value_of(o)))
			skip(o->node, why);
	}
	w->n = n;
}

static void add_node(struct blocks *b, struct wire *w, const struct etcd_kv *kv)
{
	struct wire_node o;
	const char *why = parse_value(&b->tx->mem, kv->value, &o);

	if (!why && w->n == NODES_MAX)
		why = "there are too many";
	if (!why && !has_keys(b, w, &o, kv))
		why = "the keys of its addresses have another value";
	if (why) {
		log_warn("etcd: %.200s is left out: %s", kv->key, why);
		return;
	}
	o.since = kv->created;
	w->nodes = mem_grow(&b->tx->mem, w->nodes, w->n, sizeof(*w->nodes));
	w->nodes[w->n++] = o;
}

/* What etcd has: each node once.  A value that cannot be true is left out, with a warning. */
static int read_wire(struct blocks *b, struct wire *ret)
{
	*ret = (struct wire){ .n = 0 };
	TRY(etcd_read_below(b->tx, b->etcd, wire_prefix(b), false, &ret->kvs));
	if (ret->kvs.n)
		qsort(ret->kvs.kv, ret->kvs.n, sizeof(*ret->kvs.kv), etcd_kv_cmp);
	for (unsigned i = 0; i < ret->kvs.n; i++)
		add_node(b, ret, &ret->kvs.kv[i]);
	drop_twins(&b->tx->mem, ret, name_of, "another value has its name");
	drop_twins(&b->tx->mem, ret, local_of, "another one has its \"local\"");
	drop_twins(&b->tx->mem, ret, mac_of, "another one has its MAC");
	return 0;
}

/* ---- what etcd has of us ---- */

static int fail_address(struct blocks *b, struct cidr a, const char *node)
{
	return tx_fail_as(
		b->tx, CPLUG_E_TAKEN, -EADDRINUSE,
		"%s is the address of node %s on the wire: take another one for --address",
		IP_S(a.ip), node);
}

/* The machine of this name has its place on the wire until it leaves, or is reclaimed. */
static int check_instance(struct blocks *b, const struct wire *w, const char *instance)
{
	for (unsigned i = 0; i < w->n; i++) {
		const struct wire_node *o = &w->nodes[i];

		if (!str_eq(o->node, b->node) || str_empty(o->instance) || str_empty(instance) ||
		    str_eq(o->instance, instance))
			continue;
		return tx_fail_as(
			b->tx, CPLUG_E_TAKEN, -EEXIST,
			"the name \"%s\" belongs to another machine on the wire, at %s: write "
			"another name to \"node\" in %s; or, if it is this machine, installed "
			"anew, take its place and its blocks back with cnitool cluster reclaim %s",
			b->node, IP_S(o->local), CLUSTER_CONF, b->node);
	}
	return 0;
}

static const struct wire_node *find_node(const struct wire *w, const char *node)
{
	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(w->nodes[i].node, node))
			return &w->nodes[i];
	return NULL;
}

/* Is one of the addresses another node's, as etcd has it? */
static int check_addresses(struct blocks *b, const struct wire *w, const struct wire_node *me)
{
	for (unsigned i = 0; i < me->n; i++) {
		const char *value = find_value(w, wire_key(b, me->addresses[i]));
		const char *node = value ? node_of(value) : "";

		if (*node && !str_eq(node, me->node))
			return fail_address(b, me->addresses[i], node);
	}
	return 0;
}

static bool is_of_wire(const struct wire_node *a, const struct wire_node *b)
{
	return a->vni == b->vni && a->port == b->port;
}

/* NULL, or why this node cannot send to another one. */
static const char *why_apart(const struct wire_node *o, const struct wire_node *me)
{
	if (o->local.family != me->local.family)
		return "its \"local\" is of another family than that of this node";
	if (ip_eq(o->local, me->local))
		return "it has the \"local\" of this node";
	if (mac_eq(o->mac, me->mac))
		return "it has the MAC of this node";
	if (!is_of_wire(o, me))
		return "it has another \"vni\" or \"port\"";
	return NULL;
}

/* A node that joins is refused with another's --local, or with a --vni or --port that none has. */
static int check_fit(struct blocks *b, const struct wire *w, const struct wire_node *me)
{
	const struct wire_node *other = NULL;
	bool fits = false;

	for (unsigned i = 0; i < w->n; i++) {
		const struct wire_node *o = &w->nodes[i];

		if (str_eq(o->node, me->node))
			continue;
		if (ip_eq(o->local, me->local))
			return tx_fail_as(b->tx, CPLUG_E_TAKEN, -EADDRINUSE,
					  "%s is the address of node %s: take an address of this "
					  "node for --local",
					  IP_S(me->local), o->node);
		fits |= is_of_wire(o, me);
		if (!is_of_wire(o, me))
			other = o;
	}
	if (other && !fits)
		return tx_fail_as(b->tx, CNI_E_CONFIG, -EINVAL,
				  "node %s has joined with --vni %u --port %u: all nodes need the "
				  "same",
				  other->node, other->vni, other->port);
	return 0;
}

/* Leaves out the nodes that do not fit to this one; and us. */
static void leave_out(struct wire *w, const struct wire_node *me)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->n; i++) {
		const struct wire_node *o = &w->nodes[i];
		const char *why = why_apart(o, me);

		if (str_eq(o->node, me->node))
			continue;
		if (why)
			skip(o->node, why);
		else
			w->nodes[n++] = *o;
	}
	w->n = n;
}

/* Is the key that of one of the node's addresses? */
static bool is_key_of(const struct blocks *b, const struct wire_node *w, const char *key)
{
	for (unsigned i = 0; i < w->n; i++)
		if (str_eq(key, wire_key(b, w->addresses[i])))
			return true;
	return false;
}

/*
 * Writes our keys, and removes those of our former addresses, at most KEYS_MAX at once.  1, or 0 if
 * etcd has changed; *ret_more: there are more to remove.
 */
static int write_keys(struct blocks *b, const struct wire *w, const struct wire_node *me,
		      bool *ret_more)
{
	struct mem *mem = &b->tx->mem;
	struct etcd_txn t = etcd_txn();
	json_t *answers;

	*ret_more = false;
	for (unsigned i = 0; i < w->kvs.n; i++) {
		const struct etcd_kv *kv = &w->kvs.kv[i];

		if (is_key_of(b, me, kv->key))
			json_array_append_new(t.compare, etcd_equals(mem, kv->key, kv->value));
		else if (str_eq(node_of(kv->value), me->node))
			*ret_more = json_array_size(t.yes) == KEYS_MAX;
		else
			continue;
		if (*ret_more)
			break;
		if (is_key_of(b, me, kv->key))
			continue;
		json_array_append_new(t.compare, etcd_equals(mem, kv->key, kv->value));
		json_array_append_new(t.yes, etcd_delete(mem, kv->key));
	}
	for (unsigned i = 0; i < me->n; i++) {
		const char *key = wire_key(b, me->addresses[i]);

		if (!find_value(w, key))
			json_array_append_new(t.compare, etcd_absent(mem, key));
		if (!str_eq(find_value(w, key), value_of(me)))
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

/* The MAC that etcd has of us stays, because the others know it. */
static int join(struct blocks *b, struct wire_node *me, struct wire *ret)
{
	const struct wire_node *known;
	bool joined, more;

	TRY(read_wire(b, ret));
	TRY(check_instance(b, ret, me->instance));
	TRY(check_addresses(b, ret, me));
	known = find_node(ret, me->node);
	joined = known && is_of_wire(known, me) && ip_eq(known->local, me->local);
	if (known)
		me->mac = known->mac;
	else if (!me->mac.len)
		me->mac = link_random_mac();
	if (!joined)
		TRY(check_fit(b, ret, me));
	leave_out(ret, me);
	return write_keys(b, ret, me, &more);
}

int wire_join(struct blocks *b, struct wire_node *me, json_t *ret_peers)
{
	struct wire w = { .n = 0 };
	int done = 0;

	me->node = b->node;
	me->instance = machine_instance(&b->tx->mem);
	TRY(wire_link_check(b->tx, me));
	for (unsigned i = 0; i < TRIES && !done; i++)
		TRY(done = join(b, me, &w));
	if (!done)
		return fail_unsettled(b);
	TRY(wire_link_make(b->tx, me, w.nodes, w.n));
	for (unsigned i = 0; i < w.n; i++)
		json_array_append_new(ret_peers, json_loads(value_of(&w.nodes[i]), 0, NULL));
	return 0;
}

int wire_forget(struct blocks *b, const char *node)
{
	const struct wire_node gone = { .node = node };
	bool more = true;
	int done = 0;

	/* An etcd that always has more keys of the node must not keep us for ever. */
	for (unsigned failed = 0; failed < TRIES && !etcd_is_late(b->etcd) && (!done || more);) {
		struct wire w = { .n = 0 };

		TRY(etcd_read_below(b->tx, b->etcd, wire_prefix(b), false, &w.kvs));
		TRY(done = write_keys(b, &w, &gone, &more));
		failed += !done;
	}
	if (!done || more)
		return fail_unsettled(b);
	return 0;
}

int wire_leave(struct blocks *b)
{
	struct wire w;

	TRY(read_wire(b, &w));
	TRY(check_instance(b, &w, machine_instance(&b->tx->mem)));
	TRY(wire_link_remove(b->tx));
	return wire_forget(b, b->node);
}
