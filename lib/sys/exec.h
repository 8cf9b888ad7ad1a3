/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.h - find and run another plugin (CNI spec, section 4, "Plugin Delegation")
 */
#ifndef CPLUG_EXEC_H
#define CPLUG_EXEC_H

#include "base/tx.h"

/*
 * Searches the directories of a CNI_PATH (colon-separated) for a regular file named type, a
 * valid one (name_valid_type()).  Returns false if there is none.  *ret_self: the file is this
 * program: the file that /proc/self/exe leads to, or one with the same bytes.
 */
bool exec_look(struct mem *mem, const char *cni_path, const char *type, const char **ret_path,
	       bool *ret_self);

/* The same for any type; fails with CPLUG_E_DELEGATE and a list of the directories. */
int exec_find(struct tx *tx, const char *cni_path, const char *type, const char **ret_path,
	      bool *ret_self) CHECKED;

struct exec_answer {
	int status; /* as from waitpid(2) */
	char *out;  /* stdout, NUL-terminated, in the arena */
	size_t out_size;
	char *err; /* the last 4 KiB of stderr */
};

struct exec_request {
	const char *path;
	const char *arg; /* its only argument; NULL = none, as plugins have none */
	/* Changes to our environment: "NAME=value", "NAME=" (empty); NULL-terminated, or NULL. */
	const char *const *env;
	const void *in; /* stdin */
	size_t size;    /* of in, in bytes */
	int timeout_ms; /* 0: none */
	int grace_ms;   /* from SIGTERM to SIGKILL; 0: 10 seconds */
	/*
	 * A descriptor that the child keeps as 3 until it ends, so that a lock of ours outlives us;
	 * 0 = none.  For cplug's own plugins: they pass it to no other program.
	 */
	int kept;
};

/*
 * Runs a plugin and waits until it has ended; collects its stdout (at most 16 MiB) and passes
 * its stderr on to ours as it comes.  The child gets descriptors 0, 1 and 2 only (and kept) and
 * default signal dispositions, and gets SIGTERM when we die.  If we are interrupted or the time is
 * up, the child gets SIGTERM, then SIGKILL, and is awaited.  ETXTBSY is retried for a second.
 *
 * Fails if it cannot be started or writes too much (CPLUG_E_DELEGATE), is too slow
 * (CNI_E_AGAIN), if we are interrupted, or memory for its output runs out (CPLUG_E_MEMORY).  A
 * child that failed is an answer: exec_judge().
 */
int exec_run(struct tx *tx, const struct exec_request *q, struct exec_answer *ret) CHECKED;

/*
 * Returns 0 if the plugin succeeded.  Otherwise records and returns a failure: the code, msg
 * and details of its error object; or without one, its exit status and the end of its stderr
 * (CPLUG_E_DELEGATE).
 */
int exec_judge(struct tx *tx, const char *path, const struct exec_answer *a) CHECKED;

#endif
