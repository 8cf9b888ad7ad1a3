// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - cplug-etcd: what the IPAM plugin cluster asks etcd
 *
 *	cplug-etcd claim|sync|release|free	a request of the plugin on stdin (docs/cluster.md)
 *	cplug-etcd list [NETWORK]		who has which block
 *	cplug-etcd reclaim [--force] NODE	takes the blocks of a dead node back
 *	cplug-etcd forget NETWORK		removes the ranges of a network without blocks
 *	cplug-etcd join --local A --address B	makes the wire to the other nodes
 *	cplug-etcd leave			removes it
 *
 * An executable of its own, because libcurl and a TLS library are larger than all of cplug: the
 * plugins are one static file that needs no network.  The answer is a JSON object on stdout; an
 * error is one with code and msg, and exit status 1.
 */
#include <stdio.h>

#include "base/log.h"
#include "cni/version.h"
#include "ipam/cluster/helper/blocks.h"
#include "ipam/cluster/helper/ranges.h"
#include "ipam/cluster/helper/routes.h"
#include "ipam/cluster/helper/wire.h"
#include "ipam/cluster/helper/words.h"
#include "sys/file.h"
#include "value/json_make.h"
#include "value/jw.h"

/* Timeouts of cluster.conf for all that a request of the plugin, or a word of a person, needs. */
enum { TIMEOUTS_MAX = 20, TIMEOUTS_PERSON = 60 };

static struct tx tx;
static bool asked_by_person; /* no request on stdin */
static bool no_result;       /* --quiet */

static void __attribute__((noreturn)) on_exhausted(void *arg UNUSED)
{
	static const char none[] = "{\"code\":110,\"msg\":\"cplug-etcd: out of memory\"}\n";
	static const char large[] =
		"{\"code\":110,\"msg\":\"cplug-etcd: the answers of etcd need more than 256 "
		"MiB (correct endpoints in " CLUSTER_CONF ", or list one network only)\"}\n";
	const char *text = tx.mem.at_max ? large : none;

	(void)!write(STDOUT_FILENO, text, strlen(text));
	_exit(1);
}

/* jansson allocates from the arena, which lives as long as the process. */
static void *alloc_json(size_t size)
{
	return mem_alloc(&tx.mem, size);
}

static void keep_json(void *p UNUSED)
{
}

static int print(json_t *json)
{
	const char *text = json_dumps(json, asked_by_person ? JSON_INDENT(2) : JSON_COMPACT);
	int r;

	if (no_result)
		return 0;
	r = fd_write(STDOUT_FILENO, text, strlen(text));
	r = also(r, fd_write(STDOUT_FILENO, "\n", 1));
	if (r < 0)
		return tx_fail_as(&tx, CNI_E_IO, r, "stdout: write the answer: %s", strerror(-r));
	return 0;
}

/*
 * After reclaim: no route of ours to the blocks stays on this machine.  It has some if it is that
 * node and has lost its state folder; a routing daemon would go on to export them.
 */
static void reclaim_routes(const json_t *list)
{
	struct routes_blocks none = { .n = 0 }, gone = { .n = 0 };
	const char *block;
	struct cidr c;

	for (size_t i = 0; i < json_array_size(list); i++) {
		block = json_string_value(json_object_get(json_array_get(list, i), "block"));
		if (block && cidr_parse(block, &c))
			routes_put(&tx.mem, &gone, c);
	}
	routes_set(&tx, none, gone);
}

static int answer_request(const char *word, struct blocks *b)
{
	json_t *list = json_array();
	struct cidr c;

	if (str_eq(word, "claim")) {
		TRY(blocks_claim(b, &c));
		/* All blocks, because a flush may have removed the older ones' routes. */
		routes_set(&tx, b->here, b->gone);
		return print(json_make("node", json_string(b->node), "block",
				       json_string(CIDR_S(c)), "lost", json_boolean(b->lost),
				       "requests", json_integer((json_int_t)b->etcd->requests)));
	}
	if (str_eq(word, "free")) {
		TRY(blocks_free(b, list));
	} else if (str_eq(word, "sync")) {
		int ours;

		TRY(ours = blocks_sync(b, list));
		if (ours)
			routes_set(&tx, b->here, b->gone);
	} else {
		b->set_routes = routes_set;
		TRY(blocks_release(b));
	}
	return print(json_make("node", json_string(b->node),
			       str_eq(word, "free") ? "free" : "blocks", list));
}

/* ---- the administrator's words ---- */

