// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netconf.c - network configuration lists: found, read, turned into requests
 *
 * The rules are libcni's (docs: man cnitool): lists are looked through before
 * single plugins, both in the order of their file names; the first of the name
 * wins.  One difference: a broken file does not hide the networks after it.
 *
 * The JSON trees of a list that is returned may live as long as the program, like
 * the arena that their cursors are in: cnitool reads a handful of files and ends.
 */
#include <dirent.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>

#include "cnitool/errctx.h"
#include "sys/file.h"
#include "base/log.h"
#include "value/name.h"
#include "cnitool/netconf.h"
#include "value/result.h"

enum { FILE_MAX = 16 << 20, NEWEST = 1001000 /* the protocol we speak: 1.1.0 */ };

struct files {
	const char **v;
	unsigned n;
};

/* ---- files ---- */

static bool has_suffix(const char *name, const char *const *suffixes)
{
	const char *dot = strrchr(name, '.');

	for (; dot && *suffixes; suffixes++)
		if (str_eq(dot, *suffixes))
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void dir_close(DIR **d)
{
	if (*d)
		closedir(*d);
}

/* The files of a directory with one of the suffixes, sorted; a missing directory has none. */
static int find_files(struct tx *tx, const char *dir, const char *const *suffixes,
		      struct files *ret)
{
	auto_(dir_close) DIR *d = opendir(dir);
	struct dirent *e;

	*ret = (struct files){ NULL, 0 };
	if (!d && errno == ENOENT)
		return 0;
	if (!d)
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "cannot read directory %s: %s", dir,
				  strerror(errno));
	while ((e = readdir(d)) != NULL) {
		if (e->d_type == DT_DIR || !has_suffix(e->d_name, suffixes))
			continue;
		ret->v = mem_grow(&tx->mem, ret->v, ret->n, sizeof(*ret->v));
		ret->v[ret->n++] = mem_printf(&tx->mem, "%s/%s", dir, e->d_name);
	}
	if (ret->n)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

static int read_text(struct tx *tx, const char *file, char **ret, size_t *ret_size)
{
	struct file_text text;
	int r = file_read(&tx->mem, AT_FDCWD, file, FILE_MAX, &text);

	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "cannot read %s: %s", file, strerror(-r));
	*ret = text.s;
	*ret_size = text.size;
	return 0;
}

/* ---- a list ---- */

/* disableCheck and its like: true, or "true" in any case. */
static bool read_flag(const struct cj *c, const char *key)
{
	struct cj k = cj_any(c, key);
	const char *s = cj_is_str(&k) ? cj_as_str(&k) : NULL;

	if (!cj_present(&k) || (s && strcasecmp(s, "false") == 0))
		return false;
	if (s && strcasecmp(s, "true") == 0)
		return true;
	if (!cj_is_bool(&k))
		cj_wrong(&k, NULL, "expected true or false");
	return cj_is_bool(&k) && cj_as_bool(&k, false);
}

/* The highest version of cniVersion and cniVersions that we speak. */
static const char *read_version(struct mem *m, const struct cj *c)
{
	const char *version = cj_str(c, "cniVersion", "");
	struct cj list = cj_list(c, "cniVersions");
	int best = -1;

	if (!cj_present(&list))
		return version;
	if (*version)
		best = result_version_number(version);
	if (*version && best < 0)
		cj_wrong(c, "cniVersion", "expected a version like 1.0.0, got \"%s\"", version);
	for (unsigned i = 0; i < cj_len(&list); i++) {
		struct cj e = cj_at(&list, i);
		const char *s = cj_as_str(&e);
		int v = s ? result_version_number(s) : 0;

		if (v < 0)
			cj_wrong(&e, NULL, "expected a version like 1.0.0, got \"%s\"", s);
		if (s && v <= NEWEST && (v > best || best > NEWEST))
			best = v;
	}
	if (best < 0 || best > NEWEST)
		return version;
	return mem_printf(m, "%d.%d.%d", best / 1000000, best / 1000 % 1000, best % 1000);
}

