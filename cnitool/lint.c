// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lint.c - all mistakes of one file
 */
#include "base/log.h"
#include "cni/leg.h"
#include "cnitool/errctx.h"
#include "cnitool/keys.h"
#include "cnitool/lint.h"
#include "cnitool/nearest.h"
#include "value/name.h"
#include "value/result.h"

/* ---- findings ----------------------------------------------------------- */

static void add_finding(struct lint *l, bool warning, const char *path, const char *text)
{
	struct mem *mem = &l->tx->mem;
	char *full, *said;
	size_t n;

	if (l->n == LINT_MAX) {
		l->dropped += !warning;
		return;
	}
	full = mem_printf(mem, "%s%s", l->prefix, path);
	said = mem_str(mem, text);
	text_plain(full);
	text_plain(said);
	n = strlen(full);

	/* The path of the plugin itself has no dot at its end. */
	if (n && full[n - 1] == '.')
		full[n - 1] = '\0';
	for (unsigned i = 0; i < l->n; i++)
		if (str_eq(l->found[i].file, l->file) && str_eq(l->found[i].path, full) &&
		    str_eq(l->found[i].text, said))
			return;
	l->found = mem_grow(mem, l->found, l->n, sizeof(*l->found));
	l->found[l->n++] = (struct finding){ l->file, full, said, warning };
}

void lint_wrong(struct lint *l, const char *path, const char *fmt, ...)
{
	va_list ap;

	if (l->refusals)
		return;
	va_start(ap, fmt);
	add_finding(l, false, path, mem_vprintf(&l->tx->mem, fmt, ap));
	va_end(ap);
}

void lint_warn(struct lint *l, const char *path, const char *fmt, ...)
{
	va_list ap;

	if (l->refusals)
		return;
	va_start(ap, fmt);
	add_finding(l, true, path, mem_vprintf(&l->tx->mem, fmt, ap));
	va_end(ap);
}

const char *lint_prefix(struct lint *l, const struct lint_network *n, unsigned plugin)
{
	if (n->single)
		return "";
	return mem_printf(&l->tx->mem, "plugins[%u].", plugin);
}

/* What the runtime passes makes up for a key that is missing in the file. */
static bool is_supplied(const struct lint *l, const char *path)
{
	static const char *const supplied[][3] = {
		{ "ipam.ranges", "ranges", "ipRanges" },
		{ "ipam.addresses", "addresses", "ips" },
	};
	struct cj ipam;

	for (unsigned i = 0; l->conf && i < ARRAY_LEN(supplied); i++) {
		if (!str_eq(path, supplied[i][0]))
			continue;
		ipam = cj_obj(l->conf, "ipam");
		return !cj_has(&ipam, supplied[i][1]) && conf_declares(l->conf, supplied[i][2]);
	}
	return false;
}

static void on_wrong(void *arg, const char *path, const char *text)
{
	struct lint *l = arg;

	if (!is_supplied(l, path))
		add_finding(l, false, path, text);
}

static void on_asked(void *arg UNUSED, const struct cj *c UNUSED, const struct cj_ask *ask UNUSED)
{
}

static void on_silence(void *arg UNUSED, const char *path UNUSED, const char *text UNUSED)
{
}

void lint_init(struct lint *l, struct tx *tx, const struct plugin *const *plugins)
{
	*l = (struct lint){
		.tx = tx,
		.plugins = plugins,
		.prefix = "",
		.watch = { .asked = on_asked, .wrong = on_wrong, .arg = l },
		.silent = { .asked = on_asked, .wrong = on_silence },
	};
}

/* Has a complaint been noted below the path?  Then "missing" is not the mistake. */
static bool has_finding_below(const struct lint *l, const char *path)
{
	const char *full = mem_printf(&l->tx->mem, "%s%s", l->prefix, path);

	for (unsigned i = 0; i < l->n; i++)
		if (str_eq(l->found[i].file, l->file) && str_starts(l->found[i].path, full))
			return true;
	return false;
}

/* A failure that a reader has recorded itself begins with the path, as complaints do. */
static void note_failure(struct lint *l, const char *text)
{
	size_t n = strcspn(text, ": ");
	const char *path = mem_printf(&l->tx->mem, "%.*s", (int)n, text);

	if (!str_starts(text + n, ": "))
		add_finding(l, false, "", text);
	else if (!has_finding_below(l, path))
		on_wrong(l, path, text + n + 2);
}

/* ---- unknown keys ------------------------------------------------------- */

static const char *hint_of(struct lint *l, const struct nearest *n)
{
	if (n->name)
		return mem_printf(&l->tx->mem, "did you mean %s?", n->name);
	return "remove it";
}

