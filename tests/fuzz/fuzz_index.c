// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuzz_index.c - the index of a lease folder
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "ipam/host-local/index.h"
#include "fuzz.h"

static int folder = -1, leases = -1;

static void make_folders(void)
{
	char path[] = "/tmp/fuzz-index.XXXXXX";

	if (folder >= 0)
		return;
	if (!mkdtemp(path))
		abort();
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(folder, "leases", 0700) < 0)
		abort();
	leases = openat(folder, "leases", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void fuzz_one(struct tx *tx, char *data, size_t size)
{
	struct ip from, to, got, *list;
	struct lease_life life = { .boot = 1 };
	struct index ix;
	int fd;

	make_folders();
	fd = openat(folder, "index", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	ip_parse("10.0.0.1", &from);
	ip_parse("10.0.1.9", &to);
	index_open(&ix, &tx->mem, folder, "index", leases);
	if (!index_exists(&ix))
		return;
	if (ix.readable) { /* even if it is not good */
		index_find(&ix, "c1", &list);
		index_free(&ix, from, to, &got);
		index_life(&ix, from, "c1", &life);
	}
	if (!ix.good)
		index_renew(&ix);
	index_begin(&ix);
	for (unsigned i = 0; i < 3; i++) {
		if (index_intend(&ix, ip_add(from, i), "c1", &life) && i == 1)
			index_forget(&ix, ip_add(from, i), "c1");
		index_add(&ix, ip_add(from, i), "c1", &life);
		index_block(&ix, ip_add(to, i));
	}
	index_remove(&ix, from, "c1");
	index_end(&ix);
	index_free(&ix, from, to, &got);
	index_close(&ix);
}
