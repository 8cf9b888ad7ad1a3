// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * version.c - what was built; compiled again for each commit, alone
 */
#include "cni/version.h"

/* The Makefile gives both as words without quotes.  Linters and fuzzers give none. */
#ifndef CPLUG_VERSION
#define CPLUG_VERSION unknown
#endif

#define TEXT(word) TEXT_OF(word)
#define TEXT_OF(word) #word

const char cplug_version[] = TEXT(CPLUG_VERSION);
#ifdef CPLUG_COMMIT
const char cplug_commit[] = TEXT(CPLUG_COMMIT);
const char cplug_version_and_commit[] = TEXT(CPLUG_VERSION) " (commit " TEXT(CPLUG_COMMIT) ")";
#else
const char cplug_commit[] = "";
const char cplug_version_and_commit[] = TEXT(CPLUG_VERSION);
#endif
