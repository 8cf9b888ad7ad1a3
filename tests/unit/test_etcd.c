// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_etcd.c - the helper cplug-etcd with an etcd in memory: claims, races, lost answers
 */
#include <jansson.h>

#include "ipam/cluster/helper/blocks.h"
#include "value/base64.h"
#include "unit.h"
#include "fake_curl.h"

/* ---- an etcd in memory, which leaves out what is false, 0 or empty, as the gateway does ---- */

enum { KEYS = 256 };

static struct {
	struct etcd_kv kv[KEYS + 1];
	int64_t mod[KEYS + 1]; /* the revision that wrote it */
	int64_t revision;
	unsigned n, requests, txns, logins;
	unsigned lose;            /* so many answers are lost, after the request was carried out */
	unsigned expire;          /* so many requests with a token get 401 */
	unsigned only;            /* if set: the port of the only member that answers */
	bool users;               /* requests need a token */
	void (*before)(void);     /* called before the next transaction that puts something */
	struct fake_answer *lies; /* if set: the answer to everything */
} etcd;

/* Of keys and values, because the helper frees its own memory after each page of a list. */
static struct mem etcd_mem;

/* A text that a request has in base64; "" if it has none. */
static const char *decode(const json_t *op, const char *key)
{
	const char *s = json_string_value(json_object_get(op, key));
	size_t n;

	if (!s)
		return "";
	s = base64_decode(&unit_tx.mem, s, &n);
	CHECK(s, "no base64: %s", key);
	return s;
}

static json_t *encode(const char *s)
{
	return json_string(base64_encode(&unit_tx.mem, s, strlen(s)));
}

static int find(const char *key)
{
	for (unsigned i = 0; i < etcd.n; i++)
		if (strcmp(etcd.kv[i].key, key) == 0)
			return (int)i;
	return -1;
}

static const char *get(const char *key)
{
	int i = find(key);

	if (i < 0)
		return NULL;
	return etcd.kv[i].value;
}

static void drop(const char *key)
{
	int i = find(key);

	if (i < 0)
		return;
	etcd.n--;
	memmove(&etcd.kv[i], &etcd.kv[i + 1], (etcd.n - (unsigned)i) * sizeof(etcd.kv[0]));
	memmove(&etcd.mod[i], &etcd.mod[i + 1], (etcd.n - (unsigned)i) * sizeof(etcd.mod[0]));
}

/* In the order of the keys, as etcd has them. */
static void put(const char *key, const char *value)
{
	unsigned i = 0;

	drop(key);
	assert_true(etcd.n < KEYS);
	while (i < etcd.n && strcmp(etcd.kv[i].key, key) < 0)
		i++;
	memmove(&etcd.kv[i + 1], &etcd.kv[i], (etcd.n - i) * sizeof(etcd.kv[0]));
	memmove(&etcd.mod[i + 1], &etcd.mod[i], (etcd.n - i) * sizeof(etcd.mod[0]));
	etcd.mod[i] = ++etcd.revision;
	etcd.kv[i] = (struct etcd_kv){ .key = mem_str(&etcd_mem, key),
				       .value = mem_str(&etcd_mem, value) };
	etcd.n++;
}

/* A range ends before end; "": it is one key. */
static bool is_in(const char *have, const char *key, const char *end)
{
	if (!*end)
		return strcmp(have, key) == 0;
	return strcmp(have, key) >= 0 && strcmp(have, end) < 0;
}

/* No key of the range was written at this revision or later. */
static bool is_older(const json_t *compare)
{
	const char *key = decode(compare, "key"), *end = decode(compare, "range_end");
	const char *revision = json_string_value(json_object_get(compare, "mod_revision"));

	assert_string_equal(json_string_value(json_object_get(compare, "result")), "LESS");
	for (unsigned i = 0; i < etcd.n; i++)
		if (is_in(etcd.kv[i].key, key, end) && etcd.mod[i] >= strtoll(revision, NULL, 10))
			return false;
	return true;
}

static bool holds(const json_t *compare)
{
	const char *target = json_string_value(json_object_get(compare, "target"));
	const char *have = get(decode(compare, "key"));

	if (strcmp(target, "MOD") == 0)
		return is_older(compare);
	if (strcmp(target, "CREATE") == 0)
		return !have;
	return have && strcmp(have, decode(compare, "value")) == 0;
}

