// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * netconf.c - read network configuration lists, and derive the plugins' requests
 *
 * Follows libcni: lists are searched before single plugins, both in the order of their file
 * names, and the first network of the name is used.  Other than in libcni, a file that cannot be
 * read does not hide the files after it.
 *
 * The JSON trees of a list live until the program ends, unless netconf_free() is called: cnitool
 * reads few files.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <strings.h>

#include "cnitool/errctx.h"
#include "sys/file.h"
#include "base/log.h"
#include "value/name.h"
#include "cnitool/netconf.h"
#include "value/result.h"
#include "value/json_make.h"

enum { FILE_MAX = 16 << 20, PLUGINS_MAX = 256, NEWEST = 1001000 /* our protocol version: 1.1.0 */ };

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

/* The files of a directory with one of the suffixes, sorted.  No directory: none. */
static int find_files(struct tx *tx, const char *dir, const char *const *suffixes,
		      struct files *ret)
{
	auto_(file_close_dir) DIR *d = opendir(dir);
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

static int read_text(struct tx *tx, const char *file, struct file_text *ret)
{
	int r = file_read(&tx->mem, AT_FDCWD, file, FILE_MAX, ret);

	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "cannot read %s: %s", file, strerror(-r));
	return 0;
}

/* So that one list does not take the memory that the others need. */
static int fail_if_large(struct tx *tx, const struct netconf_source *source, size_t others)
{
	size_t memory = json_memory_of(source->text, source->size);

	if (memory <= JSON_MEMORY_MAX - others)
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EFBIG,
			  "%s: its JSON takes more than %zu MiB of memory%s", source->file,
			  JSON_MEMORY_MAX >> 20, others ? ", with the files before it" : "");
}

/* ---- a list ---- */

/* disableCheck etc.: a boolean, or the word in upper or lower case. */
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

/* The highest version of cniVersion and cniVersions that we support. */
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
	for (unsigned i = 0, n = cj_len(&list); i < n; i++) {
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

	if (!*type)
		cj_wrong(conf, "type", "missing");
	else if (!name_valid_type(type))
		cj_wrong(conf, "type", "invalid plugin name: %s", type);
	n->plugins = mem_grow(m, n->plugins, n->n_plugins, sizeof(*n->plugins));
	n->plugins[n->n_plugins++] = (struct netconf_plugin){ type, *conf };
}

/* The cursor is in the arena, because the list refers to it. */
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

/* A plugin in the list's folder. */
static int read_plugin(struct tx *tx, const char *file, struct netconf *n)
{
	struct errctx m = errctx_mark(tx);
	struct file_text text;
	struct cj *c;
	int r;

	TRY(read_text(tx, file, &text));
	r = parse_document(tx, text.s, text.size, n, &c);
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

void netconf_scan(struct tx *tx, const struct cj *c, struct netconf *n)
{
	struct cj *plugins = mem_alloc(&tx->mem, sizeof(*plugins));
	bool inlined = read_flag(c, "loadOnlyInlinedPlugins");

	*plugins = cj_list(c, "plugins");
	n->name = cj_str(c, "name", "");
	n->version = read_version(&tx->mem, c);
	n->disable_check = read_flag(c, "disableCheck");
	n->disable_gc = read_flag(c, "disableGC");
	n->inlined = inlined;
	if (!*n->name)
		cj_wrong(c, "name", "missing");
	else if (!name_valid_id(n->name))
		cj_wrong(c, "name", "\"%s\" is no network name: letters, digits, '_', '.' and '-'",
			 n->name);
	if (!cj_present(plugins) && inlined)
		cj_wrong(c, "plugins", "missing, though loadOnlyInlinedPlugins is set");
	if (cj_present(plugins) && !cj_len(plugins))
		cj_wrong(c, "plugins", "the list is empty");
	for (unsigned i = 0, len = cj_len_max(plugins, PLUGINS_MAX); i < len; i++) {
		struct cj *e = mem_alloc(&tx->mem, sizeof(*e));

		*e = cj_at(plugins, i);
		add_plugin(&tx->mem, n, e);
	}
}

static int read_list(struct tx *tx, const char *dir, const struct cj *c, struct netconf *n)
{
	static const char single[] = " (a single plugin belongs in a file *.conf)";

	netconf_scan(tx, c, n);
	TRY(cj_ok(tx, c));
	if (!n->inlined && dir)
		TRY(read_folder(tx, dir, n));
	if (!n->n_plugins)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "plugins: no plugin configs found%s",
				  cj_has(c, "type") ? single : "");
	return 0;
}

int netconf_read(struct tx *tx, const struct netconf_source *source, struct netconf *ret)
{
	struct netconf n = { .file = source->file, .text = source->text, .size = source->size };
	struct errctx m = errctx_mark(tx);
	struct cj *c;
	int r = parse_document(tx, source->text, source->size, &n, &c);

	if (r == 0)
		r = read_list(tx, source->dir, c, &n);
	if (r == 0)
		*ret = n;
	else
		netconf_free(&n);
	return errctx_prefix(tx, m, r, "%s: ", source->file);
}

