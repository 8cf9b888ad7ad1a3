// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * state.c - the blocks of this node: <dataDir>/<network>/blocks.json
 */
#include <stdlib.h>
#include <sys/random.h>

#include "ipam/cluster/cluster.h"
#include "ipam/host-local/index.h"
#include "ipam/host-local/store.h"
#include <fcntl.h>
#include "sys/file.h"
#include "value/jw.h"

enum {
	STATE_VERSION = 1,
	FILE_MAX = 1 << 20,
	INSTANCE_MAX = 64, /* each value in etcd has it, and the file may be a container's */
	LOCK_TIMEOUT_MS = 30000
};

static const char *state_path(struct mem *mem, const struct call *c, const struct cluster *cl)
{
	return mem_printf(mem, "%s/%s/blocks.json", cl->local.data_dir, c->network);
}

bool cluster_has(const struct cluster_state *s, struct cidr block)
{
	for (unsigned i = 0; i < s->n; i++)
		if (cidr_eq(s->blocks[i], block))
			return true;
	return false;
}

void cluster_put(struct mem *mem, struct cluster_state *s, struct cidr block)
{
	if (cluster_has(s, block))
		return;
	s->blocks = mem_grow(mem, s->blocks, s->n, sizeof(*s->blocks));
	s->blocks[s->n++] = block;
}

void cluster_read_blocks(struct mem *mem, const struct cj *c, struct cluster_state *s)
{
	struct cj list = cj_list(c, "blocks");

	for (unsigned i = 0, n = cj_len_max(&list, CLUSTER_BLOCKS_MAX); i < n; i++) {
		struct cj e = cj_at(&list, i);
		struct cidr block = cj_as_cidr(&e);

		if (!cidr_eq(block, cidr_masked(block)))
			cj_wrong(&e, NULL, "host bits are set; the network address is %s",
				 IP_S(cidr_network(block)));
		else if (ip_set(block.ip))
			cluster_put(mem, s, block);
	}
}

/*
 * One set for each range, with one range of host-local for each block.  Its number is part of the
 * name last_reserved_ip.N.
 */
static void make_pool(struct mem *mem, struct cluster *cl)
{
	for (unsigned i = 0; i < cl->n; i++) {
		struct pool_set *set = &cl->local.pool.sets[i];

		*set = (struct pool_set){ 0 };
		for (unsigned k = 0; k < cl->state.n; k++) {
			if (!cidr_contains(cl->ranges[i].subnet, cl->state.blocks[k].ip) ||
			    cl->state.blocks[k].len < cl->ranges[i].subnet.len)
				continue; /* of a range that the configuration had */
			set->ranges = mem_grow(mem, set->ranges, set->n, sizeof(*set->ranges));
			set->ranges[set->n++] = pool_whole(cl->state.blocks[k]);
		}
	}
}

static const char *new_instance(struct mem *mem)
{
	uint64_t r[2] = { 0 };

	(void)!getrandom(r, sizeof(r), 0);
	return mem_printf(mem, "%016llx%016llx", (unsigned long long)r[0],
			  (unsigned long long)r[1]);
}

static int parse(struct tx *tx, const struct file_text *text, const char *path,
		 struct cluster_state *ret)
{
	struct cj c;
	int r;

	r = cj_parse(tx, text->s, text->size, mem_printf(&tx->mem, "file %s", path), &c);
	if (r < 0) {
		tx->code = CPLUG_E_FILE;
		tx_detail(tx, "write it anew from a copy; without one, remove it and take the "
			      "node's blocks back when none of its containers runs (cnitool "
			      "cluster reclaim NODE)");
		return r;
	}
	cj_int(&c, "version", STATE_VERSION, 1, STATE_VERSION);
	ret->node = cj_str(&c, "node", "");
	ret->instance = cj_str(&c, "instance", "");
	ret->boot = strtoull(cj_str(&c, "boot", "0"), NULL, 16);
	cluster_read_blocks(&tx->mem, &c, ret);
	if (!*ret->instance)
		cj_wrong(&c, "instance", "it is missing");
	else if (strlen(ret->instance) > INSTANCE_MAX)
		cj_wrong(&c, "instance", "it has more than %d characters", INSTANCE_MAX);
	return cj_ok_as(tx, &c, CPLUG_E_FILE);
}

