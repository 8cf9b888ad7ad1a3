/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn.h - processes that would hinder each other act one after the other
 *
 * A turn is a flock(2) on a file in STATE_ROOT.  The kernel releases it when the process ends, in
 * any way.  No plugin depends on it: without the folder, or if a holder is stuck, a call goes on
 * without it.
 */
#ifndef CPLUG_TURN_H
#define CPLUG_TURN_H

#include "base/tx.h"
#include "sys/state.h"

#define TURN_NFT STATE_ROOT "/nft.lock"       /* reading and changing the ruleset, for DEL */
#define TURN_DOOMED STATE_ROOT "/doomed.lock" /* deleting links (link_doomed.c) */
/*
 * What cnitool gc finds without a living owner must not be that of an ADD under way, so each ADD
 * shares this turn, and gc has it alone while it looks and removes, for each network anew.
 */
#define TURN_GC STATE_ROOT "/gc.lock"
enum {
	TURN_WAIT_MS = 500,     /* for one holder and all who wait before us */
	TURN_GC_WAIT_MS = 5000, /* of an ADD for gc */
};

/* Opens the file, for reading and writing; makes it.  Returns a descriptor, or -1. */
int turn_open(const char *path);

/* Takes the turn if it is free. */
bool turn_try(int fd);

/*
 * Waits for the turn, or until is_over(arg) (NULL: never) says that there is no need any more,
 * which is asked every few milliseconds.  Returns 1, 0 without the turn, also after TURN_WAIT_MS,
 * or -EINTR, recorded, if a signal came.  Closing the descriptor ends the turn.
 */
int turn_wait(struct tx *tx, int fd, bool (*is_over)(void *arg), void *arg) CHECKED;

/* All of it.  *ret is the descriptor, or -1: not in turn.  Fails only with -EINTR. */
int turn_take(struct tx *tx, const char *path, int *ret) CHECKED;

/* The same for TURN_GC, of an ADD: waits for TURN_GC_WAIT_MS at most. */
int turn_share_gc(struct tx *tx, int *ret) CHECKED;

#endif
