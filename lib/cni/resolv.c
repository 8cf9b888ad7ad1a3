// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * resolv.c - resolv.conf files
 *
 * The first line of a file that cplug writes names the owner, so only the owner's DEL removes it,
 * and a file without that line is never overwritten.  The file is not fsync()ed: after a power
 * failure it may be empty or end within its first line.  Such a file has no owner.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>

#include "sys/file.h"
#include "sys/hostconf.h"
#include "base/log.h"
#include "cni/resolv.h"

enum { RESOLV_MAX = 1 << 20 };

/* ---- reading ---- */

static void add(struct mem *mem, const char ***list, unsigned *n, const char *word)
{
	*list = mem_grow(mem, *list, *n, sizeof(**list));
	(*list)[(*n)++] = word;
}

static char *next_word(char **rest)
{
	return strtok_r(NULL, " \t\r\v\f", rest);
}

static void parse_line(struct mem *mem, char *line, struct result_dns *d)
{
	char *rest, *keyword = strtok_r(line, " \t\r\v\f", &rest), *word;

	if (!keyword || *keyword == '#' || *keyword == ';' || !(word = next_word(&rest)))
		return;
	if (str_eq(keyword, "nameserver"))
		add(mem, &d->nameservers, &d->n_nameservers, word);
	else if (str_eq(keyword, "domain"))
		d->domain = word;
	for (; word && str_eq(keyword, "search"); word = next_word(&rest))
		add(mem, &d->search, &d->n_search, word);
	for (; word && str_eq(keyword, "options"); word = next_word(&rest))
		add(mem, &d->options, &d->n_options, word);
}

struct result_dns resolv_parse(struct mem *mem, char *text)
{
	struct result_dns d = { 0 };

	for (char *line = text, *next; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		parse_line(mem, line, &d);
	}
	return d;
}

int resolv_read(struct tx *tx, const char *path, struct result_dns *ret)
{
	struct file_text text;
	int r = file_read_checked(&tx->mem, path, RESOLV_MAX, &text);

	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "read %s: %s", path, strerror(-r));
	*ret = resolv_parse(&tx->mem, text.s);
	return 0;
}

/* ---- writing ---- */

static const char netns_folder[] = "/etc/netns";
static const char mark[] = "# Written by cplug for ";

/* NAME of /run/netns/NAME or /var/run/netns/NAME, else NULL. */
static const char *netns_name(const char *path)
{
	static const char *const roots[] = { "/run/netns/", "/var/run/netns/" };

	for (unsigned i = 0; i < ARRAY_LEN(roots); i++) {
		const char *name = path + strlen(roots[i]);

		if (str_starts(path, roots[i]) && *name && !strchr(name, '/') &&
		    !str_eq(name, ".") && !str_eq(name, ".."))
			return name;
	}
	return NULL;
}

const char *resolv_target(struct mem *m, const char *mode, const char *netns_path)
{
	const char *name;

	if (str_eq(mode, "off"))
		return NULL;
	if (!str_eq(mode, "auto"))
		return mode;
	name = netns_name(netns_path);
	if (name)
		return mem_printf(m, "%s/%s/resolv.conf", netns_folder, name);
	return NULL;
}

/* Appends a line: a keyword and words. */
static void put_line(struct mem_text *text, const char *keyword, const char *const *words,
		     unsigned n)
{
	if (!n)
		return;
	mem_text_add(text, "%s", keyword);
	for (unsigned i = 0; i < n; i++)
		mem_text_add(text, " %s", words[i]);
	mem_text_add(text, "\n");
}

/* White space would make another value of it, a line break a line of its own. */
static int check_word(struct tx *tx, const char *key, int index, const char *word)
{
	char at[16] = "";

	for (const char *p = word; *p; p++) {
		if ((unsigned char)*p > ' ' && *p != 0x7f)
			continue;
		if (index >= 0)
			snprintf(at, sizeof(at), "[%d]", index);
		return tx_fail_as(
			tx, CNI_E_CONFIG, -EINVAL,
			"dns.%s%s: \"%.100s\" contains white space or a control character, "
			"which resolv.conf cannot hold (write one value per entry)",
			key, at, word);
	}
	return 0;
}

static int check_words(struct tx *tx, const char *key, const char *const *words, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		TRY(check_word(tx, key, (int)i, words[i]));
	return 0;
}

/* The values may come from an IPAM plugin, too. */
static int check_values(struct tx *tx, const struct result_dns *d)
{
	if (d->domain)
		TRY(check_word(tx, "domain", -1, d->domain));
	TRY(check_words(tx, "nameservers", d->nameservers, d->n_nameservers));
	TRY(check_words(tx, "search", d->search, d->n_search));
	return check_words(tx, "options", d->options, d->n_options);
}

static const char *compose(struct mem *mem, const char *owner, const struct result_dns *d)
{
	struct mem_text text = { .mem = mem };

	mem_text_add(&text, "%s%s\n", mark, owner);
	put_line(&text, "domain", &d->domain, !str_empty(d->domain));
	put_line(&text, "search", d->search, d->n_search);
	for (unsigned i = 0; i < d->n_nameservers; i++)
		put_line(&text, "nameserver", &d->nameservers[i], 1);
	put_line(&text, "options", d->options, d->n_options);
	return mem_text_end(&text);
}

