// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * etcd_kv.c - keys, values and lists of etcd, as its gateway writes them
 */
#include <stdlib.h>

#include "ipam/cluster/helper/etcd.h"
#include "value/base64.h"
#include "value/json_make.h"

/* Keys of one answer: so many are below the most that is read, however long they are. */
enum { PAGE = 4000 };

int64_t etcd_number(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		return 0;
	return strtoll(text, NULL, 10);
}

const char *etcd_text(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER);
}

/* ---- comparisons and operations ---- */

static json_t *encoded(struct mem *mem, const char *s)
{
	return json_string(base64_encode(mem, s, strlen(s)));
}

json_t *etcd_absent(struct mem *mem, const char *key)
{
	return json_make("key", encoded(mem, key), "target", json_string("CREATE"), "result",
			 json_string("EQUAL"), "create_revision", json_string("0"));
}

json_t *etcd_equals(struct mem *mem, const char *key, const char *value)
{
	return json_make("key", encoded(mem, key), "target", json_string("VALUE"), "result",
			 json_string("EQUAL"), "value", encoded(mem, value));
}

json_t *etcd_get(struct mem *mem, const char *key)
{
	return json_make("request_range", json_make("key", encoded(mem, key)));
}

/* The keys that begin with prefix end before the one whose last byte is one more. */
static json_t *range(struct mem *mem, const char *from, const char *prefix, bool keys_only)
{
	char *end = mem_str(mem, prefix);

	end[strlen(end) - 1]++;
	return json_make("key", encoded(mem, from), "range_end", encoded(mem, end), "keys_only",
			 json_boolean(keys_only));
}

json_t *etcd_unchanged(struct mem *mem, const char *prefix, int64_t revision)
{
	json_t *r = range(mem, prefix, prefix, false);

	/* Of no key at all etcd says that it was written at 0. */
	json_object_del(r, "keys_only");
	json_object_set_new(r, "target", json_string("MOD"));
	json_object_set_new(r, "result", json_string("LESS"));
	json_object_set_new(
		r, "mod_revision",
		json_string(mem_printf(
			mem, "%lld", (long long)(revision < INT64_MAX ? revision + 1 : revision))));
	return r;
}

json_t *etcd_get_below(struct mem *mem, const char *prefix, bool keys_only)
{
	return json_make("request_range", range(mem, prefix, prefix, keys_only));
}

/* No key of ours has a byte below \x01. */
json_t *etcd_get_page(struct mem *mem, const char *prefix, const char *after, bool keys_only)
{
	const char *from = after ? mem_printf(mem, "%s\x01", after) : prefix;
	json_t *r = range(mem, from, prefix, keys_only);

	json_object_set_new(r, "limit", json_integer(PAGE));
	return json_make("request_range", r);
}

bool etcd_has_more(const json_t *responses, unsigned index)
{
	json_t *r = json_object_get(json_array_get(responses, index), "response_range");

	return json_is_true(json_object_get(r, "more"));
}

json_t *etcd_put(struct mem *mem, const char *key, const char *value)
{
	return json_make("request_put",
			 json_make("key", encoded(mem, key), "value", encoded(mem, value)));
}

json_t *etcd_delete(struct mem *mem, const char *key)
{
	return json_make("request_delete_range", json_make("key", encoded(mem, key)));
}

/* ---- responses ---- */

static const char *decoded(struct mem *mem, const json_t *s)
{
	const char *text = json_string_value(s);
	size_t size;

	text = text ? base64_decode(mem, text, &size) : NULL;
	return text ? text : "";
}

struct etcd_kvs etcd_found(struct mem *mem, const json_t *responses, unsigned index)
{
	json_t *range = json_object_get(json_array_get(responses, index), "response_range");
	json_t *list = json_object_get(range, "kvs");
	struct etcd_kvs r = { .n = (unsigned)json_array_size(list) };

	r.kv = mem_alloc(mem, (r.n + 1) * sizeof(*r.kv));
	for (unsigned i = 0; i < r.n; i++) {
		const json_t *kv = json_array_get(list, i);

		r.kv[i] = (struct etcd_kv){ decoded(mem, json_object_get(kv, "key")),
					    decoded(mem, json_object_get(kv, "value")),
					    etcd_number(kv, "create_revision") };
	}
	return r;
}

const char *etcd_found_value(struct mem *mem, const json_t *responses, unsigned index)
{
	struct etcd_kvs f = etcd_found(mem, responses, index);

	if (!f.n)
		return NULL;
	return f.kv[0].value;
}

int etcd_kv_cmp(const void *a, const void *b)
{
	const struct etcd_kv *x = a, *y = b;

	return strcmp(x->key, y->key);
}

/* ---- long lists ---- */

/* Adds what a page has, in the arena keep.  A key that is not after the last is a repetition. */
static void keep_page(struct mem *keep, const struct etcd_kvs *page, struct etcd_kvs *all)
{
	for (unsigned i = 0; i < page->n; i++) {
		const struct etcd_kv *kv = &page->kv[i];

		if (all->n && strcmp(kv->key, all->kv[all->n - 1].key) <= 0)
			continue;
		all->kv = mem_grow(keep, all->kv, all->n, sizeof(*all->kv));
		all->kv[all->n++] = (struct etcd_kv){ mem_str(keep, kv->key),
						      mem_str(keep, kv->value), kv->created };
	}
}

static int read_page(struct tx *tx, struct etcd *e, const char *prefix, bool keys_only,
		     struct mem *keep, struct etcd_kvs *all, bool *ret_more)
{
	const char *after = all->n ? all->kv[all->n - 1].key : NULL;
	struct etcd_txn t = etcd_txn();
	unsigned before = all->n;
	struct etcd_kvs page;
	json_t *answers;

	json_array_append_new(t.yes, etcd_get_page(&tx->mem, prefix, after, keys_only));
	TRY(etcd_commit(tx, e, &t, &answers));
	page = etcd_found(&tx->mem, answers, 0);
	keep_page(keep, &page, all);
	*ret_more = etcd_has_more(answers, 0) && all->n > before;
	return 0;
}

static int fail_endless(struct tx *tx, const struct etcd *e, const char *prefix, unsigned n)
{
	return tx_fail_as(tx, e->away, -ETIMEDOUT,
			  "etcd does not answer in time: after %u keys below %s it has more "
			  "(correct endpoints in %s, or give it a longer timeout)",
			  n, prefix, CLUSTER_CONF);
}

int etcd_read_below(struct tx *tx, struct etcd *e, const char *prefix, bool keys_only,
		    struct etcd_kvs *ret)
{
	struct mem *mem = &tx->mem, keep = *mem;
	bool more = true;
	int r = 0;

	*ret = (struct etcd_kvs){ .n = 0 };
	/* A server that always has one key more would keep the lock of the claims. */
	while (r == 0 && more) {
		if (ret->n && etcd_is_late(e)) {
			r = fail_endless(tx, e, prefix, ret->n);
			break;
		}
		*mem = (struct mem){ .max = keep.max, .exhausted = keep.exhausted };
		r = read_page(tx, e, prefix, keys_only, &keep, ret, &more);
		mem_free(mem);
	}
	*mem = keep;
	return r;
}
