// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_etcd.c - what an etcd, or something else, answers to the helper cplug-etcd
 *
 * An input is a letter, which says what is asked, and answers, each ended by NUL.  An answer begins
 * with a number.  If "k" or "K" is next, lines NAME=VALUE follow: an answer of etcd, with these
 * keys below each prefix that is asked for, and with the first value for each single key; the
 * number is odd if the comparisons held; "K": there are more keys.  Otherwise a text follows, which
 * is sent with HTTP status 100 * number.
 */
#include <jansson.h>
#include <stdlib.h>

#include "fuzz.h"
#include "ipam/cluster/helper/wire.h"
#include "tests/unit/fake_curl.h"
#include "value/base64.h"

static struct {
	struct mem *mem;
	char *at, *end;
} answers;

static json_t *encode(const char *s)
{
	return json_string(base64_encode(answers.mem, s, strlen(s)));
}

/* Keys and values of the lines in text, below the prefix in op. */
static json_t *range(const json_t *op, const char *text, bool more)
{
	const char *prefix = json_string_value(json_object_get(op, "key"));
	json_t *kvs = json_array(), *r = json_object();
	char *lines = mem_str(answers.mem, text), *line;
	bool many = json_object_get(op, "range_end");
	size_t n;

	prefix = base64_decode(answers.mem, prefix, &n);
	while ((line = strsep(&lines, "\n"))) {
		const char *name = strsep(&line, "=");
		json_t *kv = json_object();

		json_object_set_new(
			kv, "key",
			encode(mem_printf(answers.mem, "%s%s", prefix, many ? name : "")));
		json_object_set_new(kv, "value", encode(line ? line : ""));
		json_array_append_new(kvs, kv);
		if (!many)
			break;
	}
	json_object_set_new(r, "kvs", kvs);
	json_object_set_new(r, "more", json_boolean(more));
	return r;
}

static const char *serve(const char *body, bool yes, bool more, const char *text)
{
	json_t *ops = json_object_get(json_loads(body, 0, NULL), yes ? "success" : "failure");
	json_t *list = json_array(), *r = json_object();

	for (size_t i = 0; i < json_array_size(ops); i++) {
		const json_t *op = json_object_get(json_array_get(ops, i), "request_range");
		json_t *one = json_object();

		json_object_set_new(one, "response_range",
				    op ? range(op, text, more) : json_object());
		json_array_append_new(list, one);
	}
	json_object_set_new(r, "header", json_object());
	json_object_set_new(json_object_get(r, "header"), "revision", json_string("7"));
	json_object_set_new(r, "succeeded", json_boolean(yes));
	json_object_set_new(r, "responses", list);
	return json_dumps(r, 0);
}

struct fake_answer fake_serve(const char *url, const char *body, const char *token)
{
	struct fake_answer a = { .failure = CURLE_COULDNT_CONNECT };
	char *text = answers.at;

	(void)url;
	(void)token;
	if (answers.end - text < 2)
		return a;
	answers.at += strlen(text) + 1;
	if (answers.at > answers.end)
		answers.at = answers.end;
	a = (struct fake_answer){ CURLE_OK, (*text & 7) * 100, text + 1, strlen(text) };
	if (*text && (text[1] == 'k' || text[1] == 'K')) {
		a.status = 200;
		a.text = serve(body, *text & 1, text[1] == 'K', text + 2);
		a.size = a.text ? strlen(a.text) : 0;
	} else if (a.size) {
		a.size--;
	}
	return a;
}

static struct cidr parsed(struct mem *mem, const char *s)
{
	struct cidr c = { .len = 0 };

	cidr_parse(mem_str(mem, s), &c);
	return c;
}

/* A block that the plugin gets is one of the range. */
static void check_block(const struct cluster_range *r, struct cidr c)
{
	if (c.len != r->block || !cidr_contains(r->subnet, c.ip) || !cidr_eq(c, cidr_masked(c)))
		__builtin_trap();
}

static int ask(struct blocks *b, char what)
{
	const struct block_request *q = b->q;
	json_t *list = json_array();
	struct cidr c;
	int r;

	switch (what & 7) {
	case 0:
		return blocks_sync(b, list);
	case 1:
		return blocks_release(b);
	case 2:
		return blocks_free(b, list);
	case 3:
		r = blocks_list(b, what & 8 ? q->network : NULL, list);
		(void)!json_dumps(list, JSON_INDENT(2));
		return r;
	case 4:
		return blocks_reclaim(b, "n2", what & 8, list);
	case 5:
		return blocks_forget(b, q->network, list);
	case 6:
		return wire_leave(b);
	default:
		r = blocks_claim(b, &c);
		if (r == 0)
			check_block(&q->ranges[q->range], c);
		return r;
	}
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	static const char *endpoints[] = { "http://a", "https://b" };
	struct cluster_conf conf = {
		.endpoints = endpoints, .n_endpoints = 2, .node = "n1", .prefix = "/c"
	};
	struct cidr known[] = { parsed(&tx->mem, "10.40.0.8/29"),
				parsed(&tx->mem, "10.40.0.16/29") };
	struct block_request q = {
		.network = "net",
		.instance = "i1",
		.ranges = { { parsed(&tx->mem, "10.40.0.0/24"), 29 },
			    { parsed(&tx->mem, "fd00:40::/64"), 122 } },
		.n_ranges = 2,
		.known = known,
		.n_known = ARRAY_LEN(known),
	};
	struct etcd client;
	struct blocks b = { .tx = tx, .etcd = &client, .node = "n1", .prefix = "/c", .q = &q };

	if (!size)
		return;
	q.range = *data >> 4 & 1;
	/* Of another range, without 8. */
	if (*data & 32)
		q.want = known[1];
	if (q.range && ip_set(q.want.ip) && *data & 8)
		q.want = parsed(&tx->mem, "fd00:40::40/122");
	if (*data & 64) {
		conf.user = "u";
		conf.password = "p";
	}
	answers.mem = &tx->mem;
	answers.at = data + 1;
	answers.end = data + size + 1; /* data[size] is NUL */
	fuzz_keep_json();
	if (etcd_open(tx, &conf, &client) == 0) {
		int r = ask(&b, *data);

		etcd_close(&client);
		fuzz_expect(tx, r < 0 ? r : 0);
	}
	fuzz_free_json();
}