/* Is text a prefix of the first line for owner (NULL: for any owner), and nothing more? */
static bool is_torn(const char *text, const char *owner)
{
	size_t n = sizeof(mark) - 1;

	if (strchr(text, '\n') || strncmp(text, mark, strnlen(text, n)) != 0)
		return false;
	return !owner || strlen(text) <= n || strncmp(text + n, owner, strlen(text + n)) == 0;
}

/* A file that is opened below an allowed folder (sys/hostconf.h). */
struct spot {
	const char *path;
	int dir; /* its folder; negative: it cannot be opened, so the file does not exist */
	const char *name;
	int err; /* -errno of a folder or file that could not be read this time, but may be cplug's
		  */
};

static void spot_close(struct spot *s)
{
	fd_close(&s->dir);
}

static struct spot spot_at(struct tx *tx, const char *path)
{
	struct spot s = { .path = path, .dir = -1, .name = "" };
	int r = hostconf_open_try(tx, HOSTCONF_RESOLV, path, false, &s.dir, &s.name);

	if (r < 0)
		s.dir = -1;
	s.err = err_is_passing(r) ? r : 0;
	return s;
}

static int fail_on_read(struct tx *tx, int err, const char *path)
{
	return tx_fail_as(tx, CPLUG_E_FILE, err, "read %s: %s", path, strerror(-err));
}

/* The same for writing: folders are made. */
static int spot_make(struct tx *tx, const char *path, struct spot *ret)
{
	int r;

	*ret = (struct spot){ .path = path, .dir = -1 };
	r = hostconf_open_try(tx, HOSTCONF_RESOLV, path, true, &ret->dir, &ret->name);
	if (r == -EPERM)
		return tx_fail_as(tx, CNI_E_CONFIG, r, "resolvConf: %s",
				  hostconf_refuses(tx, HOSTCONF_RESOLV, path));
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "write %s: %s", path, strerror(-r));
	return 0;
}

static int spot_read(struct tx *tx, const struct spot *s, struct file_text *ret)
{
	if (s->dir < 0)
		return -ENOENT;
	return file_read(&tx->mem, s->dir, s->name, RESOLV_MAX, ret);
}

/*
 * The owner in a file's first line; "" if the file is not cplug's; NULL if it is missing or torn by
 * a power failure.  Sets s->err.
 */
static const char *owner_in(struct tx *tx, struct spot *s)
{
	struct file_text file;
	char *text, *end;
	struct stat st;
	int r = spot_read(tx, s, &file);

	if (err_is_passing(r))
		s->err = r;
	if (r < 0) {
		bool there = s->dir >= 0 && fstatat(s->dir, s->name, &st, AT_SYMLINK_NOFOLLOW) == 0;

		return there ? "" : NULL;
	}
	text = file.s;
	if (is_torn(text, NULL))
		return NULL;
	if (!str_starts(text, mark))
		return "";
	text += sizeof(mark) - 1;
	end = strchr(text, '\n');
	if (end)
		*end = '\0';
	return text;
}

/* Outside /etc/netns an empty file may belong to another program. */
static bool is_torn_file(struct tx *tx, const struct spot *s, const char *owner)
{
	struct file_text text;

	if (spot_read(tx, s, &text) < 0)
		return false;
	return is_torn(text.s, owner) && (*text.s || str_starts(s->path, netns_folder));
}

/* Do two owners (NETWORK/ID/IFNAME) name the same container? */
static bool same_container(const char *a, const char *b)
{
	const char *id_a = strchr(a, '/'), *id_b = strchr(b, '/');
	size_t n = id_a ? strcspn(id_a + 1, "/") : 0;

	return id_a && id_b && n == strcspn(id_b + 1, "/") && strncmp(id_a, id_b, n + 1) == 0;
}

struct undo_resolv {
	const char *path, *owner;
};

static int undo_resolv(struct tx *tx, void *arg)
{
	struct undo_resolv *u = arg;

	return resolv_remove(tx, u->path, u->owner);
}

/*
 * `ip netns exec NAME` mounts /etc/netns/NAME/resolv.conf: the author of a configuration must not
 * choose the DNS servers of another namespace.
 */
static int fail_if_of_another(struct tx *tx, const char *path, const struct netns *own)
{
	const char *name, *at;
	struct stat st;

	if (!str_starts(path, netns_folder) || path[sizeof(netns_folder) - 1] != '/')
		return 0;
	name = path + sizeof(netns_folder);
	at = mem_printf(&tx->mem, "/run/netns/%.*s", (int)strcspn(name, "/"), name);
	if (stat(at, &st) < 0)
		return 0;
	if (own->fd >= 0 && st.st_dev == own->dev && st.st_ino == own->ino)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EPERM,
			  "resolvConf: %s: %s is another namespace than the container's (use "
			  "\"auto\", or a path below /run/cplug)",
			  path, at);
}

