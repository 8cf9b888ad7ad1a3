// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipam.c - the IPAM delegate
 *
 * A delegate that CNI_PATH resolves to this very file is a function call away; any
 * other is executed.  What it allocated is undone by its own undo records in the
 * first case, by its DEL in the second.
 */
#include "ipam.h"
#include "exec.h"
#include "log.h"
#include "name.h"

static const char *ipam_type(const struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");

	return cj_str(&ipam, "type", "");
}

bool ipam_wanted(const struct call *c)
{
	return *ipam_type(c) != '\0';
}

/* Finds the delegate: *ret_plugin if it is one of ours, else *ret_path. */
static int find(struct tx *tx, const struct call *c, const struct plugin **ret_plugin,
		const char **ret_path)
{
	const char *type = ipam_type(c), *path;
	const struct plugin *p;
	bool self;

	TRY(cj_ok(tx, &c->conf));
	if (!name_valid_type(type))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "ipam.type: invalid plugin name: %.100s", type);
	TRY(exec_find(tx, c->path, type, &path, &self));
	p = self ? plugin_find(type) : NULL;
	if (p && !(p->flags & CNI_IS_IPAM))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "ipam.type: %s is not an IPAM plugin",
				  type);
	*ret_plugin = p;
	*ret_path = path;
	return 0;
}

/* Executes a delegate that is not ours. */
static int run(struct tx *tx, const struct call *c, const char *path, const char *command,
	       struct exec_answer *a)
{
	const char *env[] = { mem_printf(&tx->mem, "CNI_COMMAND=%s", command), NULL };

	TRY(exec_run(tx, path, env, c->stdin_text, c->stdin_size, 0, a));
	TRY(exec_judge(tx, path, a));
	log_step("delegated %s to %s", command, path);
	return 0;
}

struct undo_delegate {
	const struct call *call;
	const char *path;
};

static int undo_delegate(struct tx *tx, void *arg)
{
	struct undo_delegate *u = arg;
	struct exec_answer a;

	return run(tx, u->call, u->path, "DEL", &a);
}

static int run_add(struct tx *tx, struct call *c, const char *path, struct result *ret)
{
	struct undo_delegate u = { c, path };
	struct exec_answer a;
	struct cj out;
	int r = run(tx, c, path, "ADD", &a);

	/* Also after a failure: the delegate may have got half way. */
	r = also(r, tx_undo(tx, undo_delegate, "delegate ADD", &u));
	TRY(r);
	TRY(cj_parse(tx, a.out_size ? a.out : "{}", a.out_size ? a.out_size : 2,
		     "result of the IPAM plugin", &out));
	return result_read(tx, &out, c->version, NULL, CPLUG_E_DELEGATE, ret);
}

int ipam_validate(struct tx *tx, struct call *c)
{
	const struct plugin *p;
	const char *path;

	if (!ipam_wanted(c))
		return 0;
	TRY(find(tx, c, &p, &path));
	return p && p->validate ? p->validate(tx, c) : 0;
}

int ipam_add(struct tx *tx, struct call *c, struct result *ret)
{
	const struct plugin *p;
	const char *path;

	TRY(find(tx, c, &p, &path));
	if (p)
		TRY(p->add(tx, c, ret));
	else
		TRY(run_add(tx, c, path, ret));
	if (!ret->n_ips)
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EINVAL,
				  "IPAM plugin returned missing IP config (ipam.type %s gave no "
				  "address)",
				  ipam_type(c));
	return 0;
}

/* The verbs that only answer yes or no; at: which member of struct plugin. */
typedef int verb_fn(struct tx *tx, struct call *c);

static int verb(struct tx *tx, struct call *c, size_t at)
{
	const struct plugin *p;
	const char *path;
	struct exec_answer a;
	verb_fn *fn;

	if (!ipam_wanted(c))
		return 0;
	TRY(find(tx, c, &p, &path));
	if (!p)
		return run(tx, c, path, c->command_name, &a);
	memcpy(&fn, (const char *)p + at, sizeof(fn));
	return fn ? fn(tx, c) : 0;
}

int ipam_del(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, del));
}

int ipam_check(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, check));
}

int ipam_gc(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, gc));
}

int ipam_status(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, status));
}
