// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ipam.c - the IPAM delegate
 *
 * A delegate that CNI_PATH resolves to this very file is a function call away; any
 * other is executed.  What it allocated is undone by its own undo records in the
 * first case, by its DEL in the second.
 */
#include "cni/ipam.h"
#include "sys/exec.h"
#include "base/log.h"
#include "value/name.h"

static const char *ipam_type(const struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");

	return cj_str(&ipam, "type", "");
}

bool ipam_wanted(const struct call *c)
{
	return *ipam_type(c) != '\0';
}

bool ipam_is(const struct call *c, const char *type)
{
	return str_eq(ipam_type(c), type);
}

static void keep(struct call *c, const char *type, const char *path, bool self)
{
	c->delegate = self ? plugin_find(c->plugins, type) : NULL;
	c->delegate_path = path;
}

bool ipam_is_foreign(struct tx *tx, struct call *c)
{
	const char *type = ipam_type(c), *path;
	bool self;

	if (!name_valid_type(type) || !exec_look(&tx->mem, c->path, type, &path, &self))
		return false;
	keep(c, type, path, self);
	return !c->delegate;
}

/* Finds the delegate once; a missing one is a failure. */
static int find(struct tx *tx, struct call *c)
{
	const char *type = ipam_type(c), *path;
	bool self;

	TRY(cj_ok(tx, &c->conf));
	if (!name_valid_type(type))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
				  "ipam.type: invalid plugin name: %.100s", type);
	if (!c->delegate_path) {
		TRY(exec_find(tx, c->path, type, &path, &self));
		keep(c, type, path, self);
	}
	if (c->delegate && !(c->delegate->flags & CNI_IS_IPAM))
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "ipam.type: %s is not an IPAM plugin",
				  type);
	return 0;
}

/* Executes a delegate that is another program. */
static int run(struct tx *tx, const struct call *c, const char *path, const char *command,
	       struct exec_answer *a)
{
	const char *env[] = { mem_printf(&tx->mem, "CNI_COMMAND=%s", command), NULL };
	const struct exec_request q = {
		.path = path, .env = env, .in = c->stdin_text, .size = c->stdin_size
	};

	TRY(exec_run(tx, &q, a));
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

/* An empty answer, or null. */
static bool says_nothing(const struct exec_answer *a)
{
	static const char space[] = " \t\r\n";
	const char *s = a->out + strspn(a->out, space);

	s += str_starts(s, "null") ? 4 : 0;
	return !s[strspn(s, space)];
}

static int run_add(struct tx *tx, struct call *c, const char *path, struct result *ret)
{
	const struct result_rules rules = { .def_version = c->version, .code = CPLUG_E_DELEGATE };
	struct undo_delegate u = { c, path };
	struct exec_answer a;
	struct cj out;
	int r = run(tx, c, path, "ADD", &a);

	/* Register DEL as undo also after a failure: the delegate may have allocated something. */
	r = also(r, tx_undo(tx, undo_delegate, "delegate ADD", &u));
	TRY(r);
	if (says_nothing(&a)) {
		a.out = mem_str(&tx->mem, "{}");
		a.out_size = 2;
	}
	TRY(cj_parse(tx, a.out, a.out_size,
		     mem_printf(&tx->mem, "answer of the IPAM plugin %s", path), &out));
	return result_read(tx, &out, &rules, ret);
}

int ipam_validate(struct tx *tx, struct call *c)
{
	if (!ipam_wanted(c))
		return 0;
	TRY(find(tx, c));
	if (c->delegate && c->delegate->validate)
		return c->delegate->validate(tx, c);
	return 0;
}

/* The host's loopback and multicast groups are no container's. */
static int check_address(struct tx *tx, struct cidr a)
{
	if (ip_is_of_host(a.ip))
		return 0;
	return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL,
			  "ipam: %s is no address that a container can have (choose another "
			  "subnet)",
			  CIDR_S(a));
}

