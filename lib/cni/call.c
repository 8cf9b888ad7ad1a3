// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call.c - one request: environment and stdin, read, checked and opened
 *
 * The order of the checks is the reference's (libcni's skel): missing variables
 * together, invalid ones at once, then the configuration, then its version.
 * Unlike the reference, everything that can be refused is refused before
 * anything is done: the plugin's own namespace given as the container's, too.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "cni/call.h"
#include "cni/plugin.h"
#include "base/log.h"
#include "sys/file.h"
#include "sys/state.h"
#include "value/name.h"

enum { LOCK_TIMEOUT_MS = 10000 };

/* host-local keeps NETWORK.index beside the folder NETWORK; a file's name has 255 bytes. */
enum { STDIN_MAX = 64 << 20, NETWORK_MAX = 249, ATTACHMENTS_MAX = 1 << 20, ARGS_MAX = 1024 };

/* ---- environment -------------------------------------------------------- */

enum {
	ADD = 1 << CNI_ADD,
	DEL = 1 << CNI_DEL,
	CHECK = 1 << CNI_CHECK,
	GC = 1 << CNI_GC,
	STATUS = 1 << CNI_STATUS
};

static const struct variable {
	const char *name;
	unsigned needed; /* by which commands */
	size_t at;       /* in struct call */
} variables[] = {
	{ "CNI_CONTAINERID", ADD | DEL | CHECK, offsetof(struct call, id) },
	{ "CNI_NETNS", ADD | CHECK, offsetof(struct call, netns_path) },
	{ "CNI_IFNAME", ADD | DEL | CHECK, offsetof(struct call, ifname) },
	{ "CNI_ARGS", 0, offsetof(struct call, args) },
	{ "CNI_PATH", ADD | DEL | CHECK | GC | STATUS, offsetof(struct call, path) },
};

static const char *const command_names[] = { "ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION" };

static int command_of(const char *name)
{
	for (unsigned i = 0; i < ARRAY_LEN(command_names); i++)
		if (str_eq(name, command_names[i]))
			return (int)i;
	return -1;
}

/* Cut the value in error messages: an id may have a megabyte. */
static int bad_id(struct tx *tx, const char *id)
{
	tx_fail_as(tx, CNI_E_ENV, -EINVAL, "invalid characters in containerID");
	tx_detail(tx, "%.200s", id);
	return -EINVAL;
}

static int bad_ifname(struct tx *tx, const char *ifname, const char *reason)
{
	tx_fail_as(tx, CNI_E_ENV, -EINVAL, "%s", reason);
	if (strstr(reason, "too long"))
		tx_detail(tx, "interface name should be less than 16 characters");
	else
		tx_detail(tx, "CNI_IFNAME is %.200s", ifname);
	return -EINVAL;
}

static int check_value(struct tx *tx, const struct call *c, const struct variable *v)
{
	const char *reason;

	if (v->at == offsetof(struct call, id) && !name_valid_id(c->id))
		return bad_id(tx, c->id);
	if (v->at == offsetof(struct call, ifname)) {
		reason = name_invalid_ifname(c->ifname);
		if (reason)
			return bad_ifname(tx, c->ifname, reason);
	}
	return 0;
}

static int read_environment(struct tx *tx, struct call *c)
{
	char missing[128] = "";
	int command = command_of(c->command_name);

	for (unsigned i = 0; i < ARRAY_LEN(variables); i++) {
		const struct variable *v = &variables[i];
		const char *value = getenv(v->name);
		bool needed = command < 0 || (v->needed & (1u << command));

		*(const char **)((char *)c + v->at) = value ? value : "";
		if (command >= 0 && (1u << command) & (GC | STATUS) && !v->needed)
			continue;
		if (!str_empty(value) && v->needed && needed) {
			TRY(check_value(tx, c, v));
		} else if (str_empty(value) && needed && v->needed && command >= 0) {
			strcat(missing, *missing ? "," : "");
			strcat(missing, v->name);
		}
	}
	if (*missing)
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL, "required env variables [%s] missing",
				  missing);
	return 0;
}

/* ---- stdin -------------------------------------------------------------- */