static void add_plugin(struct mem *m, struct netconf *n, const struct cj *conf)
{
	const char *type = cj_str(conf, "type", "");

	if (!name_valid_type(type))
		cj_wrong(conf, "type", *type ? "invalid plugin name: %s" : "missing%s", type);
	n->plugins = mem_grow(m, n->plugins, n->n_plugins, sizeof(*n->plugins));
	n->plugins[n->n_plugins++] = (struct netconf_plugin){ type, *conf };
}

/* A document whose cursor, unlike one on the stack, stays as long as the list. */
static int parse_document(struct tx *tx, const char *text, size_t size, struct netconf *n,
			  struct cj **ret)
{
	*ret = mem_alloc(&tx->mem, sizeof(**ret));
	TRY(cj_parse(tx, text, size, "network configuration", *ret));
	n->roots = mem_grow(&tx->mem, n->roots, n->n_roots, sizeof(struct cj *));
	n->roots[n->n_roots++] = *ret;
	return 0;
}

void netconf_free(struct netconf *n)
{
	for (unsigned i = 0; i < n->n_roots; i++)
		cj_free(n->roots[i]);
	n->n_roots = 0;
}

/* One plugin from a file of its own. */
static int read_plugin(struct tx *tx, const char *file, struct netconf *n)
{
	struct errctx m = errctx_mark(tx);
	struct cj *c;
	char *text;
	size_t size;
	int r;

	TRY(read_text(tx, file, &text, &size));
	r = parse_document(tx, text, size, n, &c);
	if (r == 0) {
		add_plugin(&tx->mem, n, c);
		r = cj_ok(tx, c);
	}
	return errctx_prefix(tx, m, r, "%s: ", file);
}

static int read_folder(struct tx *tx, const char *dir, struct netconf *n)
{
	static const char *const conf[] = { ".conf", NULL };
	struct files f;

	TRY(find_files(tx, mem_printf(&tx->mem, "%s/%s", dir, n->name), conf, &f));
	for (unsigned i = 0; i < f.n; i++)
		TRY(read_plugin(tx, f.v[i], n));
	return 0;
}

static int read_list(struct tx *tx, const char *dir, struct cj *c, struct netconf *n)
{
	struct cj *plugins = mem_alloc(&tx->mem, sizeof(*plugins));
	bool inlined = read_flag(c, "loadOnlyInlinedPlugins");

	*plugins = cj_list(c, "plugins");
	n->name = cj_str(c, "name", "");
	n->version = read_version(&tx->mem, c);
	n->disable_check = read_flag(c, "disableCheck");
	n->disable_gc = read_flag(c, "disableGC");
	if (!*n->name)
		cj_wrong(c, "name", "missing");
	else if (!name_valid_id(n->name))
		cj_wrong(c, "name", "\"%s\" is no network name: letters, digits, '_', '.' and '-'",
			 n->name);
	if (!cj_present(plugins) && inlined)
		cj_wrong(c, "plugins", "missing, though loadOnlyInlinedPlugins is set");
	if (cj_present(plugins) && !cj_len(plugins))
		cj_wrong(c, "plugins", "the list is empty");
	for (unsigned i = 0; i < cj_len(plugins); i++) {
		struct cj *e = mem_alloc(&tx->mem, sizeof(*e));

		*e = cj_at(plugins, i);
		add_plugin(&tx->mem, n, e);
	}
	TRY(cj_ok(tx, c));
	if (!inlined && dir)
		TRY(read_folder(tx, dir, n));
	if (!n->n_plugins)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "plugins: no plugin configs found");
	return 0;
}

int netconf_read(struct tx *tx, const char *dir, const char *file, const char *text, size_t size,
		 struct netconf *ret)
{
	struct netconf n = { .file = file, .text = text, .size = size };
	struct errctx m = errctx_mark(tx);
	struct cj *c;
	int r = parse_document(tx, text, size, &n, &c);

