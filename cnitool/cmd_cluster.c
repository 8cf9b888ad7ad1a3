// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_cluster.c - the verb cluster: runs cplug-etcd, which alone talks to etcd
 *
 * leave begins with a gc, which gives back the blocks of this node that have no lease.
 */
#include "cnitool/cnitool.h"
#include "sys/exec.h"

int cmd_cluster(struct tool *t)
{
	char **words = t->command, **argv;
	const char *path;
	unsigned n = 0;
	bool is_self;

	/* The cache has the attachments that stay. */
	if (words && str_eq(words[0], "leave")) {
		TRY(cache_open(t->tx, t->opt.cache_dir, &t->cache));
		TRY(cmd_gc(t));
	}
	while (words && words[n])
		n++;
	argv = mem_alloc(&t->tx->mem, (n + 4) * sizeof(*argv));
	if (!exec_look(&t->tx->mem, t->opt.cni_path, "cplug-etcd", &path, &is_self))
		return tx_fail_as(t->tx, CNI_E_UNAVAILABLE, -ENOENT,
				  "cplug-etcd, which talks to etcd, is not in %s (install the "
				  "package cplug-etcd, or make install where libcurl is)",
				  t->opt.cni_path);
	argv[0] = mem_str(&t->tx->mem, path);
	for (unsigned i = 0; i < n; i++)
		argv[i + 1] = words[i];
	if (!n)
		argv[1] = mem_str(&t->tx->mem, "--help");
	else if (t->opt.quiet)
		argv[n + 1] = mem_str(&t->tx->mem, "--quiet");
	execv(argv[0], argv);
	return tx_fail(t->tx, -errno, "run %s: %s", argv[0], strerror(errno));
}
