/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * exec.h - find and run another plugin (CNI spec, section 4 "Plugin Delegation")
 */
#ifndef CPLUG_EXEC_H
#define CPLUG_EXEC_H

#include "base/tx.h"

/*
 * Searches the directories of a CNI_PATH (colon-separated) for a regular file
 * named type (valid: name_valid_type()).  *ret_self tells whether it is this very
 * program (same device and inode as /proc/self/exe).  False if there is none.
 */
bool exec_look(struct mem *mem, const char *cni_path, const char *type, const char **ret_path,
	       bool *ret_self);

/*
 * The same, of any type; fails with CPLUG_E_DELEGATE, and the message lists the
 * directories.
 */
int exec_find(struct tx *tx, const char *cni_path, const char *type, const char **ret_path,
	      bool *ret_self) CHECKED;

struct exec_answer {
	int status; /* as of waitpid() */
	char *out;  /* stdout, NUL-terminated, in the arena */
	size_t out_size;
	char *err; /* the last 4 KiB of stderr */
};

/*
 * Runs path with the environment of this process, changed by env (NULL-terminated
 * "NAME=value" strings; "NAME=" sets the empty string), gives it size bytes on
 * stdin and collects its stdout (at most 16 MiB).  Its stderr is passed on to
 * ours as it comes.  ETXTBSY is retried for a second.  The child gets no
 * descriptor but 0, 1 and 2, default signal dispositions, and dies with us.
 * A signal to us is passed on to the child and awaited.  timeout_ms 0 = none.
 * Fails (CPLUG_E_DELEGATE) if it cannot be started; how it ended is the
 * caller's to judge.
 */
int exec_run(struct tx *tx, const char *path, const char *const *env, const void *in, size_t size,
	     int timeout_ms, struct exec_answer *ret) CHECKED;

/*
 * Turns the answer of a plugin that failed into a recorded failure: its error
 * object (code, msg, details) passed through unchanged; or, without one, a
 * sentence with its exit status and what it said on stderr (CPLUG_E_DELEGATE).
 * Returns 0 if it succeeded.
 */
int exec_judge(struct tx *tx, const char *path, const struct exec_answer *a) CHECKED;

#endif
