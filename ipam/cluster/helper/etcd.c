// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * etcd.c - etcd's v3 API through its HTTP/JSON gateway
 */
#include <curl/curl.h>
#include <poll.h>
#include <sys/random.h>

#include "base/log.h"
#include "ipam/cluster/helper/etcd.h"
#include "value/base64.h"
#include "value/json_make.h"

enum {
	ANSWER_MAX = 16 << 20,
	REASON_MAX = 4096, /* of an answer that is none */
	PAUSE_MS = 50,     /* the least pause after a round; the most is three times as long */
};

/* ---- one request ---- */

struct answer {
	CURL *curl;
	struct mem_text text;
	bool too_long;
	long status; /* HTTP */
	char error[CURL_ERROR_SIZE];
};

static size_t keep(char *data, size_t size, size_t n, void *arg)
{
	struct answer *a = arg;

	curl_easy_getinfo(a->curl, CURLINFO_RESPONSE_CODE, &a->status);
	if (a->status != 200 && a->text.len + size * n > REASON_MAX)
		return size * n; /* only its beginning is of use */
	if (a->text.len + size * n > ANSWER_MAX) {
		a->too_long = true;
		return 0;
	}
	mem_text_add(&a->text, "%.*s", (int)(size * n), data);
	return size * n;
}

int etcd_open(struct tx *tx, const struct cluster_conf *conf, struct etcd *ret)
{
	uint32_t random = 0;
	CURL *curl;

	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	if (!curl)
		return tx_fail(tx, -ENOMEM, "libcurl: out of memory");
	/* The members share the load: each process begins with another one. */
	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	*ret = (struct etcd){
		.conf = conf, .curl = curl, .at = random % conf->n_endpoints, .away = CNI_E_AGAIN
	};
	/* Not the environment's proxy, because the environment is the runtime's. */
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	/* Where a member is, says cluster.conf only: the credentials go nowhere else. */
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* The end of the process need not wait for a name server that does not answer. */
	curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)conf->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
	if (conf->ca)
		curl_easy_setopt(curl, CURLOPT_CAINFO, conf->ca);
	if (conf->cert) {
		curl_easy_setopt(curl, CURLOPT_SSLCERT, conf->cert);
		curl_easy_setopt(curl, CURLOPT_SSLKEY, conf->key);
	}
	return 0;
}

void etcd_close(struct etcd *e)
{
	if (e->curl)
		curl_easy_cleanup(e->curl);
	e->curl = NULL;
}

/*
 * What to look at, where curl's own words name no key.  A member that does not accept the client's
 * certificate says so only after the handshake of TLS 1.3; what curl sees then is often a
 * connection that ends.
 */
static const char *hint(const struct etcd *e, CURLcode r)
{
	switch (r) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return "";
	case CURLE_PEER_FAILED_VERIFICATION:
		return ": \"ca\" must be the authority of its certificate, and that be for this "
		       "name";
	case CURLE_SSL_CACERT_BADFILE:
		return ": \"ca\" must be a PEM file of certificates";
	case CURLE_SSL_CERTPROBLEM:
		return ": \"cert\" must be a PEM file of a certificate, and \"key\" of its key";
	default:
		break;
	}
	if (!str_starts(e->conf->endpoints[e->at], "https://"))
		return r == CURLE_GOT_NOTHING ? ": it may want https://" : "";
	if (!e->conf->cert)
		return ": it may want a certificate of the client, by \"cert\" and \"key\"";
	return ": it may want another client certificate than that in \"cert\"";
}

/* Why curl has no answer. */
static const char *lost(struct tx *tx, const struct etcd *e, CURLcode r, const struct answer *a)
{
	const char *text = a->error[0] ? a->error : curl_easy_strerror(r);

	if (r == CURLE_OPERATION_TIMEDOUT)
		return mem_printf(&tx->mem, "no answer within %g s", e->conf->timeout_ms / 1000.0);
	return mem_printf(&tx->mem, "%s%s", text, hint(e, r));
}