	if (r == 0)
		r = read_list(tx, dir, c, &n);
	if (r == 0)
		*ret = n;
	else
		netconf_free(&n);
	return errctx_prefix(tx, m, r, "%s: ", file);
}

static const char *dump_json(struct mem *m, json_t *json, size_t flags)
{
	char *s = json_dumps(json, flags | JSON_REAL_PRECISION(15));
	char *copy = mem_str(m, s ? s : "");

	free(s);
	json_decref(json);
	return copy;
}

/* A file with one plugin, as the list that libcni makes of it. */
static int read_single(struct tx *tx, const char *file, const char *text, size_t size,
		       struct netconf *ret)
{
	struct errctx m = errctx_mark(tx);
	struct cj c, plugins;
	json_t *list;
	int r = cj_parse(tx, text, size, "network configuration", &c);

	if (r < 0)
		return errctx_prefix(tx, m, r, "%s: ", file);
	plugins = cj_any(&c, "plugins");
	if (cj_present(&plugins))
		cj_wrong(&plugins, NULL, "this is a list, which belongs in a file *.conflist");
	list = json_pack("{s:s, s:s, s:[O]}", "name", cj_str(&c, "name", ""), "cniVersion",
			 cj_str(&c, "cniVersion", ""), "plugins", c.json);
	text = dump_json(&tx->mem, list, JSON_COMPACT | JSON_SORT_KEYS);
	r = cj_ok(tx, &c);
	cj_free(&c);
	errctx_prefix(tx, m, r, "%s: ", file);
	return r < 0 ? r : netconf_read(tx, NULL, file, text, strlen(text), ret);
}

int netconf_read_kept(struct tx *tx, const char *dir, const char *text, size_t size,
		      struct netconf *ret)
{
	static const char file[] = "the cached configuration";
	json_t *json = json_loadb(text, size, 0, NULL);
	bool single = json_object_get(json, "type") && !json_object_get(json, "plugins");

	json_decref(json);
	return single ? read_single(tx, file, text, size, ret)
		      : netconf_read(tx, dir, file, text, size, ret);
}

/* ---- a directory of lists ---- */

static const char *const list_files[] = { ".conflist", NULL };
static const char *const single_files[] = { ".conf", ".json", NULL };

struct conf_search {
	const char *dir, *name; /* NULL: all */
	struct netconf *found;
	unsigned n, files;
	const char *broken; /* what was wrong with the first such file */
};

static int read_file(struct tx *tx, struct conf_search *s, const char *file, bool single,
		     struct netconf *ret)
{
	char *text = NULL;
	size_t size = 0;

	TRY(read_text(tx, file, &text, &size));
	return single ? read_single(tx, file, text, size, ret)
		      : netconf_read(tx, s->dir, file, text, size, ret);
}

static bool is_known(const struct conf_search *s, const char *name)
{
	for (unsigned i = 0; i < s->n; i++)
		if (str_eq(s->found[i].name, name))
			return true;
	return false;
}

static int search_files(struct tx *tx, struct conf_search *s, const char *const *suffixes,
			bool single)
{
	struct files f;

	TRY(find_files(tx, s->dir, suffixes, &f));
	s->files += f.n;
	for (unsigned i = 0; i < f.n && !(s->name && s->n); i++) {
		struct errctx m = errctx_mark(tx);
		struct netconf n = { .name = NULL };

		if (read_file(tx, s, f.v[i], single, &n) < 0) {
			const char *why = errctx_take(tx, m);

			log_warn("%s (the file is skipped)", why);
			s->broken = s->broken ? s->broken : why;
			continue;
		}
		if ((s->name && !str_eq(n.name, s->name)) || is_known(s, n.name)) {
			netconf_free(&n);
			continue;
		}
		s->found = mem_grow(&tx->mem, s->found, s->n, sizeof(*s->found));
		s->found[s->n++] = n;
	}
	return 0;
}

