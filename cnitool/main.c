// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c - cnitool's main: the table of verbs, their help, and the exit status
 *
 * A verb reads its options by table (options.c), then runs with a transaction like a plugin's:
 * the first failure is reported.  The exit status is 0, 1 for a failure, or 2 for wrong usage; that
 * of run is the command's, or one of enum EXIT_* (cnitool.h).
 */
#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "cnitool/attach.h"
#include "cni/version.h"
#include "cnitool/cnitool.h"
#include "cnitool/complete.h"
#include "cnitool/nearest.h"
#include "value/jw.h"
#include "base/log.h"
#include "sys/netns.h"
#include "sys/priv.h"

/* ---- the verbs ---- */

static const char text_netns[] =
	"NETNS is a path, a name of `ip netns`, the --name of a running `cnitool run`, or the\n"
	"number of a process.";

static const struct verb verbs[] = {
	{ "add", "NET NETNS", "attach a network namespace to a network", V_ADD, 2, 2, false,
	  cmd_add,
	  "Runs the plugins of the network for the namespace and prints the result.  If one\n"
	  "fails, what the others did is undone.\n\n" },
	{ "del", "NET NETNS", "detach a network namespace from a network", V_DEL, 2, 2, false,
	  cmd_del,
	  "Undoes add.  Every plugin is run even if one fails; the attachment is forgotten\n"
	  "only when none failed.  It may be repeated, and works after the namespace is "
	  "gone.\n\n" },
	{ "check", "NET NETNS", "look whether a namespace is still attached as it was", V_CHECK, 2,
	  2, false, cmd_check,
	  "Runs CHECK of the network's plugins.  With --repair, what cplug's plugins find is put\n"
	  "right without breaking a connection, told, and checked again.\n\n" },
	{ "status", "NET", "ask whether the network is ready for more", V_STATUS, 1, 2, false,
	  cmd_status, "" },
	{ "gc", "[NET]", "remove what belongs to containers that are gone", V_GC, 0, 2, false,
	  cmd_gc,
	  "Detaches every attachment that is remembered but whose namespace no longer exists, has\n"
	  "the plugins of the network remove what belongs to none of the attachments that are\n"
	  "left, and removes everything else of cplug's on this machine that has no living owner:\n"
	  "leases, nftables elements, links, files.  Tells each, with the reason.  What is in\n"
	  "doubt stays.  Without NET: for all networks.\n\n" },
	{ "restore", "[NET...]", "bring back what the kernel lost", V_RESTORE, 0, 1000, false,
	  cmd_restore,
	  "Looks at every living attachment that is remembered, by cnitool or by another program\n"
	  "built on libcni, and puts right what differs: rules, published ports, addresses,\n"
	  "routes and links that were removed (nft flush ruleset, a firewall's restart).\n"
	  "What is whole is not touched.\n\n" },
	{ "attach", "NET NETNS", "add another interface to a running container", V_ATTACH, 2, 2,
	  false, cmd_attach,
	  "As add, but takes the first free ethN, and gives the interface to the container that\n"
	  "has the namespace, so that it goes when the container goes.\n\n" },
	{ "detach", "NET NETNS", "remove an interface of a running container", V_DETACH, 2, 2,
	  false, cmd_detach, "As del, for whatever container has the namespace.\n\n" },
	{ "set", "NET NETNS", "change the rates of an attached interface", V_SET, 2, 2, false,
	  cmd_set,
	  "Changes what the network's bandwidth plugin limits, in place: no packet is lost while "
	  "a\n"
	  "rate changes to another.  The burst follows from the rate.  The rates are remembered,\n"
	  "so check and restore expect them.\n\n" },
	{ "publish", "NET NETNS MAPPING...", "publish ports of an attached container", V_LIVE, 3,
	  1000, false, cmd_publish,
	  "MAPPING is [HOSTIP:]HOST[-END]:CONTAINER[-END][/PROTO], as for -p of add.  Adds to\n"
	  "the ports that the network's portmap or bridge plugin publishes, in one change of "
	  "the\n"
	  "rules; connections go on.  The ports are remembered: check and restore expect them, "
	  "and\n"
	  "they go with the attachment.\n\n" },
	{ "unpublish", "NET NETNS PORT...", "take published ports back", V_LIVE, 3, 1000, false,
	  cmd_unpublish,
	  "PORT is [HOSTIP:]HOST[-END][/PROTO]: tcp unless another protocol is named; without "
	  "HOSTIP,\n"
	  "at all addresses of the host.  Undoes publish, or -p of add.  Connections to these "
	  "ports\n"
	  "end, others go on.\n\n" },
	{ "assign", "NET NETNS ADDRESS...", "give an attached container more addresses", V_LIVE, 3,
	  1000, false, cmd_assign,
	  "ADDRESS is an address with or without prefix length.  Of host-local, which must have "
	  "a\n"
	  "range with the address, it is leased; with static it is taken as it is.  Connections "
	  "go\n"
	  "on.  The addresses are remembered: check and restore expect them, and they go with the\n"
	  "attachment.\n\n" },
	{ "unassign", "NET NETNS ADDRESS...", "take addresses back", V_LIVE, 3, 1000, false,
	  cmd_unassign,
	  "Undoes assign, one address after the other.  Not the only address, and not the first\n"
	  "of a subnet before the others.\n\n" },
	{ "run", "NET[,NET...] [--] [COMMAND...]", "run a command, attached to networks", V_RUN, 1,
	  1, true, cmd_run,
	  "Each NET becomes an interface: eth0, eth1, ...  Instead of networks, NET may be\n"
	  "  host               the host's network\n"
	  "  none               a network with nothing but lo\n"
	  "  container:NETNS    the network of another container\n"
	  "COMMAND (else your shell) gets new net, mount, UTS, IPC, PID and cgroup namespaces,\n"
	  "its own /proc and /sys, hostname, /etc/hosts and /etc/resolv.conf.  It is detached\n"
	  "when it ends.  The exit status is the command's; 128+N if signal N killed it; 125 if\n"
	  "cnitool failed; 126 if the command cannot be run; 127 if it is not found.\n\n" },
	{ "pool", "ACTION [NET [NETNS]]", "namespaces that are attached beforehand", V_POOL, 1, 3,
	  false, cmd_pool,
	  "  create NET --size N  keep N free: makes what is missing (also: resize)\n"
	  "  fill [NET]           make it again what was taken, and remove what a kill left\n"
	  "  take NET             take one, and print the name of its namespace\n"
	  "  give NET NETNS       give it back: it is detached and deleted, for fill to make "
	  "another\n"
	  "  list [NET]           tell the free and the taken ones\n"
	  "  destroy NET          remove the free ones; the taken ones stay until they are given "
	  "back\n"
	  "A slot is an ordinary attachment.  To take one is a rename, so two never get the "
	  "same.\n\n" },
	{ "cluster", "ACTION [ARGUMENT...]", "blocks of addresses that nodes have in etcd",
	  V_CLUSTER, 0, 0, true, cmd_cluster,
	  "  list [NETWORK]          nodes, blocks and their age\n"
	  "  reclaim [--force] NODE  take the blocks of a node back that is off for good\n"
	  "  forget NETWORK          remove the ranges of a network that has no blocks\n"
	  "  join ..., leave         make and remove the wire of VXLAN between nodes\n"
	  "The actions are those of cplug-etcd, which is run.\n\n" },
	{ "list", "[NET]", "tell what networks there are and what is attached (also: ls)", V_LIST,
	  0, 1, false, cmd_list, "" },
	{ "graph", "[NET|NETNS]", "draw what is plugged where", V_GRAPH, 0, 1, false, cmd_graph,
	  "Namespaces, interfaces, addresses, bridges, VLANs, published ports, masquerade and\n"
	  "rates, as the kernel and the leases of host-local have them.  NET: only what belongs "
	  "to\n"
	  "this network; NETNS: only what leads to this namespace.\n\n" },
	{ "inspect", "NET NETNS", "tell everything about one attachment", V_INSPECT, 2, 2, false,
	  cmd_inspect,
	  "Its interface and the host's end with counters and rates, addresses, routes, leases "
	  "with\n"
	  "their age, nftables elements, published ports, tracked flows, resolv.conf, the cached\n"
	  "result.\n\n" },
	{ "trace", "NET NETNS", "attach and detach, and tell where the time goes", V_TRACE, 2, 2,
	  false, cmd_trace,
	  "An add, and a del unless --keep is given, with the time of each plugin and of its "
	  "steps\n"
	  "as bars; --json prints the trace as OTLP/JSON.  TRACEPARENT names the trace that it\n"
	  "belongs to.\n\n" },
	{ "install", "DIR", "install the plugins and cnitool into a folder", V_INSTALL, 1, 1, false,
	  cmd_install,
	  "Copies this executable, with all its names, for images that have no shell.  Each file\n"
	  "is replaced as a whole, so plugins can be called meanwhile.  Executables of another\n"
	  "suite are not touched without --force.\n\n" },
	{ "uninstall", "DIR", "remove what install has put into a folder", V_UNINSTALL, 1, 1, false,
	  cmd_uninstall,
	  "Removes what is cplug's, and nothing else; what install --force replaced comes "
	  "back.\n\n" },
	{ "validate", "FILE...", "tell all mistakes of network configurations", V_VALIDATE, 1, 1000,
	  false, cmd_validate,
	  "Reads lists and single plugins (*.conflist, *.conf; - is stdin) and prints each mistake "
	  "as\n"
	  "FILE: PATH: SENTENCE; nothing is run or changed.  Several files are also compared:\n"
	  "ranges that overlap, one bridge used in two ways, names.  The exit status is 1 if "
	  "there\n"
	  "are mistakes, and 2 if a file cannot be read.  Warnings do not count.\n\n" },
	{ "schema", "[TYPE]", "print the JSON Schema of a network list, or of a plugin", V_SCHEMA,
	  0, 1, false, cmd_schema,
	  "The schema (draft 2020-12) is for editors.  It has the keys, types, bounds and words\n"
	  "that the plugins read.\n\n" },
	{ "migrate", "", "tell what changes when cplug replaces the reference plugins", V_MIGRATE,
	  0, 0, false, cmd_migrate,
	  "Tells what the networks' configurations do differently, and the attachments that the\n"
	  "reference made: DEL of cplug's plugins frees their links, leases and rules.  Nothing "
	  "is\n"
	  "changed.  The exit status is 1 if there is a difference, or something would stay.\n\n" },
	{ "version", "", "tell the version", V_VERSION, 0, 0, false, cmd_version, "" },
};

