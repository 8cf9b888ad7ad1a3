// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * link_device.c - the link of a device, by its MAC or by its folder in sysfs
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "netlink/link_device.h"
#include "sys/file.h"

struct search {
	struct mac mac;
	struct link *ret;
	bool found;
};

static int same_mac(const struct link *l, void *arg)
{
	struct search *s = arg;

	if (!l || !mac_eq(l->mac, s->mac))
		return 0;
	*s->ret = *l;
	s->found = true;
	return 1;
}

int link_find_mac(struct tx *tx, struct rt *rt, struct mac mac, struct link *ret)
{
	struct search s = { .mac = mac, .ret = ret };

	if (!mac.len)
		return 0;
	TRY(link_each(tx, rt, "", same_mac, &s));
	return s.found;
}

/* ---- sysfs -------------------------------------------------------------- */

/*
 * The first name in a folder, alphabetically, of those that begin with a prefix: 1, 0 if there
 * is none or no folder, or a recorded failure.
 */
static int first_entry(struct tx *tx, const char *dir, const char *prefix, char ret[NAME_MAX + 1])
{
	auto_(file_close_dir) DIR *d = opendir(dir);
	const char *best = NULL;

	if (!d && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (!d)
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "read %s: %s", dir, strerror(errno));
	for (struct dirent *e; (e = readdir(d));) {
		if (*e->d_name == '.' || !str_starts(e->d_name, prefix))
			continue;
		if (!best || strcmp(e->d_name, best) < 0) {
			snprintf(ret, NAME_MAX + 1, "%s", e->d_name);
			best = ret;
		}
	}
	return best != NULL;
}

static bool is_below_sys(const char *path)
{
	size_t len = strlen(path);

	if (!str_starts(path, "/sys/") || strstr(path, "/../"))
		return false;
	return len < 3 || !str_eq(path + len - 3, "/..");
}

/* sysfs may show another namespace, which has a link of that name, too. */
static bool is_link_of(struct mem *mem, const char *folder, const struct link *l)
{
	const char *path = mem_printf(mem, "%s/%s/ifindex", folder, l->name);
	struct file_text text;

	if (file_read(mem, AT_FDCWD, path, 64, &text) < 0)
		return true;
	return strtol(text.s, NULL, 10) == l->index;
}

static int find_in(struct tx *tx, struct rt *rt, const char *folder, const char *name,
		   struct link *ret)
{
	int there;

	TRY(there = link_find(tx, rt, name, ret));
	return there && is_link_of(&tx->mem, folder, ret);
}

int link_find_sysfs(struct tx *tx, struct rt *rt, const char *device, struct link *ret)
{
	char name[NAME_MAX + 1], virtio[NAME_MAX + 1];
	const char *folder = mem_printf(&tx->mem, "%s/net", device);
	int there;

	if (!is_below_sys(device))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "%s: not a device (give an absolute path below /sys/)", device);
	TRY(there = first_entry(tx, folder, "", name));
	if (there)
		return find_in(tx, rt, folder, name, ret);
	TRY(there = first_entry(tx, device, "virtio", virtio));
	if (!there)
		return 0;
	folder = mem_printf(&tx->mem, "%s/%s/net", device, virtio);
	TRY(there = first_entry(tx, folder, "", name));
	if (!there)
		return 0;
	return find_in(tx, rt, folder, name, ret);
}

const char *link_device_driver(struct mem *mem, const char *device)
{
	const char *path = mem_printf(mem, "%s/driver", device), *slash;
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	slash = strrchr(target, '/');
	return mem_str(mem, slash ? slash + 1 : target);
}
