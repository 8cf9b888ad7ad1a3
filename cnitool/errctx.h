/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * errctx.h - the context of a failure that a called function records
 *
 * A caller marks the record of failures, does the work, and if that failed, begins the new text
 * with its context ("plugin X failed: "), or takes the text away.
 */
#ifndef CPLUG_CNITOOL_ERRCTX_H
#define CPLUG_CNITOOL_ERRCTX_H

#include "base/tx.h"

struct errctx {
	bool first;     /* there was no failure yet */
	size_t details; /* length of the details, in bytes */
};

struct errctx errctx_mark(const struct tx *tx);

/*
 * If r < 0: begins the text that was recorded since the mark with a context.  Returns r.  The text
 * may be the first failure, or a detail.
 */
int errctx_prefix(struct tx *tx, struct errctx m, int r, const char *fmt, ...) PRINTF(4, 5);

/* Removes the text that was recorded since the mark, and returns it, in the arena. */
const char *errctx_take(struct tx *tx, struct errctx m);

#endif
