/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * complete.h - candidates for the shells' completion, on stdout (complete.c tells the form)
 */
#ifndef CPLUG_CNITOOL_COMPLETE_H
#define CPLUG_CNITOOL_COMPLETE_H

#include "cnitool/cnitool.h"

/* The verbs that begin with prefix. */
void complete_verbs(const struct verb *verbs, unsigned n, const char *prefix);

/*
 * The candidates for a word after the verb: last is its beginning, before is the word before it.
 * t has the options and operands that were read before it.
 */
void complete_word(struct tool *t, const char *before, const char *last);

#endif
