// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cache_list.c - all attachments that the caches of this host remember
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cnitool/cache.h"
#include "sys/file.h"
#include "value/json_make.h"

/* A larger file's texts are read when they are needed (cache_load()). */
enum { KEPT_MAX = 64 << 10 };

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_visible(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

struct collection {
	struct cached *list;
	unsigned n;
	const char *network; /* NULL: of all */
	bool warn;
	struct words *left_out; /* paths of the files that are not understood; may be NULL */
};

static bool is_collected(const struct collection *l, const struct cached *a)
{
	for (unsigned i = 0; i < l->n; i++)
		if (str_eq(l->list[i].network, a->network) && str_eq(l->list[i].id, a->id) &&
		    str_eq(l->list[i].ifname, a->ifname))
			return true;
	return false;
}

/* Could an attachment have these names? */
static bool is_named(const struct cached *a)
{
	return a->network && a->ifname && a->id && strlen(a->network) < NAME_MAX &&
	       strlen(a->ifname) < NAME_MAX && strlen(a->id) < NAME_MAX &&
	       (!a->netns || strlen(a->netns) < PATH_MAX);
}

/* Reads a file that is not longer than CACHE_FILE_MAX.  Returns NULL, or why it cannot be used. */
static const char *read_attachment(struct mem *m, const char *path, struct cached *ret,
				   size_t *ret_size)
{
	struct file_text text = { .s = NULL };
	int r = file_read(m, AT_FDCWD, path, CACHE_FILE_MAX, &text);

	*ret_size = text.size;
	if (r < 0)
		return strerror(-r);
	if (!text.size)
		return "it is empty (a crash left it)";
	if (json_memory_of(text.s, text.size) > JSON_MEMORY_MAX)
		return "its JSON takes too much memory";
	if (!cache_parse(m, text.s, text.size, ret) || !is_named(ret))
		return "it is no attachment as libcni remembers them";
	return NULL;
}

/* A copy in another arena.  whole: with the texts that cache_load() reads, too. */
static struct cached copy_attachment(struct mem *m, const struct cached *a, bool whole)
{
	struct cached copy = {
		.network = mem_str(m, a->network),
		.id = mem_str(m, a->id),
		.ifname = mem_str(m, a->ifname),
		.netns = mem_str(m, a->netns),
		.nsid = a->nsid,
		.has_result = a->has_result,
		.partial = !whole,
	};

	copy.nsid.boot = mem_str(m, a->nsid.boot);
	if (!whole)
		return copy;
	copy.args = mem_str(m, a->args);
	copy.capability_args = mem_str(m, a->capability_args);
	copy.result = mem_str(m, a->result);
	copy.config_size = a->config_size;
	if (a->config)
		copy.config = mem_dup(m, a->config, a->config_size + 1);
	return copy;
}

/* Each file has an arena of its own, so a large one does not take the room of the others. */
static void collect_file(struct mem *m, const char *path, struct collection *l)
{
	auto_(mem_free) struct mem own = { .exhausted = m->exhausted, .arg = m->arg };
	struct cached a = { .file = NULL };
	size_t size = 0;
	const char *why = read_attachment(&own, path, &a, &size);

	if (why) {
		if (!l->warn || file_is_gone(path))
			return;
		log_warn("%s: left out: %s", path, why);
		if (l->left_out)
			words_add(m, l->left_out, path);
		return;
	}
	if ((l->network && !str_eq(l->network, a.network)) || is_collected(l, &a))
		return;
	l->list = mem_grow(m, l->list, l->n, sizeof(*l->list));
	l->list[l->n] = copy_attachment(m, &a, size <= KEPT_MAX);
	l->list[l->n++].file = path;
}

int cache_load(struct tx *tx, const struct cached *c, struct cached *ret)
{
	const char *why = NULL;
	size_t size;

	*ret = *c;
	if (!c->partial)
		return 0;
	why = read_attachment(&tx->mem, c->file, ret, &size);
	if (why)
		return tx_fail_as(tx, CPLUG_E_FILE, -EIO, "cannot read %s: %s", c->file, why);
	ret->file = c->file;
	return 0;
}

static int collect_dir(struct tx *tx, const char *dir, struct collection *l)
{
	struct dirent **e = NULL;
	int all = scandir(dir, &e, is_visible, by_name);

	if (all < 0 && errno != ENOENT)
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "cannot read directory %s: %s", dir,
				  strerror(errno));
	for (int i = 0; i < all; i++) {
		collect_file(&tx->mem, mem_printf(&tx->mem, "%s/%s", dir, e[i]->d_name), l);
		free(e[i]);
	}
	free(e);
	return 0;
}

int cache_all(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
	      unsigned *ret_n)
{
	struct collection l = { .network = network };

	TRY(collect_dir(tx, mem_printf(&tx->mem, "%s/results", c->dir), &l));
	*ret = l.list;
	*ret_n = l.n;
	return 0;
}

static bool is_same_dir(const char *a, const char *b)
{
	struct stat one, two;

	return stat(a, &one) == 0 && stat(b, &two) == 0 && one.st_dev == two.st_dev &&
	       one.st_ino == two.st_ino;
}

int cache_everywhere(struct tx *tx, const struct cache *c, const char *network, struct cached **ret,
		     unsigned *ret_n, struct words *ret_left_out)
{
	const char *const dirs[] = { c->dir, cache_default_dir, "/var/lib/cni/cache",
				     "/run/containers/cni" };
	struct collection l = { .network = network, .warn = true, .left_out = ret_left_out };
	unsigned n = c->chosen ? 1 : ARRAY_LEN(dirs);

	for (unsigned i = 0; i < n; i++) {
		const char *dir = mem_printf(&tx->mem, "%s/results", dirs[i]);
		bool seen = false;

		for (unsigned k = 0; k < i; k++)
			seen |= is_same_dir(dir, mem_printf(&tx->mem, "%s/results", dirs[k]));
		if (!seen)
			TRY(collect_dir(tx, dir, &l));
	}
	*ret = l.list;
	*ret_n = l.n;
	return 0;
}

void cache_follow(struct mem *m, struct cache *c, const struct cached *a)
{
	char *dir = mem_str(m, a->file);

	/* DIR/results/NAME */
	for (unsigned i = 0; i < 2; i++)
		*strrchr(dir, '/') = '\0';
	c->dir = dir;
}