/* How many blocks each node has: {"n1": 2}. */
static json_t *count_nodes(const json_t *blocks)
{
	json_t *nodes = json_object();

	for (size_t i = 0; i < json_array_size(blocks); i++) {
		const json_t *b = json_array_get(blocks, i);
		const char *node = json_string_value(json_object_get(b, "node"));
		json_int_t n = node ? json_integer_value(json_object_get(nodes, node)) : 0;

		if (node)
			json_object_set_new(nodes, node, json_integer(n + 1));
	}
	return nodes;
}

static int answer_person(struct words *w, struct blocks *b)
{
	json_t *list = json_array();

	asked_by_person = true;
	if (str_eq(w->word, "list")) {
		TRY(blocks_list(b, w->arg, list));
		return print(json_make("nodes", count_nodes(list), "blocks", list));
	}
	if (str_eq(w->word, "forget")) {
		TRY(blocks_forget(b, w->arg, list));
		return print(json_make("forgotten", list));
	}
	if (str_eq(w->word, "join")) {
		TRY(wire_join(b, &w->me, list));
		return print(json_make("node", json_string(b->node), "mac",
				       json_string(MAC_S(w->me.mac)), "peers", list));
	}
	if (str_eq(w->word, "leave")) {
		TRY(wire_leave(b));
		return print(json_make("node", json_string(b->node)));
	}
	TRY(blocks_reclaim(b, w->arg, w->force, list));
	reclaim_routes(list);
	TRY(wire_forget(b, w->arg));
	return print(json_make("reclaimed", list));
}

/*
 * The options of cnitool's other verbs may be anywhere.  Answers are JSON in any case; --quiet:
 * only errors are told.
 */
static int take_options(int argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < argc; i++)
		if (str_eq(argv[i], "-q") || str_eq(argv[i], "--quiet"))
			no_result = true;
		else if (!str_eq(argv[i], "--json"))
			argv[n++] = argv[i];
	argv[n] = NULL;
	return n;
}

static bool is_word(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (str_eq(word, *words))
			return true;
	return false;
}

static int run(int argc, char **argv)
{
	static const char *const requests[] = { "claim", "sync", "release", "free", NULL };
	auto_(etcd_close) struct etcd etcd = { .curl = NULL };
	const char *word = argc > 1 ? argv[1] : "";
	bool asks = is_word(word, requests);
	int64_t timeouts;
	struct words w = { .word = word };
	enum cni_code away = CNI_E_AGAIN;
	struct cluster_conf conf;
	struct block_request q = { .network = "" };
	struct blocks b = { .tx = &tx, .etcd = &etcd, .q = &q };

	if (asks)
		TRY(request_read(&tx, &q, &away));
	else
		TRY(words_read(&tx, argc, argv, &w));
	TRY(cluster_conf_read(&tx, &conf));
	if (asks)
		TRY(ranges_check(&tx, &conf, &q));
	TRY(etcd_open(&tx, &conf, &etcd));
	etcd.away = away;
	b.node = conf.node;
	b.prefix = conf.prefix;
	/* The lock of the claims, which the plugin holds, is waited for half a minute. */
	timeouts = asks ? TIMEOUTS_MAX : TIMEOUTS_PERSON;
	etcd.end = clock_ms() + timeouts * conf.timeout_ms;
	if (asks)
		return answer_request(word, &b);
	return answer_person(&w, &b);
}

/* By jw, because the text of a server need not be UTF-8, which jansson would leave out. */
static void print_error(void)
{
	struct jw w;

	jw_init(&w, &tx.mem, true);
	jw_open(&w, NULL, '{');
	jw_int(&w, "code", tx.code);
	jw_str(&w, "msg", tx.msg);
	if (tx.details[0])
		jw_str(&w, "details", tx.details);
	jw_close(&w, '}');
	(void)!fd_write(STDOUT_FILENO, jw_end(&w), strlen(jw_end(&w)));
	(void)!fd_write(STDOUT_FILENO, "\n", 1);
}

int main(int argc, char **argv)
{
	int r;

	if (argc == 2 && (str_eq(argv[1], "--help") || str_eq(argv[1], "-h")))
		return printf("%s", words_usage) < 0;
	if (argc == 2 && str_eq(argv[1], "--version"))
		return printf("cplug-etcd of cplug %s\n", cplug_version_and_commit) < 0;
	argc = take_options(argc, argv);
	log_start();
	log_set_prefix("cplug-etcd", argc > 1 ? argv[1] : "");
	tx_begin(&tx);
	tx.mem.exhausted = on_exhausted;
	tx_catch_signals();
	json_set_alloc_funcs(alloc_json, keep_json);
	r = run(argc, argv);
	if (r == 0)
		return 0;
	print_error();
	return 1;
}