/* What people write beside the configuration; about and capArgs are those of conf-examples. */
static bool is_comment(const char *name)
{
	return *name == '_' || *name == '$' || str_starts(name, "//") || str_eq(name, "about") ||
	       str_eq(name, "capArgs") || str_eq(name, "comment") || str_eq(name, "description") ||
	       str_starts(name, "cni.dev/");
}

/* Keys of the runtime and of other plugins may be in these. */
static bool is_open(const struct key *k)
{
	return k->name && k->parent && !k->parent->parent &&
	       (str_eq(k->name, "args") || str_eq(k->name, "runtimeConfig") ||
		str_eq(k->name, "capabilities") || str_eq(k->name, "prevResult"));
}

static void find_unknown(struct lint *l, const struct cj *c, const struct key *k, bool ipam)
{
	for (unsigned i = 0; cj_is_array(c) && k->element && i < cj_len(c); i++) {
		struct cj e = cj_at(c, i);

		find_unknown(l, &e, k->element, ipam);
	}
	if (!cj_is_object(c) || is_open(k))
		return;
	for (struct cj m = cj_first(c); m.json; m = cj_next(&m)) {
		const struct key *known = key_find(k, m.key);
		struct nearest near = { .name = NULL };

		if (known && !(str_eq(known->name, "ipam") && !ipam))
			find_unknown(l, &m, known, ipam);
		if (known || is_comment(m.key))
			continue;
		for (const struct key *o = k->children; o && l->n < LINT_MAX; o = o->next)
			nearest_compare(&near, m.key, o->name);
		lint_wrong(l, cj_path(&m, NULL), "unknown key, which is ignored (%s)",
			   hint_of(l, &near));
	}
}

/* What no plugin reads is not passed on by the runtime for nothing. */
static void check_capabilities(struct lint *l, const struct plugin *p, const struct key *keys)
{
	struct cj capabilities = cj_obj(l->conf, "capabilities");
	const struct key *runtime = key_find(keys, "runtimeConfig");

	if (cj_present(&capabilities) && !cj_is_object(&capabilities))
		return;
	for (struct cj m = cj_first(&capabilities); m.json; m = cj_next(&m)) {
		const struct key *known = NULL;
		struct nearest near = { .name = NULL };

		if (!cj_is_bool(&m))
			lint_wrong(l, cj_path(&m, NULL), "expected true or false");
		for (const struct key *k = runtime->children; k; k = k->next) {
			known = str_eq(k->name, m.key) ? k : known;
			nearest_compare(&near, m.key, k->name);
		}
		if (known)
			continue;
		if (near.name)
			lint_wrong(l, cj_path(&m, NULL), "unknown capability (did you mean %s?)",
				   near.name);
		else
			lint_warn(l, cj_path(&m, NULL), "%s does not read this capability",
				  p->name);
	}
}

/* ---- one plugin --------------------------------------------------------- */

static void run_validate(struct lint *l, struct call *c, const struct plugin *p)
{
	struct errctx m = errctx_mark(l->tx);

	if (p->validate && p->validate(l->tx, c) < 0)
		note_failure(l, errctx_take(l->tx, m));
}

/* The parent of a link is on this host, and smaller than the link? */
static void check_parent(struct lint *l, struct call *c)
{
	struct errctx m = errctx_mark(l->tx);
	struct leg leg;
	struct link parent = { .mtu = 0 };
	struct rt *rt;
	int r;

	if (!c->plugin->leg)
		return;
	cj_watch(&c->conf, &l->silent);
	r = leg_describe(l->tx, c, &leg);
	if (r == 0 && leg.has_parent && !leg.parent.in_container && leg.link.mtu > 0)
		r = rt_open(l->tx, &c->host, "host", NULL);
	else
		r = -ENOENT;
	if (r == 0)
		r = conf_look_for_parent(l->tx, c, &leg.parent, &rt, &parent);
	if (r == 1 && leg.link.mtu > parent.mtu)
		lint_wrong(l, "mtu",
			   "%d is more than the MTU of the parent %s, %d (make it less, "
			   "or that one larger)",
			   leg.link.mtu, parent.name, parent.mtu);
	rt_close(&c->host);
	errctx_take(l->tx, m);
}

