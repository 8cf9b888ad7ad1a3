// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * target.c - the network namespace that an operand NETNS names
 *
 * The container id is a hash of the path.  So an operand must give the same path each time, also
 * after the namespace is gone; and for a path, the one that the reference computes (Go's
 * filepath.Abs()).
 */
#include <linux/magic.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/vfs.h>

#include "cnitool/errctx.h"
#include "netlink/link.h"
#include "value/name.h"
#include "cnitool/target.h"

enum { MAX_IFS = 1000 };

/* Removes "//", "." and ".." from an absolute path, without looking at the files. */
static const char *clean_path(struct mem *m, const char *path)
{
	char *out = mem_alloc(m, strlen(path) + 2);
	size_t n = 0;

	while (*path) {
		size_t len = strcspn(path, "/");

		if (len == 2 && strncmp(path, "..", 2) == 0) {
			while (n && out[--n] != '/')
				;
		} else if (len && !(len == 1 && *path == '.')) {
			out[n++] = '/';
			memcpy(out + n, path, len);
			n += len;
		}
		path += len + (path[len] == '/');
	}
	out[n] = '\0';
	return n ? out : "/";
}

static const char *absolute_path(struct mem *m, const char *path)
{
	char *here;

	if (*path == '/')
		return clean_path(m, path);
	here = getcwd(NULL, 0);
	path = clean_path(m, mem_printf(m, "%s/%s", here ? here : "", path));
	free(here);
	return path;
}

static bool is_namespace(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

const char *target_path(struct mem *m, const char *arg)
{
	static const char *const dirs[] = { "/run/netns", "/var/run/netns" };
	bool number = *arg && strspn(arg, "0123456789") == strlen(arg);
	const char *path;

	if (strchr(arg, '/') || str_empty(arg))
		return absolute_path(m, arg);
	for (unsigned i = 0; i < ARRAY_LEN(dirs); i++) {
		path = mem_printf(m, "%s/%s", dirs[i], arg);
		if (access(path, F_OK) == 0)
			return path;
	}
	/* The name of a running container (cnitool run --name). */
	path = mem_printf(m, "%s/cplug-%s", dirs[0], arg);
	if (access(path, F_OK) == 0)
		return path;
	if (number)
		return mem_printf(m, "/proc/%s/ns/net", arg);
	if (is_namespace(arg))
		return absolute_path(m, arg);
	return mem_printf(m, "%s/%s", dirs[0], arg);
}

const char *target_id(struct mem *m, const char *path)
{
	static const char prefix[] = "cnitool-";
	size_t len = sizeof(prefix) - 1 + 20;
	char *id = mem_alloc(m, len + 1);

	name_hash(id, len, prefix, path);
	return id;
}

static bool is_own(struct tx *tx, const struct netns *ns)
{
	struct errctx m = errctx_mark(tx);
	auto_(netns_close) struct netns self = NETNS_NONE;

	if (netns_open_self(tx, &self) < 0)
		errctx_take(tx, m);
	return netns_eq(&self, ns);
}

int target_open(struct tx *tx, const char *path, struct netns *ret)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;
	int r = netns_open(tx, path, &ns);

	if (r == -ENOENT)
		return tx_fail_as(tx, CNI_E_NETNS, r,
				  "there is no network namespace at %s: make one, for example with "
				  "ip netns add NAME",
				  path);
	TRY(r);
	if (is_own(tx, &ns))
		return tx_fail_as(tx, CNI_E_NETNS, -EINVAL,
				  "%s is our own network namespace: name the container's", path);
	*ret = ns;
	ns.fd = -1;
	return 0;
}

int target_open_same(struct tx *tx, const char *path, const struct nsid *was, struct netns *ret)
{
	auto_(netns_close) struct netns ns = NETNS_NONE;

	TRY(target_open(tx, path, &ns));
	if (nsid_differs(&tx->mem, &ns, was))
		return tx_fail_as(
			tx, CNI_E_NETNS, -ESTALE,
			"%s is another network namespace than at ADD, and is left as it is", path);
	*ret = ns;
	ns.fd = -1;
	return 0;
}

/* 1: another namespace is there; 0: not so, or not known; -ENOENT: nothing is there. */
static int look_at(struct tx *tx, const char *path, const struct nsid *was)
{
	struct errctx m = errctx_mark(tx);
	auto_(netns_close) struct netns ns = NETNS_NONE;
	int r = netns_open(tx, path, &ns);

	if (r == -ENOENT)
		return r;
	if (r < 0) {
		errctx_take(tx, m);
		return 0;
	}
	return is_own(tx, &ns) || (was && nsid_differs(&tx->mem, &ns, was));
}

bool target_is_other(struct tx *tx, const char *path, const struct nsid *was)
{
	return !str_empty(path) && look_at(tx, path, was) == 1;
}

void target_hold(struct tx *tx, const char *path, struct netns *ns)
{
	struct errctx m = errctx_mark(tx);

	if (!str_empty(path) && netns_open(tx, path, ns) < 0)
		errctx_take(tx, m);
}

bool target_is_held(struct tx *tx, const char *path, const struct netns *ns)
{
	auto_(netns_close) struct netns now = NETNS_NONE;

	if (ns->fd < 0)
		return true;
	target_hold(tx, path, &now);
	return netns_eq(&now, ns);
}

bool target_lives(struct tx *tx, const char *path, const struct nsid *was)
{
	return str_empty(path) || look_at(tx, path, was) == 0;
}

/* ---- interfaces ---- */

struct if_search {
	const char *ifname; /* NULL = find a free one */
	char free[IFNAMSIZ];
	bool found;
};

static int find_if(struct tx *tx, void *arg)
{
	struct if_search *s = arg;

	if (s->ifname) {
		s->found = link_here_try(s->ifname) > 0;
		return 0;
	}
	for (unsigned i = 0; i < MAX_IFS; i++) {
		snprintf(s->free, sizeof(s->free), "eth%u", i);
		if (link_here_try(s->free) <= 0)
			return 0;
	}
	return tx_fail(tx, -EEXIST, "container: eth0 to %s are all taken", s->free);
}

int target_has_if(struct tx *tx, const struct netns *ns, const char *ifname)
{
	struct if_search s = { .ifname = ifname };

	TRY(netns_run(tx, ns, find_if, &s));
	return s.found;
}

int target_free_if(struct tx *tx, const struct netns *ns, const char **ret)
{
	struct if_search s = { .ifname = NULL };

	TRY(netns_run(tx, ns, find_if, &s));
	*ret = mem_str(&tx->mem, s.free);
	return 0;
}
