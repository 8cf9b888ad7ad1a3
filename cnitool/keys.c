// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * keys.c - the keys of a configuration, as the plugins' readers ask for them
 */
#include "base/log.h"
#include "cni/conf.h"
#include "cnitool/errctx.h"
#include "cnitool/keys.h"
#include "sys/hostconf.h"

enum { ROUNDS_MAX = 12 };

struct recorder {
	struct tx *tx;
	struct call *call;
	key_reader *read;
	struct key *root;
	bool grown;      /* a question was new */
	struct mem kept; /* the call's arena, during a run, which has one of its own */
};

/* ---- the tree ----------------------------------------------------------- */

const struct key *key_find(const struct key *object, const char *name)
{
	for (const struct key *k = object->children; k; k = k->next)
		if (strcasecmp(k->name, name) == 0)
			return k;
	return object->element;
}

static struct key *add_key(struct recorder *r, struct key *parent, struct key **at,
			   const char *name)
{
	struct key *k = mem_alloc(&r->kept, sizeof(*k));

	*k = (struct key){ .parent = parent, .name = name };
	*at = k;
	r->grown = true;
	return k;
}

/* The key that a cursor stands on. */
static struct key *key_of(struct recorder *r, const struct cj *c)
{
	struct key *parent, **at;

	if (!c->parent)
		return r->root;
	parent = key_of(r, c->parent);
	if (!c->key || parent->kinds & 1u << CJ_MEMBERS) {
		if (parent->element)
			return parent->element;
		return add_key(r, parent, &parent->element, NULL);
	}
	parent->kinds |= 1u << CJ_OBJ;
	for (at = &parent->children; *at; at = &(*at)->next)
		if (strcasecmp((*at)->name, c->key) == 0)
			return *at;
	return add_key(r, parent, at, mem_str(&r->kept, c->key));
}