/* A type that is nearly one of ours, of those with the flag, is a slip of the pen. */
static void note_stranger(struct lint *l, const char *type, unsigned flag, const char *path)
{
	struct nearest near = { .name = NULL };

	for (const struct plugin *const *p = l->plugins; *p; p++)
		if (((*p)->flags & flag) == flag)
			nearest_compare(&near, type, (*p)->name);
	if (near.name)
		lint_wrong(l, mem_printf(&l->tx->mem, "%stype", path),
			   "there is no plugin %.60s (did you mean %s?)", type, near.name);
	else
		lint_warn(l, path, "%.60s is not one of cplug's plugins: not validated", type);
}

/* The IPAM plugin that ipam.type names, if it is the suite's. */
static const struct plugin *find_ipam(struct lint *l, const char *type)
{
	const struct plugin *p = plugin_find(l->plugins, type);

	if (p && !(p->flags & CNI_IS_IPAM)) {
		lint_wrong(l, "ipam.type", "%s is not an IPAM plugin", type);
		return NULL;
	}
	if (!p && *type)
		note_stranger(l, type, CNI_IS_IPAM, "ipam.");
	return p;
}

static const struct key *find_keys(struct lint *l, const struct plugin *p,
				   const struct plugin *ipam)
{
	const struct key *keys;

	for (unsigned i = 0; i < l->n_recorded; i++)
		if (l->recorded[i].p == p && l->recorded[i].ipam == ipam)
			return l->recorded[i].keys;
	keys = keys_of(l->tx, l->plugins, p, ipam);
	l->recorded = mem_grow(&l->tx->mem, l->recorded, l->n_recorded, sizeof(*l->recorded));
	l->recorded[l->n_recorded++] = (struct lint_keys){ p, ipam, keys };
	return keys;
}

static void check_version(struct lint *l, const struct plugin *p, const struct netconf *n)
{
	if (!p->oldest || netconf_speaks(n, p->oldest))
		return;
	lint_wrong(l, "", "%s needs cniVersion %s or newer", p->name, p->oldest);
}

static void check_plugin(struct lint *l, const struct lint_network *n, unsigned i,
			 const struct plugin *p)
{
	const struct netconf_extra extra = { .prev_result = NULL };
	struct call c = keys_call(l->plugins, p);
	struct cj root, ipam;
	const struct plugin *delegate = NULL;
	const struct key *keys;
	bool has_ipam;

	c.stdin_text = netconf_request(&l->tx->mem, &n->conf, i, &extra);
	c.stdin_size = strlen(c.stdin_text);
	c.network = n->conf.name;
	c.version = *n->conf.version ? n->conf.version : "0.1.0";
	if (cj_parse(l->tx, c.stdin_text, c.stdin_size, "plugin", &root) < 0)
		return;
	c.conf = root;
	cj_watch(&root, &l->watch);
	check_version(l, p, &n->conf);
	conf_log(&root);
	run_validate(l, &c, p);
	ipam = cj_obj(&root, "ipam");
	keys = find_keys(l, p, NULL);
	if (cj_present(&ipam) && key_find(keys, "ipam"))
		delegate = find_ipam(l, cj_str(&ipam, "type", ""));
	if (delegate) {
		run_validate(l, &c, delegate);
		keys = find_keys(l, p, delegate);
	}
	has_ipam = delegate || !cj_has(&ipam, "type");
	check_parent(l, &c);
	cj_free(&root);
	/* The cursors of the file know the whole path. */
	l->prefix = "";
	find_unknown(l, l->conf, keys, has_ipam);
	check_capabilities(l, p, keys);
}

static void check_plugins(struct lint *l, const struct lint_network *n)
{
	for (unsigned i = 0; i < n->conf.n_plugins; i++) {
		const struct netconf_plugin *np = &n->conf.plugins[i];
		const struct plugin *p = plugin_find(l->plugins, np->type);

		l->conf = &np->conf;
		l->prefix = lint_prefix(l, n, i);
		if (!cj_is_object(&np->conf))
			continue;
		if (p)
			check_plugin(l, n, i, p);
		else if (*np->type)
			note_stranger(l, np->type, 0, "");
	}
	l->conf = NULL;
	l->prefix = "";
}

/* ---- one file ----------------------------------------------------------- */

static int read_list_keys(struct tx *tx, struct call *c)
{
	struct netconf n = { .name = NULL };

	netconf_scan(tx, &c->conf, &n);
	return 0;
}

const struct key *lint_list_keys(struct tx *tx)
{
	struct key *root = mem_alloc(&tx->mem, sizeof(*root));
	struct call c = keys_call(NULL, NULL);

	keys_record(tx, &c, read_list_keys, root);
	return root;
}

