/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cnitool.h - the client: attaches containers to networks from the command line
 *
 * cnitool is a small runtime: it reads a network's configuration (netconf.h), runs its plugins
 * for an attachment (attach.h), and keeps the result in the cache of all libcni programs
 * (cache.h).  main.c has the table of verbs; each verb is in a cmd_*.c.
 */
#ifndef CPLUG_CNITOOL_H
#define CPLUG_CNITOOL_H

#include "cnitool/cache.h"
#include "base/tx.h"
#include "sys/file.h"

struct plugin;

/* Runs cnitool; returns its exit status.  plugins: the suite's, NULL-terminated. */
int cnitool_main(const struct plugin *const *plugins, int argc, char **argv);

/*
 * Runs a command of another program that shares the engine (netavark.h), with the operands
 * argv[2...]; returns its exit status.  It has no options and does not read cnitool's variables.
 */
struct verb;
int cnitool_driver(const struct plugin *const *plugins, const struct verb *verb, int argc,
		   char **argv);

/* The values of the options; NULL, 0 and false if not given (options.c). */
struct options {
	const char *conf_dir, *cni_path, *cache_dir;
	const char *ifname, *id, *args, *cap_args;
	struct words publish, ips, macs;
	const char *hostname, *rootfs, *workdir;
	struct words env;
	const char *ingress, *egress; /* rates of set */
	struct words confs;           /* of install */
	const char *format;           /* of graph */
	const char *otlp;             /* of trace: file */
	const char *size;             /* of pool */
	bool keep;
	bool user, all, dry_run, repair, force, wait, check;
	unsigned timeout; /* for each run of a plugin, in seconds; 0 = not given */
	bool json, quiet, help;
};