static json_t *range(const json_t *op)
{
	const char *key = decode(op, "key"), *end = decode(op, "range_end");
	json_t *kvs = json_array(), *r = json_object();

	for (unsigned i = 0; i < etcd.n; i++) {
		json_t *kv = json_object();

		if (!is_in(etcd.kv[i].key, key, end))
			continue;
		json_object_set_new(kv, "key", encode(etcd.kv[i].key));
		if (!json_is_true(json_object_get(op, "keys_only")))
			json_object_set_new(kv, "value", encode(etcd.kv[i].value));
		json_array_append_new(kvs, kv);
	}
	json_object_set_new(r, "header", json_object());
	if (json_array_size(kvs))
		json_object_set_new(r, "kvs", kvs);
	return r;
}

static json_t *respond(const json_t *op)
{
	const json_t *get_op = json_object_get(op, "request_range");
	const json_t *put_op = json_object_get(op, "request_put");
	json_t *r = json_object();

	if (get_op) {
		json_object_set_new(r, "response_range", range(get_op));
	} else if (put_op) {
		put(decode(put_op, "key"), decode(put_op, "value"));
		json_object_set_new(r, "response_put", json_object());
	} else {
		drop(decode(json_object_get(op, "request_delete_range"), "key"));
		json_object_set_new(r, "response_delete_range", json_object());
	}
	return r;
}

static json_t *transaction(const json_t *txn)
{
	const json_t *compare = json_object_get(txn, "compare"), *ops;
	json_t *list = json_array(), *r = json_object(), *header = json_object();
	bool yes = true;

	if (etcd.before && json_array_size(compare)) {
		void (*before)(void) = etcd.before;

		etcd.before = NULL;
		before();
	}
	etcd.txns++;
	for (size_t i = 0; i < json_array_size(compare); i++)
		yes = yes && holds(json_array_get(compare, i));
	ops = json_object_get(txn, yes ? "success" : "failure");
	for (size_t i = 0; i < json_array_size(ops); i++)
		json_array_append_new(list, respond(json_array_get(ops, i)));
	json_object_set_new(
		header, "revision",
		json_string(mem_printf(&unit_tx.mem, "%lld", (long long)etcd.revision)));
	json_object_set_new(r, "header", header);
	if (yes)
		json_object_set_new(r, "succeeded", json_true());
	if (json_array_size(list))
		json_object_set_new(r, "responses", list);
	return r;
}

static struct fake_answer answer(long status, const char *text)
{
	return (struct fake_answer){ CURLE_OK, status, text, strlen(text) };
}

struct fake_answer fake_serve(const char *url, const char *body, const char *token)
{
	static const struct fake_answer lost = { .failure = CURLE_OPERATION_TIMEDOUT };
	static const struct fake_answer away = { .failure = CURLE_COULDNT_CONNECT };
	json_t *r;

	etcd.requests++;
	if (etcd.only && !strstr(url, mem_printf(&unit_tx.mem, ":%u/", etcd.only)))
		return away;
	if (etcd.lies)
		return *etcd.lies;
	if (strstr(url, "/v3/auth/authenticate")) {
		etcd.logins++;
		if (strstr(body, "\"s3cret\""))
			return answer(200, "{\"header\":{},\"token\":\"t1\"}");
		return answer(400, "{\"message\":\"authentication failed\"}");
	}
	if (etcd.users && !token)
		return answer(400, "{\"error\":\"user name is empty\"}");
	if (token && etcd.expire && etcd.expire--)
		return answer(401, "{\"error\":\"invalid auth token\"}");
	r = transaction(json_loads(body, 0, NULL));
	if (etcd.lose && etcd.lose--)
		return lost;
	return answer(200, json_dumps(r, 0));
}

/* ---- the helper's side ---- */

static const char *endpoints[] = { "http://m:1", "http://m:2" };
static struct cluster_conf conf;
static struct etcd client;
static struct cidr known[KEYS];
static struct block_request request;
static struct blocks blocks;

static void *alloc_json(size_t size)
{
	return mem_alloc(&unit_tx.mem, size);
}

static void keep_json(void *p)
{
	(void)p;
}

static struct cidr parsed(const char *s)
{
	struct cidr c;

	assert_true(cidr_parse(mem_str(&unit_tx.mem, s), &c));
	return c;
}

