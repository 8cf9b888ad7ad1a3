/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * regex.h - regular expressions as Go writes them (RE2), for short texts
 *
 * The reference's files contain RE2 (github.com/google/re2/wiki/Syntax).  regcomp(3) differs, and
 * differently in each C library.  Supported: alternatives, groups, sets, . ^ $ * + ? {n,m} (also
 * lazy), \d \w \s \b and their opposites, \A \z \t \n \f \r \v \xHH, escaped punctuation, and a
 * leading (?i).  All else, \Q and \p for instance, is refused.  Bytes count as characters.
 *
 * Nothing is tried twice, but a repetition in a repetition multiplies the time, so it is bounded.
 */
#ifndef CPLUG_REGEX_H
#define CPLUG_REGEX_H

#include "base/util.h"

enum {
	REGEX_TEXT_MAX = 127,
	REGEX_STEPS = 20000000, /* at most some seconds, for all matches of a call together */
};

/*
 * Does the expression match anywhere in text, of at most REGEX_TEXT_MAX bytes?  1, 0, or -EINVAL
 * with a reason in *ret_why: "a quantifier without something to repeat".  *steps, from REGEX_STEPS
 * on, is what is left of the time.
 */
int regex_match_try(const char *re, const char *text, unsigned *steps,
		    const char **ret_why) CHECKED;

#endif