/* Exit status: wrong usage; and of run: cnitool failed, the command cannot be run, is not found. */
enum { EXIT_USAGE = 2, EXIT_OURS = 125, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

struct attachment;
struct errctx;
struct jw;
struct netconf;

struct tool {
	struct tx *tx;
	const struct plugin *const *plugins;
	const struct verb *verb;
	struct options opt; /* with the default conf_dir and cni_path */
	struct words args;  /* the operands */
	char **command;     /* of run; NULL-terminated */
	struct cache cache;
	int hidden_stderr; /* the real stderr, during trace; 0 = it is not redirected */
	bool nohup;        /* SIGHUP was ignored when cnitool started */
	bool usage;        /* the failure is wrong usage: EXIT_USAGE */
	int status; /* exit status if nothing fails: the command's (run) or 1 (gc, restore) */
	struct words failures; /* that tool_report() has printed */
	struct words notes;    /* of tool_note() */
	int64_t until;    /* clock_ms(): plugins must have answered by then; 0 = --timeout alone */
	struct mem *keep; /* the arena of the whole run, during a step; NULL = tx->mem */
	/* An ADD that has begun and is not printed yet: undone if memory runs out. */
	const struct attachment *unfinished;
};

struct verb {
	const char *name;
	const char *operands; /* for the usage text */
	const char *about;    /* one line */
	unsigned bit;         /* V_*, selects its options */
	unsigned least, most; /* number of operands */
	bool takes_command;   /* the words after the first operand, or after --, are a command */
	int (*run)(struct tool *t);
	const char *text; /* paragraphs of its help */
};

/* Verbs, as a set. */
enum {
	V_ADD = 1,
	V_DEL = 2,
	V_CHECK = 4,
	V_GC = 8,
	V_STATUS = 16,
	V_ATTACH = 32,
	V_DETACH = 64,
	V_RUN = 128,
	V_LIST = 256,
	V_VERSION = 512,
	V_RESTORE = 1024,
	V_SET = 2048,
	V_INSTALL = 4096,
	V_UNINSTALL = 8192,
	V_VALIDATE = 16384,
	V_SCHEMA = 32768,
	V_GRAPH = 65536,
	V_INSPECT = 131072,
	V_TRACE = 262144,
	V_MIGRATE = 524288,
	V_LIVE = 1 << 20, /* publish, unpublish, assign, unassign */
	V_POOL = 1 << 21,
	V_CLUSTER = 1 << 22, /* runs cplug-etcd */
	V_ALL = (1 << 23) - 1,
	V_DRIVER =
		1 << 24, /* a command of netavark's driver: an error is {"error": ...} on stdout */
	V_FILES = V_VALIDATE | V_SCHEMA, /* nothing but files */
	/* Those that know attachments. */
	V_CACHE = (V_ALL | V_DRIVER) & ~(V_VERSION | V_INSTALL | V_UNINSTALL | V_FILES | V_CLUSTER),
};

/* ---- options.c ---- */

/* Reads argv[2…].  Fails with -EINVAL (CNI_E_FIELD) and a sentence about the usage. */
int options_read(struct tool *t, int argc, char **argv) CHECKED;

/*
 * For words before the verb: is it a well-formed option of some verb (other than help), and is its
 * value the next word?
 */
bool options_known(const char *word);
bool options_take_value(const char *word);

/* Prints the options of a verb, for its help. */
void options_help(unsigned verb);

/* Prints those that begin with prefix, as complete.h says. */
void options_complete(unsigned verb, const char *prefix);

/* Records a failure (CNI_E_FIELD) and returns -EINVAL: "VERB TEXT: WRONG".  The exit status is 2.
 */
int tool_wrong_operand(struct tool *t, const char *text, const char *wrong);

/* How the help names the value of the option in a word like --name or --name=value; "" for none. */
const char *options_value(const char *word);

/* ---- output.c ---- */

/* Prints JSON text, indented; nothing with -q.  Fails with CNI_E_IO. */
int tool_print(struct tool *t, const char *json_text) CHECKED;

/* Opens an object; prints it as tool_print() does. */
void tool_open_json(struct tool *t, struct jw *w);
int tool_print_json(struct tool *t, struct jw *w) CHECKED;

/* Adds the members that name an attachment.  network and netns may be NULL. */
void tool_put_attachment(struct jw *w, const struct cache_key *key, const char *netns);

/* Reads stdin to its end: a file, a pipe.  Fails with CNI_E_IO, also for more than max bytes. */
int tool_read_stdin(struct tool *t, size_t max, struct file_text *ret) CHECKED;

/* printf() to stdout; nothing with -q or --json. */
void tool_say(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);

/* The beginning of an error on stderr: "cnitool: ", red on a terminal unless NO_COLOR is set. */
const char *tool_prefix(void);

/* Prints the recorded failure: a sentence on stderr, or an error object on stdout. */
void tool_print_failure(const struct tool *t);

/*
 * Tells what may surprise, but is no failure: on stderr (nothing with -q), and with --json in the
 * member "notes" of the answer.
 */
void tool_note(struct tool *t, const char *fmt, ...) PRINTF(2, 3);

/*
 * For verbs that go over many objects: prints the failure recorded since m on stderr (nothing with
 * --json), adds it to t->failures, and forgets it, so that the verb goes on.  Returns its text.
 */
const char *tool_report(struct tool *t, struct errctx m);

/*
 * A step of a verb that goes over many objects has an arena of its own, so that the memory of one
 * object is there again for the next.  *kept is the caller's until the end.  During the step, what
 * must outlive it is put into *kept; tool_report() and tool_note() do so.
 */
void tool_step_begin(struct tool *t, struct mem *kept);
void tool_step_end(struct tool *t, struct mem *kept);

/* Ends what trace does to stderr and CNI_DEBUG; for failures, too. */
void tool_show_stderr(struct tool *t);

/* ---- cmd_*.c ---- */

int cmd_add(struct tool *t) CHECKED;
int cmd_del(struct tool *t) CHECKED;
int cmd_check(struct tool *t) CHECKED;
int cmd_status(struct tool *t) CHECKED;
int cmd_gc(struct tool *t) CHECKED;
int cmd_restore(struct tool *t) CHECKED;
int cmd_list(struct tool *t) CHECKED;
int cmd_attach(struct tool *t) CHECKED;
int cmd_detach(struct tool *t) CHECKED;
int cmd_set(struct tool *t) CHECKED;
int cmd_publish(struct tool *t) CHECKED;
int cmd_unpublish(struct tool *t) CHECKED;
int cmd_assign(struct tool *t) CHECKED;
int cmd_unassign(struct tool *t) CHECKED;
int cmd_pool(struct tool *t) CHECKED;
int cmd_cluster(struct tool *t) CHECKED;
int cmd_run(struct tool *t) CHECKED;
int cmd_version(struct tool *t) CHECKED;
int cmd_install(struct tool *t) CHECKED;
int cmd_uninstall(struct tool *t) CHECKED;
int cmd_validate(struct tool *t) CHECKED;
int cmd_schema(struct tool *t) CHECKED;
int cmd_migrate(struct tool *t) CHECKED;
int cmd_graph(struct tool *t) CHECKED;
int cmd_inspect(struct tool *t) CHECKED;
int cmd_trace(struct tool *t) CHECKED;

/*
 * For verbs that make an attachment: reads the configuration of NET, names the attachment and reads
 * its arguments, all as the operands and options say; locks the cache.
 */
int cmd_prepare(struct tool *t, struct netconf *net, struct attachment *ret) CHECKED;

/*
 * The one cached attachment that NET, NETNS and the options name; locks the cache.  changes: what
 * is cached will be read, changed and written, which no other cnitool may do meanwhile.
 */
int cmd_find_attached(struct tool *t, bool changes, struct attachment *ret) CHECKED;

/* The configuration of NET; the cached one of the attachment if NET is not configured any more. */
int cmd_find_conf(struct tool *t, const char *id, const char *ifname, struct netconf *ret) CHECKED;

/* Both, and what is cached, of an attachment that a command changes; a->net is net. */
int cmd_find_live(struct tool *t, struct netconf *net, struct attachment *a,
		  struct cached *ret) CHECKED;

/* check of one attachment: prints the differences; with --repair, repairs them before. */
int cmd_check_one(struct tool *t, const struct attachment *a) CHECKED;

#endif
