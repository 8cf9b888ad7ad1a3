/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * analyzer.h - tells clang's analyzer that tx_fail() returns a negative number
 *
 * It analyses one file at a time, so it assumes that "return tx_fail(…)" may return success, and
 * that the caller uses variables that are not set then.  lint-tidy includes this file before
 * every source except lib/base/tx.c.
 */
#ifndef CPLUG_ANALYZER_H
#define CPLUG_ANALYZER_H

#include "base/tx.h"

#define negative(expr)                                                                             \
	({                                                                                         \
		int negative_ = (expr);                                                            \
		if (negative_ >= 0)                                                                \
			__builtin_unreachable();                                                   \
		negative_;                                                                         \
	})

#define tx_fail(...) negative(tx_fail(__VA_ARGS__))
#define tx_fail_as(...) negative(tx_fail_as(__VA_ARGS__))

#endif
