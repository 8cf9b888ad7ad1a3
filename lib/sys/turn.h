/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * turn.h - processes that would hinder each other act one after the other
 *
 * A turn is a flock(2) on a file in STATE_ROOT.  The kernel releases it when the process ends, in
 * any way.  It makes calls faster and nothing else: without the folder, or if a holder is stuck, a
 * call goes on without it.
 */
#ifndef CPLUG_TURN_H
#define CPLUG_TURN_H

#include "base/tx.h"
#include "sys/state.h"

#define TURN_NFT STATE_ROOT "/nft.lock"       /* reading and changing the ruleset, for DEL */
#define TURN_DOOMED STATE_ROOT "/doomed.lock" /* deleting links (link_doomed.c) */
enum { TURN_WAIT_MS = 500 };                  /* for one holder and all who wait before us */

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

#endif