static int read_stdin(struct tx *tx, struct call *c)
{
	size_t size = 0, room = 16384;
	char *text = mem_alloc(&tx->mem, room);

	if (fd_is_endless(STDIN_FILENO))
		return tx_fail_as(tx, CNI_E_IO, -EPROTOTYPE,
				  "error reading from stdin: it is a datagram socket, which has no "
				  "end (pass a pipe or a file)");
	for (;;) {
		ssize_t n = read(STDIN_FILENO, text + size, room - size - 1);

		if (n < 0 && errno == EINTR) {
			TRY(tx_interrupted(tx));
			continue;
		}
		if (n < 0)
			return tx_fail_as(tx, CNI_E_IO, -errno, "error reading from stdin: %s",
					  strerror(errno));
		if (n == 0)
			break;
		size += (size_t)n;
		if (size > STDIN_MAX)
			return tx_fail_as(tx, CNI_E_IO, -EFBIG,
					  "error reading from stdin: more than %d MiB",
					  STDIN_MAX >> 20);
		if (size + 1 >= room) {
			char *more = mem_alloc(&tx->mem, room * 2);

			memcpy(more, text, size);
			text = more;
			room *= 2;
		}
	}
	c->stdin_text = text;
	c->stdin_size = size;
	return 0;
}

int call_read_names(struct tx *tx, struct call *c)
{
	c->version = cj_str(&c->conf, "cniVersion", "");
	if (!*c->version)
		c->version = "0.1.0";
	c->network = cj_str(&c->conf, "name", "");
	c->type = cj_str(&c->conf, "type", "");
	TRY(cj_ok(tx, &c->conf));
	if (!*c->network)
		return tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "missing network name");
	if (!name_valid_id(c->network)) {
		tx_fail_as(tx, CNI_E_CONFIG, -EINVAL, "invalid characters found in network name");
		tx_detail(tx, "%.200s", c->network);
		return -EINVAL;
	}
	/* Such an attachment cannot have been added, so DEL succeeds. */
	if (str_eq(c->command_name, "ADD") && strlen(c->network) > NETWORK_MAX)
		return tx_fail_as(tx, CNI_E_CONFIG, -ENAMETOOLONG,
				  "network name is too long: %zu bytes (at most %d: files and "
				  "folders are named after it)",
				  strlen(c->network), NETWORK_MAX);
	return 0;
}

static int read_config(struct tx *tx, struct call *c)
{
	TRY(cj_parse(tx, c->stdin_text, c->stdin_size, "network configuration", &c->conf));
	return call_read_names(tx, c);
}

/* ---- GC's list ---------------------------------------------------------- */

static int by_attachment(const void *a, const void *b)
{
	const struct call_attachment *x = a, *y = b;
	int r = strcmp(x->id, y->id);

	if (r)
		return r;
	return strcmp(x->ifname, y->ifname);
}

/* Order for lookups: an ifname of NULL equals all. */
static int to_attachment(const void *key, const void *elem)
{
	const struct call_attachment *x = key, *y = elem;
	int r = strcmp(x->id, y->id);

	if (r || !x->ifname)
		return r;
	return strcmp(x->ifname, y->ifname);
}

static void read_attachments(struct tx *tx, struct call *c, const struct cj *list)
{
	unsigned n = cj_len_max(list, ATTACHMENTS_MAX);

	c->valid_known = true;
	c->valid = mem_alloc(&tx->mem, (n + 1) * sizeof(*c->valid));
	for (unsigned i = 0; i < n; i++) {
		struct cj e = cj_at(list, i);
		struct call_attachment v = {
			.id = cj_str(&e, "containerID", ""),
			.ifname = cj_str(&e, "ifname", ""),
		};

		/* An incomplete entry would make GC remove a live attachment: reject it. */
		if (!*v.id || !*v.ifname)
			cj_wrong(&e, NULL, "expected {\"containerID\": …, \"ifname\": …}");
		c->valid[c->n_valid++] = v;
	}
	qsort(c->valid, c->n_valid, sizeof(*c->valid), by_attachment);
}

static int read_valid(struct tx *tx, struct call *c)
{
	static const char *const keys[] = { "cni.dev/valid-attachments", "cni.dev/attachments" };

	for (unsigned i = 0; i < ARRAY_LEN(keys) && !c->valid_known; i++)
		if (cj_has(&c->conf, keys[i])) {
			struct cj list = cj_list(&c->conf, keys[i]);

			read_attachments(tx, c, &list);
		}
	return cj_ok(tx, &c->conf);
}

