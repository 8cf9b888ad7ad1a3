// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cache.c - the cache of results that all libcni programs share
 *
 * A file holds one JSON object of kind "cniCacheV1" (libcni/api.go, cachedInfo): its members in a
 * fixed order, objects in them sorted, compact, with '<', '>' and '&' escaped as Go's encoder
 * does.  The list's text is a member, as base64.
 *
 * A file appears whole or not at all (file_replace()), so readers take no lock.  The lock
 * keeps gc from seeing an attachment before its ADD has ended.
 */
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "value/base64.h"
#include "cnitool/cache.h"
#include "cnitool/errctx.h"
#include "sys/file.h"
#include "value/json_make.h"
#include "value/jw.h"
#include "base/log.h"
#include "value/name.h"

/* file_replace() may need a temporary name: .NAME.cplug-new. */
enum { FILE_NAME_MAX = NAME_MAX - 11 };

enum { LOCK_TIMEOUT_MS = 60000, HOLD_TIMEOUT_MS = 20000 };

const char cache_default_dir[] = "/var/lib/cni";
static const char kind[] = "cniCacheV1";

static void json_release(json_t **json)
{
	json_decref(*json);
}

/* ---- the directory ---- */

/* Can we create files in the directory, or create it? */
static bool is_writable(struct mem *m, const char *dir)
{
	char *s = mem_str(m, dir);

	while (access(s, F_OK) < 0 && errno == ENOENT && strrchr(s, '/') > s)
		*strrchr(s, '/') = '\0';
	return access(s, W_OK | X_OK) == 0;
}

/* Are results of ours there?  A disk that became read-only must not hide them. */
static bool has_results(struct mem *m, const char *dir)
{
	struct stat st;

	return lstat(mem_printf(m, "%s/results", dir), &st) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid();
}

/* Is it a directory of the caller, to which no other user can write? */
static bool is_ours_alone(const char *dir)
{
	struct stat st;

	return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 022);
}

/* Others can write to the parent, so the directory may be another user's. */
static int make_own_dir(struct tx *tx, const char *dir)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return tx_fail_as(tx, CPLUG_E_FILE, -errno, "create directory %s: %s", dir,
				  strerror(errno));
	if (!is_ours_alone(dir))
		return tx_fail_as(tx, CPLUG_E_FILE, -EPERM,
				  "%s does not belong to us alone: choose another directory with "
				  "--cache-dir",
				  dir);
	return 0;
}

/* The user id outside of the user namespace (user_namespaces(7)). */
static unsigned outer_uid(struct mem *m)
{
	unsigned uid = geteuid(), inside, outside;
	struct file_text text;

	if (file_read(m, AT_FDCWD, "/proc/self/uid_map", 4096, &text) == 0 &&
	    sscanf(text.s, "%u %u", &inside, &outside) == 2 && uid >= inside)
		return outside + (uid - inside);
	return uid;
}

int cache_open(struct tx *tx, const char *dir, struct cache *ret)
{
	const char *base = secure_getenv("XDG_RUNTIME_DIR");

	*ret = (struct cache){
		.dir = dir ? dir : cache_default_dir, .lock = -1, .held = -1, .chosen = dir != NULL
	};
	if (dir || is_writable(&tx->mem, cache_default_dir) ||
	    has_results(&tx->mem, cache_default_dir))
		return 0;
	/* It may be another user's, after su or sudo -E, who would choose what we trust later. */
	if (!str_empty(base) && access(base, F_OK) == 0 && !is_ours_alone(base)) {
		log_warn("XDG_RUNTIME_DIR %s is not used: it does not belong to us alone", base);
		base = NULL;
	}
	if (str_empty(base) || access(base, W_OK | X_OK) < 0) {
		base = mem_printf(&tx->mem, "/tmp/cplug-%u", outer_uid(&tx->mem));
		TRY(make_own_dir(tx, base));
	}
	ret->dir = mem_printf(&tx->mem, "%s/cni", base);
	ret->private = true;
	log_step("%s is not writable, so results are kept in %s", cache_default_dir, ret->dir);
	return 0;
}