/* Sends one request to one member.  Returns a sentence about why there is no answer, or NULL. */
static const char *post(struct tx *tx, struct etcd *e, const char *path, const char *body,
			struct answer *a)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	CURLcode r;

	*a = (struct answer){ .curl = e->curl, .text.mem = &tx->mem };
	if (e->token)
		headers = curl_slist_append(headers,
					    mem_printf(&tx->mem, "Authorization: %s", e->token));
	curl_easy_setopt(e->curl, CURLOPT_URL,
			 mem_printf(&tx->mem, "%s%s", e->conf->endpoints[e->at], path));
	curl_easy_setopt(e->curl, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(e->curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(e->curl, CURLOPT_ERRORBUFFER, a->error);
	curl_easy_setopt(e->curl, CURLOPT_WRITEDATA, a);
	e->requests++;
	r = curl_easy_perform(e->curl);
	curl_slist_free_all(headers);
	if (a->too_long)
		return mem_printf(&tx->mem, "the answer has more than %d MiB", ANSWER_MAX >> 20);
	if (r != CURLE_OK)
		return lost(tx, e, r, a);
	curl_easy_getinfo(e->curl, CURLINFO_RESPONSE_CODE, &a->status);
	return NULL;
}

/* ---- retries ---- */

static void pause_a_while(void)
{
	uint32_t random = 0;

	(void)!getrandom(&random, sizeof(random), GRND_NONBLOCK);
	poll(NULL, 0, PAUSE_MS + (int)(random % (2 * PAUSE_MS)));
}

/* The reason in an answer that is none: {"error": …, "message": …}. */
static const char *reason(struct mem *mem, const struct answer *a, json_t *json)
{
	const char *text = json_string_value(json_object_get(json, "message"));

	if (a->status == 200)
		return mem_printf(mem, "it answers, but not as etcd does: \"%.60s\"",
				  mem_text_end(&a->text));
	if (!text)
		text = json_string_value(json_object_get(json, "error"));
	if (!text)
		text = mem_text_end(&a->text);
	return mem_printf(mem, "%.200s (HTTP status %ld)", text, a->status);
}

/* Can another member, or a later time, give another answer?  Below 400, and 404: it is no etcd. */
static bool is_passing(const struct answer *a)
{
	return a->status >= 500 || a->status < 400 || a->status == 404 || a->status == 408 ||
	       a->status == 429;
}

static int refused(struct tx *tx, const struct etcd *e, const char *why)
{
	if (strstr(why, "CommonName"))
		return tx_fail_as(
			tx, CNI_E_UNAVAILABLE, -EACCES,
			"etcd refuses the request: %s: with users, its gateway takes no "
			"name of a certificate: make the certificate in \"cert\" without a "
			"CommonName, and name user and passwordFile in %s",
			e->conf->endpoints[e->at], CLUSTER_CONF);
	return tx_fail_as(tx, CNI_E_UNAVAILABLE, -EACCES,
			  "etcd refuses the request: %s: %s (check user, passwordFile and "
			  "certificates in %s, and that a role of the user in etcd may read and "
			  "write the keys below %.200s)",
			  e->conf->endpoints[e->at], why, CLUSTER_CONF, e->conf->prefix);
}

/* ---- is it an answer? ---- */

struct question {
	const char *path, *body;
	const struct etcd_txn *txn; /* NULL: another question */
};

/* A key is one of those that an operation asks for: of a range, from the key to before its end. */
static bool is_asked(struct mem *mem, const json_t *range, const json_t *kv)
{
	const char *want = json_string_value(json_object_get(range, "key"));
	const char *end = json_string_value(json_object_get(range, "range_end"));
	const char *key = json_string_value(json_object_get(kv, "key"));
	size_t n, size;

	want = base64_decode(mem, want, &n);
	key = key ? base64_decode(mem, key, &size) : NULL;
	if (!key || strlen(key) != size)
		return false;
	if (!end)
		return str_eq(key, want);
	end = base64_decode(mem, end, &n);
	return strcmp(key, want) >= 0 && strcmp(key, end) < 0;
}

static bool is_response(struct mem *mem, const json_t *op, const json_t *response)
{
	const json_t *range = json_object_get(op, "request_range");
	const json_t *found = json_object_get(response, "response_range");
	const json_t *list = json_object_get(found, "kvs");

	if (!range)
		return json_is_object(response);
	if (!json_is_object(found) || (list && !json_is_array(list)))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!is_asked(mem, range, json_array_get(list, i)))
			return false;
	return true;
}

/*
 * Anything that speaks HTTP can say 200 and send JSON.  Without this check an empty answer would
 * mean that etcd has no block of this node.
 */