static const struct verb *find_verb(const char *name)
{
	if (str_eq(name, "ls"))
		name = "list";
	for (unsigned i = 0; i < ARRAY_LEN(verbs); i++)
		if (str_eq(verbs[i].name, name))
			return &verbs[i];
	return NULL;
}

/* ---- help ---- */

static void print_verbs(FILE *to, const char *title, unsigned set)
{
	fprintf(to, "\n%s:\n", title);
	for (unsigned i = 0; i < ARRAY_LEN(verbs); i++) {
		const struct verb *v = &verbs[i];

		if (v->bit & set)
			fprintf(to, "  %s %-*s  %s\n", v->name, 24 - (int)strlen(v->name),
				v->operands, v->about);
	}
}

static int print_help(FILE *to, int status)
{
	enum {
		ONE = V_ADD | V_DEL | V_CHECK | V_ATTACH | V_DETACH | V_SET | V_LIVE | V_RUN |
		      V_POOL | V_INSPECT | V_TRACE,
		ALL = V_LIST | V_GRAPH | V_STATUS | V_GC | V_RESTORE | V_CLUSTER,
	};

	fprintf(to, "cnitool attaches network namespaces to CNI networks.\n\n"
		    "usage: cnitool [OPTIONS] VERB [OPERANDS]\n");
	print_verbs(to, "a namespace", ONE);
	print_verbs(to, "networks", ALL);
	print_verbs(to, "files and programs", ~(unsigned)(ONE | ALL));
	fprintf(to, "\n%s\nMore: cnitool VERB --help, man cnitool\n", text_netns);
	return status;
}