bool call_is_valid(const struct call *c, const char *id, const char *ifname)
{
	struct call_attachment key = { id, ifname };

	return c->n_valid && bsearch(&key, c->valid, c->n_valid, sizeof(*c->valid), to_attachment);
}

/* ---- prevResult --------------------------------------------------------- */

static int read_prev(struct tx *tx, struct call *c)
{
	const struct result_rules rules = { .def_version = c->version,
					    .group = c->version,
					    .code = CPLUG_E_PREV };
	struct cj prev = cj_any(&c->conf, "prevResult");
	struct result *r;
	int before = tx->err, err;

	if (!cj_present(&prev))
		return 0;
	r = mem_alloc(&tx->mem, sizeof(*r));
	result_init(r, &tx->mem);
	err = result_read(tx, &prev, &rules, r);
	/* A broken prevResult must not keep a DEL from cleaning up. */
	if (err < 0 && c->command == CNI_DEL)
		return tx_excuse(tx, before, err, "DEL goes on without prevResult");
	if (err == 0)
		c->prev = r;
	return err;
}

int call_need_prev(struct tx *tx, const struct call *c)
{
	const char *hint = c->command == CNI_ADD ? " (must be called as chained plugin)" : "";

	if (c->prev)
		return 0;
	return tx_fail_as(
		tx, CPLUG_E_PREV, -EINVAL,
		"Required prevResult missing: %s needs the result of the plugins before it%s",
		c->command_name, hint);
}

static void read_repair(struct call *c, const char *word)
{
	static const char keep[] = "keep";
	bool keeps = word && str_starts(word, keep);

	c->repair = keeps || str_eq(word, "1");
	c->adopts = keeps ? word + sizeof(keep) - 1 : NULL;
}

int call_read(struct tx *tx, struct call *c)
{
	int command = command_of(c->command_name);

	TRY(read_environment(tx, c));
	TRY(read_stdin(tx, c));
	TRY(read_config(tx, c));
	if (command < 0)
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL, "unknown CNI_COMMAND: %.100s",
				  c->command_name);
	c->command = (enum cni_command)command;
	if (command == CNI_CHECK)
		read_repair(c, secure_getenv("CPLUG_REPAIR"));
	c->chain = command == CNI_STATUS ? secure_getenv("CPLUG_CHAIN") : NULL;
	return 0;
}

int call_read_prev(struct tx *tx, struct call *c)
{
	if (c->command == CNI_GC)
		return read_valid(tx, c);
	if (c->command == CNI_STATUS)
		return 0;
	return read_prev(tx, c);
}

/* 1, 0, or -1 for another text. */
static int truth(const char *s)
{
	if (str_eq(s, "1") || strcasecmp(s, "true") == 0)
		return 1;
	return str_eq(s, "0") || strcasecmp(s, "false") == 0 ? 0 : -1;
}

/* ---- namespaces --------------------------------------------------------- */

static bool override_netns_check(void)
{
	const char *s = getenv("CNI_NETNS_OVERRIDE");

	return s && truth(s) == 1;
}

/* Opens the container's namespace.  Verbs that can do without it take a missing one for none. */
static int open_cont(struct tx *tx, struct call *c, bool cont)
{
	bool needed = cont && (c->command == CNI_ADD || c->command == CNI_CHECK);
	int before = tx->err, r;
	bool inside;

	if (!*c->netns_path)
		return 0;
	r = netns_open(tx, c->netns_path, &c->cont_ns);
	if (r == -ENOENT && needed)
		return tx_fail_as(tx, CNI_E_NETNS, r,
				  "failed to open netns \"%s\": %s (create the network namespace "
				  "before ADD)",
				  c->netns_path, strerror(-r));
	if (r == -ENOENT)
		return 0;
	/*
	 * The link of a leg is in the container alone, and so is what a chained plugin changed.  If
	 * the namespace may be there, and only cannot be opened, DEL must not free the addresses
	 * that the link has, nor forget the values that were there before.
	 */
	inside = c->plugin->leg || c->plugin->flags & CNI_RESTORES_CONT;
	if (needed || (inside && r != -EINVAL) || err_is_passing(r))
		return r;
	return tx_excuse(tx, before, r, "taken for gone");
}

/*
 * CNI_NETNS leads to the plugin's own namespace.  A DEL then means that the container's is gone,
 * because the process id in the path was given to another process: nothing of the host's may be
 * touched, and the rest of the attachment is deleted.
 */
