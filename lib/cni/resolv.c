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

#include "sys/file.h"
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
	int r = file_read(&tx->mem, AT_FDCWD, path, RESOLV_MAX, &text);

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
	size_t from;

	if (!n)
		return;
	mem_text_add(text, "%s", keyword);
	from = text->len;
	for (unsigned i = 0; i < n; i++)
		mem_text_add(text, " %s", words[i]);
	/* A line break inside a value would start a line of its own. */
	for (char *p = text->s + from; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	mem_text_add(text, "\n");
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

/*
 * The owner in a file's first line; "" if the file is not cplug's; NULL if it is missing or torn by
 * a power failure.
 */
static const char *owner_in(struct tx *tx, const char *path)
{
	struct file_text file;
	char *text, *end;

	if (file_read(&tx->mem, AT_FDCWD, path, RESOLV_MAX, &file) < 0)
		return access(path, F_OK) < 0 ? NULL : "";
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
static bool is_torn_file(struct tx *tx, const char *path, const char *owner)
{
	struct file_text text;

	if (file_read(&tx->mem, AT_FDCWD, path, RESOLV_MAX, &text) < 0)
		return false;
	return is_torn(text.s, owner) && (*text.s || str_starts(path, netns_folder));
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

static int write_file(struct tx *tx, const char *path, const char *text)
{
	char *folder = mem_str(&tx->mem, path), *slash = strrchr(folder, '/');

	if (slash && slash > folder) {
		*slash = '\0';
		TRY(file_mkdirs(tx, folder, 0755));
	}
	return file_replace(tx, &(struct file_new){ .dirfd = AT_FDCWD,
						    .path = path,
						    .data = text,
						    .size = strlen(text),
						    .mode = 0644 });
}

int resolv_write(struct tx *tx, const char *path, const char *owner, const struct result_dns *dns,
		 bool must)
{
	struct undo_resolv u = { path, owner };
	const char *other = owner_in(tx, path);
	int r;

	if (other && !*other) {
		log_warn("%s: left alone, it is not cplug's (remove it, or set resolvConf to "
			 "\"off\")",
			 path);
		return 0;
	}
	if (other && !str_eq(other, owner) && same_container(other, owner))
		return 0;
	r = write_file(tx, path, compose(&tx->mem, owner, dns));
	if (r < 0 && must)
		return r;
	if (r < 0)
		return tx_excuse(tx, r, "the container goes without resolv.conf");
	log_step("host: wrote %s", path);
	return tx_undo(tx, undo_resolv, "write resolv.conf", &u);
}

int resolv_remove(struct tx *tx, const char *path, const char *owner)
{
	char *folder = mem_str(&tx->mem, path), *slash = strrchr(folder, '/');

	if (!str_eq(owner_in(tx, path), owner) && !is_torn_file(tx, path, owner))
		return 0;
	TRY(file_remove(tx, AT_FDCWD, path));
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
	struct file_text text;

	if (file_read(&tx->mem, AT_FDCWD, path, RESOLV_MAX, &text) < 0)
		return 0;
	if (str_eq(text.s, compose(&tx->mem, owner, dns)))
		return 1;
	if (is_torn(text.s, owner))
		return 0;
	/* Another program's file, or another interface's: ADD did not write it. */
	return !str_starts(text.s, mark) || !str_eq(owner_in(tx, path), owner);
}

int resolv_gc(struct tx *tx, const char *network, bool (*valid)(const char *owner, const void *arg),
	      const void *arg)
{
	DIR *d = opendir(netns_folder);
	struct dirent *e;
	int r = 0;

	while (d && (e = readdir(d))) {
		const char *path =
			mem_printf(&tx->mem, "%s/%s/resolv.conf", netns_folder, e->d_name);
		const char *owner = *e->d_name == '.' ? NULL : owner_in(tx, path);
		size_t n = strlen(network);

		if (owner && strncmp(owner, network, n) == 0 && owner[n] == '/' &&
		    !valid(owner, arg))
			r = also(r, resolv_remove(tx, path, owner));
	}
	if (d)
		closedir(d);
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
	DIR *d = opendir(netns_folder);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		const char *path =
			mem_printf(&tx->mem, "%s/%s/resolv.conf", netns_folder, e->d_name);
		const char *owner = *e->d_name == '.' ? NULL : owner_in(tx, path);

		if (!str_empty(owner))
			each(path, e->d_name, owner, arg);
	}
	if (d)
		closedir(d);
}
