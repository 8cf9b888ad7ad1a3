// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostconf_guards.c - where no configuration has folders made
 *
 * A folder in the place of a file that is not there yet would stop the programs that read or write
 * that file: the administrator's, cplug's, and other runtimes'.
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "sys/hostconf.h"

static const char *const guarded[] = {
	"/etc",           "/run/cni/cplug",       "/run/cni/dhcp",      "/run/netns",
	"/run/cplug",     "/var/lib/cni/results", "/var/lib/cni/cache", "/var/lib/cni/runs",
	"/var/log/cplug",
};

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_DIRECTORY | O_CLOEXEC | O_PATH);
}

/* Is a folder root, or below it, wherever symbolic links lead? */
static bool is_in(const char *folder, const struct stat *root)
{
	auto_(fd_close) int at = open_dir(AT_FDCWD, folder);
	struct stat st, child = { .st_ino = 0 };

	while (at >= 0 && fstat(at, &st) == 0 && !is_same(&st, &child)) {
		int above = open_dir(at, "..");

		if (is_same(&st, root)) {
			fd_close(&above);
			return true;
		}
		fd_close(&at);
		at = above;
		child = st;
	}
	return false;
}

/*
 * What is there of a path, and the rest.  st: of what is there; passes: is a part of it root (NULL:
 * not asked)?
 */
struct there {
	const char *folder, *rest;
	struct stat st;
	bool passes;
};

static struct there look(struct mem *mem, const char *path, const struct stat *root)
{
	const char *from = path[0] == '/' ? "/" : ".";
	struct there t = { .folder = from, .rest = path };
	char *part = mem_printf(mem, "%s/", path);
	struct stat st = { .st_ino = 0 };
	size_t n = 0;

	if (stat(from, &st) == 0)
		t.st = st;
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (stat(part, &st) < 0)
			break;
		t.st = st;
		t.passes |= root && is_same(&st, root);
		n = (size_t)(p - part);
		*p = '/';
	}
	part[n] = '\0';
	t.folder = n ? part : from;
	t.rest = path + n;
	return t;
}

/* The first part of a path, and what follows. */
static size_t first_part(const char **path)
{
	size_t n;

	for (;;) {
		*path += strspn(*path, "/");
		n = strcspn(*path, "/");
		if (n != 1 || **path != '.')
			return n;
		*path += n;
	}
}

/* Does path begin with the parts of head? */
static bool begins_with(const char *path, const char *head)
{
	for (;;) {
		size_t n = first_part(&head), k = first_part(&path);

		if (!n)
			return true;
		if (n != k || memcmp(path, head, n) != 0)
			return false;
		head += n;
		path += n;
	}
}

/* Is path root, or below it?  Neither has to be there. */
static bool leads_to(struct mem *mem, const char *path, const char *root)
{
	struct there r = look(mem, root, NULL), p;
	bool whole = !*r.rest;

	p = look(mem, path, whole ? &r.st : NULL);
	if (whole)
		return p.passes || is_in(p.folder, &r.st);
	return is_same(&p.st, &r.st) && begins_with(p.rest, r.rest);
}

const char *hostconf_guards(struct mem *mem, const char *path)
{
	for (unsigned i = 0; i < ARRAY_LEN(guarded); i++)
		if (leads_to(mem, path, guarded[i]))
			return guarded[i];
	return NULL;
}