static int same_netns(struct tx *tx, struct call *c)
{
	if (c->command != CNI_DEL)
		return tx_fail_as(tx, CNI_E_NETNS, -EINVAL,
				  "plugin's netns and netns from CNI_NETNS should not be the same");
	log_warn("CNI_NETNS %s is the plugin's own namespace: the container's is taken for gone",
		 c->netns_path);
	netns_close(&c->cont_ns);
	return 0;
}

int call_open(struct tx *tx, struct call *c, bool host, bool cont)
{
	TRY(netns_open_self(tx, &c->host_ns));
	if (c->command != CNI_GC && c->command != CNI_STATUS)
		TRY(open_cont(tx, c, cont));
	if (netns_eq(&c->host_ns, &c->cont_ns) && !override_netns_check())
		TRY(same_netns(tx, c));
	if (host)
		TRY(rt_open(tx, &c->host, "host", NULL));
	if (cont && !(c->plugin->flags & CNI_CONT_LATER))
		TRY(call_cont(tx, c));
	return 0;
}

int call_cont(struct tx *tx, struct call *c)
{
	if (!rt_is_open(&c->cont) && c->cont_ns.fd >= 0)
		TRY(rt_open(tx, &c->cont, "container", &c->cont_ns));
	return rt_is_open(&c->cont);
}

int call_lock_cont(struct tx *tx, const struct call *c, int *ret_fd)
{
	const struct file_byte b = {
		.path = STATE_ROOT "/netns.lock",
		.byte = c->cont_ns.ino,
		.what = mem_printf(&tx->mem, "network namespace %s", c->netns_path),
	};

	TRY(file_mkdirs(tx, STATE_ROOT, 0700));
	return file_lock_byte(tx, &b, file_lock_timeout(LOCK_TIMEOUT_MS), ret_fd);
}

int call_nf(struct tx *tx, struct call *c, struct nfnl **ret)
{
	if (!c->nf.sk)
		TRY(nfnl_open(tx, &c->nf, NULL));
	*ret = &c->nf;
	return 0;
}

void call_close(struct call *c)
{
	nfnl_close(&c->nf);
	rt_close(&c->host);
	rt_close(&c->cont);
	netns_close(&c->host_ns);
	netns_close(&c->cont_ns);
}

/* ---- arguments ---------------------------------------------------------- */

/* A runtime gives all plugins of a list the same CNI_ARGS. */
static bool arg_known(const struct call *c, const char *key)
{
	if (str_eq(key, "IgnoreUnknown"))
		return true;
	for (const struct plugin *const *p = c->plugins; p && *p; p++)
		for (const char *const *arg = (*p)->args; arg && *arg; arg++)
			if (str_eq(*arg, key))
				return true;
	return false;
}

int call_arg(struct tx *tx, const struct call *c, const char *key, const char **ret)
{
	char *rest = mem_str(&tx->mem, c->args), *pair;
	const char *unknown = NULL, *found = NULL;
	unsigned n = 0;
	int ignore = 0;

	*ret = NULL;
	if (c->command == CNI_GC || c->command == CNI_STATUS) /* it is no attachment's */
		return 0;
	while (*c->args && (pair = strsep(&rest, ";"))) {
		char *value = strchr(pair, '=');

		if (n++ == ARGS_MAX)
			return tx_fail_as(tx, CNI_E_ENV, -E2BIG,
					  "ARGS: too long: CNI_ARGS may have at most %d pairs",
					  ARGS_MAX);
		if (!value || strchr(value + 1, '='))
			return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
					  "ARGS: invalid pair \"%.100s\" (CNI_ARGS is KEY=VALUE;…, "
					  "without a final semicolon)",
					  pair);
		*value++ = '\0';
		if (str_eq(pair, key))
			found = value;
		if (str_eq(pair, "IgnoreUnknown")) {
			ignore = truth(value);
			if (ignore < 0)
				return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
						  "ARGS: IgnoreUnknown: expected 1, 0, true or "
						  "false, got \"%.40s\"",
						  value);
		}
		if (!arg_known(c, pair))
			unknown = mem_printf(&tx->mem, "%.100s=%.100s", pair, value);
	}
	if (unknown && !ignore)
		return tx_fail_as(tx, CNI_E_ENV, -EINVAL,
				  "ARGS: unknown args [\"%s\"] (add IgnoreUnknown=1 to CNI_ARGS)",
				  unknown);
	*ret = found;
	return 0;
}