static bool is_answer(struct mem *mem, const struct question *q, const json_t *json)
{
	const json_t *list = json_object_get(json, "responses"), *ops;

	if (!json_is_object(json))
		return false;
	if (!q->txn)
		return true;
	ops = json_is_true(json_object_get(json, "succeeded")) ? q->txn->yes : q->txn->no;
	if (!json_is_object(json_object_get(json, "header")) ||
	    json_array_size(list) != json_array_size(ops))
		return false;
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!is_response(mem, json_array_get(ops, i), json_array_get(list, i)))
			return false;
	return true;
}

bool etcd_is_late(const struct etcd *e)
{
	return e->end && clock_ms() >= e->end;
}

/*
 * Posts until a member gives an answer, for a bounded time.  *ret_status 401: the token is not
 * valid.
 */
static int ask(struct tx *tx, struct etcd *e, const struct question *q, json_t **ret,
	       long *ret_status)
{
	unsigned n = e->conf->n_endpoints;
	const char **why = mem_alloc(&tx->mem, n * sizeof(*why));
	int64_t end = clock_ms() + (int64_t)e->conf->timeout_ms * (n + 2);
	struct mem_text all = { .mem = &tx->mem };

	*ret = NULL;
	*ret_status = 0;
	for (unsigned i = 0; n && (!i || !etcd_is_late(e)) && (i < n || clock_ms() < end); i++) {
		struct answer a;

		TRY(tx_interrupted(tx));
		if (i && i % n == 0)
			pause_a_while();
		why[e->at] = post(tx, e, q->path, q->body, &a);
		if (!why[e->at]) {
			const char *text = mem_text_end(&a.text);

			*ret = json_loads(text, 0, NULL);
			*ret_status = a.status;
			if ((a.status == 200 && is_answer(&tx->mem, q, *ret)) ||
			    (a.status == 401 && e->token))
				return 0;
			why[e->at] = reason(&tx->mem, &a, *ret);
			if (!is_passing(&a))
				return refused(tx, e, why[e->at]);
		}
		log_step("etcd %s: %s", e->conf->endpoints[e->at], why[e->at]);
		e->at = (e->at + 1) % n;
	}
	for (unsigned i = 0; i < n; i++)
		mem_text_add(&all, "%s%s: %s", mem_text_comma(&all, "; "), e->conf->endpoints[i],
			     why[i] ? why[i] : "not asked");
	return tx_fail_as(tx, e->away, -ETIMEDOUT,
			  "etcd does not answer: %s (start it there, or correct endpoints in %s)",
			  mem_text_end(&all), CLUSTER_CONF);
}

static int log_in(struct tx *tx, struct etcd *e)
{
	json_t *who = json_make("name", json_string(e->conf->user), "password",
				json_string(e->conf->password));
	struct question q = { "/v3/auth/authenticate", json_dumps(who, JSON_COMPACT), NULL };
	const char *token;
	json_t *a;
	long status;

	e->token = NULL;
	TRY(ask(tx, e, &q, &a, &status));
	token = json_string_value(json_object_get(a, "token"));
	if (!token || strlen(token) >= sizeof(e->token_room))
		return refused(tx, e, "it gives no token");
	/* Not in the arena: a page of a long list has one of its own. */
	e->token = strcpy(e->token_room, token);
	return 0;
}

static int request(struct tx *tx, struct etcd *e, const struct question *q, json_t **ret)
{
	long status;

	if (e->conf->user && !e->token)
		TRY(log_in(tx, e));
	TRY(ask(tx, e, q, ret, &status));
	if (status != 401)
		return 0;
	TRY(log_in(tx, e)); /* the token has expired */
	TRY(ask(tx, e, q, ret, &status));
	if (status == 200)
		return 0;
	return refused(tx, e, "invalid token");
}

/* ---- transactions ---- */

struct etcd_txn etcd_txn(void)
{
	return (struct etcd_txn){ json_array(), json_array(), json_array() };
}

int etcd_commit(struct tx *tx, struct etcd *e, const struct etcd_txn *t, json_t **ret_responses)
{
	json_t *txn = json_make("compare", t->compare, "success", t->yes, "failure", t->no), *a;
	struct question q = { "/v3/kv/txn", json_dumps(txn, JSON_COMPACT), t };

	TRY(request(tx, e, &q, &a));
	e->revision = etcd_number(json_object_get(a, "header"), "revision");
	*ret_responses = json_object_get(a, "responses");
	return json_is_true(json_object_get(a, "succeeded"));
}
