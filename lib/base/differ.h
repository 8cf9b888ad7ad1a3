/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * differ.h - CHECK: the differences between what should be and what there is
 *
 * A check compares object by object and notes every difference in the transaction; the
 * dispatcher (cni.c) makes one error of them all, with the list in its details (CNI spec,
 * section "CHECK").  A check that notes nothing has succeeded.
 */
#ifndef CPLUG_DIFFER_H
#define CPLUG_DIFFER_H

#include "base/tx.h"

/* The arena holds the strings. */
struct difference {
	const char *object;      /* "route 0.0.0.0/0 on eth0" */
	const char *want, *have; /* "" = nothing */
	const char *sentence;    /* the message, should this be the first difference */
};

/* Notes a difference.  have may be NULL, which means nothing. */
void differ(struct tx *tx, const char *object, const char *want, const char *have);

/* The same with a sentence of its own, in place of "object: expected want, found have". */
void differ_as(struct tx *tx, const char *sentence, const char *object, const char *want,
	       const char *have);

/* Forgets all differences noted so far. */
void differ_forget(struct tx *tx);

#endif