/* A node n1 with no blocks, and an empty etcd. */
static int begin(void **state)
{
	unit_begin(state);
	json_set_alloc_funcs(alloc_json, keep_json);
	memset(&etcd, 0, sizeof(etcd));
	conf = (struct cluster_conf){ .endpoints = endpoints,
				      .n_endpoints = 2,
				      .node = "n1",
				      .prefix = "/c",
				      .timeout_ms = 50 };
	request = (struct block_request){
		.network = "net",
		.instance = "i1",
		.ranges = { { parsed("10.40.0.0/24"), 29 } },
		.n_ranges = 1,
		.known = known,
	};
	blocks = (struct blocks){
		.tx = &unit_tx, .etcd = &client, .node = "n1", .prefix = "/c", .q = &request
	};
	return etcd_open(&unit_tx, &conf, &client);
}

static int end(void **state)
{
	mem_free(&etcd_mem);
	etcd_mem = (struct mem){ .at_max = false };
	return unit_end(state);
}

/* The same as another node. */
static void become(const char *node, const char *instance)
{
	blocks.node = conf.node = node;
	request.instance = instance;
	request.n_known = 0;
	request.want = (struct cidr){ .len = 0 };
}

static struct cidr claim(void)
{
	struct cidr c = { .len = 0 };

	CHECK(blocks_claim(&blocks, &c) == 0, "%s", unit_tx.msg);
	request.known[request.n_known++] = c;
	return c;
}

/* Clears the failure that a call has recorded. */
static void forget(void)
{
	unit_tx.err = 0;
	unit_tx.msg[0] = '\0';
}

static void claim_fails(enum cni_code code, const char *text)
{
	struct cidr c;

	forget();
	CHECK(blocks_claim(&blocks, &c) < 0, "it is not refused: %s", text);
	CHECK(unit_tx.code == code, "code %d, not %d: %s", (int)unit_tx.code, (int)code,
	      unit_tx.msg);
	CHECK(strstr(unit_tx.msg, text), "no \"%s\" in: %s", text, unit_tx.msg);
	forget();
}

static const char *key_of(struct cidr c)
{
	return mem_printf(&unit_tx.mem, "/c/blocks/net/%s-%u", IP_S(c.ip), c.len);
}

static void check_holder(struct cidr c, const char *node)
{
	const char *value = get(key_of(c));

	CHECK(value && strstr(value, node), "%s is not held by %s", CIDR_S(c), node);
}

/* ---- the tests ---- */

static void a_claim_writes_what_is_documented(void **state)
{
	struct cidr c = claim();
	const char *value = get(key_of(c)), *own;
	json_t *v = json_loads(value, 0, NULL);

	(void)state;
	assert_int_equal(c.len, 29);
	assert_true(cidr_contains(parsed("10.40.0.0/24"), c.ip));
	assert_int_equal(client.requests, 3); /* the first one asks what other networks have */
	assert_string_equal(json_string_value(json_object_get(v, "node")), "n1");
	assert_string_equal(json_string_value(json_object_get(v, "instance")), "i1");
	assert_string_equal(json_string_value(json_object_get(v, "network")), "net");
	assert_string_equal(json_string_value(json_object_get(v, "block")), CIDR_S(c));
	assert_int_equal(json_integer_value(json_object_get(v, "version")), 1);
	own = get(mem_printf(&unit_tx.mem, "/c/nodes/n1/net/%s-29", IP_S(c.ip)));
	assert_string_equal(own, value);
	assert_string_equal(
		get("/c/config/net"),
		"{\"version\":1,\"ranges\":[{\"subnet\":\"10.40.0.0/24\",\"block\":29}]}");
	assert_string_equal(
		get("/c/nodes/n1/net"),
		"{\"version\":1,\"node\":\"n1\",\"instance\":\"i1\",\"network\":\"net\"}");
	assert_int_equal(etcd.n, 4);
}

static void a_lost_answer_claims_one_block(void **state)
{
	(void)state;
	for (unsigned lose = 1; lose <= 3; lose++) {
		unsigned n = etcd.n;

		etcd.lose = lose;
		claim();
		assert_int_equal(etcd.n - n, lose == 1 ? 4 : 2);
	}
}

