// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec_find.c - find another plugin, and recognise this program
 */
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "sys/exec.h"

static bool has_same_content(const char *a, const char *b)
{
	auto_(fd_close) int x = open(a, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_(fd_close) int y = open(b, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char one[32 << 10], two[sizeof(one)];
	ssize_t n;

	if (x < 0 || y < 0)
		return false;
	while ((n = read(x, one, sizeof(one))) > 0)
		if (read(y, two, sizeof(two)) != n || memcmp(one, two, (size_t)n) != 0)
			return false;
	return n == 0 && read(y, two, 1) == 0;
}

static bool is_file(const char *path, const struct stat *st, struct stat *ret)
{
	return stat(path, ret) == 0 && ret->st_dev == st->st_dev && ret->st_ino == st->st_ino;
}

/*
 * The names are hard links, or copies if an image or a file system knows no hard links.  Files of
 * another size are not read.  The name by which the kernel was asked to execute this program mostly
 * answers the question, and costs less than /proc (netns.c).
 */
static bool is_self(const char *path, const struct stat *st)
{
	static const char exe[] = "/proc/self/exe";
	const char *called = (const char *)getauxval(AT_EXECFN);
	struct stat self = { .st_size = 0 };

	if ((called && is_file(called, st, &self)) || is_file(exe, st, &self))
		return true;
	return self.st_size == st->st_size && st->st_size > 0 && (st->st_mode & 0111) &&
	       has_same_content(exe, path);
}

/* The directories as "a b", for messages. */
static const char *listed(struct mem *mem, const char *cni_path)
{
	char *s = mem_str(mem, cni_path);

	for (char *p = s; *p; p++)
		if (*p == ':')
			*p = ' ';
	return s;
}

bool exec_look(struct mem *mem, const char *cni_path, const char *type, const char **ret_path,
	       bool *ret_self)
{
	struct stat st;

	for (const char *dir = cni_path; *dir;) {
		size_t n = strcspn(dir, ":");
		const char *path = mem_printf(mem, "%.*s/%s", (int)n, dir, type);

		if (n && stat(path, &st) == 0 && S_ISREG(st.st_mode)) {
			*ret_path = path;
			*ret_self = is_self(path, &st);
			return true;
		}
		dir += n + (dir[n] == ':');
	}
	return false;
}

int exec_find(struct tx *tx, const char *cni_path, const char *type, const char **ret_path,
	      bool *ret_self)
{
	if (str_empty(type))
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EINVAL, "no plugin name provided");
	if (strchr(type, '/') || str_eq(type, ".") || str_eq(type, ".."))
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EINVAL, "invalid plugin name: %s", type);
	if (str_empty(cni_path))
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -ENOENT,
				  "cannot look for plugin \"%s\": no paths provided, set CNI_PATH",
				  type);
	if (exec_look(&tx->mem, cni_path, type, ret_path, ret_self))
		return 0;
	return tx_fail_as(tx, CPLUG_E_DELEGATE, -ENOENT,
			  "failed to find plugin \"%s\" in path [%s]", type,
			  listed(&tx->mem, cni_path));
}
