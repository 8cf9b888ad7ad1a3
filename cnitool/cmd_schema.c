// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * cmd_schema.c - cnitool schema: the keys of the plugins as JSON Schema, draft 2020-12
 *
 * All is from keys.h, so it is what the readers accept, but for what JSON Schema cannot say: keys
 * match without regard to case, and null is as absent.
 */
#include "cnitool/cnitool.h"
#include "cnitool/keys.h"
#include "cnitool/lint.h"
#include "value/jw.h"

#define HAS(k, kind) ((k)->kinds & 1u << (kind))

static void put_key(struct jw *w, const char *name, const struct key *k);

static void put_type(struct jw *w, const char *type)
{
	jw_str(w, "type", type);
}

/* Comments, keys of the specification, and (root) of the runtime are no mistakes. */
static void put_closed(struct jw *w)
{
	jw_open(w, "patternProperties", '{');
	jw_open(w, "^(_|[$]|//|cni[.]dev/|(about|capArgs|comment|description)$)", '{');
	jw_close(w, '}');
	jw_close(w, '}');
	jw_bool(w, "additionalProperties", false);
}

/* Others may have keys of their own in these. */
static bool is_open(const struct key *k)
{
	return !k->children || (k->name && (str_eq(k->name, "args") || str_eq(k->name, "cni") ||
					    str_eq(k->name, "runtimeConfig")));
}

static void put_object(struct jw *w, const struct key *k)
{
	put_type(w, "object");
	if (HAS(k, CJ_MEMBERS) && k->element)
		put_key(w, "additionalProperties", k->element);
	if (k->children) {
		jw_open(w, "properties", '{');
		for (const struct key *c = k->children; c; c = c->next)
			put_key(w, c->name, c);
		jw_close(w, '}');
	}
	if (!HAS(k, CJ_MEMBERS) && !is_open(k))
		put_closed(w);
}

static void put_words(struct jw *w, const struct key *k)
{
	jw_open(w, "enum", '[');
	for (unsigned i = 0; i < k->n_words; i++)
		jw_str(w, NULL, k->words[i]);
	/* For a reader it is as absent. */
	jw_str(w, NULL, "");
	jw_close(w, ']');
}

static void put_bounds(struct jw *w, const struct key *k)
{
	put_type(w, "integer");
	if (k->min > INT64_MIN)
		jw_int(w, "minimum", k->min);
	if (k->max < INT64_MAX)
		jw_int(w, "maximum", k->max);
}

static void put_pattern(struct jw *w, const char *pattern)
{
	put_type(w, "string");
	jw_str(w, "pattern", pattern);
}

static void put_form(struct jw *w, const struct key *k, enum cj_kind kind)
{
	switch (kind) {
	case CJ_OBJ:
	case CJ_MEMBERS:
		put_object(w, k);
		break;
	case CJ_LIST:
		put_type(w, "array");
		if (k->element)
			put_key(w, "items", k->element);
		break;
	case CJ_STR:
		put_type(w, "string");
		break;
	case CJ_WORD:
		put_words(w, k);
		break;
	case CJ_IP:
		put_pattern(w, "^[0-9A-Fa-f:.]*$");
		break;
	case CJ_CIDR:
		put_pattern(w, "^([0-9A-Fa-f:.]+/[0-9]+)?$");
		break;
	case CJ_MAC:
		put_pattern(w, "^[0-9A-Fa-f:.-]*$");
		break;
	case CJ_BOOL:
		put_type(w, "boolean");
		break;
	default:
		put_bounds(w, k);
	}
}

/* The kinds that say something: any string includes those of a form, and words. */
static unsigned forms_of(const struct key *k)
{
	unsigned forms = k->kinds & ~(1u << CJ_ANY | 1u << CJ_TEXT);

	if (forms & 1u << CJ_STR)
		forms &= ~(1u << CJ_IP | 1u << CJ_CIDR | 1u << CJ_MAC | 1u << CJ_WORD);
	if (forms & 1u << CJ_MEMBERS)
		forms &= ~(1u << CJ_OBJ);
	return forms;
}

static void put_default(struct jw *w, const struct key *k)
{
	if (!k->has_def || k->many_defs)
		return;
	if (!str_empty(k->def_text))
		jw_str(w, "default", k->def_text);
	else if (HAS(k, CJ_BOOL))
		jw_bool(w, "default", k->def);
	else if (HAS(k, CJ_INT) && k->def >= k->min && k->def <= k->max)
		jw_int(w, "default", k->def);
}

static void put_ref(struct jw *w, const char *name)
{
	jw_str(w, "$ref", mem_printf(w->mem, "#/$defs/%s", name));
}

/* What the runtime may pass to the plugin: the keys of runtimeConfig, each of them a bool. */
static void put_capabilities(struct jw *w, const struct key *root)
{
	const struct key *runtime = key_find(root, "runtimeConfig");

	put_type(w, "object");
	jw_open(w, "properties", '{');
	for (const struct key *k = runtime ? runtime->children : NULL; k; k = k->next) {
		jw_open(w, k->name, '{');
		put_type(w, "boolean");
		jw_close(w, '}');
	}
	jw_close(w, '}');
	jw_open(w, "additionalProperties", '{');
	put_type(w, "boolean");
	jw_close(w, '}');
}

static void put_versions(struct jw *w)
{
	jw_open(w, "enum", '[');
	for (unsigned i = 0; result_versions[i]; i++)
		jw_str(w, NULL, result_versions[i]);
	jw_close(w, ']');
}

