/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tx.h - the transaction: the first failure, and the undo stack
 *
 * struct tx is the first argument of every function that acts.  A step that fails records
 * the failure in the return statement:
 *
 *	return tx_fail(tx, -ENODEV, "%s: no interface named %s", where, name);
 *
 * A step that changed something registers its undo as its last act:
 *
 *	return tx_undo(tx, undo_link, "add link", &key);
 *
 * The undo function gets a copy of *arg, so its argument cannot go out of scope, and
 * registering needs no memory after the change was made.  Only the dispatcher (cni.c, and
 * cnitool's main) begins, commits and rolls back.
 *
 * A function that takes struct tx records every failure that it returns, so no caller has to
 * ask whether a failure was recorded (rule R2).  Exceptions: an errno that its header names as
 * an answer (-ENOENT from netns_open()); a name that ends in _try, which records nothing; a
 * return type that cannot fail (void, bool, a value).  A function that needs only the arena
 * takes struct mem.
 *
 * The first failure becomes the error document; later failures, and those of undo functions,
 * go to its details.  Codes: CNI spec, section "Error", and docs/errors.md.
 *
 * CNI_TEST_FAIL_AT=n makes the n-th registration fail, after the change was made and
 * recorded; CNI_TEST_CRASH_AT=n kills the process there.
 */
#ifndef CPLUG_TX_H
#define CPLUG_TX_H

#include <signal.h>
#include <stdarg.h>

#include "base/mem.h"
#include "base/util.h"

/* Error codes of the CNI specification (1-99) and our own (100 and up). */
enum cni_code {
	CNI_E_VERSION = 1,       /* incompatible CNI version */
	CNI_E_FIELD = 2,         /* unsupported field in the configuration */
	CNI_E_CONTAINER = 3,     /* container unknown */
	CNI_E_ENV = 4,           /* invalid environment variable */
	CNI_E_IO = 5,            /* I/O failure */
	CNI_E_DECODE = 6,        /* cannot decode the input */
	CNI_E_CONFIG = 7,        /* invalid network configuration */
	CNI_E_NETNS = 8,         /* CNI_NETNS is not usable (libcni's constant) */
	CNI_E_AGAIN = 11,        /* try again later */
	CNI_E_UNAVAILABLE = 50,  /* STATUS: not available */
	CNI_E_DEGRADED = 51,     /* STATUS: and existing containers may suffer */
	CPLUG_E_KERNEL = 100,    /* the kernel refused a request */
	CPLUG_E_EXISTS = 101,    /* the container has an interface of that name */
	CPLUG_E_TAKEN = 102,     /* another object has the name */
	CPLUG_E_EXHAUSTED = 103, /* no free address */
	CPLUG_E_ADDRESS = 104,   /* the requested address is not available */
	CPLUG_E_PORT = 105,      /* a host port is taken */
	CPLUG_E_DELEGATE = 106,  /* a delegated plugin was not found or did not run */
	CPLUG_E_CHECK = 107,     /* CHECK: something differs from the result */
	CPLUG_E_PREV = 108,      /* prevResult is missing or does not fit */
	CPLUG_E_SIGNAL = 109,    /* interrupted, and rolled back */
	CPLUG_E_MEMORY = 110,    /* out of memory */
	CPLUG_E_CRASH = 111,     /* a defect in cplug */
	CPLUG_E_FILE = 112,      /* a file or directory cannot be read or written */
};

enum { TX_UNDO_MAX = 64, TX_UNDO_ARG = 160 };

/*
 * Ceiling of the arena of a call, in bytes, and what the rollback gets beyond it or without
 * malloc().  The largest legitimate request, a repair of 20,000 port mappings, needs two thirds of
 * it.
 */
enum { TX_MEM_MAX = 256 << 20, TX_MEM_RESERVE = 16 << 20, TX_MEM_LENT = 128 << 10 };

struct tx;
struct difference;
typedef int undo_fn(struct tx *tx, void *arg);

struct tx {
	enum cni_code code; /* of the first failure */
	int err;            /* its -errno; 0: nothing failed */
	char msg[1024];
	char details[4096];
	struct difference *differences; /* found by CHECK (differ.h) */
	unsigned n_differences;
	bool unwinding;
	unsigned depth, count; /* undo records on the stack; registered so far */
	unsigned fail_at, crash_at;
	struct mem mem;
	struct undo {
		undo_fn *fn;
		const char *what;
		_Alignas(max_align_t) char arg[TX_UNDO_ARG];
	} undo[TX_UNDO_MAX];
};

/* Initialises tx; reads the fault injection variables. */
void tx_begin(struct tx *tx);

/*
 * Records a failure and returns err, a negative errno (0 or more becomes -EIO).  A second
 * failure, and one during rollback, goes to the details.
 *
 * tx_fail() derives the code from err: CNI_E_AGAIN for -EAGAIN and -ETIMEDOUT, CPLUG_E_SIGNAL
 * for -EINTR, CPLUG_E_MEMORY for -ENOMEM and -ENOBUFS, else CPLUG_E_KERNEL.  tx_fail_as()
 * takes it from the caller, but with -ENOMEM a code of ours (100 and up) becomes
 * CPLUG_E_MEMORY.
 */
int tx_fail(struct tx *tx, int err, const char *fmt, ...) PRINTF(3, 4);
int tx_fail_as(struct tx *tx, enum cni_code code, int err, const char *fmt, ...) PRINTF(4, 5);

/*
 * Records that the arena is exhausted (CPLUG_E_MEMORY), and gives the rollback memory: if the arena
 * has reached its ceiling, TX_MEM_RESERVE more; if malloc() failed, once in a process, TX_MEM_LENT
 * bytes that need no malloc().  Returns -ENOMEM.
 */
int tx_exhausted(struct tx *tx);

/* Adds a sentence to the details (separated by "; "). */
void tx_detail(struct tx *tx, const char *fmt, ...) PRINTF(2, 3);

/*
 * Removes the recorded failure of a step that the caller can do without, and logs it as a
 * warning with why.  before is tx->err as it was before the step, r what the step returned; does
 * nothing if r >= 0.  A failure that was recorded before the step stays.  Returns 0.
 */
int tx_excuse(struct tx *tx, int before, int r, const char *why);

/*
 * Registers fn(tx, copy of *arg) as the undo of a change.  Returns 0, -EINTR if a signal came,
 * or an injected failure; the undo is registered in all cases.
 */
#define tx_undo(tx, fn, what, arg)                                                                 \
	({                                                                                         \
		_Static_assert(sizeof(*(arg)) <= TX_UNDO_ARG, "undo argument too large");          \
		tx_undo_record(tx, fn, what, arg, sizeof(*(arg)));                                 \
	})
int tx_undo_record(struct tx *tx, undo_fn *fn, const char *what, const void *arg,
		   size_t size) CHECKED;

/* Calls all undo functions, newest first; their failures go to the details. */
void tx_rollback(struct tx *tx);

/* Empties the undo stack: the changes stay. */
void tx_commit(struct tx *tx);

/* Releases the arena. */
void tx_end(struct tx *tx);

/*
 * tx_catch_signals() makes SIGTERM, SIGINT and SIGHUP set a flag, and ignores SIGPIPE
 * and SIGXFSZ (exec.c and cnitool's init.c restore them in the child).
 * tx_interrupted() returns 0, or records and returns -EINTR if the flag is set, but never
 * during rollback.  A function that blocks asks it before and after it sleeps, so that the
 * call is rolled back.
 */
void tx_catch_signals(void);
int tx_interrupted(struct tx *tx) CHECKED;

#endif
