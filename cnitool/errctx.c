// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * errctx.c - the context of a failure that a called function records
 *
 * struct tx keeps the first failure in msg and all later ones in details, as one text.  A mark is
 * the length of this text, so later failures are its tail.
 */
#include <stdio.h>

#include "base/log.h"
#include "cnitool/errctx.h"

struct errctx errctx_mark(const struct tx *tx)
{
	return (struct errctx){
		.first = !tx->err && !tx->unwinding,
		.details = strlen(tx->details),
	};
}

static const char *tail(const struct tx *tx, struct errctx m)
{
	const char *s = tx->details + m.details;

	if (m.details && str_starts(s, "; "))
		s += 2;
	return s;
}

int errctx_prefix(struct tx *tx, struct errctx m, int r, const char *fmt, ...)
{
	const char *words, *text;
	va_list ap;

	if (r >= 0)
		return r;
	va_start(ap, fmt);
	words = mem_vprintf(&tx->mem, fmt, ap);
	va_end(ap);
	if (m.first) {
		text = mem_str(&tx->mem, tx->msg);
		snprintf(tx->msg, sizeof(tx->msg), "%s%s", words, text);
		text_plain(tx->msg);
	} else {
		text = mem_str(&tx->mem, tail(tx, m));
		tx->details[m.details] = '\0';
		tx_detail(tx, "%s%s", words, text);
	}
	return r;
}

const char *errctx_take(struct tx *tx, struct errctx m)
{
	const char *later = mem_str(&tx->mem, tail(tx, m));
	const char *text = later;

	tx->details[m.details] = '\0';
	if (m.first) {
		text = mem_printf(&tx->mem, "%s%s%s", tx->msg, *later ? "; " : "", later);
		tx->err = 0;
		tx->code = 0;
		tx->msg[0] = '\0';
	}
	return text;
}