/* A gateway that the delegate gave must be another host's, of the address's family. */
static int check_addresses(struct tx *tx, const struct result *r)
{
	for (unsigned i = 0; i < r->n_ips; i++) {
		struct ip gw = r->ips[i].gateway, own = r->ips[i].addr.ip;

		TRY(check_address(tx, r->ips[i].addr));
		if (!ip_set(gw))
			continue;
		if (gw.family != own.family)
			return tx_fail_as(
				tx, CNI_E_CONFIG, -EINVAL,
				"gateway: %s is of another family than the address %s (the IPAM "
				"plugin must give one of the same family)",
				IP_S(gw), IP_S(own));
		if (!ip_is_of_host(gw))
			return tx_fail_as(
				tx, CNI_E_CONFIG, -EINVAL,
				"gateway: %s is no host's address (name the router of %s)",
				IP_S(gw), CIDR_S(r->ips[i].addr));
		if (ip_eq(gw, own))
			return tx_fail_as(tx, CNI_E_CONFIG, -EADDRINUSE,
					  "gateway: %s is also the container's address (exclude "
					  "it from the addresses that the IPAM plugin gives)",
					  IP_S(gw));
	}
	return 0;
}

int ipam_add(struct tx *tx, struct call *c, struct result *ret)
{
	TRY(find(tx, c));
	if (c->delegate)
		TRY(c->delegate->add(tx, c, ret));
	else
		TRY(run_add(tx, c, c->delegate_path, ret));
	/* The main plugin lists the interfaces; an index into the delegate's list means nothing. */
	ret->n_ifs = 0;
	if (!ret->n_ips)
		return tx_fail_as(tx, CPLUG_E_DELEGATE, -EINVAL,
				  "IPAM plugin returned missing IP config (ipam.type %s gave no "
				  "address)",
				  ipam_type(c));
	return check_addresses(tx, ret);
}

/* A verb without a result; at: offset of its function in struct plugin. */
typedef int verb_fn(struct tx *tx, struct call *c);

static int verb(struct tx *tx, struct call *c, size_t at)
{
	struct exec_answer a;
	verb_fn *fn;

	if (!ipam_wanted(c))
		return 0;
	TRY(find(tx, c));
	/* A repair exists only in process; the CHECK before it has run another program's CHECK. */
	if (!c->delegate && c->command == CNI_REPAIR)
		return 0;
	if (!c->delegate)
		return run(tx, c, c->delegate_path, c->command_name, &a);
	memcpy(&fn, (const char *)c->delegate + at, sizeof(fn));
	if (fn)
		return fn(tx, c);
	return 0;
}

/* An invalid IPAM type cannot have allocated anything, so DEL succeeds. */
static bool is_impossible(const struct call *c)
{
	return !name_valid_type(ipam_type(c)) ||
	       (c->delegate && !(c->delegate->flags & CNI_IS_IPAM));
}

bool ipam_needs_link(const struct call *c)
{
	return str_eq(ipam_type(c), "dhcp");
}

bool ipam_needs_advertisements(const struct call *c)
{
	struct cj ipam = cj_obj(&c->conf, "ipam");

	return ipam_needs_link(c) && strchr(cj_str(&ipam, "family", ""), '6');
}

/* Calls ipam_del() or ipam_gc() while the interface is there; the later call does nothing. */
static int call_first(struct tx *tx, struct call *c, int (*fn)(struct tx *tx, struct call *c))
{
	int r;

	if (!ipam_needs_link(c))
		return 0;
	r = fn(tx, c);
	c->ipam_deleted = true;
	return r;
}

int ipam_del_first(struct tx *tx, struct call *c)
{
	return call_first(tx, c, ipam_del);
}

int ipam_del(struct tx *tx, struct call *c)
{
	if (c->ipam_deleted)
		return 0;
	if (ipam_wanted(c) && is_impossible(c)) {
		log_warn("ipam.type: \"%.100s\" is no IPAM plugin, so there is nothing to release",
			 ipam_type(c));
		return 0;
	}
	return verb(tx, c, offsetof(struct plugin, del));
}

int ipam_check(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, check));
}

int ipam_repair(struct tx *tx, struct call *c)
{
	TRY(verb(tx, c, offsetof(struct plugin, repair)));
	if (c->renewed)
		return check_addresses(tx, c->prev);
	return 0;
}

int ipam_gc_first(struct tx *tx, struct call *c)
{
	return call_first(tx, c, ipam_gc);
}

int ipam_gc(struct tx *tx, struct call *c)
{
	if (c->ipam_deleted)
		return 0;
	return verb(tx, c, offsetof(struct plugin, gc));
}

int ipam_status(struct tx *tx, struct call *c)
{
	return verb(tx, c, offsetof(struct plugin, status));
}

int ipam_list(struct tx *tx, struct call *c, struct result *ret)
{
	result_init(ret, &tx->mem);
	if (!ipam_wanted(c) || is_impossible(c))
		return 0;
	TRY(find(tx, c));
	if (c->delegate && c->delegate->list)
		return c->delegate->list(tx, c, ret);
	return 0;
}