static void every_block_is_claimed_once_and_then_none(void **state)
{
	bool seen[32] = { false };

	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		struct cidr c;

		if (i == 16)
			become("n2", "i2");
		c = claim();
		assert_int_equal(c.ip.b[3] % 8, 0);
		assert_false(seen[c.ip.b[3] / 8]);
		seen[c.ip.b[3] / 8] = true;
	}
	claim_fails(CPLUG_E_EXHAUSTED, "every block of 10.40.0.0/24 is claimed (32 of /29)");
}

/* The one block that is left is taken before our transaction. */
static void take_the_last(void)
{
	for (unsigned i = 0; i < 32; i++) {
		const char *key = mem_printf(&unit_tx.mem, "/c/blocks/net/10.40.0.%u-29", 8 * i);

		if (!get(key))
			put(key, "{\"node\":\"n3\"}");
	}
}

static void the_last_block_goes_to_one(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 31; i++)
		claim();
	etcd.before = take_the_last;
	claim_fails(CPLUG_E_EXHAUSTED, "cnitool cluster reclaim NODE");
}

static void change_the_ranges(void)
{
	put("/c/config/net",
	    "{\"version\":1,\"ranges\":[{\"subnet\":\"10.50.0.0/16\",\"block\":26}]}");
}

static void ranges_that_another_node_adds_meanwhile_are_kept(void **state)
{
	(void)state;
	etcd.before = change_the_ranges;
	claim();
	assert_string_equal(get("/c/config/net"),
			    "{\"version\":1,\"ranges\":[{\"subnet\":\"10.50.0.0/16\",\"block\":26},"
			    "{\"subnet\":\"10.40.0.0/24\",\"block\":29}]}");
	assert_int_equal(etcd.txns, 6);
}

/* Another network registers a range that overlaps, before our transaction. */
static void register_another(void)
{
	put("/c/config/other",
	    "{\"version\":1,\"ranges\":[{\"subnet\":\"10.40.0.0/16\",\"block\":26}]}");
}

static void a_range_of_another_network_is_refused_also_at_the_same_moment(void **state)
{
	(void)state;
	etcd.before = register_another;
	claim_fails(CNI_E_CONFIG, "10.40.0.0/24 overlaps 10.40.0.0/16 of network \"other\"");
	assert_int_equal(etcd.n, 1);
	drop("/c/config/other");
	claim();
	/* What is registered stays valid. */
	register_another();
	claim();
	assert_non_null(get("/c/config/other"));
}

static void a_block_without_an_owner_is_claimed_again(void **state)
{
	struct cidr a = claim(), b = claim(), c = claim();
	json_t *ours = json_array();

	(void)state;
	/* etcd loses all; another node claims b. */
	while (etcd.n)
		drop(etcd.kv[0].key);
	put(key_of(b), "{\"node\":\"n2\",\"instance\":\"i2\"}");
	assert_int_equal(blocks_sync(&blocks, ours), 1);
	assert_int_equal(json_array_size(ours), 2);
	check_holder(a, "n1");
	check_holder(c, "n1");
	check_holder(b, "n2");
	assert_non_null(get("/c/nodes/n1/net"));
	assert_non_null(get("/c/config/net"));
	assert_true(blocks.lost);
	assert_int_equal(blocks.here.n, 2);
	assert_int_equal(blocks.gone.n, 1);
	assert_true(cidr_eq(blocks.gone.c[0], b));
}

static void an_answer_that_is_lost_while_a_block_is_claimed_again(void **state)
{
	struct cidr a = claim();
	json_t *ours = json_array();

	(void)state;
	while (etcd.n)
		drop(etcd.kv[0].key);
	etcd.lose = 3;
	assert_int_equal(blocks_sync(&blocks, ours), 1);
	assert_int_equal(json_array_size(ours), 1);
	assert_non_null(get(key_of(a)));
	assert_false(blocks.lost);
}

static void ranges_that_differ_are_refused(void **state)
{
	static const struct {
		const char *config, *text;
	} cases[] = {
		{ "{\"ranges\":[{\"subnet\":\"10.40.0.0/24\",\"block\":28}]}",
		  "overlaps 10.40.0.0/24 with blocks of /28" },
		{ "{\"ranges\":[{\"subnet\":\"10.40.0.0/16\",\"block\":29}]}",
		  "overlaps 10.40.0.0/16" },
		{ "{\"ranges\":[{\"subnet\":\"10.40.0.128/25\",\"block\":29}]}",
		  "overlaps 10.40.0.128/25" },
		{ "{\"ranges\":{}}", "/c/config/net has no list of ranges" },
		{ "[]", "/c/config/net has no list of ranges" },
		{ "", "/c/config/net has no list of ranges" },
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
		put("/c/config/net", cases[i].config);
		claim_fails(CNI_E_CONFIG, cases[i].text);
		assert_int_equal(etcd.n, 1);
	}
}