int resolv_write(struct tx *tx, const char *path, const char *owner, const struct result_dns *dns,
		 const struct netns *own)
{
	auto_(spot_close) struct spot s = spot_at(tx, path);
	struct undo_resolv u = { path, owner };
	const char *other = owner_in(tx, &s), *text;
	int before = tx->err, r;

	if (other && !*other) {
		log_warn("%s: left alone, it is not cplug's (remove it, or set resolvConf to "
			 "\"off\")",
			 path);
		return 0;
	}
	if (other && !str_eq(other, owner) && same_container(other, owner))
		return 0;
	/* A path that follows from the namespace is the new container's; a configured one is not.
	 */
	if (other && !str_eq(other, owner) && own) {
		log_warn("%s: left alone, it belongs to %s (DEL that attachment, or choose another "
			 "path)",
			 path, other);
		return 0;
	}
	if (own)
		TRY(fail_if_of_another(tx, path, own));
	TRY(check_values(tx, dns));
	spot_close(&s);
	text = compose(&tx->mem, owner, dns);
	r = spot_make(tx, path, &s);
	if (r == 0)
		r = file_replace(tx, &(struct file_new){ .dirfd = s.dir,
							 .path = s.name,
							 .data = text,
							 .size = strlen(text),
							 .mode = 0644 });
	if (r < 0 && own)
		return r;
	if (r < 0)
		return tx_excuse(tx, before, r, "the container goes without resolv.conf");
	log_step("host: wrote %s", path);
	return tx_undo(tx, undo_resolv, "write resolv.conf", &u);
}

int resolv_remove(struct tx *tx, const char *path, const char *owner)
{
	auto_(spot_close) struct spot s = spot_at(tx, path);
	char *folder = mem_str(&tx->mem, path), *slash = strrchr(folder, '/');

	if (!str_eq(owner_in(tx, &s), owner) && !is_torn_file(tx, &s, owner)) {
		if (s.err)
			return fail_on_read(tx, s.err, path);
		return 0;
	}
	TRY(file_remove(tx, s.dir, s.name));
	log_step("host: removed %s", path);
	/* rmdir() keeps a folder that has other files. */
	if (slash && str_starts(folder, netns_folder)) {
		*slash = '\0';
		if (rmdir(folder) == 0)
			rmdir(netns_folder);
	}
	return 0;
}

int resolv_matches(struct tx *tx, const char *path, const char *owner, const struct result_dns *dns)
{
	auto_(spot_close) struct spot s = spot_at(tx, path);
	struct file_text text;

	if (spot_read(tx, &s, &text) < 0)
		return 0;
	if (str_eq(text.s, compose(&tx->mem, owner, dns)))
		return 1;
	if (is_torn(text.s, owner))
		return 0;
	/* Another program's file, or another interface's: ADD did not write it. */
	return !str_starts(text.s, mark) || !str_eq(owner_in(tx, &s), owner);
}

/*
 * The owner of the file of the namespace that a folder is named after; NULL if there is none.
 * *ret_err: as spot.err.
 */
static const char *owner_below(struct tx *tx, const char *name, const char **ret_path, int *ret_err)
{
	auto_(spot_close) struct spot s = { .dir = -1 };
	const char *owner;

	*ret_err = 0;
	*ret_path = mem_printf(&tx->mem, "%s/%s/resolv.conf", netns_folder, name);
	if (*name == '.')
		return NULL;
	s = spot_at(tx, *ret_path);
	owner = owner_in(tx, &s);
	*ret_err = s.err;
	return owner;
}

int resolv_gc(struct tx *tx, const char *network, bool (*valid)(const char *owner, const void *arg),
	      const void *arg)
{
	auto_(file_close_dir) DIR *d = opendir(netns_folder);
	struct dirent *e;
	int r = 0, err;

	if (!d && err_is_passing(-errno))
		return fail_on_read(tx, -errno, netns_folder);
	while (d && (errno = 0, e = readdir(d))) {
		const char *path, *owner = owner_below(tx, e->d_name, &path, &err);
		size_t n = strlen(network);

		if (err)
			r = also(r, fail_on_read(tx, err, path));
		if (owner && strncmp(owner, network, n) == 0 && owner[n] == '/' &&
		    !valid(owner, arg))
			r = also(r, resolv_remove(tx, path, owner));
	}
	if (d && errno)
		r = also(r, fail_on_read(tx, -errno, netns_folder));
	return r;
}

static bool is_another(const char *owner, const void *arg)
{
	return !str_eq(owner, arg);
}

int resolv_forget(struct tx *tx, const char *network, const char *owner)
{
	return resolv_gc(tx, network, is_another, owner);
}

void resolv_each(struct tx *tx,
		 void (*each)(const char *path, const char *netns, const char *owner, void *arg),
		 void *arg)
{
	auto_(file_close_dir) DIR *d = opendir(netns_folder);
	struct dirent *e;
	int err;

	while (d && (e = readdir(d))) {
		const char *path, *owner = owner_below(tx, e->d_name, &path, &err);

		if (!str_empty(owner))
			each(path, e->d_name, owner, arg);
	}
}