static void print_verb_help(const struct verb *v)
{
	printf("usage: cnitool %s [OPTIONS]%s%s\n\n%c%s.\n\n%s", v->name, *v->operands ? " " : "",
	       v->operands, v->about[0] - 'a' + 'A', v->about + 1, v->text);
	if (strstr(v->operands, "NETNS"))
		printf("%s\n\n", text_netns);
	printf("options:\n");
	options_help(v->bit);
}

int cmd_version(struct tool *t)
{
	struct jw w;

	if (!t->opt.json) {
		printf("cnitool of cplug %s, CNI 1.1.0\n", cplug_version_and_commit);
		return 0;
	}
	tool_open_json(t, &w);
	jw_str(&w, "version", cplug_version);
	if (*cplug_commit)
		jw_str(&w, "commit", cplug_commit);
	jw_str(&w, "cniVersion", "1.1.0");
	return tool_print_json(t, &w);
}

/* ---- main ---- */

static jmp_buf out_of_memory;
static bool armed;

static void leave_exhausted(void *arg) __attribute__((noreturn));

/*
 * Returns to run_verb().  A running container ends as if we were killed; gc removes what it leaves.
 */
static void leave_exhausted(void *arg UNUSED)
{
	static const char text[] = "cnitool: out of memory\n";

	if (armed) {
		netns_go_home();
		longjmp(out_of_memory, 1);
	}
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILURE);
}

/* jansson reports a failed allocation as an error in the document, so it must not see one. */
static void *alloc_or_leave(size_t size)
{
	void *p = malloc(size);

	if (!p)
		leave_exhausted(NULL);
	return p;
}

