// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ask.c - the helper cplug-etcd, which talks to etcd
 */
#include "ipam/cluster/cluster.h"
#include "ipam/host-local/index.h"
#include "sys/exec.h"
#include "value/jw.h"

static const char helper[] = "cplug-etcd";

/* Beside this executable, then in CNI_PATH. */
static int find(struct tx *tx, const struct call *c, const char **ret)
{
	char self[4096] = "";
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash = n > 0 ? strrchr(self, '/') : NULL;
	const char *path;
	bool is_self;

	if (slash)
		*slash = '\0';
	path = mem_printf(&tx->mem, "%s:%s", slash ? self : "", c->path);
	if (exec_look(&tx->mem, path, helper, ret, &is_self))
		return 0;
	return tx_fail_as(
		tx, CNI_E_UNAVAILABLE, -ENOENT,
		"%s, which talks to etcd, is not installed: neither in %s nor in CNI_PATH "
		"(make install installs it where libcurl is)",
		helper, self);
}

static const char *request(struct mem *mem, const struct call *c, const struct cluster *cl,
			   const struct cluster_question *q)
{
	struct jw w;

	jw_init(&w, mem, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "network", c->network);
	jw_str(&w, "instance", cl->state.instance);
	jw_int(&w, "range", q->range);
	if (q->away)
		jw_int(&w, "away", q->away);
	if (ip_set(q->want.ip))
		jw_str(&w, "want", CIDR_S(q->want));
	jw_open(&w, "ranges", '[');
	for (unsigned i = 0; i < cl->n; i++) {
		jw_open(&w, NULL, '{');
		jw_str(&w, "subnet", CIDR_S(cl->ranges[i].subnet));
		jw_int(&w, "block", cl->ranges[i].block);
		jw_close(&w, '}');
	}
	jw_close(&w, ']');
	jw_open(&w, "known", '[');
	for (unsigned i = 0; q->known && i < q->known->n; i++)
		jw_str(&w, NULL, CIDR_S(q->known->blocks[i]));
	jw_close(&w, ']');
	jw_close(&w, '}');
	return jw_end(&w);
}

static int ask(struct tx *tx, const struct call *c, const struct cluster *cl,
	       const struct cluster_question *q, struct cj *ret)
{
	struct exec_request x = { .arg = q->word, .in = request(&tx->mem, c, cl, q) };
	struct exec_answer a;

	TRY(find(tx, c, &x.path));
	x.size = strlen(x.in);
	TRY(exec_run(tx, &x, &a));
	TRY(exec_judge(tx, x.path, &a));
	return cj_parse(tx, a.out, a.out_size, "answer of cplug-etcd", ret);
}

int cluster_ask_block(struct tx *tx, const struct call *c, struct cluster *cl,
		      const struct cluster_question *q)
{
	const struct cluster_range *r = &cl->ranges[q->range];
	struct cidr block;
	struct cj answer;

	TRY(ask(tx, c, cl, q, &answer));
	block = cj_cidr(&answer, "block");
	cl->state.node = mem_str(&tx->mem, cj_str(&answer, "node", ""));
	/* A known block is another node's: the next ADD asks which. */
	cl->state.boot = cj_bool(&answer, "lost", false) ? 0 : index_boot_id();
	TRY(cj_ok(tx, &answer));
	if (block.len != r->block || !cidr_contains(r->subnet, block.ip) ||
	    !cidr_eq(block, cidr_masked(block)))
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EINVAL,
				  "cplug-etcd gave %s, which is no block of %s", CIDR_S(block),
				  CIDR_S(r->subnet));
	cluster_put(&tx->mem, &cl->state, block);
	return 0;
}

int cluster_ask_free(struct tx *tx, const struct call *c, const struct cluster *cl,
		     int64_t free[CLUSTER_RANGES_MAX])
{
	const struct cluster_question q = { .word = "free", .away = CNI_E_DEGRADED };
	struct cj answer, list;

	TRY(ask(tx, c, cl, &q, &answer));
	list = cj_list(&answer, "free");
	for (unsigned i = 0; i < cl->n; i++) {
		struct cj e = cj_at(&list, i);

		free[i] = cj_as_int(&e, 0, 0, INT64_MAX);
	}
	return cj_ok(tx, &answer);
}

int cluster_give_back(struct tx *tx, const struct call *c, const struct cluster *cl,
		      const struct cluster_state *blocks)
{
	const struct cluster_question q = { .word = "release", .known = blocks };
	struct cj answer;

	return ask(tx, c, cl, &q, &answer);
}

int cluster_ask_ours(struct tx *tx, const struct call *c, const struct cluster *cl,
		     enum cni_code away, struct cluster_state *ret)
{
	const struct cluster_question q = { .word = "sync", .known = &cl->state, .away = away };
	struct cj answer;

	TRY(ask(tx, c, cl, &q, &answer));
	cluster_read_blocks(&tx->mem, &answer, ret);
	return cj_ok(tx, &answer);
}