int cluster_load(struct tx *tx, const struct call *c, struct cluster *cl)
{
	const char *path = state_path(&tx->mem, c, cl);
	struct file_text text;
	int r = file_read(&tx->mem, AT_FDCWD, path, FILE_MAX, &text);

	cl->state = (struct cluster_state){ .node = "" };
	if (r == -ENOENT || r == -ENOTDIR || r == -ENAMETOOLONG)
		cl->state.instance = new_instance(&tx->mem);
	else if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "read %s: %s", path, strerror(-r));
	else
		TRY(parse(tx, &text, path, &cl->state));
	make_pool(&tx->mem, cl);
	return 0;
}

/* Makes a folder below dataDir, where a configuration may have one made. */
static int make_dir(struct tx *tx, const struct call *c, const struct cluster *cl, const char *name,
		    mode_t mode)
{
	const char *dir = mem_printf(&tx->mem, "%s/%s", cl->local.data_dir, name);

	if (access(dir, F_OK) < 0)
		TRY(store_may_make(tx, cl->local.data_dir, c->network));
	return file_mkdirs(tx, dir, mode);
}

int cluster_save(struct tx *tx, const struct call *c, struct cluster *cl)
{
	const struct cluster_state *s = &cl->state;
	struct file_new f = {
		.dirfd = AT_FDCWD,
		.path = state_path(&tx->mem, c, cl),
		.mode = 0644,
		.sync = true,
		.own = true,
	};
	struct jw w;

	jw_init(&w, &tx->mem, false);
	jw_open(&w, NULL, '{');
	jw_int(&w, "version", STATE_VERSION);
	jw_str(&w, "node", s->node);
	jw_str(&w, "instance", s->instance);
	jw_str(&w, "boot", mem_printf(&tx->mem, "%016llx", (unsigned long long)s->boot));
	jw_open(&w, "blocks", '[');
	for (unsigned i = 0; i < s->n; i++)
		jw_str(&w, NULL, CIDR_S(s->blocks[i]));
	jw_close(&w, ']');
	jw_close(&w, '}');
	f.data = mem_printf(&tx->mem, "%s\n", jw_end(&w));
	f.size = strlen(f.data);
	TRY(make_dir(tx, c, cl, c->network, 0755));
	TRY(file_replace(tx, &f));
	make_pool(&tx->mem, cl);
	return 0;
}

int cluster_lock(struct tx *tx, const struct call *c, const struct cluster *cl, int *ret_fd)
{
	const char *dir = mem_printf(&tx->mem, "%s/.cplug", cl->local.data_dir);

	TRY(make_dir(tx, c, cl, ".cplug", 0700));
	return file_lock(tx, AT_FDCWD, mem_printf(&tx->mem, "%s/%s.claim", dir, c->network),
			 file_lock_timeout(LOCK_TIMEOUT_MS), ret_fd);
}

/* ---- etcd is away ---- */

static const char *away_path(struct mem *mem, const struct call *c, const struct cluster *cl)
{
	return mem_printf(mem, "%s/.cplug/%s.away", cl->local.data_dir, c->network);
}

static void note_away(struct tx *tx, const struct call *c, const struct cluster *cl)
{
	const char *text = mem_printf(&tx->mem, "%llu %lld %s", (unsigned long long)index_boot_id(),
				      (long long)clock_ms(), tx->msg);
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
	auto_(fd_close) int fd = open(away_path(&tx->mem, c, cl), flags, 0600);

	if (fd >= 0)
		(void)!fd_write(fd, text, strlen(text));
}

int cluster_noted(struct tx *tx, const struct call *c, const struct cluster *cl, int r)
{
	if (r < 0 && tx->code == CNI_E_AGAIN)
		note_away(tx, c, cl);
	return r;
}

int cluster_share_away(struct tx *tx, const struct call *c, const struct cluster *cl, int64_t begun)
{
	struct file_text text;
	char *at;

	if (file_read_checked(&tx->mem, away_path(&tx->mem, c, cl), FILE_MAX, &text) < 0)
		return 0;
	if (strtoull(text.s, &at, 10) != index_boot_id() || strtoll(at, &at, 10) < begun ||
	    *at != ' ')
		return 0;
	return tx_fail_as(tx, CNI_E_AGAIN, -ETIMEDOUT, "%s", at + 1);
}