static void another_machine_of_the_name_is_refused(void **state)
{
	(void)state;
	claim();
	become("n1", "i2");
	claim_fails(CPLUG_E_TAKEN, "the name \"n1\" belongs to another machine");
	assert_int_equal(etcd.n, 4);
}

static void an_unknown_block_of_ours_is_found_again(void **state)
{
	struct cidr c = claim(), again;

	(void)state;
	request.n_known = 0;
	again = claim();
	assert_true(cidr_eq(c, again));
	/* One of another instance, as during a reclaim, is not. */
	put(mem_printf(&unit_tx.mem, "/c/nodes/n1/net/10.40.0.%u-29", c.ip.b[3] ^ 8),
	    "{\"instance\":\"i9\"}");
	again = claim();
	assert_false(cidr_eq(c, again));
	assert_int_equal(etcd.n, 7);
}

static void a_wanted_block_of_another_node_is_named(void **state)
{
	struct cidr c = claim();

	(void)state;
	become("n2", "i2");
	request.want = c;
	claim_fails(CPLUG_E_ADDRESS, "belongs to node n1");
	request.want = parsed(c.ip.b[3] ? "10.40.0.0/29" : "10.40.0.8/29");
	assert_true(cidr_eq(claim(), request.want));
}

/* What the helper claims for a request becomes a route that is announced. */
static void a_wanted_block_of_no_range_is_refused(void **state)
{
	static const char *const wrong[] = { "10.41.0.0/29", "10.40.0.0/28", "10.40.0.9/29",
					     "fd00:40::/122" };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(wrong); i++) {
		request.want = parsed(wrong[i]);
		claim_fails(CPLUG_E_ADDRESS, "is no block of the range 10.40.0.0/24: a /29");
	}
	assert_int_equal(etcd.n, 0);
}

static void release_leaves_what_is_another_nodes(void **state)
{
	struct cidr a = claim(), b = claim();

	(void)state;
	/* b was reclaimed, and another node has it; our own key is still there. */
	put(key_of(b), "{\"node\":\"n2\",\"instance\":\"i2\"}");
	assert_int_equal(blocks_release(&blocks), 0);
	assert_null(get(key_of(a)));
	assert_string_equal(get(key_of(b)), "{\"node\":\"n2\",\"instance\":\"i2\"}");
	assert_int_equal(etcd.n, 3);
}

static void release_gives_back_what_is_known_only(void **state)
{
	struct cidr a = claim(), b = claim();

	(void)state;
	request.n_known = 1;
	assert_int_equal(blocks_release(&blocks), 0);
	assert_null(get(key_of(a)));
	assert_non_null(get(key_of(b)));
}

static void reclaim_takes_all_of_one_node(void **state)
{
	json_t *list = json_array(), *ours = json_array();
	struct cidr other;

	(void)state;
	claim();
	claim();
	become("n10", "i10"); /* a name that begins like the other one */
	other = claim();
	become("n2", "i2");
	assert_int_equal(blocks_reclaim(&blocks, "n1", true, list), 0);
	assert_int_equal(json_array_size(list), 2);
	assert_non_null(get(key_of(other)));
	assert_int_equal(etcd.n, 4);
	become("n1", "i1");
	assert_int_equal(blocks_sync(&blocks, ours), 1);
	assert_int_equal(json_array_size(ours), 0);
	become("n10", "i1"); /* another instance has that name */
	assert_int_equal(blocks_sync(&blocks, ours), 0);
	assert_int_equal(json_array_size(ours), 0);
}

static void the_next_member_is_asked(void **state)
{
	(void)state;
	for (unsigned port = 1; port <= 2; port++) {
		etcd.only = port;
		claim();
		claim();
	}
	etcd.only = 9;
	claim_fails(CNI_E_AGAIN, "etcd does not answer: http://m:1: could not connect; http://m:2: "
				 "could not connect");
}