static const char *or_env(const char *given, const char *variable)
{
	const char *s = given ? given : secure_getenv(variable);

	if (str_empty(s))
		return NULL;
	return s;
}

/* The directory of this executable comes first, because the plugins are hard links to it. */
static const char *default_cni_path(struct mem *m)
{
	static const char system_dirs[] = "/opt/cni/bin:/usr/lib/cni";
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return system_dirs;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash || strchr(self, ':'))
		return system_dirs;
	*slash = '\0';
	if (str_eq(self, "/usr/lib/cni"))
		return "/usr/lib/cni:/opt/cni/bin";
	if (!*self || str_starts(system_dirs, mem_printf(m, "%s:", self)))
		return system_dirs;
	return mem_printf(m, "%s:%s", self, system_dirs);
}

static void apply_defaults(struct tool *t)
{
	struct options *o = &t->opt;

	o->conf_dir = or_env(o->conf_dir, "NETCONFPATH");
	o->cni_path = or_env(o->cni_path, "CNI_PATH");
	o->cache_dir = or_env(o->cache_dir, "CNI_CACHE_DIR");
	o->args = or_env(o->args, "CNI_ARGS");
	o->cap_args = or_env(o->cap_args, "CAP_ARGS");
	if (!o->conf_dir)
		o->conf_dir = "/etc/cni/net.d";
	if (!o->cni_path)
		o->cni_path = default_cni_path(&t->tx->mem);
	/* gc and restore run unattended, over many attachments. */
	if (!o->timeout)
		o->timeout = t->verb->bit & (V_GC | V_RESTORE) ? 30 : 300;
	/* run gives its interfaces names itself. */
	if (t->verb->bit &
	    (V_ADD | V_DEL | V_CHECK | V_ATTACH | V_DETACH | V_SET | V_LIVE | V_INSPECT | V_TRACE))
		o->ifname = or_env(o->ifname, "CNI_IFNAME");
}

/*
 * SIGHUP stays ignored if nohup(1) started us, for us and for the command.  SIGPIPE ends what only
 * looks, without a word, because `| head` has read enough.
 */
static void catch_signals(struct tool *t)
{
	enum { LOOKING = V_LIST | V_GRAPH | V_INSPECT | V_MIGRATE | V_VERSION | V_FILES };
	struct sigaction hup;

	t->nohup = sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler == SIG_IGN;
	tx_catch_signals();
	if (t->verb->bit & LOOKING)
		signal(SIGPIPE, SIG_DFL);
	if (t->nohup)
		sigaction(SIGHUP, &hup, NULL);
}

/* Undoes an ADD that has begun.  If memory runs out again, leave_exhausted() ends the process. */
static int fail_exhausted(struct tool *t)
{
	const struct attachment *a = t->unfinished;
	int r = tx_exhausted(t->tx);

	priv_restore_memory(); /* jansson's memory is lost */
	armed = false;
	tool_show_stderr(t);
	if (a && attach_undo(t, a) < 0)
		log_step("undoing the ADD failed as well");
	return r;
}

static int run_verb(struct tool *t)
{
	if (setjmp(out_of_memory) != 0)
		return fail_exhausted(t);
	armed = t->verb->bit != V_RUN;
	if (t->verb->bit & V_CACHE)
		TRY(cache_open(t->tx, t->opt.cache_dir, &t->cache));
	return t->verb->run(t);
}

static int failure_status(const struct tool *t, int status)
{
	return t->verb->bit == V_RUN ? EXIT_OURS : status;
}

/* Returns the exit status. */
static int finish_verb(struct tool *t)
{
	int r;

	catch_signals(t);
	/* Their input is of those who may not use the host's memory up. */
	if (t->verb->bit & (V_FILES | V_DRIVER))
		priv_limit_memory(ADDRESS_SPACE_MAX);
	r = run_verb(t);
	armed = false;
	cache_unlock(&t->cache);
	if (r < 0)
		tool_print_failure(t);
	if (r == 0 && (fflush(stdout) != 0 || ferror(stdout))) {
		fprintf(stderr, "%scannot write the answer: %s\n", tool_prefix(), strerror(errno));
		r = -EIO;
	}
	if (r < 0)
		return failure_status(t, t->usage ? EXIT_USAGE : EXIT_FAILURE);
	return t->status;
}

static int act_on_verb(struct tool *t, int argc, char **argv)
{
	int r = options_read(t, argc, argv);

	if (r < 0) {
		tool_print_failure(t);
		return failure_status(t, EXIT_USAGE);
	}
	if (t->opt.help) {
		print_verb_help(t->verb);
		return 0;
	}
	apply_defaults(t);
	return finish_verb(t);
}

