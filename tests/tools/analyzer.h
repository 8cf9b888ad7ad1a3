/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * analyzer.h - what clang's analyzer cannot know: a recorded failure is negative
 *
 * It looks at one file at a time, so "return tx_fail(…)" might be success to it, and
 * the caller go on with variables that nobody set.  lint-tidy includes this before
 * every file but tx.c.
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
