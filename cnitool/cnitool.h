/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * cnitool.h - the client: plugs containers into networks by hand
 *
 * cnitool is a runtime in small: it finds a network's configuration (netconf.h),
 * runs its plugins for an attachment (attach.h), and remembers the result where
 * every libcni program does (cache.h).  main.c holds the table of verbs; each
 * verb is in a cmd_*.c.
 */
#ifndef CPLUG_CNITOOL_H
#define CPLUG_CNITOOL_H

#include "cnitool/cache.h"
#include "base/tx.h"

/* Runs the client; returns its exit status. */
int cnitool_main(int argc, char **argv);

/* A growing list of words, in the arena. */
struct words {
	const char **v;
	unsigned n;
};

/* What the options say; NULL, 0 and false if not given (options.c). */
struct options {
	const char *conf_dir, *cni_path, *cache_dir;
	const char *ifname, *id, *args, *cap_args;
	struct words publish, ips, macs;
	const char *hostname, *rootfs, *workdir;
	struct words env;
	bool user, all, dry_run, repair;
	bool json, quiet, help;
};

enum { EXIT_USAGE = 2, EXIT_OURS = 125, EXIT_NOT_RUNNABLE = 126, EXIT_NOT_FOUND = 127 };

struct attachment;

struct tool {
	struct tx *tx;
	const struct verb *verb;
	struct options opt; /* defaults filled in: conf_dir and cni_path */
	struct words args;  /* what stands after the verb and is no option */
	char **command;     /* NULL-terminated: what is to be run */
	struct cache cache;
	bool nohup; /* SIGHUP was ignored when we were started, and is so still */
	int status; /* run: the command's exit status */
	/* What an add has begun and nobody was told yet: undone if memory runs out. */
	const struct attachment *unfinished;
};

struct verb {
	const char *name;
	const char *operands; /* as shown */
	const char *about;    /* one line */
	unsigned bit;         /* selects its options */
	unsigned least, most; /* operands */
	bool takes_command;   /* what follows the first operand, or --, is a command */
	int (*run)(struct tool *t);
	const char *text; /* paragraphs of its help */
};

/* Selects verbs in tables. */
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
	V_ALL = 2047,
};

/*
 * Reads argv[2…] by the table of options.  Fails with -EINVAL (CNI_E_FIELD): a
 * sentence about the usage.
 */
int options_read(struct tool *t, int argc, char **argv) CHECKED;
/* The options of a verb, as a part of its help. */
void options_help(unsigned verb);

/* Puts JSON text on stdout, indented, or says why not; nothing under -q. */
int tool_print(struct tool *t, const char *json_text) CHECKED;
/* printf() to stdout; nothing under -q and --json. */
void tool_say(const struct tool *t, const char *fmt, ...) PRINTF(2, 3);
/* Puts the recorded failure where it belongs: a sentence, or JSON. */
void tool_print_failure(const struct tool *t);

int cmd_add(struct tool *t) CHECKED;
int cmd_del(struct tool *t) CHECKED;
int cmd_check(struct tool *t) CHECKED;
int cmd_status(struct tool *t) CHECKED;
int cmd_gc(struct tool *t) CHECKED;
int cmd_restore(struct tool *t) CHECKED;
int cmd_list(struct tool *t) CHECKED;
int cmd_attach(struct tool *t) CHECKED;
int cmd_detach(struct tool *t) CHECKED;
int cmd_run(struct tool *t) CHECKED;
int cmd_version(struct tool *t) CHECKED;

/* check --repair: repairs one attachment, prints what was done, and checks it again. */
int cmd_restore_one(struct tool *t, const struct attachment *a) CHECKED;

#endif