static void a_token_that_expires_is_renewed(void **state)
{
	(void)state;
	etcd.users = true;
	claim_fails(CNI_E_UNAVAILABLE, "user name is empty");
	conf.user = "cplug";
	conf.password = "wrong";
	claim_fails(CNI_E_UNAVAILABLE, "authentication failed");
	conf.password = "s3cret";
	claim();
	assert_int_equal(etcd.logins, 2);
	etcd.expire = 1;
	claim();
	assert_int_equal(etcd.logins, 3);
	/* One that is never valid ends. */
	etcd.expire = 1000;
	claim_fails(CNI_E_UNAVAILABLE, "invalid token");
}

static void answers_that_are_none_claim_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"[]",
		"null",
		"{\"header\":{}}",
		"{\"header\":{},\"succeeded\":true}",
		"{\"header\":{},\"succeeded\":true,\"responses\":[]}",
		"{\"header\":{},\"succeeded\":true,\"responses\":[{},{},{}]}",
		"{\"header\":{},\"succeeded\":true,\"responses\":[{\"response_range\":{}},{"
		"\"response_range\":{}}]}",
		"{\"header\":{},\"succeeded\":true,\"responses\":[{\"response_range\":{}},{"
		"\"response_range\":{}},{\"response_range\":[]}]}",
		"{\"header\":{},\"succeeded\":true,\"responses\":[{\"response_range\":{}},{"
		"\"response_range\":{}},{\"response_range\":{\"kvs\":{}}}]}",
		/* the node's own key, and the key /c/nodes/n2/net/10.40.0.0-29, whose value is ours
		 */
		"{\"header\":{},\"succeeded\":true,\"responses\":[{\"response_range\":{}},{"
		"\"response_range\":{\"kvs\":["
		"{\"key\":\"L2Mvbm9kZXMvbjEvbmV0\",\"value\":\"eyJpbnN0YW5jZSI6ImkxIn0=\"}]}},{"
		"\"response_range\":{\"kvs\":["
		"{\"key\":\"L2Mvbm9kZXMvbjIvbmV0LzEwLjQwLjAuMC0yOQ==\",\"value\":"
		"\"eyJpbnN0YW5jZSI6ImkxIn0=\"}]}}]}",
		"{\"responses\":[{\"response_range\":{}},{\"response_range\":{}},{\"response_"
		"range\":{}}],\"succeeded\":true}",
	};
	static const long passing[] = { 100, 204, 302, 404, 408, 429, 500, 503 };
	static const long final[] = { 400, 401, 403, 413 };
	struct fake_answer lie;

	(void)state;
	etcd.lies = &lie;
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		lie = answer(200, texts[i]);
		claim_fails(CNI_E_AGAIN, "it answers, but not as etcd does");
	}
	for (unsigned i = 0; i < ARRAY_LEN(passing); i++) {
		lie = answer(passing[i], "{\"message\":\"no leader\"}");
		claim_fails(CNI_E_AGAIN, "no leader (HTTP status");
	}
	for (unsigned i = 0; i < ARRAY_LEN(final); i++) {
		lie = answer(final[i], "{\"error\":\"permission denied\"}");
		claim_fails(CNI_E_UNAVAILABLE, "permission denied (HTTP status");
	}
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		T(a_claim_writes_what_is_documented),
		T(a_lost_answer_claims_one_block),
		T(every_block_is_claimed_once_and_then_none),
		T(the_last_block_goes_to_one),
		T(ranges_that_another_node_adds_meanwhile_are_kept),
		T(a_range_of_another_network_is_refused_also_at_the_same_moment),
		T(a_block_without_an_owner_is_claimed_again),
		T(an_answer_that_is_lost_while_a_block_is_claimed_again),
		T(ranges_that_differ_are_refused),
		T(another_machine_of_the_name_is_refused),
		T(an_unknown_block_of_ours_is_found_again),
		T(a_wanted_block_of_another_node_is_named),
		T(a_wanted_block_of_no_range_is_refused),
		T(release_leaves_what_is_another_nodes),
		T(release_gives_back_what_is_known_only),
		T(reclaim_takes_all_of_one_node),
		T(the_next_member_is_asked),
		T(a_token_that_expires_is_renewed),
		T(answers_that_are_none_claim_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