/* Takes the tree over. */
static const char *dump_json(struct mem *m, json_t *json, size_t flags)
{
	char *s = json_dumps(json, flags | JSON_REAL_PRECISION(15));
	char *copy = mem_str(m, s ? s : "");

	free(s);
	json_decref(json);
	return copy;
}

/* Reads a single plugin as the list that libcni makes of it (ConfListFromConf()). */
static int read_single(struct tx *tx, const struct netconf_source *source, struct netconf *ret)
{
	struct netconf_source list = { .file = source->file };
	struct errctx m = errctx_mark(tx);
	struct cj c, plugins;
	json_t *json;
	int r = cj_parse(tx, source->text, source->size, "network configuration", &c);

	if (r < 0)
		return errctx_prefix(tx, m, r, "%s: ", source->file);
	plugins = cj_any(&c, "plugins");
	if (cj_present(&plugins))
		cj_wrong(&plugins, NULL, "this is a list, which belongs in a file *.conflist");
	json = json_make("name", json_string(cj_str(&c, "name", "")), "cniVersion",
			 json_string(cj_str(&c, "cniVersion", "")), "plugins",
			 json_make_list(json_incref(c.json)));
	list.text = dump_json(&tx->mem, json, JSON_COMPACT | JSON_SORT_KEYS);
	list.size = strlen(list.text);
	r = cj_ok(tx, &c);
	cj_free(&c);
	TRY(errctx_prefix(tx, m, r, "%s: ", source->file));
	return netconf_read(tx, &list, ret);
}

int netconf_read_cached(struct tx *tx, const char *dir, const char *text, size_t size,
			struct netconf *ret)
{
	const struct netconf_source source = { dir, "the cached configuration", text, size };
	json_t *json;
	bool single;

	TRY(fail_if_large(tx, &source, 0));
	json = json_loadb(text, size, 0, NULL);
	single = json_object_get(json, "type") && !json_object_get(json, "plugins");
	json_decref(json);
	if (single)
		return read_single(tx, &source, ret);
	return netconf_read(tx, &source, ret);
}

/* ---- a directory of lists ---- */

static const char *const list_files[] = { ".conflist", NULL };
static const char *const single_files[] = { ".conf", ".json", NULL };

struct conf_search {
	const char *dir, *name; /* NULL: all */
	struct netconf *found;
	unsigned n, files;
	size_t memory; /* of the JSON of those that were found */
	unsigned n_broken;
	const char *broken; /* why the first file that cannot be read cannot */
};

static int read_file(struct tx *tx, const struct conf_search *s, const char *file, bool single,
		     struct netconf *ret)
{
	struct netconf_source source = { .dir = s->dir, .file = file };
	struct file_text text;

	TRY(read_text(tx, file, &text));
	source.text = text.s;
	source.size = text.size;
	TRY(fail_if_large(tx, &source, s->memory));
	if (single)
		return read_single(tx, &source, ret);
	return netconf_read(tx, &source, ret);
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
			if (!s->n_broken++)
				s->broken = why;
			continue;
		}
		if ((s->name && !str_eq(n.name, s->name)) || is_known(s, n.name)) {
			netconf_free(&n);
			continue;
		}
		s->memory += json_memory_of(n.text, n.size);
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
	if (s.broken)
		return tx_fail_as(tx, CNI_E_CONFIG, -ENOENT,
				  "no net configuration with name \"%s\" in %s; %u of "
				  "its files skipped, the first: %s",
				  name, dir, s.n_broken, s.broken);
	return tx_fail_as(tx, CNI_E_CONFIG, -ENOENT, "no net configuration with name \"%s\" in %s",
			  name, dir);
}

/* ---- requests ---- */

bool netconf_speaks(const struct netconf *n, const char *version)
{
	return result_version_number(n->version) >= result_version_number(version);
}

/* The keys of "capabilities" are a map's, so their case matters. */
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

static void remove_key(json_t *object, const char *name)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value) if (strcasecmp(key, name) == 0)
		json_object_del(object, key);
}

/* At the top level they count more than the configuration's, and than the runtime's. */
static void set_limits(json_t *object, const struct netconf_plugin *p, const char *args)
{
	json_t *all = NULL;
	const char *key;
	json_t *value;

	if (args && str_eq(p->type, "bandwidth"))
		all = json_loads(args, 0, NULL);
	json_object_foreach (json_object_get(all, NETCONF_LIMITS), key, value) {
		remove_key(object, key);
		json_object_set(object, key, value);
	}
	json_decref(all);
}

/* Unless the configuration names one. */
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
	set_limits(o, p, extra->capability_args);
	set_data_dir(o, p, extra->data_dir);
	set_text(o, "cni.dev/valid-attachments", extra->valid);
	set_text(o, "cni.dev/attachments", extra->valid); /* the key of older specifications */
	return dump_json(m, o, JSON_COMPACT | JSON_SORT_KEYS);
}

const char *netconf_pretty(struct mem *m, const char *text)
{
	json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);

	if (!json)
		return text;
	/* A terminal obeys U+009B, too. */
	return dump_json(m, json, JSON_INDENT(4) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}