/* Not the folder itself: where others can open it, each user of the host could hold its lock. */
static const char *lock_path(struct mem *m, const struct cache *c)
{
	return mem_printf(m, "%s/cnitool.lock", c->dir);
}

int cache_lock(struct tx *tx, struct cache *c, bool exclusive)
{
	const char *path = mem_printf(&tx->mem, "%s/results", c->dir);
	auto_(fd_close) int fd = -1;

	TRY(file_mkdirs(tx, path, 0700));
	TRY(file_lock_own(tx, lock_path(&tx->mem, c), !exclusive,
			  file_lock_timeout(LOCK_TIMEOUT_MS), &fd));
	cache_unlock(c);
	c->lock = fd_steal(&fd);
	return 0;
}

void cache_unlock(struct cache *c)
{
	fd_close(&c->lock);
}

int cache_hold(struct tx *tx, struct cache *c, const struct cache_key *key)
{
	const char *name = mem_printf(&tx->mem, "%s/%s/%s", key->network, key->id, key->ifname);
	uint64_t digest[SHA512_SIZE / sizeof(uint64_t)];
	struct file_byte b = {
		.path = lock_path(&tx->mem, c),
		.what = mem_printf(&tx->mem, "attachment %s", name),
		.inherited = true,
	};

	sha512(name, strlen(name), (uint8_t *)digest);
	b.byte = digest[0] >> 2; /* an off_t, and not its end */
	cache_release(c);
	TRY(file_mkdirs(tx, c->dir, 0700));
	return file_lock_byte(tx, &b, file_lock_timeout(HOLD_TIMEOUT_MS), &c->held);
}

void cache_release(struct cache *c)
{
	fd_close(&c->held);
}

int cache_path(struct tx *tx, const struct cache *c, const struct cache_key *key, const char **ret)
{
	const char *wrong = name_invalid_ifname(key->ifname);
	size_t length;

	if (!name_valid_id(key->network))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "invalid characters found in network name: %s", key->network);
	if (!name_valid_id(key->id))
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
				  "invalid characters in container id: %s (letters, digits, '_', "
				  "'.' and '-' are allowed)",
				  key->id);
	if (wrong)
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL, "%s: \"%s\"", wrong, key->ifname);
	length = strlen(key->network) + strlen(key->id) + strlen(key->ifname) + 2;
	if (length > FILE_NAME_MAX)
		return tx_fail_as(
			tx, CNI_E_CONFIG, -ENAMETOOLONG,
			"network name and container id are too long: an attachment is "
			"remembered in a file named NETWORK-ID-IFNAME, of at most %d bytes, "
			"not %zu",
			FILE_NAME_MAX, length);
	*ret = mem_printf(&tx->mem, "%s/results/%s-%s-%s", c->dir, key->network, key->id,
			  key->ifname);
	return 0;
}

/* ---- writing ---- */

/* What Go's encoder writes for a byte of a string; NULL = the byte. */
static const char *escape_of(char c)
{
	switch (c) {
	case '<':
		return "\\u003c";
	case '>':
		return "\\u003e";
	case '&':
		return "\\u0026";
	default:
		return NULL;
	}
}

/* These bytes occur in JSON only within strings. */
static const char *escape_html(struct mem *m, const char *text)
{
	char *copy = mem_alloc(m, strlen(text) * 6 + 1);
	char *out = copy;

	for (; *text; text++) {
		const char *escape = escape_of(*text);

		if (escape)
			out = stpcpy(out, escape);
		else
			*out++ = *text;
	}
	return copy;
}

/* The text of an object with sorted keys; NULL if it is no object, or empty. */
static const char *object_text(struct mem *m, json_t *json)
{
	char *s, *copy;

	if (!json_object_size(json))
		return NULL;
	s = json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(15));
	copy = mem_str(m, s);
	free(s);
	return copy;
}

static const char *sort_object(struct mem *m, const char *text)
{
	auto_(json_release) json_t *json = text ? json_loads(text, 0, NULL) : NULL;

	return object_text(m, json);
}

