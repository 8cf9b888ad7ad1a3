// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * tx.c - the first failure, the undo stack, fault points
 *
 * Undo records have fixed slots, because an ADD makes few changes, and a list of objects
 * (forty port mappings) is one change-set and one record.  If the slots are full, the newest
 * change is undone at once and the call fails: a defect that tests show, and no leak.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/tx.h"

static volatile sig_atomic_t signalled;

static unsigned env_number(const char *name)
{
	const char *s = secure_getenv(name);

	if (!s)
		return 0;
	return (unsigned)strtoul(s, NULL, 10);
}

void tx_begin(struct tx *tx)
{
	/* Not the slots (13 KiB): a record is written as a whole. */
	memset(tx, 0, offsetof(struct tx, undo));
	tx->mem.max = TX_MEM_MAX;
	tx->fail_at = env_number("CNI_TEST_FAIL_AT");
	tx->crash_at = env_number("CNI_TEST_CRASH_AT");
}

static enum cni_code code_of(int err)
{
	switch (err) {
	case -EAGAIN:
	case -ETIMEDOUT:
		return CNI_E_AGAIN;
	case -EINTR:
		return CPLUG_E_SIGNAL;
	case -ENOMEM:
	case -ENOBUFS:
		return CPLUG_E_MEMORY;
	default:
		return CPLUG_E_KERNEL;
	}
}

static void append_detail(struct tx *tx, const char *text)
{
	size_t n = strlen(tx->details);

	snprintf(tx->details + n, sizeof(tx->details) - n, "%s%s", n ? "; " : "", text);
}

static PRINTF(4, 0) int record_failure(struct tx *tx, enum cni_code code, int err, const char *fmt,
				       va_list ap)
{
	char text[sizeof(tx->msg)];

	if (err >= 0)
		err = -EIO;
	if (err == -ENOMEM && code >= CPLUG_E_KERNEL)
		code = CPLUG_E_MEMORY;
	vsnprintf(text, sizeof(text), fmt, ap);
	text_plain(text);
	log_step("failed: %s", text);
	if (tx->err || tx->unwinding) {
		if (!str_eq(text, tx->msg)) /* an undo may fail for the same reason */
			append_detail(tx, text);
		return err;
	}
	tx->code = code;
	tx->err = err;
	memcpy(tx->msg, text, sizeof(text));
	return err;
}

int tx_fail(struct tx *tx, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err = record_failure(tx, code_of(err), err, fmt, ap);
	va_end(ap);
	return err;
}

int tx_fail_as(struct tx *tx, enum cni_code code, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err = record_failure(tx, code, err, fmt, ap);
	va_end(ap);
	return err;
}

/* For the undo of a call that ran out of memory.  Its pages are free until they are touched. */
static max_align_t reserve[TX_MEM_LENT / sizeof(max_align_t)];
static bool lent;

int tx_exhausted(struct tx *tx)
{
	size_t max = tx->mem.max;

	if (!tx->mem.at_max && !lent) {
		lent = true;
		mem_lend(&tx->mem, reserve, sizeof(reserve));
	}
	if (!tx->mem.at_max)
		return tx_fail(tx, -ENOMEM, "out of memory");
	tx->mem.max += TX_MEM_RESERVE;
	return tx_fail(tx, -ENOMEM,
		       "out of memory: the request needs more than %zu MiB (shorten the "
		       "configuration, its arguments, or the list that it is about)",
		       max >> 20);
}

void tx_detail(struct tx *tx, const char *fmt, ...)
{
	char text[sizeof(tx->msg)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_plain(text);
	append_detail(tx, text);
}

int tx_excuse(struct tx *tx, int before, int r, const char *why)
{
	if (r >= 0)
		return 0;
	/* The earlier failure is the first one and stays; this one is in the details. */
	if (before) {
		log_warn("%s (%s)", strerror(-r), why);
		return 0;
	}
	log_warn("%s (%s)", tx->msg, why);
	tx->err = 0;
	tx->code = 0;
	tx->msg[0] = tx->details[0] = '\0';
	return 0;
}

int tx_undo_record(struct tx *tx, undo_fn *fn, const char *what, const void *arg, size_t size)
{
	struct undo *u;

	if (tx->unwinding)
		return 0;
	if (tx->depth == TX_UNDO_MAX) {
		char copy[TX_UNDO_ARG];

		memcpy(copy, arg, size);
		tx_fail_as(tx, CPLUG_E_CRASH, -E2BIG, "%s: more than %d changes in one call", what,
			   TX_UNDO_MAX);
		tx->unwinding = true;
		fn(tx, copy);
		tx->unwinding = false;
		return -E2BIG;
	}
	u = &tx->undo[tx->depth++];
	u->fn = fn;
	u->what = what;
	memcpy(u->arg, arg, size);
	tx->count++;
	log_step("changed: %s", what);
	if (tx->crash_at && tx->count == tx->crash_at)
		raise(SIGKILL);
	if (tx->fail_at && tx->count == tx->fail_at)
		return tx_fail_as(tx, CPLUG_E_CRASH, -EIO, "test: made to fail after change %u: %s",
				  tx->count, what);
	return tx_interrupted(tx);
}

void tx_rollback(struct tx *tx)
{
	tx->unwinding = true;
	while (tx->depth) {
		struct undo *u = &tx->undo[--tx->depth];
		int r = u->fn(tx, u->arg);

		if (r < 0)
			log_step("undone: %s: %s", u->what, strerror(-r));
		else
			log_step("undone: %s", u->what);
	}
	tx->unwinding = false;
}

void tx_commit(struct tx *tx)
{
	tx->depth = 0;
}

void tx_end(struct tx *tx)
{
	mem_free(&tx->mem);
}

static void on_signal(int sig)
{
	signalled = sig;
}

void tx_catch_signals(void)
{
	struct sigaction sa = { .sa_handler = on_signal };

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigaction(SIGXFSZ, &sa, NULL); /* write() fails with EFBIG, and the call is rolled back */
}

int tx_interrupted(struct tx *tx)
{
	if (!signalled || tx->unwinding)
		return 0;
	return tx_fail(tx, -EINTR, "interrupted by signal %d (%s)", (int)signalled,
		       strsignal(signalled));
}
