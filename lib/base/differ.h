/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * differ.h - CHECK: collect the differences between wanted and present state
 *
 * A check compares one object after the other and notes every difference in the transaction.
 * The dispatcher (cni.c) turns all of them into one error whose details contain the list (CNI
 * spec, section 2, "CHECK").  A check that notes nothing has succeeded.
 */
#ifndef CPLUG_DIFFER_H
#define CPLUG_DIFFER_H

#include "base/tx.h"

/* The strings are in the arena. */
struct difference {
	const char *object;      /* "route 0.0.0.0/0 on eth0" */
	const char *want, *have; /* "": absent */
	const char *sentence;    /* the error message if this difference is the first */
};

/* Notes a difference.  have NULL or "": the object is absent. */
void differ(struct tx *tx, const char *object, const char *want, const char *have);

/* Notes a difference if two numbers differ. */
void differ_number(struct tx *tx, const char *object, int64_t want, int64_t have);

/* As differ(), with its own message instead of "object: expected want, found have". */
void differ_as(struct tx *tx, const char *sentence, const char *object, const char *want,
	       const char *have);

/*
 * Runs a comparison in an arena of its own, which is released afterwards: a repair compares several
 * times, and the change and its undo need the memory of the call.  The differences are kept.
 * Nothing else that check() allocates may be used later.  Returns what check() returns.
 */
int differ_apart(struct tx *tx, int (*check)(struct tx *tx, void *arg), void *arg) CHECKED;

/* Forgets all differences noted so far. */
void differ_forget(struct tx *tx);

#endif