/* "K=V;K2=V2" as [["K","V"],["K2","V2"]] */
static void put_args(struct mem *m, struct jw *w, const char *args)
{
	char *copy = mem_str(m, args), *save;

	jw_open(w, "cniArgs", '[');
	for (char *s = strtok_r(copy, ";", &save); s; s = strtok_r(NULL, ";", &save)) {
		char *value = strchr(s, '=');

		if (value)
			*value++ = '\0';
		jw_open(w, NULL, '[');
		jw_str(w, NULL, s);
		jw_str(w, NULL, value ? value : "");
		jw_close(w, ']');
	}
	jw_close(w, ']');
}

/* A member of our own, which libcni does not read. */
static void put_nsid(struct jw *w, const struct nsid *id)
{
	if (!id->boot)
		return;
	jw_open(w, "cplug", '{');
	jw_str(w, "boot", id->boot);
	jw_int(w, "netnsInode", (int64_t)id->ino);
	jw_int(w, "netnsCookie", (int64_t)id->cookie);
	jw_close(w, '}');
}

const char *cache_text(struct mem *m, const struct cached *a)
{
	const char *caps = sort_object(m, a->capability_args);
	const char *result = sort_object(m, a->result);
	const char *config = a->config ? a->config : "";
	struct jw w;

	jw_init(&w, m, true);
	jw_open(&w, NULL, '{');
	jw_str(&w, "kind", kind);
	jw_str(&w, "containerId", a->id);
	jw_str(&w, "config", base64_encode(m, config, a->config_size));
	jw_str(&w, "ifName", a->ifname);
	jw_str(&w, "networkName", a->network);
	if (!str_empty(a->netns))
		jw_str(&w, "netns", a->netns);
	if (!str_empty(a->args))
		put_args(m, &w, a->args);
	if (caps)
		jw_raw(&w, "capabilityArgs", caps);
	if (result)
		jw_raw(&w, "result", result);
	put_nsid(&w, &a->nsid);
	jw_close(&w, '}');
	return escape_html(m, jw_end(&w));
}

int cache_write(struct tx *tx, const struct cache *c, const struct cached *a)
{
	const struct cache_key key = { a->network, a->id, a->ifname };
	const char *path = NULL, *text = cache_text(&tx->mem, a);

	TRY(cache_path(tx, c, &key, &path));
	if (strlen(text) > CACHE_FILE_MAX)
		return tx_fail_as(tx, CPLUG_E_FILE, -EFBIG,
				  "%s: configuration and result take %zu bytes, more than %d (make "
				  "the configuration of network %s smaller)",
				  path, strlen(text), CACHE_FILE_MAX, a->network);
	TRY(file_mkdirs(tx, mem_printf(&tx->mem, "%s/results", c->dir), 0700));
	return file_replace(tx, &(struct file_new){ .dirfd = AT_FDCWD,
						    .path = path,
						    .data = text,
						    .size = strlen(text),
						    .mode = 0600,
						    .own = true });
}

int cache_remove(struct tx *tx, const struct cache *c, const struct cache_key *key)
{
	const char *path = NULL;

	TRY(cache_path(tx, c, key, &path));
	return file_remove(tx, AT_FDCWD, path);
}

/* ---- reading ---- */

static const char *get_str(struct mem *m, json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	if (str_empty(s))
		return NULL;
	return mem_str(m, s);
}

static const char *get_object(struct mem *m, json_t *o, const char *key)
{
	json_t *json = json_object_get(o, key);

	if (json_is_object(json) && !json_object_size(json))
		return "{}";
	return object_text(m, json);
}

static const char *get_args(struct mem *m, json_t *o)
{
	struct mem_text args = { .mem = m };
	json_t *pair;
	size_t i;

	json_array_foreach (json_object_get(o, "cniArgs"), i, pair) {
		const char *key = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));

		if (key && value)
			mem_text_add(&args, "%s%s=%s", mem_text_comma(&args, ";"), key, value);
	}
	return args.s;
}

