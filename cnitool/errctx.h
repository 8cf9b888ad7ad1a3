/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errctx.h - whose failure was it?
 *
 * A failure that comes from below (a plugin, a file of JSON) is told by whom it
 * concerns: remember where the record of failures stands, do the work, and if it
 * failed, put words before what it added, or take it back.
 */
#ifndef CPLUG_CNITOOL_ERRCTX_H
#define CPLUG_CNITOOL_ERRCTX_H

#include "base/tx.h"

struct errctx {
	bool first;     /* nothing had failed yet */
	size_t details; /* how much stood there */
};

struct errctx errctx_mark(const struct tx *tx);

/*
 * r < 0: puts words before what was recorded since the mark.  Returns r.  Works for
 * the first failure, for a later one, and while unwinding.
 */
int errctx_prefix(struct tx *tx, struct errctx m, int r, const char *fmt, ...) PRINTF(4, 5);

/* Takes back what was recorded since the mark; returns its text, in the arena. */
const char *errctx_take(struct tx *tx, struct errctx m);

#endif