/*
 * Moves options that precede the verb behind it: "--json list" is "list --json".  Returns the verb,
 * or an option that is no verb's, or "".
 */
static const char *find_verb_word(int argc, char **argv)
{
	int verb = 1;

	while (verb < argc && argv[verb][0] == '-' && options_known(argv[verb]))
		verb += 1 + options_take_value(argv[verb]);
	if (argc < 2)
		return "";
	if (verb >= argc)
		return argv[1];
	for (; verb > 1; verb--) {
		char *word = argv[verb];

		argv[verb] = argv[verb - 1];
		argv[verb - 1] = word;
	}
	return argv[1];
}

static void begin(struct tool *t, const char *program, const char *name)
{
	static struct tx tx;

	log_start();
	log_set_prefix(program, name);
	tx_begin(&tx);
	tx.mem.exhausted = leave_exhausted;
	json_set_alloc_funcs(alloc_or_leave, free);
	*t = (struct tool){ .tx = &tx, .cache = { .lock = -1 } };
}

/* argv: cnitool __complete WORD...  The last word is the one that is completed. */
static int complete(struct tool *t, int argc, char **argv)
{
	static const struct verb none = { .operands = "", .bit = V_ALL };
	const char *last = argc > 2 ? argv[--argc] : "", *before = argv[argc - 1], *name;

	argv[argc] = NULL;
	(void)log_mute(true);
	name = find_verb_word(argc - 1, argv + 1);
	t->verb = find_verb(name);
	if (t->verb) {
		/* What is incomplete is not an error here. */
		(void)!options_read(t, argc - 1, argv + 1);
	} else {
		t->verb = &none;
		if (*last != '-' && !options_take_value(before) &&
		    (!*name || *name == '-' || str_eq(name, "help")))
			complete_verbs(verbs, ARRAY_LEN(verbs), last);
	}
	apply_defaults(t);
	complete_word(t, before, last);
	return 0;
}

int cnitool_driver(const struct plugin *const *plugins, const struct verb *verb, int argc,
		   char **argv)
{
	static struct tool t;
	unsigned n = (unsigned)argc - 2;

	begin(&t, "cplug", verb->name);
	t.plugins = plugins;
	t.verb = verb;
	t.args.n = n;
	t.args.v = mem_alloc(&t.tx->mem, (n + 1) * sizeof(*t.args.v));
	for (unsigned i = 0; i < n; i++)
		t.args.v[i] = argv[i + 2];
	t.opt.cni_path = default_cni_path(&t.tx->mem);
	t.opt.timeout = 300;
	/* An empty path would be the present folder. */
	if (n >= verb->least && n <= verb->most && (!n || *t.args.v[0]))
		return finish_verb(&t);
	(void)!tx_fail_as(t.tx, CNI_E_FIELD, -EINVAL, "%s: expected %s after it", verb->name,
			  verb->least ? "the path of a network namespace" : "nothing");
	tool_print_failure(&t);
	return EXIT_FAILURE;
}

static int refuse_verb(const char *name)
{
	struct nearest near = { .name = NULL };

	for (unsigned i = 0; i < ARRAY_LEN(verbs); i++)
		nearest_compare(&near, name, verbs[i].name);
	if (near.name)
		fprintf(stderr, "%sunknown verb %s (did you mean %s?): try cnitool --help\n",
			tool_prefix(), name, near.name);
	else
		fprintf(stderr, "%sunknown verb %s: try cnitool --help\n", tool_prefix(), name);
	return EXIT_USAGE;
}

int cnitool_main(const struct plugin *const *plugins, int argc, char **argv)
{
	static struct tool t;
	const char *name = find_verb_word(argc, argv);

	begin(&t, "cnitool", name);
	t.plugins = plugins;
	if (str_eq(name, "__complete"))
		return complete(&t, argc, argv);
	t.verb = find_verb(name);
	if (t.verb)
		return act_on_verb(&t, argc, argv);
	if (str_eq(name, "--version") || str_eq(name, "-V"))
		return printf("cnitool of cplug %s, CNI 1.1.0\n", cplug_version_and_commit) < 0;
	if (str_eq(name, "-h") || str_eq(name, "--help") || str_eq(name, "help")) {
		t.verb = find_verb(argc > 2 ? argv[2] : "");
		if (t.verb) {
			print_verb_help(t.verb);
			return 0;
		}
		if (argc <= 2)
			return print_help(stdout, 0);
		name = argv[2];
	}
	if (!*name)
		return print_help(stderr, EXIT_USAGE);
	return refuse_verb(name);
}