static struct nsid get_nsid(struct mem *m, json_t *o)
{
	json_t *ours = json_object_get(o, "cplug");

	return (struct nsid){
		.boot = get_str(m, ours, "boot"),
		.ino = (uint64_t)json_integer_value(json_object_get(ours, "netnsInode")),
		.cookie = (uint64_t)json_integer_value(json_object_get(ours, "netnsCookie")),
	};
}

/* The path of the namespace: libcni before 1.2 cached it only in the result. */
static const char *get_netns(struct mem *m, json_t *o)
{
	const char *ifname = json_string_value(json_object_get(o, "ifName"));
	json_t *ifs = json_object_get(json_object_get(o, "result"), "interfaces");
	const char *path = get_str(m, o, "netns");
	json_t *one;
	size_t i;

	json_array_foreach (ifs, i, one)
		if (!path && str_eq(json_string_value(json_object_get(one, "name")), ifname))
			path = get_str(m, one, "sandbox");
	return path;
}

bool cache_parse(struct mem *m, const char *text, size_t size, struct cached *ret)
{
	auto_(json_release) json_t *o = json_loadb(text, size, 0, NULL);
	const char *config = json_string_value(json_object_get(o, "config"));

	if (!str_eq(json_string_value(json_object_get(o, "kind")), kind))
		return false;
	*ret = (struct cached){
		.network = get_str(m, o, "networkName"),
		.id = get_str(m, o, "containerId"),
		.ifname = get_str(m, o, "ifName"),
		.netns = get_netns(m, o),
		.nsid = get_nsid(m, o),
		.args = get_args(m, o),
		.capability_args = get_object(m, o, "capabilityArgs"),
		.result = get_object(m, o, "result"),
	};
	ret->has_result = ret->result != NULL;
	if (config)
		ret->config = base64_decode(m, config, &ret->config_size);
	return true;
}

int cache_read(struct tx *tx, const struct cache *c, const struct cache_key *key,
	       struct cached *ret)
{
	auto_(json_release) json_t *bare = NULL;
	const char *path = NULL;
	struct file_text text;
	int r;

	TRY(cache_path(tx, c, key, &path));
	r = file_read(&tx->mem, AT_FDCWD, path, CACHE_FILE_MAX, &text);
	/* A folder in its place is moved away by the next ADD. */
	if (r == -ENOENT || r == -ENOTDIR || r == -EISDIR)
		return 0;
	if (r < 0)
		return tx_fail_as(tx, CPLUG_E_FILE, r, "cannot read %s: %s", path, strerror(-r));
	if (json_memory_of(text.s, text.size) > JSON_MEMORY_MAX)
		return tx_fail_as(tx, CPLUG_E_FILE, -EFBIG, "%s: its JSON takes too much memory",
				  path);
	if (!cache_parse(&tx->mem, text.s, text.size, ret)) {
		bare = json_loadb(text.s, text.size, 0, NULL);
		if (!json_is_object(bare))
			return tx_fail_as(tx, CPLUG_E_FILE, -EINVAL,
					  "%s: this is no result of an earlier ADD", path);
		*ret = (struct cached){ .result = text.s };
	}
	/* The file's name decides, as in libcni. */
	ret->network = key->network;
	ret->id = key->id;
	ret->ifname = key->ifname;
	return 1;
}

const char *cache_read_result(struct tx *tx, const char *text, struct result *ret)
{
	const struct result_rules rules = { .def_version = "1.0.0", .code = CNI_E_DECODE };
	struct errctx m = errctx_mark(tx);
	struct cj root = { .json = NULL };
	const char *why = NULL;
	int r;

	result_init(ret, &tx->mem);
	if (!text)
		return NULL;
	r = cj_parse(tx, text, strlen(text), "result", &root);
	if (r == 0)
		r = result_read(tx, &root, &rules, ret);
	cj_free(&root);
	if (r < 0) {
		why = errctx_take(tx, m);
		result_init(ret, &tx->mem);
	}
	return why;
}