/* Keys of the root whose content depends on others, or has a form; true: k is one of them. */
static bool put_special(struct jw *w, const struct key *k)
{
	if (!k->name || k->parent->parent)
		return false;
	if (str_eq(k->name, "cniVersion")) {
		put_versions(w);
		return true;
	}
	if (str_eq(k->name, "name")) {
		put_pattern(w, "^[A-Za-z0-9][A-Za-z0-9_.-]*$"); /* name_valid_id() */
		return true;
	}
	if (str_eq(k->name, "ipam")) {
		put_ref(w, "ipam");
		return true;
	}
	if (str_eq(k->name, "capabilities")) {
		put_capabilities(w, k->parent);
		return true;
	}
	if (!str_eq(k->name, "plugins"))
		return false;
	put_type(w, "array");
	jw_int(w, "minItems", 1);
	jw_open(w, "items", '{');
	put_ref(w, "plugin");
	jw_close(w, '}');
	return true;
}

static void put_key(struct jw *w, const char *name, const struct key *k)
{
	unsigned forms = forms_of(k);
	bool several = forms & (forms - 1);

	jw_open(w, name, '{');
	if (put_special(w, k))
		forms = 0;
	if (several)
		jw_open(w, "anyOf", '[');
	for (enum cj_kind kind = CJ_OBJ; kind < CJ_KINDS; kind++) {
		if (!(forms & 1u << kind))
			continue;
		if (several)
			jw_open(w, NULL, '{');
		put_form(w, k, kind);
		if (several)
			jw_close(w, '}');
	}
	if (several)
		jw_close(w, ']');
	put_default(w, k);
	jw_close(w, '}');
}

/* ---- what depends on the type ------------------------------------------- */

static void put_required(struct jw *w, const char *name)
{
	jw_open(w, "required", '[');
	jw_str(w, NULL, name);
	jw_close(w, ']');
}

/* If the type is that of p: then p's definition. */
static void put_choice(struct jw *w, const struct plugin *p)
{
	jw_open(w, NULL, '{');
	jw_open(w, "if", '{');
	jw_open(w, "properties", '{');
	jw_open(w, "type", '{');
	jw_str(w, "const", p->name);
	jw_close(w, '}');
	jw_close(w, '}');
	put_required(w, "type");
	jw_close(w, '}');
	jw_open(w, "then", '{');
	put_ref(w, p->name);
	jw_close(w, '}');
	jw_close(w, '}');
}

static bool is_ipam(const struct plugin *p)
{
	return p->flags & CNI_IS_IPAM;
}

/* An object whose keys depend on its type: an IPAM plugin's, or another's. */
static void put_any_plugin(struct jw *w, const struct tool *t, bool ipam)
{
	jw_open(w, ipam ? "ipam" : "plugin", '{');
	put_type(w, "object");
	jw_open(w, "properties", '{');
	jw_open(w, "type", '{');
	put_type(w, "string");
	jw_close(w, '}');
	jw_close(w, '}');
	if (!ipam)
		put_required(w, "type");
	jw_open(w, "allOf", '[');
	for (const struct plugin *const *p = t->plugins; *p; p++)
		if (is_ipam(*p) == ipam)
			put_choice(w, *p);
	jw_close(w, ']');
	jw_close(w, '}');
}

/* The definition of a plugin; of an IPAM plugin, what "ipam" has. */
static void put_plugin(struct jw *w, struct tool *t, const struct plugin *p)
{
	const struct key *root = keys_of(t->tx, t->plugins, p, NULL);
	const struct key *ipam = key_find(root, "ipam");

	if (!is_ipam(p)) {
		put_key(w, p->name, root);
		return;
	}
	jw_open(w, p->name, '{');
	put_object(w, ipam);
	jw_close(w, '}');
}

/* only: NULL = all */
static void put_definitions(struct jw *w, struct tool *t, const struct plugin *only)
{
	jw_open(w, "$defs", '{');
	if (!only)
		put_any_plugin(w, t, false);
	put_any_plugin(w, t, true);
	for (const struct plugin *const *p = t->plugins; *p; p++)
		if (!only || only == *p || is_ipam(*p))
			put_plugin(w, t, *p);
	jw_close(w, '}');
}

static int fail_type(struct tool *t, const char *type)
{
	struct mem_text list = { .mem = &t->tx->mem };

	for (const struct plugin *const *p = t->plugins; *p; p++)
		mem_text_add(&list, "%s%s", mem_text_comma(&list, ", "), (*p)->name);
	t->usage = true;
	return tx_fail_as(t->tx, CNI_E_FIELD, -EINVAL, "schema: there is no plugin %s (one of %s)",
			  type, mem_text_end(&list));
}

int cmd_schema(struct tool *t)
{
	const char *type = t->args.n ? t->args.v[0] : NULL;
	const struct plugin *only = NULL;
	const char *title = "a CNI network configuration list";
	struct jw w;

	if (type)
		only = plugin_find(t->plugins, type);
	if (type && !only)
		return fail_type(t, type);
	tool_open_json(t, &w);
	jw_str(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
	if (type)
		title = mem_printf(&t->tx->mem, "the CNI plugin %s", type);
	jw_str(&w, "title", title);
	if (only) {
		put_ref(&w, only->name);
	} else {
		put_object(&w, lint_list_keys(t->tx));
		put_required(&w, "name");
	}
	put_definitions(&w, t, only);
	return tool_print_json(t, &w);
}