static void add_words(struct recorder *r, struct key *k, const struct cj_ask *ask)
{
	for (unsigned i = 0; i < ask->n; i++) {
		bool known = false;

		for (unsigned w = 0; w < k->n_words; w++)
			known |= str_eq(k->words[w], ask->words[i]);
		if (known)
			continue;
		k->words = mem_grow(&r->kept, k->words, k->n_words, sizeof(*k->words));
		k->words[k->n_words++] = mem_str(&r->kept, ask->words[i]);
		r->grown = true;
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || str_eq(a, b);
}

static void add_default(struct recorder *r, struct key *k, const struct cj_ask *ask)
{
	if (!k->has_def) {
		k->def = ask->def;
		k->def_text = mem_str(&r->kept, ask->text);
	}
	k->many_defs |= k->has_def && (k->def != ask->def || !same_text(k->def_text, ask->text));
	k->has_def = true;
}

static void on_asked(void *arg, const struct cj *c, const struct cj_ask *ask)
{
	struct recorder *r = arg;
	struct key *k = key_of(r, c);
	unsigned bit = 1u << ask->kind;

	/* cj_len() counts the members of an object as well. */
	if (ask->kind == CJ_LIST && k->kinds & (1u << CJ_OBJ | 1u << CJ_MEMBERS))
		return;
	r->grown |= !(k->kinds & bit);
	if (ask->kind == CJ_INT && (!(k->kinds & bit) || ask->min < k->min))
		k->min = ask->min;
	if (ask->kind == CJ_INT && (!(k->kinds & bit) || ask->max > k->max))
		k->max = ask->max;
	k->kinds |= bit;
	add_words(r, k, ask);
	if (ask->has_def)
		add_default(r, k, ask);
}

static void on_wrong(void *arg UNUSED, const char *path UNUSED, const char *text UNUSED)
{
}

/* ---- documents ---------------------------------------------------------- */

static const char *value_of(struct mem *mem, const struct key *k, enum cj_kind kind, unsigned word);

/* A value of the first of its kinds, with all that is below. */
static const char *any_value(struct mem *mem, const struct key *k)
{
	for (enum cj_kind kind = CJ_OBJ; k && kind < CJ_KINDS; kind++)
		if (k->kinds & 1u << kind)
			return value_of(mem, k, kind, 0);
	return "null";
}

static const char *object_of(struct mem *mem, const struct key *k)
{
	struct mem_text t = { .mem = mem };

	for (const struct key *child = k->children; child; child = child->next)
		mem_text_add(&t, "%s\"%s\":%s", mem_text_comma(&t, ","), child->name,
			     any_value(mem, child));
	return mem_printf(mem, "{%s}", mem_text_end(&t));
}

/* A good value of a kind, as JSON; of a word, the one of that index. */
static const char *value_of(struct mem *mem, const struct key *k, enum cj_kind kind, unsigned word)
{
	static const char *const texts[CJ_KINDS] = {
		[CJ_ANY] = "true",
		[CJ_STR] = "\"x\"",
		[CJ_TEXT] = "\"x\"",
		[CJ_IP] = "\"10.1.0.1\"",
		[CJ_CIDR] = "\"10.1.0.0/24\"",
		[CJ_MAC] = "\"02:00:00:00:00:01\"",
		[CJ_BOOL] = "true",
	};

	switch (kind) {
	case CJ_OBJ:
		return object_of(mem, k);
	case CJ_MEMBERS:
		return mem_printf(mem, "{\"x\":%s}", any_value(mem, k->element));
	case CJ_LIST:
		return mem_printf(mem, "[%s]", any_value(mem, k->element));
	case CJ_WORD:
		return mem_printf(mem, "\"%s\"", k->words[word]);
	case CJ_INT:
		return mem_printf(mem, "%d", k->min > 1 ? (int)k->min : 1);
	default:
		return texts[kind];
	}
}

/* The document that has this one value, and the objects and lists around it. */
static const char *document(struct mem *mem, const struct key *k, const char *value)
{
	for (; k->parent; k = k->parent)
		if (k->name)
			value = mem_printf(mem, "{\"%s\":%s}", k->name, value);
		else if (k->parent->kinds & 1u << CJ_MEMBERS)
			value = mem_printf(mem, "{\"x\":%s}", value);
		else
			value = mem_printf(mem, "[%s]", value);
	return value;
}

/* ---- recording ---------------------------------------------------------- */

static void run_reader(struct recorder *r, const char *text)
{
	const struct cj_watch w = { .asked = on_asked, .wrong = on_wrong, .arg = r };
	struct errctx m = errctx_mark(r->tx);
	struct call *c = r->call;
	int err = cj_parse(r->tx, text, strlen(text), "probe", &c->conf);

	if (err == 0) {
		c->stdin_text = text;
		c->stdin_size = strlen(text);
		cj_watch(&c->conf, &w);
		err = r->read(r->tx, c);
		cj_watch(&c->conf, NULL);
		cj_free(&c->conf);
	}
	if (err < 0)
		errctx_take(r->tx, m);
}

/* Runs the reader over a key in one of its forms; content NULL: as full as is known. */
static void try_form(struct recorder *r, const struct key *k, enum cj_kind kind, unsigned word,
		     const char *content)
{
	struct mem *mem = &r->tx->mem;
	const char *value;

	r->kept = *mem;
	*mem = (struct mem){ .max = mem->max, .exhausted = mem->exhausted, .arg = mem->arg };
	value = content ? content : value_of(mem, k, kind, word);
	run_reader(r, document(mem, k, value));
	mem_free(mem);
	*mem = r->kept;
}

/* Tries a key in each of its forms, empty and full, and so all keys below. */
static void try_key(struct recorder *r, const struct key *k)
{
	for (enum cj_kind kind = CJ_ANY; kind < CJ_KINDS; kind++) {
		unsigned n = kind == CJ_WORD ? k->n_words : 1;

		for (unsigned i = 0; k->kinds & 1u << kind && i < n; i++)
			try_form(r, k, kind, i, NULL);
		if (k->kinds & 1u << kind && kind == CJ_OBJ)
			try_form(r, k, kind, 0, "{}");
	}
	for (const struct key *child = k->children; child; child = child->next)
		try_key(r, child);
	if (k->element)
		try_key(r, k->element);
}

void keys_record(struct tx *tx, struct call *c, key_reader *read, struct key *root)
{
	struct recorder r = { .tx = tx, .call = c, .read = read, .root = root };
	bool quiet;

	/* It keeps what it reads, and so must not read it first during a run. */
	hostconf_replaces_across_networks(tx);
	quiet = log_mute(true);
	root->kinds |= 1u << CJ_OBJ;
	for (unsigned i = 0; i < ROUNDS_MAX && (r.grown || !i); i++) {
		r.grown = false;
		try_key(&r, root);
	}
	log_mute(quiet);
}

struct call keys_call(const struct plugin *const *plugins, const struct plugin *p)
{
	return (struct call){
		.command = CNI_STATUS,
		.command_name = "ADD",
		.id = "x",
		.ifname = "eth0",
		.netns_path = "",
		.args = "",
		.path = "",
		.version = "1.1.0",
		.network = "x",
		.type = "",
		.plugins = plugins,
		.plugin = p,
		.host_ns = NETNS_NONE,
		.cont_ns = NETNS_NONE,
	};
}

/* What the dispatcher reads for all plugins. */
static int read_common(struct tx *tx, struct call *c)
{
	struct errctx m = errctx_mark(tx);

	if (call_read_names(tx, c) < 0)
		errctx_take(tx, m);
	conf_log(&c->conf);
	cj_obj(&c->conf, "args");
	cj_obj(&c->conf, "runtimeConfig");
	cj_obj(&c->conf, "capabilities");
	cj_any(&c->conf, "prevResult");
	return 0;
}

const struct key *keys_of(struct tx *tx, const struct plugin *const *plugins,
			  const struct plugin *p, const struct plugin *ipam)
{
	struct key *root = mem_alloc(&tx->mem, sizeof(*root));
	struct call c = keys_call(plugins, p);

	keys_record(tx, &c, read_common, root);
	if (p->validate)
		keys_record(tx, &c, p->validate, root);
	if (ipam && ipam->validate)
		keys_record(tx, &c, ipam->validate, root);
	return root;
}
