/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * unit.h - common functions of the unit tests: cmocka, and a transaction per test
 *
 * A test is a table of cases and a loop.  Use CHECK(condition, "format", …) if an assertion would
 * not show which case failed.
 */
#ifndef CPLUG_UNIT_H
#define CPLUG_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/tx.h"

#define CHECK(condition, ...)                                                                      \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fail_msg(__VA_ARGS__);                                                     \
			abort(); /* it does not come back, but analysers do not know */            \
		}                                                                                  \
	} while (0)

/* The transaction of the running test; WITH_TX() starts a new one for each. */
static struct tx unit_tx;

static inline int unit_begin(void **state)
{
	(void)state;
	tx_begin(&unit_tx);
	return 0;
}

static inline int unit_end(void **state)
{
	(void)state;
	tx_end(&unit_tx);
	return 0;
}

/* Starts a new transaction, for the next case. */
static inline void unit_again(void)
{
	tx_end(&unit_tx);
	tx_begin(&unit_tx);
}

#define WITH_TX(test) cmocka_unit_test_setup_teardown(test, unit_begin, unit_end)

#endif