static int search_dir(struct tx *tx, struct conf_search *s)
{
	TRY(search_files(tx, s, list_files, false));
	return search_files(tx, s, single_files, true);
}

int netconf_all(struct tx *tx, const char *dir, struct netconf **ret, unsigned *ret_n)
{
	struct conf_search s = { .dir = dir };

	TRY(search_dir(tx, &s));
	*ret = s.found;
	*ret_n = s.n;
	return 0;
}

int netconf_find(struct tx *tx, const char *dir, const char *name, struct netconf *ret)
{
	struct conf_search s = { .dir = dir, .name = name };

	TRY(search_dir(tx, &s));
	if (s.n) {
		*ret = s.found[0];
		return 0;
	}
	if (!s.files)
		return tx_fail_as(tx, CNI_E_CONFIG, -ENOENT,
				  "no net configurations found in %s: put a *.conflist there, or "
				  "name another directory with --net-conf-path",
				  dir);
	return tx_fail_as(tx, CNI_E_CONFIG, -ENOENT,
			  "no net configuration with name \"%s\" in %s%s%s", name, dir,
			  s.broken ? "; a file was skipped: " : "", s.broken ? s.broken : "");
}

/* ---- requests ---- */

bool netconf_speaks(const struct netconf *n, const char *version)
{
	return result_version_number(n->version) >= result_version_number(version);
}

/* The capabilities of a plugin that are true; the keys are a free map's: case counts. */
static bool plugin_declares(const struct netconf_plugin *p, const char *capability)
{
	struct cj caps = cj_any(&p->conf, "capabilities");

	return json_is_true(json_object_get(caps.json, capability));
}

bool netconf_declares(const struct netconf *n, const char *capability)
{
	for (unsigned i = 0; i < n->n_plugins; i++)
		if (plugin_declares(&n->plugins[i], capability))
			return true;
	return false;
}

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, json_loads(text, JSON_DECODE_ANY, NULL));
}

static void set_runtime_config(json_t *object, const struct netconf_plugin *p, const char *args)
{
	json_t *all = args ? json_loads(args, 0, NULL) : NULL;
	json_t *picked = json_object();
	const char *key;
	json_t *value;

	json_object_foreach (all, key, value)
		if (plugin_declares(p, key))
			json_object_set(picked, key, value);
	if (json_object_size(picked))
		json_object_set(object, "runtimeConfig", picked);
	json_decref(picked);
	json_decref(all);
}

/* What the configuration says about leases counts. */
static void set_data_dir(json_t *object, const struct netconf_plugin *p, const char *dir)
{
	struct cj ipam = cj_any(&p->conf, "ipam");
	json_t *copy;

	if (!dir || !cj_is_object(&ipam) || cj_has(&ipam, "dataDir") ||
	    !str_eq(cj_str(&ipam, "type", ""), "host-local"))
		return;
	copy = json_copy(ipam.json);
	json_object_set_new(copy, "dataDir", json_string(dir));
	json_object_set_new(object, "ipam", copy);
}

const char *netconf_request(struct mem *m, const struct netconf *n, unsigned plugin,
			    const struct netconf_extra *extra)
{
	const struct netconf_plugin *p = &n->plugins[plugin];
	json_t *o = json_copy(p->conf.json);

	json_object_set_new(o, "name", json_string(n->name));
	json_object_set_new(o, "cniVersion", json_string(n->version));
	set_text(o, "prevResult", extra->prev_result);
	set_runtime_config(o, p, extra->capability_args);
	set_data_dir(o, p, extra->data_dir);
	set_text(o, "cni.dev/valid-attachments", extra->valid);
	set_text(o, "cni.dev/attachments", extra->valid); /* as older specs spelled it */
	return dump_json(m, o, JSON_COMPACT | JSON_SORT_KEYS);
}

const char *netconf_pretty(struct mem *m, const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	return json ? dump_json(m, json, JSON_INDENT(4) | JSON_ENCODE_ANY) : text;
}
