// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * exec_find.c - find another plugin, and recognise this program
 */
#include <sys/stat.h>

#include "sys/exec.h"

static bool is_self(const struct stat *st)
{
	struct stat self;

	return stat("/proc/self/exe", &self) == 0 && self.st_dev == st->st_dev &&
	       self.st_ino == st->st_ino;
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
			*ret_self = is_self(&st);
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
