/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * analyzer_tests.h - tells clang's analyzer that a failed assertion of cmocka ends the test
 *
 * lint-tidy includes this file before every unit test.
 */
#ifndef CPLUG_ANALYZER_TESTS_H
#define CPLUG_ANALYZER_TESTS_H

#include "../unit/unit.h"

#undef assert_true
#undef assert_non_null
#undef assert_int_equal
#define assert_true(c) ((c) ? (void)0 : abort())
#define assert_non_null(c) assert_true((c) != NULL)
#define assert_int_equal(a, b) assert_true((a) == (b))

#endif
