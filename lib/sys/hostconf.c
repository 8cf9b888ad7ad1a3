// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hostconf.c - what the administrator of the host allows: /etc/cplug/cplug.conf
 *
 * A path is opened part by part with O_NOFOLLOW, from the allowed folder on.  As ".." is refused,
 * this is what openat2(2) does with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, and it needs neither
 * Linux 5.6 nor a seccomp profile that knows openat2().
 */
#include <fcntl.h>
#include <sys/stat.h>

#include "base/log.h"
#include "sys/file.h"
#include "sys/hostconf.h"
#include "value/cj.h"

enum { CONF_MAX = 64 << 10, PATH_LEN_MAX = 4095 };

static const char conf_path[] = "/etc/cplug/cplug.conf";
static const char always_resolv[] = "/etc/netns";

struct folders {
	const char *const *list;
	unsigned n;
};

static const char *const default_log[] = { "/var/log/cplug" };
static const char *const default_resolv[] = { "/etc/netns", "/run/cplug" };
static const char *const default_data[] = { "/run/cni", "/var/run/cni", "/var/lib/cni" };
static const char *const default_subnet[] = { "/run/flannel", "/run/cplug" };

/* By enum hostconf_folders. */
static const char *const keys[] = { "logFolders", "resolvConfFolders", "dataFolders",
				    "subnetFolders" };

static struct {
	bool read;
	struct folders folders[ARRAY_LEN(keys)];
	bool replaces;
} conf;

/* ---- reading ---- */

/* Why a path cannot be used, whatever the file says; NULL: it can. */
static const char *malformed(const char *path)
{
	if (*path != '/')
		return "it must be absolute";
	if (strlen(path) > PATH_LEN_MAX)
		return "it is too long";
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return "it contains a control character";
		if (str_starts(p, "/..") && (!p[3] || p[3] == '/'))
			return "it contains \"..\"";
	}
	return NULL;
}

/* The list of a key; the default if it is absent.  The strings are borrowed from the document. */
static struct folders read_folders(struct mem *mem, const struct cj *c, const char *key,
				   struct folders def)
{
	struct cj list = cj_list(c, key);
	unsigned len = cj_len(&list), n = 0;
	const char **all;

	if (!cj_present(&list))
		return def;
	all = mem_alloc(mem, (len + 1) * sizeof(*all));
	for (unsigned i = 0; i < len; i++) {
		struct cj e = cj_at(&list, i);
		const char *folder = cj_as_str(&e), *why = folder ? malformed(folder) : NULL;

		if (why)
			cj_wrong(&e, NULL, "%s", why);
		else if (folder)
			all[n++] = folder;
	}
	return (struct folders){ all, n };
}

static void use_defaults(void)
{
	conf.folders[HOSTCONF_LOG] = (struct folders){ default_log, ARRAY_LEN(default_log) };
	conf.folders[HOSTCONF_RESOLV] =
		(struct folders){ default_resolv, ARRAY_LEN(default_resolv) };
	conf.folders[HOSTCONF_DATA] = (struct folders){ default_data, ARRAY_LEN(default_data) };
	conf.folders[HOSTCONF_SUBNET] =
		(struct folders){ default_subnet, ARRAY_LEN(default_subnet) };
	conf.replaces = false;
}

static bool is_key(const char *key)
{
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return str_eq(key, "replaceAcrossNetworks");
}

static int parse(struct tx *tx, const struct file_text *text)
{
	struct cj c;

	TRY(cj_parse(tx, text->s, text->size, conf_path, &c));
	for (struct cj m = cj_first(&c); m.json; m = cj_next(&m))
		if (!is_key(m.key))
			cj_wrong(&m, NULL, "unknown key");
	for (unsigned i = 0; i < ARRAY_LEN(keys); i++)
		conf.folders[i] = read_folders(&tx->mem, &c, keys[i], conf.folders[i]);
	conf.replaces = cj_bool(&c, "replaceAcrossNetworks", false);
	return cj_ok(tx, &c); /* the document lives as long as the call */
}

static void ignore(const char *why)
{
	log_warn("%s: ignored, the defaults are in force: %s", conf_path, why);
}

static void read_conf(struct tx *tx)
{
	struct file_text text;
	int before = tx->err, r;

	if (conf.read)
		return;
	conf.read = true;
	use_defaults();
	r = file_read_trusted(&tx->mem, AT_FDCWD, conf_path, CONF_MAX, &text);
	if (r == -EPERM)
		ignore("it must be a regular file of root that no other user can write");
	else if (r < 0 && r != -ENOENT)
		ignore(strerror(-r));
	if (r < 0)
		return;
	r = parse(tx, &text);
	if (r < 0) {
		use_defaults();
		tx_excuse(tx, before, r,
			  "/etc/cplug/cplug.conf is ignored, the defaults are in force");
	}
}