/* The keys of a list beside "plugins". */
static void find_unknown_of_list(struct lint *l, const struct cj *root)
{
	const struct key *keys = l->list_keys ? l->list_keys : lint_list_keys(l->tx);
	struct nearest near;

	l->list_keys = keys;
	for (struct cj m = cj_first(root); m.json; m = cj_next(&m)) {
		near.name = NULL;
		if (key_find(keys, m.key) || is_comment(m.key))
			continue;
		for (const struct key *o = keys->children; o; o = o->next)
			nearest_compare(&near, m.key, o->name);
		lint_wrong(l, cj_path(&m, NULL), "unknown key, which is ignored (%s)",
			   hint_of(l, &near));
	}
}

static void check_one_version(struct lint *l, const char *path, const char *version)
{
	struct mem_text list = { .mem = &l->tx->mem };

	for (unsigned i = 0; result_versions[i]; i++) {
		if (str_eq(result_versions[i], version))
			return;
		mem_text_add(&list, "%s%s", mem_text_comma(&list, ", "), result_versions[i]);
	}
	lint_wrong(l, path, "\"%.40s\" is not a known version (choose one of %s)", version,
		   mem_text_end(&list));
}

/* In cniVersions, versions that are not known are for other runtimes. */
static void check_version_of_list(struct lint *l, const struct cj *root, const struct netconf *n)
{
	const char *version = cj_str(root, "cniVersion", "");

	if (*version)
		check_one_version(l, "cniVersion", version);
	else if (!*n->version)
		lint_warn(l, "cniVersion",
			  "missing: 0.1.0 is taken, without CHECK and GC (write "
			  "\"1.0.0\" or \"1.1.0\")");
}

/* What libcni makes of a single plugin. */
static void scan_single(struct lint *l, const struct cj *root, struct netconf *n)
{
	n->name = cj_str(root, "name", "");
	n->version = cj_str(root, "cniVersion", "");
	n->plugins = mem_alloc(&l->tx->mem, sizeof(*n->plugins));
	n->plugins[0] = (struct netconf_plugin){ cj_str(root, "type", ""), *root };
	n->n_plugins = 1;
	if (!*n->name)
		cj_wrong(root, "name", "missing");
	else if (!name_valid_id(n->name))
		cj_wrong(root, "name",
			 "\"%.60s\" is no network name: letters, digits, '_', '.' "
			 "and '-'",
			 n->name);
	if (!*n->plugins[0].type)
		cj_wrong(
			root, "type",
			"missing: the file is neither a list, which has \"plugins\", nor a plugin");
}

/* Runtimes read *.conflist as a list, and other files as a single plugin, and else skip them. */
static void check_suffix(const struct cj *root, const char *file, bool single)
{
	const char *suffix = strrchr(file, '.');

	if (str_eq(suffix, ".conflist") && single)
		cj_wrong(root, "type",
			 "this is a single plugin, which belongs in a file *.conf (or write it "
			 "into \"plugins\")");
	if ((str_eq(suffix, ".conf") || str_eq(suffix, ".json")) && !single)
		cj_wrong(root, "plugins", "this is a list, which belongs in a file *.conflist");
}

void lint_file(struct lint *l, const char *file, const char *text, size_t size)
{
	struct errctx m = errctx_mark(l->tx);
	struct cj *root = mem_alloc(&l->tx->mem, sizeof(*root));
	struct lint_network n = { .file = file };
	const char *twice;

	l->file = file;
	if (cj_parse(l->tx, text, size, "file", root) < 0) {
		lint_wrong(l, "", "%s", errctx_take(l->tx, m));
		return;
	}
	cj_watch(root, &l->watch);
	n.single = !cj_has(root, "plugins") && cj_has(root, "type");
	/* The text of a refusal is the list that libcni makes of the file. */
	if (!l->refusals)
		check_suffix(root, file, n.single);
	twice = cj_find_twice(&l->tx->mem, text, size, NULL, 0);
	if (twice)
		lint_wrong(l, twice,
			   "is there twice in one object, and only the last value counts "
			   "(remove one)");
	if (n.single)
		scan_single(l, root, &n.conf);
	else
		netconf_scan(l->tx, root, &n.conf);
	check_version_of_list(l, root, &n.conf);
	cj_watch(root, &l->silent);
	if (!n.single)
		find_unknown_of_list(l, root);
	if (n.conf.disable_check)
		lint_warn(l, "disableCheck",
			  "runtimes never call CHECK, so that what is lost is not noticed (remove "
			  "the key)");
	lint_chain(l, &n);
	check_plugins(l, &n);
	l->nets = mem_grow(&l->tx->mem, l->nets, l->n_nets, sizeof(*l->nets));
	l->nets[l->n_nets++] = n;
}