bool hostconf_replaces_across_networks(struct tx *tx)
{
	read_conf(tx);
	return conf.replaces;
}

/* ---- paths ---- */

/* The part of path below folder; NULL if it is not below it. */
static const char *below(const char *path, const char *folder)
{
	size_t n = strlen(folder);

	while (n && folder[n - 1] == '/')
		n--;
	if (strncmp(path, folder, n) != 0 || path[n] != '/')
		return NULL;
	path += n + strspn(path + n, "/");
	return *path ? path : NULL;
}

/* The allowed folder that path is below; NULL if there is none. */
static const char *find_folder(struct tx *tx, enum hostconf_folders which, const char *path)
{
	const struct folders *f = &conf.folders[which];

	/* cplug's own choice (resolvConf "auto") needs no permission, and no file is read. */
	if (which == HOSTCONF_RESOLV && below(path, always_resolv))
		return always_resolv;
	read_conf(tx);
	for (unsigned i = 0; i < f->n; i++)
		if (below(path, f->list[i]))
			return f->list[i];
	return NULL;
}

/*
 * Is it /etc/netns/NAME/resolv.conf?  ip netns exec mounts every file of the folder over its
 * namesake in /etc, so a bash.bashrc or an ld.so.preload there is executed.
 */
static bool is_netns_resolv(const char *path)
{
	const char *name = below(path, always_resolv), *file = strchr(name, '/');

	return file && str_eq(file + strspn(file, "/"), "resolv.conf");
}

const char *hostconf_refuses(struct tx *tx, enum hostconf_folders which, const char *path)
{
	const char *why = malformed(path);
	struct mem_text list = { .mem = &tx->mem };

	if (why)
		return mem_printf(&tx->mem, "\"%.100s\" is not allowed: %s", path, why);
	if (path[strlen(path) - 1] == '/')
		return mem_printf(&tx->mem, "\"%.100s\" is not allowed: it names a folder", path);
	if (which == HOSTCONF_RESOLV && below(path, always_resolv) && !is_netns_resolv(path))
		return mem_printf(&tx->mem,
				  "\"%.100s\" is not allowed: the only files below %s are "
				  "NAME/resolv.conf",
				  path, always_resolv);
	if (find_folder(tx, which, path))
		return NULL;
	for (unsigned i = 0; i < conf.folders[which].n; i++)
		mem_text_add(&list, "%s%.100s", mem_text_comma(&list, ", "),
			     conf.folders[which].list[i]);
	return mem_printf(
		&tx->mem,
		"\"%.100s\" is not below a folder that this host allows (%.300s); add its "
		"folder to %s in %s",
		path, mem_text_end(&list), keys[which], conf_path);
}

/* Opens a folder in dir; makes it if create. */
static int open_part(int dir, const char *name, bool create)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dir, name, flags);

	if (fd < 0 && errno == ENOENT && create &&
	    (mkdirat(dir, name, 0755) == 0 || errno == EEXIST))
		fd = openat(dir, name, flags);
	return fd < 0 ? -errno : fd;
}

/* Opens the allowed folder itself: the administrator's, so symbolic links are followed. */
static int open_folder(const char *folder, bool create)
{
	int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
	int fd = open(folder, flags);

	if (fd < 0 && errno == ENOENT && create && (mkdir(folder, 0755) == 0 || errno == EEXIST))
		fd = open(folder, flags);
	return fd < 0 ? -errno : fd;
}

int hostconf_open_try(struct tx *tx, enum hostconf_folders which, const char *path, bool create,
		      int *ret_dir, const char **ret_name)
{
	auto_(fd_close) int dir = -1;
	const char *folder;
	char *part, *slash;

	if (hostconf_refuses(tx, which, path))
		return -EPERM;
	folder = find_folder(tx, which, path);
	dir = open_folder(folder, create);
	part = mem_str(&tx->mem, below(path, folder));
	while (dir >= 0 && (slash = strchr(part, '/'))) {
		int next;

		*slash = '\0';
		next = open_part(dir, part, create);
		fd_close(&dir);
		dir = next;
		part = slash + 1 + strspn(slash + 1, "/");
	}
	if (dir < 0)
		return dir;
	*ret_dir = fd_steal(&dir);
	*ret_name = part;
	return 0;
}

int hostconf_log_open_try(struct tx *tx, const char *path)
{
	auto_(fd_close) int dir = -1, fd = -1;
	const char *name;
	struct stat st;

	TRY(hostconf_open_try(tx, HOSTCONF_LOG, path, true, &dir, &name));
	/* O_NONBLOCK: opening a FIFO without a reader fails */
	fd = openat(dir, name,
		    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
		    0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	return fd_steal(&fd);
}
